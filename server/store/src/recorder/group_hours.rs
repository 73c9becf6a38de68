//! Groups hour by hour, and by their names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{Block, GroupHours, InHour, KeptHour, Kind},
};
use sqlx::PgConnection;

use super::{
    codec::{self, Chain},
    find_stream,
    group_then::{Track, Tracks, tracks_of},
    unreadable,
};
use crate::error::{StoreError, failed};

/// Positions of a group of a flow's source hour by hour, oldest first: of hours that begin after a time and until another. Hours of
/// which nothing is kept are left out.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn group_hours(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    group: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<KeptHour>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Groups).await? else { return Ok(Vec::new()) };
    let tracks = tracks_of(conn, stream, group).await?;
    let mut hours: BTreeMap<DateTime<Utc>, BTreeMap<i32, InHour>> = BTreeMap::new();
    for (chunk, at, hour) in kept_hours(conn, stream, &tracks, (from, to)).await? {
        let of_chunk = tracks.get(&chunk).map_or(&[][..], Vec::as_slice);
        let read = of_chunk.iter().filter_map(|track| Some((track.number, in_hour(&hour, track)?)));
        hours.entry(at).or_default().extend(read);
    }
    let known = hours.into_iter().filter(|(_, tracks)| !tracks.is_empty());
    Ok(known.map(|(at, tracks)| KeptHour { at, tracks }).collect())
}

/// Groups of a flow's source that were ever recorded, by name; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn groups(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    most: i64,
) -> Result<Vec<String>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Groups).await? else { return Ok(Vec::new()) };
    // From one name to the next by the index: a group has as many tracks as it reads partitions.
    sqlx::query_scalar!(
        r#"with recursive named (group_id) as (
            (
                select group_id
                from recorder_track
                where stream = $1
                    and group_id <> ''
                order by group_id
                limit 1
            )
            union all
            select (
                select later.group_id
                from recorder_track later
                where later.stream = $1
                    and later.group_id <> ''
                    and later.group_id > named.group_id
                order by later.group_id
                limit 1
            )
            from named
            where named.group_id is not null
        )
        select group_id as "group_id!"
        from named
        where group_id is not null
        limit $2"#,
        stream,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list recorded groups"))
}

/// Roll-ups of chunks that have tracks of the group, of hours that begin in a time; its beginning is not part of it, its end is.
pub(super) async fn kept_hours(
    conn: &mut PgConnection,
    stream: i64,
    tracks: &Tracks,
    (after, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(i32, DateTime<Utc>, Block)>, StoreError> {
    let chunks: Vec<i32> = tracks.keys().copied().collect();
    let rows = sqlx::query!(
        "select chunk, at, body
        from recorder_hour
        where stream = $1
            and chunk = any($2)
            and at > $3
            and at <= $4
        order by at, chunk",
        stream,
        &chunks,
        after,
        until
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read hours of groups' positions"))?;
    let decoded = rows.into_iter().map(|row| {
        let hour = codec::decode(&row.body, &GroupHours::PARENTS, &mut Chain::default())
            .map_err(unreadable("recorder_hour", row.chunk, row.at))?;
        Ok((row.chunk, row.at, hour))
    });
    decoded.collect()
}

/// Where the group stood in one partition over an hour.
pub(super) fn in_hour(hour: &Block, track: &Track) -> Option<InHour> {
    let value = |column| hour.value(column, track.slot, 0);
    Some(InHour {
        position: value(GroupHours::POSITION)?,
        lowest: value(GroupHours::LOWEST)?,
        highest: value(GroupHours::HIGHEST)?,
    })
}
