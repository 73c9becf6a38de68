//! The flows of a pair and their connectors.

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Pair,
    reading::Observed,
    survey::{ConnectState, ConnectorObservation, FlowObservation, Survey},
};

use crate::{
    format,
    pair_plan::mechanism_words,
    parts::{Course, Mark, Tone},
    survey_age::is_old,
};

/// One connector of a flow.
#[derive(Debug)]
pub(crate) struct ConnectorRow {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) state: Mark,
    pub(crate) tasks: String,
    pub(crate) trace: String,
}

/// One direction of replication.
#[derive(Debug)]
pub(crate) struct FlowRow {
    pub(crate) course: Course,
    pub(crate) said: String,
    pub(crate) worker: Mark,
    pub(crate) connectors: Vec<ConnectorRow>,
    pub(crate) foreign: Vec<String>,
}

/// Every flow with what it shows.
pub(crate) fn flow_rows(pair: &Pair, survey: Option<&Survey>, now: DateTime<Utc>) -> Vec<FlowRow> {
    pair.flows
        .iter()
        .map(|flow| {
            let seen = survey.and_then(|s| s.flows.iter().find(|seen| seen.direction == flow.direction));
            let (from, to) = (pair.cluster(flow.direction.from), pair.cluster(flow.direction.to()));
            let wanted = if flow.enabled { "wanted running" } else { "wanted stopped" };
            FlowRow {
                course: Course::of_flow(from.as_str(), to.as_str()),
                said: format!("{}, {wanted} when {from} is active", mechanism_words(&flow.mechanism)),
                worker: worker_mark(seen, now),
                connectors: seen.map(|seen| connectors(seen, now)).unwrap_or_default(),
                foreign: seen
                    .and_then(|seen| seen.committed.value())
                    .map(|c| c.foreign.clone())
                    .unwrap_or_default(),
            }
        })
        .collect()
}

fn worker_mark(seen: Option<&FlowObservation>, now: DateTime<Utc>) -> Mark {
    match seen.map(|seen| &seen.worker) {
        None => Mark::new(Tone::Unk, "never seen"),
        Some(Observed::Unknown { reason, at }) => {
            Mark::new(Tone::Unk, format!("{reason}, {}", format::ago(now, *at)))
        }
        Some(Observed::Known { value, at }) => {
            let old = is_old(now, *at);
            let answers = if old { "answered" } else { "answers" };
            let said = format!("worker {} {answers}, {}", value.version, format::ago(now, *at));
            Mark::new(Tone::Ok, said).of_then(old)
        }
    }
}

fn connectors(seen: &FlowObservation, now: DateTime<Utc>) -> Vec<ConnectorRow> {
    seen.connectors
        .iter()
        .map(|(role, connector)| match connector {
            Observed::Unknown { reason, .. } => ConnectorRow {
                role: role.to_string(),
                name: "not read".to_owned(),
                state: Mark::new(Tone::Unk, reason.as_str()),
                tasks: "not known".to_owned(),
                trace: String::new(),
            },
            Observed::Known { value, at } => connector_row(&role.to_string(), value, is_old(now, *at)),
        })
        .collect()
}

/// `old` is whether the connector was read too long ago to be current.
fn connector_row(role: &str, connector: &ConnectorObservation, old: bool) -> ConnectorRow {
    let running = connector.tasks.iter().filter(|task| task.state == ConnectState::Running).count();
    let tone = match connector.state {
        ConnectState::Running if running == connector.tasks_to_run() && running > 0 => Tone::Ok,
        ConnectState::Running | ConnectState::Failed | ConnectState::Destroyed => Tone::Bad,
        ConnectState::Paused | ConnectState::Unassigned | ConnectState::Restarting => Tone::Warn,
        ConnectState::Stopped => Tone::Idle,
    };
    ConnectorRow {
        role: role.to_owned(),
        name: connector.name.clone(),
        state: Mark::new(tone, connector.state.to_string()).of_then(old),
        tasks: match connector.tasks_to_run() {
            0 => "no tasks".to_owned(),
            all => format!("{running} of {all} run"),
        },
        trace: connector.tasks.iter().filter_map(|task| task.trace.clone()).next().unwrap_or_default(),
    }
}
