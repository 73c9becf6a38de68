//! Proving that the target holds what the source held: by the last record for a drain, record by record for the rest.
//!
//! Offsets of the two sides are not comparable (holes, markers, second copies), so records are compared by what MirrorMaker
//! 2 keeps of them: timestamp, key, value and headers; without the timestamp where the target's brokers write their own
//! (`message.timestamp.type=LogAppendTime`). Behind a connector with transforms both sides differ by intent, and nothing can be
//! proven either way.

mod compare;
mod content;
mod held;
mod meter;
mod stretch;
mod waiting;

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, ReadRange, RecordPrint, TailRecord, Tails};
use serde::{Deserialize, Serialize};

use crate::records::{Deadline, FlowRecords, PartitionEnds, keep_timestamps, read_prints};
pub use content::{ContentEvidence, ContentWindow, PartitionContent, content_window, verify_content};
pub use meter::Meter;
pub use stretch::{CompareStretch, Keep};

/// Records before the last one that are looked at, to see whether the last one is one of many alike.
const BEFORE_TAIL: i64 = 64;
/// So many records in a row that stand further up as well are a repetition and no chance.
const AGAIN: usize = 8;

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
    /// Fingerprint, hex; without the timestamp where the target's brokers write their own.
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
    let found: Vec<_> = lines.iter().map(|line| (line, last_records(line, &sources, &targets))).collect();
    let alike = found.iter().filter_map(|(line, last)| {
        let (Some(source), Some(target)) = last.as_ref().ok()? else { return None };
        (source.fingerprint == target.fingerprint).then_some((*line, source.offset, target.offset))
    });
    let runs = count_runs(records, alike.collect(), deadline).await?;
    let judged = |(line, last): (&CutLine, Result<_, String>)| match last {
        Ok((source, target)) => judge_tails(line, source, target, &runs),
        Err(reason) => TailEvidence {
            partition: line.partition.clone(),
            source: None,
            target: None,
            drained: false,
            reason,
        },
    };
    Ok(found.into_iter().map(judged).collect())
}

/// The last records of both sides as they are compared, or why one of them cannot be read.
fn last_records(
    line: &CutLine,
    sources: &Tails,
    targets: &Tails,
) -> Result<(Option<TailRecord>, Option<TailRecord>), String> {
    let tail = |tails: &Tails, at: &TopicPartition| match tails.get(at) {
        Some(Ok(tail)) => Ok(tail.clone()),
        Some(Err(error)) => Err(error.to_string()),
        None => Ok(None),
    };
    let (source, target) = (tail(sources, &line.partition.source)?, tail(targets, &line.partition.target)?);
    let timestamps = target.as_ref().is_none_or(|tail| !tail.log_append_time);
    let counted = |tail: TailRecord| if timestamps { tail } else { tail.without_timestamp() };
    Ok((source.map(counted), target.map(counted)))
}

/// What the last records of both sides look like, by source partition.
type Runs = ByPartition<LastRecords>;

#[derive(Debug, Clone, Copy)]
struct LastRecords {
    source: Run,
    target: Run,
    /// Without timestamps: why the target may end with records of the source from further up.
    doubt: Option<&'static str>,
}

/// How many records at the end of a side are alike, and whether there is another kind before them.
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
    let of = |(line, source, target): &(&CutLine, i64, i64)| {
        let partition = &line.partition;
        let here = sources.get(&partition.source).map(Vec::as_slice).unwrap_or_default();
        let there = targets.get(&partition.target).map(Vec::as_slice).unwrap_or_default();
        let timestamps = keep_timestamps(there);
        let (here, there) = (fingerprints(here, timestamps), fingerprints(there, timestamps));
        let last = LastRecords {
            source: run(&here, *source),
            target: run(&there, *target),
            doubt: if timestamps { None } else { doubt(&here, &there, *source < BEFORE_TAIL) },
        };
        (partition.source.clone(), last)
    };
    Ok(alike.iter().map(of).collect())
}

fn fingerprints(seen: &[RecordPrint], timestamps: bool) -> Vec<u64> {
    let counted = |print: &RecordPrint| if timestamps { *print } else { print.without_timestamp() };
    seen.iter().map(|print| counted(print).fingerprint).collect()
}

fn run(seen: &[u64], tail: i64) -> Run {
    let last = seen.last();
    let length = seen.iter().rev().take_while(|one| Some(*one) == last).count();
    Run { length, whole: length < seen.len() || length <= 1 || tail < BEFORE_TAIL }
}

/// Why a target that ends with earlier records could look as this one does. With timestamps no two records look the same; without,
/// whatever repeats itself does. So all that was read has to be alike, not the last record alone, and what both sides end with must not
/// stand further up on the source as well. Unless the log was read `whole`, what stands before goes on as what was read begins, for all
/// anybody knows: where all of it repeats itself, so may that.
fn doubt(source: &[u64], target: &[u64], whole: bool) -> Option<&'static str> {
    let ends_alike = |one: &[u64], other: &[u64]| {
        one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
    };
    let seen = ends_alike(source, target);
    let stands_further_up = |back: usize| {
        let above = &source[..source.len() - back];
        let again = ends_alike(source, above);
        again >= seen || (!whole && again == above.len() && again >= AGAIN)
    };
    if (1..source.len()).any(stands_further_up) {
        return Some(
            "the last records of the source repeat themselves, and without timestamps, which the target's brokers write anew, the \
             target's last ones may be earlier ones",
        );
    }
    (seen < source.len().min(target.len())).then_some(
        "the last records look the same and those before them do not, and without timestamps, which the target's brokers write \
         anew, the target's last one may be an earlier one",
    )
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
            Some(last) if last.target.length < last.source.length => format!(
                "the last {} records of the source are alike and the target holds {} of them",
                last.source.length, last.target.length
            ),
            Some(last) if !last.source.whole => {
                format!(
                    "the last {} records and more are all alike, so the last one proves nothing",
                    last.source.length
                )
            }
            Some(last) => last.doubt.unwrap_or_default().to_owned(),
            None => String::new(),
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
