//! Partition by partition: how far each was behind, in levels that can be told apart without colours. Only the worst are
//! kept, so that a large pair costs no more than a small one.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Frame, Track, grid::Cell, time};
use crate::reading::ReadingClass;

/// More stretches are not told apart of a partition.
const MOST_STRETCHES: usize = 60;

/// How far a partition was behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing was missing.
    None,
    /// 1 to 9 records.
    Ones,
    /// 10 to 99.
    Tens,
    /// 100 to 999.
    Hundreds,
    /// 1,000 to 9,999.
    Thousands,
    /// 10,000 and more.
    More,
    /// Not known at some time.
    Unknown,
}

impl Level {
    /// Those that are known, from none on.
    pub const KNOWN: [Self; 6] =
        [Self::None, Self::Ones, Self::Tens, Self::Hundreds, Self::Thousands, Self::More];

    /// Of so many records; `None` is not known.
    #[must_use]
    pub fn of(records: Option<i64>) -> Self {
        match records {
            None => Self::Unknown,
            Some(..=0) => Self::None,
            Some(1..=9) => Self::Ones,
            Some(10..=99) => Self::Tens,
            Some(100..=999) => Self::Hundreds,
            Some(1_000..=9_999) => Self::Thousands,
            Some(_) => Self::More,
        }
    }
}

/// Some time of a partition with one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StripRun {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// How far it was behind.
    pub level: Level,
    /// Most records; null when not known.
    pub records: Option<i64>,
    /// The least sure class.
    pub class: ReadingClass,
}

/// A partition over the whole time. Times without a run have no sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StripRow {
    /// Source topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Most records it was behind while that was known; null when it never was.
    pub worst_records: Option<i64>,
    /// When: begin of the stretch.
    pub worst_at: Option<DateTime<Utc>>,
    /// For so many milliseconds it was not known.
    pub unknown_ms: i64,
    /// What it was like, oldest first.
    pub runs: Vec<StripRun>,
}

/// The worst partitions: those that were unknown for the longest, then those furthest behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Strip {
    /// Of so many.
    pub partitions: usize,
    /// Worst first.
    pub rows: Vec<StripRow>,
}

/// Unknown stretches, most records, and for an order that stays: topic and number.
type Rank = (usize, Option<i64>, Reverse<(std::sync::Arc<str>, i32)>);

/// Keeps the worst partitions.
#[derive(Debug)]
pub(super) struct Rows {
    most: usize,
    seen: usize,
    kept: BTreeMap<Rank, Vec<Cell>>,
}

impl Rows {
    pub(super) fn new(most: usize) -> Self {
        Self { most, seen: 0, kept: BTreeMap::new() }
    }

    /// One more partition, stretch by stretch.
    pub(super) fn offer(&mut self, track: &Track, cells: &[Cell]) {
        let seen = || cells.iter().filter(|cell| cell.seen);
        if seen().next().is_none() {
            return;
        }
        self.seen += 1;
        let unknown = seen().filter(|cell| cell.why.is_some()).count();
        let worst = seen().filter_map(Cell::known).max();
        let rank = (unknown, worst, Reverse((track.topic.clone(), track.partition)));
        // A partition of a topic that was recreated is two tracks of one name: the one that was worse stands first.
        let better_than_all = self.kept.first_key_value().is_some_and(|(least, _)| rank < *least);
        if self.kept.len() >= self.most && better_than_all {
            return;
        }
        self.kept.insert(rank, cells.to_vec());
        if self.kept.len() > self.most {
            self.kept.pop_first();
        }
    }

    pub(super) fn strip(self, frame: &Frame, quiet: i64) -> Strip {
        let rows =
            self.kept.into_iter().rev().map(|((unknown, worst, Reverse((topic, partition))), cells)| {
                let at = cells
                    .iter()
                    .position(|cell| cell.seen && cell.why.is_none() && worst == Some(cell.records));
                StripRow {
                    topic: topic.to_string(),
                    partition,
                    worst_records: worst,
                    worst_at: at.map(|at| frame.begin(at)),
                    unknown_ms: i64::try_from(unknown).unwrap_or(i64::MAX).saturating_mul(frame.width),
                    runs: runs(frame, &cells, quiet),
                }
            });
        Strip { partitions: self.seen, rows: rows.collect() }
    }
}

/// Stretches of one level and class that follow one another are one. Where samples are further apart than stretches are wide,
/// what was seen stands until the next sample, for no longer than `quiet` milliseconds.
fn runs(frame: &Frame, cells: &[Cell], quiet: i64) -> Vec<StripRun> {
    let mut runs: Vec<StripRun> = Vec::new();
    let end = time(frame.to);
    let together = cells.len().div_ceil(MOST_STRETCHES).max(1);
    for (number, part) in cells.chunks(together).enumerate() {
        let Some(cell) = part.iter().filter(|cell| cell.seen).copied().reduce(Cell::worse) else { continue };
        let (from, to) = (frame.begin(number * together), frame.begin((number + 1) * together).min(end));
        let (records, class) = (cell.known(), cell.class);
        let level = Level::of(records);
        if let Some(last) = runs.last_mut().filter(|last| (from - last.to).num_milliseconds() <= quiet) {
            last.to = from;
        }
        match runs.last_mut() {
            Some(last) if last.to == from && last.level == level && last.class == class => {
                last.to = to;
                last.records = last.records.max(records);
            }
            Some(_) | None => runs.push(StripRun { from, to, level, records, class }),
        }
    }
    runs
}
