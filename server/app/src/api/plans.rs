//! `/api/v1/pairs/{pair}/plans` and `/api/v1/plans`.

use axum::{extract::State, http::StatusCode};
use chrono::Utc;
use muster_domain::{ids::PairName, plan::Plan, plan_difference::PlanDifference};
use uuid::Uuid;

use crate::{
    acts::plans::{self, NewPlan},
    app::App,
    http::{Acting, Answer, Creating, Json, Path, Start},
};

/// `POST /api/v1/pairs/{pair}/plans`.
pub async fn make(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(pair): Path<PairName>,
    asked: Creating<NewPlan>,
) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let plan = plans::make(once.conn(), &pair, &new, &actor, Utc::now()).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/plans/{}", plan.id), &plan).await
}

/// `GET /api/v1/plans/{plan}`.
pub async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<Plan>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(plans::get(&mut conn, id).await?))
}

/// `GET /api/v1/plans/{plan}/difference`.
pub async fn difference(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<PlanDifference>> {
    let mut conn = app.pool.acquire().await?;
    let plan = plans::get(&mut conn, id).await?;
    Ok(Json(plans::difference(&mut conn, &plan).await?))
}
