//! Finding the way back: the position of a group on the source, from where it stands on the target.
//!
//! The target only grows, so between two offset syncs of one life of a task it holds the source's records one by one. A
//! group has read every record that has a copy before its position; where a task began again, the furthest of all copies
//! counts, not the last. Records are compared one by one, and where they do not agree the furthest sync before the position
//! is believed, which is early and never late. So it is where retention took some of them from either side.

use super::{Mapping, Method, Untranslatable, Visible};
use crate::survey::OffsetPair;

/// Copies between an offset sync and the next one, or the group's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies {
    /// The sync they follow.
    pub pair: OffsetPair,
    /// One past the last target offset.
    pub until: i64,
}

/// Source offsets some copies may reach over holes and markers between their records: four for each, and some.
const SPARSE: i64 = 4;
/// See [`SPARSE`].
const SLACK: i64 = 1_000;

impl Copies {
    /// One past the furthest source offset of these copies, unless the source is sparser than was ever seen.
    #[must_use]
    pub fn reach(self) -> i64 {
        let copies = self.until.saturating_sub(self.pair.downstream);
        self.pair.upstream.saturating_add(copies.saturating_mul(SPARSE)).saturating_add(SLACK)
    }
}

/// What has to be compared for a position on the target: those copies that may reach further on the source than any sync
/// before it. A sync further on does not say that no task began again before it. Empty when no sync lies before the position.
/// `pairs` are oldest first, as they were written.
#[must_use]
pub fn copies_before(position: i64, pairs: &[OffsetPair]) -> Vec<Copies> {
    let before: Vec<OffsetPair> = pairs.iter().filter(|pair| pair.downstream < position).copied().collect();
    let furthest = before.iter().map(|pair| pair.upstream).max().unwrap_or(0);
    let ends = before.iter().skip(1).map(|next| next.downstream).chain([position]);
    let stretches = before.iter().zip(ends).map(|(pair, until)| Copies { pair: *pair, until });
    stretches.filter(|copies| copies.reach() > furthest).collect()
}

/// Where a group that stands at `position` on the target goes on on the source. `copies` are the target's visible records
/// and `originals` the source's, of at least what [`copies_before`] names, from their syncs on. On a target that may be
/// `compacted` the last copies before the position may be gone: where one would fit, and the source has more, it is early.
///
/// # Errors
/// `NoPair` when no sync lies before the position, `PairContradicted` when both sides differ at a sync.
pub fn translate_back(
    position: i64,
    pairs: &[OffsetPair],
    copies: &[Visible],
    originals: &[Visible],
    compacted: bool,
) -> Result<Mapping, Untranslatable> {
    if position < 0 {
        return Err(Untranslatable::BadOffset { offset: position });
    }
    let named = pairs.iter().filter(|pair| pair.downstream < position).map(|pair| pair.upstream).max();
    let Some(named) = named else { return Err(Untranslatable::NoPair) };
    let (mut furthest, mut perhaps) = (named, named);
    let mut doubtful = 0_i64;
    for stretch in copies_before(position, pairs) {
        match last_original(stretch, copies, originals, compacted)? {
            Ok(last) => {
                furthest = furthest.max(last.seen);
                perhaps = perhaps.max(last.perhaps);
            }
            Err(unread) => doubtful = doubtful.max(unread),
        }
    }
    let next = furthest.saturating_add(1);
    let between = originals.iter().filter(|original| (next..=perhaps).contains(&original.offset)).count();
    Ok(match doubtful {
        0 if compacted => Mapping::early(next, Method::Rank, i64::try_from(between).unwrap_or(i64::MAX)),
        0 => Mapping::exact(next, Method::Rank),
        // What is known of the others is read, too: behind it no more than these few can have been.
        unread => Mapping::early(next, Method::PairFloor, unread),
    })
}

/// Source offsets of the last record of a stretch of copies.
struct LastOriginal {
    /// Of the last copy that is there.
    seen: i64,
    /// Of the last that may have been there, had compaction taken away what fits behind it.
    perhaps: i64,
}

/// The last record of a stretch of copies; or how many of them cannot be told.
fn last_original(
    stretch: Copies,
    copies: &[Visible],
    originals: &[Visible],
    compacted: bool,
) -> Result<Result<LastOriginal, i64>, Untranslatable> {
    let OffsetPair { upstream, downstream } = stretch.pair;
    let at = |records: &[Visible], offset| {
        let place = records.partition_point(|record| record.offset < offset);
        records.get(place).filter(|record| record.offset == offset).map(|record| record.fingerprint)
    };
    if let (Some(original), Some(copy)) = (at(originals, upstream), at(copies, downstream))
        && original != copy
    {
        return Err(Untranslatable::PairContradicted { upstream, downstream });
    }
    // Retention took the beginning: what is left would be counted from the wrong record, and records that repeat would agree.
    let begins_late =
        |records: &[Visible], offset| !compacted && records.first().is_none_or(|first| first.offset > offset);
    let between = stretch.until.saturating_sub(1).saturating_sub(downstream);
    if between > 0 && begins_late(copies, downstream) {
        return Ok(Err(between));
    }
    let originals_gone = begins_late(originals, upstream);
    let from = copies.partition_point(|copy| copy.offset <= downstream);
    let until = copies.partition_point(|copy| copy.offset < stretch.until);
    let copies = copies.get(from..until).unwrap_or_default();
    let from = originals.partition_point(|original| original.offset <= upstream);
    let originals = originals.get(from..).unwrap_or_default();
    let same = copies.iter().zip(originals).all(|(copy, original)| copy.fingerprint == original.fingerprint);
    if !same || originals.len() < copies.len() || (originals_gone && !copies.is_empty()) {
        return Ok(Err(i64::try_from(copies.len()).unwrap_or(i64::MAX)));
    }
    let (seen, following) = originals.split_at(copies.len());
    let seen = seen.last().map_or(upstream, |last| last.offset);
    let last = copies.last().map_or(downstream, |last| last.offset);
    let room = stretch.until.saturating_sub(1).saturating_sub(last);
    // That both sides go on with the same record proves nothing: it may be a second copy, and the first was taken away.
    let room = usize::try_from(room).unwrap_or(0);
    let perhaps = following.iter().take(room).next_back().map_or(seen, |last| last.offset);
    Ok(Ok(LastOriginal { seen, perhaps }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{reading::ReadingClass, samples::cases};

    fn visible(offset: i64, fingerprint: u64) -> Visible {
        Visible { offset, fingerprint }
    }

    fn pair(upstream: i64, downstream: i64) -> OffsetPair {
        OffsetPair { upstream, downstream }
    }

    /// Originals at 10, 20, 30, …; copies at 0, 1, 2, … of the first so many.
    fn plain(copied: i64) -> (Vec<Visible>, Vec<Visible>) {
        let originals = (1..10).map(|n| visible(n * 10, n.cast_unsigned())).collect();
        let copies = (0..copied).map(|n| visible(n, n.cast_unsigned() + 1)).collect();
        (originals, copies)
    }

    #[test]
    fn between_syncs_records_are_counted_and_compared() {
        let (originals, copies) = plain(6);
        let back =
            |position| translate_back(position, &[pair(10, 0), pair(40, 3)], &copies, &originals, true);
        assert_eq!(back(3), Ok(Mapping::exact(31, Method::Rank)), "three were read: at 10, 20 and 30");
        assert_eq!(back(6), Ok(Mapping::exact(61, Method::Rank)));
        assert_eq!(back(1), Ok(Mapping::exact(11, Method::Rank)));
        assert_eq!(back(0), Err(Untranslatable::NoPair));
        let strange = [visible(0, 99), visible(1, 2)];
        let contradicted = Untranslatable::PairContradicted { upstream: 10, downstream: 0 };
        assert_eq!(translate_back(2, &[pair(10, 0)], &strange, &originals, false), Err(contradicted));
    }

    #[test]
    fn a_second_copy_takes_nobody_back() {
        let (originals, mut copies) = plain(6);
        // The task began again at the second record.
        copies.extend((0..3).map(|n| visible(6 + n, n.cast_unsigned() + 2)));
        let pairs = [pair(10, 0), pair(20, 6)];
        let back = translate_back(8, &pairs, &copies, &originals, false);
        assert_eq!(back, Ok(Mapping::exact(61, Method::Rank)), "six were read before it began again");
    }

    #[test]
    fn what_compaction_took_right_before_the_position_makes_it_early() {
        let (originals, mut copies) = plain(6);
        copies.remove(4);
        let back =
            |compacted| translate_back(5, &[pair(10, 0), pair(40, 3)], &copies[..4], &originals, compacted);
        let early = back(true).unwrap();
        assert_eq!(
            (early.target_offset, early.class, early.reprocessed_at_most),
            (41, ReadingClass::LowerBound, 1)
        );
        assert_eq!(
            back(false),
            Ok(Mapping::exact(41, Method::Rank)),
            "a marker, where nothing is taken away"
        );
        let (originals, copies) = plain(6);
        let all = translate_back(5, &[pair(10, 0)], &copies, &originals, true);
        assert_eq!(all, Ok(Mapping::exact(51, Method::Rank)), "nothing fits in between");
    }

    #[test]
    fn what_does_not_agree_is_early() {
        let (originals, mut copies) = plain(6);
        copies[4].fingerprint = 77;
        let back = translate_back(6, &[pair(10, 0), pair(30, 2)], &copies, &originals, false).unwrap();
        assert_eq!(
            (back.target_offset, back.class, back.reprocessed_at_most),
            (31, ReadingClass::LowerBound, 3)
        );
    }

    #[test]
    fn what_retention_took_from_either_side_is_not_counted_over() {
        // All records alike: whatever is left agrees with whatever is left.
        let originals: Vec<Visible> = (1..10).map(|n| visible(n * 10, 7)).collect();
        let copies: Vec<Visible> = (0..6).map(|n| visible(n, 7)).collect();
        let back = |copies: &[Visible], originals: &[Visible]| {
            translate_back(5, &[pair(10, 0)], copies, originals, false).unwrap()
        };
        assert_eq!(back(&copies, &originals), Mapping::exact(51, Method::Rank));
        let early = Mapping::early(11, Method::PairFloor, 4);
        assert_eq!(back(&copies, &originals[2..]), early, "counted from 30 on it would be 70");
        assert_eq!(back(&copies[3..], &originals), early, "one copy of four is left");
        assert_eq!(back(&[], &[]), early);
    }

    /// A source with holes, a task that dies and begins again some way back, syncs at each beginning and now and then.
    #[derive(Debug, Clone)]
    struct History {
        originals: Vec<Visible>,
        copies: Vec<Visible>,
        /// Place among originals by place among copies.
        of: Vec<usize>,
        pairs: Vec<OffsetPair>,
        /// Of each pair whether a life of the task begins there.
        begins: Vec<bool>,
    }

    impl History {
        /// One past the last record that was read before a position on the target: no group may be put further.
        fn truth(&self, position: i64) -> i64 {
            let read = self.copies.iter().zip(&self.of).filter(|(copy, _)| copy.offset < position);
            read.map(|(_, place)| self.originals[*place].offset + 1).max().unwrap_or(0)
        }

        /// Makes all records different, each like its copies.
        fn tell_apart(&mut self) {
            (1_000..).zip(&mut self.originals).for_each(|(unlike, original)| original.fingerprint = unlike);
            let copies = self.copies.iter_mut().zip(&self.of);
            copies.for_each(|(copy, place)| copy.fingerprint = self.originals[*place].fingerprint);
        }
    }

    fn history() -> impl Strategy<Value = History> {
        let lives = prop::collection::vec((0usize..12, 1usize..20, 1usize..6), 1..4);
        let gaps = prop::collection::vec((1i64..4, 0u64..4), 60);
        let holes = prop::collection::vec(1i64..3, 20);
        (lives, gaps, holes).prop_map(|(lives, gaps, holes)| {
            let mut offset = 0;
            let originals: Vec<Visible> = gaps
                .iter()
                .map(|(gap, fingerprint)| {
                    offset += gap;
                    visible(offset, *fingerprint)
                })
                .collect();
            let (mut copies, mut of): (Vec<Visible>, Vec<usize>) = (vec![], vec![]);
            let (mut pairs, mut begins): (Vec<OffsetPair>, Vec<bool>) = (vec![], vec![]);
            let (mut reached, mut end) = (0usize, 0);
            for (back, length, every) in lives {
                let from = reached.saturating_sub(back);
                for (place, original) in originals.iter().enumerate().skip(from).take(length) {
                    if place == from || place % every == 0 {
                        pairs.push(pair(original.offset, end));
                        begins.push(place == from);
                    }
                    copies.push(visible(end, original.fingerprint));
                    of.push(place);
                    end += holes[copies.len() % holes.len()];
                    reached = reached.max(place + 1);
                }
            }
            History { originals, copies, of, pairs, begins }
        })
    }

    /// What nobody has any more: offset syncs, and the beginnings of both logs.
    #[derive(Debug, Clone)]
    struct Lost {
        /// Which syncs, round and round.
        syncs: Vec<bool>,
        /// Those at which the task began (again) among them.
        begins: bool,
        /// Parts, in 16ths, that retention took from the source and from the target.
        expired: [usize; 2],
    }

    impl Lost {
        fn pairs_of(&self, history: &History) -> Vec<OffsetPair> {
            let lost = self.syncs.iter().cycle();
            let all = history.pairs.iter().zip(&history.begins).zip(lost);
            let kept = all.filter(|((_, begins), lost)| !**lost || (**begins && !self.begins));
            kept.map(|((pair, _), _)| *pair).collect()
        }
    }

    fn lost() -> impl Strategy<Value = Lost> {
        let syncs = prop::collection::vec(prop::bool::weighted(0.4), 1..20);
        let part = || prop_oneof![1 => Just(0_usize), 1 => 1_usize..17];
        (syncs, any::<bool>(), [part(), part()]).prop_map(|(syncs, begins, expired)| Lost {
            syncs,
            begins,
            expired,
        })
    }

    /// What retention left of a log.
    fn left_of(log: &[Visible], sixteenths: usize) -> &[Visible] {
        &log[log.len() * sixteenths / 16..]
    }

    /// At or right behind some copy.
    fn place(copies: &[Visible], (copy, behind): (prop::sample::Index, i64)) -> i64 {
        copies.get(copy.index(copies.len().max(1))).map_or(0, |copy| copy.offset + behind)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_past_the_truth_and_exact_wherever_it_says_so(
            history in history(),
            at in (any::<prop::sample::Index>(), 0i64..2),
        ) {
            let History { originals, copies, pairs, .. } = &history;
            let position = place(copies, at);
            let truth = history.truth(position);
            match translate_back(position, pairs, copies, originals, false) {
                Ok(found) => {
                    prop_assert!(found.target_offset <= truth, "{found:?} is past {truth}");
                    prop_assert_eq!(found.class, ReadingClass::Exact);
                    prop_assert_eq!(found.target_offset, truth);
                }
                Err(error) => {
                    prop_assert_eq!(error, Untranslatable::NoPair);
                    prop_assert_eq!(truth, 0);
                }
            }
        }

        /// Offset syncs that were lost and the beginnings that retention took from both logs make it early at most. Where even the
        /// sync of a restart is lost, only records that all differ are sure to show it; and what was copied before the first sync
        /// that is known nobody knows.
        #[test]
        fn lost_syncs_and_retention_make_it_early_at_most(
            mut history in history(),
            at in (any::<prop::sample::Index>(), 0i64..2),
            lost in lost(),
        ) {
            if lost.begins {
                history.tell_apart();
            }
            let History { originals, copies, .. } = &history;
            let position = place(copies, at);
            let truth = history.truth(position);
            let (still, there) = (left_of(originals, lost.expired[0]), left_of(copies, lost.expired[1]));
            match translate_back(position, &lost.pairs_of(&history), there, still, false) {
                Ok(found) => {
                    prop_assert!(found.target_offset <= truth, "{found:?} is past {truth}");
                    let again = originals.iter().filter(|one| (found.target_offset..truth).contains(&one.offset));
                    let again = i64::try_from(again.count()).expect("small");
                    prop_assert!(lost.begins || again <= found.reprocessed_at_most,
                        "{found:?} but {again} are read again, truth {truth}");
                }
                Err(error) => prop_assert_eq!(error, Untranslatable::NoPair),
            }
        }

        /// Records that compaction removed on either side, and foreign ones, make it early at most, whatever syncs and beginnings of
        /// the logs were lost besides.
        #[test]
        fn holes_and_foreign_records_make_it_early_at_most(
            mut history in history(),
            at in (any::<prop::sample::Index>(), 0i64..2),
            gone in prop::collection::btree_set(0usize..60, 0..6),
            gone_there in prop::collection::btree_set(0usize..60, 0..6),
            foreign in prop::collection::vec((0usize..60, 100u64..104), 0..3),
            lost in lost(),
        ) {
            // No two records are alike: what is taken away must not be replaced by its like.
            history.tell_apart();
            let History { originals, copies, .. } = &history;
            let position = place(copies, at);
            let truth = history.truth(position);
            let kept = |gone: &std::collections::BTreeSet<usize>, all: &[Visible]| -> Vec<Visible> {
                all.iter().enumerate().filter(|(place, _)| !gone.contains(place)).map(|(_, one)| *one).collect()
            };
            let mut copies = kept(&gone_there, left_of(copies, lost.expired[1]));
            for (place, fingerprint) in foreign {
                if let Some(copy) = copies.get_mut(place) {
                    copy.fingerprint = fingerprint;
                }
            }
            let still = kept(&gone, left_of(originals, lost.expired[0]));
            if let Ok(found) = translate_back(position, &lost.pairs_of(&history), &copies, &still, true) {
                prop_assert!(found.target_offset <= truth, "{found:?} is past {truth}");
                let whole = lost.pairs_of(&history).len() == history.pairs.len() && lost.expired == [0; 2];
                let again = still.iter().filter(|one| (found.target_offset..truth).contains(&one.offset)).count();
                if whole && found.class == ReadingClass::Exact {
                    prop_assert_eq!(again, 0, "{:?} says exact and is not {}", found, truth);
                }
            }
        }
    }
}
