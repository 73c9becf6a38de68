//! What a pair's row and page are made from, and what follows from it.

use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    alarm::StandingAlarm,
    direction::ActiveSides,
    loss::BriefLoss,
    pair::Pair,
    reading::Reading,
    record::{Run, RunStep},
};

use crate::{
    format,
    parts::{Course, LagPoint, Pill, ReadingView, Stamp, Tone, Unit},
    readiness::{Check, Verdict, pill},
    words,
};

/// Whether the newest passed drill still speaks for the pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// It ran this plan within the policy's age.
    Verified {
        /// When it passed.
        at: DateTime<Utc>,
    },
    /// It did not, or there was none.
    NeedsVerification {
        /// Why: `never drilled`, `settings edited 16 Nov`, `last drill passed more than 92 days ago`.
        reason: String,
    },
    /// The newest drill failed.
    Failed {
        /// When.
        at: DateTime<Utc>,
    },
}

/// When a drill of a pair is due: what is most pressing of its schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrillDuty {
    /// A window has closed and no drill passed.
    Overdue {
        /// When it closed.
        since: DateTime<Utc>,
    },
    /// A window is open.
    Now {
        /// When it closes.
        until: DateTime<Utc>,
    },
    /// The next one.
    Ahead {
        /// When it is due.
        due: DateTime<Utc>,
    },
}

/// What waits for somebody at a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Duties {
    /// Its next drill, or the one it owes; `None` when no schedule of it is on.
    pub drill: Option<DrillDuty>,
    /// Its open findings.
    pub open_findings: i64,
}

/// What a pair's row and page are made from.
#[derive(Debug, Clone)]
pub struct PairFacts<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// Active sides as observed.
    pub active: ActiveSides,
    /// Readiness checks of the newest survey; empty when there is none.
    pub checks: &'a [Check],
    /// Writes of at most so many milliseconds would be lost if the active side died now, of two the one that would lose more: what the objective is compared with.
    pub rpo: Reading,
    /// Worst partition: how long the standby is behind, in milliseconds.
    pub lag: Reading,
    /// Lag of the last hour (fleet) or of the hours asked for (pair), oldest first.
    pub history: &'a [LagPoint],
    /// Whether the plan is verified.
    pub verification: Verification,
    /// Newest ended drill or switchover.
    pub last_proof: Option<&'a Run>,
    /// Run that holds the pair, with its steps.
    pub active_run: Option<(&'a Run, &'a [RunStep])>,
    /// Its open alarms of silent loss, newest first.
    pub alarms: &'a [StandingAlarm],
    /// Its losses whose last word is not said, newest first.
    pub losses: &'a [BriefLoss],
    /// Request that waits for approval, or approved run that waits for its start.
    pub waiting: Option<&'a Run>,
    /// What waits for somebody; told where many pairs are shown.
    pub duties: Option<Duties>,
}

impl PairFacts<'_> {
    pub(crate) fn verdict(&self) -> Verdict {
        if self.active_run.is_some() { Verdict::Moving } else { Verdict::of(self.checks) }
    }

    pub(crate) fn course(&self) -> Course {
        let course = Course::of_pair(self.pair, self.active);
        if self.active_run.is_some() { course.moving() } else { course }
    }

    pub(crate) fn objective_ms(&self) -> i64 {
        self.pair.objectives.rpo_seconds * 1000
    }

    pub(crate) fn rpo_view(&self, now: DateTime<Utc>) -> ReadingView {
        let over = self.rpo.value.is_some_and(|ms| ms > self.objective_ms());
        ReadingView::new(&self.rpo, Unit::Milliseconds, now).up_to().over(over)
    }

    pub(crate) fn readiness_pill(&self) -> Pill {
        match self.active_run {
            Some((run, steps)) => words::run_pill(run.state, steps),
            None => pill(self.checks),
        }
    }

    /// The stamp and its ground.
    pub(crate) fn stamp(&self, now: DateTime<Utc>) -> (Stamp, String) {
        match &self.verification {
            Verification::Verified { at } => {
                let lapses = *at + Duration::days(self.pair.objectives.verify_within_days);
                let ground =
                    format!("proven {}, lapses in {}", format::ago(now, *at), format::left(now, lapses));
                (Stamp::new(Tone::Ok, "Verified"), ground)
            }
            Verification::NeedsVerification { reason } => {
                (Stamp::new(Tone::Warn, "Needs verification"), reason.clone())
            }
            Verification::Failed { at } => {
                (Stamp::new(Tone::Bad, "Failed"), format!("drill of {}", format::short(now, *at)))
            }
        }
    }
}

/// The RTO a run measured, people not counted.
pub(crate) fn measured_rto(run: &Run) -> Option<i64> {
    run.outcome.as_ref()?.machine_ms()
}
