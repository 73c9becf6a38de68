//! A Muster that observes one pair of the lab, survey by survey.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use muster_app::{memory::Memory, survey_loop::SurveyLoop, telemetry::Beat};
use muster_domain::{ids::PairName, loss::Loss};
use muster_it::{LabClients, pair};
use muster_lab::{Lab, address_book_path};
use muster_store::{leases, losses, testing::TestDatabase};

/// Time between surveys: shorter than usual, so that there is a history soon.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

/// A Muster that observes one pair of the lab.
pub(crate) struct Observer {
    pub(crate) database: TestDatabase,
    surveys: SurveyLoop,
    pub(crate) pair: PairName,
    epoch: i64,
    memory: tokio::sync::Mutex<Memory>,
}

impl Observer {
    pub(crate) async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
        let (clients, database) = LabClients::registered(lab.describe(), described).await?;
        let mut conn = database.pool().acquire().await?;
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

    pub(crate) async fn observe(&self) -> anyhow::Result<Option<Loss>> {
        self.surveys.observe(&self.pair, self.epoch, &mut *self.memory.lock().await).await?;
        let mut conn = self.database.pool().acquire().await?;
        Ok(losses::at(&mut conn, &self.pair, None, Utc::now()).await?)
    }
}
