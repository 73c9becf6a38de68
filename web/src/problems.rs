//! Problems over all pairs, one row a cause.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    format,
    parts::Pill,
    readiness::{Check, CheckState},
};

/// One cause in the problems strip.
#[derive(Debug)]
pub(crate) struct ProblemRow {
    pub(crate) pill: Pill,
    pub(crate) reason: String,
    pub(crate) next_step: String,
    pub(crate) pairs: Vec<String>,
    pub(crate) age: String,
}

/// Problems over pairs, grouped by cause: most pairs first, then the worst.
pub(crate) fn problems(pairs: &[(&str, &[Check])], now: DateTime<Utc>) -> Vec<ProblemRow> {
    let mut causes: BTreeMap<(CheckState, &str, &str), (Vec<String>, &Check)> = BTreeMap::new();
    for (pair, checks) in pairs {
        for check in *checks {
            if matches!(check.state, CheckState::Ok | CheckState::NotApplicable) {
                continue;
            }
            let cause =
                causes.entry((check.state, &check.code, &check.reason)).or_insert((Vec::new(), check));
            cause.0.push((*pair).to_owned());
        }
    }
    let mut rows: Vec<(CheckState, ProblemRow)> = causes
        .into_iter()
        .map(|((state, _, _), (pairs, check))| {
            let row = ProblemRow {
                pill: Pill::new(state.tone(), state.word()),
                reason: check.reason.clone(),
                next_step: check.next_step.clone(),
                pairs,
                age: format::ago(now, check.at),
            };
            (state, row)
        })
        .collect();
    rows.sort_by_key(|(state, row)| (std::cmp::Reverse(row.pairs.len()), *state));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// "2 problems, 1 warning". A problem is a code that is critical or unknown on some pair, as the top of every page counts
/// them.
pub(crate) fn said(pairs: &[(&str, &[Check])]) -> String {
    let codes = |wanted: &[CheckState]| -> BTreeSet<&str> {
        let checks = pairs.iter().flat_map(|(_, checks)| *checks);
        checks.filter(|check| wanted.contains(&check.state)).map(|check| check.code.as_str()).collect()
    };
    let problems = match codes(&[CheckState::Critical, CheckState::Unknown]).len() {
        0 => "No problems".to_owned(),
        n => format::count(n, "problem"),
    };
    match codes(&[CheckState::Warning]).len() {
        0 => problems,
        n => format!("{problems}, {}", format::count(n, "warning")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, state: CheckState) -> Check {
        let (code, group) = (code.to_owned(), "g".to_owned());
        Check { reason: code.clone(), code, group, state, next_step: String::new(), at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn problems_are_one_row_a_cause_most_pairs_first() {
        let one = [check("slow", CheckState::Warning), check("dead", CheckState::Critical)];
        let two = [check("slow", CheckState::Warning), check("fine", CheckState::Ok)];
        let rows = problems(&[("a", &one), ("b", &two)], DateTime::UNIX_EPOCH);
        let said: Vec<_> = rows.iter().map(|row| (row.reason.as_str(), row.pairs.len())).collect();
        assert_eq!(said, [("slow", 2), ("dead", 1)]);
    }

    #[test]
    fn problems_and_warnings_are_counted_apart_and_by_their_code() {
        let one = [check("slow", CheckState::Warning), check("dead", CheckState::Critical)];
        let other = Check { reason: "for another reason".to_owned(), ..check("dead", CheckState::Unknown) };
        assert_eq!(super::said(&[("a", &one), ("b", &[other])]), "1 problem, 1 warning");
        assert_eq!(super::said(&[("a", &one[..1])]), "No problems, 1 warning");
        assert_eq!(super::said(&[]), "No problems");
    }
}
