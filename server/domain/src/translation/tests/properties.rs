//! Histories of flows nobody thought of, against the plain truth.

use proptest::prelude::*;

use super::*;
use crate::{
    samples::{cases, extreme},
    translation::histories::{History, Record, scripts, visible},
};

fn in_window(records: &[Record], from: Option<i64>, to: Option<i64>) -> Vec<Visible> {
    let mut records = visible(records);
    records.retain(|r| from.is_none_or(|from| r.offset >= from) && to.is_none_or(|to| r.offset <= to));
    records
}

/// The records a caller that reads no more than the windows would have.
fn read_windows(history: &History) -> (Vec<Visible>, Vec<Visible>) {
    let windows = windows(history.group, history.syncs(), history.target_end);
    let next = history.source.iter().find(|r| r.offset >= history.group).map(|r| r.offset);
    let to = windows.source_to.map(|to| next.map_or(history.source_end, |next| next.max(to)));
    (
        in_window(&history.source, windows.source_from, to),
        in_window(&history.target, windows.target_from, windows.target_to),
    )
}

/// Whether a restart is not known to have caught up and the source has holes. Each may stand for a record that equals
/// an unread one and was copied again, so exactness would be a guess.
fn in_doubt(history: &History) -> bool {
    let Some(next) = history.source.iter().find(|r| r.offset >= history.group) else { return false };
    let lifetimes = Lifetimes::of(history.syncs(), history.target_end);
    let restarted = lifetimes.around(next.offset).is_some_and(|bracket| bracket.restarted);
    restarted && i64::try_from(history.source.len()).expect("small") < history.source_end
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_skips_a_record(script in scripts()) {
        let history = History::of(&script);
        let truth = history.truth();
        let (source, target) = (visible(&history.source), visible(&history.target));
        let (source_window, target_window) = read_windows(&history);
        for (s, t) in [(&source, &target), (&source_window, &target_window), (&Vec::new(), &target), (&source, &Vec::new())] {
            if let Ok(mapping) = translate(history.group, history.syncs(), s, t, history.target_end) {
                prop_assert!(mapping.target_offset <= truth, "{mapping:?} is past {truth}: {history:?}");
                // A restart whose first pair was lost shows nowhere.
                if script.unique && !script.first_pair_may_be_lost {
                    let again = history.read_between(mapping.target_offset, truth);
                    prop_assert!(again <= mapping.reprocessed_at_most,
                        "{mapping:?} but {again} are read again: {history:?}");
                    // What is there twice and unread counts too, where nothing is missing that would show it.
                    let whole = script.expired == [0; 2] && script.compacted == [0; 3];
                    if whole && !s.is_empty() && !t.is_empty() {
                        let needless = history.needless_from(mapping.target_offset);
                        prop_assert!(needless <= mapping.reprocessed_at_most,
                            "{mapping:?} but {needless} are given needlessly: {history:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn is_exact_where_every_record_is_different(mut script in scripts()) {
        script.unique = true;
        script.first_pair_may_be_lost = false;
        script.expired = [0, 0];
        // What only the target still has cannot be told from what the group has read.
        script.compacted[1] = 0;
        let history = History::of(&script);
        if in_doubt(&history) {
            return Ok(());
        }
        let (source, target) = read_windows(&history);
        let mapping = translate(history.group, history.syncs(), &source, &target, history.target_end);
        match mapping {
            Ok(mapping) => {
                let again = history.read_between(mapping.target_offset, history.truth());
                prop_assert!(again == 0,
                    "{mapping:?} reads {again} again, truth {}: {history:?}", history.truth());
            }
            Err(refusal) => {
                let unread_copied = history.source.iter().any(|r| r.offset >= history.group
                    && history.target.iter().any(|t| t.id == r.id));
                prop_assert!(!unread_copied, "{refusal:?}: {history:?}");
            }
        }
    }

    #[test]
    fn mirror_maker_2_itself_never_skips_either_and_is_never_better(mut script in scripts()) {
        script.unique = true;
        script.first_pair_may_be_lost = false;
        // Until a restarted flow has caught up, its newest pair makes MirrorMaker 2 skip records.
        script.catches_up = true;
        script.expired = [0, 0];
        script.compacted[1] = 0;
        let history = History::of(&script);
        if in_doubt(&history) {
            return Ok(());
        }
        let mut ladder = Mm2Ladder::new();
        history.pairs.iter().for_each(|pair| ladder.push(*pair));
        let (source, target) = read_windows(&history);
        let ours = translate(history.group, history.syncs(), &source, &target, history.target_end);
        if let Some(theirs) = ladder.translate(history.group) {
            prop_assert!(theirs <= history.truth());
            let ours = ours.expect("a pair at or before the group").target_offset;
            prop_assert!(history.read_between(ours, theirs) == 0, "{ours} < {theirs}: {history:?}");
        }
    }
}

fn extreme_log() -> impl Strategy<Value = Vec<Visible>> {
    let records = prop::collection::btree_map(extreme(), 0_u64..4, 0..12);
    records.prop_map(|records| log(&records.into_iter().collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Anybody who may write to the offset-syncs topic or commit for a group chooses these numbers. Nothing is added to them
    /// that does not fit, which would end a debug build and make a release build answer nonsense.
    #[test]
    fn fuzz_no_valid_numbers_overflow(
        pairs in prop::collection::vec((extreme(), extreme()), 0..12),
        position in prop_oneof![4 => extreme(), 1 => any::<i64>()],
        (source, target) in (extreme_log(), extreme_log()),
        (source_end, target_start, target_end) in (extreme(), extreme(), extreme()),
        (exactly_once, compacted, keeps_all) in any::<(bool, bool, bool)>(),
    ) {
        let pairs: Vec<OffsetPair> = pairs.into_iter().map(|(up, down)| pair(up, down)).collect();
        let syncs = AllSyncs { pairs: &pairs, exactly_once };
        let _ = windows(position, syncs, target_end);
        let found = translate(position, syncs, &source, &target, target_end);
        prop_assert!(found.is_err() || position >= 0);
        for mapping in found.iter().chain(&translate_back(position, &pairs, &target, &source, compacted)) {
            prop_assert!(mapping.target_offset >= 0 && mapping.reprocessed_at_most >= 0, "{mapping:?}");
        }
        for copies in copies_before(position, &pairs) {
            prop_assert!(copies.reach() >= copies.pair.upstream);
        }
        let copy = CopyEnds { start: target_start.min(target_end), stable: target_end, end: target_end };
        if let Ok(Resumed { mapping, .. }) = SyncsThen::of(&pairs).resume(position, Some(source_end), copy) {
            prop_assert!(mapping.target_offset >= 0 && mapping.reprocessed_at_most >= 0, "{mapping:?}");
        }
        let mut ladder = Mm2Ladder::new();
        pairs.iter().for_each(|pair| ladder.push(*pair));
        prop_assert!(ladder.translate(position).is_none_or(|offset| offset >= 0));
        let (first, last) = (source.first().map_or(0, |r| r.offset), source.last().map_or(0, |r| r.offset));
        let positions = [position.max(0), source_end].into();
        let run = Run { from: first, until: last.saturating_add(1), prints: source.clone() };
        let runs = vec![run.clone().around(position), run];
        let mut rings = Rings::new((source_end, target_end), keeps_all, runs, &positions, syncs);
        rings.refuse_past(source_end);
        for ring in rings.at_or_before(position).into_iter().chain(rings.at_end()) {
            let (start, end) = (target_start.min(target_end), target_end);
            let (from, until) = ring.stretch(start, end);
            let read: Vec<Visible> =
                target.iter().filter(|copy| (from..until).contains(&copy.offset)).copied().collect();
            for records in [Some(read.as_slice()), None] {
                if let Ok(resumed) = resume(&ring, Held { start, end, records }) {
                    prop_assert!(resumed.mapping.target_offset >= 0, "{resumed:?}");
                }
            }
        }
    }

    /// An election among replicas that lagged cut the source, and others were written since: a group past the end has none of
    /// them, and whatever position it was given that is not before all of their copies would skip one. So it gets none.
    #[test]
    fn a_group_past_the_end_gets_no_position(
        script in scripts(),
        cut in any::<prop::sample::Index>(),
        written in 0_i64..30,
    ) {
        let mut history = History::of(&script);
        let stood = history.source_end;
        let cut = i64::try_from(cut.index(usize::try_from(stood).expect("small") + 1)).expect("small");
        history.source.retain(|record| record.offset < cut);
        for nth in 0..written {
            let mut record = Record::written(1_000_000 + nth, cut + nth);
            history.source.push(record);
            record.offset = history.target_end + nth;
            history.target.push(record);
        }
        history.source_end = cut + written;
        history.target_end += written;
        let (source, target) = (visible(&history.source), visible(&history.target));
        for group in [cut, history.source_end, stood, history.source_end + 1, i64::MAX] {
            let given = check_within(group, history.source_end)
                .and_then(|()| translate(group, history.syncs(), &source, &target, history.target_end));
            let refused = Untranslatable::PastEnd { offset: group, end: history.source_end };
            prop_assert_eq!(given == Err(refused), group > history.source_end, "{} of {:?}", group, history);
        }
    }
}
