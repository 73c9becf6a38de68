//! `/api/v1/clusters`.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use muster_domain::ids::ClusterName;

use super::{Items, PageQuery, cursor, page_size};
use crate::{
    acts::{
        checks::{self, CheckedCluster},
        clusters::{self, ClusterEdit, ClusterView, NewCluster},
    },
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// What cursors of clusters are known by.
pub(crate) const CLUSTER: &str = "cluster";

/// `GET /api/v1/clusters`.
pub async fn list(State(app): State<App>, Query(page): Query<PageQuery>) -> Answer<Json<Items<ClusterView>>> {
    let limit = page_size(page.limit);
    let after = cursor::read_name(CLUSTER, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let items = clusters::page(&mut conn, after, limit).await?;
    Ok(Json(Items::page(items, limit, |view| cursor::write(CLUSTER, &[&view.cluster.name]))))
}

/// `POST /api/v1/clusters`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewCluster>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let made = clusters::create(once.conn(), &app.secrets_key, new, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/clusters/{}", made.cluster.name), &made).await
}

/// `GET /api/v1/clusters/{cluster}`.
pub async fn show(State(app): State<App>, Path(name): Path<ClusterName>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let view = clusters::view(&mut conn, &name).await?;
    Ok((etag(view.cluster.version), Json(view)).into_response())
}

/// `PATCH /api/v1/clusters/{cluster}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<ClusterName>,
    IfMatch(version): IfMatch,
    Json(edit): Json<ClusterEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let view = clusters::change(&mut tx, &app.secrets_key, &name, version, edit, &actor).await?;
    tx.commit().await?;
    Ok((etag(view.cluster.version), Json(view)).into_response())
}

/// `DELETE /api/v1/clusters/{cluster}`.
pub async fn delete(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<ClusterName>,
    IfMatch(version): IfMatch,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    clusters::delete(&mut tx, &name, version, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/clusters/{cluster}/check`.
pub async fn check(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<ClusterName>,
) -> Answer<Json<CheckedCluster>> {
    Ok(Json(checks::check(&app, &name, &actor).await?))
}
