//! [`ClusterAdmin`] over Kafka's own protocol.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use muster_domain::{
    acl::{AclBinding, AclFilter},
    cluster::{Cluster, ClusterDescription, ClusterSecrets},
    group::{CommittedOffset, GroupDescription, GroupListing, GroupMember, GroupType},
    quota::{ClientQuota, ScramUsers},
    survey::{AclObservation, OpenTransaction, RightObservation},
    topic::{ByPartition, Configs, TopicDescription, TopicPartition},
};

use crate::{
    admin::{
        ClusterAdmin, EpochEnds, FenceVerdict, NewTopic, OffsetSpec, PartitionOffsets, PartitionProducers,
        TopicConfigs,
    },
    asking::routing::Router,
    connecting::closings::Closings,
    error::KafkaError,
    options::ClientOptions,
    verbs::{
        acls, client_limits, configs, epochs, group_members, group_offsets, groups, offsets, probe,
        producers, rights, topics, transactions,
    },
};

/// Muster's hands on one real cluster. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct KafkaAdmin {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    router: Router,
    probe: Option<Router>,
}

impl KafkaAdmin {
    /// Connects to nothing yet: whatever is wrong with addresses or secrets shows at the first call.
    #[must_use]
    pub fn new(cluster: &Cluster, secrets: &ClusterSecrets, options: ClientOptions) -> Self {
        let router = Router::new(cluster, secrets, options);
        Self { inner: Arc::new(Inner { router, probe: probe::probe_router(cluster, secrets, options) }) }
    }

    fn router(&self) -> &Router {
        &self.inner.router
    }
}

#[async_trait]
impl ClusterAdmin for KafkaAdmin {
    fn cluster(&self) -> &str {
        &self.router().name
    }

    fn closings(&self) -> Closings {
        self.router().closings()
    }

    async fn describe_cluster(&self) -> Result<ClusterDescription, KafkaError> {
        let view = self.router().look("Metadata of the cluster").refresh_view().await?;
        Ok(view.description.clone())
    }

    async fn topics(&self, names: Option<&BTreeSet<String>>) -> Result<Vec<TopicDescription>, KafkaError> {
        topics::list_topics(self.router(), names).await
    }

    async fn partition_counts(
        &self,
        topics: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, usize>, KafkaError> {
        topics::count_partitions(self.router(), topics).await
    }

    async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<PartitionOffsets, KafkaError> {
        offsets::list_offsets(self.router(), partitions, spec).await
    }

    async fn end_of_epoch(&self, epochs: &ByPartition<i32>) -> Result<EpochEnds, KafkaError> {
        epochs::end_of_epochs(self.router(), epochs).await
    }

    async fn topic_configs(&self, topics: &[String]) -> Result<TopicConfigs, KafkaError> {
        configs::topic_configs(self.router(), topics).await
    }

    async fn broker_configs(&self, broker: i32) -> Result<Configs, KafkaError> {
        configs::broker_configs(self.router(), broker).await
    }

    async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError> {
        configs::alter_topic_configs(self.router(), topic, changes).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), KafkaError> {
        topics::create_topic(self.router(), topic).await
    }

    async fn delete_topic(&self, topic: &str) -> Result<(), KafkaError> {
        topics::delete_topic(self.router(), topic).await
    }

    async fn list_groups(&self) -> Result<Vec<GroupListing>, KafkaError> {
        groups::list_groups(self.router()).await
    }

    async fn describe_groups(
        &self,
        groups: &[(String, GroupType)],
    ) -> Result<Vec<GroupDescription>, KafkaError> {
        groups::describe_groups(self.router(), groups).await
    }

    async fn group_offsets(
        &self,
        groups: &[String],
        stable: bool,
    ) -> Result<BTreeMap<String, ByPartition<CommittedOffset>>, KafkaError> {
        group_offsets::fetch_offsets(self.router(), groups, stable).await
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &ByPartition<CommittedOffset>,
    ) -> Result<(), KafkaError> {
        group_offsets::alter_offsets(self.router(), group, offsets).await
    }

    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), KafkaError> {
        group_offsets::delete_offsets(self.router(), group, partitions).await
    }

    async fn remove_members(
        &self,
        group: &str,
        kind: GroupType,
        members: &[GroupMember],
    ) -> Result<(), KafkaError> {
        group_members::remove_members(self.router(), group, kind, members).await
    }

    async fn acls(&self, filter: &AclFilter) -> Result<AclObservation, KafkaError> {
        acls::describe_acls(self.router(), filter).await
    }

    async fn create_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError> {
        acls::create_acls(self.router(), bindings).await
    }

    async fn delete_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError> {
        acls::delete_acls(self.router(), bindings).await
    }

    async fn probe_write_fence(
        &self,
        topics: &[String],
    ) -> Result<BTreeMap<(i32, String), FenceVerdict>, KafkaError> {
        probe::probe_write_fence(self.router(), self.inner.probe.as_ref(), topics).await
    }

    async fn producers(&self, partitions: &[TopicPartition]) -> Result<PartitionProducers, KafkaError> {
        producers::describe_producers(self.router(), partitions).await
    }

    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>, KafkaError> {
        transactions::open_transactions(self.router()).await
    }

    async fn transactional_ids(&self) -> Result<BTreeMap<String, i64>, KafkaError> {
        transactions::transactional_ids(self.router()).await
    }

    async fn abort_transaction(&self, transactional_id: &str) -> Result<(), KafkaError> {
        transactions::abort_transaction(self.router(), transactional_id).await
    }

    async fn client_quotas(&self) -> Result<Vec<ClientQuota>, KafkaError> {
        client_limits::client_quotas(self.router()).await
    }

    async fn scram_users(&self) -> Result<ScramUsers, KafkaError> {
        client_limits::scram_users(self.router()).await
    }

    async fn rights(&self) -> Result<Vec<RightObservation>, KafkaError> {
        rights::observe_rights(self.router(), self.inner.probe.as_ref()).await
    }
}
