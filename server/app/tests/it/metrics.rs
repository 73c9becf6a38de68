//! What monitoring is told of pairs: figures that stand, absence of what is not known, bounds; below it, of processes and people's work.

mod process;
mod work;

use std::{collections::BTreeMap, sync::Arc};

use muster_app::{
    app::App,
    process::telemetry::{self, Caps, Telemetry},
};
use muster_domain::topic::TopicPartition;
use muster_kafka::double::{Health, Payload};
use serde_json::json;

use crate::test_app::TestApp;

/// The samples of a scrape by name and labels.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(crate) fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            samples
                .map(|line| {
                    let (series, value) = line.rsplit_once(' ').unwrap();
                    (series.to_owned(), value.parse().unwrap())
                })
                .collect(),
        )
    }

    pub(crate) async fn of(app: &App) -> Self {
        Self::read(&telemetry::scrape(app).await)
    }

    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.named(series)))
    }

    fn named(&self, series: &str) -> Vec<(&String, &f64)> {
        let name = series.split('{').next().unwrap();
        self.0.iter().filter(|(series, _)| series.split('{').next().unwrap() == name).collect()
    }

    /// How often a figure is there.
    fn count(&self, name: &str) -> usize {
        self.named(name).len()
    }
}

/// Everything as if a survey were older than it is.
async fn age_surveys(app: &TestApp, seconds: i32) {
    sqlx::query("update readiness set at = at - make_interval(secs => $1)")
        .bind(f64::from(seconds))
        .execute(&app.app.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_only_reads_is_enough_to_scrape() {
    let app = TestApp::with_pair().await;
    let new = json!({"name": "prometheus", "days": 365, "scopes": ["read"]});
    let made = app.as_user("ada").await.post("/api/v1/tokens", new).await.done();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let nobody = app.as_user("nobody").await;
    let scraped = nobody.request(axum::http::Method::GET, "/metrics", None, &headers).await;
    assert_eq!((scraped.status.as_u16(), Scrape::read(&scraped.text).value("muster_pairs")), (200, 1.0));
}

const FORWARD: &str = r#"pair="orders",from="eu-west",to="eu-central""#;

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_told_with_how_sure_its_figures_are() {
    let app = TestApp::with_pair().await;
    let reply = app.as_user("ada").await.get("/metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let scrape = Scrape::read(&reply.text);
    assert_eq!(scrape.value(r#"muster_active_side{pair="orders",cluster="eu-west"}"#), 1.0);
    assert!(scrape.value(r#"muster_survey_age_seconds{pair="orders"}"#) < 60.0);
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    let flow = &lag["items"][0];
    let records = scrape.value(&format!("muster_lag_records{{{FORWARD}}}"));
    assert_eq!(json!(records as i64), flow["total_records"]["value"], "{flow:#}");
    let class = flow["total_records"]["class"].as_str().unwrap();
    assert_eq!(scrape.value(&format!(r#"muster_lag_class{{{FORWARD},of="records",class="{class}"}}"#)), 1.0);
    let open = scrape.value(&format!("muster_in_open_transactions_offsets{{{FORWARD}}}"));
    assert_eq!(json!(open as i64), flow["in_open_transactions"], "{flow:#}");
    let placed = scrape.value(&format!(r#"muster_topic_lag_records{{{FORWARD},topic="orders.placed"}}"#));
    assert_eq!(json!(placed as i64), flow["topics"]["orders.placed"]["records"]["value"], "{flow:#}");
    // Read a moment later it is no less: it grows while nobody looks.
    let at_most = scrape.0.get(r#"muster_rpo_at_most_records{pair="orders"}"#).map(|n| *n as i64);
    let later = flow["rpo"]["records_at_most"].as_i64();
    assert!(at_most.is_some() == later.is_some() && at_most <= later, "{at_most:?}, {flow:#}");
    let checks: f64 = ["ok", "warning", "critical", "unknown", "not_applicable"]
        .map(|status| scrape.value(&format!(r#"muster_readiness_checks{{pair="orders",status="{status}"}}"#)))
        .iter()
        .sum();
    let readiness = app.as_user("vera").await.get("/api/v1/pairs/orders/readiness").await.done();
    assert_eq!(checks, readiness["items"].as_array().unwrap().len() as f64);
    let worst = readiness["worst"].as_str().unwrap();
    assert_eq!(scrape.value(&format!(r#"muster_readiness_status{{pair="orders",status="{worst}"}}"#)), 1.0);
    assert_eq!(scrape.named("muster_readiness_status").iter().map(|(_, value)| **value).sum::<f64>(), 1.0);
    let objectives = &app.small.pair.objectives;
    assert_eq!(scrape.value(r#"muster_objective_rpo_seconds{pair="orders"}"#), objectives.rpo_seconds as f64);
    assert_eq!(scrape.value("muster_pairs"), 1.0);
    assert_eq!(scrape.value("muster_brake_on"), 0.0);
    assert_eq!(scrape.value("muster_database_up"), 1.0);
    assert_eq!(scrape.count("muster_build_info"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_open_transactions_is_told_apart_and_may_be_lost() {
    let app = TestApp::with_pair().await;
    app.observe("orders").await;
    let told = async || {
        let scrape = Scrape::of(&app.app).await;
        let flow = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done()["items"][0].clone();
        let open = scrape.value(&format!("muster_in_open_transactions_offsets{{{FORWARD}}}")) as i64;
        assert_eq!(flow["in_open_transactions"], open, "{flow:#}");
        (open, flow["rpo"]["records_at_most"].as_i64().expect("the third survey knows how fast is written"))
    };
    let (before, at_most) = told().await;
    app.small.world.lock().cluster_mut("eu-west").create_topic("orders.slow", 1).unwrap();
    app.small.world.lock().cluster_mut("eu-central").create_topic("orders.slow", 1).unwrap();
    for number in 0..700 {
        let mut state = app.small.world.lock();
        let payload = Payload { timestamp: number, key: None, value: Some("v".into()), headers: Vec::new() };
        let at = TopicPartition::new("orders.slow", 0);
        state.cluster_mut("eu-west").produce("User:app-orders", &at, (9_999, Some("slow")), payload).unwrap();
    }
    app.observe("orders").await;
    let (open, with_open) = told().await;
    assert!(open >= before + 700 && with_open >= 700, "{before}, {open}; {at_most}, {with_open}");
    let page = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(page.contains("in or behind open transactions: "), "{page}");
    app.small.world.lock().cluster_mut("eu-west").end_transaction("slow", true);
    app.observe("orders").await;
    assert!(told().await.0 < 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_side_leaves_unknown_is_absent_and_never_zero() {
    let app = TestApp::with_pair().await;
    app.small.world.lock().cluster_mut("eu-west").health = Health::Dead;
    app.observe("orders").await;
    let scrape = Scrape::of(&app.app).await;
    let forward = |name: &str| scrape.named(name).iter().filter(|(s, _)| s.contains(FORWARD)).count();
    assert_eq!(forward("muster_lag_records") + forward("muster_lag_seconds"), 0);
    assert_eq!(forward("muster_topic_lag_records") + forward("muster_in_open_transactions_offsets"), 0);
    assert_eq!(scrape.value(&format!(r#"muster_lag_class{{{FORWARD},of="seconds",class="unknown"}}"#)), 1.0);
    assert_eq!(scrape.value(r#"muster_rpo_known{pair="orders"}"#), 0.0);
    assert_eq!(scrape.count("muster_rpo_at_most_seconds"), 0);
    assert_eq!(scrape.value(r#"muster_readiness_status{pair="orders",status="critical"}"#), 1.0);
    assert_eq!(
        scrape.value(
            r#"muster_readiness_check_trouble{pair="orders",check="clusters-reachable",status="critical"}"#
        ),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_to_stand_has_no_value() {
    let app = TestApp::with_pair().await;
    age_surveys(&app, 120).await;
    let scrape = Scrape::of(&app.app).await;
    assert!(scrape.value(r#"muster_survey_age_seconds{pair="orders"}"#) >= 120.0);
    for name in [
        "muster_lag_records",
        "muster_lag_seconds",
        "muster_in_open_transactions_offsets",
        "muster_topic_lag_seconds",
        "muster_active_side",
    ] {
        assert_eq!(scrape.count(name), 0, "{name}");
    }
    assert_eq!(scrape.value(&format!(r#"muster_lag_class{{{FORWARD},of="records",class="stale"}}"#)), 1.0);
    assert_eq!(scrape.value(r#"muster_rpo_known{pair="orders"}"#), 0.0);
    assert_eq!(scrape.value(r#"muster_readiness_status{pair="orders",status="unknown"}"#), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_never_observed_is_unknown() {
    let app = TestApp::with_pair().await;
    sqlx::query("truncate survey, readiness").execute(&app.app.pool).await.unwrap();
    let scrape = Scrape::of(&app.app).await;
    assert_eq!(scrape.count("muster_survey_age_seconds"), 0);
    assert_eq!(scrape.count("muster_readiness_checks"), 0);
    assert_eq!(scrape.value(r#"muster_readiness_status{pair="orders",status="unknown"}"#), 1.0);
    assert_eq!(scrape.value(r#"muster_rpo_known{pair="orders"}"#), 0.0);
    assert_eq!(scrape.count("muster_last_proof_timestamp_seconds"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_series_is_bounded_and_what_is_left_out_is_told() {
    let app = TestApp::with_pair().await;
    let with = |pairs, topics| App {
        telemetry: Arc::new(Telemetry::new(Caps { pairs, topics })),
        ..app.app.clone()
    };
    let all = Scrape::of(&app.app).await;
    let topics = all.count("muster_topic_lag_records");
    assert!(topics > 2, "{topics}");
    let few = Scrape::of(&with(1, 1)).await;
    assert_eq!(few.count("muster_topic_lag_records"), 2, "one of each flow");
    assert!(few.value(r#"muster_metrics_left_out{what="topics"}"#) > 0.0);
    let sum = format!("muster_lag_records{{{FORWARD}}}");
    assert_eq!(few.value(&sum), all.value(&sum), "the sum is of all topics");
    let none = Scrape::of(&with(0, 1)).await;
    assert_eq!(none.value(r#"muster_metrics_left_out{what="pairs"}"#), 1.0);
    assert!(none.0.keys().all(|series| !series.contains("orders")), "{:#?}", none.0);
}
