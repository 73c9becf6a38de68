//! How far a flow was behind and what a death would have cost, by the hour.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    lag::RpoHour,
    pair::{Direction, Side},
    recorder::explorer::{FlowHour, FlowLook},
};
use muster_store::{pairs, rpo_hours, testing::TestDatabase};
use sqlx::PgConnection;

use crate::sample::{keep_pair, look_at, pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };

/// So many seconds after a full hour.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_400 + seconds, 0).expect("a time")
}

fn look(seconds: i64, behind_ms: Option<i64>) -> FlowLook {
    look_at(at(seconds), &[behind_ms.map(|ms| ms / 10)])
}

async fn kept(conn: &mut PgConnection, direction: Direction) -> Vec<FlowHour> {
    let of = (&pair_name("payments"), direction);
    rpo_hours::between(conn, of, (at(0), at(0) + TimeDelta::days(1))).await.expect("the database answers")
}

async fn all(conn: &mut PgConnection, direction: Direction) -> Vec<RpoHour> {
    kept(conn, direction).await.iter().map(|hour| hour.rpo).collect()
}

async fn keep(conn: &mut PgConnection, look: FlowLook) {
    rpo_hours::keep(conn, &pair_name("payments"), &[(FORWARD, look)]).await.expect("the database answers");
}

/// What a process of the version before writes of a survey: it knows no band.
async fn keep_as_before(conn: &mut PgConnection, begin: i64, last: i64) {
    let sql = "insert into flow_rpo_hour (pair, from_side, at, since, ms_at_most, last_at, last_ms)
        values ('payments', 'a', $1, $1, 5000, $2, 0)
        on conflict (pair, from_side, at) do update set last_at = excluded.last_at";
    sqlx::query(sql).bind(at(begin)).bind(at(last)).execute(conn).await.expect("the row is as it was");
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
        keep(conn, look.clone()).await;
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
    let second = rpo_hours::between(conn, of, (at(1), at(7_200))).await.unwrap();
    assert_eq!(second.iter().map(|hour| hour.rpo).collect::<Vec<_>>(), expected[1..2]);
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

#[tokio::test]
async fn an_hour_has_the_worst_of_its_surveys_and_counts_those_that_could_not_tell() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    for look in [
        look_at(at(0), &[Some(1), Some(2)]),
        look_at(at(5), &[Some(9), Some(0), Some(0)]),
        look_at(at(5), &[Some(700)]),
        look_at(at(3_600), &[Some(3)]),
        look_at(at(3_605), &[Some(4), None]),
        look_at(at(3_610), &[Some(5)]),
    ] {
        keep(conn, look).await;
    }
    let hours = kept(conn, FORWARD).await;
    let bands: Vec<_> = hours.iter().map(|hour| hour.whole_band().expect("all surveys are in it")).collect();
    let said = |number: usize| {
        let band = bands[number];
        (band.records.worst, band.ms.worst, band.partitions, band.surveys, band.unknown_surveys)
    };
    assert_eq!(said(0), (Some(9), Some(90), 3, 2, 0), "a survey counts once");
    assert_eq!(said(1), (None, None, 2, 3, 1));
    assert_eq!((bands[1].by_class.unknown, bands[1].records_at_most), (1, None));
    assert_eq!(bands[0].until, at(5));
}

#[tokio::test]
async fn an_hour_in_which_the_version_before_looked_has_no_band_and_the_next_one_has() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let whole = async |conn: &mut PgConnection| -> Vec<Option<usize>> {
        let hours = kept(conn, FORWARD).await;
        hours.iter().map(|hour| hour.whole_band().map(|band| band.surveys)).collect()
    };
    keep_as_before(conn, 0, 10).await;
    assert_eq!(whole(conn).await, [None], "a row from before the column");
    keep(conn, look(15, Some(0))).await;
    assert_eq!(whole(conn).await, [None], "what was before in the hour is not known");
    keep(conn, look(3_600, Some(0))).await;
    keep(conn, look(3_605, Some(0))).await;
    assert_eq!(whole(conn).await, [None, Some(2)]);
    // The version before takes the pair over, and leaves the band as it is.
    keep_as_before(conn, 3_600, 3_610).await;
    assert_eq!(whole(conn).await, [None, None]);
    keep(conn, look(3_615, Some(0))).await;
    assert_eq!(whole(conn).await, [None, None]);
    keep(conn, look(7_200, Some(0))).await;
    assert_eq!(whole(conn).await, [None, None, Some(1)]);
    // What a later version wrote and this one cannot read is not known, and no error.
    sqlx::query("update flow_rpo_hour set band = '{\"surveys\": \"many\"}'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(whole(conn).await, [None, None, None]);
    keep(conn, look(7_205, Some(0))).await;
    assert_eq!(all(conn, FORWARD).await.len(), 3, "what is known in time goes on");
}
