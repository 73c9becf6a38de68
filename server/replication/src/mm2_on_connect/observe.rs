//! One look at a flow, all questions at once, each answer or its failure with its own time. Never fails as a whole and
//! never waits long: a dead worker must not hold up a survey.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use muster_domain::{
    reading::Observed,
    survey::{
        AssignedPartitions, CommittedSourceOffsets, ConnectorObservation, ConnectorRole, FlowObservation,
        LastPairs, NewestPairs, Rewind, TaskObservation, UnreadableSyncs,
    },
    topic::{ByPartition, TopicPartition},
};
use tokio::time::Instant;

use super::{Mm2OnConnect, offsets};
use crate::{
    ReplicationError,
    connect::ConnectorStatus,
    redact::{redact_config, redact_text},
};

/// Where the config of a source task names its partitions (`MirrorSourceTaskConfig`).
const TASK_PARTITIONS: &str = "task.assigned.partitions";
/// Partitions named of a connector whose tasks no worker has.
const MOST_ASSIGNED: usize = 1_000;
/// Reading on in the offset-syncs topic. What was read by then is kept for the next survey.
const OFFSET_PAIRS_WITHIN: Duration = Duration::from_secs(4);

type Config = BTreeMap<String, String>;

/// Everything a survey wants to know of a flow.
pub(super) async fn observe(flow: &Mm2OnConnect, now: DateTime<Utc>) -> FlowObservation {
    let clock = Clock { now, began: Instant::now() };
    let look = async |role: &ConnectorRole, name: &String| {
        let (status, config, given) = tokio::join!(
            flow.connect.status(name),
            flow.connect.config(name),
            flow.connect.task_configs(name)
        );
        let pairs = match (role, &config) {
            (ConnectorRole::Source, Ok(config)) => Some(look_at_offset_pairs(flow, config, &clock).await),
            (ConnectorRole::Source, Err(error)) => Some(last_offset_pairs(flow, clock.unknown(error)).await),
            (ConnectorRole::Checkpoint | ConnectorRole::Heartbeat, _) => None,
        };
        (*role, clock.observed(connector(name, status, config, given.ok())), pairs)
    };
    let ((shut_out, worker), looks, committed) = tokio::join!(
        async {
            let answer = flow.connect.root().await;
            (answer.as_ref().is_err_and(ReplicationError::shuts_out), clock.observed(answer))
        },
        join_all(flow.names.iter().map(|(role, name)| look(role, name))),
        async { clock.observed(committed(flow).await) },
    );
    let mut connectors = BTreeMap::new();
    let mut syncs = None;
    for (role, connector, seen) in looks {
        connectors.insert(role, connector);
        syncs = syncs.or(seen);
    }
    let none = || Syncs::unknown(Observed::unknown("the flow has no source connector", now));
    let Syncs { newest: newest_pairs, last: last_pairs, rewinds, unreadable: unreadable_syncs } =
        syncs.unwrap_or_else(none);
    // What is beyond the pair is told by who sees the source's topics.
    let beyond = Observed::unknown("not compared with the pair", now);
    // And who writes on the target, by who sees that.
    let writers = Observed::unknown("not looked at", now);
    // And which positions are of topics before, and which have stood for how long, by who knows the surveys before.
    let (of_another_log, unproven) = (ByPartition::new(), ByPartition::new());
    FlowObservation {
        direction: flow.flow.direction,
        worker,
        shut_out,
        connectors,
        committed,
        newest_pairs,
        last_pairs,
        rewinds,
        of_another_log,
        unproven,
        beyond,
        unreadable_syncs,
        writers,
    }
}

/// What a look at the offset-syncs topic tells.
struct Syncs {
    newest: Observed<NewestPairs>,
    last: Option<LastPairs>,
    rewinds: ByPartition<Rewind>,
    unreadable: UnreadableSyncs,
}

impl Syncs {
    fn unknown(newest: Observed<NewestPairs>) -> Self {
        let unreadable = UnreadableSyncs::default();
        Self { newest, last: None, rewinds: ByPartition::new(), unreadable }
    }
}

fn connector(
    name: &str,
    status: Result<ConnectorStatus, ReplicationError>,
    config: Result<Config, ReplicationError>,
    given: Option<Vec<Config>>,
) -> Result<ConnectorObservation, ReplicationError> {
    let (status, config) = (status?, config?);
    let clean = |task: TaskObservation| TaskObservation {
        trace: task.trace.map(|trace| redact_text(&trace, &config)),
        ..task
    };
    Ok(ConnectorObservation {
        name: name.to_owned(),
        state: status.state,
        // The status lacks tasks that nobody started; only Connect's own list says that they are missing.
        given_tasks: given.as_ref().and_then(|given| i32::try_from(given.len()).ok()),
        assigned: given.map_or_else(Vec::new, |given| assigned(&status.tasks, &given)),
        tasks: status.tasks.into_iter().map(clean).collect(),
        config: redact_config(&config),
    })
}

/// Partitions of tasks that no worker has. Those of all tasks would make every survey larger for nothing.
fn assigned(tasks: &[TaskObservation], given: &[Config]) -> Vec<AssignedPartitions> {
    let has_worker = |number: i32| tasks.iter().any(|task| task.id == number && !task.state.has_no_worker());
    let mut room = MOST_ASSIGNED;
    let of_task = |(task, config): (i32, &Config)| {
        let names: Vec<&str> =
            config.get(TASK_PARTITIONS)?.split(',').filter(|name| !name.is_empty()).collect();
        let named: Vec<TopicPartition> =
            names.iter().take(room).filter_map(|name| partition(name.trim())).collect();
        room = room.saturating_sub(named.len());
        Some(AssignedPartitions { task, more: names.len().saturating_sub(named.len()), named })
    };
    (0..).zip(given).filter(|(number, _)| !has_worker(*number)).filter_map(of_task).collect()
}

/// As Kafka writes one: `orders-0`.
fn partition(name: &str) -> Option<TopicPartition> {
    let (topic, number) = name.rsplit_once('-')?;
    Some(TopicPartition::new(topic, number.parse().ok()?))
}

async fn committed(flow: &Mm2OnConnect) -> Result<CommittedSourceOffsets, ReplicationError> {
    let stored = flow.connect.offsets(flow.name(ConnectorRole::Source)?).await?;
    let (offsets, foreign) = offsets::sort_out(&stored, &flow.flow.source_alias).for_people();
    Ok(CommittedSourceOffsets { offsets, foreign })
}

async fn look_at_offset_pairs(flow: &Mm2OnConnect, config: &Config, clock: &Clock) -> Syncs {
    // A run that reads all pairs right now holds the store; the next survey will see them.
    let Ok(mut store) = tokio::time::timeout(OFFSET_PAIRS_WITHIN, flow.offset_pairs.lock()).await else {
        let reason = "the offset-syncs topic is being read by a run";
        return Syncs::unknown(Observed::unknown(reason, clock.time()));
    };
    match store.refresh(&flow.place(config), OFFSET_PAIRS_WITHIN).await {
        Ok(()) => Syncs {
            newest: Observed::known(NewestPairs(store.newest()), clock.time()),
            last: None,
            rewinds: store.rewinds(),
            unreadable: store.unreadable(),
        },
        Err(error) => {
            let newest = clock.unknown(&error);
            let last = store.last().await;
            Syncs { last, unreadable: store.unreadable(), ..Syncs::unknown(newest) }
        }
    }
}

/// While Connect does not say where the topic is: what was read of it before.
async fn last_offset_pairs(flow: &Mm2OnConnect, newest: Observed<NewestPairs>) -> Syncs {
    let last = match tokio::time::timeout(OFFSET_PAIRS_WITHIN, flow.offset_pairs.lock()).await {
        Ok(mut store) => store.last().await,
        Err(_) => None,
    };
    Syncs { last, ..Syncs::unknown(newest) }
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
