//! Sessions, people, teams and tokens by command.

use serde_json::{Value, json};

use super::{Shell, grow_late};
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_kept_by_login_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let app = TestApp::with_pair().await;
    let grants = json!([{"role": "viewer", "team": null}]);
    let nora = json!({"name": "nora", "password": "correct horse battery", "grants": grants});
    app.as_user("ada").await.post("/api/v1/users", nora).await.done();
    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "nobody").await;
    let before = shell.muster("pairs list").await;
    assert_eq!((before.code, before.out.as_str()), (1, ""));
    assert!(before.err.contains("(sign-in-required)"), "{}", before.err);
    let said = shell.muster("login --name nora").await.done();
    assert!(said.starts_with("Signed in as nora until "), "{said}");
    let file = shell.home.join(".config/muster/sessions.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let pairs = shell.muster("pairs list").await.done();
    assert!(pairs.contains("orders"), "{pairs}");
    let refused = shell.muster("brake set --reason mine").await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("(forbidden)"), "{}", refused.err);

    assert_eq!(shell.muster("whoami").await.done(), "nora: viewer\n");
    let changed = shell.muster("password").await.done();
    assert!(changed.starts_with("The new password counts from now on."), "{changed}");
    assert_eq!(shell.muster("logout").await.done(), "Signed out.\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}");
    let out = shell.muster("logout").await;
    assert!(out.code == 1 && out.err.contains("(sign-in-required)"), "{out:?}");
    let old = shell.muster("login --name nora").await;
    assert!(old.code == 1 && old.err.contains("(sign-in-refused)"), "{old:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_elsewhere_is_forgotten_by_logout() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    grow_late(&app, "otto").await;
    let shell = Shell::of(&app, &url, "nobody").await;
    shell.muster("login --name otto").await.done();
    let ada = Shell::of(&app, &url, "ada").await;
    ada.muster("sessions end-all --user otto").await.done();
    let said = shell.muster("logout").await.done();
    assert_eq!(said, "The session was over already; it is not kept any more.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_teams_and_tokens_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let ada = Shell::of(&app, &url, "ada").await;
    ada.run(["teams", "create", "payments", "--description", "cards & cash"]).await.done();
    assert!(ada.muster("teams list").await.done().contains("cards & cash"));
    let nora = json!({"name": "nora", "password": "correct horse battery",
        "grants": [{"role": "viewer", "team": "payments"}]});
    let file = ada.file("nora.json", &nora.to_string());
    let made = ada.run(["people", "create", &file]).await.done();
    assert!(!made.contains("correct horse"), "{made}");
    let disable = ada.file("disable.json", r#"{"disabled": true}"#);
    ada.run(["people", "edit", "nora", &disable]).await.done();
    let listed = ada.muster("people list").await.done();
    assert!(
        listed.contains("nora") && listed.contains("viewer of payments") && listed.contains("disabled"),
        "{listed}"
    );
    let made: Value =
        serde_json::from_str(&ada.muster("tokens create pipeline --days 7").await.done()).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = ada.muster("tokens list").await.done();
    assert!(listed.contains(id) && !listed.contains(secret), "{listed}");
    let pipeline =
        Shell { url: url.clone(), token: Some(secret.to_owned()), home: ada.home.join("pipeline") };
    pipeline.muster("teams list").await.done();
    ada.run(["tokens", "revoke", id]).await.done();
    assert_eq!(pipeline.muster("teams list").await.code, 1);
    let completion = ada.muster("completion bash").await.done();
    assert!(completion.contains("complete -F _muster"), "{completion}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_teams_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let ada = Shell::of(&app, &url, "ada").await;
    let lost = Shell::of(&app, &url, "otto").await;
    let listed = ada.muster("sessions list").await.done();
    assert!(listed.contains("this one"), "{listed}");
    let others: Value =
        serde_json::from_str(&ada.muster("sessions list --user otto --json").await.done()).unwrap();
    let id = others["items"][0]["id"].as_str().unwrap();
    assert_eq!(ada.run(["sessions", "end", id]).await.done(), format!("Session {id} has ended.\n"));
    assert_eq!(lost.muster("teams list").await.code, 1);
    let again = Shell::of(&app, &url, "otto").await;
    ada.muster("sessions end-all --user otto").await.done();
    assert_eq!(again.muster("teams list").await.code, 1);
    ada.muster("sessions end-all").await.done();

    ada.muster("teams create ledger").await.done();
    ada.run(["teams", "edit", "ledger", "--description", "Books"]).await.done();
    assert!(ada.muster("teams show ledger").await.done().contains("\"description\": \"Books\""));
    let held = ada.run(["teams", "delete", app.team.as_str()]).await;
    assert!(held.code == 1 && held.err.contains("pairs: orders"), "{}", held.err);
    assert_eq!(ada.muster("teams delete ledger").await.done(), "Team ledger is removed.\n");
}
