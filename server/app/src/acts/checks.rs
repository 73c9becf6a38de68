//! Checking a cluster: connect as Muster would, read its id, try each right. The one act that waits for Kafka; it is
//! bounded, and no transaction is open meanwhile.

use std::time::Duration;

use muster_domain::{
    cluster::ClusterDescription,
    ids::ClusterName,
    people::Actor,
    survey::{RightHeld, RightObservation},
};
use muster_kafka::{KafkaError, KafkaErrorKind};
use muster_store::clusters;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::audit_trail::{self, Entry};
use crate::{
    app::App,
    http::{Answer, Failure, codes::ANOTHER_CLUSTER},
};

/// Longest a check may take; the answer to the browser must begin within 30 s.
const BOUND: Duration = Duration::from_secs(25);

/// What a check found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckedCluster {
    /// The cluster.
    pub cluster: ClusterName,
    /// Id its brokers report.
    pub cluster_id: String,
    /// Whether the id was recorded by this check.
    pub id_recorded: bool,
    /// Number of brokers.
    pub brokers: usize,
    /// Each right: `held.held` is `yes`, `no` or `unknown`.
    #[schema(value_type = Vec<Object>)]
    pub rights: Vec<RightObservation>,
}

/// Checks a cluster and records its id when none is known.
///
/// # Errors
/// `cluster-unreachable`, `wrong-cluster`, `not-found`.
pub async fn check(app: &App, name: &ClusterName, actor: &Actor) -> Answer<CheckedCluster> {
    let cluster = {
        let mut conn = app.pool.acquire().await?;
        super::clusters::get(&mut conn, name).await?
    };
    let (found, rights) = match tokio::time::timeout(BOUND, ask(app, name)).await {
        Ok(asked) => asked?,
        Err(_) => return Err(unreachable(name, "it did not answer within 25 s")),
    };
    if let Some(expected) = cluster.expected_cluster_id.filter(|expected| *expected != found.cluster_id) {
        return Err(wrong(name, &expected, &found.cluster_id));
    }
    let mut tx = muster_store::begin(&app.pool).await?;
    let id_recorded = clusters::set_expected_cluster_id(&mut tx, name, &found.cluster_id).await?;
    let missing: Vec<&str> =
        rights.iter().filter(|r| matches!(r.held, RightHeld::No { .. })).map(|r| r.right.as_str()).collect();
    let detail =
        json!({"cluster_id": found.cluster_id, "id_recorded": id_recorded, "rights_missing": missing});
    audit_trail::record(&mut tx, actor, Entry::done("cluster.check", &format!("cluster {name}"), detail))
        .await?;
    tx.commit().await?;
    let brokers = found.brokers.len();
    Ok(CheckedCluster { cluster: name.clone(), cluster_id: found.cluster_id, id_recorded, brokers, rights })
}

async fn ask(app: &App, name: &ClusterName) -> Answer<(ClusterDescription, Vec<RightObservation>)> {
    let admin = app.hands.cluster_admin(name).await?;
    let found = admin.describe_cluster().await.map_err(|e| from_kafka(name, &e))?;
    let rights = admin.rights().await.map_err(|e| from_kafka(name, &e))?;
    Ok((found, rights))
}

fn from_kafka(name: &ClusterName, error: &KafkaError) -> Failure {
    if let KafkaErrorKind::WrongCluster { expected, found } = &error.kind {
        return wrong(name, expected, found);
    }
    // The kind tells what a person can act on: refused credentials, no TLS there, no answer.
    unreachable(name, &error.kind.to_string())
}

fn unreachable(name: &ClusterName, why: &str) -> Failure {
    Failure::new(
        "cluster-unreachable",
        format!("Muster could not check `{name}`: {why}."),
        "Check the addresses, the security settings and the credentials, and that the brokers can be reached from here.",
    )
}

fn wrong(name: &ClusterName, expected: &str, found: &str) -> Failure {
    Failure::new(
        "wrong-cluster",
        format!(
            "`{name}` must be the cluster with id `{expected}`, but `{found}` answers there. Nothing was changed."
        ),
        ANOTHER_CLUSTER,
    )
}
