//! `/api/v1/settings`.

use axum::extract::State;

use crate::{
    acts::installation::{self, Installation},
    app::App,
    http::{Answer, Json},
};

/// `GET /api/v1/settings`.
pub async fn show(State(app): State<App>) -> Answer<Json<Installation>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(installation::get(&app, &mut conn).await?))
}
