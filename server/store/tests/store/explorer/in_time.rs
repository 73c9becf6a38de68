//! Hours of a topic in time: told from its surveys, and the same when these are gone; where they are not told they are not zero.

use muster_domain::recorder::explorer::Stretch;

use super::*;

/// One partition at a survey.
fn orders(end: i64, behind: i64) -> Vec<TopicSample> {
    let mut orders = topic("orders", &[Some(0)]);
    for column in [Column::End, Column::Stable, Column::Reach] {
        orders.tracks[0][column as usize] = Some(end);
    }
    orders.tracks[0][Column::Start as usize] = Some(0);
    orders.tracks[0][Column::Through as usize] = Some(end - 1 - behind);
    orders.tracks[0][Column::Target as usize] = Some(400);
    vec![orders]
}

/// Surveys every five minutes of some hours; from the middle of the first of them nothing arrives for an hour.
fn surveys(first: i64, hours: i64) -> Vec<(DateTime<Utc>, Vec<TopicSample>)> {
    let survey = |number: i64| {
        let behind = if (6..18).contains(&number) { number - 5 } else { 0 };
        (at(first, number * 300), orders(1_000 + number, behind))
    };
    (0..hours * 12).map(survey).collect()
}

async fn of_topic(conn: &mut PgConnection, from: i64, to: i64) -> (Resolution, Vec<Stretch>) {
    let points = usize::try_from(from - to).expect("some hours");
    let asked = Question { topic: Some("orders"), points, ..question(at(from, 0), at(to, 0)) };
    let found = explore(conn, asked).await;
    (found.frame.resolution, found.course.expect("it is not too much").items)
}

/// Lag in time, and both ends of what a death would have cost in time.
type InTime = (Option<i64>, Option<i64>, Option<i64>);

/// `None` where it is not kept.
fn in_time(items: &[Stretch]) -> Vec<Option<InTime>> {
    let of = |item: &Stretch| {
        let (ms, rpo) = item.ms.zip(item.rpo)?;
        Some((ms.worst, rpo.ms_at_least, rpo.ms_at_most))
    };
    items.iter().map(of).collect()
}

#[tokio::test]
async fn hours_of_a_topic_are_the_same_in_time_when_its_surveys_are_gone() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let recording = record(conn, surveys(40, 3)).await;
    seal_all(conn, &recording).await;
    let (resolution, near) = of_topic(conn, 40, 38).await;
    assert_eq!(resolution, Resolution::Survey);
    let known = [
        // What was written at the sixth survey is there since between the fifth and that one.
        Some((Some(1_800_000), Some(1_500_000), Some(2_100_000))),
        Some((Some(3_600_000), Some(3_300_000), Some(3_900_000))),
    ];
    assert_eq!(in_time(&near), known);
    crate::recorder::retire(&database).await;
    let (resolution, far) = of_topic(conn, 40, 38).await;
    assert_eq!(resolution, Resolution::Hour);
    assert_eq!(in_time(&far), known, "the same rule, over the end of an hour too");
    assert_eq!(far[0].rpo.unwrap().records_at_most, None, "of all together they are not kept");
    let (_, last) = of_topic(conn, 38, 37).await;
    assert_eq!(in_time(&last), [None], "it is told with the hour after it");
    assert_eq!(last[0].records.worst, Some(0));
}

#[tokio::test]
async fn hours_from_before_times_were_kept_have_none_and_their_records_stay() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let recording = record(conn, surveys(40, 3)).await;
    seal_all(conn, &recording).await;
    crate::recorder::retire(&database).await;
    sqlx::query("update recorder_hour set times = null where at = $1")
        .bind(at(40, 0))
        .execute(&mut *conn)
        .await
        .unwrap();
    // A process of this version goes on, and finds no survey to tell it from.
    let recording = record(conn, [(at(2, 0), orders(2_000, 0))]).await;
    seal_all(conn, &recording).await;
    let (_, items) = of_topic(conn, 40, 38).await;
    assert_eq!(in_time(&items), [None, Some((Some(3_600_000), Some(3_300_000), Some(3_900_000)))]);
    let records: Vec<_> = items.iter().map(|item| item.records.worst).collect();
    assert_eq!(records, [Some(6), Some(12)]);
}

#[tokio::test]
async fn a_block_that_does_not_read_back_takes_its_own_hour_and_not_the_next() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let survey = |number: i64| (at(40, number * 300), orders(1_000 + number, i64::from(number == 15)));
    let recording = record(conn, (0..12).map(survey)).await;
    seal_all(conn, &recording).await;
    // The last but one of the first hour: the second hour looks back to it.
    let torn = sqlx::query("update recorder_block set body = substring(body for 20) where from_at = $1")
        .bind(at(40, 10 * 300))
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(torn.rows_affected(), 1);
    let recording = record(conn, (12..25).map(survey)).await;
    seal_all(conn, &recording).await;
    crate::recorder::retire(&database).await;
    let (_, items) = of_topic(conn, 40, 38).await;
    assert_eq!(in_time(&items), [None, Some((Some(300_000), Some(0), Some(600_000)))]);
    assert_eq!(items[0].records.worst, Some(0), "records were added up before");
}

#[tokio::test]
async fn an_hour_that_only_a_part_of_is_left_of_is_not_told() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let recording = record(conn, [(at(40, 0), orders(1_000, 0)), (at(40, 300), orders(1_010, 9))]).await;
    seal_all(conn, &recording).await;
    crate::recorder::retire(&database).await;
    // The last survey of the hour waited so long to be sealed that those before it are dropped.
    let late =
        [(at(40, 900), orders(1_010, 0)), (at(39, 0), orders(1_010, 0)), (at(38, 0), orders(1_010, 0))];
    let recording = record(conn, late).await;
    seal_all(conn, &recording).await;
    crate::recorder::retire(&database).await;
    let (_, items) = of_topic(conn, 40, 38).await;
    assert_eq!(in_time(&items), [None, Some((Some(0), Some(0), Some(3_600_000)))]);
    assert_eq!(items[0].records.worst, Some(9));
}
