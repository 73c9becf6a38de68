//! Partitions that only the target has: whatever is in them, the source does not hold it.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{pair::Flow, topic::TopicPartition};
use muster_kafka::ClusterAdmin;

use crate::translation_proof::{ProofError, unreadable};

/// Partitions of copies beyond those the source was seen to have, by the source's names.
pub(super) async fn beyond(
    flow: &Flow,
    topics: &[(String, Vec<TopicPartition>)],
    target: &dyn ClusterAdmin,
) -> Result<Vec<TopicPartition>, ProofError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let replica = |name: &str| flow.naming.target_name(&flow.source_alias, name);
    let names: BTreeSet<String> = topics.iter().map(|(name, _)| replica(name)).collect();
    let copies = target.topics(Some(&names)).await.map_err(unreadable("read topics of the target"))?;
    let copies: BTreeMap<&str, _> = copies.iter().map(|copy| (&*copy.name, &copy.partitions)).collect();
    let mut beyond = Vec::new();
    for (name, partitions) in topics {
        let known: BTreeSet<i32> = partitions.iter().map(|at| at.partition).collect();
        let there = copies.get(replica(name).as_str()).into_iter().flat_map(|there| there.iter());
        let more = there.map(|one| one.partition).filter(|number| !known.contains(number));
        beyond.extend(more.map(|number| TopicPartition::new(name.as_str(), number)));
    }
    Ok(beyond)
}

/// Those of them that the source still does not have. Asked after it was read where the target ends: a partition that the source
/// got meanwhile is copied to, and what is in its copy is not foreign.
pub(super) async fn still_beyond(
    beyond: Vec<TopicPartition>,
    source: &dyn ClusterAdmin,
) -> Result<Vec<TopicPartition>, ProofError> {
    if beyond.is_empty() {
        return Ok(beyond);
    }
    let names: BTreeSet<String> = beyond.iter().map(|at| at.topic.clone()).collect();
    let topics = source.topics(Some(&names)).await.map_err(unreadable("read topics once more"))?;
    let mut there = BTreeSet::new();
    for topic in &topics {
        let partitions = topic.partitions.iter();
        there.extend(partitions.map(|one| TopicPartition::new(&*topic.name, one.partition)));
    }
    Ok(beyond.into_iter().filter(|at| !there.contains(at)).collect())
}
