//! Who reads a list on: nobody more than their own, on pages and at the command line as well.

use muster_domain::{
    hash::sha256_hex,
    ids::{PairName, TeamName},
    pair::Pair,
    people::{Grant, Role},
};
use muster_store::{pairs, people, tokens};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{add, add_channel, items, walk};
use crate::{
    cli::Shell,
    runs::{quick, requested},
    test_app::{TestApp, id},
};

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
            let named = format!(">{name}<");
            assert!(first.contains(&named) != second.contains(&named), "{page}: {name} is on one of both");
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
