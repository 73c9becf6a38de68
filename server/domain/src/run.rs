//! The life of a run and of its steps: the states of design section 4 and the only functions that change them.

mod event;
mod operation;
mod step;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    event::RunEvent,
    operation::Operation,
    step::{Phase, StepState},
};

/// Why a run rests that was under way when the backup was made which its database was restored from. Nobody else gives a run
/// this reason, and it goes with the next change of its state.
pub const RESTORED: &str =
    "restored from a backup: what was done after it is not known here, so look at both clusters first";

/// Where a run is in its life. Data that exists only in a state is stored with the run's rows; this is the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Blockers stand; it can't be approved.
    Blocked,
    /// Somebody other than the requester must decide.
    AwaitingApproval,
    /// Approved, not started.
    Approved,
    /// Refused by an approver. Ended.
    Rejected,
    /// Nobody decided, or nobody started it, in time, or the schedule that asked for it no longer does. Ended.
    Expired,
    /// A worker carries it out.
    Running,
    /// A step waits for a person.
    WaitingForInput,
    /// A person paused it at a step boundary, or it was restored from a backup ([`RESTORED`]).
    PausedByOperator,
    /// A step failed in a way a person must judge.
    PausedByFailure,
    /// Undoing: writes return first, then in reverse.
    RollingBack,
    /// Everything undone. Ended.
    RolledBack,
    /// An undo failed, or it was restored from a backup while it went back ([`RESTORED`]); a person must look.
    Stuck,
    /// A person closed a stuck or restored run by hand. Ended.
    ClosedManually,
    /// Checking what was reached.
    Verifying,
    /// All reached, all proven. Ended.
    Succeeded,
    /// Reached, with exceptions listed in the report. Ended.
    SucceededWithExceptions,
    /// A drill is attested as failed. Ended.
    Failed,
    /// Reserved for drills that make something: it is being removed. Nothing leads here yet.
    CleaningUp,
    /// Reserved for the same: that it was removed could not be proven. Nothing leads here yet.
    CleanupIncomplete,
    /// A drill waits for somebody other than the driver to attest it.
    AwaitingAttestation,
    /// A drill is attested as passed. Ended.
    Passed,
    /// A drill proved nothing either way. Ended.
    Inconclusive,
}

impl RunState {
    /// Every state, for tests and filters.
    pub const ALL: [Self; 22] = [
        Self::Blocked,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Running,
        Self::WaitingForInput,
        Self::PausedByOperator,
        Self::PausedByFailure,
        Self::RollingBack,
        Self::RolledBack,
        Self::Stuck,
        Self::ClosedManually,
        Self::Verifying,
        Self::Succeeded,
        Self::SucceededWithExceptions,
        Self::Failed,
        Self::CleaningUp,
        Self::CleanupIncomplete,
        Self::AwaitingAttestation,
        Self::Passed,
        Self::Inconclusive,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Running => "running",
            Self::WaitingForInput => "waiting_for_input",
            Self::PausedByOperator => "paused_by_operator",
            Self::PausedByFailure => "paused_by_failure",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Stuck => "stuck",
            Self::ClosedManually => "closed_manually",
            Self::Verifying => "verifying",
            Self::Succeeded => "succeeded",
            Self::SucceededWithExceptions => "succeeded_with_exceptions",
            Self::Failed => "failed",
            Self::CleaningUp => "cleaning_up",
            Self::CleanupIncomplete => "cleanup_incomplete",
            Self::AwaitingAttestation => "awaiting_attestation",
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Ended states never change; corrections are new audit entries.
    #[must_use]
    pub fn ended(self) -> bool {
        match self {
            Self::Rejected
            | Self::Expired
            | Self::RolledBack
            | Self::ClosedManually
            | Self::Succeeded
            | Self::SucceededWithExceptions
            | Self::Failed
            | Self::Passed
            | Self::Inconclusive => true,
            Self::Blocked
            | Self::AwaitingApproval
            | Self::Approved
            | Self::Running
            | Self::WaitingForInput
            | Self::PausedByOperator
            | Self::PausedByFailure
            | Self::RollingBack
            | Self::Stuck
            | Self::Verifying
            | Self::CleaningUp
            | Self::CleanupIncomplete
            | Self::AwaitingAttestation => false,
        }
    }

    /// States in which a run holds its pair: at most one such run per pair, by a unique partial index.
    #[must_use]
    pub fn holds_pair(self) -> bool {
        match self {
            Self::Running
            | Self::WaitingForInput
            | Self::PausedByOperator
            | Self::PausedByFailure
            | Self::RollingBack
            | Self::Stuck
            | Self::Verifying
            | Self::CleaningUp
            | Self::CleanupIncomplete => true,
            Self::Blocked
            | Self::AwaitingApproval
            | Self::Approved
            | Self::Rejected
            | Self::Expired
            | Self::RolledBack
            | Self::ClosedManually
            | Self::Succeeded
            | Self::SucceededWithExceptions
            | Self::Failed
            | Self::AwaitingAttestation
            | Self::Passed
            | Self::Inconclusive => false,
        }
    }

    /// States in which a worker should be carrying the run (it needs a lease).
    #[must_use]
    pub fn wants_worker(self) -> bool {
        matches!(self, Self::Running | Self::RollingBack | Self::Verifying | Self::CleaningUp)
    }

    /// States that nothing leads to yet: they are for operations to come, and nobody is offered or warned of them.
    #[must_use]
    pub fn reserved(self) -> bool {
        matches!(self, Self::CleaningUp | Self::CleanupIncomplete)
    }
}

/// A person's or the engine's act on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the REST decisions, one to one")]
pub enum RunAct {
    Approve,
    Reject,
    Expire,
    Start,
    BreakGlass,
    Pause,
    Resume,
    Retry,
    Skip,
    Confirm,
    AskInput,
    FailStep,
    Abort,
    UndoDone,
    UndoFailed,
    Park,
    CloseManually,
    StepsDone,
    Succeed,
    SucceedWithExceptions,
    AwaitAttestation,
    AttestPassed,
    AttestFailed,
    AttestInconclusive,
}

impl RunAct {
    /// Whether a running run rests after it until somebody acts.
    #[must_use]
    pub fn rests(self) -> bool {
        matches!(self, Self::Pause | Self::AskInput | Self::FailStep | Self::Park)
    }
}

/// An act that does not fit the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {} does not take `{act:?}`", .state.as_str())]
pub struct RefusedAct {
    /// State the run is in.
    pub state: RunState,
    /// What was tried.
    pub act: RunAct,
}

/// The state after an act. `past_point_of_no_return` closes the way back.
///
/// # Errors
/// [`RefusedAct`] when the state does not take the act.
pub fn next_state(
    state: RunState,
    act: RunAct,
    past_point_of_no_return: bool,
) -> Result<RunState, RefusedAct> {
    use RunAct as A;
    use RunState as S;
    let refused = Err(RefusedAct { state, act });
    Ok(match (state, act) {
        (S::AwaitingApproval, A::Approve) => S::Approved,
        (S::AwaitingApproval | S::Blocked, A::Reject) => S::Rejected,
        (S::AwaitingApproval | S::Approved | S::Blocked, A::Expire) => S::Expired,
        (S::Approved, A::Reject) => S::Rejected,
        (S::Approved, A::Start) => S::Running,
        (S::Blocked | S::AwaitingApproval, A::BreakGlass) => S::Running,
        (S::Running, A::Pause) => S::PausedByOperator,
        (S::Running, A::AskInput) => S::WaitingForInput,
        (S::Running, A::FailStep) => S::PausedByFailure,
        (S::Running, A::StepsDone) => S::Verifying,
        (S::WaitingForInput, A::Confirm) => S::Running,
        (S::PausedByOperator, A::Resume) => S::Running,
        (S::PausedByFailure, A::Retry | A::Skip | A::Resume) => S::Running,
        (S::Running | S::WaitingForInput | S::PausedByOperator | S::PausedByFailure, A::Abort) => {
            if past_point_of_no_return {
                return refused;
            }
            S::RollingBack
        }
        (S::RollingBack, A::UndoDone) => S::RolledBack,
        (S::RollingBack, A::UndoFailed) => S::Stuck,
        (S::Stuck, A::Retry) => S::RollingBack,
        // Restored from a backup: it goes neither on nor back before somebody has looked.
        (S::Running | S::WaitingForInput | S::PausedByOperator | S::PausedByFailure, A::Park) => {
            S::PausedByOperator
        }
        (S::RollingBack | S::Stuck, A::Park) => S::Stuck,
        // Of paused runs only those that were restored: others have their way on or back.
        (S::Stuck | S::PausedByOperator, A::CloseManually) => S::ClosedManually,
        (S::Verifying | S::Running, A::Succeed) => S::Succeeded,
        (S::Verifying | S::Running, A::SucceedWithExceptions) => S::SucceededWithExceptions,
        (S::Verifying | S::CleaningUp, A::AwaitAttestation) => S::AwaitingAttestation,
        (S::AwaitingAttestation, A::AttestPassed) => S::Passed,
        (S::AwaitingAttestation, A::AttestFailed) => S::Failed,
        (S::AwaitingAttestation, A::AttestInconclusive) => S::Inconclusive,
        _ => return refused,
    })
}
