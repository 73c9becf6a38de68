//! Who acts on every tick, and the ledger of what applications were promised and did.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::topic::TopicPartition;

use super::world::State;

/// Somebody who acts once per tick: an application, or a replication flow.
pub trait Actor: Send + std::fmt::Debug {
    /// Acts once.
    fn act(&mut self, state: &mut State);
}

/// A record whose write was acknowledged to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// World clock.
    pub tick: u64,
    /// Cluster that acknowledged.
    pub cluster: String,
    /// Where it is there.
    pub at: TopicPartition,
    /// The record's value, unique over the whole world.
    pub record: String,
}

/// A record an application processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// World clock.
    pub tick: u64,
    /// Cluster it was read from.
    pub cluster: String,
    /// Group.
    pub group: String,
    /// The record's value.
    pub record: String,
}

/// What applications were promised and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Acknowledged writes, in order.
    pub acked: Vec<Acked>,
    /// Processed records, in order.
    pub processed: Vec<Processed>,
    /// Records a group had processed before the scenario began, by group.
    pub known_before: BTreeMap<String, BTreeSet<String>>,
    /// Topics of each group's application.
    pub subscriptions: BTreeMap<String, Vec<String>>,
    /// Application writers: principal and topic.
    pub writers: BTreeSet<(String, String)>,
    /// Topics whose two sides are meant to take different writes (prefixed naming).
    pub separate: BTreeSet<String>,
    /// Refused writes by producer.
    pub refused: BTreeMap<String, u64>,
    /// Moments at which an application's topic was open for its writes on two clusters: tick and topic.
    pub open_on_both: Vec<(u64, String)>,
}
