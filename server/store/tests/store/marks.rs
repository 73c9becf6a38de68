//! What happened in a time.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    loss::{Interval, Loss, Truth},
    pair::{Direction, Side},
    recorder::explorer::MarkKind,
};
use muster_store::{losses, marks, testing::TestDatabase};
use sqlx::PgConnection;

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
    .bind(uuid::Uuid::from_u128(number))
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
