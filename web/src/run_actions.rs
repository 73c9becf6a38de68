//! What a person can do to a run now. Each button says what it does, to what; a refused one stays, with the rule.

use chrono::{DateTime, Utc};
use muster_domain::{
    people::{Actor, Role},
    plan::IfUnproven,
    record::RunStep,
    run::{Phase, RunAct, RunState, StepState, next_state},
};

use crate::{
    chrome::Brake,
    confirm::who_is_told,
    format,
    parts::Action,
    run::RunRecord,
    run_rules::{not_a_reviewer, not_an_operator, not_an_owner, stays},
    words,
};

/// Every act that has a meaning in the run's state, offered or refused.
pub(crate) fn actions(
    record: &RunRecord<'_>,
    viewer: Option<&Actor>,
    brake: &Brake,
    now: DateTime<Utc>,
) -> Vec<Action> {
    let acts = Acts { record, viewer, brake, now };
    let mut offered = of_state(&acts, record.run.state);
    if record.break_glass.is_some_and(|broken| broken.review.is_none()) {
        offered.push(acts.review());
    }
    offered
}

fn of_state(acts: &Acts<'_>, state: RunState) -> Vec<Action> {
    match state {
        RunState::AwaitingApproval => vec![acts.decide(), acts.break_glass()],
        RunState::Approved => vec![acts.start()],
        RunState::Running => vec![acts.pause(), acts.abort(), acts.skip_refused()],
        RunState::WaitingForInput => vec![acts.confirm(), acts.abort()],
        RunState::PausedByOperator if acts.record.run.is_restored() => {
            vec![acts.close(), acts.resume(), acts.abort()]
        }
        RunState::PausedByOperator => vec![acts.resume(), acts.abort()],
        RunState::PausedByFailure => vec![acts.retry(), acts.skip(), acts.abort()],
        RunState::Stuck => vec![acts.retry_undo(), acts.close()],
        RunState::AwaitingAttestation => vec![acts.attest()],
        RunState::RollingBack | RunState::Verifying | RunState::CleaningUp | RunState::CleanupIncomplete => {
            vec![acts.wait()]
        }
        RunState::Blocked => vec![acts.break_glass()],
        RunState::Rejected
        | RunState::Expired
        | RunState::RolledBack
        | RunState::ClosedManually
        | RunState::Succeeded
        | RunState::SucceededWithExceptions
        | RunState::Failed
        | RunState::Passed
        | RunState::Inconclusive => Vec::new(),
    }
}

struct Acts<'a> {
    record: &'a RunRecord<'a>,
    viewer: Option<&'a Actor>,
    brake: &'a Brake,
    now: DateTime<Utc>,
}

impl Acts<'_> {
    fn url(&self, act: &str) -> String {
        format!("/runs/{}/{act}", self.record.run.id)
    }

    fn pair(&self) -> &str {
        self.record.run.pair.as_str()
    }

    /// The act if the person may drive and the state takes it, else the same button refused with the rule.
    fn driven(&self, act: RunAct, offered: Action, rule: &str) -> Action {
        if let Some(refusal) = not_an_operator(self.record, self.viewer) {
            return Action::refused(offered.label(), refusal);
        }
        match next_state(self.record.run.state, act, self.record.past_no_return()) {
            Ok(_) => offered,
            Err(_) => Action::refused(offered.label(), rule),
        }
    }

    fn step(&self, state: StepState) -> Option<&RunStep> {
        self.record.steps.iter().find(|step| step.state == state)
    }

    fn decide(&self) -> Action {
        let label = format!("Decide on {}", words::doing(self.record.run.operation, self.pair()));
        Action::page(
            self.url("approval"),
            label,
            "Shows the numbers and whether you may. Nothing starts by approving.",
        )
        .icon("human")
        .primary()
    }

    fn start(&self) -> Action {
        let run = self.record.run;
        let label = format!("Start {}, {}", words::doing(run.operation, self.pair()), run.course);
        if let Some(rule) = self.braked() {
            return Action::refused(label, rule);
        }
        let until = run.use_by.map_or_else(String::new, |by| {
            format!(" Offered until {}, for {}.", format::time(by), format::left(self.now, by))
        });
        let effect =
            format!("Shows the last figures first. Muster looks at both sides again before step 1.{until}");
        self.driven(
            RunAct::Start,
            Action::page(self.url("start"), label, effect).primary(),
            "It is not approved.",
        )
    }

    /// Whether writes are away, can still be given back, and may not be away without end: then a pause gives them back.
    fn writes_are_held(&self) -> bool {
        let begun = |step: &RunStep| !matches!(step.state, StepState::NotStarted | StepState::Undone);
        !self.record.past_no_return()
            && self.record.plan.content.rules.if_unproven == IfUnproven::RollBack
            && self.record.steps.iter().any(|step| step.phase == Phase::Fence && begun(step))
    }

    fn pause(&self) -> Action {
        // Between two steps nobody knows whether the next one begins before the pause is noted.
        let after = self.step(StepState::Running).map(|step| format!(" after step {}", step.position));
        let label = format!("Pause {}{}", self.pair(), after.unwrap_or_default());
        let effect = if self.writes_are_held() {
            "Writes are away, and a run does not rest meanwhile: it is taken back, as by aborting it."
        } else if self.record.past_no_return() {
            "What runs now finishes and writes arrive on the other side, then the run holds. Nothing is undone."
        } else {
            "What runs now finishes, then the run holds. Fences stay as they are; nothing is undone."
        };
        self.driven(
            RunAct::Pause,
            Action::post(self.url("pause"), label, effect).icon("pause"),
            "It does not run.",
        )
    }

    fn resume(&self) -> Action {
        let label = format!(
            "Resume {}, {}",
            words::doing(self.record.run.operation, self.pair()),
            self.record.run.course
        );
        if let Some(rule) = self.braked() {
            return Action::refused(label, rule);
        }
        let next = words::current_step(self.record.steps).unwrap_or(1);
        let effect = format!("Goes on with step {next}; steps that are done are not repeated.");
        let offered = Action::post(self.url("resume"), label, effect);
        // What a restored run goes on with may have been done since: both clusters come first.
        let offered = if self.record.run.is_restored() { offered } else { offered.primary() };
        self.driven(RunAct::Resume, offered, "It is not paused.")
    }

    fn abort(&self) -> Action {
        let (pair, from, to) = (self.pair(), self.record.from(), self.record.to());
        let operation = self.record.run.operation;
        if operation.only_looks() {
            let label = format!("Abort {}", words::doing(operation, pair));
            let effect = "It looks no further. Nothing was changed, so nothing has to be undone.";
            let action = Action::page(self.url("abort"), label, effect).icon("undo").danger();
            return self.driven(RunAct::Abort, action, "The run has ended.");
        }
        let label = format!("Abort and return {pair} to {from}");
        let effect = format!(
            "{} Goes away once step {} has begun.",
            self.undoing(),
            self.no_return().map_or(0, |step| step.position)
        );
        let rule = format!(
            "The point of no return is passed: {to} may have taken writes. Going back is a new switchover, {to} → {from}."
        );
        self.driven(
            RunAct::Abort,
            Action::page(self.url("abort"), label, effect).icon("undo").danger(),
            &rule,
        )
    }

    /// What aborting undoes, in the order of the engine: writes first.
    fn undoing(&self) -> String {
        let done: Vec<&RunStep> = self
            .record
            .steps
            .iter()
            .rev()
            .filter(|step| step.undoable && step.state == StepState::Succeeded)
            .collect();
        let (fences, others): (Vec<&RunStep>, Vec<&RunStep>) =
            done.into_iter().partition(|step| step.phase == Phase::Fence);
        let named = |steps: &[&RunStep]| match steps {
            [one] => format!("step {}", one.position),
            many => {
                let positions: Vec<String> = many.iter().map(|step| step.position.to_string()).collect();
                format!("steps {}, in that order", format::list(&positions, 12))
            }
        };
        match (fences.as_slice(), others.as_slice()) {
            ([], []) => "Nothing has to be undone.".to_owned(),
            ([], others) => {
                format!("Undoes {}; {} takes writes all along.", named(others), self.record.from())
            }
            (fences, []) => {
                format!("Undoes {}, so that {} takes writes again.", named(fences), self.record.from())
            }
            (fences, others) => format!(
                "First undoes {}, so that {} takes writes again, then {}.",
                named(fences),
                self.record.from(),
                named(others)
            ),
        }
    }

    fn no_return(&self) -> Option<&RunStep> {
        self.record.steps.iter().find(|step| step.point_of_no_return)
    }

    fn confirm(&self) -> Action {
        let Some(step) = self.step(StepState::WaitingForInput) else { return self.wait() };
        let label = step
            .question
            .as_ref()
            .map_or_else(|| format!("Confirm step {}", step.position), |q| q.confirm.clone());
        if let Some(rule) = self.braked() {
            return Action::refused(label, rule);
        }
        let effect =
            format!("Step {} goes on at once. The figures above are the ones you confirm.", step.position);
        let action =
            Action::post(self.url("confirm"), label, effect).primary().sending("step", step.name.clone());
        self.driven(RunAct::Confirm, action, "Nothing is asked.")
    }

    fn failed(&self) -> Option<&RunStep> {
        self.step(StepState::Failed)
            .or_else(|| self.step(StepState::Unknown))
            .or_else(|| self.step(StepState::FailedRetryable))
    }

    fn retry(&self) -> Action {
        let Some(step) = self.failed() else { return self.resume() };
        let label = format!("Retry step {} of {}", step.position, self.pair());
        if let Some(rule) = self.braked() {
            return Action::refused(label, rule);
        }
        let effect =
            format!("Looks first at what attempt {} left behind, then acts only if it must.", step.attempt);
        let action = Action::post(self.url("retry"), label, effect)
            .icon("run")
            .primary()
            .sending("step", step.name.clone());
        self.driven(RunAct::Retry, action, "No step failed.")
    }

    fn skip(&self) -> Action {
        let Some(step) = self.failed() else { return self.skip_refused() };
        let label = format!("Skip step {} of {}", step.position, self.pair());
        let effect = "Needs a reason. The run can then end no better than “succeeded with exceptions”.";
        let url = format!("{}?step={}", self.url("skip"), step.name);
        let action = Action::page(url, label, effect).icon("skip").danger();
        let last = self.no_return().map_or(i32::MAX, |no_return| no_return.position);
        if step.position <= last && !self.record.past_no_return() {
            return Action::refused(
                action.label(),
                "Everything up to the point of no return must be proven. Retry it, or abort, which takes everything back.",
            );
        }
        self.driven(RunAct::Skip, action, "No step failed.")
    }

    fn skip_refused(&self) -> Action {
        let now = words::current_step(self.record.steps).unwrap_or(0);
        let rule = "A step can be skipped only after it failed, with a reason.";
        Action::refused(format!("Skip step {now} of {}", self.pair()), rule).icon("skip")
    }

    fn retry_undo(&self) -> Action {
        let label = format!("Retry undoing {}", self.pair());
        let effect = "Looks at both sides first and goes on undoing: writes first, then in reverse order.";
        self.driven(RunAct::Retry, Action::post(self.url("retry"), label, effect).icon("undo").primary(), "")
    }

    fn close(&self) -> Action {
        let team = &self.record.run.team;
        let label = format!("Close {} by hand", words::run_name(self.record.run));
        if !self.viewer.is_some_and(|viewer| viewer.has(Role::Owner, team)) {
            return Action::refused(label, format!("Only owners of {team} close a run by hand."));
        }
        let effect = "Says that people put both sides right themselves. Needs a reason; releases the pair.";
        Action::page(self.url("close"), label, effect).danger()
    }

    fn attest(&self) -> Action {
        let run = self.record.run;
        let label = format!("Attest the drill of {}", self.pair());
        let driver = run.driver.as_ref().is_some_and(|driver| self.viewer.is_some_and(|v| v.id == driver.id));
        let asked = self.viewer.is_some_and(|viewer| viewer.id == run.requested_by.id);
        if !self.viewer.is_some_and(|viewer| viewer.has(Role::Approver, &run.team)) {
            return Action::refused(label, format!("Only approvers of {} attest its drills.", run.team));
        }
        if driver || asked {
            return Action::refused(label, "You asked for it or drove it; somebody else must attest it.");
        }
        Action::page(self.url("attest"), label, "You state what the drill proved; the report is then sealed.")
            .primary()
    }

    fn break_glass(&self) -> Action {
        let run = self.record.run;
        let label = format!("Start {} without approval", words::doing(run.operation, self.pair()));
        let refused = not_an_owner(self.record, self.viewer, "start a run without approval")
            .or_else(|| stays(&self.record.plan.blockers));
        if let Some(rule) = refused {
            return Action::refused(label, rule);
        }
        if let Some(rule) = self.braked() {
            return Action::refused(label, rule);
        }
        let effect = format!(
            "Break-glass. Asks you to show again that it is you, and for a reason. {} Somebody else reviews it within 24 \
             hours.",
            who_is_told(self.record)
        );
        Action::page(self.url("break-glass"), label, effect).icon("warn").danger()
    }

    fn review(&self) -> Action {
        let label = format!("Review the start of {} without approval", words::run_name(self.record.run));
        match not_a_reviewer(self.record, self.viewer) {
            Some(rule) => Action::refused(label, rule),
            None => Action::page(self.url("review"), label, "You state whether it was right not to wait."),
        }
    }

    /// Why nothing starts now.
    fn braked(&self) -> Option<String> {
        match self.brake {
            Brake::Released => None,
            Brake::Set { by, reason, .. } => {
                let reason = reason.trim_end_matches('.');
                Some(format!("{by} pulled the brake: {reason}. Nothing starts until it is released."))
            }
            Brake::Unreadable { reason } => {
                Some(format!("The brake cannot be read: {reason}. Nothing starts then."))
            }
        }
    }

    fn wait(&self) -> Action {
        let label = format!("Pause {}", self.pair());
        Action::refused(
            label,
            "It cannot be paused while it undoes, verifies or cleans up. Wait for it to end.",
        )
        .icon("pause")
    }
}
