//! What was last observed of a pair. Read from what is stored; nothing here waits for Kafka.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    direction::ActiveSides,
    ids::{ClusterName, PairName},
    pair::{Direction, Pair, Side},
    patterns::Scope,
    readiness::CheckResult,
    reading::Observed,
    survey::Survey,
};
use muster_store::{
    lag,
    readiness::{self, Change},
    recorder, surveys,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Items, cursor, page_size};
use crate::{
    acts::pairs,
    app::App,
    http::{Answer, Failure, Json, Path, Query},
    standing::judgement,
};

/// What cursors of changes of readiness are known by.
const CHANGE: &str = "change";

/// The checks of a pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// The worst of them; `unknown` counts as worse than `warning`.
    pub worst: String,
    /// When the survey began that they are about; its age is the age of all of this.
    pub at: DateTime<Utc>,
    /// Number of that survey.
    pub survey: i64,
    /// Cluster applications are on; null when they are on both, and when it cannot be told: then `active_unknown` says why.
    pub active: Option<ClusterName>,
    /// Whether both clusters are active: both flows copy, under names that keep them apart, and neither cluster stands by.
    pub both_active: bool,
    /// Why it cannot be told.
    pub active_unknown: Option<String>,
    /// Each with code, status, reason and next step.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<CheckResult>,
}

/// A check that changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadinessChange {
    /// Number of the change.
    pub id: i64,
    /// Code of the check.
    pub check: String,
    /// What it was; null when the check is new.
    pub from: Option<String>,
    /// What it is since then; null when the check is gone.
    pub to: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Number of the survey that showed it.
    pub survey_number: i64,
}

impl From<Change> for ReadinessChange {
    fn from(change: Change) -> Self {
        let Change { id, check, from, to, reason, at, survey_number } = change;
        Self { id, check, from, to, reason, at, survey_number }
    }
}

/// Which page of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ChangesQuery {
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// `GET /api/v1/pairs/{pair}/survey`.
pub async fn survey(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<Survey>> {
    Ok(Json(latest(&app, &name).await?))
}

/// `GET /api/v1/pairs/{pair}/readiness`.
pub async fn readiness(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<Readiness>> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let kept = judgement::latest(&mut conn, &name).await?.ok_or_else(|| not_observed(&name))?;
    Ok(Json(Readiness {
        worst: judgement::worst(&kept.results.checks).to_owned(),
        at: kept.at,
        survey: kept.survey_number,
        active: kept.results.active_sides().one().map(|side| pair.cluster(side).clone()),
        both_active: kept.results.active_sides() == ActiveSides::Both,
        active_unknown: kept.results.active_unknown,
        items: kept.results.checks,
    }))
}

/// `GET /api/v1/pairs/{pair}/readiness/changes`.
pub async fn changes(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(page): Query<ChangesQuery>,
) -> Answer<Json<Items<ReadinessChange>>> {
    let limit = page_size(page.limit);
    let before = cursor::read_number(CHANGE, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let found = readiness::changes(&mut conn, &name, before, limit).await?;
    let items = found.into_iter().map(ReadinessChange::from).collect();
    Ok(Json(Items::page(items, limit, |change: &ReadinessChange| cursor::write(CHANGE, &[&change.id]))))
}

/// `GET /api/v1/pairs/{pair}/lag`.
pub async fn lag(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<Value>> {
    let mut conn = app.pool.acquire().await?;
    let kept = judgement::latest(&mut conn, &name).await?.ok_or_else(|| not_observed(&name))?;
    Ok(Json(json!({"at": kept.at, "survey": kept.survey_number, "items": kept.results.lag})))
}

/// Which stretch of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct HistoryQuery {
    /// Begin (RFC 3339); an hour before the end.
    #[serde(deserialize_with = "crate::http::times::time")]
    from: Option<DateTime<Utc>>,
    /// End (RFC 3339); now.
    #[serde(deserialize_with = "crate::http::times::time")]
    to: Option<DateTime<Utc>>,
    /// Cluster records come from; the first cluster of the pair.
    #[param(inline)]
    source: Option<ClusterName>,
    /// At most so many points, each the worst of its stretch, 1 to 2000; 240.
    points: Option<i32>,
    /// One source topic, in records only; all of the flow when not given.
    topic: Option<String>,
    /// One partition of the topic; all of them when not given.
    partition: Option<i32>,
}

/// `GET /api/v1/pairs/{pair}/lag/history`.
pub async fn lag_history(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<HistoryQuery>,
) -> Answer<Json<Value>> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let to = query.to.unwrap_or_else(Utc::now);
    let from = query.from.or_else(|| to.checked_sub_signed(TimeDelta::hours(1))).unwrap_or(to);
    if from >= to {
        return Err(Failure::invalid("`from` must be before `to`."));
    }
    let direction = direction(&pair, query.source.as_ref())?;
    let points = query.points.unwrap_or(240).clamp(1, 2000);
    let (course, partition) = (pair.course(direction), query.partition);
    let Some(topic) = &query.topic else {
        if partition.is_some() {
            return Err(Failure::invalid("`partition` needs a `topic`."));
        }
        let items = lag::history(&mut conn, &name, direction, from, to, points).await?;
        return Ok(Json(json!({"course": course, "from": from, "to": to, "items": items})));
    };
    let of = recorder::Selection { topic, partition };
    let items = recorder::series(&mut conn, (&name, direction), of, (from, to), points).await?;
    Ok(Json(json!({
        "course": course, "topic": topic, "partition": partition, "from": from, "to": to, "items": items
    })))
}

pub(super) fn direction(pair: &Pair, source: Option<&ClusterName>) -> Answer<Direction> {
    let Some(source) = source else { return Ok(Direction { from: Side::A }) };
    pair.side_of(source)
        .map(|from| Direction { from })
        .ok_or_else(|| Failure::invalid(format!("`{source}` is not a cluster of pair `{}`.", pair.name)))
}

/// `GET /api/v1/pairs/{pair}/topics`. The canary is no topic of anybody: it has an answer of its own.
pub async fn topics(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<Value>> {
    let pair = pairs::get(&mut *app.pool.acquire().await?, &name).await?;
    let scope = Scope::of(&pair);
    let mut survey = latest(&app, &name).await?;
    for side in Side::BOTH {
        if let Observed::Known { value, .. } = &mut survey.sides.get_mut(side).topics {
            value.retain(|topic, _| !scope.canary(side, topic));
        }
    }
    Ok(Json(json!({"at": survey.began_at, "a": survey.sides.a.topics, "b": survey.sides.b.topics})))
}

/// `GET /api/v1/pairs/{pair}/groups`.
pub async fn groups(State(app): State<App>, Path(name): Path<PairName>) -> Answer<Json<Value>> {
    let survey = latest(&app, &name).await?;
    Ok(Json(json!({"at": survey.began_at, "a": survey.sides.a.groups, "b": survey.sides.b.groups})))
}

async fn latest(app: &App, name: &PairName) -> Answer<Survey> {
    let mut conn = app.pool.acquire().await?;
    surveys::latest(&mut conn, name).await?.ok_or_else(|| not_observed(name))
}

pub(super) fn not_observed(name: &PairName) -> Failure {
    Failure::new(
        "not-surveyed-yet",
        format!("Pair `{name}` has not been observed yet."),
        "Wait a few seconds. If it stays so, run `muster doctor` and look at the survey loop's log.",
    )
}
