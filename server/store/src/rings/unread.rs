//! Partitions of which nothing can be kept now, because they cannot be read: since when, and why. For people, while the source lives
//! and something can be done about it, and for a proof of its groups when it is dead.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    topic::{ByPartition, TopicPartition},
};
use sqlx::PgConnection;

use super::{MOST_PARTITIONS, NewRings, columns};
use crate::error::{StoreError, failed};

/// A partition that was not tried for so long is none that anybody looks at: its topic is gone, or its groups are.
const TRIED_WITHIN: TimeDelta = TimeDelta::hours(2);

/// A partition that could not be read when it was tried last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The first time, by Muster's clock.
    pub since: DateTime<Utc>,
    /// The last time.
    pub tried_at: DateTime<Utc>,
    /// What came back then.
    pub because: String,
}

/// Takes in what a look found: what was read can be, and of what cannot it is known why.
pub(super) async fn keep(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    at: DateTime<Utc>,
    found: &NewRings,
) -> Result<(), StoreError> {
    let (topics, numbers) = columns(found.rings.keys().chain(&found.forget));
    // With those that were not tried for long, and, of more than rings are kept of, those that were tried longest ago.
    sqlx::query!(
        "delete from ring_unread
        where pair = $1
            and from_side = $2
            and (
                (topic, partition_number) in (
                    select topic, number
                    from unnest($3::text[], $4::integer[]) as readable (topic, number)
                )
                or tried_at < $5
                or ctid in (
                    select ctid
                    from ring_unread
                    where pair = $1
                        and from_side = $2
                    order by tried_at desc
                    offset $6
                )
            )",
        pair.as_str(),
        side,
        &topics,
        &numbers,
        at - TRIED_WITHIN,
        MOST_PARTITIONS
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("forget which partitions could not be read"))?;
    if found.unread.is_empty() {
        return Ok(());
    }
    let (topics, numbers) = columns(found.unread.keys());
    let because: Vec<String> = found.unread.values().cloned().collect();
    sqlx::query!(
        "insert into ring_unread (pair, from_side, topic, partition_number, since, tried_at, because)
        select $1, $2, topic, number, $3, $3, because
        from unnest($4::text[], $5::integer[], $6::text[]) as new (topic, number, because)
        on conflict (pair, from_side, topic, partition_number) do update
        set tried_at = excluded.tried_at,
            because = excluded.because",
        pair.as_str(),
        side,
        at,
        &topics,
        &numbers,
        &because
    )
    .execute(conn)
    .await
    .map_err(failed("keep which partitions cannot be read"))?;
    Ok(())
}

pub(super) async fn forget(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from ring_unread
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        side
    )
    .execute(conn)
    .await
    .map_err(failed("forget which partitions could not be read"))?;
    Ok(())
}

/// Partitions of a flow's source that could not be read when they were tried last, at most so many: those that cannot be for
/// longest.
///
/// # Errors
/// When the database refuses.
pub async fn unread(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    most: i64,
) -> Result<ByPartition<Unread>, StoreError> {
    let rows = sqlx::query!(
        "select topic, partition_number, since, tried_at, because
        from ring_unread
        where pair = $1
            and from_side = $2
        order by since, topic, partition_number
        limit $3",
        pair.as_str(),
        direction.from.as_str(),
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read which partitions cannot be read"))?;
    let one = rows.into_iter().map(|row| {
        let at = TopicPartition::new(row.topic, row.partition_number);
        (at, Unread { since: row.since, tried_at: row.tried_at, because: row.because })
    });
    Ok(one.collect())
}

/// How many there are.
///
/// # Errors
/// When the database refuses.
pub async fn count_unread(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
        from ring_unread
        where pair = $1
            and from_side = $2"#,
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_one(conn)
    .await
    .map_err(failed("count which partitions cannot be read"))
}
