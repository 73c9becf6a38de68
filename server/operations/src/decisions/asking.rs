//! Asking for a run, and what others say to it before it starts.

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Pair,
    people::{Actor, Role},
    plan::Plan,
    problem::Problem,
    record::{Approval, Run, Vote},
    run::{RunAct, RunState},
    schedule::Occurrence,
};
use muster_store::{
    approvals, pairs,
    runs::{self, NewRun},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{decide, lock, need_role, no_such, person, read, record, transition};
use crate::{error::OperationError, telling::tell_state};

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

/// The pair of a plan as it stays until the request is kept: what is removed or edited meanwhile waits, and then finds the request.
async fn pair_of(conn: &mut PgConnection, plan: &Plan) -> Result<Pair, OperationError> {
    let name = &plan.content.pair;
    pairs::hold(conn, name).await?.ok_or_else(|| no_such("pair", name.as_str()))
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
    // Nobody needs to allow what changes nothing.
    let looks = content.operation.only_looks();
    let state = match (plan.blockers.is_empty(), looks) {
        (false, _) => RunState::Blocked,
        (true, false) => RunState::AwaitingApproval,
        (true, true) => RunState::Approved,
    };
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
        approvals_needed: if looks { 0 } else { pair.approval.needed_for(content.operation) },
        window,
    };
    runs::insert(conn, &new).await?;
    if state == RunState::Approved {
        runs::mark_approved(conn, id, pair.approval.use_within_minutes).await?;
    }
    record(conn, id, actor, "run.request", &format!("Requested by {}: {}", actor.name, reason.trim()))
        .await?;
    tell_state(conn, id, None).await?;
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
    let before = approvals::list(conn, run.id).await?;
    if before.iter().any(|a| a.by.id == actor.id && a.vote == Vote::Approve) {
        return Ok(run);
    }
    may_approve(&run, &before, actor)?;
    approvals::insert(conn, run.id, &person(actor), Vote::Approve, comment, &run.plan_hash).await?;
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
    approvals::insert(conn, run.id, &person(actor), Vote::Reject, comment, &run.plan_hash).await?;
    let message = format!("Rejected by {}: {comment}", actor.name);
    decide(conn, &run, actor, ("run.reject", &message), (RunAct::Reject, &message)).await
}

/// Takes back what a schedule asked for and nobody has started: it does not ask for it any more. What has ended stays as it
/// ended. Who changes the schedule is its pair's owner, so no role is asked for here.
///
/// # Errors
/// When it was started; otherwise the store's.
pub async fn withdraw_scheduled_run(
    conn: &mut PgConnection,
    run: &Run,
    why: &str,
    actor: &Actor,
) -> Result<(), OperationError> {
    if run.state.ended() {
        return Ok(());
    }
    let message = format!("Withdrawn by {}: {why}", actor.name);
    decide(conn, run, actor, ("run.withdraw", &message), (RunAct::Expire, &message)).await?;
    Ok(())
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
