//! The source broker dies under load, again and again: is what was lost in the interval that is stated, and did the last survey
//! before it foretell as much? Half of it under connectors that copy exactly once, half under ones that copy at least once. Some of the
//! deaths are freezes: connections stay open and nothing answers. And some come when the next survey is overdue: does what is told then of
//! the last one, with what its age adds, hold what was lost?

mod deaths;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use muster_domain::{
    lag::Rpo,
    loss::Loss,
    pair::{Direction, Side},
};
use muster_it::{CENTRAL, WEST};
use muster_lab::{Lab, LabOptions, LedgerSummary, WaitBound, Workload, WorkloadOptions, jars, wait_until};
use uuid::Uuid;

use self::{
    deaths::{Death, Way, told_of_freezes, told_of_kills, told_of_late_kills},
    watch::Watch,
};
use crate::{
    figures::Bench,
    machine,
    official::{Tools, java_version},
};

/// Of each kind of connectors.
const KILLS: usize = 10;
/// The same; half of them between two surveys and half while one is taken.
const FREEZES: usize = 4;
/// Of each kind, between one period and two after the last survey.
const LATE_KILLS: usize = 2;
/// As in production.
const PERIOD: Duration = Duration::from_secs(5);
/// Surveys of a living source before each death.
const SURVEYS: usize = 3;
const SOON: WaitBound = WaitBound { within: Duration::from_secs(180), every: PERIOD };
const PAIR: &str = "orders";
const A_TO_B: Direction = Direction { from: Side::A };

/// Kills it twenty-eight times, and freezes it twelve times.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let mut figures = Vec::new();
    for exactly_once in [true, false] {
        let with = if exactly_once { "exactly once" } else { "at least once" };
        let Deaths { killed, late, frozen } = have_it_die(exactly_once, with).await?;
        figures.extend(told_of_kills(with, &killed));
        figures.extend(told_of_late_kills(with, &late));
        figures.extend(told_of_freezes(with, &frozen));
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

/// On one lab.
#[derive(Default)]
struct Deaths {
    killed: Vec<Death>,
    late: Vec<Death>,
    frozen: Vec<Death>,
}

/// On a lab of its own.
async fn have_it_die(exactly_once: bool, with: &str) -> Result<Deaths> {
    let lab = Lab::start(LabOptions { exactly_once, ..LabOptions::default() }).await?;
    let workload = Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let mut watch = Watch::start(&lab).await?;
    let mut deaths = Deaths::default();
    for (number, way) in (1..).zip(Way::all()) {
        let death = die(&lab, &workload, &mut watch, way).await?;
        eprintln!("{with}, {number}, {way:?}: {death:?}, {:.2} periods wide", death.width());
        match way {
            Way::Killed => deaths.killed.push(death),
            Way::KilledLate => deaths.late.push(death),
            Way::Frozen | Way::FrozenUnderSurvey => deaths.frozen.push(death),
        }
    }
    Ok(deaths)
}

fn how() -> String {
    format!(
        "The pair `{PAIR}` on the real lab (identity naming, three topics, seven partitions) under the workload: {} records a second \
         in all, one producer transactional. Muster surveys it every {} s, and at once where a connection is closed. {KILLS} times on a lab whose connectors copy exactly once \
         and {KILLS} times on one whose connectors copy at least once, after at \
         least {SURVEYS} surveys of a living source and at a random moment of a period, the source broker is killed with -9. \
         {LATE_KILLS} times more on each it is killed between one period and two after the last survey, while nobody looks. \
         {FREEZES} times more on each it is frozen (SIGSTOP), in turns at such a moment and while a survey is taken, and killed once \
         that is stated: it never acknowledges again. Stated \
         is what `GET /api/v1/pairs/{PAIR}/loss` answers once the death was noticed and what was on its way had a survey's time to \
         arrive. The truth is the applications' own: records of the pair's topics that were acknowledged to them and are not on the \
         target, which is read whole. An interval holds it when the total and each topic's do, and no topic is left out. Beside it \
         stands what the last survey before the \
         death said would be lost if the source died now, in records: it was so when the true loss is within that; and what was told of it \
         at the moment of the death, so much later, as the API would tell it. A period of \
         traffic is what was acknowledged in {} s, on the average of the surveys before the death.",
        WorkloadOptions::default().records_per_second,
        PERIOD.as_secs(),
        PERIOD.as_secs(),
    )
}

async fn die(lab: &Lab, workload: &Workload, watch: &mut Watch, way: Way) -> Result<Death> {
    caught_up(workload).await?;
    let (before, from) = (acked(&workload.ledger()), Instant::now());
    let (mut living, mut took) = (0, Duration::ZERO);
    while living < SURVEYS {
        let observed = watch.observe(Utc::now()).await?;
        (living, took) = if observed.read { (living + 1, observed.took) } else { (0, took) };
    }
    let foretold = watch.teller().foretells().await?;
    let written = acked(&workload.ledger()) - before;
    let traffic = written as f64 * PERIOD.as_secs_f64() / from.elapsed().as_secs_f64();
    let died_at = Utc::now();
    let (told, mut said) = strike(lab, watch, way, took, died_at).await?;
    while said.is_none() {
        said = watch.observe(died_at).await?.loss;
    }
    // What was on its way to the target still arrives.
    let loss = watch.observe(died_at).await?.loss.or(said).context("a loss")?;
    if way.is_freeze() {
        // Frozen it acknowledges nothing, and it does not wake up to.
        lab.kill(WEST).await?;
    }
    let check = workload.check_cluster(CENTRAL).await?;
    let (mut lost, mut wrong_topics) = (0, 0);
    for (topic, checked) in check.topics.iter().filter(|(topic, _)| of_pair(topic)) {
        let of_topic = i64::try_from(checked.lost)?;
        let stated = loss.topics.iter().find(|stated| stated.topic == *topic).map(|stated| stated.lost);
        // One that is left out is said to have lost nothing.
        let holds = stated.is_some_and(|stated| {
            stated.records_at_least <= of_topic && stated.records_at_most >= Some(of_topic)
        });
        wrong_topics += usize::from(!holds);
        lost += of_topic;
    }
    lab.restart(WEST).await?;
    let (at_least, at_most) = (loss.total.records_at_least, loss.total.records_at_most);
    #[expect(clippy::cast_possible_truncation, reason = "some thousand records")]
    Ok(Death { at_least, at_most, lost, traffic: traffic as i64, wrong_topics, foretold, told })
}

/// Has it die at a random moment: of a period, or of a survey that takes so long. Answers what was told just before of what that would
/// cost, and what was said of it since then.
async fn strike(
    lab: &Lab,
    watch: &mut Watch,
    way: Way,
    took: Duration,
    since: DateTime<Utc>,
) -> Result<(Rpo, Option<Loss>)> {
    let part = u32::from(Uuid::new_v4().as_bytes()[0]);
    let teller = watch.teller();
    match way {
        Way::Killed | Way::KilledLate | Way::Frozen => {
            let overdue = if way == Way::KilledLate { PERIOD } else { Duration::ZERO };
            tokio::time::sleep(overdue + PERIOD * part / 256).await;
            let told = teller.foretells().await?;
            if way.is_freeze() {
                lab.freeze(WEST).await?
            } else {
                lab.kill(WEST).await?
            }
            Ok((told, None))
        }
        Way::FrozenUnderSurvey => {
            let occasion = watch.when_due().await;
            let freeze = async {
                tokio::time::sleep(took * part / 256).await;
                let told = teller.foretells().await?;
                lab.freeze(WEST).await?;
                anyhow::Ok(told)
            };
            let (observed, told) = tokio::join!(watch.observe_now(occasion, since), freeze);
            Ok((told?, observed?.loss))
        }
    }
}

/// Whether a topic is one of the pair's.
fn of_pair(topic: &str) -> bool {
    topic.starts_with("orders.") || topic.starts_with("payments.")
}

/// Records acknowledged of the pair's topics.
fn acked(ledger: &LedgerSummary) -> i64 {
    let acked = ledger.topics.iter().filter(|(topic, _)| of_pair(topic)).map(|(_, page)| page.acked);
    i64::try_from(acked.sum::<u64>()).unwrap_or(i64::MAX)
}

/// Whatever died before is on the target, and applications write again.
async fn caught_up(workload: &Workload) -> Result<()> {
    let before = acked(&workload.ledger());
    wait_until("everything to be on the target and writes to go on", SOON, || async {
        let behind = workload.check_cluster(CENTRAL).await?;
        let lost: u64 =
            behind.topics.iter().filter(|(topic, _)| of_pair(topic)).map(|(_, topic)| topic.lost).sum();
        Ok((lost < 1_000 && acked(&workload.ledger()) > before + 1_000).then_some(()))
    })
    .await
}
