//! Drill schedules: who may make them, and what they make happen by themselves, once.

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::drill_loop::{prepare_one, record_one, tell_one};
use muster_domain::schedule::Schedule;
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
async fn approval_is_asked_for_ahead_of_time_and_once() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let made = olga.post("/api/v1/schedules", weekly()).await.done();
    let due = time(&made["next"][0]["due"]);
    let pool = &app.app.pool;
    let early = due - TimeDelta::days(2) - TimeDelta::minutes(1);
    assert!(!record_one(pool, early).await.unwrap(), "nothing is recorded before its lead time");
    let lead = due - TimeDelta::days(2);
    assert!(record_one(pool, lead).await.unwrap());
    assert!(!record_one(pool, lead).await.unwrap(), "once");
    assert!(prepare_one(pool, lead).await.unwrap());
    assert!(!prepare_one(pool, lead).await.unwrap(), "once");
    let seen = olga.get("/api/v1/occurrences?pair=orders").await.done()["items"][0].clone();
    assert_eq!(
        (&seen["standing"], &seen["run_state"]),
        (&json!("ahead"), &json!("awaiting_approval")),
        "{seen:#}"
    );
    let run = olga.get(&format!("/api/v1/runs/{}", seen["run"].as_str().unwrap())).await.done();
    assert_eq!((&run["drill"], &run["requested_by"]["name"]), (&json!(true), &json!("muster")));
    assert!(time(&run["decide_by"]) >= due, "{run:#}");
    let approved = app.as_user("abel").await;
    let approved = approved
        .post(&format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap()), json!({}))
        .await
        .done();
    assert!(
        time(&approved["use_by"]) >= time(&seen["closes"]),
        "an early approval holds until the window closes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_plan_is_said_and_tried_again() {
    let app = TestApp::with_pair().await;
    sqlx::query("delete from survey").execute(&app.app.pool).await.unwrap();
    let olga = app.as_user("olga").await;
    let made = olga.post("/api/v1/schedules", weekly()).await.done();
    let lead = time(&made["next"][0]["due"]) - TimeDelta::days(2);
    let pool = &app.app.pool;
    assert!(record_one(pool, lead).await.unwrap());
    assert!(prepare_one(pool, lead).await.unwrap());
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert!(
        seen["run"].is_null() && seen["trouble"].as_str().unwrap().contains("not been observed"),
        "{seen:#}"
    );
    assert!(!prepare_one(pool, lead + TimeDelta::minutes(9)).await.unwrap(), "it rests");
    assert!(prepare_one(pool, lead + TimeDelta::minutes(10)).await.unwrap());
}

/// Expression, zone, and days without drills, from and until.
type Course = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Schedules of every sort: once a week in an hour that daylight saving leaves out or has twice, monthly around a blackout,
/// quarterly where clocks go by half an hour.
const CADENCES: [Course; 5] = [
    ("30 2 * * 0", "Europe/Berlin", None),
    ("30 1 1 * *", "America/New_York", Some(("2029-12-20", "2030-02-10"))),
    ("0 0 31 * *", "Pacific/Apia", None),
    ("0 9 15 2,5,8,11 *", "Australia/Lord_Howe", Some(("2031-01-01", "2031-06-30"))),
    ("15 23 29 2 *", "Asia/Kolkata", None),
];

/// Three processes look at the same schedules over ten years, the clock going on by strides of any length; each look may
/// die at any moment. `MUSTER_TEST_SEED` repeats the moments of a failure as far as a scheduler lets it.
#[tokio::test(flavor = "multi_thread")]
async fn each_occurrence_is_recorded_once_in_ten_years_whoever_dies() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let begin = Utc::now();
    let end = begin + TimeDelta::days(3653);
    let mut expected: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for (expression, zone, blackout) in CADENCES {
        let mut new = weekly();
        new["cadence"]["expression"] = json!(expression);
        new["zone"] = json!(zone);
        new["lead_days"] = json!(0);
        new["blackouts"] =
            blackout.map_or_else(|| json!([]), |(from, until)| json!([{"from": from, "until": until}]));
        let made = olga.post("/api/v1/schedules", new).await.done();
        let schedule: Schedule = serde_json::from_value(made.clone()).unwrap();
        let due = schedule.between(begin, end, usize::MAX).unwrap().into_iter().filter(|one| one.due <= end);
        expected.insert(made["id"].as_str().unwrap().to_owned(), due.map(|one| one.nominal).collect());
    }
    let mut seed = std::env::var("MUSTER_TEST_SEED")
        .map_or_else(|_| uuid::Uuid::new_v4().as_u64_pair().0, |seed| seed.parse().unwrap());
    println!("MUSTER_TEST_SEED={seed}");
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (mut now, mut died) = (begin, 0);
    while now < end {
        now = (now + TimeDelta::hours(i64::try_from(random(90 * 24)).unwrap())).min(end);
        let lives = [(); 3].map(|()| live(&app.app.pool, now, random(4_000)));
        let [a, b, c] = lives;
        let (a, b, c) = tokio::join!(a, b, c);
        died += a + b + c;
    }
    assert!(died > 20, "only {died} died: the test shows nothing");
    // Others may have held the last schedules when a process found nothing to do; one that lives comes by again.
    let total = i64::try_from(expected.values().map(Vec::len).sum::<usize>()).unwrap();
    let count = async || -> i64 {
        let sql = "select count(*) from drill_occurrence";
        sqlx::query_scalar(sql).fetch_one(&app.app.pool).await.unwrap()
    };
    while count().await < total {
        record_one(&app.app.pool, end).await.unwrap();
    }
    assert!(!record_one(&app.app.pool, end).await.unwrap(), "nothing is left");
    let rows: Vec<(String, DateTime<Utc>)> =
        sqlx::query_as("select schedule_id::text, nominal from drill_occurrence order by 1, 2")
            .fetch_all(&app.app.pool)
            .await
            .unwrap();
    let mut recorded: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for (schedule, nominal) in rows {
        recorded.entry(schedule).or_default().push(nominal);
    }
    assert_eq!(recorded, expected);
}

/// Records what is due until nothing is left; dies after a time that is different at every start. How often it died.
async fn live(pool: &sqlx::PgPool, now: DateTime<Utc>, first_micros: u64) -> u32 {
    let mut died = 0_u32;
    for start in 0_u64.. {
        let life = Duration::from_micros((first_micros + start * 997) % 4_000);
        match tokio::time::timeout(life, record_one(pool, now)).await {
            Ok(more) => {
                if !more.unwrap() {
                    break;
                }
            }
            Err(_) => died += 1,
        }
    }
    died
}

/// The plan, the run, its request for approval and the link to it come together or not at all, whenever the process dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_asked_for_once_whoever_dies() {
    let app = TestApp::with_pair().await;
    let made = app.as_user("olga").await.post("/api/v1/schedules", weekly()).await.done();
    let lead = time(&made["next"][0]["due"]) - TimeDelta::days(2);
    let pool = &app.app.pool;
    assert!(record_one(pool, lead).await.unwrap());
    let count = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(pool).await.unwrap() };
    let mut died = 0;
    for life in (0..).map(|n| Duration::from_micros(n * 500)) {
        match tokio::time::timeout(life, prepare_one(pool, lead)).await {
            Ok(found) => {
                // The last one that died may have come to its commit and not lived to know.
                let runs = count("select count(*) from run").await;
                if found.unwrap() || runs > 0 {
                    break;
                }
            }
            Err(_) => died += 1,
        }
    }
    assert!(died > 3, "nobody died: the test shows nothing");
    assert!(!prepare_one(pool, lead).await.unwrap(), "once");
    for table in [
        "select count(*) from run",
        "select count(*) from plan",
        "select count(*) from drill_occurrence where run_id is not null and trouble = ''",
        "select count(*) from audit_entry where action = 'run.request'",
    ] {
        assert_eq!(count(table).await, 1, "{table}");
    }
}

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
async fn a_readiness_drill_begins_by_itself_when_it_is_due() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let mut new = weekly();
    new["drill"] = json!("readiness_drill");
    let made = olga.post("/api/v1/schedules", new).await.done();
    let due = time(&made["next"][0]["due"]);
    let pool = &app.app.pool;
    assert!(record_one(pool, due - TimeDelta::days(2)).await.unwrap());
    assert!(!prepare_one(pool, due - TimeDelta::minutes(1)).await.unwrap(), "not before it is due");
    // Under the brake it waits, and says so.
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "freeze"})).await.done();
    assert!(prepare_one(pool, due).await.unwrap());
    let waits = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert!(waits["run"].is_null() && waits["trouble"].as_str().unwrap().contains("brake"), "{waits:#}");
    olga.delete("/api/v1/brake").await.done();
    assert!(prepare_one(pool, due + TimeDelta::minutes(10)).await.unwrap());
    app.engine.run_pending().await.unwrap();
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert_eq!(seen["run_state"], "awaiting_attestation", "{seen:#}");
    let run = seen["run"].as_str().unwrap().to_owned();
    let ran = olga.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(
        (&ran["operation"], &ran["driver"]["name"], &ran["approvals_needed"]),
        (&json!("readiness_drill"), &json!("muster"), &json!(0))
    );
    let attest = json!({"verdict": "passed", "comment": "all of it"});
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/attest"), attest).await.done();
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert_eq!(seen["run_state"], "passed", "{seen:#}");
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

/// The only occurrence there is came due a minute ago.
async fn make_due(app: &TestApp) {
    let due = "update drill_occurrence
        set nominal = clock_timestamp() - interval '1 minute',
            due = clock_timestamp() - interval '1 minute',
            closes = clock_timestamp() + interval '1 hour'
        where skipped_why is null";
    assert_eq!(sqlx::query(due).execute(&app.app.pool).await.unwrap().rows_affected(), 1);
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_drill_is_planned_from_the_page_and_needs_no_approval() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    let made = otto.form("/pairs/orders/plan", &[("operation", "readiness_drill"), ("from", "a")]).await;
    let plan = made.header("location").to_owned();
    let page = otto.get(&plan).await;
    assert!(page.text.contains("Nothing is changed on eu-west or eu-central"), "{}", page.text);
    assert!(!page.text.contains("is not undone"), "{}", page.text);
    let hash = page.text.split("name=\"plan_hash\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let asked = otto.form(&format!("{plan}/request"), &[("reason", "weekly"), ("plan_hash", hash)]).await;
    let run = asked.header("location").to_owned();
    for act in ["start", "abort"] {
        let page = otto.get(&format!("{run}/{act}")).await.text;
        for untrue in [
            "point of no return",
            "takes the writes",
            "takes writes",
            "no estimate, from",
            "Abort and return",
        ] {
            assert!(!page.contains(untrue), "{act} speaks of `{untrue}`: {page}");
        }
    }
    let started = otto.form(&format!("{run}/start"), &[("typed", "orders")]).await;
    assert_eq!(started.status, 303, "{}", started.text);
    let under_way = otto.get(&run).await.text;
    assert!(
        !under_way.contains("takes writes again") && !under_way.contains("Abort and return"),
        "{under_way}"
    );
    app.engine.run_pending().await.unwrap();
    let shown = otto.get(&run).await;
    assert!(shown.text.contains("Waits for attestation") || shown.text.contains("attest"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_readiness_drill_is_no_proof_that_applications_can_move() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let asked = json!({"operation": "readiness_drill", "to": "eu-central"});
    let plan = otto.post("/api/v1/pairs/orders/plans", asked).await.done();
    let run = otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "weekly"})).await.done();
    let path = |verb: &str| format!("/api/v1/runs/{}/{verb}", run["id"].as_str().unwrap());
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    let passed = abel.post(&path("attest"), json!({"verdict": "passed", "comment": "fine"})).await.done();
    assert_eq!(passed["state"], "passed", "{passed:#}");
    let page = app.as_browser_of("otto").await.get("/pairs/orders").await.text;
    assert!(page.contains("never drilled"), "{page}");
    assert!(page.contains("never measured"), "{page}");
}
