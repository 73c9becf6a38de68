//! Keeping a run: the lease is renewed at a third of its length, and given up when the database did not confirm it in
//! time. The margin makes sure that this worker stops before another may start.

use std::time::Duration;

use muster_store::run_leases;
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};
use uuid::Uuid;

use super::Engine;

/// Stops renewing when dropped.
pub(super) struct Renewal(AbortHandle);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Renews until dropped; cancels `lost` when another worker has the run, or when the lease could not be renewed until
/// a fifth of it is left.
pub(super) fn renew_until_dropped(
    engine: &Engine,
    run: Uuid,
    epoch: i64,
    lost: CancellationToken,
) -> Renewal {
    let pool = engine.pool.clone();
    let seconds = engine.options.lease_seconds;
    let renewing = async move {
        let mut renewed = Instant::now();
        loop {
            let given_up = gives_up(renewed, seconds);
            tokio::time::sleep_until(next_look(Instant::now(), renewed, seconds)).await;
            let asked = Instant::now();
            let left = given_up.saturating_duration_since(asked);
            let answer = tokio::time::timeout(left, async {
                let mut conn = muster_store::acquire(&pool).await?;
                run_leases::renew(&mut conn, run, epoch, seconds).await
            })
            .await;
            match answer {
                Ok(Ok(true)) => renewed = asked,
                Ok(Ok(false)) => return lost.cancel(),
                Ok(Err(e)) => warn!(run.id = %run, "could not renew the lease: {e}"),
                Err(_) => return lost.cancel(),
            }
        }
    };
    let task = tokio::spawn(renewing.in_current_span());
    Renewal(task.abort_handle())
}

/// When a lease that was last renewed then is given up.
fn gives_up(renewed: Instant, seconds: f64) -> Instant {
    renewed + Duration::from_secs_f64(seconds * 0.8)
}

/// When it is renewed next: after a third of it, and after a renewal that failed not later than it is given up.
fn next_look(now: Instant, renewed: Instant, seconds: f64) -> Instant {
    (now + Duration::from_secs_f64(seconds / 3.0)).min(gives_up(renewed, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_that_failed_late_is_not_waited_for_past_the_margin() {
        let renewed = Instant::now();
        let after = |seconds: f64| renewed + Duration::from_secs_f64(seconds);
        assert_eq!(next_look(renewed, renewed, 9.0), after(3.0), "after a third");
        assert_eq!(next_look(after(3.5), renewed, 9.0), after(6.5), "after another third");
        assert_eq!(next_look(after(6.9), renewed, 9.0), gives_up(renewed, 9.0), "at the margin");
        assert!(gives_up(renewed, 9.0) < after(9.0), "before another may have it");
    }
}
