//! The course of many partitions, from the flight recorder on a real PostgreSQL: as the plain way finds it, sealed or not.

mod in_time;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::{Direction, Side},
    recorder::{
        Cells, Column, FactKind, Kind, TopicSample,
        explorer::{Course, Resolution, RowsOf, Wanted, Why},
    },
};
use muster_store::{
    recorder::{self, Explored, Question, Recording, Selection},
    rpo_hours,
    testing::TestDatabase,
};
use proptest::prelude::*;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{at, keep_pair, look_at, now, pair_name};

const FORWARD: Direction = Direction { from: Side::A };
/// Stretches of the questions.
const POINTS: usize = 4;

/// Partitions of a topic of which so much is missing; `None` is not known.
fn topic(name: &str, behind: &[Option<i64>]) -> TopicSample {
    let cells = |behind: &Option<i64>| -> Cells {
        let mut cells = vec![None; Column::COUNT];
        for column in [Column::End, Column::Stable, Column::Reach] {
            cells[column as usize] = Some(1_000);
        }
        cells[Column::Through as usize] = behind.map(|behind| 999 - behind);
        cells[Column::Class as usize] = Some(if behind.is_some() { 0 } else { 4 });
        cells
    };
    TopicSample {
        group: String::new(),
        topic: name.to_owned(),
        id: Some(Uuid::from_u128(1)),
        tracks: behind.iter().map(cells).collect(),
    }
}

fn question(from: DateTime<Utc>, to: DateTime<Utc>) -> Question<'static> {
    Question {
        topic: None,
        partition: None,
        from,
        to,
        points: POINTS,
        rows: Wanted::worst(RowsOf::Partitions, 5),
        rows_asked: true,
        now: now(),
    }
}

async fn explore(conn: &mut PgConnection, asked: Question<'_>) -> Explored {
    recorder::explore(conn, (&pair_name("payments"), FORWARD), asked, |_| true).await.expect("a course")
}

async fn course(conn: &mut PgConnection, asked: Question<'_>) -> Course {
    explore(conn, asked).await.course.expect("it is not too much")
}

async fn record(
    conn: &mut PgConnection,
    samples: impl IntoIterator<Item = (DateTime<Utc>, Vec<TopicSample>)>,
) -> Recording {
    let mut recording =
        Recording::open(conn, &pair_name("payments"), FORWARD, Kind::Partitions).await.expect("a stream");
    for (at, topics) in samples {
        recording.append(conn, at, topics).await.expect("recording");
        recording.committed();
    }
    recording
}

async fn seal_all(conn: &mut PgConnection, recording: &Recording) {
    while recorder::seal(conn, recording.stream(), recording.kind(), now()).await.expect("sealing") {}
}

/// All values sorted, unknown last: the value so many of a hundred are at or below.
fn plainly(values: &[Option<i64>], percent: usize) -> Option<i64> {
    let mut sorted: Vec<i64> = values.iter().map(|value| value.unwrap_or(i64::MAX)).collect();
    sorted.sort_unstable();
    sorted.get((values.len() * percent).div_ceil(100).max(1) - 1).copied().filter(|value| *value < i64::MAX)
}

/// Records behind of the partitions of two topics at one survey.
type Seen = (Vec<Option<i64>>, Vec<Option<i64>>);

/// Twelve surveys of two topics.
fn surveys() -> impl Strategy<Value = Vec<Seen>> {
    let behind = || prop::option::weighted(0.95, 0_i64..200);
    prop::collection::vec((prop::collection::vec(behind(), 5), prop::collection::vec(behind(), 3)), 12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn the_band_is_what_the_plain_way_finds_before_and_after_sealing(surveys in surveys()) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let database = TestDatabase::new().await;
            let conn = &mut *database.conn().await;
            keep_pair(conn, "payments").await.unwrap();
            let begin = at(2, 0);
            let time = |number: usize| begin + TimeDelta::seconds(30 * number as i64);
            let samples = surveys.iter().enumerate().map(|(number, (orders, refunds))| {
                (time(number), vec![topic("orders", orders), topic("refunds", refunds)])
            });
            let recording = record(conn, samples).await;
            let asked = question(begin, time(12));
            let open = course(conn, asked).await;
            for (stretch, item) in open.items.iter().enumerate() {
                // Three surveys a stretch; of each partition the worst, and unknown is worst.
                let of_stretch = &surveys[stretch * 3..stretch * 3 + 3];
                let worst: Vec<Option<i64>> = (0..8)
                    .map(|n| {
                        let value = |(a, b): &Seen| if n < 5 { a[n] } else { b[n - 5] };
                        of_stretch.iter().map(value).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten()
                    })
                    .collect();
                let found = item.records;
                assert_eq!(
                    (found.p50, found.p90, found.p99, found.worst),
                    (plainly(&worst, 50), plainly(&worst, 90), plainly(&worst, 99), plainly(&worst, 100))
                );
                assert_eq!((item.partitions, item.unknown), (8, worst.iter().filter(|v| v.is_none()).count()));
            }
            assert_eq!((open.items.len(), open.strip.partitions, open.strip.rows.len()), (POINTS, 8, 5));
            // One topic is what the series of it says.
            let of_orders = Question { topic: Some("orders"), ..asked };
            let narrow = course(conn, of_orders).await;
            let selection = Selection { topic: "orders", partition: None };
            let name = pair_name("payments");
            let series =
                recorder::series(conn, (&name, FORWARD), selection, (begin, time(12)), POINTS as i32).await.unwrap();
            let pairs = |items: &Course| -> Vec<_> {
                items.items.iter().map(|item| (item.at, item.records.worst, item.total_records)).collect()
            };
            let points: Vec<_> =
                series.iter().map(|point| (point.at, point.worst_lag_records, point.total_lag_records)).collect();
            assert_eq!(pairs(&narrow), points);
            seal_all(conn, &recording).await;
            assert_eq!(course(conn, asked).await, open, "sealed");
            assert_eq!(course(conn, of_orders).await, narrow, "sealed");
        });
    }
}

#[tokio::test]
async fn more_partitions_than_one_chunk_holds_are_one_course() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let count = recorder::MOST_TRACKS as i64 + 100;
    let behind: Vec<Option<i64>> = (0..count).map(|n| Some(n % 100)).collect();
    let recording = record(conn, [(begin, vec![topic("orders", &behind)])]).await;
    seal_all(conn, &recording).await;
    let asked = Question { points: 1, ..question(begin, begin + TimeDelta::seconds(60)) };
    let found = explore(conn, asked).await;
    let item = &found.course.as_ref().unwrap().items[0];
    assert_eq!((found.partitions as i64, item.partitions as i64), (count, count));
    assert_eq!(
        (item.records.p50, item.records.p99, item.records.worst),
        (plainly(&behind, 50), plainly(&behind, 99), Some(99))
    );
    assert_eq!(item.total_records, Some(behind.iter().flatten().sum()));
}

#[tokio::test]
async fn time_behind_is_told_from_surveys_before_the_time_that_is_shown() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    // The end moves once, and the target does not follow.
    let sample = |end: i64| {
        let mut orders = topic("orders", &[Some(0)]);
        for column in [Column::End, Column::Stable, Column::Reach] {
            orders.tracks[0][column as usize] = Some(end);
        }
        orders.tracks[0][Column::Start as usize] = Some(0);
        orders.tracks[0][Column::Target as usize] = Some(400);
        vec![orders]
    };
    let times = [(0, 1_000), (60, 1_010), (600, 1_010), (660, 1_010)];
    record(conn, times.map(|(seconds, end)| (begin + TimeDelta::seconds(seconds), sample(end)))).await;
    let asked = question(begin + TimeDelta::seconds(590), begin + TimeDelta::seconds(700));
    let found = course(conn, asked).await;
    let ms: Vec<Option<i64>> = found.items.iter().map(|item| item.ms.and_then(|ms| ms.worst)).collect();
    assert_eq!(ms, [Some(600_000), Some(660_000)], "since the survey that saw the end where the target is");
    let rpo = found.items[1].rpo.unwrap();
    assert_eq!((rpo.records_at_least, rpo.ms_at_least), (Some(10), Some(600_000)));
}

#[tokio::test]
async fn what_is_kept_by_the_hour_only_is_shown_by_the_hour() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let samples = [(40, 3), (39, 7), (2, 1)]
        .map(|(hours, behind)| (at(hours, 60), vec![topic("orders", &[Some(behind), Some(0)])]));
    let recording = record(conn, samples).await;
    seal_all(conn, &recording).await;
    crate::recorder::retire(&database).await;
    let old = explore(conn, question(at(40, 0), at(38, 0))).await;
    assert_eq!(old.frame.resolution, Resolution::Hour, "the surveys are gone");
    let worst: Vec<_> = old.course.unwrap().items.iter().map(|item| item.records.worst).collect();
    assert_eq!(worst, [Some(3), Some(7)]);
    let recent = explore(conn, question(at(2, 0), at(2, 120))).await;
    assert_eq!(recent.frame.resolution, Resolution::Survey);
    let long = explore(conn, Question { points: 100, ..question(at(41, 0), at(1, 0)) }).await;
    let course = long.course.unwrap();
    assert_eq!((long.frame.resolution, course.items.len()), (Resolution::Hour, 3));
    assert!(course.gaps.iter().all(|gap| gap.why == Why::NotRecorded), "{:?}", course.gaps);
    // Nothing is made up where there is no sample.
    assert_eq!(course.gaps.first().map(|gap| (gap.from, gap.to)), Some((at(41, 0), at(40, 0))));
}

#[tokio::test]
async fn what_is_frozen_around_an_incident_hides_no_hour_beside_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let samples = [(40, 3), (39, 7), (38, 5)]
        .map(|(hours, behind)| (at(hours, 60), vec![topic("orders", &[Some(behind), Some(0)])]));
    let recording = record(conn, samples).await;
    seal_all(conn, &recording).await;
    let frozen = "insert into recorder_frozen select * from recorder_block where from_at < $1";
    sqlx::query(frozen).bind(at(39, 0)).execute(&mut *conn).await.expect("frozen");
    crate::recorder::retire(&database).await;
    let around = explore(conn, question(at(40, 0), at(40, 1800))).await;
    assert_eq!(around.frame.resolution, Resolution::Survey, "the surveys around it are kept");
    for (from, to) in [(at(40, 0), at(37, 0)), (at(40, 1800), at(37, 0))] {
        let beyond = explore(conn, question(from, to)).await;
        assert_eq!(beyond.frame.resolution, Resolution::Hour, "from {from}");
        let worst: Vec<_> = beyond.course.unwrap().items.iter().map(|item| item.records.worst).collect();
        assert_eq!(worst, [Some(3), Some(7), Some(5)], "from {from}");
    }
}

#[tokio::test]
async fn a_topic_that_was_gone_by_then_reads_the_same_whether_or_not_its_chunk_has_rows() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let (gone, orders) = (vec![Some(0); recorder::MOST_TRACKS], || topic("orders", &[Some(1)]));
    let samples = [
        (at(5, 60), vec![topic("gone", &gone), orders()]),
        (at(5, 2400), vec![orders()]),
        (at(4, 60), vec![orders()]),
    ];
    let recording = record(conn, samples).await;
    let asked = Question { topic: Some("gone"), ..question(at(5, 3000), at(4, 1800)) };
    let open = explore(conn, asked).await;
    seal_all(conn, &recording).await;
    let sealed = explore(conn, asked).await;
    for found in [open, sealed] {
        assert_eq!(found.frame.resolution, Resolution::Survey, "surveys of that time are kept");
        assert_eq!(found.course.unwrap().items, [], "and it was not there any more");
    }
}

#[tokio::test]
async fn what_is_too_much_to_look_at_names_the_longest_time_that_is_not() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let behind = vec![Some(1); 2_700];
    let recording = record(conn, [(at(2, 0), vec![topic("orders", &behind)])]).await;
    seal_all(conn, &recording).await;
    let to = at(1, 0);
    let of_all = question(to - TimeDelta::days(400), to);
    let asked = Question { topic: Some("orders"), ..of_all };
    let found = explore(conn, asked).await;
    assert_eq!((found.course.is_none(), found.rows_left_out, found.partitions), (true, true, 2_700));
    // So many hours and those at both ends are 24,000,000 of partitions at most.
    assert_eq!(found.longest, TimeDelta::hours(8_887));
    let fits = explore(conn, Question { from: to - found.longest, ..asked }).await;
    assert_eq!(fits.course.map(|course| course.items.len()), Some(1), "the hour that was recorded");
    let longer = Question { from: to - found.longest - TimeDelta::hours(1), ..asked };
    assert_eq!(explore(conn, longer).await.course, None);
    // A whole flow is told without its rows, from what is kept of it by the hour; here nothing is.
    let whole = explore(conn, of_all).await;
    assert_eq!((whole.rows_left_out, whole.partitions, whole.longest), (true, 2_700, found.longest));
    let course = whole.course.expect("a course of the flow");
    assert_eq!((course.items.len(), course.strip.total), (0, 0));
    assert_eq!(course.gaps.len(), 1, "and that is not recorded: {:?}", course.gaps);
}

#[tokio::test]
async fn a_large_flow_is_told_by_the_hour_and_its_rows_come_where_somebody_asks_for_them() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let behind = vec![Some(1); 2_700];
    let recording = record(conn, [(at(2, 0), vec![topic("orders", &behind)])]).await;
    seal_all(conn, &recording).await;
    for (hours, records) in [(50, Some(30)), (2, Some(1)), (1, None)] {
        let look = look_at(at(hours, 60), &[records, Some(0)]);
        rpo_hours::keep(conn, &pair_name("payments"), &[(FORWARD, look)]).await.unwrap();
    }
    let month = Question { points: 1_000, ..question(at(0, 0) - TimeDelta::days(30), at(0, 0)) };
    let worst = |found: &Explored| -> Vec<_> {
        let items = &found.course.as_ref().expect("a course").items;
        items.iter().map(|item| (item.at, item.records.worst, item.ms.and_then(|ms| ms.worst))).collect()
    };
    let expected = [(at(50, 0), Some(30), Some(300)), (at(2, 0), Some(1), Some(10)), (at(1, 0), None, None)];
    let together = explore(conn, Question { rows_asked: false, ..month }).await;
    assert_eq!((together.rows_left_out, together.partitions, together.hours.len()), (true, 2_700, 3));
    assert_eq!(worst(&together), expected);
    let course = together.course.as_ref().expect("a course");
    assert_eq!((course.strip.rows.len(), course.newest), (0, Some(at(1, 60))));
    let last = course.items[2].of_surveys.expect("it is told from surveys");
    assert_eq!((last.surveys, last.unknown, last.partitions.unknown, last.partitions.exact), (1, 1, 1, 1));
    let asked_for = explore(conn, month).await;
    assert_eq!((asked_for.rows_left_out, worst(&asked_for)), (false, expected.to_vec()));
    assert_eq!(asked_for.course.expect("a course").strip.total, 2_700);
    // Of one topic nothing but its partitions is kept.
    let of_topic = explore(conn, Question { topic: Some("orders"), ..month }).await;
    assert_eq!((worst(&of_topic), of_topic.hours.len()), (vec![(at(2, 0), Some(1), None)], 0));
}

#[tokio::test]
async fn hours_of_a_large_flow_that_only_its_partitions_know_are_told_from_them() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    // The first before bands were kept.
    let samples = [(3, 7), (2, 1)]
        .map(|(hours, behind)| (at(hours, 60), vec![topic("orders", &vec![Some(behind); 2_700])]));
    let recording = record(conn, samples).await;
    seal_all(conn, &recording).await;
    let look = look_at(at(2, 60), &[Some(1), Some(0)]);
    rpo_hours::keep(conn, &pair_name("payments"), &[(FORWARD, look)]).await.unwrap();
    let of_days = |days| Question {
        points: 1_000,
        rows_asked: false,
        ..question(at(0, 0) - TimeDelta::days(days), at(0, 0))
    };
    let worst = |found: &Explored| -> Vec<_> {
        let items = &found.course.as_ref().expect("a course").items;
        items.iter().map(|item| (item.at, item.records.worst)).collect()
    };
    let month = explore(conn, of_days(30)).await;
    assert_eq!(worst(&month), [(at(3, 0), Some(7)), (at(2, 0), Some(1))]);
    assert!(!month.rows_left_out, "its partitions were looked at");
    let too_long = explore(conn, Question { points: 10_000, ..of_days(399) }).await;
    assert_eq!((too_long.rows_left_out, worst(&too_long)), (true, vec![(at(2, 0), Some(1))]));
}

#[tokio::test]
async fn a_flow_of_which_nothing_was_recorded_has_an_empty_course() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let found = explore(conn, question(at(2, 0), at(1, 0))).await;
    let course = found.course.unwrap();
    assert_eq!((found.partitions, course.items.len(), course.newest), (0, 0, None));
    assert_eq!(course.gaps.len(), 1);
    assert_eq!(recorder::topics(conn, &pair_name("payments"), FORWARD, 10).await.unwrap(), [] as [String; 0]);
    record(conn, [(at(2, 0), vec![topic("b", &[Some(0)]), topic("a", &[Some(0), Some(0)])])]).await;
    let listed = async |conn: &mut PgConnection, most| {
        recorder::topics(conn, &pair_name("payments"), FORWARD, most).await.unwrap()
    };
    assert_eq!(listed(conn, 10).await, ["a", "b"]);
    assert_eq!(listed(conn, 1).await, ["a"]);
    assert_eq!(
        explore(conn, Question { topic: Some("none"), ..question(at(2, 0), at(1, 0)) }).await.partitions,
        0
    );
    let one = Question { topic: Some("a"), partition: Some(1), ..question(at(2, 0), at(1, 0)) };
    assert_eq!(explore(conn, one).await.partitions, 1);
}

#[tokio::test]
async fn configs_are_read_as_they_were() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let of = (&name, Side::A, FactKind::Configs);
    let facts = BTreeMap::from([(5, "compact"), (3, "delete")]);
    for (hours, policy) in facts.iter().rev() {
        let body = serde_json::json!({
            "configs": [{"cleanup.policy": {"value": policy, "source": "topic"}}], "topics": {"orders": 0}
        });
        recorder::keep_fact(conn, of, at(*hours, 0), &body).await.unwrap();
    }
    let mut dense = Vec::new();
    for hours in [6, 4, 2] {
        let fact = recorder::fact_at(conn, of, at(hours, 0)).await.unwrap();
        dense.push(
            fact.map(|fact| ["orders", "others"].map(muster_domain::recorder::keeps_all_records(&fact))),
        );
    }
    assert_eq!(dense, [None, Some([false, false]), Some([true, false])]);
}
