//! What to read of one partition so that several windows are covered without gaps, and each record once.

use muster_domain::{topic::TopicPartition, translation::Visible};
use muster_kafka::{Isolation, KafkaError, ReadRange, RecordMover, RecordPrint};

use crate::records::{Deadline, read_prints};
use muster_domain::topic::ByPartition;

/// Windows this close are read in one go.
const NEAR: i64 = 1_000;

/// Stretches of offsets of one partition, `from` inclusive to `until` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Stretch {
    pub(super) fn length(self) -> i64 {
        self.until.saturating_sub(self.from).max(0)
    }

    /// The records of a stretch that was read as part of a longer one.
    pub(super) fn of(self, seen: &[RecordPrint]) -> &[RecordPrint] {
        let begin = seen.partition_point(|record| record.offset < self.from);
        let end = seen.partition_point(|record| record.offset < self.until);
        seen.get(begin..end).unwrap_or_default()
    }
}

/// Records as they are compared, with or without their timestamps.
pub(super) fn visible(records: &[RecordPrint], timestamps: bool) -> Vec<Visible> {
    let one = |print: &RecordPrint| {
        let counted = if timestamps { *print } else { print.without_timestamp() };
        Visible { offset: counted.offset, fingerprint: counted.fingerprint }
    };
    records.iter().map(one).collect()
}

/// Reads stretches of many partitions; those of one partition that overlap or nearly do are read as one. Answers all
/// records of each partition in order.
pub(super) async fn read_stretches(
    mover: &dyn RecordMover,
    wanted: ByPartition<Vec<Stretch>>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<ByPartition<Vec<RecordPrint>>, KafkaError> {
    let mut merged: ByPartition<std::vec::IntoIter<Stretch>> =
        wanted.into_iter().map(|(partition, stretches)| (partition, merge(stretches).into_iter())).collect();
    let mut seen: ByPartition<Vec<RecordPrint>> = ByPartition::new();
    loop {
        // One stretch per partition and call: answers come back by partition.
        let next = |(partition, stretches): (&TopicPartition, &mut std::vec::IntoIter<Stretch>)| {
            let stretch = stretches.next()?;
            Some(ReadRange { partition: partition.clone(), from: stretch.from, until: stretch.until })
        };
        let ranges: Vec<ReadRange> = merged.iter_mut().filter_map(next).collect();
        if ranges.is_empty() {
            return Ok(seen);
        }
        for (partition, records) in read_prints(mover, ranges, isolation, deadline).await? {
            seen.entry(partition).or_default().extend(records);
        }
    }
}

fn merge(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|stretch| stretch.length() > 0);
    stretches.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match merged.last_mut() {
            Some(last) if stretch.from <= last.until.saturating_add(NEAR) => {
                last.until = last.until.max(stretch.until)
            }
            Some(_) | None => merged.push(stretch),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_stretches_become_one_and_far_ones_stay_apart() {
        let stretch = |from, until| Stretch { from, until };
        let merged = merge(vec![
            stretch(5_000, 6_000),
            stretch(0, 10),
            stretch(8, 500),
            stretch(900, 950),
            stretch(7, 7),
        ]);
        assert_eq!(merged, [stretch(0, 950), stretch(5_000, 6_000)]);
    }
}
