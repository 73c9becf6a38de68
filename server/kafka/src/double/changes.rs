//! What the changing verbs do to a simulated cluster.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    acl::AclBinding,
    group::{CommittedOffset, GroupType},
    topic::{ByPartition, TopicPartition},
};

use super::{answers::is_topic_config, cluster::ClusterState, code::broker_error};
use crate::{admin::NewTopic, error::KafkaErrorKind};

impl ClusterState {
    pub(super) fn change_configs(
        &mut self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaErrorKind> {
        if !changes.keys().all(|name| is_topic_config(name)) {
            return Err(broker_error(40));
        }
        let topic = self.topics.get_mut(topic).ok_or_else(|| broker_error(3))?;
        for (name, value) in changes {
            match value {
                Some(value) => topic.configs.insert(name.clone(), value.clone()),
                None => topic.configs.remove(name),
            };
        }
        topic.follow_configs();
        Ok(())
    }

    pub(super) fn make_topic(&mut self, topic: &NewTopic) -> Result<(), KafkaErrorKind> {
        let brokers = i16::try_from(self.brokers.len()).unwrap_or(i16::MAX);
        if topic.replication == 0 || topic.replication > brokers {
            return Err(broker_error(38));
        }
        let made = self.create_topic(&topic.name, topic.partitions)?;
        made.configs.clone_from(&topic.configs);
        made.follow_configs();
        Ok(())
    }

    pub(super) fn delete_topic(&mut self, topic: &str) -> Result<(), KafkaErrorKind> {
        self.topics.remove(topic).map(drop).ok_or_else(|| broker_error(3))
    }

    /// OffsetCommit without a member: `UNKNOWN_MEMBER_ID` while the group has members.
    pub(super) fn write_positions(
        &mut self,
        group: &str,
        offsets: &ByPartition<CommittedOffset>,
    ) -> Result<(), KafkaErrorKind> {
        if self.groups.get(group).is_some_and(|group| !group.members.is_empty()) {
            return Err(broker_error(25));
        }
        for at in offsets.keys() {
            self.log(at)?;
        }
        self.group_entry(group).offsets.extend(offsets.clone());
        Ok(())
    }

    pub(super) fn delete_positions(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), KafkaErrorKind> {
        // A group that is not there has no positions.
        let Some(known) = self.groups.get_mut(group) else { return Ok(()) };
        let held = |at| known.members.iter().any(|member| member.assignment.contains(at));
        if partitions.iter().any(held) {
            return Err(broker_error(86));
        }
        known.offsets.retain(|at, _| !partitions.contains(at));
        Ok(())
    }

    pub(super) fn remove_members(&mut self, group: &str, kind: GroupType, ids: &BTreeSet<&str>) {
        if let Some(known) = self.groups.get_mut(group).filter(|known| known.kind == kind) {
            known.members.retain(|member| !ids.contains(member.member_id.as_str()));
        }
    }

    pub(super) fn change_acls(
        &mut self,
        bindings: &[AclBinding],
        create: bool,
    ) -> Result<(), KafkaErrorKind> {
        if !self.authorizer.enabled {
            return Err(broker_error(54));
        }
        for binding in bindings {
            if create {
                self.authorizer.create(binding.clone(), self.now);
            } else {
                self.authorizer.delete(binding, self.now);
            }
        }
        self.authorizer.spread(self.now);
        Ok(())
    }
}
