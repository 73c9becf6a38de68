//! What a step is: look, act, confirm, with an undo; and what it may know while it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt, future::BoxFuture};
use muster_domain::{
    pair::{Direction, Side},
    plan::PlanContent,
    record::{Question, Run},
    run::Phase,
};
use muster_kafka::{ClusterAdmin, KafkaError, RecordMover};
use muster_replication::{Replication, ReplicationError};
use muster_routing::RoutingError;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::{clients::PairClients, engine::Notes};

/// How a step ended without success. Every `?` in a step chooses one of these.
#[derive(Debug, Clone)]
pub enum StepError {
    /// It may pass by itself: tried again a little later, within the step's bound.
    Retry(String),
    /// It will not pass by itself: before the point of no return the run is undone or waits, as its plan says.
    Fail(String),
    /// A person must answer before it acts.
    Ask(Box<Question>),
}

impl StepError {
    /// May pass by itself.
    pub fn retry(e: impl std::fmt::Display) -> Self {
        Self::Retry(e.to_string())
    }

    /// Will not pass by itself.
    pub fn fail(e: impl std::fmt::Display) -> Self {
        Self::Fail(e.to_string())
    }
}

impl From<KafkaError> for StepError {
    fn from(e: KafkaError) -> Self {
        if e.may_pass() { Self::retry(e) } else { Self::fail(e) }
    }
}

impl From<ReplicationError> for StepError {
    fn from(e: ReplicationError) -> Self {
        if e.may_pass() { Self::retry(e) } else { Self::fail(e) }
    }
}

impl From<RoutingError> for StepError {
    fn from(e: RoutingError) -> Self {
        if e.may_pass { Self::retry(e) } else { Self::fail(e) }
    }
}

/// What a step reached: a sentence for people, figures behind it, and what later steps need.
#[derive(Debug, Clone)]
pub struct Done {
    /// Proof in one sentence.
    pub sentence: String,
    /// Figures behind it.
    pub evidence: serde_json::Value,
    /// What later steps need of it; read with [`StepCtx::output`].
    pub output: serde_json::Value,
}

impl Done {
    /// A step that leaves nothing for later ones.
    pub fn new(sentence: impl Into<String>, evidence: serde_json::Value) -> Self {
        Self { sentence: sentence.into(), evidence, output: serde_json::Value::Null }
    }

    /// Adds what later steps need.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn with_output(mut self, output: &impl Serialize) -> Result<Self, StepError> {
        self.output = serde_json::to_value(output).map_err(StepError::fail)?;
        Ok(self)
    }
}

/// When a step ran, by the database's clock.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its first start.
    pub started: DateTime<Utc>,
    /// Start of the attempts that ended it: later than its first start when a person had it tried again.
    pub worked_from: DateTime<Utc>,
    /// Its end; none while it runs.
    pub ended: Option<DateTime<Utc>>,
}

/// What a step knows while it runs.
#[derive(Clone)]
pub struct StepCtx {
    /// The run as it was when the step began.
    pub run: Run,
    /// What was approved.
    pub plan: Arc<PlanContent>,
    /// The hands.
    pub clients: PairClients,
    /// Outputs of steps that are done, by name.
    pub outputs: Arc<BTreeMap<String, serde_json::Value>>,
    /// Steps that a person left out.
    pub left_out: Arc<BTreeSet<String>>,
    /// When steps ran so far, by name.
    pub times: Arc<BTreeMap<String, Span>>,
    /// What was captured before the effect, by this step.
    pub captured: serde_json::Value,
    /// Who answered this step's question, if it was answered.
    pub confirmed_by: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// Epoch of the worker, handed to switches that can fence by it.
    pub epoch: i64,
    /// When the step's bound runs out.
    pub deadline: Instant,
    /// When the plan's bound on how long writes are away runs out, for a step that it holds for.
    pub outage_ends: Option<Instant>,
    /// Where progress is told.
    pub notes: Notes,
}

impl StepCtx {
    /// The way applications move.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.plan.direction
    }

    /// Admin client of a side.
    #[must_use]
    pub fn admin(&self, side: Side) -> &dyn ClusterAdmin {
        self.clients.admin.get(side).as_ref()
    }

    /// Record mover of a side.
    #[must_use]
    pub fn mover(&self, side: Side) -> &dyn RecordMover {
        self.clients.mover.get(side).as_ref()
    }

    /// The flow along the way applications move, which is stopped.
    ///
    /// # Errors
    /// When Muster cannot steer it.
    pub fn forward(&self) -> Result<&dyn Replication, StepError> {
        self.flow(self.plan.direction)
    }

    /// The flow against the way applications move, which is started.
    ///
    /// # Errors
    /// When Muster cannot steer it.
    pub fn backward(&self) -> Result<&dyn Replication, StepError> {
        self.flow(self.plan.direction.reverse())
    }

    fn flow(&self, direction: Direction) -> Result<&dyn Replication, StepError> {
        self.clients.flow(direction).map(AsRef::as_ref).ok_or_else(|| {
            StepError::fail(format!("Muster cannot steer the flow {}", self.clients.pair.course(direction)))
        })
    }

    /// Output of a step that is done.
    ///
    /// # Errors
    /// When it left none, for example because it was skipped.
    pub fn output<T: DeserializeOwned>(&self, step: &str) -> Result<T, StepError> {
        let value = self
            .outputs
            .get(step)
            .ok_or_else(|| StepError::fail(format!("step `{step}` left no result (was it skipped?)")))?;
        serde_json::from_value(value.clone()).map_err(StepError::fail)
    }

    /// Refuses to act on what a step prepares when a person left that step out: what it would have prevented happens now.
    ///
    /// # Errors
    /// When it was left out; `danger` says what acting all the same would do, and what to do instead.
    pub fn not_without(&self, step: &str, danger: &str) -> Result<(), StepError> {
        if self.left_out.contains(step) {
            return Err(StepError::Fail(format!("`{step}` was left out: {danger}")));
        }
        Ok(())
    }

    /// What this step captured before acting.
    ///
    /// # Errors
    /// When it does not read back.
    pub fn captured<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        serde_json::from_value(self.captured.clone()).map_err(StepError::fail)
    }

    /// Milliseconds left of the step's bound, at least 1.
    #[must_use]
    pub fn left_ms(&self) -> u64 {
        u64::try_from(self.deadline.saturating_duration_since(Instant::now()).as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Looks until a look succeeds with something, at most `bound_ms`; looks at once, then every 10 ms growing to
    /// 250 ms. An error that may pass counts as "not yet".
    ///
    /// # Errors
    /// The look's own `Fail`, or `Retry` with the last thing seen when the bound runs out.
    pub async fn wait_until<T, F, Fut>(&self, what: &str, bound_ms: u64, mut look: F) -> Result<T, StepError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Result<T, String>, StepError>>,
    {
        let until = Instant::now() + Duration::from_millis(bound_ms.min(self.left_ms()));
        let mut pause = Duration::from_millis(10);
        loop {
            let seen = match look().await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(seen)) => seen,
                Err(StepError::Retry(seen)) => seen,
                Err(e @ (StepError::Fail(_) | StepError::Ask(_))) => return Err(e),
            };
            if Instant::now() + pause > until {
                return Err(StepError::Retry(format!("{what}: not within {bound_ms} ms; last seen: {seen}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_millis(250));
        }
    }
}

/// A boxed step function.
pub type StepFn<T> = Arc<dyn Fn(StepCtx) -> BoxFuture<'static, Result<T, StepError>> + Send + Sync>;

fn boxed<T, F, Fut>(f: F) -> StepFn<T>
where
    F: Fn(StepCtx) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, StepError>> + Send + 'static,
{
    Arc::new(move |ctx| f(ctx).boxed())
}

/// One row of a runbook's table.
#[derive(Clone)]
pub struct Step {
    /// Stored for ever; never renamed.
    pub name: &'static str,
    /// Phase its time is counted in.
    pub phase: Phase,
    /// Steps that must be done before it. Steps that wait for the same ones run at the same time.
    pub after: &'static [&'static str],
    /// Longest it may take over all its attempts, in milliseconds.
    pub bound_ms: u64,
    /// True while writes are away: the plan's bound on the outage then holds too.
    pub writes_away: bool,
    /// True for the step whose success passes the point of no return.
    pub point_of_no_return: bool,
    /// Reads what undo will need; committed before the first attempt acts and never read again.
    pub capture: Option<StepFn<serde_json::Value>>,
    /// Look, act, confirm. Running it twice equals running it once.
    pub act: StepFn<Done>,
    /// Takes the effect back, proven. Running it twice, or without the effect, equals running it once.
    pub undo: Option<StepFn<Done>>,
}

/// A step that looks or acts, 60 s, not undoable, not while writes are away; refined by the builder methods.
pub fn step<F, Fut>(name: &'static str, phase: Phase, after: &'static [&'static str], act: F) -> Step
where
    F: Fn(StepCtx) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Done, StepError>> + Send + 'static,
{
    Step {
        name,
        phase,
        after,
        bound_ms: 60_000,
        writes_away: false,
        point_of_no_return: false,
        capture: None,
        act: boxed(act),
        undo: None,
    }
}

impl Step {
    /// Captured before the effect, and the undo that uses it.
    pub fn undo<F, Fut, G, Gut, T>(mut self, capture: F, undo: G) -> Self
    where
        F: Fn(StepCtx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, StepError>> + Send + 'static,
        G: Fn(StepCtx) -> Gut + Send + Sync + 'static,
        Gut: Future<Output = Result<Done, StepError>> + Send + 'static,
        T: Serialize,
    {
        self.capture = Some(boxed(move |ctx| {
            let captured = capture(ctx);
            async move { serde_json::to_value(captured.await?).map_err(StepError::fail) }
        }));
        self.undo = Some(boxed(undo));
        self
    }

    /// Another bound.
    #[must_use]
    pub fn bound_ms(mut self, bound_ms: u64) -> Self {
        self.bound_ms = bound_ms;
        self
    }

    /// Runs while writes are away.
    #[must_use]
    pub fn writes_away(mut self) -> Self {
        self.writes_away = true;
        self
    }

    /// Its success passes the point of no return.
    #[must_use]
    pub fn point_of_no_return(mut self) -> Self {
        self.point_of_no_return = true;
        self
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("name", &self.name).field("after", &self.after).finish_non_exhaustive()
    }
}
