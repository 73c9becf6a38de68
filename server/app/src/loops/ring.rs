//! Fingerprint rings: every pair's sources are looked at every few seconds for what their groups need on the day a source is
//! dead, by the process that observes the pair.
//!
//! The lease of the pair's survey decides who that is, and the store refuses what a process writes that has lost it. Positions
//! of groups come from the flight recorder, so nobody is asked for them a second time. A look that fails changes nothing of
//! what is kept and says since when looks do, or since when the source does not answer at all. A partition that cannot be read is
//! told of by itself. Reading is all it does, so neither the brake nor a run stops it.

mod scene;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Flow, Side},
    patterns::Scope,
};
use muster_kafka::KafkaError;
use muster_operations::{
    ClientSource, OperationError, PairClients,
    rings::{Looked, RingMemory, look},
};
use muster_replication::translate::KeepError;
use muster_store::{
    StoreError,
    leases::{self, survey_lease},
    pairs, rings,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use self::scene::Scene;
use crate::{http::failure::chain, loops::each_pair::each_pair, process::telemetry::Beat};

/// Time between two looks at a pair, and at most so much more, so that looks of many pairs are not at one time.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);
const APART: Duration = Duration::from_secs(1);
/// Seconds the lease has to last at the beginning of a look. One that takes longer is checked again when it is kept.
const LASTS: f64 = 5.0;

/// What the loop works with.
#[derive(Clone)]
pub struct RingLoop {
    /// Database.
    pub pool: PgPool,
    /// Hands.
    pub clients: Arc<dyn ClientSource>,
    /// Name of this process in leases; the same as that of its surveys.
    pub worker: String,
    /// What it tells its turns to.
    pub beat: Beat,
}

impl std::fmt::Debug for RingLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RingLoop({})", self.worker)
    }
}

/// What one process remembers of the sources of a pair, under one lease: whoever had it in between has kept other rings, or
/// forgotten some.
#[derive(Debug, Default)]
pub struct PairMemory {
    epoch: Option<i64>,
    sources: BTreeMap<Side, RingMemory>,
}

impl PairMemory {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a source, under a lease: what was remembered under another one is forgotten.
    fn of(&mut self, epoch: i64, from: Side) -> &mut RingMemory {
        if self.epoch.replace(epoch) != Some(epoch) {
            self.sources.clear();
        }
        self.sources.entry(from).or_default()
    }

    fn clear(&mut self) {
        self.sources.clear();
    }
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// So many partitions were read and so many bytes kept, over all flows.
    Looked {
        /// Partitions.
        partitions: usize,
        /// Bytes of their rings.
        bytes: usize,
    },
    /// Another process looks after the pair.
    NotMine,
    /// There is no such pair any more.
    PairGone,
}

impl RingLoop {
    /// Looks at all pairs until shutdown, new ones as they come.
    pub async fn run(self, shutdown: CancellationToken) {
        let begin = |names: Vec<PairName>| {
            let look_after = |name: PairName| {
                let span = tracing::error_span!("rings", pair.name = %name);
                (name.clone(), self.clone().look_after(name, shutdown.clone()).instrument(span))
            };
            names.into_iter().map(look_after).collect()
        };
        each_pair(("rings", LOOK_EVERY), &self.beat, &shutdown, || self.pairs(), begin).await;
    }

    async fn pairs(&self) -> Result<Vec<PairName>, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        Ok(pairs::list(&mut conn, None, None).await?.into_iter().map(|pair| pair.name).collect())
    }

    /// Looks after one pair until shutdown, or until it is deleted.
    async fn look_after(self, pair: PairName, shutdown: CancellationToken) {
        let mut memory = PairMemory::new();
        let mut pause = part_of(LOOK_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = LOOK_EVERY + part_of(APART);
            let turned = tokio::select! {
                () = shutdown.cancelled() => return,
                turned = self.turn(&pair, &mut memory) => turned,
            };
            match turned {
                Ok(Turned::Looked { partitions, bytes }) => {
                    tracing::debug!(pair.name = %pair, partitions, bytes, "kept rings of pair `{pair}`");
                }
                Ok(Turned::NotMine) => {}
                Ok(Turned::PairGone) => return,
                Err(e) => {
                    memory.clear();
                    tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not keep rings of pair `{pair}`; tried again in {pause:?}");
                }
            }
        }
    }

    /// One look at the sources of a pair. No transaction is open while Kafka is asked.
    ///
    /// # Errors
    /// When clients cannot be built or the database refuses. A cluster or Connect that does not answer is no error.
    pub async fn turn(&self, pair: &PairName, memory: &mut PairMemory) -> Result<Turned, OperationError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        if pairs::get(&mut conn, pair).await?.is_none() {
            return Ok(Turned::PairGone);
        }
        let held = leases::held_by(&mut conn, &survey_lease(pair), &self.worker, LASTS).await?;
        let Some((epoch, true)) = held else {
            memory.clear();
            return Ok(Turned::NotMine);
        };
        drop(conn);
        let clients = self.clients.pair_clients(pair).await?;
        let (mut partitions, mut bytes) = (0, 0);
        for flow in &clients.pair.flows {
            let of_flow = memory.of(epoch, flow.direction.from);
            match self.look_at(&clients, flow, epoch, of_flow).await {
                Ok((read, kept)) => (partitions, bytes) = (partitions + read, bytes + kept),
                Err(OperationError::Store(StoreError::LeaseLost { .. })) => {
                    memory.clear();
                    return Ok(Turned::NotMine);
                }
                // Deleted meanwhile.
                Err(OperationError::Store(e)) if e.constraint() == Some("ring_look_of_pair") => {
                    return Ok(Turned::PairGone);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(Turned::Looked { partitions, bytes })
    }

    /// One look at one flow's source; partitions read and bytes kept.
    async fn look_at(
        &self,
        clients: &PairClients,
        flow: &Flow,
        epoch: i64,
        memory: &mut RingMemory,
    ) -> Result<(usize, usize), OperationError> {
        let of = (&clients.pair.name, flow.direction);
        let mut conn = muster_store::acquire(&self.pool).await?;
        let scene = Scene::read(&mut conn, of).await?;
        drop(conn);
        let Some((positions_at, positions)) = scene.positions else {
            // Nobody could read its groups. One that is known is asked whether it is there at all.
            if scene.is_known
                && let Err(error) = probe(clients, flow.direction).await
            {
                self.keep_silence(of, epoch, &error).await?;
            }
            return Ok((0, 0));
        };
        if scene.stands_by {
            return Ok((0, 0));
        }
        let scope = Scope::of(&clients.pair);
        let [source, target] = scene.policies;
        let keeps_all = |topic: &str| {
            source.keep_all_records(topic) && target.keep_all_records(&scope.replica(flow.direction, topic))
        };
        let looked_at = Utc::now();
        match look(clients, flow, &positions, keeps_all, memory).await {
            Ok(looked) => self.keep(of, epoch, (looked_at, positions_at), looked, memory).await,
            // Held against what is under the policy's name, what was kept would tell wrong positions.
            Err(KeepError::Renamed { reason }) => {
                tracing::debug!(cause = %reason, "nothing is kept of this flow's source");
                self.forget(of, epoch).await?;
                Ok((0, 0))
            }
            Err(error) => {
                // Connect may have died with it, and is asked first.
                match probe(clients, flow.direction).await {
                    Err(silent) => self.keep_silence(of, epoch, &silent).await?,
                    Ok(()) => self.keep_failure(of, epoch, &chain(&error)).await?,
                }
                tracing::warn!(cause = %chain(&error), "could not look at what groups need; what was kept stays");
                Ok((0, 0))
            }
        }
    }

    async fn keep(
        &self,
        of: (&PairName, Direction),
        epoch: i64,
        times: (DateTime<Utc>, DateTime<Utc>),
        looked: Looked,
        memory: &mut RingMemory,
    ) -> Result<(usize, usize), OperationError> {
        let failed = |source| StoreError::Database { op: "keep fingerprint rings", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        let rings::Written { bytes, dropped } = rings::keep(&mut tx, of, epoch, times, &looked.found).await?;
        tx.commit().await.map_err(failed)?;
        if let Some((at, because)) = looked.found.unread.first_key_value() {
            let others = looked.found.unread.len() - 1;
            tracing::debug!(partition = %at, %because, others, "nothing is kept of partitions that cannot be read");
        }
        let partitions = looked.found.rings.len();
        memory.kept(looked, &dropped);
        Ok((partitions, bytes))
    }

    async fn forget(&self, of: (&PairName, Direction), epoch: i64) -> Result<(), OperationError> {
        let failed = |source| StoreError::Database { op: "forget fingerprint rings", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        rings::forget(&mut tx, of, epoch).await?;
        tx.commit().await.map_err(failed)?;
        Ok(())
    }

    async fn keep_silence(
        &self,
        of: (&PairName, Direction),
        epoch: i64,
        error: &KafkaError,
    ) -> Result<(), OperationError> {
        let failed = |source| StoreError::Database { op: "keep that a source is silent", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        rings::keep_silence(&mut tx, of, epoch, Utc::now(), &error.to_string()).await?;
        tx.commit().await.map_err(failed)?;
        Ok(())
    }

    async fn keep_failure(
        &self,
        of: (&PairName, Direction),
        epoch: i64,
        because: &str,
    ) -> Result<(), OperationError> {
        let failed = |source| StoreError::Database { op: "keep that looks at a source fail", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        rings::keep_failure(&mut tx, of, epoch, Utc::now(), because).await?;
        tx.commit().await.map_err(failed)?;
        Ok(())
    }
}

/// Whether the source of a flow answers at all.
async fn probe(clients: &PairClients, direction: Direction) -> Result<(), KafkaError> {
    clients.admin.get(direction.from).describe_cluster().await.map(drop)
}

/// Some part of a time, another one each time.
fn part_of(time: Duration) -> Duration {
    time * u32::from(Uuid::new_v4().as_bytes()[0]) / 256
}
