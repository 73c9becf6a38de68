//! A Kafka cluster as people register it, and the secrets that go with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::ClusterName;

/// How Muster's clients reach a cluster's brokers. Holds no secret: those are in [`ClusterSecrets`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Security {
    /// TLS settings; `None` means the connection is not encrypted.
    pub tls: Option<Tls>,
    /// SASL mechanism and user; `None` means the broker knows Muster by its certificate or as `ANONYMOUS`.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// Neither TLS nor SASL.
    pub const PLAINTEXT: Self = Self { tls: None, sasl: None };

    /// Kafka's own word for the combination (`security.protocol`).
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }
}

/// TLS settings. Host names are always verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tls {
    /// PEM bundle of the authorities that may sign the brokers' certificates; `None` uses the system's.
    pub ca_pem: Option<String>,
    /// PEM chain of Muster's own certificate for mTLS; its key is [`ClusterSecrets::client_key_pem`].
    pub client_cert_pem: Option<String>,
}

/// SASL settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "mechanism", rename_all = "snake_case")]
pub enum Sasl {
    /// PLAIN with [`ClusterSecrets::password`].
    Plain {
        /// User name.
        username: String,
    },
    /// SCRAM-SHA-256 with [`ClusterSecrets::password`].
    ScramSha256 {
        /// User name.
        username: String,
    },
    /// SCRAM-SHA-512 with [`ClusterSecrets::password`].
    ScramSha512 {
        /// User name.
        username: String,
    },
    /// OAUTHBEARER by the client-credentials grant; the secret is [`ClusterSecrets::password`].
    OauthBearer {
        /// Client id at the token endpoint.
        client_id: String,
        /// `https://…/token`.
        token_url: String,
        /// Scope to ask for, if the provider wants one.
        scope: Option<String>,
        /// SASL extensions such as `logicalCluster` (Confluent Cloud).
        #[serde(default)]
        extensions: BTreeMap<String, String>,
    },
}

impl Sasl {
    /// Kafka's name of the mechanism.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::ScramSha256 { .. } => "SCRAM-SHA-256",
            Self::ScramSha512 { .. } => "SCRAM-SHA-512",
            Self::OauthBearer { .. } => "OAUTHBEARER",
        }
    }
}

/// What must never leave: sealed in the store, redacted everywhere else (`SecretString` prints no content).
#[derive(Debug, Clone, Default)]
pub struct ClusterSecrets {
    /// Password, or client secret for OAUTHBEARER.
    pub password: Option<SecretString>,
    /// PEM private key for mTLS (PKCS#8, PKCS#1 or SEC1).
    pub client_key_pem: Option<SecretString>,
    /// Password of the probe principal.
    pub probe_password: Option<SecretString>,
}

/// The ordinary principal whose refused write proves a fence. A super user would always be let through, so this
/// must be a principal with an explicit ALLOW WRITE on the topics in scope (mm2-verified, result 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbePrincipal {
    /// Same mechanism as Muster's own connection, this user, password [`ClusterSecrets::probe_password`].
    pub username: String,
}

/// A cluster as people register it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cluster {
    /// Its name in Muster.
    pub name: ClusterName,
    /// `host:port` addresses. They must be this cluster's own: never the name that moves at a failover.
    pub bootstrap: Vec<String>,
    /// How to connect.
    pub security: Security,
    /// Principal for the zero-write fence probe; without it a fence can be set but not proven by a write attempt.
    pub probe: Option<ProbePrincipal>,
    /// Cluster id the brokers must report. `None` until the first check succeeded; nothing is ever changed on a
    /// cluster whose id is not known.
    pub expected_cluster_id: Option<String>,
    /// Region or site, free text, for people.
    pub region: String,
    /// Row version for If-Match.
    pub version: i64,
    /// When it was last edited.
    pub updated_at: DateTime<Utc>,
}

/// One broker as Metadata names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Broker {
    /// Node id.
    pub id: i32,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// What the cluster says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClusterDescription {
    /// Cluster id.
    pub cluster_id: String,
    /// Node id of the controller a client should talk to; `None` while there is none.
    pub controller: Option<i32>,
    /// Brokers by id.
    pub brokers: Vec<Broker>,
}
