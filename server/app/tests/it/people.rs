//! Signing in, the first run, people, tokens, and requests that are forged.

use axum::http::{Method, header};
use serde_json::json;

use crate::test_app::TestApp;

const PASSWORD: &str = "correct horse battery";

async fn with_password(app: &TestApp, name: &str) {
    let body = json!({"name": name, "password": PASSWORD, "grants": [{"role": "viewer", "team": null}]});
    app.as_user("ada").await.post("/api/v1/users", body).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out_by_cookie() {
    let app = TestApp::new().await;
    with_password(&app, "nora").await;
    let nobody = app.as_user("nobody").await;
    let wrong =
        nobody.form("/sign-in", &[("name", "nora"), ("password", "guess guess guess"), ("next", "/")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains("do not fit"), "{}", wrong.text);
    assert_eq!(app.audited("session.open").await.last().unwrap().2, "refused");

    let form = [("name", "nora"), ("password", PASSWORD), ("next", "https://evil.example/")];
    let right = nobody.form("/sign-in", &form).await;
    assert_eq!((right.status.as_u16(), right.header("location")), (303, "/"));
    let cookie = right.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let headers = [("cookie", cookie.as_str()), ("accept", "text/html")];
    assert_eq!(nobody.request(Method::GET, "/", None, &headers).await.status, 200);
    assert_eq!(app.audited("session.open").await.last().unwrap().2, "done");

    let out = nobody.request(Method::POST, "/sign-out", None, &headers).await;
    assert_eq!(out.header("location"), "/sign-in");
    assert_eq!(app.audited("session.close").await.last().unwrap().2, "done");
    let after = nobody.request(Method::GET, "/", None, &headers).await;
    assert_eq!((after.status.as_u16(), after.header("location")), (303, "/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_locks_the_name_out_even_for_the_right_password() {
    let app = TestApp::new().await;
    with_password(&app, "nora").await;
    let nobody = app.as_user("nobody").await;
    for _ in 0..8 {
        nobody.post("/api/v1/session", json!({"name": "nora", "password": "wrong"})).await;
    }
    let right = nobody.post("/api/v1/session", json!({"name": "nora", "password": PASSWORD})).await;
    assert_eq!(right.problem(), ("locked-out".to_owned(), 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_session_works_and_ends() {
    let app = TestApp::new().await;
    with_password(&app, "nora").await;
    let nobody = app.as_user("nobody").await;
    let opened = nobody.post("/api/v1/session", json!({"name": "nora", "password": PASSWORD})).await;
    assert_eq!(opened.status, 201);
    let bearer = format!("Bearer {}", opened.json()["token"].as_str().unwrap());
    let headers = [(header::AUTHORIZATION.as_str(), bearer.as_str())];
    let me = nobody.request(Method::GET, "/api/v1/session", None, &headers).await.done();
    assert_eq!(me["name"], "nora");
    assert_eq!(nobody.request(Method::DELETE, "/api/v1/session", None, &headers).await.status, 204);
    let after = nobody.request(Method::GET, "/api/v1/session", None, &headers).await;
    assert_eq!(after.problem(), ("sign-in-required".to_owned(), 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_made_once_with_the_code_from_the_log() {
    let app = TestApp::new().await;
    sqlx::query("truncate app_grant, session, app_user cascade").execute(&app.app.pool).await.unwrap();
    let nobody = app.as_user("nobody").await;
    let first = nobody.request(Method::GET, "/sign-in", None, &[("accept", "text/html")]).await;
    assert_eq!(first.header("location"), "/setup");
    let code = muster_app::auth::setup::code(&app.app);
    let fields = |code: &'static str| {
        [("code", code), ("name", "root"), ("password", PASSWORD), ("password_again", PASSWORD)]
    };
    assert_eq!(nobody.form("/setup", &fields("000000000000")).await.status, 403);
    let mut right = fields("");
    right[0].1 = code.leak();
    let made = nobody.form("/setup", &right).await;
    assert_eq!(made.header("location"), "/", "{}", made.text);
    assert_eq!(app.audited("setup").await.last().unwrap().2, "done");
    assert_eq!(nobody.form("/setup", &right).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_adds_and_changes_people() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    ada.post("/api/v1/teams", json!({"name": "payments"})).await.done();
    let short = json!({"name": "nils", "password": "short", "grants": []});
    assert_eq!(ada.post("/api/v1/users", short).await.problem().0, "invalid-request");
    with_password(&app, "nils").await;
    for unstorable in ["/api/v1/users/%00", "/api/v1/pairs/orders%00/survey"] {
        assert!(ada.get(unstorable).await.problem().1 < 500, "{unstorable}");
    }
    let zero = json!({"name": "zero", "display_name": "a\u{0}b", "password": PASSWORD});
    assert_eq!(ada.post("/api/v1/users", zero).await.problem(), ("invalid-request".to_owned(), 422));
    let taken = json!({"name": "payments"});
    assert_eq!(ada.post("/api/v1/teams", taken).await.problem(), ("name-taken".to_owned(), 409));
    let again = json!({"name": "nils", "password": PASSWORD});
    assert_eq!(ada.post("/api/v1/users", again).await.problem(), ("name-taken".to_owned(), 409));
    let shown = ada.get("/api/v1/users/nils").await;
    let etag = shown.header("etag").to_owned();
    let edit = json!({"grants": [{"role": "operator", "team": "payments"}]});
    let changed =
        ada.request(Method::PATCH, "/api/v1/users/nils", Some(edit.clone()), &[("if-match", &etag)]).await;
    assert_eq!(changed.done()["grants"], edit["grants"]);
    let stale = ada.request(Method::PATCH, "/api/v1/users/nils", Some(edit), &[("if-match", &etag)]).await;
    assert_eq!(stale.problem(), ("edited-in-between".to_owned(), 412));
    assert_eq!(ada.patch("/api/v1/users/ada", json!({"grants": []})).await.problem().0, "last-admin");
    assert!(!ada.get("/api/v1/users").await.text.contains("argon2"));
    for action in ["team.create", "user.create", "user.change"] {
        assert!(app.audited(action).await.iter().any(|entry| entry.2 == "done"), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_disabled_is_out_at_once() {
    let app = TestApp::new().await;
    let vera = app.as_user("vera").await;
    vera.get("/api/v1/session").await.done();
    app.as_user("ada").await.patch("/api/v1/users/vera", json!({"disabled": true})).await.done();
    assert_eq!(vera.get("/api/v1/session").await.problem().1, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_acts_as_its_maker_until_it_is_revoked() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let made = otto.post("/api/v1/tokens", json!({"name": "pipeline", "days": 30})).await.done();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let nobody = app.as_user("nobody").await;
    let headers = [(header::AUTHORIZATION.as_str(), bearer.as_str())];
    let me = nobody.request(Method::GET, "/api/v1/session", None, &headers).await.done();
    assert_eq!(me["name"], "token:pipeline");
    assert!(otto.get("/api/v1/tokens").await.done()["items"][0].get("token").is_none());
    let vera = app.as_user("vera").await;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(vera.delete(&path).await.problem().0, "not-found");
    assert_eq!(otto.delete(&path).await.status, 204);
    assert_eq!(nobody.request(Method::GET, "/api/v1/session", None, &headers).await.status, 401);
    assert_eq!(app.audited("token.create").await[0].2, "done");
    assert_eq!(app.audited("token.revoke").await.last().unwrap().2, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_from_another_site_is_refused() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let body = Some(json!({"reason": "evil"}));
    let refused = otto.request(Method::PUT, "/api/v1/brake", body.clone(), &headers).await;
    assert_eq!(refused.problem(), ("cross-site".to_owned(), 403));
    let same = [("origin", "http://muster.test")];
    otto.request(Method::PUT, "/api/v1/brake", body, &same).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_misplaced_tokens_are_refused() {
    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    let strange = ["Bearer x", "Bearer eyJhbGciOiJub25lIn0.eyJzaWQiOiIwIn0.", "Basic YTpi"];
    for value in strange {
        let reply = nobody.request(Method::GET, "/api/v1/session", None, &[("authorization", value)]).await;
        assert_eq!(reply.problem(), ("sign-in-required".to_owned(), 401), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/sign-in", "/nothing", "/api/v1/pairs"] {
        let reply = app.as_user("nobody").await.get(path).await;
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_ne!(reply.header("x-request-id"), "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_uses_no_more_than_its_scopes() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let nobody = app.as_user("nobody").await;
    let made = async |name: &str, scopes: serde_json::Value| {
        let new = json!({"name": name, "days": 30, "scopes": scopes});
        let made = otto.post("/api/v1/tokens", new).await.done();
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let as_token = async |bearer: &str, method: Method, path: &str, body: Option<serde_json::Value>| {
        nobody.request(method, path, body, &[("authorization", bearer)]).await
    };
    let (reads, drives) = (made("reads", json!(["read"])).await, made("drives", json!(["operator"])).await);
    let plan = "/api/v1/pairs/orders/plans";
    assert_eq!(as_token(&reads, Method::GET, "/api/v1/pairs/orders", None).await.status, 200);
    let refused = as_token(&reads, Method::POST, plan, Some(crate::runs::quick())).await;
    assert_eq!(refused.problem().0, "forbidden");
    assert_eq!(as_token(&drives, Method::POST, plan, Some(crate::runs::quick())).await.status, 201);
    // A narrow token makes itself no wide one.
    let wide =
        as_token(&reads, Method::POST, "/api/v1/tokens", Some(json!({"name": "wide", "days": 1}))).await;
    assert_eq!(wide.problem(), ("forbidden".to_owned(), 403));
    let mixed =
        otto.post("/api/v1/tokens", json!({"name": "m", "days": 1, "scopes": ["calendar", "read"]})).await;
    assert_eq!(mixed.problem().0, "invalid-request");
}
