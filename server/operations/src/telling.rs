//! Telling a run's team where it is: written with the change of state, delivered by others later.

use muster_domain::{notification::of_run, run::RunState};
use muster_store::{StoreError, outbox, runs};
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes what the new state of a run is told as, in the transaction that gave it that state. `from` is the state before.
pub(crate) async fn tell_state(
    conn: &mut PgConnection,
    run: Uuid,
    from: Option<RunState>,
) -> Result<(), StoreError> {
    // Read again: the change also set the driver, the end, the reason.
    let Some(run) = runs::get(conn, run).await? else { return Ok(()) };
    for event in of_run(&run, from) {
        outbox::write(conn, &run.team, &event).await?;
    }
    Ok(())
}
