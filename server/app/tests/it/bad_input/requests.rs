//! Requests nobody meant, or nobody may send: each is refused, and is an entry where it would have changed something.

use axum::http::{Method, StatusCode};
use chrono::Utc;
use muster_app::auth::tokens::{Audience, TokenKey};
use muster_store::{secrets::SecretsKey, sessions};
use serde_json::json;
use uuid::Uuid;

use crate::test_app::{TestApp, id};

const FROM_ELSEWHERE: [(&str, &str); 2] =
    [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];

fn refused(who: &str, object: &str) -> (String, String, String) {
    (who.to_owned(), object.to_owned(), "refused".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_from_another_sites_page_is_refused_and_says_whose_session_it_used() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    let body = json!({"reason": "evil"});
    let put = otto.request(Method::PUT, "/api/v1/brake", Some(body), &FROM_ELSEWHERE).await;
    assert_eq!(put.problem(), ("cross-site".to_owned(), 403));
    let form = Some("application/x-www-form-urlencoded");
    let sent =
        otto.send(Method::POST, "/brake", form, "act=set&reason=evil".to_owned(), &FROM_ELSEWHERE).await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
    let entries = app.audited("brake.put").await;
    assert_eq!(entries, [refused("otto", "/api/v1/brake"), refused("otto", "/brake")]);
    assert_eq!(otto.get("/api/v1/brake").await.done()["on"], false);
}

/// A token of somebody's live session.
async fn token(app: &TestApp, key: &TokenKey, audience: Audience, made: i64, seconds: i64) -> String {
    let sid = Uuid::now_v7();
    let mut conn = app.app.pool.acquire().await.unwrap();
    sessions::insert(&mut conn, sid, id("otto"), 3600.0, "test", "").await.unwrap();
    key.sign(audience, sid, made, seconds).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_in_its_place_in_its_time_and_under_our_key_only() {
    let app = TestApp::with_pair().await;
    let (nobody, now) = (app.as_user("nobody").await, Utc::now().timestamp());
    let (ours, theirs) = (app.app.tokens.clone(), TokenKey::derive(&SecretsKey::from_bytes([8; 32])));
    let machine = async |key, made, seconds| token(&app, key, Audience::Machine, made, seconds).await;
    let browser = token(&app, &ours, Audience::Browser, now, 900).await;
    let good = machine(&ours, now, 900).await;
    let (head, _) = good.rsplit_once('.').unwrap();
    let bad = [
        ("a browser's token as bearer", "authorization", format!("Bearer {browser}")),
        ("a program's token as cookie", "cookie", format!("muster={good}")),
        (
            "signed by another installation",
            "authorization",
            format!("Bearer {}", machine(&theirs, now, 900).await),
        ),
        ("run out", "authorization", format!("Bearer {}", machine(&ours, now - 901, 900).await)),
        ("without its signature", "authorization", format!("Bearer {head}.")),
        ("of another scheme", "authorization", format!("Basic {good}")),
        ("with a line in it", "authorization", format!("Bearer {good}\tx")),
    ];
    for (what, header, value) in &bad {
        let body = json!({"reason": "not mine to pull"});
        let put = nobody.request(Method::PUT, "/api/v1/brake", Some(body), &[(header, value)]).await;
        assert_eq!(put.problem(), ("sign-in-required".to_owned(), 401), "{what}");
    }
    let entries = app.audited("brake.put").await;
    assert_eq!(entries, vec![refused("nobody", "/api/v1/brake"); bad.len()]);

    // A process whose clock is ahead has made it: the session's row decides, not this clock.
    let early = format!("Bearer {}", machine(&ours, now + 300, 900).await);
    let me = nobody.request(Method::GET, "/api/v1/session", None, &[("authorization", &early)]).await.done();
    assert_eq!(me["name"], "otto");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_its_session_is_not_replayed() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    assert_eq!(otto.form("/sign-out", &[]).await.header("location"), "/sign-in");
    let again = otto.form("/brake", &[("act", "set"), ("reason", "replayed")]).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
    assert_eq!(app.audited("brake.put").await, [refused("nobody", "/brake")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_end_gets_into_a_header() {
    let app = TestApp::with_pair().await;
    let (ada, otto) = (app.as_user("ada").await, app.as_browser_of("otto").await);
    let line = "x\r\nset-cookie: evil=1";
    for (path, body) in [
        ("/api/v1/teams", json!({"name": line})),
        ("/api/v1/users", json!({"name": line, "password": "correct horse battery"})),
        ("/api/v1/clusters", json!({"name": line, "bootstrap": ["a:9092"]})),
    ] {
        assert_eq!(ada.post(path, body).await.problem(), ("invalid-request".to_owned(), 422), "{path}");
    }
    let encoded = "x%0d%0aset-cookie:%20evil=1";
    for path in [
        format!("/runs?pair={encoded}&text={encoded}&after={encoded}"),
        format!("/findings?owner={encoded}"),
        format!("/pairs/{encoded}"),
        format!("/assets/{encoded}"),
        format!("/sign-in?next=/{encoded}"),
    ] {
        let reply = otto.request(Method::GET, &path, None, &[("accept", "text/html")]).await;
        assert!(!reply.status.is_server_error(), "{path}: {}", reply.status);
        assert_eq!(reply.header("set-cookie"), "", "{path}");
        assert!(!reply.headers.values().any(|value| value.as_bytes().contains(&b'\n')), "{path}");
    }
    let theme = otto.form("/theme", &[("theme", line), ("next", line)]).await;
    assert_eq!(theme.header("location"), "/");
    assert!(theme.header("set-cookie").starts_with("theme=system;"), "{}", theme.header("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_never_leaves_its_place() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    for path in [
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/%00",
        "/pairs/..%2f..%2fetc%2fpasswd",
        "/api/v1/pairs/%2e%2e%2forders",
        "/api/v1/clusters/%ff%fe",
        "/api/v1/runs/..%2f..%2faudit",
        "/api/reference/..%2f..%2faudit",
        "/api/v1/runs?text=%ff%fe&pair=%c0%af",
    ] {
        let reply = otto.get(path).await;
        let status = reply.status.as_u16();
        assert!([200, 400, 404].contains(&status), "{path}: {status}");
        assert!(status != 200 || path.contains('?'), "{path} was found");
        assert!(!reply.text.contains("root:"), "{path}");
    }
}
