//! Where groups stood at a time, and where the source ended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{Column, Kind},
    topic::{ByPartition, TopicPartition},
};
use sqlx::PgConnection;

use super::{
    MOST_TRACKS, find_stream,
    history::{blocks, newest_names},
};
use crate::error::{StoreError, failed};

/// Positions by group.
pub type Positions = BTreeMap<String, ByPartition<i64>>;

/// Positions of groups on a flow's source as the newest survey in a time saw them, and when it began. `to` is not part of the
/// time; `None` when no survey in it could read them.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn positions(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<(DateTime<Utc>, Positions)>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Groups).await? else { return Ok(None) };
    let names = names(conn, stream).await?;
    let (from_ms, to_ms) = (from.timestamp_millis(), to.timestamp_millis());
    let mut newest: Option<(i64, Positions)> = None;
    for (chunk, tracks) in &names {
        for (_, block) in blocks(conn, (stream, Kind::Groups), &[*chunk], from, to).await? {
            for (sample, at) in block.at.iter().enumerate() {
                let older = newest.as_ref().is_some_and(|(known, _)| at < known);
                if older || !(from_ms..to_ms).contains(at) {
                    continue;
                }
                if newest.as_ref().is_none_or(|(known, _)| at > known) {
                    newest = Some((*at, Positions::new()));
                }
                let Some((_, found)) = &mut newest else { continue };
                for (track, group, partition) in tracks {
                    if let Some(position) = block.value(0, *track, sample) {
                        found.entry(group.clone()).or_default().insert(partition.clone(), position);
                    }
                }
            }
        }
    }
    Ok(newest.and_then(|(at, found)| Some((DateTime::from_timestamp_millis(at)?, found))))
}

/// High watermarks of a flow's source, of each partition as the newest survey in a time saw it. `to` is not part of the time; what no
/// survey in it could read is not in it.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn source_ends(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<ByPartition<i64>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(ByPartition::new());
    };
    let (from_ms, to_ms) = (from.timestamp_millis(), to.timestamp_millis());
    let mut newest: ByPartition<(i64, i64)> = ByPartition::new();
    for (chunk, tracks) in newest_names(conn, stream).await? {
        for (_, block) in blocks(conn, (stream, Kind::Partitions), &[chunk], from, to).await? {
            let in_time = block.at.iter().enumerate().filter(|(_, at)| (from_ms..to_ms).contains(*at));
            for (sample, at) in in_time {
                for (track, partition) in &tracks {
                    let known = newest.get(partition).map(|(known, _)| *known);
                    if let Some(end) = block.value(Column::End as usize, *track, sample)
                        && known.is_none_or(|known| *at > known)
                    {
                        newest.insert(partition.clone(), (*at, end));
                    }
                }
            }
        }
    }
    Ok(newest.into_iter().map(|(partition, (_, end))| (partition, end)).collect())
}

type Track = (usize, String, TopicPartition);

/// The tracks of each chunk; of a topic that was recreated only the newest.
async fn names(conn: &mut PgConnection, stream: i64) -> Result<BTreeMap<i32, Vec<Track>>, StoreError> {
    let rows = sqlx::query!(
        "select distinct on (group_id, topic, partition) number, group_id, topic, partition
        from recorder_track
        where stream = $1
        order by group_id, topic, partition, number desc",
        stream
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the recorder's tracks of groups"))?;
    let mut names: BTreeMap<i32, Vec<Track>> = BTreeMap::new();
    for row in rows {
        let Ok(number) = usize::try_from(row.number) else { continue };
        let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
        let partition = TopicPartition::new(row.topic, row.partition);
        names.entry(chunk).or_default().push((number % MOST_TRACKS, row.group_id, partition));
    }
    Ok(names)
}
