//! Hours of single partitions in time. An hour is told when a block of a later one is sealed: then all of its surveys are there, and it is known
//! when it was looked again. It is kept in parts, so that of a month of one topic only what it needs is unpacked.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::recorder::{
    Block,
    explorer::{HourInTime, HourTimes, Left},
};
use sqlx::PgConnection;

use super::{
    MOST_TRACKS,
    codec::{
        self, Chain, CodecError,
        bytes::{Reader, Writer},
    },
    explorer::{LOOK_BACK, read_blocks},
};
use crate::error::{StoreError, failed};

/// Tracks that are unpacked together.
const PART: usize = 256;

/// Packs what is told of an hour, one sample with the columns of [`HourTimes`].
///
/// # Errors
/// When there are more tracks than a chunk has.
pub fn pack(told: &Block) -> Result<Vec<u8>, StoreError> {
    let mut writer = Writer::default();
    for from in (0..told.tracks).step_by(PART) {
        let until = (from + PART).min(told.tracks);
        let of_part = |column: &Vec<Option<i64>>| column.get(from..until).unwrap_or_default().to_vec();
        let columns = told.columns.iter().map(of_part).collect();
        let part = Block { at: told.at.clone(), tracks: until - from, columns };
        let packed = codec::encode(&part, &HourTimes::PARENTS, &mut Chain::default());
        writer.bytes(&packed.map_err(|source| StoreError::Samples { op: "pack an hour in time", source })?);
    }
    Ok(writer.into_bytes())
}

/// Some parts of what is told of an hour, by their numbers.
pub(super) struct Parts(BTreeMap<usize, Block>);

impl Parts {
    /// The parts that have these tracks of a chunk.
    pub(super) fn of(slots: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        slots.map(|slot| slot / PART).collect()
    }

    /// Those that are wanted; `None` where nothing is told, and cannot be any more.
    pub(super) fn unpack(bytes: &[u8], wanted: &BTreeSet<usize>) -> Result<Option<Self>, CodecError> {
        let mut reader = Reader(bytes);
        let (mut parts, mut number) = (BTreeMap::new(), 0_usize);
        while !reader.0.is_empty() {
            let part = reader.bytes()?;
            if wanted.contains(&number) {
                parts.insert(number, codec::decode(part, &HourTimes::PARENTS, &mut Chain::default())?);
            }
            number += 1;
        }
        Ok((number > 0).then_some(Self(parts)))
    }

    /// A value; `None` also for what is not in it.
    pub(super) fn value(&self, column: usize, slot: usize) -> Option<i64> {
        self.0.get(&(slot / PART))?.value(column, slot % PART, 0)
    }

    /// From where the next hour goes on, track by track.
    fn left(&self) -> Vec<Left> {
        (0..MOST_TRACKS).map(|slot| HourTimes::left(|column| self.value(column, slot))).collect()
    }
}

/// Tells the last hour of a chunk before the one that begins at `hour`, if nobody has and all of its blocks are there. `next` is the block that
/// was just sealed. In its transaction.
///
/// # Errors
/// When the database refuses.
pub(super) async fn tell_before(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    hour: DateTime<Utc>,
    next: &Block,
) -> Result<(), StoreError> {
    let Some((at, left)) = untold(conn, (stream, chunk), hour).await? else { return Ok(()) };
    let mut told = HourInTime::new(at, left);
    let of = (stream, chunk);
    // Those before it say only since when something is behind: where they do not read back less is known, and nothing is wrong.
    let before = (at - LOOK_BACK, at);
    match read_blocks(conn, of, before, &mut |block: &Block| told.add_block(block)).await {
        Ok(()) | Err(StoreError::Unreadable { .. }) => {}
        Err(error) => return Err(error),
    }
    let times = (at, at + TimeDelta::hours(1));
    let read = read_blocks(conn, of, times, &mut |block: &Block| told.add_block(block)).await;
    let packed = match read {
        Ok(()) => {
            told.add_block(next);
            told.done().map(|told| pack(&told)).transpose()?.unwrap_or_default()
        }
        Err(StoreError::Unreadable { row, .. }) => {
            tracing::error!(stream, chunk, %at, row, "a block of the flight recorder does not read back; how long partitions were behind is not told of the hour of {at}");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let done = sqlx::query!(
        "update recorder_hour
        set times = $4
        where stream = $1
            and chunk = $2
            and at = $3",
        stream,
        chunk,
        at,
        packed
    )
    .execute(conn)
    .await
    .map_err(failed("keep an hour in time"))?;
    StoreError::expect_rows("keep an hour in time", done.rows_affected(), 1)
}

/// The hour to be told, with what the one before has left; `None` when it is told, or cannot be. Blocks go an hour at a time: where there is
/// one, all are.
async fn untold(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    hour: DateTime<Utc>,
) -> Result<Option<(DateTime<Utc>, Vec<Left>)>, StoreError> {
    let rows = sqlx::query!(
        "select at, times
        from recorder_hour
        where stream = $1
            and chunk = $2
            and at < $3
        order by at desc
        limit 2",
        stream,
        chunk,
        hour
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("find an hour that is over"))?;
    let Some(newest) = rows.first().filter(|row| row.times.is_none()) else { return Ok(None) };
    let kept = sqlx::query_scalar!(
        r#"select exists (
            select
            from recorder_block
            where stream = $1
                and chunk = $2
                and from_at >= $3
                and from_at < $3::timestamptz + interval '1 hour'
        ) as "kept!""#,
        stream,
        chunk,
        newest.at
    )
    .fetch_one(conn)
    .await
    .map_err(failed("look whether an hour's blocks are kept"))?;
    if !kept {
        return Ok(None);
    }
    // What does not read back leaves nothing: then less is known, and nothing is wrong.
    let all: BTreeSet<usize> = Parts::of(0..MOST_TRACKS);
    let before = rows.get(1).and_then(|row| row.times.as_deref());
    let parts = before.and_then(|times| Parts::unpack(times, &all).ok().flatten());
    Ok(Some((newest.at, parts.map(|parts| parts.left()).unwrap_or_default())))
}

/// A row whose times are none.
pub(super) fn unreadable_times(chunk: i32, at: DateTime<Utc>) -> impl FnOnce(CodecError) -> StoreError {
    move |_| StoreError::unreadable("recorder_hour", "times", format!("chunk {chunk} at {at}"))
}
