//! Charts of single topics: every survey of a day, or the hours of a year.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    reading::ReadingClass,
    recorder::{Block, Column, Hours, Kind, Point, class_of, stretch},
};
use sqlx::PgConnection;

use super::{
    MOST_TRACKS,
    codec::{self, Chain},
    find_stream,
    history::blocks,
    unreadable,
};
use crate::error::{StoreError, failed};

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
    .map_err(failed("read the recorder's tracks"))?;
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
    .map_err(failed("read hours"))?;
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
