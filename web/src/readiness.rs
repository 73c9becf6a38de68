//! Readiness as pages show it: checks by group with reason and next step, the verdict of a pair, and problems over all
//! pairs grouped by cause.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

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

/// One line under a heading.
#[derive(Debug)]
struct CheckLine {
    class: &'static str,
    icon: &'static str,
    word: &'static str,
    reason: String,
    age: String,
    next_step: String,
}

#[derive(Debug)]
struct CheckGroup {
    name: String,
    said: String,
    open: bool,
    lines: Vec<CheckLine>,
}

/// The panel of a pair.
#[derive(Debug, Template)]
#[template(path = "parts/checks.html")]
pub(crate) struct ChecksPanel {
    said: String,
    groups: Vec<CheckGroup>,
}
impl HtmlSafe for ChecksPanel {}

impl ChecksPanel {
    /// All checks of a pair, those that need somebody first.
    pub(crate) fn new(checks: &[Check], now: DateTime<Utc>) -> Self {
        let mut by_group: Vec<(String, Vec<&Check>)> = Vec::new();
        for check in checks {
            match by_group.iter_mut().find(|(name, _)| *name == check.group) {
                Some((_, list)) => list.push(check),
                None => by_group.push((check.group.clone(), vec![check])),
            }
        }
        by_group.sort_by_key(|(_, list)| list.iter().map(|check| check.state).min());
        let said =
            if checks.is_empty() { "never run".to_owned() } else { said(&checks.iter().collect::<Vec<_>>()) };
        Self {
            said,
            groups: by_group
                .into_iter()
                .map(|(name, mut list)| {
                    list.sort_by_key(|check| check.state);
                    CheckGroup {
                        said: said_short(&list),
                        open: list.iter().any(|check| check.state < CheckState::Ok),
                        lines: list.iter().map(|check| line(check, now)).collect(),
                        name,
                    }
                })
                .collect(),
        }
    }
}

fn line(check: &Check, now: DateTime<Utc>) -> CheckLine {
    let tone = check.state.tone();
    CheckLine {
        class: tone.class(),
        icon: tone.icon(),
        word: check.state.word(),
        reason: check.reason.clone(),
        age: format::age(now, check.at),
        next_step: check.next_step.clone(),
    }
}

fn said(checks: &[&Check]) -> String {
    let with = |state| checks.iter().filter(|check| check.state == state).count();
    let mut parts = vec![format!("{} hold", with(CheckState::Ok))];
    for (state, word) in [
        (CheckState::Critical, "critical"),
        (CheckState::Warning, "warn"),
        (CheckState::Unknown, "unknown"),
        (CheckState::NotApplicable, "not applicable"),
    ] {
        if with(state) > 0 {
            parts.push(format!("{} {word}", with(state)));
        }
    }
    format!("{}: {}", format::count(checks.len(), "check"), parts.join(", "))
}

fn said_short(checks: &[&Check]) -> String {
    let applies = checks.iter().filter(|check| check.state != CheckState::NotApplicable).count();
    let hold = checks.iter().filter(|check| check.state == CheckState::Ok).count();
    format!("{hold} of {applies} hold")
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
