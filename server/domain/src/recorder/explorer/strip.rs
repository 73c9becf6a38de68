//! Topic by topic, or partition by partition: how far each was behind, in levels that can be told apart without colours. All of
//! them, a page at a time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::reading::ReadingClass;

/// What a row of the strip is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowsOf {
    /// A topic: the worst of its partitions at each moment, and unknown is worst.
    Topics,
    /// One partition.
    Partitions,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// What each is of.
    pub of: RowsOf,
    /// So many of the worst are left out: they are on the pages before.
    pub skip: usize,
    /// At most so many.
    pub most: usize,
}

impl Wanted {
    /// The worst of them.
    #[must_use]
    pub fn worst(of: RowsOf, most: usize) -> Self {
        Self { of, skip: 0, most }
    }
}

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

/// Some time of a row with one level.
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

/// A topic or a partition over the whole time. Times without a run have no sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StripRow {
    /// Source topic.
    pub topic: String,
    /// The partition's number. Of a topic the one that was furthest behind; null when that was never known of any.
    pub partition: Option<i32>,
    /// Partitions in it: 1, or all of the topic. Those of a topic that was recreated count again.
    pub partitions: usize,
    /// Most records it was behind while that was known, of a topic its worst partition; null when it never was.
    pub worst_records: Option<i64>,
    /// When: begin of the stretch.
    pub worst_at: Option<DateTime<Utc>>,
    /// For so many milliseconds it was not known; of a topic, of any of its partitions.
    pub unknown_ms: i64,
    /// What it was like, oldest first.
    pub runs: Vec<StripRun>,
}

/// Rows in the order of their worst: those that were unknown for the longest, then those furthest behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Strip {
    /// What rows are of.
    pub of: RowsOf,
    /// Rows there are in all.
    pub total: usize,
    /// So many rows were left out before these.
    pub skip: usize,
    /// Partitions with samples in the time, in whichever rows.
    pub partitions: usize,
    /// Worst first.
    pub rows: Vec<StripRow>,
}

impl Strip {
    /// Nothing, where nothing could be looked at row by row.
    #[must_use]
    pub fn empty(wanted: Wanted) -> Self {
        Self { of: wanted.of, total: 0, skip: wanted.skip, partitions: 0, rows: Vec::new() }
    }
}
