//! A large pair under load, as its surveys would see it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    group::{GroupState, GroupType},
    pair::{BySide, Direction, Pair, Side},
    reading::Observed,
    survey::{
        AclObservation, CommittedSourceOffsets, FlowObservation, GroupObservation, NewestPairs, OffsetPair,
        PartitionObservation, SideObservation, Survey, TopicObservation, UnreadableSyncs, WritersObservation,
    },
    topic::TopicPartition,
};
use uuid::Uuid;

use super::seldom;

/// Name of a topic.
pub(super) fn name(topic: usize) -> String {
    format!("orders.{topic:05}")
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About a standard normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

#[derive(Debug, Clone, Default)]
struct Partition {
    /// Records a second.
    rate: f64,
    end: i64,
    target: i64,
    committed: i64,
    upstream: i64,
    /// Where the group of its topic goes on.
    position: i64,
}

/// All partitions of the pair, and a group for each topic.
pub(super) struct Load {
    partitions_of: usize,
    partitions: Vec<Partition>,
    dice: Dice,
    /// Of groups alone, so that partitions are the same with and without them.
    dice_of_groups: Dice,
    /// Since it began.
    passed: TimeDelta,
    acls: AclObservation,
}

impl Load {
    pub(super) fn new(topics: usize, partitions_of: usize) -> Self {
        let mut dice = Dice(7);
        let partitions = (0..topics * partitions_of).map(|_| {
            let rate = if dice.share() < 0.2 { 400.0_f64.powf(dice.share()) } else { 0.0 };
            let end = whole(dice.share() * 1e8);
            Partition { rate, end, target: end, committed: end - 1, upstream: end - 1, position: end }
        });
        Self {
            partitions_of,
            partitions: partitions.collect(),
            dice,
            dice_of_groups: Dice(11),
            passed: TimeDelta::zero(),
            acls: seldom::acls(),
        }
    }

    /// Some time passes.
    pub(super) fn advance(&mut self, time: TimeDelta) {
        self.passed += time;
        let seconds = time.as_seconds_f64();
        for partition in self.partitions.iter_mut().filter(|partition| partition.rate > 0.0) {
            let expected = partition.rate * seconds;
            let written = (expected + expected.sqrt() * self.dice.normal()).max(0.0);
            partition.end += whole(written);
            let mut late = |most: f64| whole(partition.rate * most * self.dice.share());
            partition.target = partition.target.max(partition.end - late(1.0));
            partition.committed = partition.committed.max(partition.target - 1 - late(5.0));
            partition.upstream = partition.upstream.max(partition.target - 1 - late(5.0));
            let unread = whole(partition.rate * 5.0 * self.dice_of_groups.share());
            partition.position = partition.position.max(partition.end - unread);
        }
    }

    /// Where groups stand: each reads all partitions of one topic, and commits every five seconds.
    fn groups(&self) -> BTreeMap<String, GroupObservation> {
        let of_topic = |(number, partitions): (usize, &[Partition])| {
            let topic = name(number);
            let at = |partition| TopicPartition::new(topic.clone(), partition);
            let offsets = (0..).zip(partitions).map(|(number, partition)| (at(number), partition.position));
            let group = GroupObservation {
                kind: GroupType::Classic,
                state: GroupState::Stable,
                members: Vec::new(),
                offsets: offsets.collect(),
            };
            (format!("group-{number:05}"), group)
        };
        self.partitions.chunks(self.partitions_of).enumerate().map(of_topic).collect()
    }

    pub(super) fn survey(&self, pair: &Pair, at: DateTime<Utc>) -> Survey {
        // One topic's are changed each minute, on both sides.
        let changed = usize::try_from(self.passed.num_minutes()).unwrap_or(0);
        let configs = seldom::of_topics(changed);
        let side = |end: fn(&Partition) -> i64| {
            let topics: BTreeMap<String, TopicObservation> = self
                .partitions
                .chunks(self.partitions_of)
                .enumerate()
                .map(|(number, partitions)| {
                    let partition = |partition: &Partition| PartitionObservation {
                        start: Some(0),
                        end: Some(end(partition)),
                        stable: Some(end(partition)),
                        replicas: 3,
                        in_sync: 3,
                        ..PartitionObservation::default()
                    };
                    let topic = TopicObservation {
                        id: Some(Uuid::from_u128(number as u128 + 1)),
                        partitions: partitions.iter().map(partition).collect(),
                        configs: Observed::known(configs(number), at),
                    };
                    (name(number), topic)
                })
                .collect();
            SideObservation {
                topics: Observed::known(topics, at),
                acls: Observed::known(self.acls.clone(), at),
                ..SideObservation::unreachable("not asked", at)
            }
        };
        let mut committed = CommittedSourceOffsets::default();
        let mut newest = NewestPairs::default();
        for (number, partition) in self.partitions.iter().enumerate() {
            let (topic, partition_number) = (number / self.partitions_of, number % self.partitions_of);
            let key = TopicPartition::new(name(topic), i32::try_from(partition_number).unwrap_or(i32::MAX));
            committed.offsets.insert(key.clone(), partition.committed);
            let pair = OffsetPair { upstream: partition.upstream, downstream: partition.upstream };
            newest.0.insert(key, pair);
        }
        let flow = FlowObservation {
            direction: Direction { from: Side::A },
            worker: Observed::unknown("not asked", at),
            shut_out: false,
            connectors: BTreeMap::new(),
            committed: Observed::known(committed, at),
            newest_pairs: Observed::known(newest, at),
            last_pairs: None,
            rewinds: BTreeMap::new(),
            unproven: BTreeMap::new(),
            of_another_log: BTreeMap::new(),
            beyond: Observed::unknown("not asked", at),
            unreadable_syncs: UnreadableSyncs::default(),
            // Of a large pair a thousand partitions are looked at, and nobody writes in transactions.
            writers: Observed::known(
                WritersObservation {
                    partitions: BTreeMap::from([(TopicPartition::new(name(0), 0), Vec::new())]),
                    ..WritersObservation::default()
                },
                at,
            ),
        };
        let source =
            SideObservation { groups: Observed::known(self.groups(), at), ..side(|partition| partition.end) };
        Survey {
            pair: pair.name.clone(),
            number: 1,
            began_at: at,
            took_ms: 0,
            brought_forward: false,
            sides: BySide { a: source, b: side(|partition| partition.target) },
            flows: vec![flow],
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "records, far below 2^53")]
fn whole(value: f64) -> i64 {
    value as i64
}
