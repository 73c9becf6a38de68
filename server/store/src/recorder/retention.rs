//! What goes when, and what stays for good.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{BLOCKS_OF, HOURS_OF};
use crate::error::StoreError;

/// Roll-ups are kept so long.
const HOURS_FOR: TimeDelta = TimeDelta::days(366);

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
        .map_err(|source| StoreError::database("make a partition of the recorder's", source))?;
    Ok(())
}

/// Makes the partitions of the next time, copies aside what lies around incidents (a source that died, a run), and drops
/// what is older than so many hours. Answers how many partitions went. In a transaction: what is to stay is copied before it
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
            .map_err(|source| StoreError::database("drop old partitions of the recorder's", source))?;
    }
    Ok(dropped)
}

/// A quarter of an hour before an incident and after its end shows what led to it and what came of it.
async fn freeze(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
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
            )
        on conflict (stream, chunk, from_at) do nothing",
        before
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep what lies around incidents", source))?;
    Ok(done.rows_affected())
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
    .map_err(|source| StoreError::database("measure the recorder", source))
}
