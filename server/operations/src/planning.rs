//! Making a plan: scope resolved from the survey, steps narrated, blockers and warnings found, duration predicted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    both_active,
    cluster::Cluster,
    direction::{self, ActiveSide},
    pair::{BySide, Direction, Mechanism, Pair},
    patterns::Scope,
    people::Actor,
    plan::{
        AtStake, Concern, Plan, PlanContent, PlanRules, PlannedStep, PredictedLoss, Prediction, TopicScope,
    },
    readiness::{CheckResult, CheckStatus},
    run::Operation,
    survey::Survey,
};
use muster_store::{plans, run_steps};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    engine::Runbook,
    error::OperationError,
    step::Step,
    switchover::{
        self,
        narrate::{self, Scene},
    },
};

/// What a person asks to be planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Kind of run.
    pub operation: Operation,
    /// The way applications are to move.
    pub direction: Direction,
    /// Whether its end is attested as a drill.
    #[serde(default)]
    pub drill: bool,
    /// Decisions made in advance.
    #[serde(default)]
    pub rules: PlanRules,
}

/// Makes and keeps a plan. Blockers do not prevent a plan: they are part of what people see. `at_stake` is what would be lost
/// if the side that is left died now, as far as it is known.
///
/// # Errors
/// Refused when there is nothing to plan from; otherwise the store's.
#[expect(clippy::too_many_arguments, reason = "a plan is made from all of these, each from another place")]
pub async fn make_plan(
    conn: &mut PgConnection,
    pair: &Pair,
    clusters: &BySide<Cluster>,
    survey: &Survey,
    checks: &[CheckResult],
    at_stake: Option<AtStake>,
    request: &PlanRequest,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Plan, OperationError> {
    let mut content = scope(pair, clusters, survey, request);
    let (runs, durations) = run_steps::past_durations(conn, &pair.name, request.operation).await?;
    let durations: BTreeMap<String, i64> = durations.into_iter().collect();
    let acls = survey.sides.get(request.direction.from).acls.value();
    let closing = acls.map(|acls| switchover::closing(&acls.bindings, clusters, &content));
    let scene = Scene {
        pair,
        from: clusters.get(request.direction.from),
        to: clusters.get(request.direction.to()),
        content: &content,
        closing: closing.as_ref(),
    };
    let Some(Runbook { steps: table, .. }) = crate::runbook(request.operation) else {
        let reason = format!("there is no runbook for a {}", request.operation.as_str());
        return Err(OperationError::Stored { what: "runbook", reason });
    };
    let steps: Vec<PlannedStep> = table.iter().map(|step| planned(step, &scene, &durations)).collect();
    let blockers = blockers(&scene, survey, checks);
    let mut warnings = warnings(checks, &blockers);
    warnings.extend(looked_at_one_way(&scene, survey));
    let loss = PredictedLoss::of(request.operation, at_stake);
    let prediction = Prediction { loss, ..predict(&table, &durations, runs) };
    content.steps = steps;
    let hash = content.hash().map_err(|e| OperationError::Stored { what: "plan", reason: e.to_string() })?;
    let plan = Plan {
        id: Uuid::now_v7(),
        created_by: actor.name.clone(),
        created_at: now,
        hash,
        content,
        blockers,
        warnings,
        prediction,
    };
    plans::insert(conn, &plan, &pair.team, actor.id).await?;
    Ok(plan)
}

/// Topics and groups in scope as the survey saw them on the side that is left.
fn scope(pair: &Pair, clusters: &BySide<Cluster>, survey: &Survey, request: &PlanRequest) -> PlanContent {
    let from = survey.sides.get(request.direction.from);
    let flow = pair.flow(request.direction);
    let scope = Scope::of(pair);
    let topics = from.topics.value().map(|topics| {
        topics
            .iter()
            .filter(|(name, _)| scope.application_topic(request.direction.from, name))
            .filter(|(name, _)| pair.canary_topic.as_ref() != Some(*name))
            .map(|(name, topic)| TopicScope {
                topic: name.clone(),
                replica: flow.map_or_else(|| name.clone(), |f| f.naming.target_name(&f.source_alias, name)),
                partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            })
            .collect()
    });
    let groups = from.groups.value().map(|groups| {
        groups.iter().filter(|(_, group)| !group.offsets.is_empty()).map(|(name, _)| name.clone()).collect()
    });
    let id = |side| {
        let registered: &Cluster = clusters.get(side);
        registered.expected_cluster_id.clone().unwrap_or_default()
    };
    PlanContent {
        pair: pair.name.clone(),
        pair_version: pair.version,
        operation: request.operation,
        direction: request.direction,
        drill: request.drill,
        cluster_ids: BySide { a: id(muster_domain::pair::Side::A), b: id(muster_domain::pair::Side::B) },
        topics: topics.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        rules: request.rules.clone(),
        steps: Vec::new(),
    }
}

fn planned(step: &Step, scene: &Scene<'_>, durations: &BTreeMap<String, i64>) -> PlannedStep {
    PlannedStep {
        name: step.name.to_owned(),
        title: narrate::title(step.name, scene),
        phase: step.phase,
        after: step.after.iter().map(|name| (*name).to_owned()).collect(),
        undoable: step.undo.is_some(),
        point_of_no_return: step.point_of_no_return,
        calls: narrate::calls(step.name, scene),
        expected_ms: durations.get(step.name).copied(),
    }
}

/// Readiness codes that do not stop a planned switchover even when critical: they speak of something the run itself
/// makes good or does not rest on.
const NOT_BLOCKING: [&str; 2] = ["standby-offsets-stale", "offset-sync-settings"];

fn blockers(scene: &Scene<'_>, survey: &Survey, checks: &[CheckResult]) -> Vec<Concern> {
    let (pair, content, direction) = (scene.pair, scene.content, scene.content.direction);
    let mut found = Vec::new();
    // A drill that only looks is there to find what is wrong; it is stopped only by what leaves nothing to look at.
    let looks = content.operation.only_looks();
    let ways = if looks { vec![direction] } else { vec![direction, direction.reverse()] };
    for way in ways {
        let steerable = pair.flow(way).is_some_and(|f| !matches!(f.mechanism, Mechanism::Unattached));
        if !steerable {
            found.push(concern(
                "flow-not-attached",
                format!("Muster cannot steer the flow {}.", pair.course(way)),
                "Edit the pair and name the Connect address and the connectors of this flow.",
            ));
        }
    }
    if content.topics.is_empty() {
        found.push(concern(
            "no-topics-in-scope",
            format!("No topic of pair `{}` was seen on {}.", pair.name, pair.cluster(direction.from)),
            "Look at the pair's topic patterns and at the survey.",
        ));
    }
    if !looks && scene.from.probe.is_none() {
        found.push(concern(
            "no-probe-principal",
            format!("`{}` has no probe principal, so a fence there cannot be proven.", pair.cluster(direction.from)),
            "Create an ordinary principal with ALLOW WRITE on the topics in scope and enter it with the cluster.",
        ));
    }
    let stays_open =
        |closing| switchover::why_it_stays_open(closing, scene.from.name.as_str(), content.topics.len());
    if !looks && let Some(why) = scene.closing.and_then(stays_open) {
        found.push(concern("old-side-stays-open", format!("{why}."), &format!("{}.", switchover::CLOSE_IT)));
    }
    found.extend(elsewhere(pair, survey, content));
    let serious = checks.iter().filter(|check| match check.status {
        CheckStatus::Critical | CheckStatus::Unknown => {
            !looks && !NOT_BLOCKING.contains(&check.code.as_str())
        }
        CheckStatus::Ok | CheckStatus::Warning | CheckStatus::NotApplicable => false,
    });
    found.extend(serious.map(concern_of));
    found
}

/// What is wrong with applications leaving in the direction of the plan.
fn elsewhere(pair: &Pair, survey: &Survey, content: &PlanContent) -> Option<Concern> {
    let direction = content.direction;
    match direction::active_side(pair, survey) {
        ActiveSide::Active(active) if active == direction => None,
        ActiveSide::Active(active) => Some(concern(
            "wrong-direction",
            format!(
                "Applications are on {}, so they cannot leave {}.",
                pair.cluster(active.from),
                pair.cluster(direction.from)
            ),
            "Plan the switchover in the other direction.",
        )),
        ActiveSide::NeitherKnown { reason } => {
            Some(concern("active-side-unknown", reason, "Make both clusters and the flow readable first."))
        }
        // Either side has applications that could leave it, and what they would need on the other is there to be looked at.
        ActiveSide::Both { .. } if content.operation.only_looks() => None,
        ActiveSide::Both { reason } => Some(concern(
            both_active::BLOCKER,
            both_active::why_not_moved(&reason),
            &both_active::what_now(pair, direction),
        )),
        ActiveSide::Contested { reason } => {
            Some(concern("active-side-contested", reason, "Settle which side is active first."))
        }
    }
}

/// Of a drill that only looks where both sides are active: which half of the pair it is about.
fn looked_at_one_way(scene: &Scene<'_>, survey: &Survey) -> Option<Concern> {
    let (pair, direction) = (scene.pair, scene.content.direction);
    match direction::active_side(pair, survey) {
        ActiveSide::Both { reason } if scene.content.operation.only_looks() => Some(concern(
            both_active::BLOCKER,
            both_active::what_is_looked_at(pair, direction, &reason),
            &both_active::what_is_not_looked_at(pair, direction),
        )),
        ActiveSide::Both { .. }
        | ActiveSide::Active(_)
        | ActiveSide::NeitherKnown { .. }
        | ActiveSide::Contested { .. } => None,
    }
}

fn warnings(checks: &[CheckResult], blockers: &[Concern]) -> Vec<Concern> {
    checks
        .iter()
        .filter(|check| match check.status {
            CheckStatus::Warning | CheckStatus::Critical | CheckStatus::Unknown => true,
            CheckStatus::Ok | CheckStatus::NotApplicable => false,
        })
        .filter(|check| !blockers.iter().any(|blocker| blocker.code == check.code.as_str()))
        .map(concern_of)
        .collect()
}

fn concern_of(check: &CheckResult) -> Concern {
    concern(check.code.as_str(), check.reason.clone(), &check.next_step)
}

fn concern(code: &str, reason: String, next_step: &str) -> Concern {
    Concern { code: code.to_owned(), reason, next_step: next_step.to_owned() }
}

/// The longest way through the table, once over all steps and once over those while writes are away.
fn predict(table: &[Step], durations: &BTreeMap<String, i64>, runs: i64) -> Prediction {
    if runs == 0 {
        return Prediction {
            write_unavailability_ms: None,
            total_ms: None,
            basis: "not known: no run of this pair has been finished yet".to_owned(),
            loss: None,
        };
    }
    let until = |last: Option<&str>, only_away: bool| -> i64 {
        let mut ends: BTreeMap<&str, i64> = BTreeMap::new();
        for step in table {
            let start = step.after.iter().filter_map(|name| ends.get(name)).max().copied().unwrap_or(0);
            let counts = (step.writes_away || !only_away) && step.name != "confirm_go";
            let takes = if counts { durations.get(step.name).copied().unwrap_or(0) } else { 0 };
            ends.insert(step.name, start + takes);
        }
        match last {
            Some(last) => ends.get(last).copied().unwrap_or(0),
            None => ends.into_values().max().unwrap_or(0),
        }
    };
    let takes_writes_away = table.iter().any(|step| step.writes_away);
    Prediction {
        write_unavailability_ms: takes_writes_away.then(|| until(Some("watch_first_write"), true)),
        total_ms: Some(until(None, false)),
        basis: format!(
            "the slowest of {runs} earlier run{} of this pair, step by step",
            if runs == 1 { "" } else { "s" }
        ),
        loss: None,
    }
}
