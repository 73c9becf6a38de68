//! Groups whose members only share work, in the simulated world: partitions are dealt in turns, at once. A cluster that does not
//! answer takes what it dealt away.

use std::collections::BTreeMap;

use muster_domain::topic::TopicPartition;
use tokio::sync::watch;

use super::world::World;
use crate::share::{Dealt, WorkShare};

/// Members by cluster and group.
#[derive(Debug, Default)]
pub struct Shares {
    members: BTreeMap<(String, String), Vec<Member>>,
    next: u64,
}

#[derive(Debug)]
struct Member {
    id: u64,
    partitions: Vec<TopicPartition>,
    dealer: watch::Sender<Dealt>,
}

impl Shares {
    /// How many members a group has.
    #[must_use]
    pub fn members(&self, cluster: &str, group: &str) -> usize {
        self.members.get(&(cluster.to_owned(), group.to_owned())).map_or(0, Vec::len)
    }

    fn join(
        &mut self,
        key: &(String, String),
        partitions: Vec<TopicPartition>,
    ) -> (u64, watch::Receiver<Dealt>) {
        let (dealer, dealt) = watch::channel(Dealt::Waiting);
        self.next += 1;
        self.members.entry(key.clone()).or_default().push(Member { id: self.next, partitions, dealer });
        (self.next, dealt)
    }

    fn deal(&self, key: &(String, String)) {
        let members = self.members.get(key).map_or(&[][..], Vec::as_slice);
        for (place, member) in members.iter().enumerate() {
            let mine = member.partitions.iter().skip(place).step_by(members.len()).cloned().collect();
            member.dealer.send_replace(Dealt::Mine(mine));
        }
    }

    /// A cluster has died: its members time out.
    pub(super) fn revoke(&self, cluster: &str) {
        let groups = self.members.iter().filter(|((of, _), _)| of == cluster);
        for member in groups.flat_map(|(_, members)| members) {
            member.dealer.send_replace(Dealt::Waiting);
        }
    }

    /// It is back: its members join again.
    pub(super) fn deal_again(&self, cluster: &str) {
        for key in self.members.keys().filter(|(of, _)| of == cluster) {
            self.deal(key);
        }
    }
}

/// Membership of one process.
pub(super) struct MemoryShare {
    world: World,
    key: (String, String),
    id: u64,
    dealt: watch::Receiver<Dealt>,
}

impl MemoryShare {
    /// Joins.
    pub(super) fn join(world: World, cluster: &str, group: &str, topics: &[String]) -> Self {
        let key = (cluster.to_owned(), group.to_owned());
        let (id, dealt) = {
            let mut state = world.lock();
            let known = &state.cluster(cluster).topics;
            let all = topics.iter().filter_map(|name| known.get(name).map(|topic| (name, topic)));
            let partitions: Vec<TopicPartition> = all
                .flat_map(|(name, topic)| {
                    (0..)
                        .zip(&topic.partitions)
                        .map(move |(number, _)| TopicPartition::new(name.as_str(), number))
                })
                .collect();
            let (id, dealt) = state.shares.join(&key, partitions);
            state.shares.deal(&key);
            (id, dealt)
        };
        Self { world, key, id, dealt }
    }
}

impl WorkShare for MemoryShare {
    fn dealt(&self) -> watch::Receiver<Dealt> {
        self.dealt.clone()
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        let mut state = self.world.lock();
        if let Some(members) = state.shares.members.get_mut(&self.key) {
            members.retain(|member| member.id != self.id);
        }
        state.shares.deal(&self.key);
    }
}
