//! What one process carries out at the same time: a proof of each kind. A content proof takes hours, or waits for a source that is
//! dead, and the translation proof that says what then can be done must not stand behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use muster_domain::proof::{Proof, ProofKind};
use muster_operations::ClientSource;
use muster_store::StoreError;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{carry_out, take};
use crate::loops::content;

/// How long a proof is left alone that this process could not share in.
const REST: Duration = Duration::from_secs(60);

/// See the module. A process that leads no content proof shares in those that others lead.
pub struct Slots {
    pool: PgPool,
    clients: Arc<dyn ClientSource>,
    process: String,
    shutdown: CancellationToken,
    translation: Option<JoinHandle<()>>,
    content: Option<JoinHandle<()>>,
    rests: Arc<Rests>,
}

impl Slots {
    /// Nothing is under way. What is, ends at shutdown: proofs are given back.
    #[must_use]
    pub fn new(
        pool: PgPool,
        clients: Arc<dyn ClientSource>,
        process: String,
        shutdown: CancellationToken,
    ) -> Self {
        let rests = Arc::default();
        Self { pool, clients, process, shutdown, translation: None, content: None, rests }
    }

    /// Begins what there is to do, wherever nothing is under way.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn fill(&mut self) -> Result<(), StoreError> {
        if is_free(self.translation.as_ref()) {
            self.translation = self.lead(ProofKind::Translation).await?;
        }
        if is_free(self.content.as_ref()) {
            self.content = match self.lead(ProofKind::Content).await? {
                Some(work) => Some(work),
                None => self.share().await?,
            };
        }
        Ok(())
    }

    /// Waits until everything that is under way has ended.
    pub async fn ended(&mut self) {
        for work in [self.translation.take(), self.content.take()].into_iter().flatten() {
            // One that panicked has said so.
            let _ = work.await;
        }
    }

    async fn lead(&self, kind: ProofKind) -> Result<Option<JoinHandle<()>>, StoreError> {
        let Some(taken) = take(&self.pool, kind).await? else { return Ok(None) };
        let (pool, clients) = (self.pool.clone(), Arc::clone(&self.clients));
        let (process, shutdown, span) = (self.process.clone(), self.shutdown.clone(), span(&taken.proof));
        let work = async move { carry_out(&pool, &*clients, taken, &process, &shutdown).await };
        Ok(Some(tokio::spawn(work.instrument(span))))
    }

    async fn share(&self) -> Result<Option<JoinHandle<()>>, StoreError> {
        let resting = self.rests.at(Instant::now());
        let Some(proof) = content::to_share(&self.pool, &resting).await? else { return Ok(None) };
        let (pool, clients, rests) = (self.pool.clone(), Arc::clone(&self.clients), Arc::clone(&self.rests));
        let (process, shutdown, span) = (self.process.clone(), self.shutdown.clone(), span(&proof));
        let work = async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                helped = content::help(&pool, &*clients, &proof, &process) => if !helped {
                    rests.begin(proof.id, Instant::now());
                },
            }
        };
        Ok(Some(tokio::spawn(work.instrument(span))))
    }
}

fn is_free(slot: Option<&JoinHandle<()>>) -> bool {
    slot.is_none_or(JoinHandle::is_finished)
}

fn span(proof: &Proof) -> tracing::Span {
    tracing::error_span!("proof", proof.id = %proof.id, pair.name = %proof.pair)
}

/// Proofs this process could not share in, and when that was. Asked each second, a source that refuses would be asked for ever.
#[derive(Debug, Default)]
struct Rests(Mutex<BTreeMap<Uuid, Instant>>);

impl Rests {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, proof: Uuid, now: Instant) {
        self.lock().insert(proof, now);
    }

    /// Those that are left alone at a time.
    fn at(&self, now: Instant) -> Vec<Uuid> {
        let mut resting = self.lock();
        resting.retain(|_, since| now.saturating_duration_since(*since) < REST);
        resting.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_that_could_not_be_shared_in_is_left_alone_for_a_minute() {
        let (rests, now) = (Rests::default(), Instant::now());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        rests.begin(one, now);
        rests.begin(other, now + Duration::from_secs(30));
        assert_eq!(rests.at(now + Duration::from_secs(59)), [one, other]);
        assert_eq!(rests.at(now + Duration::from_secs(60)), [other]);
        assert!(rests.at(now + Duration::from_secs(90)).is_empty());
    }
}
