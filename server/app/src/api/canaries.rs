//! `/api/v1/pairs/{pair}/canary`: end to end, measured.

use axum::extract::State;
use muster_domain::ids::PairName;

use crate::{
    acts::canaries::{self, CanaryTold, CanaryView},
    app::App,
    http::{Acting, Answer, Json, Path},
};

/// `GET /api/v1/pairs/{pair}/canary`. Read from what is stored; nothing here waits for Kafka.
pub async fn show(State(app): State<App>, Path(pair): Path<PairName>) -> Answer<Json<CanaryView>> {
    Ok(Json(canaries::view(&mut *app.pool.acquire().await?, &pair).await?))
}

/// `POST /api/v1/pairs/{pair}/canary`.
pub async fn ask(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(pair): Path<PairName>,
) -> Answer<Json<CanaryTold>> {
    Ok(Json(canaries::ask(&app, &pair, &actor).await?))
}
