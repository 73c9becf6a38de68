//! What people decide about runs: ask, approve, start, pause, resume, retry, skip, confirm, abort, attest,
//! start without approval, review that; and what rests until they have decided, when the database comes from a backup.
//!
//! Each function changes the run and writes its audit entry in the caller's transaction. A refusal is a `Problem`;
//! the caller audits refusals (in a transaction of its own, since this one is rolled back).

mod asking;
mod attesting;
mod breaking_glass;
mod driving;
mod parking;

pub use asking::{
    approve, expire_overdue, may_approve, reject, request_run, request_scheduled_run, withdraw_scheduled_run,
};
pub use attesting::{Attestation, attest, may_attest};
pub use breaking_glass::{break_glass, may_review, raise_unreviewed, review};
pub use driving::{abort, close_manually, confirm, pause, resume, retry, skip, start, start_by_schedule};
use muster_domain::{
    ids::TeamName,
    people::{Actor, Role},
    problem::Problem,
    record::{Person, Run},
    run::{RunAct, next_state},
};
use muster_store::{
    audit,
    run_events::{self, NewEvent},
    runs,
};
pub use parking::{Parked, park_restored};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::OperationError,
    telling::{Told, tell_state},
};

fn need_role(actor: &Actor, role: Role, team: &TeamName) -> Result<(), Problem> {
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
) -> Result<Told, OperationError> {
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
    Ok(tell_state(conn, run.id, Some(run.state)).await?)
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

/// Keeps the decision, then moves the run.
async fn decide(
    conn: &mut PgConnection,
    run: &Run,
    actor: &Actor,
    (action, message): (&str, &str),
    (act, reason): (RunAct, &str),
) -> Result<Run, OperationError> {
    record(conn, run.id, actor, action, message).await?;
    transition(conn, run, act, reason).await?;
    read(conn, run.id).await
}
