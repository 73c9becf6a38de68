//! The flight recorder: every survey's numbers in compressed columns, full resolution for hours, hours for a year.
//!
//! A survey appends one small row per chunk of tracks in which anything has a value; a few minutes later these are sealed into
//! one block, in a transaction that also removes them and adds them to their hour; once the next hour has begun that one is told in time,
//! too. So a sample is in one place at any time, whoever dies. Old blocks go
//! by dropping partitions of the table; what lies around incidents is copied aside before.

pub mod codec;
mod explorer;
mod fact_recording;
mod facts;
mod facts_changed;
mod frozen;
mod group_hours;
mod group_then;
mod history;
mod hour_times;
mod policies;
mod positions;
mod retention;
mod seal;
mod series;
mod topic_ids;
mod tracks;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{Block, Kind, TopicSample},
};
use sqlx::PgConnection;

use self::{codec::Chain, tracks::Tracks};
pub use self::{
    explorer::{Explored, Question, explore, topics},
    fact_recording::{FactRecording, FactsWritten, keep_fact, keep_fact_change},
    facts::{Fact, FactOf, fact, fact_at, fact_changes},
    facts_changed::{FactFilter, FactPlace, facts_changed, facts_left_out},
    frozen::{GivenUp, bound_frozen},
    group_hours::{group_hours, groups},
    group_then::group_then,
    history::{RecentEnds, blocks, recent_ends},
    hour_times::pack as pack_hour_times,
    policies::cleanup_policies,
    positions::{Positions, positions, source_ends},
    retention::{
        HOURS_FOR, cover, cover_next, forget_facts, forget_ids, forget_tracks, retire_blocks, retire_hours,
        size,
    },
    seal::{Due, due, seal, seal_one},
    series::{Selection, series},
    topic_ids::{keep_ids, last_ids, recreated, recreated_by_surveys},
};
use crate::error::{StoreError, failed};

/// Tracks of one chunk: so many are read and written together.
pub const MOST_TRACKS: usize = 2048;
/// What is sealed into one block, in milliseconds.
const BLOCK_MS: i64 = 300_000;
/// Time that one partition of the blocks' table holds, in seconds.
const BLOCKS_OF: i64 = 3_600;
/// Time that one partition of the roll-ups' table holds, in seconds: thirty days.
const HOURS_OF: i64 = 2_592_000;

/// Where a pair's stream of samples stands: its tracks, and the last values the next survey is told against. Belongs to the
/// process that observes the pair; another one begins with a row that stands alone.
#[derive(Debug)]
pub struct Recording {
    stream: i64,
    kind: Kind,
    tracks: Tracks,
    /// By chunk, since the block began.
    chains: BTreeMap<usize, Chain>,
    /// Which block rows belong to now; each begins with rows that stand alone.
    block: Option<i64>,
    /// False while rows are written and not known to be committed.
    sure: bool,
}

impl Recording {
    /// The stream of a flow, made if it is new.
    ///
    /// # Errors
    /// `Conflict` with `recorder_stream_of_pair` when there is no such pair; when the database refuses.
    pub async fn open(
        conn: &mut PgConnection,
        pair: &PairName,
        direction: Direction,
        kind: Kind,
    ) -> Result<Self, StoreError> {
        let stream = make_stream(conn, pair, direction, kind).await?;
        let tracks = Tracks::read(conn, stream).await?;
        Ok(Self { stream, kind, tracks, chains: BTreeMap::new(), block: None, sure: true })
    }

    /// Number of the stream.
    #[must_use]
    pub fn stream(&self) -> i64 {
        self.stream
    }

    /// What its tracks are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes the samples of one survey; answers how many bytes. In the transaction that keeps the survey, under its lease;
    /// call [`Recording::committed`] after it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn append(
        &mut self,
        conn: &mut PgConnection,
        at: DateTime<Utc>,
        samples: Vec<TopicSample>,
    ) -> Result<usize, StoreError> {
        if !self.sure {
            self.tracks = Tracks::read(conn, self.stream).await?;
        }
        let at_ms = at.timestamp_millis();
        let block = block_of(at_ms);
        if !self.sure || self.block != Some(block) {
            self.chains.clear();
        }
        (self.sure, self.block) = (false, Some(block));
        let columns = self.kind.parents().len();
        let (chunks, seen) = self.tracks.place(at_ms, columns, samples);
        tracks::keep(conn, self.stream, at, &seen).await?;
        self.write(conn, at, &chunks).await
    }

    /// The transaction of the last [`Recording::append`] is committed: the next row may build on it.
    pub fn committed(&mut self) {
        self.sure = true;
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        at: DateTime<Utc>,
        chunks: &BTreeMap<usize, Block>,
    ) -> Result<usize, StoreError> {
        let (mut numbers, mut starts, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for (number, block) in chunks {
            let alone = !self.chains.contains_key(number);
            let chain = self.chains.entry(*number).or_default();
            let body = codec::encode(block, self.kind.parents(), chain);
            bodies
                .push(body.map_err(|source| StoreError::Samples { op: "pack a survey's samples", source })?);
            numbers.push(i32::try_from(*number).unwrap_or(i32::MAX));
            starts.push(alone);
        }
        let written = bodies.iter().map(Vec::len).sum();
        sqlx::query!(
            "insert into recorder_open (stream, chunk, at, starts, body)
            select $1, chunk, $2, starts, body
            from unnest($3::integer[], $4::boolean[], $5::bytea[]) as row (chunk, starts, body)",
            self.stream,
            at,
            &numbers,
            &starts,
            &bodies
        )
        .execute(conn)
        .await
        .map_err(failed("record a survey"))?;
        Ok(written)
    }
}

async fn make_stream(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    kind: Kind,
) -> Result<i64, StoreError> {
    sqlx::query!(
        "insert into recorder_stream (pair, from_side, kind)
        values ($1, $2, $3)
        on conflict (pair, from_side, kind) do nothing",
        pair.as_str(),
        direction.from.as_str(),
        kind_word(kind)
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("make a stream of the recorder"))?;
    let found = find_stream(conn, pair, direction, kind).await?;
    found.ok_or(StoreError::Rows { op: "make a stream of the recorder", got: 0, expected: 1 })
}

/// Number of a flow's stream, if anything was ever recorded.
///
/// # Errors
/// When the database refuses.
pub async fn find_stream(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    kind: Kind,
) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar!(
        "select id
        from recorder_stream
        where pair = $1
            and from_side = $2
            and kind = $3",
        pair.as_str(),
        direction.from.as_str(),
        kind_word(kind)
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find a stream of the recorder"))
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Partitions => "partitions",
        Kind::Groups => "groups",
    }
}

/// Begin of the block a moment belongs to, in milliseconds.
fn block_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(BLOCK_MS)
}

/// Begin of the block a moment belongs to.
fn block_begin(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(at.timestamp_millis().rem_euclid(BLOCK_MS))
        - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos() % 1_000_000))
}

/// A row whose bytes are no samples.
fn unreadable(
    table: &'static str,
    chunk: i32,
    at: DateTime<Utc>,
) -> impl FnOnce(codec::CodecError) -> StoreError {
    move |_| StoreError::unreadable(table, "body", format!("chunk {chunk} at {at}"))
}
