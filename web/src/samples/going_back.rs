//! Orders on its way back: the run after its eighth step failed, with the undo of the fence in each of its states. And where there
//! is no way back any more.

use muster_domain::{
    record::{Run, RunStep},
    run::{Phase, RunState, StepState},
};

use super::{
    ago,
    run_pages::{of_ines, run_page, with},
    runs, steps,
};
use crate::run::RunPage;

impl RunPage {
    /// Writes are being given back.
    #[must_use]
    pub fn sample_rolling_back() -> Self {
        run_page(RunState::RollingBack, "Step 8 failed twice.", &undone(StepState::Undoing))
    }

    /// Everything is as it was.
    #[must_use]
    pub fn sample_rolled_back() -> Self {
        ended(RunState::RolledBack, "Step 8 failed twice.", &undone(StepState::Undone))
    }

    /// The same without ever having taken writes away: the fence failed before it kept what its undo needs.
    #[must_use]
    pub fn sample_never_fenced() -> Self {
        ended(RunState::RolledBack, "Step 4 failed: eu-west did not answer.", &never_fenced())
    }

    /// The fence could not be undone.
    #[must_use]
    pub fn sample_stuck() -> Self {
        let reason = "undo of fence_producers: eu-west did not answer: the deny on 2 topics still stands.";
        run_page(RunState::Stuck, reason, &undone(StepState::UndoFailed))
    }

    /// The same, closed by hand.
    #[must_use]
    pub fn sample_closed() -> Self {
        let reason = "The denies were taken away by hand.";
        ended(RunState::ClosedManually, reason, &undone(StepState::UndoFailed))
    }

    /// The point of no return is passed, and the step that opens the other side failed.
    #[must_use]
    pub fn sample_not_let_in() -> Self {
        past_no_return(RunState::PausedByFailure, "eu-central did not answer.", StepState::Failed)
    }

    /// The same, opened.
    #[must_use]
    pub fn sample_let_in() -> Self {
        past_no_return(RunState::Running, "", StepState::Succeeded)
    }
}

/// With the step that opens the other side in this state.
fn past_no_return(state: RunState, reason: &str, opens: StepState) -> RunPage {
    let mut steps = steps::steps(11, ago(90), 48_000);
    for step in steps.iter_mut().filter(|step| step.name == "unfence_standby") {
        (step.state, step.attempt) = (opens, 1);
        (step.started_at, step.ended_at) = (Some(ago(3)), Some(ago(1)));
        reason.clone_into(&mut step.sentence);
    }
    let run = Run { started_at: Some(ago(90)), no_return_at: Some(ago(4)), ..runs::under_way(state, reason) };
    with(&run, &steps, |record| RunPage::new(of_ines(), record, false))
}

fn ended(state: RunState, reason: &str, steps: &[RunStep]) -> RunPage {
    let run = Run { ended_at: Some(ago(2)), ..runs::under_way(state, reason) };
    with(&run, steps, |record| RunPage::new(of_ines(), record, false))
}

/// Steps with the fence in this state of its undo. The others are undone after it, so not before it is.
fn undone(fence: StepState) -> Vec<RunStep> {
    let mut steps = steps::steps_failed();
    for step in steps.iter_mut().filter(|step| step.undoable && step.started_at.is_some()) {
        let is_fence = step.phase == Phase::Fence;
        if is_fence {
            step.state = fence;
            step.ended_at = (fence != StepState::Undoing).then(|| ago(3));
        } else if fence == StepState::Undone {
            step.state = StepState::Undone;
            step.ended_at = Some(ago(2));
        }
        if is_fence && fence == StepState::UndoFailed {
            "eu-west did not answer: the deny on 2 topics still stands.".clone_into(&mut step.sentence);
        }
    }
    steps
}

/// Steps of a run whose fence failed before it acted; what was staged before it is undone.
fn never_fenced() -> Vec<RunStep> {
    let mut steps = steps::steps(3, ago(58), 48_000);
    for step in &mut steps {
        if step.phase == Phase::Fence && step.undoable {
            step.state = StepState::Failed;
            step.started_at = Some(ago(8));
            step.ended_at = Some(ago(5));
            "eu-west did not answer.".clone_into(&mut step.sentence);
        } else if step.undoable && step.started_at.is_some() {
            step.state = StepState::Undone;
            step.ended_at = Some(ago(3));
        }
    }
    steps
}
