//! What can be told, and what of it opens or ends an alarm.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventKind;
use crate::{
    alarm::AlarmCode,
    ids::{ChannelName, PairName},
    readiness::CheckStatus,
    record::Run,
    run::{Operation, RunState},
    schedule::{Drill, Occurrence},
};

/// A run as messages name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRun {
    /// Its id.
    pub id: Uuid,
    /// Its number.
    pub number: i64,
    /// Kind.
    pub operation: Operation,
    /// Pair.
    pub pair: PairName,
    /// `eu-west → eu-central`.
    pub course: String,
    /// Whether it is a drill.
    pub drill: bool,
    /// Its state when the event happened.
    pub state: RunState,
}

impl From<&Run> for NamedRun {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id,
            number: run.number,
            operation: run.operation,
            pair: run.pair.clone(),
            course: run.course.clone(),
            drill: run.drill,
            state: run.state,
        }
    }
}

/// Something that happened, with what its message needs. Stored as JSON: members may be added with a default, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// See [`EventKind::ApprovalNeeded`].
    ApprovalNeeded {
        /// Run.
        run: NamedRun,
        /// Who asks.
        by: String,
        /// Why, in their words.
        reason: String,
        /// Approvals needed.
        needed: u32,
        /// Until when.
        decide_by: DateTime<Utc>,
    },
    /// See [`EventKind::RunStarted`].
    RunStarted {
        /// Run.
        run: NamedRun,
        /// Who drives it.
        by: String,
        /// Why it was asked for.
        reason: String,
    },
    /// See [`EventKind::WaitingForInput`].
    WaitingForInput {
        /// Run.
        run: NamedRun,
        /// Who drives it.
        driver: String,
        /// What is asked.
        question: String,
    },
    /// See [`EventKind::PausedByFailure`].
    PausedByFailure {
        /// Run.
        run: NamedRun,
        /// Who drives it.
        driver: String,
        /// What failed.
        failure: String,
    },
    /// See [`EventKind::Ended`].
    Ended {
        /// Run.
        run: NamedRun,
        /// Who drove it, or asked for it if it never started.
        driver: String,
        /// What was reached, or why not.
        why: String,
    },
    /// See [`EventKind::ReadinessWorse`].
    ReadinessWorse {
        /// Pair.
        pair: PairName,
        /// What was last told.
        from: CheckStatus,
        /// What it is.
        to: CheckStatus,
        /// The worst checks, each with its reason.
        checks: Vec<String>,
    },
    /// See [`EventKind::ReadinessBetter`].
    ReadinessBetter {
        /// Pair.
        pair: PairName,
        /// What was last told.
        from: CheckStatus,
        /// What it is.
        to: CheckStatus,
        /// The worst checks, each with its reason; none when all is well.
        checks: Vec<String>,
    },
    /// See [`EventKind::DrillDue`].
    DrillDue {
        /// Pair.
        pair: PairName,
        /// What is drilled.
        drill: Drill,
        /// Schedule.
        schedule: Uuid,
        /// When.
        occurrence: Occurrence,
    },
    /// See [`EventKind::DrillOverdue`].
    DrillOverdue {
        /// Pair.
        pair: PairName,
        /// What should have been drilled.
        drill: Drill,
        /// Schedule.
        schedule: Uuid,
        /// When.
        occurrence: Occurrence,
    },
    /// See [`EventKind::BreakGlass`].
    BreakGlass {
        /// Run.
        run: NamedRun,
        /// Who.
        by: String,
        /// Why, in their words.
        reason: String,
    },
    /// See [`EventKind::Alarm`].
    Alarm {
        /// Pair.
        pair: PairName,
        /// Id of the alarm.
        id: Uuid,
        /// Its number, by which its page has it; none in events of before it was kept with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<i64>,
        /// Which.
        code: AlarmCode,
        /// Whether it is likely and not proven.
        #[serde(default)]
        likely: bool,
        /// The topic, group or connector it is about.
        about: String,
        /// What is so, in a sentence.
        said: String,
        /// Where, in words.
        places: Vec<String>,
        /// Since when, in words.
        since: String,
        /// What is lost, in words.
        lost: String,
        /// What to do.
        next: String,
        /// Whether it is over.
        over: bool,
    },
    /// See [`EventKind::Test`].
    Test {
        /// Channel.
        channel: Uuid,
        /// Its name.
        name: ChannelName,
        /// Who tries it.
        by: String,
    },
}

/// How much an open alarm matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Critical,
}

impl Severity {
    /// PagerDuty's word, used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What an event does to the alarm of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// It opens, or changes.
    Open(Severity),
    /// It is over.
    Resolved,
}

impl Event {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::ApprovalNeeded { .. } => EventKind::ApprovalNeeded,
            Self::RunStarted { .. } => EventKind::RunStarted,
            Self::WaitingForInput { .. } => EventKind::WaitingForInput,
            Self::PausedByFailure { .. } => EventKind::PausedByFailure,
            Self::Ended { .. } => EventKind::Ended,
            Self::ReadinessWorse { .. } => EventKind::ReadinessWorse,
            Self::ReadinessBetter { .. } => EventKind::ReadinessBetter,
            Self::DrillDue { .. } => EventKind::DrillDue,
            Self::DrillOverdue { .. } => EventKind::DrillOverdue,
            Self::BreakGlass { .. } => EventKind::BreakGlass,
            Self::Alarm { .. } => EventKind::Alarm,
            Self::Test { .. } => EventKind::Test,
        }
    }

    /// The pair it is about.
    #[must_use]
    pub fn pair(&self) -> Option<&PairName> {
        match self {
            Self::ApprovalNeeded { run, .. }
            | Self::RunStarted { run, .. }
            | Self::WaitingForInput { run, .. }
            | Self::PausedByFailure { run, .. }
            | Self::Ended { run, .. }
            | Self::BreakGlass { run, .. } => Some(&run.pair),
            Self::ReadinessWorse { pair, .. }
            | Self::ReadinessBetter { pair, .. }
            | Self::DrillDue { pair, .. }
            | Self::DrillOverdue { pair, .. }
            | Self::Alarm { pair, .. } => Some(pair),
            Self::Test { .. } => None,
        }
    }

    /// What it is about, the same for all events that open and end one alarm. A channel gets events of one subject in their
    /// order. A run past its approval has a subject of its own: its review is open after the run has ended.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::ApprovalNeeded { run, .. }
            | Self::RunStarted { run, .. }
            | Self::WaitingForInput { run, .. }
            | Self::PausedByFailure { run, .. }
            | Self::Ended { run, .. } => format!("muster/run/{}", run.id),
            Self::ReadinessWorse { pair, .. } | Self::ReadinessBetter { pair, .. } => {
                format!("muster/readiness/{pair}")
            }
            Self::DrillDue { schedule, occurrence, .. } | Self::DrillOverdue { schedule, occurrence, .. } => {
                format!("muster/drill/{schedule}/{}", occurrence.nominal.timestamp())
            }
            Self::BreakGlass { run, .. } => format!("muster/break-glass/{}", run.id),
            Self::Alarm { id, .. } => format!("muster/alarm/{id}"),
            Self::Test { channel, .. } => format!("muster/test/{channel}"),
        }
    }

    /// What it does to the alarm of its subject. A pair that is better and not well stays an alarm, a smaller one.
    #[must_use]
    pub fn alarm(&self) -> Alarm {
        match self {
            Self::RunStarted { .. } | Self::Ended { .. } | Self::Alarm { over: true, .. } => Alarm::Resolved,
            Self::Alarm { likely: true, over: false, .. } => Alarm::Open(Severity::Warning),
            Self::Alarm { code, over: false, .. } => Alarm::Open(code.severity()),
            Self::ReadinessBetter { to: CheckStatus::Ok | CheckStatus::NotApplicable, .. } => Alarm::Resolved,
            Self::ReadinessWorse { to, .. } | Self::ReadinessBetter { to, .. } => Alarm::Open(match to {
                CheckStatus::Critical => Severity::Critical,
                CheckStatus::Unknown
                | CheckStatus::Warning
                | CheckStatus::Ok
                | CheckStatus::NotApplicable => Severity::Warning,
            }),
            Self::PausedByFailure { .. } | Self::BreakGlass { .. } => Alarm::Open(Severity::Critical),
            Self::ApprovalNeeded { .. } | Self::WaitingForInput { .. } | Self::DrillOverdue { .. } => {
                Alarm::Open(Severity::Warning)
            }
            Self::DrillDue { .. } | Self::Test { .. } => Alarm::Open(Severity::Info),
        }
    }
}
