//! What the flight recorder keeps beside lag: where groups stood, and what ACLs and configs were. Read from what is stored; nothing
//! here waits for Kafka.

use axum::extract::State;
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName},
    recorder::{FactKind, PositionThen, explorer::Resolution},
};
use muster_store::recorder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::observation::direction;
use crate::{
    acts::pairs,
    app::App,
    http::{Answer, Failure, Json, Path, Query},
};

/// Changes that are listed.
const CHANGES: i64 = 1_000;

/// Which group, and when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PositionsQuery {
    /// The group.
    #[param(required = true, value_type = String)]
    group: Option<String>,
    /// When (RFC 3339); now.
    #[serde(deserialize_with = "crate::http::times::time")]
    at: Option<DateTime<Utc>>,
    /// The cluster it reads on; the first cluster of the pair.
    #[param(inline)]
    source: Option<ClusterName>,
}

/// Where a group stood.
#[derive(Debug, Serialize, ToSchema)]
pub struct PositionsView {
    /// The pair.
    pub pair: PairName,
    /// The cluster it read on.
    pub source: ClusterName,
    /// The group.
    pub group: String,
    /// The time asked about.
    pub at: DateTime<Utc>,
    /// Whether a survey said so, or the roll-up of an hour; null when nothing is kept of that time.
    pub resolution: Option<Resolution>,
    /// When that survey began; of an hour its begin. Groups are asked with every survey, each few seconds.
    pub taken_at: Option<DateTime<Utc>>,
    /// By topic and partition.
    pub items: Vec<RecordedPosition>,
}

/// Where it stood in one partition.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedPosition {
    /// Source topic.
    pub topic: String,
    /// Its id then, all zero where the cluster has none. A topic that was recreated has another.
    pub topic_id: Uuid,
    /// Its number.
    pub partition: i32,
    /// Next offset to read: of the survey, or the last that was read in the hour.
    pub position: i64,
    /// The lowest in the hour; of a survey the position itself.
    pub lowest: i64,
    /// The highest in the hour; of a survey the position itself.
    pub highest: i64,
}

impl From<PositionThen> for RecordedPosition {
    fn from(then: PositionThen) -> Self {
        let PositionThen { topic, topic_id, partition, position, lowest, highest } = then;
        Self { topic, topic_id, partition, position, lowest, highest }
    }
}

/// `GET /api/v1/pairs/{pair}/positions`.
pub async fn positions(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<PositionsQuery>,
) -> Answer<Json<PositionsView>> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let Some(group) = query.group.filter(|group| !group.is_empty()) else {
        return Err(Failure::invalid("`group` says whose positions are asked for."));
    };
    let direction = direction(&pair, query.source.as_ref())?;
    let at = query.at.unwrap_or_else(Utc::now);
    let then = recorder::group_then(&mut conn, (&name, direction), &group, at).await?;
    let (resolution, taken_at) = then.as_ref().map(|then| (then.resolution, then.at)).unzip();
    let items = then.map(|then| then.positions).unwrap_or_default();
    Ok(Json(PositionsView {
        source: pair.cluster(direction.from).clone(),
        pair: name,
        group,
        at,
        resolution,
        taken_at,
        items: items.into_iter().map(RecordedPosition::from).collect(),
    }))
}

/// Which, and when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct FactsQuery {
    /// `acls` or `configs`; configs when not given.
    #[param(inline)]
    kind: Option<FactKind>,
    /// When (RFC 3339); now.
    #[serde(deserialize_with = "crate::http::times::time")]
    at: Option<DateTime<Utc>>,
    /// Whose; the first cluster of the pair.
    #[param(inline)]
    cluster: Option<ClusterName>,
}

/// ACLs or configs as they were.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactView {
    /// The pair.
    pub pair: PairName,
    /// Whose they are.
    pub cluster: ClusterName,
    /// What it is.
    pub kind: FactKind,
    /// The time asked about.
    pub at: DateTime<Utc>,
    /// The survey that saw them so first; null when they were never read by then.
    pub since: Option<DateTime<Utc>>,
    /// The survey that saw them changed; null while they are so, as far as they could be read.
    pub until: Option<DateTime<Utc>>,
    /// Whether that is not known since `since` and until `until`: changes of a day had taken as much room as they may, so those after them
    /// were left out until the state was kept whole again.
    pub left_out: bool,
    /// What they were; null when they were never read by then, and where changes were left out.
    pub body: Option<Value>,
    /// When they were seen to change, newest first; the last 1,000. Where changes were left out from a time on it is the last before the
    /// one at which they were kept whole again.
    pub changes: Vec<DateTime<Utc>>,
}

/// `GET /api/v1/pairs/{pair}/facts`.
pub async fn facts(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<FactsQuery>,
) -> Answer<Json<FactView>> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let side = direction(&pair, query.cluster.as_ref())?.from;
    let (kind, at) = (query.kind.unwrap_or_default(), query.at.unwrap_or_else(Utc::now));
    let of = (&name, side, kind);
    let fact = recorder::fact(&mut conn, of, at).await?;
    let changes = recorder::fact_changes(&mut conn, of, CHANGES).await?;
    let left_out = fact.as_ref().is_some_and(|fact| fact.body.is_none());
    let (since, until, body) = match fact {
        Some(fact) => (Some(fact.since), fact.until, fact.body),
        None => (None, None, None),
    };
    let cluster = pair.cluster(side).clone();
    Ok(Json(FactView { pair: name, cluster, kind, at, since, until, left_out, body, changes }))
}
