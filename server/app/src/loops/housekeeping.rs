//! What is done from time to time whatever people do: requests and approvals run out, old rows go.

use std::time::Duration;

use chrono::Utc;
use muster_operations::decisions;
use muster_store::{
    canaries, happenings, idempotency, identities, lag, login_failures, outbox, proof_stretches, readiness,
    recorder, rpo_hours, sessions,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    http::{Answer, failure::Failure},
    process::telemetry::Beat,
};

/// Pause between two turns.
pub const EXPIRE_EVERY: Duration = Duration::from_secs(10);
/// One in so many rounds also removes old rows.
const SWEEP_EVERY: u32 = 60;
/// Days of lag kept at full resolution.
pub const LAG_DAYS: i32 = 30;
/// Days of what a death would have cost, by the hour: as long as hours of partitions.
pub const RPO_DAYS: i32 = 366;
/// Days of how readiness checks changed: as long as a new pair may go without being moved.
pub const CHANGE_DAYS: i32 = 90;
/// Hours of what canaries measured.
pub const CANARY_HOURS: i32 = 24;
/// Days messages are shown after they were written.
pub const MESSAGE_DAYS: i32 = 30;

/// Works until shutdown. Several processes may: rows are locked while they are looked at.
pub async fn run(pool: PgPool, recorder_hours: i64, beat: Beat, shutdown: CancellationToken) {
    let mut round = 0_u32;
    loop {
        let expired = expire(&pool).await;
        beat.turned(expired.is_ok());
        if let Err(failure) = expired {
            tracing::warn!(cause = %failure.problem.detail, "could not end overdue requests; tried again shortly");
        }
        if round.is_multiple_of(SWEEP_EVERY)
            && let Err(failure) = sweep(&pool, recorder_hours).await
        {
            tracing::warn!(cause = %failure.problem.detail, "could not remove old rows; tried again later");
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EXPIRE_EVERY) => {}
        }
    }
}

/// Ends requests nobody decided and approvals nobody used in time, and raises findings for reviews that did not come.
///
/// # Errors
/// When the database refuses.
pub async fn expire(pool: &PgPool) -> Answer<usize> {
    let mut tx = muster_store::begin(pool).await?;
    let expired = decisions::expire_overdue(&mut tx).await.map_err(Failure::from)?;
    let unreviewed = decisions::raise_unreviewed(&mut tx).await.map_err(Failure::from)?;
    tx.commit().await?;
    if unreviewed > 0 {
        tracing::warn!("{unreviewed} starts without approval were not reviewed in time; findings say so");
    }
    for run in &expired {
        tracing::info!(run.id = %run.id, pair.name = %run.pair, "run {} of `{}` expired: {}", run.number, run.pair, run.state_reason);
    }
    Ok(expired.len())
}

/// Removes what is kept for a time only and older than that; `recorder_hours` of every survey's numbers stay.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(pool: &PgPool, recorder_hours: i64) -> Answer<()> {
    let mut conn = pool.acquire().await?;
    idempotency::delete_old(&mut conn).await?;
    login_failures::delete_old(&mut conn).await?;
    happenings::delete_old(&mut conn).await?;
    sessions::delete_ended(&mut conn).await?;
    identities::delete_old_attempts(&mut conn).await?;
    lag::delete_older_than(&mut conn, LAG_DAYS).await?;
    rpo_hours::delete_older_than(&mut conn, RPO_DAYS).await?;
    readiness::delete_changes_older_than(&mut conn, CHANGE_DAYS).await?;
    canaries::delete_older_than(&mut conn, CANARY_HOURS).await?;
    outbox::delete_older_than(&mut conn, MESSAGE_DAYS).await?;
    proof_stretches::forget_ended(&mut conn).await?;
    drop(conn);
    let mut tx = muster_store::begin(pool).await?;
    recorder::retire(&mut tx, Utc::now(), recorder_hours).await?;
    tx.commit().await?;
    Ok(())
}
