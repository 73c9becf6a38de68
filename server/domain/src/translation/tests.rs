use proptest::prelude::*;

use super::{
    histories::{History, Record, scripts, visible},
    *,
};
use crate::samples::extreme;

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

/// `(offset, content)` of each record.
fn log(records: &[(i64, u64)]) -> Vec<Visible> {
    records.iter().map(|&(offset, fingerprint)| Visible { offset, fingerprint }).collect()
}

/// Of one position alone.
pub(super) fn translate<'a>(
    g: i64,
    syncs: impl Into<AllSyncs<'a>>,
    source: &[Visible],
    target: &[Visible],
    target_end: i64,
) -> Result<Mapping, Untranslatable> {
    Lifetimes::of(syncs.into(), target_end).translate(g, source, target)
}

/// Of one position alone.
fn windows<'a>(g: i64, syncs: impl Into<AllSyncs<'a>>, target_end: i64) -> Windows {
    Lifetimes::of(syncs.into(), target_end).windows(g)
}

#[test]
fn a_record_named_by_a_pair_is_exact() {
    let mapping = translate(7, &[pair(3, 13), pair(7, 15)], &log(&[(7, 7)]), &log(&[(15, 7)]), 20);
    assert_eq!(mapping, Ok(Mapping::exact(15, Method::Pair)));
}

#[test]
fn a_group_in_a_hole_snaps_to_the_next_visible_record() {
    let mapping =
        translate(5, &[pair(3, 13), pair(7, 15)], &log(&[(3, 3), (7, 7)]), &log(&[(13, 3), (15, 7)]), 20);
    assert_eq!(mapping, Ok(Mapping::exact(15, Method::Pair)));
}

#[test]
fn equal_distances_with_equal_records_are_linear() {
    let source = log(&[(0, 1), (1, 2), (2, 3), (3, 4)]);
    let target = log(&[(10, 1), (11, 2), (12, 3), (13, 4)]);
    assert_eq!(
        translate(2, &[pair(0, 10), pair(3, 13)], &source, &target, 20),
        Ok(Mapping::exact(12, Method::Linear))
    );
}

/// Source: a marker after two records. Target: a marker after three. Both brackets are six wide, and the linear formula
/// lands on the target's marker, one record late.
#[test]
fn equal_distances_by_chance_do_not_skip() {
    let source = log(&[(0, 1), (1, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
    let target = log(&[(0, 1), (1, 2), (2, 3), (4, 4), (5, 5), (6, 6)]);
    let mapping = translate(3, &[pair(0, 0), pair(6, 6)], &source, &target, 7).expect("the records decide");
    assert_eq!((mapping.target_offset, mapping.class), (2, ReadingClass::Exact));
}

#[test]
fn the_unverified_formula_of_the_brief_would_skip_where_this_does_not() {
    // Tiny transactions: every second source offset is a marker; pairs in between were overwritten.
    let source: Vec<Visible> =
        (0..50).map(|n| Visible { offset: n * 2, fingerprint: 500 + n as u64 }).collect();
    let target: Vec<Visible> = (0..50).map(|n| Visible { offset: n, fingerprint: 500 + n as u64 }).collect();
    let pairs = [pair(0, 0), pair(98, 49)];
    for g in 1..98 {
        let truth = (g + 1) / 2;
        let mapping = translate(g, &pairs, &source, &target, 50).expect("the records decide");
        assert_eq!((mapping.target_offset, mapping.class), (truth, ReadingClass::Exact), "g = {g}");
        let formula = g.min(49);
        assert!(formula >= truth, "mm2.md 4.3 gives {formula} for {g}");
    }
}

#[test]
fn runs_of_identical_records_are_counted_when_there_are_no_holes() {
    let source = log(&[(0, 9), (1, 9), (2, 9), (3, 9)]);
    let target = log(&[(5, 9), (6, 9), (7, 9), (8, 9)]);
    assert_eq!(translate(2, &[pair(0, 5)], &source, &target, 9), Ok(Mapping::exact(7, Method::Rank)));
}

#[test]
fn runs_of_identical_records_with_holes_give_the_earliest_and_say_how_many_are_read_again() {
    let source = log(&[(0, 1), (1, 9), (2, 9), (3, 9), (4, 9)]);
    // A marker at 11: something may have been removed as well.
    let target = log(&[(10, 1), (12, 9), (13, 9), (14, 9)]);
    assert_eq!(
        translate(3, &[pair(0, 10)], &source, &target, 15),
        Ok(Mapping::early(11, Method::PairFloor, 4))
    );
}

#[test]
fn after_a_restart_the_newest_complete_lifetime_is_used() {
    // 0..=5 copied, then again from 3 on.
    let source: Vec<Visible> = (0..8).map(|n| Visible { offset: n, fingerprint: 70 + n as u64 }).collect();
    let copied = [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7];
    let target: Vec<Visible> =
        copied.iter().zip(0..).map(|(n, offset)| Visible { offset, fingerprint: 70 + n }).collect();
    let pairs = [pair(0, 0), pair(5, 5), pair(3, 6)];
    let position = |g| translate(g, &pairs, &source, &target, 11).expect("known").target_offset;
    assert_eq!([2, 3, 4, 6].map(position), [2, 6, 7, 9]);
}

#[test]
fn a_drained_group_goes_to_the_end() {
    assert_eq!(translate(8, &[pair(7, 3)], &log(&[(7, 7)]), &log(&[(3, 7)]), 5), Ok(Mapping::drained(5)));
}

#[test]
fn a_window_that_ends_too_early_is_not_taken_for_drained() {
    let mapping = translate(8, &[pair(7, 3), pair(20, 16)], &log(&[(7, 7)]), &log(&[(3, 7)]), 30);
    assert_eq!(mapping, Ok(Mapping::early(4, Method::PairFloor, 12)));
}

#[test]
fn a_group_ahead_of_what_was_replicated_goes_behind_the_last_record() {
    let source = log(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
    let mapping = translate(3, &[pair(0, 0)], &source, &log(&[(0, 1), (1, 2)]), 3).expect("known");
    assert_eq!((mapping.target_offset, mapping.class), (2, ReadingClass::Exact));
}

#[test]
fn without_a_source_only_the_pair_speaks() {
    let pairs = [pair(0, 10), pair(100, 90)];
    assert_eq!(translate(40, &pairs, &[], &[], 200), Ok(Mapping::early(11, Method::PairFloor, 79)));
    assert_eq!(translate(100, &pairs, &[], &[], 200), Ok(Mapping::exact(90, Method::Pair)));
}

/// 0..=9 copied, crash, then again from 5 on, and the source dies when 5 and 6 are copied: 7, 8 and 9 exist before the
/// new pair only.
#[test]
fn a_restart_that_has_not_caught_up_is_not_relied_on() {
    let pairs = [pair(0, 0), pair(5, 10)];
    assert_eq!(translate(6, &pairs, &[], &[], 12), Ok(Mapping::early(1, Method::PairFloor, 11)));
    assert_eq!(translate(6, &pairs, &[], &[], 40), Ok(Mapping::early(11, Method::PairFloor, 29)));
}

#[test]
fn a_recreated_target_is_refused_when_only_pairs_speak() {
    assert_eq!(
        translate(40, &[pair(0, 10), pair(50, 60)], &[], &[], 20),
        Err(Untranslatable::PairBeyondTarget { downstream: 60, target_end: 20 })
    );
    // Nothing of the source is there, and the only pair is of another target.
    assert_eq!(
        translate(10, &[pair(5, 60)], &log(&[(10, 1), (11, 2)]), &[], 0),
        Err(Untranslatable::PairBeyondTarget { downstream: 60, target_end: 0 })
    );
}

#[test]
fn a_pair_whose_records_differ_is_refused() {
    assert_eq!(
        translate(3, &[pair(3, 13)], &log(&[(3, 3)]), &log(&[(13, 99)]), 20),
        Err(Untranslatable::PairContradicted { upstream: 3, downstream: 13 })
    );
}

#[test]
fn a_group_before_every_pair_is_refused_unless_records_decide() {
    let pairs = [pair(50, 0)];
    assert_eq!(
        translate(10, &pairs, &[], &[], 20),
        Err(Untranslatable::BeforeFirstPair { offset: 10, oldest: 50 })
    );
    assert_eq!(translate(10, &[], &[], &[], 20), Err(Untranslatable::NoPair));
    assert_eq!(translate(-1, &pairs, &[], &[], 20), Err(Untranslatable::BadOffset { offset: -1 }));
    let source = log(&[(10, 1), (11, 2), (50, 3)]);
    let target = log(&[(4, 2), (5, 3)]);
    // 10 is gone from the target; 11 is the first unread record that is there.
    assert_eq!(translate(10, &pairs[..0], &source, &target, 20), Ok(Mapping::exact(4, Method::Content)));
}

/// 20 is gone from the source, the group's own next records are gone from the target: nobody can say whether it has read
/// what stands before the first unread record there.
#[test]
fn what_the_source_no_longer_has_before_the_first_unread_record_may_be_read_again() {
    let source: Vec<Visible> =
        (21..42).map(|n| Visible { offset: n, fingerprint: 1000 + n as u64 }).collect();
    let target = |gone_from_source: &[(i64, u64)]| {
        let unread = (32..42).map(|n| (n - 2, 1000 + n as u64));
        log(&gone_from_source.iter().copied().chain(unread).collect::<Vec<_>>())
    };
    let position = |target: &[Visible]| translate(21, &[pair(0, 0), pair(1, 1)], &source, target, 40);
    assert_eq!(position(&target(&[(20, 1020)])), Ok(Mapping::early(20, Method::Content, 1)));
    assert_eq!(position(&target(&[(18, 1018), (20, 1020)])), Ok(Mapping::early(18, Method::Content, 2)));
    assert_eq!(position(&target(&[])), Ok(Mapping::exact(30, Method::Content)));
}

/// 8, 9 and 10 were copied twice, and records repeat themselves every three: counting backwards from 12, which exists
/// once, arrives three records late without meeting one that differs.
#[test]
fn counting_back_over_repeating_records_does_not_skip_what_a_restart_copied_twice() {
    let source = log(&[(1, 0), (4, 1), (5, 2), (6, 0), (7, 1), (8, 2), (9, 0), (10, 1), (11, 2), (12, 9)]);
    let copied = [0, 0, 3, 1, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 9];
    let target: Vec<Visible> =
        copied.iter().zip(0..).map(|(&fingerprint, offset)| Visible { offset, fingerprint }).collect();
    let pairs = [pair(0, 0), pair(8, 8), pair(8, 11)];
    assert_eq!(translate(0, &pairs, &source, &target, 16), Ok(Mapping::early(1, Method::PairFloor, 15)));
}

/// 0 to 4 are gone from the source and were copied again last; all of them equal 9, whose only copy stands before that.
#[test]
fn the_last_copy_of_a_content_is_not_believed_while_a_restart_has_not_caught_up() {
    let source = log(&[(5, 1), (6, 2), (7, 1), (8, 1), (9, 0)]);
    let copied = [0, 0, 0, 0, 1, 2, 1, 1, 0, 0, 0, 0, 0, 1];
    let target: Vec<Visible> =
        copied.iter().zip(0..).map(|(&fingerprint, offset)| Visible { offset, fingerprint }).collect();
    let mapping = translate(9, &[pair(0, 0), pair(0, 9)], &source, &target, 14).expect("a pair is before it");
    assert!(mapping.target_offset <= 8, "{mapping:?}");
    assert_eq!(mapping.class, ReadingClass::LowerBound);
}

/// 3 and 4 are equal and 3 is gone from the source. The flow began again at 2, which no pair says more of than that there
/// is more on the target than on the source, and died when it had copied 3 again.
#[test]
fn a_restart_that_skips_ahead_of_the_last_pair_is_seen_by_what_is_too_much_on_the_target() {
    let source = log(&[(2, 1), (4, 2)]);
    let copied = [1, 1, 1, 1, 1, 2, 2, 1, 2];
    let target: Vec<Visible> =
        copied.iter().zip(0..).map(|(&fingerprint, offset)| Visible { offset, fingerprint }).collect();
    let pairs = [pair(0, 0), pair(0, 2), pair(2, 7)];
    let mapping = translate(3, &pairs, &source, &target, 9).expect("a pair is before it");
    assert!(mapping.target_offset <= 6, "{mapping:?}");
}

/// 38 equals 22, whose copy is gone; the flow had copied up to 41 when it began again at 27, and the source was read up to
/// there only.
#[test]
fn a_copy_of_a_later_record_is_not_taken_for_the_next_one() {
    let source = log(&[(9, 0), (22, 1), (26, 4), (27, 3)]);
    let mut target =
        log(&[(2, 4), (3, 3), (4, 2), (6, 0), (7, 5), (8, 0), (9, 1), (10, 0), (11, 4), (12, 2)]);
    target.extend(log(&[
        (13, 3),
        (14, 2),
        (15, 6),
        (16, 0),
        (17, 5),
        (18, 0),
        (19, 1),
        (20, 0),
        (21, 4),
        (22, 2),
    ]));
    let pairs = [pair(9, 0), pair(27, 13)];
    let mapping = translate(10, &pairs, &source, &target, 40).expect("a pair is before it");
    assert!(mapping.target_offset <= 2, "{mapping:?}");
}

/// 21 is gone from the target and 24 is there twice: as many equal records up to the next pair as on the source.
#[test]
fn as_many_equal_records_are_not_the_same_ones_where_the_target_has_a_hole() {
    let source = log(&[(19, 5), (20, 5), (21, 4), (23, 4), (24, 4), (25, 0)]);
    let target = log(&[(12, 5), (13, 5), (15, 4), (16, 4), (17, 4), (18, 0)]);
    let mapping = translate(22, &[pair(19, 12), pair(24, 17)], &source, &target, 40).expect("a pair");
    assert!(mapping.target_offset <= 15, "{mapping:?}");
}

/// 0 to 21 were copied, then again from 12 to 17. Compaction left 21 on the target but not on the source, and of 12 the second
/// copy only: it stands behind a record that the group has not read.
#[test]
fn a_second_copy_of_a_read_record_proves_nothing_of_what_stands_before_it() {
    let unique = |ids: &[(i64, u64)]| log(&ids.iter().map(|(at, id)| (*at, 1000 + id)).collect::<Vec<_>>());
    let source = unique(&[12, 20, 22, 24, 26, 27, 28, 29_i64].map(|id| (id, id.unsigned_abs())));
    let target = unique(&[(17, 21), (18, 12), (19, 14), (20, 15), (21, 16), (22, 17)]);
    let mapping =
        translate(13, &[pair(0, 0), pair(12, 18)], &source, &target, 23).expect("a pair is before it");
    assert!(mapping.target_offset <= 17, "{mapping:?}");
    assert_eq!(mapping.class, ReadingClass::LowerBound);
}

fn in_window(records: &[Record], from: Option<i64>, to: Option<i64>) -> Vec<Visible> {
    let mut records = visible(records);
    records.retain(|r| from.is_none_or(|from| r.offset >= from) && to.is_none_or(|to| r.offset <= to));
    records
}

/// The records a caller that reads no more than the windows would have.
fn read_windows(history: &History) -> (Vec<Visible>, Vec<Visible>) {
    let windows = windows(history.group, history.syncs(), history.target_end);
    let next = history.source.iter().find(|r| r.offset >= history.group).map(|r| r.offset);
    let to = windows.source_to.map(|to| next.map_or(history.source_end, |next| next.max(to)));
    (
        in_window(&history.source, windows.source_from, to),
        in_window(&history.target, windows.target_from, windows.target_to),
    )
}

/// Whether a restart is not known to have caught up and the source has holes. Each may stand for a record that equals
/// an unread one and was copied again, so exactness would be a guess.
fn in_doubt(history: &History) -> bool {
    let Some(next) = history.source.iter().find(|r| r.offset >= history.group) else { return false };
    let lifetimes = Lifetimes::of(history.syncs(), history.target_end);
    let restarted = lifetimes.around(next.offset).is_some_and(|bracket| bracket.restarted);
    restarted && i64::try_from(history.source.len()).expect("small") < history.source_end
}

/// A few seconds' worth, other ones each time. After a change of the rules run many more, optimised:
/// `PROPTEST_CASES=2000000 cargo test --release -p muster-domain translation`.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.map_or(20_000, |cases| cases.parse().expect("PROPTEST_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_skips_a_record(script in scripts()) {
        let history = History::of(&script);
        let truth = history.truth();
        let (source, target) = (visible(&history.source), visible(&history.target));
        let (source_window, target_window) = read_windows(&history);
        for (s, t) in [(&source, &target), (&source_window, &target_window), (&Vec::new(), &target), (&source, &Vec::new())] {
            if let Ok(mapping) = translate(history.group, history.syncs(), s, t, history.target_end) {
                prop_assert!(mapping.target_offset <= truth, "{mapping:?} is past {truth}: {history:?}");
                // A restart whose first pair was lost shows nowhere.
                if script.unique && !script.first_pair_may_be_lost {
                    let again = history.read_between(mapping.target_offset, truth);
                    prop_assert!(again <= mapping.reprocessed_at_most,
                        "{mapping:?} but {again} are read again: {history:?}");
                    // What is there twice and unread counts too, where nothing is missing that would show it.
                    let whole = script.expired == [0; 2] && script.compacted == [0; 3];
                    if whole && !s.is_empty() && !t.is_empty() {
                        let needless = history.needless_from(mapping.target_offset);
                        prop_assert!(needless <= mapping.reprocessed_at_most,
                            "{mapping:?} but {needless} are given needlessly: {history:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn is_exact_where_every_record_is_different(mut script in scripts()) {
        script.unique = true;
        script.first_pair_may_be_lost = false;
        script.expired = [0, 0];
        // What only the target still has cannot be told from what the group has read.
        script.compacted[1] = 0;
        let history = History::of(&script);
        if in_doubt(&history) {
            return Ok(());
        }
        let (source, target) = read_windows(&history);
        let mapping = translate(history.group, history.syncs(), &source, &target, history.target_end);
        match mapping {
            Ok(mapping) => {
                let again = history.read_between(mapping.target_offset, history.truth());
                prop_assert!(again == 0,
                    "{mapping:?} reads {again} again, truth {}: {history:?}", history.truth());
            }
            Err(refusal) => {
                let unread_copied = history.source.iter().any(|r| r.offset >= history.group
                    && history.target.iter().any(|t| t.id == r.id));
                prop_assert!(!unread_copied, "{refusal:?}: {history:?}");
            }
        }
    }

    #[test]
    fn mirror_maker_2_itself_never_skips_either_and_is_never_better(mut script in scripts()) {
        script.unique = true;
        script.first_pair_may_be_lost = false;
        // Until a restarted flow has caught up, its newest pair makes MirrorMaker 2 skip records.
        script.catches_up = true;
        script.expired = [0, 0];
        script.compacted[1] = 0;
        let history = History::of(&script);
        if in_doubt(&history) {
            return Ok(());
        }
        let mut ladder = Mm2Ladder::new();
        history.pairs.iter().for_each(|pair| ladder.push(*pair));
        let (source, target) = read_windows(&history);
        let ours = translate(history.group, history.syncs(), &source, &target, history.target_end);
        if let Some(theirs) = ladder.translate(history.group) {
            prop_assert!(theirs <= history.truth());
            let ours = ours.expect("a pair at or before the group").target_offset;
            prop_assert!(history.read_between(ours, theirs) == 0, "{ours} < {theirs}: {history:?}");
        }
    }
}

#[test]
fn the_ladder_keeps_few_pairs_and_loses_precision_with_distance() {
    let mut ladder = Mm2Ladder::new();
    (0..=20_000).for_each(|n| ladder.push(pair(n * 101, n * 101)));
    let kept = ladder.pairs().len();
    assert!((12..=24).contains(&kept), "{kept} pairs");
    let head = 20_000 * 101;
    for behind in [1_000, 10_000, 100_000] {
        let given = ladder.translate(head - behind).expect("within the ladder");
        let again = head - behind - given;
        assert!((0..=2 * behind).contains(&again), "{behind} behind: {again} read again");
    }
    assert_eq!(ladder.translate(head), Some(head));
    assert_eq!(Mm2Ladder::new().translate(5), None);
}

#[test]
fn the_ladder_forgets_everything_when_the_source_goes_back() {
    let mut ladder = Mm2Ladder::new();
    [pair(10, 10), pair(500, 400), pair(50, 500)].into_iter().for_each(|p| ladder.push(p));
    assert_eq!((ladder.pairs(), ladder.translate(20)), (vec![pair(50, 500)], None));
}

fn extreme_log() -> impl Strategy<Value = Vec<Visible>> {
    let records = prop::collection::btree_map(extreme(), 0_u64..4, 0..12);
    records.prop_map(|records| log(&records.into_iter().collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Anybody who may write to the offset-syncs topic or commit for a group chooses these numbers. Nothing is added to them
    /// that does not fit, which would end a debug build and make a release build answer nonsense.
    #[test]
    fn fuzz_no_valid_numbers_overflow(
        pairs in prop::collection::vec((extreme(), extreme()), 0..12),
        position in prop_oneof![4 => extreme(), 1 => any::<i64>()],
        (source, target) in (extreme_log(), extreme_log()),
        (source_end, target_start, target_end) in (extreme(), extreme(), extreme()),
        (exactly_once, compacted, keeps_all) in any::<(bool, bool, bool)>(),
    ) {
        let pairs: Vec<OffsetPair> = pairs.into_iter().map(|(up, down)| pair(up, down)).collect();
        let syncs = AllSyncs { pairs: &pairs, exactly_once };
        let _ = windows(position, syncs, target_end);
        let found = translate(position, syncs, &source, &target, target_end);
        prop_assert!(found.is_err() || position >= 0);
        for mapping in found.iter().chain(&translate_back(position, &pairs, &target, &source, compacted)) {
            prop_assert!(mapping.target_offset >= 0 && mapping.reprocessed_at_most >= 0, "{mapping:?}");
        }
        for copies in copies_before(position, &pairs) {
            prop_assert!(copies.reach() >= copies.pair.upstream);
        }
        let copy = CopyEnds { start: target_start.min(target_end), stable: target_end, end: target_end };
        if let Ok(Resumed { mapping, .. }) = SyncsThen::of(&pairs).resume(position, Some(source_end), copy) {
            prop_assert!(mapping.target_offset >= 0 && mapping.reprocessed_at_most >= 0, "{mapping:?}");
        }
        let mut ladder = Mm2Ladder::new();
        pairs.iter().for_each(|pair| ladder.push(*pair));
        prop_assert!(ladder.translate(position).is_none_or(|offset| offset >= 0));
        let (first, last) = (source.first().map_or(0, |r| r.offset), source.last().map_or(0, |r| r.offset));
        let positions = [position.max(0), source_end].into();
        let run = Run { from: first, until: last.saturating_add(1), prints: source.clone() };
        let runs = vec![run.clone().around(position), run];
        let mut rings = Rings::new((source_end, target_end), keeps_all, runs, &positions, syncs);
        rings.refuse_past(source_end);
        for ring in rings.at_or_before(position).into_iter().chain(rings.at_end()) {
            let (start, end) = (target_start.min(target_end), target_end);
            let (from, until) = ring.stretch(start, end);
            let read: Vec<Visible> =
                target.iter().filter(|copy| (from..until).contains(&copy.offset)).copied().collect();
            for records in [Some(read.as_slice()), None] {
                if let Ok(resumed) = resume(&ring, Held { start, end, records }) {
                    prop_assert!(resumed.mapping.target_offset >= 0, "{resumed:?}");
                }
            }
        }
    }

    /// An election among replicas that lagged cut the source, and others were written since: a group past the end has none of
    /// them, and whatever position it was given that is not before all of their copies would skip one. So it gets none.
    #[test]
    fn a_group_past_the_end_gets_no_position(
        script in scripts(),
        cut in any::<prop::sample::Index>(),
        written in 0_i64..30,
    ) {
        let mut history = History::of(&script);
        let stood = history.source_end;
        let cut = i64::try_from(cut.index(usize::try_from(stood).expect("small") + 1)).expect("small");
        history.source.retain(|record| record.offset < cut);
        for nth in 0..written {
            let mut record = Record::written(1_000_000 + nth, cut + nth);
            history.source.push(record);
            record.offset = history.target_end + nth;
            history.target.push(record);
        }
        history.source_end = cut + written;
        history.target_end += written;
        let (source, target) = (visible(&history.source), visible(&history.target));
        for group in [cut, history.source_end, stood, history.source_end + 1, i64::MAX] {
            let given = check_within(group, history.source_end)
                .and_then(|()| translate(group, history.syncs(), &source, &target, history.target_end));
            let refused = Untranslatable::PastEnd { offset: group, end: history.source_end };
            prop_assert_eq!(given == Err(refused), group > history.source_end, "{} of {:?}", group, history);
        }
    }
}
