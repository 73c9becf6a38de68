//! The report of a run: a page made for printing. Executed and not executed, measured and not measured, all of it said.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Objectives,
    record::{Outcome, OutcomeCheck, Report},
    run::{RunState, StepState},
};

use crate::{
    chrome::Chrome,
    findings::FindingRow,
    format,
    parts::{Course, Hash, Mark, Segment},
    report_rows::{
        GroupRow, Measured, PhaseRow, StepLine, approvals, check_mark, groups, measured, phase_label,
        phase_rows, segments, step_line,
    },
    words,
};

/// `GET /runs/{id}/report`.
#[derive(Debug, Template)]
#[template(path = "pages/report.html")]
pub struct ReportPage {
    chrome: Chrome,
    id: String,
    pair: String,
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
    rows: Vec<FindingRow>,
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
        let today = chrome.now().date_naive();
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
            pair: pair.to_owned(),
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
            measured: measured(outcome, objectives),
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
            rows: report.findings.iter().map(|finding| FindingRow::new(finding, today)).collect(),
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
