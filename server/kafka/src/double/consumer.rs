//! An application that reads as a consumer group.

use std::collections::BTreeMap;

use muster_domain::{
    acl::AclOperation,
    group::{CommittedOffset, GroupMember, GroupType},
    topic::{ByPartition, TopicPartition},
};

use super::{
    actors::{Actor, Processed},
    cluster::{ClusterState, Health},
    world::State,
};
use crate::mover::Isolation;

/// Ticks without a heartbeat after which a classic group drops a member (10 s).
const CLASSIC_SESSION: u64 = 100;
/// The same for KIP-848, where the server decides (45 s).
const CONSUMER_SESSION: u64 = 450;

/// An application with one member that reads committed records from its group's committed offset (from the start
/// when there is none), on the cluster the switch points consumers at, and commits after processing.
///
/// Topic READ denied: it gets nothing. Group READ denied: it cannot commit or join; only a zombie goes on
/// processing. Removed from the group: it joins again if it may; a KIP-848 client does not (fatal error) until it is
/// pointed elsewhere.
#[derive(Debug)]
pub struct ConsumerApp {
    group: String,
    kind: GroupType,
    principal: String,
    topics: Vec<String>,
    pinned: Option<String>,
    every: u64,
    batch: usize,
    at: String,
    positions: ByPartition<i64>,
    was_member: bool,
    fatal: bool,
    silent_since: Option<u64>,
}

impl ConsumerApp {
    /// An application that reads ten records per partition and tick.
    #[must_use]
    pub fn new(group: &str, kind: GroupType, principal: &str, topics: &[&str]) -> Self {
        Self {
            group: group.to_owned(),
            kind,
            principal: principal.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            pinned: None,
            every: 1,
            batch: 10,
            at: String::new(),
            positions: BTreeMap::new(),
            was_member: false,
            fatal: false,
            silent_since: None,
        }
    }

    /// Reads `batch` records per partition only every so many ticks: a lagging group.
    #[must_use]
    pub fn paced(mut self, every: u64, batch: usize) -> Self {
        self.every = every.max(1);
        self.batch = batch;
        self
    }

    /// Ignores the switch and stays at a cluster.
    #[must_use]
    pub fn pinned(mut self, cluster: &str) -> Self {
        self.pinned = Some(cluster.to_owned());
        self
    }

    fn member_id(&self) -> String {
        format!("{}-member-1", self.group)
    }

    /// Leaves the old cluster's group when the switch points elsewhere or asks to hold. What was processed is committed
    /// by then.
    fn follow(&mut self, state: &mut State) {
        let to = match &self.pinned {
            Some(pinned) => pinned.clone(),
            None if state.consumers_hold => String::new(),
            None => state.consumers_at.clone(),
        };
        if to == self.at {
            return;
        }
        let member = self.member_id();
        if let Some(old) = state.clusters.get_mut(&self.at)
            && old.health == Health::Up
            && let Some(group) = old.groups.get_mut(&self.group)
        {
            group.members.retain(|m| m.member_id != member);
        }
        self.at = to;
        self.positions.clear();
        self.was_member = false;
        self.fatal = false;
        self.silent_since = None;
    }

    fn partitions(&self, cluster: &ClusterState) -> Vec<TopicPartition> {
        let mut all = Vec::new();
        for name in &self.topics {
            let count = cluster.topics.get(name).map_or(0, |topic| topic.partitions.len());
            all.extend((0..).take(count).map(|p| TopicPartition::new(name, p)));
        }
        all
    }

    /// Whether the group has this member; joins if it may and does not.
    fn join(&mut self, cluster: &mut ClusterState, may: bool) -> bool {
        let id = self.member_id();
        let member =
            cluster.groups.get(&self.group).is_some_and(|g| g.members.iter().any(|m| m.member_id == id));
        if member {
            return true;
        }
        self.fatal |= self.was_member && self.kind == GroupType::Consumer;
        if !may || self.fatal {
            return false;
        }
        let assignment = self.partitions(cluster);
        let group = cluster.group_entry(&self.group);
        group.kind = self.kind;
        "consumer".clone_into(&mut group.protocol_type);
        group.members.push(GroupMember {
            member_id: id,
            group_instance_id: None,
            client_id: format!("{}-client", self.group),
            client_host: "/10.0.0.7".to_owned(),
            assignment,
        });
        self.positions.clear();
        self.was_member = true;
        self.silent_since = None;
        true
    }

    /// The coordinator drops a member that could not heartbeat for a session.
    fn expire(&mut self, cluster: &mut ClusterState, may: bool) {
        if may {
            self.silent_since = None;
            return;
        }
        let since = *self.silent_since.get_or_insert(cluster.now);
        let session = if self.kind == GroupType::Consumer { CONSUMER_SESSION } else { CLASSIC_SESSION };
        if cluster.now >= since + session
            && let Some(group) = cluster.groups.get_mut(&self.group)
        {
            let id = self.member_id();
            group.members.retain(|m| m.member_id != id);
        }
    }

    /// Reads the next records of a partition and moves on past what it saw.
    fn process(&mut self, cluster: &ClusterState, at: &TopicPartition) -> Vec<String> {
        let Ok(log) = cluster.led_log(at) else { return Vec::new() };
        if !cluster.allows_topic(&self.principal, AclOperation::Read, at) {
            return Vec::new();
        }
        let committed = || {
            let group = cluster.groups.get(&self.group)?;
            group.offsets.get(at).map(|committed| committed.offset)
        };
        let position = self.positions.get(at).copied().or_else(committed).unwrap_or(log.start());
        // Out of range either way: auto.offset.reset=earliest.
        let position = if position < log.start() || position > log.end() { log.start() } else { position };
        let batch: Vec<_> =
            log.visible(position, log.stable(), Isolation::ReadCommitted).take(self.batch).collect();
        let next = match batch.last() {
            Some(last) if batch.len() == self.batch => last.offset + 1,
            Some(_) | None => log.stable().max(position),
        };
        self.positions.insert(at.clone(), next);
        batch
            .iter()
            .map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned())
            .collect()
    }

    fn commit(&self, cluster: &mut ClusterState) {
        let offsets = self.positions.iter().map(|(at, offset)| {
            let committed = CommittedOffset { offset: *offset, metadata: String::new(), leader_epoch: None };
            (at.clone(), committed)
        });
        let offsets: ByPartition<_> = offsets.collect();
        cluster.group_entry(&self.group).offsets.extend(offsets);
    }
}

impl Actor for ConsumerApp {
    fn act(&mut self, state: &mut State) {
        state.ledger.subscriptions.insert(self.group.clone(), self.topics.clone());
        self.follow(state);
        let zombie = state.zombies.contains(&self.group);
        let tick = state.tick;
        let Some(cluster) = state.clusters.get_mut(&self.at) else { return };
        if cluster.health != Health::Up {
            return;
        }
        let may = cluster.allows_group(&self.principal, AclOperation::Read, &self.group);
        let member = self.join(cluster, may);
        if member {
            self.expire(cluster, may);
        }
        let goes_on = zombie && self.was_member && !self.fatal;
        if !((member && may) || goes_on) || !tick.is_multiple_of(self.every) {
            return;
        }
        let mut read = Vec::new();
        for at in self.partitions(cluster) {
            read.extend(self.process(cluster, &at));
        }
        if member && may {
            self.commit(cluster);
        }
        state.ledger.processed.extend(read.into_iter().map(|record| Processed {
            tick,
            cluster: self.at.clone(),
            group: self.group.clone(),
            record,
        }));
    }
}
