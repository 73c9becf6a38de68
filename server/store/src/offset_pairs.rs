//! Offset pairs: what was read of a flow's offset-syncs topic, kept beyond what compaction leaves in it.
//!
//! Whoever keeps more says which turn they go on from, and the row of the log decides: of two processes that read the same, one
//! keeps it, and nothing is left out in between. A part is joined with those behind it once they are half its size together, so
//! there are few of them and each pair is written a few times only.

mod codec;
mod copies;

use muster_domain::{
    ids::PairName,
    offset_pairs::{BOUNDS, Kept, KeptUntil, ReadPairs, Seen, SyncsTopic},
    pair::Direction,
    survey::UnreadableSyncs,
};
use sqlx::PgConnection;

use crate::{
    error::{StoreError, failed},
    recorder::codec::CodecError,
};

/// Pairs of one flow in all parts, beyond which all become one that is within the bounds: a quarter more, so that this is rare.
const MOST_OFFSET_PAIRS: usize = BOUNDS.pairs / 4 * 5;

fn packed(op: &'static str) -> impl FnOnce(CodecError) -> StoreError {
    move |source| StoreError::Samples { op, source }
}

/// Everything that is kept of a flow's pairs; `None` when nothing ever was.
///
/// # Errors
/// When the database refuses. Bytes that do not read back are no error: they are logged, and whoever keeps more begins anew.
pub async fn recall(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
) -> Result<Option<Kept>, StoreError> {
    // Before the pairs: a copy that pairs were of when it was kept is none that is made anew later.
    let copies = copies::read(&mut *conn, (pair, direction.from.as_str())).await?;
    // One statement: parts are joined, and replaced, while others read.
    let rows = sqlx::query!(
        r#"select log.turn as "turn!", log.cluster as "cluster!", log.topic as "topic!", log.topic_id as "topic_id!",
            log.next_offset as "next_offset!", log.unreadable as "unreadable!", log.unreadable_last as "unreadable_last!",
            log.read_at as "read_at?",
            part.from_offset as "from_offset?", part.until_offset as "until_offset?", part.body as "body?"
        from offset_syncs as log
        left join offset_syncs_part as part on part.pair = log.pair and part.from_side = log.from_side
        where log.pair = $1
            and log.from_side = $2
        order by part.from_offset"#,
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read offset pairs"))?;
    let Some(log) = rows.first() else { return Ok(None) };
    let begins = log.from_offset.unwrap_or(log.next_offset);
    let mut read = ReadPairs::beginning_at(begins, UnreadableSyncs::default());
    for row in &rows {
        let (Some(from), Some(until), Some(body)) = (row.from_offset, row.until_offset, &row.body) else {
            continue;
        };
        match codec::decode(body, (from, until)) {
            Ok(part) => read.append(part),
            Err(e) => {
                let (from_side, cause) = (direction.from.as_str(), e.to_string());
                tracing::error!(pair.name = %pair, from_side, from, cause, "offset pairs of pair `{pair}` do not read back; they are begun anew from what the topic has");
                return Ok(Some(Kept { turn: log.turn, pairs: None, seen: Seen::default() }));
            }
        }
    }
    read.until = log.next_offset;
    read.unreadable = UnreadableSyncs {
        count: u64::try_from(log.unreadable).unwrap_or_default(),
        last: log.unreadable_last.clone(),
    };
    read.keep_within(BOUNDS);
    let topic = SyncsTopic { cluster: log.cluster.clone(), name: log.topic.clone(), id: log.topic_id };
    let seen = Seen { read_at: log.read_at, copies };
    Ok(Some(Kept { turn: log.turn, pairs: Some((topic, read)), seen }))
}

/// How far a flow's pairs are kept; `None` when nothing ever was.
///
/// # Errors
/// When the database refuses.
pub async fn kept_until(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
) -> Result<Option<KeptUntil>, StoreError> {
    let log = sqlx::query!(
        "select turn, cluster, topic, topic_id, next_offset
        from offset_syncs
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("look how far offset pairs are kept"))?;
    Ok(log.map(|log| KeptUntil {
        turn: log.turn,
        topic: SyncsTopic { cluster: log.cluster, name: log.topic, id: log.topic_id },
        until: log.next_offset,
    }))
}

/// Keeps what was read after a turn (`None`: when nothing was kept yet), and answers the turn that makes. What goes on where
/// that turn ended is added to it; anything else, and what was read of another log, replaces it. `seen` says as of when all of it is,
/// and has the copies that are not kept yet. `None`, and nothing is kept, when somebody else kept something meanwhile. Call in a
/// transaction.
///
/// # Errors
/// `Conflict` with `offset_syncs_of_pair` when the pair is gone; otherwise when the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    after: Option<i64>,
    topic: &SyncsTopic,
    read: &ReadPairs,
    seen: &Seen,
) -> Result<Option<i64>, StoreError> {
    let of = (pair, direction.from.as_str());
    let turn = match after {
        None => begin(conn, of, topic, read, seen).await?,
        Some(after) => go_on(conn, of, after, topic, read, seen).await?,
    };
    if turn.is_none() {
        return Ok(None);
    }
    copies::keep(conn, of, &seen.copies).await?;
    if !read.partitions.is_empty() {
        insert_part(conn, of, read).await?;
        join_newest(conn, of).await?;
    }
    Ok(turn)
}

async fn begin(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    topic: &SyncsTopic,
    read: &ReadPairs,
    seen: &Seen,
) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar!(
        "insert into offset_syncs (pair, from_side, turn, cluster, topic, topic_id, next_offset, unreadable, unreadable_last, read_at)
        values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)
        on conflict (pair, from_side) do nothing
        returning turn",
        pair.as_str(),
        side,
        topic.cluster,
        topic.name,
        topic.id,
        read.until,
        i64::try_from(read.unreadable.count).unwrap_or(i64::MAX),
        read.unreadable.last,
        seen.read_at
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("begin to keep offset pairs"))
}

async fn go_on(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    after: i64,
    topic: &SyncsTopic,
    read: &ReadPairs,
    seen: &Seen,
) -> Result<Option<i64>, StoreError> {
    let log = sqlx::query!(
        "select cluster, topic, topic_id, next_offset
        from offset_syncs
        where pair = $1
            and from_side = $2
            and turn = $3
        for update",
        pair.as_str(),
        side,
        after
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("look how far offset pairs are kept"))?;
    let Some(log) = log else { return Ok(None) };
    let same = (log.cluster.as_str(), log.topic.as_str(), log.topic_id)
        == (topic.cluster.as_str(), topic.name.as_str(), topic.id);
    if !same || log.next_offset != read.from {
        drop_parts(conn, (pair, side)).await?;
        copies::forget(conn, (pair, side)).await?;
    }
    sqlx::query_scalar!(
        "update offset_syncs
        set turn = turn + 1,
            cluster = $4,
            topic = $5,
            topic_id = $6,
            next_offset = $7,
            unreadable = $8,
            unreadable_last = $9,
            read_at = $10
        where pair = $1
            and from_side = $2
            and turn = $3
        returning turn",
        pair.as_str(),
        side,
        after,
        topic.cluster,
        topic.name,
        topic.id,
        read.until,
        i64::try_from(read.unreadable.count).unwrap_or(i64::MAX),
        read.unreadable.last,
        seen.read_at
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("keep how far offset pairs were read"))
}

async fn drop_parts(conn: &mut PgConnection, (pair, side): (&PairName, &str)) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from offset_syncs_part
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        side
    )
    .execute(conn)
    .await
    .map_err(failed("drop offset pairs that do not go on"))?;
    Ok(())
}

async fn insert_part(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    read: &ReadPairs,
) -> Result<(), StoreError> {
    let body = codec::encode(read).map_err(packed("pack offset pairs"))?;
    sqlx::query!(
        "insert into offset_syncs_part (pair, from_side, from_offset, until_offset, pairs, body)
        values ($1, $2, $3, $4, $5, $6)",
        pair.as_str(),
        side,
        read.from,
        read.until,
        i32::try_from(read.count()).unwrap_or(i32::MAX),
        body
    )
    .execute(conn)
    .await
    .map_err(failed("keep offset pairs"))?;
    Ok(())
}

/// Joins the newest parts into one. If one of them does not read back it goes, and so do all before it, as the oldest go where there
/// is no room: nothing is bridged, and keeping goes on.
async fn join_newest(conn: &mut PgConnection, (pair, side): (&PairName, &str)) -> Result<(), StoreError> {
    let parts = sqlx::query!(
        r#"select from_offset, pairs, octet_length(body) as "bytes!"
        from offset_syncs_part
        where pair = $1
            and from_side = $2
        order by from_offset desc"#,
        pair.as_str(),
        side
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("look at the parts of offset pairs"))?;
    let offset_pairs: usize = parts.iter().map(|part| usize::try_from(part.pairs).unwrap_or_default()).sum();
    let sizes: Vec<i64> = parts.iter().map(|part| i64::from(part.bytes)).collect();
    let together = if offset_pairs > MOST_OFFSET_PAIRS { parts.len() } else { how_many_to_join(&sizes) };
    let (true, Some(oldest)) = (together > 1, parts[..together].last()) else { return Ok(()) };
    let mut rows = sqlx::query!(
        "delete from offset_syncs_part
        where pair = $1
            and from_side = $2
            and from_offset >= $3
        returning from_offset, until_offset, body",
        pair.as_str(),
        side,
        oldest.from_offset
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("take the newest parts of offset pairs"))?;
    rows.sort_by_key(|row| row.from_offset);
    let mut joined = ReadPairs::beginning_at(oldest.from_offset, UnreadableSyncs::default());
    let mut broken = false;
    for row in &rows {
        match codec::decode(&row.body, (row.from_offset, row.until_offset)) {
            Ok(part) => joined.append(part),
            Err(e) => {
                let (from, until, cause) = (row.from_offset, row.until_offset, e.to_string());
                tracing::error!(pair.name = %pair, from_side = side, from, until, cause, "offset pairs of pair `{pair}` do not read back; they and older ones are not kept any more");
                joined = ReadPairs::beginning_at(until, UnreadableSyncs::default());
                broken = true;
            }
        }
    }
    if broken {
        drop_parts(conn, (pair, side)).await?;
    }
    joined.keep_within(BOUNDS);
    match joined.partitions.is_empty() {
        true => Ok(()),
        false => insert_part(conn, (pair, side), &joined).await,
    }
}

/// Of parts by their sizes, the newest first: how many become one. An older part is taken while it is at most twice what was
/// taken before it, so of those that are left each is more than twice the next.
fn how_many_to_join(sizes: &[i64]) -> usize {
    let mut taken = 0_i64;
    let goes_along = |size: &&i64| {
        let along = taken == 0 || **size <= taken.saturating_mul(2);
        taken = taken.saturating_add(**size);
        along
    };
    sizes.iter().take_while(goes_along).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two thousand keeps of about the same size: few parts at any time, and each byte written a few times.
    #[test]
    fn parts_stay_few_and_each_is_written_a_few_times() {
        let (mut parts, mut written, mut most) = (Vec::<i64>::new(), 0, 0);
        for number in 0..2_000 {
            parts.insert(0, 100 + number % 7);
            let together = how_many_to_join(&parts);
            let joined: i64 = parts.drain(..together).sum();
            written += joined;
            parts.insert(0, joined);
            most = most.max(parts.len());
        }
        let all: i64 = parts.iter().sum();
        assert!(most <= 12, "{most}");
        assert!(written < all * 20, "{written} of {all}");
        assert_eq!(how_many_to_join(&[]), 0);
        assert_eq!(how_many_to_join(&[5, 11, 1]), 1);
        assert_eq!(how_many_to_join(&[5, 10, 31]), 2);
    }
}
