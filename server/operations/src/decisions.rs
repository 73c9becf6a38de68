//! What people decide about runs: request, approve, start, pause, resume, retry, skip, confirm, abort, attest.
//!
//! Each function changes the run and writes its audit entry in the caller's transaction. A refusal is a `Problem`;
//! the caller audits refusals (in a transaction of its own, since this one is rolled back).

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Pair,
    people::{Actor, Role},
    plan::Plan,
    problem::Problem,
    record::{Approval, Person, Run, Vote},
    run::{RunAct, RunState, StepState, next_state},
    schedule::Occurrence,
};
use muster_store::{
    audit, pairs, plans,
    run_events::{self, NewEvent},
    run_steps,
    runs::{self, NewRun, Wanted},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::OperationError;

/// Asks for a run of a plan. A plan with blockers gives a run that is blocked.
///
/// # Errors
/// Refused when the person may not, the reason is empty or the pair was edited since; otherwise the store's.
pub async fn request_run(
    conn: &mut PgConnection,
    plan: &Plan,
    reason: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let pair = pair_of(conn, plan).await?;
    need_role(actor, Role::Operator, &pair.team)?;
    insert_run(conn, plan, &pair, reason, actor, None).await
}

/// Asks for a run on behalf of a schedule: both clocks run at least until its window opens and closes.
///
/// # Errors
/// As [`request_run`], without the role.
pub async fn request_scheduled_run(
    conn: &mut PgConnection,
    plan: &Plan,
    reason: &str,
    occurrence: &Occurrence,
) -> Result<Run, OperationError> {
    let pair = pair_of(conn, plan).await?;
    let window = Some((occurrence.due, occurrence.closes));
    insert_run(conn, plan, &pair, reason, &Actor::muster(), window).await
}

async fn pair_of(conn: &mut PgConnection, plan: &Plan) -> Result<Pair, OperationError> {
    let name = &plan.content.pair;
    pairs::get(conn, name).await?.ok_or_else(|| no_such("pair", name.as_str()))
}

async fn insert_run(
    conn: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    reason: &str,
    actor: &Actor,
    window: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> Result<Run, OperationError> {
    let content = &plan.content;
    if reason.trim().is_empty() {
        return Err(Problem::new(
            "reason-missing",
            "A run needs a reason: it is what approvers and auditors read first.",
            "Say in a sentence why this is done now.",
        )
        .into());
    }
    if pair.version != content.pair_version {
        return Err(Problem::new(
            "plan-outdated",
            format!("Pair `{}` was edited after this plan was made, so the plan no longer holds.", pair.name),
            "Make a new plan and compare it with this one.",
        )
        .into());
    }
    let state = if plan.blockers.is_empty() { RunState::AwaitingApproval } else { RunState::Blocked };
    let id = Uuid::now_v7();
    let new = NewRun {
        id,
        plan,
        team: &pair.team,
        course: &pair.course(content.direction),
        state,
        requested_by: &person(actor),
        reason: reason.trim(),
        decide_within_minutes: pair.approval.decide_within_minutes,
        approvals_needed: pair.approval.needed,
        window,
    };
    runs::insert(conn, &new).await?;
    record(conn, id, actor, "run.request", &format!("Requested by {}: {}", actor.name, reason.trim()))
        .await?;
    read(conn, id).await
}

/// Approves a run. The vote is bound to the plan's hash; the last one needed starts the second clock.
///
/// # Errors
/// Refused by [`may_approve`]; otherwise the store's.
pub async fn approve(
    conn: &mut PgConnection,
    run: Uuid,
    comment: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    let before = runs::approvals(conn, run.id).await?;
    if before.iter().any(|a| a.by.id == actor.id && a.vote == Vote::Approve) {
        return Ok(run);
    }
    may_approve(&run, &before, actor)?;
    runs::insert_approval(conn, run.id, &person(actor), Vote::Approve, comment, &run.plan_hash).await?;
    record(conn, run.id, actor, "run.approve", &format!("Approved by {}", actor.name)).await?;
    let given = before.iter().filter(|a| a.vote == Vote::Approve).count() + 1;
    if given >= run.approvals_needed as usize {
        let pair = pairs::get(conn, &run.pair).await?.ok_or_else(|| no_such("pair", run.pair.as_str()))?;
        runs::mark_approved(conn, run.id, pair.approval.use_within_minutes).await?;
        transition(conn, &run, RunAct::Approve, "").await?;
    }
    read(conn, run.id).await
}

/// Rejects a run. One is final.
///
/// # Errors
/// Refused when the person may not or the run is past deciding; otherwise the store's.
pub async fn reject(
    conn: &mut PgConnection,
    run: Uuid,
    comment: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Approver, &run.team)?;
    runs::insert_approval(conn, run.id, &person(actor), Vote::Reject, comment, &run.plan_hash).await?;
    let message = format!("Rejected by {}: {comment}", actor.name);
    record(conn, run.id, actor, "run.reject", &message).await?;
    transition(conn, &run, RunAct::Reject, &message).await?;
    read(conn, run.id).await
}

/// Whether this person may approve this run now, and if not, why.
///
/// # Errors
/// The reason, for the approval page and the API alike.
pub fn may_approve(run: &Run, approvals: &[Approval], actor: &Actor) -> Result<(), Problem> {
    need_role(actor, Role::Approver, &run.team)?;
    if run.requested_by.id == actor.id {
        return Err(Problem::new(
            "own-request",
            "Nobody approves what they requested.",
            "Ask another approver of the team.",
        ));
    }
    if approvals.iter().any(|a| a.by.id == actor.id) {
        return Err(Problem::new(
            "already-decided",
            "You have already decided on this run.",
            "Nothing to do.",
        ));
    }
    if run.state != RunState::AwaitingApproval {
        return Err(Problem::new(
            "not-awaiting-approval",
            format!("The run is {}.", run.state.as_str().replace('_', " ")),
            if run.state == RunState::Blocked {
                "Clear the blockers of its plan and make a new plan."
            } else {
                "Nothing to decide."
            },
        ));
    }
    Ok(())
}

/// Starts an approved run. The person becomes its driver. A second click on a started run changes nothing.
///
/// # Errors
/// Refused when the person may not, the run is not approved, or another run holds the pair; otherwise the store's.
pub async fn start(conn: &mut PgConnection, run: Uuid, actor: &Actor) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    if run.driver.as_ref().is_some_and(|driver| driver.id == actor.id) && run.state.holds_pair() {
        return Ok(run);
    }
    let plan = plans::get(conn, run.plan).await?.ok_or_else(|| no_such("plan", &run.plan.to_string()))?;
    let hash =
        plan.content.hash().map_err(|e| OperationError::Stored { what: "plan", reason: e.to_string() })?;
    if hash != run.plan_hash {
        return Err(Problem::new(
            "plan-changed",
            "The stored plan no longer has the hash that was approved.",
            "Do not run it. Make a new plan, and find out who changed the database.",
        )
        .into());
    }
    refuse_under_brake(conn).await?;
    if let Some(other) = runs::active_for_pair(conn, &run.pair).await? {
        return Err(pair_is_held(&other).into());
    }
    runs::mark_started(conn, run.id, &person(actor)).await?;
    match transition(conn, &run, RunAct::Start, "").await {
        Err(OperationError::Store(e)) if e.constraint() == Some("run_one_at_a_time_per_pair") => {
            return Err(Problem::new(
                "pair-has-active-run",
                format!("Another run of pair `{}` was started in the same moment.", run.pair),
                "Watch that run; this one stays approved until its second clock ends.",
            )
            .into());
        }
        other => other?,
    };
    record(conn, run.id, actor, "run.start", &format!("Started by {}, who drives it", actor.name)).await?;
    read(conn, run.id).await
}

fn pair_is_held(other: &Run) -> Problem {
    Problem::new(
        "pair-has-active-run",
        format!(
            "Run {} ({}) holds pair `{}` and is {}.",
            other.number,
            other.course,
            other.pair,
            other.state.as_str().replace('_', " ")
        ),
        "Wait for it, or end it: one run at a time per pair.",
    )
}

/// The global stop. Unreadable counts as on.
async fn refuse_under_brake(conn: &mut PgConnection) -> Result<(), OperationError> {
    match muster_store::brake::get_to_start(conn).await? {
        None => Ok(()),
        Some(brake) => Err(Problem::new(
            "brake-is-on",
            format!(
                "{} put the brake on at {}: {}",
                brake.by.name,
                brake.since.format("%Y-%m-%d %H:%M UTC"),
                brake.reason
            ),
            "Release the brake first; nothing starts while it is on.",
        )
        .into()),
    }
}

/// Asks the worker to stop at the next step boundary.
///
/// # Errors
/// Refused when the person may not or nothing runs; otherwise the store's.
pub async fn pause(conn: &mut PgConnection, run: Uuid, actor: &Actor) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    next_state(run.state, RunAct::Pause, run.no_return_at.is_some())?;
    runs::want(conn, run.id, &Wanted::Pause(format!("paused by {}", actor.name))).await?;
    record(
        conn,
        run.id,
        actor,
        "run.pause",
        &format!("{} asked to pause at the next step boundary", actor.name),
    )
    .await?;
    read(conn, run.id).await
}

/// Goes on after a pause.
///
/// # Errors
/// Refused when the person may not or the run is not paused; otherwise the store's.
pub async fn resume(conn: &mut PgConnection, run: Uuid, actor: &Actor) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    refuse_under_brake(conn).await?;
    record(conn, run.id, actor, "run.resume", &format!("Resumed by {}", actor.name)).await?;
    transition(conn, &run, RunAct::Resume, "").await?;
    read(conn, run.id).await
}

/// Answers the question a step waits with: it acts now.
///
/// # Errors
/// Refused when the person may not or nothing waits; otherwise the store's.
pub async fn confirm(conn: &mut PgConnection, run: Uuid, actor: &Actor) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    refuse_under_brake(conn).await?;
    let steps = run_steps::list(conn, run.id).await?;
    let Some(step) = steps.iter().find(|step| step.state == StepState::WaitingForInput) else {
        return Err(
            Problem::new("nothing-to-confirm", "No step waits for a person.", "Reload the run.").into()
        );
    };
    run_steps::confirm(conn, run.id, &step.name, &actor.name).await?;
    let what = step.question.as_ref().map_or(step.title.as_str(), |q| q.confirm.as_str());
    record(conn, run.id, actor, "run.confirm", &format!("{} confirmed: {what}", actor.name)).await?;
    if run.state == RunState::WaitingForInput {
        transition(conn, &run, RunAct::Confirm, "").await?;
    }
    read(conn, run.id).await
}

/// Tries again what failed: the failed steps of a paused run, or the failed undo of a stuck one.
///
/// # Errors
/// Refused when the person may not or nothing failed; otherwise the store's.
pub async fn retry(
    conn: &mut PgConnection,
    run: Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    refuse_under_brake(conn).await?;
    for step in run_steps::list(conn, run.id).await?.iter().filter(|s| s.state == StepState::Failed) {
        run_steps::begin_again(conn, run.id, &step.name).await?;
    }
    record(conn, run.id, actor, "run.retry", &format!("{} tries again: {reason}", actor.name)).await?;
    transition(conn, &run, RunAct::Retry, "").await?;
    read(conn, run.id).await
}

/// Leaves a failed step out, with a reason. Later steps that need its result will fail in turn.
///
/// # Errors
/// Refused when the person may not, no reason is given, the step did not fail or must not be skipped.
pub async fn skip(
    conn: &mut PgConnection,
    run: Uuid,
    step: &str,
    reason: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    if reason.trim().is_empty() {
        return Err(
            Problem::new("reason-missing", "Skipping a step needs a reason.", "Say why it is safe.").into()
        );
    }
    let steps = run_steps::list(conn, run.id).await?;
    let found = steps.iter().find(|s| s.name == step).ok_or_else(|| no_such("step", step))?;
    let no_return = steps.iter().find(|s| s.point_of_no_return).map_or(i32::MAX, |s| s.position);
    if found.position <= no_return && run.no_return_at.is_none() {
        return Err(Problem::new(
            "step-cannot-be-skipped",
            format!(
                "`{}` comes before the point of no return, and everything before it must be proven.",
                found.title
            ),
            "Retry it, or abort the run, which takes everything back.",
        )
        .into());
    }
    if found.state != StepState::Failed {
        return Err(Problem::new(
            "step-did-not-fail",
            format!("`{}` is {}; only a failed step can be left out.", found.title, found.state.as_str()),
            "Reload the run.",
        )
        .into());
    }
    let sentence = format!("left out by {}: {}", actor.name, reason.trim());
    let change =
        run_steps::StepChange { sentence: Some(&sentence), ..run_steps::StepChange::to(StepState::Skipped) };
    run_steps::change(conn, run.id, step, &change).await?;
    record(conn, run.id, actor, "run.skip", &format!("`{}` {sentence}", found.title)).await?;
    transition(conn, &run, RunAct::Skip, "").await?;
    read(conn, run.id).await
}

/// Takes everything back. A running run is asked at once; a resting one goes back right away.
///
/// # Errors
/// Refused when the person may not or the point of no return is passed; otherwise the store's.
pub async fn abort(
    conn: &mut PgConnection,
    run: Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    if run.no_return_at.is_some() {
        return Err(Problem::new(
            "past-point-of-no-return",
            "Applications may already write on the other side, so there is no automatic way back.",
            "Let the run go on, then plan a switchover in the other direction.",
        )
        .into());
    }
    next_state(run.state, RunAct::Abort, false)?;
    let why = format!("aborted by {}: {reason}", actor.name);
    record(conn, run.id, actor, "run.abort", &format!("{} takes everything back: {reason}", actor.name))
        .await?;
    if run.state == RunState::Running {
        runs::want(conn, run.id, &Wanted::Abort(why)).await?;
    } else {
        transition(conn, &run, RunAct::Abort, &why).await?;
    }
    read(conn, run.id).await
}

/// Closes a stuck run by hand: a person has put the clusters in order and says so.
///
/// # Errors
/// Refused when the person may not, no reason is given or the run is not stuck; otherwise the store's.
pub async fn close_manually(
    conn: &mut PgConnection,
    run: Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Owner, &run.team)?;
    if reason.trim().is_empty() {
        return Err(Problem::new(
            "reason-missing",
            "Closing a stuck run needs a reason.",
            "Say what was done to put the clusters in order.",
        )
        .into());
    }
    record(conn, run.id, actor, "run.close", &format!("Closed by {}: {reason}", actor.name)).await?;
    transition(conn, &run, RunAct::CloseManually, reason).await?;
    read(conn, run.id).await
}

/// How a drill is attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attestation {
    /// It proved what it should.
    Passed,
    /// It did not.
    Failed,
    /// It proved nothing either way.
    Inconclusive,
}

/// Attests a drill. Never by the person who drove or requested it.
///
/// # Errors
/// Refused when the person may not or the run does not wait for it; otherwise the store's.
pub async fn attest(
    conn: &mut PgConnection,
    run: Uuid,
    attestation: Attestation,
    comment: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    may_attest(&run, actor)?;
    let act = match attestation {
        Attestation::Passed => RunAct::AttestPassed,
        Attestation::Failed => RunAct::AttestFailed,
        Attestation::Inconclusive => RunAct::AttestInconclusive,
    };
    let failed_check = run.outcome.iter().flat_map(|o| &o.checks).find(|check| check.passed != Some(true));
    if attestation == Attestation::Passed
        && let Some(check) = failed_check
    {
        return Err(Problem::new(
            "drill-not-proven",
            format!("Check `{}` did not pass: {}", check.name, check.sentence),
            "Attest it as failed or inconclusive.",
        )
        .into());
    }
    let message =
        format!("Attested {} by {}: {comment}", format!("{attestation:?}").to_lowercase(), actor.name);
    record(conn, run.id, actor, "run.attest", &message).await?;
    transition(conn, &run, act, comment).await?;
    read(conn, run.id).await
}

/// Whether this person may attest this run, and if not, why.
///
/// # Errors
/// The reason.
pub fn may_attest(run: &Run, actor: &Actor) -> Result<(), Problem> {
    need_role(actor, Role::Approver, &run.team)?;
    if run.driver.as_ref().is_some_and(|driver| driver.id == actor.id) || run.requested_by.id == actor.id {
        return Err(Problem::new(
            "own-run",
            "Nobody attests what they requested or drove.",
            "Ask another approver of the team.",
        ));
    }
    Ok(())
}

/// Ends requests nobody decided and approvals nobody used in time.
///
/// # Errors
/// The store's.
pub async fn expire_overdue(conn: &mut PgConnection) -> Result<Vec<Run>, OperationError> {
    let mut expired = Vec::new();
    for id in runs::overdue(conn).await? {
        let run = lock(conn, id).await?;
        let why = if run.state == RunState::Approved {
            "nobody started it in time"
        } else {
            "nobody decided in time"
        };
        record(conn, id, &Actor::muster(), "run.expire", &format!("Expired: {why}")).await?;
        transition(conn, &run, RunAct::Expire, why).await?;
        expired.push(read(conn, id).await?);
    }
    Ok(expired)
}

fn need_role(actor: &Actor, role: Role, team: &muster_domain::ids::TeamName) -> Result<(), Problem> {
    if actor.has(role, team) {
        return Ok(());
    }
    let word = format!("{role:?}").to_lowercase();
    Err(Problem::new(
        "role-missing",
        format!("This needs the role {word} for team `{team}`."),
        "Ask an admin to grant it, or ask somebody who has it.",
    ))
}

fn no_such(what: &str, name: &str) -> OperationError {
    Problem::new("not-found", format!("There is no {what} `{name}`."), "Check the name.").into()
}

fn person(actor: &Actor) -> Person {
    Person { id: actor.id, name: actor.name.clone() }
}

async fn lock(conn: &mut PgConnection, run: Uuid) -> Result<Run, OperationError> {
    runs::lock(conn, run).await?.ok_or_else(|| no_such("run", &run.to_string()))
}

async fn read(conn: &mut PgConnection, run: Uuid) -> Result<Run, OperationError> {
    runs::get(conn, run).await?.ok_or_else(|| no_such("run", &run.to_string()))
}

async fn transition(
    conn: &mut PgConnection,
    run: &Run,
    act: RunAct,
    reason: &str,
) -> Result<(), OperationError> {
    let state = next_state(run.state, act, run.no_return_at.is_some())?;
    runs::set_state(conn, run.id, state, reason).await?;
    let message = format!("Run is {}", state.as_str().replace('_', " "));
    let event = NewEvent {
        epoch: 0,
        step: None,
        kind: "state",
        message: &message,
        detail: serde_json::json!({"from": run.state, "to": state}),
    };
    run_events::append(conn, run.id, &event).await?;
    Ok(())
}

/// The decision as an event of the run and as an audit entry, in the same transaction.
async fn record(
    conn: &mut PgConnection,
    run: Uuid,
    actor: &Actor,
    action: &str,
    message: &str,
) -> Result<(), OperationError> {
    let event = NewEvent {
        epoch: 0,
        step: None,
        kind: "decision",
        message,
        detail: serde_json::json!({"by": actor.name, "action": action}),
    };
    run_events::append(conn, run, &event).await?;
    let object = format!("run {run}");
    audit::append(conn, &actor.name, action, &object, "done", serde_json::json!({"message": message}))
        .await?;
    Ok(())
}
