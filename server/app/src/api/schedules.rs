//! `/api/v1/schedules`: when drills are due, and what came due.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    run::RunState,
    schedule::{Occurrence, Schedule, Standing},
};
use muster_store::{
    occurrences::{self as stored_occurrences, Recorded, RecordedFilter},
    schedules as stored_schedules,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Items, PageQuery, cursor, page_size, runs::teams};
use crate::{
    acts::schedules::{self, NewSchedule, ScheduleEdit},
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// Occurrences shown of one schedule.
const NEXT: usize = 4;

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
    /// Why nobody has to hold it any more; empty while it stands.
    pub skipped: String,
}

impl OccurrenceView {
    fn of(recorded: Recorded, now: DateTime<Utc>) -> Self {
        Self {
            schedule: recorded.schedule,
            pair: recorded.pair,
            drill: recorded.drill,
            occurrence: recorded.occurrence,
            standing: recorded.occurrence.standing(recorded.passed, recorded.skipped.is_some(), now),
            run: recorded.run.map(|(id, _, _)| id),
            run_state: recorded.run.map(|(_, _, state)| state),
            trouble: recorded.trouble,
            skipped: recorded.skipped.unwrap_or_default(),
        }
    }
}

/// What cursors of schedules are known by.
const SCHEDULE: &str = "schedule";
/// What cursors of occurrences are known by.
const OCCURRENCE: &str = "occurrence";

/// The cursor behind a schedule in the list of them.
pub(crate) fn write_cursor(schedule: &Schedule) -> String {
    cursor::write(SCHEDULE, &[&schedule.pair, &schedule.id])
}

/// The pair and id of the schedule a cursor speaks of.
///
/// # Errors
/// `invalid-request` when it is no cursor of schedules.
pub(crate) fn read_cursor(after: Option<&str>) -> Answer<Option<(&str, Uuid)>> {
    let Some(after) = after else { return Ok(None) };
    let [pair, id] = cursor::read::<2>(SCHEDULE, after)?;
    Ok(Some((pair, cursor::part(id)?)))
}

/// `GET /api/v1/schedules`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<ScheduleView>>> {
    let limit = page_size(page.limit);
    let after = read_cursor(page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let found = stored_schedules::list(&mut conn, teams(&actor).as_deref(), after, limit).await?;
    let now = Utc::now();
    let items: Vec<ScheduleView> = found.into_iter().map(|one| ScheduleView::of(one, now)).collect();
    Ok(Json(Items::page(items, limit, |view| write_cursor(&view.schedule))))
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
    schedules::remove(&mut tx, id, version, &actor, Utc::now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Filter of [`occurrences`].
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct OccurrenceQuery {
    /// Only of this pair.
    #[param(inline)]
    pair: Option<PairName>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// `GET /api/v1/occurrences`.
pub async fn occurrences(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<OccurrenceQuery>,
) -> Answer<Json<Items<OccurrenceView>>> {
    let limit = page_size(query.limit);
    let seen = teams(&actor);
    let filter = RecordedFilter {
        teams: seen.as_deref(),
        pair: query.pair.as_ref(),
        // Two schedules can be due at the same moment.
        after: cursor::read_time(OCCURRENCE, query.after.as_deref())?,
        ..RecordedFilter::default()
    };
    let mut conn = app.pool.acquire().await?;
    let now = muster_store::clock::now(&mut conn).await?;
    let found = stored_occurrences::recorded(&mut conn, filter, limit).await?;
    let items: Vec<OccurrenceView> =
        found.into_iter().map(|recorded| OccurrenceView::of(recorded, now)).collect();
    Ok(Json(Items::page(items, limit, |one| {
        cursor::write_time(OCCURRENCE, one.occurrence.due, one.schedule)
    })))
}
