//! Steps of a run in rows, grouped by phase, with the line after which nothing is undone.

use chrono::{DateTime, Utc};
use muster_domain::{
    record::RunStep,
    run::{Phase, StepState},
};

use crate::{format, run::RunRecord, words};

/// Consecutive steps of one phase.
#[derive(Debug, Clone)]
pub(crate) struct PhaseRows {
    pub(crate) name: &'static str,
    pub(crate) sum: String,
    pub(crate) no_return: Option<String>,
    pub(crate) rows: Vec<StepRow>,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct StepRow {
    pub(crate) class: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) word: &'static str,
    pub(crate) now: bool,
    pub(crate) no: i32,
    pub(crate) name: String,
    pub(crate) lane: Option<&'static str>,
    pub(crate) time: String,
    pub(crate) estimate: String,
    pub(crate) attempt: String,
    pub(crate) proof: String,
    pub(crate) undo: &'static str,
    pub(crate) evidence: String,
}

/// Which of the two paths a step belongs to; `None` when it is for both.
pub(crate) fn lane(step: &RunStep) -> Option<&'static str> {
    let name = step.name.as_str();
    let of_groups = ["group", "consumer", "position", "offset"].iter().any(|word| name.contains(word));
    match step.phase {
        Phase::Translate => Some("Read path"),
        Phase::Fence | Phase::Drain | Phase::Redirect if of_groups => Some("Read path"),
        Phase::Fence | Phase::Drain | Phase::Redirect => Some("Write path"),
        Phase::Prepare | Phase::Decide | Phase::Settle => None,
    }
}

impl PhaseRows {
    /// All steps of a run.
    pub(crate) fn all(record: &RunRecord<'_>, now: DateTime<Utc>) -> Vec<Self> {
        let mut phases: Vec<Self> = Vec::new();
        let mut at = 0;
        while let Some(first) = record.steps.get(at) {
            let length = record.steps[at..]
                .iter()
                .enumerate()
                .take_while(|(i, step)| step.phase == first.phase && (*i == 0 || !step.point_of_no_return))
                .count();
            let steps = &record.steps[at..at + length];
            phases.push(Self {
                name: words::phase(first.phase),
                sum: phase_sum(steps, now),
                no_return: first.point_of_no_return.then(|| no_return(record)),
                rows: steps.iter().map(|step| StepRow::new(step, now)).collect(),
            });
            at += length;
        }
        phases
    }
}

fn no_return(record: &RunRecord<'_>) -> String {
    let (pair, from, to) = (&record.run.pair, record.from(), record.to());
    match record.run.no_return_at {
        Some(at) => format!(
            "Passed at {}. Nothing above is undone any more: going back is a new switchover, {to} → {from}.",
            format::time(at)
        ),
        None => format!(
            "Above this line, abort returns {pair} to {from}. Below it nothing is undone: going back is a new \
             switchover, {to} → {from}."
        ),
    }
}

fn phase_sum(steps: &[RunStep], now: DateTime<Utc>) -> String {
    let started = steps.iter().filter_map(|step| step.started_at).min();
    let all_ended = steps.iter().all(|step| step.ended_at.is_some());
    let expected: Option<i64> = steps.iter().map(|step| step.expected_ms).sum();
    match (started, all_ended) {
        (Some(started), true) => {
            let ended = steps.iter().filter_map(|step| step.ended_at).max().unwrap_or(now);
            format::clock((ended - started).num_milliseconds())
        }
        (Some(started), false) => format!("{} so far", format::clock((now - started).num_milliseconds())),
        (None, _) => {
            expected.map_or_else(|| "no estimate".to_owned(), |ms| format!("about {}", format::duration(ms)))
        }
    }
}

impl StepRow {
    /// A step as it stands.
    pub(crate) fn new(step: &RunStep, now: DateTime<Utc>) -> Self {
        let asks = step.question.is_some() || step.phase == Phase::Decide;
        let (class, icon, word) = words::step_state(step.state, asks);
        let about = step.expected_ms.map(|ms| format!("about {}", format::duration(ms)));
        let (time, estimate) = match (step.started_at, step.ended_at) {
            (Some(start), Some(end)) => {
                let took = (end - start).num_milliseconds();
                (format!("{} · {}", format::time(start), format::duration(took)), String::new())
            }
            (Some(start), None) => {
                let so_far = format::clock((now - start).num_milliseconds());
                (so_far, about.map(|about| format!("of {about}")).unwrap_or_default())
            }
            (None, _) => (String::new(), about.unwrap_or_else(|| "no estimate".to_owned())),
        };
        Self {
            class,
            icon,
            word,
            now: class == "now",
            no: step.position,
            name: step.title.clone(),
            lane: lane(step),
            time,
            estimate,
            attempt: if step.attempt > 1 { format!("attempt {}", step.attempt) } else { String::new() },
            proof: step.sentence.clone(),
            undo: undo_word(step),
            evidence: evidence_text(&step.evidence),
        }
    }
}

fn undo_word(step: &RunStep) -> &'static str {
    if step.state == StepState::NotStarted && step.point_of_no_return {
        "Passes the point of no return."
    } else {
        ""
    }
}

/// Evidence as people copy it; empty when there is none.
pub(crate) fn evidence_text(evidence: &serde_json::Value) -> String {
    let empty = match evidence {
        serde_json::Value::Null => true,
        serde_json::Value::Object(map) => map.is_empty(),
        serde_json::Value::Array(list) => list.is_empty(),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => false,
    };
    if empty { String::new() } else { serde_json::to_string_pretty(evidence).unwrap_or_default() }
}
