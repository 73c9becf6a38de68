//! Proving that the target holds what the source held: by the last record for a drain, record by record for the rest.
//!
//! Offsets of the two sides are not comparable (holes, markers, second copies), so records are compared by what MirrorMaker
//! 2 keeps of them: timestamp, key, value and headers. A target topic with `message.timestamp.type=LogAppendTime`, or a
//! connector with transforms, differs by intent and can be proven neither way.

mod compare;
mod content;
mod held;
mod meter;
mod stretch;

use std::collections::BTreeMap;

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, ReadRange, RecordPrint, TailRecord};
use serde::{Deserialize, Serialize};

use crate::records::{Deadline, FlowRecords, PartitionEnds, read_prints};
pub use content::{ContentEvidence, ContentWindow, PartitionContent, content_window, verify_content};
pub use meter::Meter;
pub use stretch::{CompareStretch, Keep};

/// Records before the last one that are looked at, to see whether the last one is one of many alike.
const BEFORE_TAIL: i64 = 64;

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
        let (from, until) = ((tail - BEFORE_TAIL).max(0), tail.saturating_add(1));
        ReadRange { partition: partition.clone(), from, until }
    };
    let source = alike.iter().map(|(line, tail, _)| before(&line.partition.source, *tail)).collect();
    let target = alike.iter().map(|(line, _, tail)| before(&line.partition.target, *tail)).collect();
    let (sources, targets) = tokio::try_join!(
        read_prints(records.source, source, records.isolation, deadline),
        read_prints(records.target, target, Isolation::ReadCommitted, deadline),
    )?;
    let run = |seen: Option<&Vec<RecordPrint>>, tail: i64| {
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
