//! What is stored of an observation, and that reading it never waits for a cluster.

use muster_app::{
    loops::housekeeping::{CHANGE_DAYS, sweep},
    process::telemetry::Beat,
};
use muster_domain::ids::PairName;
use muster_kafka::double::Health;
use muster_store::leases;
use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_is_kept_with_what_it_means() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    let readiness = vera.get("/api/v1/pairs/orders/readiness").await.done();
    assert_eq!(readiness["active"], "eu-west", "{readiness:#}");
    assert!(readiness["items"].as_array().unwrap().len() >= 20);
    let lag = vera.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(lag["items"].as_array().unwrap().len(), 2);
    let topics = vera.get("/api/v1/pairs/orders/topics").await.done();
    assert!(topics["a"]["value"].get("orders.placed").is_some(), "{topics:#}");
    let groups = vera.get("/api/v1/pairs/orders/groups").await.done();
    assert!(groups["a"]["value"].get("billing").is_some(), "{groups:#}");
    let history = vera.get("/api/v1/pairs/orders/lag/history?points=1").await.done();
    assert_eq!(history["items"].as_array().unwrap().len(), 1, "both surveys are in one stretch: {history:#}");
    let listed = vera.get("/api/v1/pairs").await.done();
    assert_eq!(listed["items"][0]["active"], "eu-west");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_check_changed_is_known_for_some_months_and_then_removed() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    let checks = async || -> Vec<String> {
        let changes = vera.get("/api/v1/pairs/orders/readiness/changes").await.done();
        let check = |change: &serde_json::Value| change["check"].as_str().unwrap().to_owned();
        changes["items"].as_array().unwrap().iter().map(check).collect()
    };
    let older = "update readiness_change set at = at - make_interval(days => $1) where check_name = $2";
    for (days, check) in [(CHANGE_DAYS, "flow-moving"), (CHANGE_DAYS - 1, "rights")] {
        let moved = sqlx::query(older).bind(days).bind(check).execute(&app.app.pool).await.unwrap();
        assert!(moved.rows_affected() > 0, "{check}");
    }
    sweep(&app.app.pool, 24, &Beat::default()).await;
    let left = checks().await;
    assert!(left.iter().any(|check| check == "rights"), "{left:?}");
    assert!(!left.iter().any(|check| check == "flow-moving"), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_side_is_unknown_with_its_reason_and_never_good() {
    let app = TestApp::with_pair().await;
    app.small.world.lock().cluster_mut("eu-west").health = Health::Dead;
    app.observe("orders").await;
    let vera = app.as_user("vera").await;
    let readiness = vera.get("/api/v1/pairs/orders/readiness").await.done();
    assert_eq!(readiness["worst"], "critical", "{readiness:#}");
    let topics = vera.get("/api/v1/pairs/orders/topics").await.done();
    assert_eq!(topics["a"]["observed"], "unknown");
    assert_ne!(topics["a"]["reason"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_active_side_cannot_be_told_no_flows_figures_are_shown_as_the_pairs() {
    let app = TestApp::with_pair().await;
    let vera = app.as_browser_of("vera").await;
    let why = "which side is active cannot be told: the signs disagree";
    assert!(!vera.get("/pairs/orders").await.text.contains(why));
    let told = r#"update readiness
        set results = results || '{"active": null, "active_unknown": "the signs disagree"}'"#;
    sqlx::query(told).execute(&app.app.pool).await.unwrap();
    let page = vera.get("/pairs/orders").await.text;
    assert!(page.contains(why), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_never_observed_says_so() {
    let app = TestApp::with_pair().await;
    sqlx::query("truncate survey, readiness").execute(&app.app.pool).await.unwrap();
    let otto = app.as_user("otto").await;
    assert_eq!(
        otto.get("/api/v1/pairs/orders/readiness").await.problem(),
        ("not-surveyed-yet".to_owned(), 409)
    );
    let plan = otto.post("/api/v1/pairs/orders/plans", json!({"to": "eu-central"})).await;
    assert_eq!(plan.problem(), ("not-surveyed-yet".to_owned(), 409));
    assert_eq!(otto.get("/api/v1/pairs").await.done()["items"][0]["readiness"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_planned_on_a_single_survey() {
    let app = TestApp::with_pair().await;
    sqlx::query("truncate survey, readiness").execute(&app.app.pool).await.unwrap();
    app.observe("orders").await;
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", json!({"to": "eu-central"})).await.done();
    let blockers: Vec<&str> =
        plan["blockers"].as_array().unwrap().iter().map(|b| b["code"].as_str().unwrap()).collect();
    assert_eq!(blockers, ["flow-moving"], "{plan:#}");
    let asked = json!({"plan": plan["id"], "reason": "at once"});
    assert_eq!(otto.post("/api/v1/runs", asked).await.done()["state"], "blocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_lease_keeps_nothing() {
    let app = TestApp::with_pair().await;
    let pair = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let name = leases::survey_lease(&pair);
    let old = leases::claim(&mut conn, &name, "test", 60.0).await.unwrap().unwrap();
    leases::claim(&mut conn, &name, "test", 60.0).await.unwrap().unwrap();
    let refused = app.surveys.observe(&pair, old.epoch, &mut Default::default()).await.unwrap_err();
    assert!(refused.to_string().contains("taken over"), "{refused}");
}
