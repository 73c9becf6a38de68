//! What others may name, write and remove: it is read as it is, or said to be what it is, and stands in nobody's way.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::DateTime;
use muster_domain::{
    reading::Observed,
    survey::{ConnectorObservation, FlowObservation, OffsetPair, WorkerObservation},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin as _, OffsetSpec};
use muster_replication::{Replication, ReplicationErrorKind};
use serde_json::json;

use crate::{
    fake_connect::FakeConnect,
    mirror,
    observing::{put, sync},
    world,
};

const SYNCS: &str = "mm2-offset-syncs.A.internal";
/// As many as a busy cluster's largest topic.
const VERY_MANY: i32 = 10_000;

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

/// What Connect says.
fn of_connect(seen: &FlowObservation) -> (Option<&WorkerObservation>, Vec<Option<&ConnectorObservation>>) {
    (seen.worker.value(), seen.connectors.values().map(Observed::value).collect())
}

/// Every character that a topic's name may have, over and over, as far as a name may reach.
fn longest_name() -> String {
    let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['.', '_', '-']);
    letters.cycle().take(249).collect()
}

#[tokio::test]
async fn every_name_a_topic_may_have_is_read_as_it_is() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let longest = longest_name();
    // Those that look like a number, a partition, an internal or another one's name among them.
    let names =
        [longest.as_str(), "-", "_", "...", "0", "-1", "orders-0", "orders-0-1", "A.orders", "__orders"];
    let mut expected = ByPartition::new();
    for (number, name) in (0_i64..).zip(names) {
        let at = TopicPartition::new(name, 0);
        sync(&world, name, 0, number, number + 1);
        connect.source(|connector| {
            let partition = json!({"cluster": "A", "topic": name, "partition": 0});
            connector.offsets.push((partition, json!({"offset": number})));
        });
        expected.insert(at, pair(number, number + 1));
    }
    assert_eq!(longest.len(), 249);
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    assert_eq!(seen.newest_pairs.value().expect("known").0, expected);
    let committed = seen.committed.value().expect("known");
    let upstream: ByPartition<i64> = expected.iter().map(|(at, pair)| (at.clone(), pair.upstream)).collect();
    assert_eq!((&committed.offsets, committed.foreign.len()), (&upstream, 0));
    assert_eq!(seen.unreadable_syncs.count, 0, "{:?}", seen.unreadable_syncs);
    let kept = serde_json::to_string(&seen).expect("serialisable");
    assert_eq!(serde_json::from_str::<FlowObservation>(&kept).expect("it reads back"), seen);
    let all: Vec<TopicPartition> = expected.keys().cloned().collect();
    let pairs = flow.offset_pairs(&all).await.expect("readable");
    let each: ByPartition<Vec<OffsetPair>> =
        expected.into_iter().map(|(at, pair)| (at, vec![pair])).collect();
    assert_eq!(pairs, each);

    // And those that none may have are nobody's.
    let too_long = format!("{longest}x");
    let none = [too_long.as_str(), "", ".", "..", "or ders", "orders/placed", "örders"];
    for (name, number) in none.into_iter().zip(1..) {
        sync(&world, name, 0, 1, 1);
        let seen = flow.observe(DateTime::UNIX_EPOCH).await;
        assert_eq!(seen.unreadable_syncs.count, number, "`{name}`");
        let last = seen.unreadable_syncs.last;
        assert!(last.ends_with("is of a topic that cannot be"), "`{name}`: {last}");
        assert_eq!(seen.newest_pairs.value().expect("known").0.len(), each.len(), "`{name}`");
    }
}

#[tokio::test]
async fn a_topic_with_ten_thousand_partitions_is_read_whole() {
    let (connect, world) = (FakeConnect::start().await, world());
    for name in ["A", "B"] {
        world.lock().cluster_mut(name).create_topic("wide", VERY_MANY).expect("new");
    }
    let flow = mirror(&connect, &world);
    let at = |partition| TopicPartition::new("wide", partition);
    for partition in 0..VERY_MANY {
        let offset = i64::from(partition);
        sync(&world, "wide", partition, offset, offset + 1);
        connect.source(|connector| {
            let stored = json!({"cluster": "A", "topic": "wide", "partition": partition});
            connector.offsets.push((stored, json!({"offset": offset})));
        });
    }
    let all: Vec<TopicPartition> = (0..VERY_MANY).map(at).collect();
    let committed: ByPartition<i64> =
        (0..VERY_MANY).map(|partition| (at(partition), i64::from(partition))).collect();
    let newest: ByPartition<OffsetPair> =
        committed.iter().map(|(at, offset)| (at.clone(), pair(*offset, offset + 1))).collect();
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    assert!(seen.committed.value().expect("known").offsets == committed);
    assert!(seen.newest_pairs.value().expect("known").0 == newest);
    let pairs = flow.offset_pairs(&all).await.expect("readable");
    assert!(pairs.len() == all.len() && pairs.iter().all(|(at, pairs)| *pairs == [newest[at]]));
    let admin = world.admin("A");
    let described = admin.topics(Some(&BTreeSet::from(["wide".to_owned()]))).await.expect("it answers");
    assert_eq!(described[0].partitions.len(), all.len());
    let ends = admin.offsets(&all, OffsetSpec::End).await.expect("it answers");
    assert!(ends.len() == all.len() && ends.values().all(|end| matches!(end, Ok(0))));
}

#[tokio::test]
async fn a_key_of_a_megabyte_is_no_offset_sync_however_it_begins_and_is_not_held() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let at = TopicPartition::new("orders", 0);
    sync(&world, "orders", 0, 10, 11);
    // MirrorMaker 2 ignores what stands behind the last field, and would take it for one.
    let mut key = vec![0, 6];
    key.extend(b"orders");
    key.extend([0; 4]);
    key.resize(1 << 20, 0);
    let value = [15_i64.to_be_bytes(), 16_i64.to_be_bytes()].concat();
    put(&world, Bytes::from(key), Bytes::from(value));
    put(&world, Bytes::from(vec![0xFF; 1 << 20]), Bytes::new());
    sync(&world, "orders", 0, 20, 21);
    let pairs = flow.offset_pairs(std::slice::from_ref(&at)).await.expect("readable");
    assert_eq!(pairs[&at], [pair(10, 11), pair(20, 21)]);
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    let unreadable = (seen.unreadable_syncs.count, seen.unreadable_syncs.last.as_str());
    assert_eq!(unreadable, (2, "the record at offset 2 is 1048576 bytes long"));
    let text = serde_json::to_string(&seen).expect("serialisable");
    assert!(text.len() < 10_000, "{} bytes", text.len());
}

#[tokio::test]
async fn of_an_offset_syncs_topic_that_was_deleted_nothing_is_known_until_there_is_one_and_then_nothing_of_before()
 {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let at = TopicPartition::new("orders", 0);
    for (upstream, downstream) in [(10, 11), (20, 21), (15, 30)] {
        sync(&world, "orders", 0, upstream, downstream);
    }
    let before = flow.observe(DateTime::UNIX_EPOCH).await;
    let newest = BTreeMap::from([(at.clone(), pair(15, 30))]);
    assert_eq!((&before.newest_pairs.value().expect("known").0, before.rewinds.len()), (&newest, 1));

    world.lock().cluster_mut("B").topics.remove(SYNCS).expect("it was there");
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    let reason = seen.newest_pairs.as_result().expect_err("unknown");
    assert!(reason.contains(SYNCS) && reason.contains("somebody deleted it"), "{reason}");
    assert_eq!(seen.rewinds, ByPartition::new(), "nor what they had told");
    assert_eq!(of_connect(&seen), of_connect(&before), "all else is as it was");
    let refused =
        flow.offset_pairs(std::slice::from_ref(&at)).await.expect_err("nobody is translated by what is gone");
    assert!(matches!(refused.kind, ReplicationErrorKind::Unsupported(_)) && !refused.may_pass(), "{refused}");

    world.lock().cluster_mut("B").create_topic(SYNCS, 1).expect("gone");
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    assert_eq!(seen.newest_pairs.value().expect("known").0, ByPartition::new(), "a new one has none yet");
    sync(&world, "orders", 0, 500, 501);
    let pairs = flow.offset_pairs(std::slice::from_ref(&at)).await.expect("readable");
    assert_eq!(pairs[&at], [pair(500, 501)]);
}
