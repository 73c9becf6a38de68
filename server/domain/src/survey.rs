//! One full observation of a pair. Each part carries when it was read, or why it is unknown.
//!
//! A survey holds facts only. What they mean is decided by pure rules over it: `readiness`, `lag`, `direction`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    acl::AclBinding,
    cluster::ClusterDescription,
    group::{GroupMember, GroupState, GroupType},
    ids::PairName,
    pair::{BySide, Direction, Side},
    quota::{ClientQuota, ScramUsers},
    reading::Observed,
    selection::Beyond,
    topic::{ByPartition, Configs, TopicPartition, by_partition},
};

/// Periods of surveys are seconds; an older survey is not shown as current.
pub const FRESH: TimeDelta = TimeDelta::seconds(60);

/// One full observation of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Which pair.
    pub pair: PairName,
    /// Counts up per pair, from 1.
    pub number: i64,
    /// When it began, by Muster's clock.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// Whether it was taken before it was due, since a connection to a cluster was closed: then the one before is closer than usual, a
    /// second at least. Rules that want something to be so for some surveys do not count it, and none that looks at what happened since
    /// the survey before says of it that nothing did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brought_forward: bool,
    /// What each cluster showed.
    pub sides: BySide<SideObservation>,
    /// What each flow of the pair showed.
    pub flows: Vec<FlowObservation>,
}

impl Survey {
    /// By when a side that could not be read did not answer: whatever was written there was written before.
    #[must_use]
    pub fn unanswered_at(&self, side: Side) -> DateTime<Utc> {
        match &self.sides.get(side).cluster {
            Observed::Unknown { at, .. } => *at,
            // It answered at first.
            Observed::Known { .. } => self.began_at + TimeDelta::milliseconds(self.took_ms),
        }
    }
}

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What a flow showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowObservation {
    /// Which direction.
    pub direction: Direction,
    /// The Connect worker that answered.
    pub worker: Observed<WorkerObservation>,
    /// Whether it answered and did not let Muster in: then it is there, and what it does is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut_out: bool,
    /// Connectors by what they do.
    pub connectors: BTreeMap<ConnectorRole, Observed<ConnectorObservation>>,
    /// Per source partition, the last source offset known to be replicated (inclusive): the connector's committed
    /// offset. `GET /connectors/{name}/offsets`, KIP-875.
    pub committed: Observed<CommittedSourceOffsets>,
    /// Per source partition, the newest offset sync seen.
    pub newest_pairs: Observed<NewestPairs>,
    /// The newest offset syncs that are known of before, while they cannot be read; `None` while they can, and where none are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pairs: Option<LastPairs>,
    /// Per source partition, the last time its offset syncs went back; none where they never did.
    #[serde(default, with = "by_partition")]
    pub rewinds: ByPartition<Rewind>,
    /// Positions on source topics that were made anew, as they were then: until they move they are of the log before.
    #[serde(default, with = "by_partition", skip_serializing_if = "BTreeMap::is_empty")]
    pub of_another_log: ByPartition<OldPosition>,
    /// Topics outside of the pair that its source connector copies, too.
    #[serde(default = "not_looked")]
    pub beyond: Observed<Beyond>,
    /// What of its offset-syncs topic could not be read.
    #[serde(default)]
    pub unreadable_syncs: UnreadableSyncs,
    /// Who writes where it copies to.
    #[serde(default = "not_looked")]
    pub writers: Observed<WritersObservation>,
}

impl FlowObservation {
    /// Connect's committed offset of a source partition, where it is one of its log.
    #[must_use]
    pub fn committed_offset(&self, key: &TopicPartition) -> Option<i64> {
        self.of_this_log(key, self.committed.value()?.offsets.get(key).copied(), None).0
    }

    /// The newest offset sync of a source partition, where it is one of its log.
    #[must_use]
    pub fn newest_pair(&self, key: &TopicPartition) -> Option<OffsetPair> {
        self.of_this_log(key, None, self.newest_pairs.value()?.0.get(key).copied()).1
    }

    /// What is left of a partition's committed offset and offset sync without those that are of a log before.
    #[must_use]
    pub fn of_this_log(
        &self,
        key: &TopicPartition,
        committed: Option<i64>,
        pair: Option<OffsetPair>,
    ) -> (Option<i64>, Option<OffsetPair>) {
        match self.of_another_log.get(key) {
            None => (committed, pair),
            Some(old) => (
                committed.filter(|_| !old.unseen && old.committed != committed),
                pair.filter(|_| !old.unseen && old.pair != pair),
            ),
        }
    }
}

/// Where replication stood on a partition when its topic was made anew under the same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldPosition {
    /// Connect's committed offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// The newest offset sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<OffsetPair>,
    /// They could not be read then: whatever is read first is taken for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

/// Who writes where a flow copies to, as the leaders there remember producers that have an id (DescribeProducers).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritersObservation {
    /// Producer ids of the flow's own tasks, by their transactional ids; none where they write without transactions, or where
    /// Muster may not see them.
    pub own: BTreeSet<i64>,
    /// By target partition. Those that were not looked at are not in it.
    #[serde(with = "by_partition")]
    pub partitions: ByPartition<Vec<WriterSeen>>,
    /// Why some that were to be looked at were not; `None` when all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// A producer as the leader of a partition remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterSeen {
    /// Its id.
    pub producer: i64,
    /// Sequence number of its last record there; -1 after the end of a transaction.
    pub sequence: i32,
    /// When it last wrote there by its own clock, in milliseconds since 1970: only good for telling that it did again.
    pub timestamp_ms: i64,
    /// First offset of its open transaction there.
    pub transaction_from: Option<i64>,
    /// Whether it has one open or ever ended one there: then it leaves markers.
    pub transactional: bool,
}

/// What a survey of a version before says of what it did not look for.
fn not_looked<T>() -> Observed<T> {
    Observed::unknown("the survey was taken by a version that does not look for it", DateTime::UNIX_EPOCH)
}

/// See [`FlowObservation::committed`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedSourceOffsets {
    /// By source partition.
    #[serde(with = "by_partition")]
    pub offsets: ByPartition<i64>,
    /// Stored entries no task will ever read (wrong alias or extra keys): Connect keeps them silently.
    pub foreign: Vec<String>,
}

/// See [`FlowObservation::newest_pairs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestPairs(#[serde(with = "by_partition")] pub ByPartition<OffsetPair>);

/// See [`FlowObservation::last_pairs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPairs {
    /// When their topic was read to its end last, by this process or another.
    pub read_at: DateTime<Utc>,
    /// Per source partition, the newest that was there then.
    pub newest: NewestPairs,
}

/// One offset sync: the record at `upstream` on the source is at `downstream` on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OffsetPair {
    /// Source offset of a record.
    pub upstream: i64,
    /// Target offset of the same record.
    pub downstream: i64,
}

/// Records of an offset-syncs topic that are none, or cannot be read: somebody else writes there, or MirrorMaker 2 writes
/// otherwise than it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableSyncs {
    /// How many there are in what Muster has read of the topic. Forgotten once the topic begins behind them, and after a day without
    /// another one.
    pub count: u64,
    /// Where the last of them is and what is wrong with it; never what it holds.
    pub last: String,
}

impl UnreadableSyncs {
    /// Counts so many more, with the last one's reason.
    pub fn add(&mut self, count: u64, last: String) {
        self.count = self.count.saturating_add(count);
        self.last = last;
    }
}

/// Two offset syncs in a row of which the second has a lower source offset: records between were copied again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rewind {
    /// Source offset of the first.
    pub from: i64,
    /// Source offset of the second.
    pub to: i64,
    /// Target offset of the second.
    pub downstream: i64,
}

/// The Connect worker that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerObservation {
    /// Kafka version of the worker.
    pub version: String,
    /// Cluster its records are written to (`kafka_cluster_id`).
    pub kafka_cluster_id: String,
}

/// What a connector of a flow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorRole {
    /// MirrorSourceConnector: copies records.
    Source,
    /// MirrorCheckpointConnector: translates and writes group offsets.
    Checkpoint,
    /// MirrorHeartbeatConnector.
    Heartbeat,
}

impl std::fmt::Display for ConnectorRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Checkpoint => "checkpoint",
            Self::Heartbeat => "heartbeat",
        })
    }
}

/// A connector or task state as Connect reports it. RUNNING proves nothing about records moving (mm2.md 0.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Connect's own words, one to one (AbstractStatus.State)")]
pub enum ConnectState {
    Unassigned,
    Running,
    Paused,
    Failed,
    Destroyed,
    Restarting,
    Stopped,
}

impl std::fmt::Display for ConnectState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Destroyed => "DESTROYED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        })
    }
}

/// A connector as Connect reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorObservation {
    /// Connector name.
    pub name: String,
    /// Its state.
    pub state: ConnectState,
    /// Its tasks by number, as its status has them; empty when it has none. A task nobody ever started is not among them.
    pub tasks: Vec<TaskObservation>,
    /// Tasks Connect keeps configs of, so many it has to have (`GET /connectors/{name}/tasks`); `None` where that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_tasks: Option<i32>,
    /// Its config with every credential replaced by `[redacted]`.
    pub config: BTreeMap<String, String>,
}

impl ConnectorObservation {
    /// Numbers of tasks that Connect keeps configs of and its status does not have.
    #[must_use]
    pub fn tasks_without_status(&self) -> Vec<i32> {
        let there = |number: &i32| self.tasks.iter().any(|task| task.id == *number);
        (0..self.given_tasks.unwrap_or(0)).filter(|number| !there(number)).collect()
    }

    /// Tasks it has to have as far as is known: those with a status and those without.
    #[must_use]
    pub fn tasks_to_run(&self) -> usize {
        self.tasks.len() + self.tasks_without_status().len()
    }
}

/// A task as Connect reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskObservation {
    /// Task number.
    pub id: i32,
    /// Its state.
    pub state: ConnectState,
    /// First line of the stack trace when it failed.
    pub trace: Option<String>,
}
