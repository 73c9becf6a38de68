//! Reading samples back: blocks, and the ends lag in time is read from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    lag::EndsAt,
    loss::{LastEnd, LastEnds},
    pair::Direction,
    recorder::{Block, Column, Kind},
    topic::{ByPartition, TopicPartition},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    BLOCK_MS, MOST_TRACKS, block_begin,
    codec::{self, Chain, CodecError},
    find_stream, unreadable,
};
use crate::error::{StoreError, failed};

/// A row that is not sealed yet.
#[derive(Debug)]
pub(super) struct OpenRow {
    pub(super) at: DateTime<Utc>,
    pub(super) starts: bool,
    pub(super) body: Vec<u8>,
}

/// Rows of one chunk, oldest first, as samples. Rows before the first that stands alone say nothing.
pub(super) fn unchain(rows: Vec<OpenRow>, kind: Kind, chunk: i32) -> Result<Vec<Block>, StoreError> {
    let (samples, torn) = unchain_readable(rows, kind);
    match torn.into_iter().next() {
        Some(torn) => Err(unreadable("recorder_open", chunk, torn.at)(torn.error)),
        None => Ok(samples),
    }
}

/// A row whose bytes are no samples.
#[derive(Debug)]
pub(super) struct Torn {
    pub(super) at: DateTime<Utc>,
    pub(super) error: CodecError,
    /// Rows behind it that are told as differences from it: nobody knows what they were.
    pub(super) lost: usize,
}

/// The same of what does read back, and what does not.
pub(super) fn unchain_readable(rows: Vec<OpenRow>, kind: Kind) -> (Vec<Block>, Vec<Torn>) {
    let mut chain: Option<Chain> = None;
    let (mut samples, mut torn) = (Vec::with_capacity(rows.len()), Vec::<Torn>::new());
    for row in rows {
        if row.starts {
            chain = Some(Chain::default());
        }
        let Some(known) = &mut chain else {
            if let Some(torn) = torn.last_mut() {
                torn.lost += 1;
            }
            continue;
        };
        match codec::decode(&row.body, kind.parents(), known) {
            Ok(sample) => samples.push(sample),
            Err(error) => {
                torn.push(Torn { at: row.at, error, lost: 0 });
                chain = None;
            }
        }
    }
    (samples, torn)
}

/// Everything of some chunks of a stream that touches a time, sealed or not, oldest first within a chunk. Blocks reach
/// beyond the time asked for.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn blocks(
    conn: &mut PgConnection,
    (stream, kind): (i64, Kind),
    chunks: &[i32],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(i32, Block)>, StoreError> {
    let sealed = sqlx::query!(
        r#"select chunk as "chunk!", from_at as "from_at!", body as "body!"
        from (
            select stream, chunk, from_at, to_at, body from recorder_block
            union
            select stream, chunk, from_at, to_at, body from recorder_frozen
        ) as kept
        where stream = $1
            and chunk = any($2)
            -- A block is no longer than this; without it every partition would be looked at.
            and from_at >= $3::timestamptz - $5::interval
            and from_at < $4
            and to_at >= $3
        order by chunk, from_at"#,
        stream,
        chunks,
        from,
        to,
        TimeDelta::milliseconds(BLOCK_MS) as _
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("read blocks of samples"))?;
    let mut found = Vec::with_capacity(sealed.len());
    for row in sealed {
        let block = codec::decode(&row.body, kind.parents(), &mut Chain::default());
        found.push((row.chunk, block.map_err(unreadable("recorder_block", row.chunk, row.from_at))?));
    }
    found.extend(open_blocks(conn, (stream, kind), chunks, from, to).await?);
    Ok(found)
}

/// What is not sealed yet of some chunks, oldest first within a chunk.
pub(super) async fn open_blocks(
    conn: &mut PgConnection,
    (stream, kind): (i64, Kind),
    chunks: &[i32],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(i32, Block)>, StoreError> {
    let rows = sqlx::query!(
        "select chunk, at, starts, body
        from recorder_open
        where stream = $1
            and chunk = any($2)
            and at < $3
            -- Each block begins with rows that stand alone.
            and at >= $4
        order by chunk, at",
        stream,
        chunks,
        to,
        block_begin(from)
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read samples that are not sealed"))?;
    let mut by_chunk: BTreeMap<i32, Vec<OpenRow>> = BTreeMap::new();
    for row in rows {
        let open = OpenRow { at: row.at, starts: row.starts, body: row.body };
        by_chunk.entry(row.chunk).or_default().push(open);
    }
    let mut found = Vec::new();
    for (chunk, rows) in by_chunk {
        let samples = unchain(rows, kind, chunk)?;
        let recent = samples.into_iter().filter(|sample| sample.at.first() >= Some(&from.timestamp_millis()));
        found.extend(recent.map(|sample| (chunk, sample)));
    }
    Ok(found)
}

/// The ends of a flow's source as its last surveys saw them. Of partitions that the newest survey does not have any more there is nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecentEnds {
    /// One past what the flow could copy, oldest first; surveys that could not read the source have none.
    pub reaches: Vec<EndsAt>,
    /// Of the same surveys, high watermarks of the partitions where they are beyond that, since a transaction was open.
    pub open: Vec<EndsAt>,
    /// The source as it was last read, each partition by the last survey that did.
    pub high: Option<LastEnds>,
    /// Ids of the topics; a cluster without such has none.
    pub ids: BTreeMap<String, Uuid>,
}

/// Reads them. None is older than `since`, and there are at most so many surveys and ends.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn recent_ends(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    since: DateTime<Utc>,
    (most_surveys, most_ends): (usize, usize),
) -> Result<RecentEnds, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(RecentEnds::default());
    };
    let names = newest_names(conn, stream).await?;
    let ids = newest_ids(conn, stream).await?;
    let partitions: usize = names.values().map(Vec::len).sum();
    let most = (most_ends / partitions.max(1)).clamp(4, most_surveys.max(4));
    let (mut reaches, mut open) = (ByTime::new(), ByTime::new());
    let mut seen = Vec::with_capacity(partitions);
    // By chunk, so that no more is unpacked at once than one chunk's minutes.
    for (chunk, tracks) in &names {
        let found =
            blocks(conn, (stream, Kind::Partitions), &[*chunk], since, DateTime::<Utc>::MAX_UTC).await?;
        for (track, name) in tracks {
            let mut of_track = Seen::default();
            for (_, block) in &found {
                // A sealed block may begin before that.
                let recent = block.at.iter().enumerate().filter(|(_, at)| **at >= since.timestamp_millis());
                for (sample, at) in recent {
                    let value = |column: Column| block.value(column as usize, *track, sample);
                    let written = block.written(*track, sample);
                    of_track.see(*at, value(Column::Class).is_some(), written.or_else(|| value(Column::End)));
                    let Some((reach, high)) = value(Column::Reach).zip(written) else { continue };
                    let keep = |ends: &mut ByTime, end| {
                        ends.entry(*at).or_default().insert(name.clone(), end);
                    };
                    keep(&mut reaches, reach);
                    if high > reach {
                        keep(&mut open, high);
                    }
                }
            }
            seen.push((name, of_track));
        }
        for ends in [&mut reaches, &mut open] {
            while ends.len() > most {
                ends.pop_first();
            }
        }
    }
    let high = last_ends(seen);
    for ends in reaches.values_mut().chain(open.values_mut()) {
        ends.retain(|key, _| high.as_ref().is_some_and(|high| high.ends.contains_key(key)));
    }
    Ok(RecentEnds { reaches: timed(reaches), open: timed(open), high, ids })
}

/// By time in milliseconds since 1970.
type ByTime = BTreeMap<i64, ByPartition<i64>>;

fn timed(ends: ByTime) -> Vec<EndsAt> {
    let some = ends.into_iter().filter(|(_, ends)| !ends.is_empty());
    some.filter_map(|(at, ends)| Some((DateTime::from_timestamp_millis(at)?, ends))).collect()
}

/// What some minutes say of one track, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The last survey that had it.
    there: Option<i64>,
    /// The last that read its end, and where that was.
    end: Option<(i64, i64)>,
}

impl Seen {
    fn see(&mut self, at: i64, there: bool, end: Option<i64>) {
        if there {
            self.there = self.there.max(Some(at));
        }
        if let Some(end) = end
            && self.end.is_none_or(|(before, _)| before <= at)
        {
            self.end = Some((at, end));
        }
    }
}

/// The source as it was last read; `None` where nothing of it was.
fn last_ends(seen: Vec<(&TopicPartition, Seen)>) -> Option<LastEnds> {
    let newest = seen.iter().filter_map(|(_, seen)| seen.there).max()?;
    let there = || seen.iter().filter(move |(_, seen)| seen.there == Some(newest));
    let at = there().filter_map(|(_, seen)| seen.end).map(|(at, _)| at).max()?;
    let last = |(name, seen): &(&TopicPartition, Seen)| {
        let last = seen.end.and_then(|(at, end)| {
            let at = DateTime::from_timestamp_millis(at)?;
            Some(LastEnd { at, end, start: None, leader_epoch: None, topic_id: None })
        });
        ((*name).clone(), last)
    };
    Some(LastEnds { at: DateTime::from_timestamp_millis(at)?, ends: there().map(last).collect() })
}

/// The tracks of each chunk with their partitions; of a topic that was recreated only the newest.
pub(super) async fn newest_names(
    conn: &mut PgConnection,
    stream: i64,
) -> Result<BTreeMap<i32, Vec<(usize, TopicPartition)>>, StoreError> {
    let rows = sqlx::query!(
        "select distinct on (topic, partition) number, topic, partition
        from recorder_track
        where stream = $1
        order by topic, partition, number desc",
        stream
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the recorder's tracks"))?;
    let mut names: BTreeMap<i32, Vec<(usize, TopicPartition)>> = BTreeMap::new();
    for row in rows {
        let Ok(number) = usize::try_from(row.number) else { continue };
        let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
        let name = TopicPartition::new(row.topic, row.partition);
        names.entry(chunk).or_default().push((number % MOST_TRACKS, name));
    }
    Ok(names)
}

/// The newest id of each topic; every topic has a first partition.
async fn newest_ids(conn: &mut PgConnection, stream: i64) -> Result<BTreeMap<String, Uuid>, StoreError> {
    let rows = sqlx::query!(
        "select distinct on (topic) topic, topic_id
        from recorder_track
        where stream = $1
            and partition = 0
        order by topic, number desc",
        stream
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the ids of the recorder's topics"))?;
    Ok(rows.into_iter().filter(|row| !row.topic_id.is_nil()).map(|row| (row.topic, row.topic_id)).collect())
}
