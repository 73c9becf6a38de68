//! Readiness as pages show it: checks by group with reason and next step, the verdict of a pair, and problems over all
//! pairs grouped by cause.

use chrono::{DateTime, Utc};
use muster_domain::readiness::{CheckResult, CheckStatus};

use crate::{
    format,
    parts::{Pill, Tone},
};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    /// Fails, and a move would fail or lose.
    Critical,
    /// Could not be looked at.
    Unknown,
    /// Holds with a catch.
    Warning,
    /// Holds.
    Ok,
    /// Does not apply to this pair.
    NotApplicable,
}

impl CheckState {
    /// How it is drawn.
    #[must_use]
    pub fn tone(self) -> Tone {
        match self {
            Self::Critical => Tone::Bad,
            Self::Unknown => Tone::Unk,
            Self::Warning => Tone::Warn,
            Self::Ok => Tone::Ok,
            Self::NotApplicable => Tone::Idle,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Unknown => "Unknown",
            Self::Warning => "Warning",
            Self::Ok => "Holds",
            Self::NotApplicable => "Not applicable",
        }
    }
}

/// One readiness check as a page needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable code in kebab case.
    pub code: String,
    /// Heading it stands under: `Standby cluster`, `Groups and offsets`.
    pub group: String,
    /// How it came out.
    pub state: CheckState,
    /// What is so, with names and figures.
    pub reason: String,
    /// What to do about it and who decides; empty when it holds.
    pub next_step: String,
    /// When its oldest input was read.
    pub at: DateTime<Utc>,
}

impl Check {
    /// A check as the domain answered it, from inputs read at `at`.
    #[must_use]
    pub fn new(result: &CheckResult, at: DateTime<Utc>) -> Self {
        let state = match result.status {
            CheckStatus::Critical => CheckState::Critical,
            CheckStatus::Unknown => CheckState::Unknown,
            CheckStatus::Warning => CheckState::Warning,
            CheckStatus::Ok => CheckState::Ok,
            CheckStatus::NotApplicable => CheckState::NotApplicable,
        };
        Self {
            code: result.code.as_str().to_owned(),
            group: String::new(),
            state,
            reason: result.reason.clone(),
            next_step: result.next_step.clone(),
            at,
        }
    }

    /// The heading it stands under; by its code when none is given.
    pub(crate) fn heading(&self) -> &str {
        if self.group.is_empty() { heading_of(&self.code) } else { &self.group }
    }
}

/// Headings of the closed list of checks.
fn heading_of(code: &str) -> &'static str {
    match code {
        "survey-fresh" | "clusters-reachable" | "cluster-identity" | "active-side-known" => "Both clusters",
        "rights" | "authorizer" | "probe-principal" => "Rights and fences",
        "standby-topics" | "standby-configs" | "standby-durability" | "standby-fenced" => "Standby cluster",
        "standby-grants" | "writes-open" => "Access",
        "approvers" => "People",
        "standby-groups-active" | "standby-offsets-stale" | "hung-transactions" | "offset-sync-settings" => {
            "Groups and offsets"
        }
        "connect-worker"
        | "flow-connectors"
        | "flow-moving"
        | "direction-interlock"
        | "flow-scope"
        | "converters"
        | "canary" => "Replication",
        _ => "Other checks",
    }
}

/// Could this pair be moved now?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// A check fails.
    No,
    /// A check could not be made, so nobody can say.
    Unknown,
    /// A run is under way.
    Moving,
    /// With warnings.
    Warnings,
    /// Yes.
    Yes,
}

impl Verdict {
    /// Of the checks alone. No checks at all is unknown, and so is a single one that could not be made.
    pub(crate) fn of(checks: &[Check]) -> Self {
        let worst =
            checks.iter().map(|check| check.state).filter(|state| *state != CheckState::NotApplicable).min();
        match worst {
            Some(CheckState::Critical) => Self::No,
            Some(CheckState::Unknown | CheckState::NotApplicable) | None => Self::Unknown,
            Some(CheckState::Warning) => Self::Warnings,
            Some(CheckState::Ok) => Self::Yes,
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::No => Tone::Bad,
            Self::Unknown => Tone::Unk,
            Self::Moving => Tone::Run,
            Self::Warnings => Tone::Warn,
            Self::Yes => Tone::Ok,
        }
    }
}

/// `Ready, 2 warnings`.
pub(crate) fn pill(checks: &[Check]) -> Pill {
    let with = |state| checks.iter().filter(|check| check.state == state).count();
    let verdict = Verdict::of(checks);
    let text = match verdict {
        Verdict::No => format!("Not ready, {} critical", with(CheckState::Critical)),
        Verdict::Unknown if checks.is_empty() => "Unknown, never checked".to_owned(),
        Verdict::Unknown => {
            format!("Unknown, {} unanswered", with(CheckState::Unknown))
        }
        Verdict::Moving => "Moving".to_owned(),
        Verdict::Warnings => format!("Ready, {}", format::count(with(CheckState::Warning), "warning")),
        Verdict::Yes => "Ready".to_owned(),
    };
    Pill::new(verdict.tone(), text)
}

/// The first thing to say about a pair's checks.
pub(crate) fn why(checks: &[Check], now: DateTime<Utc>) -> String {
    let worst = checks.iter().min_by_key(|check| check.state);
    match worst {
        None => "no check has ever completed".to_owned(),
        Some(check) if check.state == CheckState::Ok => {
            let oldest = checks.iter().map(|check| check.at).min().unwrap_or(now);
            format!("{} of {} checks hold, {}", checks.len(), checks.len(), format::ago(now, oldest))
        }
        Some(check) => check.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, state: CheckState) -> Check {
        Check {
            code: code.to_owned(),
            group: "g".to_owned(),
            state,
            reason: code.to_owned(),
            next_step: String::new(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn unknown_is_never_ready() {
        assert_eq!(Verdict::of(&[]), Verdict::Unknown);
        assert_eq!(Verdict::of(&[check("a", CheckState::NotApplicable)]), Verdict::Unknown);
        assert_eq!(
            Verdict::of(&[check("a", CheckState::Ok), check("b", CheckState::Unknown)]),
            Verdict::Unknown
        );
        assert_eq!(
            Verdict::of(&[check("a", CheckState::Critical), check("b", CheckState::Unknown)]),
            Verdict::No
        );
        assert_eq!(
            Verdict::of(&[check("a", CheckState::Ok), check("b", CheckState::NotApplicable)]),
            Verdict::Yes
        );
    }
}
