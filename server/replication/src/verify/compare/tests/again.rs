//! Records that were copied again from before what is remembered.

use std::collections::HashMap;

use super::*;

impl Comparison {
    /// With little room, so that short logs are long ones.
    pub(super) fn reaching(mut self, ahead: usize, remembered: usize) -> Self {
        (self.ahead, self.matched) = (Ahead(ahead), Remembered::of(remembered));
        self
    }
}

/// What a source that has these records answers.
fn seen(source: &[RecordPrint], asked: &LookBack, whole: bool) -> SeenBefore {
    let before = source.iter().filter(|print| print.offset < asked.below);
    let wanted = before.filter(|print| asked.wanted.contains(&print.fingerprint));
    let at = wanted.map(|print| (print.fingerprint, print.offset)).collect();
    SeenBefore { at, whole }
}

fn look_back(comparison: Comparison, source: &[RecordPrint], target: &[u64]) -> Found {
    let (target, held) = (records(target), comparison.ahead.0);
    let mut looks = 0;
    let found = run(comparison.looking_back(), (source, &[]), (&target, &[]), |asked| {
        assert!(asked.wanted.len() <= LOOK_AHEAD + 2, "no more than is held");
        looks += 1;
        Some(seen(source, asked, true))
    });
    assert!(looks <= target.len() / held + 2, "the source was read {looks} times");
    found
}

#[test]
fn whatever_was_copied_again_is_counted_however_much_it_is() {
    let source: Vec<u64> = (0..250_000).collect();
    // Killed twice, the second time before it had come to where it was killed first.
    let mut target = source[..200_000].to_vec();
    target.extend_from_slice(&source[20_000..190_000]);
    target.extend_from_slice(&source[50_000..]);
    let found = look_back(Comparison::default(), &records(&source), &target);
    assert_eq!((found.matched, found.duplicates), (250_000, 320_000), "{found:?}");
    assert!(found.nothing_lost(), "{found:?}");
    // Right before the source ends, it is no foreign block either.
    let mut target = source.clone();
    target.extend_from_slice(&source[10_000..]);
    let found = look_back(Comparison::default(), &records(&source), &target);
    assert_eq!((found.matched, found.duplicates), (250_000, 240_000), "{found:?}");
    assert!(found.nothing_lost(), "{found:?}");
}

#[test]
fn what_is_lost_late_or_foreign_among_records_that_were_copied_again_is_told() {
    let source: Vec<u64> = (0..250_000).collect();
    let first = source[..200_000].iter().filter(|n| ![30_000, 150_000].contains(*n));
    let again = source[20_000..].iter().filter(|n| ![40_000, 150_000].contains(*n));
    let mut target: Vec<u64> = first.chain(again).copied().collect();
    target.insert(250_000, 1_000_000);
    let found = look_back(Comparison::default(), &records(&source), &target);
    let told = (found.missing, found.out_of_order, found.extra, found.lost_place);
    assert_eq!(told, (1, 1, 1, None), "150,000 never came, 30,000 came late: {found:?}");
    assert_eq!((found.matched, found.duplicates), (249_999, 179_997), "{found:?}");
    let missing = found.examples.iter().filter(|one| one.kind == DifferenceKind::Missing);
    assert_eq!(missing.map(|one| one.source_offset).collect::<Vec<_>>(), [Some(150_000)]);
}

/// Of sixteen that are remembered, the two oldest make room for what comes late right before their second copies.
#[test]
fn what_was_remembered_when_it_was_looked_for_is_no_foreign_record_once_it_is_forgotten() {
    let first = (0..50).filter(|n| ![31, 32].contains(n));
    let target: Vec<u64> = first.chain(28..100).collect();
    let source: Vec<u64> = (0..100).collect();
    let found = look_back(Comparison::default().reaching(8, 16), &records(&source), &target);
    assert_eq!((found.extra, found.undecided, found.missing), (0, 0, 0), "{found:?}");
    assert_eq!((found.duplicates, found.out_of_order, found.matched), (20, 2, 100), "{found:?}");
}

#[test]
fn what_was_not_matched_for_sure_has_no_second_copy() {
    let all: Vec<u64> = (0..400).collect();
    let all = records(&all);
    let earlier = Found { on_source: 150, on_target: 149, matched: 149, missing: 1, ..Found::default() };
    let mut comparison = Comparison::default().after(earlier).looking_back().reaching(8, 16);
    comparison.know_from(150);
    let target: Vec<u64> = (150..300).chain(100..400).collect();
    let answer = |asked: &LookBack| Some(seen(&all, asked, true));
    let found = run(comparison, (&all[150..], &[]), (&records(&target), &[]), answer);
    let told = (found.missing, found.undecided, found.duplicates, found.extra, found.matched);
    assert_eq!(told, (1, 50, 150, 0, 399), "one of the fifty is the missing one: {found:?}");
}

#[test]
fn what_cannot_be_looked_for_is_not_called_foreign() {
    let all: Vec<u64> = (0..100).collect();
    let all = records(&all);
    let counts = |found: Found| (found.undecided, found.duplicates, found.extra, found.matched);
    let comparison = || Comparison::default().looking_back().reaching(8, 16);
    // Nobody reads any more.
    let target: Vec<u64> = (0..100).chain(60..100).collect();
    let found = run(comparison(), (&all, &[]), (&records(&target), &[]), |_| None);
    assert_eq!(counts(found), (24, 16, 0, 100));
    let target: Vec<u64> = (0..60).chain(20..100).collect();
    let found = run(comparison(), (&all, &[]), (&records(&target), &[]), |_| None);
    assert_eq!(found.lost_place, Some(LostPlace { source_offset: 60, target_offset: 60 }));
    // Retention removed what it is a copy of, or it never was there.
    let target: Vec<u64> = (30..100).chain(10..100).collect();
    for (whole, told) in [(false, (20, 70, 0, 70)), (true, (0, 70, 20, 70))] {
        let answer = |asked: &LookBack| Some(seen(&all[30..], asked, whole));
        let found = run(comparison(), (&all[30..], &[]), (&records(&target), &[]), answer);
        assert_eq!(counts(found), told);
    }
}

/// Connect gave its worker up for dead and had its tasks run elsewhere, and then it writes what it had read.
#[test]
fn what_is_copied_again_among_records_that_are_copied_is_looked_for() {
    let aged = |print: &mut RecordPrint| print.timestamp = print.fingerprint.cast_signed();
    let all: Vec<u64> = (0..400).collect();
    let mut all = records(&all);
    let live = (200..300).flat_map(|n| [n, n - 150]);
    let target: Vec<u64> = (0..200).chain(live).chain([1_000_000]).chain(300..400).collect();
    let mut target = records(&target);
    all.iter_mut().chain(&mut target).for_each(aged);
    for (timestamps, told) in [(true, (400, 100, 1, 0)), (false, (400, 0, 0, 101))] {
        let edges = Edges { timestamps, ..Edges::default() };
        let comparison = Comparison::of(Compacted::default(), edges).looking_back().reaching(8, 16);
        let answer = |asked: &LookBack| Some(seen(&all, asked, true));
        let found = run(comparison, (&all, &[]), (&target, &[]), answer);
        assert_eq!((found.matched, found.duplicates, found.extra, found.undecided), told, "{found:?}");
        assert_eq!((found.missing, found.lost_place), (0, None), "{found:?}");
    }
}

proptest::proptest! {
    /// Brute force over lives of a task that is killed again and again: how often each record is there, and which came after younger
    /// ones for the first time.
    #[test]
    fn lives_of_any_length_are_told_apart(lives in proptest::collection::vec((0u8..4, 0u64..150), 0..12)) {
        const RECORDS: u64 = 250;
        let (mut next, mut target, mut foreign) = (0_u64, Vec::new(), 0);
        for (what, size) in lives {
            let mut copies = 8;
            match what {
                0 => copies += size,
                1 => next = next.saturating_sub(size),
                2 => next += size % 4,
                _ => {
                    target.push(1_000_000 + foreign);
                    foreign += 1;
                }
            }
            let until = (next + copies).min(RECORDS);
            target.extend(next..until);
            next = next.max(until);
        }
        target.extend(next..RECORDS);
        let mut copies: HashMap<u64, u64> = HashMap::new();
        let (mut late, mut youngest) = (0, None);
        for one in target.iter().filter(|one| **one < RECORDS) {
            let copies = copies.entry(*one).or_default();
            late += u64::from(*copies == 0 && youngest.is_some_and(|youngest| one < youngest));
            youngest = youngest.max(Some(one));
            *copies += 1;
        }
        let source: Vec<u64> = (0..RECORDS).collect();
        // Room for what comes late beside what is remembered in its turn.
        let found = look_back(Comparison::default().reaching(8, 60), &records(&source), &target);
        assert_eq!((found.extra, found.lost_place), (foreign, None), "{found:?}");
        assert_eq!((found.missing, found.undecided), (RECORDS - copies.len() as u64, 0), "{found:?}");
        let copied_again: u64 = copies.values().map(|copies| copies - 1).sum();
        assert_eq!((found.duplicates, found.out_of_order), (copied_again, late), "{found:?}");
    }
}
