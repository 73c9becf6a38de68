//! What is done from time to time whatever people do: requests and approvals run out, old rows go.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_operations::decisions;
use muster_store::{
    StoreError, canaries, happenings, idempotency, identities, lag, login_failures, losses, outbox,
    proof_stretches, readiness, recorder, rpo_hours, sessions,
};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::{
    http::{
        Answer,
        failure::{Failure, chain},
    },
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
/// Days what was said of each topic is kept of a loss that turned out to be none.
const LOSS_DAYS: i64 = 7;
/// Gigabytes of a pair that lie around incidents.
pub const INCIDENT_GB: i64 = 4;
/// So long old partitions are dropped one after the other before other work has its turn; the rest goes in the next round.
const RETIRE_FOR: Duration = Duration::from_secs(10);

/// Works until shutdown. Several processes may: rows are locked while they are looked at.
pub async fn run(pool: PgPool, recorder_hours: i64, beat: Beat, shutdown: CancellationToken) {
    let (mut round, mut more) = (0_u32, false);
    loop {
        let expired = expire(&pool).await;
        beat.turned(expired.is_ok());
        if let Err(failure) = expired {
            tracing::warn!(cause = %failure.problem.detail, "could not end overdue requests; tried again shortly");
        }
        more = if round.is_multiple_of(SWEEP_EVERY) {
            sweep(&pool, recorder_hours, &beat).await
        } else {
            more && drop_old(&pool, recorder_hours, Utc::now(), &beat).await
        };
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

/// Removes what is old, one thing after the other, whatever became of those before: each that cannot be removed is told in the log and
/// counted as a failure of the loop. Answers whether more of the recorder is old than was dropped.
pub async fn sweep(pool: &PgPool, recorder_hours: i64, beat: &Beat) -> bool {
    let now = Utc::now();
    match muster_store::acquire(pool).await {
        Ok(mut conn) => {
            sweep_rows(&mut conn, beat).await;
            sweep_recorded(&mut conn, now, beat).await;
        }
        Err(e) => {
            tell(beat, "old rows", Err::<(), _>(e));
            return false;
        }
    }
    tell(beat, "old hours of the flight recorder", retire_hours(pool, now).await);
    let most = INCIDENT_GB.saturating_mul(1_000_000_000);
    tell(beat, "what lies around the oldest incidents", bound_frozen(pool, most).await);
    drop_old(pool, recorder_hours, now, beat).await
}

/// Drops what is old of the recorder, for a while; answers whether more is. Where it is, the next round does this and nothing else.
async fn drop_old(pool: &PgPool, recorder_hours: i64, now: DateTime<Utc>, beat: &Beat) -> bool {
    tell(beat, "old surveys of the flight recorder", retire_blocks(pool, now, recorder_hours).await)
        .unwrap_or(false)
}

async fn sweep_rows(conn: &mut PgConnection, beat: &Beat) {
    tell(beat, "keys of requests", idempotency::delete_old(conn).await);
    tell(beat, "failed sign-ins", login_failures::delete_old(conn).await);
    tell(beat, "counts of happenings", happenings::delete_old(conn).await);
    tell(beat, "ended sessions", sessions::delete_ended(conn).await);
    tell(beat, "attempts to sign in", identities::delete_old_attempts(conn).await);
    tell(beat, "old lag", lag::delete_older_than(conn, LAG_DAYS).await);
    tell(beat, "old hours of RPO", rpo_hours::delete_older_than(conn, RPO_DAYS).await);
    tell(
        beat,
        "old changes of readiness checks",
        readiness::delete_changes_older_than(conn, CHANGE_DAYS).await,
    );
    tell(beat, "old minutes of canaries", canaries::delete_older_than(conn, CANARY_HOURS).await);
    tell(beat, "old messages", outbox::delete_older_than(conn, MESSAGE_DAYS).await);
    tell(beat, "stretches of ended proofs", proof_stretches::forget_ended(conn).await);
}

/// What of the recorder, and of losses, goes row by row; and the partitions it goes on in.
async fn sweep_recorded(conn: &mut PgConnection, now: DateTime<Utc>, beat: &Beat) {
    let long_ago = now - recorder::HOURS_FOR;
    if let Err(e) = recorder::cover_next(conn, now).await {
        beat.turned(false);
        tracing::warn!(cause = %chain(&e), "could not make the flight recorder's next partitions; whoever seals makes them");
    }
    let settled_before = now - TimeDelta::days(LOSS_DAYS);
    tell(beat, "topics of losses that were none", losses::remove_topics(conn, settled_before).await);
    tell(beat, "old ACLs and configs", recorder::forget_facts(conn, long_ago).await);
    tell(beat, "old ids of topics", recorder::forget_ids(conn, long_ago).await);
    tell(beat, "names of old tracks", recorder::forget_tracks(conn, long_ago).await);
}

async fn retire_hours(pool: &PgPool, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let failed = |source| StoreError::Database { op: "drop old partitions of the recorder's", source };
    let mut tx = muster_store::begin(pool).await.map_err(failed)?;
    let dropped = recorder::retire_hours(&mut tx, now).await?;
    tx.commit().await.map_err(failed)?;
    Ok(dropped)
}

/// Some blocks a transaction, the oldest first, until no pair has more than so many bytes or time is up.
async fn bound_frozen(pool: &PgPool, most_bytes: i64) -> Result<(), StoreError> {
    let failed =
        |source| StoreError::Database { op: "give up what lies around the oldest incidents", source };
    let (began, mut given_up) = (Instant::now(), BTreeMap::<String, i64>::new());
    while began.elapsed() < RETIRE_FOR {
        let mut tx = muster_store::begin(pool).await.map_err(failed)?;
        let gone = recorder::bound_frozen(&mut tx, most_bytes).await?;
        tx.commit().await.map_err(failed)?;
        for (pair, blocks) in gone.blocks {
            *given_up.entry(pair).or_default() += blocks;
        }
        if !gone.more {
            break;
        }
    }
    for (pair, blocks) in given_up {
        tracing::info!(pair.name = %pair, blocks, "gave up {blocks} blocks of the flight recorder around the oldest incidents of pair `{pair}`: more than {most_bytes} bytes of incidents are not kept; of their times the hours stay");
    }
    Ok(())
}

/// One partition a transaction, the oldest first; answers whether time was up before all were dropped.
async fn retire_blocks(pool: &PgPool, now: DateTime<Utc>, keep_hours: i64) -> Result<bool, StoreError> {
    let failed = |source| StoreError::Database { op: "drop an old partition of the recorder's", source };
    let began = Instant::now();
    while began.elapsed() < RETIRE_FOR {
        let mut tx = muster_store::begin(pool).await.map_err(failed)?;
        let retired = recorder::retire_blocks(&mut tx, now, keep_hours).await?;
        tx.commit().await.map_err(failed)?;
        if !retired {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells of what could not be removed, and goes on.
fn tell<T>(beat: &Beat, what: &str, removed: Result<T, StoreError>) -> Option<T> {
    removed
        .inspect_err(|e| {
            beat.turned(false);
            tracing::warn!(cause = %chain(e), "could not remove {what}; it stays and is tried again in ten minutes");
        })
        .ok()
}
