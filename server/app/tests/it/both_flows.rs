//! A pair whose both flows copy, under names that keep the sides apart: what is so of one flow is told of that one.

use bytes::Bytes;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_kafka::{ClusterAdmin as _, RecordMover as _, mover::NewRecord};
use muster_replication::Replication as _;
use muster_store::pairs;
use serde_json::{Value, json};

use crate::{metrics::Scrape, test_app::TestApp};

/// A topic of applications on either side.
const TOPIC: &str = "clicks.page";

/// Muster with the pair `clicks`, observed twice since its way back copies as well.
async fn with_both_flows() -> TestApp {
    let app = TestApp::with_pair().await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    pairs::insert(&mut conn, &app.small.prefixed_pair).await.unwrap();
    drop(conn);
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat] {
        app.small.clicks.b.resume(role, 60_000).await.unwrap();
    }
    written(&app, "eu-central").await;
    app.small.world.ticks(20);
    app.observe("clicks").await;
    app.observe("clicks").await;
    app
}

/// Five records on the first partition of a cluster's own topic.
async fn written(app: &TestApp, cluster: &str) {
    let record = |number: usize| NewRecord {
        key: None,
        value: Some(Bytes::from(format!("click {number}"))),
        timestamp: chrono::Utc::now().timestamp_millis(),
    };
    let records = (0..5).map(record).collect();
    app.small.world.mover(cluster).write(&TopicPartition::new(TOPIC, 0), records, 30_000).await.unwrap();
}

async fn open(app: &TestApp) -> Vec<Value> {
    let list = app.as_user("vera").await.get("/api/v1/pairs/clicks/alarms?open=true").await.done();
    list["items"].as_array().unwrap().clone()
}

/// Code, subject and course of each, in the order of subjects.
fn said(open: &[Value]) -> Vec<(&str, &str, &str)> {
    let words = open.iter().map(|kept| &kept["alarm"]).map(|alarm| {
        let word = |key: &str| alarm[key].as_str().unwrap();
        (word("code"), word("subject"), word("course"))
    });
    let mut said: Vec<_> = words.collect();
    said.sort_unstable();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_of_the_way_back_is_alarmed_of_the_way_back() {
    let app = with_both_flows().await;
    assert_eq!(open(&app).await, [] as [Value; 0], "a pair whose both flows copy is well");
    app.small.clicks.b.flow().batch = 0;
    written(&app, "eu-central").await;
    {
        let mut world = app.small.world.lock();
        let topic = world.cluster_mut("eu-central").topics.get_mut(TOPIC).unwrap();
        topic.partitions[0].delete_below(8);
    }
    app.observe("clicks").await;
    let told = open(&app).await;
    let hole = ("replication-hole", "clicks.page (eu-central → eu-west)", "eu-central → eu-west");
    assert_eq!(said(&told), [hole], "{told:#?}");
    assert_eq!(told[0]["alarm"]["places"][0]["said"], "offsets 5 to 7 were not copied");
    assert_eq!(told[0]["alarm"]["lost"]["at_most"], json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_of_both_flows_is_two_alarms_and_each_ends_with_its_own_cause() {
    let app = with_both_flows().await;
    let anything = (ResourceType::Topic, PatternType::Literal, "*");
    let deny = AclBinding::new(AclPermission::Deny, AclOperation::Read, anything, "User:somebody");
    for cluster in ["eu-west", "eu-central"] {
        app.small.world.admin(cluster).create_acls(std::slice::from_ref(&deny)).await.unwrap();
    }
    app.observe("clicks").await;
    let [back, there] = ["eu-central → eu-west", "eu-west → eu-central"];
    let subjects = [back, there].map(|course| format!("{deny} ({course})"));
    let both = [("deny-copied", subjects[0].as_str(), back), ("deny-copied", subjects[1].as_str(), there)];
    let told = open(&app).await;
    assert_eq!(said(&told), both, "{told:#?}");
    let hit = |kept: &Value| kept["alarm"]["places"][0]["name"].as_str().unwrap().to_owned();
    let mut copies: Vec<String> = told.iter().map(hit).collect();
    copies.sort_unstable();
    assert_eq!(
        copies,
        ["eu-central.clicks.page", "eu-west.clicks.page"],
        "copies only: the rest is its owners' to deny"
    );
    app.small.world.admin("eu-west").delete_acls(std::slice::from_ref(&deny)).await.unwrap();
    app.observe("clicks").await;
    assert_eq!(said(&open(&app).await), both[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_told_of_either_direction() {
    let app = with_both_flows().await;
    app.small.world.lock().cluster_mut("eu-central").create_topic("clicks.east", 1).unwrap();
    app.small.world.ticks(20);
    app.observe("clicks").await;
    let vera = app.as_user("vera").await;
    let reply = vera.get("/api/v1/pairs/clicks/differences?kind=topic_missing").await.done();
    let back = &reply["back"];
    assert_eq!((&reply["active"], &reply["standby"]), (&json!("eu-west"), &json!("eu-central")));
    assert_eq!((&back["active"], &back["standby"]), (&json!("eu-central"), &json!("eu-west")));
    assert_eq!(reply["items"], json!([]), "all of eu-west is on eu-central");
    // Its copy is there; the topic that its applications would write to is not.
    assert_eq!(back["items"][0]["affected"]["topics"]["names"], json!(["clicks.east"]), "{back:#}");
    assert_eq!(back["items"][0]["cluster"], "eu-west");
    let page = app.as_browser_of("vera").await.get("/pairs/clicks/differences").await.text;
    assert!(page.contains("Both sides are active") && page.contains("<code>clicks.east</code>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_of_either_direction_what_can_be_said() {
    let app = with_both_flows().await;
    let vera = app.as_user("vera").await;
    let checks = vera.get("/api/v1/pairs/clicks/readiness").await.done();
    let check = |checks: &Value, code: &str| -> Value {
        checks["items"].as_array().unwrap().iter().find(|check| check["code"] == code).unwrap().clone()
    };
    for code in ["active-side-known", "flow-connectors", "standby-topics", "standby-groups-active"] {
        let told = check(&checks, code);
        assert_eq!(told["status"], "ok", "{told:#}");
    }
    app.small.clicks.b.flow().connectors.get_mut(&ConnectorRole::Source).unwrap().tasks.clear();
    app.observe("clicks").await;
    let told = check(&vera.get("/api/v1/pairs/clicks/readiness").await.done(), "flow-connectors");
    assert_eq!(told["status"], "critical", "{told:#}");
    assert!(told["reason"].as_str().unwrap().starts_with("eu-central → eu-west: "), "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_lost_is_told_to_monitoring_as_to_people() {
    let app = with_both_flows().await;
    app.observe("clicks").await;
    let scrape = Scrape::of(&app.app).await;
    assert_eq!(scrape.value(r#"muster_rpo_known{pair="clicks"}"#), 1.0);
    let told = scrape.value(r#"muster_rpo_at_most_seconds{pair="clicks"}"#);
    // Read a moment later it is no less: it grows while nobody looks.
    let lag = app.as_user("vera").await.get("/api/v1/pairs/clicks/lag").await.done();
    let flows = lag["items"].as_array().unwrap();
    let worst =
        flows.iter().map(|flow| flow["rpo"]["ms_at_most"].as_f64().unwrap() / 1000.0).fold(0.0, f64::max);
    assert!(flows.len() == 2 && told > 0.0 && told <= worst, "{told} of {worst}: {lag:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_that_both_are_active_and_sends_nobody_to_move_by_hand() {
    let app = with_both_flows().await;
    let page = app.as_browser_of("vera").await.get("/pairs/clicks").await.text;
    assert!(page.contains("Both sides are active"), "{page}");
    for wrong in ["Which side is active cannot be told", "The active side is not known", "moved by hand"] {
        assert!(!page.contains(wrong), "{wrong}: {page}");
    }
}

/// What blocks a plan from eu-west, by code.
async fn blockers(app: &TestApp) -> Vec<Value> {
    let asked = json!({"to": "eu-central"});
    let plan = app.as_user("otto").await.post("/api/v1/pairs/clicks/plans", asked).await.done();
    plan["blockers"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_why_it_is_refused_and_what_it_names_leads_to_a_pair_with_one_active_side() {
    let app = with_both_flows().await;
    let found = blockers(&app).await;
    let refused = found.iter().find(|blocker| blocker["code"] == "both-sides-active").unwrap();
    let (reason, next) = (refused["reason"].as_str().unwrap(), refused["next_step"].as_str().unwrap());
    for course in ["eu-west → eu-central is RUNNING", "eu-central → eu-west is RUNNING"] {
        assert!(reason.contains(course), "what was looked at: {reason}");
    }
    assert!(next.contains("moved from eu-west to eu-central") && next.contains("on Connect"), "{next}");
    for role in [ConnectorRole::Checkpoint, ConnectorRole::Heartbeat, ConnectorRole::Source] {
        app.small.clicks.b.stop(role, 60_000).await.unwrap();
    }
    app.observe("clicks").await;
    app.observe("clicks").await;
    let codes = ["both-sides-active", "active-side-contested", "active-side-unknown", "wrong-direction"];
    let found = blockers(&app).await;
    assert!(found.iter().all(|blocker| codes.iter().all(|code| blocker["code"] != *code)), "{found:#?}");
    let readiness = app.as_user("vera").await.get("/api/v1/pairs/clicks/readiness").await.done();
    assert_eq!((&readiness["active"], &readiness["both_active"]), (&json!("eu-west"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_only_looks_is_planned_and_run_in_the_direction_it_is_asked_for() {
    let app = with_both_flows().await;
    let otto = app.as_user("otto").await;
    for (to, course) in [("eu-central", "eu-west → eu-central"), ("eu-west", "eu-central → eu-west")] {
        let asked = json!({"operation": "readiness_drill", "to": to});
        let plan = otto.post("/api/v1/pairs/clicks/plans", asked).await.done();
        assert_eq!(plan["blockers"], json!([]), "{plan:#}");
        let warnings = plan["warnings"].as_array().unwrap();
        let told = warnings.iter().find(|warning| warning["code"] == "both-sides-active").unwrap();
        assert!(told["reason"].as_str().unwrap().contains(course), "{told:#}");
        let run = otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "weekly"})).await.done();
        let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
        otto.post(&format!("{path}/start"), json!({})).await.done();
        app.engine.run_pending().await.unwrap();
        let ran = otto.get(&path).await.done();
        assert_eq!(ran["state"], "awaiting_attestation", "{ran:#}");
        let looks = ran["outcome"]["checks"].as_array().unwrap();
        let surveyed = looks.iter().find(|look| look["name"] == "survey_again").unwrap();
        assert_eq!(surveyed["passed"], json!(true), "{surveyed:#}");
        let sentence = surveyed["sentence"].as_str().unwrap();
        assert!(sentence.contains(&format!("looked at is what leads {course}")), "{sentence}");
        // A drill is proven by all its checks; this world lets nobody calibrate its probe.
        let attest = json!({"verdict": "inconclusive", "comment": "no probe here"});
        app.as_user("abel").await.post(&format!("{path}/attest"), attest).await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_that_both_are_active_and_not_that_it_is_unknown() {
    let app = with_both_flows().await;
    let vera = app.as_user("vera").await;
    let readiness = vera.get("/api/v1/pairs/clicks/readiness").await.done();
    assert_eq!((&readiness["active"], &readiness["both_active"]), (&Value::Null, &json!(true)));
    assert_eq!(readiness["active_unknown"], Value::Null, "{readiness:#}");
    let pairs = vera.get("/api/v1/pairs").await.done();
    let pairs = pairs["items"].as_array().unwrap();
    let told = |name: &str| pairs.iter().find(|pair| pair["name"] == name).unwrap()["both_active"].clone();
    assert_eq!((told("clicks"), told("orders")), (json!(true), json!(false)));
    let scrape = Scrape::of(&app.app).await;
    for cluster in ["eu-west", "eu-central"] {
        let series = format!(r#"muster_active_side{{pair="clicks",cluster="{cluster}"}}"#);
        assert_eq!(scrape.value(&series), 1.0);
    }
    let fleet = app.as_browser_of("vera").await.get("/").await.text;
    assert!(fleet.contains(" replicates both ways with "), "{fleet}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flow_has_its_own_figures_on_the_page_and_a_proof_is_asked_for_from_either() {
    let app = with_both_flows().await;
    let browser = app.as_browser_of("otto").await;
    let page = browser.get("/pairs/clicks").await.text;
    for cluster in ["eu-west", "eu-central"] {
        assert!(page.contains(&format!("<dt>If {cluster} died now</dt>")), "{page}");
        assert!(page.contains(&format!("<th scope=\"col\">Topic on {cluster}</th>")), "{page}");
    }
    for form in ["/pairs/clicks/translation", "/pairs/clicks/content"] {
        let refused = browser.form(form, &[("from", "")]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text.contains("Both sides are active: both flows"), "{}", refused.text);
        assert!(!refused.text.contains("cannot be told which"), "{}", refused.text);
        let asked = browser.form(form, &[("from", "eu-central")]).await;
        assert_eq!(asked.status, 303, "{}", asked.text);
    }
}
