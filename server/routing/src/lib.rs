//! How applications are told to move: one file per traffic switch, one trait.

#[cfg(feature = "double")]
pub mod double;

pub mod address_book;
mod guard;
pub mod outbound;
pub mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::pair::RoutingTarget;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use address_book::AddressBook;
pub use webhook::Webhook;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Applications that write.
    Producers,
    /// Applications that read.
    Consumers,
}

impl std::fmt::Display for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Producers => "producers",
            Self::Consumers => "consumers",
        })
    }
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
    /// For consumers: stop reading, commit what was processed, leave the group and wait until told where to go on. Absent
    /// in messages where it is false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
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

    /// Whether it could be used for a pair now; nobody is sent anywhere. A switch that can only be asked is asked where its
    /// audiences are: that it would refuse a message then shows when one is sent.
    async fn check(&self, _pair: &str) -> Result<(), RoutingError> {
        for audience in [Audience::Producers, Audience::Consumers] {
            self.current(audience).await?;
        }
        Ok(())
    }

    /// Sends an audience to a cluster and reads it back where the switch allows that. Doing it twice equals once.
    async fn send(&self, audience: Audience, to: &Destination) -> Result<(), RoutingError>;
}

/// What all switches of an installation share.
#[derive(Debug, Clone, Default)]
pub struct RoutingOptions {
    /// Key of the signature of webhooks; unsigned when there is none.
    pub webhook_secret: Option<SecretString>,
    /// Whether webhooks may be on loopback, private and link-local addresses.
    pub allow_private_webhooks: bool,
}

/// The switches of a pair, in its order. One that cannot work says so when it is used.
#[must_use]
pub fn build(targets: &[RoutingTarget], options: &RoutingOptions) -> Vec<Arc<dyn Routing>> {
    let one = |target: &RoutingTarget| -> Arc<dyn Routing> {
        match target {
            RoutingTarget::AddressBook { path } => Arc::new(AddressBook::new(path)),
            RoutingTarget::Webhook { url } => Arc::new(Webhook::new(url, options)),
        }
    };
    targets.iter().map(one).collect()
}
