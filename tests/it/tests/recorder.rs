//! The flight recorder on the real lab: what dies with a source under load lies in the interval that is stated, and the true
//! figure comes after its return.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use muster_app::{memory::Memory, survey_loop::SurveyLoop, telemetry::Beat};
use muster_domain::{ids::PairName, loss::Loss};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_lab::{Lab, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until};
use muster_store::{leases, losses, teams::Team, testing::TestDatabase};

/// Time between surveys: shorter than usual, so that there is a history soon.
const PERIOD: Duration = Duration::from_secs(2);
/// Surveys before the death.
const SURVEYS: u32 = 15;
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: PERIOD };

/// A Muster that observes one pair of the lab.
struct Observer {
    database: TestDatabase,
    surveys: SurveyLoop,
    pair: PairName,
    epoch: i64,
    memory: tokio::sync::Mutex<Memory>,
}

impl Observer {
    async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
        let database = TestDatabase::new().await;
        let mut conn = database.pool().acquire().await?;
        let team = Team { name: described.team.clone(), description: String::new() };
        muster_store::teams::insert(&mut conn, &team).await?;
        let mut clients = LabClients::new(lab.describe(), described)?;
        for cluster in [&clients.0.clusters.a, &clients.0.clusters.b] {
            muster_store::clusters::insert(&mut conn, cluster).await?;
        }
        clients.0.pair = muster_store::pairs::insert(&mut conn, &clients.0.pair).await?;
        let pair = clients.0.pair.name.clone();
        let lease = leases::claim(&mut conn, &leases::survey_lease(&pair), "test", 3600.0).await?;
        drop(conn);
        let surveys = SurveyLoop {
            pool: database.pool().clone(),
            clients: Arc::new(clients),
            period: PERIOD,
            worker: "test".to_owned(),
            beat: Beat::default(),
        };
        let epoch = lease.map_or(0, |lease| lease.epoch);
        Ok(Self { database, surveys, pair, epoch, memory: tokio::sync::Mutex::default() })
    }

    async fn observe(&self) -> anyhow::Result<Option<Loss>> {
        self.surveys.observe(&self.pair, self.epoch, &mut *self.memory.lock().await).await?;
        let mut conn = self.database.pool().acquire().await?;
        Ok(losses::at(&mut conn, &self.pair, None, Utc::now()).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_with_the_source_is_in_the_interval_and_its_return_tells_the_true_figure()
-> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let observer = Observer::start(&lab).await?;
    let mut ticks = tokio::time::interval(PERIOD);
    for _ in 0..SURVEYS {
        ticks.tick().await;
        assert_eq!(observer.observe().await?, None, "nobody died");
    }
    // Somewhere between two surveys, wherever the bytes of a fresh id put it.
    let part = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    println!("killed {part}/256 of the way to the next survey");
    tokio::select! {
        _ = ticks.tick() => {}
        () = tokio::time::sleep(PERIOD * part / 256) => {}
    }
    lab.kill(WEST).await?;
    let said = wait_until("the death to be stated", SOON, || observer.observe()).await?;
    println!("{:#?}", said.total);
    // What was on its way to the target still arrives.
    ticks.tick().await;
    let said = observer.observe().await?.unwrap_or(said);
    workload.finish(Duration::from_secs(1)).await?;
    let check = workload.check_cluster(CENTRAL).await?;
    println!("{check:#?}");
    let mut truth = 0;
    for topic in &said.topics {
        let lost = i64::try_from(check.topics.get(&topic.topic).map_or(0, |topic| topic.lost))?;
        println!("{}: {lost} of {:?}", topic.topic, topic.lost);
        assert!(topic.lost.records_at_least <= lost, "{}: {lost} lost, {:?}", topic.topic, topic.lost);
        assert!(topic.lost.records_at_most >= Some(lost), "{}: {lost} lost, {:?}", topic.topic, topic.lost);
        truth += lost;
    }
    assert!(said.topics.iter().any(|topic| topic.topic == "payments.captured"), "{said:#?}");
    assert!(
        said.total.records_at_least <= truth && said.total.records_at_most >= Some(truth),
        "{:?}",
        said.total
    );

    lab.restart(WEST).await?;
    let settled = wait_until("the true figure", SOON, || async {
        let loss = observer.observe().await?;
        Ok(loss.filter(|loss| loss.truth.as_ref().is_some_and(|truth| truth.settled)))
    })
    .await?;
    let told = settled.truth.clone().expect("it is settled");
    println!("{told:#?}");
    // Offsets: markers count as well, so it is no less than what applications know to be lost. Whether it is exact depends on
    // the coordinator: it may end transactions that the death left open between the two readings.
    assert!(told.records >= Some(truth), "{truth} lost, {told:#?}");
    assert!(told.records <= settled.total.records_at_most, "{told:#?}, {:?}", settled.total);
    assert_eq!(settled.total, said.total, "what was said stays beside it");
    Ok(())
}
