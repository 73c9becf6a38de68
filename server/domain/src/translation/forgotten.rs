//! Pairs that are not known: what was lost of them, or forgotten to make room, puts nobody past the truth once the flow has
//! caught up; what was kept does so before, too. And why pairs before a gap are not joined to those behind it.

use proptest::prelude::*;

use super::{
    histories::{History, scripts, visible},
    tests::translate,
    *,
};
use crate::{
    offset_pairs::{BOUNDS, Bounds, PartitionPairs, ReadPairs},
    samples::cases,
    topic::TopicPartition,
};

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

/// What is left of pairs of which so many are kept.
fn thinned(pairs: &[OffsetPair], of_partition: usize) -> Vec<OffsetPair> {
    let at = TopicPartition::new("orders", 0);
    let known = PartitionPairs { pairs: pairs.to_vec(), ..PartitionPairs::default() };
    let mut read = ReadPairs::default();
    read.partitions.insert(at.clone(), known);
    read.keep_within(Bounds { of_partition, ..BOUNDS });
    read.partitions.remove(&at).map(|known| known.pairs).unwrap_or_default()
}

/// 0 to 100 were copied, then 50 to 55 again, then 52 to 56: what lies behind that is in the first life alone, and the flow
/// died. Of the newest pairs, which are all a compacted topic has, the first is believed.
#[test]
fn what_was_kept_tells_of_restarts_that_the_newest_pairs_do_not() {
    let kept = [pair(0, 0), pair(100, 100), pair(50, 101), pair(52, 107)];
    let truth = 80;
    let found = |pairs: &[OffsetPair]| translate(80, pairs, &[], &[], 112).expect("a pair is before it");
    assert_eq!(found(&kept), Mapping::early(1, Method::PairFloor, 111));
    assert!(found(&kept[2..]).target_offset > truth, "which is why they are kept");
}

/// The copy was deleted while nobody read, and made anew from 1000 on; of the pairs since then the topic has the newest. Joined
/// to those of before it would put a group past all that it has not read.
#[test]
fn pairs_before_a_gap_are_not_joined_to_those_behind_it() {
    let before = [pair(0, 0), pair(900, 900), pair(1000, 1000)];
    let behind = [pair(3000, 2000)];
    let joined = [before.as_slice(), behind.as_slice()].concat();
    let found = |pairs: &[OffsetPair]| translate(950, pairs, &[], &[], 2500);
    assert_eq!(found(&joined).map(|mapping| mapping.target_offset), Ok(901), "1901 is there, and 1000 at 0");
    assert_eq!(found(&behind), Err(Untranslatable::BeforeFirstPair { offset: 950, oldest: 3000 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// From some pair on is what somebody knows who began to read there, or who read on behind a gap.
    #[test]
    fn never_past_the_truth_whatever_was_forgotten(
        mut script in scripts(),
        first in any::<prop::sample::Index>(),
        of_partition in 1_usize..12,
    ) {
        script.catches_up = true;
        let history = History::of(&script);
        let truth = history.truth();
        let begin = first.index(history.pairs.len() + 1);
        let newest = history.pairs[begin..].to_vec();
        let few = thinned(&newest, of_partition);
        let (source, target, none) = (visible(&history.source), visible(&history.target), Vec::new());
        for pairs in [&newest, &few, &thinned(&history.pairs, of_partition)] {
            let syncs = AllSyncs { pairs, exactly_once: history.exactly_once };
            for (s, t) in [(&source, &target), (&none, &target), (&source, &none), (&none, &none)] {
                if let Ok(mapping) = translate(history.group, syncs, s, t, history.target_end) {
                    prop_assert!(mapping.target_offset <= truth,
                        "{mapping:?} is past {truth} by {pairs:?}: {history:?}");
                }
            }
        }
    }
}
