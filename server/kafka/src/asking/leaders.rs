//! Which broker leads which partition: remembered from Metadata, forgotten when a broker says otherwise.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};

use kafka_protocol::messages::MetadataResponse;
use muster_domain::topic::TopicPartition;

use crate::{
    asking::routing::{Call, Target},
    broker_error::{LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION, broker_error},
    connecting::pool::lock,
    error::KafkaError,
    verbs::topics,
};

/// Leaders by topic and partition; -1 where there is none.
#[derive(Debug, Default)]
pub(crate) struct Leaders(Mutex<HashMap<String, Vec<i32>>>);

/// Partitions by leader, each list in the order given; and those without one.
#[derive(Debug, Default)]
pub(crate) struct ByLeader<'a> {
    pub(crate) led: BTreeMap<i32, Vec<&'a TopicPartition>>,
    pub(crate) leaderless: Vec<&'a TopicPartition>,
}

/// Above this many topics it is cheaper to ask for all.
const ASK_FOR_ALL_ABOVE: usize = 500;

impl Leaders {
    /// Remembers what Metadata says.
    pub(crate) fn learn(&self, answer: &MetadataResponse) {
        let mut known = lock(&self.0);
        for topic in &answer.topics {
            let Some(name) = &topic.name else { continue };
            if topic.error_code != 0 && topic.partitions.is_empty() {
                known.remove(name.as_str());
                continue;
            }
            let mut leaders = vec![-1; topic.partitions.len()];
            for partition in &topic.partitions {
                let index = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
                if let Some(leader) = leaders.get_mut(index) {
                    *leader = partition.leader_id.0;
                }
            }
            match known.get_mut(name.as_str()) {
                Some(before) => *before = leaders,
                None => drop(known.insert(name.to_string(), leaders)),
            }
        }
    }

    /// The next look-up of these topics asks the cluster.
    pub(crate) fn forget<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        let mut known = lock(&self.0);
        for tp in partitions {
            known.remove(&tp.topic);
        }
    }

    /// Whether the partition exists, with or without a leader.
    fn knows(&self, tp: &TopicPartition) -> bool {
        let index = usize::try_from(tp.partition).unwrap_or(usize::MAX);
        lock(&self.0).get(&tp.topic).is_some_and(|leaders| index < leaders.len())
    }

    fn missing<'a>(&self, partitions: &[&'a TopicPartition]) -> BTreeSet<&'a str> {
        let known = lock(&self.0);
        let mut missing = BTreeSet::new();
        let mut last = "";
        for tp in partitions {
            // Callers list partitions by topic, so most look-ups are repeats.
            if tp.topic != last {
                last = &tp.topic;
                if !known.contains_key(last) {
                    missing.insert(last);
                }
            }
        }
        missing
    }

    fn group<'a>(&self, partitions: &[&'a TopicPartition]) -> ByLeader<'a> {
        let known = lock(&self.0);
        let mut grouped = ByLeader::default();
        for tp in partitions {
            let leaders = known.get(&tp.topic);
            let index = usize::try_from(tp.partition).unwrap_or(usize::MAX);
            match leaders.and_then(|leaders| leaders.get(index)) {
                Some(leader) if *leader >= 0 => grouped.led.entry(*leader).or_default().push(tp),
                Some(_) | None => grouped.leaderless.push(tp),
            }
        }
        grouped
    }
}

impl Call<'_> {
    /// Why a partition has no leader: it does not exist, or nobody leads it now.
    pub(crate) fn no_leader(&self, tp: &TopicPartition) -> KafkaError {
        let code =
            if self.router.leaders.knows(tp) { LEADER_NOT_AVAILABLE } else { UNKNOWN_TOPIC_OR_PARTITION };
        self.fail(None, broker_error(code, None))
    }

    /// Groups partitions by who leads them, asking the cluster about topics that are not remembered.
    pub(crate) async fn by_leader<'p>(
        &self,
        partitions: &[&'p TopicPartition],
    ) -> Result<ByLeader<'p>, KafkaError> {
        let missing = self.router.leaders.missing(partitions);
        if !missing.is_empty() {
            let names = if missing.len() > ASK_FOR_ALL_ABOVE { None } else { Some(&missing) };
            topics::fetch_metadata(self, Target::Any, names, false).await?;
        }
        Ok(self.router.leaders.group(partitions))
    }
}
