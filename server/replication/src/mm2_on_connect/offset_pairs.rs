//! Offset pairs of a flow: kept in memory, and beyond it where there is a memory, and read on from where the last reading ended.
//!
//! A survey wants the newest pairs every few seconds and a switchover wants all of them without waiting for a long topic,
//! so each pair is fetched once, by whichever process comes first. Order is kept: a pair with a lower source offset than the one
//! before it begins a new lifetime of the task, and what was copied twice can only be told from that.
//!
//! When they cannot be read, what was read last is told with its time, and kept at once: where the topic is on the source it may be dead.

mod copies;
mod reading;

use std::{collections::BTreeSet, error::Error, iter::successors, sync::Arc, time::Duration};

use chrono::Utc;
use muster_domain::{
    pair::Flow,
    survey::{LastPairs, NewestPairs, OffsetPair, Rewind, UnreadableSyncs},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, ReadRange};
use tokio::time::Instant;
use uuid::Uuid;

use self::{
    copies::Looked,
    reading::{Log, Reading},
};
use super::ClusterHands;
use crate::{
    OffsetPairMemory, OffsetPairMemoryError, ReplicationError, ReplicationErrorKind,
    offset_pair_room::OffsetPairShare,
};

/// Bytes of the longest record that may be an offset sync: a topic's name, three numbers and what an interceptor may add.
/// Longer ones are somebody else's, and are not even held.
const LONGEST_SYNC: usize = 4 << 10;
/// Time for keeping what was read, or having back what was kept. A survey waits for it.
const KEPT_WITHIN: Duration = Duration::from_secs(5);
/// Time for asking the target which topics the copies are. A survey waits for that, too, every half a minute.
const COPIES_WITHIN: Duration = Duration::from_secs(2);

/// Where a flow's offset syncs are, and what they are about.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) flow: &'a Flow,
    /// The cluster that holds them.
    pub(super) syncs_on: &'a ClusterHands,
    /// Their topic there.
    pub(super) syncs_topic: String,
    /// Where copies are.
    pub(super) target: &'a dyn ClusterAdmin,
    /// Copies may be under other names than the flow's policy gives them.
    pub(super) renamed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OffsetPairStore {
    /// Where its pairs are kept, too.
    pub(super) memory: Option<Arc<dyn OffsetPairMemory>>,
    /// Its part of the room that the process has for pairs.
    pub(super) share: Option<OffsetPairShare>,
    reading: Option<Reading>,
}

impl OffsetPairStore {
    /// Reads what was added since the last time; everything again when the topic is another one. What was read by the end of
    /// the bound stays, and the next call goes on there; what was read to the end is kept.
    pub(super) async fn refresh(
        &mut self,
        place: &Place<'_>,
        within: Duration,
    ) -> Result<(), ReplicationError> {
        let Place { syncs_on: hands, syncs_topic: name, .. } = place;
        let target = format!("topic {name} on {}", hands.admin.cluster());
        let fail =
            |kind| ReplicationError { call: "read offset pairs".to_owned(), target: target.clone(), kind };
        let looked = self.look_at_copies(place).await;
        let reading = self.read_on(hands, name, within);
        match tokio::time::timeout(within, reading).await {
            Ok(outcome) => outcome.map_err(fail)?,
            Err(_) => {
                let bound_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                let next = self.reading.as_ref().map_or(0, Reading::next);
                let last_seen = format!("the topic was read to offset {next}, not to its end");
                return Err(fail(ReplicationErrorKind::NotReached { bound_ms, last_seen }));
            }
        }
        if let (Some(looked), Some(reading)) = (looked, &mut self.reading) {
            reading.bind(looked);
        }
        self.keep().await;
        Ok(())
    }

    /// The newest pairs that are known of before, now that they cannot be read: by what this process read, which is kept at once, or by
    /// what is kept.
    pub(super) async fn last(&mut self) -> Option<LastPairs> {
        match &mut self.reading {
            Some(reading) => {
                reading.hurry();
                self.keep().await;
            }
            None => self.recall().await,
        }
        let read_at = self.reading.as_ref()?.read_at()?;
        Some(LastPairs { read_at, newest: NewestPairs(self.newest()) })
    }

    /// All pairs of the asked partitions, oldest first; none for a partition without any.
    pub(super) fn of(&self, partitions: &[TopicPartition]) -> ByPartition<Vec<OffsetPair>> {
        let read = self.reading.as_ref().map(|reading| &reading.known().partitions);
        let known = |partition: &TopicPartition| {
            read.and_then(|read| read.get(partition)).map(|known| known.pairs.clone()).unwrap_or_default()
        };
        partitions.iter().map(|partition| (partition.clone(), known(partition))).collect()
    }

    /// The newest pair of every partition that has one.
    pub(super) fn newest(&self) -> ByPartition<OffsetPair> {
        let read = self.reading.iter().flat_map(|reading| &reading.known().partitions);
        read.filter_map(|(partition, known)| Some((partition.clone(), *known.pairs.last()?))).collect()
    }

    /// The last time the pairs of a partition went back, where they ever did.
    pub(super) fn rewinds(&self) -> ByPartition<Rewind> {
        let read = self.reading.iter().flat_map(|reading| &reading.known().partitions);
        read.filter_map(|(partition, known)| Some((partition.clone(), known.rewind?))).collect()
    }

    /// What of the topic could not be read.
    pub(super) fn unreadable(&self) -> UnreadableSyncs {
        self.reading.as_ref().map(|reading| reading.known().unreadable.clone()).unwrap_or_default()
    }

    async fn read_on(
        &mut self,
        hands: &ClusterHands,
        name: &str,
        within: Duration,
    ) -> Result<(), ReplicationErrorKind> {
        let began = Utc::now();
        let partition = TopicPartition::new(name, 0);
        let (id, start, end) = look_at(&*hands.admin, &partition).await?;
        let log = Log { cluster: hands.admin.cluster().to_owned(), name: name.to_owned(), id };
        let reading = match self.reading.take() {
            Some(reading) if reading.goes_on(&log, (start, end)) => reading,
            Some(_) | None => self.begin(log, (start, end)).await?,
        };
        // From here on each piece is in it: whoever is interrupted goes on behind the last.
        let reading = self.reading.insert(reading);
        reading.forget_unreadable(start, Instant::now());
        reading.go_on();
        make_room(self.share.as_ref(), reading);
        let deadline_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        while reading.next() < end {
            let range = ReadRange { partition: partition.clone(), from: reading.next(), until: end };
            let piece = hands.mover.read_piece(&range, LONGEST_SYNC, Isolation::ReadUncommitted, deadline_ms);
            reading.take(piece.await.map_err(kind_of)?, end);
            make_room(self.share.as_ref(), reading);
        }
        reading.caught_up(began);
        Ok(())
    }

    /// From what is kept, by this process or another. Without it, when it cannot be had, groups far behind would silently be
    /// told less of.
    async fn begin(&self, log: Log, (start, end): (i64, i64)) -> Result<Reading, ReplicationErrorKind> {
        let (Some(memory), Some(topic)) = (&self.memory, log.kept_as()) else {
            return Ok(Reading::anew(log, start));
        };
        let kept = memory.recall().await;
        let kept = kept.map_err(|error| ReplicationErrorKind::Unreachable(in_words(&error)))?;
        Ok(Reading::on_from(kept, log, topic, (start, end)))
    }

    /// Which topics of the target the pairs are about, if it is time to ask.
    async fn look_at_copies(&mut self, place: &Place<'_>) -> Option<Looked> {
        let (copies, known) = self.reading.as_mut()?.copies_due()?;
        match tokio::time::timeout(COPIES_WITHIN, copies.look(place, known)).await {
            Ok(Ok(looked)) => Some(looked),
            Ok(Err(cause)) => {
                tracing::debug!(%cause, "which topics the copies are could not be asked; asked again");
                None
            }
            Err(_) => {
                tracing::debug!("which topics the copies are was not answered in time; asked again");
                None
            }
        }
    }

    /// Has back what is kept, of a topic that cannot be looked at.
    async fn recall(&mut self) {
        let Some(memory) = &self.memory else { return };
        match tokio::time::timeout(KEPT_WITHIN, memory.recall()).await {
            Ok(Ok(kept)) => self.reading = kept.and_then(Reading::recalled),
            Ok(Err(error)) => {
                let cause = in_words(&error);
                tracing::warn!(cause, "offset pairs that are kept could not be read; tried again");
            }
            Err(_) => tracing::warn!("offset pairs that are kept were not read in time; tried again"),
        }
        if let Some(reading) = &mut self.reading {
            make_room(self.share.as_ref(), reading);
        }
    }

    /// Keeps what was read. It is known whether or not that succeeds, and until then the topic has it.
    async fn keep(&mut self) {
        let (Some(memory), Some(reading)) = (&self.memory, &mut self.reading) else { return };
        let name = reading.name().to_owned();
        if reading.is_left() {
            return leave(&**memory, reading, &name).await;
        }
        let Some((after, topic, read, seen)) = reading.due() else { return };
        match tokio::time::timeout(KEPT_WITHIN, memory.keep(after, topic, read, &seen)).await {
            Ok(Ok(Some(turn))) => reading.kept(Some(turn)),
            Ok(Ok(None)) => leave(&**memory, reading, &name).await,
            Ok(Err(error)) => {
                let cause = in_words(&error);
                tracing::warn!(cause, "offset pairs of `{name}` could not be kept; tried again");
                reading.not_kept();
            }
            Err(_) => {
                tracing::warn!("it is not known whether offset pairs of `{name}` were kept; looked at again");
                reading.kept(None);
            }
        }
    }
}

/// Leaves keeping to another process that came first, for as long as it goes on with that.
async fn leave(memory: &dyn OffsetPairMemory, reading: &mut Reading, name: &str) {
    if !reading.looks_who_keeps() {
        return;
    }
    match tokio::time::timeout(KEPT_WITHIN, memory.kept_until()).await {
        Ok(Ok(kept)) => reading.leave(kept.as_ref()),
        Ok(Err(error)) => {
            let cause = in_words(&error);
            tracing::warn!(cause, "who keeps the offset pairs of `{name}` is not known; looked at again");
            reading.not_kept();
        }
        Err(_) => {
            tracing::warn!("who keeps the offset pairs of `{name}` was not told in time; looked at again");
            reading.not_kept();
        }
    }
}

/// Forgets older pairs where the process has no room for more.
fn make_room(share: Option<&OffsetPairShare>, reading: &mut Reading) {
    let Some(share) = share else { return };
    let holds = reading.known().count();
    let may_hold = share.may_hold(holds);
    if may_hold < holds {
        reading.shorten_to(may_hold);
        share.may_hold(reading.known().count());
    }
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
            "there is no such topic; the flow never ran, somebody deleted it, or its offset-syncs settings differ from what \
             its source connector says"
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

/// With its causes.
fn in_words(error: &OffsetPairMemoryError) -> String {
    let causes = successors(Some(error as &dyn Error), |&error| error.source());
    causes.map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
}
