//! Fingerprint rings: what is kept of the partitions of a flow's source for the day it is dead. Written under the lease of the
//! pair's survey; one that cannot look writes that it cannot, and what was kept before stays.

mod codec;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    topic::{ByPartition, TopicPartition},
    translation::Rings,
};
use sqlx::PgConnection;

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Partitions of one flow that rings are kept of; beyond it those that were looked at longest ago go.
pub const MOST_PARTITIONS: i64 = 10_000;

/// When the source of a flow was looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When, by Muster's clock.
    pub looked_at: DateTime<Utc>,
    /// Begin of the survey whose positions of groups were looked at.
    pub positions_at: DateTime<Utc>,
    /// Since when it cannot be read: the first look that failed. `None` while it can.
    pub silent_since: Option<DateTime<Utc>>,
    /// What came back then.
    pub silent_because: String,
}

/// Keeps what a look found: rings of the partitions that were looked at now replace those of before. Answers how many bytes
/// were written. Call in a transaction.
///
/// # Errors
/// `LeaseLost` when another process looks now; `Conflict` with `ring_look_of_pair` when the pair is gone; otherwise when the
/// database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    epoch: i64,
    (looked_at, positions_at): (DateTime<Utc>, DateTime<Utc>),
    rings: &ByPartition<Rings>,
) -> Result<usize, StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    let side = direction.from.as_str();
    sqlx::query!(
        "insert into ring_look (pair, from_side, looked_at, positions_at, silent_because)
        values ($1, $2, $3, $4, '')
        on conflict (pair, from_side) do update
        set looked_at = excluded.looked_at,
            positions_at = excluded.positions_at,
            silent_since = null,
            silent_because = ''",
        pair.as_str(),
        side,
        looked_at,
        positions_at
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep when a source was looked at"))?;
    let topics: Vec<String> = rings.keys().map(|at| at.topic.clone()).collect();
    let partitions: Vec<i32> = rings.keys().map(|at| at.partition).collect();
    let bodies: Vec<Vec<u8>> = rings.values().map(codec::encode).collect();
    sqlx::query!(
        "insert into ring (pair, from_side, topic, partition_number, looked_at, body)
        select $1, $2, topic, number, $3, body
        from unnest($4::text[], $5::integer[], $6::bytea[]) as new (topic, number, body)
        on conflict (pair, from_side, topic, partition_number) do update
        set looked_at = excluded.looked_at,
            body = excluded.body",
        pair.as_str(),
        side,
        looked_at,
        &topics,
        &partitions,
        &bodies
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep fingerprint rings"))?;
    drop_oldest(conn, pair, side).await?;
    Ok(bodies.iter().map(Vec::len).sum())
}

/// Forgets what is kept of a source: it tells nothing any more.
///
/// # Errors
/// When the lease is lost or the database refuses.
pub async fn forget(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    epoch: i64,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    sqlx::query!(
        "delete from ring
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("forget fingerprint rings"))?;
    Ok(())
}

async fn drop_oldest(conn: &mut PgConnection, pair: &PairName, side: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from ring
        where ctid in (
            select ctid
            from ring
            where pair = $1
                and from_side = $2
            order by looked_at desc
            offset $3
        )",
        pair.as_str(),
        side,
        MOST_PARTITIONS
    )
    .execute(conn)
    .await
    .map_err(failed("drop the oldest fingerprint rings"))?;
    Ok(())
}

/// Keeps that a source cannot be read, since the first time that was so. Nothing else changes. A source that was never
/// looked at has nothing that could be said of it.
///
/// # Errors
/// `LeaseLost` when another process looks now; otherwise when the database refuses.
pub async fn keep_silence(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    epoch: i64,
    at: DateTime<Utc>,
    because: &str,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    sqlx::query!(
        "update ring_look
        set silent_since = coalesce(silent_since, $3),
            silent_because = $4
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str(),
        at,
        because
    )
    .execute(conn)
    .await
    .map_err(failed("keep that a source is silent"))?;
    Ok(())
}

/// When the source of a flow was looked at last; `None` when it never was.
///
/// # Errors
/// When the database refuses.
pub async fn look(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
) -> Result<Option<Look>, StoreError> {
    sqlx::query_as!(
        Look,
        "select looked_at, positions_at, silent_since, silent_because
        from ring_look
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read when a source was looked at"))
}

/// All rings of a flow's source, each with when it was read.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn rings(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
) -> Result<ByPartition<(DateTime<Utc>, Rings)>, StoreError> {
    let rows = sqlx::query!(
        "select topic, partition_number, looked_at, body
        from ring
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read fingerprint rings"))?;
    let mut all = ByPartition::new();
    for row in rows {
        let at = TopicPartition::new(row.topic, row.partition_number);
        let rings = codec::decode(&row.body)
            .ok_or_else(|| StoreError::unreadable("ring", "body", format!("{at} of `{pair}`")))?;
        all.insert(at, (row.looked_at, rings));
    }
    Ok(all)
}
