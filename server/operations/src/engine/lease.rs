//! Keeping a run: the lease is renewed at a third of its length, and given up when the database did not confirm it in
//! time. The margin makes sure that this worker stops before another may start.

use std::time::Duration;

use muster_store::run_leases;
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};
use uuid::Uuid;

use super::{Engine, acquire};

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
            tokio::time::sleep(Duration::from_secs_f64(seconds / 3.0)).await;
            let asked = Instant::now();
            let left = Duration::from_secs_f64(seconds * 0.8).saturating_sub(asked - renewed);
            let answer = tokio::time::timeout(left, async {
                let mut conn = acquire(&pool).await?;
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
