//! Reading the records of both ends of a flow, in pieces that fit in memory.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, PrintRange, ReadRange, RecordMover, RecordPrint};

/// Most partitions in one call: an answer to all of them stands in memory before their prints are made.
const AT_ONCE: usize = 2_000;

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
}

/// Reads one stretch per partition, many partitions in each call. Only prints are ever held, no payloads.
pub(crate) async fn read_prints(
    mover: &dyn RecordMover,
    ranges: Vec<ReadRange>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<ByPartition<Vec<RecordPrint>>, KafkaError> {
    let mut waiting: VecDeque<PrintRange> = ranges.into_iter().map(PrintRange::new).collect();
    let mut open: Vec<PrintRange> = Vec::new();
    let mut prints: ByPartition<Vec<RecordPrint>> = ByPartition::new();
    loop {
        for done in open.extract_if(.., |range| range.done) {
            prints.entry(done.partition).or_default().extend(done.prints);
        }
        open.extend(waiting.drain(..waiting.len().min(AT_ONCE - open.len())));
        if open.is_empty() {
            return Ok(prints);
        }
        let mut stretches: Vec<&mut PrintRange> = open.iter_mut().collect();
        mover.read_on(&mut stretches, isolation, deadline.left_ms()).await?;
    }
}

/// Whether copies have the timestamps of their originals: brokers that write their own keep none.
pub(crate) fn keep_timestamps(copies: &[RecordPrint]) -> bool {
    copies.iter().all(|copy| !copy.log_append_time)
}
