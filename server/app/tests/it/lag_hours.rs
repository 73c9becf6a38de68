//! The hour of lag that pages of many pairs show: what is over is remembered, what is not is asked for again.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use muster_app::standing::lag_hours::LagHours;
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair, Side},
};
use sqlx::PgConnection;

use crate::test_app::TestApp;

const FLOW: Direction = Direction { from: Side::A };

async fn keep(conn: &mut PgConnection, at: DateTime<Utc>, lag_ms: i64) {
    sqlx::query(
        "insert into flow_lag_minute (pair, from_side, at, records_class, lag_ms, ms_class)
        values ('orders', 'a', $1, 'exact', $2, 'exact')
        on conflict (pair, from_side, at) do update set lag_ms = excluded.lag_ms",
    )
    .bind(at)
    .bind(lag_ms)
    .execute(conn)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_that_are_over_are_remembered_and_those_that_are_not_are_asked_for_again() {
    let app = TestApp::with_pair().await;
    let conn = &mut *app.app.pool.acquire().await.unwrap();
    let name = PairName::new("orders").unwrap();
    let mut pair = muster_store::pairs::get(conn, &name).await.unwrap().unwrap();
    sqlx::query("delete from flow_lag_minute").execute(&mut *conn).await.unwrap();
    let now = Utc::now().duration_trunc(TimeDelta::minutes(1)).unwrap();
    let ago = |minutes| now - TimeDelta::minutes(minutes);
    for (minutes, lag_ms) in [(70, 1), (50, 2), (10, 3), (1, 4)] {
        keep(conn, ago(minutes), lag_ms).await;
    }
    let hours = LagHours::default();
    let read = async |conn: &mut PgConnection, pair: &Pair, now| -> Vec<Option<i64>> {
        let mut read: BTreeMap<_, _> = hours.read(conn, &[(pair, FLOW)], now).await.unwrap();
        read.remove(&name).unwrap().into_iter().map(|minute| minute.lag_ms).collect()
    };
    assert_eq!(read(conn, &pair, now).await, [Some(2), Some(3), Some(4)]);

    for (minutes, lag_ms) in [(50, 22), (1, 44), (0, 5)] {
        keep(conn, ago(minutes), lag_ms).await;
    }
    assert_eq!(
        read(conn, &pair, now).await,
        [Some(2), Some(3), Some(44), Some(5)],
        "an hour is not read twice"
    );
    let later = now + TimeDelta::minutes(20);
    assert_eq!(
        read(conn, &pair, later).await,
        [Some(3), Some(44), Some(5)],
        "what is older than an hour goes"
    );

    // Removed and made again under its name: nothing of the other one is shown.
    sqlx::query("delete from flow_lag_minute").execute(&mut *conn).await.unwrap();
    pair.updated_at = now;
    keep(conn, ago(2), 6).await;
    assert_eq!(read(conn, &pair, now).await, [Some(6)]);
}
