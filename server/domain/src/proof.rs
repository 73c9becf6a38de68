//! Proofs: what comparing the records of both sides shows, on request and without touching production.
//!
//! A proof only reads. It is asked for by a person, carried out by whichever process takes it, and kept as evidence with a
//! hash. One that is cut off begins again from what it had kept.

pub mod content;
pub mod looks;
pub mod translation;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    hash::hash_json,
    ids::{ClusterName, PairName},
    record::Person,
};

/// What is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// Where every group would go on reading on the other side: [`translation::TranslationProof`].
    Translation,
    /// Whether both sides hold the same records: [`content::ContentProof`].
    Content,
}

impl ProofKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Translation, Self::Content];

    /// Its word in the database, the API and addresses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Translation => "translation",
            Self::Content => "content",
        }
    }

    /// The kind a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// Asked for; no process has taken it yet.
    Waiting,
    /// A process reads and compares.
    Running,
    /// It has a result.
    Done,
    /// It could not be carried out; the reason says why.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl ProofState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// Its word in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing changes it any more.
    #[must_use]
    pub fn is_ended(self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// How far a proof is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Done: partitions of a translation proof, source offsets of a content proof.
    pub done: i64,
    /// The same in all; 0 while that is not known.
    pub of: i64,
}

/// A proof without its result, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// Id.
    pub id: Uuid,
    /// Counts up over all proofs, from 1.
    pub number: i64,
    /// The pair.
    pub pair: PairName,
    /// What is proven.
    pub kind: ProofKind,
    /// Cluster whose records and positions are taken as they are.
    pub from: ClusterName,
    /// Cluster they are looked for on.
    pub to: ClusterName,
    /// Who asked for it.
    pub asked_by: Person,
    /// What a content proof is to compare; null for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<content::ContentAsk>,
    /// When, by the database's clock.
    pub asked_at: DateTime<Utc>,
    /// Where it is.
    pub state: ProofState,
    /// Why it failed or was ended; empty otherwise.
    pub reason: String,
    /// How far it is.
    pub progress: Progress,
    /// When it ended, by the database's clock.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its result in one sentence; empty before.
    pub sentence: String,
}

/// A proof with its result: what is kept as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofEvidence {
    /// Version of this document, 1.
    pub proof_format: i32,
    /// The proof.
    #[serde(flatten)]
    pub proof: Proof,
    /// What was found; null until it is done.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// SHA-256 over the canonical JSON of all of this with an empty hash.
    pub hash: String,
}

impl ProofEvidence {
    /// The document of a proof, with its hash.
    ///
    /// # Errors
    /// When the result cannot be written as JSON.
    pub fn new(proof: Proof, result: Option<Value>) -> Result<Self, serde_json::Error> {
        let mut evidence = Self { proof_format: 1, proof, result, hash: String::new() };
        evidence.hash = hash_json(&evidence)?;
        Ok(evidence)
    }
}
