//! Where pairs and records decide, and where nobody can.

use super::*;

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
