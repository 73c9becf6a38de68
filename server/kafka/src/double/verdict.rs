//! What became of the applications' records: lost, doubled, read twice, never read, written on two sides at once.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{acl::AclOperation, topic::TopicPartition};

use super::{
    cluster::{ClusterState, Health},
    world::State,
};
use crate::mover::Isolation;

/// What became of the applications' records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged records that are not, committed, on the cluster producers are pointed at. Topics whose sides take
    /// different writes (`Ledger::separate`) are not judged.
    pub lost: Vec<String>,
    /// Acknowledged records that are there more than once in one topic.
    pub duplicates: Vec<String>,
    /// Per group.
    pub groups: BTreeMap<String, GroupVerdict>,
    /// Whether at any moment an application's topic was open for its writes on two clusters.
    pub two_writers: bool,
    /// Those moments: tick and topic, first twenty.
    pub open_on_both: Vec<(u64, String)>,
}

/// What became of a group's reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupVerdict {
    /// Records processed more than once, in order of the first time.
    pub reprocessed: Vec<String>,
    /// Committed records below the group's position, on the cluster consumers are pointed at, that it never
    /// processed.
    pub skipped: Vec<String>,
}

/// Judges the world as it is now.
pub(super) fn judge(state: &State) -> Verdict {
    let counts = state.clusters.get(&state.producers_at).map(count_records).unwrap_or_default();
    let of = |record: &str| counts.get(record).copied().unwrap_or(0);
    let ledger = &state.ledger;
    let judged = ledger.acked.iter().filter(|acked| !ledger.separate.contains(&acked.at.topic));
    let acked = || judged.clone().map(|acked| &acked.record);
    let groups = state.ledger.subscriptions.keys().map(|group| (group.clone(), judge_group(state, group)));
    Verdict {
        lost: acked().filter(|record| of(record) == 0).cloned().collect(),
        duplicates: acked().filter(|record| of(record) > 1).cloned().collect(),
        groups: groups.collect(),
        two_writers: !state.ledger.open_on_both.is_empty(),
        open_on_both: state.ledger.open_on_both.iter().take(20).cloned().collect(),
    }
}

/// The most often a record's value appears in any one topic.
fn count_records(cluster: &ClusterState) -> BTreeMap<String, usize> {
    let mut most = BTreeMap::new();
    for topic in cluster.topics.values() {
        let mut here: BTreeMap<String, usize> = BTreeMap::new();
        for log in &topic.partitions {
            for record in log.visible(log.start(), log.end(), Isolation::ReadCommitted) {
                let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
                *here.entry(value.into_owned()).or_default() += 1;
            }
        }
        for (value, count) in here {
            let entry = most.entry(value).or_default();
            *entry = count.max(*entry);
        }
    }
    most
}

fn judge_group(state: &State, group: &str) -> GroupVerdict {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    let mut reprocessed = Vec::new();
    for done in state.ledger.processed.iter().filter(|done| done.group == group) {
        if !seen.insert(done.record.as_str()) && twice.insert(done.record.as_str()) {
            reprocessed.push(done.record.clone());
        }
    }
    let mut skipped = Vec::new();
    let known = state.ledger.known_before.get(group);
    if let Some(cluster) = state.clusters.get(&state.consumers_at)
        && let Some(positions) = cluster.groups.get(group).map(|group| &group.offsets)
    {
        for (at, position) in positions {
            let Ok(log) = cluster.log(at) else { continue };
            for record in log.visible(log.start(), position.offset, Isolation::ReadCommitted) {
                let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
                if !seen.contains(value.as_ref())
                    && !known.is_some_and(|known| known.contains(value.as_ref()))
                {
                    skipped.push(value.into_owned());
                }
            }
        }
    }
    GroupVerdict { reprocessed, skipped }
}

/// Notes topics that an application may write on two clusters at this moment. A cluster that is dead takes no
/// writes; one that is frozen may wake up, so it counts.
pub(super) fn watch_writers(state: &mut State) {
    let mut found = Vec::new();
    for (principal, topic) in &state.ledger.writers {
        if state.ledger.separate.contains(topic) {
            continue;
        }
        let open = state.clusters.values().filter(|cluster| is_open(cluster, principal, topic)).count();
        if open > 1 {
            found.push((state.tick, topic.clone()));
        }
    }
    state.ledger.open_on_both.extend(found);
}

fn is_open(cluster: &ClusterState, principal: &str, topic: &str) -> bool {
    let partitions = cluster.topics.get(topic).map_or(0, |topic| topic.partitions.len());
    cluster.health != Health::Dead
        && (0..).take(partitions).any(|partition| {
            cluster.allows_topic(principal, AclOperation::Write, &TopicPartition::new(topic, partition))
        })
}
