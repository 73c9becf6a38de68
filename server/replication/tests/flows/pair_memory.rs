//! Offset pairs that are kept beyond a process, and beyond what their topic still has.

use std::sync::Arc;

use chrono::DateTime;
use muster_domain::{
    survey::{OffsetPair, Rewind},
    topic::TopicPartition,
};
use muster_kafka::double::{Log, World};
use muster_replication::{
    Mm2OnConnect, OffsetPairMemory, OffsetPairRoom, Replication, ReplicationError, double::KeptInMemory,
};

use crate::{fake_connect::FakeConnect, mirror, observing::sync, world};

const SYNCS: &str = "mm2-offset-syncs.A.internal";

/// Another process.
fn process(connect: &FakeConnect, world: &World, memory: &KeptInMemory) -> Mm2OnConnect {
    mirror(connect, world).remembering(Arc::new(memory.clone()))
}

async fn pairs(flow: &Mm2OnConnect) -> Result<Vec<(i64, i64)>, ReplicationError> {
    let at = TopicPartition::new("orders", 0);
    let pairs = flow.offset_pairs(std::slice::from_ref(&at)).await?.remove(&at).expect("asked");
    Ok(pairs.into_iter().map(|OffsetPair { upstream, downstream }| (upstream, downstream)).collect())
}

fn syncs(world: &World, change: impl FnOnce(&mut Log)) {
    let mut state = world.lock();
    change(state.cluster_mut("B").log_mut(&TopicPartition::new(SYNCS, 0)).expect("the topic"));
}

fn compact(world: &World) {
    syncs(world, |log| log.compact_below(log.end()));
}

#[tokio::test]
async fn another_process_knows_what_one_read_although_the_topic_was_compacted_and_emptied_since() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    for (upstream, downstream) in [(10, 11), (20, 21), (15, 30), (40, 60)] {
        sync(&world, "orders", 0, upstream, downstream);
    }
    let all = [(10, 11), (20, 21), (15, 30), (40, 60)];
    assert_eq!(pairs(&process(&connect, &world, &memory)).await.expect("readable"), all);
    compact(&world);
    assert_eq!(pairs(&mirror(&connect, &world)).await.expect("readable"), [(40, 60)], "what the topic has");
    let second = process(&connect, &world, &memory);
    assert_eq!(pairs(&second).await.expect("readable"), all);
    syncs(&world, |log| log.delete_below(log.end()));
    let third = process(&connect, &world, &memory);
    assert_eq!(pairs(&third).await.expect("readable"), all);
    let seen = third.observe(DateTime::UNIX_EPOCH).await;
    let rewind = Rewind { from: 20, to: 15, downstream: 30 };
    assert_eq!(seen.rewinds, [(TopicPartition::new("orders", 0), rewind)].into());
    sync(&world, "orders", 0, 50, 70);
    for flow in [&second, &third] {
        assert_eq!(pairs(flow).await.expect("readable")[3..], [(40, 60), (50, 70)]);
    }
}

#[tokio::test]
async fn what_could_not_be_read_stays_counted_until_the_topic_begins_behind_it() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    sync(&world, "orders", 0, 10, i64::MAX);
    sync(&world, "orders", 0, 10, 11);
    let seen = process(&connect, &world, &memory).observe(DateTime::UNIX_EPOCH).await.unreadable_syncs;
    assert_eq!(seen.count, 1);
    compact(&world);
    assert_eq!(process(&connect, &world, &memory).observe(DateTime::UNIX_EPOCH).await.unreadable_syncs, seen);
    syncs(&world, |log| log.delete_below(log.end()));
    let later = process(&connect, &world, &memory);
    assert_eq!(later.observe(DateTime::UNIX_EPOCH).await.unreadable_syncs.count, 0);
    sync(&world, "orders", 0, 10, i64::MAX);
    assert_eq!(later.observe(DateTime::UNIX_EPOCH).await.unreadable_syncs.count, 1, "another one");
}

#[tokio::test]
async fn of_two_processes_that_read_the_same_one_keeps_it_and_both_go_on() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    let (one, two) = (process(&connect, &world, &memory), process(&connect, &world, &memory));
    // Both know that nothing is kept yet.
    assert_eq!(
        (pairs(&one).await.expect("readable"), pairs(&two).await.expect("readable")),
        (vec![], vec![])
    );
    sync(&world, "orders", 0, 10, 11);
    sync(&world, "orders", 0, 20, 21);
    let (of_one, of_two) = tokio::join!(pairs(&one), pairs(&two));
    assert_eq!((of_one.expect("readable").len(), of_two.expect("readable").len(), memory.keeps()), (2, 2, 1));
    sync(&world, "orders", 0, 30, 31);
    for flow in [&one, &two, &process(&connect, &world, &memory)] {
        assert_eq!(pairs(flow).await.expect("readable"), [(10, 11), (20, 21), (30, 31)]);
    }
    assert_eq!(memory.recalls(), 3, "each once: who was overtaken has read the same");
    let (_, kept) = memory.recall().await.expect("told").expect("kept").pairs.expect("readable");
    let kept = &kept.partitions[&TopicPartition::new("orders", 0)].pairs;
    let expected =
        [(10, 11), (20, 21), (30, 31)].map(|(upstream, downstream)| OffsetPair { upstream, downstream });
    assert_eq!(*kept, expected, "each once");
}

#[tokio::test]
async fn one_that_dies_before_it_kept_what_it_read_loses_nothing() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    sync(&world, "orders", 0, 10, 11);
    let one = process(&connect, &world, &memory);
    pairs(&one).await.expect("readable");
    sync(&world, "orders", 0, 20, 21);
    assert_eq!(pairs(&one).await.expect("readable").len(), 2);
    assert_eq!(memory.keeps(), 1, "the second is not kept at once");
    drop(one);
    assert_eq!(pairs(&process(&connect, &world, &memory)).await.expect("readable"), [(10, 11), (20, 21)]);
}

#[tokio::test]
async fn a_process_without_room_holds_the_newest_and_everything_is_kept_all_the_same() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    for n in 1..9 {
        sync(&world, "orders", 0, n * 10, n * 10 + 1);
    }
    let room = OffsetPairRoom::of(2);
    let narrow = process(&connect, &world, &memory).sharing(&room);
    let held = pairs(&narrow).await.expect("readable");
    assert!((1..=2).contains(&held.len()) && held.last() == Some(&(80, 81)), "{held:?}");
    let whole = pairs(&process(&connect, &world, &memory)).await.expect("readable");
    assert_eq!((whole.len(), whole[0]), (8, (10, 11)));
    sync(&world, "orders", 0, 90, 91);
    assert_eq!(pairs(&narrow).await.expect("readable").last(), Some(&(90, 91)));
}

#[tokio::test]
async fn a_memory_that_refuses_is_said_at_the_beginning_and_in_nobodys_way_later() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    let flow = process(&connect, &world, &memory);
    memory.refuse(true);
    let error = pairs(&flow).await.expect_err("less would be known than there is");
    assert!(
        error.may_pass() && error.to_string().contains("could not read offset pairs: connection refused"),
        "{error}"
    );
    memory.refuse(false);
    assert!(pairs(&flow).await.expect("readable").is_empty());
    memory.refuse(true);
    sync(&world, "orders", 0, 10, 11);
    assert_eq!(pairs(&flow).await.expect("read, though not kept"), [(10, 11)]);
    memory.refuse(false);
    assert_eq!(
        (pairs(&process(&connect, &world, &memory)).await.expect("readable"), memory.keeps()),
        (vec![(10, 11)], 1)
    );
}

/// What happened between the pairs that are kept and those the topic still has is not known: a copy that was made anew in between
/// would make the older ones wrong.
#[tokio::test]
async fn pairs_that_nobody_read_in_time_are_not_bridged() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    sync(&world, "orders", 0, 10, 11);
    sync(&world, "orders", 1, 5, 5);
    let first = process(&connect, &world, &memory);
    pairs(&first).await.expect("readable");
    for upstream in [20, 30, 40] {
        sync(&world, "orders", 0, upstream, upstream);
    }
    compact(&world);
    let second = process(&connect, &world, &memory);
    assert_eq!(pairs(&second).await.expect("readable"), [(40, 40)]);
    let seen = second.observe(DateTime::UNIX_EPOCH).await;
    let newest = &seen.newest_pairs.value().expect("known").0;
    assert_eq!(
        newest[&TopicPartition::new("orders", 1)],
        OffsetPair { upstream: 5, downstream: 5 },
        "it did not move"
    );
    sync(&world, "orders", 0, 50, 50);
    sync(&world, "orders", 1, 6, 6);
    syncs(&world, |log| log.delete_below(log.end() - 1));
    let third = process(&connect, &world, &memory).observe(DateTime::UNIX_EPOCH).await;
    let newest = &third.newest_pairs.value().expect("known").0;
    assert_eq!(newest.len(), 1, "{newest:?}");
    assert_eq!(newest[&TopicPartition::new("orders", 1)], OffsetPair { upstream: 6, downstream: 6 });
}

#[tokio::test]
async fn a_topic_made_anew_has_none_of_the_pairs_of_the_one_before() {
    let (connect, world, memory) = (FakeConnect::start().await, world(), KeptInMemory::default());
    sync(&world, "orders", 0, 10, 11);
    let flow = process(&connect, &world, &memory);
    pairs(&flow).await.expect("readable");
    {
        let mut state = world.lock();
        let cluster = state.cluster_mut("B");
        cluster.topics.remove(SYNCS);
        cluster.create_topic(SYNCS, 1).expect("gone");
    }
    sync(&world, "orders", 0, 3, 4);
    sync(&world, "orders", 0, 30, 40);
    for flow in [&flow, &process(&connect, &world, &memory)] {
        assert_eq!(pairs(flow).await.expect("readable"), [(3, 4), (30, 40)]);
    }
}
