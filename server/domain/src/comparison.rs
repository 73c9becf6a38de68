//! Two runs side by side: what each measured, and how long each step took.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    record::{Run, RunStep},
    run::{Phase, StepState},
};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Milliseconds.
    Milliseconds,
    /// Records.
    Records,
}

/// One figure of two runs. `None` is not measured, never zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Compared {
    /// Stable name: `write_unavailability`, `phase_drain`.
    pub name: String,
    /// What it counts.
    pub counts: Counts,
    /// Of the first run.
    pub first: Option<i64>,
    /// Of the second run.
    pub second: Option<i64>,
}

impl Compared {
    /// Second less first, when both are known.
    #[must_use]
    pub fn change(&self) -> Option<i64> {
        Some(self.second? - self.first?)
    }
}

/// How a step came out in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepFigure {
    /// Where it ended.
    pub state: StepState,
    /// From its first start to its end, in milliseconds; `None` when it never ended.
    pub took_ms: Option<i64>,
    /// How often it was tried.
    pub attempts: i32,
}

/// One step of two runs; `None` where a run has no such step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepCompared {
    /// Stored name.
    pub name: String,
    /// For people, as the newer of the two says it.
    pub title: String,
    /// Phase its time is counted in.
    pub phase: Phase,
    /// In the first run.
    pub first: Option<StepFigure>,
    /// In the second run.
    pub second: Option<StepFigure>,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comparison {
    /// The first run.
    pub first: Uuid,
    /// The second run.
    pub second: Uuid,
    /// What was measured, whole run first, then phase by phase.
    pub figures: Vec<Compared>,
    /// Step by step, in the order of the second run; steps only the first one has come after the step before them.
    pub steps: Vec<StepCompared>,
}

/// Compares two runs.
#[must_use]
pub fn compare(first: (&Run, &[RunStep]), second: (&Run, &[RunStep])) -> Comparison {
    Comparison {
        first: first.0.id,
        second: second.0.id,
        figures: figures(first.0, second.0),
        steps: steps(first.1, second.1),
    }
}

fn figures(first: &Run, second: &Run) -> Vec<Compared> {
    let row = |name: &str, counts, figure: &dyn Fn(&Run) -> Option<i64>| Compared {
        name: name.to_owned(),
        counts,
        first: figure(first),
        second: figure(second),
    };
    let (ms, records) = (Counts::Milliseconds, Counts::Records);
    // A sum over groups is known only when each is.
    let sum = |groups: &BTreeMap<String, Option<i64>>| groups.values().copied().sum::<Option<i64>>();
    let mut rows = vec![
        row("write_unavailability", ms, &|run| run.outcome.as_ref()?.write_unavailability_ms),
        row("write_fence", ms, &|run| run.outcome.as_ref()?.write_fence_ms),
        row("without_people", ms, &|run| run.outcome.as_ref()?.machine_ms()),
        row("lost", records, &|run| run.outcome.as_ref()?.lost_records),
        row("skipped", records, &|run| sum(&run.outcome.as_ref()?.skipped_by_group)),
        row("reprocessed", records, &|run| sum(&run.outcome.as_ref()?.reprocessed_by_group)),
    ];
    rows.extend(Phase::ALL.map(|phase| {
        row(&format!("phase_{}", phase.as_str()), ms, &|run| {
            run.outcome.as_ref()?.rto_ms_by_phase.get(&phase).copied()
        })
    }));
    rows
}

fn steps(first: &[RunStep], second: &[RunStep]) -> Vec<StepCompared> {
    let find = |steps: &[RunStep], name: &str| steps.iter().find(|step| step.name == name).map(figure);
    let row = |step: &RunStep| StepCompared {
        name: step.name.clone(),
        title: step.title.clone(),
        phase: step.phase,
        first: find(first, &step.name),
        second: find(second, &step.name),
    };
    let mut rows: Vec<StepCompared> = second.iter().map(row).collect();
    let mut after = 0;
    for step in first {
        match rows.iter().position(|known| known.name == step.name) {
            Some(at) => after = at + 1,
            None => {
                rows.insert(after, row(step));
                after += 1;
            }
        }
    }
    rows
}

fn figure(step: &RunStep) -> StepFigure {
    let took = step.started_at.zip(step.ended_at).map(|(from, to)| (to - from).num_milliseconds());
    StepFigure { state: step.state, took_ms: took, attempts: step.attempt }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;
    use crate::{record::Outcome, samples};

    fn step(name: &str, took_ms: i64) -> RunStep {
        let start = DateTime::UNIX_EPOCH;
        RunStep {
            started_at: Some(start),
            ended_at: Some(start + Duration::milliseconds(took_ms)),
            ..samples::run_step(name)
        }
    }

    #[test]
    fn steps_of_both_runs_come_in_one_order() {
        let first = [step("look", 10), step("old", 1), step("fence", 30)];
        let second = [step("look", 12), step("fence", 20), step("new", 5)];
        let run = samples::run();
        let compared = compare((&run, &first), (&run, &second));
        let took = |figure: &Option<StepFigure>| figure.as_ref().and_then(|figure| figure.took_ms);
        let rows: Vec<_> =
            compared.steps.iter().map(|s| (s.name.as_str(), took(&s.first), took(&s.second))).collect();
        let expected = [
            ("look", Some(10), Some(12)),
            ("old", Some(1), None),
            ("fence", Some(30), Some(20)),
            ("new", None, Some(5)),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_one_run_did_not_measure_has_no_change() {
        let measured = |again: &[Option<i64>]| Run {
            outcome: Some(Outcome {
                lost_records: Some(0),
                reprocessed_by_group: again.iter().enumerate().map(|(n, a)| (n.to_string(), *a)).collect(),
                ..Outcome::default()
            }),
            ..samples::run()
        };
        let (known, partly) = (measured(&[Some(3), Some(4)]), measured(&[Some(3), None]));
        let compared = compare((&known, &[]), (&partly, &[]));
        let of = |name: &str| compared.figures.iter().find(|row| row.name == name).expect("listed").clone();
        assert_eq!((of("reprocessed").first, of("reprocessed").second), (Some(7), None));
        assert_eq!((of("reprocessed").change(), of("lost").change()), (None, Some(0)));
    }
}
