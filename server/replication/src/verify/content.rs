//! Comparing stretches record by record: both sides at once, in bounded memory.

use muster_domain::{content::Found, survey::OffsetPair, topic::TopicPartition};
use muster_kafka::{Isolation, KafkaError, PrintRange, ReadRange};
use serde::{Deserialize, Serialize};

use super::{
    CutLine,
    compare::{Comparison, Level, LookBack, SeenBefore},
};
use crate::records::{Deadline, FlowRecords, PartitionEnds, keep_timestamps};

/// A stretch to compare: the records at both beginnings are the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentWindow {
    /// The partition.
    pub partition: PartitionEnds,
    /// First source offset.
    pub source_from: i64,
    /// One past the last source offset.
    pub source_until: i64,
    /// First target offset.
    pub target_from: i64,
    /// One past the last target offset.
    pub target_until: i64,
}

/// What comparing found, partition by partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentEvidence {
    /// Each partition.
    pub partitions: Vec<PartitionContent>,
    /// Records compared: found on both sides.
    pub records: u64,
    /// Every record of the source is on the target, in order, and nothing foreign is (second copies may be).
    pub nothing_lost: bool,
    /// And there are no second copies.
    pub equal: bool,
}

/// What comparing one partition found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionContent {
    /// What was compared.
    pub window: ContentWindow,
    /// What was found.
    pub found: Found,
    /// Timestamps were compared, too: the target's brokers do not write their own.
    #[serde(default = "as_always")]
    pub timestamps: bool,
    /// Source offsets of the window that retention removed before they were read.
    #[serde(default)]
    pub source_gone: i64,
    /// The same of the target.
    #[serde(default)]
    pub target_gone: i64,
}

/// What older evidence does not say.
fn as_always() -> bool {
    true
}

/// The stretch that holds about the last `records` offsets of a partition, beginning at a pair of the task's newest
/// lifetime. `None` without pairs: there is no common beginning.
#[must_use]
pub fn content_window(line: &CutLine, pairs: &[OffsetPair], records: i64) -> Option<ContentWindow> {
    let lifetime =
        pairs.windows(2).rposition(|two| two[1].upstream <= two[0].upstream).map_or(0, |last| last + 1);
    let newest = pairs.get(lifetime..)?;
    let from =
        newest.iter().rev().find(|pair| pair.upstream <= line.source_until - records).or(newest.first())?;
    Some(ContentWindow {
        partition: line.partition.clone(),
        source_from: from.upstream,
        source_until: line.source_until,
        target_from: from.downstream,
        target_until: line.target_until,
    })
}

/// Compares stretches record by record: all partitions at once, within the bound of `records`. Where the target turns out to
/// write its own timestamps, both sides are read once more and compared without.
pub async fn verify_content(
    records: &FlowRecords<'_>,
    windows: &[ContentWindow],
) -> Result<ContentEvidence, KafkaError> {
    let deadline = Deadline::after(records.deadline_ms);
    let start = |window: &ContentWindow| Comparing::new(window, true, Comparison::default());
    let mut open: Vec<Comparing> = windows.iter().map(start).collect();
    while read_round(records, &mut open, deadline.left_ms()).await?.is_some() {
        for (one, window) in open.iter_mut().zip(windows) {
            if one.timestamps && one.own_time {
                *one = Comparing::new(window, false, Comparison::default());
            }
        }
    }
    let partitions: Vec<_> = open
        .into_iter()
        .zip(windows)
        .map(|(one, window)| {
            let (source_gone, target_gone) = one.gone();
            let timestamps = one.timestamps;
            let window = window.clone();
            PartitionContent { window, found: one.finish(), timestamps, source_gone, target_gone }
        })
        .collect();
    Ok(ContentEvidence {
        records: partitions.iter().map(|partition| partition.found.matched).sum(),
        nothing_lost: partitions.iter().all(PartitionContent::nothing_lost),
        equal: partitions.iter().all(|partition| partition.nothing_lost() && partition.found.equal()),
        partitions,
    })
}

impl PartitionContent {
    /// See [`Found::nothing_lost`]; and every record was compared.
    #[must_use]
    pub fn nothing_lost(&self) -> bool {
        self.found.nothing_lost() && self.not_compared().is_none()
    }

    /// What nothing was compared with, in words; `None` when everything was.
    #[must_use]
    pub fn not_compared(&self) -> Option<String> {
        if let Some(place) = self.found.lost_place {
            return Some(place.to_string());
        }
        let n = self.found.before;
        (n > 0).then(|| {
            format!("{n} cannot be told: retention removed records of the other side before they were read")
        })
    }
}

/// What one round read of both sides.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) bytes: u64,
    pub(super) records: u64,
}

/// Reads on whatever is of use now and compares it; `None` when nothing is left.
pub(super) async fn read_round(
    records: &FlowRecords<'_>,
    open: &mut [Comparing],
    within_ms: u64,
) -> Result<Option<Round>, KafkaError> {
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for one in open.iter_mut() {
        if one.comparison.wants_source() {
            sources.push(&mut one.source);
        }
        if one.comparison.wants_target() {
            targets.push(&mut one.target);
        }
    }
    if sources.is_empty() && targets.is_empty() {
        return Ok(None);
    }
    tokio::try_join!(
        records.source.read_on(&mut sources, records.isolation, within_ms),
        records.target.read_on(&mut targets, Isolation::ReadCommitted, within_ms),
    )?;
    let mut round = Round::default();
    open.iter_mut().for_each(|one| one.take(&mut round));
    Ok(Some(round))
}

/// One partition being compared.
pub(super) struct Comparing {
    pub(super) source: PrintRange,
    pub(super) target: PrintRange,
    comparison: Comparison,
    /// Timestamps count.
    timestamps: bool,
    /// A record of the target has the time of its broker.
    own_time: bool,
}

impl Comparing {
    pub(super) fn new(window: &ContentWindow, timestamps: bool, mut comparison: Comparison) -> Self {
        let range = |partition: &TopicPartition, from, until| {
            let range = PrintRange::new(ReadRange { partition: partition.clone(), from, until });
            if timestamps { range } else { range.without_timestamps() }
        };
        let ends = &window.partition;
        let source = range(&ends.source, window.source_from, window.source_until);
        let target = range(&ends.target, window.target_from, window.target_until);
        (comparison.source_done, comparison.target_done) = (source.done, target.done);
        comparison.go_on();
        Self { source, target, comparison, timestamps, own_time: false }
    }

    /// Compares what was read.
    fn take(&mut self, round: &mut Round) {
        round.records += (self.source.prints.len() + self.target.prints.len()) as u64;
        round.bytes += self.source.take_bytes() + self.target.take_bytes();
        self.own_time |= !keep_timestamps(&self.target.prints);
        self.comparison.take_source(&self.source.prints, &self.source.jumps);
        self.comparison.take_target(&self.target.prints, &self.target.jumps);
        for range in [&mut self.source, &mut self.target] {
            range.prints.clear();
            range.jumps.clear();
        }
        self.comparison.source_done = self.source.done;
        self.comparison.target_done |= self.target.done;
        self.comparison.go_on();
    }

    /// What is to be looked for on the source before it can go on.
    pub(super) fn asks_back(&mut self) -> Option<LookBack> {
        self.comparison.asks_back()
    }

    /// Goes on with what was seen there.
    pub(super) fn look_back(&mut self, seen: &SeenBefore) {
        self.comparison.look_back(seen);
    }

    /// Goes on without.
    pub(super) fn stop_looking_back(&mut self) {
        self.comparison.stop_looking_back();
    }

    /// Where it could go on, and what was found until there.
    pub(super) fn level(&self) -> Option<Level> {
        self.comparison.level()
    }

    /// Offsets of both sides that retention removed before they were read.
    pub(super) fn gone(&self) -> (i64, i64) {
        (self.source.gone, self.target.gone)
    }

    pub(super) fn finish(self) -> Found {
        self.comparison.finish()
    }
}
