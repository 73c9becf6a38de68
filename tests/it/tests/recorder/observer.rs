//! A Muster that observes one pair of the lab, survey by survey.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use muster_app::{
    loops::survey::{Held, Occasion, RENEW_EVERY, SurveyLoop},
    process::telemetry::Beat,
    standing::judgement::{self, Judgement},
};
use muster_domain::{
    ids::PairName,
    lag::RpoLook,
    loss::Loss,
    pair::{Direction, Pair, Side},
    survey::Survey,
    topic::TopicPartition,
};
use muster_it::{LabClients, pair};
use muster_kafka::{OffsetSpec, mover::NewRecord};
use muster_lab::{Lab, address_book_path, wait_until};
use muster_operations::PairClients;
use muster_store::{leases, losses, readiness, surveys, testing::TestDatabase};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::SOON;

/// Time between surveys: shorter than usual, so that there is a history soon.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);
pub(crate) const FORWARD: Direction = Direction { from: Side::A };
const WITHIN_MS: u64 = 30_000;
/// Who observes, in leases.
const WORKER: &str = "test";

/// A Muster that observes one pair of the lab.
pub(crate) struct Observer {
    pub(crate) database: TestDatabase,
    pub(crate) clients: PairClients,
    surveys: SurveyLoop,
    pub(crate) pair: PairName,
    held: tokio::sync::Mutex<Held>,
}

impl Observer {
    /// Of the lab's `orders`.
    pub(crate) async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
        Self::of(lab, described).await
    }

    pub(crate) async fn of(lab: &Lab, described: Pair) -> anyhow::Result<Self> {
        let (clients, database) = LabClients::registered(lab.describe(), described).await?;
        let mut conn = database.pool().acquire().await?;
        let pair = clients.0.pair.name.clone();
        let held = tokio::sync::Mutex::new(hold(&mut conn, &pair).await?);
        drop(conn);
        let surveys = SurveyLoop {
            pool: database.pool().clone(),
            clients: Arc::new(clients.clone()),
            period: PERIOD,
            renew_every: RENEW_EVERY,
            worker: WORKER.to_owned(),
            beat: Beat::default(),
        };
        Ok(Self { database, clients: clients.0, surveys, pair, held })
    }

    pub(crate) async fn observe(&self) -> anyhow::Result<Option<Loss>> {
        let mut held = self.held.lock().await;
        self.surveys.observe_listening(&self.pair, &mut held, Occasion::Due).await?;
        drop(held);
        self.newest_loss().await
    }

    /// What is stated now.
    pub(crate) async fn newest_loss(&self) -> anyhow::Result<Option<Loss>> {
        let mut conn = self.database.pool().acquire().await?;
        Ok(losses::at(&mut conn, &self.pair, None, Utc::now()).await?)
    }

    /// Has the product's own loop observe the pair until something has happened, with so long between two surveys. Nothing else may
    /// observe it meanwhile.
    pub(crate) async fn left_alone<T>(
        &self,
        period: Duration,
        until: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let mut held = self.held.lock().await;
        let shutdown = CancellationToken::new();
        let surveys = SurveyLoop { period, ..self.surveys.clone() };
        let running = tokio::spawn(surveys.run(shutdown.clone()));
        let happened = until.await;
        shutdown.cancel();
        running.await?;
        // Somebody else had the lease: what was remembered under it is over.
        *held = hold(&mut *self.database.pool().acquire().await?, &self.pair).await?;
        happened
    }

    /// Observes until a death is stated that came after a time.
    pub(crate) async fn stated(&self, after: DateTime<Utc>) -> anyhow::Result<Loss> {
        wait_until("the death to be stated", SOON, || async {
            Ok(self.observe().await?.filter(|loss| loss.noticed_at >= after))
        })
        .await
    }

    /// Observes until the last word is said of a death that came after a time.
    pub(crate) async fn settled(&self, after: DateTime<Utc>) -> anyhow::Result<Loss> {
        wait_until("the true figure", SOON, || async {
            let loss = self.observe().await?.filter(|loss| loss.noticed_at >= after);
            Ok(loss.filter(|loss| loss.truth.as_ref().is_some_and(|truth| truth.settled)))
        })
        .await
    }

    /// What the newest survey saw.
    pub(crate) async fn survey(&self) -> anyhow::Result<Survey> {
        let mut conn = self.database.pool().acquire().await?;
        surveys::latest(&mut conn, &self.pair).await?.context("it was observed")
    }

    /// What the newest survey is taken to mean, as pages and API read it.
    pub(crate) async fn judged(&self) -> anyhow::Result<Judgement> {
        let mut conn = self.database.pool().acquire().await?;
        match judgement::latest(&mut conn, &self.pair).await {
            Ok(kept) => Ok(kept.context("it was observed")?.results),
            Err(failure) => anyhow::bail!("{}", failure.problem.detail),
        }
    }

    /// What the newest survey says of a death, as it was judged and however old it is.
    pub(crate) async fn look(&self) -> anyhow::Result<RpoLook> {
        let mut conn = self.database.pool().acquire().await?;
        let kept = readiness::latest::<Judgement>(&mut conn, &self.pair).await?.context("it was observed")?;
        let lag =
            kept.results.lag.iter().find(|lag| lag.direction == FORWARD).context("the flow is judged")?;
        Ok(RpoLook::of(lag, kept.at))
    }

    pub(crate) async fn end(&self, side: Side, at: &TopicPartition) -> anyhow::Result<i64> {
        let admin = self.clients.admin.get(side);
        let ends = admin.offsets(std::slice::from_ref(at), OffsetSpec::End).await?;
        Ok(ends.get(at).context("it was asked for")?.clone().map_err(|error| *error)?)
    }

    /// Writes records to the source: with a value where their number says so, and without one elsewhere.
    pub(crate) async fn write(
        &self,
        at: &TopicPartition,
        count: i64,
        has_value: impl Fn(i64) -> bool,
    ) -> anyhow::Result<()> {
        let record = |number: i64| NewRecord {
            key: Some(format!("key {number}").into()),
            value: has_value(number).then(|| format!("value {number}").into()),
            timestamp: Utc::now().timestamp_millis(),
        };
        self.clients.mover.a.write(at, (0..count).map(record).collect(), WITHIN_MS).await?;
        Ok(())
    }

    /// Waits until everything up to a source offset is on the target.
    pub(crate) async fn copied(&self, at: &TopicPartition, offset: i64) -> anyhow::Result<()> {
        let flow = self.clients.flow(FORWARD).context("Muster steers it")?;
        wait_until(&format!("offset {offset} of {at} to be copied"), SOON, || async {
            let committed = flow.committed_offsets().await?.0;
            Ok(committed.get(at).is_some_and(|committed| *committed >= offset).then_some(()))
        })
        .await
    }
}

/// Takes the lease of a pair, under which nothing is remembered yet.
async fn hold(conn: &mut PgConnection, pair: &PairName) -> anyhow::Result<Held> {
    let lease = leases::claim(conn, &leases::survey_lease(pair), WORKER, 3600.0).await?;
    Ok(Held::by(lease.context("nobody else observes the pair")?.epoch))
}
