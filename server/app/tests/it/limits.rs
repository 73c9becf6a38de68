//! What one person or one address may do in a time, across processes; and what of it the audit keeps.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use jsonwebtoken::{EncodingKey, Header};
use muster_app::{app::App, auth::passwords::Hashing};
use muster_domain::audit::AuditEntry;
use muster_store::audit::{self, AuditFilter};
use serde_json::{Value, json};

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

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_person_have_one_budget_together() {
    let app = TestApp::with_pair().await;
    let process = app.process(App { writes_per_minute: 3, ..app.app.clone() });
    let otto = app.as_user("otto").await;
    let mut sessions = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let made = otto.post("/api/v1/tokens", json!({"name": name, "days": 1})).await.done();
        let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
        sessions.push(Session::new(&app, Some((header::AUTHORIZATION.as_str(), bearer))).at(&process));
    }
    sqlx::query("truncate happening").execute(&app.app.pool).await.unwrap();
    let asked = json!({"to": "eu-central"});
    for token in &sessions[..3] {
        token.post("/api/v1/pairs/orders/plans", asked.clone()).await.done();
    }
    let refused = sessions[3].post("/api/v1/pairs/orders/plans", asked.clone()).await;
    assert_eq!(refused.problem(), ("too-many-requests".to_owned(), 429));
    assert!(refused.text.contains("all API tokens of the same person"), "{}", refused.text);
    let in_person = app.as_user("otto").await.at(&process);
    assert_eq!(in_person.post("/api/v1/pairs/orders/plans", asked.clone()).await.problem().1, 429);
    app.as_user("mira").await.at(&process).post("/api/v1/pairs/orders/plans", asked).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_gets_no_turn_is_not_tried() {
    let app = TestApp::new().await;
    let hashing = Arc::new(Hashing::new(0, Duration::from_millis(20)));
    let busy = app.process(App { hashing, ..app.app.clone() });
    let nobody = Session::new(&app, None).at(&busy);
    let asked = json!({"name": "vera", "password": "a guess a guess"});
    for _ in 0..10 {
        let refused = nobody.post("/api/v1/session", asked.clone()).await;
        assert_eq!(refused.problem(), ("too-many-requests".to_owned(), 429));
        assert_eq!(refused.header("retry-after"), "5");
    }
    let page = nobody.form("/sign-in", &[("name", "vera"), ("password", "a guess a guess")]).await;
    assert!(page.status == 429 && page.text.contains("did not get its turn"), "{}", page.text);
    // Nobody is locked out for what was not tried.
    let tried = Session::new(&app, None).post("/api/v1/session", asked).await;
    assert_eq!(tried.problem(), ("sign-in-refused".to_owned(), 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_sign_in_at_once_get_their_turn_one_after_the_other() {
    let app = TestApp::new().await;
    let hashing = Arc::new(Hashing::new(2, Duration::from_secs(60)));
    let process = app.process(App { hashing, ..app.app.clone() });
    let each = (0..20).map(|number| {
        let nobody = Session::new(&app, None).at(&process);
        async move {
            let asked = json!({"name": format!("nobody-{number}"), "password": "a guess a guess"});
            nobody.post("/api/v1/session", asked).await.problem().0
        }
    });
    let codes = futures_util::future::join_all(each).await;
    assert_eq!(codes, vec!["sign-in-refused"; 20]);
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
    sqlx::query("update happening set count = 2000 where key = 'refusals without a name'")
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
    assert_eq!(keys, ["refusals from 127.0.0.1", "refusals without a name"]);
}

/// A token that somebody without the key made, in a name of their choice.
fn forged(name: &str) -> String {
    let claims = json!({"iss": "muster", "aud": "muster-machine", "sub": name, "name": name, "iat": 0,
        "sid": uuid::Uuid::new_v4(), "exp": 99_999_999_999_i64});
    let key = EncodingKey::from_secret(name.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

/// A stranger tries to approve a run, from an address if it is known.
async fn tries(app: &TestApp, number: u32, from: Option<SocketAddr>) {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/api/v1/runs/{}/approve?{number}", uuid::Uuid::from_u128(number.into())))
        .header("x-request-id", format!("request-{number}"));
    let token = forged(&format!("person-{number}"));
    request = match number % 3 {
        0 => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        1 => request.header(header::AUTHORIZATION, format!("Bearer token-{number}")),
        _ => request.header(header::COOKIE, format!("muster={token}")),
    };
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(from) = from {
        request.extensions_mut().insert(ConnectInfo(from));
    }
    assert_eq!(app.begin(request).await.status(), StatusCode::UNAUTHORIZED);
}

async fn keys(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from happening").fetch_one(&app.app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_stranger_varies_who_they_say_they_are_few_of_their_refusals_are_entries() {
    let app = TestApp::new().await;
    for number in 0..1000 {
        tries(&app, number, None).await;
    }
    let entries = refusals(&app).await;
    assert_eq!((entries.len(), keys(&app).await), (200, 2), "the address, and all strangers");
    assert!(entries.iter().all(|entry| entry.content.actor == "nobody"));
    assert!(entries.last().unwrap().content.detail["only_counted_until"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_stranger_varies_where_they_come_from_few_of_their_refusals_are_entries() {
    let app = TestApp::new().await;
    // A host of IPv6 has as many addresses as it likes.
    for number in 0..500 {
        let from = format!("[2001:db8:1:2:{:x}::{:x}]:50000", number % 7, number);
        tries(&app, number, Some(from.parse().unwrap())).await;
    }
    assert_eq!((refusals(&app).await.len(), keys(&app).await), (200, 2));
    // And where every one is another host, all strangers have one bound, and those beyond it leave nothing.
    sqlx::query("update happening set count = 1900 where key = 'refusals without a name'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    for number in 0..1000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        tries(&app, number, Some(SocketAddr::from(([198, 51, high, low], 50000)))).await;
    }
    assert_eq!((refusals(&app).await.len(), keys(&app).await), (300, 102));
    let strangers: i32 =
        sqlx::query_scalar("select count from happening where key = 'refusals without a name'")
            .fetch_one(&app.app.pool)
            .await
            .unwrap();
    assert_eq!(strangers, 2900, "they are counted all the same");
    let ada = app.as_user("ada").await;
    assert_eq!(ada.get("/api/v1/audit/verify").await.done()["whole"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_an_entry_of_bounded_length() {
    let app = TestApp::new().await;
    let long = "x".repeat(20_000);
    let nobody = app.as_user("nobody").await;
    let refused = nobody.delete(&format!("/api/v1/clusters/{long}")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let cross_site = [("origin", long.as_str()), ("sec-fetch-site", "cross-site")];
    nobody.request(Method::DELETE, "/api/v1/brake", None, &cross_site).await;
    let name = json!({"name": long, "password": "a guess a guess"});
    assert_eq!(nobody.post("/api/v1/session", name).await.problem().0, "sign-in-refused");
    let entries = refusals(&app).await;
    assert_eq!(entries.len(), 3);
    for entry in entries {
        let texts = entry.content.detail.as_object().unwrap().values().filter_map(Value::as_str);
        for text in texts.chain([entry.content.object.as_str()]) {
            assert!(text.chars().count() <= 1001, "{text}");
        }
    }
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
