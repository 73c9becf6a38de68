//! The report of a run: a page made for printing. Executed and not executed, measured and not measured, all of it said.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Objectives,
    record::{Outcome, OutcomeCheck, Report, Vote},
    run::{Phase, RunState, StepState},
};

use crate::{
    chrome::Chrome,
    format,
    parts::{Course, Hash, Mark, Segment, Tone},
    words,
};

/// An objective, or something counted, and what was measured.
#[derive(Debug)]
struct Measured {
    name: &'static str,
    target: String,
    measured: String,
    method: &'static str,
    met: Mark,
}

/// A phase and its share of the time.
#[derive(Debug)]
struct PhaseRow {
    class: &'static str,
    no: usize,
    name: &'static str,
    took: String,
    share: String,
}

/// A group and how it resumed.
#[derive(Debug)]
struct GroupRow {
    name: String,
    did: Mark,
    first: String,
}

/// A step as it came out.
#[derive(Debug)]
struct StepLine {
    no: i32,
    title: String,
    state: Mark,
    when: String,
    sentence: String,
}

/// `GET /runs/{id}/report`.
#[derive(Debug, Template)]
#[template(path = "pages/report.html")]
pub struct ReportPage {
    chrome: Chrome,
    id: String,
    number: i64,
    kind: &'static str,
    heading: String,
    course: Course,
    tone: &'static str,
    icon: &'static str,
    verdict: String,
    verdict_text: String,
    facts_left: Vec<(&'static str, String)>,
    facts_right: Vec<(&'static str, String)>,
    plan_hash: Hash,
    measured: Vec<Measured>,
    total: String,
    total_label: String,
    segments: Vec<Segment>,
    phases: Vec<PhaseRow>,
    checks: Vec<(Mark, OutcomeCheck)>,
    groups: Vec<GroupRow>,
    events: Vec<(String, bool, String)>,
    approvals: Vec<(&'static str, String)>,
    steps: Vec<StepLine>,
    steps_said: String,
    hash: Hash,
    format: i32,
}

impl ReportPage {
    /// The page of a report; `objectives` are those of the pair, if it is still there.
    #[must_use]
    pub fn new(chrome: Chrome, report: &Report, objectives: Option<&Objectives>) -> Self {
        let (run, plan) = (&report.run, &report.plan);
        let pair = run.pair.as_str();
        let (tone, icon, word) = words::run_state(run.state);
        let none = Outcome::default();
        let outcome = run.outcome.as_ref().unwrap_or(&none);
        let total: i64 = outcome.rto_ms_by_phase.values().sum();
        let executed = report.steps.iter().filter(|step| step.state == StepState::Succeeded).count();
        Self {
            chrome: chrome
                .titled(format!("Report of {}", words::run_name(run)))
                .here("report")
                .under("/runs", "Runs")
                .under(format!("/runs/{}", run.id), words::run_name(run)),
            id: run.id.to_string(),
            number: run.number,
            kind: if run.drill { "Drill report" } else { "Report" },
            heading: format!("{} of {pair}", words::operation(run.operation)),
            course: Course::of_run(&run.course).big(),
            tone: tone.class(),
            icon,
            verdict: word.to_uppercase(),
            verdict_text: verdict_text(run.state, &outcome.summary),
            facts_left: vec![
                ("Date", span(run.started_at, run.ended_at)),
                (
                    "Kind",
                    format!(
                        "{}{}",
                        words::operation(run.operation),
                        if run.drill { ", as a drill" } else { "" }
                    ),
                ),
                ("Reason", run.reason.clone()),
                (
                    "Scope",
                    format!(
                        "{}, {}",
                        format::count(plan.content.topics.len(), "topic"),
                        format::count(plan.content.groups.len(), "group")
                    ),
                ),
            ],
            facts_right: vec![
                ("Asked by", format!("{}, {}", run.requested_by.name, format::date_time(run.created_at))),
                ("Driven by", run.driver.as_ref().map_or_else(|| "nobody".to_owned(), |d| d.name.clone())),
                ("Team", run.team.to_string()),
                ("No return", run.no_return_at.map_or_else(|| "not passed".to_owned(), format::date_time)),
            ],
            plan_hash: Hash::whole(&run.plan_hash),
            measured: measured(outcome, total, objectives),
            total: format::duration(total),
            total_label: phase_label(outcome, total),
            segments: segments(outcome, total),
            phases: phase_rows(outcome, total),
            checks: outcome.checks.iter().map(|check| (check_mark(check), check.clone())).collect(),
            groups: groups(outcome),
            events: report
                .events
                .iter()
                .map(|e| (format::time(e.at), e.kind == "state", e.message.clone()))
                .collect(),
            approvals: approvals(report),
            steps: report.steps.iter().map(step_line).collect(),
            steps_said: format!("{executed} of {} executed", report.steps.len()),
            hash: Hash::whole(&report.hash),
            format: report.format,
        }
    }
}

fn verdict_text(state: RunState, summary: &str) -> String {
    match (summary.is_empty(), state.ended()) {
        (false, _) => summary.to_owned(),
        (true, true) => "No outcome was kept for this run.".to_owned(),
        (true, false) => "The run has not ended; this is what is known so far.".to_owned(),
    }
}

fn span(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{} to {} UTC", format::date_time(from), format::time(to)),
        (Some(from), None) => format!("{} UTC, not ended", format::date_time(from)),
        (None, _) => "never started".to_owned(),
    }
}

fn met(passed: Option<bool>) -> Mark {
    match passed {
        Some(true) => Mark::new(Tone::Ok, "Met"),
        Some(false) => Mark::new(Tone::Bad, "Missed"),
        None => Mark::new(Tone::Unk, "Not measured"),
    }
}

fn check_mark(check: &OutcomeCheck) -> Mark {
    match check.passed {
        Some(true) => Mark::new(Tone::Ok, "Passed"),
        Some(false) => Mark::new(Tone::Bad, "Failed"),
        None => Mark::new(Tone::Unk, "Not determined"),
    }
}

fn measured(outcome: &Outcome, total: i64, objectives: Option<&Objectives>) -> Vec<Measured> {
    let said =
        |value: Option<i64>, say: fn(i64) -> String| value.map_or_else(|| "not measured".to_owned(), say);
    let sum = |values: Vec<Option<i64>>| -> Option<i64> {
        if values.is_empty() { None } else { values.into_iter().sum() }
    };
    let again = sum(outcome.reprocessed_by_group.values().copied().collect());
    let skipped = sum(outcome.skipped_by_group.values().copied().collect());
    let people = outcome.rto_ms_by_phase.get(&Phase::Decide).copied().unwrap_or(0);
    let rto = objectives.map(|objectives| objectives.rto_seconds * 1000);
    let machine = (total > 0).then_some(total - people);
    let zero = |value: Option<i64>| met(value.map(|n| n == 0));
    let noted = |value: Option<i64>| match value {
        Some(_) => Mark::new(Tone::Idle, "No objective"),
        None => met(None),
    };
    let row = |name, target: &str, measured, method, met| Measured {
        name,
        target: target.to_owned(),
        measured,
        method,
        met,
    };
    vec![
        Measured {
            name: "RTO, people not counted",
            target: rto.map_or_else(|| "none set".to_owned(), format::duration),
            measured: said(machine, format::duration),
            method: "sum of the phases by the database's clock",
            met: met(machine.zip(rto).map(|(machine, rto)| machine <= rto)),
        },
        row(
            "Records lost",
            "0",
            said(outcome.lost_records, format::number),
            "both sides compared record by record",
            zero(outcome.lost_records),
        ),
        row(
            "Records skipped by groups",
            "0",
            said(skipped, format::number),
            "position there against the record it stood at here",
            zero(skipped),
        ),
        row(
            "Records read again by groups",
            "none set",
            said(again, format::number),
            "position there against the record it stood at here",
            noted(again),
        ),
        row(
            "Writes away",
            "none set",
            said(outcome.write_unavailability_ms, format::duration),
            "last write here to first write there, by the records' timestamps",
            noted(outcome.write_unavailability_ms),
        ),
        row(
            "Fence to unfence",
            "none set",
            said(outcome.write_fence_ms, format::duration),
            "both proven; an upper bound that needs no application",
            noted(outcome.write_fence_ms),
        ),
    ]
}

fn phase_label(outcome: &Outcome, total: i64) -> String {
    let phases: Vec<String> = outcome
        .rto_ms_by_phase
        .iter()
        .map(|(p, ms)| format!("{} {}", words::phase(*p), format::duration(*ms)))
        .collect();
    format!("{} by phase: {}", format::duration(total), phases.join(", "))
}

fn segments(outcome: &Outcome, total: i64) -> Vec<Segment> {
    // The last eighth is for the sum beside the bar.
    let room = (total * 8 / 7).max(1);
    let mut at = 0;
    let mut segments = Vec::new();
    for (i, (phase, ms)) in outcome.rto_ms_by_phase.iter().enumerate() {
        let x = crate::parts::percent(at, room);
        let width = crate::parts::percent(*ms, room);
        let no = if width > 2.0 { (i + 1).to_string() } else { String::new() };
        segments.push(Segment { class: words::phase_class(*phase), x, width, middle: x + width / 2.0, no });
        at += ms;
    }
    segments
}

fn phase_rows(outcome: &Outcome, total: i64) -> Vec<PhaseRow> {
    let share = |ms: i64| format!("{} %", crate::parts::percent(ms, total));
    outcome
        .rto_ms_by_phase
        .iter()
        .enumerate()
        .map(|(i, (phase, ms))| PhaseRow {
            class: words::phase_class(*phase),
            no: i + 1,
            name: words::phase(*phase),
            took: format::duration(*ms),
            share: share(*ms),
        })
        .collect()
}

fn groups(outcome: &Outcome) -> Vec<GroupRow> {
    let names: std::collections::BTreeSet<&String> =
        outcome.reprocessed_by_group.keys().chain(outcome.skipped_by_group.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            let skipped = outcome.skipped_by_group.get(name).copied().flatten();
            let again = outcome.reprocessed_by_group.get(name).copied().flatten();
            let first = outcome.resumed_ms_by_group.get(name).copied().flatten();
            let did = match (skipped, again) {
                (Some(0), Some(0)) => Mark::new(Tone::Ok, "resumed exactly"),
                (Some(0), Some(n)) => {
                    Mark::new(Tone::Warn, format!("read {} records twice", format::number(n)))
                }
                (Some(n), _) => Mark::new(Tone::Bad, format!("skipped {} records", format::number(n))),
                (None, _) => Mark::new(Tone::Unk, "was not proved"),
            };
            GroupRow {
                name: name.clone(),
                did,
                first: first.map_or_else(|| "not seen".to_owned(), format::duration),
            }
        })
        .collect()
}

fn approvals(report: &Report) -> Vec<(&'static str, String)> {
    let run = &report.run;
    let mut rows = vec![("Asked", format!("{}, {}", run.requested_by.name, format::time(run.created_at)))];
    for approval in &report.approvals {
        let word = match approval.vote {
            Vote::Approve => "Approved",
            Vote::Reject => "Rejected",
        };
        let comment =
            if approval.comment.is_empty() { String::new() } else { format!(", “{}”", approval.comment) };
        rows.push((word, format!("{}, {}{comment}", approval.by.name, format::time(approval.at))));
    }
    for event in report.events.iter().filter(|event| event.kind == "decision") {
        rows.push(("Decided", format!("{}, {}", event.message, format::time(event.at))));
    }
    rows
}

fn step_line(step: &muster_domain::record::RunStep) -> StepLine {
    let state = match step.state {
        StepState::Succeeded => Mark::new(Tone::Ok, "executed"),
        StepState::Skipped => Mark::with_icon(Tone::Warn, "skip", "skipped"),
        StepState::Undone => Mark::with_icon(Tone::Idle, "undo", "undone"),
        StepState::NotStarted => Mark::new(Tone::Idle, "not executed"),
        StepState::Unknown => Mark::new(Tone::Unk, "unknown"),
        StepState::Failed | StepState::FailedRetryable | StepState::UndoFailed => {
            Mark::new(Tone::Bad, "failed")
        }
        StepState::Running | StepState::WaitingForInput | StepState::Undoing => {
            Mark::new(Tone::Run, "under way")
        }
    };
    let when = match (step.started_at, step.ended_at) {
        (Some(start), Some(end)) => {
            format!("{}, {}", format::time(start), format::duration((end - start).num_milliseconds()))
        }
        (Some(start), None) => format::time(start),
        (None, _) => "not begun".to_owned(),
    };
    let retried = if step.attempt > 1 { format!(" (attempt {})", step.attempt) } else { String::new() };
    StepLine {
        no: step.position,
        title: step.title.clone(),
        state,
        when,
        sentence: format!("{}{retried}", step.sentence),
    }
}
