//! Losses by their ids, page by page, and those that are open.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    loss::{BriefLoss, Interval, Loss, LossId, TopicLoss, Truth},
    pair::{Direction, Pair, Side},
};
use muster_store::{losses, pairs, testing::TestDatabase};
use sqlx::PgConnection;

use crate::sample::{keep_pair, pair_name, team};

fn at(minutes: i64) -> DateTime<Utc> {
    // Finer than any database keeps it.
    DateTime::from_timestamp(1_795_057_200 + minutes * 60, 123_456_789).expect("a time")
}

fn loss(from: Side, minutes: i64, settled: Option<bool>) -> Loss {
    let truth = |settled| Truth {
        at: at(minutes + 1),
        records: Some(7),
        ms: None,
        by_logs: false,
        exact: false,
        settled,
        method: "by its ends".to_owned(),
    };
    Loss {
        direction: Direction { from },
        owner: team("payments"),
        seen_at: at(minutes),
        noticed_at: at(minutes) + TimeDelta::seconds(5),
        reason: "connection refused".to_owned(),
        total: Interval { records_at_most: Some(70), ..Interval::default() },
        topics: Vec::new(),
        method: String::new(),
        waits_for_leaders: 0,
        truth: settled.map(truth),
    }
}

/// The pair `payments`, another one of the same clusters, and losses of both.
async fn keep(conn: &mut PgConnection) -> Vec<Loss> {
    let pair = keep_pair(conn, "payments").await.expect("a pair");
    pairs::insert(conn, &Pair { name: pair_name("orders"), ..pair }).await.expect("another pair");
    let kept = vec![
        loss(Side::A, 0, Some(true)),
        loss(Side::A, 10, Some(false)),
        loss(Side::A, 20, None),
        // Both died at once.
        loss(Side::B, 20, None),
    ];
    for loss in &kept {
        losses::keep(conn, &pair_name("payments"), loss).await.expect("kept");
    }
    losses::keep(conn, &pair_name("orders"), &loss(Side::A, 30, None)).await.expect("kept");
    kept
}

fn ids(found: &[BriefLoss]) -> Vec<LossId> {
    found.iter().map(BriefLoss::id).collect()
}

#[tokio::test]
async fn a_loss_is_found_by_its_id_and_only_with_its_pair() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep(conn).await;
    for loss in &kept {
        let id = LossId::parse(&loss.id().to_string()).expect("an address");
        assert_eq!(losses::get(conn, &pair_name("payments"), id).await.unwrap().as_ref(), Some(loss));
        assert_eq!(losses::get(conn, &pair_name("orders"), id).await.unwrap(), None);
    }
    let beside = LossId::new(Side::A, at(20) + TimeDelta::microseconds(1));
    assert_eq!(losses::get(conn, &pair_name("payments"), beside).await.unwrap(), None);
}

#[tokio::test]
async fn losses_of_a_pair_are_read_page_by_page_each_once() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep(conn).await;
    let name = pair_name("payments");
    let whole = losses::of_pair(conn, &name, None, 10).await.unwrap();
    let newest_first: Vec<LossId> = [3, 2, 1, 0].map(|index: usize| kept[index].id()).to_vec();
    assert_eq!(ids(&whole), newest_first);
    let (source, target) = (whole[0].source.as_str(), whole[0].target.as_str());
    assert_eq!((source, target, whole[0].direction.from), ("eu-central", "eu-west", Side::B));
    for most in 1..4 {
        let (mut paged, mut behind) = (Vec::new(), None);
        loop {
            let page = losses::of_pair(conn, &name, behind, most).await.unwrap();
            let Some(last) = page.last() else { break };
            behind = Some(last.id());
            paged.extend(ids(&page));
        }
        assert_eq!(paged, newest_first, "{most} at a time");
    }
}

#[tokio::test]
async fn losses_whose_last_word_is_not_said_are_open() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep(conn).await;
    let mut open = async |names: &[PairName]| ids(&losses::open_of(conn, names).await.unwrap());
    let (payments, orders) = (pair_name("payments"), pair_name("orders"));
    let of_payments: Vec<LossId> = [3, 2, 1].map(|index: usize| kept[index].id()).to_vec();
    assert_eq!(open(std::slice::from_ref(&payments)).await, of_payments);
    assert_eq!(open(&[payments, orders]).await.len(), 4);
    assert_eq!(open(&[]).await, []);
}

#[tokio::test]
async fn losses_of_a_time_are_those_of_one_pair_when_one_is_named() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep(conn).await;
    let mut noticed = async |teams: Option<&[String]>, pair: Option<&PairName>| {
        losses::between(conn, teams, pair, (at(-60), at(60)), 10).await.unwrap().len()
    };
    let (orders, payments) = (pair_name("orders"), pair_name("payments"));
    assert_eq!(noticed(None, None).await, 5);
    assert_eq!((noticed(None, Some(&payments)).await, noticed(None, Some(&orders)).await), (4, 1));
    assert_eq!(noticed(Some(&["another".to_owned()]), Some(&orders)).await, 0, "nothing of other teams");
}

#[tokio::test]
async fn of_a_loss_that_was_none_the_topics_go_after_some_days_and_the_statement_stays() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let topic = TopicLoss {
        topic: "orders".to_owned(),
        topic_id: None,
        owner: team("payments"),
        lost: Interval::default(),
        partitions: Vec::new(),
        truth: Some(0),
        truth_ms: Some(0),
    };
    let kept = |minutes, records, exact, settled| {
        let mut loss = Loss { topics: vec![topic.clone()], ..loss(Side::A, minutes, Some(settled)) };
        if let Some(truth) = &mut loss.truth {
            (truth.records, truth.exact) = (Some(records), exact);
        }
        loss
    };
    // Nothing lost; at most nothing; something; and nothing, which is not the last word.
    let all =
        [kept(0, 0, true, true), kept(1, 0, false, true), kept(2, 7, false, true), kept(3, 0, true, false)];
    for loss in &all {
        losses::keep(conn, &name, loss).await.unwrap();
    }
    let an_hour = TimeDelta::hours(1);
    assert_eq!(losses::remove_topics(conn, Utc::now() - an_hour).await.unwrap(), 0, "not some days yet");
    assert_eq!(losses::remove_topics(conn, Utc::now() + an_hour).await.unwrap(), 1);
    assert_eq!(losses::remove_topics(conn, Utc::now() + an_hour).await.unwrap(), 0, "once");
    let mut found = Vec::new();
    for loss in &all {
        found.extend(losses::get(conn, &name, loss.id()).await.unwrap());
    }
    let bare = Loss { topics: Vec::new(), ..all[0].clone() };
    assert!(bare.topics_removed() && !all[0].topics_removed());
    assert_eq!(found, [bare, all[1].clone(), all[2].clone(), all[3].clone()]);
}

#[tokio::test]
async fn no_index_unpacks_what_was_said_of_each_topic() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let sql = "select indexdef from pg_indexes where tablename = 'loss' and indexname = 'loss_of_nothing'";
    let index: String = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap();
    assert!(index.contains("truth") && !index.contains("body"), "{index}");
}
