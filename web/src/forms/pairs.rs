//! Clusters and pairs.

use secrecy::SecretString;
use serde::Deserialize;

/// `POST /clusters` (create) and `POST /clusters/{name}/edit`. An empty secret keeps the one that is stored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClusterForm {
    /// Name; ignored on edit.
    pub name: String,
    /// `host:port`, separated by commas, spaces or lines.
    pub bootstrap: String,
    /// Region or site.
    pub region: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: String,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`; ignored without SASL.
    pub mechanism: String,
    /// User name, or client id for OAUTHBEARER.
    pub username: String,
    /// Password, or client secret for OAUTHBEARER.
    pub password: SecretString,
    /// Token endpoint for OAUTHBEARER.
    pub token_url: String,
    /// Scope for OAUTHBEARER.
    pub scope: String,
    /// SASL extensions for OAUTHBEARER, `key=value` a line.
    pub extensions: String,
    /// PEM bundle of the brokers' authorities; empty uses the system's.
    pub ca_pem: String,
    /// PEM chain of Muster's certificate for mTLS.
    pub client_cert_pem: String,
    /// PEM key of that certificate.
    pub client_key_pem: SecretString,
    /// User of the fence probe.
    pub probe_username: String,
    /// Its password.
    pub probe_password: SecretString,
    /// Cluster id the brokers must report; empty until the first check found one.
    pub expected_cluster_id: String,
    /// Row version the form was made from.
    pub version: i64,
}

/// `POST /pairs/import`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    /// Content of the properties file.
    pub properties: String,
    /// Team the pairs will belong to.
    pub team: String,
    /// `look` shows what would be made; `import` makes it.
    pub act: String,
}

/// `POST /pairs` (create) and `POST /pairs/{name}/edit`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PairForm {
    /// Name; ignored on edit.
    pub name: String,
    /// Team.
    pub team: String,
    /// Cluster A.
    pub cluster_a: String,
    /// Cluster B.
    pub cluster_b: String,
    /// `active_passive` or `active_active`.
    pub mode: String,
    /// Topic patterns, one a line.
    pub topics: String,
    /// Topic patterns left out, one a line.
    pub topics_exclude: String,
    /// Group patterns, one a line.
    pub groups: String,
    /// Group patterns left out, one a line.
    pub groups_exclude: String,
    /// `identity` or `prefixed`, for both flows.
    pub naming: String,
    /// Separator of prefixed names.
    pub separator: String,
    /// `on` when the flow A → B exists.
    pub a_to_b: String,
    /// Connect address of A → B; empty while unattached.
    pub a_to_b_connect: String,
    /// Source connector of A → B.
    pub a_to_b_source: String,
    /// Checkpoint connector of A → B.
    pub a_to_b_checkpoint: String,
    /// Heartbeat connector of A → B.
    pub a_to_b_heartbeat: String,
    /// `on` when the flow B → A exists.
    pub b_to_a: String,
    /// Connect address of B → A.
    pub b_to_a_connect: String,
    /// Source connector of B → A.
    pub b_to_a_source: String,
    /// Checkpoint connector of B → A.
    pub b_to_a_checkpoint: String,
    /// Heartbeat connector of B → A.
    pub b_to_a_heartbeat: String,
    /// RPO objective in seconds.
    pub rpo_seconds: String,
    /// RTO objective in seconds.
    pub rto_seconds: String,
    /// Days a proof counts.
    pub verify_within_days: String,
    /// Approvals needed.
    pub approvals_needed: String,
    /// The same of single operations, one a line: `failover 2`.
    pub approvals_by_operation: String,
    /// Minutes to decide.
    pub decide_within_minutes: String,
    /// Minutes to start once approved.
    pub use_within_minutes: String,
    /// Address book file; empty for none.
    pub address_book: String,
    /// Webhook; empty for none.
    pub webhook: String,
    /// Canary topic; empty for none.
    pub canary_topic: String,
    /// How many of its partitions are written.
    pub canary_partitions: String,
    /// Seconds between two canary records of a partition.
    pub canary_seconds: String,
    /// `on` when payload of differing records may be shown.
    pub show_payload: String,
    /// Row version the form was made from.
    pub version: i64,
}

/// `POST /pairs/{name}/connect`. What is empty stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConnectForm {
    /// User name at the Connect of A → B.
    pub a_to_b_username: String,
    /// Its password.
    pub a_to_b_password: SecretString,
    /// Token for the Connect of A → B, in the place of both.
    pub a_to_b_token: SecretString,
    /// User name at the Connect of B → A.
    pub b_to_a_username: String,
    /// Its password.
    pub b_to_a_password: SecretString,
    /// Token for the Connect of B → A, in the place of both.
    pub b_to_a_token: SecretString,
}
