//! Translation and verification on logs with holes, markers, aborted and second copies, against the plain truth.

mod apart;
mod far;
mod late;

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
    Isolation, KafkaError, PrintRange, ReadRange, Record, RecordMover, Tails, WorkShare,
    double::{MemoryAdmin, MemoryMover, Payload, World},
    mover::NewRecord,
};
use muster_replication::{
    FlowRecords, PartitionEnds,
    translate::{
        Keeper, NotTranslated, Positions, Resumer, Resumption, Translator, Wanted, WayBack, translate_group,
    },
    verify::{CompareStretch, CutLine, Keep, Meter, content_window, tails_match, verify_content},
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
        let group = group.iter().map(|(partition, offset)| (at(*partition), *offset)).collect();
        translate_group(&translator, &group).await.expect("both sides answer")
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

#[tokio::test]
async fn every_position_is_the_true_one() {
    let mut logs = Logs::new();
    logs.fill(2_000);
    assert!(logs.pairs.len() > 20 && logs.pairs.len() < 200, "{} pairs", logs.pairs.len());
    let first_pair = logs.pairs[0].upstream;
    let (source_end, target_end) = logs.ends();
    for offset in (first_pair..=source_end).step_by(7).chain([source_end]) {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("comparable");
        let truth = logs
            .copies
            .iter()
            .find(|(source, _)| *source >= offset)
            .map_or(target_end, |(_, target)| *target);
        assert_eq!(found.mapping.target_offset, truth, "group at {offset}: {:?}", found.mapping);
        assert_eq!((found.mapping.class, found.mapping.reprocessed_at_most), (ReadingClass::Exact, 0));
    }
}

#[tokio::test]
async fn every_position_on_the_target_leads_back_to_where_its_records_came_from() {
    let mut logs = Logs::new();
    logs.fill(2_000);
    let (source, target, ..) = &logs.clients;
    let pairs = ByPartition::from([(at(0), logs.pairs.clone())]);
    let sources = ByPartition::from([(at(0), at(0)), (at(1), at(1))]);
    let uncompacted = BTreeSet::from([at(0).topic]);
    let way = WayBack {
        records: logs.records(),
        source,
        target,
        pairs: &pairs,
        sources: &sources,
        uncompacted: &uncompacted,
    };
    let back = async |offset: i64| {
        let asked = BTreeMap::from([("g".to_owned(), ByPartition::from([(at(0), offset)]))]);
        let mut found = way.translate_groups(&asked).await.expect("both sides answer");
        found.remove("g").expect("asked").remove(&at(0)).expect("asked")
    };
    let first = logs.pairs[0].downstream;
    let (_, target_end) = logs.ends();
    let mut exact = 0;
    for offset in (first + 1..=target_end).step_by(7).chain([target_end]) {
        let found = back(offset).await.expect("a pair lies before it");
        let read = logs.copies.iter().rev().find(|(_, copy)| *copy < offset).expect("read some").0;
        assert!(found.mapping.target_offset <= read + 1, "group at {offset}: {:?}", found.mapping);
        if found.mapping.class == ReadingClass::Exact {
            assert_eq!(found.mapping.target_offset, read + 1, "group at {offset}: {:?}", found.mapping);
            exact += 1;
        }
    }
    assert!(exact > 150, "{exact}");
    let before = back(0).await;
    assert!(matches!(before, Err(NotTranslated::Untranslatable { .. })), "{before:?}");
    // What it had read there is gone: what took its place came back, too.
    for offset in [target_end + 1, i64::MAX] {
        let past = Untranslatable::PastEnd { offset, end: target_end };
        assert_eq!(back(offset).await, Err(NotTranslated::Untranslatable { untranslatable: past }));
    }
}

#[tokio::test]
async fn a_group_that_read_everything_goes_to_the_end() {
    let mut logs = Logs::new();
    logs.fill(100);
    let (source_end, target_end) = logs.ends();
    let last = logs.copies.last().expect("copied").0;
    for offset in [last + 1, source_end] {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("drained");
        assert_eq!((found.mapping.target_offset, found.mapping.method), (target_end, Method::Drained));
        assert_eq!(found.mapping.class, ReadingClass::Exact);
    }
}

/// Replicas that lagged were elected: 50 offsets are gone, fewer were written and copied since, and both sides end with the
/// same record. The group has not read them.
#[tokio::test]
async fn a_group_past_the_end_of_the_source_is_refused_and_not_put_behind_what_took_the_place_of_what_it_had_read()
 {
    let mut logs = Logs::new();
    logs.fill(1_000);
    let (group, _) = logs.ends();
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").truncate(group - 50);
    for number in 5_000..5_030 {
        for name in ["A", "B"] {
            let mut state = logs.world.lock();
            state.cluster_mut(name).log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
        }
    }
    let (end, _) = logs.ends();
    assert_eq!(end, group - 20);
    for offset in [end + 1, group, i64::MAX] {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked");
        let untranslatable = Untranslatable::PastEnd { offset, end };
        assert_eq!(found, Err(NotTranslated::Untranslatable { untranslatable }));
    }
    let why =
        logs.translate(&[(0, group)]).await.remove(&at(0)).expect("asked").expect_err("refused").to_string();
    let expected =
        format!("the group's position {group} is past the end {end} of the source: records were lost there");
    assert!(why.starts_with(&expected), "{why}");
    let negative = logs.translate(&[(0, -1)]).await.remove(&at(0)).expect("asked");
    assert!(matches!(
        negative,
        Err(NotTranslated::Untranslatable { untranslatable: Untranslatable::BadOffset { offset: -1 } })
    ));
}

/// The same for the day the source is dead. Of a group that reads what is not committed yet, and so stands past the end of
/// what is, something is kept.
#[tokio::test]
async fn nothing_is_kept_of_a_group_past_the_end_of_everything() {
    let mut logs = Logs::new();
    logs.fill(1_000);
    {
        let mut state = logs.world.lock();
        let log = state.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        for number in 0..5 {
            log.append(payload(6_000 + number), 9, true);
        }
    }
    let (end, _) = logs.ends();
    let rings = logs.keep(&[end - 3, end, end + 1, end + 30], true).await;
    let resumed = logs.resume(&rings, &[end - 3, end, end + 1, end + 30]).await;
    for offset in [end - 3, end] {
        let found = resumed[&offset].as_ref().expect("it reads what is not committed");
        assert!(found.translated.mapping.target_offset <= logs.ends().1, "{found:?}");
    }
    for offset in [end + 1, end + 30] {
        let untranslatable = Untranslatable::NoSyncKept { offset };
        assert_eq!(resumed[&offset], Err(NotTranslated::Untranslatable { untranslatable }));
    }
}

/// The target's brokers write their own timestamps: everything is found as if they did not, by positions that are exact.
#[tokio::test]
async fn a_target_with_its_own_timestamps_changes_no_position() {
    let mut logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    logs.fill(1_000);
    let (source_end, target_end) = logs.ends();
    let first_pair = logs.pairs[0].upstream;
    let truth = |offset: i64| {
        let copy = logs.copies.iter().find(|(source, _)| *source >= offset);
        copy.map_or(target_end, |(_, target)| *target)
    };
    for offset in (first_pair..=source_end).step_by(7).chain([source_end]) {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("comparable");
        assert_eq!(found.mapping.target_offset, truth(offset), "group at {offset}: {:?}", found.mapping);
        assert_eq!(found.mapping.class, ReadingClass::Exact, "group at {offset}: {:?}", found.mapping);
    }
    let middle = logs.copies[300].0;
    let rings = logs.keep(&[middle], false).await;
    let resumed = logs.resume(&rings, &[middle]).await;
    let found = &resumed[&middle].as_ref().expect("kept").translated;
    assert_eq!((found.mapping.target_offset, found.mapping.class), (truth(middle), ReadingClass::Exact));
    // With timestamps nothing would be the same there: the sync would be contradicted.
    let rings = logs.keep(&[middle], true).await;
    let resumed = logs.resume(&rings, &[middle]).await;
    let exact = |found: &Resumption| found.translated.mapping.class == ReadingClass::Exact;
    assert!(!resumed[&middle].as_ref().is_ok_and(exact), "{resumed:?}");
}

/// Reads prints, and refuses to hold payloads.
#[derive(Debug)]
struct PrintsOnly<'a>(&'a MemoryMover);

#[async_trait::async_trait]
impl RecordMover for PrintsOnly<'_> {
    fn cluster(&self) -> &str {
        self.0.cluster()
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        _: Isolation,
        _: u64,
    ) -> Result<ByPartition<Vec<Record>>, KafkaError> {
        panic!("the payloads of {ranges:?} are not needed")
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        self.0.read_on(stretches, isolation, deadline_ms).await
    }

    async fn tails(
        &self,
        until: &ByPartition<i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Tails, KafkaError> {
        self.0.tails(until, isolation, deadline_ms).await
    }

    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
        self.0.share(group, topics).await
    }

    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError> {
        self.0.write(partition, records, deadline_ms).await
    }
}

#[tokio::test]
async fn translations_drains_and_rings_hold_no_payloads() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let (_, _, source, target) = &logs.clients;
    let (source, target) = (PrintsOnly(source), PrintsOnly(target));
    let records = FlowRecords { source: &source, target: &target, ..logs.records() };
    let middle = logs.copies[logs.copies.len() / 2].0;
    let found =
        logs.translate_by(records, &[(0, middle)]).await.remove(&at(0)).expect("asked").expect("comparable");
    assert_eq!(found.mapping.class, ReadingClass::Exact);
    assert!(tails_match(&records, &[logs.line()]).await.expect("readable")[0].drained);
    assert_eq!(logs.keep_by(records, &[middle], true).await[&at(0)].positions.len(), 2);
}

#[tokio::test]
async fn a_drained_group_on_a_target_that_is_behind_is_not_called_exact() {
    let mut logs = Logs::new();
    logs.fill(100);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_999), 0, false);
    let (source_end, target_end) = logs.ends();
    let found = logs.translate(&[(0, source_end)]).await.remove(&at(0)).expect("asked").expect("drained");
    assert_eq!(found.mapping.target_offset, target_end);
    assert_eq!(found.mapping.class, ReadingClass::LowerBound);
    assert!(found.mapping.reprocessed_at_most >= 1);
}

#[tokio::test]
async fn what_expired_on_the_source_is_not_skipped_on_the_target() {
    let mut logs = Logs::new();
    logs.fill(500);
    let pair = logs.pairs[3];
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").delete_below(pair.upstream + 100);
    let found =
        logs.translate(&[(0, pair.upstream + 1)]).await.remove(&at(0)).expect("asked").expect("the floor");
    assert_eq!((found.mapping.target_offset, found.mapping.method), (pair.downstream + 1, Method::PairFloor));
}

#[tokio::test]
async fn a_partition_the_target_does_not_have_is_named() {
    let mut logs = Logs::new();
    logs.fill(20);
    let mut found = logs.translate(&[(0, 3), (7, 3)]).await;
    assert!(found.remove(&at(0)).expect("asked").is_ok());
    let error = found.remove(&at(7)).expect("asked").expect_err("there is no partition 7");
    assert!(matches!(&error, NotTranslated::Unreadable { partition, .. } if *partition == at(7)), "{error}");
}

#[tokio::test]
async fn a_drain_is_proven_by_the_last_committed_record() {
    let mut logs = Logs::new();
    logs.fill(200);
    // An aborted straggler at the end, as settling transactions leaves it: nothing to copy.
    {
        let mut state = logs.world.lock();
        let log = state.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        log.append(payload(9_000), 6, true);
        log.end_transaction(6, false);
    }
    let proof = tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    assert!(proof.drained, "{}", proof.reason);
    assert_eq!(proof.source.expect("a tail").offset, logs.copies.last().expect("copied").0);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_001), 0, false);
    let open = tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    assert!(!open.drained && open.reason.contains("is not the target's last one"), "{}", open.reason);
}

#[tokio::test]
async fn records_that_are_all_alike_do_not_prove_a_drain_early() {
    let logs = Logs::new();
    let put = |name: &str, count: i64| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for _ in 0..count {
            log.append(payload(1), 0, false);
        }
    };
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    put("A", 5);
    put("B", 3);
    let early = prove().await;
    assert!(!early.drained, "two are missing");
    assert_eq!(early.reason, "the last 5 records of the source are alike and the target holds 3 of them");
    put("B", 2);
    assert!(prove().await.drained);
    put("A", 100);
    put("B", 90);
    assert!(!prove().await.drained, "more alike than are looked at");
    let empty = CutLine {
        partition: PartitionEnds { source: at(1), target: at(1) },
        source_until: 0,
        target_until: 0,
    };
    assert!(tails_match(&logs.records(), &[empty]).await.expect("readable")[0].drained);
}

/// Without timestamps what repeats itself looks the same further up: then the last record alone proves nothing.
#[tokio::test]
async fn a_drain_to_a_target_with_its_own_timestamps_is_proven_without_them() {
    let mut logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    logs.fill(200);
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    let put = |name: &str, numbers: &[i64]| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for number in numbers {
            log.append(payload(*number), 0, false);
        }
    };
    put("A", &[9_001]);
    let open = prove().await;
    assert!(!open.drained && open.reason.contains("is not the target's last one"), "{}", open.reason);
    put("B", &[9_001]);
    assert!(prove().await.drained);
    // On and off, four times; the target has seen the first two.
    put("A", &[1, 2, 1, 2, 1, 2, 1, 2]);
    put("B", &[1, 2, 1, 2]);
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("repeat themselves"), "{}", early.reason);
    put("B", &[1, 2, 1, 2]);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    // A keepalive that stood there long before, and a hundred records since: the target has seen the first one.
    let since: Vec<i64> = (20_000..20_100).collect();
    put("A", &[7]);
    put("B", &[7]);
    assert!(prove().await.drained);
    put("A", &since);
    put("A", &[7]);
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("those before them do not"), "{}", early.reason);
    put("B", &since);
    put("B", &[7]);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
}

/// A log that has been going on and off for longer than is read looks the same wherever it is cut off.
#[tokio::test]
async fn a_drain_without_timestamps_is_not_proven_where_all_that_was_read_repeats_itself() {
    let logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    let put = |name: &str, numbers: &mut dyn Iterator<Item = i64>| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for number in numbers {
            log.append(payload(number), 0, false);
        }
    };
    let on_and_off = |times: usize| [1_i64, 2].into_iter().cycle().take(times);
    // The whole log is read: none can be missing.
    for name in ["A", "B"] {
        put(name, &mut on_and_off(40));
    }
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    put("A", &mut on_and_off(200));
    put("B", &mut on_and_off(100));
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("repeat themselves"), "{}", early.reason);
    put("B", &mut on_and_off(100));
    let there = prove().await;
    assert!(!there.drained && there.reason.contains("repeat themselves"), "{}", there.reason);
    for name in ["A", "B"] {
        put(name, &mut std::iter::once(9_001_i64));
    }
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
}

#[tokio::test]
async fn content_on_a_target_with_its_own_timestamps_is_compared_without_them_and_says_so() {
    let mut logs = Logs::new();
    // The first records were copied before somebody changed the topic.
    logs.fill(1_000);
    let timed = content_window(&logs.line(), &logs.pairs, 500).expect("there are pairs");
    let timed = verify_content(&logs.records(), &[timed]).await.expect("readable");
    assert!(timed.equal && timed.partitions[0].timestamps, "{timed:?}");
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    for (cluster, number) in [("A", 5_000), ("B", 5_000), ("A", 5_001)] {
        let mut state = logs.world.lock();
        state.cluster_mut(cluster).log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
    }
    let window = content_window(&logs.line(), &logs.pairs, 500).expect("there are pairs");
    let found = verify_content(&logs.records(), &[window]).await.expect("readable");
    let partition = &found.partitions[0];
    assert!(!partition.timestamps, "{found:?}");
    assert_eq!((partition.found.missing, partition.found.extra), (1, 0), "{found:?}");
    assert_eq!(partition.found.matched + 1, partition.found.on_source, "{found:?}");
}

#[tokio::test]
async fn content_is_equal_from_a_pair_on_and_a_hole_is_found() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let window = content_window(&logs.line(), &logs.pairs, 1_000).expect("there are pairs");
    assert!(window.source_until - window.source_from >= 1_000);
    let same = verify_content(&logs.records(), std::slice::from_ref(&window)).await.expect("readable");
    assert!(same.equal, "{same:?}");
    assert!(same.records > 300, "{}", same.records);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_999), 0, false);
    let window = content_window(&logs.line(), &logs.pairs, 1_000).expect("there are pairs");
    let lost = verify_content(&logs.records(), &[window]).await.expect("readable");
    assert_eq!((lost.nothing_lost, lost.partitions[0].found.missing), (false, 1));
    assert!(serde_json::to_string(&lost).expect("evidence").contains("\"missing\":1"));
    assert_eq!(content_window(&logs.line(), &[], 1_000), None);
}

#[tokio::test]
async fn a_target_that_keeps_its_own_time_is_compared_without_and_no_payload_is_told() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let there = Payload { timestamp: 77, ..payload(9_999) };
    for (cluster, record) in [("A", payload(9_999)), ("B", there)] {
        logs.world.lock().cluster_mut(cluster).log_mut(&at(0)).expect("the topic").append(record, 0, false);
    }
    let meter = Meter::new(None);
    let compare = async |timestamps| {
        let stretch = Stretch { timestamps, ..logs.stretch(0) };
        compared(logs.compare(&stretch, &meter, None, &Forever).await)
    };
    let timed = compare(true).await;
    assert_eq!((timed.missing, timed.extra, timed.matched), (1, 1, timed.on_source - 1), "{timed:?}");
    let told = serde_json::to_string(&timed).expect("evidence");
    assert!(told.contains("key_hash") && !told.contains("record 9999"), "{told}");
    let timeless = compare(false).await;
    assert!(timeless.equal() && timeless.source_digest == timeless.target_digest, "{timeless:?}");
    assert!(meter.records() >= 4 * timeless.on_source && meter.bytes() > 0);
}

#[tokio::test]
async fn a_stretch_in_the_middle_begins_with_the_same_record_with_and_without_pairs() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let meter = Meter::new(None);
    for with_pairs in [true, false] {
        if !with_pairs {
            logs.pairs.clear();
        }
        for from in [1, 700, 2_500] {
            let stretch = Stretch { source_goes_on: true, source_until: from + 400, ..logs.stretch(from) };
            let found = compared(logs.compare(&stretch, &meter, None, &Forever).await);
            assert!(
                found.nothing_lost() && found.duplicates == 0 && found.matched > 100,
                "{from}: {found:?}"
            );
        }
    }
    // A record that only the target has, in the middle of what is compared.
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").append(payload(77_777), 0, false);
    let all = compared(logs.compare(&logs.stretch(1_000), &meter, None, &Forever).await);
    assert_eq!((all.extra, all.missing), (1, 0), "{all:?}");
}

#[tokio::test]
async fn what_is_not_copied_yet_is_on_its_way() {
    let mut logs = Logs::new();
    logs.fill(500);
    let known = logs.ends().0;
    for number in 0..5 {
        let mut world = logs.world.lock();
        world.cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_000 + number), 0, false);
    }
    let stretch = Stretch { required_until: known, ..logs.stretch(0) };
    let found = compared(logs.compare(&stretch, &Meter::new(None), None, &Forever).await);
    assert_eq!((found.pending, found.missing, found.nothing_lost(), found.equal()), (5, 0, true, false));
}
