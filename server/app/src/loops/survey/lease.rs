//! The lease of a pair: claimed before its first survey, renewed before each and while one is taken, given back when the process stops.
//!
//! Whoever dies, at whatever moment, leaves a lease that runs out: another process claims it then, and whatever the dead one had read is kept
//! nowhere, since a survey is kept in one transaction, under the lease's epoch. One that was frozen meanwhile finds its lease lost when it
//! renews it or keeps its survey, and has written nothing.

use std::time::Duration;

use muster_domain::{ids::PairName, pair::BySide};
use muster_kafka::Closings;
use muster_store::{
    StoreError,
    leases::{self, survey_lease},
};
use tokio::time::Instant;

use super::SurveyLoop;
use crate::{http::failure::chain, loops::memory::Memory};

/// How long a silent process keeps a pair at least. A survey may take longer: a cluster that hardly answers has 10 s for each of many calls.
const LEASE_SECONDS: f64 = 30.0;
/// What of it is left at least when the next survey is due, for what goes along with surveys: canaries.
const BEYOND_PERIOD_SECONDS: f64 = 20.0;
/// Between two renewals while a survey is taken: a third of the shortest lease, so that one or two may fail.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);
/// For how long a survey is taken at most until its lease is left to run out. It hangs then, and perhaps only here.
const RENEWED_FOR: Duration = Duration::from_secs(600);

/// The lease of a pair, and what is remembered of the pair under it. Whoever had the lease in between has written rows and seen
/// ends that this process did not: what was remembered before goes on from nothing that is kept, so it ends with the lease.
#[derive(Debug)]
pub struct Held {
    pub(super) epoch: i64,
    pub(super) memory: Memory,
    /// Of the clients that took the last survey, since before it began; they may be others by the next one.
    pub(super) closings: Option<BySide<Closings>>,
}

impl Held {
    /// A lease that was just claimed, by its epoch: nothing is remembered.
    #[must_use]
    pub fn by(epoch: i64) -> Self {
        Self { epoch, memory: Memory::default(), closings: None }
    }

    /// Of the clients that took the last survey; `None` before the first.
    pub fn closings(&mut self) -> Option<&mut BySide<Closings>> {
        self.closings.as_mut()
    }
}

impl SurveyLoop {
    /// Renews the lease that is held, or claims it: then nothing is remembered. Nothing is held while somebody else has it.
    pub(super) async fn hold(
        &self,
        conn: &mut sqlx::PgConnection,
        pair: &PairName,
        held: &mut Option<Held>,
    ) -> Result<(), StoreError> {
        let name = survey_lease(pair);
        if let Some(Held { epoch, .. }) = held
            && leases::renew(conn, &name, *epoch, self.lease_seconds()).await?
        {
            return Ok(());
        }
        *held = None;
        let claimed = leases::claim(conn, &name, &self.worker, self.lease_seconds()).await?;
        *held = claimed.map(|lease| Held::by(lease.epoch));
        Ok(())
    }

    fn lease_seconds(&self) -> f64 {
        LEASE_SECONDS.max(self.period.as_secs_f64() + BEYOND_PERIOD_SECONDS)
    }

    /// Renews the lease while a survey is taken; comes back once somebody else has it, with [`StoreError::LeaseLost`]. Without this, two
    /// processes whose surveys take longer than it lasts would take the pair from each other and keep none.
    ///
    /// While the survey is being kept nobody can claim the lease, and a renewal waits for that to end. One that is cut off has renewed it or
    /// not; neither does harm.
    pub(super) async fn renew_until_lost(&self, pair: &PairName, epoch: i64) -> StoreError {
        let (name, began) = (survey_lease(pair), Instant::now());
        while began.elapsed() < RENEWED_FOR {
            tokio::time::sleep(self.renew_every).await;
            let renewed = async {
                let mut conn = muster_store::acquire(&self.pool).await?;
                leases::renew(&mut conn, &name, epoch, self.lease_seconds()).await
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return StoreError::LeaseLost { name, epoch },
                // It outlasts a short outage; the next renewal finds out whether it did, or the store when the survey is kept.
                Err(e) => {
                    tracing::warn!(pair.name = %pair, cause = %chain(&e), "could not renew the lease of pair `{pair}` while it is observed; tried again in {:?}", self.renew_every);
                }
            }
        }
        tracing::error!(pair.name = %pair, "a survey of pair `{pair}` has been taken for {RENEWED_FOR:?} and does not end; another process may take the pair over");
        std::future::pending().await
    }

    /// Gives all pairs to whoever is next, at once.
    pub(super) async fn let_go(&self) {
        let released = async {
            let mut conn = muster_store::acquire(&self.pool).await?;
            leases::release_all(&mut conn, &self.worker).await
        };
        match released.await {
            Ok(names) => tracing::info!("gave {} pairs back to be observed by others", names.len()),
            Err(e) => {
                tracing::warn!(cause = %chain(&e), "could not give pairs back; others wait for the leases");
            }
        }
    }
}
