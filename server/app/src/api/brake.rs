//! `/api/v1/brake`.

use axum::extract::State;

use crate::{
    acts::brake_acts::{self, BrakeView, PutBrake},
    app::App,
    http::{Acting, Answer, Json},
};

/// `GET /api/v1/brake`.
pub async fn show(State(app): State<App>) -> Answer<Json<BrakeView>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(brake_acts::view(&mut conn).await?))
}

/// `PUT /api/v1/brake`.
pub async fn put(
    State(app): State<App>,
    Acting(actor): Acting,
    Json(asked): Json<PutBrake>,
) -> Answer<Json<BrakeView>> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let view = brake_acts::put(&mut tx, &asked, &actor).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// `DELETE /api/v1/brake`.
pub async fn release(State(app): State<App>, Acting(actor): Acting) -> Answer<Json<BrakeView>> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let view = brake_acts::release(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(view))
}
