//! Reading the records of both ends of a flow, in pieces that fit in memory.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, PrintRange, ReadRange, RecordMover, RecordPrint, Tails};

/// Most partitions in one call: an answer to all of them stands in memory before their prints are made.
const AT_ONCE: usize = 2_000;
/// Which part of what is left of a bound one call may take that asks for all partitions; those that ask for some of them because
/// it was refused may take less, so that one partition which is refused late leaves time for the others.
const TOGETHER: u64 = 2;
const APART: u64 = 8;

/// Both ends of a flow, to read records from.
#[derive(Debug, Clone, Copy)]
pub struct FlowRecords<'a> {
    /// Where records come from.
    pub source: &'a dyn RecordMover,
    /// Where they go.
    pub target: &'a dyn RecordMover,
    /// Which of the source's records the flow copies ([`crate::FlowSettings::isolation`]). On the target, only committed
    /// ones count: an exactly-once worker that was killed leaves aborted copies (mm2-verified, correction 8).
    pub isolation: Isolation,
    /// Bound of the whole question, however many reads it takes.
    pub deadline_ms: u64,
}

/// A partition on both ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PartitionEnds {
    /// As the source names it.
    pub source: TopicPartition,
    /// As the target names it.
    pub target: TopicPartition,
}

/// What is left of a bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(ms: u64) -> Self {
        Self(Instant::now() + Duration::from_millis(ms))
    }

    /// At least 1: a read past the bound fails by itself and says so.
    pub(crate) fn left_ms(self) -> u64 {
        let left = self.0.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Whether nothing is left.
    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    /// So much of what is left.
    fn part_ms(self, part: u64) -> u64 {
        (self.left_ms() / part).max(1)
    }
}

/// What was read of partitions, each for itself.
#[derive(Debug, Default)]
pub(crate) struct Prints {
    /// All visible records of each stretch.
    pub(crate) read: ByPartition<Vec<RecordPrint>>,
    /// Partitions that cannot be read, and why.
    pub(crate) refused: ByPartition<KafkaError>,
}

/// Reads one stretch per partition, for those who need every one of them.
pub(crate) async fn read_prints(
    mover: &dyn RecordMover,
    ranges: Vec<ReadRange>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<ByPartition<Vec<RecordPrint>>, KafkaError> {
    let Prints { read, refused } = read_each(mover, ranges, isolation, deadline).await?;
    match refused.into_values().next() {
        Some(error) => Err(error),
        None => Ok(read),
    }
}

/// Reads one stretch per partition, many partitions in each call. Only prints are ever held, no payloads. Fails when the cluster
/// cannot be asked; a partition that cannot be read is told of and does not stand in the way of others.
pub(crate) async fn read_each(
    mover: &dyn RecordMover,
    ranges: Vec<ReadRange>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<Prints, KafkaError> {
    let mut waiting: VecDeque<PrintRange> = ranges.into_iter().map(PrintRange::new).collect();
    let mut open: Vec<PrintRange> = Vec::new();
    let mut prints = Prints::default();
    loop {
        for done in open.extract_if(.., |range| range.done) {
            prints.read.entry(done.partition).or_default().extend(done.prints);
        }
        open.extend(waiting.drain(..waiting.len().min(AT_ONCE - open.len())));
        if open.is_empty() {
            return Ok(prints);
        }
        let refused = read_on_each(mover, &mut open, isolation, deadline).await?;
        open.retain(|range| !refused.contains_key(&range.partition));
        prints.refused.extend(refused);
    }
}

/// Reads all of them on by an answer; where that is refused halves of them, down to the ones that are.
async fn read_on_each(
    mover: &dyn RecordMover,
    open: &mut [PrintRange],
    isolation: Isolation,
    deadline: Deadline,
) -> Result<ByPartition<KafkaError>, KafkaError> {
    let mut refused = ByPartition::new();
    let mut parts: Vec<Vec<&mut PrintRange>> = vec![open.iter_mut().collect()];
    let mut share = TOGETHER;
    while let Some(mut some) = parts.pop() {
        // After an error all are as they were.
        match mover.read_on(&mut some, isolation, deadline.part_ms(share)).await {
            Ok(()) => {}
            Err(error) if !error.is_answer() => return Err(error),
            Err(error) if some.len() == 1 => {
                refused.extend(some.iter().map(|one| (one.partition.clone(), error.clone())));
            }
            Err(_) => {
                let rest = some.split_off(some.len() / 2);
                parts.extend([rest, some]);
            }
        }
        share = APART;
    }
    Ok(refused)
}

/// The last visible record of each partition, or why it cannot be told. Fails when the cluster cannot be asked.
pub(crate) async fn read_each_tail(
    mover: &dyn RecordMover,
    until: ByPartition<i64>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<Tails, KafkaError> {
    let mut tails = Tails::new();
    let mut parts = vec![until];
    let mut share = TOGETHER;
    while let Some(mut some) = parts.pop() {
        match mover.tails(&some, isolation, deadline.part_ms(share)).await {
            Ok(read) => tails.extend(read),
            Err(error) if !error.is_answer() => return Err(error),
            Err(error) => match some.keys().nth(some.len() / 2).cloned() {
                Some(middle) if some.len() > 1 => {
                    let rest = some.split_off(&middle);
                    parts.extend([rest, some]);
                }
                Some(_) | None => {
                    tails.extend(some.into_keys().map(|at| (at, Err(Box::new(error.clone())))));
                }
            },
        }
        share = APART;
    }
    Ok(tails)
}

/// Whether copies have the timestamps of their originals: brokers that write their own keep none.
pub(crate) fn keep_timestamps(copies: &[RecordPrint]) -> bool {
    copies.iter().all(|copy| !copy.log_append_time)
}
