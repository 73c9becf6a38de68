//! Committed offsets: what a task will read, and setting them so that nothing is copied twice.

use muster_domain::{
    survey::ConnectorRole::Source,
    topic::{ByPartition, TopicPartition},
};
use muster_replication::{Replication, ReplicationErrorKind};
use serde_json::{Value, json};

use crate::{fake_connect::FakeConnect, mirror, world};

fn stored(cluster: &str, topic: &str, partition: i32) -> Value {
    json!({"cluster": cluster, "topic": topic, "partition": partition})
}

fn asked(entries: &[(i32, Option<i64>)]) -> ByPartition<Option<i64>> {
    entries.iter().map(|(partition, offset)| (TopicPartition::new("orders", *partition), *offset)).collect()
}

#[tokio::test]
async fn exactly_the_asked_offsets_are_stored_and_leftovers_go() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.source(|connector| {
        connector.offsets = vec![
            (stored("A", "orders", 0), json!({"offset": 5})),
            (stored("A", "orders", 1), json!({"offset": 5})),
            (stored("elsewhere", "orders", 0), json!({"offset": 5})),
            (json!({"cluster": "A", "topic": "orders", "partition": 2, "extra": 1}), json!({"offset": 5})),
        ];
    });
    let (offsets, foreign) = flow.committed_offsets().await.expect("readable");
    assert_eq!(offsets.len(), 2);
    assert_eq!(foreign.len(), 2, "{foreign:?}");
    flow.set_committed_offsets(&asked(&[(0, Some(41)), (1, None)])).await.expect("set");
    let left = connect.source(|connector| connector.offsets.clone());
    assert_eq!(left, [(stored("A", "orders", 0), json!({"offset": 41}))]);
    let before = connect.mutations().len();
    flow.set_committed_offsets(&asked(&[(0, Some(41)), (1, None)])).await.expect("set twice is set once");
    assert_eq!(connect.mutations().len(), before);
}

#[tokio::test]
async fn what_connect_answers_is_not_believed() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.lock().day.loses_offsets = true;
    let error = flow.set_committed_offsets(&asked(&[(0, Some(41))])).await.expect_err("it was lost");
    let expected = "orders-0 holds nothing, asked was 41".to_owned();
    assert_eq!(error.kind, ReplicationErrorKind::NotAsAsked(expected));
    assert!(!error.may_pass());
}

#[tokio::test]
async fn a_500_that_was_carried_out_all_the_same_is_success() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.lock().day.answers_late = true;
    flow.set_committed_offsets(&asked(&[(0, Some(41))])).await.expect("it was carried out");
    connect.lock().day.answers_late = false;
    connect.lock().day.refuse = vec![(500, "Request timed out")];
    let error = flow.set_committed_offsets(&asked(&[(0, Some(42))])).await.expect_err("not carried out");
    assert!(error.may_pass(), "{error}");
}

#[tokio::test]
async fn a_partition_nobody_asked_for_is_told() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.source(|connector| connector.offsets = vec![(stored("A", "stock", 0), json!({"offset": 7}))]);
    let error = flow.set_committed_offsets(&asked(&[(0, Some(41))])).await.expect_err("one more is stored");
    let expected = "stock-0 holds 7 and was not asked for".to_owned();
    assert_eq!(error.kind, ReplicationErrorKind::NotAsAsked(expected));
}

#[tokio::test]
async fn another_alias_than_the_pairs_is_refused_before_anything_is_changed() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.source(|connector| connector.config.insert("source.cluster.alias".to_owned(), "west".to_owned()));
    let before = connect.mutations().len();
    let error = flow.set_committed_offsets(&asked(&[(0, Some(41))])).await.expect_err("a silent re-copy");
    assert!(matches!(error.kind, ReplicationErrorKind::NotAsAsked(_)), "{error}");
    let negative = flow.set_committed_offsets(&asked(&[(0, Some(-1))])).await;
    assert!(negative.is_err());
    assert_eq!(connect.mutations().len(), before);
}

#[tokio::test]
async fn a_running_connector_keeps_its_offsets() {
    let connect = FakeConnect::start().await;
    let error = mirror(&connect, &world())
        .set_committed_offsets(&asked(&[(0, Some(41))]))
        .await
        .expect_err("not stopped");
    assert_eq!(
        error.kind.to_string(),
        "Connect answered 400: Connectors must be in the STOPPED state before their offsets can be modified."
    );
}
