//! Where the offset pairs of a flow are kept, beyond a process and beyond what compaction leaves in their topic.
//!
//! This room knows nothing of a database: whoever makes a flow hands it a memory of that flow's pairs.

use async_trait::async_trait;
use muster_domain::offset_pairs::{Kept, KeptUntil, ReadPairs, Seen, SyncsTopic};

/// What is kept could not be read, or no more be kept.
#[derive(Debug, thiserror::Error)]
#[error("could not {tried}")]
pub struct OffsetPairMemoryError {
    /// What was tried, as a verb phrase.
    pub tried: &'static str,
    /// What came back.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What is kept of the pairs of one flow. Several processes read the same topic and share it.
#[async_trait]
pub trait OffsetPairMemory: Send + Sync + std::fmt::Debug {
    /// Everything that is kept; `None` when nothing ever was.
    async fn recall(&self) -> Result<Option<Kept>, OffsetPairMemoryError>;

    /// How far it is kept, without the pairs; `None` when nothing ever was.
    async fn kept_until(&self) -> Result<Option<KeptUntil>, OffsetPairMemoryError>;

    /// Keeps what was read after a turn (`None`: when nothing was kept yet), and answers the turn that makes. What goes on where
    /// that turn ended, in the same log, is added to it; anything else replaces it. `None`, and nothing is kept, when somebody
    /// else kept something meanwhile: then they have read the same, and what they kept is to go on from. `seen` is as of when all
    /// of that is, and which copies are known that were not before; those that were stay, unless all is replaced. All of it is kept or
    /// nothing, also when whoever calls dies.
    async fn keep(
        &self,
        after: Option<i64>,
        topic: &SyncsTopic,
        read: &ReadPairs,
        seen: &Seen,
    ) -> Result<Option<i64>, OffsetPairMemoryError>;
}
