//! Enough people to approve: asked for when a rule is made or raised, kept when roles are taken away, shown when people leave.

use serde_json::{Value, json};

use crate::{session::Reply, test_app::TestApp};

/// Changes the rule of `orders`.
async fn ask_for(app: &TestApp, needed: u32) -> Reply {
    let approval = json!({"needed": needed, "decide_within_minutes": 60, "use_within_minutes": 60});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", json!({"approval": approval})).await
}

async fn check(app: &TestApp) -> Value {
    app.observe("orders").await;
    let readiness = app.as_user("vera").await.get("/api/v1/pairs/orders/readiness").await.done();
    let all = readiness["items"].as_array().unwrap();
    all.iter().find(|check| check["code"] == "approvers").unwrap().clone()
}

async fn disable(app: &TestApp, name: &str) {
    let path = format!("/api/v1/users/{name}");
    app.as_user("ada").await.patch(&path, json!({"disabled": true})).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_asks_for_fewer_approvals_than_there_are_approvers() {
    let app = TestApp::with_pair().await;
    let refused = ask_for(&app, 2).await;
    assert_eq!(refused.problem(), ("too-few-approvers".to_owned(), 409));
    let said = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("only 2 people may approve (abel, anna); 1 more is needed"), "{said}");
    // A third one for all teams counts as well, one who may not sign in does not.
    let grants = json!([{"role": "approver", "team": null}]);
    app.as_user("ada").await.patch("/api/v1/users/outis", json!({"grants": grants})).await.done();
    ask_for(&app, 2).await.done();
    disable(&app, "outis").await;
    assert_eq!(ask_for(&app, 3).await.problem().0, "too-few-approvers");
    // Other edits go on, and so does asking for less.
    let canary = json!({"canary_topic": null});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", canary).await.done();
    ask_for(&app, 1).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_a_team_with_too_few_approvers_is_not_made() {
    let app = TestApp::with_pair().await;
    let new = json!({"name": "shop", "team": "elsewhere", "clusters": {"a": "eu-west", "b": "eu-central"},
        "topics": ["shop"], "flows": [{"direction": {"from": "a"}, "mechanism": {"mechanism": "unattached"},
            "source_alias": "eu-west", "target_alias": "eu-central", "naming": {"policy": "identity"}, "enabled": true}]});
    let refused = app.as_user("orla").await.post("/api/v1/pairs", new).await;
    assert_eq!(refused.problem(), ("too-few-approvers".to_owned(), 409));
    let said = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("nobody may approve; 2 more are needed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_a_pair_needs_is_not_taken_away_and_who_leaves_is_told() {
    let app = TestApp::with_pair().await;
    assert_eq!(check(&app).await["status"], "ok");
    let ada = app.as_user("ada").await;
    let refused = ada.patch("/api/v1/users/anna", json!({"grants": []})).await;
    assert_eq!(refused.problem(), ("too-few-approvers".to_owned(), 409));
    assert!(refused.json()["detail"].as_str().unwrap().contains("only abel may approve"), "{}", refused.text);
    // Nothing of it was done.
    assert_eq!(ada.get("/api/v1/users/anna").await.done()["grants"][0]["role"], "approver");
    // Other roles of theirs come and go.
    let more = json!({"grants": [{"role": "approver", "team": app.team}, {"role": "viewer", "team": null}]});
    ada.patch("/api/v1/users/anna", more).await.done();

    // Whoever leaves has left: the pair says so from the next survey on.
    disable(&app, "anna").await;
    let warned = check(&app).await;
    assert_eq!(warned["status"], "warning", "{warned}");
    assert!(warned["reason"].as_str().unwrap().contains("only abel may approve"), "{warned}");
    disable(&app, "abel").await;
    assert_eq!(check(&app).await["status"], "critical");
    let vera = app.as_browser_of("vera").await;
    for path in ["/", "/pairs/orders"] {
        let page = vera.request(axum::http::Method::GET, path, None, &[("accept", "text/html")]).await.text;
        assert!(page.contains("nobody may approve"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_a_pair_says_who_is_missing() {
    let app = TestApp::with_pair().await;
    let olga = app.as_browser_of("olga").await;
    let form = [
        ("name", "shop"),
        ("team", "core-platform"),
        ("cluster_a", "eu-west"),
        ("cluster_b", "eu-central"),
        ("topics", "shop"),
        ("a_to_b", "on"),
        ("rpo_seconds", "60"),
        ("rto_seconds", "900"),
        ("verify_within_days", "90"),
        ("approvals_needed", "2"),
        ("decide_within_minutes", "60"),
        ("use_within_minutes", "60"),
    ];
    let refused = olga.form("/pairs", &form).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("(abel, anna); 1 more is needed"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_may_need_more_approvals_than_the_others() {
    let app = TestApp::with_pair().await;
    let rule = |switchover: u32| {
        json!({"approval": {"needed": 1, "by_operation": {"switchover": switchover}, "decide_within_minutes": 60,
            "use_within_minutes": 60}})
    };
    let olga = app.as_user("olga").await;
    let refused = olga.patch("/api/v1/pairs/orders", rule(2)).await;
    assert_eq!(
        refused.problem(),
        ("too-few-approvers".to_owned(), 409),
        "the most any operation needs counts"
    );
    assert_eq!(olga.patch("/api/v1/pairs/orders", rule(0)).await.problem().1, 422);
    let grants = json!([{"role": "approver", "team": null}]);
    app.as_user("ada").await.patch("/api/v1/users/outis", json!({"grants": grants})).await.done();
    olga.patch("/api/v1/pairs/orders", rule(2)).await.done();
    let page = app.as_browser_of("olga").await.get("/pairs/orders/edit").await.text;
    assert!(page.contains("\nswitchover 2</textarea>"), "the form keeps it: {page}");
    app.observe("orders").await;
    let (_, run) = crate::runs::requested(&app).await;
    let shown = app.as_user("vera").await.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(shown["approvals_needed"], 2);
    let vote = json!({"comment": "go"});
    let path = format!("/api/v1/runs/{run}/approve");
    let once = app.as_user("abel").await.post(&path, vote.clone()).await.done();
    assert_eq!(once["state"], "awaiting_approval");
    assert_eq!(app.as_user("anna").await.post(&path, vote).await.done()["state"], "approved");
}
