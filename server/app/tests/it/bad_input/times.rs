//! Times at the ends of what can be written down: refused or answered, whoever takes them.

use axum::http::{Method, StatusCode};
use muster_app::{
    http::{openapi, route::Kind},
    routes,
};
use serde_json::json;
use uuid::Uuid;

use crate::{auth_coverage::address, test_app::TestApp};

/// What no calendar has; the first and the last are what the program itself can hold.
const BEYOND: [&str; 4] = [
    "-262143-01-01T00:00:00Z",
    "0000-12-31T23:59:59Z",
    "%2B10000-01-01T00:00:00Z",
    "%2B262142-12-31T23:59:59Z",
];
/// The first and the last that are taken.
const ENDS: [&str; 2] = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"];

/// Every parameter of a GET that is a time, by what the document says of it: its path and its name.
fn parameters() -> Vec<(String, String)> {
    let document = openapi::document(&routes::routes());
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" && parameter["schema"].to_string().contains("date-time") {
                let name = parameter["name"].as_str().unwrap().to_owned();
                found.push((address(path, Uuid::nil(), Uuid::nil()), name));
            }
        }
    }
    found
}

/// An app that was looked at, and somebody who may read everything of it.
async fn read_by_ada() -> TestApp {
    let app = TestApp::with_pair().await;
    app.observe("orders").await;
    let grants = ["admin", "operator", "approver", "owner"].map(|role| json!({"role": role, "team": null}));
    app.as_user("ada").await.patch("/api/v1/users/ada", json!({"grants": grants})).await.done();
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn every_time_of_the_api_is_taken_within_the_calendar_and_refused_beyond_it() {
    let app = read_by_ada().await;
    let ada = app.as_user("ada").await;
    let parameters = parameters();
    assert_eq!(parameters.len(), 13, "{parameters:?}");
    for (path, name) in &parameters {
        let group = if path.ends_with("/positions") { "group=settlement&" } else { "" };
        for at in BEYOND {
            let asked = format!("{path}?{group}{name}={at}");
            assert_eq!(ada.get(&asked).await.status, StatusCode::BAD_REQUEST, "{asked}");
        }
        for at in ENDS {
            let asked = format!("{path}?{group}{name}={at}");
            let reply = ada.get(&asked).await;
            assert!(!reply.status.is_server_error(), "{asked}: {}", reply.status);
            assert_ne!(reply.status, StatusCode::BAD_REQUEST, "{asked}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_breaks_on_a_time_or_a_day() {
    let app = read_by_ada().await;
    let ada = app.as_browser_of("ada").await;
    let days = ["-262143-01-01", "%2B262142-12-31", "0001-01-01", "9999-12-31"];
    for route in routes::routes() {
        let endless = route.path.ends_with("/events");
        let path = address(route.path, Uuid::nil(), Uuid::nil());
        if route.rule.kind != Kind::Page || route.method != Method::GET || endless || path.contains('{') {
            continue;
        }
        for at in BEYOND.into_iter().chain(ENDS).chain(days) {
            let asked = format!("{path}?since={at}&until={at}&from={at}&to={at}&at={at}");
            let reply = ada.request(Method::GET, &asked, None, &[("accept", "text/html")]).await;
            assert!(!reply.status.is_server_error(), "{asked}: {}", reply.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_due_on_a_day_that_comes() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    for due in ["-262143-01-01", "0000-01-01", "+262142-12-31"] {
        let new = json!({"pair": "orders", "text": "slow", "severity": "low", "due": due});
        let refused = otto.post("/api/v1/findings", new).await.problem();
        assert_eq!(refused, ("invalid-request".to_owned(), 422), "{due}");
    }
}
