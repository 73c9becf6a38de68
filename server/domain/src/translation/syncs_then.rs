//! Where a group goes on when its source is dead, by offset syncs alone: those that were known when they could be read last.
//!
//! A target only grows. So what holds of a copy as it was when its newest known sync was written holds for good: whatever a group had
//! not read was copied behind the sync before it, or is copied later, which is further behind. What a task did after that is in no sync
//! that is known, and nothing rests on it: how much the target has now never makes a sync more reliable than it was. So fewer syncs than
//! there are make positions earlier, never later. Which copy they are of no sync says: who asks has made sure that it is the one there.

use super::{
    AllSyncs, Mapping, Method, Resumed, Untranslatable,
    lifetimes::{Bracket, Lifetimes},
};
use crate::{reading::ReadingClass, survey::OffsetPair};

/// The syncs of one partition that were known then. Made once, for all positions that are looked for.
#[derive(Debug)]
pub struct SyncsThen {
    /// As of the newest of them; `None` when none is known.
    then: Option<Then>,
}

#[derive(Debug)]
struct Then {
    lifetimes: Lifetimes,
    newest: OffsetPair,
    /// One past the furthest record that a sync names.
    arrived: i64,
}

/// Where a copy begins and ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyEnds {
    /// First offset still there.
    pub start: i64,
    /// Where what is committed ends: nobody goes behind an open transaction.
    pub stable: i64,
    /// One past the last record.
    pub end: i64,
}

impl SyncsThen {
    /// Of a partition's syncs, oldest first, with none missing up to the newest that is among them.
    #[must_use]
    pub fn of(pairs: &[OffsetPair]) -> Self {
        let pairs = of_newest_copy(pairs);
        let then = pairs.last().map(|newest| {
            // In a flow that copies exactly once this takes markers for second copies: earlier, and nobody has to be asked how it copies.
            let syncs = AllSyncs { pairs, exactly_once: false };
            let furthest = pairs.iter().map(|pair| pair.upstream).max().unwrap_or(newest.upstream);
            Then {
                lifetimes: Lifetimes::of(syncs, newest.downstream.saturating_add(1)),
                newest: *newest,
                arrived: furthest.saturating_add(1),
            }
        });
        Self { then }
    }

    /// Where a group goes on that reads `position` next on the source, which ended at `source_end` when positions were read; where that
    /// was not told, at the newest sync.
    ///
    /// # Errors
    /// When no sync before the position can be relied on, the group had read past that end, or the copy is shorter than it was.
    pub fn resume(
        &self,
        position: i64,
        source_end: Option<i64>,
        copy: CopyEnds,
    ) -> Result<Resumed, Untranslatable> {
        if position < 0 {
            return Err(Untranslatable::BadOffset { offset: position });
        }
        let none = Untranslatable::NoSyncKept { offset: position };
        let Some(Then { lifetimes, newest, arrived }) = &self.then else { return Err(none) };
        let end = source_end.unwrap_or_else(|| newest.upstream.saturating_add(1));
        if position > end {
            return Err(Untranslatable::PastKnownEnd { offset: position, end });
        }
        let was = newest.downstream.saturating_add(1);
        if copy.end < was {
            return Err(Untranslatable::TargetShorter { was, is: copy.end });
        }
        let bracket = lifetimes.around(position).ok_or(none)?;
        Ok(Resumed { mapping: behind(position, bracket, copy), run: 0, arrived: Some(*arrived) })
    }
}

/// Pairs of the copy that is there now, as far as they tell: one that is no further on the target than the one before it was written
/// after the copy had been made anew.
fn of_newest_copy(pairs: &[OffsetPair]) -> &[OffsetPair] {
    let anew = |two: &[OffsetPair]| two[1].downstream <= two[0].downstream && two[1] != two[0];
    let begins = pairs.windows(2).rposition(anew).map_or(0, |at| at + 1);
    &pairs[begins..]
}

/// One past the sync, or its own record where that is the next one.
fn behind(position: i64, bracket: Bracket, copy: CopyEnds) -> Mapping {
    let OffsetPair { upstream, downstream } = bracket.before;
    let names_it = upstream == position;
    let method = if names_it { Method::Pair } else { Method::PairFloor };
    let first = if names_it { downstream } else { downstream.saturating_add(1) };
    let target_offset = first.max(copy.start).min(copy.stable);
    if names_it && bracket.after.is_some() && target_offset == first {
        return Mapping::exact(target_offset, method);
    }
    let until = bracket.after.map_or(copy.end, |after| after.downstream);
    let mapping = Mapping::early(target_offset, method, until.saturating_sub(target_offset));
    // What stood there is gone, or not committed yet: nothing shows that it had been read.
    if target_offset == first { mapping } else { Mapping { class: ReadingClass::LowerBound, ..mapping } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        samples::cases,
        translation::histories::{History, scripts},
    };

    fn pair(upstream: i64, downstream: i64) -> OffsetPair {
        OffsetPair { upstream, downstream }
    }

    const WHOLE: CopyEnds = CopyEnds { start: 0, stable: 400, end: 400 };

    fn found(pairs: &[OffsetPair], position: i64) -> Result<Mapping, Untranslatable> {
        SyncsThen::of(pairs).resume(position, Some(1_000), WHOLE).map(|resumed| resumed.mapping)
    }

    #[test]
    fn a_group_goes_on_behind_the_sync_before_it_and_at_the_record_that_one_names() {
        let pairs = [pair(0, 0), pair(100, 90), pair(200, 180)];
        assert_eq!(found(&pairs, 0), Ok(Mapping::exact(0, Method::Pair)));
        assert_eq!(found(&pairs, 50), Ok(Mapping::early(1, Method::PairFloor, 89)));
        // The task may have begun again there, and nobody has read whether it did: the newest sync is not relied on.
        assert_eq!(found(&pairs, 100), Ok(Mapping::early(90, Method::Pair, 310)));
        for position in [150, 200, 900] {
            assert_eq!(found(&pairs, position), Ok(Mapping::early(91, Method::PairFloor, 309)), "{position}");
        }
        let resumed = SyncsThen::of(&pairs).resume(900, None, WHOLE);
        assert_eq!(resumed, Err(Untranslatable::PastKnownEnd { offset: 900, end: 201 }));
        let arrived = SyncsThen::of(&pairs).resume(100, None, WHOLE).unwrap().arrived;
        assert_eq!(arrived, Some(201));
    }

    #[test]
    fn where_nothing_is_known_before_it_or_it_had_read_more_than_there_was_nothing_is_told() {
        let pairs = [pair(50, 0), pair(100, 50)];
        assert_eq!(found(&pairs, 49), Err(Untranslatable::NoSyncKept { offset: 49 }));
        assert_eq!(found(&[], 49), Err(Untranslatable::NoSyncKept { offset: 49 }));
        assert_eq!(found(&pairs, -1), Err(Untranslatable::BadOffset { offset: -1 }));
        assert_eq!(found(&pairs, 1_001), Err(Untranslatable::PastKnownEnd { offset: 1_001, end: 1_000 }));
        let shorter = CopyEnds { start: 0, stable: 50, end: 50 };
        let resumed = SyncsThen::of(&pairs).resume(60, None, shorter);
        assert_eq!(resumed, Err(Untranslatable::TargetShorter { was: 51, is: 50 }));
    }

    #[test]
    fn what_is_gone_or_not_committed_is_never_called_exact() {
        let pairs = [pair(0, 0), pair(100, 100), pair(200, 200), pair(300, 300)];
        let then = |start, stable| {
            let copy = CopyEnds { start, stable, end: 400 };
            SyncsThen::of(&pairs).resume(100, Some(1_000), copy).unwrap().mapping
        };
        assert_eq!((then(0, 400).target_offset, then(0, 400).class), (100, ReadingClass::Exact));
        assert_eq!((then(150, 400).target_offset, then(150, 400).class), (150, ReadingClass::LowerBound));
        assert_eq!((then(300, 400).target_offset, then(300, 400).class), (300, ReadingClass::LowerBound));
        let open = then(0, 40);
        assert_eq!(
            (open.target_offset, open.class, open.reprocessed_at_most),
            (40, ReadingClass::LowerBound, 160)
        );
    }

    /// 0 to 100 were copied, then 50 to 60 again and again, and the flow died: of these restarts only the first was read. By what the
    /// target has now its sync would be relied on, and a group at 80 would skip all that is in the first life alone.
    #[test]
    fn how_far_the_target_came_since_makes_no_sync_reliable() {
        let pairs = [pair(0, 0), pair(100, 100), pair(50, 101)];
        let by_what_is_there = Lifetimes::of(AllSyncs::from(&pairs), 300).translate(80, &[], &[]);
        assert_eq!(by_what_is_there.map(|mapping| mapping.target_offset), Ok(102), "80 is at 80");
        assert_eq!(found(&pairs, 80).map(|mapping| mapping.target_offset), Ok(1));
    }

    #[test]
    fn pairs_of_a_copy_that_was_made_anew_say_nothing_of_the_one_before() {
        let pairs = [pair(0, 0), pair(900, 300), pair(901, 0), pair(1_000, 99)];
        assert_eq!(found(&pairs, 500), Err(Untranslatable::NoSyncKept { offset: 500 }));
        assert_eq!(found(&pairs, 950), Ok(Mapping::early(1, Method::PairFloor, 399)));
        let twice = [pair(0, 0), pair(100, 90), pair(100, 90), pair(200, 180)];
        assert_eq!(
            found(&twice, 50),
            Ok(Mapping::early(1, Method::PairFloor, 89)),
            "one that was written twice"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the flow did after the last sync that was read, and whatever is gone from both sides since.
        #[test]
        fn never_past_the_truth_however_few_syncs_were_read(
            mut script in scripts(),
            read in any::<prop::sample::Index>(),
        ) {
            script.first_pair_may_be_lost = false;
            let history = History::of(&script);
            // A restart that shows in no sync is relied on to have caught up by then.
            if history.hidden {
                return Ok(());
            }
            let pairs = &history.pairs[..read.index(history.pairs.len() + 1)];
            let copy = CopyEnds {
                start: history.target_start,
                stable: history.target_end,
                end: history.target_end,
            };
            let found = SyncsThen::of(pairs).resume(history.group, Some(history.source_end), copy);
            let truth = history.truth();
            if let Ok(Resumed { mapping, .. }) = found {
                prop_assert!(mapping.target_offset <= truth,
                    "{mapping:?} is past {truth} by {pairs:?}: {history:?}");
                if pairs.len() == history.pairs.len() && script.unique {
                    let again = history.read_between(mapping.target_offset, truth);
                    prop_assert!(again <= mapping.reprocessed_at_most,
                        "{mapping:?} but {again} are read again: {history:?}");
                }
            }
        }
    }
}
