//! The lab with flows beside those it has. Each is a pair that Muster can be asked about.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use chrono::Utc;
use muster_domain::{
    group::CommittedOffset,
    pair::{Direction, Flow, NamingPolicy, Side},
    proof::{Progress, translation::TranslationProof},
    topic::{ByPartition, TopicPartition},
};
use muster_it::{LabClients, connectors::start_connector, pair};
use muster_kafka::{
    Isolation, OffsetSpec, ReadRange, TailRecord, admin::NewTopic, every_tail, mover::NewRecord,
};
use muster_lab::{Lab, LabOptions, WaitBound, wait_until};
use muster_operations::{
    PairClients,
    clients::FlowKey,
    translation_proof::{Watcher, prove_translation},
};
use muster_replication::Replication;

use crate::truth::{Asked, Log, judge};

pub(crate) const A_TO_B: Direction = Direction { from: Side::A };
pub(crate) const SOON: WaitBound =
    WaitBound { within: Duration::from_secs(180), every: Duration::from_millis(200) };
pub(crate) const WITHIN_MS: u64 = 60_000;
/// Records that are written at a time.
const AT_ONCE: i64 = 5_000;

/// Nobody watches.
struct Alone;

#[async_trait]
impl Watcher for Alone {
    async fn so_far(&self, _: Progress) -> bool {
        true
    }
}

pub(crate) struct Stage {
    pub(crate) lab: Lab,
    exactly_once: bool,
}

/// A flow from west to central over topics of its own, as a pair.
pub(crate) struct Copied {
    pub(crate) clients: PairClients,
    /// Which records of the source it copies.
    isolation: Isolation,
}

impl Stage {
    pub(crate) async fn start(exactly_once: bool) -> Result<Self> {
        let lab = Lab::start(LabOptions { exactly_once, ..LabOptions::default() }).await?;
        Ok(Self { lab, exactly_once })
    }

    /// A pair of the lab over other topics of its flow.
    pub(crate) fn flow_of_lab(&self, name: &str, topics: &[&str]) -> Result<Copied> {
        self.copied(name, topics, |_| {})
    }

    /// A source connector of its own: that of the lab's `orders` with other settings. Its topics are there already, for without any
    /// it has no task.
    pub(crate) async fn flow_with(
        &self,
        name: &str,
        topics: &str,
        naming: NamingPolicy,
        settings: &[(&str, &str)],
    ) -> Result<Copied> {
        let flow = start_connector(self.lab.describe(), name, topics, naming, settings).await?;
        self.copied("orders", &[topics], |flows| *flows = vec![flow])
    }

    fn copied(&self, name: &str, topics: &[&str], flows: impl FnOnce(&mut Vec<Flow>)) -> Result<Copied> {
        let mut pair = pair(self.lab.describe(), name, &self.lab.describe().dir.join("unused.json"))?;
        pair.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        pair.groups = vec!["matrix-.*".to_owned()];
        pair.canary_topic = None;
        flows(&mut pair.flows);
        let isolation = if self.exactly_once { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
        Ok(Copied { clients: LabClients::new(self.lab.describe(), pair)?.0, isolation })
    }
}

impl Copied {
    pub(crate) fn flow(&self) -> &dyn Replication {
        &*self.clients.flows[&FlowKey::from(A_TO_B)]
    }

    pub(crate) async fn create(
        &self,
        side: Side,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let configs: BTreeMap<String, String> =
            configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let new = NewTopic { name: topic.to_owned(), partitions, replication: 1, configs };
        Ok(self.clients.admin.get(side).create_topic(&new).await?)
    }

    /// Records of which no two are alike.
    pub(crate) async fn write(&self, at: &TopicPartition, from: i64, count: i64) -> Result<()> {
        let record =
            |number: i64| (Some(format!("key {number}")), Some(format!("{at} {number} {}", "x".repeat(60))));
        self.write_as(at, from, count, record).await
    }

    /// Records with key and value by their number.
    pub(crate) async fn write_as(
        &self,
        at: &TopicPartition,
        from: i64,
        count: i64,
        record: impl Fn(i64) -> (Option<String>, Option<String>),
    ) -> Result<()> {
        let one = |number: i64| {
            let (key, value) = record(number);
            let timestamp = Utc::now().timestamp_millis();
            NewRecord { key: key.map(Into::into), value: value.map(Into::into), timestamp }
        };
        let mut next = from;
        while next < from + count {
            let until = (next + AT_ONCE).min(from + count);
            self.clients.mover.a.write(at, (next..until).map(one).collect(), WITHIN_MS).await?;
            next = until;
        }
        Ok(())
    }

    pub(crate) async fn offsets(
        &self,
        side: Side,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<ByPartition<i64>> {
        let offsets = self.clients.admin.get(side).offsets(partitions, spec).await?;
        offsets.into_iter().map(|(at, offset)| Ok((at, offset.map_err(|error| *error)?))).collect()
    }

    pub(crate) async fn end(&self, side: Side, at: &TopicPartition) -> Result<i64> {
        let ends = self.offsets(side, std::slice::from_ref(at), OffsetSpec::End).await?;
        ends.get(at).copied().context("it was asked for")
    }

    /// Waits until all that is to be copied is there, and an offset sync of each partition.
    pub(crate) async fn all_copied(&self, partitions: &[TopicPartition]) -> Result<()> {
        let ends = self.offsets(Side::A, partitions, OffsetSpec::End).await?;
        let tails = every_tail(self.clients.mover.a.tails(&ends, self.isolation, WITHIN_MS).await?)?;
        let last = |(at, tail): (TopicPartition, Option<TailRecord>)| Some((at, tail?.offset));
        self.copied_to(&tails.into_iter().filter_map(last).collect()).await
    }

    /// The same up to these records.
    pub(crate) async fn copied_to(&self, last: &ByPartition<i64>) -> Result<()> {
        let partitions: Vec<TopicPartition> = last.keys().cloned().collect();
        wait_until("everything to be copied", SOON, || async {
            let committed = self.flow().committed_offsets().await?.0;
            let pairs = self.flow().offset_pairs(&partitions).await?;
            let behind = last.iter().find(|(at, last)| {
                let copied = committed.get(*at).is_some_and(|committed| committed >= *last);
                !copied || pairs.get(*at).is_none_or(Vec::is_empty)
            });
            match behind {
                None => Ok(Some(())),
                Some((at, last)) => {
                    anyhow::bail!("{at} is copied to {:?}, and {last} is wanted", committed.get(at))
                }
            }
        })
        .await
    }

    /// All that a reader of the flow's kind is given of a partition of the source, or one that reads what is committed of the
    /// target.
    pub(crate) async fn log(&self, side: Side, at: &TopicPartition) -> Result<Log> {
        let isolation = if side == Side::A { self.isolation } else { Isolation::ReadCommitted };
        let end = self.end(side, at).await?;
        let range = ReadRange { partition: at.clone(), from: 0, until: end };
        let mut read = self.clients.mover.get(side).read(&[range], isolation, WITHIN_MS).await?;
        Ok(Log::new(end, read.remove(at).unwrap_or_default()))
    }

    /// Puts groups where they are asked about.
    pub(crate) async fn put(&self, side: Side, asked: &[Asked]) -> Result<()> {
        let mut groups: BTreeMap<&str, ByPartition<CommittedOffset>> = BTreeMap::new();
        for one in asked {
            let position =
                CommittedOffset { offset: one.position, metadata: String::new(), leader_epoch: None };
            groups.entry(&one.group).or_default().insert(one.at.clone(), position);
        }
        for (group, positions) in groups {
            self.clients.admin.get(side).alter_group_offsets(group, &positions).await?;
        }
        Ok(())
    }

    pub(crate) async fn prove(&self, from: Side) -> Result<TranslationProof> {
        let proof = prove_translation(&self.clients, Direction { from }, &Alone).await?;
        println!("from {from:?}: {}", proof.sentence());
        Ok(proof)
    }

    /// Proves where groups of a side go on, and holds it against both logs.
    pub(crate) async fn is_true(&self, from: Side, asked: &[Asked]) -> Result<TranslationProof> {
        let proof = self.prove(from).await?;
        let mut logs: BTreeMap<(TopicPartition, TopicPartition), (Log, Log)> = BTreeMap::new();
        for one in asked {
            let told = one.told(&proof)?;
            let place = (one.at.clone(), one.target.clone());
            if told.found.is_some() && !logs.contains_key(&place) {
                let both = (self.log(from, &one.at).await?, self.log(from.other(), &one.target).await?);
                logs.insert(place.clone(), both);
            }
            judge(one, told, logs.get(&place))?;
        }
        Ok(proof)
    }
}
