use std::collections::HashMap;

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    reading::ReadingClass,
    samples::cases,
    survey::OffsetPair,
    translation::{
        AllSyncs,
        histories::{History, Life, Record, scripts},
    },
};

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

fn log(records: impl IntoIterator<Item = (i64, u64)>) -> Vec<Visible> {
    records.into_iter().map(|(offset, fingerprint)| Visible { offset, fingerprint }).collect()
}

/// A thousand records at 0 to 999 of which no two are alike, each later than the one before; the target has them at 5,000 and on, and
/// only the sync of the 900th is known.
struct Long {
    source: Vec<Visible>,
    target: Vec<Visible>,
    behind: OffsetPair,
    exactly_once: bool,
}

impl Long {
    fn new() -> Self {
        let source = log((0..1_000).map(|n: i64| (n, n.unsigned_abs())));
        let target = log((0..1_000).map(|n: i64| (5_000 + n, n.unsigned_abs())));
        Self { source, target, behind: pair(900, 5_900), exactly_once: false }
    }

    /// As whoever reads 200 offsets on each side of the position, and the target from the time of the oldest record that is compared.
    fn search(&self, g: i64) -> Option<Mapping> {
        let seen = |record: &&Visible| (g - 200..g + 200).contains(&record.offset);
        let source: Vec<Visible> = self.source.iter().filter(seen).copied().collect();
        let at = source.partition_point(|record| record.offset < g);
        let compared = &source[compared_around(at, source.len())];
        let oldest = compared.iter().map(|record| record.fingerprint).min()?;
        let from = self.target.iter().position(|copy| copy.fingerprint >= oldest)?;
        let pairs = [self.behind];
        let syncs = AllSyncs { pairs: &pairs, exactly_once: self.exactly_once };
        let end = self.target.last()?.offset + 1;
        Lifetimes::of(syncs, end).search(g, &source, g <= 200, &self.target[from..])
    }
}

fn exact(target_offset: i64) -> Option<Mapping> {
    Some(Mapping::exact(target_offset, Method::TimestampSearch))
}

#[test]
fn a_group_far_before_every_sync_is_found_by_what_stands_around_it() {
    let long = Long::new();
    for g in [0, 1, 7, 8, 300, 850, 891, 899] {
        assert_eq!(long.search(g), exact(5_000 + g), "{g}");
    }
    // What is behind the sync is told by it.
    for g in [900, 950, 999] {
        assert_eq!(long.search(g), None, "{g}");
    }
}

#[test]
fn where_the_target_grew_more_than_the_source_records_may_be_read_again() {
    let mut long = Long::new();
    // Ten more offsets on the target somewhere before the sync: second copies, or markers.
    for copy in long.target.iter_mut().filter(|copy| copy.offset >= 5_600) {
        copy.offset += 10;
    }
    long.behind = pair(900, 5_910);
    let found = long.search(300).expect("it is there once");
    assert_eq!((found.target_offset, found.class), (5_300, ReadingClass::LowerBound));
    assert_eq!(found.reprocessed_at_most, 610 - 64);
    long.exactly_once = true;
    assert_eq!(long.search(300), exact(5_300), "markers only");
}

/// The task began again at 250 behind the sync and has copied up to 320: what a group at 300 had read comes once more.
#[test]
fn a_restart_that_has_not_caught_up_copies_again_what_was_read() {
    let mut long = Long::new();
    long.target.extend(log((250..320).map(|n: i64| (5_750 + n, n.unsigned_abs()))));
    let pairs = [long.behind, pair(250, 6_000)];
    let lifetimes = Lifetimes::of(AllSyncs::from(&pairs), 6_070);
    let found = lifetimes.search(300, &long.source[200..400], false, &long.target[236..800]);
    assert_eq!(found, Some(Mapping::early(5_300, Method::TimestampSearch, 770 - 64)));
}

#[test]
fn what_is_there_twice_or_not_in_a_row_decides_nothing() {
    let mut long = Long::new();
    // 300 is gone from the target, as compaction or a filter leaves it.
    long.target.retain(|copy| copy.fingerprint != 300);
    assert_eq!((long.search(250), long.search(300), long.search(350)), (None, None, None));
    assert_eq!(long.search(500), exact(5_500), "far from it nothing is in the way");
    // A restart copied 250 to 399 again: 300 stands there twice, and what is known of the syncs does not say which copy counts.
    let mut long = Long::new();
    let again = (250..400).map(|n: i64| (5_400 + n - 250, n.unsigned_abs()));
    let rest = (400..1_000).map(|n: i64| (5_150 + n, n.unsigned_abs()));
    long.target.truncate(400);
    long.target.extend(log(again.chain(rest)));
    long.behind = pair(900, 6_050);
    assert_eq!(long.search(320), None);
    // Records that are all alike.
    let mut alike = Long::new();
    alike.source.iter_mut().chain(&mut alike.target).for_each(|record| record.fingerprint = 1);
    assert_eq!(alike.search(300), None);
}

/// The first 500 are gone from the target, and somebody wrote 250 to 399 once more, at 700 on, with the times they had: a group at 300
/// has not read what stands before their copies there.
#[test]
fn a_stretch_that_was_written_again_is_not_taken_for_the_first_one() {
    let mut long = Long::new();
    let again = |record: &mut Visible, from: i64| {
        let n = record.offset - from;
        if (700..850).contains(&n) {
            record.fingerprint = (n - 450).unsigned_abs();
        }
    };
    long.source.iter_mut().for_each(|record| again(record, 0));
    long.target.iter_mut().for_each(|copy| again(copy, 5_000));
    long.target.retain(|copy| copy.offset >= 5_500);
    assert_eq!((long.search(300), long.search(320)), (None, None));
    // While the first one is there it is the one that counts, or none does.
    let mut whole = Long::new();
    whole.source.iter_mut().for_each(|record| again(record, 0));
    whole.target.iter_mut().for_each(|copy| again(copy, 5_000));
    assert!(whole.search(320).is_none_or(|found| found.target_offset <= 5_320));
}

#[test]
fn a_few_records_are_not_enough_and_neither_is_a_target_without_a_sync_behind() {
    let long = Long::new();
    let lifetimes = |pairs: &[OffsetPair]| Lifetimes::of(AllSyncs::from(pairs), 7_000);
    let [known, none] = [lifetimes(&[long.behind]), lifetimes(&[])];
    let of = |lifetimes: &Lifetimes, from: usize, until: usize, from_start| {
        lifetimes.search(300, &long.source[from..until], from_start, &long.target[from..])
    };
    assert_eq!(of(&known, 292, 308, false), exact(5_300));
    assert_eq!(of(&known, 293, 308, false), None, "seven before it");
    assert_eq!(of(&known, 293, 308, true), exact(5_300), "which are all that the source has");
    assert_eq!(of(&known, 292, 307, false), None, "seven from it on");
    assert_eq!(of(&none, 292, 308, false), None);
    assert_eq!((known.copies_between(300), none.copies_between(300)), (Some(0..5_900), None));
    let both = lifetimes(&[pair(100, 5_100), long.behind]);
    let between = [Some(5_100..5_900), Some(5_101..5_900), None];
    assert_eq!([100, 101, 900].map(|at| both.copies_between(at)), between);
    assert_eq!(of(&both, 292, 308, false), exact(5_300));
}

/// When records were written, by which they are: a few milliseconds apart, in order more or less; or all of them at about one time.
#[derive(Debug)]
struct Times {
    pace: i64,
    jitter: Vec<i64>,
}

impl Times {
    fn of(&self, record: &Record) -> i64 {
        let nth = usize::try_from(record.id).expect("small") % self.jitter.len();
        self.pace * record.id + self.jitter[nth]
    }

    /// Alike are records that are alike in time, too.
    fn visible(&self, records: &[Record]) -> Vec<Visible> {
        let of = |record: &Record| {
            let time = (self.of(record) + 100).unsigned_abs();
            (record.offset, record.fingerprint * 1_000_000 + time)
        };
        log(records.iter().map(of))
    }

    /// The target from where it first has a record that is not older than any of these.
    fn since_oldest<'a>(&self, compared: &[Record], target: &'a [Record]) -> Option<&'a [Record]> {
        let oldest = compared.iter().map(|record| self.of(record)).min()?;
        target.iter().position(|copy| self.of(copy) >= oldest).map(|from| &target[from..])
    }
}

fn times() -> impl Strategy<Value = Times> {
    (0_i64..4, prop::collection::vec(-4_i64..5, 1..24)).prop_map(|(pace, jitter)| Times { pace, jitter })
}

/// What is believed of the life of a flow before the first sync that is known: it had caught up by then with what it had copied
/// before it began again.
fn caught_up(history: &History, next: i64, behind: OffsetPair) -> bool {
    let newest: HashMap<i64, i64> = history.written.iter().map(|copy| (copy.id, copy.offset)).collect();
    let copies = history.written.iter().filter(|copy| copy.id == next && copy.offset < behind.downstream);
    let copy = copies.map(|copy| copy.offset).max().unwrap_or_default();
    newest.iter().all(|(id, newest)| *id < next || *newest >= copy)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the lives of the flow, the times of records and what compaction and retention leave, from whichever sync on they are
    /// known and however much is read.
    #[test]
    fn never_past_the_truth_and_no_more_again_than_is_said(
        script in scripts(),
        times in times(),
        (first, few) in (any::<Index>(), any::<bool>()),
        (before, behind, there) in (0_i64..80, 1_i64..80, 1_usize..120),
    ) {
        // Of records that differ a few are enough.
        let near = if few && script.unique { Near { most: 4, least: 2 } } else { NEAR };
        let history = History::of(&script);
        let g = history.group;
        let pairs = &history.pairs[first.index(history.pairs.len() + 1)..];
        let lifetimes = Lifetimes::of(AllSyncs { pairs, ..history.syncs() }, history.target_end);
        let seen = |record: &&Record| (g - before..g + behind).contains(&record.offset);
        let source: Vec<Record> = history.source.iter().filter(seen).copied().collect();
        let from_start = history.source.first().is_none_or(|first| first.offset >= g - before);
        let at = source.partition_point(|record| record.offset < g);
        let compared = &source[near.around(at, source.len())];
        let target = times.since_oldest(compared, &history.target).unwrap_or_default();
        let target = &target[..target.len().min(there)];
        let (here, copies) = (times.visible(&source), times.visible(target));
        let Some(mapping) = lifetimes.search_near(near, g, (&here, from_start), &copies) else {
            return Ok(());
        };
        let next = source[at];
        let (_, sync) = lifetimes.next_to(next.offset).expect("it was found by it");
        if !caught_up(&history, next.id, sync) {
            return Ok(());
        }
        let truth = history.truth();
        prop_assert!(mapping.target_offset <= truth, "{mapping:?} is past {truth}: {history:?}");
        // Holes on the source may make up for second copies.
        let between = history.copied.iter().filter(|one| (next.offset..sync.upstream).contains(&one.offset));
        let whole = i64::try_from(between.count()).expect("small") == sync.upstream - next.offset;
        let told = whole || history.exactly_once || mapping.class == ReadingClass::LowerBound;
        // A restart whose first pair was lost shows nowhere.
        if told && !script.first_pair_may_be_lost {
            let again = history.read_between(mapping.target_offset, truth);
            prop_assert!(again <= mapping.reprocessed_at_most, "{mapping:?} but {again} are read again: {history:?}");
        }
    }

    /// Of a flow that never began again, over records that differ and come in the order of their times, whatever its transactions and markers.
    #[test]
    fn what_is_copied_in_a_row_is_found(
        mut script in scripts(),
        jitter in prop::collection::vec(-4_i64..5, 1..24),
        first in any::<Index>(),
    ) {
        script.unique = true;
        script.lives = vec![Life { copies: usize::MAX / 2, repeats: 0, junk: 0 }];
        (script.compacted, script.expired) = ([0; 3], [0; 2]);
        let (history, times) = (History::of(&script), Times { pace: 20, jitter });
        let pairs = &history.pairs[first.index(history.pairs.len() + 1)..];
        let lifetimes = Lifetimes::of(AllSyncs { pairs, ..history.syncs() }, history.target_end);
        let at = history.source.partition_point(|record| record.offset < history.group);
        let enough = history.source.len() - at >= NEAR.least;
        let behind = history.source.get(at).and_then(|next| lifetimes.next_to(next.offset));
        let compared = &history.source[compared_around(at, history.source.len())];
        let target = times.since_oldest(compared, &history.target).unwrap_or_default();
        let (here, copies) = (times.visible(&history.source), times.visible(target));
        let found = lifetimes.search(history.group, &here, true, &copies);
        let expected = (enough && behind.is_some()).then(|| history.truth());
        prop_assert_eq!(found.map(|found| found.target_offset), expected, "{:?}", history);
    }

    /// Anybody who may write to the offset-syncs topic or commit for a group chooses these numbers.
    #[test]
    fn fuzz_no_numbers_overflow(
        pairs in prop::collection::vec((any::<i64>(), any::<i64>()), 0..12),
        (g, end) in any::<(i64, i64)>(),
        offsets in [prop::collection::btree_set(0..=i64::MAX, 0..12), prop::collection::btree_set(0..=i64::MAX, 0..12)],
        exactly_once in any::<bool>(),
    ) {
        let pairs: Vec<OffsetPair> = pairs.iter().map(|(up, down)| pair(up & i64::MAX, down & i64::MAX)).collect();
        let lifetimes = Lifetimes::of(AllSyncs { pairs: &pairs, exactly_once }, end & i64::MAX);
        let [source, target] = offsets.map(|offsets| log(offsets.into_iter().zip([1, 2, 1, 3, 1, 2].into_iter().cycle())));
        let near = Near { most: 2, least: 1 };
        let _ = lifetimes.copies_between(g);
        if let Some(mapping) = lifetimes.search_near(near, g, (&source, true), &target) {
            prop_assert!(mapping.target_offset >= 0 && mapping.reprocessed_at_most >= 0, "{mapping:?}");
        }
    }
}
