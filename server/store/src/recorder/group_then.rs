//! Where one group stood at a time: as a survey saw it while that is kept, else by the hour.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{GroupThen, InHour, Kind, PositionThen, explorer::Resolution},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    MOST_TRACKS, find_stream,
    group_hours::{in_hour, kept_hours},
    history::blocks,
};
use crate::error::{StoreError, failed};

/// A survey this much before a time says where a group stood then; what is older may be long over.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// Where a group of a flow's source stood at a time; `None` where nothing is kept of it.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn group_then(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    group: &str,
    at: DateTime<Utc>,
) -> Result<Option<GroupThen>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Groups).await? else { return Ok(None) };
    let tracks = tracks_of(conn, stream, group).await?;
    match by_survey(conn, stream, &tracks, at).await? {
        Some(then) => Ok(Some(then)),
        None => by_hour(conn, stream, &tracks, at).await,
    }
}

/// A position of the group in one partition.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: i32,
    /// Its place in its chunk.
    pub(super) slot: usize,
    topic: String,
    topic_id: Uuid,
    partition: i32,
}

impl Track {
    fn then(&self, seen: InHour) -> PositionThen {
        let (topic, topic_id, partition) = (self.topic.clone(), self.topic_id, self.partition);
        let InHour { position, lowest, highest } = seen;
        PositionThen { topic, topic_id, partition, position, lowest, highest }
    }
}

pub(super) type Tracks = BTreeMap<i32, Vec<Track>>;

/// All tracks of the group by chunk, those of topics that were recreated since, too.
pub(super) async fn tracks_of(
    conn: &mut PgConnection,
    stream: i64,
    group: &str,
) -> Result<Tracks, StoreError> {
    let rows = sqlx::query!(
        "select number, topic, topic_id, partition
        from recorder_track
        where stream = $1
            and group_id = $2
            -- As the index has it.
            and group_id <> ''
        order by number",
        stream,
        group
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the recorder's tracks of a group"))?;
    let mut tracks = Tracks::new();
    for row in rows {
        let Ok(number) = usize::try_from(row.number) else { continue };
        let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
        tracks.entry(chunk).or_default().push(Track {
            number: row.number,
            slot: number % MOST_TRACKS,
            topic: row.topic,
            topic_id: row.topic_id,
            partition: row.partition,
        });
    }
    Ok(tracks)
}

/// As the newest survey that saw the group by then.
async fn by_survey(
    conn: &mut PgConnection,
    stream: i64,
    tracks: &Tracks,
    at: DateTime<Utc>,
) -> Result<Option<GroupThen>, StoreError> {
    let (from_ms, at_ms) = ((at - LOOK_BACK).timestamp_millis(), at.timestamp_millis());
    let until = at + TimeDelta::milliseconds(1);
    let mut newest: Option<(i64, Vec<PositionThen>)> = None;
    for (chunk, of_chunk) in tracks {
        for (_, block) in blocks(conn, (stream, Kind::Groups), &[*chunk], at - LOOK_BACK, until).await? {
            for (sample, taken) in block.at.iter().enumerate() {
                let older = newest.as_ref().is_some_and(|(known, _)| taken < known);
                if older || !(from_ms..=at_ms).contains(taken) {
                    continue;
                }
                let read = |track: &Track| {
                    let position = block.value(0, track.slot, sample)?;
                    Some(track.then(InHour { position, lowest: position, highest: position }))
                };
                let seen: Vec<PositionThen> = of_chunk.iter().filter_map(read).collect();
                if seen.is_empty() {
                    continue;
                }
                match &mut newest {
                    Some((known, positions)) if *known == *taken => positions.extend(seen),
                    Some(_) | None => newest = Some((*taken, seen)),
                }
            }
        }
    }
    let found =
        newest.and_then(|(taken, positions)| Some((DateTime::from_timestamp_millis(taken)?, positions)));
    Ok(found.map(|(at, positions)| GroupThen {
        resolution: Resolution::Survey,
        at,
        positions: sorted(positions),
    }))
}

/// By the roll-up of the hour the time is in.
async fn by_hour(
    conn: &mut PgConnection,
    stream: i64,
    tracks: &Tracks,
    at: DateTime<Utc>,
) -> Result<Option<GroupThen>, StoreError> {
    let mut positions = Vec::new();
    let mut begin = None;
    for (chunk, from, hour) in kept_hours(conn, stream, tracks, (at - TimeDelta::hours(1), at)).await? {
        let of_chunk = tracks.get(&chunk).map_or(&[][..], Vec::as_slice);
        positions.extend(of_chunk.iter().filter_map(|track| Some(track.then(in_hour(&hour, track)?))));
        begin = Some(from);
    }
    let begin = begin.filter(|_| !positions.is_empty());
    Ok(begin.map(|at| GroupThen { resolution: Resolution::Hour, at, positions: sorted(positions) }))
}

/// Tracks are numbered as they were first seen.
fn sorted(mut positions: Vec<PositionThen>) -> Vec<PositionThen> {
    positions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    positions
}
