//! Pairs: make, change, remove. A pair is edited as a whole by its owners; what a plan was made from is its version.

use std::collections::BTreeMap;

use muster_domain::{
    canary,
    ids::{ClusterName, PairName, TeamName},
    overlap::{Overlap, Shared, claims_no_more, overlaps},
    pair::{ApprovalRule, BySide, Flow, Mechanism, Objectives, Pair, PairMode, RoutingTarget, Side},
    patterns::is_internal_topic,
    people::{Actor, Role},
    record::Run,
};
use muster_store::{pairs, runs, schedules};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    addresses, approvers,
    audit_trail::{self, Entry},
    clusters::present,
    needs_role, pair_names,
};
use crate::http::{Answer, Failure, Proven, check_version};

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
    check(&pair)?;
    addresses::hold_no_credentials(&pair, None)?;
    approvers::are_enough(conn, &pair).await?;
    stays_apart(conn, &pair, None, actor).await?;
    let pair = pair_names::keep_under_new_name(conn, &pair).await?;
    audit_trail::record(conn, actor, Entry::done("pair.create", &object(&pair.name), told(&pair))).await?;
    Ok(pair)
}

/// Changes a pair. Refused while a run holds it: the run was approved for the pair as it was. Whoever allows payload to be
/// shown has just shown that they are there: what was seen cannot be taken back.
///
/// # Errors
/// `reauthentication-needed`, `pair-has-active-run`, `edited-in-between`, `forbidden`, `not-found`, `pairs-overlap`,
/// `too-few-approvers`, `invalid-request`.
pub async fn change(
    conn: &mut PgConnection,
    name: &PairName,
    version: Option<i64>,
    edit: PairEdit,
    (actor, proven): (&Actor, Proven),
) -> Answer<Pair> {
    let before = lock_free(conn, name).await?;
    check_version(version, before.version)?;
    if edit.show_payload == Some(true) && !before.show_payload {
        proven.acts()?;
    }
    if let Some(team) = &edit.team {
        needs_role(actor, Role::Owner, team)?;
    }
    let pair = edited(before.clone(), edit)?;
    check(&pair)?;
    addresses::hold_no_credentials(&pair, Some(&before))?;
    // A rule that people left behind is shown, and does not keep owners from other edits.
    if pair.approval.most() > before.approval.most() || pair.team != before.team {
        approvers::are_enough(conn, &pair).await?;
    }
    stays_apart(conn, &pair, Some(&before), actor).await?;
    let pair = pairs::update(conn, &pair).await?.without_credentials();
    audit_trail::record(conn, actor, Entry::done("pair.change", &object(name), told(&pair))).await?;
    Ok(pair)
}

/// Removes a pair. Its plans, runs and audit entries stay. Refused while something goes on or comes due for it: a request of a
/// pair that is gone could still be approved, and a schedule would record drills of it for ever.
///
/// # Errors
/// `pair-has-active-run`, `pair-in-use` with what is in the way, `edited-in-between`, `not-found`.
pub async fn delete(
    conn: &mut PgConnection,
    name: &PairName,
    version: Option<i64>,
    actor: &Actor,
) -> Answer<()> {
    let pair = lock_free(conn, name).await?;
    check_version(version, pair.version)?;
    let InTheWay { runs, scheduled } = in_the_way(conn, name).await?;
    if !runs.is_empty() || scheduled {
        return Err(in_use(name, &runs, scheduled));
    }
    pairs::delete(conn, name, pair.version).await?;
    audit_trail::record(conn, actor, Entry::done("pair.delete", &object(name), json!({}))).await
}

/// What keeps a pair from being removed.
#[derive(Debug)]
pub struct InTheWay {
    /// Runs of it that are not over, newest first, those that wait for approval among them.
    pub runs: Vec<Run>,
    /// Whether drills of it are scheduled.
    pub scheduled: bool,
}

/// What keeps a pair from being removed now.
///
/// # Errors
/// When the database refuses.
pub async fn in_the_way(conn: &mut PgConnection, name: &PairName) -> Answer<InTheWay> {
    let mut runs = runs::open(conn, None, i64::MAX).await?;
    runs.retain(|run| run.pair == *name);
    let scheduled = schedules::scheduled_pairs(conn).await?.contains(name.as_str());
    Ok(InTheWay { runs, scheduled })
}

fn in_use(name: &PairName, runs: &[Run], scheduled: bool) -> Failure {
    let numbers: Vec<String> = runs.iter().map(|run| run.number.to_string()).collect();
    let runs = (!numbers.is_empty()).then(|| format!("runs that are not over: {}", numbers.join(", ")));
    let drills = scheduled.then(|| "drill schedules".to_owned());
    let said: Vec<String> = runs.into_iter().chain(drills).collect();
    Failure::new(
        "pair-in-use",
        format!(
            "Something of pair `{name}` still goes on or comes due: {}. Nothing was changed.",
            said.join("; ")
        ),
        "Remove its schedules, which takes back what they asked for, and let its runs end, or have them rejected. Then remove \
         the pair.",
    )
}

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
    let from = Side::BOTH.into_iter().find(|side| *pair.cluster(*side) == attachment.from);
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

/// Whether no other pair could be about the same topics or groups of a cluster: a run of one would move what is the other's.
/// Pairs that overlapped before this was asked may be edited, unless they claim more.
///
/// # Errors
/// `pairs-overlap`.
pub(super) async fn stays_apart(
    conn: &mut PgConnection,
    pair: &Pair,
    before: Option<&Pair>,
    actor: &Actor,
) -> Answer<()> {
    pairs::lock_scopes(conn).await?;
    if before.is_some_and(|before| claims_no_more(before, pair)) {
        return Ok(());
    }
    for side in Side::BOTH {
        let there = pairs::list(conn, None, Some(pair.cluster(side))).await?;
        for other in there.iter().filter(|other| other.name != pair.name) {
            if let Some(overlap) = overlaps(pair, other).first() {
                return Err(overlapping(overlap, other, actor));
            }
        }
    }
    Ok(())
}

/// Of a pair of another team nothing is told but that it is there: neither its name nor what it is about.
fn overlapping(overlap: &Overlap, other: &Pair, actor: &Actor) -> Failure {
    let (what, key) = match overlap.what {
        Shared::Topics => ("topics", "topics_exclude"),
        Shared::Groups => ("groups", "groups_exclude"),
    };
    let whose = if actor.may_read(&other.team) {
        format!("`{}` of pair `{}`", overlap.theirs, other.name)
    } else {
        "a pair of another team".to_owned()
    };
    let Overlap { cluster, ours, .. } = overlap;
    Failure::new(
        "pairs-overlap",
        format!(
            "`{ours}` could match {what} of `{cluster}` that {whose} matches too; a run of one pair would move what is the \
             other's. Nothing was changed."
        ),
        format!(
            "Narrow the patterns of one of the two, or put the other's pattern, as it is written, into `{key}`. Who owns the \
             other pair, an admin can say."
        ),
    )
}

/// What does not hold together in a pair, as one sentence.
pub(super) fn check(pair: &Pair) -> Answer<()> {
    let patterns = [&pair.topics, &pair.topics_exclude, &pair.groups, &pair.groups_exclude];
    for pattern in patterns.into_iter().flatten() {
        if let Err(bad) = muster_domain::patterns::check(pattern) {
            return Err(Failure::invalid(format!("{bad}.")));
        }
    }
    let web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    let connect = pair.flows.iter().filter_map(|flow| match &flow.mechanism {
        Mechanism::Mm2OnConnect { connect_url, .. } => Some(connect_url),
        Mechanism::Unattached => None,
    });
    let broken = if pair.topics.is_empty() {
        "A pair needs at least one topic pattern."
    } else if pair.flows.is_empty() || pair.flows.len() > 2 {
        "A pair has one flow or two, one for each direction."
    } else if pair.flows.len() == 2 && pair.flows[0].direction == pair.flows[1].direction {
        "The two flows of a pair go in opposite directions."
    } else if connect.into_iter().any(|url| !web(url)) {
        "A Connect address begins with http:// or https://."
    } else if !pair.routing.iter().all(|target| match target {
        RoutingTarget::AddressBook { path } => path.starts_with('/'),
        RoutingTarget::Webhook { url } => web(url),
    }) {
        "An address book is an absolute path; a webhook begins with http:// or https://."
    } else if pair.approval.fewest() == 0 {
        "At least one person must approve; the requester never counts."
    } else if pair.approval.decide_within_minutes < 1 || pair.approval.use_within_minutes < 1 {
        "Both clocks of an approval run for at least a minute."
    } else if pair.canary_topic.as_deref().is_some_and(|topic| !is_topic_name(topic)) {
        "The canary topic is the name of a topic: letters, digits, dots, dashes and underscores, at most 249, not one of \
         Kafka's own."
    } else if !canary::PARTITIONS.contains(&pair.canary_partitions) {
        "A canary is written to 1 to 32 partitions."
    } else if !canary::SECONDS.contains(&pair.canary_seconds) {
        "Between two canary records lie 2 to 300 seconds."
    } else if pair.objectives.rpo_seconds < 0
        || pair.objectives.rto_seconds < 1
        || pair.objectives.verify_within_days < 1
    {
        "Objectives are whole seconds and days, RTO and days at least 1."
    } else {
        return Ok(());
    };
    Err(Failure::invalid(broken))
}

/// What Kafka takes as a name that is not internal; whatever else Muster would try to make in vain every few seconds.
fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 249
        && name.chars().all(legal)
        && !matches!(name, "." | "..")
        && !is_internal_topic(name)
}

pub(super) fn object(name: &PairName) -> String {
    format!("pair {name}")
}

/// What the audit keeps of a pair: everything but credentials.
pub(super) fn told(pair: &Pair) -> serde_json::Value {
    serde_json::to_value(pair.clone().without_credentials()).unwrap_or_default()
}
