//! A Muster that observes the pair while its source dies.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::{
    loops::survey::{Held, Occasion, RENEW_EVERY, Rhythm, SurveyLoop},
    process::telemetry::Beat,
    standing::judgement,
};
use muster_domain::{ids::PairName, lag::Rpo, loss::Loss};
use muster_it::{LabClients, pair};
use muster_lab::{Lab, address_book_path};
use muster_store::{leases, losses, testing::TestDatabase};
use sqlx::PgPool;

use super::{A_TO_B, PAIR, PERIOD};
use crate::house::refused;

/// A Muster that observes the pair.
pub(super) struct Watch {
    database: TestDatabase,
    surveys: SurveyLoop,
    pair: PairName,
    held: Held,
    rhythm: Rhythm,
}

impl Watch {
    pub(super) async fn start(lab: &Lab) -> Result<Self> {
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
            renew_every: RENEW_EVERY,
            worker: "bench".to_owned(),
            beat: Beat::default(),
        };
        let epoch = lease.map_or(0, |lease| lease.epoch);
        let rhythm = Rhythm::new(Duration::ZERO, PERIOD);
        Ok(Self { database, surveys, pair, held: Held::by(epoch), rhythm })
    }

    /// One survey when its time has come, as the product takes them.
    pub(super) async fn observe(&mut self, since: DateTime<Utc>) -> Result<Observed> {
        let occasion = self.when_due().await;
        self.observe_now(occasion, since).await
    }

    /// Waits for the time of the next survey.
    pub(super) async fn when_due(&mut self) -> Occasion {
        self.rhythm.next(self.held.closings()).await
    }

    /// One survey, and the newest loss since a time.
    pub(super) async fn observe_now(&mut self, occasion: Occasion, since: DateTime<Utc>) -> Result<Observed> {
        let began = Instant::now();
        let survey = self.surveys.observe_listening(&self.pair, &mut self.held, occasion).await;
        self.rhythm.taken(occasion);
        let survey = survey?;
        let took = began.elapsed();
        let mut conn = self.database.pool().acquire().await?;
        let loss = losses::at(&mut conn, &self.pair, None, Utc::now() + TimeDelta::hours(1)).await?;
        let read = survey.sides.a.topics.value().is_some();
        Ok(Observed { read, took, loss: loss.filter(|loss| loss.noticed_at >= since) })
    }

    /// Whoever asks what is told of the pair, whatever is being observed.
    pub(super) fn teller(&self) -> Teller {
        Teller { pool: self.database.pool().clone(), pair: self.pair.clone() }
    }
}

/// Asks what is told of the pair.
pub(super) struct Teller {
    pool: PgPool,
    pair: PairName,
}

impl Teller {
    /// What is told now of what would be lost if the source died: by the newest survey, with what its age adds, as the API tells it.
    pub(super) async fn foretells(&self) -> Result<Rpo> {
        let mut conn = self.pool.acquire().await?;
        let judged = judgement::latest(&mut conn, &self.pair).await.map_err(refused)?;
        let judged = judged.context("a survey that was judged")?.results;
        let flow = judged.lag.into_iter().find(|lag| lag.direction == A_TO_B);
        Ok(flow.context("the pair has a flow from A")?.rpo)
    }
}

/// What a survey showed.
pub(super) struct Observed {
    /// Whether the source was read.
    pub(super) read: bool,
    pub(super) took: Duration,
    pub(super) loss: Option<Loss>,
}
