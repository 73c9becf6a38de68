//! What to read of one partition so that several windows are covered without gaps, and each record once.

use std::collections::BTreeMap;

use muster_domain::{
    topic::{ByPartition, TopicPartition},
    translation::Visible,
};
use muster_kafka::{Isolation, KafkaError, ReadRange, RecordMover, RecordPrint};

use super::NotTranslated;
use crate::records::{Deadline, Prints, read_each};

/// Windows this close are read in one go.
const NEAR: i64 = 1_000;
/// Offsets of both sides that are held at once: prints of as many records take some fifty megabytes.
const HELD: i64 = 1_000_000;

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

    /// Both, and what lies between them.
    fn with(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
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

/// What was read of partitions: all records of each in order, or why it cannot be read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    records: ByPartition<Vec<RecordPrint>>,
    refused: ByPartition<KafkaError>,
}

impl Seen {
    /// The records of a partition; none where nothing was wanted of it.
    pub(super) fn of(&self, partition: &TopicPartition) -> Result<&[RecordPrint], NotTranslated> {
        match self.refused.get(partition) {
            Some(error) => {
                Err(NotTranslated::Unreadable { partition: partition.clone(), reason: error.to_string() })
            }
            None => Ok(self.records.get(partition).map(Vec::as_slice).unwrap_or_default()),
        }
    }
}

/// Reads stretches of many partitions; those of one partition that overlap or nearly do are read as one. Fails when the cluster cannot be
/// asked; a partition that cannot be read is told of.
pub(super) async fn read_stretches(
    mover: &dyn RecordMover,
    wanted: ByPartition<Vec<Stretch>>,
    isolation: Isolation,
    deadline: Deadline,
) -> Result<Seen, KafkaError> {
    let mut merged: ByPartition<std::vec::IntoIter<Stretch>> =
        wanted.into_iter().map(|(partition, stretches)| (partition, merge(stretches).into_iter())).collect();
    let mut seen = Seen::default();
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
        let Prints { read, refused } = read_each(mover, ranges, isolation, deadline).await?;
        for (partition, records) in read {
            seen.records.entry(partition).or_default().extend(records);
        }
        merged.retain(|partition, _| !refused.contains_key(partition));
        seen.refused.extend(refused);
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

/// Which end of a flow a stretch is of: partitions may have the same name on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Source,
    Target,
}

/// A stretch of a partition on one end.
pub(super) type Placed = (End, TopicPartition, Stretch);

/// Splits questions, in order, so that what the answers to each part are found in is held at once. One that takes more by itself is a
/// part.
pub(super) fn in_parts<T>(questions: Vec<T>, stretches: impl Fn(&T) -> Vec<Placed>) -> Vec<Vec<T>> {
    let (mut parts, mut part, mut load) = (Vec::new(), Vec::new(), Load::default());
    for question in questions {
        let wanted = stretches(&question);
        load.take(&wanted);
        if load.held > HELD && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            load = Load::default();
            load.take(&wanted);
        }
        part.push(question);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// What a part holds: of stretches that lie within one another or go on where one ends only what they are together.
#[derive(Debug, Default)]
struct Load {
    held: i64,
    last: BTreeMap<(End, TopicPartition), Stretch>,
}

impl Load {
    fn take(&mut self, wanted: &[Placed]) {
        for (end, partition, stretch) in wanted {
            let last = self.last.entry((*end, partition.clone())).or_insert(Stretch { from: 0, until: 0 });
            let near = stretch.from <= last.until.saturating_add(NEAR)
                && last.from <= stretch.until.saturating_add(NEAR);
            let (known, both) = match last.length() > 0 && near {
                true => (last.length(), last.with(*stretch)),
                false => (0, *stretch),
            };
            self.held = self.held.saturating_add(both.length() - known);
            *last = both;
        }
    }
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

    #[test]
    fn what_is_held_at_once_is_counted_in_offsets_and_what_is_shared_once() {
        let at = |number| TopicPartition::new("orders", number);
        let wanted = |(number, from, until): &(i32, i64, i64)| {
            vec![(End::Source, at(*number), Stretch { from: *from, until: *until })]
        };
        let parts = |questions: &[(i32, i64, i64)]| -> Vec<usize> {
            in_parts(questions.to_vec(), wanted).iter().map(Vec::len).collect()
        };
        // A thousand groups between the same two syncs are one stretch.
        assert_eq!(parts(&[(0, 0, 300_000); 1_000]), [1_000]);
        let partitions: Vec<(i32, i64, i64)> = (0..10).map(|number| (number, 0, 300_000)).collect();
        assert_eq!(parts(&partitions), [3, 3, 3, 1]);
        let apart: Vec<(i32, i64, i64)> =
            (0..10).map(|n| (0, n * 1_000_000, n * 1_000_000 + 300_000)).collect();
        assert_eq!(parts(&apart), [3, 3, 3, 1], "of one partition, too");
        let in_a_row: Vec<(i32, i64, i64)> =
            (0..10).map(|n| (0, n * 100_000, n * 100_000 + 150_000)).collect();
        assert_eq!(parts(&in_a_row), [9, 1], "what overlaps counts once");
        assert_eq!(parts(&[(0, 0, 5_000_000), (1, 0, 1)]), [1, 1], "more than that by itself");
        assert_eq!(parts(&[]), [0_usize; 0]);
        let both = |end: &End| vec![(*end, at(0), Stretch { from: 0, until: 600_000 })];
        assert_eq!(
            in_parts(vec![End::Source, End::Target], both).len(),
            2,
            "under the same name there and here"
        );
    }
}
