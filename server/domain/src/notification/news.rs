//! When a change of readiness is worth telling. Worse is told at once; better only once it has lasted, so that a pair
//! whose checks flap is one message and not hundreds. What only a survey that was brought forward does not know yet is neither.

use chrono::{DateTime, TimeDelta, Utc};

use super::Event;
use crate::{
    readiness::{CheckResult, CheckStatus, is_not_yet_told, overall},
    survey::Survey,
};

/// How long a pair must be better before that is told.
pub const BETTER_AFTER: TimeDelta = TimeDelta::seconds(60);
/// Checks named in a message.
const MOST_CHECKS: usize = 5;

/// What was last told of a pair's readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The status.
    pub status: CheckStatus,
    /// Since when it is better than that.
    pub better_since: Option<DateTime<Utc>>,
}

/// What a survey's checks add to what was told, and what is told by it. The first survey of a pair is told nobody: there is
/// nothing it could be compared with.
#[must_use]
pub fn news_of_readiness(
    told: Option<Told>,
    survey: &Survey,
    results: &[CheckResult],
) -> (Told, Option<Event>) {
    let (pair, at) = (&survey.pair, survey.began_at);
    let known: Vec<CheckResult> =
        results.iter().filter(|result| !is_not_yet_told(result, survey)).cloned().collect();
    let status = overall(&known).max(CheckStatus::Ok);
    let now = Told { status, better_since: None };
    let Some(Told { status: from, better_since }) = told else { return (now, None) };
    let checks = || worst(&known, status);
    if status > from {
        return (now, Some(Event::ReadinessWorse { pair: pair.clone(), from, to: status, checks: checks() }));
    }
    if status == from {
        return (now, None);
    }
    if known.len() < results.len() {
        // Without what it does not know nobody can say that the pair is better.
        return (Told { status: from, better_since }, None);
    }
    let since = better_since.unwrap_or(at);
    if at - since < BETTER_AFTER {
        return (Told { status: from, better_since: Some(since) }, None);
    }
    (now, Some(Event::ReadinessBetter { pair: pair.clone(), from, to: status, checks: checks() }))
}

/// The checks that make the status what it is.
fn worst(results: &[CheckResult], status: CheckStatus) -> Vec<String> {
    if status <= CheckStatus::Ok {
        return Vec::new();
    }
    let those = results.iter().filter(|result| result.status == status);
    let mut said: Vec<String> = those
        .clone()
        .take(MOST_CHECKS)
        .map(|result| format!("{}: {}", result.code.title(), result.reason))
        .collect();
    let more = those.count().saturating_sub(MOST_CHECKS);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    said
}
