//! Starting a run that nobody approved: what may be overridden, and the review that is due for it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{plan::Concern, problem::Problem, record::Person};

/// Somebody else looks at it within this time.
pub const REVIEW_WITHIN: TimeDelta = TimeDelta::hours(24);

/// What a finding of a review that did not come is about.
pub const REVIEW_MISSING: &str = "break-glass-review";

/// What a finding of a review that did not agree is about.
pub const NOT_JUSTIFIED: &str = "break-glass-not-justified";

/// Blockers a person can answer for: the run survives them and its own checks still hold. All others speak of something
/// without which Muster would act blindly, on the wrong cluster, or with two writers; nobody overrides those.
const OVERRIDABLE: [&str; 6] = [
    "canary",
    "hung-transactions",
    "standby-configs",
    "standby-durability",
    "standby-grants",
    "standby-groups-active",
];

/// A run that was started without approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakGlass {
    /// Who broke the glass and drives the run.
    pub by: Person,
    /// When.
    pub at: DateTime<Utc>,
    /// Why nobody could be waited for.
    pub reason: String,
    /// Codes of the plan's blockers that were overridden; empty when it only lacked approval.
    pub overridden: Vec<String>,
    /// Until when somebody else reviews it.
    pub review_due: DateTime<Utc>,
    /// What that somebody said; null until then.
    pub review: Option<Review>,
}

/// What somebody else said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// Who; never who broke the glass.
    pub by: Person,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it was right to.
    pub verdict: Verdict,
    /// In words.
    pub comment: String,
}

/// Whether it was right not to wait for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Justified,
    /// It was not: a finding says so.
    NotJustified,
}

impl Verdict {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Justified, Self::NotJustified];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not_justified",
        }
    }

    /// The verdict of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// Whether a blocker of a plan can be overridden by a person.
#[must_use]
pub fn may_be_overridden(blocker: &Concern) -> bool {
    OVERRIDABLE.contains(&blocker.code.as_str())
}

/// Whether the blockers of a plan are answered for: each can be overridden and is named.
///
/// # Errors
/// `blocker-stays` with those nobody overrides; `override-missing` with those that were not named.
pub fn answered_for(blockers: &[Concern], overridden: &[String]) -> Result<(), Problem> {
    let listed =
        |of: Vec<&Concern>| of.iter().map(|b| format!("`{}`", b.code)).collect::<Vec<_>>().join(", ");
    let stay: Vec<&Concern> = blockers.iter().filter(|blocker| !may_be_overridden(blocker)).collect();
    if let Some(first) = stay.first() {
        let (reason, next_step) = (first.reason.clone(), first.next_step.clone());
        return Err(Problem::new(
            "blocker-stays",
            format!("Nobody overrides {}: {reason}", listed(stay)),
            next_step,
        ));
    }
    let missing: Vec<&Concern> =
        blockers.iter().filter(|blocker| !overridden.contains(&blocker.code)).collect();
    if !missing.is_empty() {
        return Err(Problem::new(
            "override-missing",
            format!("The plan is blocked by {} as well, which was not named.", listed(missing)),
            "Read each blocker, then name each one you answer for.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker(code: &str) -> Concern {
        Concern { code: code.to_owned(), reason: "r".to_owned(), next_step: "n".to_owned() }
    }

    fn code(answer: Result<(), Problem>) -> String {
        answer.map_or_else(|problem| problem.code.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn each_blocker_is_named_and_those_of_safety_stay() {
        let names = |codes: &[&str]| codes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        assert_eq!(code(answered_for(&[], &[])), "ok");
        let two = [blocker("canary"), blocker("standby-configs")];
        assert_eq!(code(answered_for(&two, &names(&["canary", "standby-configs"]))), "ok");
        assert_eq!(code(answered_for(&two, &names(&["canary"]))), "override-missing");
        for safety in [
            "direction-interlock",
            "cluster-identity",
            "active-side-contested",
            crate::both_active::BLOCKER,
            "wrong-direction",
            "old-side-stays-open",
            "flow-not-attached",
            "authorizer",
            "converters",
        ] {
            let with = [blocker("canary"), blocker(safety)];
            assert_eq!(code(answered_for(&with, &names(&["canary", safety]))), "blocker-stays", "{safety}");
        }
    }
}
