//! [`OffsetPairMemory`] in memory, for processes of a test to share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use muster_domain::offset_pairs::{Kept, KeptUntil, ReadPairs, Seen, SyncsTopic};

use crate::{OffsetPairMemory, OffsetPairMemoryError};

/// See the module; clones share it.
#[derive(Debug, Clone, Default)]
pub struct KeptInMemory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    kept: Option<(i64, SyncsTopic, ReadPairs, Seen)>,
    /// How often something was kept.
    keeps: usize,
    /// How often everything was read.
    recalls: usize,
    refuses: bool,
}

impl KeptInMemory {
    /// From now on it neither tells nor keeps anything, or does so again.
    pub fn refuse(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// How often something was kept.
    #[must_use]
    pub fn keeps(&self) -> usize {
        self.lock().keeps
    }

    /// How often everything that is kept was read.
    #[must_use]
    pub fn recalls(&self) -> usize {
        self.lock().recalls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, tried: &'static str) -> Result<MutexGuard<'_, State>, OffsetPairMemoryError> {
        let state = self.lock();
        match state.refuses {
            true => Err(OffsetPairMemoryError { tried, source: "connection refused".into() }),
            false => Ok(state),
        }
    }
}

#[async_trait]
impl OffsetPairMemory for KeptInMemory {
    async fn recall(&self) -> Result<Option<Kept>, OffsetPairMemoryError> {
        let mut state = self.open("read offset pairs")?;
        state.recalls += 1;
        let kept = state.kept.clone();
        Ok(kept.map(|(turn, topic, read, seen)| Kept { turn, pairs: Some((topic, read)), seen }))
    }

    async fn kept_until(&self) -> Result<Option<KeptUntil>, OffsetPairMemoryError> {
        let state = self.open("look how far offset pairs are kept")?;
        let until = state.kept.as_ref().map(|(turn, topic, read, _)| KeptUntil {
            turn: *turn,
            topic: topic.clone(),
            until: read.until,
        });
        Ok(until)
    }

    async fn keep(
        &self,
        after: Option<i64>,
        topic: &SyncsTopic,
        read: &ReadPairs,
        seen: &Seen,
    ) -> Result<Option<i64>, OffsetPairMemoryError> {
        let mut state = self.open("keep offset pairs")?;
        if state.kept.as_ref().map(|(turn, ..)| *turn) != after {
            return Ok(None);
        }
        let turn = after.unwrap_or(0) + 1;
        let (kept, copies) = match state.kept.take() {
            Some((_, of, mut known, mut before)) if of == *topic && known.until == read.from => {
                known.append(read.clone());
                before.copies.extend(seen.copies.clone());
                (known, before.copies)
            }
            Some(_) | None => (read.clone(), seen.copies.clone()),
        };
        state.kept = Some((turn, topic.clone(), kept, Seen { read_at: seen.read_at, copies }));
        state.keeps += 1;
        Ok(Some(turn))
    }
}
