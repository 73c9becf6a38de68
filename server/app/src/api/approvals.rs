//! `/api/v1/approvals`: what waits for one's own decision.

use axum::extract::State;

use super::{Items, runs::RunView};
use crate::{
    app::App,
    http::{Acting, Answer, Json},
    pages::asking::{open_runs, waiting_for},
};

/// `GET /api/v1/approvals`: runs this person may approve or reject and has not, newest first.
pub async fn list(State(app): State<App>, Acting(actor): Acting) -> Answer<Json<Items<RunView>>> {
    let mut conn = app.pool.acquire().await?;
    let open = open_runs(&mut conn, &actor).await?;
    let waiting = waiting_for(&mut conn, &actor, &open).await?;
    let items: Vec<RunView> =
        waiting.into_iter().map(|(run, approvals)| RunView { run, approvals, break_glass: None }).collect();
    Ok(Json(items.into()))
}
