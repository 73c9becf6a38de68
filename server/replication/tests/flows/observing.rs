//! Surveys of a flow, and its offset pairs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::DateTime;
use muster_domain::{
    survey::{AssignedPartitions, ConnectorRole, FlowObservation, OffsetPair},
    topic::TopicPartition,
};
use muster_kafka::double::{Fault, Payload, When, World};
use muster_replication::{Replication, ReplicationError};

use crate::{fake_connect::FakeConnect, mirror, world};

pub(crate) fn sync(world: &World, topic: &str, partition: i32, upstream: i64, downstream: i64) {
    let mut key = i16::try_from(topic.len()).expect("short").to_be_bytes().to_vec();
    key.extend(topic.as_bytes());
    key.extend(partition.to_be_bytes());
    let value = [upstream.to_be_bytes(), downstream.to_be_bytes()].concat();
    put(world, Bytes::from(key), Bytes::from(value));
}

pub(crate) fn put(world: &World, key: Bytes, value: Bytes) {
    let mut state = world.lock();
    let at = TopicPartition::new("mm2-offset-syncs.A.internal", 0);
    let log = state.cluster_mut("B").log_mut(&at).expect("the topic");
    log.append(Payload { timestamp: 1, key: Some(key), value: Some(value), headers: vec![] }, -1, false);
}

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

#[tokio::test]
async fn pairs_come_in_order_with_their_lifetimes_and_are_read_on() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let at = |partition| TopicPartition::new("orders", partition);
    sync(&world, "orders", 0, 10, 11);
    sync(&world, "orders", 0, 20, 21);
    put(&world, Bytes::from_static(b"garbage"), Bytes::from_static(b"x"));
    sync(&world, "orders", 0, 15, 30);
    let pairs = flow.offset_pairs(&[at(0), at(1)]).await.expect("readable");
    assert_eq!(pairs[&at(0)], [pair(10, 11), pair(20, 21), pair(15, 30)]);
    assert_eq!(pairs[&at(1)], []);
    sync(&world, "orders", 1, 5, 5);
    let pairs = flow.offset_pairs(&[at(0), at(1)]).await.expect("readable");
    assert_eq!((pairs[&at(0)].len(), pairs[&at(1)].as_slice()), (3, [pair(5, 5)].as_slice()));
}

#[tokio::test]
async fn what_is_no_offset_sync_is_counted_with_its_reason_and_stands_in_nobodys_way() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let at = TopicPartition::new("orders", 0);
    sync(&world, "orders", 0, 10, 11);
    put(&world, Bytes::from_static(b"garbage"), Bytes::from_static(b"x"));
    // An offset past it cannot be added to.
    sync(&world, "orders", 0, i64::MAX, 12);
    sync(&world, "orders", 0, 12, i64::MAX);
    // What nobody would hold for an offset sync is not held.
    let mut key = vec![0, 6];
    key.extend(b"orders");
    key.extend([0; 4]);
    put(&world, Bytes::from(key), Bytes::from(vec![0; 1 << 20]));
    sync(&world, "orders", 0, 20, 21);
    let seen = flow.observe(DateTime::UNIX_EPOCH).await;
    assert_eq!(seen.newest_pairs.value().expect("known").0[&at], pair(20, 21));
    assert_eq!(seen.unreadable_syncs.count, 4);
    assert_eq!(
        seen.unreadable_syncs.last,
        format!("the record at offset 3 is not a MirrorMaker 2 offset sync: offset {}", i64::MAX)
    );
    put(&world, Bytes::from_static(b"x"), Bytes::from(vec![0; 1 << 20]));
    let seen = flow.observe(DateTime::UNIX_EPOCH).await.unreadable_syncs;
    assert_eq!((seen.count, seen.last.as_str()), (5, "the record at offset 6 is 1048577 bytes long"));
    assert_eq!(
        flow.offset_pairs(std::slice::from_ref(&at)).await.expect("readable")[&at],
        [pair(10, 11), pair(20, 21)]
    );
    // Another topic under the same name has none of them.
    {
        let mut state = world.lock();
        let cluster = state.cluster_mut("B");
        cluster.topics.remove("mm2-offset-syncs.A.internal");
        cluster.create_topic("mm2-offset-syncs.A.internal", 1).expect("gone");
    }
    sync(&world, "orders", 0, 30, 31);
    assert_eq!(flow.observe(DateTime::UNIX_EPOCH).await.unreadable_syncs.count, 0);
}

/// A topic full of other records took longer than the bound, and every call began it anew.
#[tokio::test]
async fn an_interrupted_reading_of_pairs_goes_on_where_it_was() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = mirror(&connect, &world);
    let at = TopicPartition::new("orders", 0);
    for offset in 0..3_000 {
        sync(&world, "orders", 0, offset, offset);
    }
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    world.on_call(move |call, when| {
        let read = call.verb == "read" && when == When::Before;
        let nth = if read { counted.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        (nth == 2).then_some(Fault::Timeout)
    });
    let interrupted = flow.offset_pairs(std::slice::from_ref(&at)).await;
    assert!(interrupted.as_ref().is_err_and(ReplicationError::may_pass), "{interrupted:?}");
    let pairs = flow.offset_pairs(std::slice::from_ref(&at)).await.expect("readable");
    let expected: Vec<_> = (0..3_000).map(|offset| pair(offset, offset)).collect();
    assert_eq!(pairs[&at], expected);
    assert_eq!(reads.load(Ordering::Relaxed), 4, "three pieces, one of them twice");
}

#[tokio::test]
async fn a_survey_holds_everything_and_no_credential() {
    let (connect, world) = (FakeConnect::start().await, world());
    sync(&world, "orders", 0, 10, 11);
    connect.source(|connector| connector.tasks = vec!["RUNNING", "FAILED"]);
    let seen = mirror(&connect, &world).observe(DateTime::UNIX_EPOCH).await;
    assert_eq!(seen.worker.value().map(|worker| worker.version.as_str()), Some("4.3.1"));
    let source = seen.connectors[&ConnectorRole::Source].value().expect("known");
    assert_eq!((source.given_tasks, source.tasks_without_status()), (Some(2), Vec::new()));
    assert_eq!(source.tasks[1].trace.as_deref(), Some("ConnectException: login with [redacted] failed"));
    assert_eq!(source.config["source.cluster.sasl.jaas.config"], "[redacted]");
    let pairs = seen.newest_pairs.value().expect("known");
    assert_eq!(pairs.0[&TopicPartition::new("orders", 0)], pair(10, 11));
    let missing = seen.connectors[&ConnectorRole::Checkpoint].as_result().expect_err("there is none");
    assert!(missing.contains("there is no such connector"), "{missing}");
    assert!(!seen.connectors.contains_key(&ConnectorRole::Heartbeat), "the flow has none");
    let text = serde_json::to_string(&seen).expect("serialisable");
    assert!(!text.contains("hunter22"), "{text}");
}

#[tokio::test]
async fn a_task_without_a_status_is_known_from_the_list_of_configs() {
    let (connect, world) = (FakeConnect::start().await, world());
    let named = ("task.assigned.partitions".to_owned(), "orders-0,pay-ments-11".to_owned());
    connect.source(|connector| {
        connector.tasks = vec!["RUNNING"];
        connector.never_started = 1;
        connector.task_config.extend([named]);
    });
    let seen = mirror(&connect, &world).observe(DateTime::UNIX_EPOCH).await;
    let source = seen.connectors[&ConnectorRole::Source].value().expect("known");
    assert_eq!((source.tasks.len(), source.given_tasks), (1, Some(2)));
    assert_eq!(source.tasks_without_status(), [1]);
    let named = vec![TopicPartition::new("orders", 0), TopicPartition::new("pay-ments", 11)];
    let expected = [AssignedPartitions { task: 1, named, more: 0 }];
    assert_eq!(source.assigned, expected, "of the task that no worker has, and of no other");
    let kept = serde_json::to_value(&seen).expect("serialisable");
    assert_eq!(serde_json::from_value::<FlowObservation>(kept).expect("reads back"), seen);
}

#[tokio::test]
async fn a_survey_of_a_dead_worker_is_unknown_and_not_late() {
    let (connect, world) = (FakeConnect::start().await, world());
    connect.lock().day.hang = true;
    let flow = mirror(&connect, &world);
    let observed = tokio::time::timeout(Duration::from_secs(60), flow.observe(DateTime::UNIX_EPOCH));
    let seen = observed.await.expect("it is given up");
    // All is asked at once, so it is late by one answer that does not come, and not by several.
    let told = async {
        while connect.lock().first_given_up.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("the worker sees that it is given up");
    let worker = connect.lock();
    assert_eq!(worker.first_given_up, Some(worker.log.len()), "asked afterwards: {:?}", worker.log);
    let reason = seen.worker.as_result().expect_err("unknown");
    assert!(reason.contains("no answer in time"), "{reason}");
    assert!(seen.committed.value().is_none() && seen.newest_pairs.value().is_none());
    assert_eq!(seen.connectors.len(), 2);
}
