//! Gone on with by another: what it was told is all it knows.

use super::*;

/// Compares the beginnings of both sides, and what is left of them by another, who reads the source's beginning once more.
fn interrupted(source: &[RecordPrint], target: &[RecordPrint], at: (usize, usize)) -> (Level, Found) {
    let reaching = |comparison: Comparison| comparison.reaching(8, 10_000);
    let mut first = reaching(Comparison::default());
    first.take_source(&source[..at.0], &[]);
    first.take_target(&target[..at.1], &[]);
    first.go_on();
    let level = first.level().expect("all before is told");
    let mut second = reaching(Comparison::default().after(level.found.clone()));
    second.recall(&level.missed, level.known_from);
    second.remember(&source[..at.0]);
    let never = |_: &LookBack| -> Option<SeenBefore> { panic!("nobody looks back") };
    let found = run(second, (&source[at.0..], &[]), (&target[at.1..], &[]), never);
    (level, found)
}

#[test]
fn what_was_missing_before_an_interruption_and_comes_late_is_not_missing_and_no_second_copy() {
    let source: Vec<u64> = (0..100).collect();
    let target: Vec<u64> = (0..60).filter(|n| *n != 30).chain(20..100).collect();
    let (level, found) = interrupted(&records(&source), &records(&target), (60, 59));
    assert_eq!((level.found.missing, level.known_from), (1, 0));
    assert_eq!(level.missed, [MissedRecord { fingerprint: 30, offset: 30 }]);
    let told = (found.matched, found.missing, found.out_of_order, found.duplicates, found.undecided);
    assert_eq!(told, (100, 0, 1, 39, 0), "{found:?}");
}

#[test]
fn of_missing_records_that_nobody_was_told_of_it_is_not_decided_whether_they_came() {
    let source: Vec<u64> = (0..5_100).collect();
    // 1,001 of them.
    let target: Vec<u64> = (0..5_000).filter(|n| *n > 2_000 || n % 2 == 1).chain(0..5_100).collect();
    let (level, found) = interrupted(&records(&source), &records(&target), (5_000, 3_999));
    assert_eq!((level.found.missing, level.missed.len(), level.known_from), (1_001, 1_000, 1));
    let told = (found.matched, found.missing, found.out_of_order, found.duplicates, found.undecided);
    assert_eq!(told, (5_099, 1, 1_000, 3_999, 1), "{found:?}");
}
