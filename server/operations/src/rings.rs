//! Looking at the source of a flow for what its groups need on the day it is dead.
//!
//! A look reads only. It asks both sides where they end, and reads some records next to the positions of those partitions
//! whose positions or end moved. A partition that cannot be read is told of, and has its turn like others.

mod memory;

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    renaming::Renaming,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::Isolation;
use muster_replication::{
    FlowRecords, FlowSettings, Replication,
    translate::{KeepError, Keeper},
};

pub use self::memory::{Looked, RingMemory};
use crate::clients::PairClients;

/// Bound of reading them, in milliseconds.
const WITHIN_MS: u64 = 20_000;

/// Looks at the source of a flow. `groups` are the positions of groups on it; `keeps_all` says of which topics of the source
/// neither side compacts anything away.
///
/// # Errors
/// When a side, the offset syncs or the connector's settings cannot be read: then what was kept before stays. When the connector names
/// copies by transforms: what was kept before would be held against something else and is to be forgotten.
pub async fn look(
    clients: &PairClients,
    flow: &Flow,
    groups: &BTreeMap<String, ByPartition<i64>>,
    keeps_all: impl Fn(&str) -> bool,
    memory: &mut RingMemory,
) -> Result<Looked, KeepError> {
    let Some(replication) = clients.flow(flow.direction) else { return Ok(Looked::default()) };
    let positions = positions(&Scope::of(&clients.pair), flow.direction, groups);
    memory.begin_turn();
    let (isolation, exactly_once) = copies(flow, &**replication, memory).await?;
    let (from, to) = (flow.direction.from, flow.direction.to());
    let keeper = Keeper {
        flow,
        records: FlowRecords {
            source: &**clients.mover.get(from),
            target: &**clients.mover.get(to),
            isolation,
            deadline_ms: WITHIN_MS,
        },
        source: &**clients.admin.get(from),
        target: &**clients.admin.get(to),
        replication: &**replication,
        exactly_once,
    };
    memory.let_go(&positions);
    let partitions: Vec<TopicPartition> = positions.keys().cloned().collect();
    let ends = keeper.ends(&partitions).await?;
    let mut chosen = memory.choose(positions, &ends, keeps_all);
    let replica = |topic: &str| flow.naming.target_name(&flow.source_alias, topic);
    let targets: BTreeSet<String> = chosen.wanted.keys().map(|at| replica(&at.topic)).collect();
    memory.ask_own_time(&**clients.admin.get(to), targets).await;
    for (at, wanted) in &mut chosen.wanted {
        wanted.timestamps = !memory.has_own_time(&replica(&at.topic));
    }
    let read = keeper.read(&chosen.wanted).await?;
    Ok(memory.looked(chosen, read, partitions.len()))
}

/// Positions of groups in scope on topics the flow copies, by partition.
fn positions(
    scope: &Scope,
    direction: Direction,
    groups: &BTreeMap<String, ByPartition<i64>>,
) -> ByPartition<BTreeSet<i64>> {
    let mut positions: ByPartition<BTreeSet<i64>> = ByPartition::new();
    for (_, of_group) in groups.iter().filter(|(group, _)| scope.group(group)) {
        for (at, position) in of_group {
            if scope.application_topic(direction.from, &at.topic) {
                positions.entry(at.clone()).or_default().insert(*position);
            }
        }
    }
    positions
}

/// Which records the flow copies, and whether never twice. While Connect does not answer, what it said last holds: who restarts a connector with another
/// setting has it answering.
async fn copies(
    flow: &Flow,
    replication: &dyn Replication,
    memory: &mut RingMemory,
) -> Result<(Isolation, bool), KeepError> {
    match (replication.config(ConnectorRole::Source).await, memory.copies) {
        (Ok(config), _) => {
            if let Some(reason) = Renaming::of(&config).in_the_way() {
                memory.begin_anew();
                return Err(KeepError::Renamed { reason });
            }
            let FlowSettings { isolation, exactly_once, .. } = FlowSettings::from_config(flow, &config);
            memory.copies = Some((isolation, exactly_once));
            Ok((isolation, exactly_once))
        }
        (Err(_), Some(copies)) => Ok(copies),
        (Err(error), None) => Err(KeepError::Syncs(error)),
    }
}
