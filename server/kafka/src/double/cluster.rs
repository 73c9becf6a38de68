//! The state of one simulated cluster: topics, groups, ACLs, transactions.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    acl::{AclOperation, ResourceType},
    group::{CommittedOffset, GroupMember, GroupState, GroupType},
    quota::{ClientQuota, ScramUsers},
    topic::{ByPartition, TopicPartition},
};
use uuid::Uuid;

use super::{
    authorizer::Authorizer,
    caller::BOUND_MS,
    code::broker_error,
    log::{Log, Payload},
};
use crate::{
    connecting::closings::{Closer, Closings},
    error::KafkaErrorKind,
    mover::ReadRange,
};

/// How long one tick lasts, in milliseconds of the simulated clock.
pub const TICK_MS: i64 = 100;
/// The simulated clock at tick 0: 2026-01-01T00:00:00Z in milliseconds since the epoch.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// Whether a cluster answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Up,
    /// Connections are refused (processes killed).
    Dead,
    /// Connections open and nothing comes back (processes frozen).
    Frozen,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Topic id: a new one when recreated.
    pub id: Uuid,
    /// Partitions.
    pub partitions: Vec<Log>,
    /// Configs set on the topic.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// What configs decide about its logs.
    pub(super) fn follow_configs(&mut self) {
        let own_time = self.configs.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime");
        self.partitions.iter_mut().for_each(|log| log.write_own_time(own_time));
    }
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Protocol.
    pub kind: GroupType,
    /// `consumer`, or empty when it only ever committed.
    pub protocol_type: String,
    /// Members.
    pub members: Vec<GroupMember>,
    /// Committed positions.
    pub offsets: ByPartition<CommittedOffset>,
}

impl Group {
    /// State as a coordinator reports it.
    #[must_use]
    pub fn state(&self) -> GroupState {
        if self.members.is_empty() { GroupState::Empty } else { GroupState::Stable }
    }
}

/// A transaction the coordinator has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// Producer id.
    pub producer_id: i64,
    /// Tick it began at.
    pub began: u64,
    /// Partitions written to. Empty when no transaction is open under the id.
    pub partitions: BTreeSet<TopicPartition>,
    /// Raised by InitProducerId; a producer with an older one is fenced.
    pub epoch: i16,
}

/// The state of one simulated cluster.
#[derive(Debug, Clone)]
pub struct ClusterState {
    /// Name in Muster.
    pub name: String,
    /// Cluster id its brokers report.
    pub id: String,
    /// Broker ids.
    pub brokers: Vec<i32>,
    /// Whether it answers.
    pub health: Health,
    /// Brokers that are frozen and that nobody has noticed: the others answer and name them as leaders, and what is asked of partitions
    /// they lead is neither answered nor acknowledged.
    pub frozen: BTreeSet<i32>,
    /// Topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// Topics a broker does not show yet: it follows the controller late.
    pub unseen: BTreeMap<i32, BTreeSet<String>>,
    /// Groups by id.
    pub groups: BTreeMap<String, Group>,
    /// ACLs.
    pub authorizer: Authorizer,
    /// Client quotas.
    pub quotas: Vec<ClientQuota>,
    /// Users with a SCRAM password.
    pub users: ScramUsers,
    /// Settings in the files of its brokers.
    pub settings: BTreeMap<String, String>,
    /// Transactional ids.
    pub txns: BTreeMap<String, Txn>,
    /// The world's clock, kept up by it.
    pub now: u64,
    /// Whether callers have connections open: it answered, and has not closed them since.
    connected: bool,
    closer: Closer,
    next_producer_id: i64,
    next_topic_id: u64,
}

impl ClusterState {
    /// An empty cluster with two brokers; ACLs reach the second one `spread` ticks late.
    #[must_use]
    pub fn new(name: &str, spread: u64) -> Self {
        let brokers = vec![1, 2];
        let authorizer = Authorizer::new(&brokers, spread);
        Self {
            name: name.to_owned(),
            id: format!("id-of-{name}"),
            brokers,
            health: Health::Up,
            frozen: BTreeSet::new(),
            topics: BTreeMap::new(),
            unseen: BTreeMap::new(),
            groups: BTreeMap::new(),
            authorizer,
            quotas: Vec::new(),
            users: ScramUsers::new(),
            settings: BTreeMap::new(),
            txns: BTreeMap::new(),
            now: 0,
            connected: false,
            closer: Closer::default(),
            next_producer_id: 1000,
            next_topic_id: 0,
        }
    }

    /// It answers a caller.
    pub(super) fn connected(&mut self) {
        self.connected = true;
    }

    /// Closes the connections that callers have open; whether it answers the next call is another matter.
    pub fn close_connections(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.closer.tell();
        }
    }

    /// Tells whenever it closes connections from now on.
    pub(super) fn closings(&self) -> Closings {
        self.closer.closings()
    }

    /// The simulated clock in milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        EPOCH_MS + i64::try_from(self.now).unwrap_or(i64::MAX / TICK_MS) * TICK_MS
    }

    /// The broker that leads a partition.
    #[must_use]
    pub fn leader(&self, partition: i32) -> i32 {
        let at = usize::try_from(partition).unwrap_or(0) % self.brokers.len();
        self.brokers[at]
    }

    /// Creates a topic, `TOPIC_ALREADY_EXISTS` if there is one.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<&mut Topic, KafkaErrorKind> {
        if self.topics.contains_key(name) {
            return Err(broker_error(36));
        }
        let count = usize::try_from(partitions).ok().filter(|n| *n > 0).ok_or_else(|| broker_error(37))?;
        self.next_topic_id += 1;
        // Same cluster, same order, same ids: a topic created again gets a new one.
        let seed = xxhash_rust::xxh3::xxh3_128(format!("{}/{}", self.name, self.next_topic_id).as_bytes());
        let topic = Topic {
            id: Uuid::from_u128(seed),
            partitions: vec![Log::default(); count],
            configs: BTreeMap::new(),
        };
        Ok(self.topics.entry(name.to_owned()).or_insert(topic))
    }

    /// A partition's log, `UNKNOWN_TOPIC_OR_PARTITION` if there is none.
    pub fn log(&self, at: &TopicPartition) -> Result<&Log, KafkaErrorKind> {
        let topic = self.topics.get(&at.topic).ok_or_else(|| broker_error(3))?;
        let number = usize::try_from(at.partition).map_err(|_| broker_error(3))?;
        topic.partitions.get(number).ok_or_else(|| broker_error(3))
    }

    /// A partition's log as its leader shows it: no answer in time while that is frozen.
    pub fn led_log(&self, at: &TopicPartition) -> Result<&Log, KafkaErrorKind> {
        let log = self.log(at)?;
        let answers = !self.frozen.contains(&self.leader(at.partition));
        if answers { Ok(log) } else { Err(KafkaErrorKind::Timeout(BOUND_MS)) }
    }

    /// A partition's log to be read, which has to reach that far to be read to there.
    pub fn log_to(&self, at: &TopicPartition, until: i64) -> Result<&Log, KafkaErrorKind> {
        let log = self.led_log(at)?;
        if log.denies_reads() {
            return Err(broker_error(29));
        }
        let reaches = until == ReadRange::TO_THE_END || until <= log.end();
        if reaches { Ok(log) } else { Err(broker_error(78)) }
    }

    /// A partition's log, to change.
    pub fn log_mut(&mut self, at: &TopicPartition) -> Result<&mut Log, KafkaErrorKind> {
        let topic = self.topics.get_mut(&at.topic).ok_or_else(|| broker_error(3))?;
        let number = usize::try_from(at.partition).map_err(|_| broker_error(3))?;
        topic.partitions.get_mut(number).ok_or_else(|| broker_error(3))
    }

    /// A fresh producer id.
    pub fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }

    /// Whether a principal may do something with a topic on the broker that leads a partition.
    #[must_use]
    pub fn allows_topic(&self, principal: &str, operation: AclOperation, at: &TopicPartition) -> bool {
        let broker = self.leader(at.partition);
        self.authorizer.allows(broker, principal, operation, (ResourceType::Topic, &at.topic))
    }

    /// Whether a principal may do something with a group, as its coordinator (the first broker) decides.
    #[must_use]
    pub fn allows_group(&self, principal: &str, operation: AclOperation, group: &str) -> bool {
        self.authorizer.allows(self.brokers[0], principal, operation, (ResourceType::Group, group))
    }

    /// A principal's write, checked by the partition's leader. `txn` names its transaction, if any.
    pub fn produce(
        &mut self,
        principal: &str,
        at: &TopicPartition,
        (producer_id, txn): (i64, Option<&str>),
        payload: Payload,
    ) -> Result<i64, KafkaErrorKind> {
        if !self.allows_topic(principal, AclOperation::Write, at) {
            return Err(broker_error(29));
        }
        self.led_log(at)?;
        if let Some(id) = txn {
            let now = self.now;
            let txn = self.txns.entry(id.to_owned()).or_insert(Txn {
                producer_id,
                began: now,
                partitions: BTreeSet::new(),
                epoch: 0,
            });
            if txn.partitions.is_empty() {
                txn.began = now;
                txn.producer_id = producer_id;
            }
            txn.partitions.insert(at.clone());
        }
        Ok(self.log_mut(at)?.append(payload, producer_id, txn.is_some()))
    }

    /// Ends the open transaction of an id. Works under a topic DENY, as on a real broker.
    pub fn end_transaction(&mut self, transactional_id: &str, commit: bool) {
        let Some(txn) = self.txns.get_mut(transactional_id) else { return };
        let producer = txn.producer_id;
        for at in std::mem::take(&mut txn.partitions) {
            if let Ok(log) = self.log_mut(&at) {
                log.end_transaction(producer, commit);
            }
        }
    }

    /// InitProducerId by somebody else: the open transaction is aborted and its producer fenced.
    pub fn fence_producer(&mut self, transactional_id: &str) {
        self.end_transaction(transactional_id, false);
        if let Some(txn) = self.txns.get_mut(transactional_id) {
            txn.epoch += 1;
        }
    }

    /// The group, made as an empty classic one that only commits if it did not exist.
    pub fn group_entry(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_insert_with(|| Group {
            kind: GroupType::Classic,
            protocol_type: String::new(),
            members: Vec::new(),
            offsets: BTreeMap::new(),
        })
    }
}
