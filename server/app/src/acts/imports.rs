//! Importing an mm2.properties file: clusters, pairs and what Muster does not use, in one transaction or not at all.

use std::collections::BTreeMap;

use muster_domain::{
    cluster::Cluster,
    ids::{ClusterName, PairName, TeamName},
    mm2_properties::{self, BadLine, Import, Request},
    pair::Pair,
    people::{Actor, Role},
};
use muster_store::{
    clusters, pairs,
    secrets::{self, SecretsKey},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    audit_trail::{self, Entry},
    needs_role,
    pairs::{default_approval, default_objectives, object, told},
};
use crate::http::{Answer, Failure};

/// A file to import.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportText {
    /// The file as it is.
    pub text: String,
    /// Team its pairs will belong to.
    pub team: TeamName,
    /// Name of the pair when the file has one pair; otherwise, and without it, made of the clusters' aliases.
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
    /// Clusters that were registered already and are used as they are.
    pub clusters_kept: Vec<ClusterName>,
    /// Settings kept with the pair and not used by Muster: `key = value`.
    pub unused: Vec<String>,
}
/// Reads a file without making anything.
///
/// # Errors
/// `import-has-bad-lines`, with each line and what is wrong with it.
pub fn look(asked: &ImportText) -> Answer<Import> {
    todo!()
}
/// Import.
pub async fn import(conn: &mut PgConnection, key: &SecretsKey, asked: &ImportText, actor: &Actor) -> Answer<Imported> {
    todo!()
}
