//! What one person or one address may do in a time, across processes; and what of it the audit keeps.

use axum::http::{Method, header};
use muster_app::app::App;
use muster_domain::audit::AuditEntry;
use muster_store::audit::{self, AuditFilter};
use serde_json::json;

use crate::{session::Session, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_many_changes_waits_whichever_process_is_asked() {
    let app = TestApp::with_pair().await;
    let [here, there] = [(); 2].map(|()| app.process(App { writes_per_minute: 4, ..app.app.clone() }));
    let otto = app.as_user("otto").await.at(&here);
    let there = app.as_user("otto").await.at(&there);
    let asked = json!({"to": "eu-central"});
    for _ in 0..2 {
        otto.post("/api/v1/pairs/orders/plans", asked.clone()).await.done();
        there.post("/api/v1/pairs/orders/plans", asked.clone()).await.done();
    }
    for process in [&otto, &there] {
        let refused = process.post("/api/v1/pairs/orders/plans", asked.clone()).await;
        assert_eq!(refused.problem(), ("too-many-requests".to_owned(), 429));
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(refused.text.contains("MUSTER_WRITES_PER_MINUTE"), "{}", refused.text);
    }
    // Looking is not limited, and nobody pays for another's haste.
    otto.get("/api/v1/pairs/orders").await.done();
    assert_eq!(app.as_user("outis").await.delete("/api/v1/session").await.status, 204);
    assert_eq!(app.audited("plan.make").await.iter().filter(|entry| entry.2 == "refused").count(), 2);

    sqlx::query("update happening set since = since - interval '61 seconds'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    otto.post("/api/v1/pairs/orders/plans", asked).await.done();
}

/// Entries of refusals, oldest first.
async fn refusals(app: &TestApp) -> Vec<AuditEntry> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let mut entries = audit::list(&mut conn, &AuditFilter::default(), 10_000).await.unwrap();
    entries.retain(|entry| entry.content.outcome == "refused");
    entries.reverse();
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_strangers_are_counted_when_there_are_too_many_to_keep() {
    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    // So many came within this hour already.
    nobody.delete("/api/v1/brake").await;
    sqlx::query("update happening set count = 197 where key = 'refusals from '")
        .execute(&app.app.pool)
        .await
        .unwrap();
    for _ in 0..6 {
        let refused = nobody.delete("/api/v1/brake").await;
        assert_eq!(refused.problem(), ("sign-in-required".to_owned(), 401), "it stays a refusal");
    }
    let entries = refusals(&app).await;
    let told: Vec<bool> =
        entries.iter().map(|entry| entry.content.detail["only_counted_until"].is_string()).collect();
    assert_eq!(told, [false, false, false, true], "the last entry says that there are more");

    // Who is signed in has a count of their own.
    let vera = app.as_user("vera").await;
    vera.delete("/api/v1/brake").await;
    assert_eq!(refusals(&app).await.last().unwrap().content.actor, "vera");
    sqlx::query("update happening set count = 1000 where key = 'refusals of vera'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    vera.delete("/api/v1/brake").await;
    vera.get("/api/v1/audit").await;
    assert_eq!(refusals(&app).await.len(), 5);

    // However many addresses they come from.
    sqlx::query("update happening set count = 1 where key = 'refusals from '")
        .execute(&app.app.pool)
        .await
        .unwrap();
    sqlx::query("update happening set count = 2000 where key = 'refusals of nobody'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    nobody.delete("/api/v1/brake").await;
    assert_eq!(refusals(&app).await.len(), 5);
    let ada = app.as_user("ada").await;
    assert_eq!(ada.get("/api/v1/audit/verify").await.done()["whole"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_strangers_come_from_is_what_is_counted() {
    let app = TestApp::new().await;
    let url = app.serve().await;
    let asked = reqwest::Client::new().delete(format!("{url}/api/v1/brake")).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    let keys: Vec<String> =
        sqlx::query_scalar("select key from happening order by key").fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(keys, ["refusals from 127.0.0.1", "refusals of nobody"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_out_says_when_it_ends() {
    let app = TestApp::new().await;
    let nobody = Session::new(&app, None);
    let mut last = None;
    for _ in 0..8 {
        let body = json!({"name": "vera", "password": "a guess a guess"});
        last = Some(nobody.request(Method::POST, "/api/v1/session", Some(body), &[]).await);
    }
    let locked = last.unwrap();
    assert_eq!(locked.problem(), ("locked-out".to_owned(), 429));
    let wait: u64 = locked.header(header::RETRY_AFTER.as_str()).parse().unwrap();
    assert!((890..=900).contains(&wait), "{wait}");
}
