//! A month of hours of all partitions, and what it takes to look at it.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::Pair,
    recorder::{
        Block, Cells, Hours, Kind,
        explorer::{FlowLook, HourTimes, RowsOf, Wanted, rpo_course},
    },
};
use muster_store::{
    lag,
    recorder::{
        self, Explored, Question, Selection,
        codec::{self, Chain},
    },
    rpo_hours,
    testing::TestDatabase,
};
use sqlx::PgConnection;

use super::{TOPICS, model};
use crate::figures::median;

const HOURS: i64 = 720;
/// Fewest stretches of a month: it begins in the middle of an hour, so that three hours are too short for 240 of them.
const STRETCHES: usize = 180;
/// Topics of a page of the strip.
const ROWS: usize = 40;
const ROUNDS: usize = 7;

/// What it took, in milliseconds.
pub(super) struct Month {
    /// Points of one topic.
    pub(super) topic_ms: f64,
    /// The same as the page shows it.
    pub(super) explored_topic_ms: f64,
    /// All partitions together, and the lag of the flow by the minute beside them, as the page draws both.
    pub(super) together_ms: f64,
    /// The longest time in which all partitions are looked at one by one when somebody asks.
    pub(super) longest: TimeDelta,
    pub(super) longest_ms: f64,
    /// Bytes of one hour of all partitions.
    pub(super) bytes_of_hour: f64,
}

impl Month {
    /// `look` is what a survey says of all partitions.
    pub(super) async fn read(database: &TestDatabase, pair: &Pair, look: &FlowLook) -> Result<Self> {
        let conn = &mut *database.conn().await;
        let bytes = repeat_hour(conn, pair).await?;
        keep_flow(conn, pair, look).await?;
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
        // The hour that goes on is not told in time yet.
        let (stretches, told) = (course.items.len(), course.items.iter().filter(|item| item.rpo.is_some()));
        let in_time = told.count();
        ensure!(
            stretches >= STRETCHES && in_time + 1 >= stretches,
            "{in_time} of {stretches} stretches in time"
        );
        let (whole, together_ms) = together(conn, pair, (from, to)).await?;
        let course = whole.course.context("a month of all partitions")?;
        ensure!(whole.rows_left_out && course.items.len() >= STRETCHES, "{} stretches", course.items.len());
        ensure!(course.items.iter().all(|item| item.partitions == TOPICS * 10), "not of all partitions");
        let longest = whole.longest;
        let (all, longest_ms) = explore(conn, pair, None, (to - longest, to)).await?;
        let course = all.course.context("the longest time that is looked at")?;
        ensure!(course.strip.rows.len() == ROWS, "{} topics of a page", course.strip.rows.len());
        let (topic_ms, bytes_of_hour) = (median(&times), bytes as f64 / HOURS as f64);
        Ok(Self { topic_ms, explored_topic_ms, together_ms, longest, longest_ms, bytes_of_hour })
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
    let asked = Question { topic, partition: None, from, to, points: 240, rows, rows_asked: true, now: to };
    let (mut found, mut times) = (None, Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let of = (&pair.name, pair.flows[0].direction);
        found = Some(recorder::explore(conn, of, asked, |_| true).await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok((found.context("a round")?, median(&times)))
}

/// A month of all partitions as the page shows it when nobody asked for rows, and how long that takes, the middle of some rounds.
async fn together(
    conn: &mut PgConnection,
    pair: &Pair,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(Explored, f64)> {
    let (rows, of) = (Wanted::worst(RowsOf::Topics, ROWS), (&pair.name, pair.flows[0].direction));
    let asked =
        Question { topic: None, partition: None, from, to, points: 240, rows, rows_asked: false, now: to };
    let (mut found, mut times) = (None, Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let explored = recorder::explore(conn, of, asked, |_| true).await?;
        let course = rpo_course(&explored.frame, &explored.hours, to);
        let minutes = lag::history(conn, of.0, of.1, from, to, 240).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(minutes.len() >= 239 && !course.is_empty(), "{} stretches of the flow", minutes.len());
        found = Some(explored);
    }
    Ok((found.context("a round")?, median(&times)))
}

/// A month of what is kept of the whole flow: an hour of each of its hours, and each of its minutes.
async fn keep_flow(conn: &mut PgConnection, pair: &Pair, look: &FlowLook) -> Result<()> {
    let direction = pair.flows[0].direction;
    let last = super::hour_begin(Utc::now()) - TimeDelta::seconds(5);
    for hours in (0..=HOURS).rev() {
        let mut look = look.clone();
        let at = last - TimeDelta::hours(hours);
        (look.rpo.at, look.band.until) = (at, at);
        rpo_hours::keep(conn, &pair.name, &[(direction, look)]).await?;
    }
    let sql = "insert into flow_lag_minute (
            pair, from_side, at, worst_lag_records, total_lag_records, records_class, lag_ms, ms_class
        )
        select $1, $2, minute, 7, 700, 'tight', 1000, 'tight'
        from generate_series(
            date_trunc('minute', now()) - interval '30 days', date_trunc('minute', now()), interval '1 minute'
        ) as minute";
    sqlx::query(sql).bind(pair.name.as_str()).bind(direction.from.as_str()).execute(&mut *conn).await?;
    sqlx::query("analyze flow_lag_minute, flow_rpo_hour, recorder_track").execute(conn).await?;
    Ok(())
}

/// What such an hour is in time: ten milliseconds behind for each record, and five seconds between two looks.
fn in_time(hour: &Block, at: DateTime<Utc>) -> Block {
    let cells = |track| -> Cells {
        let ms = hour.value(Hours::BEHIND, track, 0).map(|behind| behind * 10);
        let mut cells = vec![None; HourTimes::PARENTS.len()];
        cells[HourTimes::MS] = ms;
        cells[HourTimes::MS_AT_MOST] = ms.map(|ms| ms + 5_000);
        cells[HourTimes::MS_AT_LEAST] = ms.map(|_| 0);
        cells
    };
    let tracks = (0..hour.tracks).map(cells).collect();
    Block::of(HourTimes::PARENTS.len(), &[(at.timestamp_millis(), tracks)])
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
            let times = recorder::pack_hour_times(&in_time(&block, then))?;
            bytes += body.len() + times.len();
            sqlx::query(
                "insert into recorder_hour (stream, chunk, at, body, times) values ($1, $2, $3, $4, $5)",
            )
            .bind(stream)
            .bind(chunk)
            .bind(then)
            .bind(body)
            .bind(times)
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(bytes)
}
