//! The way back: writes return first, then come undos in reverse order of what was begun, one at a time, each proven. A failed
//! undo is a state.

use std::time::Duration;

use muster_domain::run::{RunAct, StepState};
use muster_store::{
    run_leases,
    run_steps::{StepChange, StoredStep},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error_span, info, warn};

use super::{
    Engine, Moment, Stopped, begin, commit,
    forward::{kill, within},
    job::{Job, may_have_acted},
    raising::raise,
};
use crate::step::{Done, Step, StepError, StepFn};

/// Undoes everything that was begun, then ends the run as rolled back, or leaves it stuck at the undo that failed. Stops
/// between two undos when this process does.
pub(super) async fn roll_back(
    engine: &Engine,
    mut job: Job,
    shutdown: &CancellationToken,
) -> Result<(), Stopped> {
    let reason = job.run.state_reason.clone();
    while let Some((step, undo, stored)) = next_undo(&job) {
        if shutdown.is_cancelled() {
            return Ok(());
        }
        let span = error_span!("undo", step.name = step.name);
        if let Err(failure) = undo_step(engine, &job, &step, &undo, &stored).instrument(span).await? {
            let change = StepChange { sentence: Some(&failure), ..StepChange::to(StepState::UndoFailed) };
            job.hand(engine).change_step(&step, &change, "undo_outcome", &failure).await?;
            warn!(run.id = %job.run.id, step = step.name, "undo of `{}` failed: {failure}", step.name);
            job.act(engine, RunAct::UndoFailed, &format!("undo of {}: {failure}", step.name)).await?;
            return Ok(());
        }
        job.refresh(engine).await?;
    }
    let mut tx = begin(&engine.pool).await?;
    run_leases::hold(&mut tx, job.run.id, job.epoch).await?;
    raise(&mut tx, &job, None, Some(&reason)).await?;
    job.act_in(&mut tx, RunAct::UndoDone, &reason).await?;
    commit(tx).await?;
    Ok(())
}

/// What took writes away, if that still needs undoing: another undo that fails or takes long must not keep them away, and before
/// the point of no return nobody may write on the other side. Then the step begun last among those that still need undoing. A
/// step whose undo data was never committed never acted.
fn next_undo(job: &Job) -> Option<(Step, StepFn<Done>, StoredStep)> {
    let takes_writes = job.takes_writes_away();
    job.steps
        .iter()
        .filter(|s| may_have_acted(s.step.state))
        .filter(|s| s.captured.is_some())
        .filter_map(|s| {
            let row = job.table_row(&s.step.name)?;
            Some((row.clone(), row.undo.clone()?, s.clone()))
        })
        .max_by_key(|(row, _, s)| (Some(row.name) == takes_writes, s.step.started_at, s.step.position))
}

/// Undoes one step, trying again for as long as its bound allows. `Ok(Err(why))` when it could not be undone.
async fn undo_step(
    engine: &Engine,
    job: &Job,
    step: &Step,
    undo: &StepFn<Done>,
    stored: &StoredStep,
) -> Result<Result<(), String>, Stopped> {
    let name = step.name;
    let title = format!("Undo: {}", stored.step.title);
    job.hand(engine).change_step(step, &StepChange::to(StepState::Undoing), "undo_intent", &title).await?;
    kill(engine, name, Moment::AfterUndoIntent)?;
    let mut ctx = job.ctx(engine, step, stored);
    ctx.deadline = Instant::now() + Duration::from_millis(step.bound_ms.max(30_000));
    // Giving writes back is never too late.
    ctx.outage_ends = None;
    let mut pause = Duration::from_millis(100);
    let done = loop {
        match within(&ctx, undo(ctx.clone())).await {
            Ok(done) => break done,
            Err(StepError::Retry(reason)) if Instant::now() + pause < ctx.deadline => {
                info!(run.id = %job.run.id, step = name, "undo of `{name}` will be tried again: {reason}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            Err(StepError::Retry(reason) | StepError::Fail(reason)) => return Ok(Err(reason)),
            Err(StepError::Ask(question)) => return Ok(Err(question.prompt)),
        }
    };
    kill(engine, name, Moment::AfterUndoEffect)?;
    let change = StepChange {
        sentence: Some(&done.sentence),
        evidence: Some(&done.evidence),
        ..StepChange::to(StepState::Undone)
    };
    job.hand(engine).change_step(step, &change, "undo_outcome", &done.sentence).await?;
    Ok(Ok(()))
}
