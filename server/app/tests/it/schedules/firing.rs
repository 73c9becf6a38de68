//! What schedules make happen by themselves: each occurrence is recorded, and its run asked for, once, whoever dies.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use muster_app::loops::drill::{prepare_one, record_one};
use muster_domain::schedule::Schedule;
use serde_json::json;

use super::{time, weekly};
use crate::test_app::TestApp;

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
