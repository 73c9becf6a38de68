//! Sources that die piece by piece, that come back so, and that die while nobody copies: nothing is left out of what is said of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_app::loops::memory::Memory;
use muster_domain::survey::{ConnectState, ConnectorRole};
use muster_kafka::{Isolation, double::Health};
use serde_json::{Value, json};

use crate::{
    recorder::{loss, observe},
    test_app::TestApp,
};

/// Topics of the pair with their partitions; of two brokers the second leads the second partition of each.
const TOPICS: [(&str, usize); 3] = [("orders.placed", 3), ("orders.shipped", 2), ("payments.captured", 2)];

/// Records of each topic that are on the source and not on the target.
fn missing(app: &TestApp) -> BTreeMap<&'static str, i64> {
    let state = app.small.world.lock();
    let records = |cluster: &str, topic: &str| -> usize {
        let logs = state.cluster(cluster).topics[topic].partitions.iter();
        logs.map(|log| log.visible(0, log.end(), Isolation::ReadCommitted).count()).sum()
    };
    let missing = |topic| i64::try_from(records("eu-west", topic) - records("eu-central", topic)).unwrap();
    TOPICS.map(|(topic, _)| (topic, missing(topic))).into()
}

/// Applications write a while, then no more; answers what of it is missing.
async fn write_a_while(app: &TestApp, memory: &mut Memory) -> BTreeMap<&'static str, i64> {
    app.small.world.ticks(20);
    observe(app, memory).await;
    app.small.world.point_producers("");
    observe(app, memory).await;
    let missing = missing(app);
    assert!(missing.values().all(|records| *records > 0), "{missing:?}");
    missing
}

/// Whoever observes a source of which some records are never copied.
async fn with_some_missing(app: &TestApp) -> (Memory, BTreeMap<&'static str, i64>) {
    let mut memory = Memory::default();
    observe(app, &mut memory).await;
    app.small.west_to_central.flow().batch = 0;
    let missing = write_a_while(app, &mut memory).await;
    (memory, missing)
}

/// Brokers of the source that are frozen, while the others go on listing what they lead.
fn freeze(app: &TestApp, brokers: &[i32]) {
    app.small.world.lock().cluster_mut("eu-west").frozen = brokers.iter().copied().collect();
}

/// Every partition is in what is said, and what is missing of each topic and of all is in its interval.
fn assert_holds(said: &Value, missing: &BTreeMap<&'static str, i64>) {
    let topics = said["loss"]["topics"].as_array().unwrap_or_else(|| panic!("{said:#}"));
    let partitions = |topic: &Value| topic["partitions"].as_array().unwrap().len();
    let named: Vec<_> =
        topics.iter().map(|topic| (topic["topic"].as_str().unwrap(), partitions(topic))).collect();
    assert_eq!(named, TOPICS, "{said:#}");
    let within = |interval: &Value, records: i64| {
        let (least, most) = (&interval["records_at_least"], &interval["records_at_most"]);
        least.as_i64() <= Some(records) && Some(records) <= most.as_i64()
    };
    for topic in topics {
        let records = missing[topic["topic"].as_str().unwrap()];
        assert!(within(&topic["lost"], records), "{records} are missing: {topic:#}");
    }
    let records = missing.values().sum();
    assert!(within(&said["loss"]["total"], records), "{records} are missing: {:#}", said["loss"]["total"]);
}

/// What is said once it is back whole, and was looked at once more.
async fn settled(app: &TestApp, memory: &mut Memory) -> Value {
    freeze(app, &[]);
    app.small.world.set_health("eu-west", Health::Up);
    observe(app, memory).await;
    observe(app, memory).await;
    loss(app).await
}

fn assert_settled(settled: &Value, missing: &BTreeMap<&'static str, i64>) {
    let truth = &settled["loss"]["truth"];
    let records: i64 = missing.values().sum();
    // Nobody wrote in transactions, and the flow copies exactly once: every offset is a record.
    assert_eq!((&truth["records"], &truth["settled"]), (&json!(records), &json!(true)), "{settled:#}");
    assert_eq!(truth["exact"], json!(false), "{settled:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_freezes_while_it_is_looked_at_loses_what_was_seen_of_it_before() {
    let app = TestApp::with_pair().await;
    let (mut memory, missing) = with_some_missing(&app).await;
    // Topics are listed, and then no leader answers.
    freeze(&app, &[1, 2]);
    observe(&app, &mut memory).await;
    assert_eq!(loss(&app).await["loss"], Value::Null, "it answers");
    app.small.world.set_health("eu-west", Health::Frozen);
    observe(&app, &mut memory).await;
    let said = loss(&app).await;
    assert_holds(&said, &missing);
    // It is listed once more in between, and that is still the same death.
    app.small.world.set_health("eu-west", Health::Up);
    observe(&app, &mut memory).await;
    app.small.world.set_health("eu-west", Health::Frozen);
    observe(&app, &mut memory).await;
    let again = loss(&app).await;
    assert_holds(&again, &missing);
    for same in ["seen_at", "noticed_at"] {
        assert_eq!(again["loss"][same], said["loss"][same], "{again:#}");
    }
    assert_settled(&settled(&app, &mut memory).await, &missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_broker_by_broker_loses_what_each_had_whoever_notices() {
    let app = TestApp::with_pair().await;
    let (mut memory, missing) = with_some_missing(&app).await;
    freeze(&app, &[2]);
    observe(&app, &mut memory).await;
    app.small.world.set_health("eu-west", Health::Dead);
    let mut told = Vec::new();
    // One process notices that was not there before, and another goes on with the same death.
    for _ in 0..2 {
        memory = Memory::default();
        observe(&app, &mut memory).await;
        let said = loss(&app).await;
        assert_holds(&said, &missing);
        let read: Vec<Value> = said["loss"]["topics"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|topic| topic["partitions"].as_array().unwrap())
            .map(|partition| json!([partition["partition"], partition["end"], partition["end_read"]["read"]]))
            .collect();
        told.push((said["loss"]["seen_at"].clone(), read));
        // The last figures stay, of those that died first too.
        let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
        let total = &lag["items"][0]["total_records"];
        let records: i64 = missing.values().sum();
        assert_eq!((&total["value"], &total["class"]), (&json!(records), &json!("stale")), "{lag:#}");
    }
    assert_eq!(told[0], told[1]);
    let before = told[0].1.iter().filter(|partition| partition[2] == "before").map(|partition| &partition[0]);
    assert_eq!(before.collect::<Vec<_>>(), [1, 1, 1], "{told:#?}");
    let csv = app.as_user("vera").await.get("/api/v1/pairs/orders/loss?format=csv").await.text;
    let seen_at = |partition: i32| {
        let of = format!(",orders.placed,{partition},");
        let line = csv.lines().find(|line| line.contains(&of)).unwrap_or_else(|| panic!("{csv}"));
        line.rsplit(',').nth(1).unwrap().parse::<DateTime<Utc>>().unwrap()
    };
    assert!(seen_at(1) < seen_at(0), "each says when it was last read: {csv}");
    assert_settled(&settled(&app, &mut memory).await, &missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_true_figure_waits_for_a_broker_that_comes_back_late_and_the_interval_stands() {
    let app = TestApp::with_pair().await;
    let (mut memory, missing) = with_some_missing(&app).await;
    app.small.world.set_health("eu-west", Health::Dead);
    observe(&app, &mut memory).await;
    let said = loss(&app).await;
    assert_eq!(said["loss"]["waits_for_leaders"], 0, "it is away");
    app.small.world.set_health("eu-west", Health::Up);
    freeze(&app, &[2]);
    for _ in 0..3 {
        observe(&app, &mut memory).await;
        let waiting = loss(&app).await;
        assert_eq!(
            (&waiting["loss"]["truth"], &waiting["loss"]["waits_for_leaders"], &waiting["loss"]["total"]),
            (&Value::Null, &json!(3), &said["loss"]["total"]),
            "{waiting:#}"
        );
    }
    let page = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    let waits = "The true figure waits for 3 of its partitions, still without a leader.";
    assert!(page.contains(waits), "{page}");
    let url = app.serve().await;
    let vera = crate::cli::Shell::of(&app, &url, "vera").await;
    let told = vera.muster("pairs loss orders").await.done();
    assert!(told.contains(waits), "{told}");
    let settled = settled(&app, &mut memory).await;
    assert_settled(&settled, &missing);
    assert_eq!(settled["loss"]["waits_for_leaders"], 0, "{settled:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_the_flow_was_paused_is_lost_with_the_source() {
    let app = TestApp::with_pair().await;
    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    {
        let mut flow = app.small.west_to_central.flow();
        let source = flow.connectors.get_mut(&ConnectorRole::Source).unwrap();
        (source.state, source.tasks) = (ConnectState::Paused, Vec::new());
    }
    let missing = write_a_while(&app, &mut memory).await;
    app.small.world.set_health("eu-west", Health::Dead);
    observe(&app, &mut memory).await;
    assert_holds(&loss(&app).await, &missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_standby_nothing_is_lost_as_long_as_the_way_back_stands() {
    let app = TestApp::with_pair().await;
    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    app.small.world.set_health("eu-central", Health::Dead);
    observe(&app, &mut memory).await;
    assert_eq!(loss(&app).await["loss"], Value::Null, "the active side did not die");
}
