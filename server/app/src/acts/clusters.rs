//! Clusters: register, change, forget. Secrets go in sealed and never come out again.

use muster_domain::{
    cluster::{Cluster, ClusterSecrets, ProbePrincipal, Security},
    ids::ClusterName,
    people::Actor,
};
use muster_store::{
    clusters, pairs, runs,
    secrets::{self, SecretsKey},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::audit_trail::{self, Entry};
use crate::http::{Answer, Failure, check_version};

/// A cluster to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "us-east", "bootstrap": ["kafka-1.us-east.example:9092"], "region": "us-east",
    "security": {"sasl": {"mechanism": "scram_sha512", "username": "muster"}},
    "secrets": {"password": "of the principal"}}))]
pub struct NewCluster {
    /// Its name in Muster.
    pub name: ClusterName,
    /// `host:port` addresses of its own brokers, never a name that moves at a failover.
    pub bootstrap: Vec<String>,
    /// How to connect.
    #[serde(default = "plaintext")]
    pub security: Security,
    /// Principal of the fence probe.
    #[serde(default)]
    pub probe: Option<ProbePrincipal>,
    /// Region or site, free text.
    #[serde(default)]
    pub region: String,
    /// What is sealed.
    #[serde(default)]
    pub secrets: SecretsInput,
}

fn plaintext() -> Security {
    Security::PLAINTEXT
}

/// Changes to a cluster; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"bootstrap": ["kafka-1.eu-west.example:9092", "kafka-2.eu-west.example:9092"]}))]
pub struct ClusterEdit {
    /// See [`NewCluster::bootstrap`].
    #[serde(default)]
    pub bootstrap: Option<Vec<String>>,
    /// See [`NewCluster::security`].
    #[serde(default)]
    pub security: Option<Security>,
    /// Principal of the fence probe; null removes it.
    #[serde(default, deserialize_with = "present")]
    pub probe: Option<Option<ProbePrincipal>>,
    /// See [`NewCluster::region`].
    #[serde(default)]
    pub region: Option<String>,
    /// Secrets to set; those left out or empty stay.
    #[serde(default)]
    pub secrets: SecretsInput,
    /// True after the cluster was rebuilt: its id is forgotten, and nothing is changed on it until it is checked again.
    #[serde(default)]
    pub forget_cluster_id: bool,
}

/// Tells "null" from "left out".
pub(crate) fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    d: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// Secrets, written and never read back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsInput {
    /// Password, or client secret for OAUTHBEARER.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    pub password: Option<SecretString>,
    /// PEM private key for mTLS.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    pub client_key_pem: Option<SecretString>,
    /// Password of the probe principal.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    pub probe_password: Option<SecretString>,
}

impl SecretsInput {
    /// Those that are given; an empty one counts as left out.
    fn given(&self) -> ClusterSecrets {
        let given = |secret: &Option<SecretString>| secret.clone().filter(|s| !s.expose_secret().is_empty());
        ClusterSecrets {
            password: given(&self.password),
            client_key_pem: given(&self.client_key_pem),
            probe_password: given(&self.probe_password),
        }
    }

    /// Names of those that are given.
    fn names(&self) -> Vec<&'static str> {
        let given = self.given();
        [
            ("password", given.password.is_some()),
            ("client_key_pem", given.client_key_pem.is_some()),
            ("probe_password", given.probe_password.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect()
    }
}

/// A cluster as it is shown: which secrets are kept, never what they are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClusterView {
    /// The cluster.
    #[serde(flatten)]
    pub cluster: Cluster,
    /// Kafka's word for how it is reached: `SASL_SSL`.
    pub protocol: String,
    /// Names of the secrets that are kept.
    pub secrets_kept: Vec<String>,
}

/// A cluster as it is shown.
///
/// # Errors
/// `not-found`.
pub async fn view(conn: &mut PgConnection, name: &ClusterName) -> Answer<ClusterView> {
    let cluster = get(conn, name).await?;
    shown(conn, cluster).await
}

async fn shown(conn: &mut PgConnection, cluster: Cluster) -> Answer<ClusterView> {
    let kept = secrets::fields(conn, &cluster.name).await?;
    let secrets_kept = kept.into_iter().map(|field| field.as_str().to_owned()).collect();
    Ok(ClusterView { protocol: cluster.security.protocol().to_owned(), cluster, secrets_kept })
}

/// Clusters by name as they are shown, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: i64) -> Answer<Vec<ClusterView>> {
    let mut views = Vec::new();
    for cluster in clusters::page(conn, after, limit).await? {
        views.push(shown(conn, cluster).await?);
    }
    Ok(views)
}

/// A cluster.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, name: &ClusterName) -> Answer<Cluster> {
    clusters::get(conn, name).await?.ok_or_else(|| Failure::not_found("cluster", name.as_str()))
}

/// Registers a cluster.
///
/// # Errors
/// `name-taken`, or `invalid-request` when it does not hold together.
pub async fn create(
    conn: &mut PgConnection,
    key: &SecretsKey,
    new: NewCluster,
    actor: &Actor,
) -> Answer<ClusterView> {
    let cluster = Cluster {
        name: new.name,
        bootstrap: new.bootstrap,
        security: new.security,
        probe: new.probe,
        expected_cluster_id: None,
        region: new.region,
        version: 0,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    check_bootstrap(&cluster.bootstrap)?;
    let cluster = clusters::insert(conn, &cluster).await?;
    secrets::put(conn, key, &cluster.name, &new.secrets.given()).await?;
    let detail = told(&cluster, &new.secrets);
    audit_trail::record(conn, actor, Entry::done("cluster.create", &object(&cluster.name), detail)).await?;
    view(conn, &cluster.name).await
}

/// Changes a cluster.
///
/// # Errors
/// `edited-in-between`, `not-found`, `invalid-request`, `pair-has-active-run`.
pub async fn change(
    conn: &mut PgConnection,
    key: &SecretsKey,
    name: &ClusterName,
    version: Option<i64>,
    edit: ClusterEdit,
    actor: &Actor,
) -> Answer<ClusterView> {
    let mut cluster = get(conn, name).await?;
    check_version(version, cluster.version)?;
    cluster.bootstrap = edit.bootstrap.unwrap_or(cluster.bootstrap);
    cluster.security = edit.security.unwrap_or(cluster.security);
    cluster.probe = edit.probe.unwrap_or(cluster.probe);
    cluster.region = edit.region.unwrap_or(cluster.region);
    check_bootstrap(&cluster.bootstrap)?;
    let cluster = clusters::update(conn, &cluster).await?;
    secrets::put(conn, key, name, &edit.secrets.given()).await?;
    if edit.forget_cluster_id {
        refuse_during_run(conn, name).await?;
        clusters::forget_cluster_id(conn, name).await?;
    }
    let mut detail = told(&cluster, &edit.secrets);
    detail["forgot_cluster_id"] = json!(edit.forget_cluster_id);
    audit_trail::record(conn, actor, Entry::done("cluster.change", &object(name), detail)).await?;
    view(conn, name).await
}

/// A run goes on changing only the clusters it was approved for: which one that is may not be forgotten under it.
async fn refuse_during_run(conn: &mut PgConnection, name: &ClusterName) -> Answer<()> {
    for pair in pairs::list(conn, None, Some(name)).await? {
        if let Some(run) = runs::active_for_pair(conn, &pair.name).await? {
            return Err(Failure::new(
                "pair-has-active-run",
                format!(
                    "Run {} holds pair `{}`, and was approved for this very cluster.",
                    run.number, pair.name
                ),
                "Let the run end, or abort it, then let Muster forget the cluster's id.",
            ));
        }
    }
    Ok(())
}

/// Forgets a cluster that no pair uses.
///
/// # Errors
/// `cluster-in-use`, `edited-in-between`, `not-found`.
pub async fn delete(
    conn: &mut PgConnection,
    name: &ClusterName,
    version: Option<i64>,
    actor: &Actor,
) -> Answer<()> {
    let cluster = get(conn, name).await?;
    check_version(version, cluster.version)?;
    clusters::delete(conn, name, cluster.version).await?;
    audit_trail::record(conn, actor, Entry::done("cluster.delete", &object(name), json!({}))).await
}

fn object(name: &ClusterName) -> String {
    format!("cluster {name}")
}

/// What the audit keeps: how it is reached and which secrets were set, never their content.
fn told(cluster: &Cluster, input: &SecretsInput) -> serde_json::Value {
    json!({
        "bootstrap": cluster.bootstrap,
        "protocol": cluster.security.protocol(),
        "mechanism": cluster.security.sasl.as_ref().map(|sasl| sasl.mechanism()),
        "probe": cluster.probe.as_ref().map(|probe| &probe.username),
        "region": cluster.region,
        "secrets_set": input.names(),
    })
}

fn check_bootstrap(bootstrap: &[String]) -> Answer<()> {
    if bootstrap.is_empty() {
        return Err(Failure::invalid("A cluster needs at least one bootstrap address, `host:port`."));
    }
    let usable = |address: &str| {
        address.rsplit_once(':').is_some_and(|(host, port)| {
            let host_fits =
                !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@');
            host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    match bootstrap.iter().find(|address| !usable(address)) {
        Some(bad) => {
            Err(Failure::invalid(format!("`{bad}` is not a bootstrap address; it must be `host:port`.")))
        }
        None => Ok(()),
    }
}
