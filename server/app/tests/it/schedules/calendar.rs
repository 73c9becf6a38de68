//! The calendar of drills, for calendar programs.

use chrono::TimeDelta;
use muster_app::loops::drill::{prepare_one, record_one};
use serde_json::json;

use super::{time, weekly};
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_shows_drills_by_its_address_alone() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let mut new = weekly();
    // What people type is text in a calendar too, and begins no line of its own.
    new["owners"] = json!(["olga, boss; \\\r\nATTENDEE:mailto:evil@example.org\r\nEND:VEVENT"]);
    let made = olga.post("/api/v1/schedules", new).await.done();
    let due = time(&made["next"][0]["due"]);
    assert!(record_one(&app.app.pool, due - TimeDelta::days(2)).await.unwrap());
    assert!(prepare_one(&app.app.pool, due - TimeDelta::days(2)).await.unwrap());
    let token = json!({"name": "calendar", "days": 90, "scopes": ["calendar"]});
    let token = olga.post("/api/v1/tokens", token).await.done()["token"].as_str().unwrap().to_owned();
    let nobody = app.as_user("nobody").await;
    let feed = format!("/api/v1/calendar.ics?team={}&key={token}", app.team);
    let calendar = nobody.get(&feed).await;
    assert_eq!(
        (calendar.status.as_u16(), calendar.header("content-type")),
        (200, "text/calendar; charset=utf-8")
    );
    let unfolded = calendar.text.replace("\r\n ", "");
    let lines: Vec<&str> = unfolded.split("\r\n").collect();
    let starts = format!("DTSTART:{}", due.format("%Y%m%dT%H%M%SZ"));
    assert_eq!(lines.iter().filter(|line| **line == starts).count(), 1, "{unfolded}");
    let events = lines.iter().filter(|line| **line == "BEGIN:VEVENT").count();
    assert_eq!(events, lines.iter().filter(|line| **line == "END:VEVENT").count());
    assert!(events > 50, "a year of weeks: {events}");
    assert!(!lines.iter().any(|line| line.starts_with("ATTENDEE")), "{unfolded}");
    let uids: std::collections::BTreeSet<&&str> =
        lines.iter().filter(|line| line.ends_with("@muster")).collect();
    assert_eq!(uids.len(), events, "each has a name of its own");
    assert!(unfolded.contains("/runs/"), "the one that was recorded leads to its run");
    // The key opens nothing else, and other tokens do not open the calendar by its address.
    let elsewhere = nobody.get(&format!("/api/v1/runs?key={token}")).await;
    assert_eq!(elsewhere.problem(), ("sign-in-required".to_owned(), 401));
    let header = format!("Bearer {token}");
    let sent = nobody
        .request(axum::http::Method::GET, "/api/v1/calendar.ics", None, &[("authorization", &header)])
        .await;
    assert_eq!(sent.status, 401);
    let reads = json!({"name": "reads", "days": 90, "scopes": ["read"]});
    let reads = olga.post("/api/v1/tokens", reads).await.done()["token"].as_str().unwrap().to_owned();
    assert_eq!(nobody.get(&format!("/api/v1/calendar.ics?key={reads}")).await.status, 401);
    let others = olga.get("/api/v1/calendar.ics?team=nobodys").await;
    assert_eq!(others.problem().0, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_of_a_team_shows_what_came_due_however_much_others_have() {
    let app = TestApp::with_pair().await;
    let made = app.as_user("olga").await.post("/api/v1/schedules", weekly()).await.done();
    let due = time(&made["next"][0]["due"]);
    assert!(record_one(&app.app.pool, due - TimeDelta::days(2)).await.unwrap());
    assert!(prepare_one(&app.app.pool, due - TimeDelta::days(2)).await.unwrap());
    // Another team has hundreds that came due later.
    let theirs = "
        insert into pair (name, team, cluster_a, cluster_b, mode, body)
        select 'theirs', 'elsewhere', cluster_a, cluster_b, mode, body || '{\"name\": \"theirs\", \"team\": \"elsewhere\"}'
        from pair;
        insert into schedule (id, pair, body)
        select made.id, 'theirs', schedule.body || jsonb_build_object('pair', 'theirs', 'id', made.id::text)
        from schedule, (select gen_random_uuid() as id) as made;
        insert into drill_occurrence (schedule_id, nominal, pair, drill, due, closes)
        select schedule.id, o.due + nth * interval '1 hour', 'theirs', 'switchover', o.due + nth * interval '1 hour',
            o.due + nth * interval '1 hour' + interval '1 minute'
        from drill_occurrence o, schedule, generate_series(1, 250) as nth
        where schedule.pair = 'theirs';";
    sqlx::raw_sql(theirs).execute(&app.app.pool).await.unwrap();
    let calendar =
        app.as_user("ada").await.get(&format!("/api/v1/calendar.ics?team={}", app.team)).await.text;
    let unfolded = calendar.replace("\r\n ", "");
    assert!(unfolded.contains("/runs/"), "its drill leads to its run: {unfolded}");
    assert!(!unfolded.contains("theirs"), "{unfolded}");
}
