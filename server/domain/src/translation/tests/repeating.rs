//! Records that repeat themselves, were copied twice or are gone: what they prove nothing of is read again, and never skipped.

use super::*;

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
