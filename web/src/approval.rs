//! The approval page: for each person, why they can decide and why they cannot; two clocks; who voted; what it is
//! bound to.

pub use crate::votes::may_decide;

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    people::Actor, plan::Concern, plan_difference::PlanDifference, reading::Reading, record::Run,
    run::RunState,
};

use crate::{
    chrome::Chrome,
    format,
    parts::{Bar, Course, Field, Hash, Pill, ReadingView, Unit, When},
    plan::{PlannedPhase, about, at_stake, planned_phases, predicted_loss},
    plan_difference::DifferencePanel,
    run::RunRecord,
    votes::{Voter, approvals_given, voters},
    words,
};

/// One of the two clocks.
#[derive(Debug)]
struct Clock {
    question: String,
    value: String,
    bar: Bar,
    then: String,
}

/// A number that is approved.
#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: String,
    reading: Option<ReadingView>,
    source: String,
}

/// `GET /runs/{id}/approval`; posts [`crate::forms::VoteForm`] to `/runs/{id}/approve` and `/runs/{id}/reject`.
#[derive(Debug, Template)]
#[template(path = "pages/approval.html")]
pub struct ApprovalPage {
    chrome: Chrome,
    id: String,
    number: i64,
    heading: String,
    doing: String,
    course: Course,
    course_text: String,
    from: String,
    pair: String,
    pill: Pill,
    drill: bool,
    asked_by: String,
    asked_at: When,
    reason: String,
    figures: Vec<Figure>,
    phases: Vec<PlannedPhase>,
    basis: String,
    warnings: Vec<Concern>,
    difference: DifferencePanel,
    clocks: Vec<Clock>,
    given: String,
    may: Result<String, String>,
    accept: String,
    comment: Field,
    voters: Vec<Voter>,
    voters_note: String,
    plan_href: String,
    hash: Hash,
    hash_value: String,
}

impl ApprovalPage {
    /// The page for the signed-in person. `approvers` are the people with the approver role for the run's team; `rpo`
    /// is the pair's worst reading in records, if there is one.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        record: &RunRecord<'_>,
        difference: &PlanDifference,
        approvers: &[Actor],
        rpo: Option<&Reading>,
        errors: &[(String, String)],
    ) -> Self {
        let (run, now) = (record.run, chrome.now());
        let pair = run.pair.to_string();
        let may = may_decide(run, record.approvals, chrome.facts.person.as_ref());
        let given = approvals_given(run, record.approvals);
        let warnings = record.plan.warnings.clone();
        Self {
            voters: voters(run, record.approvals, approvers, chrome.facts.person.as_ref(), now),
            voters_note: format!("{} of {} needed", run.approvals_needed, approvers.len()),
            chrome: chrome
                .titled(format!("Decide on {}: {}", words::run_name(run), words::asks(run.operation, &pair)))
                .here(words::run_name(run))
                .under("/runs?state=awaiting_approval", "Approvals"),
            id: run.id.to_string(),
            number: run.number,
            heading: words::asks(run.operation, &pair),
            doing: words::doing(run.operation, &pair),
            course: Course::of_run(&run.course).big(),
            course_text: run.course.clone(),
            from: record.from().to_owned(),
            pill: state_pill(run, given),
            drill: run.drill,
            asked_by: run.requested_by.name.clone(),
            asked_at: When::moment(now, run.created_at),
            reason: run.reason.clone(),
            figures: figures(record, rpo, now),
            phases: planned_phases(&record.plan.content.steps),
            basis: record.plan.prediction.basis.clone(),
            accept: match warnings.len() {
                0 => String::new(),
                1 => "I accept the warning listed here".to_owned(),
                n => format!("I accept the {n} warnings listed here"),
            },
            warnings,
            difference: DifferencePanel::new(difference, record.plan),
            clocks: clocks(record, now),
            given: format!("{given} of {} approvals given", run.approvals_needed),
            may,
            comment: Field::area("comment", "Comment, kept in the evidence", "", 2)
                .help("Needed to reject.")
                .errors(errors),
            plan_href: format!("/plans/{}", run.plan),
            hash: Hash::whole(&run.plan_hash),
            hash_value: run.plan_hash.clone(),
            pair,
        }
    }
}

fn state_pill(run: &Run, given: usize) -> Pill {
    let (tone, icon, word) = words::run_state(run.state);
    let needed = usize::try_from(run.approvals_needed).unwrap_or(usize::MAX);
    match (run.state, needed.saturating_sub(given)) {
        (RunState::AwaitingApproval, n) => {
            Pill::with_icon(tone, icon, format!("Waits for {}", format::count(n, "more approval")))
        }
        _ => Pill::with_icon(tone, icon, word),
    }
}

fn figures(record: &RunRecord<'_>, rpo: Option<&Reading>, now: DateTime<Utc>) -> Vec<Figure> {
    let (plan, from) = (record.plan, record.from());
    let partitions: i64 = plan.content.topics.iter().map(|topic| i64::from(topic.partitions)).sum();
    let plain = |name, value: String, source: String| Figure { name, value, reading: None, source };
    let basis = || plan.prediction.basis.clone();
    let objective = record.objectives.map_or_else(
        || "no objective is set".to_owned(),
        |objectives| {
            format!("objective {}, people not counted; {}", format::seconds(objectives.rto_seconds), basis())
        },
    );
    let (lost, why) = predicted_loss(plan);
    let mut figures = vec![plain("Records lost, all going to plan", lost, why)];
    if let Some((lost, read)) = at_stake(plan) {
        figures.push(plain("Records lost if the active side had died when this was planned", lost, read));
    }
    if !plan.content.operation.only_looks() {
        figures.push(Figure {
            name: "Records lost if the active side dies before the drain",
            value: if rpo.is_none() { "no reading".to_owned() } else { String::new() },
            reading: rpo.map(|reading| ReadingView::new(reading, Unit::Records, now).inline()),
            source: rpo.map_or_else(
                || format!("nobody can say now what {from} alone holds"),
                |reading| format!("on {from} only, read {}", format::ago(now, reading.at)),
            ),
        });
    }
    figures.extend([
        plain("Writers stopped for", about(plan.prediction.write_unavailability_ms), basis()),
        plain("Whole run", about(plan.prediction.total_ms), objective),
        plain(
            "Topics that move",
            plan.content.topics.len().to_string(),
            format!("{} partitions", format::number(partitions)),
        ),
        plain(
            "Groups that move",
            plan.content.groups.len().to_string(),
            "each resumes where it is proven to be".to_owned(),
        ),
        plain("Warnings", plan.warnings.len().to_string(), "listed below".to_owned()),
    ]);
    figures
}

/// How much of the time that people have is used.
fn clock(id: &str, name: &str, used: i64, whole: i64) -> Bar {
    let figures = format!("{} of {} used", format::seconds(used), format::seconds(whole));
    Bar::of(id, name, used, whole, figures).human()
}

fn clocks(record: &RunRecord<'_>, now: DateTime<Utc>) -> Vec<Clock> {
    let run = record.run;
    let whole = (run.decide_by - run.created_at).num_seconds();
    let used = (now - run.created_at).num_seconds();
    let decide = Clock {
        question: format!("Decide by {}", format::moment(now, run.decide_by)),
        value: format!("{} left", format::left(now, run.decide_by)),
        bar: clock("decide", "Time to decide", used, whole),
        then: "then the request lapses and nothing happens".to_owned(),
    };
    let requester = &run.requested_by.name;
    let use_by = match (run.approved_at, run.use_by) {
        (Some(at), Some(by)) => {
            let (whole, used) = ((by - at).num_seconds(), (now - at).num_seconds());
            Clock {
                question: format!("Use by {}", format::moment(now, by)),
                value: format!("{} left", format::left(now, by)),
                bar: clock("use", "Time to start it", used, whole),
                then: format!(
                    "an operator such as {requester} must start it before; then the approvals lapse"
                ),
            }
        }
        (_, use_by) => Clock {
            question: use_by.map_or_else(
                || "Use by, once approved".to_owned(),
                |by| format!("Use by {}, if approved now", format::moment(now, by)),
            ),
            value: "not begun".to_owned(),
            bar: Bar::of("use", "Time to start it", 0, 1, "not begun").human(),
            then: format!(
                "begins with the last approval; an operator such as {requester} must start it within it"
            ),
        },
    };
    vec![decide, use_by]
}
