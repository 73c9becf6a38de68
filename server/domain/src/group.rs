//! Consumer groups of all types as brokers describe them.

use serde::{Deserialize, Serialize};

use crate::topic::{ByPartition, TopicPartition, by_partition};

/// The protocol a group speaks (ListGroups v5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupType {
    /// The JoinGroup protocol.
    Classic,
    /// KIP-848.
    Consumer,
    /// KIP-932.
    Share,
    /// KIP-1071.
    Streams,
}

/// The state of a group, over all types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// No members. This is no proof that its consumers stopped processing (mm2-verified, correction 3b).
    Empty,
    /// Members hold their partitions.
    Stable,
    /// A rebalance of any kind is under way.
    Rebalancing,
    /// The coordinator has no such group any more.
    Dead,
    /// A state this version of Muster does not know.
    Unrecognised,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// The member id the coordinator gave it.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// The client's own `client.id`.
    pub client_id: String,
    /// Where it connects from, as the broker prints it (`/10.0.0.7`).
    pub client_host: String,
    /// What it holds now; empty when the assignment is in a format Muster does not read.
    pub assignment: Vec<TopicPartition>,
}

/// A group as its coordinator describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDescription {
    /// Group id.
    pub group: String,
    /// Protocol.
    pub kind: GroupType,
    /// State.
    pub state: GroupState,
    /// Members; empty for an empty group.
    pub members: Vec<GroupMember>,
}

/// One line of ListGroups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupListing {
    /// Group id.
    pub group: String,
    /// Protocol.
    pub kind: GroupType,
    /// `consumer`, `connect`, empty for groups that only ever committed.
    pub protocol_type: String,
    /// State; `Unrecognised` from brokers before 2.6, which do not tell.
    pub state: GroupState,
}

/// A committed position: the offset of the next record to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// Next offset to read, from 0.
    pub offset: i64,
    /// The client's own note, kept when offsets are rewritten.
    pub metadata: String,
    /// Leader epoch when the broker gave one.
    pub leader_epoch: Option<i32>,
}

/// All committed positions of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffsets(#[serde(with = "by_partition")] pub ByPartition<CommittedOffset>);
