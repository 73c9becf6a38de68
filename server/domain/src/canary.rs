//! The standing canary: small records of Muster's own, written on the source of a flow and seen on its target, so that
//! end to end is measured and not inferred.
//!
//! It proves that the way of one partition's task is open, nothing else (docs/TRUTH.md). What is kept of it are facts of
//! turns; what they mean is told when they are read, because a canary that falls silent writes nothing that could say so.

mod course;
mod standing;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    course::{Course, Whereabouts, course},
    standing::{CanaryState, Hour, Standing, carried_within, judge},
};
use crate::{
    ids::{ClusterName, PairName},
    pair::{Direction, Pair},
};

/// Records nothing of which arrives for so many periods do not arrive.
pub const PERIODS: i32 = 3;
/// Fewest and most partitions that are written.
pub const PARTITIONS: std::ops::RangeInclusive<i32> = 1..=32;
/// Fewest and most seconds between two records of a partition.
pub const SECONDS: std::ops::RangeInclusive<i64> = 2..=300;

/// Partitions of a pair nobody has set any for.
#[must_use]
pub fn default_partitions() -> i32 {
    1
}

/// Seconds between two records of a pair nobody has set any for.
#[must_use]
pub fn default_seconds() -> i64 {
    5
}

/// What a pair's owners set of its canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySettings {
    /// Topic on the source of each flow.
    pub topic: String,
    /// Its partitions 0 to this, less one, are written.
    pub partitions: i32,
    /// Time between two records of a partition.
    pub period: TimeDelta,
}

impl CanarySettings {
    /// Of a pair that has a canary. Out of bounds means the bound: rows of another version of Muster may be.
    #[must_use]
    pub fn of(pair: &Pair) -> Option<Self> {
        Some(Self {
            topic: pair.canary_topic.clone()?,
            partitions: pair.canary_partitions.clamp(*PARTITIONS.start(), *PARTITIONS.end()),
            period: TimeDelta::seconds(pair.canary_seconds.clamp(*SECONDS.start(), *SECONDS.end())),
        })
    }
}

/// The value of a canary's record, as JSON. It says whose it is and nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRecord {
    /// The pair.
    pub canary_of: PairName,
    /// Cluster it is written on.
    pub from: ClusterName,
    /// Cluster it is to arrive on.
    pub to: ClusterName,
    /// Partition it is written to.
    pub partition: i32,
    /// Counts up per flow and partition.
    pub sequence: i64,
    /// Epoch of the lease it was written under; 0 when a person asked for it.
    pub epoch: i64,
    /// The start of the process that wrote it.
    pub process: Uuid,
    /// When it was handed to the cluster, by that process's clock.
    pub written_at: DateTime<Utc>,
}

/// A record that was written and seen, both by the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When the source acknowledged it.
    pub written_at: DateTime<Utc>,
    /// When it was read on the target.
    pub seen_at: DateTime<Utc>,
    /// Milliseconds between the two, by the clock that never steps.
    pub ms: i64,
}

/// Records that were acknowledged and not seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outstanding {
    /// How many.
    pub records: i64,
    /// When the first of them was acknowledged.
    pub since: DateTime<Utc>,
}

/// What a turn did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum Turn {
    /// Wrote a record and looked for it.
    Wrote,
    /// Nothing: nothing is to be written on this flow as things are.
    Rested {
        /// Why.
        reason: String,
    },
    /// Nothing: the brake is on, or a run moves the pair.
    Paused {
        /// Why.
        reason: String,
    },
    /// Could not write, or not look.
    Failed {
        /// What was tried and what came back.
        reason: String,
    },
}

/// What is kept of the canary on one partition of one flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// The flow.
    pub direction: Direction,
    /// The partition.
    pub partition: i32,
    /// Topic it is about: another one is another canary.
    pub topic: String,
    /// Sequence of the newest record; 0 before the first.
    pub sequence: i64,
    /// When the newest record was acknowledged.
    pub written_at: Option<DateTime<Utc>>,
    /// The newest record that was seen.
    pub seen: Option<Seen>,
    /// What was not seen yet.
    pub outstanding: Option<Outstanding>,
    /// Whether the target had no copy of the topic at the newest turn that looked.
    #[serde(default)]
    pub copy_missing: bool,
    /// Since when this flow is written without a pause; silence is counted from here at the earliest.
    pub since: Option<DateTime<Utc>>,
    /// Whether this is a flow that was to be written when that was last known.
    pub chosen: bool,
    /// The newest turn.
    pub last: Turn,
    /// When that turn ended, by Muster's clock.
    pub turned_at: DateTime<Utc>,
}

impl Track {
    /// Before the first turn.
    #[must_use]
    pub fn new(direction: Direction, partition: i32, topic: &str, now: DateTime<Utc>) -> Self {
        Self {
            direction,
            partition,
            topic: topic.to_owned(),
            sequence: 0,
            written_at: None,
            seen: None,
            outstanding: None,
            copy_missing: false,
            since: None,
            chosen: false,
            last: Turn::Failed { reason: "nothing has been written yet".to_owned() },
            turned_at: now,
        }
    }

    /// The source has acknowledged a record.
    pub fn wrote(&mut self, at: DateTime<Utc>) {
        self.written_at = Some(at);
        let before = self.outstanding;
        self.outstanding = Some(Outstanding {
            records: before.map_or(0, |before| before.records) + 1,
            since: before.map_or(at, |before| before.since),
        });
    }

    /// Everything up to a record has arrived, replication keeping the order of a partition; `behind` is what was
    /// acknowledged after it. Only who wrote a record can measure it.
    pub fn arrived(&mut self, measured: Option<Seen>, behind: Option<Outstanding>) {
        self.seen = measured.or(self.seen);
        self.outstanding = behind;
    }

    /// A turn that wrote nothing, because nothing is to be written.
    pub fn rested(&mut self, turn: Turn, still_chosen: bool, now: DateTime<Utc>) {
        self.last = turn;
        self.turned_at = now;
        self.since = None;
        self.chosen &= still_chosen;
    }

    /// A turn that wrote, or tried to.
    pub fn turned(&mut self, turn: Turn, now: DateTime<Utc>) {
        self.last = turn;
        self.turned_at = now;
    }
}
