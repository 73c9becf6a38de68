//! Telling a run's team where it is: written with the change of state, delivered by others later.

use muster_domain::{
    notification::{EventKind, of_run},
    run::RunState,
};
use muster_store::{StoreError, outbox, runs};
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes what the new state of a run is told as, in the transaction that gave it that state. `from` is the state before. Says
/// what was written, and for how many channels.
pub(crate) async fn tell_state(
    conn: &mut PgConnection,
    run: Uuid,
    from: Option<RunState>,
) -> Result<Told, StoreError> {
    // Read again: the change also set the driver, the end, the reason.
    let Some(run) = runs::get(conn, run).await? else { return Ok(Told::default()) };
    let mut told = Told::default();
    for event in of_run(&run, from) {
        told.0.push((event.kind(), outbox::write(conn, &run.team, &event).await?));
    }
    Ok(told)
}

/// What was written to be told, and for how many channels.
#[derive(Debug, Default)]
pub(crate) struct Told(Vec<(EventKind, u64)>);

impl Told {
    /// How many channels are told of something.
    pub(crate) fn channels(&self, of: EventKind) -> u64 {
        self.0.iter().filter(|(kind, _)| *kind == of).map(|(_, channels)| channels).sum()
    }
}
