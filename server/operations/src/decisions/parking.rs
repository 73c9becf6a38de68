//! Parking what was under way when the backup was made that the database was restored from. What was done after it is not known
//! here, on whichever cluster, so nothing goes on or back before a person has looked.

use muster_domain::{
    people::Actor,
    record::Run,
    run::{RESTORED, RunAct, RunState, next_state},
};
use muster_store::{
    audit, brake,
    run_leases::{self, Wanted},
    runs,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{decide, person};
use crate::error::OperationError;

/// Why the brake is on.
const BRAKED: &str = "the database was restored from a backup";

/// What was parked.
#[derive(Debug)]
pub struct Parked {
    /// Whether the brake was put on now; otherwise it was on already.
    pub braked: bool,
    /// The runs as they rest now, each with the state it was in.
    pub runs: Vec<(Run, RunState)>,
}

/// Puts the brake on, and parks every run that could be carried on or back: by a worker, or by a person who takes it for as it
/// was. One that only has to conclude is left to do so, which touches no cluster. What was parked before stays as it is.
///
/// # Errors
/// The store's.
pub async fn park_restored(conn: &mut PgConnection) -> Result<Parked, OperationError> {
    let muster = Actor::muster();
    let braked = brake::put(conn, &person(&muster), BRAKED).await?;
    if braked {
        let detail = json!({"reason": BRAKED, "was_on": false});
        audit::append(conn, &muster.name, "brake.put", "brake", "done", detail).await?;
    }
    let mut parked = Parked { braked, runs: Vec::new() };
    for run in runs::holding(conn).await? {
        let takes = next_state(run.state, RunAct::Park, run.no_return_at.is_some()).is_ok();
        if takes && !run.is_restored() {
            let was = as_it_was(conn, &run).await?;
            let said = format!(
                "Restored from a backup, in which it was {was}; nothing is done until somebody decides"
            );
            run_leases::take_away(conn, run.id).await?;
            let rests = decide(conn, &run, &muster, ("run.park", &said), (RunAct::Park, RESTORED)).await?;
            parked.runs.push((rests, run.state));
        }
    }
    Ok(parked)
}

/// Where a run was, why, and what its worker had been asked for and had not done yet.
async fn as_it_was(conn: &mut PgConnection, run: &Run) -> Result<String, OperationError> {
    let mut was = run.state.as_str().replace('_', " ");
    if !run.state_reason.is_empty() {
        was = format!("{was} ({})", run.state_reason);
    }
    Ok(match run_leases::wanted(conn, run.id).await? {
        Some(Wanted::Pause(why) | Wanted::Abort(why)) => format!("{was} and was to be {why}"),
        None => was,
    })
}
