//! What a simulated cluster answers to the reading verbs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use muster_domain::{
    acl::{AclFilter, AclOperation, ResourceType},
    cluster::{Broker, ClusterDescription},
    group::{GroupDescription, GroupState, GroupType},
    survey::{AclObservation, OpenTransaction, RightHeld, RightObservation},
    topic::{ConfigEntry, ConfigSource, Configs, PartitionDescription, TopicDescription, TopicPartition},
};

use super::{
    authorizer::passes,
    cluster::{ClusterState, EPOCH_MS, TICK_MS, Topic},
    log::Log,
};
use crate::{
    admin::{FenceVerdict, OffsetSpec},
    error::KafkaErrorKind,
};

/// Defaults a topic shows when nothing was set on it (Apache Kafka 4.3).
const TOPIC_DEFAULTS: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("unclean.leader.election.enable", "false"),
];

/// Settings of a broker that Muster looks at.
const BROKER_SETTINGS: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("group.consumer.session.timeout.ms", "45000"),
    ("group.max.session.timeout.ms", "1800000"),
    ("group.min.session.timeout.ms", "6000"),
    ("message.max.bytes", "1048588"),
    ("min.insync.replicas", "1"),
    ("offsets.retention.minutes", "10080"),
    ("transaction.max.timeout.ms", "900000"),
];

/// Other configs a topic can have.
const OTHER_TOPIC_CONFIGS: &[&str] = &[
    "compression.type",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "remote.storage.enable",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
];

/// Whether a topic can have this config at all.
pub(super) fn is_topic_config(name: &str) -> bool {
    TOPIC_DEFAULTS.iter().any(|(known, _)| *known == name) || OTHER_TOPIC_CONFIGS.contains(&name)
}

fn entry(value: &str, source: ConfigSource) -> ConfigEntry {
    ConfigEntry { value: Some(value.to_owned()), source }
}

impl ClusterState {
    pub(super) fn answer_describe(&self) -> ClusterDescription {
        let broker = |id: &i32| Broker {
            id: *id,
            host: format!("{}-{id}.example", self.name),
            port: 9092,
            rack: None,
        };
        ClusterDescription {
            cluster_id: self.id.clone(),
            controller: self.brokers.first().copied(),
            brokers: self.brokers.iter().map(broker).collect(),
        }
    }

    /// As the first broker shows them.
    pub(super) fn answer_topics(&self, names: Option<&BTreeSet<String>>) -> Vec<TopicDescription> {
        let first = self.brokers.first().copied().unwrap_or_default();
        let wanted =
            |name: &String| names.is_none_or(|names| names.contains(name)) && self.shows(first, name);
        let describe = |name: &String, topic: &Topic| TopicDescription {
            name: name.clone(),
            id: Some(topic.id),
            internal: name.starts_with("__"),
            partitions: (0..)
                .zip(&topic.partitions)
                .map(|(p, log)| self.describe_partition(p, log))
                .collect(),
        };
        self.topics
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, topic)| describe(name, topic))
            .collect()
    }

    fn shows(&self, broker: i32, topic: &str) -> bool {
        !self.unseen.get(&broker).is_some_and(|unseen| unseen.contains(topic))
    }

    /// As any broker shows them.
    pub(super) fn answer_partition_counts(&self, names: &BTreeSet<String>) -> BTreeMap<String, usize> {
        let known = |name: &String| {
            let topic = self.topics.get(name)?;
            let shown = self.brokers.iter().any(|broker| self.shows(*broker, name));
            shown.then(|| (name.clone(), topic.partitions.len()))
        };
        names.iter().filter_map(known).collect()
    }

    fn describe_partition(&self, partition: i32, log: &Log) -> PartitionDescription {
        PartitionDescription {
            partition,
            leader: Some(self.leader(partition)),
            leader_epoch: Some(log.leader_epoch()),
            replicas: self.brokers.clone(),
            isr: self.brokers.clone(),
        }
    }

    pub(super) fn answer_offset(&self, at: &TopicPartition, spec: OffsetSpec) -> Result<i64, KafkaErrorKind> {
        let log = self.led_log(at)?;
        Ok(match spec {
            OffsetSpec::Start => log.start(),
            OffsetSpec::End => log.end(),
            OffsetSpec::LogEnd => log.log_end(),
            OffsetSpec::Stable => log.stable(),
            OffsetSpec::AtTime(timestamp) => log.at_time(timestamp),
        })
    }

    /// A topic that is gone has none.
    pub(super) fn answer_topic_configs(&self, topic: &str) -> Option<Configs> {
        let set = &self.topics.get(topic)?.configs;
        let mut configs: Configs = BTreeMap::new();
        for (name, value) in TOPIC_DEFAULTS {
            configs.insert((*name).to_owned(), entry(value, ConfigSource::Default));
        }
        for (name, value) in set {
            configs.insert(name.clone(), entry(value, ConfigSource::Topic));
        }
        Some(configs)
    }

    pub(super) fn answer_broker_configs(&self, broker: i32) -> Result<Configs, KafkaErrorKind> {
        if !self.brokers.contains(&broker) {
            return Err(KafkaErrorKind::Connection(format!("there is no broker {broker}")));
        }
        let defaults = BROKER_SETTINGS.iter();
        let mut all: Configs =
            defaults.map(|(n, v)| ((*n).to_owned(), entry(v, ConfigSource::Default))).collect();
        all.extend(self.settings.iter().map(|(n, v)| (n.clone(), entry(v, ConfigSource::StaticBroker))));
        Ok(all)
    }

    pub(super) fn answer_group(&self, group: &str, asked: GroupType) -> GroupDescription {
        // Asked with the wrong protocol's request a real broker answers Dead, or error 69 that means the same.
        let known = self.groups.get(group).filter(|known| known.kind == asked);
        GroupDescription {
            group: group.to_owned(),
            kind: asked,
            state: known.map_or(GroupState::Dead, super::cluster::Group::state),
            members: known.map(|known| known.members.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn answer_acls(&self, filter: &AclFilter) -> AclObservation {
        if !self.authorizer.enabled {
            return AclObservation::default();
        }
        let mut views = self.authorizer.views().map(|view| {
            let passing = view.iter().filter(|binding| passes(filter, binding));
            passing.cloned().collect::<BTreeSet<_>>()
        });
        let mut agreed = views.next().unwrap_or_default();
        let mut any = agreed.clone();
        for view in views {
            agreed.retain(|binding| view.contains(binding));
            any.extend(view);
        }
        AclObservation { authorizer: true, disputed: &any - &agreed, bindings: agreed }
    }

    pub(super) fn answer_probe(&self, probe: &str, broker: i32, topic: &str) -> FenceVerdict {
        if self.authorizer.allows(broker, probe, AclOperation::Write, (ResourceType::Topic, topic)) {
            FenceVerdict::Open
        } else {
            FenceVerdict::Fenced
        }
    }

    pub(super) fn answer_open_transactions(&self) -> Vec<OpenTransaction> {
        let open = self.txns.iter().filter(|(_, txn)| !txn.partitions.is_empty());
        open.map(|(id, txn)| OpenTransaction {
            transactional_id: id.clone(),
            producer_id: txn.producer_id,
            state: "Ongoing".to_owned(),
            began_at: i64::try_from(txn.began)
                .ok()
                .and_then(|tick| DateTime::from_timestamp_millis(EPOCH_MS + tick * TICK_MS)),
            partitions: txn.partitions.iter().cloned().collect(),
        })
        .collect()
    }

    pub(super) fn answer_rights(&self, principal: &str) -> Vec<RightObservation> {
        use AclOperation as Op;
        const ASKED: [(&str, &str, Op, ResourceType); 10] = [
            (
                "DESCRIBE on the cluster",
                "listing all groups and reading ACLs",
                Op::Describe,
                ResourceType::Cluster,
            ),
            ("ALTER on the cluster", "fencing: creating and deleting ACLs", Op::Alter, ResourceType::Cluster),
            ("CREATE on the cluster", "creating canary topics", Op::Create, ResourceType::Cluster),
            ("DESCRIBE on topics", "seeing topics and their offsets", Op::Describe, ResourceType::Topic),
            (
                "READ on topics",
                "verifying content and translating offsets exactly",
                Op::Read,
                ResourceType::Topic,
            ),
            (
                "DESCRIBE_CONFIGS on topics",
                "comparing configs of both sides",
                Op::DescribeConfigs,
                ResourceType::Topic,
            ),
            (
                "DESCRIBE on groups",
                "seeing members and committed positions",
                Op::Describe,
                ResourceType::Group,
            ),
            (
                "READ on groups",
                "writing positions on the standby and moving members out",
                Op::Read,
                ResourceType::Group,
            ),
            ("DELETE on groups", "taking positions that a run wrote back", Op::Delete, ResourceType::Group),
            (
                "DESCRIBE on transactional ids",
                "finding hung transactions",
                Op::Describe,
                ResourceType::TransactionalId,
            ),
        ];
        let held = |operation, resource| {
            let name = if resource == ResourceType::Cluster { "kafka-cluster" } else { "*" };
            if self.authorizer.allows(self.brokers[0], principal, operation, (resource, name)) {
                RightHeld::Yes
            } else {
                RightHeld::No { error: "the broker does not list it".to_owned() }
            }
        };
        ASKED
            .iter()
            .map(|(right, needed_for, operation, resource)| RightObservation {
                right: (*right).to_owned(),
                needed_for: (*needed_for).to_owned(),
                held: held(*operation, *resource),
            })
            .collect()
    }
}
