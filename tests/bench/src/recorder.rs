//! What the flight recorder costs at 100,000 partitions, as many positions of groups, and the configs and ACLs of both sides: bytes, CPU
//! of Muster and of PostgreSQL, and reading a month of it.

mod model;
mod month;
mod seldom;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::loops::memory::seal_some;
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    lag::{Clock, EndsAt, Pace, Past, ends_of, high_watermarks, judge_flow},
    pair::{BySide, Direction, Flow, Mechanism, NamingPolicy, Pair, Side},
    recorder::{Kind, MOST_CHANGES_A_DAY, explorer::FlowLook, group_samples, partition_samples},
};
use muster_kafka::synthetic::{CLUSTER_ID, cluster_at};
use muster_store::{
    clusters, pairs,
    recorder::{FactRecording, Recording},
    teams::{self, Team},
    testing::TestDatabase,
};

use crate::{
    figures::{Bench, Figure, median},
    machine,
    survey::pair,
};
use model::Load;
use month::Month;

const PERIOD: TimeDelta = TimeDelta::seconds(5);
const TOPICS: usize = 10_000;
const PARTITIONS_OF: usize = 10;
/// Ten minutes: two blocks.
const SURVEYS: usize = 120;
/// Ends that are remembered of so many surveys when there are 100,000 partitions.
const HISTORY: usize = 10;

/// So many times the surveys of this benchmark are read to tell an hour in time: those of the hour and of half an hour before.
const HOUR_OF_SURVEYS: f64 = 9.0;

const HOW: &str = "A pair of 10,000 topics with ten partitions each and a group for each topic, so 100,000 partitions and as many \
     positions of groups, surveyed 120 times, five seconds apart by their times and without a pause. One partition in five is written to, \
     at 1 to 400 records a second that vary as counts do; the target is up to a second behind, Connect's committed offset, the newest \
     offset sync and the group up to five. Both sides have 33 configs to a topic and 5,000 ACLs; each minute one topic is given a \
     retention that no other has, on both sides, so that each change has all of its configs in it. What is measured is from the survey to \
     the committed row, and sealing what is over. CPU is that of this process and, beside it, that of PostgreSQL with all its processes, \
     on the same machine and without waiting for its disk. After each survey a part of what is over is sealed, as observing does it; what \
     of the first five minutes is still to be sealed at the end of the ten is told, and after how many more surveys all is sealed. Once an \
     hour partitions are told in time from all of its surveys and half an hour's before: the CPU of that is measured of these ten minutes, \
     taken nine times, and part of Muster's. Bytes \
     are those of the rows' bodies, per partition and survey with all ten columns, and per position. Those of configs and ACLs are as PostgreSQL keeps them, packed, with 128 for each row. Of a day they are \
     reckoned from these ten minutes: the whole states once, and the changes of 1,440 minutes; the CPU has the whole states in it. A month \
     is 720 hours of all partitions; the topic asked for lies in the middle. Over all partitions a month is what is kept of \
     them together by the hour, with the flow by the minute, as the page draws it; one by one they are looked at in the longest time in \
     which that is done when somebody asks. Lag is recomputed with the ends of ten surveys before.";

/// Measures everything.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let database = TestDatabase::new().await;
    let pair = register(&database).await?;
    let mut load = Load::new(TOPICS, PARTITIONS_OF);
    let cost = record(&database, &pair, &mut load).await?;
    let look = cost.look.as_ref().context("what a survey says of all partitions")?;
    let month = Month::read(&database, &pair, look).await?;
    let version: String = sqlx::query_scalar("show server_version").fetch_one(database.pool()).await?;
    Ok(Bench {
        name: "recorder",
        how: vec![HOW.to_owned(), String::new()],
        load_before,
        versions: vec![("Muster", env!("CARGO_PKG_VERSION").to_owned()), ("PostgreSQL", version)],
        figures: figures(&cost, &month),
    })
}

fn figures(cost: &Cost, month: &Month) -> Vec<Figure> {
    let what = "100,000 partitions every 5 s";
    let positions = "100,000 positions of groups every 5 s";
    let samples = (TOPICS * PARTITIONS_OF * SURVEYS) as f64;
    let (partitions, groups) = (&cost.partitions, &cost.groups);
    let sealed = |bytes: &Bytes| bytes.sealed as f64 / samples;
    let open = |bytes: &Bytes| bytes.open as f64 / samples;
    let a_day = |bytes: &Bytes| sealed(bytes) * 100_000.0 * 17_280.0 / 1e9;
    // Of one core, in the time the surveys would have taken.
    let share = |seconds: f64| seconds / SURVEYS as f64 / PERIOD.as_seconds_f64() * 100.0;
    let telling = cost.telling * HOUR_OF_SURVEYS / 3_600.0 * 100.0;
    let (ours, theirs) = (share(cost.recording + cost.sealing) + telling, share(cost.postgres));
    vec![
        Figure::new(format!("{what}: kept per partition and survey"), sealed(partitions), "bytes").under(3.0),
        Figure::new(
            format!("{what}: written before sealing, per partition and survey"),
            open(partitions),
            "bytes",
        ),
        Figure::new(format!("{positions}: kept per position and survey"), sealed(groups), "bytes"),
        Figure::new(
            format!("{positions}: written before sealing, per position and survey"),
            open(groups),
            "bytes",
        ),
        Figure::new("all: of one core, recording and sealing, Muster and PostgreSQL", ours + theirs, "%")
            .under(25.0),
        Figure::new("all: of one core, Muster alone", ours, "%"),
        Figure::new("all: of one core, PostgreSQL alone", theirs, "%"),
        Figure::new("all: of one core, Muster, sealing alone", share(cost.sealing), "%"),
        Figure::new("all: of one core, Muster, telling hours of partitions in time alone", telling, "%"),
        Figure::new("all: of one core, Muster, configs and ACLs alone", share(cost.facts.ours), "%"),
        Figure::new(
            "configs and ACLs: survey in which none changed, both sides",
            median(&cost.facts.same_ms),
            "ms",
        ),
        Figure::new("configs and ACLs: kept of one topic's change", cost.facts.of_change(), "bytes"),
        Figure::new("configs and ACLs: whole, once a day, both sides", cost.facts.whole as f64 / 1e6, "MB"),
        Figure::new(
            "configs and ACLs: a day of one topic's change a minute, both sides",
            cost.facts.a_day() / 1e6,
            "MB",
        )
        .under(((MOST_CHANGES_A_DAY as f64 + cost.facts.whole as f64) / 1e4).ceil() / 1e2),
        Figure::new("all: blocks of the first five minutes not sealed after ten", cost.left as f64, "")
            .under(1.0),
        Figure::new("all: surveys until all is sealed", f64::from(cost.rounds), "").under(60.0),
        Figure::new("a day of partitions in full", a_day(partitions), "GB"),
        Figure::new("a day of positions in full", a_day(groups), "GB"),
        Figure::new("a year of hours of partitions", month.bytes_of_hour * 8_784.0 / 1e9, "GB"),
        Figure::new("a year of hours of positions", cost.hour_of_groups as f64 * 8_784.0 / 1e9, "GB"),
        Figure::new("30 days of one topic of 10 partitions", month.topic_ms, "ms").under(200.0),
        Figure::new("30 days of one topic, with its strip", month.explored_topic_ms, "ms").under(200.0),
        Figure::new("30 days of all partitions", month.together_ms, "ms").under(200.0),
        Figure::new(
            format!(
                "{} days of all partitions one by one, the longest that is asked for",
                month.longest.num_days()
            ),
            month.longest_ms,
            "ms",
        ),
        Figure::new("lag of all partitions recomputed", median(&cost.lag_ms), "ms").under(200.0),
        Figure::new(
            "what the hour keeps of all partitions, reckoned of a survey",
            median(&cost.look_ms),
            "ms",
        ),
    ]
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

/// Of the rows of one kind of tracks.
#[derive(Default)]
struct Bytes {
    /// Before they were sealed.
    open: usize,
    sealed: i64,
}

#[derive(Default)]
struct Cost {
    /// Seconds of this process's CPU.
    recording: f64,
    sealing: f64,
    /// The same, for telling these ten minutes in time.
    telling: f64,
    /// Seconds of PostgreSQL's, for recording and sealing.
    postgres: f64,
    facts: seldom::Facts,
    /// Blocks that were over at the last survey and not sealed.
    left: usize,
    /// Surveys after that until all is sealed.
    rounds: u32,
    partitions: Bytes,
    groups: Bytes,
    /// Bytes of one hour of all positions.
    hour_of_groups: i64,
    lag_ms: Vec<f64>,
    look_ms: Vec<f64>,
    /// What the last survey says of all partitions.
    look: Option<FlowLook>,
}

async fn record(database: &TestDatabase, pair: &Pair, load: &mut Load) -> Result<Cost> {
    let flow = &pair.flows[0];
    let of = (&pair.name, flow.direction);
    let mut conn = database.conn().await;
    let mut partitions = Recording::open(&mut conn, of.0, of.1, Kind::Partitions).await?;
    let mut groups = Recording::open(&mut conn, of.0, of.1, Kind::Groups).await?;
    let mut facts = FactRecording::default();
    let postmaster = postmaster(database).await?;
    let begin = hour_begin(Utc::now() - TimeDelta::hours(1));
    let mut history: Vec<EndsAt> = Vec::new();
    let (mut high, mut pace) = (None::<EndsAt>, Pace::new());
    let mut cost = Cost::default();
    let postgres = machine::cpu_of_family(postmaster)?;
    for number in 0..SURVEYS {
        let at = begin + PERIOD * i32::try_from(number)?;
        load.advance(PERIOD);
        let survey = load.survey(pair, at);
        let clock = Clock { now: at, period: PERIOD };
        let now = high_watermarks(flow, &survey);
        let began = Instant::now();
        let past = Past { ends: &history, high: high.as_ref(), last: None, pace: &pace };
        let (of_flow, lags) = judge_flow(pair, flow, &survey, past, clock);
        // How fast is written is part of it, and kept for the next.
        if let Some((before, now)) = high.as_ref().zip(now.as_ref()) {
            pace.add(pair, flow, before, now);
        }
        cost.lag_ms.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        cost.look = Some(FlowLook::of(&of_flow, &lags, at));
        cost.look_ms.push(began.elapsed().as_secs_f64() * 1e3);
        high = now.or(high);
        let cpu = machine::own_cpu();
        let mut tx = muster_store::begin(database.pool()).await?;
        let samples = partition_samples(pair, flow, &survey, &lags);
        cost.partitions.open += partitions.append(&mut tx, at, samples).await?;
        cost.groups.open += groups.append(&mut tx, at, group_samples(flow, &survey)).await?;
        cost.facts.record(&mut tx, &mut facts, &survey).await?;
        tx.commit().await?;
        partitions.committed();
        groups.committed();
        cost.recording += machine::own_cpu().saturating_sub(cpu).as_secs_f64();
        let cpu = machine::own_cpu();
        cost.left = seal(database, [&partitions, &groups], at).await?;
        cost.sealing += machine::own_cpu().saturating_sub(cpu).as_secs_f64();
        if history.len() == HISTORY {
            history.remove(0);
        }
        history.extend(ends_of(flow, &survey));
    }
    let cpu = machine::own_cpu();
    let after = begin + PERIOD * i32::try_from(SURVEYS)?;
    let mut left = usize::MAX;
    while left > 0 {
        left = seal(database, [&partitions, &groups], after).await?;
        cost.rounds += 1;
    }
    cost.sealing += machine::own_cpu().saturating_sub(cpu).as_secs_f64();
    // Nobody else asks it anything meanwhile.
    cost.postgres = machine::cpu_of_family(postmaster)?.saturating_sub(postgres).as_secs_f64();
    for (bytes, recording) in [(&mut cost.partitions, &partitions), (&mut cost.groups, &groups)] {
        let sql = "select coalesce(sum(length(body)), 0)::bigint from recorder_block where stream = $1";
        bytes.sealed = sqlx::query_scalar(sql).bind(recording.stream()).fetch_one(&mut *conn).await?;
    }
    let sql = "select coalesce(sum(length(body)), 0)::bigint from recorder_hour where stream = $1";
    cost.hour_of_groups = sqlx::query_scalar(sql).bind(groups.stream()).fetch_one(&mut *conn).await?;
    let left: i64 = sqlx::query_scalar("select count(*) from recorder_open").fetch_one(&mut *conn).await?;
    ensure!(left == 0, "{left} rows were not sealed");
    cost.facts.measure(&mut conn, pair, after).await?;
    cost.telling = tell(database, (pair, &mut partitions), load, begin).await?;
    Ok(cost)
}

/// One survey of the hour after `hour`, which has what was recorded of that one told in time; nothing else is left of it. Seconds of this
/// process's CPU.
async fn tell(
    database: &TestDatabase,
    (pair, recording): (&Pair, &mut Recording),
    load: &mut Load,
    hour: DateTime<Utc>,
) -> Result<f64> {
    let (flow, next) = (&pair.flows[0], hour + TimeDelta::hours(1));
    let survey = load.survey(pair, next);
    let past = Past { ends: &[], high: None, last: None, pace: &Pace::new() };
    let (_, lags) = judge_flow(pair, flow, &survey, past, Clock { now: next, period: PERIOD });
    let mut tx = muster_store::begin(database.pool()).await?;
    recording.append(&mut tx, next, partition_samples(pair, flow, &survey, &lags)).await?;
    tx.commit().await?;
    recording.committed();
    let cpu = machine::own_cpu();
    while seal_some(database.pool(), recording, next + TimeDelta::hours(1), PERIOD.to_std()?).await? > 0 {}
    let took = machine::own_cpu().saturating_sub(cpu).as_secs_f64();
    let conn = &mut *database.conn().await;
    let sql =
        "select count(*) from recorder_hour where stream = $1 and at = $2 and coalesce(length(times), 0) = 0";
    let untold: i64 =
        sqlx::query_scalar(sql).bind(recording.stream()).bind(hour).fetch_one(&mut *conn).await?;
    ensure!(untold == 0, "{untold} chunks were not told in time");
    for sql in [
        "delete from recorder_hour where stream = $1 and at >= $2",
        "delete from recorder_block where stream = $1 and from_at >= $2",
    ] {
        sqlx::query(sql).bind(recording.stream()).bind(next).execute(&mut *conn).await?;
    }
    Ok(took)
}

/// After one survey, as long as observing takes for it; answers how many blocks are left.
async fn seal(database: &TestDatabase, recordings: [&Recording; 2], now: DateTime<Utc>) -> Result<usize> {
    let within = PERIOD.to_std()? / 4;
    let mut left = 0;
    for recording in recordings {
        left += seal_some(database.pool(), recording, now, within).await?;
    }
    Ok(left)
}

/// The first process of the PostgreSQL that is used.
async fn postmaster(database: &TestDatabase) -> Result<u32> {
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(database.pool()).await?;
    let parent = machine::parent_of(u32::try_from(backend)?);
    parent.context("PostgreSQL has to run on this machine, or nobody can say what CPU it uses")
}

/// A whole hour, so that what is recorded of it is rolled up into one row of each partition.
fn hour_begin(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp().div_euclid(3600) * 3600, 0).unwrap_or(at)
}
