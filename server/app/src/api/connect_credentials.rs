//! `/api/v1/pairs/{pair}/connect`: what Muster signs in with at the Connect of a pair's flows.

use axum::{extract::State, http::StatusCode};
use muster_domain::ids::{ClusterName, PairName};

use crate::{
    acts::connect_credentials::{self, ConnectSignIns, FlowSignIn, NewConnectCredentials},
    app::App,
    http::{Acting, Answer, Json, Path},
};

/// `GET /api/v1/pairs/{pair}/connect`.
pub async fn show(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<ConnectSignIns>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(connect_credentials::view(&mut conn, &name).await?))
}

/// `PUT /api/v1/pairs/{pair}/connect/{cluster}`.
pub async fn enter(
    State(app): State<App>,
    Acting(actor): Acting,
    Path((name, from)): Path<(PairName, ClusterName)>,
    Json(new): Json<NewConnectCredentials>,
) -> Answer<Json<FlowSignIn>> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let entered = connect_credentials::enter(&mut tx, &app.secrets_key, &name, (&from, new), &actor).await?;
    tx.commit().await?;
    Ok(Json(entered))
}

/// `DELETE /api/v1/pairs/{pair}/connect/{cluster}`.
pub async fn remove(
    State(app): State<App>,
    Acting(actor): Acting,
    Path((name, from)): Path<(PairName, ClusterName)>,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    connect_credentials::remove(&mut tx, &name, &from, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
