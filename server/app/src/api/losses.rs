//! What was lost when a source of a pair died. Read from what is stored; nothing here waits for Kafka.

use axum::extract::State;
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName},
    loss::Loss,
};
use muster_store::losses;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::observation::direction;
use crate::{
    acts::pairs,
    app::App,
    http::{Answer, Json, Path, Query},
};

/// Which loss.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct LossQuery {
    /// The loss that stood at this time (RFC 3339); now.
    at: Option<DateTime<Utc>>,
    /// Cluster that died; whichever died last.
    #[param(inline)]
    source: Option<ClusterName>,
}

/// What was lost of a pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct LossView {
    /// The pair.
    pub pair: PairName,
    /// The time asked about.
    pub at: DateTime<Utc>,
    /// The flow, as people say it: `eu-west → eu-central`; null without a loss.
    pub course: Option<String>,
    /// The loss; null when no source was found dead by then.
    pub loss: Option<Loss>,
}

/// `GET /api/v1/pairs/{pair}/loss`.
pub async fn show(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<LossQuery>,
) -> Answer<Json<LossView>> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let asked = query.source.as_ref().map(|source| direction(&pair, Some(source))).transpose()?;
    let at = query.at.unwrap_or_else(Utc::now);
    let loss = losses::at(&mut conn, &name, asked, at).await?;
    let course = loss.as_ref().map(|loss| pair.course(loss.direction));
    Ok(Json(LossView { pair: name, at, course, loss }))
}
