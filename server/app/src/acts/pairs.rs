//! Pairs: made and read. A pair is edited as a whole by its owners; what a plan was made from is its version.

mod addresses;
mod edits;
mod names;
mod removal;
mod rules;

use std::collections::BTreeMap;

use muster_domain::{
    canary,
    ids::{ClusterName, PairName, TeamName},
    pair::{ApprovalRule, BySide, Flow, Objectives, Pair, PairMode, RoutingTarget},
    people::{Actor, Role},
};
use muster_store::{pairs, runs};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

pub use self::{
    edits::{Attachment, PairEdit, change},
    removal::{InTheWay, delete, in_the_way},
};
pub(super) use self::{names::keep_under_new_name, rules::stays_apart};
use super::{
    approvers,
    audit_trail::{self, Entry},
    needs_role,
};
use crate::http::{Answer, Failure};

/// A pair to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "shop", "team": "core-platform", "clusters": {"a": "eu-west", "b": "eu-central"},
    "topics": ["shop\\..*"], "groups": ["shop-.*"],
    "flows": [{"direction": {"from": "a"}, "mechanism": {"mechanism": "unattached"}, "source_alias": "eu-west",
        "target_alias": "eu-central", "naming": {"policy": "identity"}, "enabled": true}]}))]
pub struct NewPair {
    /// Its name.
    pub name: PairName,
    /// The team it belongs to.
    pub team: TeamName,
    /// Its two clusters.
    pub clusters: BySide<ClusterName>,
    /// Mode.
    #[serde(default = "active_passive")]
    pub mode: PairMode,
    /// Topic patterns in scope (Java regular expressions, matched in full).
    pub topics: Vec<String>,
    /// Topic patterns out of scope.
    #[serde(default)]
    pub topics_exclude: Vec<String>,
    /// Group patterns in scope.
    #[serde(default = "everything")]
    pub groups: Vec<String>,
    /// Group patterns out of scope.
    #[serde(default)]
    pub groups_exclude: Vec<String>,
    /// Its flows, one or two.
    pub flows: Vec<Flow>,
    /// Targets.
    #[serde(default = "default_objectives")]
    pub objectives: Objectives,
    /// Approval.
    #[serde(default = "default_approval")]
    pub approval: ApprovalRule,
    /// How applications are moved.
    #[serde(default)]
    pub routing: Vec<RoutingTarget>,
    /// Topic for canary records.
    #[serde(default)]
    pub canary_topic: Option<String>,
    /// How many of its partitions are written, from 0: 1 to 32.
    #[serde(default = "canary::default_partitions")]
    pub canary_partitions: i32,
    /// Seconds between two canary records of a partition: 2 to 300.
    #[serde(default = "canary::default_seconds")]
    pub canary_seconds: i64,
}

fn active_passive() -> PairMode {
    PairMode::ActivePassive
}

fn everything() -> Vec<String> {
    vec![".*".to_owned()]
}

/// Targets of a pair nobody has set any for.
#[must_use]
pub fn default_objectives() -> Objectives {
    Objectives { rpo_seconds: 60, rto_seconds: 900, verify_within_days: 90 }
}

/// Approval of a pair nobody has set a rule for.
#[must_use]
pub fn default_approval() -> ApprovalRule {
    ApprovalRule::new(1, 240, 60)
}

/// A pair as it is shown.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, name: &PairName) -> Answer<Pair> {
    let found = pairs::get(conn, name).await?.ok_or_else(|| Failure::not_found("pair", name.as_str()))?;
    Ok(found.without_credentials())
}

/// A pair as it is shown, which is neither edited nor removed until the transaction ends: for what is made for it.
///
/// # Errors
/// `not-found`.
pub(super) async fn held(conn: &mut PgConnection, name: &PairName) -> Answer<Pair> {
    let found = pairs::hold(conn, name).await?.ok_or_else(|| Failure::not_found("pair", name.as_str()))?;
    Ok(found.without_credentials())
}

/// Pairs this person may see, as they are shown.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, actor: &Actor) -> Answer<Vec<Pair>> {
    let all = pairs::list(conn, None, None).await?;
    let mine = all.into_iter().filter(|pair| actor.may_read(&pair.team));
    Ok(mine.map(Pair::without_credentials).collect())
}

/// Makes a pair.
///
/// # Errors
/// `forbidden`, `name-taken`, `name-given-before`, `cluster-in-use` when a cluster is not registered, `pairs-overlap`,
/// `too-few-approvers`, `invalid-request`.
pub async fn create(conn: &mut PgConnection, new: NewPair, actor: &Actor) -> Answer<Pair> {
    needs_role(actor, Role::Owner, &new.team)?;
    let pair = Pair {
        name: new.name,
        team: new.team,
        clusters: new.clusters,
        mode: new.mode,
        topics: new.topics,
        topics_exclude: new.topics_exclude,
        groups: new.groups,
        groups_exclude: new.groups_exclude,
        flows: new.flows,
        objectives: new.objectives,
        approval: new.approval,
        routing: new.routing,
        canary_topic: new.canary_topic,
        canary_partitions: new.canary_partitions,
        canary_seconds: new.canary_seconds,
        show_payload: false,
        unused_settings: BTreeMap::new(),
        version: 0,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    rules::check(&pair, None)?;
    addresses::hold_no_credentials(&pair, None)?;
    approvers::are_enough(conn, &pair).await?;
    stays_apart(conn, &pair, None, actor).await?;
    let pair = keep_under_new_name(conn, &pair).await?;
    audit_trail::record(conn, actor, Entry::done("pair.create", &object(&pair.name), told(&pair))).await?;
    Ok(pair)
}

/// A pair that no run holds, locked for a change of it.
async fn lock_free(conn: &mut PgConnection, name: &PairName) -> Answer<Pair> {
    let pair = pairs::lock(conn, name).await?.ok_or_else(|| Failure::not_found("pair", name.as_str()))?;
    match runs::active_for_pair(conn, name).await? {
        None => Ok(pair),
        Some(run) => Err(Failure::new(
            "pair-has-active-run",
            format!("Run {} holds pair `{name}`, and it was approved for the pair as it is.", run.number),
            "Wait for it to end, or abort it.",
        )),
    }
}

pub(super) fn object(name: &PairName) -> String {
    format!("pair {name}")
}

/// What the audit keeps of a pair: everything but credentials.
pub(super) fn told(pair: &Pair) -> serde_json::Value {
    serde_json::to_value(pair.clone().without_credentials()).unwrap_or_default()
}
