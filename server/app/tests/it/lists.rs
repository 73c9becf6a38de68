//! Lists are read page by page, each item once; what is exported comes whole.

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use chrono::{TimeDelta, Utc};
use muster_app::loops::drill::record_one;
use serde_json::{Value, json};

use crate::test_app::TestApp;

/// Everything of a list, read in pages of two.
async fn read_all(app: &TestApp, path: &str) -> Vec<Value> {
    let vera = app.as_user("vera").await;
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = vera.get(&format!("{path}?limit=2{after}")).await.done();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2, "{path}: {}", items.len());
        all.extend(items);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

/// What comes due of the schedules until the year is over.
pub(crate) async fn record_a_year(app: &TestApp) {
    let later = Utc::now() + TimeDelta::days(400);
    while record_one(&app.app.pool, later).await.unwrap() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_is_read_page_by_page() {
    let app = TestApp::with_pair().await;
    let (otto, olga) = (app.as_user("otto").await, app.as_user("olga").await);
    let channel = json!({"team": app.team, "name": "room", "kind": "email", "events": ["ended"], "recipients": ["a@b.example"]});
    let channel = olga.post("/api/v1/channels", channel).await.done();
    let deliveries = format!("/api/v1/channels/{}", channel["id"].as_str().unwrap());
    for number in 0..3 {
        otto.post(
            "/api/v1/findings",
            json!({"pair": "orders", "text": format!("{number}"), "severity": "low"}),
        )
        .await
        .done();
        assert_eq!(olga.post(&format!("{deliveries}/test"), json!({})).await.status, 202);
        let cadence = json!({"every": "cron", "expression": format!("0 {number} 1 1 *")});
        olga.post("/api/v1/schedules", json!({"pair": "orders", "cadence": cadence})).await.done();
    }
    record_a_year(&app).await;
    let deliveries = format!("{deliveries}/deliveries");
    for (path, least) in [
        ("/api/v1/findings", 3),
        ("/api/v1/occurrences", 3),
        ("/api/v1/schedules", 3),
        ("/api/v1/pairs/orders/readiness/changes", 3),
        (deliveries.as_str(), 3),
    ] {
        let whole = app.as_user("vera").await.get(&format!("{path}?limit=200")).await.done();
        let whole = whole["items"].as_array().unwrap().clone();
        assert!(whole.len() >= least, "{path}: {whole:#?}");
        assert_eq!(read_all(&app, path).await, whole, "{path}");
    }
    let wrong = app.as_user("vera").await.get("/api/v1/occurrences?after=yesterday").await;
    assert_eq!(wrong.problem(), ("invalid-request".to_owned(), 422));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_exported_whole_also_compressed() {
    let app = TestApp::with_pair().await;
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "freeze"})).await.done();
    let ada = format!("Bearer {}", app.token_of("ada").await);
    for encoding in ["identity", "gzip", "br", "zstd"] {
        let request = Request::get("/api/v1/audit/export").header("authorization", &ada);
        let request = request.header("accept-encoding", encoding).body(Body::empty()).unwrap();
        let answer = app.begin(request).await;
        assert_eq!(answer.status(), 200, "{encoding}");
        let encoded =
            answer.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(encoded.as_deref(), (encoding != "identity").then_some(encoding));
        let body = to_bytes(answer.into_body(), 10_000_000).await.unwrap();
        // Brotli has no mark of its own.
        let mark: &[u8] = match encoding {
            "gzip" => &[0x1f, 0x8b],
            "zstd" => &[0x28, 0xb5, 0x2f, 0xfd],
            _ => &[],
        };
        assert!(!body.is_empty() && body.starts_with(mark), "{encoding}");
        let readable = std::str::from_utf8(&body).is_ok_and(|text| text.contains("brake"));
        assert_eq!(readable, encoding == "identity", "{encoding}");
    }
}
