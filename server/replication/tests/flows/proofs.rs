//! Translation and verification on logs with holes, markers, aborted and second copies, against the plain truth.

mod apart;
mod content;
mod drains;
mod far;
mod late;
mod one_sided;
mod past_the_end;
mod payloads;
mod positions;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use muster_domain::{
    content::{Compacted, Found},
    proof::content::{Checkpoint, Stretch, StretchEnd},
    reading::ReadingClass,
    renaming::Renaming,
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{Method, Rings, Untranslatable},
};
use muster_kafka::{
    Isolation,
    double::{MemoryAdmin, MemoryMover, Payload, World},
};
use muster_replication::{
    FlowRecords, PartitionEnds,
    translate::{
        Keeper, NotTranslated, Positions, Resumer, Resumption, Translator, Wanted, WayBack, translate_groups,
    },
    verify::{CompareStretch, CutLine, Keep, Meter, tails_match},
};

use crate::{fake_connect::FakeConnect, flow, mirror, observing::sync, world};

const MIRROR: i64 = 77;

/// Two logs of `orders-0`, where each source record went, and the pairs that were kept.
struct Logs {
    world: World,
    /// Source and target offset of every visible record, in order.
    copies: Vec<(i64, i64)>,
    pairs: Vec<OffsetPair>,
    /// Whether the flow is known to leave no second copies.
    exactly_once: bool,
    clients: (MemoryAdmin, MemoryAdmin, MemoryMover, MemoryMover),
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn payload(number: i64) -> Payload {
    let value = Bytes::from(format!("record {number}"));
    Payload {
        timestamp: 1_000 + number / 3,
        key: Some(Bytes::from_static(b"k")),
        value: Some(value),
        headers: vec![],
    }
}

/// Nobody stops it, and nothing is kept.
struct Forever;

#[async_trait::async_trait]
impl Keep for Forever {
    async fn keep(&self, _: Checkpoint) -> bool {
        true
    }
}

fn compared(end: Option<StretchEnd>) -> Found {
    match end {
        Some(StretchEnd::Compared { found, .. }) => found,
        other => panic!("{other:?}"),
    }
}

impl Logs {
    fn new() -> Self {
        let world = world();
        let clients = (world.admin("A"), world.admin("B"), world.mover("A"), world.mover("B"));
        Self { world, copies: vec![], pairs: vec![], exactly_once: false, clients }
    }

    /// Small transactions on the source, every fifth aborted; the flow commits up to 7 records at a time and keeps a pair
    /// now and then.
    fn fill(&mut self, records: i64) {
        let mut state = self.world.lock();
        let mut number = 0;
        let mut pending = vec![];
        while number < records {
            let log = state.cluster_mut("A").log_mut(&at(0)).expect("the topic");
            let commit = number % 5 != 4;
            for _ in 0..=(number % 3) {
                number += 1;
                let offset = log.append(payload(number), 5, true);
                if commit {
                    pending.push((offset, number));
                }
            }
            log.end_transaction(5, commit);
            if pending.len() >= 7 || number >= records {
                let log = state.cluster_mut("B").log_mut(&at(0)).expect("the topic");
                for (offset, number) in pending.drain(..) {
                    self.copies.push((offset, log.append(payload(number), MIRROR, true)));
                }
                log.end_transaction(MIRROR, true);
                let (upstream, downstream) = *self.copies.last().expect("copied");
                if number % 4 == 0 {
                    self.pairs.push(OffsetPair { upstream, downstream });
                }
            }
        }
    }

    fn ends(&self) -> (i64, i64) {
        let state = self.world.lock();
        let end = |name| state.cluster(name).log(&at(0)).expect("the topic").end();
        (end("A"), end("B"))
    }

    fn records(&self) -> FlowRecords<'_> {
        let (_, _, source, target) = &self.clients;
        FlowRecords { source, target, isolation: Isolation::ReadCommitted, deadline_ms: 10_000 }
    }

    fn line(&self) -> CutLine {
        let (source_until, target_until) = self.ends();
        CutLine { partition: PartitionEnds { source: at(0), target: at(0) }, source_until, target_until }
    }

    /// From there to both ends, all of it to be copied.
    fn stretch(&self, source_from: i64) -> Stretch {
        let (source_until, target_until) = self.ends();
        Stretch {
            source: at(0),
            target: at(0),
            source_from,
            source_until,
            required_until: source_until,
            target_until,
            source_goes_on: false,
            timestamps: true,
            compacted: Compacted::default(),
        }
    }

    async fn compare(
        &self,
        stretch: &Stretch,
        meter: &Meter,
        from: Option<Checkpoint>,
        keep: &dyn Keep,
    ) -> Option<StretchEnd> {
        let (source, target, ..) = &self.clients;
        let records = self.records();
        let pairs = &self.pairs;
        let compare = CompareStretch { records: &records, source, target, pairs, stretch, meter };
        compare.run(from, keep).await.expect("readable")
    }

    async fn translate(&self, group: &[(i32, i64)]) -> Positions {
        self.translate_by(self.records(), group).await
    }

    async fn translate_by(&self, records: FlowRecords<'_>, group: &[(i32, i64)]) -> Positions {
        let group = group.iter().map(|(partition, offset)| (at(*partition), *offset)).collect();
        let groups = BTreeMap::from([("g".to_owned(), group)]);
        self.translate_groups(records, &groups).await.remove("g").expect("asked")
    }

    async fn translate_groups(
        &self,
        records: FlowRecords<'_>,
        groups: &BTreeMap<String, ByPartition<i64>>,
    ) -> BTreeMap<String, Positions> {
        let (source, target, ..) = &self.clients;
        let pairs = ByPartition::from([(at(0), self.pairs.clone())]);
        let flow = flow("http://unused");
        let translator = Translator {
            exactly_once: self.exactly_once,
            flow: &flow,
            renaming: &Renaming::default(),
            records,
            source,
            target,
            pairs: &pairs,
            target_until: None,
        };
        translate_groups(&translator, groups).await.expect("both sides answer")
    }

    /// Of a group on the target, where its positions came from.
    async fn translate_back(
        &self,
        pairs: &ByPartition<Vec<OffsetPair>>,
        group: ByPartition<i64>,
    ) -> Positions {
        let (source, target, ..) = &self.clients;
        let sources = ByPartition::from([(at(0), at(0)), (at(1), at(1))]);
        let uncompacted = BTreeSet::from([at(0).topic]);
        let records = self.records();
        let way = WayBack { records, source, target, pairs, sources: &sources, uncompacted: &uncompacted };
        let groups = BTreeMap::from([("g".to_owned(), group)]);
        way.translate_groups(&groups).await.expect("both sides answer").remove("g").expect("asked")
    }

    /// What is kept of these positions.
    async fn keep(&self, positions: &[i64], timestamps: bool) -> ByPartition<Rings> {
        self.keep_by(self.records(), positions, timestamps).await
    }

    async fn keep_by(
        &self,
        records: FlowRecords<'_>,
        positions: &[i64],
        timestamps: bool,
    ) -> ByPartition<Rings> {
        // The pairs are where the flow has them.
        for OffsetPair { upstream, downstream } in &self.pairs {
            sync(&self.world, "orders", 0, *upstream, *downstream);
        }
        let connect = FakeConnect::start().await;
        let (flow, replication) = (flow(&connect.url), mirror(&connect, &self.world));
        let (source, target, ..) = &self.clients;
        let keeper =
            Keeper { flow: &flow, records, source, target, replication: &replication, exactly_once: false };
        let ends = keeper.ends(&[at(0)]).await.expect("both sides answer").remove(&at(0));
        let ends = ends.expect("asked").expect("told");
        let positions = positions.iter().copied().collect();
        let wanted = Wanted { positions, ends, keeps_all: true, timestamps };
        keeper.read(&ByPartition::from([(at(0), wanted)])).await.expect("readable").rings
    }

    /// Where what was kept leads.
    async fn resume(
        &self,
        rings: &ByPartition<Rings>,
        positions: &[i64],
    ) -> BTreeMap<i64, Result<Resumption, NotTranslated>> {
        let flow = flow("http://unused");
        let (_, target, _, mover) = &self.clients;
        let resumer = Resumer { flow: &flow, target, mover, deadline_ms: 10_000, rings };
        let asked = ByPartition::from([(at(0), positions.iter().copied().collect())]);
        resumer.resume_all(&asked).await.expect("the target answers").remove(&at(0)).expect("asked")
    }
}
