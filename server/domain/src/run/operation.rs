//! The kinds of runs.

use serde::{Deserialize, Serialize};

/// A kind of run. The model names all of them; which can be planned today is decided by `plan`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Planned move of applications to the other side, no loss.
    Switchover,
    /// Unplanned move away from a dead side.
    Failover,
    /// Move back after a failover.
    Failback,
    /// Isolated drill.
    Rehearsal,
    /// Real drill with a simulated death of the active side.
    GameDay,
    /// Talked through by people.
    Tabletop,
    /// Active-active: empty one side.
    Evacuation,
    /// Drill that only looks: everything a switchover rests on, with nothing changed.
    ReadinessDrill,
}

impl Operation {
    /// The word for pages, the API and the CLI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Failback => "failback",
            Self::Rehearsal => "rehearsal",
            Self::GameDay => "game_day",
            Self::Tabletop => "tabletop",
            Self::Evacuation => "evacuation",
            Self::ReadinessDrill => "readiness_drill",
        }
    }

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Switchover,
        Self::Failover,
        Self::Failback,
        Self::Rehearsal,
        Self::GameDay,
        Self::Tabletop,
        Self::Evacuation,
        Self::ReadinessDrill,
    ];

    /// The operation a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == word)
    }

    /// Operations that have no runbook yet: none can be planned, and nobody is offered them.
    #[must_use]
    pub fn reserved(self) -> bool {
        match self {
            Self::Switchover | Self::ReadinessDrill => false,
            Self::Failover
            | Self::Failback
            | Self::Rehearsal
            | Self::GameDay
            | Self::Tabletop
            | Self::Evacuation => true,
        }
    }

    /// Whether it changes nothing on any cluster: such a run needs no approval.
    #[must_use]
    pub fn only_looks(self) -> bool {
        match self {
            Self::ReadinessDrill | Self::Tabletop => true,
            Self::Switchover
            | Self::Failover
            | Self::Failback
            | Self::Rehearsal
            | Self::GameDay
            | Self::Evacuation => false,
        }
    }
}
