//! Teams: listed with what belongs to them, described, removed when nothing does.

use axum::http::Method;
use serde_json::json;

use crate::test_app::TestApp;

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_made_described_and_removed_once_nothing_belongs_to_it() {
    let app = TestApp::with_pair().await;
    let ada = app.as_user("ada").await;
    let made = ada.post("/api/v1/teams", json!({"name": "ledger"})).await;
    assert_eq!(made.header("location"), "/api/v1/teams/ledger");
    let shown = ada.get("/api/v1/teams/ledger").await;
    let etag = shown.header("etag").to_owned();
    let patch = async |description: &str| {
        let body = json!({"description": description});
        ada.request(Method::PATCH, "/api/v1/teams/ledger", Some(body), &[("if-match", &etag)]).await
    };
    assert_eq!(patch("Books").await.done()["description"], "Books");
    assert_eq!(patch("Accounts").await.problem(), ("edited-in-between".to_owned(), 412));
    assert_eq!(patch(&"x".repeat(1_001)).await.problem().1, 412);
    let long = ada.patch("/api/v1/teams/ledger", json!({"description": "x".repeat(1_001)})).await;
    assert_eq!(long.problem(), ("invalid-request".to_owned(), 422));

    ada.patch("/api/v1/users/vera", json!({"grants": [{"role": "viewer", "team": "ledger"}]})).await.done();
    let held = ada.delete("/api/v1/teams/ledger").await;
    assert_eq!(held.problem(), ("team-in-use".to_owned(), 409));
    assert!(
        held.json()["detail"].as_str().unwrap().contains("people with a role for it: vera"),
        "{}",
        held.text
    );
    ada.patch("/api/v1/users/vera", json!({"grants": []})).await.done();
    assert_eq!(ada.delete("/api/v1/teams/ledger").await.status, 204);
    assert_eq!(ada.get("/api/v1/teams/ledger").await.problem(), ("not-found".to_owned(), 404));
    for action in ["team.change", "team.delete"] {
        let done = ("ada".to_owned(), "team ledger".to_owned(), "done".to_owned());
        assert!(app.audited(action).await.contains(&done), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_everything_that_belongs_to_a_team() {
    let app = TestApp::with_pair().await;
    crate::auth_coverage::channel(&app).await;
    let ada = app.as_user("ada").await;
    let path = format!("/api/v1/teams/{}", app.team);
    let refused = ada.delete(&path).await.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(
        refused,
        "Something still belongs to the team `core-platform`: pairs: orders; channels: room; people with a role for it: \
         abel, anna, mira, olga, otto, vera."
    );
    let detail = ada.get(&path).await.done();
    assert_eq!((&detail["pairs"], &detail["channels"]), (&json!(["orders"]), &json!(["room"])));
    let abel = detail["members"].as_array().unwrap().iter().find(|member| member["name"] == "abel").unwrap();
    assert_eq!(abel, &json!({"name": "abel", "roles": ["approver"], "everywhere": [], "may_sign_in": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_teams_do_what_the_api_does() {
    let app = TestApp::with_pair().await;
    let (ada, orla) = (app.as_browser_of("ada").await, app.as_browser_of("orla").await);
    let made = ada.form("/teams", &[("name", "ledger"), ("description", "<script>alert(1)</script>")]).await;
    assert_eq!(made.header("location"), "/teams?done=created", "{}", made.text);
    assert_eq!(ada.form("/teams", &[("name", "ledger"), ("description", "")]).await.status, 409);
    assert_eq!(ada.form("/teams", &[("name", "Not A Name"), ("description", "")]).await.status, 422);
    for path in ["/teams", "/teams/ledger"] {
        let page = ada.request(Method::GET, path, None, &HTML).await;
        assert!(page.text.contains("alert(1)") && !page.text.contains("<script>alert"), "{path}");
    }
    // Who has nothing to do with a team sees its name, and no more.
    let seen = orla.request(Method::GET, "/teams", None, &HTML).await.text;
    assert!(seen.contains("core-platform") && !seen.contains("/pairs/orders"), "{seen}");
    let path = format!("/teams/{}", app.team);
    assert_eq!(orla.request(Method::GET, &path, None, &HTML).await.status, 403);
    let changed = ada.form("/teams/ledger", &[("version", "1"), ("description", "Books")]).await;
    assert_eq!(changed.header("location"), "/teams/ledger?done=changed");
    let stale = ada.form("/teams/ledger", &[("version", "1"), ("description", "Accounts")]).await;
    assert_eq!(stale.status, 412);
    let held = ada.form(&format!("{path}/remove"), &[("version", "1")]).await;
    assert_eq!(held.status, 409);
    assert!(held.text.contains("pairs: orders"), "{}", held.text);
    let removed = ada.form("/teams/ledger/remove", &[("version", "2")]).await;
    assert_eq!(removed.header("location"), "/teams?done=removed");
}
