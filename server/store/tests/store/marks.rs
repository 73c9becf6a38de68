//! What happened in a time.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    loss::{Interval, Loss, Truth},
    pair::{Direction, Side},
    recorder::{IdsChanged, LastId, explorer::MarkKind},
};
use muster_store::{losses, marks, recorder, testing::TestDatabase};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{keep_pair, pair_name, team};

const FORWARD: Direction = Direction { from: Side::A };

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_057_200 + minutes * 60, 0).expect("a time")
}

fn loss(from: i64, back: Option<i64>) -> Loss {
    let truth = |at| Truth {
        at,
        records: Some(7),
        ms: None,
        by_logs: false,
        exact: true,
        settled: true,
        method: String::new(),
    };
    Loss {
        direction: FORWARD,
        owner: team("payments"),
        seen_at: at(from),
        noticed_at: at(from) + TimeDelta::seconds(5),
        reason: "connection refused".to_owned(),
        total: Interval { records_at_most: Some(70), ..Interval::default() },
        topics: Vec::new(),
        method: String::new(),
        waits_for_leaders: 0,
        truth: back.map(|back| truth(at(back))),
    }
}

fn course(direction: Direction) -> &'static str {
    match direction.from {
        Side::A => "a → b",
        Side::B => "b → a",
    }
}

async fn alarm(conn: &mut PgConnection, number: u128, course: &str, from: i64, until: Option<i64>) {
    let body = serde_json::json!({
        "code": "task-gone",
        "subject": format!("source-{number}"),
        "course": course,
        "since": {"after": null, "by": at(from)}
    });
    sqlx::query(
        "insert into alarm (id, pair, team, code, subject, body, opened_survey, opened_at, last_seen_at, ended_at)
        values ($1, 'payments', 'payments', 'task-gone', $2, $3, 1, $4, $4, $5)",
    )
    .bind(Uuid::from_u128(number))
    .bind(format!("source-{number}"))
    .bind(body)
    .bind(at(from))
    .bind(until.map(at))
    .execute(conn)
    .await
    .expect("the database answers");
}

/// Begin and end of each in minutes, with what it is of.
async fn between(
    conn: &mut PgConnection,
    from: i64,
    to: i64,
    direction: Direction,
) -> Vec<(i64, Option<i64>, &'static str)> {
    let name = pair_name("payments");
    let of = (&name, direction, course(direction.reverse()));
    let found = marks::between(conn, of, (at(from), at(to)), 10).await.expect("the database answers");
    let minutes = |time: DateTime<Utc>| (time - at(0)).num_minutes();
    let kind = |kind: &MarkKind| match kind {
        MarkKind::Run { .. } => "run",
        MarkKind::Loss { .. } => "loss",
        MarkKind::Alarm { .. } => "alarm",
        MarkKind::Recreated { .. } => "recreated",
    };
    found.iter().map(|mark| (minutes(mark.from), mark.to.map(minutes), kind(&mark.what))).collect()
}

#[tokio::test]
async fn what_touches_a_time_is_found_in_the_order_of_begins() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    for loss in [loss(0, Some(10)), loss(50, Some(60)), loss(100, None)] {
        losses::keep(conn, &name, &loss).await.unwrap();
    }
    alarm(conn, 1, course(FORWARD), 5, Some(20)).await;
    alarm(conn, 2, course(FORWARD), 55, None).await;
    let past = (0, Some(10), "loss");
    assert_eq!(between(conn, -10, -5, FORWARD).await, []);
    assert_eq!(between(conn, -10, 3, FORWARD).await, [past]);
    assert_eq!(between(conn, 9, 30, FORWARD).await, [past, (5, Some(20), "alarm")]);
    assert_eq!(between(conn, 30, 40, FORWARD).await, [], "between them");
    assert_eq!(
        between(conn, 56, 200, FORWARD).await,
        [(50, Some(60), "loss"), (55, None, "alarm"), (100, None, "loss")]
    );
    let back = FORWARD.reverse();
    assert_eq!(between(conn, -10, 200, back).await, [], "its source did not die, and its flow is well");
    // While nobody can tell which side is active an alarm is of no direction.
    alarm(conn, 3, "a and b", 30, Some(32)).await;
    alarm(conn, 4, course(back), 34, Some(36)).await;
    let of_both = (30, Some(32), "alarm");
    assert_eq!(between(conn, 30, 40, FORWARD).await, [of_both]);
    assert_eq!(between(conn, 30, 40, back).await, [of_both, (34, Some(36), "alarm")]);
}

/// `orders` on a side has another id from a survey on, or is gone; `before` is the one it had, with when it was seen last.
async fn topic(
    conn: &mut PgConnection,
    side: Side,
    minutes: i64,
    before: Option<(u128, i64)>,
    now: Option<u128>,
) {
    let name = "orders".to_owned();
    let last = |(id, seen)| LastId { id: Uuid::from_u128(id), seen_at: at(seen) };
    let changed = IdsChanged {
        begun: now.map(|id| (name.clone(), Uuid::from_u128(id))).into_iter().collect(),
        over: before.map(|before| (name, last(before))).into_iter().collect(),
        seen_until: None,
    };
    recorder::keep_ids(conn, (&pair_name("payments"), side), at(minutes), &changed).await.expect("kept");
}

#[tokio::test]
async fn a_topic_that_was_made_anew_on_either_side_is_marked_between_the_surveys_around_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    topic(conn, Side::A, 0, None, Some(1)).await;
    topic(conn, Side::B, 0, None, Some(1)).await;
    assert_eq!(between(conn, -10, 100, FORWARD).await, [], "the first id is none that changed");
    topic(conn, Side::B, 20, Some((1, 19)), Some(2)).await;
    // Gone for a while, and made anew twice.
    topic(conn, Side::A, 40, Some((1, 39)), None).await;
    assert_eq!(between(conn, 30, 100, FORWARD).await, [], "gone is not made anew");
    topic(conn, Side::A, 50, None, Some(3)).await;
    topic(conn, Side::A, 60, Some((3, 59)), Some(4)).await;
    let [target, source, again] =
        [(19, Some(20), "recreated"), (39, Some(50), "recreated"), (59, Some(60), "recreated")];
    for direction in [FORWARD, FORWARD.reverse()] {
        assert_eq!(between(conn, -10, 100, direction).await, [target, source, again]);
    }
    assert_eq!(between(conn, -10, 19, FORWARD).await, []);
    assert_eq!(between(conn, 20, 39, FORWARD).await, [target], "the survey that saw it is in the time");
    assert_eq!(between(conn, 45, 46, FORWARD).await, [source], "in between");
    assert_eq!(between(conn, 61, 100, FORWARD).await, []);
    let name = pair_name("payments");
    let of = (&name, FORWARD, course(FORWARD.reverse()));
    let newest = marks::between(conn, of, (at(-10), at(100)), 1).await.unwrap();
    let expected = MarkKind::Recreated {
        side: Side::A,
        topic: "orders".to_owned(),
        id_before: Uuid::from_u128(3),
        id: Uuid::from_u128(4),
    };
    assert_eq!(newest.iter().map(|mark| &mark.what).collect::<Vec<_>>(), [&expected]);
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_told_with_the_id_it_had_last() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    topic(conn, Side::B, 0, None, Some(1)).await;
    // Another cluster for a while, and the first again.
    topic(conn, Side::B, 20, Some((1, 19)), Some(2)).await;
    topic(conn, Side::B, 30, Some((2, 29)), Some(1)).await;
    topic(conn, Side::B, 50, Some((1, 49)), Some(3)).await;
    let name = pair_name("payments");
    let of = (&name, FORWARD, course(FORWARD.reverse()));
    let found = marks::between(conn, of, (at(-10), at(100)), 10).await.unwrap();
    let expected = MarkKind::Recreated {
        side: Side::B,
        topic: "orders".to_owned(),
        id_before: Uuid::from_u128(1),
        id: Uuid::from_u128(3),
    };
    assert_eq!(found.iter().map(|mark| &mark.what).collect::<Vec<_>>(), [&expected]);
    assert_eq!((found[0].from, found[0].to), (at(49), Some(at(50))));
}
