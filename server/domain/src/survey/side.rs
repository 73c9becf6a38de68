//! What one cluster of a pair showed: topics, groups, ACLs, transactions, rights.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    acl::AclBinding,
    cluster::ClusterDescription,
    group::{GroupMember, GroupState, GroupType},
    quota::{ClientQuota, ScramUsers},
    reading::Observed,
    topic::{ByPartition, Configs, TopicPartition, by_partition},
};

/// What one cluster showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideObservation {
    /// Identity and brokers.
    pub cluster: Observed<ClusterDescription>,
    /// Topics in scope under any name they have on this side, internal ones left out, by name.
    pub topics: Observed<BTreeMap<String, TopicObservation>>,
    /// Groups in scope, by group id.
    pub groups: Observed<BTreeMap<String, GroupObservation>>,
    /// ACLs of the cluster.
    pub acls: Observed<AclObservation>,
    /// Transactions that are open right now on partitions in scope.
    pub transactions: Observed<Vec<OpenTransaction>>,
    /// What Muster's own principal may do there, by right.
    pub rights: Observed<Vec<RightObservation>>,
    /// Client quotas of the cluster.
    #[serde(default = "not_read")]
    pub quotas: Observed<Vec<ClientQuota>>,
    /// Users that can sign in by SCRAM; names and mechanisms, nothing secret.
    #[serde(default = "not_read")]
    pub users: Observed<ScramUsers>,
    /// What a broker is set to that clients feel; read now and then.
    #[serde(default = "not_read")]
    pub brokers: Observed<BrokerSettings>,
}

/// What one broker is set to. Others of its cluster may be set otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSettings {
    /// Id of the broker that was asked.
    pub broker: i32,
    /// Those of [`BROKER_SETTINGS`](crate::difference::BROKER_SETTINGS) that it tells.
    pub settings: Configs,
    /// The broker that was asked last, where that one did not tell: this was told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<i32>,
}

/// Surveys that an earlier version took have less in them.
fn not_read<T>() -> Observed<T> {
    Observed::unknown("not read by the version of Muster that took this survey", DateTime::UNIX_EPOCH)
}

impl SideObservation {
    /// Nothing could be read, for one reason (unreachable, wrong cluster id).
    #[must_use]
    pub fn unreachable(reason: &str, at: DateTime<Utc>) -> Self {
        Self {
            cluster: Observed::unknown(reason, at),
            topics: Observed::unknown(reason, at),
            groups: Observed::unknown(reason, at),
            acls: Observed::unknown(reason, at),
            transactions: Observed::unknown(reason, at),
            rights: Observed::unknown(reason, at),
            quotas: Observed::unknown(reason, at),
            users: Observed::unknown(reason, at),
            brokers: Observed::unknown(reason, at),
        }
    }
}

/// A topic on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicObservation {
    /// Topic id; a change means it was recreated.
    pub id: Option<Uuid>,
    /// Partitions by number, dense from 0.
    pub partitions: Vec<PartitionObservation>,
    /// Effective configs; unknown when DESCRIBE_CONFIGS is missing. Topics that are configured alike share them.
    pub configs: Observed<Arc<Configs>>,
}

/// A partition on one side. Offsets are `None` where the leader gave an error; the error is in `trouble`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionObservation {
    /// First offset still there.
    pub start: Option<i64>,
    /// High watermark: one past the last acknowledged record or marker.
    pub end: Option<i64>,
    /// Last stable offset: what a read_committed reader can reach.
    pub stable: Option<i64>,
    /// Replicas.
    pub replicas: i32,
    /// Replicas in sync.
    pub in_sync: i32,
    /// Broker error or missing leader; empty when all is well.
    pub trouble: String,
    /// Counts up with each election; `None` when the broker does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    /// Offset of the last record that is no marker, known where the end stood still since it was read: what lies behind it is
    /// nothing that could be copied. One before `start` or less where no record is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_record: Option<i64>,
    /// The oldest record that was found to be missing on the target, known as long as the end stood still since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_missing: Option<FirstMissing>,
}

/// A record that is on the source and not on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstMissing {
    /// Its source offset.
    pub offset: i64,
    /// When it was written by its own timestamp, in milliseconds since 1970. Whoever wrote it may be wrong.
    pub timestamp_ms: i64,
}

/// A group on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupObservation {
    /// Protocol.
    pub kind: GroupType,
    /// State.
    pub state: GroupState,
    /// Members with client id and host.
    pub members: Vec<GroupMember>,
    /// Committed positions (next offset to read) on topics in scope.
    #[serde(with = "by_partition")]
    pub offsets: ByPartition<i64>,
}

/// ACLs of a cluster as its brokers answer, each for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AclObservation {
    /// False when the cluster has no authorizer (`SECURITY_DISABLED`): nothing can be fenced there.
    pub authorizer: bool,
    /// Bindings every broker agrees on.
    pub bindings: BTreeSet<AclBinding>,
    /// Bindings only some brokers know: still spreading, or a broker is behind.
    pub disputed: BTreeSet<AclBinding>,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransaction {
    /// `transactional.id`.
    pub transactional_id: String,
    /// Producer id.
    pub producer_id: i64,
    /// State as the coordinator names it (`Ongoing`, `PrepareAbort`, …).
    pub state: String,
    /// When it began, by the coordinator's clock; `None` when it does not tell.
    pub began_at: Option<DateTime<Utc>>,
    /// Partitions it has written to.
    pub partitions: Vec<TopicPartition>,
}

/// One right of Muster's principal on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightObservation {
    /// What the right is, for people: `DESCRIBE on topics`.
    pub right: String,
    /// What cannot be done without it.
    pub needed_for: String,
    /// Held, refused (with the broker's error), or not determinable.
    pub held: RightHeld,
}

/// Whether a right is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "held", rename_all = "snake_case")]
pub enum RightHeld {
    /// A call that needs it succeeded.
    Yes,
    /// The broker refused the call.
    No {
        /// Its error.
        error: String,
    },
    /// There was nothing to try it on.
    Unknown {
        /// Why.
        reason: String,
    },
}
