//! Records at another place than where the sides are: far before their turn, or long after it.

use super::*;

fn reaching(source: (&[RecordPrint], &[i64]), target: (&[RecordPrint], &[i64])) -> Found {
    let never = |_: &LookBack| -> Option<SeenBefore> { panic!("nobody looks back") };
    run(Comparison::default().reaching(4, 16), source, target, never)
}

/// Records that are as old as they say, in the order they stand in a log.
fn aged(fingerprints: impl IntoIterator<Item = u64>) -> Vec<RecordPrint> {
    let of =
        |(offset, one): (i64, u64)| RecordPrint { timestamp: one.cast_signed(), ..print(offset, one, None) };
    (0..).zip(fingerprints).map(of).collect()
}

/// A task that was made to read on further down, and then where it was.
#[test]
fn a_record_that_comes_earlier_than_is_looked_ahead_is_not_foreign() {
    let source: Vec<u64> = (0..60).collect();
    let told = |early: &[u64], rest: &[u64]| {
        let target: Vec<u64> = (0..3).chain(early.iter().copied()).chain(rest.iter().copied()).collect();
        let found = reaching((&records(&source), &[]), (&records(&target), &[]));
        assert!(found.examples.iter().all(|one| one.kind != DifferenceKind::Extra) || found.extra > 0);
        assert_eq!((found.missing, found.on_target), (0, target.len() as u64), "{found:?}");
        (found.matched, found.extra, found.duplicates, found.out_of_order)
    };
    assert_eq!(told(&[30], &source[3..]), (60, 0, 1, 0), "it comes in its turn as well");
    let rest: Vec<u64> = (3..60).filter(|n| *n != 30).collect();
    assert_eq!(told(&[30], &rest), (60, 0, 0, 1), "neither missing nor foreign");
    assert_eq!(told(&[30, 30], &rest), (60, 0, 1, 1));
    assert_eq!(told(&[30, 30, 30], &rest), (60, 0, 2, 1), "however often it comes");
    assert_eq!(told(&[30, 30], &source[3..]), (60, 0, 2, 0), "in its turn as well");
    assert_eq!(told(&[30, 1_000], &source[3..]), (60, 1, 1, 0), "another one is foreign");
}

/// Of records that are alike, down to the timestamp, each has its copy.
#[test]
fn of_records_that_are_alike_none_is_missing_when_all_of_them_came_early() {
    let source: Vec<u64> = (0..30).chain([100]).chain(30..60).chain([100]).chain(60..90).collect();
    let told = |early: &[u64], rest: &[u64]| {
        let target: Vec<u64> = (0..3).chain(early.iter().copied()).chain(rest.iter().copied()).collect();
        let found = reaching((&records(&source), &[]), (&records(&target), &[]));
        assert_eq!((found.extra, found.on_target), (0, target.len() as u64), "{found:?}");
        (found.matched, found.missing, found.duplicates, found.out_of_order)
    };
    let rest: Vec<u64> = (3..90).collect();
    assert_eq!(told(&[100, 100], &rest), (92, 0, 0, 2));
    assert_eq!(told(&[100, 100, 100], &rest), (92, 0, 1, 2), "one more than there are");
    assert_eq!(told(&[100], &rest), (91, 1, 0, 1), "one less");
    let first: Vec<u64> = (3..30).chain([100]).chain(30..90).collect();
    assert_eq!(told(&[100], &first), (92, 0, 0, 1), "one in its turn");
}

/// Where times do not tell whose place it stands at, nobody knows whether it is foreign until the source comes to it.
#[test]
fn a_record_that_comes_early_and_was_undecided_is_not_missing() {
    let source: Vec<u64> = (0..60).collect();
    let told = |early: &[u64], rest: &[u64]| {
        let target: Vec<u64> = (0..3).chain(early.iter().copied()).chain(rest.iter().copied()).collect();
        let edges = Edges { timestamps: false, ..Edges::default() };
        let comparison = Comparison::of(Compacted::default(), edges).reaching(4, 16).looking_back();
        let never = |_: &LookBack| -> Option<SeenBefore> { panic!("nobody looks back") };
        let found = run(comparison, (&records(&source), &[]), (&records(&target), &[]), never);
        assert_eq!((found.missing, found.extra), (0, 0), "{found:?}");
        (found.matched, found.undecided, found.duplicates, found.out_of_order)
    };
    let rest: Vec<u64> = (3..60).filter(|n| *n != 30).collect();
    assert_eq!(told(&[30], &rest), (60, 0, 0, 1));
    assert_eq!(told(&[30], &source[3..]), (60, 0, 1, 0), "it comes in its turn as well");
    assert_eq!(told(&[30, 1_000], &rest), (60, 1, 0, 1), "another one stays undecided");
}

/// That it is on both sides says nothing of what retention removed between them meanwhile.
#[test]
fn what_comes_late_or_came_early_is_no_place_that_both_sides_have_in_common() {
    let (source, jumps) = with_gap(0..20, 40..60);
    let target = aged((0..5).chain(6..20).chain([5]).chain(20..60));
    let found = reaching((&source, &jumps), (&target, &[]));
    let told = (found.matched, found.before, found.missing, found.extra, found.out_of_order);
    assert_eq!((told, found.lost_place), ((40, 20, 0, 0, 1), None), "{found:?}");
    let source = aged(0..60);
    let target = aged((0..5).chain([45]).chain(5..20).chain(50..60));
    let found = reaching((&source, &[]), (&target, &[21]));
    let told = (found.matched, found.before, found.missing, found.extra, found.out_of_order);
    assert_eq!((told, found.lost_place), ((31, 29, 0, 0, 1), None), "{found:?}");
}
