//! Pairs that share clusters stay apart: nobody makes one over topics or groups that are another's.

use serde_json::{Value, json};

use crate::{session::Session, test_app::TestApp};

fn shop(team: &str, topics: Value, groups: Value) -> Value {
    let flow = json!({"direction": {"from": "a"}, "mechanism": {"mechanism": "unattached"}, "source_alias": "w",
        "target_alias": "c", "naming": {"policy": "identity"}, "enabled": true});
    json!({"name": "shop", "team": team, "clusters": {"a": "eu-central", "b": "eu-west"}, "topics": topics,
        "groups": groups, "flows": [flow]})
}

/// Two clusters with `orders`, which has `orders\..*`, `payments\..*` and these groups.
async fn with_groups(groups: &[&str]) -> TestApp {
    let app = TestApp::with_pair().await;
    let edit = json!({"groups": groups});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    // The other team could approve runs of a pair of its own.
    let grants = json!([{"role": "approver", "team": null}]);
    for name in ["otto", "vera"] {
        app.as_user("ada")
            .await
            .patch(&format!("/api/v1/users/{name}"), json!({"grants": grants}))
            .await
            .done();
    }
    app
}

async fn refused(person: &Session<'_>, new: Value) -> String {
    let refused = person.post("/api/v1/pairs", new).await;
    assert_eq!(refused.problem(), ("pairs-overlap".to_owned(), 409), "{}", refused.text);
    refused.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pair_is_made_over_topics_or_groups_of_another_and_a_foreign_one_is_not_named() {
    let app = with_groups(&["billing", "shipping-.*"]).await;
    let olga = app.as_user("olga").await;
    let said = refused(&olga, shop("core-platform", json!(["carts", r"orders\.eu\..*"]), json!(["x"]))).await;
    assert!(said.contains(r"`orders\.eu\..*` could match topics of `eu-central`"), "{said}");
    assert!(said.contains(r"`orders\..*` of pair `orders`"), "{said}");

    let orla = app.as_user("orla").await;
    let said = refused(&orla, shop("elsewhere", json!(["payments.captured"]), json!(["x"]))).await;
    assert!(said.contains("a pair of another team") && !said.contains("pair `orders`"), "{said}");
    assert!(!said.contains(r"payments\..*"), "{said}");
    let said = refused(&orla, shop("elsewhere", json!(["carts"]), json!(["shipping-eu"]))).await;
    assert!(said.contains("`shipping-eu` could match groups of"), "{said}");
    assert_eq!(app.audited("pair.create").await.iter().filter(|entry| entry.2 == "refused").count(), 3);

    orla.post("/api/v1/pairs", shop("elsewhere", json!(["carts"]), json!(["carts-.*"]))).await.done();
    // And no edit leads there.
    for edit in
        [json!({"topics": [".*"]}), json!({"groups": ["ship.*"]}), json!({"canary_topic": "orders.canary"})]
    {
        let refused = orla.patch("/api/v1/pairs/shop", edit.clone()).await;
        assert_eq!(refused.problem(), ("pairs-overlap".to_owned(), 409), "{edit}");
    }
    let rest = json!({"topics": [".*"], "topics_exclude": [r"orders\..*", r"payments\..*"]});
    orla.patch("/api/v1/pairs/shop", rest).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_imported_over_another_pair() {
    let app = with_groups(&["billing"]).await;
    let text = "clusters = eu-west, eu-central\neu-west.bootstrap.servers = a:9092\n\
        eu-central.bootstrap.servers = b:9092\neu-west->eu-central.enabled = true\n\
        eu-west->eu-central.topics = payments.*\neu-west->eu-central.groups = carts\n";
    let orla = app.as_user("orla").await;
    let body = |text: &str| json!({"text": text, "team": "elsewhere", "name": "shop"});
    let refused = orla.post("/api/v1/pairs/import", body(text)).await;
    assert_eq!(refused.problem(), ("pairs-overlap".to_owned(), 409), "{}", refused.text);
    assert!(!refused.text.contains("`orders`"), "{}", refused.text);
    let browser = app.as_browser_of("orla").await;
    let fields = [("properties", text), ("team", "elsewhere"), ("act", "import")];
    let page = browser.form("/pairs/import", &fields).await;
    assert!(page.status == 409 && page.text.contains("a pair of another team"), "{}", page.text);
    assert!(page.text.contains("payments.*"), "what was typed is still there: {}", page.text);
    orla.post("/api/v1/pairs/import", body(&text.replace("payments", "carts"))).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_are_made_at_the_same_time_one_is_refused() {
    let app = with_groups(&["billing"]).await;
    let (olga, orla) = (app.as_user("olga").await, app.as_user("orla").await);
    let mut other = shop("core-platform", json!(["carts.*"]), json!(["x"]));
    other["name"] = json!("carts");
    let (one, other) = tokio::join!(
        orla.post("/api/v1/pairs", shop("elsewhere", json!(["carts.eu"]), json!(["y"]))),
        olga.post("/api/v1/pairs", other),
    );
    let mut codes = [one.status.as_u16(), other.status.as_u16()];
    codes.sort_unstable();
    assert_eq!(codes, [201, 409], "{} {}", one.text, other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objective_that_was_let_in_before_keeps_nobody_from_other_edits() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    // As one that was made before this was asked.
    sqlx::query(
        "update pair set body = jsonb_set(body, '{objectives,rpo_seconds}', '0') where name = 'orders'",
    )
    .execute(&app.app.pool)
    .await
    .unwrap();
    let edit = |edit: Value| olga.patch("/api/v1/pairs/orders", edit);
    let objectives = |rpo: i64, rto: i64| json!({"objectives": {"rpo_seconds": rpo, "rto_seconds": rto, "verify_within_days": 30}});
    let kept = edit(json!({"canary_seconds": 7})).await.done();
    assert_eq!((&kept["canary_seconds"], &kept["objectives"]["rpo_seconds"]), (&json!(7), &json!(0)));
    edit(objectives(0, 600)).await.done();
    for other in [objectives(-1, 600), objectives(0, 0)] {
        assert_eq!(edit(other.clone()).await.problem(), ("invalid-request".to_owned(), 422), "{other}");
    }
    edit(objectives(30, 600)).await.done();
    assert_eq!(edit(objectives(0, 600)).await.problem().0, "invalid-request", "it is not set again");
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_that_overlap_already_are_edited_and_taken_apart_but_never_grow_together() {
    let app = with_groups(&["billing"]).await;
    let olga = app.as_user("olga").await;
    olga.post("/api/v1/pairs", shop("core-platform", json!(["carts"]), json!(["carts"]))).await.done();
    // As two that were made before this was asked.
    sqlx::query("update pair set body = jsonb_set(body, '{topics}', '[\"payments.*\", \"carts\"]') where name = 'shop'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let edit = |edit: Value| olga.patch("/api/v1/pairs/shop", edit);
    let rpo = json!({"objectives": {"rpo_seconds": 10, "rto_seconds": 600, "verify_within_days": 30}});
    edit(rpo).await.done();
    edit(json!({"topics": [r"payments\.eu", "carts"]})).await.done();
    let grown = edit(json!({"topics": [r"payments\.eu.*", "carts"]})).await;
    assert_eq!(grown.problem(), ("pairs-overlap".to_owned(), 409));
    edit(json!({"topics": ["carts"]})).await.done();
}
