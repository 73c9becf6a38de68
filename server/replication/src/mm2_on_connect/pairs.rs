//! Offset pairs of a flow, kept in memory and read on from where the last reading ended.
//!
//! A survey wants the newest pairs every few seconds and a switchover wants all of them without waiting for a long topic,
//! so each pair is fetched once. Order is kept: a pair with a lower source offset than the one before it begins a new
//! lifetime of the task, and what was copied twice can only be told from that.

use std::{collections::BTreeSet, time::Duration};

use muster_domain::{
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, Piece, ReadRange, Record};
use uuid::Uuid;

use super::ClusterHands;
use crate::{ReplicationError, ReplicationErrorKind, formats::decode_offset_sync};

/// Pairs kept per partition, 16 bytes each. Past it every second one is forgotten: brackets get wider, never wrong.
const MOST_PER_PARTITION: usize = 200_000;
/// Bytes of the longest record that may be an offset sync: a topic's name, three numbers and what an interceptor may add.
/// Longer ones are somebody else's, and are not even held.
const LONGEST_SYNC: usize = 4 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PairStore {
    topic: Option<KnownTopic>,
    pairs: ByPartition<Vec<OffsetPair>>,
    rewinds: ByPartition<Rewind>,
    unreadable: UnreadableSyncs,
}

/// What the pairs were read from, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownTopic {
    cluster: String,
    name: String,
    id: Option<Uuid>,
    next: i64,
}

impl PairStore {
    /// Reads what was added since the last time; everything again when the topic is another one. What was read by the end of
    /// the bound is kept, and the next call goes on there.
    pub(super) async fn refresh(
        &mut self,
        hands: &ClusterHands,
        name: &str,
        within: Duration,
    ) -> Result<(), ReplicationError> {
        let target = format!("topic {name} on {}", hands.admin.cluster());
        let fail =
            |kind| ReplicationError { call: "read offset pairs".to_owned(), target: target.clone(), kind };
        let reading = self.read_on(hands, name, within);
        match tokio::time::timeout(within, reading).await {
            Ok(outcome) => outcome.map_err(fail),
            Err(_) => {
                let bound_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                let next = self.topic.as_ref().map_or(0, |topic| topic.next);
                let last_seen = format!("the topic was read to offset {next}, not to its end");
                Err(fail(ReplicationErrorKind::NotReached { bound_ms, last_seen }))
            }
        }
    }

    /// All pairs of the asked partitions, oldest first; none for a partition without any.
    pub(super) fn of(&self, partitions: &[TopicPartition]) -> ByPartition<Vec<OffsetPair>> {
        let known = |partition: &TopicPartition| self.pairs.get(partition).cloned().unwrap_or_default();
        partitions.iter().map(|partition| (partition.clone(), known(partition))).collect()
    }

    /// The newest pair of every partition that has one.
    pub(super) fn newest(&self) -> ByPartition<OffsetPair> {
        self.pairs.iter().filter_map(|(partition, pairs)| Some((partition.clone(), *pairs.last()?))).collect()
    }

    /// The last time the pairs of a partition went back, where they ever did.
    pub(super) fn rewinds(&self) -> ByPartition<Rewind> {
        self.rewinds.clone()
    }

    /// What of the topic could not be read.
    pub(super) fn unreadable(&self) -> UnreadableSyncs {
        self.unreadable.clone()
    }

    async fn read_on(
        &mut self,
        hands: &ClusterHands,
        name: &str,
        within: Duration,
    ) -> Result<(), ReplicationErrorKind> {
        let partition = TopicPartition::new(name, 0);
        let (id, start, end) = look_at(&*hands.admin, &partition).await?;
        // A shorter log under the same name is another topic even where brokers give no ids.
        let cluster = hands.admin.cluster();
        let same = |known: &KnownTopic| known.cluster == cluster && known.name == name && known.id == id;
        if !self.topic.as_ref().is_some_and(|known| same(known) && known.next <= end) {
            self.topic = None;
            self.pairs.clear();
            self.rewinds.clear();
            self.unreadable = UnreadableSyncs::default();
        }
        let mut next = self.topic.as_ref().map_or(start, |known| known.next.max(start));
        let deadline_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        while next < end {
            let range = ReadRange { partition: partition.clone(), from: next, until: end };
            let reading =
                hands.mover.read_piece(&range, LONGEST_SYNC, Isolation::ReadUncommitted, deadline_ms);
            let piece = reading.await.map_err(kind_of)?;
            next = if piece.done { end } else { piece.next };
            self.take(piece);
            // Kept after each piece: whoever is interrupted here goes on behind it.
            self.topic = Some(KnownTopic { cluster: cluster.to_owned(), name: name.to_owned(), id, next });
        }
        Ok(())
    }

    fn take(&mut self, piece: Piece) {
        let before = self.unreadable.count;
        if piece.left_out > 0 {
            self.unreadable.add(piece.left_out, piece.last_left_out);
        }
        for record in &piece.records {
            self.keep(record);
        }
        let UnreadableSyncs { count, last } = &self.unreadable;
        if *count > before {
            let new = count - before;
            tracing::warn!(new, last, "skipped records of an offset-syncs topic");
        }
    }

    fn keep(&mut self, record: &Record) {
        let (Some(key), Some(value)) = (&record.key, &record.value) else { return };
        match decode_offset_sync(key, value) {
            Ok((partition, pair)) => {
                let last = self.pairs.get(&partition).and_then(|pairs| pairs.last());
                if let Some(last) = last.filter(|last| pair.upstream < last.upstream) {
                    let rewind =
                        Rewind { from: last.upstream, to: pair.upstream, downstream: pair.downstream };
                    self.rewinds.insert(partition.clone(), rewind);
                }
                let pairs = self.pairs.entry(partition).or_default();
                pairs.push(pair);
                if pairs.len() > MOST_PER_PARTITION {
                    thin_out(pairs);
                }
            }
            Err(error) => {
                self.unreadable.add(1, format!("the record at offset {} is {error}", record.offset))
            }
        }
    }
}

/// Forgets every second pair of the older half, but never the first of a lifetime.
fn thin_out(pairs: &mut Vec<OffsetPair>) {
    let older = pairs.len() / 2;
    let mut index = 0;
    let mut before: Option<OffsetPair> = None;
    pairs.retain(|pair| {
        let first_of_lifetime = before.is_none_or(|before| pair.upstream <= before.upstream);
        before = Some(*pair);
        index += 1;
        first_of_lifetime || index > older || index % 2 == 0
    });
}

async fn look_at(
    admin: &dyn ClusterAdmin,
    partition: &TopicPartition,
) -> Result<(Option<Uuid>, i64, i64), ReplicationErrorKind> {
    let names = BTreeSet::from([partition.topic.clone()]);
    let partitions = [partition.clone()];
    let (topics, starts, ends) = tokio::try_join!(
        admin.topics(Some(&names)),
        admin.offsets(&partitions, OffsetSpec::Start),
        admin.offsets(&partitions, OffsetSpec::End),
    )
    .map_err(kind_of)?;
    let Some(topic) = topics.into_iter().find(|topic| topic.name == partition.topic) else {
        return Err(ReplicationErrorKind::Unsupported(
            "there is no such topic; the flow never ran, or its offset-syncs settings differ from what its source \
             connector says"
                .to_owned(),
        ));
    };
    let one = |offsets: muster_kafka::admin::PartitionOffsets| match offsets.into_values().next() {
        Some(answer) => answer.map_err(|error| kind_of(*error)),
        None => Err(ReplicationErrorKind::Unreadable("no offsets were answered".to_owned())),
    };
    Ok((topic.id, one(starts)?, one(ends)?))
}

fn kind_of(error: KafkaError) -> ReplicationErrorKind {
    match error.may_pass() {
        true => ReplicationErrorKind::Unreachable(error.to_string()),
        false => ReplicationErrorKind::Unsupported(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_lifetimes_and_the_newer_half() {
        let pair = |upstream, downstream| OffsetPair { upstream, downstream };
        let mut pairs: Vec<_> = (0..10).map(|i| pair(i * 10, i * 10)).collect();
        pairs.extend((0..10).map(|i| pair(55 + i * 10, 100 + i * 10)));
        let last = *pairs.last().expect("filled");
        thin_out(&mut pairs);
        assert_eq!(pairs.len(), 16);
        assert_eq!(pairs[0], pair(0, 0));
        assert!(pairs.contains(&pair(55, 100)));
        assert_eq!(pairs.last(), Some(&last));
    }
}
