//! Changing a pair.

use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    pair::{ApprovalRule, Flow, Mechanism, Objectives, Pair, PairMode, RoutingTarget},
    people::{Actor, Role},
};
use muster_store::pairs;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    addresses::hold_no_credentials,
    lock_free, object,
    rules::{check, stays_apart},
    told,
};
use crate::{
    acts::{
        approvers,
        audit_trail::{self, Entry},
        clusters::present,
        connect_credentials::forget_detached,
        needs_role,
    },
    http::{Answer, Failure, SinceShown, check_version},
};

/// Connectors of one flow, by the cluster records come from.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Cluster the flow's records come from.
    pub from: ClusterName,
    /// REST address of any Connect worker.
    pub connect_url: String,
    /// Name of the MirrorSourceConnector.
    pub source_connector: String,
    /// Name of the MirrorCheckpointConnector.
    #[serde(default)]
    pub checkpoint_connector: Option<String>,
    /// Name of the MirrorHeartbeatConnector.
    #[serde(default)]
    pub heartbeat_connector: Option<String>,
}

/// Changes to a pair; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"objectives": {"rpo_seconds": 10, "rto_seconds": 120, "verify_within_days": 90}}))]
pub struct PairEdit {
    /// The team it belongs to.
    #[serde(default)]
    pub team: Option<TeamName>,
    /// Mode.
    #[serde(default)]
    pub mode: Option<PairMode>,
    /// Topic patterns in scope.
    #[serde(default)]
    pub topics: Option<Vec<String>>,
    /// Topic patterns out of scope.
    #[serde(default)]
    pub topics_exclude: Option<Vec<String>>,
    /// Group patterns in scope.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// Group patterns out of scope.
    #[serde(default)]
    pub groups_exclude: Option<Vec<String>>,
    /// All flows anew.
    #[serde(default)]
    pub flows: Option<Vec<Flow>>,
    /// Attaches flows the pair has to their connectors, leaving the rest of them as it is.
    #[serde(default)]
    pub attach: Vec<Attachment>,
    /// Targets.
    #[serde(default)]
    pub objectives: Option<Objectives>,
    /// Approval.
    #[serde(default)]
    pub approval: Option<ApprovalRule>,
    /// How applications are moved, all of it.
    #[serde(default)]
    pub routing: Option<Vec<RoutingTarget>>,
    /// Topic for canary records; null for none.
    #[serde(default, deserialize_with = "present")]
    pub canary_topic: Option<Option<String>>,
    /// How many of its partitions are written, from 0: 1 to 32.
    #[serde(default)]
    pub canary_partitions: Option<i32>,
    /// Seconds between two canary records of a partition: 2 to 300.
    #[serde(default)]
    pub canary_seconds: Option<i64>,
    /// Payload of records that a content proof found to differ may be shown to operators; allowing it needs somebody who has
    /// just shown that they are there.
    #[serde(default)]
    pub show_payload: Option<bool>,
}

/// Changes a pair. Refused while a run holds it: the run was approved for the pair as it was. Whoever allows payload to be
/// shown has just shown that they are there: what was seen cannot be taken back. A flow that is attached to no Connect any more
/// forgets what Muster signed in with there.
///
/// # Errors
/// `reauthentication-needed`, `pair-has-active-run`, `edited-in-between`, `forbidden`, `not-found`, `pairs-overlap`,
/// `too-few-approvers`, `invalid-request`.
pub async fn change(
    conn: &mut PgConnection,
    name: &PairName,
    version: Option<i64>,
    edit: PairEdit,
    (actor, since_shown): (&Actor, SinceShown),
) -> Answer<Pair> {
    let before = lock_free(conn, name).await?;
    check_version(version, before.version)?;
    if edit.show_payload == Some(true) && !before.show_payload {
        since_shown.acts()?;
    }
    if let Some(team) = &edit.team {
        needs_role(actor, Role::Owner, team)?;
    }
    let pair = edited(before.clone(), edit)?;
    check(&pair, Some(&before))?;
    hold_no_credentials(&pair, Some(&before))?;
    // A rule that people left behind is shown, and does not keep owners from other edits.
    if pair.approval.most() > before.approval.most() || pair.team != before.team {
        approvers::are_enough(conn, &pair).await?;
    }
    stays_apart(conn, &pair, Some(&before), actor).await?;
    let pair = pairs::update(conn, &pair).await?.without_credentials();
    let mut detail = told(&pair);
    let forgotten = forget_detached(conn, &pair).await?;
    if !forgotten.is_empty() {
        detail["connect_sign_in_removed"] = json!(forgotten);
    }
    audit_trail::record(conn, actor, Entry::done("pair.change", &object(name), detail)).await?;
    Ok(pair)
}

fn edited(mut pair: Pair, edit: PairEdit) -> Answer<Pair> {
    pair.team = edit.team.unwrap_or(pair.team);
    pair.mode = edit.mode.unwrap_or(pair.mode);
    pair.topics = edit.topics.unwrap_or(pair.topics);
    pair.topics_exclude = edit.topics_exclude.unwrap_or(pair.topics_exclude);
    pair.groups = edit.groups.unwrap_or(pair.groups);
    pair.groups_exclude = edit.groups_exclude.unwrap_or(pair.groups_exclude);
    pair.flows = edit.flows.unwrap_or(pair.flows);
    pair.objectives = edit.objectives.unwrap_or(pair.objectives);
    pair.approval = edit.approval.unwrap_or(pair.approval);
    pair.routing = edit.routing.unwrap_or(pair.routing);
    pair.canary_topic = edit.canary_topic.unwrap_or(pair.canary_topic);
    pair.canary_partitions = edit.canary_partitions.unwrap_or(pair.canary_partitions);
    pair.canary_seconds = edit.canary_seconds.unwrap_or(pair.canary_seconds);
    pair.show_payload = edit.show_payload.unwrap_or(pair.show_payload);
    for attachment in edit.attach {
        attach(&mut pair, attachment)?;
    }
    Ok(pair)
}

fn attach(pair: &mut Pair, attachment: Attachment) -> Answer<()> {
    let from = pair.side_of(&attachment.from);
    let flow = pair.flows.iter_mut().find(|flow| Some(flow.direction.from) == from);
    let flow = flow.ok_or_else(|| {
        let name = &pair.name;
        Failure::invalid(format!(
            "Pair `{name}` has no flow from `{}` that could be attached.",
            attachment.from
        ))
    })?;
    flow.mechanism = Mechanism::Mm2OnConnect {
        connect_url: attachment.connect_url,
        source_connector: attachment.source_connector,
        checkpoint_connector: attachment.checkpoint_connector,
        heartbeat_connector: attachment.heartbeat_connector,
    };
    Ok(())
}
