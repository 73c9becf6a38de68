//! The numbers at the head of a run: its clock, how long writers are stopped, how long people were waited for.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    record::RunStep,
    run::{Phase, StepState},
};

use crate::{format, parts::Bar, run::RunRecord};

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
    let fence = record.steps.iter().find(|step| step.phase == Phase::Fence).and_then(|step| step.started_at);
    match (fence, record.run.no_return_at) {
        (None, _) => ("not stopped".to_owned(), format!("{} takes writes", record.from())),
        (Some(fence), None) => {
            let note = format!("since {}; no side takes writes", format::time(fence));
            (format::clock((end - fence).num_milliseconds()), note)
        }
        (Some(fence), Some(open)) => {
            let note = format!("until {}; {} takes writes", format::time(open), record.to());
            (format::duration((open - fence).num_milliseconds()), note)
        }
    }
}

fn lost(record: &RunRecord<'_>) -> (String, String) {
    match record.run.outcome.as_ref().map(|outcome| outcome.lost_records) {
        Some(Some(n)) => (format!("= {}", format::number(n)), "compared record by record".to_owned()),
        Some(None) => ("not measured".to_owned(), "the run ended without a comparison".to_owned()),
        None => ("not yet known".to_owned(), "counted when both sides are compared".to_owned()),
    }
}
