//! What is old goes, and what lies around incidents is frozen.

use muster_domain::{
    alarm::AlarmCode,
    loss::Truth,
    recorder::{IdsChanged, LastId},
};
use muster_store::recorder::GivenUp;

use super::*;

#[tokio::test]
async fn what_is_old_goes_with_its_partition_hours_stay_and_incidents_are_frozen() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    // Old and unremarkable, old with a death, and recent.
    for (hours, behind) in [(40, 1), (30, 2), (2, 3)] {
        recording.append(conn, at(hours, 60), orders(1, 10_000 - hours, behind)).await.unwrap();
        recording.committed();
    }
    seal_all(conn, &recording, now()).await;
    losses::keep(conn, &pair_name("payments"), &loss(at(30, 120))).await.unwrap();
    sqlx::query("update loss set at = seen_at").execute(&mut *conn).await.unwrap();
    assert_eq!(retire(&database).await, 2);
    for (hours, expected) in [(40, vec![]), (30, vec![Some(4)]), (2, vec![Some(6)])] {
        assert_eq!(behind(conn, at(hours, 60), 1).await, expected, "{hours} hours ago");
    }
    let days = series(conn, at(48, 0), at(-1, 0), 49).await;
    let seen: Vec<Option<i64>> = days.iter().map(|point| point.total_lag_records).collect();
    assert_eq!(seen, [Some(2), Some(4), Some(6)], "hours are kept for a year");
    assert_eq!(retire(&database).await, 0);
    assert!(recorder::size(conn).await.unwrap() > 0);
}

/// Opens an alarm so many seconds after a full hour.
async fn alarmed(
    conn: &mut PgConnection,
    number: i64,
    code: AlarmCode,
    likely: bool,
    opened_at: DateTime<Utc>,
) {
    let subject = format!("topic-{number}");
    sqlx::query(
        "insert into alarm (id, pair, team, code, subject, body, opened_survey, opened_at, last_seen_at)
        values ($1, 'payments', 'payments', $2, $3, $4, 1, $5, $5)",
    )
    .bind(Uuid::now_v7())
    .bind(code.as_str())
    .bind(&subject)
    .bind(serde_json::json!({"code": code, "subject": subject, "likely": likely}))
    .bind(opened_at)
    .execute(conn)
    .await
    .expect("an alarm");
}

/// Three days ago, so many hours after midnight (UTC), and so many seconds.
fn that_day(hour: i64, seconds: i64) -> DateTime<Utc> {
    let midnight = (now().timestamp() / 86_400 - 3) * 86_400;
    DateTime::from_timestamp(midnight + hour * 3600 + seconds, 0).expect("a time")
}

/// One survey in each hour of that day, sealed.
async fn a_day_of_surveys(conn: &mut PgConnection) {
    let mut recording = open(conn).await;
    for hour in 0..24 {
        recording.append(conn, that_day(hour, 60), orders(1, 10_000 + hour, 1)).await.expect("recorded");
        recording.committed();
    }
    seal_all(conn, &recording, now()).await;
}

/// Hours of that day of which the survey is kept.
async fn hours_kept(conn: &mut PgConnection) -> Vec<i64> {
    let mut kept = Vec::new();
    for hour in 0..24 {
        if behind(conn, that_day(hour, 60), 1).await == [Some(2)] {
            kept.push(hour);
        }
    }
    kept
}

#[tokio::test]
async fn what_lies_around_the_opening_of_an_alarm_is_frozen_whatever_its_code() {
    use AlarmCode::ReplicationHole;
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    a_day_of_surveys(conn).await;
    let warnings = [
        AlarmCode::PairsBackwards,
        AlarmCode::HungTransaction,
        AlarmCode::EarlyDeletion,
        AlarmCode::GroupActive,
    ];
    for (hour, code) in (1..).zip(warnings) {
        alarmed(conn, hour, code, false, that_day(hour, 120)).await;
    }
    alarmed(conn, 6, ReplicationHole, false, that_day(6, 600)).await;
    alarmed(conn, 8, ReplicationHole, true, that_day(8, 120)).await;
    // Half an hour too late.
    alarmed(conn, 10, ReplicationHole, false, that_day(10, 1920)).await;
    retire(&database).await;
    assert_eq!(hours_kept(conn).await, [1, 2, 3, 4, 6, 8]);
}

#[tokio::test]
async fn alarms_that_come_and_go_do_not_keep_the_whole_day_and_critical_ones_come_first() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    a_day_of_surveys(conn).await;
    for hour in 0..24 {
        let critical = (16..20).contains(&hour);
        let code = if critical { AlarmCode::SourceUnreachable } else { AlarmCode::GroupActive };
        alarmed(conn, hour, code, false, that_day(hour, 120)).await;
    }
    retire(&database).await;
    assert_eq!(hours_kept(conn).await, [0, 1, 2, 3, 4, 5, 16, 17, 18, 19]);
}

#[tokio::test]
async fn a_source_that_comes_and_goes_does_not_keep_the_whole_day_and_what_was_no_loss_keeps_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    a_day_of_surveys(conn).await;
    let truth = |hour: i64, exact| Truth {
        at: that_day(hour, 180),
        records: Some(0),
        ms: Some(0),
        by_logs: true,
        exact,
        settled: true,
        method: String::new(),
    };
    for hour in 0..24 {
        // Of the first it is proven that nothing was lost; of the second it is not.
        let truth = (hour < 2).then(|| truth(hour, hour == 0));
        let loss = Loss { truth, ..loss(that_day(hour, 120)) };
        losses::keep(conn, &pair_name("payments"), &loss).await.unwrap();
    }
    sqlx::query("update loss set at = seen_at").execute(&mut *conn).await.unwrap();
    retire(&database).await;
    assert_eq!(hours_kept(conn).await, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn partitions_go_one_by_one_the_oldest_first_and_one_process_at_a_time() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    a_day_of_surveys(conn).await;
    let now = now();
    let mut first = muster_store::begin(database.pool()).await.unwrap();
    assert!(recorder::retire_blocks(&mut first, now, 24).await.unwrap());
    let mut second = muster_store::begin(database.pool()).await.unwrap();
    assert!(!recorder::retire_blocks(&mut second, now, 24).await.unwrap(), "the first is at it");
    second.rollback().await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(hours_kept(conn).await, (1..24).collect::<Vec<_>>());
    assert_eq!(retire(&database).await, 23);
}

#[tokio::test]
async fn of_incidents_beyond_the_bound_of_a_pair_the_oldest_are_given_up() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    a_day_of_surveys(conn).await;
    for hour in [3, 7, 11] {
        alarmed(conn, hour, AlarmCode::ReplicationHole, false, that_day(hour, 120)).await;
    }
    retire(&database).await;
    let bytes: i64 = sqlx::query_scalar("select sum(length(body))::bigint from recorder_frozen")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let nothing = GivenUp::default();
    assert_eq!(recorder::bound_frozen(conn, bytes).await.unwrap(), nothing, "it is not beyond");
    // Who drops or freezes does it alone.
    let mut other = muster_store::begin(database.pool()).await.unwrap();
    recorder::retire_hours(&mut other, now()).await.unwrap();
    assert_eq!(recorder::bound_frozen(conn, bytes - 1).await.unwrap(), nothing, "another is at it");
    other.rollback().await.unwrap();
    let one = GivenUp { blocks: [("payments".to_owned(), 1)].into(), more: false };
    assert_eq!(recorder::bound_frozen(conn, bytes - 1).await.unwrap(), one);
    assert_eq!(hours_kept(conn).await, [7, 11]);
}

#[tokio::test]
async fn facts_of_more_than_a_year_ago_go_except_what_was_so_then() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let of = (&name, Side::A, FactKind::Configs);
    // Whole, and an hour later changed.
    let days = [800, 500, 400, 100, 1];
    for day in days {
        let body = serde_json::json!({"configs": [{}], "topics": {"orders": 0}, "day": day});
        recorder::keep_fact(conn, of, at(day * 24, 0), &body).await.unwrap();
        let change = serde_json::json!({"topics": {"refunds": 0}});
        recorder::keep_fact_change(conn, of, at(day * 24 - 1, 0), Some(&change)).await.unwrap();
    }
    let other = (&name, Side::B, FactKind::Acls);
    recorder::keep_fact(conn, other, at(900 * 24, 0), &serde_json::json!({"day": 900})).await.unwrap();
    retire(&database).await;
    let mut seen = Vec::new();
    for day in days {
        let fact = recorder::fact_at(conn, of, at(day * 24, 0)).await.unwrap();
        seen.push(fact.and_then(|fact| fact["day"].as_i64()));
    }
    assert_eq!(seen, [None, None, Some(400), Some(100), Some(1)]);
    let changed = recorder::fact_at(conn, of, at(300 * 24, 0)).await.unwrap().expect("it is known");
    assert_eq!(changed["topics"], serde_json::json!({"orders": 0, "refunds": 0}), "so from an hour later on");
    let changes = recorder::fact_changes(conn, of, 100).await.unwrap();
    assert_eq!(changes.len(), 6, "what changed since a state goes with it: {changes:?}");
    assert!(recorder::fact_at(conn, other, now()).await.unwrap().is_some(), "it is so to this day");
}

#[tokio::test]
async fn ids_that_topics_had_more_than_a_year_ago_go_and_those_they_have_stay() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let (name, orders) = (pair_name("payments"), || "orders".to_owned());
    // One was not there, or nobody looked, for longer than ids are kept: with it the one before it stays.
    let refunds = |id| (String::from("refunds"), Uuid::from_u128(id));
    let first = IdsChanged { begun: vec![refunds(7)], ..IdsChanged::default() };
    recorder::keep_ids(conn, (&name, Side::B), at(900 * 24, 0), &first).await.unwrap();
    let (topic, id) = refunds(7);
    let over = vec![(topic, LastId { id, seen_at: at(500 * 24, 0) })];
    let anew = IdsChanged { begun: vec![refunds(8)], over, ..IdsChanged::default() };
    recorder::keep_ids(conn, (&name, Side::B), at(10 * 24, 0), &anew).await.unwrap();
    // From one day to the next, each in days ago; the last has not ended.
    for (id, from, until) in [(1, 900, Some(500)), (2, 500, Some(300)), (3, 300, None)] {
        let id = Uuid::from_u128(id);
        let begun = IdsChanged { begun: vec![(orders(), id)], ..IdsChanged::default() };
        recorder::keep_ids(conn, (&name, Side::B), at(from * 24, 0), &begun).await.unwrap();
        if let Some(until) = until {
            let last = LastId { id, seen_at: at(until * 24, -5) };
            let over = IdsChanged { over: vec![(orders(), last)], ..IdsChanged::default() };
            recorder::keep_ids(conn, (&name, Side::B), at(until * 24, 0), &over).await.unwrap();
        }
    }
    retire(&database).await;
    let found = recorder::recreated_by_surveys(conn, (&name, Side::B), "", 10).await.unwrap();
    let ids: Vec<u128> = found.iter().flat_map(|topic| &topic.ids).map(|seen| seen.id.as_u128()).collect();
    assert_eq!(ids, [2, 3, 7, 8], "orders, and refunds");
}

#[tokio::test]
async fn tracks_that_were_not_seen_for_a_year_go_unless_something_frozen_has_values_of_theirs() {
    let named = |topic: &str| {
        let mut sample = orders(1, 100, 1);
        topic.clone_into(&mut sample[0].topic);
        sample
    };
    let topics = async |conn: &mut PgConnection| {
        recorder::topics(conn, &pair_name("payments"), FORWARD, 10).await.unwrap()
    };
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    for (day, topic) in [(550, "gone"), (500, "frozen"), (449, "orders")] {
        recording.append(conn, at(day * 24, 60), named(topic)).await.unwrap();
        recording.committed();
    }
    seal_all(conn, &recording, at(440 * 24, 0)).await;
    losses::keep(conn, &pair_name("payments"), &loss(at(500 * 24, 120))).await.unwrap();
    sqlx::query("update loss set at = seen_at").execute(&mut *conn).await.unwrap();
    retire(&database).await;
    assert_eq!(
        topics(conn).await,
        ["frozen", "gone", "orders"],
        "nothing was seen lately: the source may be silent"
    );

    // A process that takes over sees one of them, and marks it.
    let mut recording = open(conn).await;
    recording.append(conn, at(1, 0), named("orders")).await.unwrap();
    recording.committed();
    retire(&database).await;
    assert_eq!(topics(conn).await, ["frozen", "orders"]);
    assert_eq!(behind_of(conn, "frozen", at(500 * 24, 60)).await, [Some(2)]);

    // What comes back gets its name back, under the number the process knows it by.
    recording.append(conn, at(0, 0), named("gone")).await.unwrap();
    recording.committed();
    assert_eq!(topics(conn).await, ["frozen", "gone", "orders"]);
    assert_eq!(behind_of(conn, "gone", at(0, 0)).await, [Some(2)]);
}

async fn behind_of(conn: &mut PgConnection, topic: &str, from: DateTime<Utc>) -> Vec<Option<i64>> {
    let selection = Selection { topic, partition: None };
    let (name, to) = (pair_name("payments"), from + TimeDelta::seconds(5));
    let points = recorder::series(conn, (&name, FORWARD), selection, (from, to), 1).await.expect("a series");
    points.iter().map(|point| point.total_lag_records).collect()
}
