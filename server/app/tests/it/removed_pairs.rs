//! Pairs that were removed, or moved to another team: what is kept of them stays with whoever had it, under a name nobody else gets.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    people_pages::read,
    runs::{quick, requested},
    test_app::TestApp,
};

/// The pair `orders` as one would ask for it, under another name and about other topics.
async fn like_orders(app: &TestApp, name: &str) -> Value {
    let mut pair = app.as_user("olga").await.get("/api/v1/pairs/orders").await.done();
    for made_by_muster in ["version", "updated_at", "show_payload", "unused_settings"] {
        pair.as_object_mut().unwrap().remove(made_by_muster);
    }
    pair["name"] = json!(name);
    pair["topics"] = json!([format!("{name}\\..*")]);
    pair["groups"] = json!([format!("{name}-.*")]);
    pair
}

async fn do_in(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_again_only_if_nothing_is_kept_under_it() {
    let app = TestApp::with_pair().await;
    let (olga, otto) = (app.as_user("olga").await, app.as_user("otto").await);
    let (orders, clicks) = (like_orders(&app, "orders").await, like_orders(&app, "clicks").await);
    olga.patch("/api/v1/pairs/orders", json!({"groups": ["billing", "shipping", "fraud"]})).await.done();
    let remove = async |name: &str| olga.delete(&format!("/api/v1/pairs/{name}")).await.status.as_u16();
    let refused = async |pair: &Value| olga.post("/api/v1/pairs", pair.clone()).await.problem();
    let before = ("name-given-before".to_owned(), 409);

    olga.post("/api/v1/pairs", clicks.clone()).await.done();
    assert_eq!(refused(&clicks).await, ("name-taken".to_owned(), 409));
    assert_eq!(remove("clicks").await, 204);
    olga.post("/api/v1/pairs", clicks.clone()).await.done();
    otto.post("/api/v1/findings", json!({"pair": "clicks", "text": "slow", "severity": "low"})).await.done();
    assert_eq!(refused(&clicks).await, ("name-taken".to_owned(), 409), "it is there");
    assert_eq!(remove("clicks").await, 204);
    assert_eq!(refused(&clicks).await, before, "a finding is kept");

    otto.post("/api/v1/pairs/orders/plans", quick()).await.done();
    assert_eq!(remove("orders").await, 204);
    assert_eq!(refused(&orders).await, before, "a plan of version 2 is kept");
    // The other team could approve runs of a pair of its own.
    let everywhere = json!({"grants": [{"role": "approver", "team": null}]});
    for who in ["vera", "outis"] {
        app.as_user("ada").await.patch(&format!("/api/v1/users/{who}"), everywhere.clone()).await.done();
    }
    let mut anothers = orders.clone();
    anothers["team"] = json!("elsewhere");
    assert_eq!(app.as_user("orla").await.post("/api/v1/pairs", anothers).await.problem(), before);
    let file = "clusters = eu-west, eu-central\neu-west.bootstrap.servers = a:9092\neu-central.bootstrap.servers = b:9092\n\
        eu-west->eu-central.enabled = true\neu-west->eu-central.topics = orders.*\n";
    let import = json!({"team": app.team, "name": "orders", "text": file});
    assert_eq!(olga.post("/api/v1/pairs/import", import).await.problem(), before);
    assert_eq!(olga.get("/api/v1/pairs").await.done()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_of_a_removed_pair_are_read_by_who_could_read_them_and_never_run() {
    let app = TestApp::with_pair().await;
    let (plan, run) = requested(&app).await;
    let otto = app.as_user("otto").await;
    let unasked = otto.post("/api/v1/pairs/orders/plans", quick()).await.done();
    let unasked: Uuid = unasked["id"].as_str().unwrap().parse().unwrap();
    let reject = format!("/api/v1/runs/{run}/reject");
    app.as_user("abel").await.post(&reject, json!({"comment": "the pair goes"})).await.done();
    assert_eq!(app.as_user("olga").await.delete("/api/v1/pairs/orders").await.status, 204);

    let (vera, outis) = (app.as_user("vera").await, app.as_user("outis").await);
    let browser = app.as_browser_of("vera").await;
    let of_run = read(&browser, &format!("/runs/{run}")).await;
    assert!(of_run.contains(&format!("href=\"/plans/{plan}\"")), "{of_run}");
    for plan in [plan, unasked] {
        let path = format!("/api/v1/plans/{plan}");
        assert_eq!(vera.get(&path).await.done()["content"]["pair"], "orders");
        vera.get(&format!("{path}/difference")).await.done();
        let page = read(&browser, &format!("/plans/{plan}")).await;
        for said in ["orders was removed.", "Can&#39;t be requested", "eu-west", "eu-central"] {
            assert!(page.contains(said), "“{said}” is not on {page}");
        }
        for nowhere in [format!("/plans/{plan}/request"), "href=\"/pairs/orders\"".to_owned()] {
            assert!(!page.contains(&nowhere), "{nowhere} is on {page}");
        }
        assert_eq!(outis.get(&path).await.status, 403, "another team's");
        let asked = otto.post("/api/v1/runs", json!({"plan": plan, "reason": "again"})).await;
        assert_eq!(asked.problem(), ("not-found".to_owned(), 404));
    }
    // As a version that did not keep whose a plan is wrote them.
    do_in(&app.app.pool, "update plan set team = null").await;
    vera.get(&format!("/api/v1/plans/{plan}")).await.done();
    assert_eq!(vera.get(&format!("/api/v1/plans/{unasked}")).await.problem().0, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_removed_or_something_is_made_for_it_and_never_both() {
    let app = TestApp::with_pair().await;
    let (olga, otto, pool) = (app.as_user("olga").await, app.as_user("otto").await, &app.app.pool);
    let plan = otto.post("/api/v1/pairs/orders/plans", quick()).await.done()["id"].clone();
    let yearly = json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 1 1 *"}});
    do_in(pool, "create table as_it_was as select * from pair").await;
    for round in 0..12 {
        let request = json!({"plan": plan, "reason": format!("round {round}")});
        let (asked, removed) =
            tokio::join!(otto.post("/api/v1/runs", request), olga.delete("/api/v1/pairs/orders"));
        assert_ne!(asked.status.is_success(), removed.status.is_success(), "{} {}", asked.text, removed.text);
        do_in(pool, "insert into pair select * from as_it_was on conflict do nothing").await;
        do_in(pool, "update run set state = 'rejected' where state = 'awaiting_approval'").await;

        let (made, removed) =
            tokio::join!(olga.post("/api/v1/schedules", yearly.clone()), olga.delete("/api/v1/pairs/orders"));
        assert_ne!(made.status.is_success(), removed.status.is_success(), "{} {}", made.text, removed.text);
        do_in(pool, "insert into pair select * from as_it_was on conflict do nothing").await;
        do_in(pool, "delete from schedule").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_a_pair_of_another_team_does_not_see_its_runs() {
    let app = TestApp::with_pair().await;
    let ((_, theirs), (_, ours)) = (requested(&app).await, requested(&app).await);
    do_in(
        &app.app.pool,
        "update run set state = 'succeeded', started_at = now(), ended_at = now();
        update run set team = 'elsewhere' where number = (select max(number) from run);
        update pair set team = 'elsewhere', body = jsonb_set(body, '{team}', '\"elsewhere\"')",
    )
    .await;
    let (outis, browser) = (app.as_user("outis").await, app.as_browser_of("outis").await);
    let pair = read(&browser, "/pairs/orders").await;
    assert!(pair.contains(&format!("/runs/{ours}")), "{pair}");
    assert!(!pair.contains(&format!("/runs/{theirs}")), "{pair}");
    let measured = outis.get("/api/v1/pairs/orders/rto").await.done();
    let runs: Vec<&Value> = measured["items"].as_array().unwrap().iter().map(|item| &item["run"]).collect();
    assert_eq!(runs, [&json!(ours)]);
    let compared = read(&browser, &format!("/runs/{ours}/compare")).await;
    assert!(!compared.contains(&theirs.to_string()), "{compared}");
    assert_eq!(outis.get(&format!("/api/v1/runs/{theirs}")).await.status, 403);
    // Who may read all teams' sees both.
    let ada = read(&app.as_browser_of("ada").await, &format!("/runs/{ours}/compare")).await;
    assert!(ada.contains(&theirs.to_string()), "{ada}");
}
