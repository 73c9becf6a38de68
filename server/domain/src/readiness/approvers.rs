//! Whether enough people may approve what a pair asks for: whoever asks for a run never counts, so there has to be one more
//! than approvals are needed.

use super::{CheckCode, CheckResult, CheckStatus};
use crate::{
    pair::{ApprovalRule, Pair},
    problem::Problem,
};

/// Fewer people may approve than a rule needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFewApprovers {
    /// Approvals the rule asks for.
    pub needed: u32,
    /// Names of those who may approve.
    pub approvers: Vec<String>,
}

impl TooFewApprovers {
    /// How many more people have to have the role, at least 1.
    #[must_use]
    pub fn missing(&self) -> usize {
        (self.needed as usize + 1).saturating_sub(self.approvers.len())
    }

    /// Whether a run cannot be approved whoever asks for it. Otherwise it cannot when one of the approvers asks.
    #[must_use]
    pub fn nobody_can(&self) -> bool {
        self.approvers.len() < self.needed as usize
    }

    /// The refusal of a rule, or of a change to people, with which `pair` would be left so.
    #[must_use]
    pub fn refuse(&self, pair: &Pair) -> Problem {
        Problem::new(
            "too-few-approvers",
            format!("Pair `{}` of team `{}`: {}.", pair.name, pair.team, self.said()),
            self.next_step(pair),
        )
    }

    fn said(&self) -> String {
        let who = match self.approvers.as_slice() {
            [] => "nobody may approve".to_owned(),
            [one] => format!("only {one} may approve"),
            many => format!("only {} people may approve ({})", many.len(), many.join(", ")),
        };
        let approvals = if self.needed == 1 { "approval" } else { "approvals" };
        format!(
            "a run needs {} {approvals} of people who did not ask for it, and {who}; {} more {} needed",
            self.needed,
            self.missing(),
            if self.missing() == 1 { "is" } else { "are" }
        )
    }

    fn next_step(&self, pair: &Pair) -> String {
        format!(
            "Let an admin give the role approver for the team `{}` to {} more, or ask for fewer approvals.",
            pair.team,
            self.missing()
        )
    }
}

/// Whether a rule can be fulfilled whoever asks for a run. `approvers` are those who have the role for the pair's team and may
/// sign in.
///
/// # Errors
/// Who they are and how many are missing.
pub fn enough_approvers(rule: &ApprovalRule, approvers: &[String]) -> Result<(), TooFewApprovers> {
    if approvers.len() > rule.most() as usize {
        return Ok(());
    }
    Err(TooFewApprovers { needed: rule.most(), approvers: approvers.to_vec() })
}

/// The same as a check of the pair: people leave, and nobody refuses that.
#[must_use]
pub fn judge_approvers(pair: &Pair, approvers: &[String]) -> CheckResult {
    match enough_approvers(&pair.approval, approvers) {
        Ok(()) => CheckResult::ok(
            CheckCode::Approvers,
            format!("{} people may approve, {} needed at most", approvers.len(), pair.approval.most()),
        ),
        Err(few) => {
            let status = if few.nobody_can() { CheckStatus::Critical } else { CheckStatus::Warning };
            CheckResult::new(CheckCode::Approvers, status, few.said(), &few.next_step(pair))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::Operation, samples::pair};

    fn people(count: usize) -> Vec<String> {
        ["abel", "anna", "arne", "alma"][..count].iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_more_person_than_approvals_because_one_may_be_who_asks() {
        let rule = |needed| ApprovalRule { needed, ..pair().approval };
        for (needed, count, missing) in [(1, 0, 2), (1, 1, 1), (1, 2, 0), (2, 2, 1), (2, 3, 0), (3, 1, 3)] {
            let found = enough_approvers(&rule(needed), &people(count));
            assert_eq!(found.map_or_else(|few| few.missing(), |()| 0), missing, "{needed} of {count}");
        }
        // The operation that needs the most decides.
        let mut rule = rule(1);
        rule.by_operation = [(Operation::Failover, 2)].into();
        assert_eq!([Operation::Switchover, Operation::Failover].map(|o| rule.needed_for(o)), [1, 2]);
        assert_eq!(enough_approvers(&rule, &people(2)).map_err(|few| few.missing()), Err(1));
        assert_eq!(enough_approvers(&rule, &people(3)), Ok(()));
    }

    #[test]
    fn a_pair_nobody_can_approve_is_worse_than_one_that_hangs_on_who_asks() {
        let pair = pair();
        let status = |count| judge_approvers(&pair, &people(count)).status;
        assert_eq!(pair.approval.needed, 1);
        assert_eq!([0, 1, 2].map(status), [CheckStatus::Critical, CheckStatus::Warning, CheckStatus::Ok]);
        let few = judge_approvers(&pair, &people(1));
        assert_eq!(
            few.reason,
            "a run needs 1 approval of people who did not ask for it, and only abel may approve; 1 more is needed"
        );
    }
}
