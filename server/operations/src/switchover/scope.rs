//! The plan's scope as partitions and names on both sides.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    group::CommittedOffset,
    patterns::Scope,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, KafkaError, OffsetSpec};

use super::prepare::FoundAgain;
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

/// Where the logs of partitions end on their leaders, once every replica in sync has all of it: below the end of a log stand
/// records that were accepted and cannot be read yet, and those acknowledged with `acks=1` among them.
pub(super) async fn log_ends(
    admin: &dyn ClusterAdmin,
    partitions: &[TopicPartition],
) -> Result<ByPartition<i64>, StepError> {
    let logs = offsets(admin, partitions, OffsetSpec::LogEnd).await?;
    let readable = offsets(admin, partitions, OffsetSpec::End).await?;
    match logs.iter().find(|(tp, end)| readable.get(*tp) != Some(*end)) {
        Some((tp, end)) => Err(StepError::Retry(format!(
            "{tp} ends at {end} on its leader and can be read up to {:?}: a replica in sync is behind",
            readable.get(tp).copied().unwrap_or_default()
        ))),
        None => Ok(logs),
    }
}

/// Looks whether the side applications leave still has exactly what was planned: no topic of the pair beside those, the same
/// partitions, the same topics by id, and no group of the pair with positions beside those.
pub(super) async fn still_as_planned(ctx: &StepCtx) -> Result<(), StepError> {
    let found: FoundAgain = ctx.output("survey_again")?;
    let (from, admin) = (ctx.direction().from, ctx.admin(ctx.direction().from));
    let names: BTreeSet<String> = ctx.app_topics().into_iter().collect();
    let scope = Scope::of(&ctx.clients.pair);
    let (topics, counts, positions) = tokio::join!(
        admin.topics(None),
        admin.partition_counts(&names),
        positions_beside_the_plan(ctx, admin, &scope),
    );
    let (topics, counts, positions) = (topics?, counts?, positions?);
    let mut differences = Vec::new();
    for planned in &ctx.plan.topics {
        let now = counts.get(&planned.topic).copied().unwrap_or(0);
        if i32::try_from(now) != Ok(planned.partitions) {
            differences.push(format!(
                "topic `{}` has {now} partitions instead of {}",
                planned.topic, planned.partitions
            ));
        }
    }
    for topic in topics.iter().filter(|topic| !topic.internal) {
        if scope.application_topic(from, &topic.name) && !names.contains(&topic.name) {
            differences.push(new_topic(&topic.name));
        }
        let before = found.topic_ids.get(&topic.name);
        if before.zip(topic.id.as_ref()).is_some_and(|(before, now)| before != now) {
            differences.push(format!("topic `{}` was made anew", topic.name));
        }
    }
    // As the survey has it: positions in topics of others, or in topics that are gone, make no group one of the pair's.
    let of_the_pair: BTreeSet<&String> = topics
        .iter()
        .filter(|topic| !topic.internal && scope.topic(from, &topic.name))
        .map(|topic| &topic.name)
        .collect();
    for (group, committed) in &positions {
        if committed.keys().any(|tp| of_the_pair.contains(&tp.topic)) {
            differences.push(new_group(group));
        }
    }
    match differences.first() {
        Some(first) => Err(StepError::Fail(format!(
            "{} changed after the run began: {first}{}",
            admin.cluster(),
            and_more(differences.len())
        ))),
        None => Ok(()),
    }
}

/// Committed positions of the groups that match the pair's and are not in the plan.
async fn positions_beside_the_plan(
    ctx: &StepCtx,
    admin: &dyn ClusterAdmin,
    scope: &Scope,
) -> Result<BTreeMap<String, ByPartition<CommittedOffset>>, KafkaError> {
    let planned: BTreeSet<&String> = ctx.plan.groups.iter().collect();
    let listed = admin.list_groups().await?.into_iter().map(|group| group.group);
    let others: Vec<String> = listed.filter(|group| scope.group(group) && !planned.contains(group)).collect();
    if others.is_empty() {
        return Ok(BTreeMap::new());
    }
    admin.group_offsets(&others, false).await
}

/// What is said of a group of the pair that the plan does not know.
pub(super) fn new_group(name: &str) -> String {
    format!("group `{name}` is not in the plan, so it would have no position on the other side")
}

/// What is said of a topic of the pair that the plan does not know.
pub(super) fn new_topic(name: &str) -> String {
    format!("topic `{name}` belongs to the pair and is not in the plan, so it would be left behind")
}

/// ` (and 2 more)` after the first of several.
pub(super) fn and_more(n: usize) -> String {
    if n > 1 { format!(" (and {} more)", n - 1) } else { String::new() }
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
