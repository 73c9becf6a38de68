//! Starting a run and carrying it to its end.

use muster_domain::{
    people::{Actor, Role},
    problem::Problem,
    record::Run,
    run::{RefusedAct, RunAct, RunState, StepState, next_state},
};
use muster_store::{
    pairs, plans,
    run_leases::{self, Wanted},
    run_steps, runs,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{decide, lock, need_role, no_such, person, read, record, transition};
use crate::{error::OperationError, telling::Told};

/// Starts an approved run. The person becomes its driver. A second click on a started run changes nothing.
///
/// # Errors
/// Refused when the person may not, the run is not approved, the pair was edited since it was planned, or another run holds the
/// pair; otherwise the store's.
pub async fn start(conn: &mut PgConnection, run: Uuid, actor: &Actor) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Operator, &run.team)?;
    if run.driver.as_ref().is_some_and(|driver| driver.id == actor.id) && run.state.holds_pair() {
        return Ok(run);
    }
    begin_approved(conn, run, actor).await
}

/// Starts what a schedule asked for and what changes nothing: nobody has to be there.
///
/// # Errors
/// As [`start`], without the role. Refused for what changes something.
pub async fn start_by_schedule(conn: &mut PgConnection, run: Uuid) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    if !run.operation.only_looks() {
        return Err(Problem::new(
            "role-missing",
            "Muster starts nothing by itself that changes a cluster.",
            "An operator of the team starts it.",
        )
        .into());
    }
    begin_approved(conn, run, &Actor::muster()).await
}

async fn begin_approved(conn: &mut PgConnection, run: Run, actor: &Actor) -> Result<Run, OperationError> {
    let said = format!("Started by {}, who drives it", actor.name);
    begin(conn, run, actor, RunAct::Start, "", ("run.start", |_| said)).await
}

/// Starts a run, approved or not: its plan is what was asked for, the pair is as it was planned for and stays so, the brake is off
/// and the pair is free. `reason` becomes the reason of its state; the last are the audit's action and its sentence, given what was told to whom.
pub(super) async fn begin(
    conn: &mut PgConnection,
    run: Run,
    actor: &Actor,
    act: RunAct,
    reason: &str,
    (action, said): (&str, impl FnOnce(&Told) -> String),
) -> Result<Run, OperationError> {
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
    // Held until the start is kept: an edit waits for that, and then finds the run.
    let pair = pairs::hold(conn, &run.pair).await?.ok_or_else(|| no_such("pair", run.pair.as_str()))?;
    if pair.version != plan.content.pair_version {
        return Err(Problem::new(
            "plan-outdated",
            format!("Pair `{}` was edited after the plan was made, so the plan no longer holds.", pair.name),
            "Make a new plan and ask for it; this run stays as it is until its clock ends.",
        )
        .into());
    }
    if let Some(other) = runs::active_for_pair(conn, &run.pair).await? {
        return Err(pair_is_held(&other).into());
    }
    runs::mark_started(conn, run.id, &person(actor)).await?;
    let told = match transition(conn, &run, act, reason).await {
        Err(OperationError::Store(e)) if e.constraint() == Some("run_one_at_a_time_per_pair") => {
            return Err(Problem::new(
                "pair-has-active-run",
                format!("Another run of pair `{}` was started in the same moment.", run.pair),
                "Watch that run; this one stays as it is until its clock ends.",
            )
            .into());
        }
        other => other?,
    };
    record(conn, run.id, actor, action, &said(&told)).await?;
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
    run_leases::want(conn, run.id, &Wanted::Pause(format!("paused by {}", actor.name))).await?;
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
    decide(conn, &run, actor, ("run.resume", &format!("Resumed by {}", actor.name)), (RunAct::Resume, ""))
        .await
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

/// Tries again what failed: the failed steps of a paused run, or the failed undo of a stuck one. The brake does not keep a stuck run
/// from its way back, and the steps it failed at stay failed, for its report.
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
    if run.state != RunState::Stuck {
        refuse_under_brake(conn).await?;
        for step in run_steps::list(conn, run.id).await?.iter().filter(|s| s.state == StepState::Failed) {
            run_steps::begin_again(conn, run.id, &step.name).await?;
        }
    }
    decide(
        conn,
        &run,
        actor,
        ("run.retry", &format!("{} tries again: {reason}", actor.name)),
        (RunAct::Retry, ""),
    )
    .await
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
    decide(conn, &run, actor, ("run.skip", &format!("`{}` {sentence}", found.title)), (RunAct::Skip, ""))
        .await
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
        run_leases::want(conn, run.id, &Wanted::Abort(why)).await?;
    } else {
        transition(conn, &run, RunAct::Abort, &why).await?;
    }
    read(conn, run.id).await
}

/// Closes a stuck run by hand, or one that was restored from a backup: a person has put the clusters in order and says so.
///
/// # Errors
/// Refused when the person may not, no reason is given or the run is neither; otherwise the store's.
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
            "Closing a run by hand needs a reason.",
            "Say what was done to put the clusters in order.",
        )
        .into());
    }
    if run.state == RunState::PausedByOperator && !run.is_restored() {
        // What it took away would stay away: it can still be resumed, or go back.
        return Err(RefusedAct { state: run.state, act: RunAct::CloseManually }.into());
    }
    decide(
        conn,
        &run,
        actor,
        ("run.close", &format!("Closed by {}: {reason}", actor.name)),
        (RunAct::CloseManually, reason),
    )
    .await
}
