//! The numbers at the head of a run: its clock, how long writers are stopped, how long people were waited for.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    record::RunStep,
    run::{Phase, RunState, StepState},
};

use crate::{format, parts::Bar, run::RunRecord};

/// The step after which applications may write on the side they move to.
const LETS_IN: &str = "unfence_standby";
/// The step that looks for the first of their writes there.
const FIRST_WRITE: &str = "watch_first_write";

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/run_stats.html")]
pub(crate) struct RunStats {
    clock: String,
    clock_of: String,
    clock_note: String,
    bar: Option<Bar>,
    writers: String,
    writers_note: String,
    people: String,
    people_note: String,
    lost: String,
    lost_note: String,
    driver: String,
    driver_note: String,
}
impl HtmlSafe for RunStats {}

impl RunStats {
    /// As they stand at `now`.
    pub(crate) fn new(record: &RunRecord<'_>, now: DateTime<Utc>) -> Self {
        let run = record.run;
        let end = run.ended_at.unwrap_or(now);
        let used = run.started_at.map(|at| (end - at).num_milliseconds());
        let (human, waits) = human_wait(record.steps, end);
        let rest: i64 = remaining(record.steps, now);
        let objective = record.objectives.map(|objectives| objectives.rto_seconds * 1000);
        let (writers, writers_note) = writers_stopped(record, end);
        let (lost, lost_note) = lost(record);
        Self {
            clock: used.map_or_else(|| "not started".to_owned(), format::clock),
            clock_of: clock_of(objective, used, rest, run.ended_at.is_some()),
            clock_note: match (run.started_at, run.ended_at) {
                (Some(at), Some(ended)) => format!("{} to {} UTC", format::time(at), format::time(ended)),
                (Some(at), None) => format!("started {}, people's time included", format::time(at)),
                (None, _) => "the clock starts with the first step".to_owned(),
            },
            bar: used.zip(objective).map(|(used, objective)| clock_bar(record, used, rest, human, objective)),
            writers,
            writers_note,
            people: format::clock(human),
            people_note: match waits {
                0 => "no person was waited for".to_owned(),
                n => format!("in {}", format::count(n, "wait")),
            },
            lost,
            lost_note,
            driver: run.driver.as_ref().map_or_else(|| "nobody yet".to_owned(), |person| person.name.clone()),
            driver_note: match run.started_at {
                Some(at) => format!("since {}", format::time(at)),
                None => format!("asked by {}", run.requested_by.name),
            },
        }
    }
}

fn clock_of(objective: Option<i64>, used: Option<i64>, rest: i64, ended: bool) -> String {
    let objective =
        objective.map_or_else(|| "no objective".to_owned(), |ms| format!("of {}", format::clock(ms)));
    match used {
        Some(used) if !ended && rest > 0 => format!("{objective}, forecast {}", format::clock(used + rest)),
        Some(_) | None => objective,
    }
}

fn clock_bar(record: &RunRecord<'_>, used: i64, rest: i64, human: i64, objective: i64) -> Bar {
    let rest = if record.run.ended_at.is_some() { 0 } else { rest };
    let whole = (objective * 16 / 15).max((used + rest) * 21 / 20).max(1);
    let label = format!(
        "{} used, objective {}, of which {} waiting for people",
        format::duration(used),
        format::duration(objective),
        format::duration(human)
    );
    let began = record.steps.iter().find(|step| is_human(step)).and_then(|step| step.started_at);
    let bar = Bar::of("clock", "Clock of the run", used, whole, label)
        .mark(objective, whole)
        .forecast(used, rest, whole);
    match began.zip(record.run.started_at) {
        Some((began, started)) if human > 0 => {
            bar.human_part((began - started).num_milliseconds(), human, whole)
        }
        Some(_) | None => bar,
    }
}

fn is_human(step: &RunStep) -> bool {
    step.phase == Phase::Decide || step.question.is_some()
}

fn human_wait(steps: &[RunStep], end: DateTime<Utc>) -> (i64, usize) {
    let waits: Vec<i64> = steps
        .iter()
        .filter(|step| is_human(step))
        .filter_map(|step| step.started_at.map(|at| (step.ended_at.unwrap_or(end) - at).num_milliseconds()))
        .collect();
    (waits.iter().sum(), waits.len())
}

/// What is still expected of the machines, by the plan's estimates.
fn remaining(steps: &[RunStep], now: DateTime<Utc>) -> i64 {
    let expected = |step: &RunStep| step.expected_ms.unwrap_or(0);
    steps
        .iter()
        .map(|step| match (step.state, step.started_at) {
            (StepState::NotStarted, _) => expected(step),
            (StepState::Running, Some(at)) => (expected(step) - (now - at).num_milliseconds()).max(0),
            _ => 0,
        })
        .sum()
}

fn writers_stopped(record: &RunRecord<'_>, end: DateTime<Utc>) -> (String, String) {
    if let Some(ms) = record.run.outcome.as_ref().and_then(|outcome| outcome.write_unavailability_ms) {
        return (
            format::duration(ms),
            "from the start of the fence to the first write seen there, so never too short".to_owned(),
        );
    }
    let fence = record.steps.iter().find(|step| step.phase == Phase::Fence);
    let begun = fence.and_then(|fence| fence.started_at.map(|since| (fence, since)));
    if let Some((since, until)) = begun.and_then(|(fence, since)| Some((since, undone_at(fence)?))) {
        let (until_when, from) = (format::time(until), record.from());
        let note = format!("until {until_when}, when the fence was undone; {from} takes writes again");
        return (format::duration((until - since).num_milliseconds()), note);
    }
    if let Some(why) = left_to_people(record) {
        return ("not known".to_owned(), why.to_owned());
    }
    match begun {
        None => not_stopped(record),
        Some((fence, since)) => stopped_since(record, fence, since, end),
    }
}

fn undone_at(step: &RunStep) -> Option<DateTime<Utc>> {
    step.ended_at.filter(|_| step.state == StepState::Undone)
}

/// Why nothing that is kept of the run says which side takes writes.
fn left_to_people(record: &RunRecord<'_>) -> Option<&'static str> {
    if record.run.state == RunState::ClosedManually {
        return Some("closed by hand: only the clusters can tell");
    }
    record.run.is_restored().then_some("restored from a backup: look at both clusters first")
}

fn not_stopped(record: &RunRecord<'_>) -> (String, String) {
    ("not stopped".to_owned(), format!("{} takes writes", record.from()))
}

/// With a fence that was begun and is not undone.
fn stopped_since(
    record: &RunRecord<'_>,
    fence: &RunStep,
    since: DateTime<Utc>,
    end: DateTime<Utc>,
) -> (String, String) {
    let (from, at, so_far) = (record.from(), format::time(since), stopped_for(since, end));
    match (fence.state, record.run.no_return_at) {
        (StepState::UndoFailed, _) => {
            ("not known".to_owned(), format!("undoing the fence failed, so {from} may not take writes"))
        }
        (StepState::Undoing, _) => (so_far, format!("since {at}; being given back to {from} now")),
        (_, None) if passed_over(record, fence) => not_stopped(record),
        (_, None) => (so_far, format!("since {at}; no side takes writes")),
        (_, Some(_)) => past_no_return(record, since, end),
    }
}

/// The point of no return lets nobody in: the step behind it does, and may fail.
fn past_no_return(record: &RunRecord<'_>, since: DateTime<Utc>, end: DateTime<Utc>) -> (String, String) {
    let to = record.to();
    let step = |name: &str| record.steps.iter().find(|step| step.name == name);
    let took = |until: DateTime<Utc>| format::duration((until - since).num_milliseconds());
    let seen = step(FIRST_WRITE)
        .filter(|step| step.state == StepState::Succeeded && step.evidence["seen"] == true)
        .and_then(|step| step.ended_at);
    if let Some(seen) = seen {
        let note = format!("until {}, when a first write on {to} had been seen", format::time(seen));
        return (took(seen), note);
    }
    match step(LETS_IN).map(|step| (step.state, step.ended_at)) {
        Some((StepState::Succeeded, Some(open))) => {
            let note =
                format!("until {}, when {to} was opened; no write there is seen yet", format::time(open));
            (format!("at least {}", took(open)), note)
        }
        None | Some((StepState::Skipped, _)) => {
            let why = "past the point of no return; only the clusters can tell which side takes writes";
            ("not known".to_owned(), why.to_owned())
        }
        Some(_) => {
            let note = format!("since {}; {to} is not known to take writes yet", format::time(since));
            (stopped_for(since, end), note)
        }
    }
}

fn stopped_for(since: DateTime<Utc>, end: DateTime<Utc>) -> String {
    format::clock((end - since).num_milliseconds())
}

/// Whether the way back did not need the fence: it is undone before anything else, unless it failed before it kept what its
/// undo needs, and so never acted.
fn passed_over(record: &RunRecord<'_>, fence: &RunStep) -> bool {
    let undoes =
        |step: &RunStep| matches!(step.state, StepState::Undoing | StepState::Undone | StepState::UndoFailed);
    let goes_back = record.run.state == RunState::RolledBack || record.steps.iter().any(undoes);
    goes_back && fence.state != StepState::Succeeded
}

fn lost(record: &RunRecord<'_>) -> (String, String) {
    match record.run.outcome.as_ref().map(|outcome| outcome.lost_records) {
        Some(Some(n)) => (format!("= {}", format::number(n)), "compared record by record".to_owned()),
        Some(None) => ("not measured".to_owned(), "the run ended without a comparison".to_owned()),
        None => ("not yet known".to_owned(), "counted when both sides are compared".to_owned()),
    }
}
