//! One full observation of a pair. Each part carries when it was read, or why it is unknown.
//!
//! A survey holds facts only. What they mean is decided by pure rules over it: `readiness`, `lag`, `direction`.

mod connect;
mod flow;
mod side;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    connect::{
        AssignedPartitions, ConnectState, ConnectorObservation, ConnectorRole, TaskObservation,
        WorkerObservation,
    },
    flow::{
        CommittedSourceOffsets, FlowObservation, LastPairs, NewestPairs, OffsetPair, OldPosition, Rewind,
        UnreadableSyncs, WriterSeen, WritersObservation,
    },
    side::{
        AclObservation, BrokerSettings, FirstMissing, GroupObservation, OpenTransaction,
        PartitionObservation, RightHeld, RightObservation, SideObservation, TopicObservation,
    },
};
use crate::{
    ids::PairName,
    pair::{BySide, Side},
    reading::Observed,
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
