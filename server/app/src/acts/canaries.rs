//! Canaries: how they stand, and one more that somebody asks for. The other act that waits for Kafka; it is bounded, and no
//! transaction is open meanwhile.

use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_domain::{
    canary::{CanarySettings, CanaryState, Course, Hour, Outstanding, Standing, Track, Turn},
    ids::{ClusterName, PairName},
    pair::{Flow, Mechanism, Pair},
    people::Actor,
    reading::ReadingClass,
};
use muster_operations::canary::write_now;
use muster_store::{brake, canaries, runs};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    audit_trail::{self, Entry},
    pairs,
};
use crate::{
    app::App,
    http::{Answer, Failure},
    loops::canary::written_where,
    standing,
};

/// How long is waited for records that somebody asked for; the answer to a browser must begin within 30 s, and writing takes
/// a part of that.
const WAITS: Duration = Duration::from_secs(10);

/// The canaries of a pair.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CanaryView {
    /// The pair.
    pub pair: PairName,
    /// Topic they are written to; null when the pair has none.
    pub topic: Option<String>,
    /// Partitions written, from 0.
    pub partitions: i32,
    /// Seconds between two records of a partition.
    pub period_seconds: i64,
    /// Each partition of each flow that is attached; none without a topic.
    pub items: Vec<CanaryItem>,
}

/// The canary of one partition of a flow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CanaryItem {
    /// Cluster it is written on.
    pub from: ClusterName,
    /// Cluster it is seen on.
    pub to: ClusterName,
    /// Partition.
    pub partition: i32,
    /// How it stands.
    pub state: CanaryState,
    /// Why.
    pub reason: String,
    /// What to do; empty when nothing is to be done.
    pub next_step: String,
    /// Milliseconds from the source's acknowledgement to being seen on the target, of the newest record seen; null when it
    /// is not known. Current only while the class is `exact`.
    pub end_to_end_ms: Option<i64>,
    /// `exact`, `stale` or `unknown`.
    pub class: String,
    /// When the newest record was seen; null when none ever was.
    pub seen_at: Option<DateTime<Utc>>,
    /// Milliseconds since then.
    pub age_ms: Option<i64>,
    /// When the newest record was acknowledged.
    pub written_at: Option<DateTime<Utc>>,
    /// Records acknowledged and not seen yet.
    pub outstanding: i64,
    /// When the first of them was acknowledged.
    pub outstanding_since: Option<DateTime<Utc>>,
    /// The last hour; null when nothing was seen in it.
    pub hour: Option<Hour>,
}

impl CanaryItem {
    fn new(pair: &Pair, standing: &Standing, now: DateTime<Utc>) -> Self {
        let outstanding = standing.outstanding;
        let class = match standing.end_to_end.class {
            ReadingClass::Exact => "exact",
            ReadingClass::Stale | ReadingClass::Tight | ReadingClass::LowerBound => "stale",
            ReadingClass::Unknown => "unknown",
        };
        Self {
            from: pair.cluster(standing.direction.from).clone(),
            to: pair.cluster(standing.direction.to()).clone(),
            partition: standing.partition,
            state: standing.state,
            reason: standing.reason.clone(),
            next_step: standing.next_step.clone(),
            end_to_end_ms: standing.end_to_end.value,
            class: class.to_owned(),
            seen_at: standing.seen.map(|seen| seen.seen_at),
            age_ms: standing.age(now).map(|age| age.num_milliseconds()),
            written_at: standing.written_at,
            outstanding: outstanding.map_or(0, |outstanding: Outstanding| outstanding.records),
            outstanding_since: outstanding.map(|outstanding| outstanding.since),
            hour: standing.hour,
        }
    }
}

/// How the canaries of a pair stand now.
///
/// # Errors
/// `not-found`.
pub async fn view(conn: &mut PgConnection, name: &PairName) -> Answer<CanaryView> {
    let pair = pairs::get(conn, name).await?;
    let now = Utc::now();
    let standings = standing::canaries::of_pair(conn, &pair, now).await?;
    Ok(CanaryView {
        pair: name.clone(),
        topic: pair.canary_topic.clone(),
        partitions: pair.canary_partitions,
        period_seconds: pair.canary_seconds,
        items: standings.iter().map(|standing| CanaryItem::new(&pair, standing, now)).collect(),
    })
}

/// What came of records that were asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CanaryTold {
    /// The pair.
    pub pair: PairName,
    /// Whether all of them were seen.
    pub all_seen: bool,
    /// One for each partition of each flow that was written.
    pub items: Vec<CanaryTry>,
}

/// What came of one record that was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CanaryTry {
    /// Cluster it was written on.
    pub from: ClusterName,
    /// Cluster it was looked for on.
    pub to: ClusterName,
    /// Partition.
    pub partition: i32,
    /// When it was acknowledged; null when it was not.
    pub written_at: Option<DateTime<Utc>>,
    /// Milliseconds until it was seen; null when it was not seen while it was waited for.
    pub end_to_end_ms: Option<i64>,
    /// Why it was not written or not seen; empty when it was seen.
    pub reason: String,
}

impl CanaryTry {
    fn new(pair: &Pair, track: &Track) -> Self {
        let to = pair.cluster(track.direction.to());
        let reason = match (&track.last, track.seen) {
            (_, Some(_)) => String::new(),
            (Turn::Failed { reason } | Turn::Rested { reason } | Turn::Paused { reason }, None) => {
                reason.clone()
            }
            (Turn::Wrote, None) if track.copy_missing => format!("`{to}` has no copy of `{}`", track.topic),
            (Turn::Wrote, None) => format!("it was not seen on `{to}` within {} s", WAITS.as_secs()),
        };
        Self {
            from: pair.cluster(track.direction.from).clone(),
            to: to.clone(),
            partition: track.partition,
            written_at: track.written_at,
            end_to_end_ms: track.seen.map(|seen| seen.ms),
            reason,
        }
    }
}

/// Writes one record on each partition of each flow that may be written, and waits until they are seen, at most 10 s. The
/// standing canary goes on beside it and its figures are not touched.
///
/// # Errors
/// `not-found`, `brake-is-on`, `pair-has-active-run`; `canary-not-written` when the pair has no canary or nothing may be
/// written as things are.
pub async fn ask(app: &App, name: &PairName, actor: &Actor) -> Answer<CanaryTold> {
    let clients = {
        let mut conn = app.pool.acquire().await?;
        pairs::get(&mut conn, name).await?;
        drop(conn);
        app.hands.pair_clients(name).await?
    };
    let pair = &clients.pair;
    let settings = CanarySettings::of(pair).ok_or_else(|| {
        Failure::new(
            "canary-not-written",
            format!("Pair `{name}` has no canary topic, so nothing was written."),
            "Name a topic that its flows replicate in the settings of the pair.",
        )
    })?;
    let mut tx = muster_store::begin(&app.pool).await?;
    let flows = flows(&mut tx, pair).await?;
    // Kept before anything is written: what is written cannot be taken back, and an entry too many says who asked.
    let courses: Vec<String> = flows.iter().map(|flow| pair.course(flow.direction)).collect();
    let detail = json!({"topic": settings.topic, "partitions": settings.partitions, "flows": courses});
    audit_trail::record(&mut tx, actor, Entry::done("canary.write", &pairs::object(name), detail)).await?;
    tx.commit().await?;
    let tracks = write_now(&clients, &flows, &settings, WAITS).await;
    Ok(CanaryTold {
        pair: name.clone(),
        all_seen: tracks.iter().all(|track| track.seen.is_some()),
        items: tracks.iter().map(|track| CanaryTry::new(pair, track)).collect(),
    })
}

/// The flows that may be written now.
async fn flows<'a>(conn: &mut PgConnection, pair: &'a Pair) -> Answer<Vec<&'a Flow>> {
    if let Some(brake) = brake::get(conn).await? {
        return Err(Failure::new(
            "brake-is-on",
            format!("The brake is on ({}), so nothing was written.", brake.reason),
            "Release the brake first.",
        ));
    }
    if let Some(run) = runs::active_for_pair(conn, &pair.name).await? {
        return Err(Failure::new(
            "pair-has-active-run",
            format!("Run {} holds pair `{}`, so nothing was written.", run.number, pair.name),
            "Wait for it to end: it writes a canary of its own.",
        ));
    }
    let whereabouts = canaries::whereabouts(conn, &pair.name).await?;
    let kept = canaries::tracks(conn, std::slice::from_ref(&pair.name)).await?;
    let (mut written, mut reasons) = (Vec::new(), Vec::new());
    for flow in pair.flows.iter().filter(|flow| flow.mechanism != Mechanism::Unattached) {
        let chosen = kept.iter().any(|(_, track)| track.direction == flow.direction && track.chosen);
        match written_where(pair, flow, whereabouts.as_ref(), chosen) {
            Course::Write => written.push(flow),
            Course::Rest { reason } | Course::Unclear { reason } => {
                reasons.push(format!("{}: {reason}", pair.course(flow.direction)));
            }
        }
    }
    if written.is_empty() {
        return Err(Failure::new(
            "canary-not-written",
            format!("Nothing was written. {}.", reasons.join(". ")),
            "Readiness says what is missing.",
        ));
    }
    Ok(written)
}
