//! Texts that people, applications and brokers wrote stay texts, wherever they are shown.

use axum::http::Method;
use muster_app::{http::route::Kind, routes};
use serde_json::json;

use crate::{auth_coverage::address, test_app::TestApp};

/// Opens a tag, ends an attribute, and ends a script: one of them would act where any place forgot to escape.
const ACTS: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}";

fn hostile(place: &str) -> String {
    format!("{place}{ACTS}")
}

/// Everybody's texts, each beginning with the place it is in.
async fn write_everywhere(app: &TestApp) -> (uuid::Uuid, uuid::Uuid) {
    let (ada, olga) = (app.as_user("ada").await, app.as_user("olga").await);
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    {
        let mut world = app.small.world.lock();
        let cluster = world.cluster_mut("eu-west");
        let mut group = cluster.groups.values().next().unwrap().clone();
        for member in &mut group.members {
            member.client_id = hostile("client");
            member.client_host = hostile("host");
        }
        cluster.groups.insert(hostile("group"), group);
    }
    app.observe("orders").await;
    crate::losses::loss(app, &hostile("died")).await;
    let plan = otto.post("/api/v1/pairs/orders/plans", crate::runs::quick()).await.done();
    let asked = json!({"plan": plan["id"], "reason": hostile("reason")});
    let run = otto.post("/api/v1/runs", asked).await.done();
    let id = |value: &serde_json::Value| value["id"].as_str().unwrap().parse().unwrap();
    let vote = json!({"comment": hostile("vote")});
    abel.post(&format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap()), vote).await.done();
    let finding = json!({"pair": "orders", "run": run["id"], "text": hostile("finding"), "severity": "high",
        "owner": hostile("owner"), "link": "https://tickets.example/?a=\"><script>"});
    otto.post("/api/v1/findings", finding).await.done();
    let schedule = json!({"pair": "orders", "owners": [hostile("driller")],
        "cadence": {"every": "cron", "expression": "0 9 1 1 *"},
        "blackouts": [{"from": "2026-12-24", "until": "2027-01-01", "reason": hostile("blackout")}]});
    olga.post("/api/v1/schedules", schedule).await.done();
    ada.patch("/api/v1/clusters/eu-west", json!({"region": hostile("region")})).await.done();
    let nora = json!({"name": "nora", "display_name": hostile("display"), "password": "correct horse battery",
        "grants": [{"role": "viewer", "team": null}]});
    ada.post("/api/v1/users", nora).await.done();
    ada.post("/api/v1/teams", json!({"name": "crew", "description": hostile("team")})).await.done();
    // A refusal keeps what was asked for in the audit.
    ada.get(&format!("/api/v1/pairs/{}", "path%3Cscript%3Ealert(1)")).await.problem();
    otto.put("/api/v1/brake", json!({"reason": hostile("brake")})).await.done();
    (id(&plan), id(&run))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_shows_a_text_as_anything_else() {
    let app = TestApp::with_pair().await;
    let (plan, run) = write_everywhere(&app).await;
    let grants = ["admin", "operator", "approver", "owner"].map(|role| json!({"role": role, "team": null}));
    app.as_user("ada").await.patch("/api/v1/users/ada", json!({"grants": grants})).await.done();
    let finding: uuid::Uuid =
        sqlx::query_scalar("select id from finding limit 1").fetch_one(&app.app.pool).await.unwrap();
    crate::auth_coverage::channel(&app).await;
    let ada = app.as_browser_of("ada").await;
    let mut shown = String::new();
    for route in routes::routes() {
        let endless = route.path.ends_with("/events");
        if route.rule.kind != Kind::Page || route.method != Method::GET || endless {
            continue;
        }
        let mut paths = vec![address(route.path, run, plan)];
        paths.push(route.path.replace("{finding}", &finding.to_string()));
        // What is typed into filters comes back in them.
        paths.push(format!(
            "{}?text=filter%3Cscript%3E&actor=%22%3E%3Cscript%3E&owner=%3Cscript%3E",
            paths[0]
        ));
        for path in paths.into_iter().filter(|path| !path.contains('{')) {
            let reply = ada.request(Method::GET, &path, None, &[("accept", "text/html")]).await;
            assert!(!reply.status.is_server_error(), "{path}: {}", reply.status);
            for acts in ["<script>alert", "<img src=x", "\"'><", "<script>&", "=\"><script>", ">49<"] {
                assert!(!reply.text.contains(acts), "{path} shows {acts}");
            }
            shown.push_str(&reply.text);
        }
    }
    // Each of them is shown somewhere, or this has proven nothing about it.
    let escaped = "&#34;&#39;&#62;&#60;script&#62;alert(1)";
    let places = ["reason", "vote", "finding", "owner", "driller", "region", "brake", "group", "died"];
    let missing: Vec<&&str> =
        places.iter().filter(|place| !shown.contains(&format!("{place}{escaped}"))).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    assert!(shown.contains("filter&#60;script&#62;"), "no filter shows what was typed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_would_act_is_neither_taken_nor_shown_as_one() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let acting = "javascript:alert(document.cookie)";
    for link in
        [acting, "data:text/html,<script>", " JavaScript:alert(1)", "vbscript:x", "file:///etc/passwd"]
    {
        let new = json!({"pair": "orders", "text": "slow", "severity": "low", "link": link});
        assert_eq!(
            otto.post("/api/v1/findings", new).await.problem(),
            ("invalid-request".to_owned(), 422),
            "{link}"
        );
    }
    // One that got into the database some other way.
    crate::auth_coverage::finding(&app).await;
    sqlx::query("update finding set link = $1").bind(acting).execute(&app.app.pool).await.unwrap();
    let finding: uuid::Uuid =
        sqlx::query_scalar("select id from finding limit 1").fetch_one(&app.app.pool).await.unwrap();
    let browser = app.as_browser_of("otto").await;
    for path in ["/findings".to_owned(), format!("/findings/{finding}")] {
        let page = browser.request(Method::GET, &path, None, &[("accept", "text/html")]).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("href=\"javascript:"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_has_no_entries_but_ours() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let owner =
        "mira\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:Evil, at noon; really\r\nATTACH:https://evil.example";
    let new =
        json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 1 1 *"}, "owners": [owner]});
    olga.post("/api/v1/schedules", new).await.done();
    let calendar = olga.get("/api/v1/calendar.ics").await.text;
    let lines: Vec<&str> = calendar.lines().collect();
    let events = lines.iter().filter(|line| **line == "BEGIN:VEVENT").count();
    let ours = lines.iter().filter(|line| line.starts_with("UID:") && line.ends_with("@muster")).count();
    assert!(events > 0 && events == ours, "{events} events, {ours} of ours:\n{calendar}");
    for begins in ["SUMMARY:Evil", "ATTACH:"] {
        assert!(!lines.iter().any(|line| line.starts_with(begins)), "{begins}\n{calendar}");
    }
    assert!(!calendar.replace("\r\n", "").contains('\r'), "a bare carriage return:\n{calendar:?}");
    // RFC 5545, section 3.3.11: commas and semicolons in a text are escaped; long lines are folded.
    let unfolded = calendar.replace("\r\n ", "");
    assert!(unfolded.contains("SUMMARY:Evil\\, at noon\\; really"), "{unfolded}");
}
