//! [`ClusterAdmin`] on a simulated cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use muster_domain::{
    acl::{AclBinding, AclFilter},
    cluster::ClusterDescription,
    group::{CommittedOffset, GroupDescription, GroupListing, GroupMember, GroupType},
    quota::{ClientQuota, ScramUsers},
    survey::{AclObservation, OpenTransaction, RightObservation},
    topic::{ByPartition, Configs, TopicDescription, TopicPartition},
};

use super::{caller::Caller, cluster::ClusterState, log::Log, world::World};
use crate::{
    admin::{
        ClusterAdmin, EpochEnds, FenceVerdict, NewTopic, OffsetSpec, PartitionOffsets, PartitionProducers,
        TopicConfigs,
    },
    connecting::closings::Closings,
    error::{KafkaError, KafkaErrorKind},
};

/// Who probes fences.
const PROBE: &str = "User:muster-probe";

/// [`ClusterAdmin`] on a simulated cluster.
#[derive(Debug, Clone)]
pub struct MemoryAdmin {
    caller: Caller,
    principal: String,
}

impl MemoryAdmin {
    pub(super) fn new(world: World, cluster: &str) -> Self {
        Self { caller: Caller::new(world, cluster), principal: "User:muster".to_owned() }
    }

    /// Expects another cluster id; `None`: it was never recorded.
    #[must_use]
    pub fn expecting(mut self, id: Option<&str>) -> Self {
        self.caller.expected_id = id.map(str::to_owned);
        self
    }

    /// Answers [`ClusterAdmin::rights`] as another principal.
    #[must_use]
    pub fn acting_as(mut self, principal: &str) -> Self {
        principal.clone_into(&mut self.principal);
        self
    }

    async fn read<T: Send>(
        &self,
        verb: &'static str,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, KafkaErrorKind> + Send,
    ) -> Result<T, KafkaError> {
        self.caller.call((verb, false), String::new(), effect).await
    }

    async fn change<T: Send>(
        &self,
        verb: &'static str,
        object: impl Into<String>,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, KafkaErrorKind> + Send,
    ) -> Result<T, KafkaError> {
        self.caller.call((verb, true), object.into(), effect).await
    }
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl ClusterAdmin for MemoryAdmin {
    fn cluster(&self) -> &str {
        &self.caller.cluster
    }

    fn closings(&self) -> Closings {
        self.caller.world.lock().cluster(&self.caller.cluster).closings()
    }

    async fn describe_cluster(&self) -> Result<ClusterDescription, KafkaError> {
        self.read("describe_cluster", |cluster| Ok(cluster.answer_describe())).await
    }

    async fn topics(&self, names: Option<&BTreeSet<String>>) -> Result<Vec<TopicDescription>, KafkaError> {
        self.read("topics", |cluster| Ok(cluster.answer_topics(names))).await
    }

    async fn partition_counts(
        &self,
        topics: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, usize>, KafkaError> {
        self.read("partition_counts", |cluster| Ok(cluster.answer_partition_counts(topics))).await
    }

    async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<PartitionOffsets, KafkaError> {
        let answers = self.read("offsets", |cluster| {
            let answer = |at: &TopicPartition| (at.clone(), cluster.answer_offset(at, spec));
            Ok(partitions.iter().map(answer).collect::<Vec<_>>())
        });
        let error = |at: &TopicPartition, kind| self.caller.error("offsets", &at.to_string(), kind);
        Ok(answers
            .await?
            .into_iter()
            .map(|(at, got)| (at.clone(), got.map_err(|kind| Box::new(error(&at, kind)))))
            .collect())
    }

    async fn end_of_epoch(&self, epochs: &ByPartition<i32>) -> Result<EpochEnds, KafkaError> {
        let answers = self.read("end_of_epoch", |cluster| {
            let answer = |(at, epoch): (&TopicPartition, &i32)| {
                (at.clone(), cluster.led_log(at).map(|log| log.end_of_epoch(*epoch)))
            };
            Ok(epochs.iter().map(answer).collect::<Vec<_>>())
        });
        let error = |at: &TopicPartition, kind| self.caller.error("end_of_epoch", &at.to_string(), kind);
        Ok(answers
            .await?
            .into_iter()
            .map(|(at, got)| (at.clone(), got.map_err(|kind| Box::new(error(&at, kind)))))
            .collect())
    }

    async fn topic_configs(&self, topics: &[String]) -> Result<TopicConfigs, KafkaError> {
        self.read("topic_configs", |cluster| {
            Ok(topics
                .iter()
                .filter_map(|name| Some((name.clone(), Ok(Arc::new(cluster.answer_topic_configs(name)?)))))
                .collect())
        })
        .await
    }

    async fn broker_configs(&self, broker: i32) -> Result<Configs, KafkaError> {
        self.read("broker_configs", |cluster| cluster.answer_broker_configs(broker)).await
    }

    async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.change("alter_topic_configs", topic, |cluster| cluster.change_configs(topic, changes)).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), KafkaError> {
        self.change("create_topic", &topic.name, |cluster| cluster.make_topic(topic)).await
    }

    async fn delete_topic(&self, topic: &str) -> Result<(), KafkaError> {
        self.change("delete_topic", topic, |cluster| cluster.delete_topic(topic)).await
    }

    async fn list_groups(&self) -> Result<Vec<GroupListing>, KafkaError> {
        self.read("list_groups", |cluster| {
            let listing = |(name, group): (&String, &super::cluster::Group)| GroupListing {
                group: name.clone(),
                kind: group.kind,
                protocol_type: group.protocol_type.clone(),
                state: group.state(),
            };
            Ok(cluster.groups.iter().map(listing).collect())
        })
        .await
    }

    async fn describe_groups(
        &self,
        groups: &[(String, GroupType)],
    ) -> Result<Vec<GroupDescription>, KafkaError> {
        self.read("describe_groups", |cluster| {
            Ok(groups.iter().map(|(group, kind)| cluster.answer_group(group, *kind)).collect())
        })
        .await
    }

    async fn group_offsets(
        &self,
        groups: &[String],
        _stable: bool,
    ) -> Result<BTreeMap<String, ByPartition<CommittedOffset>>, KafkaError> {
        self.read("group_offsets", |cluster| {
            let of =
                |group: &String| cluster.groups.get(group).map(|g| g.offsets.clone()).unwrap_or_default();
            Ok(groups.iter().map(|group| (group.clone(), of(group))).collect())
        })
        .await
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &ByPartition<CommittedOffset>,
    ) -> Result<(), KafkaError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.change("alter_group_offsets", group, |cluster| cluster.write_positions(group, offsets)).await
    }

    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), KafkaError> {
        self.change("delete_group_offsets", group, |cluster| cluster.delete_positions(group, partitions))
            .await
    }

    async fn remove_members(
        &self,
        group: &str,
        kind: GroupType,
        members: &[GroupMember],
    ) -> Result<(), KafkaError> {
        if members.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<&str> = members.iter().map(|member| member.member_id.as_str()).collect();
        self.change("remove_members", group, |cluster| {
            cluster.remove_members(group, kind, &ids);
            Ok(())
        })
        .await
    }

    async fn acls(&self, filter: &AclFilter) -> Result<AclObservation, KafkaError> {
        self.read("acls", |cluster| Ok(cluster.answer_acls(filter))).await
    }

    async fn create_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError> {
        self.change("create_acls", listed(bindings), |cluster| cluster.change_acls(bindings, true)).await
    }

    async fn delete_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError> {
        self.change("delete_acls", listed(bindings), |cluster| cluster.change_acls(bindings, false)).await
    }

    async fn probe_write_fence(
        &self,
        topics: &[String],
    ) -> Result<BTreeMap<(i32, String), FenceVerdict>, KafkaError> {
        self.read("probe_write_fence", |cluster| {
            // Not a change, but a verdict about the wrong cluster would be worse than none.
            self.caller.check_id(cluster)?;
            let mut verdicts = BTreeMap::new();
            for broker in &cluster.brokers {
                for topic in topics {
                    verdicts.insert((*broker, topic.clone()), cluster.answer_probe(PROBE, *broker, topic));
                }
            }
            Ok(verdicts)
        })
        .await
    }

    async fn producers(&self, partitions: &[TopicPartition]) -> Result<PartitionProducers, KafkaError> {
        let answers = self.read("producers", |cluster| {
            let answer = |at: &TopicPartition| (at.clone(), cluster.led_log(at).map(Log::producers));
            Ok(partitions.iter().map(answer).collect::<Vec<_>>())
        });
        let error = |at: &TopicPartition, kind| self.caller.error("producers", &at.to_string(), kind);
        Ok(answers
            .await?
            .into_iter()
            .map(|(at, got)| (at.clone(), got.map_err(|kind| Box::new(error(&at, kind)))))
            .collect())
    }

    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>, KafkaError> {
        self.read("open_transactions", |cluster| Ok(cluster.answer_open_transactions())).await
    }

    async fn transactional_ids(&self) -> Result<BTreeMap<String, i64>, KafkaError> {
        self.read("transactional_ids", |cluster| {
            Ok(cluster.txns.iter().map(|(id, txn)| (id.clone(), txn.producer_id)).collect())
        })
        .await
    }

    async fn abort_transaction(&self, transactional_id: &str) -> Result<(), KafkaError> {
        self.change("abort_transaction", transactional_id, |cluster| {
            cluster.fence_producer(transactional_id);
            Ok(())
        })
        .await
    }

    async fn client_quotas(&self) -> Result<Vec<ClientQuota>, KafkaError> {
        self.read("client_quotas", |cluster| {
            let mut quotas = cluster.quotas.clone();
            quotas.sort_by(|one, other| one.entity.cmp(&other.entity));
            Ok(quotas)
        })
        .await
    }

    async fn scram_users(&self) -> Result<ScramUsers, KafkaError> {
        self.read("scram_users", |cluster| Ok(cluster.users.clone())).await
    }

    async fn rights(&self) -> Result<Vec<RightObservation>, KafkaError> {
        self.read("rights", |cluster| Ok(cluster.answer_rights(&self.principal))).await
    }
}
