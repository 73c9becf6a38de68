//! `/api/v1/runs`: request, list, look.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use muster_domain::{
    break_glass::BreakGlass,
    comparison::Comparison,
    ids::PairName,
    people::{Actor, Role},
    record::{Approval, Report, Run, RunStep},
    run::{Operation, RunState},
};
use muster_operations::report;
use muster_store::{
    approvals, break_glass, run_steps,
    runs::{self, RunFilter},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Items, cursor, page_size};
use crate::{
    acts::{
        comparisons, pairs,
        plans::{self, NewRequest},
        runs as acts,
    },
    app::App,
    http::{Acting, Answer, Creating, Failure, Json, Path, Query, Start},
};

/// What cursors of runs are known by.
const RUN: &str = "run";

/// A run with the decisions on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Who approved or rejected it.
    pub approvals: Vec<Approval>,
    /// How it was started without approval, and the review of that; null when it was not.
    pub break_glass: Option<BreakGlass>,
}

/// Filters of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct RunQuery {
    /// Only of this pair.
    pair: Option<String>,
    /// Only of this kind.
    #[param(inline)]
    operation: Option<Operation>,
    /// Only in this state.
    #[param(inline)]
    state: Option<RunState>,
    /// Asked for at or after this time (RFC 3339).
    #[serde(deserialize_with = "crate::http::times::time")]
    since: Option<DateTime<Utc>>,
    /// Asked for before this time (RFC 3339).
    #[serde(deserialize_with = "crate::http::times::time")]
    until: Option<DateTime<Utc>>,
    /// true for drills only, false for others only.
    drill: Option<bool>,
    /// Only with all of these words, or beginnings of words, in the reason, the course, what deciders said or what was
    /// reached.
    text: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// `POST /api/v1/runs`.
pub async fn request(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewRequest>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let run = plans::request_run(once.conn(), &new, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/runs/{}", run.id), &run).await
}

/// `GET /api/v1/runs`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<RunQuery>,
) -> Answer<Json<Items<Run>>> {
    let limit = page_size(query.limit);
    let before = cursor::read_number(RUN, query.after.as_deref())?;
    let filter = RunFilter {
        pair: query.pair,
        operation: query.operation.map(|operation| operation.as_str().to_owned()),
        state: query.state.map(|state| state.as_str().to_owned()),
        since: query.since,
        until: query.until,
        drill: query.drill,
        text: query.text,
        teams: teams(&actor),
    };
    let mut conn = app.pool.acquire().await?;
    let items = runs::list(&mut conn, &filter, before, limit).await?;
    Ok(Json(Items::page(items, limit, |run| cursor::write(RUN, &[&run.number]))))
}

/// Teams whose runs somebody may see; `None` for all.
#[must_use]
pub fn teams(actor: &Actor) -> Option<Vec<String>> {
    if actor.has_anywhere(Role::Admin) || actor.grants.iter().any(|grant| grant.team.is_none()) {
        return None;
    }
    Some(actor.grants.iter().filter_map(|grant| grant.team.as_ref().map(ToString::to_string)).collect())
}

/// `GET /api/v1/runs/{run}`.
pub async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<RunView>> {
    let mut conn = app.pool.acquire().await?;
    let run = acts::get(&mut conn, id).await?;
    let approvals = approvals::list(&mut conn, id).await?;
    let break_glass = break_glass::get(&mut conn, id).await?;
    Ok(Json(RunView { run, approvals, break_glass }))
}

/// `GET /api/v1/runs/{run}/steps`.
pub async fn steps(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<Items<RunStep>>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(run_steps::list(&mut conn, id).await?.into()))
}

/// What a run is compared with.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CompareQuery {
    /// The other run, by its id; it is the first of the two.
    with: Uuid,
}

/// `GET /api/v1/runs/{run}/compare`.
pub async fn compare(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    Query(query): Query<CompareQuery>,
) -> Answer<Json<Comparison>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(comparisons::beside(&mut conn, id, query.with, &actor).await?))
}

/// What one run of a pair measured.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeasuredRun {
    /// The run.
    pub run: Uuid,
    /// Its number.
    pub number: i64,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// Whether it was a drill.
    pub drill: bool,
    /// Where it ended.
    pub state: RunState,
    /// The whole run without waiting for people, in milliseconds; null where it was not measured.
    pub rto_ms: Option<i64>,
    /// Without writes, in milliseconds; null where it was not measured.
    pub write_unavailability_ms: Option<i64>,
    /// Records lost; null where it was not measured.
    pub lost_records: Option<i64>,
}

/// What runs of a pair that one may read measured, newest first, beside what is aimed at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trend {
    /// RTO objective, in seconds.
    pub rto_objective_seconds: i64,
    /// Runs that were started.
    pub items: Vec<MeasuredRun>,
}

/// `GET /api/v1/pairs/{pair}/rto`.
pub async fn trend(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(pair): Path<PairName>,
) -> Answer<Json<Trend>> {
    let mut conn = app.pool.acquire().await?;
    let objectives = pairs::get(&mut conn, &pair).await?.objectives;
    let measured = |run: Run| {
        let outcome = run.outcome.unwrap_or_default();
        Some(MeasuredRun {
            run: run.id,
            number: run.number,
            started_at: run.started_at?,
            drill: run.drill,
            state: run.state,
            rto_ms: outcome.machine_ms(),
            write_unavailability_ms: outcome.write_unavailability_ms,
            lost_records: outcome.lost_records,
        })
    };
    let runs = comparisons::started(&mut conn, &pair, teams(&actor)).await?;
    let items = runs.into_iter().filter_map(measured).collect();
    Ok(Json(Trend { rto_objective_seconds: objectives.rto_seconds, items }))
}

/// `GET /api/v1/runs/{run}/report`.
pub async fn evidence(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<Report>> {
    let mut conn = app.pool.acquire().await?;
    let report = report::report(&mut conn, id).await?;
    Ok(Json(report.ok_or_else(|| Failure::not_found("run", &id.to_string()))?))
}
