//! The readiness panel of a pair: checks by heading, those that need somebody first.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

use crate::{
    format,
    readiness::{Check, CheckState},
};

/// One line under a heading.
#[derive(Debug)]
pub(crate) struct CheckLine {
    class: &'static str,
    icon: &'static str,
    word: &'static str,
    reason: String,
    age: String,
    next_step: String,
}

#[derive(Debug)]
pub(crate) struct CheckGroup {
    /// Its own on the page, wherever the heading stands by now: what somebody opened stays open.
    id: String,
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
            match by_group.iter_mut().find(|(name, _)| name == check.heading()) {
                Some((_, list)) => list.push(check),
                None => by_group.push((check.heading().to_owned(), vec![check])),
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
                        id: format!("checks-{}", name.to_lowercase().replace(' ', "-")),
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

pub(crate) fn line(check: &Check, now: DateTime<Utc>) -> CheckLine {
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

pub(crate) fn said(checks: &[&Check]) -> String {
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

pub(crate) fn said_short(checks: &[&Check]) -> String {
    let applies = checks.iter().filter(|check| check.state != CheckState::NotApplicable).count();
    let hold = checks.iter().filter(|check| check.state == CheckState::Ok).count();
    format!("{hold} of {applies} hold")
}
