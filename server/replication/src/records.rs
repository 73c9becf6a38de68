//! Reading the records of both ends of a flow, in pieces that fit in memory.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, ReadRange, Record, RecordMover, RecordPrint};

/// Most offsets of one partition in one call.
const PIECE: i64 = 50_000;
/// Most offsets in one call over all partitions: payloads of so many records stand in memory at once.
const CALL: i64 = 200_000;

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

/// Reads one stretch per partition, all partitions in as few calls as memory allows.
pub(crate) async fn read_prints(
    mover: &dyn RecordMover,
    ranges: Vec<ReadRange>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<ByPartition<Vec<RecordPrint>>, KafkaError> {
    let mut prints: ByPartition<Vec<RecordPrint>> = BTreeMap::new();
    let mut left = ranges;
    loop {
        left.retain(|range| range.from < range.until);
        if left.is_empty() {
            return Ok(prints);
        }
        let mut room = CALL;
        let mut call = Vec::new();
        for range in &mut left {
            let piece = (range.until - range.from).min(PIECE).min(room);
            if piece > 0 {
                call.push(ReadRange { until: range.from + piece, ..range.clone() });
                range.from += piece;
                room -= piece;
            }
        }
        for (partition, records) in mover.read(&call, isolation, deadline.left_ms()).await? {
            prints.entry(partition).or_default().extend(records.iter().map(Record::print));
        }
    }
}
