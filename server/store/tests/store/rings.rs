//! Fingerprint rings on a real PostgreSQL: replaced, bounded, kept while a source is silent, gone with the pair.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::{Direction, Side},
    recorder::{Kind, TopicSample, explorer::Resolution},
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{Kept, Rings, Run, SyncsAround, Visible},
};
use muster_store::{
    StoreError,
    leases::{self, survey_lease},
    pairs,
    recorder::{self, Recording},
    rings::{self, Look, NewRings, Unread, Written},
    testing::TestDatabase,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{broken, keep_pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };
const BACK: Direction = Direction { from: Side::B };

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("orders", number)
}

fn of(position: i64) -> Rings {
    let print = |offset: i64| Visible { offset, fingerprint: offset.unsigned_abs() << 40 };
    let run = Run { from: position, until: position + 3, prints: vec![print(position), print(position + 2)] };
    let before = OffsetPair { upstream: position - 5, downstream: 7 };
    let syncs = Some(SyncsAround { before, after: None, restarted: true });
    Rings {
        source_end: position + 3,
        target_end: 20,
        keeps_all: true,
        runs: vec![run],
        positions: vec![Kept { position, syncs }, Kept { position: position + 3, syncs: None }],
    }
}

fn some(numbers: impl IntoIterator<Item = i32>, position: i64) -> ByPartition<Rings> {
    numbers.into_iter().map(|number| (partition(number), of(position))).collect()
}

async fn lease(conn: &mut PgConnection, owner: &str) -> i64 {
    let name = survey_lease(&pair_name("payments"));
    leases::claim(conn, &name, owner, -1.0).await.expect("a claim").expect("a free lease").epoch
}

async fn keep(
    conn: &mut PgConnection,
    direction: Direction,
    epoch: i64,
    seconds: i64,
    rings: &ByPartition<Rings>,
) -> Result<usize, StoreError> {
    let found = NewRings { rings: rings.clone(), ..NewRings::default() };
    Ok(keep_found(conn, direction, epoch, seconds, &found).await?.bytes)
}

async fn keep_found(
    conn: &mut PgConnection,
    direction: Direction,
    epoch: i64,
    seconds: i64,
    found: &NewRings,
) -> Result<Written, StoreError> {
    let times = (at(seconds), at(seconds - 1));
    rings::keep(conn, (&pair_name("payments"), direction), epoch, times, found).await
}

/// Partitions that cannot be read.
fn unread(numbers: impl IntoIterator<Item = i32>, because: &str) -> NewRings {
    let unread = numbers.into_iter().map(|number| (partition(number), because.to_owned())).collect();
    NewRings { unread, ..NewRings::default() }
}

/// Those that are known: since when, when they were tried last, and why.
async fn cannot_be_read(conn: &mut PgConnection, direction: Direction) -> Vec<(i32, i64, i64, String)> {
    let (pair, all) = (pair_name("payments"), 100);
    let found = rings::unread(conn, (&pair, direction), all).await.expect("read");
    let count = rings::count_unread(conn, (&pair, direction)).await.expect("counted");
    assert_eq!(count, i64::try_from(found.len()).expect("few"));
    let one = |(at, Unread { since, tried_at, because }): (TopicPartition, Unread)| {
        (at.partition, since.timestamp(), tried_at.timestamp(), because)
    };
    found.into_iter().map(one).collect()
}

async fn kept(conn: &mut PgConnection, direction: Direction) -> ByPartition<(DateTime<Utc>, Rings)> {
    rings::rings(conn, (&pair_name("payments"), direction)).await.expect("read")
}

async fn look(conn: &mut PgConnection, direction: Direction) -> Option<Look> {
    rings::look(conn, (&pair_name("payments"), direction)).await.expect("read")
}

#[tokio::test]
async fn what_is_looked_at_again_is_replaced_and_the_rest_stays_as_it_was() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let epoch = lease(conn, "one").await;
    assert_eq!(look(conn, FORWARD).await, None);
    let bytes = keep(conn, FORWARD, epoch, 10, &some([0, 1], 100)).await.expect("kept");
    assert!((60..140).contains(&bytes), "{bytes}");
    keep(conn, BACK, epoch, 15, &some([0], 50)).await.expect("kept");
    keep(conn, FORWARD, epoch, 20, &some([1], 130)).await.expect("kept again");
    let expected = BTreeMap::from([(partition(0), (at(10), of(100))), (partition(1), (at(20), of(130)))]);
    assert_eq!(kept(conn, FORWARD).await, expected);
    assert_eq!(kept(conn, BACK).await, BTreeMap::from([(partition(0), (at(15), of(50)))]));
    let seen = look(conn, FORWARD).await.expect("it was looked at");
    assert_eq!((seen.looked_at, seen.positions_at, seen.silent_since), (at(20), at(19), None));
}

#[tokio::test]
async fn a_silent_source_changes_nothing_of_what_is_kept_and_says_since_when() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    let of_flow = (&pair, FORWARD);
    rings::keep_silence(conn, of_flow, epoch, at(5), "refused").await.expect("nothing to be said");
    assert_eq!(look(conn, FORWARD).await, None);
    keep(conn, FORWARD, epoch, 10, &some([0], 100)).await.expect("kept");
    for (seconds, because) in [(20, "refused"), (30, "no answer")] {
        rings::keep_silence(conn, of_flow, epoch, at(seconds), because).await.expect("kept");
    }
    let silent = Look {
        looked_at: at(10),
        positions_at: at(9),
        silent_since: Some(at(20)),
        silent_because: "no answer".to_owned(),
        failing_since: None,
        failing_because: String::new(),
        beyond: 0,
    };
    assert_eq!(look(conn, FORWARD).await, Some(silent));
    assert_eq!(kept(conn, FORWARD).await, BTreeMap::from([(partition(0), (at(10), of(100)))]));
    // It is back.
    keep(conn, FORWARD, epoch, 40, &ByPartition::new()).await.expect("kept");
    let back = look(conn, FORWARD).await.expect("it was looked at");
    assert_eq!((back.silent_since, back.silent_because.as_str()), (None, ""));
    assert_eq!(kept(conn, FORWARD).await.len(), 1);
}

#[tokio::test]
async fn who_has_lost_the_lease_writes_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let first = lease(conn, "one").await;
    keep(conn, FORWARD, first, 10, &some([0], 100)).await.expect("kept");
    let second = lease(conn, "two").await;
    let late = keep(conn, FORWARD, first, 20, &some([0], 130)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let late = rings::keep_silence(conn, (&pair_name("payments"), FORWARD), first, at(20), "refused").await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert_eq!(kept(conn, FORWARD).await[&partition(0)], (at(10), of(100)));
    keep(conn, FORWARD, second, 20, &some([0], 130)).await.expect("the other one does");
}

#[tokio::test]
async fn a_flow_has_so_many_and_those_looked_at_longest_ago_go() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let epoch = lease(conn, "one").await;
    let most = i32::try_from(rings::MOST_PARTITIONS).expect("small");
    keep(conn, FORWARD, epoch, 10, &some(0..most, 100)).await.expect("kept");
    keep(conn, BACK, epoch, 5, &some([0], 100)).await.expect("kept");
    let found = NewRings { rings: some(2..most + 2, 130), ..NewRings::default() };
    let written = keep_found(conn, FORWARD, epoch, 20, &found).await.expect("kept");
    let mut dropped = written.dropped;
    dropped.sort();
    assert_eq!(dropped, [partition(0), partition(1)], "whoever looks is told");
    let all = kept(conn, FORWARD).await;
    assert_eq!(all.len(), usize::try_from(most).expect("small"));
    assert!(!all.contains_key(&partition(0)) && !all.contains_key(&partition(1)));
    assert_eq!(kept(conn, BACK).await.len(), 1, "another flow has its own");
}

#[tokio::test]
async fn partitions_that_give_way_to_others_are_forgotten_and_how_many_have_no_room_is_known() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let epoch = lease(conn, "one").await;
    keep(conn, FORWARD, epoch, 10, &some(0..3, 100)).await.expect("kept");
    keep(conn, BACK, epoch, 10, &some(0..3, 100)).await.expect("kept");
    let forget = vec![partition(0), partition(1)];
    let found = NewRings { rings: some([1, 3], 130), forget, beyond: 7, ..NewRings::default() };
    let written = keep_found(conn, FORWARD, epoch, 20, &found).await.expect("kept");
    assert_eq!(written.dropped, []);
    let left: Vec<i32> = kept(conn, FORWARD).await.keys().map(|at| at.partition).collect();
    assert_eq!(left, [1, 2, 3], "what was read now stays, whatever was to be forgotten of before");
    assert_eq!(kept(conn, BACK).await.len(), 3);
    assert_eq!(look(conn, FORWARD).await.expect("it was looked at").beyond, 7);
}

#[tokio::test]
async fn what_cannot_be_read_is_known_by_itself_until_it_can_or_nobody_tries() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    keep(conn, FORWARD, epoch, 5, &some([1], 100)).await.expect("kept");
    keep_found(conn, FORWARD, epoch, 10, &unread([1, 2], "refused")).await.expect("kept");
    keep_found(conn, BACK, epoch, 10, &unread([1], "no leader")).await.expect("kept");
    keep_found(conn, FORWARD, epoch, 70, &unread([1], "denied")).await.expect("kept");
    let expected = [(1, 10, 70, "denied".to_owned()), (2, 10, 10, "refused".to_owned())];
    assert_eq!(cannot_be_read(conn, FORWARD).await, expected);
    assert_eq!(kept(conn, FORWARD).await[&partition(1)], (at(5), of(100)), "what was kept of it stays");
    let first = rings::unread(conn, (&pair, FORWARD), 1).await.expect("read");
    assert_eq!(first.into_keys().collect::<Vec<_>>(), [partition(1)]);
    keep(conn, FORWARD, epoch, 80, &some([1], 130)).await.expect("kept");
    assert_eq!(cannot_be_read(conn, FORWARD).await, [(2, 10, 10, "refused".to_owned())]);
    // Two hours later nobody looks at the other one any more.
    keep(conn, FORWARD, epoch, 10 + 7_201, &ByPartition::new()).await.expect("kept");
    assert_eq!(cannot_be_read(conn, FORWARD).await, []);
    assert_eq!(cannot_be_read(conn, BACK).await, [(1, 10, 10, "no leader".to_owned())]);
    let forget = NewRings { forget: vec![partition(1)], ..NewRings::default() };
    keep_found(conn, BACK, epoch, 90, &forget).await.expect("kept");
    assert_eq!(cannot_be_read(conn, BACK).await, []);
    keep_found(conn, BACK, epoch, 100, &unread([1], "no leader")).await.expect("kept");
    rings::forget(conn, (&pair, BACK), epoch).await.expect("forgotten");
    assert_eq!(cannot_be_read(conn, BACK).await, []);
}

#[tokio::test]
async fn a_look_that_fails_although_the_source_answers_is_told_of_until_one_does_not() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    let of_flow = (&pair, FORWARD);
    rings::keep_failure(conn, of_flow, epoch, at(5), "no syncs").await.expect("nothing to be said");
    assert_eq!(look(conn, FORWARD).await, None);
    keep(conn, FORWARD, epoch, 10, &some([0], 100)).await.expect("kept");
    rings::keep_silence(conn, of_flow, epoch, at(15), "refused").await.expect("kept");
    for (seconds, because) in [(20, "no syncs"), (30, "no connector")] {
        rings::keep_failure(conn, of_flow, epoch, at(seconds), because).await.expect("kept");
    }
    let seen = look(conn, FORWARD).await.expect("it was looked at");
    assert_eq!((seen.failing_since, seen.failing_because.as_str()), (Some(at(20)), "no connector"));
    assert_eq!((seen.silent_since, seen.looked_at), (None, at(10)), "it answers");
    // A process of the version before looks in between, and says nothing of failures.
    sqlx::query("update ring_look set looked_at = to_timestamp(40)").execute(&mut *conn).await.expect("set");
    assert_eq!(look(conn, FORWARD).await.expect("it was looked at").failing_since, None);
    rings::keep_failure(conn, of_flow, epoch, at(50), "no syncs").await.expect("kept");
    assert_eq!(look(conn, FORWARD).await.expect("it was looked at").failing_since, Some(at(50)));
    keep(conn, FORWARD, epoch, 60, &ByPartition::new()).await.expect("kept");
    let seen = look(conn, FORWARD).await.expect("it was looked at");
    assert_eq!((seen.failing_since, seen.failing_because.as_str()), (None, ""));
    let second = lease(conn, "two").await;
    let late = rings::keep_failure(conn, of_flow, epoch, at(70), "no syncs").await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert!(second > epoch);
}

#[tokio::test]
async fn nothing_is_left_of_a_pair_that_is_gone_or_made_of_bytes_that_are_no_rings() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.expect("a pair");
    let epoch = lease(conn, "one").await;
    keep(conn, FORWARD, epoch, 10, &some([0, 1], 100)).await.expect("kept");
    keep_found(conn, FORWARD, epoch, 15, &unread([7], "refused")).await.expect("kept");
    sqlx::query("update ring set body = 'foreign' where partition_number = 1")
        .execute(&mut *conn)
        .await
        .expect("changed");
    let foreign = rings::rings(conn, (&pair.name, FORWARD)).await;
    assert!(matches!(foreign, Err(StoreError::Unreadable { table: "ring", .. })), "{foreign:?}");
    pairs::delete(conn, &pair.name, pair.version).await.expect("deleted");
    let count = "select (select count(*) from ring) + (select count(*) from ring_look)
        + (select count(*) from ring_unread)";
    let left: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await.expect("counted");
    assert_eq!(left, 0);
    let late = keep(conn, FORWARD, epoch, 20, &some([0], 130)).await;
    assert_eq!(broken(late), "ring_look_of_pair");
}

#[tokio::test]
async fn where_a_group_stood_is_known_by_the_hour_after_its_surveys_have_gone() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.expect("a pair").name;
    let hour = DateTime::from_timestamp((Utc::now().timestamp() / 3_600 - 3) * 3_600, 0).expect("a time");
    let after = |seconds: i64| hour + TimeDelta::seconds(seconds);
    let sample = |position: i64| TopicSample {
        group: "billing".to_owned(),
        topic: "orders".to_owned(),
        id: Some(Uuid::from_u128(7)),
        tracks: vec![vec![Some(position)]],
    };
    let mut recording = Recording::open(conn, &pair, FORWARD, Kind::Groups).await.expect("a stream");
    // Somebody sets the group back in the second block of the hour.
    for (seconds, position) in [(0, 50), (5, 90), (600, 20), (605, 30)] {
        recording.append(conn, after(seconds), vec![sample(position)]).await.expect("recorded");
        recording.committed();
    }
    while recorder::seal(conn, recording.stream(), recording.kind(), Utc::now()).await.expect("sealing") {}
    let mut then = async |seconds: i64| {
        let found =
            recorder::group_then(conn, (&pair, FORWARD), "billing", after(seconds)).await.expect("read");
        found.map(|then| {
            let [at] = then.positions.as_slice() else { panic!("{then:?}") };
            assert_eq!((at.topic.as_str(), at.topic_id, at.partition), ("orders", Uuid::from_u128(7), 0));
            (then.resolution, (then.at - hour).num_seconds(), at.position, at.lowest, at.highest)
        })
    };
    assert_eq!(then(604).await, Some((Resolution::Survey, 600, 20, 20, 20)));
    assert_eq!(then(3_000).await, Some((Resolution::Hour, 0, 30, 20, 90)), "no survey was close to it");
    assert_eq!(then(4_000).await, None, "nothing is kept of the hour after");
    sqlx::query("delete from recorder_block").execute(&mut *database.conn().await).await.expect("dropped");
    assert_eq!(then(604).await, Some((Resolution::Hour, 0, 30, 20, 90)));
}

#[tokio::test]
async fn positions_of_groups_come_back_as_of_a_survey() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.expect("a pair").name;
    let sample = |group: &str, id: u128, positions: &[Option<i64>]| TopicSample {
        group: group.to_owned(),
        topic: "orders".to_owned(),
        id: Some(Uuid::from_u128(id)),
        tracks: positions.iter().map(|position| vec![*position]).collect(),
    };
    let mut recording = Recording::open(conn, &pair, FORWARD, Kind::Groups).await.expect("a stream");
    let surveys = [
        (100, vec![sample("billing", 1, &[Some(5), Some(6)]), sample("fraud", 1, &[None, Some(9)])]),
        (105, vec![sample("billing", 1, &[Some(7), Some(6)])]),
        // The topic was made anew.
        (110, vec![sample("billing", 2, &[Some(1), None])]),
    ];
    for (seconds, samples) in surveys {
        recording.append(conn, at(seconds), samples).await.expect("recorded");
        recording.committed();
    }
    let mut then = async |from: i64, to: i64| {
        let found = recorder::positions(conn, (&pair, FORWARD), (at(from), at(to))).await.expect("read");
        found.map(|(at, groups)| {
            let flat = groups.into_iter().flat_map(|(group, positions)| {
                positions.into_iter().map(move |(at, position)| (group.clone(), at.partition, position))
            });
            (at.timestamp(), flat.collect::<Vec<_>>())
        })
    };
    let billing = |partition: i32, position: i64| ("billing".to_owned(), partition, position);
    assert_eq!(then(90, 200).await, Some((110, vec![billing(0, 1)])));
    let second = then(101, 106).await;
    assert_eq!(second, Some((105, vec![billing(1, 6)])), "of a topic that was made anew only the newest");
    assert_eq!(then(120, 200).await, None);
    assert_eq!(then(111, 110).await, None);
}
