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
    assert_eq!(told(&[30, 1_000], &source[3..]), (60, 1, 1, 0), "another one is foreign");
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
