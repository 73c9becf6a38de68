//! The pages about people and the installation: what admins do there, and what nobody can do to themselves.

use axum::http::Method;
use muster_store::tokens;
use serde_json::json;
use uuid::Uuid;

use crate::{
    accounts::id_after,
    session::Session,
    test_app::{TestApp, id},
};

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
async fn unlocking_somebody_asks_who_is_there_by_page_as_by_program() {
    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    for _ in 0..8 {
        nobody.post("/api/v1/session", json!({"name": "otto", "password": "wrong"})).await;
    }
    let (browser, program) = (app.as_browser_of("ada").await, app.as_user("ada").await);
    let page = read(&browser, "/people/otto").await;
    assert!(page.contains("Unlock otto</button>"), "{page}");
    sqlx::query("update session set stepped_up_at = stepped_up_at - interval '20 minutes'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let page = read(&browser, "/people/otto").await;
    assert!(page.contains("href=\"/reauthenticate?next=/people/otto\""), "the way is there instead: {page}");
    assert!(!page.contains("Unlock otto</button>"), "{page}");
    let sent = browser.form("/people/otto/unlock", &[]).await;
    assert_eq!(sent.header("location"), "/reauthenticate", "{}", sent.text);
    let refused = program.patch("/api/v1/users/otto", json!({"unlock": true})).await;
    assert_eq!(refused.problem(), ("reauthentication-needed".to_owned(), 403));
    let entries = app.audited("user.change").await;
    assert_eq!(entries.iter().map(|entry| entry.2.as_str()).collect::<Vec<_>>(), ["refused", "refused"]);
    assert!(read(&browser, "/people/otto").await.contains("locked out"), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_whose_each_token_is_and_revokes_it() {
    let app = TestApp::new().await;
    for (who, name) in [("otto", "robot"), ("ada", "backup")] {
        app.as_user(who).await.post("/api/v1/tokens", json!({"name": name, "days": 1})).await.done();
    }
    let listed = app.as_user("ada").await.get("/api/v1/tokens").await.done();
    let items = listed["items"].as_array().unwrap().iter();
    let owners: Vec<_> = items.map(|token| (token["name"].clone(), token["owner"].clone())).collect();
    assert_eq!(owners, [(json!("backup"), json!("ada")), (json!("robot"), json!("otto"))]);
    let own = app.as_user("otto").await.get("/api/v1/tokens").await.done();
    assert_eq!((own["items"].as_array().unwrap().len(), &own["items"][0]["owner"]), (1, &json!("otto")));

    let ada = app.as_browser_of("ada").await;
    let page = read(&ada, "/people/otto").await;
    assert!(page.contains("all rights of otto") && !page.contains("backup"), "{page}");
    let revoke = format!("/account/tokens/{}/revoke", id_after(&page, "/account/tokens/"));
    assert!(page.contains(&format!("href=\"{revoke}\"")), "{page}");
    assert_eq!(app.as_browser_of("mira").await.get(&revoke).await.status, 404, "nobody else's business");
    let before = read(&ada, &revoke).await;
    assert!(before.contains("Revoke API token robot of otto</button>"), "{before}");
    assert!(before.contains("href=\"/people/otto\""), "the way back: {before}");
    assert_eq!(ada.form(&revoke, &[]).await.header("location"), "/people/otto?done=token");
    let page = read(&ada, "/people/otto?done=token").await;
    assert!(page.contains("The token is revoked.") && page.contains("<span>revoked</span>"), "{page}");
    assert!(!page.contains(&revoke), "it is over: {page}");
    let entry = ("ada".to_owned(), "token robot".to_owned(), "done".to_owned());
    assert_eq!(app.audited("token.revoke").await, [entry]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_person_are_shown_page_by_page_beside_their_sessions() {
    let app = TestApp::new().await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    for number in 0..60 {
        let (name, key) = (format!("n{number:02}-robot"), format!("{number:064x}"));
        tokens::insert(&mut conn, Uuid::now_v7(), &name, id("otto"), &key, &[], 3600.0).await.unwrap();
    }
    drop(conn);
    let ada = app.as_browser_of("ada").await;
    let more = regex::Regex::new(r##"href="([^"#]+)#tokens-h">More tokens"##).unwrap();
    let first = read(&ada, "/people/otto").await;
    let next = more.captures(&first).unwrap_or_else(|| panic!("{first}"))[1].to_owned();
    let second = read(&ada, &next).await;
    assert!(!more.is_match(&second) && second.contains(">First tokens</a>"), "{second}");
    for number in 0..60 {
        let name = format!("<th scope=\"row\">n{number:02}-robot</th>");
        assert!(first.contains(&name) != second.contains(&name), "{name} is on one of both");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_teams_is_led_to_them() {
    let app = TestApp::new().await;
    for who in ["vera", "ada"] {
        let browser = app.as_browser_of(who).await;
        assert!(read(&browser, "/account").await.contains("href=\"/teams\""), "{who}");
        read(&browser, "/teams").await;
    }
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
