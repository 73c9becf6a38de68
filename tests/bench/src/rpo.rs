//! The source broker dies under load, again and again: is what was lost in the interval that is stated, and did the last survey
//! before it foretell as much? Half of it under connectors that copy exactly once, half under ones that copy at least once.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::{judgement, memory::Memory, survey_loop::SurveyLoop, telemetry::Beat};
use muster_domain::{
    ids::PairName,
    lag::Rpo,
    loss::Loss,
    pair::{Direction, Side},
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_lab::{
    Lab, LabOptions, LedgerSummary, WaitBound, Workload, WorkloadOptions, address_book_path, jars, wait_until,
};
use muster_store::{leases, losses, testing::TestDatabase};
use uuid::Uuid;

use crate::{
    figures::{Bench, Figure, median},
    house::refused,
    machine,
    official::{Tools, java_version},
};

/// Of each kind of connectors.
const KILLS: usize = 10;
/// As in production.
const PERIOD: Duration = Duration::from_secs(5);
/// Surveys of a living source before each death.
const SURVEYS: usize = 3;
const SOON: WaitBound = WaitBound { within: Duration::from_secs(180), every: PERIOD };
const PAIR: &str = "orders";
const A_TO_B: Direction = Direction { from: Side::A };

/// What one death came to.
#[derive(Debug)]
struct Death {
    at_least: i64,
    at_most: Option<i64>,
    /// Acknowledged records that are not on the target.
    lost: i64,
    /// Records acknowledged in a period before the death.
    traffic: i64,
    /// Topics whose own interval does not hold what was lost of them.
    wrong_topics: usize,
    /// What the last survey of the living source said would be lost if it died now.
    foretold: Rpo,
}

impl Death {
    fn contained(&self) -> bool {
        self.at_least <= self.lost
            && self.at_most.is_some_and(|at_most| self.lost <= at_most)
            && self.wrong_topics == 0
    }

    /// In periods of traffic.
    fn width(&self) -> f64 {
        let width = self.at_most.map_or(f64::INFINITY, |at_most| (at_most - self.at_least) as f64);
        width / self.traffic.max(1) as f64
    }

    /// What is not known foretells nothing.
    fn was_foretold(&self) -> bool {
        self.foretold.records_at_least.is_some_and(|at_least| at_least <= self.lost)
            && self.foretold.records_at_most.is_some_and(|at_most| self.lost <= at_most)
    }

    /// By how much more than was lost the last survey said, in periods of traffic.
    fn foretold_beyond(&self) -> f64 {
        let beyond =
            self.foretold.records_at_most.map_or(f64::INFINITY, |at_most| (at_most - self.lost) as f64);
        beyond / self.traffic.max(1) as f64
    }
}

/// Kills it twenty times.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let mut figures = Vec::new();
    for exactly_once in [true, false] {
        let with = if exactly_once { "exactly once" } else { "at least once" };
        let deaths = kill_it(exactly_once, with).await?;
        figures.extend(told(with, &deaths));
    }
    let jars = jars::fetch_jars().await?;
    Ok(Bench {
        name: "rpo",
        how: vec![how(), String::new()],
        load_before,
        versions: vec![
            ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
            ("Kafka", Tools::new(&jars, "", &jars).kafka_version()?),
            ("Java", java_version().await?),
        ],
        figures,
    })
}

/// On a lab of its own.
async fn kill_it(exactly_once: bool, with: &str) -> Result<Vec<Death>> {
    let lab = Lab::start(LabOptions { exactly_once, ..LabOptions::default() }).await?;
    let workload = Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let mut watch = Watch::start(&lab).await?;
    let mut deaths = Vec::new();
    for number in 1..=KILLS {
        let death = die(&lab, &workload, &mut watch).await?;
        eprintln!("{with}, {number}: {death:?}, {:.2} periods wide", death.width());
        deaths.push(death);
    }
    Ok(deaths)
}

fn told(with: &str, deaths: &[Death]) -> Vec<Figure> {
    let name = |what: &str| format!("{with}: {what}");
    let count = |wanted: fn(&Death) -> bool| deaths.iter().filter(|death| wanted(death)).count() as f64;
    let all = |of: fn(&Death) -> f64| deaths.iter().map(of).collect::<Vec<f64>>();
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let (widths, lost) = (all(Death::width), all(|death| death.lost as f64));
    let traffic = "periods of traffic";
    vec![
        Figure::new(name("deaths"), deaths.len() as f64, "kills"),
        Figure::new(name("intervals without the true loss"), count(|death| !death.contained()), "kills")
            .none(),
        Figure::new(name("width of the interval, at its widest"), most(&widths), traffic).under(1.0),
        Figure::new(name("width of the interval, the middle one"), median(&widths), traffic),
        Figure::new(
            name("not as the last survey said of a death now"),
            count(|death| !death.was_foretold()),
            "kills",
        )
        .none(),
        Figure::new(
            name("what it said at most beyond the true loss, the middle one"),
            median(&all(Death::foretold_beyond)),
            traffic,
        ),
        Figure::new(name("deaths that cost something"), count(|death| death.lost > 0), "kills"),
        Figure::new(name("lost, the middle one"), median(&lost), "records"),
        Figure::new(name("lost, the most"), most(&lost), "records"),
    ]
}

fn how() -> String {
    format!(
        "The pair `{PAIR}` on the real lab (identity naming, three topics, seven partitions) under the workload: {} records a second \
         in all, one producer transactional. Muster surveys it every {} s. {KILLS} times on a lab whose connectors copy exactly once \
         and {KILLS} times on one whose connectors copy at least once, after at \
         least {SURVEYS} surveys of a living source and at a random moment of a period, the source broker is killed with -9. Stated \
         is what `GET /api/v1/pairs/{PAIR}/loss` answers once the death was noticed and what was on its way had a survey's time to \
         arrive. The truth is the applications' own: records that were acknowledged to them and are not on the target, which is \
         read whole. An interval holds it when the total and each topic's do. Beside it stands what the last survey before the \
         death said would be lost if the source died now, in records: it was so when the true loss is within that. A period of \
         traffic is what was acknowledged in {} s, on the average of the surveys before the death.",
        WorkloadOptions::default().records_per_second,
        PERIOD.as_secs(),
        PERIOD.as_secs(),
    )
}

/// A Muster that observes the pair.
struct Watch {
    database: TestDatabase,
    surveys: SurveyLoop,
    pair: PairName,
    epoch: i64,
    memory: Memory,
    ticks: tokio::time::Interval,
}

impl Watch {
    async fn start(lab: &Lab) -> Result<Self> {
        let described = pair(lab.describe(), PAIR, &address_book_path(&lab.describe().dir, PAIR))?;
        let (clients, database) = LabClients::registered(lab.describe(), described).await?;
        let mut conn = database.pool().acquire().await?;
        let pair = clients.0.pair.name.clone();
        let lease = leases::claim(&mut conn, &leases::survey_lease(&pair), "bench", 86_400.0).await?;
        drop(conn);
        let surveys = SurveyLoop {
            pool: database.pool().clone(),
            clients: Arc::new(clients),
            period: PERIOD,
            worker: "bench".to_owned(),
            beat: Beat::default(),
        };
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let epoch = lease.map_or(0, |lease| lease.epoch);
        Ok(Self { database, surveys, pair, epoch, memory: Memory::default(), ticks })
    }

    /// One survey when it is due; answers whether the source was read, and the newest loss since a time.
    async fn observe(&mut self, since: DateTime<Utc>) -> Result<(bool, Option<Loss>)> {
        self.ticks.tick().await;
        let survey = self.surveys.observe(&self.pair, self.epoch, &mut self.memory).await?;
        let mut conn = self.database.pool().acquire().await?;
        let loss = losses::at(&mut conn, &self.pair, None, Utc::now() + TimeDelta::hours(1)).await?;
        Ok((survey.sides.a.topics.value().is_some(), loss.filter(|loss| loss.noticed_at >= since)))
    }

    /// What the newest survey says would be lost if the source died now.
    async fn foretells(&self) -> Result<Rpo> {
        let mut conn = self.database.pool().acquire().await?;
        let judged = judgement::latest(&mut conn, &self.pair).await.map_err(refused)?;
        let judged = judged.context("a survey that was judged")?.results;
        let flow = judged.lag.into_iter().find(|lag| lag.direction == A_TO_B);
        Ok(flow.context("the pair has a flow from A")?.rpo)
    }
}

async fn die(lab: &Lab, workload: &Workload, watch: &mut Watch) -> Result<Death> {
    caught_up(workload).await?;
    let (before, from) = (acked(&workload.ledger()), tokio::time::Instant::now());
    let mut living = 0;
    while living < SURVEYS {
        living = if watch.observe(Utc::now()).await?.0 { living + 1 } else { 0 };
    }
    let foretold = watch.foretells().await?;
    let part = u32::from(Uuid::new_v4().as_bytes()[0]);
    tokio::time::sleep(PERIOD * part / 256).await;
    let died_at = Utc::now();
    lab.kill(WEST).await?;
    let written = acked(&workload.ledger()) - before;
    let traffic = written as f64 * PERIOD.as_secs_f64() / from.elapsed().as_secs_f64();
    let mut said = None;
    while said.is_none() {
        said = watch.observe(died_at).await?.1;
    }
    // What was on its way to the target still arrives.
    let loss = watch.observe(died_at).await?.1.or(said).context("a loss")?;
    let check = workload.check_cluster(CENTRAL).await?;
    let (mut lost, mut wrong_topics) = (0, 0);
    for topic in &loss.topics {
        let of_topic = i64::try_from(check.topics.get(&topic.topic).map_or(0, |topic| topic.lost))?;
        let holds = topic.lost.records_at_least <= of_topic && topic.lost.records_at_most >= Some(of_topic);
        wrong_topics += usize::from(!holds);
        lost += of_topic;
    }
    lab.restart(WEST).await?;
    let (at_least, at_most) = (loss.total.records_at_least, loss.total.records_at_most);
    #[expect(clippy::cast_possible_truncation, reason = "some thousand records")]
    Ok(Death { at_least, at_most, lost, traffic: traffic as i64, wrong_topics, foretold })
}

/// Records acknowledged of the pair's topics.
fn acked(ledger: &LedgerSummary) -> i64 {
    let of_pair = |topic: &&String| topic.starts_with("orders.") || topic.starts_with("payments.");
    let acked = ledger.topics.iter().filter(|(topic, _)| of_pair(topic)).map(|(_, page)| page.acked);
    i64::try_from(acked.sum::<u64>()).unwrap_or(i64::MAX)
}

/// Whatever died before is on the target, and applications write again.
async fn caught_up(workload: &Workload) -> Result<()> {
    let before = acked(&workload.ledger());
    wait_until("everything to be on the target and writes to go on", SOON, || async {
        let behind = workload.check_cluster(CENTRAL).await?;
        let of_pair = |topic: &&String| topic.starts_with("orders.") || topic.starts_with("payments.");
        let lost: u64 =
            behind.topics.iter().filter(|(topic, _)| of_pair(topic)).map(|(_, topic)| topic.lost).sum();
        Ok((lost < 1_000 && acked(&workload.ledger()) > before + 1_000).then_some(()))
    })
    .await
}
