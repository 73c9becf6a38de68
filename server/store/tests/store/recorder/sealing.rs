//! What was recorded reads back the same before, during and after it is sealed, and whoever died in between.

use muster_domain::{reading::ReadingClass, topic::ByPartition};

use super::*;

#[tokio::test]
async fn what_was_recorded_reads_back_before_during_and_after_sealing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let begin = at(2, 0);
    for n in 0..3 {
        let sample = orders(1, 1000 + n * 100, n);
        recording.append(conn, begin + TimeDelta::seconds(n * 5), sample).await.unwrap();
        recording.committed();
    }
    let expected = [Some(0), Some(2), Some(4)];
    assert_eq!(behind(conn, begin, 3).await, expected, "unsealed");
    assert!(
        !recorder::seal(conn, recording.stream(), recording.kind(), begin).await.unwrap(),
        "it is not over"
    );

    let later = begin + TimeDelta::minutes(5);
    let mut dying = muster_store::begin(database.pool()).await.unwrap();
    assert!(recorder::seal(&mut dying, recording.stream(), recording.kind(), later).await.unwrap());
    dying.rollback().await.unwrap();
    assert_eq!(behind(conn, begin, 3).await, expected, "died while sealing");

    assert_eq!(seal_all(conn, &recording, later).await, 1);
    let open: i64 =
        sqlx::query_scalar("select count(*) from recorder_open").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(open, 0);
    assert_eq!(behind(conn, begin, 3).await, expected, "sealed");
    let points = series(conn, begin, begin + TimeDelta::seconds(15), 1).await;
    assert_eq!((points[0].worst_lag_records, points[0].records_class), (Some(2), ReadingClass::Exact));
}

#[tokio::test]
async fn another_process_goes_on_where_one_died_and_so_does_one_whose_transaction_failed() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut first = open(conn).await;
    first.append(conn, begin, orders(1, 100, 1)).await.unwrap();
    first.committed();
    let mut lost = muster_store::begin(database.pool()).await.unwrap();
    first.append(&mut lost, begin + TimeDelta::seconds(5), orders(1, 150, 2)).await.unwrap();
    lost.rollback().await.unwrap();
    first.append(conn, begin + TimeDelta::seconds(10), orders(1, 200, 3)).await.unwrap();
    first.committed();
    let mut second = open(conn).await;
    second.append(conn, begin + TimeDelta::seconds(15), orders(1, 300, 4)).await.unwrap();
    second.committed();
    let expected = [Some(2), Some(6), Some(8)];
    assert_eq!(behind(conn, begin, 4).await, expected);
    seal_all(conn, &second, begin + TimeDelta::minutes(5)).await;
    assert_eq!(behind(conn, begin, 4).await, expected);

    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let ends = recent.reaches;
    let times: Vec<i64> = ends.iter().map(|(at, _)| (*at - begin).num_seconds()).collect();
    assert_eq!(times, [0, 10, 15], "the survey that was not kept is not remembered");
    assert_eq!(ends[2].1[&TopicPartition::new("orders", 1)], 600);
    let high = recent.high.unwrap();
    assert_eq!(high.at, begin + TimeDelta::seconds(15));
    assert_eq!(high.ends[&TopicPartition::new("orders", 0)].unwrap().end, 300);
    assert!(recent.open.is_empty(), "no transaction was open: {:?}", recent.open);
    assert_eq!(recent.ids, BTreeMap::from([("orders".to_owned(), Uuid::from_u128(1))]));
    let within = |from, to| (begin + TimeDelta::seconds(from), begin + TimeDelta::seconds(to));
    let ends = |zero, one| -> ByPartition<i64> {
        [(TopicPartition::new("orders", 0), zero), (TopicPartition::new("orders", 1), one)].into()
    };
    for (time, expected) in
        [((0, 5), ends(100, 200)), ((10, 15), ends(200, 400)), ((0, 60), ends(300, 600)), ((5, 9), [].into())]
    {
        let found = recorder::source_ends(conn, (&name, FORWARD), within(time.0, time.1)).await.unwrap();
        assert_eq!(found, expected, "{time:?}");
    }
}

#[tokio::test]
async fn more_tracks_than_one_chunk_holds_read_back() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    let mut wide = orders(1, 100, 1);
    wide[0].tracks = vec![wide[0].tracks[0].clone(); recorder::MOST_TRACKS + 3];
    for n in 0..2 {
        recording.append(conn, begin + TimeDelta::seconds(n * 5), wide.clone()).await.unwrap();
        recording.committed();
    }
    let all = i64::try_from(recorder::MOST_TRACKS + 3).unwrap();
    assert_eq!(behind(conn, begin, 2).await, [Some(all), Some(all)]);
    assert_eq!(seal_all(conn, &recording, begin + TimeDelta::minutes(5)).await, 2);
    assert_eq!(behind(conn, begin, 2).await, [Some(all), Some(all)]);
}

#[tokio::test]
async fn a_chunk_in_which_nothing_is_left_gets_no_rows_and_goes_on_where_it_was() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    let wide = |end: i64| {
        let mut wide = orders(2, end, 1).remove(0);
        "wide".clone_into(&mut wide.topic);
        wide.tracks = vec![wide.tracks[0].clone(); recorder::MOST_TRACKS];
        wide
    };
    // It is there, gone for two surveys, and there again.
    for (n, end) in [(0, Some(500)), (1, None), (2, None), (3, Some(700))] {
        let samples = end.map(wide).into_iter().chain(orders(1, 1_000 + n, n)).collect();
        recording.append(conn, begin + TimeDelta::seconds(n * 5), samples).await.unwrap();
        recording.committed();
    }
    let rows: Vec<(i32, i64)> =
        sqlx::query_as("select chunk, count(*) from recorder_open group by 1 order by 1")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(rows, [(0, 2), (1, 4)]);
    let name = pair_name("payments");
    let ends = async |conn: &mut PgConnection, second: i64| {
        let within = (begin + TimeDelta::seconds(second), begin + TimeDelta::seconds(second + 5));
        let found = recorder::source_ends(conn, (&name, FORWARD), within).await.unwrap();
        (found.get(&TopicPartition::new("wide", 7)).copied(), found.len())
    };
    for sealed in [false, true] {
        if sealed {
            assert_eq!(seal_all(conn, &recording, begin + TimeDelta::minutes(5)).await, 2);
        }
        assert_eq!(behind(conn, begin, 4).await, [Some(0), Some(2), Some(4), Some(6)]);
        let there = recorder::MOST_TRACKS + 2;
        assert_eq!(ends(conn, 0).await, (Some(500), there));
        assert_eq!(ends(conn, 5).await, (None, 2));
        assert_eq!(ends(conn, 10).await, (None, 2));
        assert_eq!(ends(conn, 15).await, (Some(700), there), "told from what it was before");
    }
}

#[tokio::test]
async fn what_is_due_is_told_oldest_first_and_sealed_once_whoever_does() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    for minutes in [0, 1, 5, 10] {
        recording.append(conn, begin + TimeDelta::minutes(minutes), orders(1, 100, 1)).await.unwrap();
        recording.committed();
    }
    let now = begin + TimeDelta::minutes(12);
    let due = recorder::due(conn, recording.stream(), now).await.unwrap();
    let begins: Vec<i64> = due.iter().map(|due| (due.begin - begin).num_minutes()).collect();
    assert_eq!(begins, [0, 5], "the last is not over");
    let of = (recording.stream(), recording.kind());
    for _ in 0..2 {
        recorder::seal_one(conn, of, due[0]).await.unwrap();
    }
    assert_eq!(recorder::due(conn, recording.stream(), now).await.unwrap(), [due[1]]);
    let blocks: i64 =
        sqlx::query_scalar("select count(*) from recorder_block").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(blocks, 1);
}
