//! What monitoring is told: figures that stand, absence of what is not known, bounds, and whether the process is well.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use chrono::{TimeDelta, Utc};
use muster_app::{
    app::{App, Hands},
    loops::drill::record_one,
    process::telemetry::{self, Caps, LoopName, Telemetry},
    routes,
};
use muster_domain::{
    ids::{ClusterName, PairName},
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin,
    double::{Health, Payload},
};
use muster_operations::{ClientSource, OperationError, PairClients};
use serde_json::json;
use tower::ServiceExt as _;

use crate::{notifications::webhook, receiver::Receiver, test_app::TestApp};

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

/// Hands that must not be used.
struct NoHands;

#[async_trait]
impl ClientSource for NoHands {
    async fn pair_clients(&self, name: &PairName) -> Result<PairClients, OperationError> {
        panic!("a scrape asked for clients of {name}");
    }
}

#[async_trait]
impl Hands for NoHands {
    async fn cluster_admin(&self, name: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        panic!("a scrape asked for a client of {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_asks_no_cluster() {
    let app = TestApp::with_pair().await;
    let scrape = Scrape::of(&App { hands: Arc::new(NoHands), ..app.app.clone() }).await;
    assert_eq!(scrape.value("muster_database_up"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_process_still_tells_of_itself() {
    let app = TestApp::with_pair().await;
    app.app.telemetry.loops.begin(LoopName::Engine, Duration::from_secs(60)).turned(false);
    app.app.pool.close().await;
    let scrape = Scrape::of(&app.app).await;
    assert_eq!(scrape.value("muster_database_up"), 0.0);
    assert_eq!(scrape.value(r#"muster_loop_failures_total{loop="engine"}"#), 1.0);
    assert_eq!(scrape.count("muster_loop_started_timestamp_seconds"), 1);
    assert_eq!(scrape.count("muster_loop_last_success_timestamp_seconds"), 0);
    assert_eq!(scrape.count("muster_pairs"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_counted_by_the_template_of_their_route() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    vera.get("/api/v1/pairs/orders").await.done();
    vera.get("/api/v1/pairs/nothing").await;
    vera.get("/anything/at/all").await;
    let scrape = Scrape::of(&app.app).await;
    let count =
        |labels: &str| scrape.value(&format!("muster_http_request_duration_seconds_count{{{labels}}}"));
    assert_eq!(count(r#"method="GET",route="/api/v1/pairs/{pair}",status="2xx""#), 1.0);
    assert_eq!(count(r#"method="GET",route="/api/v1/pairs/{pair}",status="4xx""#), 1.0);
    assert_eq!(count(r#"method="GET",route="none",status="4xx""#), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_while_it_lasts_and_by_what_it_measured() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    assert_eq!(Scrape::of(&app.app).await.value(r#"muster_runs{state="awaiting_approval"}"#), 1.0);
    abel.post(&path("approve"), json!({})).await.done();
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    let waiting = Scrape::of(&app.app).await;
    let active = r#"muster_run_active{pair="orders",operation="switchover",state="waiting_for_input"}"#;
    assert_eq!(waiting.value(active), 1.0);
    assert_eq!(waiting.count("muster_run_active_seconds"), 1);
    otto.post(&path("confirm"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();

    let ended = Scrape::of(&app.app).await;
    let run = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended.value(r#"muster_runs{state="succeeded"}"#), 1.0);
    assert_eq!(ended.count("muster_run_active"), 0);
    let of = |name: &str| ended.value(&format!(r#"{name}{{pair="orders",operation="switchover"}}"#));
    assert_eq!(of("muster_run_last_lost_records"), 0.0);
    assert!(of("muster_run_last_duration_seconds") > 0.0);
    let phases = run["outcome"]["rto_ms_by_phase"].as_object().unwrap();
    let rto: i64 = phases.iter().filter(|(p, _)| *p != "decide").map(|(_, ms)| ms.as_i64().unwrap()).sum();
    assert_eq!(of("muster_run_last_rto_seconds"), rto as f64 / 1000.0);
    assert_eq!(ended.count("muster_run_last_phase_seconds"), phases.len());
    assert_eq!(ended.count("muster_last_proof_timestamp_seconds"), 1);
    let end =
        r#"muster_run_last_end_timestamp_seconds{pair="orders",operation="switchover",state="succeeded"}"#;
    assert!(ended.value(end) > 1e9);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitoring_listener_serves_its_three_addresses_to_anybody_and_nothing_else() {
    let app = TestApp::with_pair().await;
    let router = routes::monitoring_router(&app.app);
    let ask = async |path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8(to_bytes(answer.into_body(), 10_000_000).await.unwrap().to_vec()).unwrap())
    };
    assert_eq!(ask("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(ask("/readyz").await.0, 200);
    let (status, text) = ask("/metrics").await;
    assert_eq!((status, Scrape::read(&text).value("muster_pairs")), (200, 1.0));
    for path in ["/", "/api/v1/pairs", "/api/openapi.json"] {
        assert_eq!(ask(path).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_and_alive_are_true_only_while_they_are() {
    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    assert_eq!(nobody.get("/readyz").await.json(), json!({"ready": true, "waiting_for": null}));

    let beat = app.app.telemetry.loops.begin(LoopName::Surveys, Duration::ZERO);
    let stalled = nobody.get("/readyz").await;
    assert_eq!((stalled.status.as_u16(), nobody.get("/healthz").await.status.as_u16()), (503, 200));
    assert_eq!(stalled.json()["waiting_for"], "the loop `surveys`, silent for 0 s");
    drop(beat);

    let beat = app.app.telemetry.loops.begin(LoopName::Surveys, Duration::from_secs(60));
    assert_eq!(nobody.get("/readyz").await.status, 200);
    beat.carry(async {}, || false).await;
    let ended = nobody.get("/healthz").await;
    assert_eq!(
        (ended.status.as_u16(), ended.text.as_str()),
        (503, "the loop `surveys` has ended: restart this process\n")
    );
    assert_eq!(nobody.get("/readyz").await.status, 503);

    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    app.app.telemetry.stop();
    assert_eq!(nobody.get("/readyz").await.json()["waiting_for"], "it was told to stop");
    assert_eq!(nobody.get("/healthz").await.status, 200, "alive until it has stopped");
    app.app.pool.close().await;
    assert_eq!(nobody.get("/healthz").await.status, 200, "a restart would not bring the database back");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_are_told_by_kind_until_they_arrive() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let none = Scrape::of(&app.app).await;
    assert_eq!(none.value(r#"muster_messages_undelivered{kind="webhook"}"#), 0.0);
    assert_eq!(
        none.count("muster_messages_oldest_undelivered_seconds"),
        0,
        "nothing waits, so nothing has an age"
    );
    webhook(&app, "bot", &receiver.url).await;
    crate::runs::requested(&app).await;
    sqlx::query("update notification set created_at = created_at - interval '20 minutes'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let waits = Scrape::of(&app.app).await;
    assert_eq!(waits.value(r#"muster_messages_undelivered{kind="webhook"}"#), 1.0);
    assert_eq!(waits.value(r#"muster_messages_undelivered{kind="email"}"#), 0.0);
    assert!(waits.value(r#"muster_messages_oldest_undelivered_seconds{kind="webhook"}"#) >= 1200.0);
    assert!(app.app.courier.deliver_one(Utc::now() + TimeDelta::seconds(1)).await.unwrap());
    let arrived = Scrape::of(&app.app).await;
    assert_eq!(arrived.value(r#"muster_messages_undelivered{kind="webhook"}"#), 0.0);
    assert_eq!(arrived.count("muster_messages_oldest_undelivered_seconds"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_findings_are_told_by_severity() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let new = json!({"pair": "orders", "text": "DNS is cached", "severity": "high"});
    let raised = otto.post("/api/v1/findings", new).await.done();
    let high = r#"muster_findings_open{severity="high"}"#;
    let open = Scrape::of(&app.app).await;
    assert_eq!((open.value(high), open.value(r#"muster_findings_open{severity="low"}"#)), (1.0, 0.0));
    let path = format!("/api/v1/findings/{}", raised["id"].as_str().unwrap());
    let close = json!({"closed": {"resolution": "TTL lowered"}});
    otto.request(Method::PATCH, &path, Some(close), &[("if-match", "\"1\"")]).await.done();
    assert_eq!(Scrape::of(&app.app).await.value(high), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_overdue_until_one_has_passed() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    assert_eq!(Scrape::of(&app.app).await.count("muster_drills_overdue"), 0, "there is no schedule");
    let weekly = json!({"pair": "orders", "drill": "readiness_drill", "window_minutes": 60, "lead_days": 0,
        "cadence": {"every": "cron", "expression": "0 9 * * 4"}});
    let made = olga.post("/api/v1/schedules", weekly).await.done();
    let overdue = r#"muster_drills_overdue{pair="orders",drill="readiness_drill"}"#;
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 0.0, "none came due");
    // Two weeks went by and nobody held one.
    sqlx::query("update schedule set next_nominal = next_nominal - interval '21 days', next_at = next_at - interval '21 days'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    while record_one(&app.app.pool, Utc::now()).await.unwrap() {}
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 1.0, "one schedule, however many times");

    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let plan = json!({"operation": "readiness_drill", "to": "eu-central"});
    let plan = otto.post("/api/v1/pairs/orders/plans", plan).await.done();
    let run = otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "late"})).await.done();
    let path = |verb: &str| format!("/api/v1/runs/{}/{verb}", run["id"].as_str().unwrap());
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 1.0, "nobody has attested it");
    abel.post(&path("attest"), json!({"verdict": "passed", "comment": "fine"})).await.done();
    let held = Scrape::of(&app.app).await;
    assert_eq!(held.value(overdue), 0.0);
    assert_eq!(
        held.count("muster_last_proof_timestamp_seconds"),
        0,
        "what only looks proves nothing of a move"
    );

    let off = olga
        .request(
            Method::PATCH,
            &format!("/api/v1/schedules/{}", made["id"].as_str().unwrap()),
            Some(json!({"enabled": false})),
            &[("if-match", "\"1\"")],
        )
        .await;
    off.done();
    assert_eq!(Scrape::of(&app.app).await.count("muster_drills_overdue"), 0, "it is switched off");
}
