//! Who may use what: every route of the table, tried as everybody. A new route changes the table below.

use axum::http::{Method, StatusCode};
use muster_app::{http::route::Kind, routes};
use serde_json::json;
use uuid::Uuid;

use crate::test_app::TestApp;

const WHO: [&str; 8] = ["nobody", "vera", "otto", "abel", "olga", "ada", "outis", "orla"];

/// The address of a route with things that exist.
pub(crate) fn address(path: &str, run: Uuid, plan: Uuid) -> String {
    path.replace("{pair}", "orders")
        .replace("{cluster}", "eu-west")
        .replace("{run}", &run.to_string())
        .replace("{plan}", &plan.to_string())
        .replace("{user}", "vera")
        .replace("{token}", &Uuid::nil().to_string())
        .replace("{*rest}", "none")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_its_row_says() {
    let app = TestApp::with_pair().await;
    let (plan, run) = crate::runs::requested(&app).await;
    let mut table = String::new();
    for route in routes::routes() {
        let path = address(route.path, run, plan);
        let mut marks = Vec::new();
        for who in WHO {
            // What would be done is not wanted here: an empty body stops at the handler, behind the guard.
            let body = (route.method != Method::GET && route.method != Method::DELETE).then(|| json!([]));
            if route.method == Method::DELETE {
                marks.push(if who == "nobody" { "-" } else { "?" });
                continue;
            }
            let headers =
                [("accept", if route.rule.kind == Kind::Page { "text/html" } else { "application/json" })];
            let reply = app.as_user(who).await.request(route.method.clone(), &path, body, &headers).await;
            marks.push(match reply.status {
                StatusCode::UNAUTHORIZED => "-",
                StatusCode::SEE_OTHER if reply.header("location").starts_with("/sign-in") => "-",
                StatusCode::FORBIDDEN => ".",
                status if status.is_server_error() => panic!("{route:?} as {who}: {} {}", status, reply.text),
                _ => "x",
            });
        }
        table.push_str(&format!("{:<6} {:<42} {}\n", route.method, route.path, marks.join(" ")));
    }
    insta::assert_snapshot!(table, @"");
}
