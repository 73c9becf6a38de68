//! What of a day there is room for, and what is known of the present whatever there was room for.

use muster_store::{
    leases::{self, survey_lease},
    surveys,
};

use super::*;
use crate::sample::survey;

#[tokio::test]
async fn changes_are_measured_as_they_are_stored_and_neither_kind_takes_the_room_of_the_other() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let mut recording = FactRecording::keeping(10_000);
    record(&mut recording, conn, at(0, 1), &side(&[("orders", "1")], &[], at(0, 1))).await;
    // As text twice the room; PostgreSQL packs what is alike.
    let long = "a".repeat(200);
    let names: Vec<String> = (0..100).map(|number| format!("{long}.{number}")).collect();
    let mut topics: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    topics.push(("orders", "1"));
    let written = record(&mut recording, conn, at(0, 2), &side(&topics, &[], at(0, 2))).await;
    assert!(written.bytes > 20_000 && written.left_out.is_empty(), "{written:?}");
}

#[tokio::test]
async fn neither_kind_takes_the_room_of_the_other() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let before = |at| side(&[("orders", "1")], &["User:shop"], at);
    let after = |at| side(&[("orders", "1"), ("refunds", "1")], &["User:shop", "User:billing"], at);
    let mut recording = FactRecording::default();
    record(&mut recording, conn, at(0, 1), &before(at(0, 1))).await;
    record(&mut recording, conn, at(0, 2), &after(at(0, 2))).await;
    let sql = "select pg_column_size(body)::bigint + 128 from recorder_fact_change";
    let sizes: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut *conn).await.unwrap();
    let largest = sizes.iter().copied().max().expect("changes");
    assert_eq!(sizes.len(), 2, "one of each kind");
    // The same on the next day, with room for one change of either.
    let mut recording = FactRecording::keeping(largest);
    record(&mut recording, conn, at(1, 1), &before(at(1, 1))).await;
    let written = record(&mut recording, conn, at(1, 2), &after(at(1, 2))).await;
    assert!(written.bytes > 0 && written.left_out.is_empty(), "{written:?}");
    assert_eq!(kept(conn).await, (4, 4));
    let written = record(&mut recording, conn, at(1, 3), &before(at(1, 3))).await;
    assert_eq!(written.left_out, FactKind::ALL, "and not for two");
}

#[tokio::test]
async fn what_is_kept_is_read_back_before_the_transaction_that_keeps_a_survey() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let seen = |at| side(&[("orders", "1")], &["User:shop"], at);
    record(&mut FactRecording::default(), conn, at(0, 1), &seen(at(0, 1))).await;
    let mut recording = FactRecording::default();
    recording.recall(conn, &pair_name("payments")).await.unwrap();
    // So that whoever looks here once more sees nothing.
    sqlx::query("delete from recorder_fact").execute(&mut *conn).await.unwrap();
    recording.recall(conn, &pair_name("payments")).await.unwrap();
    let written = record(&mut recording, conn, at(0, 2), &seen(at(0, 2))).await;
    assert_eq!(written, FactsWritten::default());
}

/// Topics with their cleanup policies; one whose configs were not read has none.
fn with_policies(topics: &[(&str, Option<&str>)], at: DateTime<Utc>) -> SideObservation {
    let topic = |policy: Option<&str>| {
        let configs = policy.map(|policy| {
            let entry = ConfigEntry { value: Some(policy.to_owned()), source: ConfigSource::Topic };
            Arc::new(Configs::from([("cleanup.policy".to_owned(), entry)]))
        });
        let configs = match configs {
            Some(configs) => Observed::known(configs, at),
            None => Observed::unknown("not authorized", at),
        };
        TopicObservation { id: None, partitions: Vec::new(), configs }
    };
    let topics = topics.iter().map(|(name, policy)| ((*name).to_owned(), topic(*policy)));
    SideObservation {
        topics: Observed::known(topics.collect(), at),
        ..SideObservation::unreachable("not asked", at)
    }
}

#[tokio::test]
async fn policies_of_now_are_what_the_newest_survey_read_whatever_became_of_the_changes_of_the_day() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let keeping = async |conn: &mut PgConnection, side, at| {
        let policies = recorder::cleanup_policies(conn, (&name, side), at).await.expect("policies");
        ["orders", "refunds", "state", "unread"].map(|topic| policies.keep_all_records(topic))
    };
    let mut recording = FactRecording::keeping(1);
    let first = with_policies(&[("orders", Some("compact")), ("refunds", Some("delete"))], at(0, 1));
    record(&mut recording, conn, at(0, 1), &first).await;
    let topics = [
        ("orders", Some("delete")),
        ("refunds", Some("delete")),
        ("state", Some("compact")),
        ("unread", None),
    ];
    let now = with_policies(&topics, at(0, 5));
    assert_eq!(record(&mut recording, conn, at(0, 5), &now).await.left_out, [FactKind::Configs]);
    assert_eq!(keeping(conn, Side::A, at(0, 6)).await, [false; 4], "changes are left out");
    // The other side does not answer; of it is known what was kept.
    let entry = json!({"cleanup.policy": {"value": "delete", "source": "topic"}});
    let body = json!({"configs": [entry], "topics": {"orders": 0}});
    recorder::keep_fact(conn, (&name, Side::B, FactKind::Configs), at(0, 1), &body).await.unwrap();
    let lease = leases::claim(conn, &survey_lease(&name), "one", 60.0).await.unwrap().expect("it is free");
    let mut newest = survey("payments", 1);
    newest.began_at = at(0, 5);
    newest.sides.a = now;
    surveys::keep(conn, &newest, lease.epoch).await.unwrap();
    assert_eq!(keeping(conn, Side::A, at(0, 6)).await, [true, true, false, false]);
    assert_eq!(keeping(conn, Side::B, at(0, 6)).await, [true, false, false, false]);
    assert_eq!(keeping(conn, Side::A, at(0, 4)).await, [false, true, false, false], "before that survey");
}

#[tokio::test]
async fn policies_of_now_are_told_from_what_is_kept_and_the_survey_is_unpacked_only_where_that_is_of_another_time()
 {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let lease = leases::claim(conn, &survey_lease(&name), "one", 60.0).await.unwrap().expect("it is free");
    let keeping = async |conn: &mut PgConnection, at| {
        let policies = recorder::cleanup_policies(conn, (&name, Side::A), at).await.expect("policies");
        ["orders", "refunds"].map(|topic| policies.keep_all_records(topic))
    };
    // The survey and what is kept say the opposite, so that it shows which of them was read.
    let (by_survey, by_kept) = ([true, false], [false, true]);
    let mut newest = survey("payments", 1);
    newest.began_at = at(0, 2);
    newest.sides.a = with_policies(&[("orders", Some("delete")), ("refunds", Some("compact"))], at(0, 2));
    surveys::keep(conn, &newest, lease.epoch).await.unwrap();
    assert_eq!(keeping(conn, at(0, 9)).await, by_survey, "nothing is kept");
    let mut recording = FactRecording::default();
    let mut topics = vec![("orders", Some("compact")), ("refunds", Some("delete"))];
    record(&mut recording, conn, at(0, 1), &with_policies(&topics, at(0, 1))).await;
    assert_eq!(keeping(conn, at(0, 9)).await, by_kept);
    // A clock was set back after that: what a survey sees change by it waits to be kept.
    topics.push(("payouts", Some("delete")));
    record(&mut recording, conn, at(0, 5), &with_policies(&topics, at(0, 5))).await;
    assert_eq!(keeping(conn, at(0, 3)).await, by_survey, "not what was kept before it");
    assert_eq!(keeping(conn, at(0, 9)).await, by_survey, "nor by the clock that was ahead");
    newest.number = 2;
    newest.began_at = at(0, 6);
    surveys::keep(conn, &newest, lease.epoch).await.unwrap();
    assert_eq!(keeping(conn, at(0, 9)).await, by_kept, "again");
}
