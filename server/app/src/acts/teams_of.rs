//! The team something belongs to, for the guard: by the name or id in the path.

use muster_domain::ids::{PairName, TeamName};
use muster_store::{alarms, channels, findings, pairs, plans, proofs, runs, schedules, teams};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::http::{Answer, Failure};

/// Of a pair.
///
/// # Errors
/// `not-found`.
pub async fn pair(conn: &mut PgConnection, name: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("pair", name);
    let pair_name = PairName::new(name).map_err(|_| missing())?;
    Ok(pairs::get(conn, &pair_name).await?.ok_or_else(missing)?.team)
}

/// Of a run: the team its pair belonged to then.
///
/// # Errors
/// `not-found`.
pub async fn run(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("run", id);
    let run = id.parse::<Uuid>().map_err(|_| missing())?;
    Ok(runs::get(conn, run).await?.ok_or_else(missing)?.team)
}

/// Of a plan: the team its pair belongs to now; once the pair was removed, the one it belonged to when the plan was made.
///
/// # Errors
/// `not-found`.
pub async fn plan(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("plan", id);
    let plan = plans::get(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?.ok_or_else(missing)?;
    match pairs::get(conn, &plan.content.pair).await? {
        Some(pair) => Ok(pair.team),
        None => plans::team(conn, plan.id).await?.ok_or_else(missing),
    }
}

/// Of a drill schedule: the team its pair belongs to now.
///
/// # Errors
/// `not-found`.
pub async fn schedule(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("schedule", id);
    let schedule = schedules::get(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?;
    pair(conn, schedule.ok_or_else(missing)?.pair.as_str()).await
}

/// Of a finding: the team its pair belonged to when it was raised.
///
/// # Errors
/// `not-found`.
pub async fn finding(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("finding", id);
    let finding = findings::get(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?;
    Ok(finding.ok_or_else(missing)?.team)
}

/// Of a notification channel.
///
/// # Errors
/// `not-found`.
pub async fn channel(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("channel", id);
    let channel = channels::get(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?;
    Ok(channel.ok_or_else(missing)?.team)
}

/// Of a proof: the team its pair belonged to when it was asked for.
///
/// # Errors
/// `not-found`.
pub async fn proof(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("proof", id);
    proofs::team(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?.ok_or_else(missing)
}

/// A team itself.
///
/// # Errors
/// `not-found`.
pub async fn team(conn: &mut PgConnection, name: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("team", name);
    let team = TeamName::new(name).map_err(|_| missing())?;
    Ok(teams::get(conn, &team).await?.ok_or_else(missing)?.0.name)
}

/// Of an alarm: the team its pair belonged to when it opened.
///
/// # Errors
/// `not-found`.
pub async fn alarm(conn: &mut PgConnection, id: &str) -> Answer<TeamName> {
    let missing = || Failure::not_found("alarm", id);
    let alarm = alarms::get(conn, id.parse::<Uuid>().map_err(|_| missing())?).await?;
    Ok(alarm.ok_or_else(missing)?.team)
}
