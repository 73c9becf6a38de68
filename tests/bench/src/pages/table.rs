//! Everything that can be read by the table of routes, with one of each kind that its addresses name. A page that is added to
//! the table is measured, or the benchmark does not run.

use anyhow::{Result, ensure};
use axum::http::Method;
use chrono::{TimeDelta, Utc};
use muster_app::{
    http::route::{Access, Route},
    routes,
};
use muster_domain::{
    alarm::{Alarm, AlarmCode, Lost, Since},
    hash::sha256_hex,
    ids::PairName,
    loss::{EndRead, Interval, Loss, LossId, PartitionLoss, TopicLoss},
    pair::{Direction, Side},
    recorder::FactKind,
};
use muster_store::{losses, recorder, tokens};
use serde_json::{Value, json};
use uuid::Uuid;

use super::history::Kept;
use crate::house::House;

/// What nobody waits for as for a page, each with its reason.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/metrics", "figures for Prometheus"),
    ("/assets/{*rest}", "files"),
    ("/runs/{run}/events", "a stream"),
    ("/api/v1/audit/export", "a stream of all there is"),
    ("/sign-in/oidc", "leads to the identity provider"),
    ("/sign-in/oidc/callback", "comes from the identity provider"),
    ("/reauthenticate/oidc", "leads to the identity provider"),
    ("/setup", "is there before there is anybody"),
    ("/pairs", "leads to the fleet"),
];

/// What some addresses say besides.
const QUERIES: &[(&str, &str)] = &[
    ("/api/v1/pairs/{pair}/positions", "group=billing"),
    ("/api/v1/runs/{run}/compare", "with={another}"),
    ("/api/v1/runs/{run}/events", "format=json"),
    ("/runs/{run}/skip", "step=drain"),
    ("/pairs/{pair}/recorded", "group=settlement"),
];

/// The pair that is looked at.
const PAIR: &str = "pair-007";

/// Something that can be read.
pub(super) struct Row {
    /// As the table has it.
    pub(super) path: &'static str,
    /// With something in place of each name.
    pub(super) address: String,
    /// Whether it is asked for by somebody who is not signed in.
    pub(super) by_anyone: bool,
}

/// All of it, in the order of the table; `session` is one of the admin's.
pub(super) async fn rows(house: &House, kept: &Kept, session: Uuid) -> Result<Vec<Row>> {
    let named = one_of_each(house, kept, session).await?;
    let routes = routes::routes();
    for (path, reason) in LEFT_OUT {
        let known = routes.iter().any(|route| route.path == *path);
        ensure!(known, "{path} is left out ({reason}), and no address any more");
    }
    let left_out = |route: &Route| LEFT_OUT.iter().any(|(path, _)| *path == route.path);
    let read = routes.iter().filter(|route| route.method == Method::GET && !left_out(route));
    read.map(|route| row(route, &named)).collect()
}

fn row(route: &Route, named: &[(&str, String)]) -> Result<Row> {
    let query = QUERIES.iter().find(|(path, _)| *path == route.path);
    let whole = query.map_or_else(|| route.path.to_owned(), |(path, query)| format!("{path}?{query}"));
    let address = named.iter().fold(whole, |address, (name, value)| address.replace(name, value));
    ensure!(!address.contains('{'), "{} names something of which this benchmark makes none", route.path);
    Ok(Row { path: route.path, address, by_anyone: route.rule.access == Access::Anyone })
}

/// What stands for each name, made where years of history have none.
async fn one_of_each(house: &House, kept: &Kept, session: Uuid) -> Result<Vec<(&'static str, String)>> {
    let pool = house.database.pool();
    let kept_of = async |sql: &'static str| -> Result<Uuid> {
        Ok(sqlx::query_scalar(sql).bind(PAIR).fetch_one(pool).await?)
    };
    let finding = kept_of("select id from finding where pair = $1 order by id limit 1").await?;
    let schedule = kept_of("select id from schedule where pair = $1").await?;
    let another =
        kept_of("select id from run where pair = $1 and started_at is not null order by number limit 1")
            .await?;
    let token = Uuid::now_v7();
    let mut conn = pool.acquire().await?;
    let hash = sha256_hex(b"pipeline");
    tokens::insert(&mut conn, token, "pipeline", house.admin.id, &hash, &[], 3_600.0).await?;
    drop(conn);
    facts(house).await?;
    Ok(vec![
        ("{alarm}", open_alarm(house).await?.to_string()),
        ("{another}", another.to_string()),
        ("{channel}", channel(house).await?.to_string()),
        ("{cluster}", house.small.pair.clusters.a.to_string()),
        ("{finding}", finding.to_string()),
        ("{group}", "runs".to_owned()),
        ("{loss}", open_loss(house).await?.to_string()),
        ("{pair}", PAIR.to_owned()),
        ("{plan}", kept.plan.to_string()),
        ("{proof}", ended_proof(house).await?.to_string()),
        ("{run}", kept.run.to_string()),
        ("{schedule}", schedule.to_string()),
        ("{session}", session.to_string()),
        ("{team}", house.small.pair.team.to_string()),
        ("{token}", token.to_string()),
        ("{user}", house.admin.name.clone()),
    ])
}

/// A channel; its id.
async fn channel(house: &House) -> Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into channel (id, team, name, kind, events, host)
        values ($1, $2, 'room', 'slack', '{ended}', 'hooks.example.com')",
    )
    .bind(id)
    .bind(house.small.pair.team.as_str())
    .execute(house.database.pool())
    .await?;
    Ok(id)
}

/// A proof that nothing carries out any more; its id.
async fn ended_proof(house: &House) -> Result<Uuid> {
    let (id, pair) = (Uuid::now_v7(), &house.small.pair);
    sqlx::query(
        "insert into proof (
            id, pair, team, kind, from_cluster, to_cluster, asked_by, asked_by_name, state, reason, ended_at
        )
        values ($1, $2, $3, 'translation', $4, $5, $6, $7, 'cancelled', 'stopped by otto', now())",
    )
    .bind(id)
    .bind(PAIR)
    .bind(pair.team.as_str())
    .bind(pair.clusters.a.as_str())
    .bind(pair.clusters.b.as_str())
    .bind(house.admin.id)
    .bind(&house.admin.name)
    .execute(house.database.pool())
    .await?;
    Ok(id)
}

/// An alarm that is open; its id.
async fn open_alarm(house: &House) -> Result<Uuid> {
    let (id, now) = (Uuid::now_v7(), Utc::now());
    let hole = Alarm {
        code: AlarmCode::ReplicationHole,
        subject: "orders.placed".to_owned(),
        course: "eu-west → eu-central".to_owned(),
        likely: false,
        said: "Records of `orders.placed` were removed from `eu-west` before they were copied.".to_owned(),
        places: Vec::new(),
        more_places: 0,
        since: Since { after: None, by: now },
        lost: Lost::up_to(700),
        facts: vec!["The first offset is past the last one copied.".to_owned()],
        next_step: "Look whether they can be written again.".to_owned(),
        command: None,
    };
    sqlx::query(
        "insert into alarm (id, pair, team, code, subject, body, opened_survey, opened_at, last_seen_at)
        values ($1, $2, $3, 'replication-hole', 'orders.placed', $4, 1, $5, $5)",
    )
    .bind(id)
    .bind(PAIR)
    .bind(house.small.pair.team.as_str())
    .bind(serde_json::to_value(hole)?)
    .bind(now)
    .execute(house.database.pool())
    .await?;
    Ok(id)
}

/// A loss of a thousand partitions whose source is away; its id.
async fn open_loss(house: &House) -> Result<LossId> {
    let (owner, noticed_at) = (&house.small.pair.team, Utc::now());
    let lost = Interval { records_at_most: Some(700), ms_at_most: Some(5_100), ..Interval::default() };
    let partition = |partition| PartitionLoss {
        partition,
        end: 1_000,
        end_read: EndRead::Then,
        through: Some(300),
        counts_from: Some(0),
        leader_epoch: Some(7),
        lost,
        truth: None,
        truth_ms: None,
        read_again: None,
    };
    let topic = |number: i32| TopicLoss {
        topic: format!("orders.{number}"),
        topic_id: None,
        owner: owner.clone(),
        lost,
        partitions: (0..20).map(partition).collect(),
        truth: None,
        truth_ms: None,
    };
    let loss = Loss {
        direction: Direction { from: Side::A },
        owner: owner.clone(),
        seen_at: noticed_at - TimeDelta::seconds(5),
        noticed_at,
        reason: "connection refused".to_owned(),
        total: lost,
        topics: (0..50).map(topic).collect(),
        method: "By the ends that were last read.".to_owned(),
        waits_for_leaders: 0,
        truth: None,
    };
    let mut conn = house.database.pool().acquire().await?;
    losses::keep(&mut conn, &PairName::new(PAIR)?, &loss).await?;
    Ok(loss.id())
}

/// Configs of a thousand topics that changed thirty times in a day.
async fn facts(house: &House) -> Result<()> {
    let topics: serde_json::Map<String, Value> =
        (0..1_000).map(|number| (format!("orders.{number}"), json!(number % 2))).collect();
    let (pair, now) = (PairName::new(PAIR)?, Utc::now());
    let mut conn = house.database.pool().acquire().await?;
    let of = (&pair, Side::A, FactKind::Configs);
    let retention = |days: i64| json!({"retention.ms": {"value": days.to_string(), "source": "topic"}});
    let body = json!({"configs": [retention(7), retention(30)], "topics": topics});
    recorder::keep_fact(&mut conn, of, now - TimeDelta::minutes(30 * 48), &body).await?;
    // Every other topic each time: each change is one more entry.
    for number in 2..32 {
        let changed: serde_json::Map<String, Value> =
            (0..500).map(|half| (format!("orders.{}", half * 2 + 1), json!(number))).collect();
        let change = json!({"configs": [retention(30 + number)], "topics": changed});
        let at = now - TimeDelta::minutes((31 - number) * 48);
        recorder::keep_fact_change(&mut conn, of, at, Some(&change)).await?;
    }
    Ok(())
}
