//! Could applications move now? A closed list of checks over the facts of a survey, each with its reason and next step.
//!
//! Every check is answered every time. An input that is unknown makes its checks unknown, never ok.

mod approvers;
mod both;
mod canary;
mod flows;
mod moving;
mod sides;
mod standby;
#[cfg(test)]
mod tests;

pub use approvers::{TooFewApprovers, enough_approvers, judge_approvers};
pub use canary::judge_canary;
pub use moving::is_not_yet_told;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::Cluster,
    direction::{self, ActiveSide},
    pair::{BySide, Direction, Pair, Side},
    patterns::Scope,
    survey::Survey,
};

/// How a check came out. Ordered from best to worst, so that the worst of many is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The check does not concern this pair.
    NotApplicable,
    /// As it should be.
    Ok,
    /// It will cost something.
    Warning,
    /// It could not be told.
    Unknown,
    /// Moving now would lose something or not work.
    Critical,
}

impl CheckStatus {
    /// All of them, from best to worst.
    pub const ALL: [Self; 5] = [Self::NotApplicable, Self::Ok, Self::Warning, Self::Unknown, Self::Critical];

    /// Its word in the database, the API and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not_applicable",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Critical => "critical",
        }
    }

    /// The status a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// The closed list of checks. The words are stored and documented: never rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of `title`")]
pub enum CheckCode {
    SurveyFresh,
    ClustersReachable,
    ClusterIdentity,
    Rights,
    Authorizer,
    ProbePrincipal,
    ActiveSideKnown,
    WritesOpen,
    ConnectWorker,
    FlowConnectors,
    FlowMoving,
    DirectionInterlock,
    FlowScope,
    Converters,
    OffsetSyncSettings,
    Canary,
    StandbyTopics,
    StandbyConfigs,
    StandbyDurability,
    StandbyGrants,
    StandbyFenced,
    StandbyGroupsActive,
    StandbyOffsetsStale,
    HungTransactions,
    Approvers,
}

impl CheckCode {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SurveyFresh => "survey-fresh",
            Self::ClustersReachable => "clusters-reachable",
            Self::ClusterIdentity => "cluster-identity",
            Self::Rights => "rights",
            Self::Authorizer => "authorizer",
            Self::ProbePrincipal => "probe-principal",
            Self::ActiveSideKnown => "active-side-known",
            Self::WritesOpen => "writes-open",
            Self::ConnectWorker => "connect-worker",
            Self::FlowConnectors => "flow-connectors",
            Self::FlowMoving => "flow-moving",
            Self::DirectionInterlock => "direction-interlock",
            Self::FlowScope => "flow-scope",
            Self::Converters => "converters",
            Self::OffsetSyncSettings => "offset-sync-settings",
            Self::Canary => "canary",
            Self::StandbyTopics => "standby-topics",
            Self::StandbyConfigs => "standby-configs",
            Self::StandbyDurability => "standby-durability",
            Self::StandbyGrants => "standby-grants",
            Self::StandbyFenced => "standby-fenced",
            Self::StandbyGroupsActive => "standby-groups-active",
            Self::StandbyOffsetsStale => "standby-offsets-stale",
            Self::HungTransactions => "hung-transactions",
            Self::Approvers => "approvers",
        }
    }

    /// What is checked, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::SurveyFresh => "The survey is fresh",
            Self::ClustersReachable => "Both clusters answer",
            Self::ClusterIdentity => "Both clusters are the registered ones",
            Self::Rights => "Muster has the rights it needs",
            Self::Authorizer => "Writes can be fenced",
            Self::ProbePrincipal => "A fence can be proven",
            Self::ActiveSideKnown => "The active side is known",
            Self::WritesOpen => "No fence stands where applications are",
            Self::ConnectWorker => "Connect workers answer and write to the right cluster",
            Self::FlowConnectors => "Connectors are in the state they should be in",
            Self::FlowMoving => "Records move",
            Self::DirectionInterlock => "Only one direction is live",
            Self::FlowScope => "Flows carry the pair's topics only",
            Self::Converters => "Records are copied byte for byte",
            Self::OffsetSyncSettings => "Group offsets are synced",
            Self::Canary => "A canary is replicated",
            Self::StandbyTopics => "The standby has every topic and partition",
            Self::StandbyConfigs => "Topic configs agree",
            Self::StandbyDurability => "The standby keeps what it acknowledges",
            Self::StandbyGrants => "Applications have their grants on the standby",
            Self::StandbyFenced => "Applications cannot write to the standby",
            Self::StandbyGroupsActive => "No group is active on the standby",
            Self::StandbyOffsetsStale => "No stale group offset on the standby blocks syncing",
            Self::HungTransactions => "No transaction hangs",
            Self::Approvers => "Enough people may approve",
        }
    }
}

/// Whatever follows from a flow that is not attached has this next step.
const ATTACH: &str = "An owner edits the pair and names the Connect address and the connectors of this flow.";

impl CheckCode {
    /// Where to look when it could not be told: at what it is read from.
    fn when_unknown(self) -> &'static str {
        match self {
            Self::SurveyFresh => {
                "Wait for the next survey. If none comes, see whether a process of Muster runs and holds the pair."
            }
            Self::ClustersReachable
            | Self::ClusterIdentity
            | Self::StandbyTopics
            | Self::StandbyConfigs
            | Self::StandbyDurability
            | Self::StandbyGroupsActive
            | Self::StandbyOffsetsStale
            | Self::HungTransactions => {
                "Check the cluster that the reason names on its page: it says whether it answers and what Muster may not \
                 read there."
            }
            Self::Rights
            | Self::Authorizer
            | Self::ProbePrincipal
            | Self::WritesOpen
            | Self::StandbyGrants
            | Self::StandbyFenced => {
                "Check the cluster that the reason names on its page. Who may do what is read from its ACLs, which needs \
                 DESCRIBE on the cluster."
            }
            Self::ActiveSideKnown => {
                "It follows from which source connector copies and from who may write: see the checks of Connect and of \
                 both clusters first."
            }
            Self::ConnectWorker
            | Self::FlowConnectors
            | Self::FlowMoving
            | Self::DirectionInterlock
            | Self::FlowScope
            | Self::Converters
            | Self::OffsetSyncSettings => {
                "See whether Connect answers at the address in the pair's settings, and has the connectors named there."
            }
            Self::Canary => "See on the pair's page what the canary waits for.",
            Self::Approvers => "See on the team's page who may approve.",
        }
    }
}

/// How one check came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub code: CheckCode,
    /// How.
    pub status: CheckStatus,
    /// Why, with names and figures.
    pub reason: String,
    /// What it was judged from, small.
    pub evidence: serde_json::Value,
    /// What to do; empty when nothing is to be done.
    pub next_step: String,
}

impl CheckResult {
    fn new(code: CheckCode, status: CheckStatus, reason: impl Into<String>, next_step: &str) -> Self {
        Self {
            code,
            status,
            reason: reason.into(),
            evidence: serde_json::Value::Null,
            next_step: next_step.to_owned(),
        }
    }

    fn ok(code: CheckCode, reason: impl Into<String>) -> Self {
        Self::new(code, CheckStatus::Ok, reason, "")
    }

    fn unknown(code: CheckCode, reason: impl Into<String>) -> Self {
        Self::new(code, CheckStatus::Unknown, reason, code.when_unknown())
    }

    fn not_applicable(code: CheckCode, reason: impl Into<String>) -> Self {
        Self::new(code, CheckStatus::NotApplicable, reason, "")
    }

    /// Critical or warning when there are troubles, ok otherwise; names at most five of them.
    fn from_troubles(
        code: CheckCode,
        worst: CheckStatus,
        troubles: &[String],
        well: impl Into<String>,
        next_step: &str,
    ) -> Self {
        if troubles.is_empty() {
            return Self::ok(code, well);
        }
        let mut reason = troubles.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
        if troubles.len() > 5 {
            reason.push_str(&format!("; and {} more", troubles.len() - 5));
        }
        let mut result = Self::new(code, worst, reason, next_step);
        result.evidence = serde_json::json!({"count": troubles.len()});
        result
    }
}

/// What checks are judged from.
struct Scene<'a> {
    pair: &'a Pair,
    clusters: &'a BySide<Cluster>,
    survey: &'a Survey,
    previous: Option<&'a Survey>,
    /// The way from the active to the standby side, or why it is not known.
    active: Result<Direction, String>,
    /// Whether both sides are active, and this is one of two scenes: no side stands by, and each has topics and consumers of its own.
    both: bool,
    now: DateTime<Utc>,
}

impl Scene<'_> {
    fn name(&self, side: Side) -> &str {
        self.pair.cluster(side).as_str()
    }

    /// Whether a topic of a side grows by what the scene's flow takes away or brings: of two flows each has its own.
    fn grows_by_flow(&self, scope: &Scope, way: Direction, side: Side, topic: &str) -> bool {
        let taken_away = side == way.from;
        !self.both || taken_away != scope.is_replica(side, topic)
    }

    /// Every check that is about clusters and flows.
    fn evaluate(&self) -> Vec<CheckResult> {
        let mut results = sides::evaluate(self);
        results.extend(flows::evaluate(self));
        results.extend(standby::evaluate(self));
        results
    }
}

/// Answers every check of the clusters and flows. The one about people is [`judge_approvers`]: no survey sees them. What
/// was measured by canaries is joined by [`judge_canary`]. Where both sides are active each check is of both directions, the worse counts.
#[must_use]
pub fn evaluate(
    pair: &Pair,
    clusters: &BySide<Cluster>,
    survey: &Survey,
    previous: Option<&Survey>,
    now: DateTime<Utc>,
) -> Vec<CheckResult> {
    let of = |active, both| Scene { pair, clusters, survey, previous, active, both, now }.evaluate();
    let mut results = match direction::active_side(pair, survey) {
        ActiveSide::Active(direction) => of(Ok(direction), false),
        ActiveSide::Both { .. } => {
            let [there, back] = Side::BOTH.map(|from| Direction { from });
            both::together((pair.course(there), of(Ok(there), true)), (pair.course(back), of(Ok(back), true)))
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => of(Err(reason), false),
    };
    let unattached: Vec<String> = pair.unattached().map(|way| direction::not_attached(pair, way)).collect();
    for result in results.iter_mut().filter(|result| unattached.contains(&result.reason)) {
        ATTACH.clone_into(&mut result.next_step);
    }
    results
}

/// The worst of all checks; unknown when there are none.
#[must_use]
pub fn overall(results: &[CheckResult]) -> CheckStatus {
    results.iter().map(|result| result.status).max().unwrap_or(CheckStatus::Unknown)
}
