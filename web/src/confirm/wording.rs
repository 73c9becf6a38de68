//! What the page before an act says: what comes of it, and the facts it is decided on.

use muster_domain::{
    break_glass::{BreakGlass, REVIEW_WITHIN},
    plan::Concern,
    record::RunStep,
    run::StepState,
};

use super::ConfirmAct;
use crate::{format, plan::about, run::RunRecord, words};

/// What an act says.
pub(super) struct Words {
    pub(super) button: String,
    pub(super) look: &'static str,
    pub(super) lead: String,
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Words {
    pub(super) fn of(act: ConfirmAct, record: &RunRecord<'_>, step: Option<&RunStep>) -> Self {
        let (run, pair) = (record.run, record.run.pair.as_str());
        let doing = words::doing(run.operation, pair);
        let looks = run.operation.only_looks();
        match act {
            ConfirmAct::Start if looks => Self {
                button: format!("Start {doing}, {}", run.course),
                look: "primary",
                lead: format!(
                    "Every step only looks. Nothing is changed on {} or {}, so there is nothing to undo either.",
                    record.from(),
                    record.to()
                ),
                facts: start_facts(record),
            },
            ConfirmAct::Abort if looks => Self {
                button: format!("Abort {doing}"),
                look: "danger",
                lead: "It looks no further. Nothing was changed, so nothing has to be undone. Looking once more needs a \
                       new plan."
                    .to_owned(),
                facts: vec![("Undone", undo_list(record))],
            },
            ConfirmAct::Start => Self {
                button: format!("Start {doing}, {}", run.course),
                look: "primary",
                lead: format!(
                    "Muster looks at both sides again and compares with what was approved. Then step 1 begins. Until the \
                     point of no return everything can be undone; after it {} takes the writes.",
                    record.to()
                ),
                facts: start_facts(record),
            },
            ConfirmAct::Abort => Self {
                button: format!("Abort and return {pair} to {}", record.from()),
                look: "danger",
                lead: format!(
                    "{} takes writes again first, then what else was done is undone in reverse order. Starting once more needs \
                     a new plan and new approvals.",
                    record.from()
                ),
                facts: vec![("Undone", undo_list(record)), ("Records lost", "none: nothing was moved yet".to_owned())],
            },
            ConfirmAct::Skip => Self {
                button: step.map_or_else(|| format!("Skip a step of {pair}"), |s| format!("Skip step {} of {pair}", s.position)),
                look: "danger",
                lead: "The run goes on as if it had been done. It can then end no better than “succeeded with \
                       exceptions”, and the report names you and your reason."
                    .to_owned(),
                facts: step.map(skip_facts).unwrap_or_default(),
            },
            ConfirmAct::Close => Self {
                button: format!("Close {} of {pair} by hand", words::run_name(run)),
                look: "danger",
                lead: "You state that people put both sides right. Muster undoes nothing more and another run may start \
                       on the pair."
                    .to_owned(),
                facts: vec![("Stuck because", run.state_reason.clone())],
            },
            ConfirmAct::BreakGlass => Self {
                button: format!("Start {doing} without approval, {}", run.course),
                look: "danger",
                lead: format!(
                    "Break-glass: for when waiting for an approver costs more than going on without one. {} Somebody else \
                     reviews it within 24 hours. Muster's own checks are not left out.",
                    who_is_told(record)
                ),
                facts: [
                    ("Told at once", told_where(record)),
                    ("Reviewed", reviewed_by(record)),
                    ("Blocked by", blocked_by(&record.plan.blockers)),
                ]
                .into_iter()
                .chain(start_facts(record))
                .collect(),
            },
            ConfirmAct::Review => Self {
                button: format!("Review the start of {} without approval", words::run_name(run)),
                look: "primary",
                lead: "You state whether it was right not to wait. One that was not leaves a finding of high severity."
                    .to_owned(),
                facts: record.break_glass.map(broken_facts).unwrap_or_default(),
            },
            ConfirmAct::Attest => Self {
                button: format!("Attest the drill of {pair}, {}", run.course),
                look: "primary",
                lead: "You state what the drill proved. The report is sealed with your name and cannot be changed.".to_owned(),
                facts: vec![(
                    "Measured",
                    run.outcome.as_ref().map_or_else(|| "nothing was measured".to_owned(), |o| o.summary.clone()),
                )],
            },
        }
    }
}

fn start_facts(record: &RunRecord<'_>) -> Vec<(&'static str, String)> {
    let (run, plan) = (record.run, record.plan);
    let approved: Vec<String> = record.approvals.iter().map(|approval| approval.by.name.clone()).collect();
    let (stopped, approved) = match run.operation.only_looks() {
        true => ("never: it only looks".to_owned(), "nobody has to: it changes nothing".to_owned()),
        false => (
            format!("{}, from {}", about(plan.prediction.write_unavailability_ms), plan.prediction.basis),
            format::list(&approved, 6),
        ),
    };
    vec![
        ("Direction", run.course.clone()),
        ("Writers stopped for", stopped),
        ("Whole run", about(plan.prediction.total_ms)),
        (
            "Scope",
            format!(
                "{}, {}",
                format::count(plan.content.topics.len(), "topic"),
                format::count(plan.content.groups.len(), "group")
            ),
        ),
        ("Approved by", if approved.is_empty() { "nobody".to_owned() } else { approved }),
        ("Use by", run.use_by.map_or_else(|| "no limit is kept".to_owned(), format::date_time)),
        ("Plan", format::short_hash(&run.plan_hash)),
    ]
}

fn undo_list(record: &RunRecord<'_>) -> String {
    let steps: Vec<String> = record
        .steps
        .iter()
        .rev()
        .filter(|step| step.undoable && step.state == StepState::Succeeded)
        .map(|step| format!("step {}, {}", step.position, step.title))
        .collect();
    if steps.is_empty() {
        "nothing has to be undone".to_owned()
    } else {
        format!("{}, in this order", steps.join("; "))
    }
}

fn skip_facts(step: &RunStep) -> Vec<(&'static str, String)> {
    vec![
        ("Step", format!("{} {}", step.position, step.title)),
        ("What went wrong", step.sentence.clone()),
        ("Tried", format::count(usize::try_from(step.attempt).unwrap_or(0), "time")),
    ]
}

/// Who hears of it when the glass is broken.
pub(crate) fn who_is_told(record: &RunRecord<'_>) -> String {
    let team = &record.run.team;
    match record.channels {
        [] => {
            format!("Muster can tell nobody: {team} has no channel that is switched on. Tell them yourself.")
        }
        [_] => format!("The one channel of {team} is told at once."),
        many => format!("All {} channels of {team} are told at once.", many.len()),
    }
}

/// Which channels that are, and what they are told.
fn told_where(record: &RunRecord<'_>) -> String {
    match record.channels {
        [] => format!("nobody: {} has no channel that is switched on", record.run.team),
        channels => format!("{}: your name and your reason", format::list(channels, 12)),
    }
}

/// Who looks at it afterwards, and what happens if nobody does.
fn reviewed_by(record: &RunRecord<'_>) -> String {
    format!(
        "within {} hours by an approver of {} who neither asked for the run nor started it; a finding of high severity \
         is raised if nobody does, or if it was not justified",
        REVIEW_WITHIN.num_hours(),
        record.run.team
    )
}

fn blocked_by(blockers: &[Concern]) -> String {
    if blockers.is_empty() {
        return "nothing but the missing approval".to_owned();
    }
    blockers.iter().map(|b| format!("{}: {}", b.code, b.reason)).collect::<Vec<_>>().join("; ")
}

fn broken_facts(broken: &BreakGlass) -> Vec<(&'static str, String)> {
    let overridden =
        if broken.overridden.is_empty() { "nothing".to_owned() } else { broken.overridden.join(", ") };
    vec![
        ("Started by", format!("{}, {}", broken.by.name, format::date_time(broken.at))),
        ("Their reason", broken.reason.clone()),
        ("Overridden", overridden),
        ("Review due", format::date_time(broken.review_due)),
    ]
}
