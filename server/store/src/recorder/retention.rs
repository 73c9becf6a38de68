//! What goes when, and what stays for good.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{BLOCKS_OF, HOURS_OF, MOST_TRACKS, frozen::freeze};
use crate::error::{StoreError, failed};

/// Roll-ups are kept so long, and what changes seldom, ids and names of tracks as long.
pub const HOURS_FOR: TimeDelta = TimeDelta::days(366);

/// Makes the partition of a table for a time, if there is none.
///
/// # Errors
/// When the database refuses.
pub async fn cover(
    conn: &mut PgConnection,
    table: &str,
    at: DateTime<Utc>,
    width: i64,
) -> Result<(), StoreError> {
    sqlx::query_scalar!("select recorder_cover($1, $2, $3)::text", table, at, width)
        .fetch_one(conn)
        .await
        .map_err(failed("make a partition of the recorder's"))?;
    Ok(())
}

/// Makes the partitions of the present and of the next time.
///
/// # Errors
/// When the database refuses.
pub async fn cover_next(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), StoreError> {
    for (table, width) in [("recorder_block", BLOCKS_OF), ("recorder_hour", HOURS_OF)] {
        for at in [now, now + TimeDelta::seconds(width)] {
            cover(conn, table, at, width).await?;
        }
    }
    Ok(())
}

/// Drops the oldest partition of blocks, if all of it is older than so many hours, and copies aside before what lies around incidents;
/// answers whether there was one, so that there may be more. In a transaction of its own: what is to stay is copied before it is
/// dropped, or neither, and whoever writes or reads waits for one partition at most. While another process is at it there is none.
///
/// # Errors
/// When the database refuses.
pub async fn retire_blocks(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keep_hours: i64,
) -> Result<bool, StoreError> {
    let before = now - TimeDelta::hours(keep_hours);
    if !is_alone(conn).await? {
        return Ok(false);
    }
    let Some((from, to)) = oldest_partition(conn).await?.filter(|(_, to)| *to <= before) else {
        return Ok(false);
    };
    freeze(conn, (from, to)).await?;
    drop_partitions(conn, "recorder_block", to).await?;
    Ok(true)
}

/// Drops partitions of roll-ups that are older than [`HOURS_FOR`]; answers how many. In a transaction of its own, as [`retire_blocks`].
///
/// # Errors
/// When the database refuses.
pub async fn retire_hours(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64, StoreError> {
    if !is_alone(conn).await? {
        return Ok(0);
    }
    drop_partitions(conn, "recorder_hour", now - HOURS_FOR).await
}

/// Whether no other process drops partitions or what is frozen; none does until this transaction ends.
pub(super) async fn is_alone(conn: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('recorder_retire')) as "alone!""#)
        .fetch_one(conn)
        .await
        .map_err(failed("see whether another process drops old partitions of the recorder's"))
}

/// The time that the oldest partition of blocks holds, as its name says it.
async fn oldest_partition(
    conn: &mut PgConnection,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, StoreError> {
    let oldest = sqlx::query!(
        r#"select
            to_timestamp((regexp_match(child.relname::text, '_([0-9]+)_([0-9]+)$'))[1]::bigint) as "from_at!",
            to_timestamp((regexp_match(child.relname::text, '_([0-9]+)_([0-9]+)$'))[2]::bigint) as "to_at!"
        from pg_inherits
        join pg_class child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = 'recorder_block'::regclass
            and child.relname::text ~ '_([0-9]+)_([0-9]+)$'
        order by 2
        limit 1"#
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find the oldest partition of the recorder's"))?;
    Ok(oldest.map(|oldest| (oldest.from_at, oldest.to_at)))
}

async fn drop_partitions(
    conn: &mut PgConnection,
    table: &str,
    before: DateTime<Utc>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(r#"select recorder_drop($1, $2) as "dropped!""#, table, before)
        .fetch_one(conn)
        .await
        .map_err(failed("drop old partitions of the recorder's"))
}

/// ACLs and configs of more than so long ago go, except the newest whole state of each and what changed since: they say what was so until
/// the next.
///
/// # Errors
/// When the database refuses.
pub async fn forget_facts(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from recorder_fact old
        using recorder_fact newer
        where newer.pair = old.pair
            and newer.side = old.side
            and newer.kind = old.kind
            and newer.at > old.at
            and newer.at <= $1",
        before
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("forget old ACLs and configs"))?;
    sqlx::query!(
        "delete from recorder_fact_change old
        using recorder_fact newer
        where newer.pair = old.pair
            and newer.side = old.side
            and newer.kind = old.kind
            and newer.at > old.at
            and newer.at <= $1
            and old.at < $1",
        before
    )
    .execute(conn)
    .await
    .map_err(failed("forget old changes of ACLs and configs"))?;
    Ok(())
}

/// Ids that topics had until so long ago go, except where the next is not that old: nobody may have looked in between, and each next one is
/// told with the one before it.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ids(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from recorder_topic old
        where old.seen_until < $1
            and coalesce(
                (
                    select min(later.seen_from)
                    from recorder_topic later
                    where later.pair = old.pair
                        and later.side = old.side
                        and later.topic = old.topic
                        and later.seen_from > old.seen_until
                ) < $1,
                true
            )",
        before
    )
    .execute(conn)
    .await
    .map_err(failed("forget ids of topics that are long over"))?;
    Ok(())
}

/// Names of tracks that were not seen for so long go: no hour has values of theirs any more. One that a frozen block may have
/// values of stays, and the last of a stream, so that no number is given twice. A stream in which nothing at all was seen
/// lately is left as it is: its source may be silent.
///
/// # Errors
/// When the database refuses.
pub async fn forget_tracks(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from recorder_track track
        where track.seen_at < $1
            and exists (
                select from recorder_track living
                where living.stream = track.stream
                    and living.seen_at >= $1
            )
            and exists (
                select from recorder_track later
                where later.stream = track.stream
                    and later.number > track.number
            )
            and not exists (
                select from recorder_frozen frozen
                where frozen.stream = track.stream
                    and frozen.chunk = track.number / $2
                    -- A track is marked as seen once a day.
                    and frozen.from_at <= track.seen_at + interval '1 day'
            )",
        before,
        i32::try_from(MOST_TRACKS).unwrap_or(i32::MAX)
    )
    .execute(conn)
    .await
    .map_err(failed("forget tracks that are gone"))?;
    Ok(())
}

/// Bytes the recorder takes: all its tables with their indexes.
///
/// # Errors
/// When the database refuses.
pub async fn size(conn: &mut PgConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint as "bytes!"
        from pg_class c
        where c.relkind = 'r'
            and c.relnamespace = current_schema::regnamespace
            and c.relname like 'recorder\_%'"#
    )
    .fetch_one(conn)
    .await
    .map_err(failed("measure the recorder"))
}
