//! ACLs and configs as they are kept survey by survey: whole once a day, between that what changed, and of that so much.

mod today;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    pair::Side,
    reading::Observed,
    recorder::{Changed, FactChange, FactKind, FactsLeftOut, WhatChanged},
    survey::{AclObservation, SideObservation, TopicObservation},
    topic::{ConfigEntry, ConfigSource, Configs},
};
use muster_store::{
    recorder::{self, FactFilter, FactRecording, FactsWritten},
    testing::TestDatabase,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::sample::{keep_pair, pair_name};

/// So many days and minutes after some midnight.
fn at(days: i64, minutes: i64) -> DateTime<Utc> {
    let midnight = DateTime::from_timestamp(1_700_006_400, 0).expect("a time");
    midnight + TimeDelta::days(days) + TimeDelta::minutes(minutes)
}

/// Topics with their retention, and who may write.
fn side(topics: &[(&str, &str)], writers: &[&str], at: DateTime<Utc>) -> SideObservation {
    let topic = |retention: &str| {
        let entry = ConfigEntry { value: Some(retention.to_owned()), source: ConfigSource::Topic };
        let configs: Configs = BTreeMap::from([("retention.ms".to_owned(), entry)]);
        TopicObservation { id: None, partitions: Vec::new(), configs: Observed::known(Arc::new(configs), at) }
    };
    let topics = topics.iter().map(|(name, retention)| ((*name).to_owned(), topic(retention)));
    let acls = AclObservation {
        authorizer: true,
        bindings: writers.iter().map(|who| write(who)).collect(),
        disputed: BTreeSet::new(),
    };
    SideObservation {
        topics: Observed::known(topics.collect(), at),
        acls: Observed::known(acls, at),
        ..SideObservation::unreachable("not asked", at)
    }
}

fn write(who: &str) -> AclBinding {
    let resource = (ResourceType::Topic, PatternType::Literal, "orders");
    AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, who)
}

async fn record(
    recording: &mut FactRecording,
    conn: &mut PgConnection,
    at: DateTime<Utc>,
    seen: &SideObservation,
) -> FactsWritten {
    recording.record(conn, (&pair_name("payments"), Side::A), at, seen).await.expect("recorded")
}

async fn fact_at(conn: &mut PgConnection, kind: FactKind, at: DateTime<Utc>) -> Option<Value> {
    recorder::fact_at(conn, (&pair_name("payments"), Side::A, kind), at).await.expect("a reading")
}

/// Each topic with its retention, as it was at a time.
async fn retentions(conn: &mut PgConnection, at: DateTime<Utc>) -> Option<Vec<(String, String)>> {
    let body = fact_at(conn, FactKind::Configs, at).await?;
    let of_topic = |(topic, number): (&String, &Value)| {
        let number = usize::try_from(number.as_u64().expect("a number")).expect("few");
        let value = body["configs"][number]["retention.ms"]["value"].as_str().expect("a value");
        (topic.clone(), value.to_owned())
    };
    Some(body["topics"].as_object().expect("topics").iter().map(of_topic).collect())
}

fn named(topics: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(topics.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// Rows of whole states and of changes.
async fn kept(conn: &mut PgConnection) -> (i64, i64) {
    let sql = "select (select count(*) from recorder_fact), (select count(*) from recorder_fact_change)";
    sqlx::query_as(sql).fetch_one(conn).await.expect("counts")
}

async fn changed(conn: &mut PgConnection, wanted: FactFilter) -> Vec<FactChange> {
    recorder::facts_changed(conn, &pair_name("payments"), wanted, None, 100).await.expect("changes")
}

/// Topics, each with the retention it was given.
type Retentions<'a> = &'a [(&'a str, &'a str)];

const fn all(from: DateTime<Utc>, to: DateTime<Utc>) -> FactFilter {
    FactFilter { side: None, kind: None, from, to }
}

#[tokio::test]
async fn what_changed_is_kept_and_whole_once_a_day_whichever_process_records() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let histories: [(DateTime<Utc>, Retentions<'_>); 5] = [
        (at(0, 1), &[("orders", "1"), ("refunds", "1")]),
        (at(0, 2), &[("orders", "1"), ("payouts", "1"), ("refunds", "1")]),
        (at(0, 3), &[("orders", "2"), ("payouts", "1"), ("refunds", "1")]),
        (at(0, 4), &[("orders", "2"), ("payouts", "1")]),
        (at(1, 1), &[("orders", "2"), ("payouts", "3")]),
    ];
    for (at, topics) in &histories {
        let seen = side(topics, &["User:shop"], *at);
        // Each time another process, which reads back what is kept.
        let mut recording = FactRecording::default();
        let written = record(&mut recording, conn, *at, &seen).await;
        assert!(written.bytes > 0 && written.left_out.is_empty(), "{written:?}");
        let again = record(&mut recording, conn, *at + TimeDelta::seconds(5), &seen).await;
        assert_eq!(again, FactsWritten::default(), "as it was");
    }
    assert_eq!(
        kept(conn).await,
        (3, 3),
        "ACLs and configs whole, three changes, and configs whole on the next day"
    );
    for (at, topics) in &histories {
        assert_eq!(retentions(conn, *at).await, named(topics), "at {at}");
        assert_eq!(retentions(conn, *at + TimeDelta::seconds(30)).await, named(topics), "after {at}");
    }
    assert_eq!(retentions(conn, at(0, 0)).await, None, "before anything was read");
    let of = (&pair_name("payments"), Side::A, FactKind::Configs);
    let then = recorder::fact(conn, of, at(0, 2)).await.unwrap().expect("a fact");
    assert_eq!((then.since, then.until), (at(0, 2), Some(at(0, 3))));
    let times = recorder::fact_changes(conn, of, 4).await.unwrap();
    assert_eq!(times, [at(1, 1), at(0, 4), at(0, 3), at(0, 2)]);

    let told = changed(conn, FactFilter { kind: Some(FactKind::Configs), ..all(at(0, 2), at(2, 0)) }).await;
    let what: Vec<&WhatChanged> = told.iter().map(|change| &change.what).collect();
    let entry =
        |value: &str| Some(ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::Topic });
    let config = |topic: &str, before, after| Changed::Config {
        key: "retention.ms".to_owned(),
        before: entry(before),
        after: entry(after),
        topics: vec![topic.to_owned()],
    };
    let expected = [
        vec![config("payouts", "1", "3")],
        vec![Changed::TopicsGone(vec!["refunds".to_owned()])],
        vec![config("orders", "1", "2")],
        vec![Changed::TopicsAdded(vec!["payouts".to_owned()])],
    ]
    .map(WhatChanged::These);
    assert_eq!(what, expected.iter().collect::<Vec<_>>());
}

/// As the version before keeps it: whole, when that is another content than it kept last.
async fn keep_as_before(conn: &mut PgConnection, at: DateTime<Utc>, hash: &str, body: &Value) -> bool {
    let last: Option<String> = sqlx::query_scalar(
        "select hash from recorder_fact where pair = 'payments' and side = 'a' and kind = 'acls' order by at desc limit 1",
    )
    .fetch_optional(&mut *conn)
    .await
    .expect("the last");
    if last.as_deref() == Some(hash) {
        return false;
    }
    sqlx::query(
        "insert into recorder_fact (pair, side, kind, at, hash, body) values ('payments', 'a', 'acls', $1, $2, $3)",
    )
    .bind(at)
    .bind(hash)
    .bind(body)
    .execute(conn)
    .await
    .expect("kept");
    true
}

#[tokio::test]
async fn the_version_before_keeps_the_whole_between_changes_and_either_reads_on() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let acls = |writers: &[&str]| {
        let bindings = writers.iter().map(|who| write(who)).collect();
        AclObservation { authorizer: true, bindings, disputed: BTreeSet::new() }
    };
    let seen = |writers: &[&str], at| SideObservation {
        acls: Observed::known(acls(writers), at),
        ..SideObservation::unreachable("not asked", at)
    };
    assert!(keep_as_before(conn, at(0, 1), "one", &json!(acls(&["User:shop"]))).await);
    let mut recording = FactRecording::default();
    let as_it_was = record(&mut recording, conn, at(0, 2), &seen(&["User:shop"], at(0, 2))).await;
    assert_eq!(as_it_was, FactsWritten::default(), "a state of the version before is gone on from");
    record(&mut recording, conn, at(0, 3), &seen(&["User:shop", "User:billing"], at(0, 3))).await;
    // What it kept itself is followed by a change it does not know of, so it keeps the whole again.
    assert!(keep_as_before(conn, at(0, 4), "one", &json!(acls(&["User:shop"]))).await);
    let then = fact_at(conn, FactKind::Acls, at(0, 5)).await.expect("it is known");
    assert_eq!(then["bindings"].as_array().map(Vec::len), Some(1), "billing is not there any more: {then}");
    let mut recording = FactRecording::default();
    record(&mut recording, conn, at(1, 0), &seen(&["User:shop"], at(1, 0))).await;
    record(&mut recording, conn, at(1, 1), &seen(&["User:fraud"], at(1, 1))).await;
    // After a state that has changes it keeps the whole, also where that is as the state was.
    assert!(keep_as_before(conn, at(1, 2), "one", &json!(acls(&["User:shop"]))).await);
    let mut recording = FactRecording::default();
    record(&mut recording, conn, at(1, 3), &seen(&["User:shop", "User:fraud"], at(1, 3))).await;
    let mut told = Vec::new();
    for minute in [0, 1, 2, 3] {
        let body = fact_at(conn, FactKind::Acls, at(1, minute)).await.expect("it is known");
        let bindings = body["bindings"].as_array().expect("a list").iter();
        let mut who: Vec<String> =
            bindings.map(|binding| binding["principal"].as_str().expect("a name").to_owned()).collect();
        who.sort();
        told.push(who);
    }
    assert_eq!(
        told,
        [vec!["User:shop"], vec!["User:fraud"], vec!["User:shop"], vec!["User:fraud", "User:shop"]]
    );
}

#[tokio::test]
async fn beyond_the_room_of_a_day_changes_are_left_out_and_said_to_be_until_the_next() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    // A row is counted with 128 bytes beside its body: there is room for one small change.
    let mut recording = FactRecording::keeping(250);
    let surveys: [(DateTime<Utc>, Retentions<'_>); 6] = [
        (at(0, 1), &[("orders", "1")]),
        (at(0, 2), &[("orders", "1"), ("refunds", "1")]),
        (at(0, 3), &[("orders", "1")]),
        (at(0, 4), &[("orders", "2")]),
        (at(1, 0), &[("orders", "2")]),
        (at(1, 1), &[("orders", "2"), ("refunds", "2")]),
    ];
    for (at, topics) in surveys {
        let written = record(&mut recording, conn, at, &side(topics, &[], at)).await;
        let expected = if at == surveys[2].0 { vec![FactKind::Configs] } else { Vec::new() };
        assert_eq!(written.left_out, expected, "at {at}");
    }
    assert_eq!(
        kept(conn).await,
        (3, 3),
        "ACLs, two days of configs; a change, that they are left out, a change"
    );
    let of = (&pair_name("payments"), Side::A, FactKind::Configs);
    for (at, topics) in surveys {
        let left_out = at == surveys[2].0 || at == surveys[3].0;
        let expected = if left_out { None } else { named(topics) };
        assert_eq!(retentions(conn, at).await, expected, "at {at}");
        let fact = recorder::fact(conn, of, at).await.unwrap().expect("something is kept");
        assert_eq!(fact.body.is_none(), left_out, "at {at}");
        if left_out {
            assert_eq!((fact.since, fact.until), (surveys[2].0, Some(surveys[4].0)));
        }
    }
    let gap = FactsLeftOut { side: Side::A, kind: FactKind::Configs, since: at(0, 3), until: Some(at(1, 0)) };
    for (filter, expected) in [
        (all(at(0, 0), at(0, 2)), vec![]),
        (all(at(0, 10), at(0, 20)), vec![gap]),
        (all(at(0, 0), at(2, 0)), vec![gap]),
        (all(at(1, 0), at(2, 0)), vec![]),
        (FactFilter { kind: Some(FactKind::Acls), ..all(at(0, 0), at(2, 0)) }, vec![]),
        (FactFilter { side: Some(Side::B), ..all(at(0, 0), at(2, 0)) }, vec![]),
    ] {
        let found = recorder::facts_left_out(conn, &pair_name("payments"), filter, 10).await.unwrap();
        assert_eq!(found, expected, "{filter:?}");
    }
    let told = changed(conn, FactFilter { kind: Some(FactKind::Configs), ..all(at(0, 3), at(2, 0)) }).await;
    let what: Vec<WhatChanged> = told.into_iter().map(|change| change.what).collect();
    let added = WhatChanged::These(vec![Changed::TopicsAdded(vec!["refunds".to_owned()])]);
    assert_eq!(what, [added, WhatChanged::KeptAgain, WhatChanged::LeftOut]);

    // Another process knows that they are left out, and how much the day took.
    let mut other = FactRecording::keeping(1);
    let seen = side(&[("orders", "2")], &[], at(1, 2));
    assert_eq!(record(&mut other, conn, at(1, 2), &seen).await.left_out, [FactKind::Configs]);
    let mut third = FactRecording::default();
    assert_eq!(record(&mut third, conn, at(1, 3), &seen).await, FactsWritten::default());
    assert_eq!(fact_at(conn, FactKind::Configs, at(1, 3)).await, None);
}

#[tokio::test]
async fn a_change_that_does_not_read_back_is_not_taken_for_what_was_before() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let seen = side(&[("orders", "1")], &[], at(0, 1));
    record(&mut FactRecording::default(), conn, at(0, 1), &seen).await;
    let (name, kind) = (pair_name("payments"), FactKind::Configs);
    let strange = json!({"gone": ["orders"], "renamed": []});
    recorder::keep_fact_change(conn, (&name, Side::A, kind), at(0, 2), Some(&strange)).await.unwrap();
    assert!(fact_at(conn, kind, at(0, 1)).await.is_some());
    assert_eq!(fact_at(conn, kind, at(0, 2)).await, None);
    let refused = recorder::fact(conn, (&name, Side::A, kind), at(0, 2)).await.unwrap_err();
    assert!(refused.to_string().contains("recorder_fact_change"), "{refused}");
    let told = changed(conn, all(at(0, 2), at(0, 9))).await;
    assert_eq!(told.iter().map(|change| &change.what).collect::<Vec<_>>(), [&WhatChanged::CannotBeTold]);
    // Whoever records next keeps it whole.
    record(&mut FactRecording::default(), conn, at(0, 3), &seen).await;
    assert_eq!(retentions(conn, at(0, 3)).await, named(&[("orders", "1")]));
}
