//! Channels: who may say where a team is told, and no secret comes out; what is told stands below.

mod told;

use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{receiver::Receiver, test_app::TestApp};

pub(crate) const EVERYTHING: [&str; 10] = [
    "approval_needed",
    "run_started",
    "waiting_for_input",
    "paused_by_failure",
    "ended",
    "readiness_worse",
    "readiness_better",
    "drill_due",
    "drill_overdue",
    "break_glass",
];

pub(crate) const SIGNING_KEY: &str = "a signing key nobody else has";

/// A webhook of the pair's team, told of everything; its id.
pub(crate) async fn webhook(app: &TestApp, name: &str, url: &str) -> Uuid {
    let new = json!({"team": app.team, "name": name, "kind": "webhook", "events": EVERYTHING, "url": url,
        "signing_key": SIGNING_KEY});
    let made = app.as_user("olga").await.post("/api/v1/channels", new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.done()["id"].as_str().unwrap().parse().unwrap()
}

/// Kinds of what is written, in order.
pub(crate) async fn written(app: &TestApp) -> Vec<String> {
    let sql = "select kind from notification order by number";
    sqlx::query_scalar(sql).fetch_all(&app.app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_makes_changes_tries_and_removes_a_channel() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let new = json!({"team": app.team, "name": "room", "kind": "slack", "events": ["ended"],
        "url": "https://hooks.chat.example/services/T0/B0/verysecret"});
    let made = olga.post("/api/v1/channels", new.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.done();
    assert_eq!(
        (&made["host"], &made["secrets_kept"], &made["version"]),
        (&json!("hooks.chat.example"), &json!(["url"]), &json!(1))
    );
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    assert_eq!(olga.post("/api/v1/channels", new.clone()).await.problem().0, "name-taken");
    let refused = app.as_user("otto").await.post("/api/v1/channels", new.clone()).await;
    assert_eq!(refused.problem(), ("forbidden".to_owned(), 403));
    let elsewhere = app.as_user("orla").await;
    assert_eq!(elsewhere.post("/api/v1/channels", new).await.problem().0, "forbidden");
    assert_eq!(elsewhere.get(&path).await.problem().0, "forbidden");
    assert_eq!(elsewhere.get("/api/v1/channels").await.done()["items"], json!([]));

    let first = [("if-match", "\"1\"")];
    let change = json!({"events": ["ended", "paused_by_failure"], "enabled": false});
    let changed = olga.request(Method::PATCH, &path, Some(change.clone()), &first).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(changed.done()["enabled"], false);
    let late = olga.request(Method::PATCH, &path, Some(change), &first).await;
    assert_eq!(late.problem(), ("edited-in-between".to_owned(), 412));
    let tried = olga.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(tried.status, StatusCode::ACCEPTED, "{}", tried.text);
    let sent = olga.get(tried.header("location")).await.done();
    assert_eq!(sent["items"][0], tried.done());
    assert_eq!((&sent["items"][0]["event"], &sent["items"][0]["state"]), (&json!("test"), &json!("waiting")));
    assert_eq!(olga.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(olga.get(&path).await.problem().0, "not-found");
    for action in ["channel.create", "channel.change", "channel.test", "channel.delete"] {
        let entries = app.audited(action).await;
        let done: Vec<_> = entries.iter().filter(|entry| entry.2 == "done").collect();
        assert_eq!(done.len(), 1, "{action}: {entries:?}");
        assert_eq!(done[0].0, "olga");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_does_not_hold_together_is_refused_with_words() {
    let app = TestApp::guarded().await;
    let olga = app.as_user("olga").await;
    let with = |more: Value| {
        let mut new = json!({"team": app.team, "name": "x", "kind": "slack", "events": ["ended"]});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    let email = |to: &str| with(json!({"kind": "email", "recipients": [to]}));
    let cases = [
        (with(json!({})), "needs `url`"),
        (with(json!({"url": "ftp://files.example"})), "not http: or https:"),
        (with(json!({"url": "nonsense"})), "cannot be used"),
        (with(json!({"url": "http://169.254.169.254/latest"})), "not a public address"),
        (with(json!({"url": "http://0x7f.1/"})), "not a public address"),
        (with(json!({"url": "http://[::ffff:10.0.0.1]/"})), "not a public address"),
        (with(json!({"events": [], "url": "https://a.example"})), "at least one kind"),
        (with(json!({"events": ["test"], "url": "https://a.example"})), "no event a channel asks for"),
        (with(json!({"kind": "webhook", "url": "https://a.example"})), "needs `signing_key`"),
        (with(json!({"kind": "pagerduty", "routing_key": "no spaces"})), "letters and digits"),
        (email("nobody"), "no mail address"),
        (email("a@b.example\r\nBcc: c@d.example"), "no mail address"),
        (with(json!({"kind": "email"})), "1 to 20 recipients"),
        (with(json!({"kind": "smoke"})), "unknown variant"),
        (with(json!({"name": "No Name", "url": "https://a.example"})), "not a usable name"),
    ];
    for (new, words) in cases {
        let refused = olga.post("/api/v1/channels", new.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{new}");
        assert!(refused.text.contains(words), "{new}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_by_form_edited_and_shown() {
    let app = TestApp::with_pair().await;
    let olga = app.as_browser_of("olga").await;
    let team = app.team.to_string();
    let fields = [
        ("team", team.as_str()),
        ("name", "room"),
        ("kind", "teams"),
        ("url", "https://flows.example/hook/verysecret"),
        ("approval_needed", "on"),
        ("ended", "on"),
    ];
    let wrong: Vec<_> = fields.iter().filter(|field| field.0 != "url").copied().collect();
    let refused = olga.form("/notifications", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("needs <code>url</code>") || refused.text.contains("needs `url`"),
        "{}",
        refused.text
    );
    assert_eq!(olga.form("/notifications", &fields).await.status, 303);
    let page = olga.get("/notifications").await.text;
    assert!(page.contains("Microsoft Teams: flows.example") && !page.contains("verysecret"), "{page}");
    let edit = page.split("href=\"/notifications/").nth(1).unwrap().split('"').next().unwrap();
    let edit = format!("/notifications/{edit}");
    let form = olga.get(&edit).await.text;
    assert!(form.contains("Set, never shown") && !form.contains("verysecret"), "{form}");
    let change = [("name", "salon"), ("ended", "on"), ("enabled", "on"), ("version", "1")];
    assert_eq!(olga.form(&edit, &change).await.status, 303);
    let page = olga.get("/notifications").await.text;
    assert!(page.contains("salon") && page.contains("<td>run ended, break-glass</td>"), "{page}");
    let id = edit.split('/').nth(2).unwrap();
    assert_eq!(olga.form(&format!("/notifications/{id}/test"), &[]).await.status, 303);
    let gone = olga.form(&format!("/notifications/{id}/remove"), &[("version", "2")]).await;
    assert_eq!(gone.status, 303, "{}", gone.text);
    let viewer = app.as_browser_of("vera").await.get("/notifications").await.text;
    assert!(viewer.contains("Owners of a team set up its channels"), "{viewer}");
}

#[tokio::test]
async fn no_secret_is_in_replies_pages_audit_or_log() {
    let log = crate::kept_lines::Lines::default();
    let _kept = log.keep();
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let olga = app.as_user("olga").await;
    let url = format!("{}/topsecretpath?token=topsecrettoken", receiver.url);
    let url = url.replace("http://", "http://user:topsecretpassword@");
    let new = json!({"team": app.team, "name": "bot", "kind": "webhook", "events": EVERYTHING, "url": url,
        "signing_key": "topsecretsigningkey"});
    let made = olga.post("/api/v1/channels", new).await;
    let key = json!({"team": app.team, "name": "pager", "kind": "pagerduty", "events": ["ended"],
        "routing_key": "topsecretroutingkey", "url": format!("{}/topsecretpath", receiver.url)});
    let pager = olga.post("/api/v1/channels", key).await;
    let mut seen = vec![made.text.clone(), pager.text.clone()];
    receiver.answer(500);
    for channel in [made.done(), pager.done()] {
        let path = format!("/api/v1/channels/{}", channel["id"].as_str().unwrap());
        olga.post(&format!("{path}/test"), json!({})).await;
        app.app.courier.deliver_one(Utc::now() + TimeDelta::seconds(1)).await.unwrap();
        seen.push(olga.patch(&path, json!({"enabled": true})).await.text);
        for path in [path.clone(), format!("{path}/deliveries")] {
            seen.push(olga.get(&path).await.text);
        }
        let edit = format!("/notifications/{}/edit", channel["id"].as_str().unwrap());
        seen.push(app.as_browser_of("olga").await.get(&edit).await.text);
    }
    assert_eq!(receiver.got().len(), 2);
    seen.push(olga.get("/api/v1/channels").await.text);
    seen.push(app.as_browser_of("olga").await.get("/notifications").await.text);
    seen.push(app.as_user("ada").await.get("/api/v1/audit").await.text);
    let logged = log.text();
    assert!(logged.contains("was not told of test"), "{logged}");
    seen.push(logged);
    for text in seen {
        assert!(!text.contains("topsecret"), "{text}");
        assert!(!text.contains("the words of the endpoint"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotating_the_secrets_key_takes_channels_along() {
    let app = TestApp::with_pair().await;
    let id = webhook(&app, "bot", "https://a.example/secret").await;
    let (old, new) = (&app.app.secrets_key, muster_store::secrets::SecretsKey::from_bytes([9; 32]));
    let mut tx = muster_store::begin(&app.app.pool).await.unwrap();
    let rotated = muster_store::secrets::rotate(&mut tx, old, &new).await.unwrap();
    assert_eq!(rotated.rewrapped, 2);
    assert!(muster_store::secrets::channels::get(&mut tx, old, id).await.is_err());
    let opened = muster_store::secrets::channels::get(&mut tx, &new, id).await.unwrap();
    assert_eq!(opened.fields().len(), 2);
}
