//! Figures of runs: how many are in each state, the one under way, and what the last of each kind measured.

use muster_store::figures::RunFigures;
use prometheus_client::registry::Registry;

use super::{
    super::{Figure, figure, seconds, set, set_known, unix},
    Fleet,
};

pub(super) fn register(fleet: &Fleet, registry: &mut Registry) {
    let by_state = figure(registry, "muster_runs", "Runs there ever were, by their present state");
    for (state, count) in &fleet.runs_by_state {
        set(&by_state, [("state", state)], *count as f64);
    }
    let (active, last) = (Active::new(registry), Last::new(registry));
    for run in fleet.runs.iter().filter(|run| fleet.tells(&run.pair)) {
        match run.ended_at {
            None => active.tell(fleet, run),
            Some(ended_at) => last.tell(run, unix(ended_at)),
        }
    }
    let proof = figure(
        registry,
        "muster_last_proof_timestamp_seconds",
        "When the last passed run of a pair ended, which moved its applications; absent when none ever did",
    );
    for (pair, at) in fleet.proofs.iter().filter(|(pair, _)| fleet.tells(pair)) {
        set(&proof, [("pair", pair)], unix(*at));
    }
}

/// The run that was started and has not ended.
struct Active {
    state: Figure,
    age: Figure,
}

impl Active {
    fn new(registry: &mut Registry) -> Self {
        Self {
            state: figure(
                registry,
                "muster_run_active",
                "Always 1: a run that was started and has not ended",
            ),
            age: figure(registry, "muster_run_active_seconds", "How long ago it was started"),
        }
    }

    fn tell(&self, fleet: &Fleet, run: &RunFigures) {
        let labels = [("pair", run.pair.as_str()), ("operation", run.operation.as_str())];
        let [pair, operation] = labels;
        set(&self.state, [pair, operation, ("state", &run.state)], 1.0);
        set(&self.age, labels, seconds((fleet.now - run.started_at).num_milliseconds()));
    }
}

/// The newest ended run of each kind of a pair. What was not measured is absent.
struct Last {
    end: Figure,
    duration: Figure,
    rto: Figure,
    phase: Figure,
    without_writes: Figure,
    lost: Figure,
}

impl Last {
    fn new(registry: &mut Registry) -> Self {
        Self {
            end: figure(
                registry,
                "muster_run_last_end_timestamp_seconds",
                "When the newest run of a kind ended, and how (state)",
            ),
            duration: figure(
                registry,
                "muster_run_last_duration_seconds",
                "How long it took from its start to its end",
            ),
            rto: figure(
                registry,
                "muster_run_last_rto_seconds",
                "The RTO it measured: all phases but the one people decided in",
            ),
            phase: figure(registry, "muster_run_last_phase_seconds", "How long each of its phases took"),
            without_writes: figure(
                registry,
                "muster_run_last_write_unavailability_seconds",
                "How long applications could not write in it",
            ),
            lost: figure(registry, "muster_run_last_lost_records", "Records it lost"),
        }
    }

    fn tell(&self, run: &RunFigures, ended_at: f64) {
        let labels = [("pair", run.pair.as_str()), ("operation", run.operation.as_str())];
        let [pair, operation] = labels;
        set(&self.end, [pair, operation, ("state", &run.state)], ended_at);
        set(&self.duration, labels, ended_at - unix(run.started_at));
        let Some(outcome) = &run.outcome else { return };
        set_known(&self.rto, labels, outcome.machine_ms().map(seconds));
        set_known(&self.without_writes, labels, outcome.write_unavailability_ms.map(seconds));
        set_known(&self.lost, labels, outcome.lost_records.map(|n| n as f64));
        for (phase, ms) in &outcome.rto_ms_by_phase {
            set(&self.phase, [pair, operation, ("phase", phase.as_str())], seconds(*ms));
        }
    }
}
