//! The standing canaries: every pair that has one is written and looked after by the process that observes the pair.
//!
//! The lease of the pair's survey decides who that is, and has to last longer than a turn can take until it has written: so
//! two processes never write one canary at a time, short of one that was frozen in between, whose one record too many harms
//! nobody. Under the brake nothing is written. Nor while a run moves the pair: it stops flows and turns them round, and a
//! record of ours could land on the side that has just become the copy, where nothing of ours belongs. The run writes a
//! canary of its own when the way back is to be proven. One that begins between our look and our record finds that record
//! on a topic that it neither fences nor drains.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use muster_domain::{
    canary::{CanarySettings, Course, Track, Turn, Whereabouts, course},
    ids::PairName,
    pair::{Direction, Flow, Side},
};
use muster_operations::{
    ClientSource, OperationError, PairClients,
    canary::{Arrival, FlowCanary},
};
use muster_store::{
    StoreError, brake, canaries,
    leases::{self, survey_lease},
    pairs, runs,
};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    http::failure::chain, loops::each_pair::each_pair, process::telemetry::Beat, standing::judgement::FRESH,
};

/// How often new pairs are looked for, and how often a process that does not observe a pair looks whether it does now.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Seconds the lease has to last at the beginning of a turn: longer than it takes until everything is written.
const WRITTEN_WITHIN: f64 = 13.0;

/// What the loop works with.
#[derive(Clone)]
pub struct CanaryLoop {
    /// Database.
    pub pool: PgPool,
    /// Hands.
    pub clients: Arc<dyn ClientSource>,
    /// Name of this process in leases; the same as that of its surveys.
    pub worker: String,
    /// What it tells its turns to.
    pub beat: Beat,
}

impl std::fmt::Debug for CanaryLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CanaryLoop({})", self.worker)
    }
}

/// What one process remembers of the canaries of a pair, under one lease.
#[derive(Debug)]
pub struct CanaryMemory {
    process: Uuid,
    epoch: Option<i64>,
    flows: BTreeMap<Side, FlowCanary>,
}

impl Default for CanaryMemory {
    fn default() -> Self {
        Self { process: Uuid::new_v4(), epoch: None, flows: BTreeMap::new() }
    }
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It is kept; the next one is due a period after its beginning.
    Kept(Duration),
    /// Another process carries the pair, or this one is about to lose it.
    NotMine,
    /// There is no such pair any more, or it has no canary.
    NoCanary,
}

impl CanaryLoop {
    /// Carries canaries until shutdown, new ones as they come.
    pub async fn run(self, shutdown: CancellationToken) {
        let begin = |names: Vec<PairName>| {
            let carry = |name: PairName| {
                let span = tracing::error_span!("canary", pair.name = %name);
                (name.clone(), self.clone().carry(name, shutdown.clone()).instrument(span))
            };
            names.into_iter().map(carry).collect()
        };
        each_pair(("canaries", LOOK_EVERY), &self.beat, &shutdown, || self.pairs(), begin).await;
    }

    async fn pairs(&self) -> Result<Vec<PairName>, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        let pairs = pairs::list(&mut conn, None, None).await?;
        Ok(pairs.into_iter().filter(|pair| pair.canary_topic.is_some()).map(|pair| pair.name).collect())
    }

    /// Carries the canary of one pair until shutdown, or until it has none.
    async fn carry(self, pair: PairName, shutdown: CancellationToken) {
        let mut memory = CanaryMemory::default();
        loop {
            let began = Instant::now();
            // A turn that is cut off leaves at most records nobody waits for.
            let turned = tokio::select! {
                () = shutdown.cancelled() => return,
                turned = self.turn(&pair, &mut memory) => turned,
            };
            let pause = match turned {
                Ok(Turned::Kept(period)) => period.saturating_sub(began.elapsed()),
                Ok(Turned::NotMine) => LOOK_EVERY,
                Ok(Turned::NoCanary) => return,
                Err(e) => {
                    tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not carry the canary of pair `{pair}`; tried again in {LOOK_EVERY:?}");
                    LOOK_EVERY
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One turn of a pair: writes where a canary is to be written, looks for it for at most a period, keeps what was seen. No
    /// transaction is open while Kafka is asked.
    ///
    /// # Errors
    /// When clients cannot be built or the database refuses. Where the brake cannot be read nothing is written.
    pub async fn turn(&self, pair: &PairName, memory: &mut CanaryMemory) -> Result<Turned, OperationError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        let Some(stored) = pairs::get(&mut conn, pair).await? else { return Ok(Turned::NoCanary) };
        if stored.canary_topic.is_none() {
            return Ok(Turned::NoCanary);
        }
        let lease = survey_lease(pair);
        let epoch = match leases::held_by(&mut conn, &lease, &self.worker, WRITTEN_WITHIN).await? {
            Some((epoch, true)) => epoch,
            Some((_, false)) => return Ok(Turned::NotMine),
            None => {
                memory.flows.clear();
                return Ok(Turned::NotMine);
            }
        };
        drop(conn);
        memory.go_on_under(epoch);
        let clients = self.clients.pair_clients(pair).await?;
        let Some(settings) = CanarySettings::of(&clients.pair) else { return Ok(Turned::NoCanary) };
        let period = settings.period.to_std().unwrap_or(LOOK_EVERY);
        let mut conn = muster_store::acquire(&self.pool).await?;
        let scene = Scene::read(&mut conn, pair).await?;
        drop(conn);
        let (tracks, seen) = memory.turn(&clients, &settings, epoch, scene, Instant::now() + period).await;
        match self.keep(pair, epoch, &tracks, &seen).await {
            Err(StoreError::LeaseLost { .. }) => {
                memory.flows.clear();
                Ok(Turned::NotMine)
            }
            // Deleted meanwhile.
            Err(e) if e.constraint() == Some("canary_of_pair") => Ok(Turned::NoCanary),
            Err(e) => Err(e.into()),
            Ok(()) => Ok(Turned::Kept(period)),
        }
    }

    async fn keep(
        &self,
        pair: &PairName,
        epoch: i64,
        tracks: &[Track],
        seen: &[(canaries::Place, muster_domain::canary::Seen)],
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Database { op: "keep canaries", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        canaries::keep(&mut tx, pair, epoch, tracks, seen).await?;
        tx.commit().await.map_err(failed)
    }
}

/// What decides whether and where canaries are written.
struct Scene {
    stop: Option<Stop>,
    whereabouts: Option<(DateTime<Utc>, Whereabouts)>,
    tracks: Vec<Track>,
}

/// Why none is written now.
enum Stop {
    Brake(String),
    Run(String),
}

impl Scene {
    async fn read(conn: &mut PgConnection, pair: &PairName) -> Result<Self, StoreError> {
        let brake = brake::get(conn).await?;
        let run = runs::active_for_pair(conn, pair).await?;
        let stop = match (brake, run) {
            (_, Some(run)) => Some(Stop::Run(format!("run {} holds the pair", run.number))),
            (Some(brake), None) => Some(Stop::Brake(format!("the brake is on: {}", brake.reason))),
            (None, None) => None,
        };
        let tracks = canaries::tracks(conn, std::slice::from_ref(pair)).await?;
        Ok(Self {
            stop,
            whereabouts: canaries::whereabouts(conn, pair).await?,
            tracks: tracks.into_iter().map(|(_, track)| track).collect(),
        })
    }

    /// The track of a partition as it was kept; a new one where none was, or where the topic is another now.
    fn track(&self, direction: Direction, partition: i32, topic: &str) -> Track {
        let kept =
            self.tracks.iter().find(|track| track.direction == direction && track.partition == partition);
        let kept = kept.filter(|track| track.topic == topic).cloned();
        kept.unwrap_or_else(|| Track::new(direction, partition, topic, Utc::now()))
    }
}

/// Whether a canary of a flow would be written now, for whoever may write one; [`Course::Unclear`], with the reason, where the
/// newest survey is too old to tell, or there is none. `whereabouts` is what that survey says, and when it was made; `chosen`
/// whether the flow was written on so far.
pub fn written_where(
    pair: &muster_domain::pair::Pair,
    flow: &Flow,
    whereabouts: Option<&(DateTime<Utc>, Whereabouts)>,
    chosen: bool,
) -> Course {
    let Some((at, now)) = whereabouts else {
        return Course::Unclear { reason: "the pair has not been observed yet".to_owned() };
    };
    let age = Utc::now() - *at;
    if age > FRESH {
        let reason = format!(
            "the last survey is {} s old, so it is not known which side is active",
            age.num_seconds()
        );
        return Course::Unclear { reason };
    }
    course(pair, flow, now, chosen)
}

type Seen = Vec<(canaries::Place, muster_domain::canary::Seen)>;

impl CanaryMemory {
    /// Forgets what waits if it was written under another lease: whoever had the canary since has counted it as seen, and what is
    /// seen of it now would be told to have been on its way for as long as this process was not there.
    fn go_on_under(&mut self, epoch: i64) {
        if self.epoch.replace(epoch) != Some(epoch) {
            self.flows.clear();
        }
    }

    /// A turn of all flows at the same time; their tracks, and what was seen.
    async fn turn(
        &mut self,
        clients: &PairClients,
        settings: &CanarySettings,
        epoch: i64,
        scene: Scene,
        until: Instant,
    ) -> (Vec<Track>, Seen) {
        let attached: Vec<&Flow> =
            clients.pair.flows.iter().filter(|flow| clients.flow(flow.direction).is_some()).collect();
        self.flows.retain(|from, kept| {
            attached.iter().any(|flow| flow.direction.from == *from && kept.is_of(flow, settings))
        });
        let (mut done, mut turns) = (Vec::new(), Vec::new());
        let mut remembered = std::mem::take(&mut self.flows);
        for flow in attached {
            let new = |partition| (partition, scene.track(flow.direction, partition, &settings.topic));
            let mut tracks: BTreeMap<i32, Track> = (0..settings.partitions).map(new).collect();
            let mut canary = remembered
                .remove(&flow.direction.from)
                .unwrap_or_else(|| FlowCanary::new(flow, settings, self.process));
            if let Some((turn, still_chosen)) = nothing_to_write(clients, flow, &scene, &tracks) {
                for track in tracks.values_mut() {
                    match &turn {
                        Turn::Failed { .. } => track.turned(turn.clone(), Utc::now()),
                        Turn::Wrote | Turn::Rested { .. } | Turn::Paused { .. } => {
                            track.rested(turn.clone(), still_chosen, Utc::now());
                        }
                    }
                }
                done.push((canary, flow.direction, tracks, Vec::new()));
                continue;
            }
            turns.push(async move {
                let arrivals = canary.turn(clients, epoch, &mut tracks, until).await;
                (canary, flow.direction, tracks, arrivals)
            });
        }
        done.extend(futures_util::future::join_all(turns).await);
        let (mut all, mut seen) = (Vec::new(), Vec::new());
        for (canary, direction, tracks, arrivals) in done {
            self.flows.insert(direction.from, canary);
            all.extend(tracks.into_values());
            let arrivals: Vec<Arrival> = arrivals;
            seen.extend(arrivals.into_iter().map(|(partition, seen)| ((direction, partition), seen)));
        }
        (all, seen)
    }
}

/// Why nothing is to be written on a flow, with whether it stays the one that was; `None` where something is.
fn nothing_to_write(
    clients: &PairClients,
    flow: &Flow,
    scene: &Scene,
    tracks: &BTreeMap<i32, Track>,
) -> Option<(Turn, bool)> {
    match &scene.stop {
        // It may leave the pair the other way round.
        Some(Stop::Run(reason)) => return Some((Turn::Paused { reason: reason.clone() }, false)),
        Some(Stop::Brake(reason)) => return Some((Turn::Paused { reason: reason.clone() }, true)),
        None => {}
    }
    let chosen = tracks.values().any(|track| track.chosen);
    match written_where(&clients.pair, flow, scene.whereabouts.as_ref(), chosen) {
        Course::Write => None,
        Course::Rest { reason } => Some((Turn::Rested { reason }, false)),
        Course::Unclear { reason } => Some((Turn::Failed { reason }, true)),
    }
}
