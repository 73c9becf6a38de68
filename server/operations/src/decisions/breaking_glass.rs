//! Starting a run nobody approved, and what somebody else says of that afterwards.

use muster_domain::{
    break_glass::{NOT_JUSTIFIED, REVIEW_MISSING, REVIEW_WITHIN, Verdict, answered_for},
    finding::{self, Severity},
    notification::EventKind,
    people::{Actor, Role},
    problem::Problem,
    record::Run,
    run::{RunAct, next_state},
};
use muster_store::{
    break_glass, clock,
    findings::{self, NewFinding},
    plans,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{driving, lock, need_role, no_such, person, read, record};
use crate::{error::OperationError, telling::Told};

/// Starts a run that waits for approval or is blocked. The person becomes its driver; every channel of the team
/// is told; somebody else reviews it within a day. What Muster itself checks before and during a run still holds: only the
/// approval is left out, and those blockers that a person can answer for and names.
///
/// # Errors
/// Refused when the person is no owner, gives no reason, or leaves a blocker unanswered for; under the brake; when another
/// run holds the pair; otherwise the store's.
pub async fn break_glass(
    conn: &mut PgConnection,
    run: Uuid,
    reason: &str,
    overridden: &[String],
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    need_role(actor, Role::Owner, &run.team)?;
    next_state(run.state, RunAct::BreakGlass, false)?;
    if reason.trim().is_empty() {
        return Err(Problem::new(
            "reason-missing",
            "Starting without approval needs a reason: it is what the review reads first.",
            "Say in a sentence why nobody can be waited for.",
        )
        .into());
    }
    let plan = plans::get(conn, run.plan).await?.ok_or_else(|| no_such("plan", &run.plan.to_string()))?;
    answered_for(&plan.blockers, overridden)?;
    let named: Vec<String> = plan.blockers.into_iter().map(|blocker| blocker.code).collect();
    break_glass::insert(conn, run.id, &person(actor), reason.trim(), &named, REVIEW_WITHIN).await?;
    let overriding = match named.as_slice() {
        [] => String::new(),
        named => format!(", overriding {}", named.join(", ")),
    };
    let said = |told: &Told| {
        let told = match told.channels(EventKind::BreakGlass) {
            0 => "told to nobody, the team has no channel that is switched on".to_owned(),
            1 => "told to 1 channel".to_owned(),
            many => format!("told to {many} channels"),
        };
        format!("{} started it without approval{overriding} ({told}): {}", actor.name, reason.trim())
    };
    driving::begin(conn, run, actor, RunAct::BreakGlass, reason.trim(), ("run.break_glass", said)).await
}

/// Whether this person may review a run that was started without approval.
///
/// # Errors
/// The reason, for the page and the API alike.
pub fn may_review(run: &Run, actor: &Actor) -> Result<(), Problem> {
    need_role(actor, Role::Approver, &run.team)?;
    let own =
        run.requested_by.id == actor.id || run.driver.as_ref().is_some_and(|driver| driver.id == actor.id);
    if own {
        return Err(Problem::new(
            "own-run",
            "Nobody reviews what they asked for or started.",
            "Ask another approver of the team.",
        ));
    }
    Ok(())
}

/// Reviews it, once. One that does not agree leaves a finding.
///
/// # Errors
/// Refused by [`may_review`], without words, or when there is nothing to review; otherwise the store's.
pub async fn review(
    conn: &mut PgConnection,
    run: Uuid,
    verdict: Verdict,
    comment: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    may_review(&run, actor)?;
    if comment.trim().is_empty() {
        return Err(Problem::new(
            "reason-missing",
            "A review needs words: it is kept as evidence.",
            "Say what you looked at and why it was justified, or not.",
        )
        .into());
    }
    if !break_glass::review(conn, run.id, &person(actor), verdict, comment.trim()).await? {
        return Err(Problem::new(
            "nothing-to-review",
            "The run was started with approval, or its start was reviewed before.",
            "Reload the run.",
        )
        .into());
    }
    let word = verdict.as_str().replace('_', " ");
    let said = format!("{} reviewed the start without approval: {word}: {}", actor.name, comment.trim());
    record(conn, run.id, actor, "run.review", &said).await?;
    if verdict == Verdict::NotJustified {
        let text = format!("Started without approval, which was not justified: {}", comment.trim());
        raise(conn, &run, NOT_JUSTIFIED, &text).await?;
    }
    read(conn, run.id).await
}

/// Raises a finding for each review that did not come in its time; says how many.
///
/// # Errors
/// The store's.
pub async fn raise_unreviewed(conn: &mut PgConnection) -> Result<usize, OperationError> {
    let mut raised = 0;
    for id in break_glass::unreviewed(conn, REVIEW_MISSING).await? {
        let run = lock(conn, id).await?;
        let text = format!(
            "Run {} was started without approval and nobody reviewed that within {} hours.",
            run.number,
            REVIEW_WITHIN.num_hours()
        );
        raise(conn, &run, REVIEW_MISSING, &text).await?;
        raised += 1;
    }
    Ok(raised)
}

async fn raise(conn: &mut PgConnection, run: &Run, about: &str, text: &str) -> Result<(), OperationError> {
    let today = clock::now(conn).await?.date_naive();
    let muster = Actor::muster();
    let new = NewFinding {
        pair: &run.pair,
        team: &run.team,
        run: Some(run.id),
        about: Some(about),
        text,
        severity: Severity::High,
        owner: finding::first_owner(run),
        due: finding::due(Severity::High, today),
        link: "",
        raised_by: &person(&muster),
    };
    if findings::insert(conn, &new).await?.is_some() {
        record(conn, run.id, &muster, "finding.raise", &format!("Finding raised, high: {text}")).await?;
    }
    Ok(())
}
