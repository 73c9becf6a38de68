//! Every list of the API is read page by page: each item once whatever is added meanwhile.

mod readers;

use std::collections::BTreeSet;

use muster_app::{http::openapi, routes};
use muster_domain::{
    cluster::Cluster,
    hash::sha256_hex,
    ids::{ClusterName, PairName, TeamName},
    pair::Pair,
};
use muster_store::{clusters, pairs, people, teams, teams::Team, tokens};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    lists::record_a_year,
    runs::requested,
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

/// Those whose cursor was a number alone once, and which take such a one still.
const BY_NUMBER: [&str; 7] = [
    "/api/v1/runs",
    "/api/v1/findings",
    "/api/v1/audit",
    "/api/v1/alarms",
    "/api/v1/pairs/{pair}/alarms",
    "/api/v1/pairs/{pair}/proofs",
    "/api/v1/pairs/{pair}/readiness/changes",
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
    let nexts = first_nexts(&app, run, &channel).await;
    for (route, who, _) in LISTS {
        let path = address(route, run, &channel);
        let reader = app.as_user(who).await;
        let own = nexts.iter().find(|(of, _)| *of == route).map(|(_, next)| next.as_str());
        for (of, next) in &nexts {
            // Alarms of a pair and alarms of all are one list, of which less or more is shown.
            let is_own = own.is_some_and(|own| own.split('~').next() == next.split('~').next());
            let answer = reader.get(&with(&path, &format!("after={next}"))).await;
            assert_eq!(
                answer.status == 200,
                is_own,
                "{path} takes the cursor {next} of {of}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_alone_leads_on_where_it_was_the_cursor_once() {
    let app = TestApp::with_pair().await;
    let (run, channel) = fill(&app).await;
    for (route, next) in first_nexts(&app, run, &channel).await {
        let path = address(route, run, &channel);
        let (_, who, _) = LISTS.into_iter().find(|(list, ..)| *list == route).unwrap();
        let reader = app.as_user(who).await;
        let (_, place) = next.split_once('~').unwrap();
        let alone = reader.get(&with(&path, &format!("after={place}"))).await;
        assert_eq!(alone.status == 200, BY_NUMBER.contains(&route), "{path} {place}: {}", alone.text);
        if alone.status == 200 {
            let rest = reader.get(&with(&path, &format!("after={next}"))).await.done();
            assert_eq!(keys(&items(&alone.done())), keys(&items(&rest)), "{path} {place}");
        }
    }
}

/// What each list gives to go on behind its first item. Of events it is their number, which their stream takes, too.
async fn first_nexts(app: &TestApp, run: Uuid, channel: &str) -> Vec<(&'static str, String)> {
    let mut nexts = Vec::new();
    for (route, who, _) in LISTS {
        let page = app.as_user(who).await.get(&with(&address(route, run, channel), "limit=1")).await.done();
        let next = page["next"].as_str().unwrap_or_else(|| panic!("{route}: {page}")).to_owned();
        assert_eq!(next.contains('~'), !route.ends_with("/events"), "{route}: {next}");
        nexts.push((route, next));
    }
    nexts.retain(|(route, _)| !route.ends_with("/events"));
    nexts
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
