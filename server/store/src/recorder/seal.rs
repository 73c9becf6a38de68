//! Sealing: the rows of some minutes become one block, and are added to their hour.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::recorder::{Block, Cells, Kind};
use sqlx::PgConnection;

use super::{
    BLOCK_MS, BLOCKS_OF, HOURS_OF, block_begin,
    codec::{self, Chain},
    history::{OpenRow, Torn, unchain_readable},
    hour_times,
    retention::cover,
};
use crate::error::{StoreError, failed};

/// Minutes of one chunk of a stream's tracks that are over and not sealed: they become one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When they begin.
    pub begin: DateTime<Utc>,
    chunk: i32,
}

/// What of a stream is over by `now` and not sealed, the oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn due(conn: &mut PgConnection, stream: i64, now: DateTime<Utc>) -> Result<Vec<Due>, StoreError> {
    sqlx::query_as!(
        Due,
        r#"select chunk, date_bin($3::interval, at, timestamptz 'epoch') as "begin!"
        from recorder_open
        where stream = $1
            and at < $2
        group by 1, 2
        order by 2, 1"#,
        stream,
        block_begin(now),
        TimeDelta::milliseconds(BLOCK_MS) as _
    )
    .fetch_all(conn)
    .await
    .map_err(failed("find what is to be sealed"))
}

/// Seals the oldest block of a stream that is over by `now`; answers whether there was one. As [`seal_one`].
///
/// # Errors
/// When the database refuses.
pub async fn seal(
    conn: &mut PgConnection,
    stream: i64,
    kind: Kind,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(oldest) = due(conn, stream, now).await?.first().copied() else { return Ok(false) };
    seal_one(conn, (stream, kind), oldest).await?;
    Ok(true)
}

/// Seals a block; does nothing where another process has. To be called in a transaction of its own: dying in it leaves the rows as
/// they were. A row that does not read back is told in the log and goes, with those that are told from it: they are a gap, and what
/// was recorded before and after them stays.
///
/// # Errors
/// When the database refuses.
pub async fn seal_one(
    conn: &mut PgConnection,
    (stream, kind): (i64, Kind),
    Due { begin, chunk }: Due,
) -> Result<(), StoreError> {
    let rows = take_rows(conn, stream, chunk, begin).await?;
    let (samples, torn) = unchain_readable(rows, kind);
    for Torn { at, error, lost } in torn {
        let cause = error.to_string();
        tracing::error!(stream, chunk, %at, lost, cause, "a row of the flight recorder does not read back; it is dropped with {lost} behind it that are told from it");
    }
    let block = merged(&samples, kind);
    let (Some(first), Some(last)) = (block.at.first(), block.at.last()) else { return Ok(()) };
    let time = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or(begin);
    let body = codec::encode(&block, kind.parents(), &mut Chain::default())
        .map_err(|source| StoreError::Samples { op: "pack a block of samples", source })?;
    cover(conn, "recorder_block", time(*first), BLOCKS_OF).await?;
    sqlx::query!(
        "insert into recorder_block (stream, chunk, from_at, to_at, samples, body)
        values ($1, $2, $3, $4, $5, $6)",
        stream,
        chunk,
        time(*first),
        time(*last),
        i32::try_from(block.at.len()).unwrap_or(i32::MAX),
        body
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep a block of samples"))?;
    let hour = begin - TimeDelta::seconds(begin.timestamp().rem_euclid(3600));
    add_to_hour(conn, (stream, kind), chunk, (hour, time(*first)), &block).await?;
    match kind {
        Kind::Partitions => hour_times::tell_before(conn, (stream, chunk), hour, &block).await,
        Kind::Groups => Ok(()),
    }
}

async fn take_rows(
    conn: &mut PgConnection,
    stream: i64,
    chunk: i32,
    begin: DateTime<Utc>,
) -> Result<Vec<OpenRow>, StoreError> {
    let mut rows = sqlx::query_as!(
        OpenRow,
        "delete from recorder_open
        where stream = $1
            and chunk = $2
            and at >= $3
            and at < $4
        returning at, starts, body",
        stream,
        chunk,
        begin,
        begin + TimeDelta::milliseconds(BLOCK_MS)
    )
    .fetch_all(conn)
    .await
    .map_err(failed("take what is to be sealed"))?;
    rows.sort_by_key(|row| row.at);
    Ok(rows)
}

/// Blocks of one sample each as one.
fn merged(samples: &[Block], kind: Kind) -> Block {
    let columns = kind.parents().len();
    let samples: Vec<(i64, Vec<Cells>)> = samples
        .iter()
        .filter_map(|sample| {
            let at = *sample.at.first()?;
            let cells = |track| (0..columns).map(|column| sample.value(column, track, 0)).collect();
            Some((at, (0..sample.tracks).map(cells).collect()))
        })
        .collect();
    Block::of(columns, &samples)
}

async fn add_to_hour(
    conn: &mut PgConnection,
    (stream, kind): (i64, Kind),
    chunk: i32,
    (hour, first): (DateTime<Utc>, DateTime<Utc>),
    block: &Block,
) -> Result<(), StoreError> {
    cover(conn, "recorder_hour", hour, HOURS_OF).await?;
    // A block that comes so late that those before it are dropped is not the whole hour: in time that cannot be told any more.
    let kept = sqlx::query!(
        r#"select body, (
            coalesce(length(times) = 0, false)
            or not exists (
                select
                from recorder_block
                where stream = $1
                    and chunk = $2
                    and from_at >= $3
                    and from_at < $3::timestamptz + interval '1 hour'
                    and from_at <> $4
            )
        ) as "in_part!"
        from recorder_hour
        where stream = $1
            and chunk = $2
            and at = $3"#,
        stream,
        chunk,
        hour,
        first
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("read an hour"))?;
    let added = kind.hours_of(block, hour.timestamp_millis());
    let in_part = kept.as_ref().is_some_and(|kept| kept.in_part);
    let before = kept.map(|kept| codec::decode(&kept.body, kind.hour_parents(), &mut Chain::default()));
    let rolled = match before {
        Some(Ok(before)) => kind.join_hours(&before, &added),
        Some(Err(error)) => {
            let cause = error.to_string();
            tracing::error!(stream, chunk, %hour, cause, "an hour of the flight recorder does not read back; it is added up anew from its blocks");
            add_up(&mut *conn, (stream, kind), chunk, hour).await?.unwrap_or(added)
        }
        None => added,
    };
    let body = codec::encode(&rolled, kind.hour_parents(), &mut Chain::default())
        .map_err(|source| StoreError::Samples { op: "pack an hour", source })?;
    let times: Option<&[u8]> = in_part.then_some([].as_slice());
    sqlx::query!(
        "insert into recorder_hour (stream, chunk, at, body, times)
        values ($1, $2, $3, $4, $5)
        on conflict (stream, chunk, at) do update
        set body = excluded.body,
            -- What was told of it is not all of it any more.
            times = excluded.times",
        stream,
        chunk,
        hour,
        body,
        times
    )
    .execute(conn)
    .await
    .map_err(failed("keep an hour"))?;
    Ok(())
}

/// An hour from those of its blocks that read back.
async fn add_up(
    conn: &mut PgConnection,
    (stream, kind): (i64, Kind),
    chunk: i32,
    hour: DateTime<Utc>,
) -> Result<Option<Block>, StoreError> {
    let bodies = sqlx::query_scalar!(
        "select body
        from recorder_block
        where stream = $1
            and chunk = $2
            and from_at >= $3
            and from_at < $4
        order by from_at",
        stream,
        chunk,
        hour,
        hour + TimeDelta::hours(1)
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the blocks of an hour"))?;
    let blocks = bodies.iter().filter_map(|body| {
        let block = codec::decode(body, kind.parents(), &mut Chain::default()).ok()?;
        Some(kind.hours_of(&block, hour.timestamp_millis()))
    });
    Ok(blocks.reduce(|earlier, later| kind.join_hours(&earlier, &later)))
}
