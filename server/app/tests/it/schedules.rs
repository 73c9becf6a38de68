//! Drill schedules: who makes, changes and removes them; below it, what comes of them.

mod calendar;
mod firing;
mod pages;
mod readiness_drills;
mod taken_back;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::test_app::TestApp;

fn weekly() -> Value {
    json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 * * 4"}, "zone": "Europe/Berlin",
        "window_minutes": 120, "lead_days": 2, "owners": ["olga"],
        "blackouts": [{"from": "2026-12-24", "until": "2027-01-01", "reason": "holidays"}]})
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

/// The only occurrence there is came due a minute ago.
async fn make_due(app: &TestApp) {
    let due = "update drill_occurrence
        set nominal = clock_timestamp() - interval '1 minute',
            due = clock_timestamp() - interval '1 minute',
            closes = clock_timestamp() + interval '1 hour'
        where skipped_why is null";
    assert_eq!(sqlx::query(due).execute(&app.app.pool).await.unwrap().rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_makes_changes_and_removes_a_schedule() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let made = olga.post("/api/v1/schedules", weekly()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.done();
    assert_eq!(made["next"].as_array().unwrap().len(), 4);
    let path = format!("/api/v1/schedules/{}", made["id"].as_str().unwrap());
    let refused = app.as_user("otto").await.post("/api/v1/schedules", weekly()).await;
    assert_eq!(refused.problem(), ("forbidden".to_owned(), 403));
    let off = olga
        .request(axum::http::Method::PATCH, &path, Some(json!({"enabled": false})), &[("if-match", "\"1\"")])
        .await;
    assert_eq!(off.done()["next"], json!([]));
    let late = olga
        .request(axum::http::Method::PATCH, &path, Some(json!({"enabled": true})), &[("if-match", "\"1\"")])
        .await;
    assert_eq!(late.problem(), ("edited-in-between".to_owned(), 412));
    let mut wrong = weekly();
    wrong["cadence"]["expression"] = json!("0 9 30 2 *");
    let wrong = olga.post("/api/v1/schedules", wrong).await;
    assert_eq!(wrong.problem(), ("invalid-request".to_owned(), 422));
    assert!(wrong.text.contains("never comes"), "{}", wrong.text);
    let gone = olga.request(axum::http::Method::DELETE, &path, None, &[]).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert_eq!(olga.get("/api/v1/schedules").await.done()["items"], json!([]));
    for action in ["schedule.create", "schedule.change", "schedule.delete"] {
        assert!(app.audited(action).await.iter().any(|entry| entry.2 == "done"), "{action}");
    }
}
