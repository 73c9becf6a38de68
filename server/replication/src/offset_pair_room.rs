//! Room for offset pairs in memory, shared by all flows of a process.
//!
//! One busy flow may hold a few million pairs, a few hundred of them together may not. Nobody is asked to make room while there
//! is some; then those make it who hold more than everybody's equal share. What a process forgets stays in the memory it was
//! kept in ([`crate::OffsetPairMemory`]) for one that has room.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub struct OffsetPairRoom {
    most: usize,
    held: Arc<Mutex<Held>>,
}

/// Pairs held, by flow.
#[derive(Debug, Default)]
struct Held {
    flows: u64,
    pairs: BTreeMap<u64, usize>,
}

/// What one flow holds of the room; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct OffsetPairShare {
    room: OffsetPairRoom,
    flow: u64,
}

impl OffsetPairRoom {
    /// Room for so many pairs, 16 bytes each.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// For one more flow, which holds none yet.
    pub(crate) fn share(&self) -> OffsetPairShare {
        let mut held = self.held();
        held.flows += 1;
        OffsetPairShare { room: self.clone(), flow: held.flows }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OffsetPairShare {
    /// Says that the flow holds so many, and answers how many it may hold.
    pub(crate) fn may_hold(&self, holds: usize) -> usize {
        let mut held = self.room.held();
        held.pairs.insert(self.flow, holds);
        let beyond = held.pairs.values().sum::<usize>().saturating_sub(self.room.most);
        let equal = self.room.most / held.pairs.values().filter(|pairs| **pairs > 0).count().max(1);
        holds.saturating_sub(beyond).max(holds.min(equal))
    }
}

impl Drop for OffsetPairShare {
    fn drop(&mut self) {
        self.room.held().pairs.remove(&self.flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_more_than_an_equal_share_makes_room_once_there_is_none() {
        let room = OffsetPairRoom::of(100);
        let (large, small) = (room.share(), room.share());
        assert_eq!(large.may_hold(90), 90, "there is room");
        assert_eq!(small.may_hold(10), 10);
        assert_eq!(small.may_hold(30), 30, "less than an equal share");
        assert_eq!(large.may_hold(90), 70);
        assert_eq!((large.may_hold(70), small.may_hold(30)), (70, 30));
        assert_eq!(small.may_hold(95), 50, "never less than an equal share");
        assert_eq!(large.may_hold(70), 50);
        drop(small);
        assert_eq!(large.may_hold(90), 90, "what is dropped gives its room back");
    }
}
