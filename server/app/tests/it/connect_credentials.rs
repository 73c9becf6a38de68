//! What Muster signs in with at Connect: entered by somebody who is there, sealed, sent to the address it was entered for and nowhere
//! else, never shown, removed again.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    extract::Request,
    http::{Method, StatusCode, header},
    response::IntoResponse as _,
};
use chrono::Utc;
use muster_app::process::client_source::StoredClients;
use muster_domain::{
    ids::PairName,
    pair::{Direction, Side},
    survey::FlowObservation,
};
use muster_operations::ClientSource as _;
use muster_routing::RoutingOptions;
use serde_json::{Value, json};

use crate::{
    entering_secrets::{PASSWORD, late},
    payload::edited,
    people_pages::read,
    session::{Session, steady},
    test_app::TestApp,
};

const API: &str = "/api/v1/pairs/orders/connect";
const WEST: &str = "/api/v1/pairs/orders/connect/eu-west";
const ADDRESS: &str = "http://connect.eu-central.example:8083";
/// Part of every secret entered here.
const SECRET: &str = "topsecret";

fn by_user(password: &str) -> Value {
    json!({"username": "robot", "password": password})
}

fn kept(scheme: &str, username: Option<&str>, address: &str, sent: bool) -> Value {
    json!({"scheme": scheme, "username": username, "address": address, "sent": sent, "entered_at": "[entered_at]"})
}

fn from_west(connect_url: &str, kept: Value) -> Value {
    json!({"from": "eu-west", "to": "eu-central", "connect_url": connect_url, "kept": kept})
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_entered_changed_and_removed_and_is_no_edit_of_the_pair() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let pair = olga.get("/api/v1/pairs/orders").await.done();
    let from_central = json!({"from": "eu-central", "to": "eu-west",
        "connect_url": "http://connect.eu-west.example:8083", "kept": null});
    let all = |west: Value| json!({"pair": "orders", "items": [west, from_central.clone()]});
    assert_eq!(olga.get(API).await.done(), all(from_west(ADDRESS, Value::Null)));

    let user = from_west(ADDRESS, kept("basic", Some("robot"), ADDRESS, true));
    assert_eq!(steady(&olga.put(WEST, by_user("topsecret-1")).await.done()), user);
    assert_eq!(steady(&app.as_user("vera").await.get(API).await.done()), all(user.clone()));
    // What is left out or empty stays, and nothing was entered then.
    for nothing in [json!({}), json!({"username": "robot", "password": "", "token": null})] {
        assert_eq!(steady(&olga.put(WEST, nothing).await.done()), user);
    }
    assert_eq!(app.audited("connect.enter").await.len(), 1);
    assert_eq!(steady(&olga.put(WEST, json!({"password": "topsecret-2"})).await.done()), user);
    let token = from_west(ADDRESS, kept("bearer", None, ADDRESS, true));
    assert_eq!(steady(&olga.put(WEST, json!({"token": "eyJtopsecret"})).await.done()), token);
    for wrong in [
        json!({"username": "robot"}),
        json!({"password": "topsecret"}),
        json!({"username": "robot", "password": "topsecret", "token": "topsecret"}),
        json!({"username": "ro:bot", "password": "topsecret"}),
        json!({"username": "robot", "password": "top\u{0}secret"}),
        json!({"token": "top secret"}),
        json!({"token": "topsecret", "surprise": 1}),
    ] {
        let refused = olga.put(WEST, wrong.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{wrong}");
        assert!(!refused.text.contains(SECRET) && !refused.text.contains("top secret"), "{}", refused.text);
    }
    assert_eq!(steady(&olga.get(API).await.done()), all(token));
    for nowhere in ["/api/v1/pairs/orders/connect/us-east", "/api/v1/pairs/none/connect/eu-west"] {
        assert_eq!(olga.put(nowhere, by_user("topsecret")).await.problem().0, "not-found", "{nowhere}");
    }

    assert_eq!(olga.delete(WEST).await.status, 204);
    assert_eq!(olga.get(API).await.done(), all(from_west(ADDRESS, Value::Null)));
    assert_eq!(olga.delete(WEST).await.problem(), ("not-found".to_owned(), 404));
    assert_eq!(olga.get("/api/v1/pairs/orders").await.done(), pair, "plans and approvals stand");
    for (action, done) in [("connect.enter", 3), ("connect.remove", 1)] {
        let entries = app.audited(action).await;
        let done_by_olga = ("olga".to_owned(), "pair orders".to_owned(), "done".to_owned());
        assert_eq!(entries.iter().filter(|entry| **entry == done_by_olga).count(), done, "{entries:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_token_comes_out_again_anywhere() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    olga.put(WEST, by_user("topsecret-1")).await.done();
    olga.put("/api/v1/pairs/orders/connect/eu-central", json!({"token": "eyJtopsecret"})).await.done();
    app.observe("orders").await;
    let (ada, browser) = (app.as_user("ada").await, app.as_browser_of("olga").await);
    let mut texts = Vec::new();
    for path in [
        API,
        "/api/v1/pairs",
        "/api/v1/pairs/orders",
        "/api/v1/pairs/orders/survey",
        "/api/v1/audit",
        "/api/v1/audit/export",
    ] {
        texts.push(ada.get(path).await.text);
    }
    for path in [
        "/pairs/orders",
        "/pairs/orders/edit",
        "/pairs/orders/connect",
        "/pairs/orders/connect/eu-west/remove",
    ] {
        texts.push(read(&browser, path).await);
    }
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select sealed from connect_secret").fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(stored.len(), 2);
    texts.extend(stored.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
    for text in texts {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_entered_by_somebody_who_is_there() {
    let app = TestApp::with_pair().await;
    let (browser, program) = late(&app).await;
    let refused = program.put(WEST, by_user("topsecret")).await;
    assert_eq!(refused.problem(), ("reauthentication-needed".to_owned(), 403));
    let page = "/pairs/orders/connect";
    let html = [("accept", "text/html")];
    let sent = browser.request(Method::GET, page, None, &html).await;
    assert_eq!(sent.header("location"), format!("/reauthenticate?next={page}"), "{}", sent.text);
    let typed = [("a_to_b_username", "robot"), ("a_to_b_password", "topsecret")];
    assert_eq!(browser.form(page, &typed).await.header("location"), "/reauthenticate");
    let refusals = app.audited("connect.enter").await;
    assert!(refusals.len() == 2 && refusals.iter().all(|entry| entry.2 == "refused"), "{refusals:?}");
    assert!(program.get(API).await.done()["items"][0]["kept"].is_null());

    let again = program.post("/api/v1/session/reauthenticate", json!({"password": PASSWORD})).await;
    assert_eq!(again.status, 204, "{}", again.text);
    program.put(WEST, by_user("topsecret")).await.done();
    // An API token has shown it when it was made.
    let made = app.as_user("olga").await.post("/api/v1/tokens", json!({"name": "robot", "days": 1})).await;
    let bearer = format!("Bearer {}", made.done()["token"].as_str().unwrap());
    let robot = Session::new(&app, Some((header::AUTHORIZATION.as_str(), bearer)));
    robot.put(WEST, by_user("topsecret-2")).await.done();
    for who in ["otto", "abel", "vera", "ada", "outis", "orla"] {
        let refused = app.as_user(who).await.put(WEST, by_user("topsecret")).await;
        assert_eq!(refused.problem(), ("forbidden".to_owned(), 403), "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_enters_what_is_filled_in_keeps_what_is_empty_and_removes_on_a_page_of_its_own() {
    let app = TestApp::with_pair().await;
    let olga = app.as_browser_of("olga").await;
    let link = "href=\"/pairs/orders/connect\">Sign in at Connect</a>";
    assert!(read(&olga, "/pairs/orders").await.contains(link));
    assert!(!read(&app.as_browser_of("vera").await, "/pairs/orders").await.contains(link), "she may not");
    let page = "/pairs/orders/connect";
    let before = read(&olga, page).await;
    assert!(before.contains(&format!("Connect at {ADDRESS}: it is asked without signing in.")), "{before}");
    assert!(!before.contains("Remove what is kept"), "{before}");

    let half = [("a_to_b_username", "robot"), ("b_to_a_token", "eyJtopsecret")];
    let refused = olga.form(page, &half).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("A user name needs its password: enter both."), "{}", refused.text);
    assert!(refused.text.contains("value=\"robot\"") && !refused.text.contains(SECRET), "{}", refused.text);
    let program = app.as_user("olga").await;
    let kept_by = async || -> Vec<Value> {
        let reply = program.get(API).await.done();
        reply["items"].as_array().unwrap().iter().map(|item| steady(&item["kept"])).collect()
    };
    assert_eq!(kept_by().await, [Value::Null, Value::Null], "both or nothing");

    let typed =
        [("a_to_b_username", " robot "), ("a_to_b_password", "topsecret"), ("b_to_a_token", "eyJtopsecret")];
    assert_eq!(olga.form(page, &typed).await.header("location"), "/pairs/orders");
    let user = kept("basic", Some("robot"), ADDRESS, true);
    let token = kept("bearer", None, "http://connect.eu-west.example:8083", true);
    assert_eq!(kept_by().await, [user.clone(), token.clone()]);
    let shown = read(&olga, page).await;
    assert!(shown.contains("Muster signs in as robot, with a password, entered "), "{shown}");
    assert!(shown.contains("name=\"a_to_b_username\" type=\"text\" value=\"robot\""), "{shown}");
    // The form as it is shown.
    let empty = [
        ("a_to_b_username", "robot"),
        ("a_to_b_password", ""),
        ("a_to_b_token", ""),
        ("b_to_a_username", ""),
        ("b_to_a_password", ""),
        ("b_to_a_token", ""),
    ];
    assert_eq!(olga.form(page, &empty).await.header("location"), "/pairs/orders");
    assert_eq!(app.audited("connect.enter").await.iter().filter(|entry| entry.2 == "done").count(), 2);

    let removal = "/pairs/orders/connect/eu-west/remove";
    assert!(shown.contains(&format!("href=\"{removal}\"")), "{shown}");
    let said = read(&olga, removal).await;
    for words in
        ["Remove what opens Connect for eu-west → eu-central</button>", "as robot, with a password", ADDRESS]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(kept_by().await, [user, token.clone()], "looking removes nothing");
    assert_eq!(olga.form(removal, &[]).await.header("location"), "/pairs/orders");
    assert_eq!(kept_by().await, [Value::Null, token]);
    let none = read(&olga, removal).await;
    assert!(none.contains("Nothing is kept for eu-west → eu-central."), "{none}");
    assert!(!none.contains("class=\"btn danger\""), "{none}");
    assert_eq!(olga.form(removal, &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_ran_out_is_mended_while_a_run_holds_the_pair() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    let olga = app.as_user("olga").await;
    let edit = olga.patch("/api/v1/pairs/orders", json!({"topics": [".*"]})).await;
    assert_eq!(edit.problem(), ("pair-has-active-run".to_owned(), 409));
    olga.put(WEST, by_user("topsecret")).await.done();
    assert_eq!(olga.delete(WEST).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_detached_forgets_it() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    olga.put(WEST, by_user("topsecret")).await.done();
    let pair = olga.get("/api/v1/pairs/orders").await.done();
    // Other edits leave it.
    olga.patch("/api/v1/pairs/orders", json!({"flows": pair["flows"]})).await.done();
    assert_eq!(olga.get(API).await.done()["items"][0]["kept"]["username"], "robot");

    let present = olga.get("/api/v1/pairs/orders").await.done();
    let mut fields = edited(&present);
    fields.retain(|(name, _)| *name != "show_payload");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The form of the pair without its connectors.
    let saved = app.as_browser_of("olga").await.form("/pairs/orders/edit", &fields).await;
    assert_eq!(saved.header("location"), "/pairs/orders", "{}", saved.text);
    let left: i64 =
        sqlx::query_scalar("select count(*) from connect_secret").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(left, 0);
    let refused = olga.put(WEST, by_user("topsecret")).await;
    assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422));
    assert!(refused.text.contains("has no Connect address"), "{}", refused.text);
    let audit = app.as_user("ada").await.get("/api/v1/audit?action=pair.change").await.done();
    let detail = &audit["items"][0]["content"]["detail"];
    assert_eq!(detail["connect_sign_in_removed"], json!(["eu-west"]), "{detail:#}");
}

/// A Connect worker that asks who one is.
#[derive(Clone, Default)]
struct Asking {
    /// What it takes.
    takes: Arc<Mutex<String>>,
    /// What it was given.
    given: Arc<Mutex<Vec<Option<String>>>>,
}

impl Asking {
    /// Its address.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = self.clone();
        let router = Router::new().fallback(move |request: Request| async move { this.answer(&request) });
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn answer(&self, request: &Request) -> axum::response::Response {
        let given =
            request.headers().get(header::AUTHORIZATION).map(|given| given.to_str().unwrap().to_owned());
        let taken =
            given.as_deref() == Some(self.takes.lock().unwrap_or_else(PoisonError::into_inner).as_str());
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(given);
        match (taken, request.uri().path()) {
            (false, _) => (StatusCode::UNAUTHORIZED, "User cannot access the resource.").into_response(),
            (true, "/") => Json(json!({"version": "4.3.1", "kafka_cluster_id": "id"})).into_response(),
            (true, _) => (StatusCode::NOT_FOUND, Json(json!({"message": "not found"}))).into_response(),
        }
    }

    fn take(&self, header: &str) {
        header.clone_into(&mut self.takes.lock().unwrap());
    }

    fn given(&self) -> Vec<Option<String>> {
        self.given.lock().unwrap().clone()
    }
}

/// What a process sees of the flow from the west.
async fn seen(process: &StoredClients) -> FlowObservation {
    let clients = process.pair_clients(&PairName::new("orders").unwrap()).await.unwrap();
    clients.flow(Direction { from: Side::A }).unwrap().observe(Utc::now()).await
}

fn attach(url: &str) -> Value {
    json!({"attach": [{"from": "eu-west", "connect_url": url, "source_connector": "west-to-central"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_signs_in_with_what_was_entered_last_and_only_where_it_was_entered_for() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let (connect, another) = (Asking::default(), Asking::default());
    let (url, elsewhere) = (connect.start().await, another.start().await);
    olga.patch("/api/v1/pairs/orders", attach(&url)).await.done();
    let key = Arc::clone(&app.app.secrets_key);
    let process = StoredClients::new(app.app.pool.clone(), key, RoutingOptions::default()).keeping_nothing();

    // base64 of `robot:topsecret-1` and of `robot:topsecret-2`
    connect.take("Basic cm9ib3Q6dG9wc2VjcmV0LTE=");
    let nothing = seen(&process).await;
    let said = nothing.worker.as_result().unwrap_err();
    assert!(
        said.contains("Connect answered 401 and did nothing: it asks for a user and a password"),
        "{said}"
    );
    olga.put(WEST, by_user("topsecret-1")).await.done();
    let known = seen(&process).await;
    assert_eq!(known.worker.value().map(|worker| worker.version.as_str()), Some("4.3.1"), "{known:?}");

    // Another password there: a survey says so, and so do those after it, without trying it again.
    connect.take("Basic cm9ib3Q6dG9wc2VjcmV0LTI=");
    for _ in 0..3 {
        let refused = seen(&process).await;
        let said = refused.worker.as_result().unwrap_err();
        assert!(said.contains("it does not take the user `robot` with the password that is kept"), "{said}");
        assert!(!format!("{refused:?}").contains(SECRET), "{refused:?}");
    }
    let tried = connect.given().len();
    assert!(seen(&process).await.worker.as_result().is_err());
    assert_eq!(connect.given().len(), tried, "a user is not locked out");
    olga.put(WEST, json!({"password": "topsecret-2"})).await.done();
    assert!(seen(&process).await.worker.value().is_some(), "what is entered is used by the next survey");
    olga.put(WEST, json!({"token": "eyJtopsecret"})).await.done();
    connect.take("Bearer eyJtopsecret");
    assert!(seen(&process).await.worker.value().is_some());

    // Whoever edits the pair cannot have it sent to themselves.
    another.take("Bearer eyJtopsecret");
    olga.patch("/api/v1/pairs/orders", attach(&elsewhere)).await.done();
    let moved = seen(&process).await;
    let said = moved.worker.as_result().unwrap_err();
    assert!(said.contains(&format!("was entered for {url} and is sent nowhere else")), "{said}");
    let given = another.given();
    assert!(!given.is_empty() && given.iter().all(Option::is_none), "{given:?}");
    let shown = olga.get(API).await.done();
    assert_eq!(steady(&shown["items"][0]), from_west(&elsewhere, kept("bearer", None, &url, false)));
    let page = read(&app.as_browser_of("olga").await, "/pairs/orders/connect").await;
    assert!(page.contains("it is asked without signing in. What is kept was entered "), "{page}");
    // Entered anew it is for the new address; back at the old one nothing is sent.
    olga.put(WEST, json!({"token": "eyJtopsecret"})).await.done();
    assert!(seen(&process).await.worker.value().is_some());
    let (before, _) = (connect.given().len(), olga.patch("/api/v1/pairs/orders", attach(&url)).await.done());
    assert!(seen(&process).await.worker.as_result().is_err());
    assert!(connect.given()[before..].iter().all(Option::is_none));
}
