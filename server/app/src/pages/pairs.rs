//! `/pairs/{pair}`: how a pair stands, and the way to a plan.

use axum::extract::State;
use chrono::TimeDelta;
use muster_domain::ids::PairName;
use muster_store::{
    losses,
    runs::{self, RunFilter},
    surveys,
};
use muster_web::{
    forms::PlanForm,
    pair::{PairDetail, PairPage},
    pair_canary::CanaryTried,
};
use serde::Deserialize;

use super::{asking::Asking, html_with, refused_form};
use crate::{
    acts::{
        canaries::{self, CanaryTold, CanaryTry},
        pairs,
    },
    api::runs::teams,
    app::App,
    http::{Answer, Failure, Path, Query},
    standing::{self, pairs::Standing},
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
    page(&app, &asking, &name, hours, Besides::default()).await
}

/// What the page says besides how the pair stands.
#[derive(Debug, Default)]
pub(super) struct Besides<'a> {
    /// A plan form that was sent, and what was wrong with it.
    pub(super) refused: Option<(&'a PlanForm, &'a Failure)>,
    /// What came of canaries that were asked for.
    pub(super) tried: Option<Answer<CanaryTold>>,
}

/// The page.
///
/// # Errors
/// `not-found`.
pub(super) async fn page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    hours: i64,
    besides: Besides<'_>,
) -> Answer {
    let Besides { refused, tried } = besides;
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let standing = Standing::read(&mut conn, pair, hours, chrome.now()).await?;
    let survey = surveys::latest(&mut conn, name).await?;
    let of_pair =
        RunFilter { pair: Some(name.to_string()), teams: teams(asking.actor()?), ..RunFilter::default() };
    let runs = runs::list(&mut conn, &of_pair, None, RUNS).await?;
    let loss = losses::at(&mut conn, name, None, chrome.now()).await?;
    let loss = loss.filter(|loss| chrome.now() - loss.noticed_at < LOSS_SHOWN);
    let canaries = standing::canaries::of_pair(&mut conn, standing.facts().pair, chrome.now()).await?;
    let failed = tried.as_ref().and_then(|tried| tried.as_ref().err()).cloned();
    let detail = PairDetail {
        facts: standing.facts(),
        survey: survey.as_ref(),
        flows: &standing.flows,
        canaries: &canaries,
        tried: tried.map(|tried| tried.map(in_words).map_err(|failure| failure.problem)),
        hours,
        loss: loss.as_ref(),
        runs: &runs,
    };
    let page = PairPage::new(chrome, &detail, refused.map(|(form, failure)| (form, &failure.problem)));
    if let Some(failure) = failed {
        return refused_form(&failure, &page);
    }
    let status = refused.map_or(axum::http::StatusCode::OK, |(_, failure)| failure.status);
    html_with(status, &page)
}

fn in_words(told: CanaryTold) -> Vec<CanaryTried> {
    let one = |item: CanaryTry| CanaryTried {
        place: format!("{} → {}, partition {}", item.from, item.to, item.partition),
        outcome: item.end_to_end_ms.ok_or(item.reason),
    };
    told.items.into_iter().map(one).collect()
}

/// `POST /pairs/{pair}/canary`.
pub async fn canary(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    match canaries::ask(&app, &name, asking.actor()?).await {
        Err(failure) if failure.problem.code == "not-found" => Err(failure),
        tried => page(&app, &asking, &name, 1, Besides { tried: Some(tried), ..Besides::default() }).await,
    }
}
