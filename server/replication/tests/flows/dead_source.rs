//! What is told of a flow whose source is dead: its offset syncs died with it, and what was read of them is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use muster_domain::{
    offset_pairs::{ELSEWHERE, Kept},
    reading::ReadingClass,
    survey::{FlowObservation, OffsetPair},
    topic::{ByPartition, TopicPartition},
    translation::{Method, Untranslatable},
};
use muster_kafka::double::{Health, Payload, World};
use muster_replication::{
    Mm2OnConnect, OffsetPairMemory, Replication,
    double::KeptInMemory,
    translate::{BySyncs, NotTranslated, Resumption, Translated},
};
use uuid::Uuid;

use crate::{fake_connect::FakeConnect, flow, hands, mirror, world};

const SYNCS: &str = "mm2-offset-syncs.B.internal";

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

fn append(world: &World, cluster: &str, topic: &str, (key, value): (Vec<u8>, Vec<u8>)) {
    let mut state = world.lock();
    let log = state.cluster_mut(cluster).log_mut(&TopicPartition::new(topic, 0)).expect("the topic");
    let (key, value) = (Some(key.into()), Some(value.into()));
    log.append(Payload { timestamp: 1, key, value, headers: vec![] }, -1, false);
}

fn copy(world: &World, records: i64) {
    for number in 0..records {
        append(world, "B", "orders", (b"key".to_vec(), number.to_be_bytes().to_vec()));
    }
}

fn sync(world: &World, upstream: i64, downstream: i64) {
    let key = [[0_u8, 6].as_slice(), b"orders", &0_i32.to_be_bytes()].concat();
    append(world, "A", SYNCS, (key, [upstream.to_be_bytes(), downstream.to_be_bytes()].concat()));
}

/// A flow that keeps its offset syncs where MirrorMaker 2 does unless it is told otherwise, and 200 records of its copy.
async fn stage() -> (FakeConnect, World, KeptInMemory) {
    let (connect, world) = (FakeConnect::start().await, world());
    set(&connect, "offset-syncs.topic.location", "source");
    world.lock().cluster_mut("A").create_topic(SYNCS, 1).expect("new");
    copy(&world, 200);
    sync(&world, 0, 0);
    sync(&world, 100, 100);
    (connect, world, KeptInMemory::default())
}

fn set(connect: &FakeConnect, key: &str, value: &str) {
    connect.source(|connector| {
        connector.config.insert(key.to_owned(), value.to_owned());
    });
}

/// Another process.
fn process(connect: &FakeConnect, world: &World, memory: &KeptInMemory) -> Mm2OnConnect {
    mirror(connect, world).remembering(Arc::new(memory.clone()))
}

async fn look(flow: &Mm2OnConnect) -> FlowObservation {
    flow.observe(DateTime::UNIX_EPOCH).await
}

async fn kept(memory: &KeptInMemory) -> (Vec<OffsetPair>, Kept) {
    let kept = memory.recall().await.expect("told").expect("kept");
    let read = kept.pairs.as_ref().expect("it reads back");
    (read.1.partitions[&at()].pairs.clone(), kept)
}

fn id_of_copy(world: &World) -> Uuid {
    world.lock().cluster_mut("B").topics["orders"].id
}

fn make_copy_anew(world: &World) {
    let mut state = world.lock();
    let cluster = state.cluster_mut("B");
    cluster.topics.remove("orders");
    cluster.create_topic("orders", 2).expect("gone");
}

#[tokio::test]
async fn what_was_read_before_the_source_died_is_told_by_every_process_with_when_it_was_read() {
    let (connect, world, memory) = stage().await;
    let (began, first) = (Utc::now(), process(&connect, &world, &memory));
    for _ in 0..2 {
        assert_eq!(look(&first).await.last_pairs, None, "they can be read");
    }
    let bound = BTreeMap::from([("orders".to_owned(), id_of_copy(&world))]);
    assert_eq!(kept(&memory).await.1.seen.copies, bound);
    sync(&world, 150, 150);
    look(&first).await;
    assert_eq!(kept(&memory).await.0.len(), 2, "the third is not kept at once");

    world.set_health("A", Health::Dead);
    let seen = look(&first).await;
    let reason = seen.newest_pairs.as_result().expect_err("nobody has read them");
    assert!(reason.contains("connection refused"), "{reason}");
    let last = seen.last_pairs.expect("they were read before");
    assert_eq!(last.newest.0, [(at(), pair(150, 150))].into());
    assert!((began..=Utc::now()).contains(&last.read_at), "{last:?}");
    let (pairs, all) = kept(&memory).await;
    assert_eq!(pairs, [pair(0, 0), pair(100, 100), pair(150, 150)], "it may be the last time");
    assert_eq!((all.seen.read_at, &all.seen.copies), (Some(last.read_at), &bound));
    let refused = first.offset_pairs(&[at()]).await.expect_err("who moves groups has to know all of them");
    assert!(refused.may_pass(), "{refused}");
    drop(first);

    // All that is left is what is kept, and Connect may have died as well.
    let second = process(&connect, &world, &memory);
    let nowhere =
        Mm2OnConnect::new(&flow("http://127.0.0.1:1"), hands(&world, "A"), hands(&world, "B"), None)
            .expect("a flow")
            .remembering(Arc::new(memory.clone()));
    for flow in [&second, &nowhere] {
        for _ in 0..2 {
            assert_eq!(look(flow).await.last_pairs.as_ref(), Some(&last));
        }
    }
    assert_eq!(memory.recalls(), 1 + 3 + 2, "once by each process, and by this test");
    let forgetful = mirror(&connect, &world);
    assert_eq!(look(&forgetful).await.last_pairs, None);

    world.set_health("A", Health::Up);
    sync(&world, 190, 190);
    let seen = look(&second).await;
    assert_eq!((seen.newest_pairs.value().expect("known").0[&at()], seen.last_pairs), (pair(190, 190), None));
    let pairs = second.offset_pairs(&[at()]).await.expect("readable").remove(&at()).expect("asked");
    assert_eq!(pairs.len(), 4, "read on from what was kept: {pairs:?}");
}

#[tokio::test]
async fn pairs_of_a_copy_that_was_made_anew_are_of_no_other() {
    let (connect, world, memory) = stage().await;
    let first = process(&connect, &world, &memory);
    look(&first).await;
    look(&first).await;
    drop(first);
    let before = id_of_copy(&world);
    make_copy_anew(&world);
    let second = process(&connect, &world, &memory);
    look(&second).await;
    let seen = look(&second).await;
    assert_eq!(seen.newest_pairs.value().expect("known").0, ByPartition::new());
    let (pairs, all) = kept(&memory).await;
    assert_eq!(pairs.len(), 2);
    assert_eq!(all.seen.copies["orders"], before, "what is kept is still what was there before");
    // It copies on: the first record of a copy that is shorter than it was has a sync.
    copy(&world, 1);
    sync(&world, 150, 0);
    look(&second).await;
    let (pairs, all) = kept(&memory).await;
    assert_eq!((pairs, all.seen.copies["orders"]), (vec![pair(150, 0)], id_of_copy(&world)));
}

#[tokio::test]
async fn a_copy_that_was_seen_to_begin_anew_keeps_its_own_pairs() {
    let (connect, world, memory) = stage().await;
    let first = process(&connect, &world, &memory);
    look(&first).await;
    look(&first).await;
    drop(first);
    make_copy_anew(&world);
    let second = process(&connect, &world, &memory);
    look(&second).await;
    copy(&world, 150);
    sync(&world, 150, 0);
    let seen = look(&second).await;
    assert_eq!(seen.newest_pairs.value().expect("known").0[&at()], pair(150, 0));
    let (pairs, all) = kept(&memory).await;
    assert_eq!(pairs, [pair(0, 0), pair(100, 100), pair(150, 0)], "which are of which is told by them");
    assert_eq!(all.seen.copies["orders"], id_of_copy(&world));
}

#[tokio::test]
async fn behind_a_router_pairs_are_of_no_copy_that_a_name_tells() {
    let (connect, world, memory) = stage().await;
    set(&connect, "transforms", "move");
    set(&connect, "transforms.move.type", "org.apache.kafka.connect.transforms.RegexRouter");
    set(&connect, "transforms.move.regex", "orders");
    set(&connect, "transforms.move.replacement", "others");
    let first = process(&connect, &world, &memory);
    look(&first).await;
    look(&first).await;
    let (pairs, all) = kept(&memory).await;
    assert_eq!((pairs.len(), all.seen.copies["orders"]), (2, ELSEWHERE));
}

/// Where positions lead by these pairs alone.
async fn resumed(
    world: &World,
    pairs: &[OffsetPair],
    end: Option<i64>,
    positions: &[i64],
) -> BTreeMap<i64, Result<Resumption, NotTranslated>> {
    let (flow, target) = (flow("http://unused"), world.admin("B"));
    let syncs = ByPartition::from([(at(), pairs.to_vec())]);
    let ends = end.into_iter().map(|end| (at(), end)).collect();
    let by_syncs = BySyncs { flow: &flow, target: &target, syncs: &syncs, ends: &ends };
    let positions: BTreeSet<i64> = positions.iter().copied().collect();
    let unkept = TopicPartition::new("orders", 1);
    let asked = ByPartition::from([(at(), positions.clone()), (unkept, positions)]);
    let mut found = by_syncs.resume_all(&asked).await.expect("the target answers");
    assert_eq!(found.len(), 1, "of the other partition nothing is kept");
    found.remove(&at()).expect("kept")
}

#[tokio::test]
async fn by_kept_syncs_alone_groups_go_on_behind_the_one_before_them() {
    let world = world();
    copy(&world, 280);
    // The source is not asked.
    world.set_health("A", Health::Dead);
    let pairs = [pair(0, 0), pair(100, 90), pair(200, 180), pair(300, 270)];
    let found = resumed(&world, &pairs, Some(320), &[0, 50, 100, 230, 320, 321]).await;
    let told = |position: i64| {
        let Resumption { translated, lost_at_most } = found[&position].as_ref().expect("told");
        let Translated { target, source_offset, mapping, run } = translated;
        assert_eq!((target, *source_offset, *run), (&at(), position, 0));
        (mapping.target_offset, mapping.class, mapping.method, mapping.reprocessed_at_most, *lost_at_most)
    };
    assert_eq!(told(0), (0, ReadingClass::Exact, Method::Pair, 0, Some(19)));
    assert_eq!(told(50), (1, ReadingClass::LowerBound, Method::PairFloor, 89, Some(19)));
    assert_eq!(told(100), (90, ReadingClass::Exact, Method::Pair, 0, Some(19)));
    // Whether the task began again behind the newest sync nobody has read: that one is not relied on.
    assert_eq!(told(230), (181, ReadingClass::LowerBound, Method::PairFloor, 99, Some(19)));
    assert_eq!(told(320), (181, ReadingClass::LowerBound, Method::PairFloor, 99, Some(0)));
    let past = Untranslatable::PastKnownEnd { offset: 321, end: 320 };
    assert_eq!(found[&321], Err(NotTranslated::Untranslatable { untranslatable: past }));
    let unknown = resumed(&world, &pairs, None, &[50]).await;
    assert_eq!(unknown[&50].as_ref().map(|found| found.lost_at_most), Ok(None));

    // The copy is shorter than it was.
    make_copy_anew(&world);
    copy(&world, 270);
    let shorter = Untranslatable::TargetShorter { was: 271, is: 270 };
    let found = resumed(&world, &pairs, Some(320), &[50]).await;
    assert_eq!(found[&50], Err(NotTranslated::Untranslatable { untranslatable: shorter }));
}
