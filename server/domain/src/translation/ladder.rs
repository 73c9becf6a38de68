//! How MirrorMaker 2 itself translates, for comparison: the 64 pairs it remembers (`OffsetSyncStore`, Kafka 3.6 to 4.x).

use crate::survey::OffsetPair;

const SLOTS: usize = 64;

/// What a running MirrorCheckpointTask remembers of one partition: newest pair first, thinning out with distance.
#[derive(Debug, Clone, Default)]
pub struct Mm2Ladder {
    slots: Option<[OffsetPair; SLOTS]>,
}

impl Mm2Ladder {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next pair of the offset-syncs topic.
    pub fn push(&mut self, pair: OffsetPair) {
        match &mut self.slots {
            Some(slots) if slots[0].upstream <= pair.upstream => insert(slots, pair),
            // The first pair, or the source went back: everything older is invalid.
            Some(_) | None => self.slots = Some([pair; SLOTS]),
        }
    }

    /// The target offset MirrorMaker 2 would commit for a group at `g`; `None` when it skips the group.
    #[must_use]
    pub fn translate(&self, g: i64) -> Option<i64> {
        let pair = self.slots.as_ref()?.iter().find(|pair| pair.upstream <= g)?;
        Some(pair.downstream.saturating_add(i64::from(pair.upstream < g)))
    }

    /// Distinct pairs kept, newest first.
    #[must_use]
    pub fn pairs(&self) -> Vec<OffsetPair> {
        let mut pairs = self.slots.map_or_else(Vec::new, |slots| slots.to_vec());
        pairs.dedup();
        pairs
    }
}

fn insert(slots: &mut [OffsetPair; SLOTS], pair: OffsetPair) {
    let original = *slots;
    let mut replacement = pair;
    let mut next_old = 0;
    slots[0] = pair;
    for current in 1..SLOTS {
        let previous = current - 1;
        loop {
            let old = original[next_old];
            let apart = far_enough(slots[previous], old, previous);
            let apart_from_next = current + 1 >= SLOTS || far_enough(old, slots[current + 1], current);
            let promote = near_enough(slots[previous], old, previous, current) && apart && apart_from_next;
            let duplicate = original.get(next_old + 1) == Some(&old);
            if promote {
                replacement = old;
            }
            let skip = duplicate || !apart;
            if promote || skip {
                next_old += 1;
            }
            if next_old >= current || !skip {
                break;
            }
        }
        if near_enough(slots[previous], slots[current], previous, current) {
            break;
        }
        slots[current] = replacement;
    }
}

/// Invariant B: the pair in slot `j` is not too old for its place. An overflowing bound holds for every offset.
fn near_enough(newer: OffsetPair, older: OffsetPair, i: usize, j: usize) -> bool {
    let bound = older.upstream.wrapping_add((1_i64 << j).wrapping_sub(1 << i));
    newer == older || bound < 0 || newer.upstream <= bound
}

/// Invariant C: neighbours are far enough apart to be worth two slots.
fn far_enough(newer: OffsetPair, older: OffsetPair, i: usize) -> bool {
    let bound = older.upstream.wrapping_add(1_i64 << i.saturating_sub(2));
    newer == older || (bound >= 0 && newer.upstream >= bound)
}
