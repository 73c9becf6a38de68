//! Offset pairs in the database, beneath real flows: what one process read another knows, whatever is left of the topic.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, Router, routing::get};
use bytes::Bytes;
use muster_app::process::kept_offset_pairs::KeptOffsetPairs;
use muster_domain::{
    ids::PairName,
    pair::{Direction, Flow, Mechanism, NamingPolicy, Side},
    reading::ReadingClass,
    renaming::Renaming,
    survey::OffsetPair,
    topic::TopicPartition,
};
use muster_kafka::{
    Isolation,
    double::{Payload, World},
};
use muster_replication::{
    ClusterHands, FlowRecords, Mm2OnConnect, OffsetPairMemory as _, Replication as _,
    double::conformance,
    translate::{NotTranslated, Translated, Translator, translate_group},
};
use serde_json::json;

use crate::test_app::TestApp;

const FORWARD: Direction = Direction { from: Side::A };
const SYNCS: &str = "mm2-offset-syncs.west.internal";
/// Records of another origin before the copies on the target.
const BEFORE: i64 = 7;
const WITHIN_MS: u64 = 30_000;

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn kept(app: &TestApp) -> KeptOffsetPairs {
    KeptOffsetPairs::of(app.app.pool.clone(), PairName::new("orders").unwrap(), FORWARD)
}

fn append(world: &World, cluster: &str, topic: &str, (key, value): (Vec<u8>, Vec<u8>)) {
    let mut state = world.lock();
    let log = state.cluster_mut(cluster).log_mut(&TopicPartition::new(topic, 0)).unwrap();
    let (key, value) = (Some(Bytes::from(key)), Some(Bytes::from(value)));
    log.append(Payload { timestamp: 1, key, value, headers: vec![] }, -1, false);
}

fn sync(world: &World, upstream: i64) {
    let key = [[0_u8, 6].as_slice(), b"orders", &0_i32.to_be_bytes()].concat();
    let value = [upstream.to_be_bytes(), (upstream + BEFORE).to_be_bytes()].concat();
    append(world, "central", SYNCS, (key, value));
}

/// A thousand records that are all alike, so that nothing is found by comparing them, their copies, and a sync each hundred.
fn copied() -> World {
    let world = World::new(&["west", "central"]);
    {
        let mut state = world.lock();
        for (name, topic) in [("west", "orders"), ("central", "orders"), ("central", SYNCS)] {
            state.cluster_mut(name).authorizer.add_super_user("User:muster");
            state.cluster_mut(name).create_topic(topic, 1).unwrap();
        }
    }
    for number in 0..BEFORE {
        append(&world, "central", "orders", (b"other".to_vec(), number.to_be_bytes().to_vec()));
    }
    for upstream in 0..1000 {
        for cluster in ["west", "central"] {
            append(&world, cluster, "orders", (b"key".to_vec(), b"value".to_vec()));
        }
        if upstream % 100 == 0 {
            sync(&world, upstream);
        }
    }
    world
}

fn compact(world: &World) {
    let mut state = world.lock();
    let log = state.cluster_mut("central").log_mut(&TopicPartition::new(SYNCS, 0)).unwrap();
    log.compact_below(log.end());
}

/// A worker that tells where offset syncs are and nothing else.
async fn connect() -> String {
    let config = json!({
        "source.cluster.alias": "west",
        "target.cluster.alias": "central",
        "offset-syncs.topic.location": "target",
    });
    let router = Router::new().route("/connectors/{name}/config", get(move || async move { Json(config) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn flow(connect: &str) -> Flow {
    Flow {
        direction: FORWARD,
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: connect.to_owned(),
            source_connector: "orders-source".to_owned(),
            checkpoint_connector: None,
            heartbeat_connector: None,
        },
        source_alias: "west".to_owned(),
        target_alias: "central".to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    }
}

/// The flow in the hands of a process that remembers nothing.
fn process(connect: &str, world: &World) -> Mm2OnConnect {
    let hands =
        |name: &str| ClusterHands { admin: Arc::new(world.admin(name)), mover: Arc::new(world.mover(name)) };
    Mm2OnConnect::new(&flow(connect), hands("west"), hands("central"), None).unwrap()
}

async fn pairs(process: &Mm2OnConnect) -> Vec<OffsetPair> {
    process.offset_pairs(&[at()]).await.unwrap().remove(&at()).unwrap()
}

/// Where a group that reads that offset next goes on, by what a process knows.
async fn translated(
    process: &Mm2OnConnect,
    world: &World,
    position: i64,
) -> Result<Translated, NotTranslated> {
    let pairs = BTreeMap::from([(at(), pairs(process).await)]);
    let (source, target) = (world.admin("west"), world.admin("central"));
    let (source_mover, target_mover) = (world.mover("west"), world.mover("central"));
    let flow = flow("http://connect.test");
    let translator = Translator {
        renaming: &Renaming::default(),
        flow: &flow,
        records: FlowRecords {
            source: &source_mover,
            target: &target_mover,
            isolation: Isolation::ReadUncommitted,
            deadline_ms: WITHIN_MS,
        },
        source: &source,
        target: &target,
        pairs: &pairs,
        exactly_once: false,
        target_until: None,
    };
    translate_group(&translator, &[(at(), position)].into()).await.unwrap().remove(&at()).unwrap()
}

#[tokio::test]
async fn the_database_is_a_memory_of_pairs_as_the_double_is() {
    let app = TestApp::with_pair().await;
    conformance::pair_memory(&kept(&app)).await;
}

#[tokio::test]
async fn another_process_translates_by_what_one_read_before_the_topic_was_compacted() {
    let (app, world, connect) = (TestApp::with_pair().await, copied(), connect().await);
    let first = process(&connect, &world).remembering(Arc::new(kept(&app)));
    let before = translated(&first, &world, 150).await.unwrap();
    assert_eq!((before.mapping.target_offset, before.mapping.class), (150 + BEFORE, ReadingClass::Exact));
    drop(first);
    compact(&world);
    let without = process(&connect, &world);
    assert_eq!(pairs(&without).await, [OffsetPair { upstream: 900, downstream: 900 + BEFORE }]);
    let by_the_topic = translated(&without, &world, 150).await;
    let exact = by_the_topic.as_ref().is_ok_and(|found| found.mapping.class == ReadingClass::Exact);
    assert!(!exact, "{by_the_topic:?}");
    let second = process(&connect, &world).remembering(Arc::new(kept(&app)));
    assert_eq!(translated(&second, &world, 150).await, Ok(before));
    // Nothing of it outlives the pair.
    sqlx::query("delete from pair where name = 'orders'").execute(&app.app.pool).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from offset_syncs) + (select count(*) from offset_syncs_part)",
    )
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    sync(&world, 999);
    assert_eq!(pairs(&second).await.len(), 11, "one that still looks at it knows what it reads");
    assert_eq!(kept(&app).recall().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_read_at_the_same_time_keep_every_pair_once() {
    let (app, world, connect) = (TestApp::with_pair().await, copied(), connect().await);
    let processes: Vec<_> =
        (0..4).map(|_| Arc::new(process(&connect, &world).remembering(Arc::new(kept(&app))))).collect();
    for round in 0..3 {
        let reads: Vec<_> = processes
            .iter()
            .map(|process| {
                let process = Arc::clone(process);
                tokio::spawn(async move { pairs(&process).await.len() })
            })
            .collect();
        for read in reads {
            assert_eq!(read.await.unwrap(), 10 + round);
        }
        sync(&world, 1000 + i64::try_from(round).unwrap());
    }
    let one_more = process(&connect, &world).remembering(Arc::new(kept(&app)));
    let known = pairs(&one_more).await;
    let expected: Vec<i64> = (0..10).map(|hundred| hundred * 100).chain(1000..1003).collect();
    assert_eq!(known.iter().map(|pair| pair.upstream).collect::<Vec<_>>(), expected);
    let (_, read) = kept(&app).recall().await.unwrap().unwrap().pairs.unwrap();
    assert_eq!(
        read.partitions[&at()].pairs,
        known[..read.partitions[&at()].pairs.len()],
        "each once, in order"
    );
}
