//! Findings: what went wrong or surprised, raised by a run or by people, owned and closed.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{PairName, TeamName},
    record::{Outcome, Person, Run, RunStep},
    run::StepState,
};

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth mending.
    Low,
    /// Would cost time in an emergency.
    Medium,
    /// A failover would lose data or not work.
    High,
}

impl Severity {
    /// Worst last.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The severity of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// Days until a finding that a run raises is due.
    #[must_use]
    pub fn due_days(self) -> u64 {
        match self {
            Self::Low => 90,
            Self::Medium => 30,
            Self::High => 14,
        }
    }
}

/// How a finding was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Closing {
    /// When.
    pub at: DateTime<Utc>,
    /// Who closed it.
    pub by: String,
    /// What was done about it.
    pub resolution: String,
    /// The run that showed it is mended, if one did.
    pub retest: Option<Uuid>,
}

/// Something that went wrong or surprised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// Its id.
    pub id: Uuid,
    /// Counts up, for people: "finding 17".
    pub number: i64,
    /// The pair it is about.
    pub pair: PairName,
    /// Team the pair belonged to when it was raised.
    pub team: TeamName,
    /// The run it came up in.
    pub run: Option<Uuid>,
    /// What was found. Never changed: another wording is another finding.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who sees to it, by the name they sign in with; empty for nobody.
    pub owner: String,
    /// Until when.
    pub due: Option<NaiveDate>,
    /// Address of evidence outside Muster; empty for none.
    pub link: String,
    /// Who raised it; nil id for a run itself.
    pub raised_by: Person,
    /// When.
    pub raised_at: DateTime<Utc>,
    /// Set once it is closed.
    pub closed: Option<Closing>,
    /// Row version for If-Match.
    pub version: i64,
}

impl Finding {
    /// Whether it is open past its due date.
    #[must_use]
    pub fn overdue(&self, today: NaiveDate) -> bool {
        self.closed.is_none() && self.due.is_some_and(|due| due < today)
    }
}

/// What a run found out about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaisedByRun {
    /// Names what it is about within the run: `check content_equal`, `step drain`, `rto`. Raised once for each.
    pub about: String,
    /// For people.
    pub text: String,
    /// How bad.
    pub severity: Severity,
}

/// The findings a run raises when it ends: checks that did not pass, steps that failed or were left out, a missed RTO, and
/// that everything was taken back. `went_back` is why, `rto_seconds` the pair's objective.
#[must_use]
pub fn raised_by(
    outcome: Option<&Outcome>,
    steps: &[RunStep],
    went_back: Option<&str>,
    rto_seconds: Option<i64>,
) -> Vec<RaisedByRun> {
    let raised = |about: String, severity, text: String| RaisedByRun { about, text, severity };
    let mut found = Vec::new();
    for check in outcome.iter().flat_map(|outcome| &outcome.checks) {
        let (severity, word) = match check.passed {
            Some(true) => continue,
            Some(false) => (Severity::High, "failed"),
            None => (Severity::Medium, "could not be determined"),
        };
        let text = format!("Check `{}` {word}: {}", check.name, check.sentence);
        found.push(raised(format!("check {}", check.name), severity, text));
    }
    for step in steps {
        let (severity, word) = match step.state {
            StepState::Failed => (Severity::Medium, "failed"),
            StepState::Skipped => (Severity::Medium, "was left out"),
            StepState::UndoFailed => (Severity::High, "could not be taken back"),
            StepState::NotStarted
            | StepState::Running
            | StepState::Succeeded
            | StepState::FailedRetryable
            | StepState::Unknown
            | StepState::WaitingForInput
            | StepState::Undoing
            | StepState::Undone => continue,
        };
        let text = format!("Step `{}` {word}: {}", step.title, step.sentence);
        found.push(raised(format!("step {}", step.name), severity, text));
    }
    if let Some(why) = went_back {
        let text = format!("Everything was taken back: {why}");
        found.push(raised("rolled back".to_owned(), Severity::Medium, text));
    }
    let took = outcome.and_then(Outcome::machine_ms);
    if let Some((took, objective)) = took.zip(rto_seconds).filter(|(took, rto)| *took > rto * 1000) {
        let text = format!(
            "The run took {} s without waiting for people; the RTO objective is {objective} s.",
            took / 1000
        );
        found.push(raised("rto".to_owned(), Severity::Medium, text));
    }
    found
}

/// When a finding raised today is due.
#[must_use]
pub fn due(severity: Severity, today: NaiveDate) -> Option<NaiveDate> {
    today.checked_add_days(Days::new(severity.due_days()))
}

/// Who sees to what a run found: its driver, or who asked for it.
#[must_use]
pub fn first_owner(run: &Run) -> &str {
    run.driver.as_ref().map_or(run.requested_by.name.as_str(), |driver| driver.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::OutcomeCheck, run::Phase, samples};

    fn step(name: &str, state: StepState) -> RunStep {
        RunStep { state, ..samples::run_step(name) }
    }

    fn check(name: &str, passed: Option<bool>) -> OutcomeCheck {
        OutcomeCheck { name: name.to_owned(), passed, sentence: "7 differ".to_owned(), method: String::new() }
    }

    #[test]
    fn a_run_raises_what_did_not_pass_and_nothing_else() {
        let outcome = Outcome {
            checks: vec![check("good", Some(true)), check("bad", Some(false)), check("open", None)],
            rto_ms_by_phase: [(Phase::Fence, 70_000), (Phase::Decide, 3_600_000)].into(),
            ..Outcome::default()
        };
        let steps = [step("fine", StepState::Succeeded), step("gone", StepState::Skipped)];
        let about = |found: Vec<RaisedByRun>| -> Vec<(String, Severity)> {
            found.into_iter().map(|raised| (raised.about, raised.severity)).collect()
        };
        let expected = [
            ("check bad", Severity::High),
            ("check open", Severity::Medium),
            ("step gone", Severity::Medium),
        ]
        .map(|(about, severity)| (about.to_owned(), severity));
        assert_eq!(about(raised_by(Some(&outcome), &steps, None, Some(70))), expected);
        let late = raised_by(Some(&outcome), &[], None, Some(69)).pop().expect("the RTO is missed");
        assert_eq!(
            (late.about.as_str(), late.text.as_str()),
            ("rto", "The run took 70 s without waiting for people; the RTO objective is 69 s.")
        );
        assert_eq!(raised_by(None, &[], None, Some(1)), []);
        assert_eq!(
            about(raised_by(None, &[], Some("drain: late"), None)),
            [("rolled back".to_owned(), Severity::Medium)]
        );
    }
}
