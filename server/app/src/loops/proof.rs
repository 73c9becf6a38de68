//! Carries out proofs that people asked for: one at a time in each process, taken by a lease that is renewed while it works.
//!
//! A proof only reads, so one whose process died is simply begun again by another. Told to stop, a process gives its proof
//! back at once. A process that has none shares in comparing content for those that have.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::proof::{Progress, Proof, ProofKind};
use muster_operations::{
    ClientSource,
    translation_proof::{ProofError, Watcher, prove_by_rings, prove_translation},
};
use muster_store::{
    StoreError, proof_stretches,
    proofs::{self, Taken},
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    http::failure::chain,
    loops::{
        content::{self, Stopped},
        dead_source::kept_source,
    },
    process::telemetry::Beat,
};

/// Pause between two looks for proofs.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a silent process keeps a proof, in seconds; and how often one says that it lives.
const LEASE_SECONDS: f64 = 30.0;
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Takings after which a proof is given up: whoever takes it seems to die of it.
const MOST_TAKINGS: i64 = 5;

/// Works until shutdown.
pub async fn run(
    pool: PgPool,
    clients: Arc<dyn ClientSource>,
    process: String,
    beat: Beat,
    shutdown: CancellationToken,
) {
    let mut under_way: Option<JoinHandle<()>> = None;
    while !shutdown.is_cancelled() {
        let free = under_way.as_ref().is_none_or(JoinHandle::is_finished);
        let taken = if free { take(&pool).await } else { Ok(None) };
        beat.turned(taken.is_ok());
        match taken {
            Ok(Some(taken)) => {
                let (pool, clients, shutdown) = (pool.clone(), Arc::clone(&clients), shutdown.clone());
                let span = span(&taken.proof);
                let process = process.clone();
                let work = async move { carry_out(&pool, &*clients, taken, &process, &shutdown).await };
                under_way = Some(tokio::spawn(work.instrument(span)));
            }
            Ok(None) if free => match content::to_share(&pool).await {
                Ok(Some(proof)) => {
                    let (pool, clients, process) = (pool.clone(), Arc::clone(&clients), process.clone());
                    let (shutdown, span) = (shutdown.clone(), span(&proof));
                    let work = async move {
                        tokio::select! {
                            () = shutdown.cancelled() => {}
                            () = content::help(&pool, &*clients, &proof, &process) => {}
                        }
                    };
                    under_way = Some(tokio::spawn(work.instrument(span)));
                }
                Ok(None) => {}
                Err(e) => tracing::warn!(cause = %chain(&e), "could not look for proofs to share in"),
            },
            Ok(None) => {}
            Err(e) => tracing::warn!(cause = %chain(&e), "could not look for proofs; tried again shortly"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    if let Some(work) = under_way {
        // It gives the proof back by itself.
        let _ = work.await;
    }
}

fn span(proof: &Proof) -> tracing::Span {
    tracing::error_span!("proof", proof.id = %proof.id, pair.name = %proof.pair)
}

async fn take(pool: &PgPool) -> Result<Option<Taken>, StoreError> {
    let mut conn = muster_store::acquire(pool).await?;
    proofs::take(&mut conn, LEASE_SECONDS).await
}

/// Takes one proof and carries it out; whether there was any.
///
/// # Errors
/// When the database refuses.
pub async fn carry_out_one(
    pool: &PgPool,
    clients: &dyn ClientSource,
    process: &str,
    shutdown: &CancellationToken,
) -> Result<bool, StoreError> {
    let Some(taken) = take(pool).await? else { return Ok(false) };
    carry_out(pool, clients, taken, process, shutdown).await;
    Ok(true)
}

async fn carry_out(
    pool: &PgPool,
    clients: &dyn ClientSource,
    taken: Taken,
    process: &str,
    shutdown: &CancellationToken,
) {
    let told = Told::default();
    let outcome = if taken.epoch > MOST_TAKINGS {
        Outcome::Failed(format!("{MOST_TAKINGS} processes began it and none came to its end"))
    } else {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Outcome::GivenBack,
            outcome = prove(pool, clients, &taken, process, &told) => outcome,
            () = renew(pool, &taken, &told) => Outcome::Lost,
        }
    };
    if let Err(e) = keep(pool, &taken, outcome).await {
        tracing::warn!(cause = %chain(&e), "could not keep what came of a proof; it is begun again");
    }
}

enum Outcome {
    Done(String, Value),
    Failed(String),
    /// Another process has it, or somebody ended it.
    Lost,
    /// This process stops.
    GivenBack,
}

async fn prove(
    pool: &PgPool,
    clients: &dyn ClientSource,
    taken: &Taken,
    process: &str,
    told: &Told,
) -> Outcome {
    match taken.proof.kind {
        ProofKind::Translation => translation(pool, clients, &taken.proof, told).await,
        ProofKind::Content => match content::lead(pool, clients, taken, process).await {
            Ok(proven) => done(proven.sentence(), &proven),
            Err(Stopped::Failed(reason)) => Outcome::Failed(reason),
            Err(Stopped::Lost) => Outcome::Lost,
        },
    }
}

fn done(sentence: String, proven: &impl Serialize) -> Outcome {
    match serde_json::to_value(proven) {
        Ok(result) => Outcome::Done(sentence, result),
        Err(e) => Outcome::Failed(e.to_string()),
    }
}

async fn translation(pool: &PgPool, clients: &dyn ClientSource, proof: &Proof, told: &Told) -> Outcome {
    let clients = match clients.pair_clients(&proof.pair).await {
        Ok(clients) => clients,
        Err(e) => return Outcome::Failed(e.to_string()),
    };
    let Some(direction) = clients.pair.direction(&proof.from, &proof.to) else {
        return Outcome::Failed("the pair has other clusters now".to_owned());
    };
    // Whether the source is there is asked first: what takes a dead one for alive fails after a minute, not at once.
    let proven = match clients.admin.get(direction.from).describe_cluster().await {
        Ok(_) => prove_translation(&clients, direction, told).await,
        Err(error) => {
            let because = format!("read the source: {error}");
            match kept_source(pool, (&proof.pair, direction), &because).await {
                Ok(Some(kept)) => prove_by_rings(&clients, direction, kept, told).await,
                Ok(None) => {
                    return Outcome::Failed(format!(
                        "{because}; and nothing is kept from when it could be read: no look at it is recorded with the \
                         positions of its groups"
                    ));
                }
                Err(e) => {
                    return Outcome::Failed(format!(
                        "{because}; what is kept could not be read: {}",
                        chain(&e)
                    ));
                }
            }
        }
    };
    match proven {
        Ok(proven) => done(proven.sentence(), &proven),
        Err(ProofError::Stopped) => Outcome::Lost,
        Err(e) => Outcome::Failed(e.to_string()),
    }
}

/// Says every now and then how far the proof is; comes back when it is not this process's any more.
async fn renew(pool: &PgPool, taken: &Taken, told: &Told) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let kept = async {
            let mut conn = pool.acquire().await?;
            let progress = match taken.proof.kind {
                ProofKind::Translation => told.progress(),
                ProofKind::Content => content_progress(&mut conn, taken.proof.id).await?,
            };
            proofs::keep_progress(&mut conn, taken.proof.id, taken.epoch, progress, LEASE_SECONDS)
                .await
                .map_err(|e| sqlx::Error::Protocol(e.to_string()))
        };
        match kept.await {
            Ok(true) => {}
            Ok(false) => return,
            // The lease outlasts a short outage; the next write finds out whether it did.
            Err(cause) => tracing::warn!(%cause, "could not say how far a proof is"),
        }
    }
}

/// How far all processes together are.
async fn content_progress(conn: &mut PgConnection, proof: Uuid) -> Result<Progress, sqlx::Error> {
    let (done, of) =
        proof_stretches::progress(conn, proof).await.map_err(|e| sqlx::Error::Protocol(e.to_string()))?;
    Ok(Progress { done, of })
}

async fn keep(pool: &PgPool, taken: &Taken, outcome: Outcome) -> Result<(), StoreError> {
    let failed = |source| StoreError::Database { op: "keep a proof", source };
    let (id, epoch) = (taken.proof.id, taken.epoch);
    let mut tx = muster_store::begin(pool).await.map_err(failed)?;
    match outcome {
        Outcome::Done(sentence, result) => {
            if proofs::finish(&mut tx, id, epoch, &sentence, result).await? {
                tracing::info!("proved `{}`: {sentence}", taken.proof.pair);
            }
        }
        Outcome::Failed(reason) => {
            tracing::warn!("a proof of `{}` could not be carried out: {reason}", taken.proof.pair);
            proofs::fail(&mut tx, id, epoch, &reason).await?;
        }
        Outcome::Lost => {}
        Outcome::GivenBack => proofs::give_back(&mut tx, id, epoch).await?,
    }
    tx.commit().await.map_err(failed)
}

/// How far the work is, as it said last.
#[derive(Default)]
struct Told(Mutex<Progress>);

impl Told {
    fn progress(&self) -> Progress {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Watcher for Told {
    async fn so_far(&self, progress: Progress) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        true
    }
}
