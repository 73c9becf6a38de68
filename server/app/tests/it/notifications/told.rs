//! What teams are told: with the change and not before it, once, and by the channels that ask.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use muster_app::loops::drill::{record_one, tell_one};
use muster_domain::people::Actor;
use muster_kafka::double::Health;
use muster_operations::decisions;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{EVERYTHING, webhook, written};
use crate::{decisions::Failing, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_from_the_request_to_the_end() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let (_, run) = crate::runs::requested(&app).await;
    assert_eq!(written(&app).await, ["approval_needed"]);
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    let otto = app.as_user("otto").await;
    assert_eq!(otto.post(&path("start"), json!({})).await.status, 409, "not approved yet");
    assert_eq!(otto.post(&path("approve"), json!({})).await.status, 403);
    assert_eq!(written(&app).await, ["approval_needed"], "what is refused is told nobody");
    app.as_user("abel").await.post(&path("approve"), json!({})).await.done();
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    otto.post(&path("confirm"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    assert_eq!(written(&app).await, ["approval_needed", "run_started", "waiting_for_input", "ended"]);
    let events: Vec<Value> = sqlx::query_scalar("select body from notification order by number")
        .fetch_all(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(events[1]["by"], "otto");
    assert_ne!(events[2]["question"], "");
    assert_eq!((&events[3]["run"]["state"], &events[3]["driver"]), (&json!("succeeded"), &json!("otto")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_and_so_is_what_comes_of_it() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let run = crate::decisions::started(&app, true).await;
    let failing = app.engine.clone().with_hooks(Arc::new(Failing("rehearse_translation")));
    failing.run_pending().await.unwrap();
    let otto = app.as_user("otto").await;
    otto.post(&format!("/api/v1/runs/{run}/retry"), json!({"reason": "again"})).await.done();
    app.engine.run_pending().await.unwrap();
    let told = ["approval_needed", "run_started", "paused_by_failure", "waiting_for_input"];
    assert_eq!(written(&app).await, told, "the last one asks for the attestation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_taken_back_is_told_nobody() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let (_, run) = crate::runs::requested(&app).await;
    let abel = Actor {
        id: crate::test_app::id("abel"),
        name: "abel".to_owned(),
        grants: vec![muster_domain::people::Grant {
            role: muster_domain::people::Role::Approver,
            team: None,
        }],
    };
    let mut tx = muster_store::begin(&app.app.pool).await.unwrap();
    decisions::reject(&mut tx, run, "no", &abel).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(written(&app).await, ["approval_needed"]);
    let mut tx = muster_store::begin(&app.app.pool).await.unwrap();
    decisions::reject(&mut tx, run, "no", &abel).await.unwrap();
    assert_eq!(written(&app).await, ["approval_needed"], "not before it is committed");
    tx.commit().await.unwrap();
    assert_eq!(written(&app).await, ["approval_needed", "ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_channels_of_the_team_that_ask_are_told() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let of = |name: &str, team: &str, events: Value, enabled: bool| {
        json!({"team": team, "name": name, "kind": "slack", "events": events, "enabled": enabled,
            "url": "https://a.example"})
    };
    let team = app.team.to_string();
    let asks = olga.post("/api/v1/channels", of("asks", &team, json!(EVERYTHING), true)).await.done();
    let other = olga.post("/api/v1/channels", of("other", &team, json!(["drill_due"]), true)).await.done();
    let off = olga.post("/api/v1/channels", of("off", &team, json!(EVERYTHING), false)).await.done();
    let orla = app.as_user("orla").await;
    let away = orla.post("/api/v1/channels", of("away", "elsewhere", json!(EVERYTHING), true)).await.done();
    crate::runs::requested(&app).await;
    let sent = async |channel: &Value| -> usize {
        let path = format!("/api/v1/channels/{}/deliveries", channel["id"].as_str().unwrap());
        let who = if channel["team"] == "elsewhere" { "orla" } else { "vera" };
        app.as_user(who).await.get(&path).await.done()["items"].as_array().unwrap().len()
    };
    assert_eq!((sent(&asks).await, sent(&other).await, sent(&off).await, sent(&away).await), (1, 0, 0, 0));
    // What a channel was to send is given up when it is switched off.
    let path = format!("/api/v1/channels/{}", asks["id"].as_str().unwrap());
    olga.patch(&path, json!({"enabled": false})).await.done();
    let given_up = olga.get(&format!("{path}/deliveries")).await.done()["items"][0].clone();
    assert_eq!(
        (&given_up["state"], &given_up["last_error"]),
        (&json!("gave_up"), &json!("the channel was switched off"))
    );
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

/// A schedule whose first occurrence is recorded; the schedule, and when it is due and closes.
async fn recorded(app: &TestApp, drill: &str) -> (Uuid, DateTime<Utc>, DateTime<Utc>) {
    let new = json!({"pair": "orders", "drill": drill, "cadence": {"every": "cron", "expression": "0 9 * * 4"}, "lead_days": 0,
        "window_minutes": 120});
    let made = app.as_user("olga").await.post("/api/v1/schedules", new).await.done();
    let due = time(&made["next"][0]["due"]);
    assert!(record_one(&app.app.pool, due).await.unwrap());
    (made["id"].as_str().unwrap().parse().unwrap(), due, due + TimeDelta::hours(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_told_once_as_due_and_once_as_overdue_whoever_dies() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let (_, due, closes) = recorded(&app, "switchover").await;
    let pool = &app.app.pool;
    assert!(!tell_one(pool, due - TimeDelta::seconds(1)).await.unwrap(), "not before it is due");
    for (told, now) in [(1, due), (2, closes)] {
        let mut died = 0;
        for life in (0..).map(|n| Duration::from_micros(n * 300)) {
            let (one, other) = tokio::join!(
                tokio::time::timeout(life, tell_one(pool, now)),
                tokio::time::timeout(life / 2, tell_one(pool, now))
            );
            died += [one, other].iter().filter(|ended| ended.is_err()).count();
            // Who died may have come to its commit, or holds the row for a moment longer: only what is written counts.
            if written(&app).await.len() >= told {
                break;
            }
        }
        assert!(died > 0, "nobody died: the test shows nothing");
        assert!(!tell_one(pool, now).await.unwrap(), "once");
    }
    assert_eq!(written(&app).await, ["drill_due", "drill_overdue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_runs_by_itself_is_told_only_as_overdue() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let (_, due, closes) = recorded(&app, "readiness_drill").await;
    for now in [due, closes] {
        assert!(tell_one(&app.app.pool, now).await.unwrap());
    }
    assert_eq!(written(&app).await, ["drill_overdue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_passed_is_not_told_as_overdue() {
    let app = TestApp::with_pair().await;
    let (schedule, _, closes) = recorded(&app, "switchover").await;
    let run = crate::decisions::started(&app, true).await;
    sqlx::query("update run set state = 'passed' where id = $1")
        .bind(run)
        .execute(&app.app.pool)
        .await
        .unwrap();
    webhook(&app, "bot", "https://a.example").await;
    assert!(tell_one(&app.app.pool, closes).await.unwrap());
    assert!(!tell_one(&app.app.pool, closes).await.unwrap());
    assert_eq!(written(&app).await, Vec::<String>::new());
    // A schedule that was removed is nobody's duty any more.
    sqlx::query("update drill_occurrence set overdue_told_at = null").execute(&app.app.pool).await.unwrap();
    app.as_user("olga").await.delete(&format!("/api/v1/schedules/{schedule}")).await;
    assert!(!tell_one(&app.app.pool, closes).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_told_when_it_gets_worse_and_when_it_stays_better() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let health = |health| app.small.world.lock().cluster_mut("eu-west").health = health;
    app.observe("orders").await;
    let before = written(&app).await.len();
    let told = async || written(&app).await.split_off(before);
    health(Health::Dead);
    app.observe("orders").await;
    assert_eq!(told().await, ["readiness_worse"]);
    app.observe("orders").await;
    assert_eq!(told().await, ["readiness_worse"], "once");
    let event: Value = sqlx::query_scalar("select body from notification order by number desc limit 1")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert_eq!((&event["to"], &event["pair"]), (&json!("critical"), &json!("orders")));
    health(Health::Up);
    app.observe("orders").await;
    app.observe("orders").await;
    assert_eq!(told().await, ["readiness_worse"], "better must last");
    let age = "update readiness set better_since = better_since - interval '61 seconds'";
    sqlx::query(age).execute(&app.app.pool).await.unwrap();
    app.observe("orders").await;
    assert_eq!(told().await, ["readiness_worse", "readiness_better"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_no_news_while_a_run_moves_the_pair() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let run = crate::decisions::started(&app, false).await;
    let before = written(&app).await;
    app.small.world.lock().cluster_mut("eu-west").health = Health::Dead;
    app.observe("orders").await;
    assert_eq!(written(&app).await, before);
    sqlx::query("update run set state = 'failed' where id = $1")
        .bind(run)
        .execute(&app.app.pool)
        .await
        .unwrap();
    app.observe("orders").await;
    assert_eq!(written(&app).await.last().unwrap(), "readiness_worse");
}
