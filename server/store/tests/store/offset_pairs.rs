//! Offset pairs on a real PostgreSQL: every stretch once and in order, by whichever process comes first; few parts; gone with the
//! pair or with the log they were read from.

use chrono::DateTime;
use muster_domain::{
    offset_pairs::{BOUNDS, Kept, PartitionPairs, ReadPairs, Seen, SyncsTopic},
    pair::{Direction, Side},
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::TopicPartition,
};
use muster_store::{StoreError, offset_pairs, pairs, testing::TestDatabase};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{broken, keep_pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };
const BACK: Direction = Direction { from: Side::B };

fn log(id: u128) -> SyncsTopic {
    SyncsTopic {
        cluster: "eu-central".to_owned(),
        name: "mm2-offset-syncs.west.internal".to_owned(),
        id: Uuid::from_u128(id),
    }
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("orders", number)
}

/// One pair of partition 0 for each offset of the syncs topic, a hundred records apart.
fn stretch(from: i64, until: i64) -> ReadPairs {
    let pair = |offset: i64| OffsetPair { upstream: offset * 100, downstream: offset * 101 };
    let mut read = ReadPairs::beginning_at(from, UnreadableSyncs::default());
    let known = PartitionPairs { pairs: (from..until).map(pair).collect(), ..PartitionPairs::default() };
    read.partitions.insert(partition(0), known);
    read.until = until;
    read
}

async fn keep(
    conn: &mut PgConnection,
    direction: Direction,
    after: Option<i64>,
    log: &SyncsTopic,
    read: &ReadPairs,
) -> Result<Option<i64>, StoreError> {
    keep_seen(conn, direction, after, log, (read, &Seen::default())).await
}

async fn keep_seen(
    conn: &mut PgConnection,
    direction: Direction,
    after: Option<i64>,
    log: &SyncsTopic,
    (read, seen): (&ReadPairs, &Seen),
) -> Result<Option<i64>, StoreError> {
    offset_pairs::keep(conn, (&pair_name("payments"), direction), after, log, read, seen).await
}

/// As of so many seconds after 1970, of these copies.
fn seen(seconds: i64, copies: &[(&str, u128)]) -> Seen {
    let copies = copies.iter().map(|(topic, id)| ((*topic).to_owned(), Uuid::from_u128(*id)));
    Seen { read_at: DateTime::from_timestamp(seconds, 0), copies: copies.collect() }
}

async fn seen_of(conn: &mut PgConnection, direction: Direction) -> Seen {
    recall(conn, direction).await.expect("kept").seen
}

async fn recall(conn: &mut PgConnection, direction: Direction) -> Option<Kept> {
    offset_pairs::recall(conn, (&pair_name("payments"), direction)).await.expect("read")
}

async fn known(conn: &mut PgConnection) -> ReadPairs {
    recall(conn, FORWARD).await.expect("kept").pairs.expect("it reads back").1
}

async fn parts(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from offset_syncs_part").fetch_one(conn).await.expect("counted")
}

#[tokio::test]
async fn what_was_read_is_joined_and_comes_back_as_it_was() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    assert_eq!(recall(conn, FORWARD).await, None);
    let first = stretch(0, 5);
    assert_eq!(keep(conn, FORWARD, None, &log(1), &first).await.expect("kept"), Some(1));
    let mut second = stretch(5, 7);
    let back = Rewind { from: 9, to: 2, downstream: 40 };
    let pairs = vec![OffsetPair { upstream: 2, downstream: 40 }];
    second.partitions.insert(partition(1), PartitionPairs { anew: true, rewind: Some(back), pairs });
    second.unreadable.add(3, "somebody else's".to_owned());
    assert_eq!(keep(conn, FORWARD, Some(1), &log(1), &second).await.expect("kept"), Some(2));
    // Nothing was in the next two offsets.
    let nothing = ReadPairs { until: 9, ..ReadPairs::beginning_at(7, second.unreadable.clone()) };
    assert_eq!(keep(conn, FORWARD, Some(2), &log(1), &nothing).await.expect("kept"), Some(3));
    let mut expected = first;
    expected.append(second);
    expected.append(nothing);
    let kept = Kept { turn: 3, pairs: Some((log(1), expected)), seen: Seen::default() };
    assert_eq!(recall(conn, FORWARD).await, Some(kept));
    assert_eq!(recall(conn, BACK).await, None, "the other flow has its own");
}

#[tokio::test]
async fn of_those_who_read_the_same_one_keeps_it() {
    let database = TestDatabase::new().await;
    let mut conn = database.conn().await;
    keep_pair(&mut conn, "payments").await.expect("a pair");
    let race = async |after: Option<i64>, read: ReadPairs| {
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (pool, read) = (database.pool().clone(), read.clone());
                tokio::spawn(async move {
                    let mut tx = muster_store::begin(&pool).await.expect("a transaction");
                    let turn = keep(&mut tx, FORWARD, after, &log(1), &read).await.expect("decided");
                    tx.commit().await.expect("committed");
                    turn
                })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            won.extend(task.await.expect("no panic"));
        }
        won
    };
    assert_eq!(race(None, stretch(0, 10)).await, [1]);
    assert_eq!(race(Some(1), stretch(10, 25)).await, [2]);
    let late = race(Some(1), stretch(10, 25)).await;
    assert_eq!(late, Vec::<i64>::new(), "who has not seen what was kept since keeps nothing");
    let mut expected = stretch(0, 10);
    expected.append(stretch(10, 25));
    assert_eq!(known(&mut conn).await, expected);
}

#[tokio::test]
async fn a_transaction_that_was_not_committed_leaves_everything_to_be_read_again() {
    let database = TestDatabase::new().await;
    let mut conn = database.conn().await;
    keep_pair(&mut conn, "payments").await.expect("a pair");
    keep(&mut conn, FORWARD, None, &log(1), &stretch(0, 10)).await.expect("kept");
    let mut tx = muster_store::begin(database.pool()).await.expect("a transaction");
    assert_eq!(keep(&mut tx, FORWARD, Some(1), &log(1), &stretch(10, 20)).await.expect("kept"), Some(2));
    tx.rollback().await.expect("died");
    assert_eq!(known(&mut conn).await, stretch(0, 10));
    assert_eq!(keep(&mut conn, FORWARD, Some(1), &log(1), &stretch(10, 20)).await.expect("kept"), Some(2));
}

#[tokio::test]
async fn another_log_and_a_gap_replace_what_was_kept() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    keep(conn, FORWARD, None, &log(1), &stretch(0, 10)).await.expect("kept");
    // The topic was made anew, and has come as far as the one before.
    keep(conn, FORWARD, Some(1), &log(2), &stretch(10, 15)).await.expect("kept");
    let kept = recall(conn, FORWARD).await.expect("kept");
    assert_eq!(kept, Kept { turn: 2, pairs: Some((log(2), stretch(10, 15))), seen: Seen::default() });
    // What was between was removed before anybody read it.
    keep(conn, FORWARD, Some(2), &log(2), &stretch(40, 42)).await.expect("kept");
    assert_eq!(known(conn).await, stretch(40, 42));
    assert_eq!(parts(conn).await, 1);
}

#[tokio::test]
async fn as_of_when_pairs_are_and_of_which_copies_comes_back_and_goes_when_other_pairs_take_their_place() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.expect("a pair");
    let first = seen(100, &[("orders", 1), ("payments", 2)]);
    keep_seen(conn, FORWARD, None, &log(1), (&stretch(0, 10), &first)).await.expect("kept");
    keep_seen(conn, BACK, None, &log(3), (&stretch(0, 10), &seen(7, &[("orders", 9)]))).await.expect("kept");
    assert_eq!(seen_of(conn, FORWARD).await, first);
    // Nothing new was there, but a copy was made anew.
    let nothing = ReadPairs::beginning_at(10, UnreadableSyncs::default());
    let later = seen(160, &[("orders", 3)]);
    keep_seen(conn, FORWARD, Some(1), &log(1), (&nothing, &later)).await.expect("kept");
    assert_eq!(seen_of(conn, FORWARD).await, seen(160, &[("orders", 3), ("payments", 2)]));
    assert_eq!((known(conn).await, parts(conn).await), (stretch(0, 10), 2), "one part each");
    let late = keep_seen(conn, FORWARD, Some(1), &log(1), (&nothing, &first)).await.expect("decided");
    assert_eq!(late, None, "somebody else has kept something since");
    // What was between is gone: of what the pairs behind it are is not known yet.
    let alone = seen(200, &[("payments", 2)]);
    keep_seen(conn, FORWARD, Some(2), &log(1), (&stretch(40, 42), &alone)).await.expect("kept");
    assert_eq!(seen_of(conn, FORWARD).await, alone);
    keep(conn, FORWARD, Some(3), &log(2), &stretch(0, 5)).await.expect("kept");
    assert_eq!(seen_of(conn, FORWARD).await, Seen::default(), "the topic was made anew");
    assert_eq!(seen_of(conn, BACK).await, seen(7, &[("orders", 9)]), "the other flow has its own");
    // Who kept them before says neither, and finds nothing in the way.
    sqlx::query("update offset_syncs set read_at = null where from_side = 'b'")
        .execute(&mut *conn)
        .await
        .expect("changed");
    assert_eq!(seen_of(conn, BACK).await.read_at, None);
    pairs::delete(conn, &pair.name, pair.version).await.expect("deleted");
    let left: i64 =
        sqlx::query_scalar("select count(*) from offset_syncs_copy").fetch_one(conn).await.expect("counted");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn parts_stay_few_and_pairs_within_the_bounds() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let mut turn = keep(conn, FORWARD, None, &log(1), &stretch(0, 10)).await.expect("kept");
    for nth in 1..200 {
        turn = keep(conn, FORWARD, turn, &log(1), &stretch(nth * 10, nth * 10 + 10)).await.expect("kept");
    }
    assert!(parts(conn).await <= 12, "{}", parts(conn).await);
    assert_eq!(known(conn).await, stretch(0, 2000));
    // More than is kept of one partition.
    let most = i64::try_from(BOUNDS.of_partition).expect("small");
    for half in [0, 1] {
        let from = 2000 + half * most * 3 / 4;
        let read = stretch(from, from + most * 3 / 4);
        turn = keep(conn, FORWARD, turn, &log(1), &read).await.expect("kept");
    }
    let known = known(conn).await;
    let newest = stretch(2000 + most * 3 / 2 - 1, 2000 + most * 3 / 2);
    assert!(known.count() <= BOUNDS.of_partition, "{}", known.count());
    let pairs = &known.partitions[&partition(0)].pairs;
    assert_eq!(pairs.last(), newest.partitions[&partition(0)].pairs.last());
    assert_eq!(pairs[0], OffsetPair { upstream: 0, downstream: 0 }, "thinned, not cut off");
}

/// Otherwise no process could keep anything any more.
#[tokio::test]
async fn a_part_that_does_not_read_back_goes_with_those_before_it_and_keeping_goes_on() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    // Of numbers like any, which are not packed: so it is not joined with what is small.
    let mut large = stretch(0, 1_000);
    let any = |offset: i64| OffsetPair {
        upstream: offset.wrapping_mul(0x1e37_79b9_7f4a_7c15) >> 2,
        downstream: offset.wrapping_mul(0x3f58_476d_1ce4_e5b9) >> 2,
    };
    large.partitions.get_mut(&partition(0)).expect("it has pairs").pairs = (0..1_000).map(any).collect();
    keep(conn, FORWARD, None, &log(1), &large).await.expect("kept");
    keep(conn, FORWARD, Some(1), &log(1), &stretch(1_000, 1_001)).await.expect("kept");
    assert_eq!(parts(conn).await, 2, "a large one and a small one");
    let damage = "update offset_syncs_part set body = 'foreign' where from_offset = 1000";
    sqlx::query(damage).execute(&mut *conn).await.expect("changed");
    let turn = keep(conn, FORWARD, Some(2), &log(1), &stretch(1_001, 1_002)).await.expect("kept");
    assert_eq!((turn, parts(conn).await), (Some(3), 1));
    assert_eq!(known(conn).await, stretch(1_001, 1_002));
    keep(conn, FORWARD, Some(3), &log(1), &stretch(1_002, 1_005)).await.expect("kept");
    assert_eq!(known(conn).await, stretch(1_001, 1_005));
}

#[tokio::test]
async fn nothing_is_left_of_a_pair_that_is_gone_and_bytes_that_are_no_pairs_are_begun_anew() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let pair = keep_pair(conn, "payments").await.expect("a pair");
    keep(conn, FORWARD, None, &log(1), &stretch(0, 10)).await.expect("kept");
    sqlx::query("update offset_syncs_part set body = 'foreign'").execute(&mut *conn).await.expect("changed");
    let nothing = Kept { turn: 1, pairs: None, seen: Seen::default() };
    assert_eq!(recall(conn, FORWARD).await, Some(nothing));
    keep(conn, FORWARD, Some(1), &log(1), &stretch(3, 10)).await.expect("kept");
    assert_eq!(known(conn).await, stretch(3, 10));
    pairs::delete(conn, &pair.name, pair.version).await.expect("deleted");
    assert_eq!((recall(conn, FORWARD).await, parts(conn).await), (None, 0));
    assert_eq!(keep(conn, FORWARD, Some(2), &log(1), &stretch(10, 12)).await.expect("nothing"), None);
    assert_eq!(broken(keep(conn, FORWARD, None, &log(1), &stretch(0, 12)).await), "offset_syncs_of_pair");
}
