//! Where a step of a run is, and the phase its time counts for.

use serde::{Deserialize, Serialize};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    NotStarted,
    /// Intent is committed; the effect may or may not have happened.
    Running,
    /// Outcome is committed.
    Succeeded,
    /// It failed and may pass by itself; it is tried again.
    FailedRetryable,
    /// It failed.
    Failed,
    /// A worker died inside it; it looks before it acts again.
    Unknown,
    /// A person skipped it, with a reason.
    Skipped,
    /// It waits for a person.
    WaitingForInput,
    /// Its undo runs.
    Undoing,
    /// Its effect is taken back, proven.
    Undone,
    /// Its undo failed.
    UndoFailed,
}

impl StepState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::NotStarted,
        Self::Running,
        Self::Succeeded,
        Self::FailedRetryable,
        Self::Failed,
        Self::Unknown,
        Self::Skipped,
        Self::WaitingForInput,
        Self::Undoing,
        Self::Undone,
        Self::UndoFailed,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::FailedRetryable => "failed_retryable",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::WaitingForInput => "waiting_for_input",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo_failed",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether steps that wait for this one may go on.
    #[must_use]
    pub fn done(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// A phase of a run, for sums of time: RTO is told by phase (design section 4).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before anything is taken away: looking, freezing, staging.
    Prepare,
    /// Waiting for people.
    Decide,
    /// Writes are stopped and proven stopped.
    Fence,
    /// Everything written before the fence reaches the other side and is proven.
    Drain,
    /// Groups' positions are found and written.
    Translate,
    /// Applications are let in and told.
    Redirect,
    /// The way back is set up, groups are watched.
    Settle,
}

impl Phase {
    /// In order.
    pub const ALL: [Self; 7] = [
        Self::Prepare,
        Self::Decide,
        Self::Fence,
        Self::Drain,
        Self::Translate,
        Self::Redirect,
        Self::Settle,
    ];

    /// The word for pages and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Decide => "decide",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Translate => "translate",
            Self::Redirect => "redirect",
            Self::Settle => "settle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_words_read_back() {
        for state in StepState::ALL {
            assert_eq!(StepState::parse(state.as_str()), Some(state));
        }
    }
}
