//! One broker with a listener for every way that clients authenticate, for tests of connections.
//!
//! Separate from [`crate::Lab`]: it needs no replication, and its listeners would only slow the main lab down.

mod certificates;
mod properties;
mod token_endpoint;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::java::Java;
use crate::principals::{ADMIN, ALL, Acl, AclResource, MUSTER};
use crate::process::ChildProcess;
use crate::wait::{WaitBound, wait_until};
use crate::wire::{LabAdmin, NewTopic};
use crate::{broker, jars, ports};

use certificates::Certificates;
use properties::{Listeners, Passwords};
use token_endpoint::TokenEndpoint;

const TOPIC: &str = "security.check";

/// Where every listener is and what gets in. Certificates name `localhost` and `127.0.0.1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityDescription {
    /// Property file, logs, certificates.
    pub dir: PathBuf,
    /// The broker's cluster id.
    pub cluster_id: String,
    /// A topic with one partition.
    pub topic: String,
    /// PLAINTEXT. Everyone is `ANONYMOUS`, an ordinary principal that may use `topic` only.
    pub plaintext: String,
    /// SSL without client certificates; everyone is `ANONYMOUS`.
    pub ssl: String,
    /// SSL that requires a client certificate.
    pub mtls: String,
    /// SSL with a server certificate that expired in 2021.
    pub ssl_expired: String,
    /// SASL_PLAINTEXT with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.
    pub sasl_plaintext: String,
    /// SASL_SSL with the same mechanisms.
    pub sasl_ssl: String,
    /// PEM file of the authority that signed the servers' certificates.
    pub ca_pem: PathBuf,
    /// PEM file of an authority that signed nothing here.
    pub other_ca_pem: PathBuf,
    /// PEM file of a client certificate for the super user `muster`.
    pub client_cert_pem: PathBuf,
    /// PEM file of its PKCS#8 key.
    pub client_key_pem: PathBuf,
    /// Super user for PLAIN and both SCRAM mechanisms.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Token endpoint for the client-credentials grant, plain HTTP; tokens live 60 s.
    pub token_url: String,
    /// Client id; the broker knows its tokens as this super user.
    pub client_id: String,
    /// Client secret.
    pub client_secret: String,
}

/// The running broker and its token endpoint. Dropping it ends both and removes its directory.
#[derive(Debug)]
pub struct SecurityLab {
    description: SecurityDescription,
    broker: ChildProcess,
    tokens: TokenEndpoint,
}

impl SecurityLab {
    /// Makes certificates, starts the token endpoint and the broker, returns when it serves; about 6 s.
    pub async fn start() -> Result<Self> {
        let jars = jars::fetch_jars().await?;
        let dir = std::env::temp_dir().join(format!("muster-security-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&dir)?;
        let certificates = Certificates::make(&dir)?;
        let passwords = Passwords::make();
        let tokens = TokenEndpoint::start(&passwords.client_secret, &dir).await?;
        let java = Java::new(&jars, &dir)?;
        let listeners = Listeners::at(&ports::pick_free_ports(7)?);
        let properties = dir.join("security.properties");
        std::fs::write(
            &properties,
            properties::write(&dir, &listeners, &certificates, &passwords, tokens.keys()),
        )?;
        format_storage(&java, &properties, &passwords).await?;
        let broker = spawn_broker(&java, &dir, &properties, tokens.keys())?;
        let cluster_id = furnish(&broker, &listeners.address("SASL_PLAINTEXT")?, &passwords).await?;
        let description = SecurityDescription {
            cluster_id,
            topic: TOPIC.to_owned(),
            plaintext: listeners.address("PLAINTEXT")?,
            ssl: listeners.address("SSL")?,
            mtls: listeners.address("MTLS")?,
            ssl_expired: listeners.address("EXPIRED")?,
            sasl_plaintext: listeners.address("SASL_PLAINTEXT")?,
            sasl_ssl: listeners.address("SASL_SSL")?,
            ca_pem: certificates.ca,
            other_ca_pem: certificates.other_ca,
            client_cert_pem: certificates.client_cert,
            client_key_pem: certificates.client_key,
            user: MUSTER.to_owned(),
            password: passwords.muster,
            token_url: tokens.url(),
            client_id: MUSTER.to_owned(),
            client_secret: passwords.client_secret,
            dir,
        };
        Ok(Self { description, broker, tokens })
    }

    /// Addresses, users and files.
    pub fn describe(&self) -> &SecurityDescription {
        &self.description
    }

    /// How many tokens the endpoint has handed out.
    pub fn tokens_issued(&self) -> usize {
        self.tokens.issued()
    }

    /// The broker's newest log lines, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        self.broker.log_tail()
    }
}

impl Drop for SecurityLab {
    fn drop(&mut self) {
        // The broker's own drop comes later; a second kill of a process that is gone does no harm.
        if let Err(error) =
            self.broker.kill().and_then(|()| Ok(std::fs::remove_dir_all(&self.description.dir)?))
        {
            tracing::warn!("the security lab was not cleaned up: {error:#}");
        }
    }
}

async fn format_storage(java: &Java, properties: &Path, passwords: &Passwords) -> Result<()> {
    let mut args = vec!["format".to_owned(), "--standalone".to_owned()];
    args.extend(["--cluster-id".to_owned(), broker::make_cluster_id()]);
    args.extend(["--config".to_owned(), properties.display().to_string()]);
    for (user, password) in [(ADMIN, &passwords.admin), (MUSTER, &passwords.muster)] {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            args.push("--add-scram".to_owned());
            args.push(format!("{mechanism}=[name={user},iterations=4096,password={password}]"));
        }
    }
    let formatted = java.run_tool("kafka.tools.StorageTool", &args, Duration::from_secs(60)).await;
    formatted.map(drop).context("format the storage of the security lab")
}

fn spawn_broker(java: &Java, dir: &Path, properties: &Path, keys: &Path) -> Result<ChildProcess> {
    // Kafka refuses to read keys from a place that is not allowed by name.
    let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{}", keys.display());
    let flags = [broker::HEAP[0], broker::HEAP[1], allowed.as_str()];
    let arguments = java.arguments(&flags, broker::MAIN, &[properties.display().to_string()]);
    ChildProcess::spawn("security broker", Path::new("java"), &arguments, &[], &dir.join("security.log"))
}

/// Waits for the broker, then creates the topic and what ANONYMOUS may do; answers the cluster id.
async fn furnish(broker: &ChildProcess, bootstrap: &str, passwords: &Passwords) -> Result<String> {
    let ready = wait_until("the security broker to serve", WaitBound::seconds(60), || async {
        broker.expect_running()?;
        let mut admin = LabAdmin::connect(bootstrap, ADMIN, &passwords.admin).await?;
        let cluster_id = admin.cluster_id().await?;
        Ok(Some((admin, cluster_id)))
    });
    let (mut admin, cluster_id) =
        ready.await.with_context(|| format!("its log ends:\n{}", broker.log_tail()))?;
    admin.create_topics(&[NewTopic { name: TOPIC, partitions: 1, configs: &[] }]).await?;
    let anonymous = |resource, name: &str| Acl {
        principal: "User:ANONYMOUS".to_owned(),
        resource,
        name: name.to_owned(),
        prefixed: false,
        operation: ALL,
        allow: true,
    };
    admin
        .create_acls(&[anonymous(AclResource::Topic, TOPIC), anonymous(AclResource::Group, "security-check")])
        .await?;
    Ok(cluster_id)
}
