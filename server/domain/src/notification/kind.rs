//! The kinds of events teams can be told of.

use serde::{Deserialize, Serialize};

/// What a channel can be told of. The words are stored: never rename.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody must decide on a run.
    ApprovalNeeded,
    /// A run was started.
    RunStarted,
    /// A run waits for a person: an answer, or an attestation.
    WaitingForInput,
    /// A run stopped because something failed, on the way there or back.
    PausedByFailure,
    /// A run ended, whichever way.
    Ended,
    /// A pair became less ready.
    ReadinessWorse,
    /// A pair became more ready, and stayed so.
    ReadinessBetter,
    /// The window of a drill opened.
    DrillDue,
    /// The window of a drill closed and none passed.
    DrillOverdue,
    /// A run was started past its approval. Every channel is told, whatever it asks for.
    BreakGlass,
    /// An alarm of silent loss opened, grew or ended.
    Alarm,
    /// Somebody tries a channel. Every channel is told; none asks for it.
    Test,
}

impl EventKind {
    /// Those a channel can ask for.
    pub const ALL: [Self; 11] = [
        Self::ApprovalNeeded,
        Self::RunStarted,
        Self::WaitingForInput,
        Self::PausedByFailure,
        Self::Ended,
        Self::ReadinessWorse,
        Self::ReadinessBetter,
        Self::DrillDue,
        Self::DrillOverdue,
        Self::BreakGlass,
        Self::Alarm,
    ];

    /// Whether every channel is told of it, asked for or not: what nobody allowed must not go unseen because of a tick.
    #[must_use]
    pub fn is_always_told(self) -> bool {
        self == Self::BreakGlass
    }

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalNeeded => "approval_needed",
            Self::RunStarted => "run_started",
            Self::WaitingForInput => "waiting_for_input",
            Self::PausedByFailure => "paused_by_failure",
            Self::Ended => "ended",
            Self::ReadinessWorse => "readiness_worse",
            Self::ReadinessBetter => "readiness_better",
            Self::DrillDue => "drill_due",
            Self::DrillOverdue => "drill_overdue",
            Self::BreakGlass => "break_glass",
            Self::Alarm => "alarm",
            Self::Test => "test",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Test]).find(|kind| kind.as_str() == word)
    }
}
