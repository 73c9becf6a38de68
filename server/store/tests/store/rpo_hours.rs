//! What a death would have cost, by the hour.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    lag::{RpoHour, RpoLook},
    pair::{Direction, Side},
};
use muster_store::{pairs, rpo_hours, testing::TestDatabase};
use sqlx::PgConnection;

use crate::sample::{keep_pair, pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };

/// So many seconds after a full hour.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_400 + seconds, 0).expect("a time")
}

fn look(seconds: i64, behind_ms: Option<i64>) -> RpoLook {
    RpoLook { at: at(seconds), ms_at_most: behind_ms.map(|ms| ms + 5_000), ms_then: behind_ms }
}

async fn all(conn: &mut PgConnection, direction: Direction) -> Vec<RpoHour> {
    let of = (&pair_name("payments"), direction);
    rpo_hours::between(conn, of, (at(0), at(0) + TimeDelta::days(1))).await.expect("the database answers")
}

#[tokio::test]
async fn each_hour_has_its_worst_and_a_survey_counts_once() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let looks = [
        look(3_585, Some(0)),
        look(3_590, Some(9_000)),
        look(3_595, Some(0)),
        look(3_600, Some(0)),
        look(3_605, None),
        look(7_200, Some(0)),
    ];
    for look in looks.iter().flat_map(|look| [look, look]) {
        rpo_hours::keep(conn, &name, &[(FORWARD, *look)]).await.unwrap();
    }
    let hour = |begin, since, ms_at_most, last_at| RpoHour {
        at: at(begin),
        since: at(since),
        ms_at_most,
        last_at: at(last_at),
        last_ms: if last_at == 3_605 { None } else { Some(0) },
    };
    let expected = [
        hour(0, 3_585, Some(14_000), 3_595),
        hour(3_600, 3_595, None, 3_605),
        // Nothing bounds what a death would have cost before its first survey.
        hour(7_200, 3_605, None, 7_200),
    ];
    assert_eq!(all(conn, FORWARD).await, expected);
    assert_eq!(all(conn, FORWARD.reverse()).await, [], "the other direction is another flow");
    let of = (&name, FORWARD);
    assert_eq!(rpo_hours::between(conn, of, (at(1), at(7_200))).await.unwrap(), expected[1..2]);
    assert_eq!(rpo_hours::delete_older_than(conn, 30).await.unwrap(), 3);
    assert_eq!(all(conn, FORWARD).await, []);
}

#[tokio::test]
async fn each_flow_goes_on_from_its_own_newest_hour_and_hours_go_with_their_pair() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    pairs::insert(conn, &pair("orders")).await.unwrap();
    let (name, back) = (pair_name("payments"), FORWARD.reverse());
    // Another pair's hours, later ones, are not in the way.
    rpo_hours::keep(conn, &pair_name("orders"), &[(FORWARD, look(9_000, None))]).await.unwrap();
    for looks in [
        vec![(FORWARD, look(0, Some(0)))],
        vec![(FORWARD, look(3_600, Some(1_000))), (back, look(3_600, Some(2_000)))],
        vec![(back, look(3_605, None)), (FORWARD, look(3_605, Some(0)))],
    ] {
        rpo_hours::keep(conn, &name, &looks).await.unwrap();
    }
    let hour = |begin, since, ms_at_most, last_ms| {
        let last_at = if begin == 0 { at(0) } else { at(3_605) };
        RpoHour { at: at(begin), since: at(since), ms_at_most, last_at, last_ms }
    };
    assert_eq!(
        all(conn, FORWARD).await,
        [hour(0, 0, Some(5_000), Some(0)), hour(3_600, 0, Some(3_600_000), Some(0))]
    );
    assert_eq!(all(conn, back).await, [hour(3_600, 3_600, None, None)]);
    pairs::delete(conn, &name, 1).await.unwrap();
    assert_eq!((all(conn, FORWARD).await, all(conn, back).await), (vec![], vec![]));
}
