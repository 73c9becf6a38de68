//! Both sides of a pair as the rules look at them, and how names and commands are written.

use std::collections::{BTreeMap, BTreeSet};

use super::affected::Users;
use crate::{
    cluster::Cluster,
    ids::ClusterName,
    pair::{BySide, Direction, Pair, Side},
    patterns::Scope,
    survey::{AclObservation, GroupObservation, SideObservation, Survey, TopicObservation},
};

/// Both sides as they were seen, from the active to the standby one.
pub(super) struct Sides<'a> {
    pub(super) pair: &'a Pair,
    pub(super) clusters: &'a BySide<Cluster>,
    pub(super) active: Direction,
    /// Whether both sides are active: then neither stands by, and each has topics and consumers of its own.
    pub(super) both: bool,
    pub(super) here: &'a SideObservation,
    pub(super) there: &'a SideObservation,
    /// Application topics of the active side with the names of their replicas.
    pub(super) scope: Vec<(String, String)>,
    pub(super) users: Users<'a>,
}

/// What a topic of the standby is to applications after the move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The copy under the name they use on both sides: they read and write it.
    Both,
    /// The copy under another name: they read what was written before.
    Copy,
    /// The topic under the name they use, where the copy has another: they write it.
    Own,
}

/// A topic of the active side, and one that stands for it on the standby.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counterpart<'a> {
    pub(super) topic: &'a str,
    /// Its name on the standby.
    pub(super) there: &'a str,
    pub(super) role: Role,
}

pub(crate) type Topics = BTreeMap<String, TopicObservation>;
pub(crate) type Groups = BTreeMap<String, GroupObservation>;

impl<'a> Sides<'a> {
    pub(super) fn new(
        pair: &'a Pair,
        clusters: &'a BySide<Cluster>,
        survey: &'a Survey,
        active: Direction,
        both: bool,
    ) -> Self {
        let (here, there) = (survey.sides.get(active.from), survey.sides.get(active.to()));
        let topics = here.topics.value();
        let scope = topics.map(|topics| application_topics(pair, active, topics)).unwrap_or_default();
        Self { pair, clusters, active, both, here, there, scope, users: Users::new(here, clusters) }
    }

    pub(super) fn topics(&self) -> Result<(&'a Topics, &'a Topics), &'a str> {
        Ok((self.here.topics.as_result()?, self.there.topics.as_result()?))
    }

    pub(super) fn groups(&self) -> Result<(&'a Groups, &'a Groups), &'a str> {
        Ok((self.here.groups.as_result()?, self.there.groups.as_result()?))
    }

    pub(super) fn acls(&self) -> Result<(&'a AclObservation, &'a AclObservation), &'a str> {
        Ok((self.here.acls.as_result()?, self.there.acls.as_result()?))
    }

    pub(super) fn standby(&self) -> &'a ClusterName {
        self.pair.cluster(self.active.to())
    }

    pub(super) fn active(&self) -> &'a ClusterName {
        self.pair.cluster(self.active.from)
    }

    /// What stands on the standby for each application topic of the active side, whether it is there or not.
    pub(super) fn counterparts(&self) -> impl Iterator<Item = Counterpart<'_>> {
        self.scope.iter().flat_map(|(topic, replica)| {
            let (topic, replica) = (topic.as_str(), replica.as_str());
            let of = |there, role| Counterpart { topic, there, role };
            let all = if topic == replica {
                [Some(of(replica, Role::Both)), None]
            } else {
                [Some(of(replica, Role::Copy)), Some(of(topic, Role::Own))]
            };
            all.into_iter().flatten()
        })
    }

    /// Topics in words, by the name applications use.
    pub(super) fn said(&self, topics: &[String], role: Role) -> String {
        match role {
            Role::Both | Role::Copy => counted(topics, "topic"),
            Role::Own => {
                format!("{} that applications write on {}", counted(topics, "topic"), self.standby())
            }
        }
    }

    /// One of Kafka's own programs against the standby.
    pub(super) fn command(&self, program: &str, arguments: &str) -> String {
        let cluster = self.clusters.get(self.active.to());
        let address = cluster.bootstrap.first().map_or("BOOTSTRAP", String::as_str);
        format!("{program} --bootstrap-server {address} --command-config COMMAND_CONFIG {arguments}")
    }
}

/// Application topics on the side that is active, each with the name of its replica.
pub(crate) fn application_topics(pair: &Pair, active: Direction, topics: &Topics) -> Vec<(String, String)> {
    let flow = pair.flow(active);
    let scope = Scope::of(pair);
    topics
        .keys()
        .filter(|topic| scope.application_topic(active.from, topic))
        .map(|topic| {
            let replica =
                flow.map_or_else(|| topic.clone(), |f| f.naming.target_name(&f.source_alias, topic));
            (topic.clone(), replica)
        })
        .collect()
}

/// Principals by which a fence is probed: no applications.
pub(crate) fn probes(clusters: &BySide<Cluster>) -> BTreeSet<String> {
    Side::BOTH
        .into_iter()
        .filter_map(|side| clusters.get(side).probe.as_ref())
        .map(|probe| format!("User:{}", probe.username))
        .collect()
}

/// `1 topic` or `7 topics`, then the first three names.
pub(super) fn counted(names: &[String], one: &str) -> String {
    let said: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(said.len());
    let list = if more == 0 { said.join(", ") } else { format!("{} and {more} more", said.join(", ")) };
    match names.len() {
        1 => format!("{one} {list}"),
        n => format!("{n} {one}s ({list})"),
    }
}
