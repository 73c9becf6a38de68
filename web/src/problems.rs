//! Problems over all pairs, one row a cause.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_domain::loss::BriefLoss;

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
    /// Names, and where each says more.
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) age: String,
}

/// An open loss as a cause in the problems strip. Losses of several pairs with the same source are one.
pub(crate) fn of_loss(loss: &BriefLoss) -> Check {
    let (source, target) = (&loss.source, &loss.target);
    let state = match loss.at_most() {
        None => CheckState::Unknown,
        // Nothing that is known of can be missing.
        Some(0) => CheckState::Warning,
        Some(_) => CheckState::Critical,
    };
    let reason = match (&loss.truth, state) {
        (Some(_), _) => {
            format!("`{source}` is back; what was lost with it on the way to `{target}` is being looked at.")
        }
        (None, CheckState::Warning) => {
            format!("`{source}` did not answer; nothing is known to be missing on `{target}`.")
        }
        (None, _) => {
            format!("`{source}` did not answer; what had not reached `{target}` is missing there.")
        }
    };
    Check {
        code: BriefLoss::CAUSE.to_owned(),
        group: String::new(),
        state,
        reason,
        next_step: "See how much, of whom, and what to do now.".to_owned(),
        at: loss.noticed_at,
    }
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
            let page = if check.code == BriefLoss::CAUSE { "/losses" } else { "#checks" };
            let leads = |pair: String| (pair.clone(), format!("/pairs/{pair}{page}"));
            let row = ProblemRow {
                pill: Pill::new(state.tone(), state.word()),
                reason: check.reason.clone(),
                next_step: check.next_step.clone(),
                pairs: pairs.into_iter().map(leads).collect(),
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
    use muster_domain::{
        ids::{ClusterName, PairName, TeamName},
        loss::Interval,
        pair::{Direction, Side},
    };

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
    fn pairs_that_lost_with_one_source_are_one_row_that_leads_to_their_losses() {
        let loss = |pair: &str, records_at_most| {
            let cluster = |name: &str| ClusterName::new(name).unwrap();
            BriefLoss {
                pair: PairName::new(pair).unwrap(),
                direction: Direction { from: Side::A },
                source: cluster("eu-west"),
                target: cluster("eu-central"),
                owner: TeamName::new("payments").unwrap(),
                seen_at: DateTime::UNIX_EPOCH,
                noticed_at: DateTime::UNIX_EPOCH,
                total: Interval { records_at_most, ..Interval::default() },
                truth: None,
            }
        };
        let [a, b, idle, unbounded] =
            [loss("a", Some(7)), loss("b", Some(1_904)), loss("idle", Some(0)), loss("far", None)]
                .map(|loss| (loss.pair.to_string(), [of_loss(&loss)]));
        let of: Vec<(&str, &[Check])> =
            [&a, &b, &idle, &unbounded].map(|(pair, checks)| (pair.as_str(), checks.as_slice())).to_vec();
        let rows = problems(&of, DateTime::UNIX_EPOCH);
        let told: Vec<_> = rows.iter().map(|row| (row.pill.text(), row.pairs.len())).collect();
        assert_eq!(told, [("Critical", 2), ("Unknown", 1), ("Warning", 1)]);
        assert_eq!(rows[0].pairs[0], ("a".to_owned(), "/pairs/a/losses".to_owned()));
        assert_eq!(super::said(&of), "1 problem, 1 warning");
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
