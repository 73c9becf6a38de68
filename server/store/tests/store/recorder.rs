//! The flight recorder on a real PostgreSQL: what was written reads back whoever died in between, old partitions go, and
//! incidents stay.

mod recalled;
mod retirement;
mod sealing;
mod torn;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    loss::{Interval, Loss},
    pair::{Direction, Side},
    recorder::{Cells, Column, FactKind, Kind, Point, TopicSample},
    topic::TopicPartition,
};
use muster_store::{
    losses, pairs,
    recorder::{self, Recording, Selection},
    testing::TestDatabase,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{at, broken, keep_pair, now, pair_name, team};

const FORWARD: Direction = Direction { from: Side::A };
const ORDERS: Selection<'static> = Selection { topic: "orders", partition: None };

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

/// Drops what is older than a day, as housekeeping does; answers how many partitions of surveys went.
pub(crate) async fn retire(database: &TestDatabase) -> usize {
    let (now, mut dropped) = (now(), 0);
    let conn = &mut *database.conn().await;
    recorder::cover_next(conn, now).await.expect("partitions");
    let mut more = true;
    while more {
        let mut tx = muster_store::begin(database.pool()).await.expect("a transaction");
        more = recorder::retire_blocks(&mut tx, now, 24).await.expect("retired");
        tx.commit().await.expect("committed");
        dropped += usize::from(more);
    }
    let mut tx = muster_store::begin(database.pool()).await.expect("a transaction");
    recorder::retire_hours(&mut tx, now).await.expect("retired");
    tx.commit().await.expect("committed");
    let long_ago = now - recorder::HOURS_FOR;
    recorder::forget_facts(conn, long_ago).await.expect("forgotten");
    recorder::forget_ids(conn, long_ago).await.expect("forgotten");
    recorder::forget_tracks(conn, long_ago).await.expect("forgotten");
    dropped
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
    assert_eq!(losses::at(conn, &name, None, now()).await.unwrap(), Some(new));
    assert_eq!(losses::at(conn, &name, Some(FORWARD), at(4, 0)).await.unwrap(), Some(old));
    assert_eq!(losses::at(conn, &name, None, at(31, 0)).await.unwrap(), None);
    assert_eq!(losses::at(conn, &name, Some(FORWARD.reverse()), now()).await.unwrap(), None);
    let mut noticed = async |teams: Option<&[String]>, from: DateTime<Utc>| {
        let found = losses::between(conn, teams, None, (from, now()), 10).await.unwrap();
        found.iter().map(|loss| (loss.seen_at, loss.total.records_at_most)).collect::<Vec<_>>()
    };
    let (first, second) = ((at(30, 0), Some(70)), (at(3, 0), Some(70)));
    assert_eq!(noticed(None, at(40, 0)).await, [second, first]);
    assert_eq!(noticed(None, at(10, 0)).await, [second]);
    assert_eq!(noticed(Some(&["another".to_owned()]), at(40, 0)).await, [], "nothing of other teams");
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
    let kept = (&name, Side::A, FactKind::Acls);
    recorder::keep_fact(conn, kept, begin, &fact).await.unwrap();
    recorder::keep_fact_change(conn, kept, at(1, 0), None).await.unwrap();
    pairs::delete(conn, &name, 1).await.unwrap();
    let gone =
        Recording::open(conn, &name, FORWARD, Kind::Partitions).await.map(|recording| recording.stream());
    assert_eq!(broken(gone), "recorder_stream_of_pair");
    pairs::insert(conn, &pair).await.unwrap();
    let again = open(conn).await;
    assert_ne!(again.stream(), recording.stream());
    assert_eq!(behind(conn, begin, 1).await, []);
    let changes = recorder::fact_changes(conn, kept, 10).await.unwrap();
    assert!(changes.is_empty(), "neither whole states nor changes: {changes:?}");
}
