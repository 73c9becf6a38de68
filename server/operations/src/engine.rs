//! The engine: leases a run, carries its steps, survives its own death.
//!
//! Per step: capture (what undo needs) and intent are committed, then the effect happens, then the outcome is
//! committed. A worker that dies in between leaves the step `running`; whoever takes the run over raises the epoch,
//! marks the step `unknown` and calls it again, and every step looks at the world before it acts. Every write locks
//! the run's row and checks the epoch, so a worker that was presumed dead can no longer write.

mod forward;
mod hooks;
mod job;
mod lease;
mod raising;
mod undo;

use std::{sync::Arc, time::Duration};

use muster_domain::{record::Outcome, run::RunState};
use muster_store::{StoreError, run_leases};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, error_span, info, warn};
use uuid::Uuid;

pub use hooks::{Hooks, Moment, NoHooks};
pub use job::Notes;

use crate::{
    clients::ClientSource,
    error::OperationError,
    step::{Step, StepCtx},
};

/// A runbook: its steps and what is made of them at the end.
#[derive(Clone)]
pub struct Runbook {
    /// The table of steps.
    pub steps: Vec<Step>,
    /// Measures what was reached from the outputs of the steps.
    pub outcome: fn(&StepCtx) -> Outcome,
}

/// Bounds of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How long a silent worker keeps a run, in seconds.
    pub lease_seconds: f64,
    /// How often it looks for runs and for what people ask, in milliseconds.
    pub poll_ms: u64,
    /// First pause before a retry, in milliseconds; doubles up to 16 times that.
    pub retry_ms: i64,
    /// How long steps under way may go on when this process is told to stop, in milliseconds.
    pub hand_over_ms: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { lease_seconds: 10.0, poll_ms: 200, retry_ms: 100, hand_over_ms: 10_000 }
    }
}

/// Why a worker let go of a run.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Another worker has it.
    #[error("the lease is lost")]
    LeaseLost,
    /// This process stops; the lease was given back.
    #[error("handed over to another worker")]
    HandedOver,
    /// A test hook killed the worker here.
    #[error("killed by a test at {0}")]
    Killed(String),
    /// The database or the clients could not be used.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<StoreError> for Stopped {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Fenced { .. } => Self::LeaseLost,
            StoreError::Database { .. }
            | StoreError::Conflict { .. }
            | StoreError::Stale { .. }
            | StoreError::LeaseLost { .. }
            | StoreError::Sealed { .. }
            | StoreError::Migrate { .. }
            | StoreError::Rows { .. }
            | StoreError::Samples { .. }
            | StoreError::Unreadable { .. } => Self::Operation(e.into()),
        }
    }
}

/// Carries runs out.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    clients: Arc<dyn ClientSource>,
    worker: String,
    options: EngineOptions,
    hooks: Arc<dyn Hooks>,
    looked: Arc<dyn Fn(bool) + Send + Sync>,
}

impl Engine {
    /// An engine with Muster's runbooks. `worker` names this process in leases and logs.
    pub fn new(pool: PgPool, clients: Arc<dyn ClientSource>, worker: String) -> Self {
        Self {
            pool,
            clients,
            worker,
            options: EngineOptions::default(),
            hooks: Arc::new(NoHooks),
            looked: Arc::new(|_| {}),
        }
    }

    /// Other bounds.
    #[must_use]
    pub fn with_options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Kill points, for crash tests.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = hooks;
        self
    }

    /// Who is told of each look for runs, whether it could look.
    #[must_use]
    pub fn telling(mut self, looked: Arc<dyn Fn(bool) + Send + Sync>) -> Self {
        self.looked = looked;
        self
    }

    /// Looks for runs and carries them, several at a time, until told to stop; then lets the steps under way end, begins
    /// none, and gives each run back at once: the next worker adopts it at that boundary.
    pub async fn run_until(&self, shutdown: CancellationToken) {
        let mut carried = tokio::task::JoinSet::new();
        while !shutdown.is_cancelled() {
            let claimed = self.claim_one().await;
            (self.looked)(claimed.is_ok());
            match claimed {
                Ok(Some((run, epoch))) => {
                    let engine = self.clone();
                    let stop = shutdown.clone();
                    carried.spawn(async move { engine.carry_logged(run, epoch, &stop).await });
                    continue;
                }
                Ok(None) => {}
                Err(e) => warn!("could not look for runs: {e}"),
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(self.options.poll_ms)) => {}
            }
        }
        while carried.join_next().await.is_some() {}
    }

    /// Carries every run that wants a worker now, one after the other, until none does. For tests.
    ///
    /// # Errors
    /// Why a run was let go of.
    pub async fn run_pending(&self) -> Result<u32, Stopped> {
        let mut carried = 0;
        while let Some((run, epoch)) = self.claim_one().await? {
            self.carry(run, epoch, &CancellationToken::new()).await?;
            carried += 1;
        }
        Ok(carried)
    }

    async fn claim_one(&self) -> Result<Option<(Uuid, i64)>, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        run_leases::claim(&mut conn, &self.worker, self.options.lease_seconds).await
    }

    async fn carry_logged(&self, run: Uuid, epoch: i64, shutdown: &CancellationToken) {
        match self.carry(run, epoch, shutdown).await {
            Ok(state) => info!(run.id = %run, run.epoch = epoch, "run is {}", state.as_str()),
            Err(Stopped::LeaseLost) => {
                warn!(run.id = %run, run.epoch = epoch, "another worker has the run now")
            }
            Err(Stopped::HandedOver) => {
                info!(run.id = %run, run.epoch = epoch, "gave the run back: this process stops")
            }
            Err(e) => error!(run.id = %run, run.epoch = epoch, "let go of the run: {:#}", anyhow_chain(&e)),
        }
    }

    /// Carries one run until it needs nobody, its lease is lost, or this process stops. Every line logged meanwhile,
    /// in whatever room, has the run's id.
    async fn carry(&self, run: Uuid, epoch: i64, shutdown: &CancellationToken) -> Result<RunState, Stopped> {
        let span = error_span!("run", run.id = %run, run.epoch = epoch);
        self.carry_until(run, epoch, shutdown).instrument(span).await
    }

    async fn carry_until(
        &self,
        run: Uuid,
        epoch: i64,
        shutdown: &CancellationToken,
    ) -> Result<RunState, Stopped> {
        let lost = CancellationToken::new();
        let renewal = lease::renew_until_dropped(self, run, epoch, lost.clone());
        let carried = tokio::select! {
            biased;
            () = lost.cancelled() => return Err(Stopped::LeaseLost),
            state = self.carry_to_rest(run, epoch, shutdown) => state,
            // A step that waits for something outside may wait longer than this process has. It is cut off where it is,
            // as by a crash: whoever adopts the run looks again before it acts.
            () = self.time_to_hand_over_is_up(shutdown) => Err(Stopped::HandedOver),
        };
        if let Err(stopped) = &carried
            && !matches!(stopped, Stopped::HandedOver)
        {
            return carried;
        }
        drop(renewal);
        let mut conn = muster_store::acquire(&self.pool).await?;
        run_leases::release(&mut conn, run, epoch).await?;
        carried
    }

    async fn time_to_hand_over_is_up(&self, shutdown: &CancellationToken) {
        shutdown.cancelled().await;
        tokio::time::sleep(Duration::from_millis(self.options.hand_over_ms)).await;
    }

    async fn carry_to_rest(
        &self,
        run: Uuid,
        epoch: i64,
        shutdown: &CancellationToken,
    ) -> Result<RunState, Stopped> {
        job::adopt(self, run, epoch).await?;
        loop {
            let job = job::Job::load(self, run, epoch).await?;
            let state = job.run.state;
            if state.wants_worker() && shutdown.is_cancelled() {
                return Err(Stopped::HandedOver);
            }
            match state {
                RunState::Running => forward::go(self, job, shutdown).await?,
                RunState::RollingBack => undo::roll_back(self, job, shutdown).await?,
                RunState::Verifying | RunState::CleaningUp => forward::conclude(self, job).await?,
                RunState::Blocked
                | RunState::AwaitingApproval
                | RunState::Approved
                | RunState::Rejected
                | RunState::Expired
                | RunState::WaitingForInput
                | RunState::PausedByOperator
                | RunState::PausedByFailure
                | RunState::RolledBack
                | RunState::Stuck
                | RunState::ClosedManually
                | RunState::Succeeded
                | RunState::SucceededWithExceptions
                | RunState::Failed
                | RunState::CleanupIncomplete
                | RunState::AwaitingAttestation
                | RunState::Passed
                | RunState::Inconclusive => return Ok(state),
            }
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("worker", &self.worker).finish_non_exhaustive()
    }
}

pub(crate) async fn begin(pool: &PgPool) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, StoreError> {
    muster_store::begin(pool).await.map_err(|source| StoreError::database("begin a transaction", source))
}

pub(crate) async fn commit(tx: sqlx::Transaction<'static, sqlx::Postgres>) -> Result<(), StoreError> {
    tx.commit().await.map_err(|source| StoreError::database("commit", source))
}

/// The whole chain of an error in one line.
fn anyhow_chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
