//! What a schedule asked for is taken back with it, unless it has begun.

use chrono::{TimeDelta, Utc};
use muster_app::loops::drill::{prepare_one, record_one, tell_one};
use muster_domain::schedule::Schedule;
use serde_json::{Value, json};

use super::{make_due, time, weekly};
use crate::test_app::TestApp;

/// A schedule of readiness drills with one that is due; its address.
async fn due_readiness_drill(app: &TestApp) -> String {
    let mut new = weekly();
    new["drill"] = json!("readiness_drill");
    let made = app.as_user("olga").await.post("/api/v1/schedules", new).await.done();
    let lead = time(&made["next"][0]["due"]) - TimeDelta::days(2);
    assert!(record_one(&app.app.pool, lead).await.unwrap());
    make_due(app).await;
    format!("/api/v1/schedules/{}", made["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_switched_off_starts_nothing_and_tells_nobody() {
    let app = TestApp::with_pair().await;
    let (olga, pool) = (app.as_user("olga").await, &app.app.pool);
    crate::notifications::webhook(&app, "bot", "https://a.example").await;
    let path = due_readiness_drill(&app).await;
    // The brake holds it; then its owner does not want it any more.
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "freeze"})).await.done();
    assert!(prepare_one(pool, Utc::now()).await.unwrap());
    olga.patch(&path, json!({"enabled": false})).await.done();
    olga.delete("/api/v1/brake").await.done();
    let later = Utc::now() + TimeDelta::minutes(11);
    assert!(!prepare_one(pool, later).await.unwrap(), "it starts nothing");
    assert!(!tell_one(pool, later + TimeDelta::hours(2)).await.unwrap(), "it is told to nobody");
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert_eq!(
        (&seen["standing"], &seen["skipped"], &seen["run"]),
        (&json!("skipped"), &json!("its schedule was switched off"), &json!(null)),
        "{seen:#}"
    );
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(pool).await.unwrap();
    assert_eq!(runs, 0);
    let page = app.as_browser_of("olga").await.get("/drills").await.text;
    assert!(page.contains("its schedule was switched off"), "{page}");
    assert!(page.contains("skipped</span>") && !page.contains("<span>overdue</span>"), "{page}");
}

/// A process of the version before ends no occurrence when it switches a schedule off.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_schedule_that_is_off_starts_nothing_either() {
    let app = TestApp::with_pair().await;
    let pool = &app.app.pool;
    due_readiness_drill(&app).await;
    let off = "update schedule set body = jsonb_set(body, '{enabled}', 'false'), next_nominal = null, next_at = null";
    sqlx::query(off).execute(pool).await.unwrap();
    for now in [Utc::now(), Utc::now() + TimeDelta::hours(2)] {
        assert!(!prepare_one(pool, now).await.unwrap());
        assert!(!tell_one(pool, now).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_schedule_asked_for_is_taken_back_with_it_unless_it_has_begun() {
    let app = TestApp::with_pair().await;
    let (olga, pool) = (app.as_user("olga").await, &app.app.pool);
    let made = olga.post("/api/v1/schedules", weekly()).await.done();
    let path = format!("/api/v1/schedules/{}", made["id"].as_str().unwrap());
    let lead = time(&made["next"][0]["due"]) - TimeDelta::days(2);
    assert!(record_one(pool, lead).await.unwrap() && prepare_one(pool, lead).await.unwrap());
    let occurrences =
        async || olga.get("/api/v1/occurrences").await.done()["items"].as_array().unwrap().clone();
    let asked = occurrences().await[0]["run"].as_str().unwrap().to_owned();
    // Another owner's name is no reason to ask for approval again.
    olga.patch(&path, json!({"owners": ["otto"]})).await.done();
    assert_eq!(occurrences().await[0]["run_state"], "awaiting_approval");
    olga.patch(&path, json!({"enabled": false})).await.done();
    assert_eq!(occurrences().await, Vec::<Value>::new(), "it was not due yet");
    let run = olga.get(&format!("/api/v1/runs/{asked}")).await.done();
    assert_eq!(
        (&run["state"], &run["state_reason"]),
        (&json!("expired"), &json!("Withdrawn by olga: its schedule was switched off")),
        "{run:#}"
    );
    // Switched on again it asks again, for the same day and once.
    olga.patch(&path, json!({"enabled": true})).await.done();
    assert!(record_one(pool, lead).await.unwrap() && prepare_one(pool, lead).await.unwrap());
    assert!(!record_one(pool, lead).await.unwrap() && !prepare_one(pool, lead).await.unwrap());
    let again = occurrences().await;
    assert_eq!((again.len(), &again[0]["due"]), (1, &made["next"][0]["due"]));
    assert_ne!(again[0]["run"], json!(asked));
    // What is under way goes on, whatever becomes of its schedule.
    sqlx::query(
        "update run set state = 'running', started_at = clock_timestamp() where state = 'awaiting_approval'",
    )
    .execute(pool)
    .await
    .unwrap();
    olga.delete(&path).await;
    let kept = occurrences().await;
    assert_eq!((&kept[0]["run_state"], &kept[0]["skipped"]), (&json!("running"), &json!("")), "{kept:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_without_drills_put_off_what_was_asked_for_and_not_begun() {
    let app = TestApp::with_pair().await;
    let (olga, pool) = (app.as_user("olga").await, &app.app.pool);
    let made = olga.post("/api/v1/schedules", weekly()).await.done();
    let path = format!("/api/v1/schedules/{}", made["id"].as_str().unwrap());
    let first = made["next"][0].clone();
    let lead = time(&first["due"]) - TimeDelta::days(2);
    assert!(record_one(pool, lead).await.unwrap() && prepare_one(pool, lead).await.unwrap());
    let from = time(&first["due"]).date_naive();
    let until = from + TimeDelta::days(2);
    let edit = json!({"blackouts": [{"from": from, "until": until, "reason": "freeze"}]});
    let edited: Schedule = serde_json::from_value(olga.patch(&path, edit).await.done()).unwrap();
    assert!(!tell_one(pool, time(&first["closes"])).await.unwrap(), "it is not overdue: it is put off");
    let due = edited.occurrence(time(&first["nominal"])).due;
    assert!(due > time(&first["closes"]));
    assert!(record_one(pool, due - TimeDelta::days(2)).await.unwrap());
    assert!(prepare_one(pool, due - TimeDelta::days(2)).await.unwrap());
    let seen = olga.get("/api/v1/occurrences").await.done()["items"].as_array().unwrap().clone();
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!((&seen[0]["nominal"], time(&seen[0]["due"])), (&first["nominal"], due), "{seen:#?}");
    let runs = olga.get("/api/v1/runs").await.done()["items"].as_array().unwrap().clone();
    let states: Vec<&Value> = runs.iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["awaiting_approval", "expired"]);
}

/// Whoever is first wins: a drill that began stays with its occurrence, one that was called off never begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_begins_or_is_called_off_and_never_both() {
    let app = TestApp::with_pair().await;
    let (olga, pool) = (app.as_user("olga").await, &app.app.pool);
    for _ in 0..12 {
        let path = due_readiness_drill(&app).await;
        let (prepared, off) =
            tokio::join!(prepare_one(pool, Utc::now()), olga.patch(&path, json!({"enabled": false})));
        prepared.unwrap();
        off.done();
        let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
        let began = seen["run_state"] == "running" && seen["skipped"] == "";
        let skipped = seen["run"].is_null() && seen["standing"] == "skipped";
        assert!(began || skipped, "{seen:#}");
        let clear = "update run set state = 'inconclusive'; update drill_occurrence set skipped_why = 'done'";
        sqlx::raw_sql(clear).execute(pool).await.unwrap();
    }
}
