//! What the flight recorder costs at 100,000 partitions: bytes, CPU, and reading a month of it.

mod model;

use std::time::Instant;

use anyhow::{Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    lag::{Clock, EndsAt, Pace, Past, ends_of, judge_flow},
    loss::high_watermarks,
    pair::{BySide, Direction, Flow, Mechanism, NamingPolicy, Pair, Side},
    recorder::{Hours, Kind, partition_samples},
};
use muster_kafka::synthetic::{CLUSTER_ID, cluster_at};
use muster_store::{
    clusters, pairs,
    recorder::{
        self, Recording, Selection,
        codec::{self, Chain},
    },
    teams::{self, Team},
    testing::TestDatabase,
};

use crate::{
    figures::{Bench, Figure, median},
    machine,
    survey::pair,
};
use model::Load;

const PERIOD: TimeDelta = TimeDelta::seconds(5);
const TOPICS: usize = 10_000;
const PARTITIONS_OF: usize = 10;
/// Ten minutes: two blocks.
const SURVEYS: usize = 120;
/// Ends that are remembered of so many surveys when there are 100,000 partitions.
const HISTORY: usize = 10;
const HOURS: i64 = 720;

const HOW: &str = "A pair of 10,000 topics with ten partitions each, surveyed 120 times, five seconds apart by their times and \
     without a pause. One partition in five is written to, at 1 to 400 records a second that vary as counts do; the target is \
     up to a second behind, Connect's committed offset and the newest offset sync up to five. What is measured is from the \
     survey to the committed row, and sealing what is over: CPU of this process, which is Muster's share; PostgreSQL's \
     own is not in it. Bytes are those of the rows' bodies, per partition and survey with all ten columns. A month is 720 \
     hours of all partitions; the topic asked for lies in the middle. Lag is recomputed with the ends of ten surveys before.";

/// Measures everything.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let database = TestDatabase::new().await;
    let pair = register(&database).await?;
    let mut load = Load::new(TOPICS, PARTITIONS_OF);
    let samples = (TOPICS * PARTITIONS_OF * SURVEYS) as f64;
    let cost = record(&database, &pair, &mut load).await?;
    let (open, sealed) = (cost.open_bytes as f64 / samples, cost.sealed_bytes as f64 / samples);
    let share = cost.recording_s / SURVEYS as f64 / PERIOD.as_seconds_f64() * 100.0;
    let sealing = cost.sealing_s / SURVEYS as f64 / PERIOD.as_seconds_f64() * 100.0;
    let month = read_month(&database, &pair).await?;
    let version: String = sqlx::query_scalar("show server_version").fetch_one(database.pool()).await?;
    let what = "100,000 partitions every 5 s";
    Ok(Bench {
        name: "recorder",
        how: vec![HOW.to_owned(), String::new()],
        load_before,
        versions: vec![("Muster", env!("CARGO_PKG_VERSION").to_owned()), ("PostgreSQL", version)],
        figures: vec![
            Figure::new(format!("{what}: kept per partition and survey"), sealed, "bytes").under(3.0),
            Figure::new(format!("{what}: written before sealing, per partition and survey"), open, "bytes"),
            Figure::new(format!("{what}: of one core, recording and sealing"), share + sealing, "%")
                .under(25.0),
            Figure::new(format!("{what}: of one core, sealing alone"), sealing, "%"),
            Figure::new("a day in full", sealed * 100_000.0 * 17_280.0 / 1e9, "GB"),
            Figure::new("a year of hours", month.bytes_of_hour * 8_784.0 / 1e9, "GB"),
            Figure::new("30 days of one topic of 10 partitions", month.topic_ms, "ms").under(200.0),
            Figure::new("lag of all partitions recomputed", median(&cost.lag_ms), "ms").under(200.0),
        ],
    })
}

async fn register(database: &TestDatabase) -> Result<Pair> {
    let mut conn = database.conn().await;
    let names = BySide { a: ClusterName::new("north")?, b: ClusterName::new("south")? };
    for name in [&names.a, &names.b] {
        let expected_cluster_id = (name == &names.a).then(|| CLUSTER_ID.to_owned());
        let cluster =
            muster_domain::cluster::Cluster { name: name.clone(), expected_cluster_id, ..cluster_at(1) };
        clusters::insert(&mut conn, &cluster).await?;
    }
    let named = pair::of(names, "orders[.].*", "group-.*")?;
    let flow = Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Unattached,
        source_alias: "north".to_owned(),
        target_alias: "south".to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    };
    let pair = Pair { name: PairName::new("large")?, flows: vec![flow], ..named };
    teams::insert(&mut conn, &Team { name: TeamName::new(pair.team.as_str())?, description: String::new() })
        .await?;
    Ok(pairs::insert(&mut conn, &pair).await?)
}

#[derive(Default)]
struct Cost {
    recording_s: f64,
    sealing_s: f64,
    open_bytes: usize,
    sealed_bytes: i64,
    lag_ms: Vec<f64>,
}

async fn record(database: &TestDatabase, pair: &Pair, load: &mut Load) -> Result<Cost> {
    let flow = &pair.flows[0];
    let mut conn = database.conn().await;
    let mut recording = Recording::open(&mut conn, &pair.name, flow.direction, Kind::Partitions).await?;
    let begin = hour_begin(Utc::now() - TimeDelta::hours(1));
    let mut history: Vec<EndsAt> = Vec::new();
    let (mut high, mut pace) = (None::<EndsAt>, Pace::new());
    let mut cost = Cost::default();
    for number in 0..SURVEYS {
        let at = begin + PERIOD * i32::try_from(number)?;
        load.advance(PERIOD);
        let survey = load.survey(pair, at);
        let clock = Clock { now: at, period: PERIOD };
        let now = high_watermarks(flow, &survey);
        let began = Instant::now();
        let past = Past { ends: &history, high: high.as_ref(), pace: &pace };
        let (_, lags) = judge_flow(pair, flow, &survey, past, clock);
        // How fast is written is part of it, and kept for the next.
        if let Some((before, now)) = high.as_ref().zip(now.as_ref()) {
            pace.add(pair, flow, before, now);
        }
        cost.lag_ms.push(began.elapsed().as_secs_f64() * 1e3);
        high = now.or(high);
        let cpu = machine::own_cpu();
        let samples = partition_samples(pair, flow, &survey, &lags);
        let mut tx = muster_store::begin(database.pool()).await?;
        cost.open_bytes += recording.append(&mut tx, at, samples).await?;
        tx.commit().await?;
        recording.committed();
        cost.recording_s += machine::own_cpu().saturating_sub(cpu).as_secs_f64();
        if history.len() == HISTORY {
            history.remove(0);
        }
        history.extend(ends_of(flow, &survey));
    }
    let cpu = machine::own_cpu();
    let after = begin + PERIOD * i32::try_from(SURVEYS)?;
    loop {
        let mut tx = muster_store::begin(database.pool()).await?;
        let sealed = recorder::seal(&mut tx, recording.stream(), recording.kind(), after).await?;
        tx.commit().await?;
        if !sealed {
            break;
        }
    }
    cost.sealing_s = machine::own_cpu().saturating_sub(cpu).as_secs_f64();
    let sql = "select coalesce(sum(length(body)), 0)::bigint from recorder_block";
    cost.sealed_bytes = sqlx::query_scalar(sql).fetch_one(&mut *conn).await?;
    let left: i64 = sqlx::query_scalar("select count(*) from recorder_open").fetch_one(&mut *conn).await?;
    ensure!(left == 0, "{left} rows were not sealed");
    Ok(cost)
}

/// A whole hour, so that what is recorded of it is rolled up into one row of each partition.
fn hour_begin(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp().div_euclid(3600) * 3600, 0).unwrap_or(at)
}

struct Month {
    topic_ms: f64,
    bytes_of_hour: f64,
}

/// The hour that was just recorded, 720 times, each with other figures.
async fn read_month(database: &TestDatabase, pair: &Pair) -> Result<Month> {
    let mut conn = database.conn().await;
    let rows: Vec<(i64, i32, DateTime<Utc>, Vec<u8>)> =
        sqlx::query_as("select stream, chunk, at, body from recorder_hour").fetch_all(&mut *conn).await?;
    let mut bytes = 0;
    for (stream, chunk, at, body) in &rows {
        let kept = codec::decode(body, &Hours::PARENTS, &mut Chain::default())?;
        for hour in 1..=HOURS {
            let mut block = kept.clone();
            for (number, value) in block.columns[Hours::BEHIND].iter_mut().enumerate() {
                let other = i64::try_from(number)?.wrapping_mul(hour) % 97;
                *value = value.map(|value| value + other);
            }
            let then = *at - TimeDelta::hours(hour);
            recorder::cover(&mut conn, "recorder_hour", then, 2_592_000).await?;
            let body = codec::encode(&block, &Hours::PARENTS, &mut Chain::default())?;
            bytes += body.len();
            sqlx::query("insert into recorder_hour (stream, chunk, at, body) values ($1, $2, $3, $4)")
                .bind(stream)
                .bind(chunk)
                .bind(then)
                .bind(body)
                .execute(&mut *conn)
                .await?;
        }
    }
    let flow = pair.flows[0].direction;
    let topic = model::name(TOPICS / 2);
    let (from, to) = (Utc::now() - TimeDelta::days(30), Utc::now());
    let mut times = Vec::new();
    for _ in 0..7 {
        let began = Instant::now();
        let of = Selection { topic: &topic, partition: None };
        let points = recorder::series(&mut conn, (&pair.name, flow), of, (from, to), 240).await?;
        ensure!(points.len() == 240, "{} points", points.len());
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Month { topic_ms: median(&times), bytes_of_hour: bytes as f64 / HOURS as f64 })
}
