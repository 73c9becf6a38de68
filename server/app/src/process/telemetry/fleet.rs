//! Figures of pairs, runs and what waits for somebody, from the database: every process that shares it tells the same ones.

mod canaries;
mod pairs;
mod runs;
mod waiting;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{canary::Standing, pair::Pair};
use muster_store::{
    StoreError, brake,
    figures::{self, PairFigures, RunFigures},
    pairs as stored_pairs,
};
use prometheus_client::registry::Registry;
use sqlx::PgConnection;

use super::{Caps, figure, set};
use crate::{
    app::App,
    standing::{self, judgement::Judgement},
};

/// What one scrape has read.
pub(super) struct Fleet {
    now: DateTime<Utc>,
    pairs: Vec<PairFigures<Judgement>>,
    pair_count: i64,
    runs_by_state: BTreeMap<&'static str, i64>,
    runs: Vec<RunFigures>,
    proofs: Vec<(String, DateTime<Utc>)>,
    brake_on: bool,
    waiting: waiting::Waiting,
    canaries: Vec<(Pair, Vec<Standing>)>,
}

/// Reads everything a scrape tells of pairs and runs.
pub(super) async fn read(app: &App) -> Result<Fleet, StoreError> {
    let conn = &mut *muster_store::acquire(&app.pool).await?;
    let Caps { pairs, topics } = app.telemetry.caps;
    let now = Utc::now();
    let told = figures::pairs(conn, pairs.into(), topics.into()).await?;
    Ok(Fleet {
        canaries: read_canaries(conn, &told, now).await?,
        pairs: told,
        pair_count: figures::count_pairs(conn).await?,
        runs_by_state: figures::runs_by_state(conn).await?,
        runs: figures::newest_runs(conn).await?,
        proofs: figures::last_proofs(conn).await?,
        brake_on: brake::get(conn).await?.is_some(),
        waiting: waiting::read(conn, now).await?,
        now,
    })
}

/// The canaries of pairs within the cap.
async fn read_canaries(
    conn: &mut PgConnection,
    told: &[PairFigures<Judgement>],
    now: DateTime<Utc>,
) -> Result<Vec<(Pair, Vec<Standing>)>, StoreError> {
    let mut all = stored_pairs::list(conn, None, None).await?;
    all.retain(|pair| told.iter().any(|told| told.pair == pair.name));
    let mut standings = standing::canaries::of_pairs(conn, &all, now).await?;
    let of = |pair: Pair| standings.remove(&pair.name).map(|standings| (pair, standings));
    Ok(all.into_iter().filter_map(of).collect())
}

impl Fleet {
    pub(super) fn register(&self, caps: Caps, registry: &mut Registry) {
        let count = figure(registry, "muster_pairs", "Pairs there are, told here or not");
        set(&count, [], self.pair_count as f64);
        let left_out = figure(
            registry,
            "muster_metrics_left_out",
            "Pairs and topics without figures here, because there are more than the caps allow",
        );
        set(&left_out, [("what", "pairs")], (self.pair_count - i64::from(caps.pairs)).max(0) as f64);
        let topics: i64 = self.pairs.iter().map(|pair| pair.topics_left_out).sum();
        set(&left_out, [("what", "topics")], topics as f64);
        let brake = figure(registry, "muster_brake_on", "Whether the global stop is on");
        set(&brake, [], if self.brake_on { 1.0 } else { 0.0 });
        pairs::register(self, registry);
        runs::register(self, registry);
        waiting::register(self, registry);
        canaries::register(self, registry);
    }

    /// Whether a pair is within the cap.
    fn tells(&self, pair: &str) -> bool {
        self.pairs.iter().any(|told| told.pair.as_str() == pair)
    }
}
