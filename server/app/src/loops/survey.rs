//! The survey loop: every pair is observed every few seconds by exactly one process.
//!
//! One task a pair, so that a slow or dead cluster delays nobody else; one lease a pair, so that of several processes
//! one observes it, however long that takes. What is told of connections that were closed ([`Occasion::BroughtForward`]) wakes only that one.
//!
//! A survey whose lease was lost is thrown away by the store, not kept beside a newer one. Readiness
//! and lag are judged here, once, and stored with the survey: pages and API only read.

mod lease;
mod rhythm;

use std::{sync::Arc, time::Duration};

use chrono::{SubsecRound as _, TimeDelta, Utc};
use muster_domain::{
    canary::{CanarySettings, carried_within},
    ids::PairName,
    lag::{Clock, PartitionLag},
    loss::Loss,
    pair::{BySide, Pair},
    survey::Survey,
};
use muster_operations::{
    ClientSource, OperationError, PairClients, broker_settings::ask_brokers, leader_ends::ask_leader_ends,
    survey::take_due_survey, tails::read_tails, writers::read_writers,
};
use muster_store::{StoreError, grants, pairs, surveys};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use self::{
    lease::{Held, RENEW_EVERY},
    rhythm::{Occasion, Rhythm},
};
use crate::{
    http::failure::chain,
    loops::{
        alarm_watch::{self, Watched},
        each_pair::each_pair,
        memory::Memory,
    },
    process::telemetry::Beat,
    standing::{
        canaries,
        judgement::{Judgement, Remembered},
    },
};

/// Between the beginnings of two pairs, unless there are too many for that.
const APART: Duration = Duration::from_millis(25);

/// What the loop works with.
#[derive(Clone)]
pub struct SurveyLoop {
    /// Database.
    pub pool: PgPool,
    /// Hands.
    pub clients: Arc<dyn ClientSource>,
    /// Time between two surveys of a pair.
    pub period: Duration,
    /// Time between two renewals of a pair's lease while a survey of it is taken: [`RENEW_EVERY`].
    pub renew_every: Duration,
    /// Name of this process in leases.
    pub worker: String,
    /// What it tells its turns to.
    pub beat: Beat,
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// A survey is kept.
    Observed,
    /// Another process observes the pair.
    SomebodyElse,
    /// There is no such pair any more.
    PairGone,
    /// This process stops.
    CutShort,
}

impl std::fmt::Debug for SurveyLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SurveyLoop({}, every {:?})", self.worker, self.period)
    }
}

impl SurveyLoop {
    /// Observes all pairs until shutdown, new ones as they come.
    pub async fn run(self, shutdown: CancellationToken) {
        let begin = |names: Vec<PairName>| {
            let observe = |(name, begin_in): (PairName, Duration)| {
                (name.clone(), self.clone().observe_until(name, begin_in, shutdown.clone()))
            };
            spread(names, self.period).map(observe).collect()
        };
        each_pair(("surveys", self.period), &self.beat, &shutdown, || self.pairs(), begin).await;
        self.let_go().await;
    }

    async fn pairs(&self) -> Result<Vec<PairName>, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        Ok(pairs::list(&mut conn, None, None).await?.into_iter().map(|pair| pair.name).collect())
    }

    /// Observes one pair until shutdown, or until it is deleted.
    async fn observe_until(self, pair: PairName, begin_in: Duration, shutdown: CancellationToken) {
        let mut rhythm = Rhythm::new(begin_in, self.period);
        let mut held: Option<Held> = None;
        loop {
            let closings = held.as_mut().and_then(Held::closings);
            let occasion = tokio::select! {
                () = shutdown.cancelled() => break,
                occasion = rhythm.next(closings) => occasion,
            };
            let span = tracing::error_span!("survey", pair.name = %pair);
            let turned = self.turn(&pair, &mut held, occasion, &shutdown).instrument(span).await;
            rhythm.taken(occasion);
            match turned {
                Ok(Turned::Observed | Turned::SomebodyElse) => {}
                Ok(Turned::PairGone) => return self.clients.forget(&pair),
                Ok(Turned::CutShort) => return,
                Err(e) => {
                    tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not observe pair `{pair}`; tried again in {:?}", self.period)
                }
            }
        }
    }

    /// One turn with a pair: takes a survey if nobody else observes it. `held` is what the turn before left; after one that failed the
    /// lease is still held, unless somebody claims it first.
    ///
    /// # Errors
    /// When clients cannot be built or the database refuses.
    pub async fn turn(
        &self,
        pair: &PairName,
        held: &mut Option<Held>,
        occasion: Occasion,
        shutdown: &CancellationToken,
    ) -> Result<Turned, OperationError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        if pairs::get(&mut conn, pair).await?.is_none() {
            return Ok(Turned::PairGone);
        }
        self.hold(&mut conn, pair, held).await?;
        drop(conn);
        let Some(mine) = held.as_mut() else { return Ok(Turned::SomebodyElse) };
        let epoch = mine.epoch;
        // Only this is cut off: a claim that was, might come to the database after everything was given back. What was under way is then kept
        // whole or not at all, and what is remembered goes with the lease.
        let observed = tokio::select! {
            () = shutdown.cancelled() => return Ok(Turned::CutShort),
            observed = self.observe_listening(pair, mine, occasion) => observed,
            lost = self.renew_until_lost(pair, epoch) => Err(OperationError::Store(lost)),
        };
        match observed {
            Err(OperationError::Store(StoreError::LeaseLost { .. })) => {
                *held = None;
                Ok(Turned::SomebodyElse)
            }
            // Deleted while it was observed.
            Err(OperationError::Store(e)) if e.constraint() == Some("survey_of_pair") => Ok(Turned::PairGone),
            Err(e) => Err(e),
            Ok(_) => Ok(Turned::Observed),
        }
    }

    /// Takes one survey of a pair and keeps it with what it means. No transaction is open while Kafka is asked.
    ///
    /// # Errors
    /// When clients cannot be built, the lease is lost, or the database refuses.
    pub async fn observe(
        &self,
        pair: &PairName,
        epoch: i64,
        memory: &mut Memory,
    ) -> Result<Survey, OperationError> {
        let clients = self.clients.pair_clients(pair).await?;
        self.observe_with(&clients, epoch, memory, Occasion::Due).await
    }

    /// The same, and listens for connections that are closed from its beginning on: what was read before that happened is not news of it.
    ///
    /// # Errors
    /// As [`SurveyLoop::observe`].
    pub async fn observe_listening(
        &self,
        pair: &PairName,
        held: &mut Held,
        occasion: Occasion,
    ) -> Result<Survey, OperationError> {
        let clients = self.clients.pair_clients(pair).await?;
        held.closings = Some(BySide { a: clients.admin.a.closings(), b: clients.admin.b.closings() });
        self.observe_with(&clients, held.epoch, &mut held.memory, occasion).await
    }

    async fn observe_with(
        &self,
        clients: &PairClients,
        epoch: i64,
        memory: &mut Memory,
        occasion: Occasion,
    ) -> Result<Survey, OperationError> {
        let pair = &clients.pair.name;
        let mut conn = muster_store::acquire(&self.pool).await?;
        let previous = surveys::latest(&mut conn, pair).await?;
        let approvers = grants::approvers(&mut conn, &clients.pair.team).await?;
        memory.recall(&mut conn, &clients.pair, Utc::now()).await?;
        let moved = alarm_watch::moved_by(&mut conn, pair).await?;
        // Only who has the lease writes them.
        let unsettled = memory.unsettled(&mut conn, pair).await?;
        drop(conn);
        let number = previous.as_ref().map_or(1, |survey| survey.number + 1);
        // The recorder keeps milliseconds: what is remembered and what is read back are one time.
        let began_at = Utc::now().trunc_subsecs(3);
        let mut survey = take_due_survey(clients, number, began_at, self.period).await;
        survey.brought_forward = occasion == Occasion::BroughtForward;
        memory.history.tell_logs_apart(&clients.pair, &mut survey, previous.as_ref());
        read_tails(clients, &mut survey, previous.as_ref(), &mut memory.tails).await;
        // Behind the tails: what is known to be no record is not waited for.
        memory.history.tell_unproven(&clients.pair, &mut survey, previous.as_ref());
        let brokers = ask_brokers(clients, &survey, previous.as_ref());
        let ((), brokers) = tokio::join!(read_writers(clients, &mut survey, previous.as_ref()), brokers);
        brokers.add_to(&mut survey);
        let unsettled = ask_leader_ends(clients, &survey, unsettled).await;
        let clock =
            Clock { now: Utc::now(), period: TimeDelta::from_std(self.period).unwrap_or(TimeDelta::MAX) };
        let mut conn = muster_store::acquire(&self.pool).await?;
        // Read after the survey was taken: its own age is in what they say.
        let canaries = canaries::of_pair(&mut conn, &clients.pair, clock.now).await?;
        let just_taken = CanarySettings::of(&clients.pair)
            .is_some_and(|settings| memory.younger_than(carried_within(&settings), clock.now));
        let (history, previous_survey) = (&memory.history, previous.as_ref());
        let canaries = (canaries.as_slice(), just_taken);
        let (judgement, lags) =
            Judgement::of(clients, &approvers, &survey, previous_survey, history, canaries, clock);
        let in_step = memory.in_step();
        let compared = Remembered::after(&mut conn, clients, &survey, previous_survey, in_step).await?;
        let judged = (judgement, lags, compared);
        let surveys = (&survey, previous.as_ref());
        let alarms = alarm_watch::watch(&mut conn, clients, surveys, clock.period, moved).await?;
        drop(conn);
        // Of very many partitions this takes a while: no transaction is open yet.
        let active = |asked| alarms.active(asked);
        let losses = memory.losses(&clients.pair, &survey, previous.as_ref(), &unsettled, active);
        let found = (&survey, previous.as_ref(), losses.as_slice());
        if let Err(e) = self.keep(&clients.pair, found, &judged, alarms, epoch, memory).await {
            memory.doubt();
            return Err(e.into());
        }
        memory.committed(&clients.pair, &survey);
        self.keep_looks(&survey).await;
        if let Err(e) = memory.seal(&self.pool, survey.began_at, self.period).await {
            tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not seal what was recorded of pair `{pair}`; it stays unsealed and is tried again");
        }
        tracing::debug!(pair.name = %pair, survey.number = number, survey.brought_forward = survey.brought_forward, took_ms = survey.took_ms, "observed pair `{pair}`");
        Ok(survey)
    }

    async fn keep(
        &self,
        pair: &Pair,
        (survey, previous, losses): (&Survey, Option<&Survey>, &[Loss]),
        (judgement, lags, compared): &(Judgement, Vec<Vec<PartitionLag>>, Remembered),
        alarms: Watched,
        epoch: i64,
        memory: &mut Memory,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Database { op: "keep a survey", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        surveys::keep(&mut tx, survey, epoch).await?;
        judgement.keep(&mut tx, survey, epoch).await?;
        compared.keep(&mut tx, survey).await?;
        memory.record(&mut tx, pair, (survey, previous), lags).await?;
        Memory::keep_losses(&mut tx, pair, losses).await?;
        alarms.keep(&mut tx, survey, epoch).await?;
        tx.commit().await.map_err(failed)
    }

    /// Keeps what was seen of both clusters, for their pages: in a statement of its own after the survey is kept, since pairs that share a
    /// cluster would else wait for each other's surveys to be kept. Who dies before it leaves what an earlier survey saw, with its time, until the
    /// next one.
    async fn keep_looks(&self, survey: &Survey) {
        let kept = async {
            let mut conn = muster_store::acquire(&self.pool).await?;
            surveys::keep_looks(&mut conn, survey, self.period.as_secs_f64() / 2.0).await
        };
        if let Err(e) = kept.await {
            let pair = &survey.pair;
            tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not keep what the survey of pair `{pair}` saw of its clusters; their pages show what an earlier one saw");
        }
    }
}

/// When to begin with each of some pairs: a little apart, and all within one period. Two hundred surveys at the same
/// moment would need the memory of two hundred, and so would every period after that.
fn spread(pairs: Vec<PairName>, period: Duration) -> impl Iterator<Item = (PairName, Duration)> {
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX).max(1);
    let apart = APART.min(period / count);
    pairs.into_iter().zip(0_u32..).map(move |(pair, nth)| (pair, apart * nth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_begin_apart_and_all_within_a_period() {
        let begins = |count: usize| -> Vec<u128> {
            let pairs = (0..count).map(|n| PairName::new(format!("pair-{n}")).expect("a name")).collect();
            spread(pairs, Duration::from_secs(5)).map(|(_, begin_in)| begin_in.as_millis()).collect()
        };
        assert_eq!(begins(3), [0, 25, 50]);
        let many = begins(1000);
        assert_eq!((many[1], many[999]), (5, 4995));
        assert!(begins(0).is_empty());
    }
}
