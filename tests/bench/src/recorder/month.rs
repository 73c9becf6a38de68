//! A month of hours of all partitions, and what it takes to look at it.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::Pair,
    recorder::{
        Hours, Kind,
        explorer::{RowsOf, Wanted},
    },
};
use muster_store::{
    recorder::{
        self, Explored, Question, Selection,
        codec::{self, Chain},
    },
    testing::TestDatabase,
};
use sqlx::PgConnection;

use super::{TOPICS, model};
use crate::figures::median;

const HOURS: i64 = 720;
/// Topics of a page of the strip.
const ROWS: usize = 40;
const ROUNDS: usize = 7;

/// What it took, in milliseconds.
pub(super) struct Month {
    /// Points of one topic.
    pub(super) topic_ms: f64,
    /// The same as the page shows it.
    pub(super) explored_topic_ms: f64,
    /// All partitions, of which that is too much.
    pub(super) too_much_ms: f64,
    /// The longest time of all partitions that is not.
    pub(super) longest: TimeDelta,
    pub(super) longest_ms: f64,
    /// Bytes of one hour of all partitions.
    pub(super) bytes_of_hour: f64,
}

impl Month {
    pub(super) async fn read(database: &TestDatabase, pair: &Pair) -> Result<Self> {
        let conn = &mut *database.conn().await;
        let bytes = repeat_hour(conn, pair).await?;
        let topic = model::name(TOPICS / 2);
        let (from, to) = (Utc::now() - TimeDelta::days(30), Utc::now());
        let of = (&pair.name, pair.flows[0].direction);
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let selection = Selection { topic: &topic, partition: None };
            let points = recorder::series(conn, of, selection, (from, to), 240).await?;
            ensure!(points.len() == 240, "{} points", points.len());
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let (of_topic, explored_topic_ms) = explore(conn, pair, Some(&topic), (from, to)).await?;
        let course = of_topic.course.context("a month of one topic")?;
        ensure!(course.strip.rows.len() == 10, "{} partitions of a topic", course.strip.rows.len());
        let (too_much, too_much_ms) = explore(conn, pair, None, (from, to)).await?;
        ensure!(too_much.course.is_none(), "a month of all partitions was looked at");
        let longest = too_much.longest;
        let (all, longest_ms) = explore(conn, pair, None, (to - longest, to)).await?;
        let course = all.course.context("the longest time that is looked at")?;
        ensure!(course.strip.rows.len() == ROWS, "{} topics of a page", course.strip.rows.len());
        let (topic_ms, bytes_of_hour) = (median(&times), bytes as f64 / HOURS as f64);
        Ok(Self { topic_ms, explored_topic_ms, too_much_ms, longest, longest_ms, bytes_of_hour })
    }
}

/// What the page shows of a topic or of all, and how long that takes, the middle of some rounds.
async fn explore(
    conn: &mut PgConnection,
    pair: &Pair,
    topic: Option<&str>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(Explored, f64)> {
    let of = if topic.is_some() { RowsOf::Partitions } else { RowsOf::Topics };
    let rows = Wanted::worst(of, ROWS);
    let asked = Question { topic, partition: None, from, to, points: 240, rows, now: to };
    let (mut found, mut times) = (None, Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let of = (&pair.name, pair.flows[0].direction);
        found = Some(recorder::explore(conn, of, asked, |_| true).await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok((found.context("a round")?, median(&times)))
}

/// Keeps the hour that was just recorded 720 times, each with other figures; answers the bytes of all of them.
async fn repeat_hour(conn: &mut PgConnection, pair: &Pair) -> Result<usize> {
    let direction = pair.flows[0].direction;
    let stream = recorder::find_stream(conn, &pair.name, direction, Kind::Partitions).await?;
    let rows: Vec<(i64, i32, DateTime<Utc>, Vec<u8>)> =
        sqlx::query_as("select stream, chunk, at, body from recorder_hour where stream = $1")
            .bind(stream.context("partitions were recorded")?)
            .fetch_all(&mut *conn)
            .await?;
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
            recorder::cover(conn, "recorder_hour", then, 2_592_000).await?;
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
    Ok(bytes)
}
