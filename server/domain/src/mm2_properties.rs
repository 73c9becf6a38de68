//! Reading MirrorMaker 2 properties as people write them: one pair per flow pair, and nothing half-imported.
//!
//! Keys are found as `MirrorMakerConfig` finds them: `A->B.key` before `key`, `A.key` before `key`, the last of equal
//! keys. What Muster does not use is kept and listed. Credentials leave only as `SecretString`, inside
//! [`ClusterDraft::secrets`]; every text of this module that may be shown is redacted.

mod credentials;
mod flows;
mod lines;
mod security;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::lines::Settings;
use crate::{
    cluster::{ClusterSecrets, Security},
    ids::{ClusterName, PairName},
    pair::{BySide, Flow, PairMode},
};

/// What a file becomes. The application turns drafts into clusters and pairs.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Clusters that take part in a pair, in the file's order.
    pub clusters: Vec<ClusterDraft>,
    /// Pairs, in the order of their clusters.
    pub pairs: Vec<PairDraft>,
    /// What was used, by line.
    pub settings_used: Vec<Setting>,
    /// What is kept and not used by Muster, by line.
    pub not_used: Vec<Setting>,
}

/// A cluster of the file.
#[derive(Debug, Clone)]
pub struct ClusterDraft {
    /// As the file names it.
    pub alias: String,
    /// The same as a name of Muster: lower case, other characters as `-`.
    pub name: ClusterName,
    /// `host:port` addresses.
    pub bootstrap: Vec<String>,
    /// How to connect.
    pub security: Security,
    /// What goes with it.
    pub secrets: ClusterSecrets,
}

/// A pair of the file: two clusters with at least one enabled flow between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairDraft {
    /// Made of the clusters' names; the application may take another.
    pub name: PairName,
    /// A is the source of the first enabled flow.
    pub clusters: BySide<ClusterName>,
    /// Active-active when both directions are enabled with prefixed names.
    pub mode: PairMode,
    /// Topic patterns of all enabled flows.
    pub topics: Vec<String>,
    /// Topic patterns excluded by all enabled flows.
    pub topics_exclude: Vec<String>,
    /// Group patterns of all enabled flows.
    pub groups: Vec<String>,
    /// Group patterns excluded by all enabled flows.
    pub groups_exclude: Vec<String>,
    /// Flows the file has, enabled or not. They are unattached until people name their connectors.
    pub flows: Vec<Flow>,
    /// Settings to keep with the pair: offset syncing, and what Muster does not use. Redacted.
    pub kept: BTreeMap<String, String>,
}

/// One setting of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Line it begins on, from 1.
    pub line: usize,
    /// Key.
    pub key: String,
    /// Value; `[redacted]` when it is a credential.
    pub value: String,
    /// What it became, or why it is not used.
    pub becomes: String,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Line it begins on, from 1; 0 when something is missing from the file.
    pub line: usize,
    /// The line; credentials are redacted.
    pub text: String,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

/// Reads a file.
///
/// # Errors
/// All lines that cannot be used; then nothing of the file is.
pub fn import(text: &str) -> Result<Imported, Vec<BadLine>> {
    let mut settings = Settings::read(text);
    let aliases = flows::aliases(&mut settings);
    let pairs = flows::pairs(&mut settings, &aliases);
    let in_pairs = |name: &ClusterName| pairs.iter().any(|p| p.clusters.a == *name || p.clusters.b == *name);
    let mut clusters = Vec::new();
    for alias in &aliases {
        let draft = security::cluster(&mut settings, alias);
        if in_pairs(&draft.name) {
            clusters.push(draft);
        }
    }
    let (settings_used, not_used) = settings.finish()?;
    let pairs = flows::with_unused(pairs, &aliases, &not_used);
    Ok(Imported { clusters, pairs, settings_used, not_used })
}
