//! `/api/v1/schedules`: when drills are due, and what came due.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    people::Actor,
    run::RunState,
    schedule::{Occurrence, Schedule, Standing},
};
use muster_store::schedules as stored;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Items, runs::teams};
use crate::{
    acts::schedules::{self, NewSchedule, ScheduleEdit},
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// Occurrences shown of one schedule.
const NEXT: usize = 4;
/// Most occurrences in a list.
const LIST: i64 = 200;

/// A schedule with what comes next.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// The schedule.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// The next times it is due; none while it is switched off.
    pub next: Vec<Occurrence>,
}

impl ScheduleView {
    fn of(schedule: Schedule, now: DateTime<Utc>) -> Self {
        let next = match schedule.enabled {
            true => schedule.between(now, DateTime::<Utc>::MAX_UTC, NEXT).unwrap_or_default(),
            false => Vec::new(),
        };
        Self { schedule, next }
    }
}

/// A time a drill was, or is about to be, due.
#[derive(Debug, Serialize, ToSchema)]
pub struct OccurrenceView {
    /// The schedule.
    pub schedule: Uuid,
    /// The pair.
    pub pair: PairName,
    /// What is drilled.
    pub drill: String,
    /// When.
    #[serde(flatten)]
    pub occurrence: Occurrence,
    /// Where it stands.
    pub standing: Standing,
    /// The run asked for.
    pub run: Option<Uuid>,
    /// Its state.
    pub run_state: Option<RunState>,
    /// Why there is no run yet; empty when there is one or none was tried.
    pub trouble: String,
}

/// Recorded occurrences this person may see, newest due first.
///
/// # Errors
/// When the database refuses.
pub async fn recorded(app: &App, actor: &Actor, pair: Option<&PairName>) -> Answer<Vec<OccurrenceView>> {
    let mut conn = app.pool.acquire().await?;
    let now = muster_store::clock::now(&mut conn).await?;
    let teams = teams(actor);
    let found = stored::recorded(&mut conn, teams.as_deref(), pair, LIST).await?;
    let view = |recorded: stored::Recorded| {
        let run_state = recorded.run.map(|(_, _, state)| state);
        OccurrenceView {
            schedule: recorded.schedule,
            pair: recorded.pair,
            drill: recorded.drill,
            occurrence: recorded.occurrence,
            standing: recorded.occurrence.standing(recorded.passed, now),
            run: recorded.run.map(|(id, _, _)| id),
            run_state,
            trouble: recorded.trouble,
        }
    };
    Ok(found.into_iter().map(view).collect())
}

/// `GET /api/v1/schedules`.
pub async fn list(State(app): State<App>, Acting(actor): Acting) -> Answer<Json<Items<ScheduleView>>> {
    let mut conn = app.pool.acquire().await?;
    let found = stored::list(&mut conn, teams(&actor).as_deref()).await?;
    let now = Utc::now();
    let items: Vec<ScheduleView> = found.into_iter().map(|one| ScheduleView::of(one, now)).collect();
    Ok(Json(items.into()))
}

/// `POST /api/v1/schedules`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewSchedule>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let now = Utc::now();
    let made = schedules::create(once.conn(), new, &actor, now).await?;
    let address = format!("/api/v1/schedules/{}", made.id);
    once.answer(StatusCode::CREATED, &address, &ScheduleView::of(made, now)).await
}

/// `GET /api/v1/schedules/{schedule}`.
pub async fn show(State(app): State<App>, Acting(actor): Acting, Path(id): Path<Uuid>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let schedule = schedules::get(&mut conn, id, &actor).await?;
    Ok((etag(schedule.version), Json(ScheduleView::of(schedule, Utc::now()))).into_response())
}

/// `PATCH /api/v1/schedules/{schedule}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    IfMatch(version): IfMatch,
    Json(edit): Json<ScheduleEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let schedule = schedules::change(&mut tx, id, version, edit, &actor, Utc::now()).await?;
    tx.commit().await?;
    Ok((etag(schedule.version), Json(ScheduleView::of(schedule, Utc::now()))).into_response())
}

/// `DELETE /api/v1/schedules/{schedule}`.
pub async fn delete(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    IfMatch(version): IfMatch,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    schedules::remove(&mut tx, id, version, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Filter of [`occurrences`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OccurrenceQuery {
    pair: Option<PairName>,
}

/// What the OpenAPI document says of [`OccurrenceQuery`].
pub const OCCURRENCE_QUERY: &[(&str, &str)] = &[("pair", "Only of this pair.")];

/// `GET /api/v1/occurrences`.
pub async fn occurrences(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<OccurrenceQuery>,
) -> Answer<Json<Items<OccurrenceView>>> {
    Ok(Json(recorded(&app, &actor, query.pair.as_ref()).await?.into()))
}
