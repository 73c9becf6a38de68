//! What the states of a run are told as.

use super::{Event, NamedRun};
use crate::{record::Run, run::RunState};

/// What a run's new state is told as; `from` is the state before, `None` when it was just asked for.
#[must_use]
pub fn of_run(run: &Run, from: Option<RunState>) -> Vec<Event> {
    let named = NamedRun::from(run);
    let driver = run.driver.as_ref().unwrap_or(&run.requested_by).name.clone();
    let why = run.state_reason.clone();
    match run.state {
        RunState::AwaitingApproval => vec![Event::ApprovalNeeded {
            run: named,
            by: run.requested_by.name.clone(),
            reason: run.reason.clone(),
            needed: run.approvals_needed,
            decide_by: run.decide_by,
        }],
        RunState::Running => {
            let started =
                Event::RunStarted { run: named.clone(), by: driver.clone(), reason: run.reason.clone() };
            let reason = if why.is_empty() { run.reason.clone() } else { why };
            if from == Some(RunState::Approved) {
                vec![started]
            } else if matches!(from, Some(RunState::Blocked | RunState::AwaitingApproval)) {
                vec![started, Event::BreakGlass { run: named, by: driver, reason }]
            } else {
                Vec::new()
            }
        }
        RunState::WaitingForInput | RunState::AwaitingAttestation => {
            vec![Event::WaitingForInput { run: named, driver, question: why }]
        }
        RunState::PausedByFailure | RunState::Stuck | RunState::CleanupIncomplete => {
            vec![Event::PausedByFailure { run: named, driver, failure: why }]
        }
        RunState::Rejected
        | RunState::Expired
        | RunState::RolledBack
        | RunState::ClosedManually
        | RunState::Succeeded
        | RunState::SucceededWithExceptions
        | RunState::Failed
        | RunState::Passed
        | RunState::Inconclusive => vec![Event::Ended { run: named, driver, why }],
        // Nobody has to do anything, or the person who did it knows.
        RunState::Blocked
        | RunState::Approved
        | RunState::PausedByOperator
        | RunState::RollingBack
        | RunState::Verifying
        | RunState::CleaningUp => Vec::new(),
    }
}
