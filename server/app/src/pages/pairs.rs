//! `/pairs/{pair}`: how a pair stands, and the way to a plan.

use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{ids::PairName, reading::Reading};
use muster_store::{
    losses,
    runs::{self, RunFilter},
    surveys,
};
use muster_web::pair::{PairDetail, PairPage};
use serde::Deserialize;

use super::{asking::Asking, html_with, see};
use crate::{
    acts::pairs,
    app::App,
    http::{Answer, Failure, Path, Query},
    standing::Standing,
};

/// Runs of the pair's history on its page.
const RUNS: i64 = 20;
/// How long a loss is shown on the pair's page; the API knows all.
const LOSS_SHOWN: TimeDelta = TimeDelta::days(7);

/// The stretch of time the chart covers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Span {
    hours: Option<i64>,
}

/// `GET /pairs/{pair}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(span): Query<Span>,
) -> Answer {
    let hours = span.hours.filter(|hours| [1, 24, 168].contains(hours)).unwrap_or(1);
    page(&app, &asking, &name, hours, None).await
}

/// The page, with what was wrong with a plan form if one was sent.
///
/// # Errors
/// `not-found`.
pub(super) async fn page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    hours: i64,
    refused: Option<&Failure>,
) -> Answer {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let standing = Standing::read(&mut conn, pair, hours, chrome.now()).await?;
    let survey = surveys::latest(&mut conn, name).await?;
    let of_pair = RunFilter { pair: Some(name.to_string()), ..RunFilter::default() };
    let runs = runs::list(&mut conn, &of_pair, None, RUNS).await?;
    let loss = losses::at(&mut conn, name, None, chrome.now()).await?;
    let loss = loss.filter(|loss| chrome.now() - loss.noticed_at < LOSS_SHOWN);
    let canary = pair_canary(&standing, chrome.now());
    let detail = PairDetail {
        facts: standing.facts(),
        survey: survey.as_ref(),
        lag: &standing.topic_lag,
        behind: standing.behind.clone(),
        canary,
        hours,
        loss: loss.as_ref(),
        runs: &runs,
    };
    let errors: Vec<(String, String)> =
        refused.map(|failure| ("operation".to_owned(), failure.problem.detail.clone())).into_iter().collect();
    let status = refused.map_or(axum::http::StatusCode::OK, |failure| failure.status);
    html_with(status, &PairPage::new(chrome, &detail, &errors))
}

/// The observation loop writes no canary: only a run does, and says how long its record took.
fn pair_canary(standing: &Standing, now: DateTime<Utc>) -> Option<Reading> {
    let topic = standing.facts().pair.canary_topic.as_ref()?;
    Some(Reading::unknown(now, format!("records go to `{topic}` during runs only")))
}

/// `POST /pairs/{pair}/check`: every pair is checked every few seconds anyway; this is the way to the newest result.
pub async fn check(Path(name): Path<PairName>) -> Response {
    see(&format!("/pairs/{name}#checks"))
}
