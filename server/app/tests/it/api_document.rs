//! The switchover of docs/API.md, request by request: each is taken, and nothing blocks the plan.

use axum::http::Method;
use regex::Regex;
use serde_json::{Value, json};

use crate::test_app::TestApp;

const API: &str = include_str!("../../../../docs/API.md");

/// What the document says of it, with the names of this world.
fn section() -> String {
    let (_, section) = API.split_once("\n## A switchover\n").unwrap();
    let (section, _) = section.split_once("\nWhere nobody can approve").unwrap();
    section
        .replace("west", "eu-west")
        .replace("central", "eu-central")
        .replace("team=core", "team=core-platform")
}

/// The file that is imported: what is indented before the first request.
fn file(section: &str) -> String {
    let (before, _) = section.split_once("\n    POST ").unwrap();
    before.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect()
}

/// A request as it is written there.
struct Written {
    method: Method,
    path: String,
    /// Body and remarks.
    rest: String,
}

fn requests(section: &str) -> Vec<Written> {
    let begins = Regex::new(r"^    (GET|POST|PUT|PATCH) +(/\S+)(.*)$").unwrap();
    let mut found: Vec<Written> = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("    ")) {
        if let Some(parts) = begins.captures(line) {
            let (method, path) = (parts[1].parse().unwrap(), parts[2].to_owned());
            found.push(Written { method, path, rest: parts[3].to_owned() });
        } else if let Some(written) = found.last_mut() {
            written.rest.push_str(line);
        }
    }
    found
}

impl Written {
    fn body(&self, plan: &str) -> Option<Value> {
        let rest = self.rest.trim_start().replace("{plan}", plan);
        let mut values = serde_json::Deserializer::from_str(&rest).into_iter::<Value>();
        rest.starts_with('{').then(|| values.next().unwrap().unwrap())
    }

    /// Who it is for, as the document has it.
    fn who(&self) -> &'static str {
        let path = self.path.as_str();
        if path.starts_with("/api/v1/clusters/") || path.contains("/import?") {
            "ada"
        } else if path.ends_with("/approve") || path == "/api/v1/approvals" {
            "abel"
        } else if [Method::PATCH, Method::PUT].contains(&self.method) {
            "olga"
        } else {
            "otto"
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switchover_of_the_document_goes_through() {
    let app = TestApp::new().await;
    let section = section();
    let (mut plan, mut run) = (String::new(), String::new());
    for written in requests(&section) {
        let path = written.path.replace("{plan}", &plan).replace("{run}", &run);
        if path.ends_with("/readiness") {
            app.observe("orders").await;
            app.observe("orders").await;
        }
        let person = app.as_user(written.who()).await;
        let answer = if path.contains("/import?") {
            person.send(Method::POST, &path, Some("text/plain"), file(&section), &[]).await
        } else {
            let json = [("accept", "application/json")];
            person.request(written.method.clone(), &path, written.body(&plan), &json).await
        };
        let (method, status) = (&written.method, answer.status);
        assert!(status.is_success(), "{method} {path}: {status} {}", answer.text);
        match path.as_str() {
            "/api/v1/pairs/orders/plans" => {
                let made = answer.json();
                assert_eq!(made["blockers"], json!([]), "{made:#}");
                plan = made["id"].as_str().unwrap().to_owned();
            }
            "/api/v1/runs" => run = answer.json()["id"].as_str().unwrap().to_owned(),
            _ if path.ends_with("/start") || path.ends_with("/confirm") => {
                app.engine.run_pending().await.unwrap();
            }
            _ => {}
        }
    }
    let ended = app.as_user("otto").await.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
}
