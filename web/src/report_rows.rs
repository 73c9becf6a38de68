//! The rows of a report: what was measured, phases, groups, steps, decisions.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pair::Objectives,
    record::{Outcome, OutcomeCheck, Report, Vote},
    run::StepState,
};

use crate::{
    format,
    parts::{Mark, Segment, Tone},
    words,
};

/// An objective, or something counted, and what was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) method: &'static str,
    pub(crate) met: Mark,
}

/// A phase and its share of the time.
#[derive(Debug)]
pub(crate) struct PhaseRow {
    pub(crate) class: &'static str,
    pub(crate) no: usize,
    pub(crate) name: &'static str,
    pub(crate) took: String,
    pub(crate) share: String,
}

/// A group and how it resumed.
#[derive(Debug)]
pub(crate) struct GroupRow {
    pub(crate) name: String,
    pub(crate) did: Mark,
    pub(crate) first: String,
}

/// A step as it came out.
#[derive(Debug)]
pub(crate) struct StepLine {
    pub(crate) no: i32,
    pub(crate) title: String,
    pub(crate) state: Mark,
    pub(crate) when: String,
    pub(crate) sentence: String,
}

pub(crate) fn met(passed: Option<bool>) -> Mark {
    match passed {
        Some(true) => Mark::new(Tone::Ok, "Met"),
        Some(false) => Mark::new(Tone::Bad, "Missed"),
        None => Mark::new(Tone::Unk, "Not all measured"),
    }
}

pub(crate) fn check_mark(check: &OutcomeCheck) -> Mark {
    match check.passed {
        Some(true) => Mark::new(Tone::Ok, "Passed"),
        Some(false) => Mark::new(Tone::Bad, "Failed"),
        None => Mark::new(Tone::Unk, "Not determined"),
    }
}

pub(crate) fn measured(outcome: &Outcome, objectives: Option<&Objectives>) -> Vec<Measured> {
    let said =
        |value: Option<i64>, say: fn(i64) -> String| value.map_or_else(|| "not measured".to_owned(), say);
    let (again, again_said) = over_groups(&outcome.reprocessed_by_group);
    let (skipped, skipped_said) = over_groups(&outcome.skipped_by_group);
    let rto = objectives.map(|objectives| objectives.rto_seconds * 1000);
    let machine = outcome.machine_ms();
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
            skipped_said,
            "position there against the record it stood at here",
            zero(skipped),
        ),
        row(
            "Records read again by groups",
            "none set",
            again_said,
            "position there against the record it stood at here",
            noted(again),
        ),
        row(
            "Writes away",
            "none set",
            said(outcome.write_unavailability_ms, format::duration),
            "from the start of the fence to the first write seen there, so never too short",
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

/// The sum over groups when every one was measured, and how to say it either way.
pub(crate) fn over_groups(groups: &BTreeMap<String, Option<i64>>) -> (Option<i64>, String) {
    let known: Vec<i64> = groups.values().copied().flatten().collect();
    let sum = known.iter().sum();
    match known.len() {
        0 => (None, "not measured".to_owned()),
        n if n == groups.len() => (Some(sum), format::number(sum)),
        n => (None, format!("{} in {n} of {} groups", format::number(sum), groups.len())),
    }
}

pub(crate) fn phase_label(outcome: &Outcome, total: i64) -> String {
    let phases: Vec<String> = outcome
        .rto_ms_by_phase
        .iter()
        .map(|(p, ms)| format!("{} {}", words::phase(*p), format::duration(*ms)))
        .collect();
    format!("{} by phase: {}", format::duration(total), phases.join(", "))
}

pub(crate) fn segments(outcome: &Outcome, total: i64) -> Vec<Segment> {
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

pub(crate) fn phase_rows(outcome: &Outcome, total: i64) -> Vec<PhaseRow> {
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

pub(crate) fn groups(outcome: &Outcome) -> Vec<GroupRow> {
    let names: BTreeSet<&String> =
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

pub(crate) fn approvals(report: &Report) -> Vec<(&'static str, String)> {
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
    if let Some(broken) = &report.break_glass {
        let said = format!("{}, “{}”, {}", broken.by.name, broken.reason, format::time(broken.at));
        rows.push(("Started without approval", said));
        let review = match &broken.review {
            None => format!("none yet; due {}", format::date_time(broken.review_due)),
            Some(review) => format!(
                "{}, {}, “{}”, {}",
                review.by.name,
                review.verdict.as_str().replace('_', " "),
                review.comment,
                format::time(review.at)
            ),
        };
        rows.push(("Review of that", review));
    }
    for event in report.events.iter().filter(|event| event.kind == "decision") {
        rows.push(("Decided", format!("{}, {}", event.message, format::time(event.at))));
    }
    rows
}

pub(crate) fn step_line(step: &muster_domain::record::RunStep) -> StepLine {
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
