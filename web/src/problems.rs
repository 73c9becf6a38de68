//! Problems over all pairs, one row a cause.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_domain::{alarm::StandingAlarm, loss::BriefLoss, readiness::CheckCode};

use crate::{
    alarms::as_problem,
    fleet::PairFacts,
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
    /// How old the oldest of it is: `read 5 s ago`, `noticed 3 h ago`.
    pub(crate) age: String,
}

/// Something that is not well with a pair.
#[derive(Debug)]
pub(crate) struct Cause {
    pair: String,
    check: Check,
    /// Where more is said of it.
    href: String,
    /// Where more is said of all of its kind at the pair.
    all: String,
    /// What was done when it was learned: `read` or `noticed`; empty when nothing ever was.
    learned: &'static str,
}

impl Cause {
    /// All that is not well with a pair. One that was never observed is not well: nothing is known of it.
    pub(crate) fn of_pair(facts: &PairFacts<'_>, now: DateTime<Utc>) -> Vec<Self> {
        let pair = facts.pair.name.as_str();
        let bad = facts
            .checks
            .iter()
            .filter(|check| !matches!(check.state, CheckState::Ok | CheckState::NotApplicable));
        let mut causes: Vec<Self> =
            bad.map(|check| Self::at(pair, check.clone(), "#checks", "read")).collect();
        if facts.checks.is_empty() {
            causes.push(Self::at(pair, never_observed(now), "#checks", ""));
        }
        causes.extend(facts.alarms.iter().map(|kept| Self::of_alarm(pair, kept)));
        causes.extend(facts.losses.iter().map(|loss| Self::of_loss(pair, loss)));
        causes
    }

    fn of_alarm(pair: &str, kept: &StandingAlarm) -> Self {
        Self::at(pair, as_problem(kept), "#alarms", "read")
    }

    fn of_loss(pair: &str, loss: &BriefLoss) -> Self {
        let all = Self::at(pair, of_loss(loss), "/losses", "noticed");
        Self { href: format!("{}/{}", all.all, loss.id()), ..all }
    }

    fn at(pair: &str, check: Check, page: &str, learned: &'static str) -> Self {
        let all = format!("/pairs/{pair}{page}");
        Self { pair: pair.to_owned(), check, href: all.clone(), all, learned }
    }

    fn age(&self, now: DateTime<Utc>) -> String {
        match self.learned {
            "" => "never read".to_owned(),
            learned => format!("{learned} {}", format::ago(now, self.check.at)),
        }
    }
}

/// By the code of the check that says how old a survey is: there is none.
fn never_observed(now: DateTime<Utc>) -> Check {
    Check {
        code: CheckCode::SurveyFresh.as_str().to_owned(),
        group: String::new(),
        state: CheckState::Unknown,
        reason: "Never observed, so nothing is known of it.".to_owned(),
        next_step: "Wait for the first survey, seconds after a pair is created. If none comes, see whether a process of Muster runs, \
                    and what its log says."
            .to_owned(),
        at: now,
    }
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
pub(crate) fn problems(causes: &[Cause], now: DateTime<Utc>) -> Vec<ProblemRow> {
    let mut grouped: BTreeMap<(CheckState, &str, &str), Vec<&Cause>> = BTreeMap::new();
    for cause in causes {
        let Check { state, code, reason, .. } = &cause.check;
        grouped.entry((*state, code, reason)).or_default().push(cause);
    }
    let mut rows: Vec<(CheckState, ProblemRow)> =
        grouped.into_iter().filter_map(|((state, ..), of)| Some((state, row(state, &of, now)?))).collect();
    rows.sort_by_key(|(state, row)| (std::cmp::Reverse(row.pairs.len()), *state));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What is the same at several pairs, as old as the oldest of it.
fn row(state: CheckState, of: &[&Cause], now: DateTime<Utc>) -> Option<ProblemRow> {
    let oldest = of.iter().min_by_key(|cause| cause.check.at)?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for cause in of {
        match pairs.iter_mut().find(|(pair, _)| *pair == cause.pair) {
            Some((_, href)) => href.clone_from(&cause.all),
            None => pairs.push((cause.pair.clone(), cause.href.clone())),
        }
    }
    Some(ProblemRow {
        pill: Pill::new(state.tone(), state.word()),
        reason: oldest.check.reason.clone(),
        next_step: oldest.check.next_step.clone(),
        pairs,
        age: oldest.age(now),
    })
}

/// "2 problems, 1 warning". A problem is a code that is critical or unknown on some pair, as the top of every page counts
/// them.
pub(crate) fn said(causes: &[Cause]) -> String {
    let codes = |wanted: &[CheckState]| -> BTreeSet<&str> {
        let checks = causes.iter().map(|cause| &cause.check);
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
    use chrono::TimeDelta;
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

    fn cause(pair: &str, check: Check) -> Cause {
        Cause::at(pair, check, "#checks", "read")
    }

    #[test]
    fn problems_are_one_row_a_cause_most_pairs_first_and_as_old_as_the_oldest() {
        let slow = |pair, seconds| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            cause(pair, Check { at, ..check("slow", CheckState::Warning) })
        };
        let causes = [slow("a", 300), cause("a", check("dead", CheckState::Critical)), slow("b", 60)];
        let rows = problems(&causes, DateTime::UNIX_EPOCH + TimeDelta::seconds(360));
        let said: Vec<_> =
            rows.iter().map(|row| (row.reason.as_str(), row.pairs.len(), row.age.as_str())).collect();
        assert_eq!(said, [("slow", 2, "read 5 m ago"), ("dead", 1, "read 6 m ago")]);
        assert_eq!(rows[0].pairs[0], ("a".to_owned(), "/pairs/a#checks".to_owned()));
    }

    #[test]
    fn pairs_that_lost_with_one_source_are_one_row_that_leads_to_each_loss() {
        let loss = |pair: &str, seen, records_at_most| {
            let cluster = |name: &str| ClusterName::new(name).unwrap();
            BriefLoss {
                pair: PairName::new(pair).unwrap(),
                direction: Direction { from: Side::A },
                source: cluster("eu-west"),
                target: cluster("eu-central"),
                owner: TeamName::new("payments").unwrap(),
                seen_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seen),
                noticed_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seen),
                total: Interval { records_at_most, ..Interval::default() },
                truth: None,
            }
        };
        let losses = [
            loss("a", 60, Some(7)),
            loss("b", 120, Some(1_904)),
            loss("b", 180, Some(3)),
            loss("idle", 60, Some(0)),
            loss("far", 60, None),
        ];
        let causes = losses.each_ref().map(|loss| Cause::of_loss(loss.pair.as_str(), loss));
        let rows = problems(&causes, DateTime::UNIX_EPOCH + TimeDelta::hours(3));
        let told: Vec<_> = rows.iter().map(|row| (row.pill.text(), row.pairs.len())).collect();
        assert_eq!(told, [("Critical", 2), ("Unknown", 1), ("Warning", 1)]);
        let statement = format!("/pairs/a/losses/{}", losses[0].id());
        assert_eq!(rows[0].pairs[0], ("a".to_owned(), statement));
        assert_eq!(rows[0].pairs[1], ("b".to_owned(), "/pairs/b/losses".to_owned()), "of several: the list");
        assert_eq!(rows[0].age, "noticed 2 h 59 m ago");
        assert_eq!(super::said(&causes), "1 problem, 1 warning");
    }

    #[test]
    fn problems_and_warnings_are_counted_apart_and_by_their_code() {
        let one = [check("slow", CheckState::Warning), check("dead", CheckState::Critical)];
        let other = Check { reason: "for another reason".to_owned(), ..check("dead", CheckState::Unknown) };
        let [slow, dead] = one.map(|check| cause("a", check));
        assert_eq!(super::said(std::slice::from_ref(&slow)), "No problems, 1 warning");
        assert_eq!(super::said(&[slow, dead, cause("b", other)]), "1 problem, 1 warning");
        assert_eq!(super::said(&[]), "No problems");
    }
}
