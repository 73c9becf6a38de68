//! Foreign records in compacted topics, more of them than is looked ahead.

use super::*;

const BOTH: Compacted = Compacted { source: true, target: true };

/// Foreign records with keys of their own.
fn foreign(count: u64, timestamp: i64) -> impl Iterator<Item = RecordPrint> {
    let of = move |n| RecordPrint { timestamp, ..print(0, 1_000_000 + n, Some(1_000 + n)) };
    (0..count).map(of)
}

/// As a log that has these records.
fn log_of(records: impl IntoIterator<Item = RecordPrint>) -> Vec<RecordPrint> {
    (0..).zip(records).map(|(offset, print)| RecordPrint { offset, ..print }).collect()
}

#[test]
fn a_foreign_block_makes_nothing_of_a_compacted_topic_missing() {
    let keys: Vec<u64> = (0..60_000).map(|n| n % 500).collect();
    let source = keyed(&keys);
    let log = log_of(
        source[..1_000].iter().copied().chain(foreign(25_000, 0)).chain(source[1_000..].iter().copied()),
    );
    for compacted in
        [BOTH, Compacted { source: true, target: false }, Compacted { source: false, target: true }]
    {
        let found = compare_prints(&source, &log, compacted);
        let told = (found.missing, found.extra, found.undecided, found.out_of_order, found.lost_place);
        assert_eq!(told, (0, 25_000, 0, 0, None), "{compacted:?}: {found:?}");
        assert_eq!(found.matched, 60_000, "{found:?}");
    }
    // And one that is lost behind it is missing.
    let mut lost = log;
    let last = lost.pop();
    assert!(last.is_some());
    let found = compare_prints(&source, &lost, BOTH);
    assert_eq!((found.missing, found.extra, found.undecided), (1, 25_000, 0), "{found:?}");
}

/// More than may wait: nobody knows any more what a record of the target is a copy of.
#[test]
fn what_there_was_no_room_for_is_not_decided() {
    let keys: Vec<u64> = (0..150_000).collect();
    let source = keyed(&keys);
    let log = log_of(
        source[..1_000].iter().copied().chain(foreign(25_000, 0)).chain(source[1_000..].iter().copied()),
    );
    let found = compare_prints(&source, &log, BOTH);
    assert_eq!((found.missing, found.extra), (0, 0), "{found:?}");
    assert!(found.undecided > 0 && !found.nothing_lost(), "{found:?}");
}

proptest::proptest! {
    /// Cleaners of both sides stand anywhere, somebody wrote a block to the target, and times say anything.
    #[test]
    fn a_foreign_block_is_foreign_and_what_is_lost_is_never_told_to_be_there(
        keys in proptest::collection::vec(0u64..5, 1..80),
        cleaned_below in (0usize..80, 0usize..80),
        which in 0u8..3,
        block in (0usize..80, 0u64..30, 0i64..80),
        timed in proptest::bool::ANY,
        lost in proptest::option::of(0usize..5),
    ) {
        let compacted = Compacted { source: which != 1, target: which != 2 };
        let mut log = keyed(&keys);
        if timed {
            log.iter_mut().for_each(|print| print.timestamp = print.offset);
        }
        let below = |is: bool, below: usize| if is { below } else { 0 };
        let source = cleaned(&log, below(compacted.source, cleaned_below.0));
        let mut kept = cleaned(&log, below(compacted.target, cleaned_below.1));
        // The newest of a key, which nothing explains.
        let newest = cleaned(&log, log.len());
        let lost = lost.and_then(|at| newest.get(at)).copied();
        kept.retain(|print| lost.is_none_or(|lost| print.offset != lost.offset));
        let (at, count, timestamp) = block;
        let behind = kept.split_off(at.min(kept.len()));
        let target = log_of(kept.into_iter().chain(foreign(count, timestamp)).chain(behind));
        let comparison = Comparison::of(compacted, Edges::default()).reaching(6, 100);
        let never = |_: &LookBack| -> Option<SeenBefore> { panic!("nobody looks back") };
        let found = run(comparison, (&source, &[]), (&target, &[]), never);
        assert_eq!((found.out_of_order, found.lost_place), (0, None), "{found:?}");
        match lost {
            None => assert_eq!((found.missing, found.extra, found.undecided), (0, count, 0), "{found:?}"),
            Some(_) => assert!(!found.nothing_lost() && found.missing + found.undecided > 0, "{found:?}"),
        }
    }
}
