//! What is told of people's work: runs, messages that wait, findings, drills.

use axum::http::Method;
use chrono::{TimeDelta, Utc};
use muster_app::loops::drill::record_one;
use serde_json::json;

use super::Scrape;
use crate::{notifications::webhook, receiver::Receiver, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_while_it_lasts_and_by_what_it_measured() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    assert_eq!(Scrape::of(&app.app).await.value(r#"muster_runs{state="awaiting_approval"}"#), 1.0);
    abel.post(&path("approve"), json!({})).await.done();
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    let waiting = Scrape::of(&app.app).await;
    let active = r#"muster_run_active{pair="orders",operation="switchover",state="waiting_for_input"}"#;
    assert_eq!(waiting.value(active), 1.0);
    assert_eq!(waiting.count("muster_run_active_seconds"), 1);
    otto.post(&path("confirm"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();

    let ended = Scrape::of(&app.app).await;
    let run = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended.value(r#"muster_runs{state="succeeded"}"#), 1.0);
    assert_eq!(ended.count("muster_run_active"), 0);
    let of = |name: &str| ended.value(&format!(r#"{name}{{pair="orders",operation="switchover"}}"#));
    assert_eq!(of("muster_run_last_lost_records"), 0.0);
    assert!(of("muster_run_last_duration_seconds") > 0.0);
    let phases = run["outcome"]["rto_ms_by_phase"].as_object().unwrap();
    let rto: i64 = phases.iter().filter(|(p, _)| *p != "decide").map(|(_, ms)| ms.as_i64().unwrap()).sum();
    assert_eq!(of("muster_run_last_rto_seconds"), rto as f64 / 1000.0);
    assert_eq!(ended.count("muster_run_last_phase_seconds"), phases.len());
    assert_eq!(ended.count("muster_last_proof_timestamp_seconds"), 1);
    let end =
        r#"muster_run_last_end_timestamp_seconds{pair="orders",operation="switchover",state="succeeded"}"#;
    assert!(ended.value(end) > 1e9);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_are_told_by_kind_until_they_arrive() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let none = Scrape::of(&app.app).await;
    assert_eq!(none.value(r#"muster_messages_undelivered{kind="webhook"}"#), 0.0);
    assert_eq!(
        none.count("muster_messages_oldest_undelivered_seconds"),
        0,
        "nothing waits, so nothing has an age"
    );
    webhook(&app, "bot", &receiver.url).await;
    crate::runs::requested(&app).await;
    sqlx::query("update notification set created_at = created_at - interval '20 minutes'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let waits = Scrape::of(&app.app).await;
    assert_eq!(waits.value(r#"muster_messages_undelivered{kind="webhook"}"#), 1.0);
    assert_eq!(waits.value(r#"muster_messages_undelivered{kind="email"}"#), 0.0);
    assert!(waits.value(r#"muster_messages_oldest_undelivered_seconds{kind="webhook"}"#) >= 1200.0);
    assert!(app.app.courier.deliver_one(Utc::now() + TimeDelta::seconds(1)).await.unwrap());
    let arrived = Scrape::of(&app.app).await;
    assert_eq!(arrived.value(r#"muster_messages_undelivered{kind="webhook"}"#), 0.0);
    assert_eq!(arrived.count("muster_messages_oldest_undelivered_seconds"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_findings_are_told_by_severity() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let new = json!({"pair": "orders", "text": "DNS is cached", "severity": "high"});
    let raised = otto.post("/api/v1/findings", new).await.done();
    let high = r#"muster_findings_open{severity="high"}"#;
    let open = Scrape::of(&app.app).await;
    assert_eq!((open.value(high), open.value(r#"muster_findings_open{severity="low"}"#)), (1.0, 0.0));
    let path = format!("/api/v1/findings/{}", raised["id"].as_str().unwrap());
    let close = json!({"closed": {"resolution": "TTL lowered"}});
    otto.request(Method::PATCH, &path, Some(close), &[("if-match", "\"1\"")]).await.done();
    assert_eq!(Scrape::of(&app.app).await.value(high), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_overdue_until_one_has_passed() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    assert_eq!(Scrape::of(&app.app).await.count("muster_drills_overdue"), 0, "there is no schedule");
    let weekly = json!({"pair": "orders", "drill": "readiness_drill", "window_minutes": 60, "lead_days": 0,
        "cadence": {"every": "cron", "expression": "0 9 * * 4"}});
    let made = olga.post("/api/v1/schedules", weekly).await.done();
    let overdue = r#"muster_drills_overdue{pair="orders",drill="readiness_drill"}"#;
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 0.0, "none came due");
    // Two weeks went by and nobody held one.
    sqlx::query("update schedule set next_nominal = next_nominal - interval '21 days', next_at = next_at - interval '21 days'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    while record_one(&app.app.pool, Utc::now()).await.unwrap() {}
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 1.0, "one schedule, however many times");

    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let plan = json!({"operation": "readiness_drill", "to": "eu-central"});
    let plan = otto.post("/api/v1/pairs/orders/plans", plan).await.done();
    let run = otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "late"})).await.done();
    let path = |verb: &str| format!("/api/v1/runs/{}/{verb}", run["id"].as_str().unwrap());
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    assert_eq!(Scrape::of(&app.app).await.value(overdue), 1.0, "nobody has attested it");
    abel.post(&path("attest"), json!({"verdict": "passed", "comment": "fine"})).await.done();
    let held = Scrape::of(&app.app).await;
    assert_eq!(held.value(overdue), 0.0);
    assert_eq!(
        held.count("muster_last_proof_timestamp_seconds"),
        0,
        "what only looks proves nothing of a move"
    );

    let off = olga
        .request(
            Method::PATCH,
            &format!("/api/v1/schedules/{}", made["id"].as_str().unwrap()),
            Some(json!({"enabled": false})),
            &[("if-match", "\"1\"")],
        )
        .await;
    off.done();
    assert_eq!(Scrape::of(&app.app).await.count("muster_drills_overdue"), 0, "it is switched off");
}
