//! Where one group stood at a time: as a survey saw it while that is kept, else by the hour.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{Block, GroupHours, Kind, explorer::Resolution},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    MOST_TRACKS,
    codec::{self, Chain},
    find_stream,
    history::blocks,
    unreadable,
};
use crate::error::{StoreError, failed};

/// A survey this much before a time says where a group stood then; what is older may be long over.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// Where a group stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupThen {
    /// Whether a survey said so, or the roll-up of an hour.
    pub resolution: Resolution,
    /// When the survey began; of an hour its begin.
    pub at: DateTime<Utc>,
    /// By topic and partition, in this order.
    pub positions: Vec<PositionThen>,
}

/// Where it stood in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionThen {
    /// Source topic.
    pub topic: String,
    /// Its id then; all zero where the cluster has none.
    pub topic_id: Uuid,
    /// Its number.
    pub partition: i32,
    /// Next offset to read: of the survey, or the last of the hour.
    pub position: i64,
    /// Lowest of the hour; of a survey the position itself.
    pub lowest: i64,
    /// Highest of the hour; of a survey the position itself.
    pub highest: i64,
}

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

#[derive(Debug)]
struct Track {
    slot: usize,
    topic: String,
    topic_id: Uuid,
    partition: i32,
}

impl Track {
    fn then(&self, position: i64, lowest: i64, highest: i64) -> PositionThen {
        let (topic, topic_id, partition) = (self.topic.clone(), self.topic_id, self.partition);
        PositionThen { topic, topic_id, partition, position, lowest, highest }
    }
}

type Tracks = BTreeMap<i32, Vec<Track>>;

/// All tracks of the group by chunk, those of topics that were recreated since, too.
async fn tracks_of(conn: &mut PgConnection, stream: i64, group: &str) -> Result<Tracks, StoreError> {
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
                    Some(track.then(position, position, position))
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
    let chunks: Vec<i32> = tracks.keys().copied().collect();
    let rows = sqlx::query!(
        "select chunk, at, body
        from recorder_hour
        where stream = $1
            and chunk = any($2)
            and at > $3::timestamptz - interval '1 hour'
            and at <= $3",
        stream,
        &chunks,
        at
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read an hour of groups' positions"))?;
    let mut positions = Vec::new();
    let mut begin = None;
    for row in rows {
        let hour = codec::decode(&row.body, &GroupHours::PARENTS, &mut Chain::default())
            .map_err(unreadable("recorder_hour", row.chunk, row.at))?;
        let of_chunk = tracks.get(&row.chunk).map_or(&[][..], Vec::as_slice);
        positions.extend(of_chunk.iter().filter_map(|track| in_hour(&hour, track)));
        begin = Some(row.at);
    }
    let begin = begin.filter(|_| !positions.is_empty());
    Ok(begin.map(|at| GroupThen { resolution: Resolution::Hour, at, positions: sorted(positions) }))
}

fn in_hour(hour: &Block, track: &Track) -> Option<PositionThen> {
    let value = |column| hour.value(column, track.slot, 0);
    let position = value(GroupHours::POSITION)?;
    Some(track.then(position, value(GroupHours::LOWEST)?, value(GroupHours::HIGHEST)?))
}

/// Tracks are numbered as they were first seen.
fn sorted(mut positions: Vec<PositionThen>) -> Vec<PositionThen> {
    positions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    positions
}
