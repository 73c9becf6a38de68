//! Every list of the API is read page by page: each item once whatever is added meanwhile, and nothing that is not one's own.

use std::collections::BTreeSet;

use muster_app::{http::openapi, routes};
use muster_domain::{
    cluster::Cluster,
    hash::sha256_hex,
    ids::{ClusterName, PairName, TeamName},
    pair::Pair,
    people::{Grant, Role},
};
use muster_store::{clusters, pairs, people, teams, teams::Team, tokens};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cli::Shell,
    lists::record_a_year,
    runs::{quick, requested},
    session::Session,
    test_app::{TestApp, id},
};

/// Lists as the table of routes has them: who reads it here, and how many items it has at least.
const LISTS: [(&str, &str, usize); 19] = [
    ("/api/v1/users", "ada", 12),
    ("/api/v1/teams", "vera", 5),
    ("/api/v1/clusters", "vera", 5),
    ("/api/v1/pairs", "vera", 4),
    ("/api/v1/tokens", "otto", 3),
    ("/api/v1/sessions", "vera", 4),
    ("/api/v1/channels", "vera", 4),
    ("/api/v1/channels/{channel}/deliveries", "vera", 3),
    ("/api/v1/schedules", "vera", 3),
    ("/api/v1/occurrences", "vera", 3),
    ("/api/v1/approvals", "abel", 2),
    ("/api/v1/runs", "vera", 3),
    ("/api/v1/runs/{run}/events", "vera", 5),
    ("/api/v1/findings", "vera", 3),
    ("/api/v1/audit", "ada", 5),
    ("/api/v1/alarms", "vera", 1),
    ("/api/v1/pairs/{pair}/alarms", "vera", 1),
    ("/api/v1/pairs/{pair}/proofs", "vera", 1),
    ("/api/v1/pairs/{pair}/readiness/changes", "vera", 3),
];

/// Those that come whole: what belongs to one run is as long as its plan.
const WHOLE: [&str; 1] = ["/api/v1/runs/{run}/steps"];

/// The address of a list.
fn address(route: &str, run: Uuid, channel: &str) -> String {
    let path = route.replace("{pair}", "orders").replace("{run}", &run.to_string());
    let query = if route.ends_with("/events") { "?format=json" } else { "" };
    format!("{}{query}", path.replace("{channel}", channel))
}

/// The address with more of a query.
fn with(path: &str, query: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{query}")
}

fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap().clone()
}

/// What an item is told from others by.
fn key(item: &Value) -> String {
    let number = &item["content"]["number"];
    let told_by = ["id", "number", "name", "team", "schedule", "due"].map(|member| &item[member]);
    json!([number, told_by]).to_string()
}

fn keys(items: &[Value]) -> Vec<String> {
    items.iter().map(key).collect()
}

/// Everything of a list in pages of two; behind the first page something is added to the list of `meanwhile`.
async fn walk(app: &TestApp, reader: &Session<'_>, path: &str, meanwhile: Option<&str>) -> Vec<Value> {
    let mut meanwhile = meanwhile;
    let mut all = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = reader.get(&with(path, &query)).await.done();
        let found = items(&page);
        assert!(found.len() <= 2, "{path}: {}", found.len());
        all.extend(found);
        if let Some(route) = meanwhile.take() {
            for name in ["a-before-all", "zz-behind-all"] {
                add(app, route, name).await;
            }
        }
        match page["next"].as_str() {
            Some(next) => query = format!("limit=2&after={next}"),
            None => return all,
        }
    }
}

/// Adds something of this name to a list, where that is simply done.
async fn add(app: &TestApp, route: &str, name: &str) {
    match route {
        "/api/v1/sessions" => {
            app.token_of("vera").await;
        }
        "/api/v1/channels" => add_channel(app, name, app.team.as_str()).await,
        "/api/v1/schedules" => {
            let cadence = json!({"every": "cron", "expression": "0 9 1 1 *"});
            let olga = app.as_user("olga").await;
            olga.post("/api/v1/schedules", json!({"pair": "orders", "cadence": cadence})).await.done();
        }
        "/api/v1/findings" => {
            let finding = json!({"pair": "orders", "text": name, "severity": "low"});
            app.as_user("otto").await.post("/api/v1/findings", finding).await.done();
        }
        _ => keep(app, route, name).await,
    }
}

/// The same, straight into the database.
async fn keep(app: &TestApp, route: &str, name: &str) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    match route {
        "/api/v1/users" => {
            people::insert(&mut conn, id(name), name, name, None, &[]).await.unwrap();
        }
        "/api/v1/teams" => {
            let team = Team { name: TeamName::new(name).unwrap(), description: String::new() };
            assert!(teams::insert(&mut conn, &team).await.unwrap(), "{name}");
        }
        "/api/v1/clusters" => {
            let name = ClusterName::new(name).unwrap();
            let cluster = Cluster { name, expected_cluster_id: None, ..app.small.clusters.a.clone() };
            clusters::insert(&mut conn, &cluster).await.unwrap();
        }
        "/api/v1/pairs" => {
            let pair = Pair { name: PairName::new(name).unwrap(), ..app.small.pair.clone() };
            pairs::insert(&mut conn, &pair).await.unwrap();
        }
        "/api/v1/tokens" => {
            let hash = sha256_hex(name.as_bytes());
            tokens::insert(&mut conn, Uuid::now_v7(), name, id("otto"), &hash, &[], 3600.0).await.unwrap();
        }
        _ => {}
    }
}

async fn add_channel(app: &TestApp, name: &str, team: &str) {
    let sql = "insert into channel (id, team, name, kind, events, host) values ($1, $2, $3, 'slack', '{ended}', 'a')";
    let made = sqlx::query(sql).bind(Uuid::now_v7()).bind(team).bind(name);
    made.execute(&app.app.pool).await.unwrap();
}

/// Something in every list; answers a run with events and a channel with deliveries.
async fn fill(app: &TestApp) -> (Uuid, String) {
    requested(app).await;
    requested(app).await;
    let (_, run) = requested(app).await;
    let decide = async |who: &str, verb: &str, body: Value| {
        app.as_user(who).await.post(&format!("/api/v1/runs/{run}/{verb}"), body).await.done()
    };
    decide("abel", "approve", json!({"comment": "go"})).await;
    decide("otto", "start", json!({})).await;
    app.engine.run_pending().await.unwrap();
    let olga = app.as_user("olga").await;
    let channel = json!({"team": app.team, "name": "room", "kind": "email", "events": ["ended"], "recipients": ["a@b.example"]});
    let channel = olga.post("/api/v1/channels", channel).await.done()["id"].as_str().unwrap().to_owned();
    for number in 0..3 {
        assert_eq!(olga.post(&format!("/api/v1/channels/{channel}/test"), json!({})).await.status, 202);
        for (route, ..) in LISTS {
            add(app, route, &format!("m{number}")).await;
        }
    }
    record_a_year(app).await;
    crate::alarms::alarm(app).await;
    crate::proofs::proof(app).await;
    (run, channel)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_each_item_once_whatever_is_added_meanwhile() {
    let app = TestApp::with_pair().await;
    let (run, channel) = fill(&app).await;
    for (route, who, least) in LISTS {
        let path = address(route, run, &channel);
        let reader = app.as_user(who).await;
        let page = reader.get(&with(&path, "limit=200")).await.done();
        let whole = keys(&items(&page));
        assert!(whole.len() >= least && page.get("next").is_none(), "{path}: {page:#}");
        let unasked = keys(&items(&reader.get(&path).await.done()));
        assert_eq!(
            unasked,
            whole[..whole.len().min(unasked.len().max(50))],
            "{path}: nobody asked for pages"
        );
        assert_eq!(keys(&walk(&app, &reader, &path, None).await), whole, "{path}");

        let mut meanwhile = keys(&walk(&app, &reader, &path, Some(route)).await);
        let once: BTreeSet<&String> = meanwhile.iter().collect();
        assert_eq!(once.len(), meanwhile.len(), "{path}: {meanwhile:?}");
        meanwhile.retain(|key| whole.contains(key));
        assert_eq!(meanwhile, whole, "{path}, while something was added");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_garbled_or_of_another_list_is_refused() {
    let app = TestApp::with_pair().await;
    let (run, channel) = fill(&app).await;
    for (route, who, _) in LISTS {
        let path = address(route, run, &channel);
        let reader = app.as_user(who).await;
        let another = if route == "/api/v1/pairs" { "team~orders" } else { "pair~orders" };
        for cursor in
            [another, "yesterday", "%00", "team~", "pair~a~b", "pair~%00", "session~1~2", "token~-1~2"]
        {
            let refused = reader.get(&with(&path, &format!("after={cursor}"))).await.problem();
            let told = [("invalid-request".to_owned(), 422), ("unreadable-request".to_owned(), 400)];
            assert!(told.contains(&refused), "{path} {cursor}: {refused:?}");
        }
    }
}

#[test]
fn no_list_is_left_out() {
    let document = openapi::document(&routes::routes());
    let mut known: Vec<&str> = LISTS.iter().map(|(route, ..)| *route).chain(WHOLE).collect();
    known.sort_unstable();
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let list = &methods["get"];
        let answer = &list["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        if !answer.as_str().is_some_and(|schema| schema.ends_with("List")) {
            continue;
        }
        described.push(path.as_str());
        let parameters: Vec<&str> = list["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["name"].as_str())
            .collect();
        let paged = ["after", "limit"].iter().all(|name| parameters.contains(name));
        assert_eq!(paged, !WHOLE.contains(&path.as_str()), "{path}: {parameters:?}");
    }
    described.sort_unstable();
    assert_eq!(described, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_more_than_their_own_by_reading_on() {
    let app = TestApp::with_pair().await;
    let elsewhere = TeamName::new("elsewhere").unwrap();
    for number in 0..6 {
        let team = if number % 2 == 0 { &app.team } else { &elsewhere };
        let name = PairName::new(format!("p{number}")).unwrap();
        let pair = Pair { name, team: team.clone(), ..app.small.pair.clone() };
        let mut conn = app.app.pool.acquire().await.unwrap();
        pairs::insert(&mut conn, &pair).await.unwrap();
        let owner = if number % 2 == 0 { "otto" } else { "mira" };
        let (token, hash) = (format!("{owner}-{number}"), sha256_hex(&[number]));
        tokens::insert(&mut conn, Uuid::now_v7(), &token, id(owner), &hash, &[], 3600.0).await.unwrap();
        drop(conn);
        add_channel(&app, &format!("c{number}"), team.as_str()).await;
    }
    let names = |found: Vec<Value>| -> Vec<String> {
        found.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    for (who, at_pairs, at_channels) in [
        ("vera", vec!["orders", "p0", "p2", "p4"], vec!["c0", "c2", "c4"]),
        ("orla", vec!["p1", "p3", "p5"], vec!["c1", "c3", "c5"]),
        ("ada", vec!["orders", "p0", "p1", "p2", "p3", "p4", "p5"], vec!["c0", "c2", "c4", "c1", "c3", "c5"]),
    ] {
        let reader = app.as_user(who).await;
        assert_eq!(names(walk(&app, &reader, "/api/v1/pairs", None).await), at_pairs, "{who}");
        assert_eq!(names(walk(&app, &reader, "/api/v1/channels", None).await), at_channels, "{who}");
    }
    for (who, tokens) in [
        ("otto", vec!["otto-4", "otto-2", "otto-0"]),
        ("mira", vec!["mira-5", "mira-3", "mira-1"]),
        ("ada", vec!["mira-5", "otto-4", "mira-3", "otto-2", "mira-1", "otto-0"]),
    ] {
        let reader = app.as_user(who).await;
        assert_eq!(names(walk(&app, &reader, "/api/v1/tokens", None).await), tokens, "{who}");
    }
    // The cursor of somebody who sees everything opens nothing to somebody who does not.
    let of_all = app.as_user("ada").await.get("/api/v1/pairs?limit=3").await.done();
    let next = of_all["next"].as_str().unwrap();
    let rest = app.as_user("orla").await.get(&format!("/api/v1/pairs?after={next}")).await.done();
    assert_eq!(names(items(&rest)), ["p3", "p5"]);
    let sessions = app.as_user("otto").await.get("/api/v1/sessions?user=vera&limit=2").await;
    assert_eq!(sessions.problem(), ("forbidden".to_owned(), 403));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_decision_is_found_behind_what_does_not() {
    let app = TestApp::with_pair().await;
    let roles = [Role::Operator, Role::Approver].map(|role| Grant { role, team: Some(app.team.clone()) });
    let mut conn = app.app.pool.acquire().await.unwrap();
    people::insert(&mut conn, id("both"), "both", "both", None, &roles).await.unwrap();
    drop(conn);
    let mut by_otto = Vec::new();
    for who in ["otto", "both", "both", "otto", "both", "otto"] {
        let asking = app.as_user(who).await;
        let plan = asking.post("/api/v1/pairs/orders/plans", quick()).await.done();
        let asked = json!({"plan": plan["id"], "reason": "brokers are slow"});
        let run = asking.post("/api/v1/runs", asked).await.done();
        if who == "otto" {
            by_otto.insert(0, run["number"].clone());
        }
    }
    let numbers =
        |found: Vec<Value>| -> Vec<Value> { found.into_iter().map(|run| run["number"].clone()).collect() };
    let both = app.as_user("both").await;
    assert_eq!(
        numbers(walk(&app, &both, "/api/v1/approvals", None).await),
        by_otto,
        "nobody decides on their own"
    );
    let first = both.get("/api/v1/approvals?limit=1").await.done();
    let (newest, next) = (numbers(items(&first)), first["next"].as_str().unwrap());
    assert_eq!(newest, by_otto[..1]);
    requested(&app).await;
    let rest = both.get(&format!("/api/v1/approvals?after={next}")).await.done();
    assert_eq!(numbers(items(&rest)), by_otto[1..], "while another one came");
    let abel = app.as_user("abel").await;
    assert_eq!(walk(&app, &abel, "/api/v1/approvals", None).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_from_one_part_of_a_long_list_to_the_next() {
    let app = TestApp::with_pair().await;
    let more = regex::Regex::new(r#"href="([^"]+)">More "#).unwrap();
    let back = regex::Regex::new(r#"href="[^"]+">First "#).unwrap();
    for (page, route, who) in [
        ("/people", "/api/v1/users", "ada"),
        ("/teams", "/api/v1/teams", "ada"),
        ("/clusters", "/api/v1/clusters", "vera"),
        ("/notifications", "/api/v1/channels", "vera"),
        ("/account", "/api/v1/tokens", "otto"),
    ] {
        let names: Vec<String> = (0..60).map(|number| format!("n{number:02}-long")).collect();
        for name in &names {
            add(&app, route, name).await;
        }
        let reader = app.as_browser_of(who).await;
        let first = reader.get(page).await.text;
        assert!(!back.is_match(&first), "{page}");
        let link = more.captures(&first).unwrap_or_else(|| panic!("{page}: {first}"))[1].to_owned();
        let second = reader.get(link.split('#').next().unwrap()).await.text;
        assert!(back.is_match(&second) && !more.is_match(&second), "{link}: {second}");
        for name in &names {
            assert!(first.contains(name) != second.contains(name), "{page}: {name} is on one of both");
        }
        // What is no cursor leads to the beginning.
        let lost = reader.get(&format!("{page}?after=yesterday&tokens=yesterday")).await.text;
        assert!(more.is_match(&lost) && !back.is_match(&lost), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reads_a_list_to_its_end_or_as_far_as_is_said() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    for number in 0..205 {
        add(&app, "/api/v1/teams", &format!("n{number:03}")).await;
    }
    for text in ["one", "two", "three"] {
        add(&app, "/api/v1/findings", text).await;
    }
    let shell = Shell::of(&app, &url, "vera").await;
    let teams: Value = serde_json::from_str(&shell.muster("teams list --json").await.done()).unwrap();
    assert_eq!((items(&teams).len(), teams.get("next")), (207, None));
    let some = shell.muster("findings list --limit 2 --json").await.done();
    let some: Value = serde_json::from_str(&some).unwrap();
    assert_eq!((items(&some).len(), some["next"].is_string()), (2, true));
}
