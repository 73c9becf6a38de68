//! Looking at the source of a flow for what its groups need on the day it is dead: which partitions are read again, and what
//! is remembered between two looks.
//!
//! A look reads only. It asks both sides where they end, and reads some records next to the positions of those partitions
//! whose positions or end moved.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    renaming::Renaming,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
    translation::Rings,
};
use muster_kafka::{ClusterAdmin, Isolation};
use muster_replication::{
    FlowRecords, FlowSettings, Replication,
    translate::{KeepError, Keeper, Wanted},
};

use crate::clients::PairClients;

/// Partitions that are read in one look; of more those that were looked at longest ago come first.
const MOST_PARTITIONS: usize = 256;
/// Looks until a topic's configs are asked for again.
const CONFIGS_EVERY: u64 = 30;
/// Bound of reading them, in milliseconds.
const WITHIN_MS: u64 = 20_000;

/// What one process remembers of a flow's source between looks.
#[derive(Debug, Default)]
pub struct RingMemory {
    turn: u64,
    /// Which records the flow copies and whether never twice, as its connector said last.
    copies: Option<(Isolation, bool)>,
    /// Topics of the target, with when they were asked whether its brokers write their own timestamps there, and whether they
    /// do.
    own_time: BTreeMap<String, (u64, bool)>,
    seen: ByPartition<Seen>,
}

/// What was kept of a partition.
#[derive(Debug)]
struct Seen {
    turn: u64,
    positions: BTreeSet<i64>,
    end: i64,
    settled: bool,
}

/// What a look found, to be kept.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is to be kept of partitions that were read.
    pub rings: ByPartition<Rings>,
    /// Positions they were read for.
    positions: ByPartition<BTreeSet<i64>>,
}

impl RingMemory {
    /// What a look found is kept: it is not read again until something moves.
    pub fn kept(&mut self, looked: Looked) {
        let Looked { rings, mut positions } = looked;
        for (at, rings) in rings {
            let seen = Seen {
                turn: self.turn,
                positions: positions.remove(&at).unwrap_or_default(),
                end: rings.source_end,
                settled: rings.is_settled(),
            };
            self.seen.insert(at, seen);
        }
    }

    /// Asks on which of these topics the target's brokers write their own timestamps, if that was not asked lately.
    async fn ask_own_time(&mut self, target: &dyn ClusterAdmin, topics: BTreeSet<String>) {
        let turn = self.turn;
        self.own_time.retain(|_, (asked, _)| *asked + CONFIGS_EVERY > turn);
        let unknown: Vec<String> =
            topics.into_iter().filter(|topic| !self.own_time.contains_key(topic)).collect();
        if unknown.is_empty() {
            return;
        }
        let configs = target.topic_configs(&unknown).await.unwrap_or_else(|cause| {
            tracing::warn!(%cause, "what timestamps the target's topics have is not known: they are compared");
            BTreeMap::new()
        });
        for topic in unknown {
            let kind = configs.get(&topic).and_then(|configs| configs.get("message.timestamp.type"));
            let own = kind.is_some_and(|kind| kind.value.as_deref() == Some("LogAppendTime"));
            self.own_time.insert(topic, (turn, own));
        }
    }

    fn has_own_time(&self, topic: &str) -> bool {
        self.own_time.get(topic).is_some_and(|(_, own)| *own)
    }

    /// Partitions to read, those looked at longest ago first.
    fn choose(
        &self,
        positions: ByPartition<BTreeSet<i64>>,
        ends: &ByPartition<(i64, i64)>,
        keeps_all: impl Fn(&str) -> bool,
    ) -> ByPartition<Wanted> {
        let mut moved: Vec<(u64, TopicPartition, Wanted)> = Vec::new();
        for (at, positions) in positions {
            let Some(ends) = ends.get(&at).copied() else { continue };
            let seen = self.seen.get(&at);
            let as_it_was = |seen: &Seen| seen.positions == positions && (seen.settled || seen.end == ends.0);
            if !seen.is_some_and(as_it_was) {
                let keeps_all = keeps_all(&at.topic);
                moved.push((
                    seen.map_or(0, |seen| seen.turn),
                    at,
                    Wanted { positions, ends, keeps_all, timestamps: true },
                ));
            }
        }
        moved.sort_by_key(|(turn, ..)| *turn);
        moved.into_iter().take(MOST_PARTITIONS).map(|(_, at, wanted)| (at, wanted)).collect()
    }
}

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
    memory.turn += 1;
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
    memory.seen.retain(|at, _| positions.contains_key(at));
    let partitions: Vec<TopicPartition> = positions.keys().cloned().collect();
    let ends = keeper.ends(&partitions).await?;
    let mut wanted = memory.choose(positions, &ends, keeps_all);
    let replica = |topic: &str| flow.naming.target_name(&flow.source_alias, topic);
    let targets: BTreeSet<String> = wanted.keys().map(|at| replica(&at.topic)).collect();
    memory.ask_own_time(&**clients.admin.get(to), targets).await;
    for (at, wanted) in &mut wanted {
        wanted.timestamps = !memory.has_own_time(&replica(&at.topic));
    }
    let rings = keeper.read(&wanted).await?;
    let positions = wanted.into_iter().map(|(at, wanted)| (at, wanted.positions)).collect();
    Ok(Looked { rings, positions })
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
                (memory.copies, memory.seen) = (None, ByPartition::new());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: i32) -> TopicPartition {
        TopicPartition::new("orders", number)
    }

    fn looked(numbers: impl Iterator<Item = i32>, position: i64, end: i64) -> Looked {
        let rings = |number| {
            let rings = Rings {
                source_end: end,
                target_end: 0,
                keeps_all: true,
                runs: Vec::new(),
                positions: Vec::new(),
            };
            (at(number), rings)
        };
        let rings: ByPartition<Rings> = numbers.map(rings).collect();
        let positions = rings.keys().map(|at| (at.clone(), BTreeSet::from([position]))).collect();
        Looked { rings, positions }
    }

    #[test]
    fn only_what_moved_is_read_again_and_what_waits_longest_comes_first() {
        let mut memory = RingMemory::default();
        let all: ByPartition<BTreeSet<i64>> = (0..300).map(|n| (at(n), BTreeSet::from([7]))).collect();
        let ends: ByPartition<(i64, i64)> = (0..300).map(|n| (at(n), (9, 4))).collect();
        let first = memory.choose(all.clone(), &ends, |_| true);
        assert_eq!(first.len(), MOST_PARTITIONS);
        memory.turn = 1;
        memory.kept(looked(0..256, 7, 9));
        for rings in memory.seen.values_mut() {
            rings.settled = false;
        }
        let rest = memory.choose(all.clone(), &ends, |_| true);
        assert_eq!(rest.keys().next(), Some(&at(256)), "{rest:?}");
        assert_eq!(rest.len(), 44);
        // The end moved: all are read again, those that never were before the others.
        let moved: ByPartition<(i64, i64)> = (0..300).map(|n| (at(n), (10, 4))).collect();
        let next = memory.choose(all, &moved, |_| true);
        assert!((256..300).all(|n| next.contains_key(&at(n))), "{next:?}");
        assert_eq!(next.len(), MOST_PARTITIONS);
        // Partitions that are not on both sides are left out.
        let one = memory.choose(BTreeMap::from([(at(7), BTreeSet::new())]), &ByPartition::new(), |_| true);
        assert!(one.is_empty());
    }
}
