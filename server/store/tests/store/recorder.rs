//! The flight recorder on a real PostgreSQL: what was written reads back whoever died in between, old partitions go, and
//! incidents stay.

mod torn;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    alarm::AlarmCode,
    loss::{Interval, LastEnd, LastEnds, Loss},
    pair::{Direction, Side},
    reading::ReadingClass,
    recorder::{Cells, Column, Kind, Point, TopicSample},
    topic::{ByPartition, TopicPartition},
};
use muster_store::{
    StoreError, losses, pairs,
    recorder::{self, Recording, Selection},
    testing::TestDatabase,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{broken, keep_pair, pair_name, team};

const FORWARD: Direction = Direction { from: Side::A };
const ORDERS: Selection<'static> = Selection { topic: "orders", partition: None };

/// The full hour `hours` ago, and so many seconds after it.
fn at(hours: i64, seconds: i64) -> DateTime<Utc> {
    let hour = Utc::now().timestamp() / 3600 - hours;
    DateTime::from_timestamp(hour * 3600 + seconds, 0).expect("a time")
}

/// `orders` with two partitions of which so much was written and `behind` is missing.
fn orders(id: u128, end: i64, behind: i64) -> Vec<TopicSample> {
    let cells = |end: i64| -> Cells {
        let mut cells = vec![None; Column::COUNT];
        for column in [Column::End, Column::Stable, Column::Reach] {
            cells[column as usize] = Some(end);
        }
        cells[Column::Through as usize] = Some(end - 1 - behind);
        cells[Column::Class as usize] = Some(0);
        cells
    };
    let tracks = vec![cells(end), cells(end * 2)];
    vec![TopicSample {
        group: String::new(),
        topic: "orders".to_owned(),
        id: Some(Uuid::from_u128(id)),
        tracks,
    }]
}

async fn open(conn: &mut PgConnection) -> Recording {
    Recording::open(conn, &pair_name("payments"), FORWARD, Kind::Partitions).await.expect("a stream")
}

async fn series(conn: &mut PgConnection, from: DateTime<Utc>, to: DateTime<Utc>, points: i32) -> Vec<Point> {
    let name = pair_name("payments");
    recorder::series(conn, (&name, FORWARD), ORDERS, (from, to), points).await.expect("a series")
}

/// Records behind at each moment, five seconds apart.
async fn behind(conn: &mut PgConnection, from: DateTime<Utc>, moments: i32) -> Vec<Option<i64>> {
    let to = from + TimeDelta::seconds(5 * i64::from(moments));
    series(conn, from, to, moments).await.iter().map(|point| point.total_lag_records).collect()
}

async fn seal_all(conn: &mut PgConnection, recording: &Recording, now: DateTime<Utc>) -> usize {
    let mut sealed = 0;
    while recorder::seal(conn, recording.stream(), recording.kind(), now).await.expect("sealing") {
        sealed += 1;
    }
    sealed
}

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
async fn what_was_in_open_transactions_reads_back_beside_what_could_be_copied() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    for (seconds, end) in [(0, 100), (5, 150), (10, 200)] {
        let mut sample = orders(1, end, 0);
        // In the first partition a transaction is open since the first survey, and the flow copies committed records only.
        let held = &mut sample[0].tracks[0];
        (held[Column::Stable as usize], held[Column::Reach as usize]) = (Some(100), Some(100));
        recording.append(conn, begin + TimeDelta::seconds(seconds), sample).await.unwrap();
        recording.committed();
    }
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let first = TopicPartition::new("orders", 0);
    let reaches: Vec<i64> = recent.reaches.iter().map(|(_, ends)| ends[&first]).collect();
    assert_eq!(reaches, [100, 100, 100]);
    let held = |seconds, end| (begin + TimeDelta::seconds(seconds), BTreeMap::from([(first.clone(), end)]));
    assert_eq!(recent.open, [held(5, 150), held(10, 200)]);
    assert_eq!(recent.high.unwrap().ends[&first].unwrap().end, 200);
}

/// The same where these partitions did not answer.
fn unread(mut samples: Vec<TopicSample>, partitions: &[usize]) -> Vec<TopicSample> {
    for partition in partitions {
        let mut cells = vec![None; Column::COUNT];
        cells[Column::Class as usize] = Some(4);
        samples[0].tracks[*partition] = cells;
    }
    samples
}

#[tokio::test]
async fn a_source_that_died_piece_by_piece_is_recalled_as_each_partition_was_last_read() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let second = |n: i64| begin + TimeDelta::seconds(n);
    let gone = || TopicSample { topic: "gone".to_owned(), ..orders(7, 50, 0).remove(0) };
    let mut recording = open(conn).await;
    for (seconds, sample) in [
        (0, [orders(1, 100, 1), vec![gone()]].concat()),
        (5, [unread(orders(1, 150, 1), &[1]), vec![gone()]].concat()),
        (10, unread(orders(1, 180, 1), &[0, 1])),
    ] {
        recording.append(conn, second(seconds), sample).await.unwrap();
        recording.committed();
    }
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let [first, other] = [0, 1].map(|partition| TopicPartition::new("orders", partition));
    let both = BTreeMap::from([(first.clone(), 100), (other.clone(), 200)]);
    assert_eq!(recent.reaches, [(second(0), both), (second(5), BTreeMap::from([(first.clone(), 150)]))]);
    let last = |at, end| Some(LastEnd { at, end, start: None, leader_epoch: None, topic_id: None });
    let last_read = BTreeMap::from([(first, last(second(5), 150)), (other, last(second(0), 200))]);
    assert_eq!(recent.high, Some(LastEnds { at: second(5), ends: last_read }));
}

#[tokio::test]
async fn a_recreated_topic_is_another_track() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    for (seconds, sample) in [(0, orders(1, 5000, 7)), (5, orders(2, 10, 1)), (10, orders(2, 20, 1))] {
        recording.append(conn, begin + TimeDelta::seconds(seconds), sample).await.unwrap();
        recording.committed();
    }
    assert_eq!(behind(conn, begin, 3).await, [Some(14), Some(2), Some(2)]);
    let tracks: Vec<(i32, i32)> =
        sqlx::query_as("select number, partition from recorder_track order by number")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(tracks, [(0, 0), (1, 1), (2, 0), (3, 1)]);
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let ends = recent.reaches;
    let of_first: Vec<Option<&i64>> =
        ends.iter().map(|(_, ends)| ends.get(&TopicPartition::new("orders", 0))).collect();
    assert_eq!(of_first, [Some(&10), Some(&20)], "the ends of the topic before say nothing of this one");
    assert_eq!(recent.ids, BTreeMap::from([("orders".to_owned(), Uuid::from_u128(2))]));
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
    seal_all(conn, &recording, Utc::now()).await;
    losses::keep(conn, &pair_name("payments"), &loss(at(30, 120))).await.unwrap();
    sqlx::query("update loss set at = seen_at").execute(&mut *conn).await.unwrap();
    let mut tx = muster_store::begin(database.pool()).await.unwrap();
    assert_eq!(recorder::retire(&mut tx, Utc::now(), 24).await.unwrap(), 2);
    tx.commit().await.unwrap();
    for (hours, expected) in [(40, vec![]), (30, vec![Some(4)]), (2, vec![Some(6)])] {
        assert_eq!(behind(conn, at(hours, 60), 1).await, expected, "{hours} hours ago");
    }
    let days = series(conn, at(48, 0), at(-1, 0), 49).await;
    let seen: Vec<Option<i64>> = days.iter().map(|point| point.total_lag_records).collect();
    assert_eq!(seen, [Some(2), Some(4), Some(6)], "hours are kept for a year");
    let mut again = muster_store::begin(database.pool()).await.unwrap();
    assert_eq!(recorder::retire(&mut again, Utc::now(), 24).await.unwrap(), 0);
    again.commit().await.unwrap();
    assert!(recorder::size(conn).await.unwrap() > 0);
}

fn loss(seen_at: DateTime<Utc>) -> Loss {
    Loss {
        direction: FORWARD,
        owner: team("payments"),
        seen_at,
        noticed_at: seen_at + TimeDelta::seconds(5),
        reason: "connection refused".to_owned(),
        total: Interval { records_at_most: Some(70), ..Interval::default() },
        topics: Vec::new(),
        method: String::new(),
        waits_for_leaders: 0,
        truth: None,
    }
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

async fn retire(database: &TestDatabase) {
    let mut tx = muster_store::begin(database.pool()).await.expect("a transaction");
    recorder::retire(&mut tx, Utc::now(), 24).await.expect("retired");
    tx.commit().await.expect("committed");
}

#[tokio::test]
async fn what_lies_around_the_opening_of_a_critical_alarm_is_frozen() {
    use AlarmCode::{GroupActive, ReplicationHole};
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    let hours = [60, 50, 45, 40, 35];
    for hour in hours {
        recording.append(conn, at(hour, 60), orders(1, 10_000 - hour, 1)).await.unwrap();
        recording.committed();
    }
    seal_all(conn, &recording, Utc::now()).await;
    alarmed(conn, 0, ReplicationHole, false, at(60, 600)).await;
    alarmed(conn, 1, GroupActive, false, at(50, 120)).await;
    alarmed(conn, 2, ReplicationHole, true, at(45, 120)).await;
    // Half an hour too late.
    alarmed(conn, 3, ReplicationHole, false, at(40, 1920)).await;
    retire(&database).await;
    let mut kept = Vec::new();
    for hour in hours {
        kept.push(behind(conn, at(hour, 60), 1).await == [Some(2)]);
    }
    assert_eq!(
        kept,
        [true, false, false, false, false],
        "a hole, a warning, what is likely, what is far, nothing"
    );
}

#[tokio::test]
async fn an_alarm_that_comes_and_goes_does_not_keep_the_whole_day() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = open(conn).await;
    for hour in (30..50).rev() {
        recording.append(conn, at(hour, 60), orders(1, 10_000 - hour, 1)).await.unwrap();
        recording.committed();
    }
    seal_all(conn, &recording, Utc::now()).await;
    for hour in (30..50).rev() {
        alarmed(conn, hour, AlarmCode::SourceUnreachable, false, at(hour, 120)).await;
    }
    retire(&database).await;
    let frozen: i64 =
        sqlx::query_scalar("select count(*) from recorder_frozen").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(frozen, 10);
    assert_eq!(behind(conn, at(49, 60), 1).await, [Some(2)], "the first of them");
}

#[tokio::test]
async fn facts_of_more_than_a_year_ago_go_except_what_was_so_then() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let of = (&name, Side::A, "configs");
    let days = [800, 500, 400, 100, 1];
    for day in days {
        let body = serde_json::json!({ "day": day });
        assert!(recorder::keep_fact(conn, of, at(day * 24, 0), &day.to_string(), &body).await.unwrap());
    }
    let other = (&name, Side::B, "acls");
    recorder::keep_fact(conn, other, at(900 * 24, 0), "one", &serde_json::json!({"day": 900})).await.unwrap();
    retire(&database).await;
    let mut seen = Vec::new();
    for day in days {
        let fact = recorder::fact_at(conn, of, at(day * 24, 0)).await.unwrap();
        seen.push(fact.and_then(|fact| fact["day"].as_i64()));
    }
    assert_eq!(seen, [None, None, Some(400), Some(100), Some(1)]);
    assert!(recorder::fact_at(conn, other, Utc::now()).await.unwrap().is_some(), "it is so to this day");
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

#[tokio::test]
async fn losses_are_found_by_when_they_stood() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let (old, new) = (loss(at(30, 0)), loss(at(3, 0)));
    for loss in [&old, &new] {
        losses::keep(conn, &name, loss).await.unwrap();
        losses::keep(conn, &name, loss).await.unwrap();
    }
    let unsettled = losses::unsettled(conn, &name).await.unwrap();
    let (written, losses): (Vec<_>, Vec<_>) = unsettled.into_iter().unzip();
    assert_eq!(losses, [new.clone(), old.clone()]);
    assert_eq!(losses::unsettled_at(conn, &name).await.unwrap(), written);
    losses::keep(conn, &name, &old).await.unwrap();
    let again = losses::unsettled_at(conn, &name).await.unwrap();
    assert!(again[0] == written[0] && again[1] > written[1], "{again:?}, {written:?}");
    assert_eq!(losses::at(conn, &name, None, Utc::now()).await.unwrap(), Some(new));
    assert_eq!(losses::at(conn, &name, Some(FORWARD), at(4, 0)).await.unwrap(), Some(old));
    assert_eq!(losses::at(conn, &name, None, at(31, 0)).await.unwrap(), None);
    assert_eq!(losses::at(conn, &name, Some(FORWARD.reverse()), Utc::now()).await.unwrap(), None);
    let mut noticed = async |teams: Option<&[String]>, from: DateTime<Utc>| {
        let found = losses::between(conn, teams, None, (from, Utc::now()), 10).await.unwrap();
        found.iter().map(|loss| (loss.seen_at, loss.total.records_at_most)).collect::<Vec<_>>()
    };
    let (first, second) = ((at(30, 0), Some(70)), (at(3, 0), Some(70)));
    assert_eq!(noticed(None, at(40, 0)).await, [second, first]);
    assert_eq!(noticed(None, at(10, 0)).await, [second]);
    assert_eq!(noticed(Some(&["another".to_owned()]), at(40, 0)).await, [], "nothing of other teams");
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

#[tokio::test]
async fn a_pair_made_anew_begins_without_the_past_of_the_one_before() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    recording.append(conn, begin, orders(1, 100, 1)).await.unwrap();
    recording.committed();
    seal_all(conn, &recording, begin + TimeDelta::minutes(5)).await;
    let fact = serde_json::json!({"bindings": []});
    let kept = (&name, Side::A, "acls");
    assert!(recorder::keep_fact(conn, kept, begin, "one", &fact).await.unwrap());
    assert!(!recorder::keep_fact(conn, kept, at(1, 0), "one", &fact).await.unwrap(), "as it was");
    assert!(recorder::keep_fact(conn, kept, at(1, 0), "two", &fact).await.unwrap());
    pairs::delete(conn, &name, 1).await.unwrap();
    let gone =
        Recording::open(conn, &name, FORWARD, Kind::Partitions).await.map(|recording| recording.stream());
    assert_eq!(broken(gone), "recorder_stream_of_pair");
    pairs::insert(conn, &pair).await.unwrap();
    let again = open(conn).await;
    assert_ne!(again.stream(), recording.stream());
    assert_eq!(behind(conn, begin, 1).await, []);
}
