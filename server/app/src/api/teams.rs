//! `/api/v1/teams`.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use muster_domain::ids::TeamName;

use super::{Items, PageQuery, cursor, page_size};
use crate::{
    acts::teams::{self, TeamEdit, TeamView},
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// What cursors of teams are known by.
pub(crate) const TEAM: &str = "team";

/// `GET /api/v1/teams`.
pub async fn list(State(app): State<App>, Query(page): Query<PageQuery>) -> Answer<Json<Items<TeamView>>> {
    let limit = page_size(page.limit);
    let after = cursor::read_name(TEAM, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let items = teams::page(&mut conn, after, limit).await?;
    Ok(Json(Items::page(items, limit, |team| cursor::write(TEAM, &[&team.name]))))
}

/// `POST /api/v1/teams`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<TeamView>) -> Answer {
    let (team, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    teams::create(once.conn(), &team, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/teams/{}", team.name), &team).await
}

/// `GET /api/v1/teams/{team}`.
pub async fn show(State(app): State<App>, Path(name): Path<TeamName>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let team = teams::get(&mut conn, &name).await?;
    Ok((etag(team.version), Json(team)).into_response())
}

/// `PATCH /api/v1/teams/{team}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<TeamName>,
    IfMatch(version): IfMatch,
    Json(edit): Json<TeamEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let team = teams::change(&mut tx, &name, version, edit, &actor).await?;
    tx.commit().await?;
    Ok((etag(team.version), Json(team)).into_response())
}

/// `DELETE /api/v1/teams/{team}`.
pub async fn delete(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<TeamName>,
    IfMatch(version): IfMatch,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    teams::delete(&mut tx, &name, version, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
