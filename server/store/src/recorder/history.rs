//! Reading samples back: blocks, charts, and the ends lag in time is read from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    lag::EndsAt,
    pair::Direction,
    reading::ReadingClass,
    recorder::{Block, Column, Hours, Kind, Point, class_of, stretch},
    topic::TopicPartition,
};
use sqlx::PgConnection;

use super::{
    BLOCK_MS, MOST_TRACKS,
    codec::{self, Chain},
    find_stream, unreadable,
};
use crate::error::StoreError;

/// A row that is not sealed yet.
#[derive(Debug)]
pub(super) struct OpenRow {
    pub(super) at: DateTime<Utc>,
    pub(super) starts: bool,
    pub(super) body: Vec<u8>,
}

/// Rows of one chunk, oldest first, as samples. Rows before the first that stands alone say nothing.
pub(super) fn unchain(rows: Vec<OpenRow>, kind: Kind, chunk: i32) -> Result<Vec<Block>, StoreError> {
    let mut chain: Option<Chain> = None;
    let mut samples = Vec::with_capacity(rows.len());
    for row in rows {
        if row.starts {
            chain = Some(Chain::default());
        }
        let Some(chain) = &mut chain else { continue };
        let sample = codec::decode(&row.body, kind.parents(), chain);
        samples.push(sample.map_err(unreadable("recorder_open", chunk, row.at))?);
    }
    Ok(samples)
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
    .map_err(|source| StoreError::database("read blocks of samples", source))?;
    let mut found = Vec::with_capacity(sealed.len());
    for row in sealed {
        let block = codec::decode(&row.body, kind.parents(), &mut Chain::default());
        found.push((row.chunk, block.map_err(unreadable("recorder_block", row.chunk, row.from_at))?));
    }
    found.extend(open_blocks(conn, (stream, kind), chunks, from, to).await?);
    Ok(found)
}

async fn open_blocks(
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
        order by chunk, at",
        stream,
        chunks,
        to
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read samples that are not sealed", source))?;
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

/// Which tracks of a flow are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// A source topic, also one that was recreated since.
    pub topic: &'a str,
    /// One of its partitions, or all.
    pub partition: Option<i32>,
}

/// Whether a time is asked about in full resolution, or by the hour.
const FINE_FOR: TimeDelta = TimeDelta::hours(24);

/// How far some partitions were behind over a time, in at most `points` stretches, oldest first; the worst of a stretch
/// stands, and unknown is worst. Up to a day in full resolution as long as that is kept; longer times by the hour, of which
/// the last minutes may not be added up yet.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn series(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    selection: Selection<'_>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    points: i32,
) -> Result<Vec<Point>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(Vec::new());
    };
    let tracks = selected(conn, stream, selection).await?;
    let chunks: Vec<i32> = tracks.keys().copied().collect();
    let mut moments = Moments::default();
    if to - from <= FINE_FOR {
        for (chunk, block) in blocks(conn, (stream, Kind::Partitions), &chunks, from, to).await? {
            moments.add_block(&block, &tracks[&chunk]);
        }
    } else {
        for (chunk, at, hour) in hours(conn, stream, &chunks, from, to).await? {
            moments.add_hour(at, &hour, &tracks[&chunk]);
        }
    }
    Ok(moments.stretched((from, to), points))
}

async fn selected(
    conn: &mut PgConnection,
    stream: i64,
    selection: Selection<'_>,
) -> Result<BTreeMap<i32, Vec<usize>>, StoreError> {
    let numbers = sqlx::query_scalar!(
        "select number
        from recorder_track
        where stream = $1
            and topic = $2
            and ($3::integer is null or partition = $3)
        order by number",
        stream,
        selection.topic,
        selection.partition
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read the recorder's tracks", source))?;
    let mut tracks: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for number in numbers.into_iter().filter_map(|number| usize::try_from(number).ok()) {
        let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
        tracks.entry(chunk).or_default().push(number % MOST_TRACKS);
    }
    Ok(tracks)
}

async fn hours(
    conn: &mut PgConnection,
    stream: i64,
    chunks: &[i32],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(i32, DateTime<Utc>, Block)>, StoreError> {
    let rows = sqlx::query!(
        "select chunk, at, body
        from recorder_hour
        where stream = $1
            and chunk = any($2)
            and at >= $3::timestamptz - interval '1 hour'
            and at < $4",
        stream,
        chunks,
        from,
        to
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read hours", source))?;
    rows.into_iter()
        .map(|row| {
            let hour = codec::decode(&row.body, &Hours::PARENTS, &mut Chain::default());
            Ok((row.chunk, row.at, hour.map_err(unreadable("recorder_hour", row.chunk, row.at))?))
        })
        .collect()
}

/// What all chosen tracks were like at each moment, whichever chunk they are in.
#[derive(Default)]
struct Moments(BTreeMap<i64, Point>);

impl Moments {
    fn add_block(&mut self, block: &Block, tracks: &[usize]) {
        for (sample, at) in block.at.iter().enumerate() {
            for track in tracks {
                let class = block.value(Column::Class as usize, *track, sample);
                self.add(*at, class, block.behind(*track, sample));
            }
        }
    }

    fn add_hour(&mut self, at: DateTime<Utc>, hour: &Block, tracks: &[usize]) {
        for track in tracks {
            let class = hour.value(Hours::CLASS, *track, 0);
            self.add(at.timestamp_millis(), class, hour.value(Hours::BEHIND, *track, 0));
        }
    }

    /// A track without a class was not there.
    fn add(&mut self, at_ms: i64, class: Option<i64>, behind: Option<i64>) {
        let (Some(_), Some(at)) = (class, DateTime::from_timestamp_millis(at_ms)) else { return };
        let class = if behind.is_some() { class_of(class) } else { ReadingClass::Unknown };
        let point = self.0.entry(at_ms).or_insert(Point {
            at,
            worst_lag_records: Some(0),
            total_lag_records: Some(0),
            records_class: ReadingClass::Exact,
        });
        point.worst_lag_records = point.worst_lag_records.zip(behind).map(|(a, b)| a.max(b));
        point.total_lag_records = point.total_lag_records.zip(behind).map(|(a, b)| a.saturating_add(b));
        point.records_class = point.records_class.max(class);
    }

    fn stretched(self, (from, to): (DateTime<Utc>, DateTime<Utc>), points: i32) -> Vec<Point> {
        let (from, to) = (from.timestamp_millis(), to.timestamp_millis());
        let width = ((to - from) / i64::from(points.max(1))).max(1);
        let mut stretches: BTreeMap<i64, Point> = BTreeMap::new();
        for (at, point) in self.0.into_iter().filter(|(at, _)| *at < to) {
            // An hour that began before is of the first stretch.
            let begin = from + (at - from).max(0) / width * width;
            let Some(begins) = DateTime::from_timestamp_millis(begin) else { continue };
            let joined = stretch(stretches.get(&begin).copied(), Point { at: begins, ..point });
            stretches.insert(begin, joined);
        }
        stretches.into_values().collect()
    }
}

/// The ends of a flow's source as its last surveys saw them, oldest first: one past what the flow can copy, and the newest
/// high watermarks. None is older than `since`, and there are at most so many surveys and ends; surveys that could not read
/// the source have none.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn recent_ends(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    since: DateTime<Utc>,
    (most_surveys, most_ends): (usize, usize),
) -> Result<(Vec<EndsAt>, Option<EndsAt>), StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok((Vec::new(), None));
    };
    let names = newest_names(conn, stream).await?;
    let partitions: usize = names.values().map(Vec::len).sum();
    let most = (most_ends / partitions.max(1)).clamp(4, most_surveys.max(4));
    let chunks: Vec<i32> = names.keys().copied().collect();
    let mut reaches: BTreeMap<i64, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
    let mut highs: BTreeMap<i64, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
    // By chunk, so that no more is unpacked at once than one chunk's minutes.
    for chunk in chunks {
        let found =
            blocks(conn, (stream, Kind::Partitions), &[chunk], since, DateTime::<Utc>::MAX_UTC).await?;
        for (track, name) in &names[&chunk] {
            for (_, block) in &found {
                for (sample, at) in block.at.iter().enumerate() {
                    let ends = [(Column::Reach, &mut reaches), (Column::End, &mut highs)];
                    for (column, ends) in ends {
                        if let Some(end) = block.value(column as usize, *track, sample) {
                            ends.entry(*at).or_default().insert(name.clone(), end);
                        }
                    }
                }
            }
        }
        while reaches.len() > most {
            reaches.pop_first();
        }
        while highs.len() > 1 {
            highs.pop_first();
        }
    }
    let timed = |(at, ends)| Some((DateTime::from_timestamp_millis(at)?, ends));
    Ok((reaches.into_iter().filter_map(timed).collect(), highs.pop_last().and_then(timed)))
}

/// The tracks of each chunk with their partitions; of a topic that was recreated only the newest.
async fn newest_names(
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
    .map_err(|source| StoreError::database("read the recorder's tracks", source))?;
    let mut names: BTreeMap<i32, Vec<(usize, TopicPartition)>> = BTreeMap::new();
    for row in rows {
        let Ok(number) = usize::try_from(row.number) else { continue };
        let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
        let name = TopicPartition::new(row.topic, row.partition);
        names.entry(chunk).or_default().push((number % MOST_TRACKS, name));
    }
    Ok(names)
}
