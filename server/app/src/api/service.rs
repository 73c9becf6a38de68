//! The service itself: alive, ready, its figures, its own description, the static files.

use axum::{
    extract::{OriginalUri, State},
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{Answer, Failure, Json, openapi},
    process::telemetry,
    routes,
};

/// Whether this process can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// True when it can.
    pub ready: bool,
    /// What it waits for, when it cannot.
    pub waiting_for: Option<String>,
}

/// `GET /healthz`: the process answers and none of its loops has ended; otherwise only a restart helps. Says nothing of
/// the database, or every restart of it would restart Muster.
pub async fn healthz(State(app): State<App>) -> (StatusCode, String) {
    match app.telemetry.loops.ended() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(name) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the loop `{}` has ended: restart this process\n", name.as_str()),
        ),
    }
}

/// `GET /readyz`: it can do its work: it was not told to stop, its loops turn, the database answers.
pub async fn readyz(State(app): State<App>) -> impl axum::response::IntoResponse {
    let waiting_for = waits_for(&app).await;
    let status = if waiting_for.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready: waiting_for.is_none(), waiting_for }))
}

async fn waits_for(app: &App) -> Option<String> {
    if app.telemetry.stopping() {
        return Some("it was told to stop".to_owned());
    }
    if let Some(name) = app.telemetry.loops.ended() {
        return Some(format!("a restart: the loop `{}` has ended", name.as_str()));
    }
    let asked = tokio::time::timeout(std::time::Duration::from_secs(2), async {
        let mut conn = app.pool.acquire().await?;
        sqlx::Connection::ping(&mut *conn).await
    });
    if !matches!(asked.await, Ok(Ok(()))) {
        return Some("the database does not answer".to_owned());
    }
    let (name, silent) = app.telemetry.loops.stalled()?;
    Some(format!("the loop `{}`, silent for {} s", name.as_str(), silent.as_secs()))
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<App>) -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, telemetry::CONTENT_TYPE)], telemetry::scrape(&app).await)
}

/// `GET /api/openapi.json`.
pub async fn describe() -> Json<serde_json::Value> {
    Json(openapi::document(&routes::routes()))
}

/// `GET /assets/{*rest}`: the address carries the hash of the content, so it never changes.
pub async fn asset(OriginalUri(uri): OriginalUri) -> Answer {
    let asset = muster_web::assets::find(uri.path()).ok_or_else(|| Failure::not_found("file", uri.path()))?;
    let heads = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((heads, asset.bytes).into_response())
}

/// Any address that is not in the table.
pub async fn nothing_here(OriginalUri(uri): OriginalUri) -> Failure {
    Failure::not_found("page or resource", uri.path())
}
