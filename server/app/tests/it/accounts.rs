//! One's own account: sessions, password, tokens; and what admins may do about those of others.

use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::{session::Reply, test_app::TestApp};

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse battery";
const HTML: [(&str, &str); 1] = [("accept", "text/html")];

/// Makes somebody with a password and a role.
async fn make(app: &TestApp, name: &str, role: &str) {
    let body = json!({"name": name, "password": PASSWORD, "grants": [{"role": role, "team": null}]});
    app.as_user("ada").await.post("/api/v1/users", body).await.done();
}

/// Signs in; the header that says so.
async fn sign_in(app: &TestApp, name: &str, password: &str) -> String {
    let nobody = app.as_user("nobody").await;
    let body = json!({"name": name, "password": password});
    let agent = [("user-agent", "muster/test")];
    let opened = nobody.request(Method::POST, "/api/v1/session", Some(body), &agent).await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    format!("Bearer {}", opened.json()["token"].as_str().unwrap())
}

async fn ask(app: &TestApp, bearer: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    let headers = [(header::AUTHORIZATION.as_str(), bearer)];
    app.as_user("nobody").await.request(method, path, body, &headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_is_refused_at_its_next_request() {
    let app = TestApp::new().await;
    make(&app, "nora", "viewer").await;
    let (mine, lost) = (sign_in(&app, "nora", PASSWORD).await, sign_in(&app, "nora", PASSWORD).await);
    let listed = ask(&app, &mine, Method::GET, "/api/v1/sessions", None).await.done();
    let sessions = listed["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| session["this"] == false).unwrap();
    assert_eq!(other["user_agent"], "muster/test");
    // What is shown of it opens nothing.
    let id = other["id"].as_str().unwrap();
    let as_id = ask(&app, &format!("Bearer {id}"), Method::GET, "/api/v1/session", None).await;
    assert_eq!(as_id.problem(), ("sign-in-required".to_owned(), 401));

    let path = format!("/api/v1/sessions/{id}");
    ask(&app, &lost, Method::GET, "/api/v1/session", None).await.done();
    assert_eq!(ask(&app, &mine, Method::DELETE, &path, None).await.status, 204);
    assert_eq!(
        ask(&app, &lost, Method::GET, "/api/v1/session", None).await.problem(),
        ("sign-in-required".to_owned(), 401)
    );
    ask(&app, &mine, Method::GET, "/api/v1/session", None).await.done();
    assert_eq!(ask(&app, &mine, Method::DELETE, &path, None).await.problem().0, "not-found");
    let entry = ("nora".to_owned(), format!("session {id}"), "done".to_owned());
    assert!(app.audited("session.revoke").await.contains(&entry));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_others_are_an_admins_matter() {
    let app = TestApp::new().await;
    make(&app, "nora", "viewer").await;
    let noras = sign_in(&app, "nora", PASSWORD).await;
    let (vera, ada) = (app.as_user("vera").await, app.as_user("ada").await);
    assert_eq!(vera.get("/api/v1/sessions?user=nora").await.problem(), ("forbidden".to_owned(), 403));
    assert_eq!(vera.delete("/api/v1/sessions?user=nora").await.problem(), ("forbidden".to_owned(), 403));
    let seen = ada.get("/api/v1/sessions?user=nora").await.done();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/v1/sessions/{}", seen["items"][0]["id"].as_str().unwrap());
    // As if there were none: whoever may not see it learns nothing.
    assert_eq!(vera.delete(&path).await.problem(), ("not-found".to_owned(), 404));
    ask(&app, &noras, Method::GET, "/api/v1/session", None).await.done();
    assert_eq!(ada.get("/api/v1/sessions?user=none").await.problem().0, "not-found");
    assert_eq!(ada.delete("/api/v1/sessions?user=nora").await.status, 204);
    assert_eq!(ask(&app, &noras, Method::GET, "/api/v1/session", None).await.status, 401);
    let entry = ("ada".to_owned(), "user nora".to_owned(), "done".to_owned());
    assert!(app.audited("session.revoke_all").await.contains(&entry));
    ada.get("/api/v1/session").await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_only_reads_ends_no_sessions() {
    let app = TestApp::new().await;
    let otto = app.as_user("otto").await;
    let made = otto.post("/api/v1/tokens", json!({"name": "reads", "days": 1, "scopes": ["read"]})).await;
    let bearer = format!("Bearer {}", made.done()["token"].as_str().unwrap());
    let seen = ask(&app, &bearer, Method::GET, "/api/v1/sessions", None).await.done();
    assert_eq!(seen["items"][0]["this"], false);
    let refused = ask(&app, &bearer, Method::DELETE, "/api/v1/sessions", None).await;
    assert_eq!(refused.problem(), ("forbidden".to_owned(), 403));
    let path = format!("/api/v1/sessions/{}", seen["items"][0]["id"].as_str().unwrap());
    assert_eq!(ask(&app, &bearer, Method::DELETE, &path, None).await.problem().0, "forbidden");
    let password = json!({"present": PASSWORD, "password": OTHER});
    let refused = ask(&app, &bearer, Method::PUT, "/api/v1/session/password", Some(password)).await;
    assert_eq!(refused.problem().0, "invalid-request");
    otto.get("/api/v1/session").await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_revokes_itself_and_no_other_unless_it_is_an_admins() {
    let app = TestApp::new().await;
    let make = async |who: &str, name: &str, scopes: &[&str]| {
        let new = json!({"name": name, "days": 1, "scopes": scopes});
        let made = app.as_user(who).await.post("/api/v1/tokens", new).await.done();
        let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        (path, format!("Bearer {}", made["token"].as_str().unwrap()))
    };
    let (pipeline, pipeline_bearer) = make("otto", "pipeline", &[]).await;
    let (reads, reads_bearer) = make("otto", "reads", &["read"]).await;
    let (_, narrow) = make("ada", "narrow", &["read"]).await;
    let (_, wide) = make("ada", "wide", &["admin"]).await;
    let revoke = async |bearer: &str, path: &str| ask(&app, bearer, Method::DELETE, path, None).await;
    for bearer in [&reads_bearer, &narrow] {
        assert_eq!(revoke(bearer, &pipeline).await.problem(), ("forbidden".to_owned(), 403));
    }
    let by_form = [("authorization", reads_bearer.as_str()), ("accept", "text/html")];
    let page = pipeline.replace("/api/v1/", "/account/") + "/revoke";
    let refused = app.as_user("nobody").await.request(Method::POST, &page, None, &by_form).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert_eq!(ask(&app, &pipeline_bearer, Method::GET, "/api/v1/session", None).await.status, 200);

    assert_eq!(revoke(&reads_bearer, &reads).await.status, 204);
    assert_eq!(revoke(&reads_bearer, &reads).await.problem().0, "sign-in-required");
    assert_eq!(revoke(&wide, &pipeline).await.status, 204);
    assert_eq!(revoke(&pipeline_bearer, &pipeline).await.problem().0, "sign-in-required");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_takes_the_present_one_and_ends_all_other_sessions() {
    let app = TestApp::new().await;
    make(&app, "nora", "viewer").await;
    let (mine, other) = (sign_in(&app, "nora", PASSWORD).await, sign_in(&app, "nora", PASSWORD).await);
    let change = async |present: &str, password: &str| {
        let body = json!({"present": present, "password": password});
        ask(&app, &mine, Method::PUT, "/api/v1/session/password", Some(body)).await
    };
    assert_eq!(change("guess guess guess", OTHER).await.problem(), ("sign-in-refused".to_owned(), 401));
    assert_eq!(change(PASSWORD, "short").await.problem(), ("invalid-request".to_owned(), 422));
    assert_eq!(change(PASSWORD, PASSWORD).await.problem().0, "invalid-request");
    ask(&app, &other, Method::GET, "/api/v1/session", None).await.done();
    assert_eq!(change(PASSWORD, OTHER).await.status, 204);
    assert_eq!(ask(&app, &other, Method::GET, "/api/v1/session", None).await.status, 401);
    ask(&app, &mine, Method::GET, "/api/v1/session", None).await.done();
    sign_in(&app, "nora", OTHER).await;
    let old = json!({"name": "nora", "password": PASSWORD});
    let old = app.as_user("nobody").await.post("/api/v1/session", old).await;
    assert_eq!(old.problem().0, "sign-in-refused");
    let outcomes: Vec<String> = app.audited("session.password").await.into_iter().map(|e| e.2).collect();
    assert_eq!(outcomes, ["refused", "refused", "refused", "done"]);
    // Who signs in elsewhere has none to change.
    let none = json!({"present": PASSWORD, "password": OTHER});
    let none = app.as_user("vera").await.put("/api/v1/session/password", none).await;
    assert_eq!(none.problem(), ("no-password".to_owned(), 409));
    assert!(app.as_browser_of("vera").await.get("/account").await.text.contains("You have no password here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_present_password_locks_out_like_signing_in() {
    let app = TestApp::new().await;
    make(&app, "nora", "viewer").await;
    let mine = sign_in(&app, "nora", PASSWORD).await;
    let body = json!({"present": "guess guess guess", "password": OTHER});
    for _ in 0..7 {
        ask(&app, &mine, Method::PUT, "/api/v1/session/password", Some(body.clone())).await;
    }
    let locked = ask(&app, &mine, Method::PUT, "/api/v1/session/password", Some(body)).await;
    assert_eq!(locked.problem(), ("locked-out".to_owned(), 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_page_does_what_the_api_does() {
    let app = TestApp::new().await;
    let otto = app.as_browser_of("otto").await;
    let lost = app.as_user("otto").await;
    let page = otto.request(Method::GET, "/account", None, &HTML).await.text;
    assert!(
        page.contains("this one") && page.contains("operator") && page.contains("an admin, here"),
        "{page}"
    );
    assert!(page.contains("href=\"/account\""), "the name leads here");
    let ended = otto.form("/account/sessions/revoke", &[]).await;
    assert_eq!(ended.header("location"), "/account?done=sessions");
    assert_eq!(lost.get("/api/v1/session").await.status, 401);

    let made = otto.form("/account/tokens", &[("name", "bot"), ("days", "7"), ("scope", "read")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.text.split("muster_").nth(1).unwrap().split('<').next().unwrap();
    let bearer = format!("Bearer muster_{token}");
    assert_eq!(ask(&app, &bearer, Method::GET, "/api/v1/session", None).await.done()["name"], "token:bot");
    let page = otto.request(Method::GET, "/account", None, &HTML).await.text;
    assert!(page.contains("bot") && !page.contains(token), "it is shown once");
    let again = otto.form("/account/tokens", &[("name", "bot"), ("days", "7"), ("scope", "read")]).await;
    assert_eq!(again.status, 409);
    let id = id_after(&page, "/account/tokens/");
    let revoked = otto.form(&format!("/account/tokens/{id}/revoke"), &[]).await;
    assert_eq!(revoked.header("location"), "/account?done=token");
    assert_eq!(ask(&app, &bearer, Method::GET, "/api/v1/session", None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_typed_differently_twice_changes_nothing() {
    let app = TestApp::new().await;
    make(&app, "nora", "viewer").await;
    let nobody = app.as_user("nobody").await;
    let form = [("name", "nora"), ("password", PASSWORD), ("next", "/")];
    let signed = nobody.form("/sign-in", &form).await;
    let cookie = signed.header("set-cookie").split(';').next().unwrap().to_owned();
    let send = async |again: &str| {
        let body =
            format!("present=correct+horse+battery&password=another+horse+battery&password_again={again}");
        let headers =
            [("cookie", cookie.as_str()), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
        let kind = Some("application/x-www-form-urlencoded");
        nobody.send(Method::POST, "/account/password", kind, body, &headers).await
    };
    let differs = send("another").await;
    assert_eq!(differs.status, 422);
    assert!(differs.text.contains("not typed the same twice"), "{}", differs.text);
    assert_eq!(send("another+horse+battery").await.header("location"), "/account?done=password");
    sign_in(&app, "nora", OTHER).await;
}

/// The id in the first address of a page that begins so and has something after it.
pub(crate) fn id_after(page: &str, begins: &str) -> String {
    let found = page.split(begins).skip(1).map(|rest| rest.split(['/', '"']).next().unwrap_or_default());
    found.filter(|id| id.len() == 36).last().unwrap_or_default().to_owned()
}
