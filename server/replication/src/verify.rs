//! Proving that the target holds what the source held: by the last record for a drain, record by record for the rest.
//!
//! Offsets of the two sides are not comparable (holes, markers, second copies), so records are compared by what MirrorMaker
//! 2 keeps of them: timestamp, key, value and headers. A target topic with `message.timestamp.type=LogAppendTime`, or a
//! connector with transforms, differs by intent and can be proven neither way.

mod compare;

use std::collections::BTreeMap;

use muster_domain::{
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, KafkaError, ReadRange, TailRecord};
use serde::{Deserialize, Serialize};

use crate::records::{Deadline, FlowRecords, PartitionEnds, Seen, read_seen};
use compare::Comparison;
pub use compare::{Difference, DifferenceKind, Found};

/// Records before the last one that are looked at, to see whether the last one is one of many alike.
const BEFORE_TAIL: i64 = 64;
/// Offsets read per call over all partitions while comparing.
const READ_AT_ONCE: i64 = 100_000;

/// A partition whose drain is to be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutLine {
    /// The partition.
    pub partition: PartitionEnds,
    /// One past the last source offset that counts.
    pub source_until: i64,
    /// End of the target's log.
    pub target_until: i64,
}

/// Whether one partition is drained, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailEvidence {
    /// The partition.
    pub partition: PartitionEnds,
    /// Last visible record of the source below the cut line; `None` when there is none.
    pub source: Option<Tail>,
    /// Last visible record of the target.
    pub target: Option<Tail>,
    /// Proven: the target holds everything below the cut line.
    pub drained: bool,
    /// Why it is not proven; empty when it is.
    pub reason: String,
}

/// A last record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
    /// Fingerprint, hex.
    pub fingerprint: String,
}

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
    /// Records compared, of the source.
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
}

/// Proves drains: the last visible record below the cut line is the last visible record of the target.
///
/// One read per side for all partitions, and one more for those that look drained. With an at-least-once flow, records
/// copied again after a crash make it wait until the second copying is through, which is right.
pub async fn tails_match(
    records: &FlowRecords<'_>,
    lines: &[CutLine],
) -> Result<Vec<TailEvidence>, KafkaError> {
    let deadline = Deadline::after(records.deadline_ms);
    let source_until = lines.iter().map(|line| (line.partition.source.clone(), line.source_until)).collect();
    let target_until = lines.iter().map(|line| (line.partition.target.clone(), line.target_until)).collect();
    let (sources, targets) = tokio::try_join!(
        records.source.tails(&source_until, records.isolation, deadline.left_ms()),
        records.target.tails(&target_until, Isolation::ReadCommitted, deadline.left_ms()),
    )?;
    let tail = |tails: &BTreeMap<TopicPartition, Option<TailRecord>>, at| tails.get(at).cloned().flatten();
    let found: Vec<_> = lines
        .iter()
        .map(|line| (line, tail(&sources, &line.partition.source), tail(&targets, &line.partition.target)))
        .collect();
    let alike = found.iter().filter_map(|(line, source, target)| {
        let (source, target) = (source.as_ref()?, target.as_ref()?);
        (source.fingerprint == target.fingerprint).then_some((*line, source.offset, target.offset))
    });
    let runs = count_runs(records, alike.collect(), deadline).await?;
    Ok(found.into_iter().map(|(line, source, target)| judge_tails(line, source, target, &runs)).collect())
}

/// How many records at the end of each side are alike, and whether there is another kind before them.
type Runs = ByPartition<(Run, Run)>;
#[derive(Debug, Clone, Copy)]
struct Run {
    length: usize,
    whole: bool,
}

async fn count_runs(
    records: &FlowRecords<'_>,
    alike: Vec<(&CutLine, i64, i64)>,
    deadline: Deadline,
) -> Result<Runs, KafkaError> {
    let before = |partition: &TopicPartition, tail: i64| {
        let (from, until) = ((tail - BEFORE_TAIL).max(0), tail + 1);
        ReadRange { partition: partition.clone(), from, until }
    };
    let source = alike.iter().map(|(line, tail, _)| before(&line.partition.source, *tail)).collect();
    let target = alike.iter().map(|(line, _, tail)| before(&line.partition.target, *tail)).collect();
    let (sources, targets) = tokio::try_join!(
        read_seen(records.source, source, records.isolation, deadline),
        read_seen(records.target, target, Isolation::ReadCommitted, deadline),
    )?;
    let run = |seen: Option<&Vec<Seen>>, tail: i64| {
        let seen = seen.map(Vec::as_slice).unwrap_or_default();
        let last = seen.last().map(|seen| seen.fingerprint);
        let length = seen.iter().rev().take_while(|seen| Some(seen.fingerprint) == last).count();
        Run { length, whole: length < seen.len() || length <= 1 || tail < BEFORE_TAIL }
    };
    let of = |(line, source, target): &(&CutLine, i64, i64)| {
        let partition = &line.partition;
        let runs =
            (run(sources.get(&partition.source), *source), run(targets.get(&partition.target), *target));
        (partition.source.clone(), runs)
    };
    Ok(alike.iter().map(of).collect())
}

fn judge_tails(
    line: &CutLine,
    source: Option<TailRecord>,
    target: Option<TailRecord>,
    runs: &Runs,
) -> TailEvidence {
    let reason = match (&source, &target) {
        (None, _) => String::new(),
        (Some(source), None) => {
            format!("the target holds nothing, the source's last record is at {}", source.offset)
        }
        (Some(source), Some(target)) if source.fingerprint != target.fingerprint => format!(
            "the source's last record (offset {}) is not the target's last one (offset {})",
            source.offset, target.offset
        ),
        (Some(_), Some(_)) => match runs.get(&line.partition.source) {
            Some((on_source, on_target)) if on_target.length < on_source.length => format!(
                "the last {} records of the source are alike and the target holds {} of them",
                on_source.length, on_target.length
            ),
            Some((on_source, _)) if !on_source.whole => {
                format!(
                    "the last {} records and more are all alike, so the last one proves nothing",
                    on_source.length
                )
            }
            Some(_) | None => String::new(),
        },
    };
    let shown = |tail: TailRecord| Tail {
        offset: tail.offset,
        timestamp: tail.timestamp,
        fingerprint: format!("{:016x}", tail.fingerprint),
    };
    TailEvidence {
        partition: line.partition.clone(),
        source: source.map(shown),
        target: target.map(shown),
        drained: reason.is_empty(),
        reason,
    }
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

/// Compares stretches record by record: all partitions at once, both sides at once, in bounded memory.
pub async fn verify_content(
    records: &FlowRecords<'_>,
    windows: &[ContentWindow],
) -> Result<ContentEvidence, KafkaError> {
    let deadline = Deadline::after(records.deadline_ms);
    let mut open: Vec<Comparing> = windows.iter().cloned().map(Comparing::new).collect();
    loop {
        let busy = open.iter().filter(|one| one.is_open()).count();
        if busy == 0 {
            break;
        }
        let step = (READ_AT_ONCE / i64::try_from(busy).unwrap_or(i64::MAX)).clamp(500, 10_000);
        let source = open.iter_mut().filter_map(|one| one.next_source(step)).collect();
        let target = open.iter_mut().filter_map(|one| one.next_target(step)).collect();
        let (sources, targets) = tokio::try_join!(
            read_seen(records.source, source, records.isolation, deadline),
            read_seen(records.target, target, Isolation::ReadCommitted, deadline),
        )?;
        for one in &mut open {
            let (source, target) = (&one.window.partition.source, &one.window.partition.target);
            one.comparison.take_source(sources.get(source).map(Vec::as_slice).unwrap_or_default());
            one.comparison.take_target(targets.get(target).map(Vec::as_slice).unwrap_or_default());
            one.comparison.source_done = one.source_next >= one.window.source_until;
            one.comparison.target_done = one.target_next >= one.window.target_until;
            one.comparison.go_on();
        }
    }
    let finish = |one: Comparing| PartitionContent { window: one.window, found: one.comparison.finish() };
    let partitions: Vec<_> = open.into_iter().map(finish).collect();
    Ok(ContentEvidence {
        records: partitions.iter().map(|partition| partition.found.on_source).sum(),
        nothing_lost: partitions.iter().all(|partition| partition.found.nothing_lost()),
        equal: partitions.iter().all(|partition| partition.found.equal()),
        partitions,
    })
}

/// One partition being compared.
struct Comparing {
    window: ContentWindow,
    source_next: i64,
    target_next: i64,
    comparison: Comparison,
}

impl Comparing {
    fn new(window: ContentWindow) -> Self {
        let (source_next, target_next) = (window.source_from, window.target_from);
        Self { window, source_next, target_next, comparison: Comparison::default() }
    }

    fn is_open(&self) -> bool {
        !(self.comparison.source_done && self.comparison.target_done)
    }

    fn next_source(&mut self, step: i64) -> Option<ReadRange> {
        let wants = self.comparison.wants_source();
        next(&mut self.source_next, &self.window.partition.source, self.window.source_until, step, wants)
    }

    fn next_target(&mut self, step: i64) -> Option<ReadRange> {
        let wants = self.comparison.wants_target();
        next(&mut self.target_next, &self.window.partition.target, self.window.target_until, step, wants)
    }
}

fn next(from: &mut i64, partition: &TopicPartition, end: i64, step: i64, wants: bool) -> Option<ReadRange> {
    if !wants || *from >= end {
        return None;
    }
    let range = ReadRange { partition: partition.clone(), from: *from, until: end.min(*from + step) };
    *from = range.until;
    Some(range)
}
