//! `/api/v1/pairs/{pair}/rings`: what is kept of sources for the day they are dead.

use axum::extract::State;
use muster_domain::ids::PairName;

use crate::{
    acts::rings::{self, RingsView},
    app::App,
    http::{Answer, Json, Path},
};

/// `GET /api/v1/pairs/{pair}/rings`. Read from what is stored; nothing here waits for Kafka.
pub async fn show(State(app): State<App>, Path(pair): Path<PairName>) -> Answer<Json<RingsView>> {
    Ok(Json(rings::view(&mut *app.pool.acquire().await?, &pair).await?))
}
