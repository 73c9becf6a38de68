//! People's decisions on runs: one function for all of them, so that pages and API cannot differ.

use muster_domain::{break_glass::Verdict, people::Actor, record::Run};
use muster_operations::decisions::{self, Attestation};
use muster_store::runs;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::http::{Answer, Failure};

/// What somebody decides about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// For it.
    Approve(String),
    /// Against it, with words.
    Reject(String),
    /// Begin.
    Start,
    /// Stop at the next step boundary.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Answer the question a step waits with.
    Confirm,
    /// Try again what failed.
    Retry(String),
    /// Leave a failed step out.
    Skip {
        /// Step.
        step: String,
        /// Why it is safe.
        reason: String,
    },
    /// Take everything back.
    Abort(String),
    /// Close a stuck or restored run by hand.
    Close(String),
    /// Say what a drill proved.
    Attest(Attestation, String),
    /// Begin without approval.
    BreakGlass {
        /// Why nobody can be waited for.
        reason: String,
        /// Codes of the blockers the person answers for.
        overridden: Vec<String>,
    },
    /// Say whether that was right.
    Review(Verdict, String),
}

/// A run.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Answer<Run> {
    runs::get(conn, id).await?.ok_or_else(|| Failure::not_found("run", &id.to_string()))
}

/// Carries a decision out. `shown_hash` is the hash of the plan the person saw: another one is refused, so that nobody
/// decides on something they did not see.
///
/// # Errors
/// What `decisions` refuses, `plan-changed`, `not-found`.
pub async fn decide(
    pool: &PgPool,
    id: Uuid,
    decision: Decision,
    shown_hash: Option<&str>,
    actor: &Actor,
) -> Answer<Run> {
    let mut tx = muster_store::begin(pool).await?;
    if let Some(shown) = shown_hash {
        check_hash(&get(&mut tx, id).await?, shown)?;
    }
    let conn = &mut *tx;
    let run = match decision {
        Decision::Approve(comment) => decisions::approve(conn, id, &comment, actor).await?,
        Decision::Reject(comment) => decisions::reject(conn, id, &comment, actor).await?,
        Decision::Start => decisions::start(conn, id, actor).await?,
        Decision::Pause => decisions::pause(conn, id, actor).await?,
        Decision::Resume => decisions::resume(conn, id, actor).await?,
        Decision::Confirm => decisions::confirm(conn, id, actor).await?,
        Decision::Retry(reason) => decisions::retry(conn, id, &reason, actor).await?,
        Decision::Skip { step, reason } => decisions::skip(conn, id, &step, &reason, actor).await?,
        Decision::Abort(reason) => decisions::abort(conn, id, &reason, actor).await?,
        Decision::Close(reason) => decisions::close_manually(conn, id, &reason, actor).await?,
        Decision::Attest(verdict, comment) => decisions::attest(conn, id, verdict, &comment, actor).await?,
        Decision::BreakGlass { reason, overridden } => {
            decisions::break_glass(conn, id, &reason, &overridden, actor).await?
        }
        Decision::Review(verdict, comment) => decisions::review(conn, id, verdict, &comment, actor).await?,
    };
    tx.commit().await?;
    Ok(run)
}

fn check_hash(run: &Run, shown: &str) -> Answer<()> {
    if run.plan_hash == shown {
        return Ok(());
    }
    Err(Failure::new(
        "plan-changed",
        "The plan you saw is not the plan of this run; nothing was decided.",
        "Open the run again, read its plan, and decide on that.",
    ))
}
