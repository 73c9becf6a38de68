use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    canary::{Hour, Seen, Track, Turn},
    pair::{Direction, Side},
};
use muster_store::{
    StoreError, canaries,
    leases::{self, survey_lease},
    testing::TestDatabase,
};
use sqlx::PgConnection;

use crate::sample::{broken, keep_pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };
const BACK: Direction = Direction { from: Side::B };

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + Duration::seconds(seconds)
}

fn track(direction: Direction, partition: i32) -> Track {
    let mut track = Track::new(direction, partition, "muster.canary", at(1));
    track.turned(Turn::Rested { reason: "stands by".to_owned() }, at(2));
    track
}

fn seen(seconds: i64, ms: i64) -> ((Direction, i32), Seen) {
    ((FORWARD, 0), Seen { written_at: at(seconds), seen_at: at(seconds), ms })
}

async fn lease(conn: &mut PgConnection, owner: &str) -> i64 {
    let name = survey_lease(&pair_name("payments"));
    leases::claim(conn, &name, owner, -1.0).await.expect("a claim").expect("a free lease").epoch
}

async fn measured(conn: &mut PgConnection, since: i64) -> Vec<((Direction, i32), Hour)> {
    let pair = pair_name("payments");
    let mut all = canaries::measured(conn, std::slice::from_ref(&pair), at(since)).await.expect("read");
    all.remove(&pair).unwrap_or_default()
}

#[tokio::test]
async fn the_newest_of_each_partition_is_kept_and_those_that_are_not_set_any_more_go() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    let three = [track(FORWARD, 0), track(FORWARD, 1), track(BACK, 0)];
    canaries::keep(conn, &pair, epoch, &three, &[]).await.expect("kept");
    let newer = Track { sequence: 7, ..track(FORWARD, 0) };
    canaries::keep(conn, &pair, epoch, &[newer.clone(), track(BACK, 0)], &[]).await.expect("kept again");
    let kept = canaries::tracks(conn, &[pair.clone(), pair_name("other")]).await.expect("read");
    assert_eq!(kept, [(pair.clone(), newer), (pair, track(BACK, 0))]);
}

#[tokio::test]
async fn minutes_add_up_and_old_ones_are_not_asked_for() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    for seen in [vec![seen(0, 9_000)], vec![seen(3600, 100), seen(3601, 300)], vec![seen(3602, 200)], vec![]]
    {
        canaries::keep(conn, &pair, epoch, &[track(FORWARD, 0)], &seen).await.expect("kept");
    }
    let hour = Hour { seen: 3, p50_ms: 200, p99_ms: 300, max_ms: 300 };
    assert_eq!(measured(conn, 60).await, [((FORWARD, 0), hour)]);
    let all = Hour { seen: 4, p50_ms: 200, p99_ms: 9_000, max_ms: 9_000 };
    assert_eq!(measured(conn, 0).await, [((FORWARD, 0), all)]);
    let newest: i64 = sqlx::query_scalar("select last_ms from canary_minute where at > to_timestamp(60)")
        .fetch_one(&mut *conn)
        .await
        .expect("one row");
    assert_eq!(newest, 200);
    assert_eq!(canaries::delete_older_than(conn, 24).await.expect("removed"), 2);
    assert_eq!(measured(conn, 0).await, []);
}

#[tokio::test]
async fn a_minute_keeps_single_values_up_to_a_bound_and_counts_the_others() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    let many: Vec<_> = (0..500).map(|_| seen(5, 10)).collect();
    canaries::keep(conn, &pair, epoch, &[track(FORWARD, 0)], &many).await.expect("kept");
    let more: Vec<_> = (0..500).map(|_| seen(6, 70_000)).collect();
    canaries::keep(conn, &pair, epoch, &[track(FORWARD, 0)], &more).await.expect("kept");
    let kept: i32 = sqlx::query_scalar("select cardinality(samples_ms) from canary_minute")
        .fetch_one(&mut *conn)
        .await
        .expect("one row");
    assert_eq!(kept, 600);
    let hour = Hour { seen: 1_000, p50_ms: 10, p99_ms: 70_000, max_ms: 70_000 };
    assert_eq!(measured(conn, 0).await, [((FORWARD, 0), hour)]);
}

#[tokio::test]
async fn whoever_lost_the_lease_keeps_nothing_and_a_pair_that_is_gone_takes_all_with_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep_pair(conn, "payments").await.expect("a pair");
    let pair = pair_name("payments");
    let old = lease(conn, "one").await;
    let new = lease(conn, "two").await;
    let late = canaries::keep(conn, &pair, old, &[track(FORWARD, 0)], &[seen(1, 5)]).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    canaries::keep(conn, &pair, new, &[track(FORWARD, 0)], &[seen(1, 5)]).await.expect("kept");
    muster_store::pairs::delete(conn, &pair, kept.version).await.expect("removed");
    assert_eq!(canaries::tracks(conn, std::slice::from_ref(&pair)).await.expect("read"), []);
    let gone = canaries::keep(conn, &pair, new, &[track(FORWARD, 0)], &[]).await;
    assert_eq!(broken(gone), "canary_of_pair");
}

#[tokio::test]
async fn where_canaries_may_be_written_is_known_once_a_survey_has_told_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.expect("a pair");
    let (pair, epoch) = (pair_name("payments"), lease(conn, "one").await);
    assert_eq!(canaries::whereabouts(conn, &pair).await.expect("read"), None);
    let keep = async |conn: &mut PgConnection, number: i64, results: serde_json::Value| {
        muster_store::readiness::keep(conn, &pair, epoch, (number, at(number)), (&results, &()), &[])
            .await
            .expect("kept");
    };
    keep(conn, 1, serde_json::json!({"active": "a", "active_unknown": null, "checks": []})).await;
    assert_eq!(canaries::whereabouts(conn, &pair).await.expect("read"), None, "a version before took it");
    let told = serde_json::json!({"active": "a", "active_unknown": null, "copying": {"a": true, "b": null}});
    keep(conn, 2, told).await;
    let (when, told) = canaries::whereabouts(conn, &pair).await.expect("read").expect("told");
    assert_eq!((when, told.active, told.copying.a, told.copying.b), (at(2), Some(Side::A), Some(true), None));
}

#[tokio::test]
async fn a_lease_is_held_for_long_enough_only_by_who_has_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    assert_eq!(leases::held_by(conn, "survey:payments", "one", 1.0).await.expect("read"), None);
    let lease = leases::claim(conn, "survey:payments", "one", 20.0).await.expect("claimed").expect("free");
    let held = async |conn: &mut PgConnection, owner: &str, seconds: f64| {
        leases::held_by(conn, "survey:payments", owner, seconds).await.expect("read")
    };
    assert_eq!(held(conn, "one", 10.0).await, Some((lease.epoch, true)));
    assert_eq!(held(conn, "one", 60.0).await, Some((lease.epoch, false)));
    assert_eq!(held(conn, "two", 1.0).await, None);
}
