//! Importing an mm2.properties file: clusters, pairs, and what Muster does not use. In one transaction or not at all.

use muster_domain::{
    cluster::Cluster,
    ids::{ClusterName, PairName, TeamName},
    mm2_properties::{self, ClusterDraft, PairDraft, Setting},
    pair::Pair,
    people::{Actor, Role},
};
use muster_store::{
    clusters,
    secrets::{self, SecretsKey},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    audit_trail::{self, Entry},
    needs_role,
    pairs::{default_approval, default_objectives, keep_under_new_name, object, stays_apart, told},
};
use crate::http::{Answer, Failure};

/// A file to import.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"team": "core-platform", "name": "carts",
    "text": "clusters = primary, dr\nprimary.bootstrap.servers = a:9092\ndr.bootstrap.servers = b:9092\n\
        primary->dr.enabled = true\nprimary->dr.topics = carts.*\n"}))]
pub struct ImportText {
    /// The file as it is.
    pub text: String,
    /// Team its pairs will belong to.
    pub team: TeamName,
    /// Name of the pair, when the file has one pair; otherwise made of its clusters' names.
    #[serde(default)]
    pub name: Option<PairName>,
}

/// What an import made.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Imported {
    /// Pairs made.
    pub pairs: Vec<Pair>,
    /// Clusters registered.
    pub clusters: Vec<ClusterName>,
    /// Clusters that were registered before and are used as they are.
    pub clusters_kept: Vec<ClusterName>,
    /// Settings Muster does not use, kept with the pairs they are about: `line 7: key = value`.
    pub unused: Vec<String>,
}

/// Reads a file without making anything.
///
/// # Errors
/// `import-has-bad-lines`, with each line and what is wrong with it.
pub fn look(text: &str) -> Answer<mm2_properties::Imported> {
    mm2_properties::import(text).map_err(|bad| {
        Failure::new(
            "import-has-bad-lines",
            format!("{} lines of the file cannot be used; nothing was imported.", bad.len()),
            "Correct the lines that are listed and import the file again.",
        )
        .with("lines", json!(bad))
    })
}

/// Imports a file. Clusters of the same name that are registered already are used as they are: an import never changes
/// how a cluster is reached. Registering new ones is an admin's right.
///
/// # Errors
/// `import-has-bad-lines`, `forbidden`, `name-taken`, `name-given-before`, `pairs-overlap`, `invalid-request`.
pub async fn import(
    conn: &mut PgConnection,
    key: &SecretsKey,
    asked: &ImportText,
    actor: &Actor,
) -> Answer<Imported> {
    let admin = actor.has_anywhere(Role::Admin);
    if !admin {
        needs_role(actor, Role::Owner, &asked.team)?;
    }
    let file = look(&asked.text)?;
    if asked.name.is_some() && file.pairs.len() != 1 {
        return Err(Failure::invalid(format!(
            "A name fits one pair, but the file has {}.",
            file.pairs.len()
        )));
    }
    let (mut made, mut kept) = (Vec::new(), Vec::new());
    for draft in &file.clusters {
        if clusters::get(conn, &draft.name).await?.is_some() {
            kept.push(draft.name.clone());
        } else if admin {
            register(conn, key, draft).await?;
            made.push(draft.name.clone());
        } else {
            return Err(only_admins(&draft.name));
        }
    }
    let unused = unused(&file);
    let mut imported = Vec::new();
    for draft in file.pairs {
        let pair = pair(draft, asked);
        stays_apart(conn, &pair, None, actor).await?;
        imported.push(keep_under_new_name(conn, &pair).await?);
    }
    for pair in &imported {
        let detail = json!({"pair": told(pair), "clusters": made, "clusters_kept": kept});
        audit_trail::record(conn, actor, Entry::done("pair.import", &object(&pair.name), detail)).await?;
    }
    Ok(Imported { pairs: imported, clusters: made, clusters_kept: kept, unused })
}

/// What the file has that only people will read: settings nothing is made of, and those kept with a pair as they are.
fn unused(file: &mm2_properties::Imported) -> Vec<String> {
    let kept = |setting: &&Setting| file.pairs.iter().any(|pair| pair.kept.contains_key(&setting.key));
    let mut settings: Vec<&Setting> = file.settings_used.iter().filter(kept).chain(&file.not_used).collect();
    settings.sort_by_key(|setting| setting.line);
    settings.iter().map(|s| format!("line {}: {} = {}", s.line, s.key, s.value)).collect()
}

async fn register(conn: &mut PgConnection, key: &SecretsKey, draft: &ClusterDraft) -> Answer<()> {
    let cluster = Cluster {
        name: draft.name.clone(),
        bootstrap: draft.bootstrap.clone(),
        security: draft.security.clone(),
        probe: None,
        expected_cluster_id: None,
        region: String::new(),
        version: 0,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    clusters::insert(conn, &cluster).await?;
    Ok(secrets::put(conn, key, &draft.name, &draft.secrets).await?)
}

fn pair(draft: PairDraft, asked: &ImportText) -> Pair {
    Pair {
        name: asked.name.clone().unwrap_or(draft.name),
        team: asked.team.clone(),
        clusters: draft.clusters,
        mode: draft.mode,
        topics: draft.topics,
        topics_exclude: draft.topics_exclude,
        groups: draft.groups,
        groups_exclude: draft.groups_exclude,
        flows: draft.flows,
        objectives: default_objectives(),
        approval: default_approval(),
        routing: Vec::new(),
        canary_topic: None,
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: draft.kept,
        version: 0,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn only_admins(cluster: &ClusterName) -> Failure {
    Failure::new(
        "forbidden",
        format!(
            "The file has the cluster `{cluster}`, which is not registered, and only an admin registers clusters."
        ),
        "Ask an admin to import the file, or to register the clusters first.",
    )
}
