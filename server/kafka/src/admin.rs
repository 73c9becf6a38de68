//! The verbs Muster needs of a cluster, named by intent.

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

use crate::{connecting::closings::Closings, error::KafkaError};

/// Which end of a partition to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// First offset still there (ListOffsets -2).
    Start,
    /// High watermark (ListOffsets -1, read_uncommitted).
    End,
    /// End of the leader's log: past the high watermark while a replica in sync lacks what the leader has accepted
    /// (ListOffsets -1 as a debugging replica).
    LogEnd,
    /// Last stable offset (ListOffsets -1, read_committed).
    Stable,
    /// First offset whose record has at least this timestamp, in milliseconds since the epoch; -1 when there is none.
    AtTime(i64),
}

/// What the zero-write fence probe saw on one broker for one topic (mm2.md 0.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FenceVerdict {
    /// `TOPIC_AUTHORIZATION_FAILED`: the probe principal's writes are refused.
    Fenced,
    /// `UNKNOWN_TOPIC_OR_PARTITION`: authorization passed, so writes are open.
    Open,
    /// Neither; nothing is proven.
    Unclear {
        /// Broker error code, or what went wrong.
        answer: String,
    },
}

/// An idempotent or transactional producer as a partition leader remembers it (DescribeProducers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerState {
    /// Producer id.
    pub producer_id: i64,
    /// Last sequence number written; -1 after a marker.
    pub last_sequence: i32,
    /// Producer's own clock at its last write, milliseconds since the epoch.
    pub last_timestamp: i64,
    /// First offset of its open transaction, if one is open.
    pub open_transaction_start: Option<i64>,
    /// Whether it ever ended a transaction there: its coordinator has written a marker.
    pub ended_transaction: bool,
}

/// A new topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Replication factor; -1 for the broker's default.
    pub replication: i16,
    /// Configs to set on it.
    pub configs: BTreeMap<String, String>,
}

/// One answer per partition: an offset, or that partition's error (boxed: there may be hundreds of thousands of answers).
pub type PartitionOffsets = ByPartition<Result<i64, Box<KafkaError>>>;

/// One answer per topic: its effective configs, or that topic's error (no right to read them, for example). Topics that are configured alike
/// share one value: some 35 configs of each of many thousand topics would be most of what a survey holds.
pub type TopicConfigs = BTreeMap<String, Result<Arc<Configs>, Box<KafkaError>>>;

/// One answer per partition: the producers its leader remembers, or that partition's error.
pub type PartitionProducers = ByPartition<Result<Vec<ProducerState>, Box<KafkaError>>>;

/// One answer per partition: where the records of leaders up to an epoch end, `None` when the leader's log knows of no such epoch; or
/// that partition's error.
pub type EpochEnds = ByPartition<Result<Option<i64>, Box<KafkaError>>>;

/// Muster's hands on one cluster.
///
/// Every call is bounded in time. Every call that changes something first makes sure that the connection belongs to
/// the cluster with the recorded id and fails with `WrongCluster` or `UnknownCluster` otherwise. Calls are retried
/// only on errors that say "not now" and only while the bound lasts.
#[async_trait]
pub trait ClusterAdmin: Send + Sync + std::fmt::Debug {
    /// Name of the cluster in Muster, for messages.
    fn cluster(&self) -> &str;

    /// Tells of this client's connections that the other side closes from now on: a sign that it is time to look, and no proof that
    /// anything died. Connections of the probe principal are not among them.
    fn closings(&self) -> Closings;

    /// Id, controller and brokers.
    async fn describe_cluster(&self) -> Result<ClusterDescription, KafkaError>;

    /// All topics, or the named ones that exist.
    async fn topics(&self, names: Option<&BTreeSet<String>>) -> Result<Vec<TopicDescription>, KafkaError>;

    /// How many partitions each of these topics has, by whichever broker knows most; topics no broker knows are left out.
    ///
    /// Asked of **every** broker, for a broker that follows the controller late calls topics unknown that are there: who
    /// rests on a topic being gone asks here. Fails when one of them does not answer.
    async fn partition_counts(
        &self,
        topics: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, usize>, KafkaError>;

    /// Offsets of partitions, asked of their leaders, batched per broker.
    async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<PartitionOffsets, KafkaError>;

    /// Where the records of leaders up to an epoch end, for each partition and epoch (OffsetForLeaderEpoch): the offset at which
    /// the first leadership after it began, or the end of the log when that epoch leads now. A log that was cut answers with
    /// what is left of it.
    async fn end_of_epoch(&self, epochs: &ByPartition<i32>) -> Result<EpochEnds, KafkaError>;

    /// Effective configs of topics, each with its own answer; a topic that is gone is left out.
    async fn topic_configs(&self, topics: &[String]) -> Result<TopicConfigs, KafkaError>;

    /// Effective configs of a broker.
    async fn broker_configs(&self, broker: i32) -> Result<Configs, KafkaError>;

    /// Sets (`Some`) or resets to default (`None`) single configs of a topic (IncrementalAlterConfigs).
    async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError>;

    /// Creates a topic and waits until every broker's metadata shows it with leaders. Existing: `TOPIC_ALREADY_EXISTS`.
    async fn create_topic(&self, topic: &NewTopic) -> Result<(), KafkaError>;

    /// Deletes a topic and waits until metadata no longer shows it.
    async fn delete_topic(&self, topic: &str) -> Result<(), KafkaError>;

    /// Groups of every type, asked of every broker.
    async fn list_groups(&self) -> Result<Vec<GroupListing>, KafkaError>;

    /// Members and states. Groups the coordinator no longer knows come back as `Dead`.
    async fn describe_groups(
        &self,
        groups: &[(String, GroupType)],
    ) -> Result<Vec<GroupDescription>, KafkaError>;

    /// Committed positions of many groups. `stable` waits for offsets of open transactions to settle (KIP-447).
    async fn group_offsets(
        &self,
        groups: &[String],
        stable: bool,
    ) -> Result<BTreeMap<String, ByPartition<CommittedOffset>>, KafkaError>;

    /// Writes positions of a group without members (OffsetCommit, generation -1). A group with members answers
    /// `UNKNOWN_MEMBER_ID`, which is the safety check and is passed on.
    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &ByPartition<CommittedOffset>,
    ) -> Result<(), KafkaError>;

    /// Removes committed positions of a group (OffsetDelete).
    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), KafkaError>;

    /// Removes members from a group at once: LeaveGroup for classic groups, heartbeat with epoch -1 for KIP-848.
    /// A member that is already gone counts as removed. Says nothing about what the client still processes.
    async fn remove_members(
        &self,
        group: &str,
        kind: GroupType,
        members: &[GroupMember],
    ) -> Result<(), KafkaError>;

    /// ACLs as **each** broker answers for itself, folded into agreed and disputed ones.
    async fn acls(&self, filter: &AclFilter) -> Result<AclObservation, KafkaError>;

    /// Creates bindings; existing ones stay. Returns when the controller has them: brokers may follow a moment later,
    /// so callers wait with [`ClusterAdmin::acls`].
    async fn create_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError>;

    /// Deletes exactly these bindings; missing ones are fine.
    async fn delete_acls(&self, bindings: &[AclBinding]) -> Result<(), KafkaError>;

    /// Tries a write that cannot succeed, as the probe principal, on every broker, for each topic: partition
    /// `i32::MAX` does not exist, but authorization is checked first. Answers per (broker, topic).
    /// Fails with `Authentication` or `Unsupported` when there is no usable probe principal.
    async fn probe_write_fence(
        &self,
        topics: &[String],
    ) -> Result<BTreeMap<(i32, String), FenceVerdict>, KafkaError>;

    /// Producers known to the leaders of these partitions.
    async fn producers(&self, partitions: &[TopicPartition]) -> Result<PartitionProducers, KafkaError>;

    /// Transactions that are neither complete nor empty, with their partitions.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>, KafkaError>;

    /// Producer id of each transactional id that coordinators remember, whether a transaction is open under it or not. Ids that
    /// Muster's principal may not DESCRIBE are not among them.
    async fn transactional_ids(&self) -> Result<BTreeMap<String, i64>, KafkaError>;

    /// Ends a straggler's transaction by fencing its producer (InitProducerId with its id), repeated while the
    /// coordinator answers `CONCURRENT_TRANSACTIONS`.
    async fn abort_transaction(&self, transactional_id: &str) -> Result<(), KafkaError>;

    /// Client quotas that were set, ordered by whom they limit. Needs DESCRIBE_CONFIGS on the cluster.
    async fn client_quotas(&self) -> Result<Vec<ClientQuota>, KafkaError>;

    /// Users with a SCRAM password, by name, with their mechanisms. Needs DESCRIBE on the cluster.
    async fn scram_users(&self) -> Result<ScramUsers, KafkaError>;

    /// Tries, without changing anything, what Muster's principal may do here.
    async fn rights(&self) -> Result<Vec<RightObservation>, KafkaError>;
}
