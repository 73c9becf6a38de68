//! The course of any number of partitions: chunk by chunk and a few blocks at a time, so that what is held at once does not
//! grow with the pair or the time.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{
        Hours, Kind,
        explorer::{Course, Explorer, Frame, OfChunk, Resolution, RowsOf, Track, Wanted},
    },
};
use sqlx::PgConnection;

use super::{
    BLOCK_MS, MOST_TRACKS,
    codec::{self, Chain},
    find_stream,
    history::open_blocks,
    unreadable,
};
use crate::error::{StoreError, failed};

/// Times longer than this are shown by the hour.
const FINE_FOR: TimeDelta = TimeDelta::hours(24);
/// So far before the time asked about samples say since when something is behind.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(30);
/// Samples of partitions that are unpacked for one answer in full resolution; beyond it is shown by the hour.
const MOST_FINE: i64 = 8_000_000;
/// The same of hours; beyond it no course over partitions is made.
const MOST_HOURS: i64 = 24_000_000;
/// Of more topics than this no row each is made: what they were like is held until all of them are read.
const MOST_TOPICS: usize = 10_000;
/// Rows that are held at once.
const AT_ONCE: i64 = 8;

/// What of a flow is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// A source topic, or all.
    pub topic: Option<&'a str>,
    /// One of its partitions, or all.
    pub partition: Option<i32>,
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// At most so many stretches.
    pub points: usize,
    /// Topics or partitions one by one. Where there are too many topics it is partitions.
    pub rows: Wanted,
    /// When it is asked.
    pub now: DateTime<Utc>,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explored {
    /// Its stretches.
    pub frame: Frame,
    /// Partitions that were ever recorded of what is asked about; a recreated topic counts again.
    pub partitions: usize,
    /// `None` when that would be too much to unpack: a topic or a shorter time has to be chosen.
    pub course: Option<Course>,
    /// The longest time of which there is a course of all that is asked about.
    pub longest: TimeDelta,
}

/// The course of a flow, a topic or a partition. Up to a day every survey, as long as that is kept and not too much; else by the
/// hour. `keeps_all` says of which topics every record is copied and kept.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn explore(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    asked: Question<'_>,
    keeps_all: impl Fn(&str) -> bool,
) -> Result<Explored, StoreError> {
    let of = |resolution| Frame::new(asked.from, asked.to, asked.points, resolution);
    let fine = asked.to - asked.from <= FINE_FOR;
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        let frame = of(if fine { Resolution::Survey } else { Resolution::Hour });
        let course = Some(Explorer::new(frame, asked.rows).finish(asked.now));
        return Ok(Explored { frame, partitions: 0, course, longest: TimeDelta::MAX });
    };
    let chosen = Chosen::read(conn, stream, asked, keeps_all).await?;
    let fine = fine && chosen.fine_is_kept(conn, asked).await?;
    let resolution = if fine { Resolution::Survey } else { Resolution::Hour };
    let (partitions, longest) = (chosen.partitions, chosen.longest());
    let mut explored = Explored { frame: of(resolution), partitions, course: None, longest };
    if !fine && chosen.hours(asked) > MOST_HOURS {
        return Ok(explored);
    }
    let mut explorer = Explorer::new(explored.frame, chosen.rows(asked.rows));
    for (chunk, tracks) in &chosen.tracks {
        let mut of_chunk = explorer.chunk(tracks.clone());
        match resolution {
            Resolution::Survey => read_blocks(conn, (stream, *chunk), asked, &mut of_chunk).await?,
            Resolution::Hour => read_hours(conn, (stream, *chunk), &explored.frame, &mut of_chunk).await?,
        }
        of_chunk.done();
    }
    explored.course = Some(explorer.finish(asked.now));
    Ok(explored)
}

/// The tracks asked about, by chunk.
struct Chosen {
    stream: i64,
    tracks: BTreeMap<i32, Vec<Track>>,
    partitions: usize,
    topics: usize,
    /// Tracks of the whole stream.
    all: i64,
}

impl Chosen {
    async fn read(
        conn: &mut PgConnection,
        stream: i64,
        asked: Question<'_>,
        keeps_all: impl Fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let rows = sqlx::query!(
            "select number, topic, partition
            from recorder_track
            where stream = $1
                and ($2::text is null or topic = $2)
                and ($3::integer is null or partition = $3)
            order by number",
            stream,
            asked.topic,
            asked.partition
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read the recorder's tracks"))?;
        let all = sqlx::query_scalar!(
            r#"select coalesce(max(number) + 1, 0)::bigint as "all!" from recorder_track where stream = $1"#,
            stream
        )
        .fetch_one(conn)
        .await
        .map_err(failed("count the recorder's tracks"))?;
        let mut tracks: BTreeMap<i32, Vec<Track>> = BTreeMap::new();
        let partitions = rows.len();
        let mut topics: BTreeMap<Arc<str>, bool> = BTreeMap::new();
        for row in rows {
            let Ok(number) = usize::try_from(row.number) else { continue };
            let known = topics.get_key_value(row.topic.as_str());
            let (topic, keeps_all) = match known.map(|(topic, keeps_all)| (Arc::clone(topic), *keeps_all)) {
                Some(known) => known,
                None => {
                    let (topic, keeps_all) = (Arc::<str>::from(row.topic.as_str()), keeps_all(&row.topic));
                    topics.insert(Arc::clone(&topic), keeps_all);
                    (topic, keeps_all)
                }
            };
            let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
            let track = Track { slot: number % MOST_TRACKS, topic, partition: row.partition, keeps_all };
            tracks.entry(chunk).or_default().push(track);
        }
        Ok(Self { stream, tracks, partitions, topics: topics.len(), all })
    }

    fn rows(&self, wanted: Wanted) -> Wanted {
        let of = if self.topics > MOST_TOPICS { RowsOf::Partitions } else { wanted.of };
        Wanted { of, ..wanted }
    }

    /// Tracks that are unpacked with those of a chunk.
    fn width(&self, chunk: i32) -> i64 {
        let whole = i64::try_from(MOST_TRACKS).unwrap_or(i64::MAX);
        (self.all - i64::from(chunk) * whole).clamp(0, whole)
    }

    /// Tracks that are unpacked of each hour.
    fn of_an_hour(&self) -> i64 {
        self.tracks.keys().map(|chunk| self.width(*chunk)).sum()
    }

    /// Hours of tracks that would be unpacked.
    fn hours(&self, asked: Question<'_>) -> i64 {
        self.of_an_hour().saturating_mul((asked.to - asked.from).num_hours() + 1)
    }

    /// The longest time of which that is not too much: so many whole hours, and those at its ends are in part in it.
    fn longest(&self) -> TimeDelta {
        TimeDelta::hours((MOST_HOURS / self.of_an_hour().max(1) - 1).max(0))
    }

    /// Whether every survey of the time is still there, and not too much to unpack.
    async fn fine_is_kept(&self, conn: &mut PgConnection, asked: Question<'_>) -> Result<bool, StoreError> {
        let chunks: Vec<i32> = self.tracks.keys().copied().collect();
        let sealed = sqlx::query!(
            r#"select chunk as "chunk!", sum(samples)::bigint as "samples!", min(from_at) as "first!"
            from (
                select stream, chunk, from_at, to_at, samples from recorder_block
                union all
                select stream, chunk, from_at, to_at, samples from recorder_frozen
            ) as kept
            where stream = $1
                and chunk = any($2)
                and from_at >= $3::timestamptz - $5::interval
                and from_at < $4
                and to_at >= $3
            group by chunk"#,
            self.stream,
            &chunks,
            asked.from - LOOK_BACK,
            asked.to,
            TimeDelta::milliseconds(BLOCK_MS) as _
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("count samples of a time"))?;
        let work: i64 = sealed.iter().map(|row| row.samples.saturating_mul(self.width(row.chunk))).sum();
        if work > MOST_FINE {
            return Ok(false);
        }
        let first_hour = sqlx::query_scalar!(
            "select min(at)
            from recorder_hour
            where stream = $1
                and chunk = any($2)
                and at >= $3::timestamptz - interval '1 hour'
                and at < $4",
            self.stream,
            &chunks,
            asked.from,
            asked.to
        )
        .fetch_one(&mut *conn)
        .await
        .map_err(failed("find the first hour of a time"))?;
        let Some(hour) = first_hour else { return Ok(true) };
        // Hours that reach further back than the surveys do: these were dropped.
        let since = (hour + TimeDelta::hours(1)).max(asked.from);
        if sealed.iter().any(|row| row.first <= since) {
            return Ok(true);
        }
        // Chunks in which nothing was left have no blocks: any other of that time says that it was not dropped.
        self.is_kept(conn, asked, since).await
    }

    /// Whether anything of the stream is kept in full of the beginning of a time, until `since`.
    async fn is_kept(
        &self,
        conn: &mut PgConnection,
        asked: Question<'_>,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"select exists (
                select
                from (
                    select stream, from_at, to_at from recorder_block
                    union all
                    select stream, from_at, to_at from recorder_frozen
                ) as kept
                where stream = $1
                    and from_at >= $2::timestamptz - $4::interval
                    and from_at <= $3
                    and to_at >= $2
            ) as "kept!""#,
            self.stream,
            asked.from - LOOK_BACK,
            since.min(asked.to),
            TimeDelta::milliseconds(BLOCK_MS) as _
        )
        .fetch_one(conn)
        .await
        .map_err(failed("look whether surveys of a time are kept"))
    }
}

/// A few blocks at a time, then what is not sealed yet.
async fn read_blocks(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    asked: Question<'_>,
    into: &mut OfChunk<'_>,
) -> Result<(), StoreError> {
    let from = asked.from - LOOK_BACK;
    let mut after = from - TimeDelta::milliseconds(BLOCK_MS);
    loop {
        let rows = sqlx::query!(
            r#"select from_at as "from_at!", body as "body!"
            from (
                select stream, chunk, from_at, to_at, body from recorder_block
                union
                select stream, chunk, from_at, to_at, body from recorder_frozen
            ) as kept
            where stream = $1
                and chunk = $2
                and from_at > $3
                and from_at < $4
                and to_at >= $5
            order by from_at
            limit $6"#,
            stream,
            chunk,
            after,
            asked.to,
            from,
            AT_ONCE
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read blocks of samples"))?;
        let Some(last) = rows.last().map(|row| row.from_at) else { break };
        for row in rows {
            let block = codec::decode(&row.body, Kind::Partitions.parents(), &mut Chain::default());
            into.add_block(&block.map_err(unreadable("recorder_block", chunk, row.from_at))?);
        }
        after = last;
    }
    for (_, block) in open_blocks(conn, (stream, Kind::Partitions), &[chunk], from, asked.to).await? {
        into.add_block(&block);
    }
    Ok(())
}

async fn read_hours(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    frame: &Frame,
    into: &mut OfChunk<'_>,
) -> Result<(), StoreError> {
    let to = DateTime::from_timestamp_millis(frame.to).unwrap_or_default();
    let mut after = frame.begin(0) - TimeDelta::milliseconds(1);
    loop {
        let rows = sqlx::query!(
            "select at, body
            from recorder_hour
            where stream = $1
                and chunk = $2
                and at > $3
                and at < $4
            order by at
            limit $5",
            stream,
            chunk,
            after,
            to,
            AT_ONCE * 16
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read hours"))?;
        let Some(last) = rows.last().map(|row| row.at) else { return Ok(()) };
        for row in rows {
            let hour = codec::decode(&row.body, &Hours::PARENTS, &mut Chain::default());
            into.add_hour(row.at, &hour.map_err(unreadable("recorder_hour", chunk, row.at))?);
        }
        after = last;
    }
}

/// Names of source topics that were ever recorded of a flow, in order; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn topics(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    most: i64,
) -> Result<Vec<String>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(Vec::new());
    };
    sqlx::query_scalar!(
        "select distinct topic
        from recorder_track
        where stream = $1
        order by topic
        limit $2",
        stream,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list recorded topics"))
}
