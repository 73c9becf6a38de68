//! Stretches behind which the target goes on, as pieces of a sample do, and whose end is not there.

use super::*;

const GOES_ON: Edges =
    Edges { beginning: Beginning::Same, required_until: i64::MAX, target_goes_on: true, timestamps: true };

/// Records as old as their fingerprints say.
fn timed(fingerprints: impl IntoIterator<Item = u64>) -> Vec<RecordPrint> {
    let aged =
        |(offset, one): (i64, u64)| RecordPrint { timestamp: one.cast_signed(), ..print(offset, one, None) };
    (0..).zip(fingerprints).map(aged).collect()
}

fn plain(source: &[RecordPrint], target: &[RecordPrint], edges: Edges) -> Found {
    compare_edges(source, target, Compacted::default(), edges)
}

/// A healthy flow: a cleaner left nothing of the piece on the target, and newer records of its keys stand behind.
#[test]
fn what_a_cleaner_removed_of_a_piece_is_neither_lost_nor_is_what_follows_it_foreign_or_read() {
    let log: Vec<RecordPrint> = (0..150_000)
        .map(|n| RecordPrint {
            timestamp: n,
            ..print(n, n.cast_unsigned(), Some(n.cast_unsigned() % 10_000))
        })
        .collect();
    let (piece, left) = (&log[..10_000], &log[50_000..]);
    for compacted in [Compacted { source: false, target: true }, Compacted { source: true, target: true }] {
        for beginning in [Beginning::Same, Beginning::TargetEarlier] {
            let found = compare_edges(piece, left, compacted, Edges { beginning, ..GOES_ON });
            let told = (found.missing, found.extra, found.undecided, found.lost_place, found.on_target);
            assert_eq!(told, (0, 0, 10_000, None, 0), "{beginning:?}: {found:?}");
        }
    }
    // Only the source is cleaned, so its next record stands far behind.
    let source = [log[0], log[59_999]];
    let found = compare_edges(&source, &log, Compacted { source: true, target: false }, GOES_ON);
    assert_eq!((found.matched, found.missing, found.extra), (2, 0, 0), "{found:?}");
    assert_eq!(found.on_target, 60_000, "and nothing behind it");
}

#[test]
fn a_hole_at_the_end_of_a_piece_is_missing_and_what_follows_is_not_foreign() {
    let source = timed(0..30_000);
    let target = timed((0..20_000).chain(30_000..90_000));
    let found = plain(&source, &target, GOES_ON);
    assert_eq!((found.matched, found.missing, found.extra, found.lost_place), (20_000, 10_000, 0, None));
    assert_eq!(found.on_target, 20_000, "nothing behind the piece is read for it");
    // Without timestamps nobody knows whether the target has come there.
    let found = plain(&source, &target, Edges { timestamps: false, ..GOES_ON });
    let lost_place = Some(LostPlace { source_offset: 20_000, target_offset: 20_000 });
    assert_eq!((found.missing, found.extra, found.lost_place), (0, 0, lost_place), "{found:?}");
}

#[test]
fn a_piece_of_which_nothing_is_there_is_missing_and_one_that_comes_later_is_found() {
    let edges = Edges { beginning: Beginning::TargetEarlier, ..GOES_ON };
    let source = timed(50_000..60_000);
    let found = plain(&source, &timed(60_000..120_000), edges);
    let told = (found.missing, found.before, found.extra, found.on_target);
    assert_eq!(told, (10_000, 0, 0, 0), "{found:?}");
    // Of older ones, and of many that have one time, it comes to it.
    for one_time in [false, true] {
        let (mut source, mut target) = (source.clone(), timed(0..120_000));
        if one_time {
            source.iter_mut().chain(&mut target).for_each(|print| print.timestamp = 7);
        }
        let found = plain(&source, &target, edges);
        let told = (found.matched, found.before, found.missing, found.extra, found.lost_place);
        assert_eq!(told, (10_000, 50_000, 0, 0, None), "{found:?}");
    }
    // But not for ever.
    let target = timed((10_000..200_000).filter(|n| !(50_000..60_000).contains(n)));
    let found = plain(&source, &target, edges);
    assert_eq!((found.missing, found.before, found.on_target), (10_000, 40_000, 40_000), "{found:?}");
}
