//! A pair: two clusters protecting one another, what flows between them, and what its owners want of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    address, canary,
    ids::{ClusterName, PairName, TeamName},
    run::Operation,
};

/// One of the two clusters of a pair. Which of them is active is observed, never implied by the letter.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first cluster named.
    A,
    /// The second cluster named.
    B,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Its word in the database, the API and forms.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The side a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.as_str() == word)
    }

    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Something each side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BySide<T> {
    /// Side A's.
    pub a: T,
    /// Side B's.
    pub b: T,
}

impl<T> BySide<T> {
    /// That side's.
    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// That side's, to change.
    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// A direction through a pair. Records flow, or applications move, from one side to the other.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct Direction {
    /// Where from; the other side is where to.
    pub from: Side,
}

impl Direction {
    /// Where to.
    #[must_use]
    pub fn to(self) -> Side {
        self.from.other()
    }

    /// The way back.
    #[must_use]
    pub fn reverse(self) -> Self {
        Self { from: self.to() }
    }
}

/// How many clusters take application writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairMode {
    /// One at a time.
    ActivePassive,
    /// Both, with distinct topic names.
    ActiveActive,
}

impl PairMode {
    /// Its word in the database, the API and forms.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActivePassive => "active_passive",
            Self::ActiveActive => "active_active",
        }
    }
}

/// How the flow names topics on its target (MirrorMaker 2 `replication.policy.class`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case")]
pub enum NamingPolicy {
    /// IdentityReplicationPolicy: same name. Both directions must never be live on one topic (mm2.md 0.11).
    Identity,
    /// DefaultReplicationPolicy: `<source alias><separator><topic>`.
    Prefixed {
        /// `replication.policy.separator`, `.` unless set.
        separator: String,
    },
}

impl NamingPolicy {
    /// The name a source topic has on the target of a flow whose source cluster has that alias.
    #[must_use]
    pub fn target_name(&self, source_alias: &str, topic: &str) -> String {
        match self {
            Self::Identity => topic.to_owned(),
            Self::Prefixed { separator } => format!("{source_alias}{separator}{topic}"),
        }
    }
}

/// What carries a flow. Later mechanisms (dedicated MirrorMaker 2, Strimzi, Cluster Linking, MSK) become variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "mechanism", rename_all = "snake_case")]
pub enum Mechanism {
    /// MirrorMaker 2 connectors on a Connect cluster.
    Mm2OnConnect {
        /// REST address of any worker, `http://host:8083`; never with a user or a password.
        connect_url: String,
        /// Name of the MirrorSourceConnector.
        source_connector: String,
        /// Name of the MirrorCheckpointConnector, if there is one.
        checkpoint_connector: Option<String>,
        /// Name of the MirrorHeartbeatConnector, if there is one.
        heartbeat_connector: Option<String>,
    },
    /// Known only from an imported properties file: Muster can read both clusters but not yet see or steer the flow.
    Unattached,
}

/// One direction of replication inside a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Flow {
    /// From which side.
    pub direction: Direction,
    /// What carries it.
    pub mechanism: Mechanism,
    /// `source.cluster.alias`.
    pub source_alias: String,
    /// `target.cluster.alias`.
    pub target_alias: String,
    /// How it names topics.
    pub naming: NamingPolicy,
    /// Whether people want it to run now when its source is the active side (`source->target.enabled`).
    pub enabled: bool,
}

/// Targets for a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Objectives {
    /// Most data that may be lost if the active side dies, in seconds.
    pub rpo_seconds: i64,
    /// Longest time until applications work again, in seconds.
    pub rto_seconds: i64,
    /// Age in days after which a passed drill no longer counts as proof.
    pub verify_within_days: i64,
}

/// Who may approve a run of a pair and how many it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApprovalRule {
    /// Distinct approvers needed, at least 1; the requester never counts.
    pub needed: u32,
    /// The same of operations that need another number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, u32>)]
    pub by_operation: BTreeMap<Operation, u32>,
    /// Minutes to decide before the request expires.
    pub decide_within_minutes: i64,
    /// Minutes after approval within which the run must start.
    pub use_within_minutes: i64,
}

impl ApprovalRule {
    /// The same number for every operation.
    #[must_use]
    pub fn new(needed: u32, decide_within_minutes: i64, use_within_minutes: i64) -> Self {
        Self { needed, by_operation: BTreeMap::new(), decide_within_minutes, use_within_minutes }
    }

    /// Distinct approvers an operation needs.
    #[must_use]
    pub fn needed_for(&self, operation: Operation) -> u32 {
        self.by_operation.get(&operation).copied().unwrap_or(self.needed)
    }

    /// The most any operation needs.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.by_operation.values().copied().fold(self.needed, u32::max)
    }

    /// The fewest any operation needs.
    #[must_use]
    pub fn fewest(&self) -> u32 {
        self.by_operation.values().copied().fold(self.needed, u32::min)
    }
}

/// How applications are told to move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RoutingTarget {
    /// A JSON file that applications or their side-cars watch.
    AddressBook {
        /// Absolute path on the machine Muster runs on.
        path: String,
    },
    /// An HTTP endpoint of the team.
    Webhook {
        /// `https://…`, never with a user or a password.
        url: String,
    },
}

/// A pair as its owners configure it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pair {
    /// Its name.
    pub name: PairName,
    /// The team it belongs to.
    pub team: TeamName,
    /// The two clusters.
    pub clusters: BySide<ClusterName>,
    /// Mode.
    pub mode: PairMode,
    /// Topic patterns in scope (Java regular expressions as MirrorMaker 2 reads them, matched in full), source names.
    pub topics: Vec<String>,
    /// Topic patterns out of scope.
    pub topics_exclude: Vec<String>,
    /// Group patterns in scope.
    pub groups: Vec<String>,
    /// Group patterns out of scope.
    pub groups_exclude: Vec<String>,
    /// The flow from A to B and from B to A; a pair with one direction only has one.
    pub flows: Vec<Flow>,
    /// Targets.
    pub objectives: Objectives,
    /// Approval.
    pub approval: ApprovalRule,
    /// How applications are moved, in this order.
    pub routing: Vec<RoutingTarget>,
    /// Topic Muster writes its canary records to, on both sides; `None` when there is no canary.
    pub canary_topic: Option<String>,
    /// How many of its partitions are written, from 0: 1 to 32. Each proves the way of its own partition only.
    #[serde(default = "canary::default_partitions")]
    pub canary_partitions: i32,
    /// Seconds between two canary records of a partition: 2 to 300.
    #[serde(default = "canary::default_seconds")]
    pub canary_seconds: i64,
    /// Payload of records that a content proof found to differ may be shown to operators of the team. Kept by nobody either way.
    #[serde(default)]
    pub show_payload: bool,
    /// Settings an import kept that Muster does not use, `key` → value, for people to see.
    pub unused_settings: std::collections::BTreeMap<String, String>,
    /// Row version for If-Match.
    pub version: i64,
    /// When it was last edited.
    pub updated_at: DateTime<Utc>,
}

impl Pair {
    /// The flow of a direction, if the pair has one.
    #[must_use]
    pub fn flow(&self, direction: Direction) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.direction == direction)
    }

    /// Whether every flow brings topics to its target under other names than they have on its source, so that both flows may run and
    /// nothing goes in circles.
    #[must_use]
    pub fn has_distinct_names(&self) -> bool {
        self.flows.iter().all(|flow| flow.naming != NamingPolicy::Identity)
    }

    /// Flows that Muster can neither see nor steer yet, because nobody said what carries them.
    pub fn unattached(&self) -> impl Iterator<Item = Direction> {
        let unattached = |flow: &&Flow| matches!(flow.mechanism, Mechanism::Unattached);
        self.flows.iter().filter(unattached).map(|flow| flow.direction)
    }

    /// The addresses of Connect workers and webhooks, each with the name of its field.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let connect = self.flows.iter().filter_map(|flow| match &flow.mechanism {
            Mechanism::Mm2OnConnect { connect_url, .. } => Some(("connect_url", connect_url.as_str())),
            Mechanism::Unattached => None,
        });
        let webhooks = self.routing.iter().filter_map(|target| match target {
            RoutingTarget::Webhook { url } => Some(("url", url.as_str())),
            RoutingTarget::AddressBook { .. } => None,
        });
        connect.chain(webhooks)
    }

    /// As it is shown, told and kept in the audit. Pairs of before such addresses were refused may have credentials in them.
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        let hide = |address: &mut String| *address = address::shown(address).into_owned();
        for flow in &mut self.flows {
            if let Mechanism::Mm2OnConnect { connect_url, .. } = &mut flow.mechanism {
                hide(connect_url);
            }
        }
        for target in &mut self.routing {
            if let RoutingTarget::Webhook { url } = target {
                hide(url);
            }
        }
        self
    }

    /// The name of the cluster on a side.
    #[must_use]
    pub fn cluster(&self, side: Side) -> &ClusterName {
        self.clusters.get(side)
    }

    /// The side a cluster is on, if it is one of the two.
    #[must_use]
    pub fn side_of(&self, cluster: &ClusterName) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.cluster(*side) == cluster)
    }

    /// The direction from one cluster to another, if these are the two.
    #[must_use]
    pub fn direction(&self, from: &ClusterName, to: &ClusterName) -> Option<Direction> {
        let direction = Direction { from: self.side_of(from)? };
        (self.cluster(direction.to()) == to).then_some(direction)
    }

    /// `eu-west → eu-central`.
    #[must_use]
    pub fn course(&self, direction: Direction) -> String {
        format!("{} → {}", self.cluster(direction.from), self.cluster(direction.to()))
    }
}
