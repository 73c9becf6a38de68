//! What two sides have in common and what not, by hand; against all histories in the file beside this one.

mod histories;

mod again;
mod early;
mod ends;
mod foreign;
mod resume;

use muster_domain::content::LostPlace;

use super::*;

fn print(offset: i64, fingerprint: u64, key: Option<u64>) -> RecordPrint {
    RecordPrint { offset, timestamp: 0, log_append_time: false, fingerprint, key, bytes: 9, tombstone: false }
}

fn records(fingerprints: &[u64]) -> Vec<RecordPrint> {
    (0..).zip(fingerprints).map(|(offset, fingerprint)| print(offset, *fingerprint, None)).collect()
}

/// Compares in pieces of a few records, as they come from reads.
fn compare(source: &[u64], target: &[u64]) -> Found {
    compare_prints(&records(source), &records(target), Compacted::default())
}

fn compare_prints(source: &[RecordPrint], target: &[RecordPrint], compacted: Compacted) -> Found {
    compare_edges(source, target, compacted, Edges::default())
}

fn compare_edges(
    source: &[RecordPrint],
    target: &[RecordPrint],
    compacted: Compacted,
    edges: Edges,
) -> Found {
    compare_overtaken((source, &[]), (target, &[]), compacted, edges)
}

/// Each side with the offsets at which reading went on behind records that retention had removed.
fn compare_overtaken(
    (source, source_jumps): (&[RecordPrint], &[i64]),
    (target, target_jumps): (&[RecordPrint], &[i64]),
    compacted: Compacted,
    edges: Edges,
) -> Found {
    let never = |_: &LookBack| -> Option<SeenBefore> { panic!("nobody looks back") };
    run(Comparison::of(compacted, edges), (source, source_jumps), (target, target_jumps), never)
}

/// Takes both sides in pieces, and answers what is asked of the source; `None`: it would be too much.
fn run(
    mut comparison: Comparison,
    (source, source_jumps): (&[RecordPrint], &[i64]),
    (target, target_jumps): (&[RecordPrint], &[i64]),
    mut look: impl FnMut(&LookBack) -> Option<SeenBefore>,
) -> Found {
    let (mut source_jumps, mut target_jumps) = (source_jumps.to_vec(), target_jumps.to_vec());
    let (mut source, mut target) = (source.chunks(3), target.chunks(2));
    loop {
        if let Some(asked) = comparison.asks_back() {
            match look(&asked) {
                Some(seen) => comparison.look_back(&seen),
                None => comparison.stop_looking_back(),
            }
            continue;
        }
        if !comparison.wants_source() && !comparison.wants_target() {
            return comparison.finish();
        }
        if comparison.wants_source() {
            let piece = source.next();
            comparison.take_source(piece.unwrap_or_default(), &due(&mut source_jumps, piece));
            comparison.source_done = piece.is_none();
        }
        if comparison.wants_target() {
            let piece = target.next();
            comparison.take_target(piece.unwrap_or_default(), &due(&mut target_jumps, piece));
            comparison.target_done = piece.is_none();
        }
        comparison.go_on();
    }
}

/// The jumps that come with a piece, as they do when it is read; the rest with the end.
fn due(jumps: &mut Vec<i64>, piece: Option<&[RecordPrint]>) -> Vec<i64> {
    let last = piece.and_then(<[RecordPrint]>::last).map_or(i64::MAX, |print| print.offset);
    let (due, later) = std::mem::take(jumps).into_iter().partition(|to| *to <= last);
    *jumps = later;
    due
}

/// missing, extra, duplicates, out of order
fn counts(source: &[u64], target: &[u64]) -> (u64, u64, u64, u64) {
    let found = compare(source, target);
    (found.missing, found.extra, found.duplicates, found.out_of_order)
}

#[test]
fn each_difference_is_called_by_its_name() {
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 2, 3, 4]), (0, 0, 0, 0));
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 2, 4]), (1, 0, 0, 0), "a hole");
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 2, 3]), (1, 0, 0, 0), "not there yet");
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 2, 9, 3, 4]), (0, 1, 0, 0), "a foreign writer");
    assert_eq!(counts(&[1, 2, 3, 4, 5], &[1, 2, 3, 2, 3, 4, 5]), (0, 0, 2, 0), "a second life of the task");
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 2, 3, 4, 3, 4]), (0, 0, 2, 0), "copied twice at the end");
    assert_eq!(counts(&[1, 2, 3, 4], &[1, 3, 2, 4]), (0, 0, 0, 1), "swapped");
    assert_eq!(counts(&[1, 2, 3], &[1, 8, 3]), (1, 1, 0, 0), "changed on the way");
    assert_eq!(counts(&[7, 7, 7], &[7, 7]), (1, 0, 0, 0), "alike, one missing");
    assert_eq!(counts(&[7, 7], &[7, 7, 7]), (0, 0, 1, 0), "alike, one twice");
    assert_eq!(counts(&[], &[5]), (0, 1, 0, 0));
    assert_eq!(counts(&[], &[]), (0, 0, 0, 0));
}

#[test]
fn equal_streams_have_equal_digests_and_examples_say_where() {
    let same = compare(&[1, 2, 3], &[1, 2, 3]);
    assert!(same.equal() && same.source_digest == same.target_digest);
    let hole = compare(&[1, 2, 3], &[1, 3]);
    assert_ne!(hole.source_digest, hole.target_digest);
    let example = Difference {
        kind: DifferenceKind::Missing,
        source_offset: Some(1),
        target_offset: None,
        key_hash: None,
        timestamp: Some(0),
        bytes: Some(9),
    };
    assert_eq!(hole.examples, [example]);
}

#[test]
fn what_lies_before_the_other_sides_beginning_is_no_difference() {
    let edges = |beginning| Edges { beginning, ..Edges::default() };
    let compare = |source: &[u64], target: &[u64], beginning| {
        let found = compare_edges(&records(source), &records(target), Compacted::default(), edges(beginning));
        (found.before, found.matched, found.missing, found.extra)
    };
    assert_eq!(compare(&[3, 4, 5], &[1, 2, 3, 4, 5], Beginning::TargetEarlier), (2, 3, 0, 0));
    assert_eq!(compare(&[1, 2, 3, 4, 5], &[3, 4, 5], Beginning::SourceEarlier), (2, 3, 0, 0));
    assert_eq!(compare(&[3, 4, 5], &[1, 2, 4, 5], Beginning::TargetEarlier), (2, 2, 1, 0), "3 is lost");
    assert_eq!(
        compare(&[3, 4, 5], &[1, 2, 3, 9, 5], Beginning::TargetEarlier),
        (2, 2, 1, 1),
        "later it is one"
    );
    assert_eq!(
        compare(&[3, 4, 5], &[1, 2, 3], Beginning::Same),
        (0, 1, 2, 2),
        "nothing is given for nothing"
    );
    // Far more than is held at once.
    let long: Vec<u64> = (0..60_000).collect();
    assert_eq!(compare(&long[50_000..], &long, Beginning::TargetEarlier), (50_000, 10_000, 0, 0));
}

/// Records of these offsets, and where reading went on behind a gap.
fn with_gap(first: std::ops::Range<i64>, rest: std::ops::Range<i64>) -> (Vec<RecordPrint>, [i64; 1]) {
    let jump = [rest.start];
    let of = |offset: i64| RecordPrint { timestamp: offset, ..print(offset, offset.cast_unsigned(), None) };
    (first.chain(rest).map(of).collect(), jump)
}

#[test]
fn what_retention_removed_before_it_was_read_makes_nothing_missing_and_nothing_foreign() {
    let (whole, _) = with_gap(0..10, 10..60_000);
    for gap_ends in [50, 50_000, 60_000] {
        let (gap, jumps) = with_gap(0..10, gap_ends..60_000);
        let (compacted, edges) = (Compacted::default(), Edges::default());
        let source = compare_overtaken((&gap, &jumps), (&whole, &[]), compacted, edges);
        let target = compare_overtaken((&whole, &[]), (&gap, &jumps), compacted, edges);
        for found in [source, target] {
            let told = (found.matched, found.before, found.missing, found.extra, found.duplicates);
            let before = gap_ends.cast_unsigned() - 10;
            assert_eq!(told, (60_000 - before, before, 0, 0, 0), "{gap_ends}: {found:?}");
        }
        let (later, behind) = with_gap(0..10, gap_ends / 2..60_000);
        for (one, other) in [((&gap, &jumps), (&later, &behind)), ((&later, &behind), (&gap, &jumps))] {
            let found = compare_overtaken((one.0, one.1), (other.0, other.1), compacted, edges);
            assert_eq!((found.missing, found.extra), (0, 0), "both were overtaken: {found:?}");
            assert_eq!(found.matched, 10 + 60_000 - gap_ends.cast_unsigned(), "{found:?}");
        }
    }
    // A record behind the gap is lost, and one is foreign: both are told.
    let (gap, jumps) = with_gap(0..10, 50..100);
    let (mut whole, _) = with_gap(0..10, 10..100);
    whole.retain(|print| print.offset != 50);
    whole.push(print(100, 1_000, None));
    let (compacted, edges) = (Compacted::default(), Edges::default());
    let found = compare_overtaken((&gap, &jumps), (&whole, &[]), compacted, edges);
    assert_eq!((found.matched, found.before, found.missing, found.extra), (59, 40, 1, 1), "{found:?}");
}

#[test]
fn a_comparison_that_was_overtaken_goes_on_elsewhere_only_once_a_record_is_on_both_sides() {
    let (source, jumps) = with_gap(0..10, 50..60);
    let (target, _) = with_gap(0..10, 10..40);
    let mut comparison = Comparison::default();
    comparison.take_source(&source[..10], &[]);
    comparison.take_target(&target[..10], &[]);
    comparison.go_on();
    assert!(comparison.level().is_some());
    comparison.take_source(&[], &jumps);
    comparison.go_on();
    assert_eq!(comparison.level(), None, "whoever goes on would not know");
    comparison.take_source(&source[10..], &[]);
    let copies: Vec<RecordPrint> = source[10..].to_vec();
    comparison.take_target(&copies, &[]);
    comparison.go_on();
    assert!(comparison.level().is_some_and(|level| level.found.matched == 20));
}

/// A worker of an at-least-once flow that is killed with the default flush interval copies more again than is remembered, and a
/// foreign block may be longer than what is looked ahead.
#[test]
fn where_two_sides_have_nothing_in_common_for_long_the_place_is_told_and_nothing_is_called_missing() {
    let source: Vec<u64> = (0..200_000).collect();
    let mut again = source[..150_000].to_vec();
    again.extend_from_slice(&source[10_000..]);
    let mut foreign = source[..1_000].to_vec();
    foreign.extend(1_000_000..1_025_000);
    foreign.extend_from_slice(&source[1_000..]);
    for (target, place) in [(again, 150_000), (foreign, 1_000)] {
        let found = compare(&source, &target);
        let lost_place = Some(LostPlace { source_offset: place, target_offset: place });
        assert_eq!((found.lost_place, found.missing, found.extra), (lost_place, 0, 0), "{found:?}");
        assert!(found.matched == place.cast_unsigned() && !found.nothing_lost() && !found.equal());
    }
    // A hole that is longer hides what is behind it, too.
    let hole: Vec<u64> = source.iter().copied().filter(|n| !(5_000..100_000).contains(n)).collect();
    let found = compare(&source, &hole);
    assert_eq!((found.matched, found.missing, found.lost_place.is_some()), (5_000, 0, true), "{found:?}");
}

#[test]
fn what_is_left_of_a_side_that_was_read_to_its_end_is_found_behind_any_block() {
    let source: Vec<u64> = (0..2_000).collect();
    let mut target = source[..1_000].to_vec();
    target.extend(1_000_000..1_050_000);
    target.extend_from_slice(&source[1_000..]);
    let found = compare(&source, &target);
    assert_eq!((found.extra, found.missing, found.matched), (50_000, 0, 2_000), "{found:?}");
    let found = compare(&target, &source);
    assert_eq!((found.missing, found.extra, found.matched), (50_000, 0, 2_000), "{found:?}");
}

/// What a cleaner left of a log that was hardly cleaned on the other side is no lost place.
#[test]
fn a_cleaner_loses_no_place() {
    let keys: Vec<u64> = (0..30_000).chain(0..60_000).collect();
    let log = keyed(&keys);
    let target = log[30_000..].to_vec();
    let both = Compacted { source: true, target: true };
    let found = compare_prints(&log, &target, both);
    assert_eq!((found.lost_place, found.compacted, found.missing), (None, 30_000, 0), "{found:?}");
}

/// Records that were changed on the way, among others, lose no place.
#[test]
fn single_differences_lose_no_place() {
    let source: Vec<u64> = (0..60_000).collect();
    let target: Vec<u64> = source.iter().map(|n| if n % 1_000 == 7 { n + 1_000_000 } else { *n }).collect();
    let found = compare(&source, &target);
    assert_eq!((found.missing, found.extra, found.lost_place), (60, 60, None), "{found:?}");
}

#[test]
fn what_need_not_be_there_yet_is_on_its_way_and_what_follows_the_end_is_not_looked_at() {
    let edges = Edges { required_until: 3, ..Edges::default() };
    let found = compare_edges(&records(&[1, 2, 3, 4, 5]), &records(&[1, 2]), Compacted::default(), edges);
    assert_eq!((found.missing, found.pending, found.nothing_lost(), found.equal()), (1, 2, false, false));
    let edges = Edges { target_goes_on: true, ..Edges::default() };
    let found = compare_edges(&records(&[1, 2]), &records(&[1, 2, 3, 4]), Compacted::default(), edges);
    assert!(found.equal() && found.on_target == 2, "{found:?}");
    let found = compare_edges(&records(&[1, 2, 3]), &records(&[1, 8, 3, 4]), Compacted::default(), edges);
    assert_eq!((found.missing, found.extra), (1, 1));
}

/// A log of records of a few keys, and what its cleaner leaves below a place.
fn keyed(keys: &[u64]) -> Vec<RecordPrint> {
    (0..).zip(keys).map(|(offset, key)| print(offset, offset.cast_unsigned() + 100, Some(*key))).collect()
}

fn cleaned(log: &[RecordPrint], below: usize) -> Vec<RecordPrint> {
    let newer = |at: usize| log[at + 1..].iter().any(|later| later.key == log[at].key);
    let kept = |at: &usize| *at >= below || !newer(*at);
    (0..log.len()).filter(kept).map(|at| log[at]).collect()
}

#[test]
fn what_compaction_removed_is_no_loss_and_what_it_may_have_removed_is_not_told() {
    let log = keyed(&[1, 2, 1, 3, 2, 1]);
    let both = Compacted { source: true, target: true };
    let found = compare_prints(&log, &cleaned(&log, 6), both);
    assert_eq!((found.compacted, found.missing, found.nothing_lost(), found.equal()), (3, 0, true, false));
    let delete = Compacted::default();
    assert_eq!(compare_prints(&log, &cleaned(&log, 6), delete).missing, 3, "such a topic loses nothing");
    assert_eq!(compare_prints(&cleaned(&log, 6), &log, both).compacted, 3, "the source was cleaned");
    assert_eq!(compare_prints(&log, &log[..5], both).missing, 1, "nothing newer of its key is there");
    let mut deleted = log.clone();
    deleted[5].tombstone = true;
    let found = compare_prints(&deleted, &[log[1], log[3], log[4]], both);
    assert_eq!((found.undecided, found.missing, found.nothing_lost()), (3, 0, false), "{found:?}");
}

#[test]
fn of_records_that_are_alike_compaction_leaves_one_and_the_last_may_still_be_lost() {
    let alike = |fingerprints: &[u64]| -> Vec<RecordPrint> {
        (0..).zip(fingerprints).map(|(offset, one)| print(offset, *one, Some(1))).collect()
    };
    let both = Compacted { source: true, target: true };
    let found = compare_prints(&alike(&[7, 7, 7, 7]), &alike(&[7]), both);
    assert_eq!((found.matched, found.compacted, found.missing), (1, 3, 0), "{found:?}");
    let found = compare_prints(&alike(&[7, 8, 7]), &alike(&[7, 8]), both);
    assert_eq!((found.matched, found.missing), (2, 1), "the key's last record is another one there");
    let found = compare_prints(&alike(&[7, 8, 7]), &alike(&[7]), both);
    assert_eq!((found.missing, found.nothing_lost()), (0, true), "{found:?}");
}

/// A worker was killed and copied them again; the source's cleaner has run since.
#[test]
fn second_copies_of_what_the_sources_cleaner_removed_are_not_foreign() {
    let log = |fingerprints: &[u64]| -> Vec<RecordPrint> {
        (0..).zip(fingerprints).map(|(offset, one)| print(offset, *one, Some(1))).collect()
    };
    let source = [print(1, 101, Some(1))];
    for target in [false, true] {
        let compacted = Compacted { source: true, target };
        let told = |fingerprints: &[u64]| {
            let found = compare_prints(&source, &log(fingerprints), compacted);
            assert_eq!((found.missing, found.undecided), (0, 0), "{found:?}");
            (found.matched, found.duplicates, found.compacted, found.extra)
        };
        assert_eq!(told(&[100, 101, 100, 101]), (1, 1, 2, 0));
        assert_eq!(
            told(&[100, 101, 100, 101, 999]),
            (1, 1, 2, 1),
            "nothing newer of its key is on the source"
        );
    }
}

/// 102 is lost, and a second copy of 101, which is older, does not explain it.
#[test]
fn a_second_copy_is_no_newer_record_of_its_key() {
    let source =
        [print(0, 101, Some(1)), print(1, 102, Some(1)), print(2, 103, Some(2)), print(3, 104, Some(1))];
    let told = |source: &[RecordPrint], copies: &[usize], compacted| {
        let of = |(offset, at): (i64, &usize)| RecordPrint { offset, ..source[*at] };
        let target: Vec<RecordPrint> = (0..).zip(copies).map(of).collect();
        let found = compare_prints(source, &target, compacted);
        assert_eq!((found.missing, found.extra, found.duplicates), (0, 0, 1), "{found:?}");
        (found.matched, found.compacted, found.undecided, found.out_of_order)
    };
    for from_source in [false, true] {
        let compacted = Compacted { source: from_source, target: true };
        assert_eq!(told(&source[..3], &[0, 2, 0], compacted), (2, 0, 1, 0));
        assert_eq!(told(&source[..3], &[0, 2, 0, 1], compacted), (3, 0, 0, 1), "it comes late");
        assert_eq!(told(&source, &[0, 2, 0, 3], compacted), (3, 1, 0, 0), "a newer one is on both sides");
    }
}
