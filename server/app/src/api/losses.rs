//! What was lost when a source of a pair died. Read from what is stored; nothing here waits for Kafka.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::IntoResponse as _,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    loss::{BriefLoss, Interval, Loss, OwnerLoss, PartitionLoss, Truth, by_owner},
};
use muster_store::losses;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{lag_explorer::wants_csv, observation::direction, runs::teams};
use crate::{
    acts::pairs,
    app::App,
    http::{Acting, Answer, Failure, Json, Path, Query, csv},
};

/// More losses are not added up at once.
const MOST: i64 = 5_000;

/// Which loss.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct LossQuery {
    /// The loss that stood at this time (RFC 3339); now.
    #[serde(deserialize_with = "crate::http::times::time")]
    at: Option<DateTime<Utc>>,
    /// Cluster that died; whichever died last.
    #[param(inline)]
    source: Option<ClusterName>,
    /// `json` or `csv`; as the header `Accept` says when not given, and JSON without either.
    format: Option<String>,
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
    /// Whether what was said of each topic is not kept any more: nothing was lost, and that was settled a week ago. `topics` is empty then,
    /// and not because there were none.
    pub topics_removed: bool,
}

/// `GET /api/v1/pairs/{pair}/loss`.
pub async fn show(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<LossQuery>,
    headers: HeaderMap,
) -> Answer {
    let wanted = wants_csv(query.format.as_deref(), &headers)?;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let asked = query.source.as_ref().map(|source| direction(&pair, Some(source))).transpose()?;
    let at = query.at.unwrap_or_else(Utc::now);
    let loss = losses::at(&mut conn, &name, asked, at).await?;
    let course = loss.as_ref().map(|loss| pair.course(loss.direction));
    let topics_removed = loss.as_ref().is_some_and(Loss::topics_removed);
    let view = LossView { pair: name, at, course, loss, topics_removed };
    if !wanted {
        return Ok(Json(view).into_response());
    }
    let name = format!("attachment; filename=\"loss-{}.csv\"", view.pair);
    let heads =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((heads, table(&view)).into_response())
}

const HEAD: [&str; 14] = [
    "pair",
    "course",
    "owner",
    "topic",
    "partition",
    "records_at_least",
    "records_at_most",
    "ms_at_least",
    "ms_at_most",
    "truth_records",
    "truth_ms",
    "truth_class",
    "seen_at",
    "noticed_at",
];

/// The pair, then each topic with its partitions, one a line. What is not known is an empty cell.
fn table(view: &LossView) -> String {
    let mut text = csv::line(&HEAD.map(str::to_owned));
    let Some(loss) = &view.loss else { return text };
    let truth = loss.truth.as_ref().map_or((None, None), |truth| (truth.records, truth.ms));
    text.push_str(&line(view, loss, (&loss.owner, "", None), &loss.total, truth));
    for topic in &loss.topics {
        let of = |partition| (&topic.owner, topic.topic.as_str(), partition);
        text.push_str(&line(view, loss, of(None), &topic.lost, (topic.truth, topic.truth_ms)));
        for partition in &topic.partitions {
            let truth = (partition.truth, partition.truth_ms);
            text.push_str(&line(view, loss, of(Some(partition)), &partition.lost, truth));
        }
    }
    text
}

/// One line: whose, of which topic and partition, the interval, and the records and milliseconds it turned out to be.
fn line(
    view: &LossView,
    loss: &Loss,
    (owner, topic, partition): (&TeamName, &str, Option<&PartitionLoss>),
    lost: &Interval,
    (truth, truth_ms): (Option<i64>, Option<i64>),
) -> String {
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let seen_at = partition.map_or(Some(loss.seen_at), |lost| lost.end_read.at(loss.seen_at));
    let class = match truth {
        None => "",
        Some(_) if loss.truth.as_ref().is_some_and(|truth| truth.exact) => "exact",
        Some(_) => "at_most",
    };
    csv::line(&[
        view.pair.to_string(),
        view.course.clone().unwrap_or_default(),
        owner.to_string(),
        topic.to_owned(),
        number(partition.map(|lost| i64::from(lost.partition))),
        lost.records_at_least.to_string(),
        number(lost.records_at_most),
        lost.ms_at_least.to_string(),
        number(lost.ms_at_most),
        number(truth),
        number(truth_ms),
        class.to_owned(),
        seen_at.map(time).unwrap_or_default(),
        time(loss.noticed_at),
    ])
}

/// Which losses.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct LossesQuery {
    /// Noticed after this time (RFC 3339); a day before the end.
    #[serde(deserialize_with = "crate::http::times::time")]
    from: Option<DateTime<Utc>>,
    /// Noticed until this time; now.
    #[serde(deserialize_with = "crate::http::times::time")]
    to: Option<DateTime<Utc>>,
    /// Of one pair only.
    #[param(inline)]
    pair: Option<PairName>,
}

/// What was lost of all pairs one may read.
#[derive(Debug, Serialize, ToSchema)]
pub struct LossesView {
    /// Begin of the time.
    pub from: DateTime<Utc>,
    /// End of the time.
    pub to: DateTime<Utc>,
    /// By whose they are.
    pub owners: Vec<OwnerLoss>,
    /// One by one, newest first; topics and partitions are told by each pair.
    pub items: Vec<PairLoss>,
}

/// What was lost of one pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct PairLoss {
    /// What tells it from the other losses of its pair: its page is `/pairs/{pair}/losses/{id}`.
    pub id: String,
    /// The pair.
    pub pair: PairName,
    /// The cluster that died.
    pub source: ClusterName,
    /// The cluster that lacks what was lost.
    pub target: ClusterName,
    /// Whose loss it is.
    pub owner: TeamName,
    /// When the source's ends were last read.
    pub seen_at: DateTime<Utc>,
    /// When it was found not to answer: it died in between.
    pub noticed_at: DateTime<Utc>,
    /// All partitions together.
    pub total: Interval,
    /// What it turned out to be; null until the source could be read again.
    pub truth: Option<Truth>,
}

impl From<BriefLoss> for PairLoss {
    fn from(brief: BriefLoss) -> Self {
        let id = brief.id().to_string();
        let BriefLoss { pair, direction: _, source, target, owner, seen_at, noticed_at, total, truth } =
            brief;
        Self { id, pair, source, target, owner, seen_at, noticed_at, total, truth }
    }
}

/// `GET /api/v1/losses`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<LossesQuery>,
) -> Answer<Json<LossesView>> {
    let to = query.to.unwrap_or_else(Utc::now);
    let from = query.from.or_else(|| to.checked_sub_signed(TimeDelta::days(1))).unwrap_or(to);
    if from > to {
        return Err(Failure::invalid("`from` must not be after `to`."));
    }
    let teams = teams(&actor);
    let mut conn = app.pool.acquire().await?;
    let found =
        losses::between(&mut conn, teams.as_deref(), query.pair.as_ref(), (from, to), MOST + 1).await?;
    if found.len() > MOST as usize {
        return Err(Failure::invalid(format!("More than {MOST} losses: choose a shorter time.")));
    }
    let truth = |loss: &BriefLoss| loss.truth.as_ref().and_then(|truth| truth.records);
    let owners = by_owner(found.iter().map(|loss| (&loss.owner, loss.total, truth(loss))));
    Ok(Json(LossesView { from, to, owners, items: found.into_iter().map(PairLoss::from).collect() }))
}
