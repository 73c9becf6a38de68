//! Two runs of a pair side by side, and what its runs measured over time. Nothing is changed here.

use muster_domain::{
    comparison::{Comparison, compare},
    ids::PairName,
    people::Actor,
    record::Run,
};
use muster_store::{
    run_steps,
    runs::{self, RunFilter},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::runs::get;
use crate::http::{Answer, Failure};

/// Runs looked back at.
const LOOK_BACK: i64 = 60;

/// Runs of a pair that were started, of some teams (`None`: of all), newest first: those of before a pair moved to another team
/// stay with the team it was with.
///
/// # Errors
/// When the database refuses.
pub async fn started(
    conn: &mut PgConnection,
    pair: &PairName,
    teams: Option<Vec<String>>,
) -> Answer<Vec<Run>> {
    let filter = RunFilter { pair: Some(pair.to_string()), teams, ..RunFilter::default() };
    let mut found = runs::list(conn, &filter, None, LOOK_BACK).await?;
    found.retain(|run| run.started_at.is_some());
    Ok(found)
}

/// The run something is compared with when nobody chose one: the newest earlier one of the same kind, and before others
/// in the same direction.
#[must_use]
pub fn usual<'a>(run: &Run, others: &'a [Run]) -> Option<&'a Run> {
    let earlier =
        |other: &&Run| other.number < run.number && other.operation == run.operation && other.state.ended();
    others
        .iter()
        .filter(earlier)
        .find(|other| other.direction == run.direction)
        .or_else(|| others.iter().find(earlier))
}

/// Compares a run with another one, which is the first of the two.
///
/// # Errors
/// `not-found` also for runs this person may not read.
pub async fn beside(conn: &mut PgConnection, run: Uuid, with: Uuid, actor: &Actor) -> Answer<Comparison> {
    let (run, other) = (get(conn, run).await?, get(conn, with).await?);
    if !actor.may_read(&other.team) {
        return Err(Failure::not_found("run", &with.to_string()));
    }
    let (steps, other_steps) = (run_steps::list(conn, run.id).await?, run_steps::list(conn, other.id).await?);
    Ok(compare((&other, &other_steps), (&run, &steps)))
}
