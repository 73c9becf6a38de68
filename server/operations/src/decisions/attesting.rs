//! What somebody else says of a drill that has ended.

use muster_domain::{
    people::{Actor, Role},
    problem::Problem,
    record::Run,
    run::RunAct,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{decide, lock, need_role};
use crate::error::OperationError;

/// How a drill is attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attestation {
    /// It proved what it should.
    Passed,
    /// It did not.
    Failed,
    /// It proved nothing either way.
    Inconclusive,
}

/// Attests a drill. Never by the person who drove or requested it.
///
/// # Errors
/// Refused when the person may not or the run does not wait for it; otherwise the store's.
pub async fn attest(
    conn: &mut PgConnection,
    run: Uuid,
    attestation: Attestation,
    comment: &str,
    actor: &Actor,
) -> Result<Run, OperationError> {
    let run = lock(conn, run).await?;
    may_attest(&run, actor)?;
    let act = match attestation {
        Attestation::Passed => RunAct::AttestPassed,
        Attestation::Failed => RunAct::AttestFailed,
        Attestation::Inconclusive => RunAct::AttestInconclusive,
    };
    let failed_check = run.outcome.iter().flat_map(|o| &o.checks).find(|check| check.passed != Some(true));
    if attestation == Attestation::Passed
        && let Some(check) = failed_check
    {
        return Err(Problem::new(
            "drill-not-proven",
            format!("Check `{}` did not pass: {}", check.name, check.sentence),
            "Attest it as failed or inconclusive.",
        )
        .into());
    }
    let message =
        format!("Attested {} by {}: {comment}", format!("{attestation:?}").to_lowercase(), actor.name);
    decide(conn, &run, actor, ("run.attest", &message), (act, comment)).await
}

/// Whether this person may attest this run, and if not, why.
///
/// # Errors
/// The reason.
pub fn may_attest(run: &Run, actor: &Actor) -> Result<(), Problem> {
    need_role(actor, Role::Approver, &run.team)?;
    if run.driver.as_ref().is_some_and(|driver| driver.id == actor.id) || run.requested_by.id == actor.id {
        return Err(Problem::new(
            "own-run",
            "Nobody attests what they requested or drove.",
            "Ask another approver of the team.",
        ));
    }
    Ok(())
}
