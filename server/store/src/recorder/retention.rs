//! What goes when, and what stays for good.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{alarm::AlarmCode, notification::Severity};
use sqlx::PgConnection;

use super::{BLOCKS_OF, HOURS_OF, MOST_TRACKS};
use crate::error::{StoreError, failed};

/// Roll-ups are kept so long.
const HOURS_FOR: TimeDelta = TimeDelta::days(366);
/// Critical alarms of a pair within a day around which everything is kept: one that comes and goes must not keep it all.
const MOST_ALARMS: i64 = 10;

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

/// Makes the partitions of the next time, copies aside what lies around incidents (a source that died, a run, a critical
/// alarm), drops what is older than so many hours, and forgets facts, ids and tracks that nothing refers to any more. Answers how many partitions went. In a transaction: what is to stay is copied before it
/// is dropped, or neither.
///
/// # Errors
/// When the database refuses.
pub async fn retire(conn: &mut PgConnection, now: DateTime<Utc>, keep_hours: i64) -> Result<i64, StoreError> {
    for (table, width) in [("recorder_block", BLOCKS_OF), ("recorder_hour", HOURS_OF)] {
        for at in [now, now + TimeDelta::seconds(width)] {
            cover(conn, table, at, width).await?;
        }
    }
    let before = now - TimeDelta::hours(keep_hours);
    freeze(conn, before).await?;
    let mut dropped = 0;
    for (table, before) in [("recorder_block", before), ("recorder_hour", now - HOURS_FOR)] {
        dropped += sqlx::query_scalar!(r#"select recorder_drop($1, $2) as "dropped!""#, table, before)
            .fetch_one(&mut *conn)
            .await
            .map_err(failed("drop old partitions of the recorder's"))?;
    }
    forget_facts(conn, now - HOURS_FOR).await?;
    forget_ids(conn, now - HOURS_FOR).await?;
    forget_tracks(conn, now - HOURS_FOR).await?;
    Ok(dropped)
}

/// A quarter of an hour before an incident and after its end shows what led to it and what came of it. Of an alarm it is its
/// opening: it may stand for weeks.
async fn freeze(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let critical = AlarmCode::ALL.into_iter().filter(|code| code.severity() == Severity::Critical);
    let critical: Vec<String> = critical.map(|code| code.as_str().to_owned()).collect();
    let done = sqlx::query!(
        "insert into recorder_frozen (stream, chunk, from_at, to_at, samples, body)
        select block.stream, block.chunk, block.from_at, block.to_at, block.samples, block.body
        from recorder_block block
        join recorder_stream stream on stream.id = block.stream
        where block.from_at < $1
            and exists (
                select from loss
                where loss.pair = stream.pair
                    and block.to_at >= loss.seen_at - interval '15 minutes'
                    and block.from_at <= loss.at + interval '15 minutes'
                union all
                select from run
                where run.pair = stream.pair
                    and block.to_at >= run.started_at - interval '15 minutes'
                    and block.from_at <= coalesce(run.ended_at, block.from_at) + interval '15 minutes'
                union all
                select from alarm
                where alarm.pair = stream.pair
                    and alarm.code = any($2)
                    and not coalesce((alarm.body ->> 'likely')::boolean, false)
                    and block.to_at >= alarm.opened_at - interval '15 minutes'
                    and block.from_at <= alarm.opened_at + interval '15 minutes'
                    and (
                        select count(*)
                        from alarm before
                        where before.pair = alarm.pair
                            and before.code = any($2)
                            and before.number < alarm.number
                            and before.opened_at > alarm.opened_at - interval '1 day'
                    ) < $3
            )
        on conflict (stream, chunk, from_at) do nothing",
        before,
        &critical,
        MOST_ALARMS
    )
    .execute(conn)
    .await
    .map_err(failed("keep what lies around incidents"))?;
    Ok(done.rows_affected())
}

/// ACLs and configs of more than so long ago go, except the newest whole state of each and what changed since: they say what was so until
/// the next.
async fn forget_facts(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
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
    .execute(conn)
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

/// Ids that topics had until so long ago go.
async fn forget_ids(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("delete from recorder_topic where seen_until < $1", before)
        .execute(conn)
        .await
        .map_err(failed("forget ids of topics that are long over"))?;
    Ok(())
}

/// Names of tracks that were not seen for so long go: no hour has values of theirs any more. One that a frozen block may have
/// values of stays, and the last of a stream, so that no number is given twice. A stream in which nothing at all was seen
/// lately is left as it is: its source may be silent.
async fn forget_tracks(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
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
