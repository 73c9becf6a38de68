//! Carrying steps forward: everything whose turn has come runs at the same time, each committed on its own.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use muster_domain::{
    plan::IfUnproven,
    run::{RunAct, StepState},
};
use muster_store::{
    run_leases::{self, Wanted},
    run_steps::{StepChange, StoredStep},
    runs,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error_span, info, warn};

use super::{
    Engine, Moment, Stopped, begin, commit,
    job::{Hand, Job},
    raising::raise,
};
use crate::step::{Done, Step, StepCtx, StepError};

/// Carries a running run until its state changes, or to the next step boundary when this process stops.
pub(super) async fn go(engine: &Engine, mut job: Job, shutdown: &CancellationToken) -> Result<(), Stopped> {
    let mut in_flight = FuturesUnordered::new();
    let mut names: BTreeSet<&'static str> = BTreeSet::new();
    loop {
        if let Some(Wanted::Abort(reason)) = &job.wanted {
            // Steps in flight are cut off where they are: undo looks at the world, as it would after a crash.
            drop(in_flight);
            return abort(engine, &job, reason).await;
        }
        let failed = first_failed(&job);
        if let Some((name, sentence)) = &failed
            && job.run.no_return_at.is_none()
        {
            drop(in_flight);
            return failed_before_no_return(engine, &job, name, sentence).await;
        }
        let pause = match &job.wanted {
            Some(Wanted::Pause(reason)) => Some(reason.clone()),
            Some(Wanted::Abort(_)) | None => job.brake.clone(),
        };
        if let Some(reason) = &pause
            && job.writes_are_held()
            && job.plan.content.rules.if_unproven == IfUnproven::RollBack
        {
            // Nobody watches a run that rests, and the approvers were promised that writes return by themselves.
            drop(in_flight);
            let reason = format!("{reason}; a run does not rest while writes are away");
            job.act(engine, RunAct::Abort, &reason).await?;
            return Ok(());
        }
        let stopping = shutdown.is_cancelled();
        // Past the point of no return the other side's turn has come: a run that rested now could leave no side writable, so
        // what brings writes there is begun all the same, and nothing else is.
        let bringing = job.brings_writes();
        if (pause.is_none() || bringing) && !stopping {
            for (step, stored) in runnable(&job) {
                if (pause.is_none() || step.writes_away) && names.insert(step.name) {
                    let ctx = job.ctx(engine, &step, &stored);
                    let span = error_span!("step", step.name = step.name);
                    in_flight.push(attempt(engine, job.hand(engine), step, stored, ctx).instrument(span));
                }
            }
        }
        if in_flight.is_empty() {
            if stopping {
                return Ok(());
            }
            let pause = pause.filter(|_| !bringing);
            let Some(wait) = at_rest(engine, &job, failed, pause).await? else { return Ok(()) };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        } else {
            tokio::select! {
                Some(ended) = in_flight.next() => { names.remove(ended?); }
                () = tokio::time::sleep(Duration::from_millis(engine.options.poll_ms)) => {}
            }
        }
        job.refresh(engine).await?;
        if job.run.state != muster_domain::run::RunState::Running {
            return Ok(());
        }
    }
}

/// Nothing runs: rests the run in the state that fits, or says how long until a retry is due.
async fn at_rest(
    engine: &Engine,
    job: &Job,
    failed: Option<(String, String)>,
    pause: Option<String>,
) -> Result<Option<Duration>, Stopped> {
    if let Some(reason) = pause {
        job.act(engine, RunAct::Pause, &reason).await?;
        return Ok(None);
    }
    if job.steps.iter().all(|s| s.step.state.done()) {
        job.act(engine, RunAct::StepsDone, "").await?;
        return Ok(None);
    }
    if let Some(question) = job.steps.iter().find(|s| s.step.state == StepState::WaitingForInput) {
        let prompt = question.step.question.as_ref().map_or("", |q| q.prompt.as_str());
        job.act(engine, RunAct::AskInput, prompt).await?;
        return Ok(None);
    }
    let next = job.steps.iter().filter_map(|s| s.retry_at).min();
    // A step of the other lane that is only waiting to be tried again goes on: writes may wait for it.
    if let Some((name, sentence)) = failed
        && next.is_none()
    {
        job.act(engine, RunAct::FailStep, &format!("{name}: {sentence}")).await?;
        return Ok(None);
    }
    let wait = next.map_or(Duration::ZERO, |at| (at - job.now).to_std().unwrap_or_default());
    Ok(Some(wait.clamp(Duration::from_millis(5), Duration::from_millis(engine.options.poll_ms))))
}

fn first_failed(job: &Job) -> Option<(String, String)> {
    job.steps
        .iter()
        .find(|s| s.step.state == StepState::Failed)
        .map(|s| (s.step.name.clone(), s.step.sentence.clone()))
}

/// Steps whose turn has come: not begun, unknown, or due for a retry, and everything before them done.
fn runnable(job: &Job) -> Vec<(Step, StoredStep)> {
    job.steps
        .iter()
        .filter(|s| match s.step.state {
            StepState::NotStarted | StepState::Unknown => true,
            StepState::FailedRetryable => s.retry_at.is_none_or(|at| at <= job.now),
            StepState::Running
            | StepState::Succeeded
            | StepState::Failed
            | StepState::Skipped
            | StepState::WaitingForInput
            | StepState::Undoing
            | StepState::Undone
            | StepState::UndoFailed => false,
        })
        .filter(|s| job.turn_has_come(s))
        .filter_map(|s| Some((job.table_row(&s.step.name)?.clone(), s.clone())))
        .collect()
}

/// One attempt of one step, from capture to committed outcome. Returns the step's name.
async fn attempt(
    engine: &Engine,
    hand: Hand,
    step: Step,
    stored: StoredStep,
    mut ctx: StepCtx,
) -> Result<&'static str, Stopped> {
    let name = step.name;
    kill(engine, name, Moment::BeforeIntent)?;
    if ctx.outage_ends.is_some_and(|end| end <= Instant::now()) {
        // What it did now would only have to be taken back.
        return fail_before_acting(engine, &hand, &step, &stored, &ctx, outage_is_over(&ctx)).await;
    }
    let mut captured = stored.captured.clone();
    if captured.is_none()
        && let Some(capture) = &step.capture
    {
        match within(&ctx, capture(ctx.clone())).await {
            Ok(value) => captured = Some(value),
            Err(e) => return fail_before_acting(engine, &hand, &step, &stored, &ctx, e).await,
        }
    }
    let intent = StepChange { captured: captured.as_ref(), ..StepChange::to(StepState::Running) };
    hand.change_step(&step, &intent, "intent", &stored.step.title).await?;
    info!(run.id = %hand.run, step = name, attempt = ctx.attempt, "step `{name}` begins");
    kill(engine, name, Moment::AfterIntent)?;
    ctx.captured = captured.unwrap_or(serde_json::Value::Null);
    let ended = if engine.hooks.fail(name) {
        Err(StepError::fail("failed by a test"))
    } else {
        within(&ctx, (step.act)(ctx.clone())).await
    };
    kill(engine, name, Moment::AfterEffect)?;
    settle(engine, &hand, &step, &ctx, ended).await?;
    kill(engine, name, Moment::AfterOutcome)?;
    Ok(name)
}

/// Nothing has been changed, but the attempt and its failure are kept like any other.
async fn fail_before_acting(
    engine: &Engine,
    hand: &Hand,
    step: &Step,
    stored: &StoredStep,
    ctx: &StepCtx,
    why: StepError,
) -> Result<&'static str, Stopped> {
    let begun = StepChange::to(StepState::Running);
    hand.change_step(step, &begun, "intent", &stored.step.title).await?;
    settle(engine, hand, step, ctx, Err(why)).await?;
    Ok(step.name)
}

fn outage_is_over(ctx: &StepCtx) -> StepError {
    StepError::Fail(format!(
        "writes have been away for the {} s that the plan allows, counted from the first time they were fenced; what is left \
         is the way back",
        ctx.plan.rules.max_write_outage_seconds
    ))
}

/// Bounds a step function by the step's deadline.
pub(super) async fn within<T>(
    ctx: &StepCtx,
    f: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    match tokio::time::timeout_at(ctx.deadline, f).await {
        Ok(ended) => ended,
        Err(_) if ctx.outage_ends.is_some_and(|end| end <= ctx.deadline) => Err(outage_is_over(ctx)),
        Err(_) => Err(StepError::fail("its time is up; a timeout never counts as success")),
    }
}

pub(super) fn kill(engine: &Engine, step: &str, moment: Moment) -> Result<(), Stopped> {
    if engine.hooks.kill_at(step, moment) {
        return Err(Stopped::Killed(format!("{step} {moment:?}")));
    }
    Ok(())
}

/// Commits how an attempt ended.
async fn settle(
    engine: &Engine,
    hand: &Hand,
    step: &Step,
    ctx: &StepCtx,
    ended: Result<Done, StepError>,
) -> Result<(), Stopped> {
    let name = step.name;
    match ended {
        Ok(done) => {
            let change = StepChange {
                sentence: Some(&done.sentence),
                evidence: Some(&done.evidence),
                output: Some(&done.output),
                ..StepChange::to(StepState::Succeeded)
            };
            hand.change_step(step, &change, "outcome", &done.sentence).await?;
            info!(run.id = %hand.run, step = name, "{}", done.sentence);
        }
        Err(StepError::Ask(question)) => {
            let change =
                StepChange { question: Some(&question), ..StepChange::to(StepState::WaitingForInput) };
            hand.change_step(step, &change, "question", &question.prompt).await?;
        }
        Err(StepError::Retry(reason)) if Instant::now() < ctx.deadline => {
            let tries = u32::try_from(ctx.attempt.clamp(1, 5) - 1).unwrap_or(0);
            let change = StepChange {
                sentence: Some(&reason),
                retry_in_ms: Some(engine.options.retry_ms << tries),
                ..StepChange::to(StepState::FailedRetryable)
            };
            hand.change_step(step, &change, "outcome", &format!("Will try again: {reason}")).await?;
        }
        Err(StepError::Retry(reason) | StepError::Fail(reason)) => {
            let change = StepChange { sentence: Some(&reason), ..StepChange::to(StepState::Failed) };
            hand.change_step(step, &change, "outcome", &reason).await?;
            warn!(run.id = %hand.run, step = name, "step `{name}` failed: {reason}");
        }
    }
    Ok(())
}

/// A failure with a way back: undone at once, or left for a person, as the plan says. Once writes have been away for as long as
/// the plan allows there is nothing left for a person to judge.
async fn failed_before_no_return(
    engine: &Engine,
    job: &Job,
    name: &str,
    sentence: &str,
) -> Result<(), Stopped> {
    let reason = format!("{name}: {sentence}");
    let act = match job.plan.content.rules.if_unproven {
        IfUnproven::Wait if !job.outage_is_over() => RunAct::FailStep,
        IfUnproven::Wait | IfUnproven::RollBack => RunAct::Abort,
    };
    job.act(engine, act, &reason).await?;
    Ok(())
}

/// A person asked for the way back. Past the point of no return there is none, and that is told.
async fn abort(engine: &Engine, job: &Job, reason: &str) -> Result<(), Stopped> {
    if job.run.no_return_at.is_none() {
        job.act(engine, RunAct::Abort, reason).await?;
        return Ok(());
    }
    let mut tx = begin(&engine.pool).await?;
    run_leases::hold(&mut tx, job.run.id, job.epoch).await?;
    let event = muster_store::run_events::NewEvent {
        epoch: job.epoch,
        step: None,
        kind: "decision",
        message: "Not rolled back: the point of no return was passed before the request arrived",
        detail: serde_json::json!({"asked": reason}),
    };
    muster_store::run_events::append(&mut tx, job.run.id, &event).await?;
    runs::set_state(&mut tx, job.run.id, job.run.state, "").await?;
    commit(tx).await?;
    Ok(())
}

/// All steps are done: measures what was reached and ends the run, or hands a drill to its attester.
pub(super) async fn conclude(engine: &Engine, job: Job) -> Result<(), Stopped> {
    let Some((row, stored)) = job
        .runbook
        .steps
        .last()
        .and_then(|row| Some((row, job.steps.iter().find(|s| s.step.name == row.name)?)))
    else {
        return Err(Stopped::Operation(crate::error::OperationError::Stored {
            what: "runbook",
            reason: "it has no steps".to_owned(),
        }));
    };
    let outcome = (job.runbook.outcome)(&job.ctx(engine, row, stored));
    let clean = job.steps.iter().all(|s| s.step.state == StepState::Succeeded)
        && outcome.checks.iter().all(|check| check.passed == Some(true));
    let act = match (job.run.drill, clean) {
        (true, _) => RunAct::AwaitAttestation,
        (false, true) => RunAct::Succeed,
        (false, false) => RunAct::SucceedWithExceptions,
    };
    let mut tx = begin(&engine.pool).await?;
    run_leases::hold(&mut tx, job.run.id, job.epoch).await?;
    runs::set_outcome(&mut tx, job.run.id, &outcome).await?;
    raise(&mut tx, &job, Some(&outcome), None).await?;
    job.act_in(&mut tx, act, &outcome.summary).await?;
    commit(tx).await?;
    Ok(())
}
