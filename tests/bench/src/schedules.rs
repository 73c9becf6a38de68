//! Ten years of drill schedules, recorded by three processes that die all the time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use muster_app::loops::drill::record_one;
use muster_domain::{
    ids::PairName,
    schedule::{Blackout, Cadence, Drill, Schedule},
};
use muster_store::{schedules, testing::TestDatabase};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    figures::{Bench, Figure},
    house::refused,
    machine,
};

const SCHEDULES: u32 = 10_000;
const YEARS: i64 = 10;
/// How far the simulated clock goes at once: processes were away for so long.
const STRIDE: TimeDelta = TimeDelta::days(7);
/// A process lives for at most so long.
const LIFE_MICROS: u64 = 40_000;
const PROCESSES: u64 = 3;
const ZONES: [Tz; 5] =
    [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe];

/// Occurrences by schedule: their nominal times.
type Occurrences = BTreeMap<Uuid, Vec<DateTime<Utc>>>;

/// Makes the schedules, lets the years pass, compares.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let database = TestDatabase::new().await;
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
    let end = begin + TimeDelta::days(365 * YEARS);
    let expected = make(&database, begin, end).await?;
    let began = Instant::now();
    let (mut now, mut deaths) = (begin, 0_u64);
    while now < end {
        now = (now + STRIDE).min(end);
        let lives = (0..PROCESSES).map(|number| tokio::spawn(live(database.pool().clone(), number, now)));
        for life in lives.collect::<Vec<_>>() {
            deaths += life.await??;
        }
        // A row that the last to look found locked was another's, who died.
        while record_one(database.pool(), now).await.map_err(refused)? {}
    }
    let took = began.elapsed().as_secs_f64();
    let recorded = recorded(database.pool()).await?;
    let count = |occurrences: &Occurrences| occurrences.values().map(Vec::len).sum::<usize>();
    let (missing, surplus) = (beyond(&expected, &recorded), beyond(&recorded, &expected));
    let version: String = sqlx::query_scalar("show server_version").fetch_one(database.pool()).await?;
    Ok(Bench {
        name: "schedules",
        how: vec![format!(
            "{SCHEDULES} schedules (quarterly, twice a year by cron, monthly; five time zones, one in ten with blackouts) over {YEARS} \
             simulated years on a real PostgreSQL: the clock goes {} days at once, then {PROCESSES} processes record what is \
             due, each of which dies within {} ms wherever it is and is started again. What is recorded is compared with what \
             the rules say, one by one.",
            STRIDE.num_days(),
            LIFE_MICROS / 1000
        )],
        load_before,
        versions: vec![("PostgreSQL", version)],
        figures: vec![
            Figure::new("occurrences there should be", count(&expected) as f64, "occurrences"),
            Figure::new("recorded", count(&recorded) as f64, "occurrences"),
            Figure::new("missing", missing as f64, "occurrences").none(),
            Figure::new("twice, or at another time", surplus as f64, "occurrences").none(),
            Figure::new("deaths of processes", deaths as f64, "deaths"),
            Figure::new("recorded in a second", count(&recorded) as f64 / took, "occurrences"),
        ],
    })
}

/// Records until nothing is left, dying on the way; how often.
async fn live(pool: PgPool, number: u64, now: DateTime<Utc>) -> Result<u64> {
    let (mut deaths, mut seed) = (0, number * 7919 + now.timestamp().unsigned_abs());
    loop {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_micros((seed >> 33) % LIFE_MICROS);
        let records = async {
            while record_one(&pool, now).await.map_err(refused)? {}
            Ok::<_, anyhow::Error>(())
        };
        match tokio::time::timeout(life, records).await {
            Ok(done) => return done.map(|()| deaths),
            Err(_) => deaths += 1,
        }
    }
}

async fn make(database: &TestDatabase, begin: DateTime<Utc>, end: DateTime<Utc>) -> Result<Occurrences> {
    let mut expected = Occurrences::new();
    let mut tx = muster_store::begin(database.pool()).await?;
    for number in 0..SCHEDULES {
        let schedule = schedule(number)?;
        let due = schedule.between(begin, end, usize::MAX)?;
        // What is due within the time; a blackout may move the last one out of it.
        let due = due.iter().filter(|occurrence| schedule.prepare_at(occurrence) <= end);
        expected.insert(schedule.id, due.map(|occurrence| occurrence.nominal).collect());
        schedules::insert(&mut tx, &schedule, schedule.to_record_after(begin)).await?;
    }
    tx.commit().await?;
    sqlx::query("analyze").execute(database.pool()).await?;
    Ok(expected)
}

/// Seven of ten quarterly, two twice a year, one monthly.
fn schedule(number: u32) -> Result<Schedule> {
    let (hour, minute, day) = (number % 24, number / 24 % 60, number % 28 + 1);
    let cadence = match number % 10 {
        0..=6 => Cadence::Quarter {
            month: number % 3 + 1,
            day,
            at: NaiveTime::from_hms_opt(hour, minute, 0).context("a time")?,
        },
        7 | 8 => Cadence::Cron { expression: format!("{minute} {hour} {day} 3,10 *") },
        _ => Cadence::Cron { expression: format!("{minute} {hour} {day} * *") },
    };
    let day = |month, day| NaiveDate::from_ymd_opt(2030, month, day).context("a day");
    let blackouts = match number % 10 {
        3 => vec![Blackout { from: day(1, 1)?, until: day(3, 31)?, reason: "moving".to_owned() }],
        _ => Vec::new(),
    };
    let zone = ZONES.get(usize::try_from(number)? % ZONES.len()).copied().unwrap_or(Tz::UTC);
    Ok(Schedule {
        id: Uuid::from_u128(u128::from(number) + 1),
        pair: PairName::new(format!("pair-{}", number % 200))?,
        drill: Drill::Switchover,
        cadence,
        zone,
        window_minutes: 240,
        blackouts,
        owners: Vec::new(),
        lead_days: 0,
        enabled: true,
        version: 1,
    })
}

async fn recorded(pool: &PgPool) -> Result<Occurrences> {
    let rows: Vec<(Uuid, DateTime<Utc>)> =
        sqlx::query_as("select schedule_id, nominal from drill_occurrence order by schedule_id, nominal")
            .fetch_all(pool)
            .await?;
    let mut recorded = Occurrences::new();
    for (schedule, nominal) in rows {
        recorded.entry(schedule).or_default().push(nominal);
    }
    Ok(recorded)
}

/// How many of the first are not in the second.
fn beyond(first: &Occurrences, second: &Occurrences) -> usize {
    let missing = |(schedule, times): (&Uuid, &Vec<DateTime<Utc>>)| {
        let there = second.get(schedule);
        times.iter().filter(|at| there.is_none_or(|there| there.binary_search(at).is_err())).count()
    };
    first.iter().map(missing).sum()
}
