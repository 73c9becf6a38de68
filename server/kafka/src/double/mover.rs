//! [`RecordMover`] on a simulated cluster.

use std::collections::BTreeMap;

use async_trait::async_trait;
use muster_domain::topic::TopicPartition;

use super::{caller::Caller, log::Payload, shares::MemoryShare, world::World};
use crate::{
    error::KafkaError,
    mover::{Isolation, NewRecord, ReadRange, Record, RecordMover, TailRecord, Tails, read_step},
    records::prints::PrintRange,
    share::WorkShare,
};

/// [`RecordMover`] on a simulated cluster.
#[derive(Debug, Clone)]
pub struct MemoryMover {
    caller: Caller,
}

impl MemoryMover {
    pub(super) fn new(world: World, cluster: &str) -> Self {
        Self { caller: Caller::new(world, cluster) }
    }

    /// Expects another cluster id; `None`: it was never recorded.
    #[must_use]
    pub fn expecting(mut self, id: Option<&str>) -> Self {
        self.caller.expected_id = id.map(str::to_owned);
        self
    }
}

#[async_trait]
impl RecordMover for MemoryMover {
    fn cluster(&self) -> &str {
        &self.caller.cluster
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        _deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError> {
        let done = self.caller.call(("read", false), String::new(), |cluster| {
            let mut read: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
            for range in ranges {
                let log = cluster.log_to(&range.partition, range.until)?;
                let seen = log.visible(range.from, range.until, isolation).cloned();
                read.entry(range.partition.clone()).or_default().extend(seen);
            }
            Ok(read)
        });
        done.await
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        for stretch in stretches.iter_mut().filter(|stretch| !stretch.done) {
            let state = self.caller.world.lock();
            let log =
                state.clusters.get(&self.caller.cluster).and_then(|one| one.log(&stretch.partition).ok());
            let Some(start) = log.map(|log| log.start()).filter(|start| *start > stretch.next) else {
                continue;
            };
            stretch.jump(start);
            stretch.next = start.min(stretch.until);
            stretch.done = stretch.next >= stretch.until;
        }
        read_step(self, stretches, isolation, deadline_ms).await
    }

    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        _deadline_ms: u64,
    ) -> Result<Tails, KafkaError> {
        let done = self.caller.call(("tails", false), String::new(), |cluster| {
            let mut tails = Tails::new();
            for (at, until) in until {
                let log = cluster.log_to(at, *until)?;
                let last = log.visible(log.start(), *until, isolation).last();
                tails.insert(at.clone(), Ok(last.map(|record| TailRecord::from(record.print()))));
            }
            Ok(tails)
        });
        done.await
    }

    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
        self.caller.call(("share", false), group.to_owned(), |_| Ok(())).await?;
        let (world, cluster) = (self.caller.world.clone(), &self.caller.cluster);
        Ok(Box::new(MemoryShare::join(world, cluster, group, topics)))
    }

    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        _deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError> {
        let done = self.caller.call(("write", true), partition.to_string(), |cluster| {
            cluster.led_log(partition)?;
            let producer = cluster.new_producer_id();
            let log = cluster.log_mut(partition)?;
            let payload = |record: NewRecord| Payload {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: Vec::new(),
            };
            Ok(records.into_iter().map(|record| log.append(payload(record), producer, false)).collect())
        });
        done.await
    }
}
