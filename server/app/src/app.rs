//! What every handler and loop shares: the database, the hands on clusters, the keys, the watch on runs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ipnet::IpNet;
use muster_domain::ids::ClusterName;
use muster_kafka::ClusterAdmin;
use muster_operations::{ClientSource, OperationError};
use muster_store::secrets::SecretsKey;
use sqlx::PgPool;

use crate::{
    acts::installation::DatabaseSize,
    auth::{oidc, passwords::Hashing, tokens::TokenKey},
    following::run_watch::RunWatch,
    loops::courier::Courier,
    process::{settings::Setting, telemetry::Telemetry},
    standing::{judgement::Causes, lag_hours::LagHours},
};

/// Hands on clusters: those of pairs for runs and surveys, and of a single cluster for its check.
#[async_trait]
pub trait Hands: ClientSource {
    /// An admin client for one cluster as it is registered now.
    async fn cluster_admin(&self, cluster: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError>;
}

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Database.
    pub pool: PgPool,
    /// Hands on clusters.
    pub hands: Arc<dyn Hands>,
    /// Signs sessions.
    pub tokens: TokenKey,
    /// Seals and opens secrets.
    pub secrets_key: Arc<SecretsKey>,
    /// Tells who watches a run that it changed.
    pub watch: RunWatch,
    /// Causes of trouble, for the number on every page.
    pub causes: Arc<Causes>,
    /// The size of the database, for those who look at the installation.
    pub database_size: Arc<DatabaseSize>,
    /// The last hour of every pair's lag, for pages that show them all.
    pub lag_hours: Arc<LagHours>,
    /// Delivers messages.
    pub courier: Arc<Courier>,
    /// What is remembered for monitoring.
    pub telemetry: Arc<Telemetry>,
    /// Address people type.
    pub public_url: Arc<str>,
    /// Proxies whose word for whom they bring counts.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Hashes passwords, few at a time.
    pub hashing: Arc<Hashing>,
    /// Most requests of one person in a minute that may change something.
    pub writes_per_minute: u32,
    /// Longest time a stream goes on without looking again whether its reader may read on.
    pub look_again: Duration,
    /// Where people sign in besides; none: with passwords only.
    pub oidc: Option<Arc<oidc::Provider>>,
    /// What this process was started with, for admins to see.
    pub settings: Arc<[Setting]>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.public_url)
    }
}

impl App {
    /// Whether browsers reach Muster by TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}
