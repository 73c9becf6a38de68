//! The pages about people and the installation: what admins do there, and what nobody can do to themselves.

use axum::http::Method;
use serde_json::json;

use crate::{session::Session, test_app::TestApp};

const PASSWORD: &str = "correct horse battery";

pub(crate) async fn read(who: &Session<'_>, path: &str) -> String {
    let page = who.request(Method::GET, path, None, &[("accept", "text/html")]).await;
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    page.text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_edits_a_person_by_form() {
    let app = TestApp::new().await;
    let ada = app.as_browser_of("ada").await;
    let form = read(&ada, "/people/otto/edit").await;
    assert!(form.contains("name=\"operator@core-platform\" value=\"on\" checked"), "{form}");
    let edit = |version: &'static str| {
        [
            ("version", version),
            ("display_name", "Otto Ohm"),
            ("password", ""),
            ("may_sign_in", "on"),
            ("operator@core-platform", "on"),
            ("viewer@", "on"),
        ]
    };
    let changed = ada.form("/people/otto/edit", &edit("1")).await;
    assert_eq!(changed.header("location"), "/people/otto?done=changed", "{}", changed.text);
    let otto = app.as_user("ada").await.get("/api/v1/users/otto").await.done();
    let grants = json!([{"role": "operator", "team": "core-platform"}, {"role": "viewer", "team": null}]);
    assert_eq!((&otto["display_name"], &otto["grants"]), (&json!("Otto Ohm"), &grants));
    assert_eq!(ada.form("/people/otto/edit", &edit("1")).await.status, 412);
    let page = read(&ada, "/people/otto").await;
    assert!(page.contains("Otto Ohm") && page.contains("/audit?actor=otto"), "{page}");
    let boss = [("version", "2"), ("may_sign_in", "on"), ("boss@", "on"), ("typed", "otto")];
    assert_eq!(ada.form("/people/otto/edit", &boss).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_cannot_lock_themselves_out() {
    let app = TestApp::new().await;
    let ada = app.as_browser_of("ada").await;
    for form in [
        [("version", "1"), ("may_sign_in", ""), ("admin@", "on"), ("typed", "ada")],
        [("version", "1"), ("may_sign_in", "on"), ("viewer@", "on"), ("typed", "ada")],
    ] {
        let refused = ada.form("/people/ada/edit", &form).await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("is the last admin"), "{}", refused.text);
    }
    read(&ada, "/people").await;
    let grants = json!({"grants": [{"role": "admin", "team": null}]});
    app.as_user("ada").await.patch("/api/v1/users/mira", grants).await.done();
    let form = [("version", "1"), ("may_sign_in", "on"), ("viewer@", "on"), ("typed", "ada")];
    assert_eq!(ada.form("/people/ada/edit", &form).await.header("location"), "/people/ada?done=changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_unlocks_somebody_and_ends_their_sessions() {
    let app = TestApp::new().await;
    let grants = json!([{"role": "viewer", "team": null}]);
    let nora = json!({"name": "nora", "password": PASSWORD, "grants": grants});
    app.as_user("ada").await.post("/api/v1/users", nora).await.done();
    let nobody = app.as_user("nobody").await;
    for _ in 0..8 {
        nobody.post("/api/v1/session", json!({"name": "nora", "password": "wrong"})).await;
    }
    let right = json!({"name": "nora", "password": PASSWORD});
    assert_eq!(nobody.post("/api/v1/session", right.clone()).await.problem().0, "locked-out");
    let ada = app.as_browser_of("ada").await;
    assert!(read(&ada, "/people/nora").await.contains("locked out"));
    let unlocked = ada.form("/people/nora/unlock", &[]).await;
    assert_eq!(unlocked.header("location"), "/people/nora?done=unlocked");
    let opened = nobody.post("/api/v1/session", right).await.done();
    let bearer = format!("Bearer {}", opened["token"].as_str().unwrap());
    let ended = ada.form("/people/nora/sessions/revoke", &[]).await;
    assert_eq!(ended.header("location"), "/people/nora?done=sessions");
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(nobody.request(Method::GET, "/api/v1/session", None, &headers).await.status, 401);
    read(&ada, "/people/nora").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_text_whatever_is_in_them_and_however_long() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let name = format!("<script>alert(1)</script>{}", "x".repeat(200));
    ada.patch("/api/v1/users/otto", json!({"display_name": name})).await.done();
    let browser = app.as_browser_of("ada").await;
    for path in ["/people/otto", "/people/otto/edit", "/people"] {
        let page = read(&browser, path).await;
        assert!(!page.contains("<script>alert"), "{path}");
    }
    let account = read(&app.as_browser_of("otto").await, "/account").await;
    assert!(account.contains("alert(1)") && !account.contains("<script>alert"), "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_told_to_admins_without_secrets_and_places() {
    let app = TestApp::with_pair().await;
    let told = app.as_user("ada").await.get("/api/v1/settings").await;
    let said = told.done();
    assert_eq!(said["secrets_key"]["fits"], true);
    assert!(
        said["database"]["bytes"].as_i64().unwrap() > 0
            && said["database"]["migration"].as_i64().unwrap() >= 22
    );
    assert_eq!(said["processes"], json!([{"name": "test", "pairs": 1, "runs": 0}]));
    let survey =
        said["settings"].as_array().unwrap().iter().find(|s| s["name"] == "MUSTER_SURVEY_SECONDS").unwrap();
    assert_eq!((&survey["value"], &survey["set_by"]), (&json!("5"), &json!("default")));
    assert!(!told.text.contains("postgres://"), "{}", told.text);
    assert_eq!(app.as_user("olga").await.get("/api/v1/settings").await.problem().0, "forbidden");
    let page = read(&app.as_browser_of("ada").await, "/settings").await;
    for words in ["MUSTER_SURVEY_SECONDS", "Newest migration", "for ever", "observes 1 pair"] {
        assert!(page.contains(words), "{words}");
    }
    // A key that was rotated away from under the process is said.
    sqlx::query("insert into secrets_key (kek_id) values ('another') on conflict (one) do update set kek_id = 'another'").execute(&app.app.pool).await.unwrap();
    let said = app.as_user("ada").await.get("/api/v1/settings").await.done();
    assert_eq!(said["secrets_key"]["fits"], false);
    assert!(
        read(&app.as_browser_of("ada").await, "/settings")
            .await
            .contains("was rotated since this process started")
    );
}
