//! Whether a process is well, and what a scrape asks of others: nothing.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use muster_app::{
    app::{App, Hands},
    process::telemetry::LoopName,
    routes,
};
use muster_domain::ids::{ClusterName, PairName};
use muster_kafka::ClusterAdmin;
use muster_operations::{ClientSource, OperationError, PairClients};
use serde_json::json;
use tower::ServiceExt as _;

use super::Scrape;
use crate::test_app::TestApp;

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
