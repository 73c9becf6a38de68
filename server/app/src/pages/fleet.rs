//! `/`: could we fail over now, and when did we last prove it?

use axum::{extract::State, response::Response};
use muster_web::fleet::FleetPage;

use super::{asking::Asking, html, see};
use crate::{acts::pairs, app::App, http::Answer, standing::pairs::Standing};

/// `GET /`.
pub async fn show(State(app): State<App>, asking: Asking) -> Answer {
    let pairs = async { pairs::list(&mut *app.pool.acquire().await?, asking.actor()?).await };
    let (chrome, pairs) = tokio::join!(asking.chrome(&app), pairs);
    let pairs = pairs?;
    let standings = Standing::of_all(&app, pairs, chrome.now()).await?;
    let facts: Vec<_> = standings.iter().map(Standing::facts).collect();
    html(&FleetPage::new(chrome, &facts))
}

/// `GET /pairs`: the fleet is the list of pairs.
pub async fn pairs() -> Response {
    see("/")
}
