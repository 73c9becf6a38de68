//! What carries records from one side to the other: one file per mechanism, one trait.
//!
//! Nothing here decides when to stop or start a flow. Every effect is read back, because Connect answers 200 to
//! offsets it will never use and 204 to a stop that takes 50 seconds (mm2-verified, corrections 5 and 6).

pub mod connect;
pub mod formats;
pub mod mm2_on_connect;
mod offset_pair_memory;
mod offset_pair_room;
pub mod records;
pub mod redact;
pub mod settings;
pub mod translate;
pub mod verify;

#[cfg(feature = "double")]
pub mod double;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_domain::{
    survey::{ConnectState, ConnectorRole, FlowObservation, OffsetPair},
    topic::{ByPartition, TopicPartition},
};

pub use mm2_on_connect::{ClusterHands, Mm2OnConnect};
pub use offset_pair_memory::{OffsetPairMemory, OffsetPairMemoryError};
pub use offset_pair_room::OffsetPairRoom;
pub use records::{FlowRecords, PartitionEnds};
pub use settings::{FlowEnd, FlowSettings};

/// What went wrong with a flow, keeping what was tried.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call} ({target}): {kind}")]
pub struct ReplicationError {
    /// What was tried: `stop connector orders-west-to-central-source`.
    pub call: String,
    /// Where: the Connect address without credentials.
    pub target: String,
    /// What came back.
    pub kind: ReplicationErrorKind,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplicationErrorKind {
    /// No connection or no answer in time. The call may or may not have been carried out.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// A rebalance is in progress (409); passes by itself.
    #[error("the workers are rebalancing")]
    Rebalancing,
    /// There is no such connector (404).
    #[error("there is no such connector")]
    NoSuchConnector,
    /// Who asks is not known there (401), or may not do this (403). Nothing was carried out.
    #[error("Connect answered {answer} and did nothing: {meaning}")]
    NotLetIn {
        /// HTTP status.
        status: u16,
        /// The status with what was said.
        answer: String,
        /// What was tried, what it means, and what to do.
        meaning: String,
    },
    /// Any other status.
    #[error("Connect answered {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Connect's own message.
        message: String,
    },
    /// The effect was accepted but reading it back shows something else.
    #[error("read back differs: {0}")]
    NotAsAsked(String),
    /// It was accepted but not reached within the bound.
    #[error("not reached within {bound_ms} ms: {last_seen}")]
    NotReached {
        /// Bound in milliseconds.
        bound_ms: u64,
        /// What was seen last.
        last_seen: String,
    },
    /// The mechanism cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// The answer could not be read.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl ReplicationError {
    /// Whether somebody answered who does not let Muster in.
    #[must_use]
    pub fn shuts_out(&self) -> bool {
        matches!(self.kind, ReplicationErrorKind::NotLetIn { .. })
    }

    /// Whether the same call may succeed a moment later without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match &self.kind {
            ReplicationErrorKind::Unreachable(_)
            | ReplicationErrorKind::Rebalancing
            | ReplicationErrorKind::NotReached { .. } => true,
            // A 500 of Connect is a timeout of an inner call more often than not; outcome unknown, look again.
            ReplicationErrorKind::Status { status, .. } => *status >= 500,
            ReplicationErrorKind::NoSuchConnector
            | ReplicationErrorKind::NotLetIn { .. }
            | ReplicationErrorKind::NotAsAsked(_)
            | ReplicationErrorKind::Unsupported(_)
            | ReplicationErrorKind::Unreadable(_) => false,
        }
    }
}

/// One flow of a pair, to look at and to steer.
#[async_trait]
pub trait Replication: Send + Sync + std::fmt::Debug {
    /// Everything a survey wants to know. Never fails: what could not be read is unknown with its reason.
    async fn observe(&self, now: DateTime<Utc>) -> FlowObservation;

    /// State of one connector and of its tasks. `Ok(None)` when this flow has no connector of that role.
    async fn state(&self, role: ConnectorRole) -> Result<Option<FlowState>, ReplicationError>;

    /// Stops a connector and returns when it is STOPPED with no tasks. Stopping a stopped one is fine.
    async fn stop(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError>;

    /// Resumes a connector and returns when it and at least one task are RUNNING. Restarts failed tasks.
    async fn resume(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError>;

    /// Config of a connector with its real values, credentials included: never log, show or store it.
    async fn config(&self, role: ConnectorRole) -> Result<BTreeMap<String, String>, ReplicationError>;

    /// Sets (`Some`) or removes (`None`) single config keys, reads them back, and, when the connector is not stopped,
    /// returns only when its tasks run again. No-op when nothing would change.
    async fn change_config(
        &self,
        role: ConnectorRole,
        changes: &BTreeMap<String, Option<String>>,
        bound_ms: u64,
    ) -> Result<(), ReplicationError>;

    /// Per source partition, the last source offset copied, inclusive; and the stored entries no task will read.
    async fn committed_offsets(&self) -> Result<(ByPartition<i64>, Vec<String>), ReplicationError>;

    /// Sets the committed offsets of the stopped source connector (inclusive; `None` forgets one), then reads them
    /// back and fails with `NotAsAsked` unless exactly the asked partitions hold exactly the asked values.
    async fn set_committed_offsets(&self, offsets: &ByPartition<Option<i64>>)
    -> Result<(), ReplicationError>;

    /// All offset pairs that are known of the flow, oldest first, by source partition: what its offset-syncs topic holds, and what
    /// of it was kept before ([`OffsetPairMemory`]).
    async fn offset_pairs(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<ByPartition<Vec<OffsetPair>>, ReplicationError>;
}

/// See [`Replication::state`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowState {
    /// The connector.
    pub connector: ConnectState,
    /// Its tasks.
    pub tasks: Vec<ConnectState>,
}
