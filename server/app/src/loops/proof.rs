//! Carries out proofs that people asked for: one of each kind at a time in each process, taken by a lease that is renewed while it
//! works.
//!
//! A proof only reads, so one whose process died is simply begun again by another. Told to stop, a process gives its proof
//! back at once. A process that leads no content proof shares in comparing for those that do. Where the database is away a proof is left
//! as it is: whoever takes it once its lease is over goes on, and one that is taken too often is given up.

mod slots;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::proof::{Progress, Proof, ProofKind, translation::TranslationProof};
use muster_operations::{
    ClientSource,
    translation_proof::{Watcher, prove_by_rings, prove_translation},
};
use muster_store::{
    StoreError, proof_stretches,
    proofs::{self, Taken},
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use slots::Slots;

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
    let mut slots = Slots::new(pool, clients, process, shutdown.clone());
    while !shutdown.is_cancelled() {
        let filled = slots.fill().await;
        beat.turned(filled.is_ok());
        if let Err(e) = filled {
            tracing::warn!(cause = %chain(&e), "could not look for proofs; tried again shortly");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    slots.ended().await;
}

async fn take(pool: &PgPool, kind: ProofKind) -> Result<Option<Taken>, StoreError> {
    let mut conn = muster_store::acquire(pool).await?;
    proofs::take(&mut conn, kind, LEASE_SECONDS).await
}

/// Takes one proof of any kind and carries it out; whether there was any.
///
/// # Errors
/// When the database refuses.
pub async fn carry_out_one(
    pool: &PgPool,
    clients: &dyn ClientSource,
    process: &str,
    shutdown: &CancellationToken,
) -> Result<bool, StoreError> {
    for kind in ProofKind::ALL {
        if let Some(taken) = take(pool, kind).await? {
            carry_out(pool, clients, taken, process, shutdown).await;
            return Ok(true);
        }
    }
    Ok(false)
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
    /// Another process has it, somebody ended it, or the database was away: it stays as it is until its lease is over.
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
    let proven = match taken.proof.kind {
        ProofKind::Translation => translation(pool, clients, &taken.proof, told)
            .await
            .map(|proven| done(proven.sentence(), &proven)),
        ProofKind::Content => {
            content::lead(pool, clients, taken, process).await.map(|proven| done(proven.sentence(), &proven))
        }
    };
    match proven {
        Ok(done) => done,
        Err(Stopped::Failed(reason)) => Outcome::Failed(reason),
        Err(Stopped::Lost) => Outcome::Lost,
    }
}

fn done(sentence: String, proven: &impl Serialize) -> Outcome {
    match serde_json::to_value(proven) {
        Ok(result) => Outcome::Done(sentence, result),
        Err(e) => Outcome::Failed(e.to_string()),
    }
}

async fn translation(
    pool: &PgPool,
    clients: &dyn ClientSource,
    proof: &Proof,
    told: &Told,
) -> Result<TranslationProof, Stopped> {
    let clients = clients.pair_clients(&proof.pair).await?;
    let Some(direction) = clients.pair.direction(&proof.from, &proof.to) else {
        return Err(Stopped::Failed("the pair has other clusters now".to_owned()));
    };
    // Whether the source is there is asked first: what takes a dead one for alive fails after a minute, not at once.
    let Err(error) = clients.admin.get(direction.from).describe_cluster().await else {
        return Ok(prove_translation(&clients, direction, told).await?);
    };
    let because = format!("read the source: {error}");
    let kept = kept_source(pool, (&proof.pair, direction), &because).await;
    let kept = kept.map_err(|error| match Stopped::from(error) {
        Stopped::Failed(cause) => {
            Stopped::Failed(format!("{because}; what is kept could not be read: {cause}"))
        }
        Stopped::Lost => Stopped::Lost,
    });
    match kept? {
        Some(kept) => Ok(prove_by_rings(&clients, direction, kept, told).await?),
        None => Err(Stopped::Failed(format!(
            "{because}; and nothing is kept from when it could be read: no look at it is recorded with the positions of its groups"
        ))),
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
