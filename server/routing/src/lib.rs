//! How applications are told to move: one file per traffic switch, one trait.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Applications that write.
    Producers,
    /// Applications that read.
    Consumers,
}

/// What they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Pair name.
    pub pair: String,
    /// Cluster name in Muster.
    pub cluster: String,
    /// Its bootstrap addresses.
    pub bootstrap: Vec<String>,
    /// Run that asks, for the receiver's own log and as an idempotency key.
    pub run: uuid::Uuid,
    /// Epoch of the worker that asks: a receiver must ignore an epoch lower than one it has seen for the same run.
    pub epoch: i64,
}

/// What went wrong with a switch.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call} ({target}): {reason}")]
pub struct RoutingError {
    /// What was tried.
    pub call: String,
    /// Where, without credentials.
    pub target: String,
    /// What came back.
    pub reason: String,
    /// Whether the same call may succeed a moment later.
    pub may_pass: bool,
}

/// One traffic switch.
#[async_trait]
pub trait Routing: Send + Sync + std::fmt::Debug {
    /// Where it is, for people: `address book /var/lib/…`, `webhook https://…` without credentials.
    fn describe(&self) -> String;

    /// Where an audience is sent now; `None` when the switch cannot tell or was never set.
    async fn current(&self, audience: Audience) -> Result<Option<Destination>, RoutingError>;

    /// Sends an audience to a cluster and reads it back where the switch allows that. Doing it twice equals once.
    async fn send(&self, audience: Audience, to: &Destination) -> Result<(), RoutingError>;
}
