//! Rows whose bytes are no samples any more: they are a gap, and nothing else stops.

use chrono::{DateTime, TimeDelta, Utc};
use muster_store::{StoreError, recorder, testing::TestDatabase};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{FORWARD, ORDERS, at, behind, open, orders, seal_all, series};
use crate::sample::{keep_pair, pair_name};

/// Cuts the bytes of the rows of a table at a time.
async fn tear(conn: &mut PgConnection, table: &str, at: DateTime<Utc>) {
    let sql = format!("update {table} set body = substring(body for 20) where at = $1");
    let done = sqlx::query(AssertSqlSafe(sql)).bind(at).execute(conn).await.expect("an update");
    assert_eq!(done.rows_affected(), 1, "{table}");
}

async fn open_rows(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from recorder_open").fetch_one(conn).await.expect("a count")
}

#[tokio::test]
async fn a_row_that_does_not_read_back_is_dropped_with_what_is_told_from_it_and_all_else_is_sealed() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let begin = at(2, 0);
    // Six surveys of one block, the fifth by another process; then one of the next block.
    for n in 0..4 {
        recording.append(conn, begin + TimeDelta::seconds(n * 5), orders(1, 1000 + n, n)).await.unwrap();
        recording.committed();
    }
    let mut other = open(conn).await;
    for (seconds, behind) in [(20, 4), (25, 5), (300, 6)] {
        other
            .append(conn, begin + TimeDelta::seconds(seconds), orders(1, 1000 + seconds, behind))
            .await
            .unwrap();
        other.committed();
    }
    tear(conn, "recorder_open", begin + TimeDelta::seconds(10)).await;
    let name = pair_name("payments");
    let refused = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await;
    assert!(matches!(refused, Err(StoreError::Unreadable { table: "recorder_open", .. })), "{refused:?}");

    assert_eq!(seal_all(conn, &other, begin + TimeDelta::minutes(10)).await, 2);
    assert_eq!(open_rows(conn).await, 0, "nothing stays that could be in the way again");
    let expected = [Some(0), Some(2), Some(8), Some(10)];
    assert_eq!(behind(conn, begin, 6).await, expected, "before it, and from where somebody began anew");
    assert_eq!(behind(conn, begin + TimeDelta::minutes(5), 1).await, [Some(12)]);
    let ends = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap().reaches;
    let times: Vec<i64> = ends.iter().map(|(at, _)| (*at - begin).num_seconds()).collect();
    assert_eq!(times, [0, 5, 20, 25, 300]);
}

#[tokio::test]
async fn a_block_of_which_nothing_reads_back_leaves_nothing_and_stops_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let begin = at(2, 0);
    for minutes in [0, 5] {
        recording.append(conn, begin + TimeDelta::minutes(minutes), orders(1, 1000, minutes)).await.unwrap();
        recording.committed();
    }
    tear(conn, "recorder_open", begin).await;
    assert_eq!(seal_all(conn, &recording, begin + TimeDelta::minutes(10)).await, 2);
    assert_eq!(open_rows(conn).await, 0);
    assert_eq!(behind(conn, begin, 1).await, []);
    assert_eq!(behind(conn, begin + TimeDelta::minutes(5), 1).await, [Some(10)]);
}

#[tokio::test]
async fn an_hour_that_does_not_read_back_is_added_up_anew_from_its_blocks() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let hour = at(3, 0);
    for (minutes, behind) in [(0, 2), (5, 9), (10, 4)] {
        recording.append(conn, hour + TimeDelta::minutes(minutes), orders(1, 1000, behind)).await.unwrap();
        recording.committed();
    }
    assert_eq!(seal_all(conn, &recording, hour + TimeDelta::minutes(10)).await, 2);
    tear(conn, "recorder_hour", hour).await;
    assert_eq!(seal_all(conn, &recording, hour + TimeDelta::minutes(15)).await, 1);
    let two_days = series(conn, hour - TimeDelta::hours(45), hour + TimeDelta::hours(3), 48).await;
    let worst: Vec<_> = two_days.iter().map(|point| (point.at, point.worst_lag_records)).collect();
    assert_eq!(worst, [(hour, Some(9))], "the worst of all its blocks, not of the last one only");
}

#[tokio::test]
async fn what_lies_before_the_block_of_the_time_that_is_asked_about_is_not_read() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let begin = at(2, 0);
    for seconds in [0, 300, 310] {
        recording.append(conn, begin + TimeDelta::seconds(seconds), orders(1, 1000, seconds)).await.unwrap();
        recording.committed();
    }
    tear(conn, "recorder_open", begin).await;
    assert_eq!(
        behind(conn, begin + TimeDelta::seconds(310), 1).await,
        [Some(620)],
        "told from its block's first"
    );
}

#[tokio::test]
async fn a_number_that_is_another_track_by_now_is_refused_and_known_after_looking_again() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let named = |topic: &str, behind| {
        let mut sample = orders(1, 1000, behind);
        topic.clone_into(&mut sample[0].topic);
        sample
    };
    let begin = at(2, 0);
    let mut old = open(conn).await;
    let mut new = open(conn).await;
    new.append(conn, begin, named("refunds", 1)).await.unwrap();
    new.committed();
    let mut lost = muster_store::begin(database.pool()).await.unwrap();
    let refused = old.append(&mut lost, begin + TimeDelta::seconds(5), named("orders", 7)).await;
    assert!(matches!(refused, Err(StoreError::Rows { got: 0, expected: 2, .. })), "{refused:?}");
    lost.rollback().await.unwrap();
    old.append(conn, begin + TimeDelta::seconds(10), named("orders", 7)).await.unwrap();
    old.committed();
    let tracks: Vec<(i32, String)> =
        sqlx::query_as("select number, topic from recorder_track order by number")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let expected = [(0, "refunds"), (1, "refunds"), (2, "orders"), (3, "orders")];
    assert_eq!(tracks, expected.map(|(number, topic)| (number, topic.to_owned())));
    assert_eq!(behind(conn, begin, 3).await, [Some(14)], "of orders: none of the others' values");
}

#[tokio::test]
async fn bytes_that_are_no_samples_are_told_and_not_made_into_figures() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    recording.append(conn, begin, orders(1, 100, 1)).await.unwrap();
    recording.committed();
    sqlx::query("update recorder_open set body = substring(body for 40)").execute(&mut *conn).await.unwrap();
    let name = pair_name("payments");
    let range = (begin, begin + TimeDelta::minutes(1));
    let refused = recorder::series(conn, (&name, FORWARD), ORDERS, range, 1).await;
    assert!(matches!(refused, Err(StoreError::Unreadable { table: "recorder_open", .. })), "{refused:?}");
}
