//! Offset syncs, split where the flow started again, and which of them can be relied on.

use super::AllSyncs;
use crate::survey::OffsetPair;

/// The pairs around a source offset, both of one lifetime.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    /// Newest pair at or before the offset.
    pub(super) before: OffsetPair,
    /// Next pair after it; `None` while the flow has not emitted one, or when it cannot be relied on.
    pub(super) after: Option<OffsetPair>,
    /// Whether a restart that has not caught up has copied records from before the offset again.
    pub(super) copied_again: bool,
    /// Whether there is a sign of such a restart (more on the target than on the source); without one it is only possible.
    pub(super) restarted: bool,
    /// Lowest source offset that is known to be on the target after `before`.
    pub(super) repeats_from: i64,
    /// Target offset from which on records may be copies of ones that are there before it; `None` without such a restart.
    pub(super) copies_from: Option<i64>,
}

/// Pairs in the order they were written, as runs in which source offsets rise.
///
/// A task that starts again goes on at its last committed offset, which may be before what it had copied: records
/// from there on are on the target twice. Its first record makes a pair, so a source offset that does not rise begins
/// a new lifetime. Everything the group needs is behind the new pair only once the task has caught up with what was
/// copied before it; a flow that dies earlier leaves records that exist in the old lifetime alone. A pair counts as
/// settled, and is used, once as many records followed it as can have been copied ahead of it.
///
/// The first pair known is believed: what the flow did before Muster watched it cannot be judged. Two restarts show in
/// no pair and are relied on too, which matters only while the task has not caught up: one whose first pair was lost,
/// and one where holes on the source make up for the records copied twice. Of a flow that copies exactly once only a source
/// offset that does not rise tells of a restart: what else the target has more are markers.
///
/// Made once of a partition, for all positions that are looked for in it: making it goes through all pairs, asking it does not.
#[derive(Debug)]
pub struct Lifetimes {
    /// See [`AllSyncs::exactly_once`].
    pub(super) exactly_once: bool,
    /// Where the target ends.
    pub(super) target_end: i64,
    pairs: Vec<Settling>,
    /// Where each lifetime begins in `pairs`.
    starts: Vec<usize>,
    /// Indices of pairs with rising source offsets, to find the newest pair at or before an offset.
    rising: Vec<usize>,
    /// Where the present run of records without a sign of a restart begins.
    run: usize,
    /// How many pairs, from the oldest, are settled.
    settled: usize,
    beyond_target: Option<OffsetPair>,
    /// Of lifetimes that begin with a settled pair, by number in `starts`, those no later one of which begins as early: their
    /// first source offsets rise.
    begins: Vec<usize>,
    /// Lowest source offset of a pair that is not settled.
    pub(super) unsettled_from: Option<i64>,
    /// Lowest and highest source offset of all pairs.
    upstreams: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy)]
struct Settling {
    pair: OffsetPair,
    /// Every copy of a record from `pair.upstream` on that was made before this pair is after this target offset.
    base: i64,
}

impl Lifetimes {
    /// Of a partition's syncs, on a target that ends there.
    #[must_use]
    pub fn of(syncs: AllSyncs<'_>, target_end: i64) -> Self {
        let mut lifetimes = Self {
            exactly_once: syncs.exactly_once,
            target_end,
            pairs: Vec::with_capacity(syncs.pairs.len()),
            starts: Vec::new(),
            rising: Vec::new(),
            run: 0,
            settled: 0,
            beyond_target: None,
            begins: Vec::new(),
            unsettled_from: None,
            upstreams: None,
        };
        for pair in syncs.pairs {
            if pair.downstream >= target_end {
                // Read a moment after the end was, or left over from a target that is gone.
                lifetimes.beyond_target = Some(*pair);
            } else {
                lifetimes.push(*pair);
            }
        }
        lifetimes.settle(target_end);
        lifetimes.index();
        lifetimes
    }

    fn push(&mut self, pair: OffsetPair) {
        if let Some(last) = self.pairs.last().map(|last| last.pair) {
            if last == pair {
                return;
            }
            if pair.downstream <= last.downstream {
                // Logs only grow: the target was recreated and nothing said before holds any more.
                self.forget();
            } else {
                self.settle(pair.downstream);
                if !self.exactly_once && pair.downstream - last.downstream > pair.upstream - last.upstream {
                    // More on the target than on the source: markers, or records copied twice.
                    self.run = self.pairs.len();
                }
            }
        }
        let last = self.pairs.last().map(|last| last.pair);
        if last.is_none_or(|last| pair.upstream <= last.upstream) {
            self.starts.push(self.pairs.len());
        }
        while self.rising.last().is_some_and(|at| self.pairs[*at].pair.upstream > pair.upstream) {
            self.rising.pop();
        }
        let base = match self.rising.last() {
            Some(at) if *at < self.settled => {
                let before = self.pairs[*at].pair;
                before.downstream - i64::from(before.upstream == pair.upstream)
            }
            Some(at) => self.pairs[*at].base,
            None if last.is_none() => pair.downstream - 1,
            None => -1,
        };
        self.rising.push(self.pairs.len());
        self.pairs.push(Settling { pair, base });
    }

    /// Settles what has been caught up with when the target ends there. A settled pair settles all before it: what
    /// they lead to is complete from it on.
    fn settle(&mut self, end: i64) {
        let mut at = self.run.max(self.settled);
        while let Some(Settling { pair, base }) = self.pairs.get(at) {
            if end - pair.downstream < pair.downstream - base - 1 {
                break;
            }
            at += 1;
            self.settled = at;
        }
    }

    fn forget(&mut self) {
        self.pairs.clear();
        self.starts.clear();
        self.rising.clear();
        self.run = 0;
        self.settled = 0;
    }

    /// Remembers what is asked for every position.
    fn index(&mut self) {
        let upstream = |known: &Settling| known.pair.upstream;
        let (lowest, highest) =
            (self.pairs.iter().map(upstream).min(), self.pairs.iter().map(upstream).max());
        self.upstreams = lowest.zip(highest);
        self.unsettled_from = self.pairs[self.settled..].iter().map(upstream).min();
        // Needed while pairs come only.
        self.rising = Vec::new();
        for (number, start) in self.starts.iter().enumerate() {
            if *start >= self.settled {
                break;
            }
            let from = self.pairs[*start].pair.upstream;
            let as_late = |earlier: &usize| self.pairs[self.starts[*earlier]].pair.upstream >= from;
            while self.begins.last().is_some_and(as_late) {
                self.begins.pop();
            }
            self.begins.push(number);
        }
    }

    /// In the newest lifetime that begins at or before the offset: everything from there on is in it or after it, and
    /// it re-reads the least of those that are complete.
    pub(super) fn around(&self, upstream: i64) -> Option<Bracket> {
        let begin_before =
            self.begins.partition_point(|number| self.pairs[self.starts[*number]].pair.upstream <= upstream);
        let newest = self.begins[begin_before.checked_sub(1)?];
        let until = self.starts.get(newest + 1).copied().unwrap_or(self.pairs.len());
        let lifetime = &self.pairs[self.starts[newest]..until];
        let settled = &lifetime[..lifetime.len().min(self.settled - self.starts[newest])];
        let before = settled.partition_point(|known| known.pair.upstream <= upstream) - 1;
        let (before, after) = (lifetime[before].pair, lifetime.get(before + 1).map(|known| known.pair));
        // Where a restart may not have caught up the records must say, so all of them are needed. Decided for the
        // whole bracket, so that the records read for a group and those compared for its next record are the same.
        let reach = after.map_or(upstream, |after| after.upstream);
        let copied_again = self.unsettled_from.filter(|from| *from <= reach);
        // Every restart that a pair tells of begins such a run, and so may one that skips ahead of the last pair.
        let restarted = copied_again.is_some() && self.run > 0 && self.run >= self.settled;
        Some(Bracket {
            before,
            after: after.filter(|_| copied_again.is_none()),
            copied_again: copied_again.is_some(),
            restarted,
            repeats_from: copied_again.map_or(before.upstream, |from| from.min(before.upstream)),
            copies_from: copied_again.map(|_| self.pairs[self.settled].pair.downstream),
        })
    }

    /// The syncs next to an offset that can be relied on, however far they are: the one before it, if one is known, and the one
    /// behind it. Of no life of the task more is known than that it came to the latter and had caught up by then.
    pub(super) fn next_to(&self, upstream: i64) -> Option<(Option<OffsetPair>, OffsetPair)> {
        match self.around(upstream) {
            Some(bracket) => Some((Some(bracket.before), bracket.after?)),
            None => Some((None, self.pairs[..self.settled].first()?.pair)),
        }
    }

    pub(super) fn beyond_target(&self) -> Option<OffsetPair> {
        self.beyond_target
    }

    pub(super) fn newest_upstream(&self) -> Option<i64> {
        self.upstreams.map(|(_, highest)| highest)
    }

    pub(super) fn oldest_upstream(&self) -> Option<i64> {
        self.upstreams.map(|(lowest, _)| lowest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Lifetimes {
        /// The newest lifetime that begins with a settled pair at or before the offset, found by going through all.
        fn newest_by_looking(&self, upstream: i64) -> Option<usize> {
            let begins_before =
                |start: &usize| *start < self.settled && self.pairs[*start].pair.upstream <= upstream;
            self.starts.iter().rposition(begins_before)
        }
    }

    proptest! {
        /// Whatever the pairs: what is remembered for all positions is what going through the pairs for each would find.
        #[test]
        fn what_is_remembered_is_what_the_pairs_say(
            steps in prop::collection::vec((0_i64..30, 1_i64..6), 0..40),
            exactly_once in any::<bool>(),
            target_end in 0_i64..200,
        ) {
            let mut downstream = 0;
            let pair = |(upstream, step): &(i64, i64)| {
                downstream += step;
                OffsetPair { upstream: *upstream, downstream }
            };
            let pairs: Vec<OffsetPair> = steps.iter().map(pair).collect();
            let lifetimes = Lifetimes::of(AllSyncs { pairs: &pairs, exactly_once }, target_end);
            let upstreams = || lifetimes.pairs.iter().map(|known| known.pair.upstream);
            prop_assert_eq!(lifetimes.oldest_upstream(), upstreams().min());
            prop_assert_eq!(lifetimes.newest_upstream(), upstreams().max());
            for upstream in -1..31 {
                let newest = lifetimes.newest_by_looking(upstream);
                let begins = newest.map(|number| lifetimes.starts[number]);
                let until = newest.and_then(|number| lifetimes.starts.get(number + 1));
                let until = until.copied().unwrap_or(lifetimes.pairs.len()).min(lifetimes.settled);
                let before = begins.map(|from| {
                    let mut newest_first = lifetimes.pairs[from..until].iter().rev().map(|known| known.pair);
                    newest_first.find(|pair| pair.upstream <= upstream)
                });
                prop_assert_eq!(lifetimes.around(upstream).map(|bracket| Some(bracket.before)), before);
            }
        }
    }
}
