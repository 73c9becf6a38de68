//! Sharing work between processes by Kafka's own group protocol: who is a member gets partitions dealt out, and a member
//! that dies loses them to the others.

use std::collections::BTreeSet;

use muster_domain::topic::TopicPartition;
use tokio::sync::watch;

/// What a member of a group has been given to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dealt {
    /// Nothing is dealt yet, or it is being dealt anew.
    Waiting,
    /// These partitions, and nobody else's. A member that is cut off may take itself for the owner a little longer.
    Mine(BTreeSet<TopicPartition>),
    /// The cluster does not let it in, for this reason.
    Refused(String),
}

/// Membership in a group; ends when it is dropped. Reads no records and commits nothing.
pub trait WorkShare: Send + Sync {
    /// What it has been given, now and whenever that changes.
    fn dealt(&self) -> watch::Receiver<Dealt>;
}
