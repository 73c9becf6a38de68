//! The standing canary on the real lab: end to end is measured under both namings, its silence shows, it recovers, and it is
//! nobody's workload.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use chrono::Utc;
use muster_app::{
    loops::{
        canary::CanaryLoop,
        survey::{RENEW_EVERY, SurveyLoop},
    },
    process::telemetry::Beat,
    standing::{canaries, judgement::Judgement},
};
use muster_domain::{
    canary::{CanaryState, Standing},
    ids::PairName,
    loss::Loss,
    pair::{Direction, Pair, Side},
    readiness::{CheckCode, CheckResult, CheckStatus},
    reading::ReadingClass,
    survey::ConnectorRole,
};
use muster_it::{LabClients, WEST, pair};
use muster_lab::{Lab, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until};
use muster_operations::{ClientSource, OperationError, PairClients, canary::write_now};
use muster_store::{alarms, losses, pairs, readiness, surveys, teams::Team, testing::TestDatabase};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const FORWARD: Direction = Direction { from: Side::A };
const SURVEY_EVERY: Duration = Duration::from_secs(2);
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(500) };
/// In scope of the pair and of both connectors, and on no cluster: Muster makes it.
const MADE: &str = "orders.canary-of-muster";

struct OfPairs(BTreeMap<PairName, PairClients>);

#[async_trait]
impl ClientSource for OfPairs {
    async fn pair_clients(&self, pair: &PairName) -> Result<PairClients, OperationError> {
        let clients = self.0.get(pair).cloned();
        clients
            .ok_or_else(|| OperationError::Clients { pair: pair.to_string(), reason: "unknown".to_owned() })
    }
}

/// A Muster that observes both pairs of the lab and carries their canaries.
struct Muster {
    database: TestDatabase,
    clients: Arc<OfPairs>,
    shutdown: CancellationToken,
    loops: Vec<JoinHandle<()>>,
}

impl Muster {
    async fn start(lab: &Lab) -> Result<Self> {
        let database = TestDatabase::new().await;
        let conn = &mut *database.conn().await;
        let mut clients = BTreeMap::new();
        for name in ["orders", "clicks"] {
            let mut described = pair(lab.describe(), name, &address_book_path(&lab.describe().dir, name))?;
            described.canary_seconds = 2;
            if name == "orders" {
                described.canary_topic = Some(MADE.to_owned());
                described.canary_partitions = 2;
            }
            let mut of_pair = LabClients::new(lab.describe(), described)?.0;
            if clients.is_empty() {
                let team = Team { name: of_pair.pair.team.clone(), description: String::new() };
                muster_store::teams::insert(conn, &team).await?;
                for cluster in [&of_pair.clusters.a, &of_pair.clusters.b] {
                    muster_store::clusters::insert(conn, cluster).await?;
                }
            }
            of_pair.pair = pairs::insert(conn, &of_pair.pair).await?;
            clients.insert(of_pair.pair.name.clone(), of_pair);
        }
        let clients = Arc::new(OfPairs(clients));
        let shutdown = CancellationToken::new();
        let (pool, worker) = (database.pool().clone(), "test".to_owned());
        let source: Arc<dyn ClientSource> = clients.clone();
        let canaries = CanaryLoop {
            pool: pool.clone(),
            clients: Arc::clone(&source),
            worker: worker.clone(),
            beat: Beat::default(),
        };
        let surveys = SurveyLoop {
            pool,
            clients: source,
            period: SURVEY_EVERY,
            renew_every: RENEW_EVERY,
            worker,
            beat: Beat::default(),
        };
        let loops =
            vec![tokio::spawn(surveys.run(shutdown.clone())), tokio::spawn(canaries.run(shutdown.clone()))];
        Ok(Self { database, clients, shutdown, loops })
    }

    fn pair(&self, name: &str) -> Result<&Pair> {
        Ok(&self.clients.0.get(&PairName::new(name)?).context("a pair of the lab")?.pair)
    }

    /// How the canaries of a pair stand now.
    async fn canaries(&self, name: &str) -> Result<Vec<Standing>> {
        let conn = &mut *self.database.conn().await;
        Ok(canaries::of_pair(conn, self.pair(name)?, Utc::now()).await?)
    }

    /// Those of the flow from west.
    async fn forward(&self, name: &str) -> Result<Vec<Standing>> {
        let mut all = self.canaries(name).await?;
        all.retain(|standing| standing.direction == FORWARD);
        Ok(all)
    }

    async fn until(&self, name: &str, what: &str, state: CanaryState) -> Result<Vec<Standing>> {
        wait_until(&format!("the canary of {name} that {what}"), SOON, || async {
            let standings = self.forward(name).await?;
            let there = !standings.is_empty() && standings.iter().all(|one| one.state == state);
            if !there {
                anyhow::bail!("{standings:#?}");
            }
            Ok(Some(standings))
        })
        .await
    }

    async fn check(&self, name: &str) -> Result<CheckResult> {
        let conn = &mut *self.database.conn().await;
        let kept = readiness::latest::<Judgement>(conn, &PairName::new(name)?).await?.context("a survey")?;
        kept.results.checks.into_iter().find(|check| check.code == CheckCode::Canary).context("the check")
    }

    async fn until_checked(&self, name: &str, status: CheckStatus) -> Result<CheckResult> {
        wait_until(&format!("the check of {name} to be {status:?}"), SOON, || async {
            let check = self.check(name).await?;
            Ok((check.status == status).then_some(check))
        })
        .await
    }

    async fn loss(&self, name: &str) -> Result<Option<Loss>> {
        let conn = &mut *self.database.conn().await;
        Ok(losses::at(conn, &PairName::new(name)?, None, Utc::now()).await?)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        for task in self.loops {
            let _ = task.await;
        }
    }
}

/// A measurement that a flow with workers on this machine can have.
fn plausible(standing: &Standing) -> Result<()> {
    let reading = &standing.end_to_end;
    ensure!(reading.class == ReadingClass::Exact, "{standing:#?}");
    ensure!(reading.value.is_some_and(|ms| (1..30_000).contains(&ms)), "{standing:#?}");
    ensure!(standing.outstanding.is_none_or(|waiting| waiting.records <= 3), "{standing:#?}");
    let hour = standing.hour.context("measured in the last hour")?;
    ensure!(hour.p50_ms <= hour.p99_ms && hour.p99_ms <= hour.max_ms && hour.seen >= 1, "{hour:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn end_to_end_is_measured_its_silence_shows_and_it_is_nobodys_workload() -> Result<()> {
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let muster = Muster::start(&lab).await?;

    // Identity names, on a topic that Muster made; prefixed names, on one that was there.
    for (name, partitions) in [("orders", 2), ("clicks", 1)] {
        let standings = muster.until(name, "arrives", CanaryState::Arrives).await?;
        ensure!(standings.len() == partitions, "{standings:#?}");
        for standing in &standings {
            println!("{name} {}: {:?}, {:?}", standing.partition, standing.end_to_end.value, standing.hour);
            plausible(standing)?;
        }
        let check = muster.until_checked(name, CheckStatus::Ok).await?;
        ensure!(check.reason.contains("arrives"), "{check:?}");
        let back = muster.canaries(name).await?;
        let back: Vec<_> = back.iter().filter(|standing| standing.direction != FORWARD).collect();
        ensure!(back.iter().all(|standing| standing.state == CanaryState::Resting), "{back:#?}");
    }
    nobodys_workload(&muster).await?;
    somebody_asks(&muster).await?;

    // Silence: the value of before stays as it was, with its age.
    let orders = muster.clients.0.get(&PairName::new("orders")?).context("there")?;
    let flow = orders.flow(FORWARD).context("the flow")?.clone();
    flow.stop(ConnectorRole::Source, 60_000).await?;
    let late = muster.until("orders", "is late", CanaryState::Late).await?;
    ensure!(late.iter().all(|one| one.end_to_end.class == ReadingClass::Stale), "{late:#?}");
    let gone = muster.until("orders", "does not arrive", CanaryState::DoesNotArrive).await?;
    muster.until_checked("orders", CheckStatus::Critical).await?;
    let later = muster.until("orders", "does not arrive", CanaryState::DoesNotArrive).await?;
    for (before, after) in gone.iter().zip(&later) {
        ensure!(after.end_to_end.class == ReadingClass::Stale, "never shown as current: {after:#?}");
        ensure!(before.seen == after.seen, "nothing arrived: {before:#?}, {after:#?}");
        let now = Utc::now();
        ensure!(after.age(now) > before.age(now - chrono::TimeDelta::seconds(1)), "its age grows");
        ensure!(after.outstanding.is_some_and(|waiting| waiting.records >= 2), "{after:#?}");
    }
    muster.until("clicks", "arrives meanwhile", CanaryState::Arrives).await?;
    flow.resume(ConnectorRole::Source, 60_000).await?;
    let well = muster.until("orders", "arrives again", CanaryState::Arrives).await?;
    for (before, after) in later.iter().zip(&well) {
        let waited = (Utc::now() - before.outstanding.context("it waited")?.since).num_milliseconds();
        let hour = after.hour.context("measured")?;
        println!("the slowest took {} ms; the first waited for less than {waited} ms", hour.max_ms);
        ensure!(hour.max_ms > 4_000 && hour.max_ms <= waited, "what waited was measured: {after:#?}");
        ensure!(after.outstanding.is_none_or(|waiting| waiting.records <= 1), "{after:#?}");
    }
    muster.until_checked("orders", CheckStatus::Ok).await?;

    // A source that is gone: nothing is measured, and nothing looks well.
    lab.kill(WEST).await?;
    let dead = muster.until("orders", "is not measured", CanaryState::NotMeasured).await?;
    ensure!(dead.iter().all(|one| one.end_to_end.value.is_none() && !one.reason.is_empty()), "{dead:#?}");
    let loss = wait_until("the death to be stated", SOON, || muster.loss("orders")).await?;
    ensure!(loss.topics.iter().any(|topic| topic.topic == "orders.placed"), "{loss:#?}");
    ensure!(loss.topics.iter().all(|topic| topic.topic != MADE), "nobody loses a canary: {loss:#?}");
    lab.restart(WEST).await?;
    for name in ["orders", "clicks"] {
        muster.until(name, "arrives after the death", CanaryState::Arrives).await?;
    }
    workload.finish(Duration::from_secs(1)).await?;
    muster.stop().await;
    Ok(())
}

/// What surveys and rules say of the pairs does not name their canaries.
async fn nobodys_workload(muster: &Muster) -> Result<()> {
    for (name, topic, copy) in
        [("orders", MADE, MADE), ("clicks", "muster.canary.clicks", "eu-west.muster.canary.clicks")]
    {
        let pair = muster.pair(name)?;
        let conn = &mut *muster.database.conn().await;
        let survey = surveys::latest(conn, &pair.name).await?.context("a survey")?;
        for (side, name) in [(Side::A, topic), (Side::B, copy)] {
            let seen = survey.sides.get(side).topics.value().context("read")?;
            ensure!(seen.contains_key(name), "a survey sees it: {:?}", seen.keys());
        }
        let kept = readiness::latest::<Judgement>(conn, &pair.name).await?.context("a survey")?;
        for lag in &kept.results.lag {
            ensure!(!lag.topics.contains_key(topic) && !lag.topics.contains_key(copy), "{lag:#?}");
        }
        let open = alarms::open_of(conn, std::slice::from_ref(&pair.name)).await?;
        let about: Vec<_> = open.iter().filter(|kept| kept.alarm.subject.contains("canary")).collect();
        ensure!(about.is_empty(), "{about:#?}");
        let foreign = open.iter().any(|kept| kept.alarm.code.as_str() == "foreign-writer");
        ensure!(!foreign, "{open:#?}");
        ensure!(muster.loss(name).await?.is_none());
        let tracks: Vec<String> =
            sqlx::query_scalar("select topic from recorder_track").fetch_all(&mut *conn).await?;
        ensure!(tracks.iter().all(|track| !track.contains("canary")), "{tracks:?}");
    }
    Ok(())
}

/// One more, beside the standing one.
async fn somebody_asks(muster: &Muster) -> Result<()> {
    for (name, clients) in &muster.clients.0 {
        let settings = muster_domain::canary::CanarySettings::of(&clients.pair).context("it has one")?;
        let flow = clients.pair.flow(FORWARD).context("the flow")?;
        let told = write_now(clients, &[flow], &settings, Duration::from_secs(30)).await;
        ensure!(told.iter().all(|track| track.seen.is_some()), "{name}: {told:#?}");
    }
    Ok(())
}
