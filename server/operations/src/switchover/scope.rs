//! The plan's scope as partitions and names on both sides.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{ClusterAdmin, OffsetSpec};

use crate::step::{StepCtx, StepError};

impl StepCtx {
    /// Topics applications write, by the name they use.
    pub(super) fn app_topics(&self) -> Vec<String> {
        self.plan.topics.iter().map(|t| t.topic.clone()).collect()
    }

    /// Every name the topics in scope have on the side applications move to: the replicas, and with prefixed names
    /// also the applications' own topics there.
    pub(super) fn topics_on_target(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.plan.topics.iter().flat_map(|t| [&t.topic, &t.replica]).collect();
        names.into_iter().cloned().collect()
    }

    /// Partitions in scope on the side applications leave.
    pub(super) fn source_partitions(&self) -> Vec<TopicPartition> {
        self.plan
            .topics
            .iter()
            .flat_map(|t| (0..t.partitions).map(|p| TopicPartition::new(t.topic.clone(), p)))
            .collect()
    }

    /// The replica of a source partition on the side applications move to.
    pub(super) fn replica_of(&self, source: &TopicPartition) -> TopicPartition {
        let replica =
            self.plan.topics.iter().find(|t| t.topic == source.topic).map_or(&source.topic, |t| &t.replica);
        TopicPartition::new(replica.clone(), source.partition)
    }

    /// Replicas of all partitions in scope.
    pub(super) fn replica_partitions(&self) -> Vec<TopicPartition> {
        self.source_partitions().iter().map(|tp| self.replica_of(tp)).collect()
    }

    /// Whether the flows keep topic names (identity policy).
    pub(super) fn identity_named(&self) -> bool {
        self.plan.topics.iter().all(|t| t.topic == t.replica)
    }
}

/// Offsets of partitions, all of them or an error that names the first that could not be read.
pub(super) async fn offsets(
    admin: &dyn ClusterAdmin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<ByPartition<i64>, StepError> {
    let answers = admin.offsets(partitions, spec).await?;
    let mut offsets = BTreeMap::new();
    for tp in partitions {
        match answers.get(tp) {
            Some(Ok(offset)) => offsets.insert(tp.clone(), *offset),
            Some(Err(e)) => return Err((**e).clone().into()),
            None => return Err(StepError::retry(format!("`{}` did not answer for {tp}", admin.cluster()))),
        };
    }
    Ok(offsets)
}

/// What a map by partition looks like in evidence: `{"topic-0": value}`.
pub(super) fn shown<T: serde::Serialize>(map: &ByPartition<T>) -> serde_json::Value {
    map.iter()
        .map(|(tp, value)| (tp.to_string(), serde_json::to_value(value).unwrap_or(serde_json::Value::Null)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// `3 topics`, `1 topic`.
pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
