//! Carries out content proofs: the process that took one plans it and puts the answers together; it and all others compare
//! what Kafka's group protocol deals them.

use async_trait::async_trait;
use chrono::Utc;
use muster_domain::{
    pair::{Direction, Pair},
    proof::{
        Proof,
        content::{Checkpoint, ContentAsk, ContentFacts, ContentPlan, ContentProof, StretchEnd},
    },
};
use muster_operations::{
    ClientSource, OperationError,
    content_proof::{OpenStretch, Share, StretchBook, compare_stretches, plan_content},
    translation_proof::ProofError,
};
use muster_store::{
    StoreError, proof_stretches,
    proofs::{self, Taken},
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::http::failure::chain;

/// Why a process stopped leading a proof.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It cannot be carried out.
    Failed(String),
    /// It is somebody else's now, or not wanted; or the database was away, and whoever takes it once its lease is over goes on with
    /// what was kept.
    Lost,
}

impl Stopped {
    /// Left as it is, for what is away to come back.
    fn away(cause: &str) -> Self {
        tracing::warn!(%cause, "a proof is left to whoever takes it next");
        Self::Lost
    }
}

impl From<ProofError> for Stopped {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Book { .. } => Self::away(&error.to_string()),
            ProofError::Stopped => Self::Lost,
            ProofError::NoFlow { .. }
            | ProofError::Transforms
            | ProofError::NoTopic { .. }
            | ProofError::TooMany(_)
            | ProofError::NoPart { .. }
            | ProofError::StandsStill { .. }
            | ProofError::Unreadable { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        let cause = chain(&error);
        if is_away(&error) { Self::away(&cause) } else { Self::Failed(cause) }
    }
}

impl From<OperationError> for Stopped {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Store(error) => error.into(),
            OperationError::Refused(_) | OperationError::Clients { .. } | OperationError::Stored { .. } => {
                Self::Failed(error.to_string())
            }
        }
    }
}

/// Whether the database was not there or refused, and not what is stored is wrong.
fn is_away(error: &StoreError) -> bool {
    matches!(error, StoreError::Database { .. })
}

/// Plans a proof unless an earlier process has, compares what it is dealt, and puts everything together.
pub(crate) async fn lead(
    pool: &PgPool,
    clients: &dyn ClientSource,
    taken: &Taken,
    process: &str,
) -> Result<ContentProof, Stopped> {
    let proof = &taken.proof;
    let hands = clients.pair_clients(&proof.pair).await?;
    let direction = direction(&hands.pair, proof)?;
    let asked = proof.content.clone().unwrap_or_default();
    if planned(pool, proof.id).await?.is_none() {
        let began_at = Utc::now();
        let seed = proof.id.as_u64_pair().1;
        let content = plan_content(&hands, direction, &asked, seed).await?;
        let plan = ContentPlan { began_at, sampling: content.sampling, unanswered: content.unanswered };
        let failed = |source| StoreError::Database { op: "keep what a proof compares", source };
        let mut tx = muster_store::begin(pool).await.map_err(failed)?;
        let place = (proof.id, taken.epoch);
        if !proof_stretches::plan(&mut tx, place, &plan, &content.stretches).await? {
            return Err(Stopped::Lost);
        }
        tx.commit().await.map_err(failed)?;
    }
    let book = Book { pool: pool.clone(), proof: proof.id, process: process.to_owned() };
    let group = group(proof.id);
    let share = Share { group: &group, leads: true, bytes_per_second: rate(&asked) };
    compare_stretches(&hands, direction, share, &book).await?;
    conclude(pool, proof.id, asked).await
}

/// Compares stretches of a proof another process leads; false when it could not, and would fare no better a moment later.
pub(crate) async fn help(pool: &PgPool, clients: &dyn ClientSource, proof: &Proof, process: &str) -> bool {
    let helped = async {
        let hands = clients.pair_clients(&proof.pair).await?;
        let direction = direction(&hands.pair, proof)?;
        let asked = proof.content.clone().unwrap_or_default();
        let book = Book { pool: pool.clone(), proof: proof.id, process: process.to_owned() };
        let group = group(proof.id);
        let share = Share { group: &group, leads: false, bytes_per_second: rate(&asked) };
        compare_stretches(&hands, direction, share, &book).await.map_err(Stopped::from)
    };
    match helped.await {
        Ok(()) => true,
        Err(Stopped::Lost) => false,
        Err(Stopped::Failed(reason)) => {
            tracing::warn!("could not share in comparing: {reason}");
            false
        }
    }
}

/// A proof to share in that another process leads, some left out.
pub(crate) async fn to_share(pool: &PgPool, but: &[Uuid]) -> Result<Option<Proof>, StoreError> {
    let mut conn = muster_store::acquire(pool).await?;
    match proof_stretches::to_share(&mut conn, but).await? {
        Some(id) => proofs::get(&mut conn, id).await,
        None => Ok(None),
    }
}

/// Of the proof's side as it is configured now.
fn direction(pair: &Pair, proof: &Proof) -> Result<Direction, Stopped> {
    let found = pair.direction(&proof.from, &proof.to);
    found.ok_or_else(|| Stopped::Failed("the pair has other clusters now".to_owned()))
}

/// The consumer group that deals partitions of a proof.
fn group(proof: Uuid) -> String {
    format!("muster.content.{proof}")
}

fn rate(asked: &ContentAsk) -> Option<u64> {
    asked.mb_per_second.map(|mb| u64::from(mb) * 1_000_000)
}

async fn planned(pool: &PgPool, proof: Uuid) -> Result<Option<ContentPlan>, StoreError> {
    let mut conn = muster_store::acquire(pool).await?;
    proof_stretches::planned(&mut conn, proof).await
}

/// Puts together what every stretch found.
async fn conclude(pool: &PgPool, proof: Uuid, asked: ContentAsk) -> Result<ContentProof, Stopped> {
    let mut conn = muster_store::acquire(pool).await?;
    let Some(open) = proof_stretches::open(&mut conn, proof).await? else { return Err(Stopped::Lost) };
    let Some(plan) = proof_stretches::planned(&mut conn, proof).await? else { return Err(Stopped::Lost) };
    if !open.is_empty() {
        return Err(Stopped::Failed(format!("{} stretches have no answer", open.len())));
    }
    let ended = proof_stretches::ended(&mut conn, proof).await?;
    let mut processes: Vec<&str> = ended.iter().map(|ended| ended.ended_by.as_str()).collect();
    processes.sort_unstable();
    processes.dedup();
    let facts = ContentFacts {
        began_at: plan.began_at,
        took_ms: (Utc::now() - plan.began_at).num_milliseconds(),
        asked,
        sampling: plan.sampling,
        processes: processes.len(),
    };
    let compared = ended.into_iter().map(|ended| (ended.stretch, ended.outcome));
    let ends: Vec<_> = compared.chain(plan.unanswered()).collect();
    Ok(ContentProof::new(facts, &ends))
}

/// Why the book could not be read: it is away, or what stands in it does not read back.
fn unread(error: &StoreError) -> ProofError {
    let reason = chain(error);
    if is_away(error) {
        ProofError::Book { reason }
    } else {
        ProofError::Unreadable { what: "look for stretches to compare", reason }
    }
}

/// The stretches of one proof in the database.
struct Book {
    pool: PgPool,
    proof: Uuid,
    process: String,
}

impl Book {
    async fn try_open(&self) -> Result<Option<Vec<OpenStretch>>, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        let open = proof_stretches::open(&mut conn, self.proof).await?;
        let stretch = |open: proof_stretches::Open| OpenStretch {
            number: open.number,
            stretch: open.stretch,
            from: open.checkpoint,
        };
        Ok(open.map(|open| open.into_iter().map(stretch).collect()))
    }

    async fn try_any_open(&self) -> Result<bool, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        proof_stretches::any_open(&mut conn, self.proof).await
    }

    async fn try_compared(&self) -> Result<i64, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        proof_stretches::compared(&mut conn, self.proof).await
    }

    async fn try_keep(&self, number: i32, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        proof_stretches::keep(&mut conn, (self.proof, number), checkpoint).await
    }

    async fn try_end(&self, number: i32, end: &StretchEnd) -> Result<(), StoreError> {
        let mut conn = muster_store::acquire(&self.pool).await?;
        proof_stretches::end(&mut conn, (self.proof, number), end, &self.process).await
    }
}

#[async_trait]
impl StretchBook for Book {
    async fn open(&self) -> Result<Option<Vec<OpenStretch>>, ProofError> {
        self.try_open().await.map_err(|e| unread(&e))
    }

    async fn any_open(&self) -> Result<bool, ProofError> {
        self.try_any_open().await.map_err(|e| unread(&e))
    }

    async fn compared(&self) -> Result<i64, ProofError> {
        self.try_compared().await.map_err(|e| unread(&e))
    }

    async fn keep(&self, number: i32, checkpoint: &Checkpoint) -> bool {
        // What cannot be kept now is kept a moment later, or compared once more.
        self.try_keep(number, checkpoint).await.unwrap_or_else(|e| {
            tracing::warn!(cause = %chain(&e), "could not keep how far a stretch is");
            true
        })
    }

    async fn end(&self, number: i32, end: &StretchEnd) {
        if let Err(e) = self.try_end(number, end).await {
            tracing::warn!(cause = %chain(&e), "could not keep what a stretch found; it is compared once more");
        }
    }
}
