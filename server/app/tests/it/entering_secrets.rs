//! Where secrets are entered, it is by somebody who has just shown that they are there: whoever finds a browser open must not be
//! able to have messages sent to themselves, or credentials used that they brought along.

use axum::http::{Method, header};
use chrono::Utc;
use muster_app::auth::tokens::Audience;
use muster_store::{people, sessions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    session::Session,
    test_app::{TestApp, id},
};

pub(crate) const PASSWORD: &str = "correct horse battery";
const FILE: &str = "clusters = eu-west, eu-central\neu-west.bootstrap.servers = a:9092\n\
    eu-central.bootstrap.servers = b:9092\neu-west->eu-central.enabled = true\n\
    eu-west->eu-central.topics = carts.*\n";

/// Olga's browser and program, who signed in twenty minutes ago.
pub(crate) async fn late(app: &TestApp) -> (Session<'_>, Session<'_>) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let hash = app.app.hashing.hash_password(PASSWORD.to_owned()).await.unwrap();
    people::set_password_hash(&mut conn, id("olga"), &hash.into()).await.unwrap();
    let sid = Uuid::now_v7();
    sessions::insert(&mut conn, sid, id("olga"), 3600.0, "test", "").await.unwrap();
    sqlx::query("update session set stepped_up_at = stepped_up_at - interval '20 minutes' where id = $1")
        .bind(sid)
        .execute(&mut *conn)
        .await
        .unwrap();
    let sign = |audience| app.app.tokens.sign(audience, sid, Utc::now().timestamp(), 3600).unwrap();
    let bearer = format!("Bearer {}", sign(Audience::Machine));
    let cookie = format!("muster={}", sign(Audience::Browser));
    (
        Session::new(app, Some(("cookie", cookie))),
        Session::new(app, Some((header::AUTHORIZATION.as_str(), bearer))),
    )
}

fn channel(app: &TestApp, name: &str) -> Value {
    json!({"team": app.team, "name": name, "kind": "slack", "events": ["ended"], "url": "https://chat.example/verysecret"})
}

/// Muster with clusters and no pair, and a channel; the channel's address in the API.
async fn with_channel() -> (TestApp, String) {
    let app = TestApp::with_pair().await;
    sqlx::query("delete from pair").execute(&app.app.pool).await.unwrap();
    let made = app.as_user("olga").await.post("/api/v1/channels", channel(&app, "room")).await.done();
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    (app, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_session_is_late_shows_who_is_there_and_a_token_has_shown_it() {
    let (app, path) = with_channel().await;
    let (_, program) = late(&app).await;
    let file = json!({"text": FILE, "team": app.team, "name": "carts"});
    let asked = [
        (Method::POST, "/api/v1/channels", channel(&app, "new")),
        (Method::PATCH, path.as_str(), json!({"url": "https://elsewhere.example/x"})),
        (Method::POST, "/api/v1/pairs/import", file.clone()),
    ];
    for (method, path, body) in &asked {
        let refused = program.request(method.clone(), path, Some(body.clone()), &[]).await;
        assert_eq!(refused.problem(), ("reauthentication-needed".to_owned(), 403), "{path}");
    }
    for action in ["channel.create", "channel.change", "pair.import"] {
        let last = app.audited(action).await.pop().unwrap();
        assert_eq!((last.0.as_str(), last.2.as_str()), ("olga", "refused"), "{action}");
    }
    let token =
        app.as_user("olga").await.post("/api/v1/tokens", json!({"name": "robot", "days": 1})).await.done();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let robot = Session::new(&app, Some((header::AUTHORIZATION.as_str(), bearer)));
    robot.post("/api/v1/channels", channel(&app, "robots")).await.done();

    let again = program.post("/api/v1/session/reauthenticate", json!({"password": PASSWORD})).await;
    assert_eq!(again.status, 204, "{}", again.text);
    for (method, path, body) in asked {
        program.request(method, path, Some(body), &[]).await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_whoever_is_late_through_showing_who_they_are() {
    let (app, path) = with_channel().await;
    let (olga, _) = late(&app).await;
    let html = [("accept", "text/html")];
    let edit = format!("{}/edit", path.replace("/api/v1/channels", "/notifications"));
    for page in [edit.as_str(), "/pairs/import"] {
        let sent = olga.request(Method::GET, page, None, &html).await;
        assert_eq!(sent.header("location"), format!("/reauthenticate?next={page}"), "{}", sent.text);
    }
    let team = app.team.to_string();
    let new = [
        ("team", team.as_str()),
        ("name", "salon"),
        ("kind", "slack"),
        ("url", "https://chat.example/verysecret"),
        ("ended", "on"),
    ];
    let import = [("properties", FILE), ("team", team.as_str()), ("act", "import")];
    let change = [("name", "salon"), ("ended", "on"), ("enabled", "on"), ("version", "1")];
    for (path, fields) in
        [("/notifications", &new[..]), (edit.as_str(), &change[..]), ("/pairs/import", &import[..])]
    {
        let sent = olga.form(path, fields).await;
        assert_eq!(sent.header("location"), "/reauthenticate", "{path}: {}", sent.text);
    }
    // The page that others only read has the way instead of the form.
    let page = olga.request(Method::GET, "/notifications", None, &html).await.text;
    assert!(page.contains("href=\"/reauthenticate?next=/notifications\""), "{page}");
    assert!(!page.contains("name=\"url\"") && page.contains("room"), "{page}");

    let again = [("password", PASSWORD), ("next", "/notifications")];
    assert_eq!(olga.form("/reauthenticate", &again).await.header("location"), "/notifications");
    let page = olga.request(Method::GET, "/notifications", None, &html).await.text;
    assert!(page.contains("name=\"url\"") && !page.contains("/reauthenticate"), "{page}");
    assert_eq!(olga.form("/notifications", &new).await.header("location"), "/notifications?done=created");
    assert!(olga.form("/pairs/import", &import).await.text.contains("Imported"));

    // What was sent in time and is to be corrected is shown again, whatever the time.
    sqlx::query("update session set stepped_up_at = stepped_up_at - interval '10 minutes'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let wrong: Vec<_> = new.iter().filter(|field| field.0 != "url").copied().collect();
    let refused = olga.form("/notifications", &wrong).await;
    assert!(refused.status == 422 && refused.text.contains("value=\"salon\""), "{}", refused.text);
}
