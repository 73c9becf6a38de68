//! A run in a worker's hands: loaded state, contexts for steps, and the few ways it writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use muster_domain::{
    plan::Plan,
    record::Run,
    run::{RunAct, RunState, StepState, next_state},
};
use muster_store::{
    plans,
    run_events::{self, NewEvent},
    run_leases::{self, Wanted},
    run_steps::{self, StepChange, StoredStep},
    runs,
};
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Engine, Moment, Runbook, Stopped, begin, commit, forward::kill};
use crate::{
    clients::PairClients,
    error::OperationError,
    step::{Span, Step, StepCtx},
    telling::tell_state,
};

/// Where a step tells progress: an event of the run, seen live.
#[derive(Debug, Clone)]
pub struct Notes {
    pool: PgPool,
    run: Uuid,
    epoch: i64,
    step: &'static str,
}

impl Notes {
    /// Tells one sentence with figures. Telling never fails a step: a note that can't be kept is logged.
    pub async fn tell(&self, message: &str, detail: serde_json::Value) {
        let kept = async {
            let mut tx = begin(&self.pool).await?;
            run_leases::hold(&mut tx, self.run, self.epoch).await?;
            let event = NewEvent { epoch: self.epoch, step: Some(self.step), kind: "note", message, detail };
            run_events::append(&mut tx, self.run, &event).await?;
            commit(tx).await
        };
        if let Err(e) = kept.await {
            warn!(run.id = %self.run, step = self.step, "could not keep the note `{message}`: {e}");
        }
    }
}

/// A run as loaded at one moment.
pub(super) struct Job {
    pub(super) run: Run,
    pub(super) plan: Arc<Plan>,
    pub(super) steps: Vec<StoredStep>,
    pub(super) wanted: Option<Wanted>,
    /// Who put the global stop on and why, while it is on.
    pub(super) brake: Option<String>,
    /// The database's clock when it was loaded.
    pub(super) now: DateTime<Utc>,
    pub(super) runbook: Runbook,
    pub(super) clients: PairClients,
    pub(super) epoch: i64,
}

/// Whether a step in this state may have changed the world and nothing has taken that back.
pub(super) fn may_have_acted(state: StepState) -> bool {
    match state {
        StepState::Running
        | StepState::Succeeded
        | StepState::FailedRetryable
        | StepState::Failed
        | StepState::Unknown
        | StepState::WaitingForInput
        | StepState::Undoing
        | StepState::UndoFailed => true,
        StepState::NotStarted | StepState::Skipped | StepState::Undone => false,
    }
}

/// Takes a run over: steps a dead worker left in the middle become unknown.
pub(super) async fn adopt(engine: &Engine, run: Uuid, epoch: i64) -> Result<(), Stopped> {
    let mut tx = begin(&engine.pool).await?;
    run_leases::hold(&mut tx, run, epoch).await?;
    let unknown = run_steps::adopt(&mut tx, run).await?;
    if epoch > 1 && !unknown.is_empty() {
        let message = format!(
            "{} took the run over; {} was in the middle and looks again before it acts",
            engine.worker,
            unknown.join(", ")
        );
        let event = NewEvent { epoch, step: None, kind: "state", message: &message, detail: unknown.into() };
        run_events::append(&mut tx, run, &event).await?;
    }
    commit(tx).await?;
    Ok(())
}

/// A step this version has no row for is another version's, during an upgrade or after going back: left out silently it
/// would be waited for without end, or never undone. The run is let go of, for a process that knows it.
fn refuse_unknown_steps(runbook: &Runbook, steps: &[StoredStep]) -> Result<(), OperationError> {
    let known = |stored: &StoredStep| runbook.steps.iter().any(|row| row.name == stored.step.name);
    match steps.iter().find(|stored| !known(stored)) {
        Some(unknown) => Err(OperationError::Stored {
            what: "runbook",
            reason: format!(
                "this version of Muster does not know its step `{}`; a worker of the version that planned it carries it on",
                unknown.step.name
            ),
        }),
        None => Ok(()),
    }
}

/// When a step ran, if it was ever begun.
fn span_of(stored: &StoredStep) -> Option<Span> {
    let started = stored.step.started_at?;
    let worked_from = stored.bound_from.map_or(started, |from| from.max(started));
    Some(Span { started, worked_from, ended: stored.step.ended_at })
}

/// The global stop. When it can't be read the run is let go of: nothing goes on.
async fn brake(conn: &mut PgConnection) -> Result<Option<String>, Stopped> {
    let brake = muster_store::brake::get(conn).await?;
    Ok(brake.map(|brake| format!("{} put the brake on: {}", brake.by.name, brake.reason)))
}

impl Job {
    /// Loads everything a worker needs to decide what is next.
    pub(super) async fn load(engine: &Engine, id: Uuid, epoch: i64) -> Result<Self, Stopped> {
        let mut conn = muster_store::acquire(&engine.pool).await?;
        let stored =
            |what: &'static str| OperationError::Stored { what, reason: format!("run {id} lacks it") };
        let run = runs::get(&mut conn, id).await?.ok_or_else(|| stored("run"))?;
        let plan = plans::get(&mut conn, run.plan).await?.ok_or_else(|| stored("plan"))?;
        let steps = run_steps::list_stored(&mut conn, id).await?;
        let wanted = run_leases::wanted(&mut conn, id).await?;
        let brake = brake(&mut conn).await?;
        let now = muster_store::clock::now(&mut conn).await?;
        drop(conn);
        let runbook = crate::runbook(run.operation).ok_or_else(|| stored("runbook"))?;
        refuse_unknown_steps(&runbook, &steps)?;
        let clients = engine.clients.pair_clients(&run.pair).await?;
        Ok(Self { run, plan: Arc::new(plan), steps, wanted, brake, now, runbook, clients, epoch })
    }

    /// Reads again what changes while steps run.
    pub(super) async fn refresh(&mut self, engine: &Engine) -> Result<(), Stopped> {
        let mut conn = muster_store::acquire(&engine.pool).await?;
        let id = self.run.id;
        self.run = runs::get(&mut conn, id)
            .await?
            .ok_or(OperationError::Stored { what: "run", reason: format!("run {id} is gone") })?;
        self.steps = run_steps::list_stored(&mut conn, id).await?;
        self.wanted = run_leases::wanted(&mut conn, id).await?;
        self.brake = brake(&mut conn).await?;
        self.now = muster_store::clock::now(&mut conn).await?;
        Ok(())
    }

    /// The table's row of a stored step.
    pub(super) fn table_row(&self, name: &str) -> Option<&Step> {
        self.runbook.steps.iter().find(|step| step.name == name)
    }

    /// What a step may know when it begins now.
    pub(super) fn ctx(&self, engine: &Engine, step: &Step, stored: &StoredStep) -> StepCtx {
        let outputs: BTreeMap<String, serde_json::Value> = self
            .steps
            .iter()
            .filter(|s| s.step.state.done())
            .filter_map(|s| Some((s.step.name.clone(), s.output.clone()?)))
            .collect();
        let left_out = self.steps.iter().filter(|s| s.step.state == StepState::Skipped);
        let left_out: BTreeSet<String> = left_out.map(|s| s.step.name.clone()).collect();
        let times = self.steps.iter().filter_map(|s| Some((s.step.name.clone(), span_of(s)?))).collect();
        let now = Instant::now();
        let own_end = now + self.own_left(step, stored);
        let outage_ends = self.outage_left(step).map(|left| now + left);
        StepCtx {
            run: self.run.clone(),
            plan: Arc::new(self.plan.content.clone()),
            clients: self.clients.clone(),
            outputs: Arc::new(outputs),
            left_out: Arc::new(left_out),
            times: Arc::new(times),
            captured: stored.captured.clone().unwrap_or(serde_json::Value::Null),
            confirmed_by: stored.confirmed_by.clone(),
            attempt: stored.step.attempt + 1,
            epoch: self.epoch,
            deadline: outage_ends.map_or(own_end, |end| end.min(own_end)),
            outage_ends,
            notes: Notes { pool: engine.pool.clone(), run: self.run.id, epoch: self.epoch, step: step.name },
        }
    }

    /// The step that takes writes away, if the runbook has one.
    pub(super) fn takes_writes_away(&self) -> Option<&'static str> {
        self.runbook.steps.iter().find(|row| row.writes_away).map(|row| row.name)
    }

    /// Whether writes are away and can still be given back: a step that takes them away has begun, and the point of no
    /// return is not passed.
    pub(super) fn writes_are_held(&self) -> bool {
        let takes = self.takes_writes_away();
        let begun = self.steps.iter().find(|s| Some(s.step.name.as_str()) == takes);
        self.run.no_return_at.is_none() && begun.is_some_and(|s| may_have_acted(s.step.state))
    }

    /// Whether everything that a step waits for is done.
    pub(super) fn turn_has_come(&self, stored: &StoredStep) -> bool {
        let done = |name: &String| self.steps.iter().any(|s| &s.step.name == name && s.step.state.done());
        stored.step.after.iter().all(done)
    }

    /// Whether the run is bringing writes to the other side: past the point of no return, a step that writes wait for is under
    /// way, to be tried again, or has its turn now. Until these steps are done no side may take writes, or nobody was told
    /// which does. One that failed needs a person.
    pub(super) fn brings_writes(&self) -> bool {
        self.run.no_return_at.is_some()
            && self
                .steps
                .iter()
                .filter(|s| self.table_row(&s.step.name).is_some_and(|row| row.writes_away))
                .filter(|s| !s.step.state.done() && s.step.state != StepState::Failed)
                .any(|s| self.turn_has_come(s))
    }

    /// What is left of a step's own bound. A process of an earlier version began a step again by clearing its start only.
    fn own_left(&self, step: &Step, stored: &StoredStep) -> Duration {
        let from = stored.step.started_at.and(stored.bound_from);
        let spent = from.map(|from| self.since(from)).unwrap_or_default();
        Duration::from_millis(step.bound_ms).saturating_sub(spent)
    }

    /// What is left of the plan's bound on the outage, for a step that runs while writes are away and as long as there is a
    /// way back. It counts from the first time that writes were about to be taken away, whichever process did it and however
    /// often a person has had it tried again since.
    fn outage_left(&self, step: &Step) -> Option<Duration> {
        if !step.writes_away || self.run.no_return_at.is_some() {
            return None;
        }
        Some(self.outage_allowed().saturating_sub(self.writes_away_for()))
    }

    /// Whether writes are away, can still be given back, and have been away for as long as the plan allows.
    pub(super) fn outage_is_over(&self) -> bool {
        self.writes_are_held() && self.writes_away_for() >= self.outage_allowed()
    }

    fn outage_allowed(&self) -> Duration {
        let seconds = u64::try_from(self.plan.content.rules.max_write_outage_seconds).unwrap_or(0);
        Duration::from_secs(seconds)
    }

    /// Since writes were first about to be taken away; nothing before that.
    fn writes_away_for(&self) -> Duration {
        let takes = self.takes_writes_away();
        let away_since =
            self.steps.iter().find(|s| Some(s.step.name.as_str()) == takes).and_then(|s| s.step.started_at);
        away_since.map(|start| self.since(start)).unwrap_or_default()
    }

    fn since(&self, start: DateTime<Utc>) -> Duration {
        (self.now - start).to_std().unwrap_or_default()
    }

    /// Moves the run to the state an act leads to, with an event.
    pub(super) async fn act(&self, engine: &Engine, act: RunAct, reason: &str) -> Result<RunState, Stopped> {
        if act.rests() {
            kill(engine, "rest", Moment::BeforeIntent)?;
        }
        let mut tx = begin(&engine.pool).await?;
        run_leases::hold(&mut tx, self.run.id, self.epoch).await?;
        let state = self.act_in(&mut tx, act, reason).await?;
        commit(tx).await?;
        Ok(state)
    }

    /// [`Job::act`] inside the caller's transaction, which already holds the run.
    pub(super) async fn act_in(
        &self,
        conn: &mut PgConnection,
        act: RunAct,
        reason: &str,
    ) -> Result<RunState, Stopped> {
        let run = runs::get(conn, self.run.id).await?.unwrap_or_else(|| self.run.clone());
        // Somebody may have been promised the way back since this worker last looked: a run that rests would forget it.
        let promised = match run_leases::wanted(conn, run.id).await? {
            Some(Wanted::Abort(why)) if act.rests() && run.no_return_at.is_none() => Some(why),
            Some(_) | None => None,
        };
        let (act, reason) = match &promised {
            Some(why) => (RunAct::Abort, why.as_str()),
            None => (act, reason),
        };
        let state = next_state(run.state, act, run.no_return_at.is_some()).map_err(OperationError::from)?;
        runs::set_state(conn, run.id, state, reason).await?;
        let word = state.as_str().replace('_', " ");
        let message =
            if reason.is_empty() { format!("Run is {word}") } else { format!("Run is {word}: {reason}") };
        let event = NewEvent {
            epoch: self.epoch,
            step: None,
            kind: "state",
            message: &message,
            detail: serde_json::json!({"from": run.state, "to": state}),
        };
        run_events::append(conn, run.id, &event).await?;
        tell_state(conn, run.id, Some(run.state)).await?;
        info!(run.id = %run.id, run.number = run.number, "run {} is {word}", run.number);
        Ok(state)
    }

    /// The hand that writes for this worker.
    pub(super) fn hand(&self, engine: &Engine) -> Hand {
        Hand { pool: engine.pool.clone(), run: self.run.id, epoch: self.epoch }
    }
}

/// What a worker writes with: every write locks the run's row and checks the epoch.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pool: PgPool,
    pub(super) run: Uuid,
    epoch: i64,
}

impl Hand {
    /// Changes a step and tells it, in one transaction.
    pub(super) async fn change_step(
        &self,
        step: &Step,
        change: &StepChange<'_>,
        kind: &str,
        message: &str,
    ) -> Result<(), Stopped> {
        let mut tx = begin(&self.pool).await?;
        run_leases::hold(&mut tx, self.run, self.epoch).await?;
        run_steps::change(&mut tx, self.run, step.name, change).await?;
        let event = NewEvent {
            epoch: self.epoch,
            step: Some(step.name),
            kind,
            message,
            detail: change.evidence.cloned().unwrap_or(serde_json::Value::Null),
        };
        run_events::append(&mut tx, self.run, &event).await?;
        if step.point_of_no_return && change.state == StepState::Succeeded {
            runs::mark_no_return(&mut tx, self.run).await?;
        }
        commit(tx).await?;
        Ok(())
    }
}
