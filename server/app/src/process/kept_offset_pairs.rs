//! The offset pairs of a flow, kept in the database: what one process reads of them every other knows, and so does the next one
//! after all have ended.

use async_trait::async_trait;
use muster_domain::{
    ids::PairName,
    offset_pairs::{Kept, KeptUntil, ReadPairs, Seen, SyncsTopic},
    pair::Direction,
};
use muster_replication::{OffsetPairMemory, OffsetPairMemoryError};
use muster_store::{StoreError, offset_pairs};
use sqlx::PgPool;

/// See the module.
#[derive(Debug, Clone)]
pub struct KeptOffsetPairs {
    pool: PgPool,
    pair: PairName,
    direction: Direction,
}

impl KeptOffsetPairs {
    /// Those of a pair's flow.
    #[must_use]
    pub fn of(pool: PgPool, pair: PairName, direction: Direction) -> Self {
        Self { pool, pair, direction }
    }

    async fn read(&self) -> Result<Option<Kept>, StoreError> {
        let op = "get a connection to read offset pairs";
        let mut conn = self.pool.acquire().await.map_err(|source| StoreError::Database { op, source })?;
        offset_pairs::recall(&mut conn, (&self.pair, self.direction)).await
    }

    async fn read_until(&self) -> Result<Option<KeptUntil>, StoreError> {
        let op = "get a connection to see how far offset pairs are kept";
        let mut conn = self.pool.acquire().await.map_err(|source| StoreError::Database { op, source })?;
        offset_pairs::kept_until(&mut conn, (&self.pair, self.direction)).await
    }

    async fn write(
        &self,
        after: Option<i64>,
        topic: &SyncsTopic,
        read: &ReadPairs,
        seen: &Seen,
    ) -> Result<Option<i64>, StoreError> {
        let failed = |source| StoreError::Database { op: "keep offset pairs", source };
        let mut tx = muster_store::begin(&self.pool).await.map_err(failed)?;
        let turn =
            offset_pairs::keep(&mut tx, (&self.pair, self.direction), after, topic, read, seen).await?;
        tx.commit().await.map_err(failed)?;
        Ok(turn)
    }
}

#[async_trait]
impl OffsetPairMemory for KeptOffsetPairs {
    async fn recall(&self) -> Result<Option<Kept>, OffsetPairMemoryError> {
        self.read().await.map_err(|e| error("read the offset pairs that are kept", e))
    }

    async fn kept_until(&self) -> Result<Option<KeptUntil>, OffsetPairMemoryError> {
        self.read_until().await.map_err(|e| error("look how far offset pairs are kept", e))
    }

    async fn keep(
        &self,
        after: Option<i64>,
        topic: &SyncsTopic,
        read: &ReadPairs,
        seen: &Seen,
    ) -> Result<Option<i64>, OffsetPairMemoryError> {
        match self.write(after, topic, read, seen).await {
            // The pair was deleted meanwhile: there is nothing to keep them for.
            Err(e) if e.constraint() == Some("offset_syncs_of_pair") => Ok(None),
            Err(e) => Err(error("keep offset pairs", e)),
            Ok(turn) => Ok(turn),
        }
    }
}

fn error(tried: &'static str, source: StoreError) -> OffsetPairMemoryError {
    OffsetPairMemoryError { tried, source: source.into() }
}
