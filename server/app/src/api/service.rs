//! The service itself: alive, ready, its own description, the static files.

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

/// `GET /healthz`: the process answers. Says nothing of the database, or every restart of it would restart Muster.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can do its work.
pub async fn readyz(State(app): State<App>) -> impl axum::response::IntoResponse {
    let asked = tokio::time::timeout(std::time::Duration::from_secs(2), async {
        let mut conn = app.pool.acquire().await?;
        sqlx::Connection::ping(&mut *conn).await
    });
    match asked.await {
        Ok(Ok(())) => (StatusCode::OK, Json(Ready { ready: true, waiting_for: None })),
        Ok(Err(_)) | Err(_) => {
            let waiting_for = Some("the database does not answer".to_owned());
            (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { ready: false, waiting_for }))
        }
    }
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
