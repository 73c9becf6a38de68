//! The part of a run's page that changes: `GET /runs/{id}/live`. Nothing in it is a form a person types into, so it may
//! be swapped at any time.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    break_glass::{BreakGlass, Verdict},
    people::Actor,
    record::{Run, RunStep},
    run::{RunEvent, RunState, StepState},
};

use crate::{
    chrome::Brake,
    format,
    parts::{Action, Hash, Notice, Pill, Tone, When},
    run::RunRecord,
    run_actions::actions,
    run_stats::RunStats,
    run_steps::PhaseRows,
    words,
};

/// Most events shown on the live page; all of them are in the report.
const LOG_ROWS: usize = 60;

/// One line of the log.
#[derive(Debug, Clone)]
struct LogRow {
    at: When,
    class: &'static str,
    message: String,
    by: String,
}

/// See the module.
#[derive(Debug, Template)]
#[template(path = "parts/run_live.html")]
pub struct RunLive {
    id: String,
    read_at: String,
    ended: bool,
    pill: Pill,
    hash: Hash,
    number: i64,
    drill: bool,
    notices: Vec<Notice>,
    stats: RunStats,
    steps_heading: String,
    steps_note: String,
    plan_href: String,
    running: Vec<Lane>,
    phases: Vec<PhaseRows>,
    actions: Vec<Action>,
    actions_note: String,
    log: Vec<LogRow>,
    log_left_out: usize,
}
impl HtmlSafe for RunLive {}

/// What runs right now on one of the two paths.
#[derive(Debug, Clone)]
struct Lane {
    name: &'static str,
    title: String,
    since: String,
}

impl RunLive {
    /// The live part for one person.
    #[must_use]
    pub fn new(record: &RunRecord<'_>, viewer: Option<&Actor>, brake: &Brake, now: DateTime<Utc>) -> Self {
        let run = record.run;
        let actions = actions(record, viewer, brake, now);
        let refused = actions.iter().filter(|action| !action.offered()).count();
        Self {
            id: run.id.to_string(),
            read_at: format::iso(now),
            ended: run.state.ended(),
            pill: words::run_pill(run.state, record.steps),
            hash: Hash::short(&run.plan_hash),
            number: run.number,
            drill: run.drill,
            notices: notices(record),
            stats: RunStats::new(record, now),
            steps_heading: format::count(record.steps.len(), "step"),
            steps_note: steps_note(record),
            plan_href: format!("/plans/{}", run.plan),
            running: lanes(record.steps, now),
            phases: PhaseRows::all(record, now),
            actions_note: match (actions.len(), refused) {
                (0, _) => "the run has ended; nothing can change it".to_owned(),
                (_, 0) => String::new(),
                (_, n) => format!("{n} refused, with the rule"),
            },
            actions,
            log: record
                .events
                .iter()
                .rev()
                .take(LOG_ROWS)
                .map(|event| log_row(event, record.steps))
                .collect(),
            log_left_out: record.events.len().saturating_sub(LOG_ROWS),
        }
    }
}

fn steps_note(record: &RunRecord<'_>) -> String {
    let with = |wanted: &[StepState]| record.steps.iter().filter(|step| wanted.contains(&step.state)).count();
    let done = with(&[StepState::Succeeded]);
    let skipped = with(&[StepState::Skipped]);
    let running = with(&[
        StepState::Running,
        StepState::WaitingForInput,
        StepState::Undoing,
        StepState::FailedRetryable,
    ]);
    let todo = with(&[StepState::NotStarted]);
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    let basis = &record.plan.prediction.basis;
    format!("{done} done{skipped}, {running} running, {todo} to come; estimates: {basis}")
}

/// The write path never waits for the read path, so two steps may run at once.
fn lanes(steps: &[RunStep], now: DateTime<Utc>) -> Vec<Lane> {
    let running: Vec<&RunStep> = steps.iter().filter(|step| step.state == StepState::Running).collect();
    if running.len() < 2 {
        return Vec::new();
    }
    running
        .into_iter()
        .map(|step| Lane {
            name: crate::run_steps::lane(step).unwrap_or("Both paths"),
            title: format!("{} {}", step.position, step.title),
            since: step.started_at.map(|at| format::clock((now - at).num_milliseconds())).unwrap_or_default(),
        })
        .collect()
}

fn notices(record: &RunRecord<'_>) -> Vec<Notice> {
    let run = record.run;
    let mut notices: Vec<Notice> = record.steps.iter().filter_map(asked).collect();
    notices.extend(record.break_glass.map(|broken| without_approval(run, broken)));
    notices.extend(of_state(run));
    notices.extend(reached(run));
    notices
}

/// What a step asks a person.
fn asked(step: &RunStep) -> Option<Notice> {
    let question = step.question.as_ref().filter(|_| step.state == StepState::WaitingForInput)?;
    let figures: Vec<String> =
        question.figures.iter().map(|(label, value)| format!("{label}: {value}")).collect();
    let lead = format!("Step {} asks a person.", step.position);
    Some(Notice::new(Tone::Warn, lead, question.prompt.clone()).icon("human").more(figures.join(" · ")))
}

/// Why it is in its state, where that needs to be said.
fn of_state(run: &Run) -> Option<Notice> {
    let why = |tone, icon, lead: &str| Some(Notice::new(tone, lead, run.state_reason.clone()).icon(icon));
    match run.state {
        RunState::PausedByFailure => why(Tone::Bad, "bad", "A step failed and a person must judge it."),
        RunState::PausedByOperator => why(Tone::Warn, "pause", "The run holds at a step boundary."),
        RunState::Stuck => why(Tone::Bad, "bad", "An undo failed. The pair is between two states."),
        RunState::RollingBack => {
            why(Tone::Warn, "undo", "Undoing: writes return first, then in reverse order.")
        }
        RunState::Rejected
        | RunState::Expired
        | RunState::Inconclusive
        | RunState::Failed
        | RunState::ClosedManually => why(Tone::Idle, "na", words::run_state(run.state).2),
        RunState::AwaitingApproval => Some(
            Notice::new(Tone::Warn, "Nothing starts before it is approved.", "")
                .icon("human")
                .link(format!("/runs/{}/approval", run.id), format!("Decide on run {}", run.number)),
        ),
        RunState::Blocked => why(Tone::Bad, "bad", "It cannot be approved as things stand."),
        RunState::AwaitingAttestation => why(Tone::Warn, "human", "Somebody else must attest it."),
        RunState::Approved
        | RunState::Running
        | RunState::WaitingForInput
        | RunState::RolledBack
        | RunState::Verifying
        | RunState::Succeeded
        | RunState::SucceededWithExceptions
        | RunState::CleaningUp
        | RunState::CleanupIncomplete
        | RunState::Passed => None,
    }
}

/// What a run that has ended reached.
fn reached(run: &Run) -> Option<Notice> {
    let outcome = run.outcome.as_ref().filter(|_| run.state.ended())?;
    let (tone, icon, word) = words::run_state(run.state);
    Some(
        Notice::new(tone, format!("{word}."), outcome.summary.clone())
            .icon(icon)
            .link(format!("/runs/{}/report", run.id), format!("Report of run {}", run.number)),
    )
}

/// Stays on the run for good: who reads it later must not take it for an approved one.
fn without_approval(run: &Run, broken: &BreakGlass) -> Notice {
    let lead = format!("{} started it without approval.", broken.by.name);
    let overrode = match broken.overridden.as_slice() {
        [] => String::new(),
        codes => format!(" Overridden: {}.", codes.join(", ")),
    };
    let said = format!("“{}”{overrode}", broken.reason);
    match &broken.review {
        None => Notice::new(Tone::Warn, lead, said)
            .icon("warn")
            .more(format!("Somebody else reviews it by {}.", format::date_time_utc(broken.review_due)))
            .link(format!("/runs/{}/review", run.id), format!("Review the start of run {}", run.number)),
        Some(review) => {
            let (tone, word) = match review.verdict {
                Verdict::Justified => (Tone::Idle, "justified"),
                Verdict::NotJustified => (Tone::Bad, "not justified"),
            };
            let judged = format!("{} judged that {word}: “{}”", review.by.name, review.comment);
            Notice::new(tone, lead, said).icon("warn").more(judged)
        }
    }
}

fn log_row(event: &RunEvent, steps: &[RunStep]) -> LogRow {
    let position = event.step.as_ref().and_then(|name| steps.iter().find(|step| step.name == *name));
    let by = position.map_or_else(|| event.kind.clone(), |step| format!("step {}", step.position));
    let failed = event.kind == "step" && event.message.contains("failed");
    let class = if failed { "warn-t" } else { "" };
    LogRow { at: When::time(event.at), class, message: event.message.clone(), by }
}
