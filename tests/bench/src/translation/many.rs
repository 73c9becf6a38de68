//! Many groups on one partition with many offset pairs, on simulated clusters: what the searching itself costs, without brokers.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use muster_domain::{
    pair::{Direction, Flow, Side},
    renaming::Renaming,
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{
    Isolation,
    double::{ClusterState, Payload, World},
};
use muster_replication::{
    FlowRecords,
    double::small_world,
    translate::{Translator, translate_groups},
};

use crate::{figures::Figure, machine};

const SOURCE: &str = "eu-west";
const TARGET: &str = "eu-central";
const TOPIC: &str = "orders.placed";
const GROUPS: i64 = 1_000;
const PAIRS: i64 = 100_000;
/// Records of one transaction of the flow; the first of each makes a pair, the marker behind the last is a hole.
const BATCH: i64 = 4;
const RECORDS: i64 = PAIRS * BATCH;
/// Records the group that lags least has not read.
const NEWEST: i64 = 1_000;
const WITHIN_MS: u64 = 600_000;

pub(super) async fn figures() -> Result<Vec<Figure>> {
    let partition = Partition::build()?;
    let one = partition.translate(1).await?;
    let all = partition.translate(GROUPS).await?;
    eprintln!("one group: {one:?}; {GROUPS} groups: {all:?}");
    let what = "simulated, 1,000 groups and 100,000 pairs of one partition";
    Ok(vec![
        Figure::new(format!("{what}: CPU"), all.cpu.as_secs_f64(), "s").under(1.0),
        Figure::new(format!("{what}: wall"), all.wall.as_secs_f64(), "s"),
        Figure::new(format!("{what}: positions that are not the true one"), all.wrong, "groups").none(),
        Figure::new("simulated, one group and the same pairs: CPU", one.cpu.as_secs_f64(), "s"),
    ])
}

/// For the description of the benchmark.
pub(super) fn how() -> String {
    format!(
        "*Simulated*: {RECORDS} records, copied by a flow that copies exactly once in transactions of {BATCH}; the first record of \
         each makes an offset pair, {PAIRS} in all. {GROUPS} groups are spread evenly over the partition and translated at once, \
         from offsets and pairs to positions; both clusters are in this process, so CPU time holds reading them too."
    )
}

/// What translating came to.
#[derive(Debug)]
struct Took {
    cpu: Duration,
    wall: Duration,
    /// Groups without a position, or with another than the copy of the record they read next.
    wrong: f64,
}

/// One partition on both sides, and what the flow told of it.
struct Partition {
    world: World,
    flow: Flow,
    at: TopicPartition,
    pairs: ByPartition<Vec<OffsetPair>>,
}

impl Partition {
    fn build() -> Result<Self> {
        let pair = small_world().pair;
        let flow = pair.flow(Direction { from: Side::A }).context("the pair has a flow from A")?.clone();
        let world = World::new(&[SOURCE, TARGET]);
        let at = TopicPartition::new(TOPIC, 0);
        let mut state = world.lock();
        fill(state.cluster_mut(SOURCE), &at, None)?;
        fill(state.cluster_mut(TARGET), &at, Some(BATCH))?;
        drop(state);
        let first_of_batch = (0..RECORDS).step_by(usize::try_from(BATCH)?);
        let pairs = first_of_batch.map(|number| OffsetPair { upstream: number, downstream: copy_of(number) });
        let pairs = ByPartition::from([(at.clone(), pairs.collect())]);
        Ok(Self { world, flow, at, pairs })
    }

    async fn translate(&self, groups: i64) -> Result<Took> {
        let apart = (RECORDS - NEWEST) / groups;
        // Where each stands: at first, second, third and fourth records of transactions in turn.
        let places: BTreeMap<String, i64> = (0..groups)
            .map(|number| (format!("group-{number}"), number * apart + apart / 2 + number % BATCH))
            .collect();
        let asked: BTreeMap<String, ByPartition<i64>> = places
            .iter()
            .map(|(group, offset)| (group.clone(), ByPartition::from([(self.at.clone(), *offset)])))
            .collect();
        let (source, target) = (self.world.admin(SOURCE), self.world.admin(TARGET));
        let (from, to) = (self.world.mover(SOURCE), self.world.mover(TARGET));
        let renaming = Renaming::default();
        let translator = Translator {
            flow: &self.flow,
            renaming: &renaming,
            records: FlowRecords {
                source: &from,
                target: &to,
                isolation: Isolation::ReadCommitted,
                deadline_ms: WITHIN_MS,
            },
            source: &source,
            target: &target,
            pairs: &self.pairs,
            exactly_once: true,
            target_until: None,
        };
        let (cpu, began) = (machine::own_cpu(), Instant::now());
        let found = translate_groups(&translator, &asked).await?;
        let (cpu, wall) = (machine::own_cpu().saturating_sub(cpu), began.elapsed());
        let is_true = |(group, offset): (&String, &i64)| {
            let position = found.get(group).and_then(|positions| positions.get(&self.at));
            let position = position.and_then(|position| position.as_ref().ok());
            position.is_some_and(|position| position.mapping.target_offset == copy_of(*offset))
        };
        let wrong = places.iter().filter(|place| !is_true(*place)).count();
        Ok(Took { cpu, wall, wrong: wrong as f64 })
    }
}

/// Target offset of a record: behind it lie the markers of the transactions before.
fn copy_of(number: i64) -> i64 {
    number + number / BATCH
}

/// The same records on either side; on the target in transactions of so many.
fn fill(cluster: &mut ClusterState, at: &TopicPartition, batch: Option<i64>) -> Result<()> {
    cluster.create_topic(&at.topic, 1)?;
    let producer = cluster.new_producer_id();
    let log = cluster.log_mut(at)?;
    for number in 0..RECORDS {
        let value = Bytes::copy_from_slice(&number.to_le_bytes());
        let payload = Payload {
            timestamp: 1_780_000_000_000 + number,
            key: None,
            value: Some(value),
            headers: Vec::new(),
        };
        log.append(payload, producer, batch.is_some());
        if batch.is_some_and(|batch| (number + 1) % batch == 0) {
            log.end_transaction(producer, true);
        }
    }
    Ok(())
}
