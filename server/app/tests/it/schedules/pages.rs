//! Schedules on pages: made and changed by form, and what the fleet says of them.

use chrono::{TimeDelta, Utc};
use muster_app::loops::drill::record_one;
use serde_json::json;

use super::{make_due, time, weekly};
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_by_form_and_shown() {
    let app = TestApp::with_pair().await;
    let olga = app.as_browser_of("olga").await;
    let fields = [
        ("pair", "orders"),
        ("every", "quarter"),
        ("month", "2"),
        ("day", "12"),
        ("at", "09:00"),
        ("zone", "Europe/Berlin"),
        ("window_minutes", "240"),
        ("lead_days", "7"),
        ("blackouts", "2026-12-10 to 2027-01-06 peak <season>"),
        ("owners", "olga, otto"),
    ];
    let wrong: Vec<_> =
        fields.iter().map(|f| if f.0 == "zone" { ("zone", "Europe/Bärlin") } else { *f }).collect();
    let refused = olga.form("/drills", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("is not a time zone"), "{}", refused.text);
    let made = olga.form("/drills", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let page = olga.get("/drills").await;
    assert!(page.text.contains("every quarter, second month, day 12 at 09:00"), "{}", page.text);
    assert!(page.text.contains("2026-12-10 to 2027-01-06"), "{}", page.text);
    let viewer = app.as_browser_of("vera").await.get("/drills").await;
    assert!(!viewer.text.contains("/remove"), "{}", viewer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_changed_and_switched_off_by_form() {
    let app = TestApp::with_pair().await;
    let (olga, api) = (app.as_browser_of("olga").await, app.as_user("olga").await);
    let made = api.post("/api/v1/schedules", weekly()).await.done();
    let id = made["id"].as_str().unwrap();
    let edit = format!("/drills/{id}/edit");
    assert!(olga.get("/drills").await.text.contains(&edit), "the page leads there");
    let form = olga.get(&edit).await.text;
    for kept in
        ["value=\"0 9 * * 4\"", "Europe/Berlin", "2026-12-24 to 2027-01-01 holidays", "value=\"on\" checked"]
    {
        assert!(form.contains(kept), "`{kept}` is not in {form}");
    }
    let sent = |enabled: &'static str, zone: &'static str, version: &'static str| {
        vec![
            ("every", "quarter"),
            ("month", "2"),
            ("day", "12"),
            ("at", "10:30"),
            ("zone", zone),
            ("window_minutes", "60"),
            ("lead_days", "3"),
            ("blackouts", "2026-12-24 to 2027-01-01 holidays\r\n2027-05-01"),
            ("owners", "otto, olga"),
            ("enabled", enabled),
            ("version", version),
        ]
    };
    let refused = olga.form(&edit, &sent("on", "Europe/Bärlin", "1")).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("is not a time zone") && refused.text.contains("10:30"),
        "{}",
        refused.text
    );
    let done = olga.form(&edit, &sent("", "UTC", "1")).await;
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/drills?done=changed"),
        "{}",
        done.text
    );
    let now = api.get(&format!("/api/v1/schedules/{id}")).await.done();
    let expected = json!({
        "cadence": {"every": "quarter", "month": 2, "day": 12, "at": "10:30:00"}, "zone": "UTC", "enabled": false,
        "window_minutes": 60, "lead_days": 3, "owners": ["otto", "olga"], "version": 2,
        "blackouts": [{"from": "2026-12-24", "until": "2027-01-01", "reason": "holidays"},
            {"from": "2027-05-01", "until": "2027-05-01", "reason": ""}],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&now[name], value, "{name}");
    }
    let page = olga.get("/drills").await.text;
    assert!(page.contains("switched off"), "{page}");
    let late = olga.form(&edit, &sent("on", "UTC", "1")).await;
    assert_eq!(late.status, 412, "{}", late.text);
    let again = olga.form(&edit, &sent("on", "UTC", "2")).await;
    assert_eq!(again.status, 303, "{}", again.text);
    let vera = app.as_browser_of("vera").await;
    assert_eq!(vera.get(&edit).await.status, 403);
    assert!(!vera.get("/drills").await.text.contains(&edit));
    let entries = app.audited("schedule.change").await;
    assert_eq!(entries.iter().filter(|entry| entry.2 == "done").count(), 2, "{entries:?}");
}

/// Schedules of a pair, each at another minute.
async fn many_schedules(app: &TestApp, count: usize) {
    let olga = app.as_user("olga").await;
    for minute in 0..count {
        let cadence =
            json!({"every": "cron", "expression": format!("{} {} 1 1 *", minute % 60, minute / 60)});
        olga.post("/api/v1/schedules", json!({"pair": "orders", "cadence": cadence})).await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_shown_page_by_page_each_once() {
    let app = TestApp::with_pair().await;
    many_schedules(&app, 53).await;
    let olga = app.as_browser_of("olga").await;
    let edits = |page: &str| -> Vec<String> {
        let links = page.split("href=\"/drills/").skip(1).filter_map(|rest| rest.split_once("/edit\""));
        links.map(|(id, _)| id.to_owned()).collect()
    };
    let first = olga.get("/drills").await.text;
    let more = first.split("href=\"/drills?after=").nth(1).expect("there is more").split('#').next().unwrap();
    let second = olga.get(&format!("/drills?after={more}")).await.text;
    assert_eq!((edits(&first).len(), edits(&second).len()), (50, 3));
    assert!(!second.contains("href=\"/drills?after="), "that was the last: {second}");
    let all: std::collections::BTreeSet<String> =
        [edits(&first), edits(&second)].concat().into_iter().collect();
    assert_eq!(all.len(), 53);
    for page in [first, second] {
        assert!(!page.contains("Without any schedule"), "the pair has schedules on another page too");
    }
}

/// What the fleet says of the pair, text only.
async fn fleet_says(app: &TestApp, words: &str) {
    let page = app.as_browser_of("vera").await.get("/").await.text;
    assert!(page.contains(words), "`{words}` is not in {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_says_when_drills_are_due_and_how_many_findings_are_open() {
    let app = TestApp::with_pair().await;
    let (olga, otto, pool) = (app.as_user("olga").await, app.as_user("otto").await, &app.app.pool);
    fleet_says(&app, "no drill scheduled").await;
    fleet_says(&app, "no open finding").await;
    let mut ids = Vec::new();
    for text in ["slow", "slower", "slowest"] {
        let new = json!({"pair": "orders", "text": text, "severity": "low"});
        ids.push(otto.post("/api/v1/findings", new).await.done()["id"].as_str().unwrap().to_owned());
    }
    let close = json!({"closed": {"resolution": "mended"}});
    otto.patch(&format!("/api/v1/findings/{}", ids[0]), close).await.done();
    fleet_says(&app, "2 open findings").await;
    fleet_says(&app, "/findings?state=open&#38;pair=orders").await;

    let made = olga.post("/api/v1/schedules", weekly()).await.done();
    let path = format!("/api/v1/schedules/{}", made["id"].as_str().unwrap());
    let due = time(&made["next"][0]["due"]);
    let said = muster_web::format::short(Utc::now(), due);
    fleet_says(&app, &format!("drill due {said}")).await;
    assert!(record_one(pool, due - TimeDelta::days(2)).await.unwrap());
    fleet_says(&app, &format!("drill due {said}")).await;
    make_due(&app).await;
    fleet_says(&app, "drill due now, until").await;
    let closed = "update drill_occurrence set closes = clock_timestamp() - interval '1 second'";
    sqlx::query(closed).execute(pool).await.unwrap();
    fleet_says(&app, "drill overdue since").await;
    // A drill that passes makes up for it: then the next one counts.
    let run = crate::decisions::started(&app, true).await;
    let passed = "update run set state = 'passed', ended_at = clock_timestamp() where id = $1";
    sqlx::query(passed).bind(run).execute(pool).await.unwrap();
    fleet_says(&app, "drill due ").await;
    let page = app.as_browser_of("vera").await.get("/").await.text;
    assert!(!page.contains("drill overdue"), "{page}");
    olga.patch(&path, json!({"enabled": false})).await.done();
    fleet_says(&app, "no drill scheduled").await;
}
