//! What the flight recorder kept beside lag: groups hour by hour, ACLs and configs as they changed, topics that were recreated.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Side},
    recorder::{
        Cells, Changed, Column, FactChange, FactKind, IdsChanged, InHour, Kind, LastId, LastIds, TopicSample,
        WhatChanged,
    },
};
use muster_store::{
    recorder::{self, FactFilter, FactPlace, Recording},
    testing::TestDatabase,
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{keep_pair, pair_name};

const FORWARD: Direction = Direction { from: Side::A };

/// So many hours before a full hour of some evening, and so many seconds after that.
fn at(hours: i64, seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_699_999_200 - hours * 3_600 + seconds, 0).expect("a time")
}

fn positions(group: &str, topic: &str, positions: &[i64]) -> TopicSample {
    TopicSample {
        group: group.to_owned(),
        topic: topic.to_owned(),
        id: Some(Uuid::from_u128(7)),
        tracks: positions.iter().map(|position| vec![Some(*position)]).collect(),
    }
}

async fn record(conn: &mut PgConnection, kind: Kind, surveys: Vec<(DateTime<Utc>, Vec<TopicSample>)>) {
    let name = pair_name("payments");
    let mut recording = Recording::open(conn, &name, FORWARD, kind).await.expect("a stream");
    for (at, samples) in surveys {
        recording.append(conn, at, samples).await.expect("recorded");
        recording.committed();
    }
    while recorder::seal(conn, recording.stream(), kind, Utc::now()).await.expect("sealing") {}
}

#[tokio::test]
async fn a_group_is_told_hour_by_hour_and_groups_by_their_names() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let (name, of) = (pair_name("payments"), positions);
    record(
        conn,
        Kind::Groups,
        vec![
            (
                at(6, 10),
                vec![of("fraud", "a", &[1]), of("billing", "a", &[10, 20]), of("billing", "b", &[5])],
            ),
            (at(5, 10), vec![of("billing", "a", &[40, 20]), of("billing", "b", &[9])]),
            (at(5, 900), vec![of("billing", "a", &[15, 30]), of("billing", "b", &[9])]),
            // Only another group in hour 4.
            (at(4, 10), vec![of("fraud", "a", &[2])]),
            (at(3, 10), vec![of("billing", "a", &[60, 30])]),
        ],
    )
    .await;
    let hours = recorder::group_hours(conn, (&name, FORWARD), "billing", (at(6, 0), at(3, 0))).await.unwrap();
    let told: Vec<(i64, Vec<InHour>)> = hours
        .iter()
        .map(|hour| ((hour.at - at(6, 0)).num_hours(), hour.tracks.values().copied().collect()))
        .collect();
    let in_hour = |position, lowest, highest| InHour { position, lowest, highest };
    assert_eq!(
        told,
        [
            (1, vec![in_hour(15, 15, 40), in_hour(30, 20, 30), in_hour(9, 9, 9)]),
            (3, vec![in_hour(60, 60, 60), in_hour(30, 30, 30)])
        ],
        "the first hour is not asked for, and of the fourth nothing is kept"
    );
    let nobody = recorder::group_hours(conn, (&name, FORWARD), "nobody", (at(9, 0), at(0, 0))).await.unwrap();
    assert_eq!(nobody, []);
    let named = async |conn: &mut PgConnection, most| {
        recorder::groups(conn, &pair_name("payments"), FORWARD, most).await.unwrap()
    };
    assert_eq!(named(conn, 10).await, ["billing", "fraud"]);
    assert_eq!(named(conn, 1).await, ["billing"]);
    let back = recorder::groups(conn, &name, FORWARD.reverse(), 10).await.unwrap();
    assert_eq!(back, [] as [String; 0], "nothing is recorded of the way back");
}

/// Configs of one topic.
fn retention(value: &str) -> Value {
    json!({"configs": [{"retention.ms": {"value": value, "source": "topic"}}], "topics": {"orders": 0}})
}

fn place(change: &FactChange) -> (i64, Side, FactKind) {
    ((change.at - at(9, 0)).num_hours(), change.side, change.kind)
}

#[tokio::test]
async fn what_changed_is_told_newest_first_each_once_from_what_was_before() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let none = json!({"authorizer": true, "bindings": [], "disputed": []});
    for (hours, side, kind, body) in [
        (8, Side::A, FactKind::Configs, retention("1")),
        // Seen by one survey.
        (5, Side::A, FactKind::Configs, retention("2")),
        (5, Side::B, FactKind::Configs, retention("2")),
        (5, Side::A, FactKind::Acls, none),
        (2, Side::A, FactKind::Configs, retention("3")),
    ] {
        recorder::keep_fact(conn, (&name, side, kind), at(hours, 0), &body).await.unwrap();
    }
    let all = FactFilter { side: None, kind: None, from: at(9, 0), to: at(0, 0) };
    let mut changed = async |wanted: FactFilter, behind: Option<FactPlace>, most: i64| {
        recorder::facts_changed(conn, &pair_name("payments"), wanted, behind, most).await.unwrap()
    };
    let whole = changed(all, None, 10).await;
    let places: Vec<_> = whole.iter().map(place).collect();
    assert_eq!(
        places,
        [
            (7, Side::A, FactKind::Configs),
            (4, Side::B, FactKind::Configs),
            (4, Side::A, FactKind::Configs),
            (4, Side::A, FactKind::Acls),
            (1, Side::A, FactKind::Configs)
        ]
    );
    let said = |change: &FactChange| match &change.what {
        WhatChanged::These(changes) => match changes.as_slice() {
            [Changed::Config { before, after, .. }] => {
                [before, after].map(|entry| entry.as_ref().and_then(|entry| entry.value.clone()))
            }
            other => panic!("{other:?}"),
        },
        WhatChanged::FirstKept
        | WhatChanged::CannotBeTold
        | WhatChanged::LeftOut
        | WhatChanged::KeptAgain => [None, None],
    };
    let two = |before: &str, after: &str| [Some(before.to_owned()), Some(after.to_owned())];
    let told: Vec<_> = whole.iter().map(said).collect();
    assert_eq!(told, [two("2", "3"), [None, None], two("1", "2"), [None, None], [None, None]]);

    for most in 1..5 {
        let (mut paged, mut behind) = (Vec::new(), None);
        loop {
            let page = changed(all, behind, most).await;
            let Some(last) = page.last() else { break };
            behind = Some(FactPlace::of(last));
            paged.extend(page.iter().map(place));
        }
        assert_eq!(paged, places, "{most} at a time");
    }
    assert_eq!(changed(FactFilter { side: Some(Side::B), ..all }, None, 10).await.len(), 1);
    assert_eq!(changed(FactFilter { kind: Some(FactKind::Acls), ..all }, None, 10).await.len(), 1);
    let later = changed(FactFilter { from: at(5, 1), ..all }, None, 10).await;
    assert_eq!(
        later.iter().map(said).collect::<Vec<_>>(),
        [two("2", "3")],
        "told from what was before the time"
    );
}

#[tokio::test]
async fn a_topic_with_more_than_one_id_was_recreated() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let sample = |topic: &str, id: u128, partitions: usize| {
        let mut cells: Cells = vec![None; Column::COUNT];
        cells[Column::End as usize] = Some(5);
        TopicSample {
            group: String::new(),
            topic: topic.to_owned(),
            id: Some(Uuid::from_u128(id)),
            tracks: vec![cells; partitions],
        }
    };
    record(
        conn,
        Kind::Partitions,
        vec![
            (at(50, 0), vec![sample("orders", 9, 2), sample("refunds", 1, 1), sample("stable", 3, 1)]),
            (at(26, 0), vec![sample("orders", 2, 1), sample("refunds", 1, 1), sample("stable", 3, 1)]),
            (at(2, 0), vec![sample("orders", 2, 1), sample("refunds", 8, 1), sample("stable", 3, 1)]),
        ],
    )
    .await;
    let recreated = async |conn: &mut PgConnection, text: &str, most: i64| -> Vec<(String, Vec<u128>)> {
        let found = recorder::recreated(conn, &pair_name("payments"), FORWARD, text, most).await.unwrap();
        let ids = found.into_iter().map(|topic| {
            let ids = topic.ids.iter().map(|seen| seen.id.as_u128()).collect();
            (topic.topic, ids)
        });
        ids.collect()
    };
    let (orders, refunds) = (("orders".to_owned(), vec![9, 2]), ("refunds".to_owned(), vec![1, 8]));
    assert_eq!(recreated(conn, "", 10).await, [orders.clone(), refunds.clone()], "oldest id first");
    assert_eq!(recreated(conn, "fund", 10).await, [refunds]);
    assert_eq!(recreated(conn, "", 1).await, [orders]);
    let found = recorder::recreated(conn, &pair_name("payments"), FORWARD, "orders", 10).await.unwrap();
    let seen: Vec<DateTime<Utc>> = found[0].ids.iter().map(|seen| seen.seen_at).collect();
    assert_eq!(seen, [at(50, 0), at(2, 0)], "noted once a day");
}

fn kept_ids(ids: &[(&str, u128, DateTime<Utc>)]) -> LastIds {
    let last = |id, seen_at| LastId { id: Uuid::from_u128(id), seen_at };
    LastIds::new(ids.iter().map(|(topic, id, at)| ((*topic).to_owned(), last(*id, *at))).collect())
}

fn ids_changed(begun: &[(&str, u128)], over: &[(&str, u128, DateTime<Utc>)]) -> IdsChanged {
    let last = |id, seen_at| LastId { id: Uuid::from_u128(id), seen_at };
    IdsChanged {
        begun: begun.iter().map(|(topic, id)| ((*topic).to_owned(), Uuid::from_u128(*id))).collect(),
        over: over.iter().map(|(topic, id, at)| ((*topic).to_owned(), last(*id, *at))).collect(),
        seen_until: None,
    }
}

#[tokio::test]
async fn ids_of_topics_of_each_side_are_kept_from_the_survey_that_saw_them_first_to_the_last() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let (source, target) = ((&name, Side::A), (&name, Side::B));
    let first = ids_changed(&[("orders", 1), ("refunds", 2)], &[]);
    recorder::keep_ids(conn, target, at(9, 0), &first).await.unwrap();
    recorder::keep_ids(conn, source, at(9, 0), &ids_changed(&[("orders", 7)], &[])).await.unwrap();
    let (orders, refunds) = (("orders", 1, at(9, 0)), ("refunds", 2, at(9, 0)));
    assert_eq!(recorder::last_ids(conn, &name, Side::B).await.unwrap(), kept_ids(&[orders, refunds]));

    let anew = ids_changed(&[("orders", 3)], &[("orders", 1, at(8, 0))]);
    recorder::keep_ids(conn, target, at(8, 5), &anew).await.unwrap();
    let gone = ids_changed(&[], &[("refunds", 2, at(7, 0))]);
    recorder::keep_ids(conn, target, at(7, 5), &gone).await.unwrap();
    assert_eq!(recorder::last_ids(conn, &name, Side::B).await.unwrap(), kept_ids(&[("orders", 3, at(8, 5))]));
    assert_eq!(recorder::last_ids(conn, &name, Side::A).await.unwrap(), kept_ids(&[("orders", 7, at(9, 0))]));

    let seen = async |conn: &mut PgConnection, of: (&PairName, Side), text: &str| {
        let found = recorder::recreated_by_surveys(conn, of, text, 10).await.unwrap();
        let ids = found.into_iter().flat_map(|topic| {
            topic.ids.into_iter().map(move |seen| (topic.topic.clone(), seen.id.as_u128(), seen.surveys))
        });
        ids.collect::<Vec<_>>()
    };
    let of_orders = [
        ("orders".to_owned(), 1, Some((at(9, 0), Some(at(8, 0))))),
        ("orders".to_owned(), 3, Some((at(8, 5), None))),
    ];
    assert_eq!(seen(conn, target, "").await, of_orders, "one that is only gone was not recreated");
    assert_eq!(seen(conn, target, "fund").await, []);
    assert_eq!(seen(conn, source, "").await, []);

    // It was out of scope for a while: the same topic.
    recorder::keep_ids(conn, target, at(6, 0), &ids_changed(&[("refunds", 2)], &[])).await.unwrap();
    assert_eq!(
        recorder::last_ids(conn, &name, Side::B).await.unwrap(),
        kept_ids(&[("orders", 3, at(8, 5)), refunds])
    );
    // It fell silent; what is begun since was not seen by then.
    let silent = IdsChanged { seen_until: Some(at(7, 0)), ..IdsChanged::default() };
    recorder::keep_ids(conn, target, at(6, 55), &silent).await.unwrap();
    recorder::keep_ids(conn, target, at(6, 0), &ids_changed(&[("payouts", 5)], &[])).await.unwrap();
    let earlier = IdsChanged { seen_until: Some(at(8, 0)), ..IdsChanged::default() };
    recorder::keep_ids(conn, target, at(6, 0), &earlier).await.unwrap();
    let seen_last = [("orders", 3, at(7, 0)), ("payouts", 5, at(6, 0)), ("refunds", 2, at(7, 0))];
    assert_eq!(recorder::last_ids(conn, &name, Side::B).await.unwrap(), kept_ids(&seen_last));
    assert_eq!(recorder::last_ids(conn, &name, Side::A).await.unwrap(), kept_ids(&[("orders", 7, at(9, 0))]));
    // Whoever knows ids as they were before somebody else kept some is refused.
    let behind = ids_changed(&[("orders", 4)], &[("orders", 1, at(5, 0))]);
    assert!(recorder::keep_ids(conn, target, at(4, 0), &behind).await.is_err());
}
