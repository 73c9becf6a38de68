//! Against all histories: what was taken away, put in, copied again, interrupted, removed by retention or by cleaners.

use super::*;

proptest::proptest! {
    #[test]
    fn counts_always_add_up(source in proptest::collection::vec(0u64..6, 0..40),
                            target in proptest::collection::vec(0u64..6, 0..40)) {
        let found = compare(&source, &target);
        assert_eq!(found.on_source, found.matched + found.missing);
        assert_eq!(found.on_target, found.matched + found.extra + found.duplicates);
        assert_eq!(found.equal(), source == target);
    }

    /// Retention removes a part of one side while it is read: none of it is called lost, none foreign, and what is behind is
    /// compared.
    #[test]
    fn what_is_gone_is_not_judged(length in 1i64..60, from in 0i64..60, to in 0i64..60, of_source in proptest::bool::ANY) {
        let (whole, _) = with_gap(0..0, 0..length);
        let (from, to) = (from.min(to).min(length), from.max(to).min(length));
        let (gap, jumps) = with_gap(0..from, to..length);
        let (compacted, edges) = (Compacted::default(), Edges::default());
        let found = match of_source {
            true => compare_overtaken((&gap, &jumps), (&whole, &[]), compacted, edges),
            false => compare_overtaken((&whole, &[]), (&gap, &jumps), compacted, edges),
        };
        assert_eq!((found.missing, found.extra), (0, 0));
        assert_eq!((found.matched, found.before), (gap.len() as u64, (to - from).cast_unsigned()));
    }

    /// Brute force: what is on one side only, with multiplicity.
    #[test]
    fn what_was_taken_away_put_in_and_copied_again_is_found(
        length in 1usize..60,
        gone in proptest::collection::btree_set(0usize..60, 0..6),
        foreign in proptest::collection::btree_set(0usize..60, 0..6),
        again in 0usize..60,
    ) {
        let source: Vec<u64> = (0..length as u64).collect();
        let mut target: Vec<u64> = source.iter().copied().filter(|n| !gone.contains(&(*n as usize))).collect();
        let copied: Vec<u64> = target.iter().skip(again).copied().collect();
        target.extend(&copied);
        for at in &foreign {
            target.insert((*at).min(target.len()), 1_000 + *at as u64);
        }
        let found = compare(&source, &target);
        let missing = gone.iter().filter(|at| **at < length).count();
        assert_eq!((found.missing, found.extra), (missing as u64, foreign.len() as u64));
        assert_eq!((found.duplicates, found.out_of_order), (copied.len() as u64, 0));
    }

    /// Interrupted wherever it is level, and gone on with what was kept.
    #[test]
    fn one_that_is_interrupted_finds_the_same(
        length in 1usize..60,
        gone in proptest::collection::btree_set(0usize..60, 0..4),
        again in 0usize..60,
        every in 1usize..9,
    ) {
        let source: Vec<u64> = (0..length as u64).collect();
        let mut target: Vec<u64> = source.iter().copied().filter(|n| !gone.contains(&(*n as usize))).collect();
        let copied: Vec<u64> = target.iter().skip(again).copied().collect();
        target.extend(&copied);
        let (source, target) = (records(&source), records(&target));
        let mut comparison = Comparison::default();
        let (mut taken, mut given) = (0, 0);
        let mut interruptions = 0;
        while !comparison.source_done || !comparison.target_done {
            let piece = |all: &[RecordPrint], at: &mut usize| {
                let some = all[(*at).min(all.len())..(*at + every).min(all.len())].to_vec();
                *at += every;
                some
            };
            comparison.take_source(&piece(&source, &mut taken), &[]);
            comparison.take_target(&piece(&target, &mut given), &[]);
            comparison.source_done = taken >= source.len();
            comparison.target_done = given >= target.len();
            comparison.go_on();
            if let Some(level) = comparison.level() {
                interruptions += 1;
                taken = level.source.map_or(taken.min(source.len()), |at| at as usize);
                given = level.target.map_or(given.min(target.len()), |at| at as usize);
                comparison = Comparison::default().after(level.found);
                comparison.recall(&level.missed, level.known_from);
                comparison.remember(&source[..taken]);
                comparison.source_done = taken >= source.len();
                comparison.target_done = given >= target.len();
                comparison.go_on();
            }
        }
        assert!(interruptions > 0 || !gone.is_empty() || !copied.is_empty());
        assert_eq!(comparison.finish(), compare_prints(&source, &target, Compacted::default()));
    }

    /// Cleaners of both sides stand at different places, and one record is lost besides.
    #[test]
    fn loss_is_told_from_what_cleaners_removed(
        keys in proptest::collection::vec(0u64..5, 1..60),
        source_cleaned in 0usize..60,
        target_cleaned in 0usize..60,
        lost in proptest::option::of(0usize..60),
    ) {
        let log = keyed(&keys);
        let (source, mut target) = (cleaned(&log, source_cleaned), cleaned(&log, target_cleaned));
        // The newest of its key, so that nothing follows that would explain it.
        let newest: Vec<RecordPrint> = cleaned(&log, log.len());
        let lost = lost.and_then(|at| newest.get(at)).filter(|lost| {
            target.iter().filter(|print| print.key == lost.key).count() == 1
        });
        target.retain(|print| Some(print) != lost);
        let both = Compacted { source: true, target: true };
        let found = compare_prints(&source, &target, both);
        let wanted = lost.map_or(0, |lost| source.iter().filter(|print| print.key == lost.key).count());
        assert_eq!((found.missing, found.extra, found.undecided), (wanted as u64, 0, 0), "{found:?}");
        assert_eq!(found.on_source + found.on_target,
                   2 * found.matched + found.missing + found.compacted);
    }
}
