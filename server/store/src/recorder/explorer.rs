//! The course of any number of partitions: chunk by chunk and a few blocks at a time, so that what is held at once does not
//! grow with the pair or the time.

mod chosen;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{
        Block, Hours, Kind,
        explorer::{Course, Explorer, FlowHour, Frame, OfChunk, Resolution, Wanted},
    },
};
use sqlx::PgConnection;

use self::chosen::{Chosen, bands_tell_all, count_tracks};
use super::{
    BLOCK_MS,
    codec::{self, Chain},
    find_stream,
    history::open_blocks,
    hour_times::{Parts, unreadable_times},
    unreadable,
};
use crate::{
    error::{StoreError, failed},
    rpo_hours,
};

/// Times longer than this are shown by the hour.
const FINE_FOR: TimeDelta = TimeDelta::hours(24);
/// So far before the time asked about samples say since when something is behind.
pub(super) const LOOK_BACK: TimeDelta = TimeDelta::minutes(30);
/// Hours of partitions that are unpacked for one answer; beyond it they are not looked at one by one.
const MOST_HOURS: i64 = 24_000_000;
/// The same where nobody asked for rows and the whole flow is told without them: about as much as nobody waits for.
const MOST_UNASKED: i64 = 1_800_000;
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
    /// Whether somebody waits for these. Else they are left out of a whole flow over more than a day where they would take long.
    pub rows_asked: bool,
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
    /// `None` when that would be too much to unpack of a topic: a shorter time has to be chosen.
    pub course: Option<Course>,
    /// Whether its partitions were not looked at one by one: then there is no row, and a course of the whole flow only.
    pub rows_left_out: bool,
    /// What is kept of the whole flow by the hour, oldest first, where that is what it is told from.
    pub hours: Vec<FlowHour>,
    /// The longest time of which partitions are looked at one by one where that is asked for.
    pub longest: TimeDelta,
}

/// The course of a flow, a topic or a partition. Up to a day every survey, as long as that is kept and not too much; else by the
/// hour: a whole flow from what is kept of it, a topic or a partition from its roll-ups. `keeps_all` says of which topics every record is
/// copied and kept.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn explore(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    asked: Question<'_>,
    keeps_all: impl Fn(&str) -> bool,
) -> Result<Explored, StoreError> {
    let short = asked.to - asked.from <= FINE_FOR;
    let Some(stream) = find_stream(conn, of.0, of.1, Kind::Partitions).await? else {
        let frame = asked.frame(if short { Resolution::Survey } else { Resolution::Hour });
        return Ok(Explored {
            frame,
            partitions: 0,
            course: Some(Explorer::new(frame, asked.rows).finish(asked.now)),
            rows_left_out: false,
            hours: Vec::new(),
            longest: TimeDelta::MAX,
        });
    };
    let flow = asked.topic.is_none();
    if flow && !short {
        // To name all tracks of a large flow takes longer than to tell it by the hour.
        let (partitions, all) = count_tracks(conn, stream).await?;
        let most = if asked.rows_asked { MOST_HOURS } else { MOST_UNASKED };
        let hours = asked.hours_of(all);
        // What only the roll-ups know is waited for, as long as anybody can.
        if hours > MOST_HOURS || (hours > most && bands_tell_all(conn, of, stream, asked).await?) {
            return without_rows(conn, of, asked, (partitions, longest_of(all))).await;
        }
    }
    let chosen = Chosen::read(conn, stream, asked, keeps_all).await?;
    let fine = short && chosen.fine_is_kept(conn, asked).await?;
    let (partitions, longest) = (chosen.partitions, longest_of(chosen.of_an_hour()));
    let too_many = !fine && asked.hours_of(chosen.of_an_hour()) > MOST_HOURS;
    if too_many && flow {
        return without_rows(conn, of, asked, (partitions, longest)).await;
    }
    let resolution = if fine { Resolution::Survey } else { Resolution::Hour };
    let frame = asked.frame(resolution);
    let mut explored =
        Explored { frame, partitions, course: None, rows_left_out: too_many, hours: Vec::new(), longest };
    if too_many {
        return Ok(explored);
    }
    let mut explorer = Explorer::new(frame, chosen.rows(asked.rows));
    if flow && !fine {
        explored.hours = hours_in(conn, of, &frame).await?;
        explorer.add_flow_hours(&explored.hours);
    }
    for (chunk, tracks) in &chosen.tracks {
        let mut of_chunk = explorer.chunk(tracks.clone());
        match resolution {
            Resolution::Survey => {
                let times = (asked.from - LOOK_BACK, asked.to);
                read_blocks(conn, (stream, *chunk), times, &mut |block: &Block| of_chunk.add_block(block))
                    .await?;
            }
            Resolution::Hour => {
                // Of a whole flow that is kept by itself, and would be as much again.
                let slots = tracks.iter().filter(|_| !flow).map(|track| track.slot);
                let parts = Parts::of(slots);
                read_hours(conn, (stream, *chunk), (&frame, &parts), &mut of_chunk).await?;
            }
        }
        of_chunk.done();
    }
    explored.course = Some(explorer.finish(asked.now));
    Ok(explored)
}

impl Question<'_> {
    fn frame(&self, resolution: Resolution) -> Frame {
        Frame::new(self.from, self.to, self.points, resolution)
    }

    /// Hours of so many tracks that would be unpacked.
    fn hours_of(&self, tracks: i64) -> i64 {
        tracks.saturating_mul((self.to - self.from).num_hours() + 1)
    }
}

/// The longest time of so many tracks that is not too much: so many whole hours, and those at its ends are in part in it.
fn longest_of(tracks: i64) -> TimeDelta {
    TimeDelta::hours((MOST_HOURS / tracks.max(1) - 1).max(0))
}

/// A whole flow as it is kept by the hour, however many partitions there are.
async fn without_rows(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    asked: Question<'_>,
    (partitions, longest): (usize, TimeDelta),
) -> Result<Explored, StoreError> {
    let frame = asked.frame(Resolution::Hour);
    let hours = hours_in(conn, of, &frame).await?;
    let mut explorer = Explorer::new(frame, asked.rows);
    explorer.add_flow_hours(&hours);
    let course = Some(explorer.finish(asked.now));
    Ok(Explored { frame, partitions, course, rows_left_out: true, hours, longest })
}

async fn hours_in(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    frame: &Frame,
) -> Result<Vec<FlowHour>, StoreError> {
    rpo_hours::between(conn, of, (frame.begin(0), frame.begin(frame.count))).await
}

/// A few blocks at a time, then what is not sealed yet.
pub(super) async fn read_blocks(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    each: &mut (dyn FnMut(&Block) + Send),
) -> Result<(), StoreError> {
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
            to,
            from,
            AT_ONCE
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read blocks of samples"))?;
        let Some(last) = rows.last().map(|row| row.from_at) else { break };
        for row in rows {
            let block = codec::decode(&row.body, Kind::Partitions.parents(), &mut Chain::default());
            each(&block.map_err(unreadable("recorder_block", chunk, row.from_at))?);
        }
        after = last;
    }
    for (_, block) in open_blocks(conn, (stream, Kind::Partitions), &[chunk], from, to).await? {
        each(&block);
    }
    Ok(())
}

async fn read_hours(
    conn: &mut PgConnection,
    (stream, chunk): (i64, i32),
    (frame, parts): (&Frame, &BTreeSet<usize>),
    into: &mut OfChunk<'_>,
) -> Result<(), StoreError> {
    let to = DateTime::from_timestamp_millis(frame.to).unwrap_or_default();
    let mut after = frame.begin(0) - TimeDelta::milliseconds(1);
    loop {
        let rows = sqlx::query!(
            r#"select at, body, case when $6 then times end as "times?"
            from recorder_hour
            where stream = $1
                and chunk = $2
                and at > $3
                and at < $4
            order by at
            limit $5"#,
            stream,
            chunk,
            after,
            to,
            AT_ONCE * 16,
            !parts.is_empty()
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read hours"))?;
        let Some(last) = rows.last().map(|row| row.at) else { return Ok(()) };
        for row in rows {
            let hour = codec::decode(&row.body, &Hours::PARENTS, &mut Chain::default());
            let hour = hour.map_err(unreadable("recorder_hour", chunk, row.at))?;
            let told = row.times.as_deref().map(|times| Parts::unpack(times, parts));
            let told = told.transpose().map_err(unreadable_times(chunk, row.at))?.flatten();
            match &told {
                Some(told) => {
                    let of = |column: usize, slot: usize| told.value(column, slot);
                    into.add_hour(row.at, &hour, Some(&of));
                }
                None => into.add_hour(row.at, &hour, None),
            }
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
