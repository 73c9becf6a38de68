//! Fingerprint rings: what is kept of the partitions of a flow's source for the day it is dead. Written under the lease of the
//! pair's survey; one that cannot look writes that it cannot, and what was kept before stays.

mod codec;
mod failed_looks;
mod unread;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    topic::{ByPartition, TopicPartition},
    translation::Rings,
};
use sqlx::PgConnection;

pub use self::{
    failed_looks::{keep_failure, keep_silence},
    unread::{Unread, count_unread, unread},
};
use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Partitions of one flow that rings are kept of. Whoever looks chooses which; of more those that were looked at longest ago go.
pub const MOST_PARTITIONS: i64 = 10_000;

/// What a look found.
#[derive(Debug, Default)]
pub struct NewRings {
    /// Of partitions that were read.
    pub rings: ByPartition<Rings>,
    /// Of partitions that cannot be read, why.
    pub unread: ByPartition<String>,
    /// Partitions of which nothing is to be kept any more: no group stands on them, or they give way to others.
    pub forget: Vec<TopicPartition>,
    /// Partitions that groups stand on beyond those that rings are kept of.
    pub beyond: i64,
}

/// What came of keeping it.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of rings.
    pub bytes: usize,
    /// Partitions whose rings went because there was no room.
    pub dropped: Vec<TopicPartition>,
}

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
    /// Since when looks fail although it answers: the first one since the last that did not. `None` while they do not.
    pub failing_since: Option<DateTime<Utc>>,
    /// What came back last.
    pub failing_because: String,
    /// Partitions that groups stand on beyond those that rings are kept of.
    pub beyond: i64,
}

/// Keeps what a look found: rings of the partitions that were looked at now replace those of before. Call in a transaction.
///
/// # Errors
/// `LeaseLost` when another process looks now; `Conflict` with `ring_look_of_pair` when the pair is gone; otherwise when the
/// database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    epoch: i64,
    (looked_at, positions_at): (DateTime<Utc>, DateTime<Utc>),
    found: &NewRings,
) -> Result<Written, StoreError> {
    let (pair, side) = (of.0, of.1.from.as_str());
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    sqlx::query!(
        "insert into ring_look (pair, from_side, looked_at, positions_at, silent_because, beyond)
        values ($1, $2, $3, $4, '', $5)
        on conflict (pair, from_side) do update
        set looked_at = excluded.looked_at,
            positions_at = excluded.positions_at,
            silent_since = null,
            silent_because = '',
            failing_since = null,
            failing_because = '',
            beyond = excluded.beyond",
        pair.as_str(),
        side,
        looked_at,
        positions_at,
        found.beyond
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep when a source was looked at"))?;
    forget_some(conn, (pair, side), &found.forget).await?;
    let bytes = insert(conn, (pair, side), looked_at, &found.rings).await?;
    let dropped = drop_oldest(conn, pair, side).await?;
    unread::keep(conn, (pair, side), looked_at, found).await?;
    Ok(Written { bytes, dropped })
}

/// Answers how many bytes were written.
async fn insert(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    looked_at: DateTime<Utc>,
    rings: &ByPartition<Rings>,
) -> Result<usize, StoreError> {
    let (topics, partitions) = columns(rings.keys());
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
    .execute(conn)
    .await
    .map_err(failed("keep fingerprint rings"))?;
    Ok(bodies.iter().map(Vec::len).sum())
}

async fn forget_some(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    partitions: &[TopicPartition],
) -> Result<(), StoreError> {
    if partitions.is_empty() {
        return Ok(());
    }
    let (topics, numbers) = columns(partitions);
    sqlx::query!(
        "delete from ring
        using unnest($3::text[], $4::integer[]) as gone (topic, number)
        where ring.pair = $1
            and ring.from_side = $2
            and ring.topic = gone.topic
            and ring.partition_number = gone.number",
        pair.as_str(),
        side,
        &topics,
        &numbers
    )
    .execute(conn)
    .await
    .map_err(failed("forget fingerprint rings of some partitions"))?;
    Ok(())
}

fn columns<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> (Vec<String>, Vec<i32>) {
    partitions.into_iter().map(|at| (at.topic.clone(), at.partition)).unzip()
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
    .execute(&mut *conn)
    .await
    .map_err(failed("forget fingerprint rings"))?;
    unread::forget(conn, (pair, direction.from.as_str())).await
}

/// Answers which went.
async fn drop_oldest(
    conn: &mut PgConnection,
    pair: &PairName,
    side: &str,
) -> Result<Vec<TopicPartition>, StoreError> {
    let dropped = sqlx::query!(
        "delete from ring
        where ctid in (
            select ctid
            from ring
            where pair = $1
                and from_side = $2
            order by looked_at desc
            offset $3
        )
        returning topic, partition_number",
        pair.as_str(),
        side,
        MOST_PARTITIONS
    )
    .fetch_all(conn)
    .await
    .map_err(failed("drop the oldest fingerprint rings"))?;
    Ok(dropped.into_iter().map(|row| TopicPartition::new(row.topic, row.partition_number)).collect())
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
        "select looked_at, positions_at, silent_since, silent_because,
            case when failing_since > looked_at then failing_since end as failing_since,
            failing_because, beyond
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
