//! Fingerprint rings on the doubles: kept while the source lives, and a proof by them when it is dead.

use std::collections::BTreeMap;

use chrono::Utc;
use muster_app::{
    loops::{
        proof::carry_out_one,
        ring::{PairMemory, RingLoop, Turned},
    },
    process::telemetry::Beat,
};
use muster_domain::{
    evidence::check_proof,
    ids::PairName,
    offset_pairs::{PartitionPairs, ReadPairs, Seen, SyncsTopic},
    pair::{Direction, Side},
    reading::ReadingClass,
    survey::{ConnectorRole, UnreadableSyncs},
    topic::TopicPartition,
};
use muster_kafka::double::{Fault, Faults, Health};
use muster_store::{leases, offset_pairs, rings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::test_app::TestApp;

const FORWARD: Direction = Direction { from: Side::A };

fn name() -> PairName {
    PairName::new("orders").unwrap()
}

async fn turn_of(app: &TestApp, worker: &str, memory: &mut PairMemory) -> Turned {
    let rings = RingLoop {
        pool: app.app.pool.clone(),
        clients: app.app.hands.clone(),
        worker: worker.to_owned(),
        beat: Beat::default(),
    };
    rings.turn(&name(), memory).await.unwrap()
}

async fn turn(app: &TestApp, memory: &mut PairMemory) -> (usize, usize) {
    let turned = turn_of(app, "test", memory).await;
    let Turned::Looked { partitions, bytes } = turned else { panic!("{turned:?}") };
    (partitions, bytes)
}

async fn look(app: &TestApp) -> rings::Look {
    let mut conn = app.app.pool.acquire().await.unwrap();
    rings::look(&mut conn, (&name(), FORWARD)).await.unwrap().unwrap()
}

/// A translation proof of the active side's groups.
async fn prove(app: &TestApp) -> Value {
    let otto = app.as_user("otto").await;
    let asked =
        otto.post("/api/v1/pairs/orders/proofs", json!({"kind": "translation", "from": "eu-west"})).await;
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert!(carry_out_one(&app.app.pool, &*app.app.hands, "one", &CancellationToken::new()).await.unwrap());
    app.as_user("vera").await.get(&format!("/api/v1/proofs/{id}")).await.done()
}

/// Position on the source, and what was found, by group and partition.
fn found(proof: &Value) -> BTreeMap<(String, String), (i64, Value)> {
    let groups = proof["result"]["groups"].as_object().unwrap_or_else(|| panic!("{proof:#}"));
    let of_group = |(group, proven): (&String, &Value)| -> Vec<_> {
        let one = |one: &Value| {
            let place = (group.clone(), one["partition"].to_string());
            (place, (one["position"].as_i64().unwrap(), one["found"].clone()))
        };
        proven["partitions"].as_array().unwrap().iter().map(one).collect()
    };
    groups.iter().flat_map(of_group).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_source_dies_the_proof_is_by_rings_and_says_as_of_when() {
    let app = TestApp::with_pair().await;
    let mut memory = PairMemory::new();
    let (partitions, bytes) = turn(&app, &mut memory).await;
    assert!(partitions > 0 && bytes > 0);
    app.small.world.ticks(5);
    app.observe("orders").await;
    let alive = prove(&app).await;
    assert_eq!(alive["result"]["dead_source"], Value::Null, "of a live source it is what it was");
    let before = app.small.world.calls();
    turn(&app, &mut memory).await;
    assert_eq!(app.small.world.calls(), before, "a look changes nothing");
    assert_eq!(look(&app).await.silent_since, None);

    app.small.world.set_health("eu-west", Health::Dead);
    let kept = look(&app).await;
    assert_eq!(turn(&app, &mut memory).await, (0, 0));
    let silent = look(&app).await;
    assert!(silent.silent_since.is_some() && silent.silent_because.contains("eu-west"), "{silent:?}");
    assert_eq!((silent.looked_at, silent.positions_at), (kept.looked_at, kept.positions_at));

    let dead = prove(&app).await;
    assert_eq!(dead["state"], "done", "{dead:#}");
    let source = &dead["result"]["dead_source"];
    assert!(source["because"].as_str().unwrap().starts_with("read the source: "), "{source:#}");
    assert!(dead["sentence"].as_str().unwrap().starts_with("as of "), "{dead:#}");
    let (truth, by_rings) = (found(&alive), found(&dead));
    assert!(!by_rings.is_empty() && dead["result"]["summary"]["cannot_say"] == 0, "{dead:#}");
    let mut exact = 0;
    for (place, (position, there)) in &by_rings {
        let said = there["target_offset"].as_i64().unwrap();
        exact += usize::from(there["class"] == json!(ReadingClass::Exact));
        // Applications read on between the survey and the proof of the living; where they did not, both must agree.
        if let Some((_, known)) = truth.get(place).filter(|(known, _)| known == position) {
            assert!(said <= known["target_offset"].as_i64().unwrap(), "{place:?}: {there} {known}");
        }
    }
    println!("{exact} of {} positions are exact", by_rings.len());
    assert!(exact * 2 > by_rings.len(), "{dead:#}");
    for checked in check_proof(&dead) {
        assert!(checked.holds, "{checked:?}");
    }
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(page.contains("eu-west is not readable since"), "{page}");
    assert!(page.contains("exact as of"), "{page}");

    // Nothing of it is exact without the rings, and nothing is said at all without the look.
    sqlx::query("delete from ring").execute(&app.app.pool).await.unwrap();
    let without = prove(&app).await;
    assert_eq!(without["result"]["summary"]["exactly"], 0, "{without:#}");
    sqlx::query("delete from ring_look").execute(&app.app.pool).await.unwrap();
    let none = prove(&app).await;
    assert_eq!(none["state"], "failed");
    assert!(none["reason"].as_str().unwrap().contains("nothing is kept"), "{none:#}");
}

/// As the processes that read a flow's offset syncs keep them; on the source, where they died with it.
async fn keep_syncs(app: &TestApp) {
    let (pairs, spec) = {
        let flow = app.small.west_to_central.flow();
        (flow.pairs.clone(), flow.spec.clone())
    };
    let copies = {
        let state = app.small.world.lock();
        let there = &state.cluster("eu-central").topics;
        let name = |topic: &str| spec.naming.target_name(&spec.source_alias, topic);
        pairs.keys().map(|at| (at.topic.clone(), there[&name(&at.topic)].id)).collect()
    };
    let known = pairs.into_iter().map(|(at, pairs)| (at, PartitionPairs { pairs, ..Default::default() }));
    let nothing = ReadPairs::beginning_at(0, UnreadableSyncs::default());
    let read = ReadPairs { partitions: known.collect(), until: 1_000, ..nothing };
    let topic = SyncsTopic {
        cluster: "eu-west".to_owned(),
        name: "mm2-offset-syncs.eu-central.internal".to_owned(),
        id: Uuid::from_u128(7),
    };
    let seen = Seen { read_at: Some(Utc::now()), copies };
    let mut conn = app.app.pool.acquire().await.unwrap();
    let kept = offset_pairs::keep(&mut conn, (&name(), FORWARD), None, &topic, &read, &seen).await.unwrap();
    assert_eq!(kept, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_ring_was_kept_groups_go_on_by_kept_offset_syncs_of_the_copy_that_is_there() {
    let app = TestApp::with_pair().await;
    turn(&app, &mut PairMemory::new()).await;
    let alive = prove(&app).await;
    app.small.world.ticks(5);
    app.observe("orders").await;
    keep_syncs(&app).await;
    app.small.world.set_health("eu-west", Health::Dead);
    let by_rings = found(&prove(&app).await);
    sqlx::query("delete from ring").execute(&app.app.pool).await.unwrap();
    let dead = prove(&app).await;
    assert_eq!(dead["state"], "done", "{dead:#}");
    assert!(dead["result"]["dead_source"]["syncs_at"].is_string(), "{dead:#}");
    let (truth, by_syncs) = (found(&alive), found(&dead));
    assert_eq!(by_syncs.keys().collect::<Vec<_>>(), by_rings.keys().collect::<Vec<_>>());
    let mut told = 0;
    for (place, (position, there)) in &by_syncs {
        let Some(said) = there["target_offset"].as_i64() else { continue };
        told += 1;
        assert!(["pair", "pair_floor"].contains(&there["method"].as_str().unwrap()), "{place:?}: {there}");
        let ring = &by_rings[place].1;
        assert!(
            ring["target_offset"].as_i64().is_some_and(|ring| said <= ring),
            "with rings it is as good: {place:?}: {there} {ring}"
        );
        if let Some((_, known)) = truth.get(place).filter(|(known, _)| known == position) {
            assert!(said <= known["target_offset"].as_i64().unwrap(), "{place:?}: {there} {known}");
        }
    }
    println!("{told} of {} positions are told by kept offset syncs", by_syncs.len());
    assert!(told * 2 >= by_syncs.len(), "{dead:#}");
    for checked in check_proof(&dead) {
        assert!(checked.holds, "{checked:?}");
    }
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(page.contains("offset syncs do that were read last at"), "{page}");

    // One copy is another one now: whatever was kept of it is of the one before.
    let one = by_syncs.keys().next().unwrap().1.clone();
    let topic = serde_json::from_str::<Value>(&one).unwrap()["topic"].as_str().unwrap().to_owned();
    {
        let mut state = app.small.world.lock();
        state.cluster_mut("eu-central").topics.get_mut(&topic).unwrap().id = Uuid::from_u128(99);
    }
    let anew = prove(&app).await;
    for (group, proven) in anew["result"]["groups"].as_object().unwrap() {
        for one in proven["partitions"].as_array().unwrap() {
            let other = one["partition"]["topic"] != json!(topic);
            let because = one["because"].as_str().unwrap();
            assert!(other || because.starts_with("the copy was made anew"), "{group}: {one:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_observes_the_pair_looks_and_what_stood_still_is_not_read_again() {
    let app = TestApp::with_pair().await;
    assert_eq!(turn_of(&app, "somebody else", &mut PairMemory::new()).await, Turned::NotMine);
    let mut memory = PairMemory::new();
    let (first, _) = turn(&app, &mut memory).await;
    app.small.world.set_health("eu-central", Health::Dead);
    assert_eq!(turn(&app, &mut memory).await, (0, 0), "without the target nothing can be looked at");
    assert_eq!(look(&app).await.silent_since, None, "and the source is not to blame");
    app.small.world.set_health("eu-central", Health::Up);
    let mut conn = app.app.pool.acquire().await.unwrap();
    let kept = rings::rings(&mut conn, (&name(), FORWARD)).await.unwrap();
    assert_eq!(kept.len(), first);
    sqlx::query("delete from pair where name = 'orders'").execute(&mut *conn).await.unwrap();
    drop(conn);
    assert_eq!(turn_of(&app, "test", &mut memory).await, Turned::PairGone);
}

/// Which partitions rings are kept of.
async fn kept(app: &TestApp) -> Vec<TopicPartition> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    rings::rings(&mut conn, (&name(), FORWARD)).await.unwrap().into_keys().collect()
}

/// Why nothing was found of positions on a partition, in all groups.
fn because(proof: &Value, at: &TopicPartition) -> Vec<String> {
    let groups = proof["result"]["groups"].as_object().unwrap_or_else(|| panic!("{proof:#}"));
    let partitions = groups.values().flat_map(|group| group["partitions"].as_array().unwrap());
    let of = |one: &&Value| one["partition"] == json!(at);
    partitions.filter(of).map(|one| one["because"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_cannot_be_read_stops_no_other_and_is_shown_with_its_reason() {
    let app = TestApp::with_pair().await;
    let (all, _) = turn(&app, &mut PairMemory::new()).await;
    let at = kept(&app).await.remove(0);
    let deny = |denied| {
        let mut state = app.small.world.lock();
        state.cluster_mut("eu-west").log_mut(&at).unwrap().deny_reads(denied);
    };
    let told = async || app.as_user("vera").await.get("/api/v1/pairs/orders/rings").await.done();
    let fine = told().await;
    assert_eq!(fine["items"].as_array().unwrap().len(), 1, "{fine:#}");
    let fine = &fine["items"][0];
    assert_eq!((&fine["from"], &fine["unread"]), (&json!("eu-west"), &json!(0)), "{fine:#}");
    deny(true);
    let mut memory = PairMemory::new();
    assert_eq!(turn(&app, &mut memory).await.0, all - 1, "the others are read");
    let looks = told().await["items"][0].clone();
    turn(&app, &mut memory).await;
    assert_eq!(told().await["items"][0]["partitions"], looks["partitions"], "it is left alone for a while");
    assert_eq!((&looks["unread"], &looks["failing"]), (&json!(1), &Value::Null), "{looks:#}");
    let one = &looks["partitions"][0];
    assert_eq!((&one["topic"], &one["partition"]), (&json!(at.topic), &json!(at.partition)));
    let reason = one["because"].as_str().unwrap();
    assert!(reason.contains("TOPIC_AUTHORIZATION_FAILED") && reason.contains("eu-west"), "{reason}");
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(
        page.contains("1 partition cannot be read") && page.contains("TOPIC_AUTHORIZATION_FAILED"),
        "{page}"
    );

    // The living: its groups cannot be told, for that reason, and all others are.
    let alive = prove(&app).await;
    assert_eq!(alive["state"], "done", "{alive:#}");
    let reasons = because(&alive, &at);
    assert!(!reasons.is_empty(), "{alive:#}");
    for reason in reasons {
        assert!(reason.starts_with(&format!("{at} could not be read: ")), "{reason}");
        assert!(reason.contains("TOPIC_AUTHORIZATION_FAILED"), "{reason}");
    }
    let unread = json!(at).to_string();
    let others = found(&alive).into_iter().filter(|((_, partition), _)| *partition != unread);
    for (place, (_, there)) in others {
        assert!(!there.is_null(), "{place:?}: {alive:#}");
    }

    // The dead: what was kept of it before counts, and without that it is said why there is nothing.
    app.small.world.set_health("eu-west", Health::Dead);
    assert_eq!(because(&prove(&app).await, &at).concat(), "");
    sqlx::query("delete from ring where topic = $1 and partition_number = $2")
        .bind(&at.topic)
        .bind(at.partition)
        .execute(&app.app.pool)
        .await
        .unwrap();
    for reason in because(&prove(&app).await, &at) {
        let nothing = "nothing was kept of this partition while the source could be read: since ";
        assert!(reason.starts_with(nothing) && reason.contains("TOPIC_AUTHORIZATION_FAILED"), "{reason}");
    }

    app.small.world.set_health("eu-west", Health::Up);
    deny(false);
    assert_eq!(turn(&app, &mut PairMemory::new()).await.0, all);
    assert_eq!(told().await["items"][0]["unread"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_that_fail_although_the_source_answers_are_shown_with_their_reason() {
    let app = TestApp::with_pair().await;
    let mut memory = PairMemory::new();
    turn(&app, &mut memory).await;
    app.small.world.faults(|faults| faults.always("offset_pairs", Fault::Code(403)));
    assert_eq!(turn(&app, &mut memory).await, (0, 0));
    let failing = look(&app).await;
    assert_eq!(failing.silent_since, None, "the source is not to blame");
    assert!(failing.failing_since > Some(failing.looked_at), "{failing:?}");
    assert!(failing.failing_because.contains("offset syncs"), "{failing:?}");
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(page.contains("looks fail since"), "{page}");
    app.small.world.faults(Faults::clear);
    turn(&app, &mut memory).await;
    assert_eq!(look(&app).await.failing_since, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_pair_again_reads_what_another_one_forgot_meanwhile() {
    let app = TestApp::with_pair().await;
    // Nothing is written any more, so nothing moves.
    app.small.world.point_producers("eu-central");
    app.small.world.ticks(20);
    app.observe("orders").await;
    let mut memory = PairMemory::new();
    let (first, _) = turn(&app, &mut memory).await;
    assert!(first > 0);
    assert_eq!(turn(&app, &mut memory).await, (0, 0), "all of it stands still");

    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name());
    leases::release_all(&mut conn, "test").await.unwrap();
    let other = leases::claim(&mut conn, &lease, "other", 60.0).await.unwrap().unwrap();
    rings::forget(&mut conn, (&name(), FORWARD), other.epoch).await.unwrap();
    leases::release_all(&mut conn, "other").await.unwrap();
    leases::claim(&mut conn, &lease, "test", 60.0).await.unwrap().unwrap();
    assert_eq!(turn(&app, &mut memory).await.0, first, "it does not take it for kept");
    assert_eq!(rings::rings(&mut conn, (&name(), FORWARD)).await.unwrap().len(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_router_nothing_is_kept_and_what_was_kept_is_forgotten() {
    let app = TestApp::with_pair().await;
    let mut memory = PairMemory::new();
    let (first, _) = turn(&app, &mut memory).await;
    assert!(first > 0);
    let set = |transforms: &str| {
        let mut flow = app.small.west_to_central.flow();
        let config = &mut flow.connectors.get_mut(&ConnectorRole::Source).unwrap().config;
        config.insert("transforms".to_owned(), transforms.to_owned());
        let router = "org.apache.kafka.connect.transforms.RegexRouter";
        config.insert("transforms.move.type".to_owned(), router.to_owned());
    };
    let kept = async || {
        let mut conn = app.app.pool.acquire().await.unwrap();
        rings::rings(&mut conn, (&name(), FORWARD)).await.unwrap().len()
    };
    assert_eq!(kept().await, first);
    set("move");
    assert_eq!(turn(&app, &mut memory).await, (0, 0));
    assert_eq!(kept().await, 0, "they would be held against what is under another name");
    assert_eq!(look(&app).await.silent_since, None, "the source is not to blame");
    set("");
    assert_eq!(turn(&app, &mut memory).await.0, first, "all of it is read again");
    assert_eq!(kept().await, first);
}
