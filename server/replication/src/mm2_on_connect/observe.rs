//! One look at a flow, all questions at once, each answer or its failure with its own time. Never fails as a whole and
//! never waits long: a dead worker must not hold up a survey.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use muster_domain::{
    reading::Observed,
    survey::{
        CommittedSourceOffsets, ConnectorObservation, ConnectorRole, FlowObservation, NewestPairs, Rewind,
        TaskObservation,
    },
    topic::ByPartition,
};
use tokio::time::Instant;

use super::{Mm2OnConnect, offsets};
use crate::{
    ReplicationError,
    connect::ConnectorStatus,
    redact::{redact_config, redact_text},
    settings::FlowSettings,
};

/// Reading on in the offset-syncs topic. What was read by then is kept for the next survey.
const PAIRS_WITHIN: Duration = Duration::from_secs(4);

type Config = BTreeMap<String, String>;

/// Everything a survey wants to know of a flow.
pub(super) async fn observe(flow: &Mm2OnConnect, now: DateTime<Utc>) -> FlowObservation {
    let clock = Clock { now, began: Instant::now() };
    let look = async |role: &ConnectorRole, name: &String| {
        let (status, config) = tokio::join!(flow.connect.status(name), flow.connect.config(name));
        let pairs = match (role, &config) {
            (ConnectorRole::Source, Ok(config)) => Some(look_at_pairs(flow, config, &clock).await),
            (ConnectorRole::Source, Err(error)) => Some((clock.unknown(error), ByPartition::new())),
            (ConnectorRole::Checkpoint | ConnectorRole::Heartbeat, _) => None,
        };
        (*role, clock.observed(connector(name, status, config)), pairs)
    };
    let (worker, looks, committed) = tokio::join!(
        async { clock.observed(flow.connect.root().await) },
        join_all(flow.names.iter().map(|(role, name)| look(role, name))),
        async { clock.observed(committed(flow).await) },
    );
    let mut connectors = BTreeMap::new();
    let mut newest_pairs = None;
    for (role, connector, pairs) in looks {
        connectors.insert(role, connector);
        newest_pairs = newest_pairs.or(pairs);
    }
    let (newest_pairs, rewinds) = newest_pairs
        .unwrap_or_else(|| (Observed::unknown("the flow has no source connector", now), ByPartition::new()));
    // What is beyond the pair is told by who sees the source's topics.
    let beyond = Observed::unknown("not compared with the pair", now);
    FlowObservation {
        direction: flow.flow.direction,
        worker,
        connectors,
        committed,
        newest_pairs,
        rewinds,
        beyond,
    }
}

fn connector(
    name: &str,
    status: Result<ConnectorStatus, ReplicationError>,
    config: Result<Config, ReplicationError>,
) -> Result<ConnectorObservation, ReplicationError> {
    let (status, config) = (status?, config?);
    let clean = |task: TaskObservation| TaskObservation {
        trace: task.trace.map(|trace| redact_text(&trace, &config)),
        ..task
    };
    Ok(ConnectorObservation {
        name: name.to_owned(),
        state: status.state,
        tasks: status.tasks.into_iter().map(clean).collect(),
        config: redact_config(&config),
    })
}

async fn committed(flow: &Mm2OnConnect) -> Result<CommittedSourceOffsets, ReplicationError> {
    let stored = flow.connect.offsets(flow.name(ConnectorRole::Source)?).await?;
    let (offsets, foreign) = offsets::sort_out(&stored, &flow.flow.source_alias).for_people();
    Ok(CommittedSourceOffsets { offsets, foreign })
}

async fn look_at_pairs(
    flow: &Mm2OnConnect,
    config: &Config,
    clock: &Clock,
) -> (Observed<NewestPairs>, ByPartition<Rewind>) {
    let settings = FlowSettings::from_config(&flow.flow, config);
    // A run that reads all pairs right now holds the store; the next survey will see them.
    let Ok(mut store) = tokio::time::timeout(PAIRS_WITHIN, flow.pairs.lock()).await else {
        let reason = "the offset-syncs topic is being read by a run";
        return (Observed::unknown(reason, clock.time()), ByPartition::new());
    };
    match store.refresh(flow.hands(settings.syncs_on), &settings.syncs_topic, PAIRS_WITHIN).await {
        Ok(()) => (Observed::known(NewestPairs(store.newest()), clock.time()), store.rewinds()),
        Err(error) => (clock.unknown(&error), ByPartition::new()),
    }
}

/// Muster's clock, read once and carried on.
struct Clock {
    now: DateTime<Utc>,
    began: Instant,
}

impl Clock {
    fn time(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    fn observed<T>(&self, outcome: Result<T, ReplicationError>) -> Observed<T> {
        match outcome {
            Ok(value) => Observed::known(value, self.time()),
            Err(error) => self.unknown(&error),
        }
    }

    fn unknown<T>(&self, error: &ReplicationError) -> Observed<T> {
        Observed::unknown(error.to_string(), self.time())
    }
}
