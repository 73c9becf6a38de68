use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap},
};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::{
    reading::ReadingClass,
    samples::cases,
    translation::AllSyncs,
    translation::histories::{History, Record, Script, scripts, visible},
};

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

/// Records at these offsets, each with what is in it.
fn log(records: impl IntoIterator<Item = (i64, u64)>) -> Vec<Visible> {
    records.into_iter().map(|(offset, fingerprint)| Visible { offset, fingerprint }).collect()
}

/// Source offsets 0 to 39 with different records, of which the target holds the first so many at 100 and on.
struct Plain {
    source: Vec<Visible>,
    target: Vec<Visible>,
}

impl Plain {
    fn copied(count: i64) -> Self {
        let source = log((0..40).map(|n: i64| (n, 500 + n.unsigned_abs())));
        let target = log((0..count).map(|n: i64| (100 + n, 500 + n.unsigned_abs())));
        Self { source, target }
    }

    /// Rings kept when the target had the first so many.
    fn kept(&self, positions: &[i64], copied: i64) -> Rings {
        let run = |position: &i64| {
            let (from, until) = ((position - 16).max(0), (position + 16).min(40));
            let prints = self.source.iter().filter(|record| (from..until).contains(&record.offset)).copied();
            Run { from, until, prints: prints.collect() }.around(*position)
        };
        let positions: BTreeSet<i64> = positions.iter().copied().collect();
        let runs = positions.iter().map(run).collect();
        Rings::new((40, 100 + copied), true, runs, &positions, &[pair(0, 100), pair(10, 110)])
    }

    fn resume(&self, rings: &Rings, position: i64) -> Resumed {
        let ring = rings.at_or_before(position).unwrap();
        let end = 100 + i64::try_from(self.target.len()).unwrap();
        resume(&ring, held(&ring, &self.target, (100, end))).unwrap()
    }
}

fn held<'a>(ring: &Ring<'_>, target: &'a [Visible], (start, end): (i64, i64)) -> Held<'a> {
    let (from, until) = ring.stretch(start, end);
    let from = target.partition_point(|copy| copy.offset < from);
    let until = target.partition_point(|copy| copy.offset < until);
    Held { start, end, records: Some(&target[from..until]) }
}

#[test]
fn what_was_copied_after_the_last_look_is_found_by_its_prints() {
    let plain = Plain::copied(35);
    let rings = plain.kept(&[5, 10, 20, 30], 12);
    let found = |position| {
        let resumed = plain.resume(&rings, position);
        (resumed.mapping.target_offset, resumed.mapping.class, resumed.mapping.method, resumed.run)
    };
    assert_eq!(found(5), (105, ReadingClass::Exact, Method::Ring, 8));
    assert_eq!(
        found(10),
        (110, ReadingClass::Exact, Method::Ring, 8),
        "its sync was too young to be relied on"
    );
    assert_eq!(found(20), (120, ReadingClass::Exact, Method::Ring, 8));
    assert_eq!(found(30), (130, ReadingClass::Exact, Method::Ring, 5), "the target ends there");
    // No ring is kept for this one: the nearest before it has one.
    assert_eq!(found(23), found(20));
    let rings = plain.kept(&[5, 10], 35);
    let found = |position| plain.resume(&rings, position);
    assert_eq!(
        (found(5).mapping, found(5).run),
        (Mapping::exact(105, Method::Ring), 6),
        "up to the next sync"
    );
    assert_eq!(found(10).mapping, Mapping::exact(110, Method::Pair));
}

#[test]
fn a_group_ahead_of_what_was_copied_goes_to_the_end_and_what_is_lost_is_told() {
    let plain = Plain::copied(35);
    let rings = plain.kept(&[37, 40], 12);
    for position in [37, 40] {
        let resumed = plain.resume(&rings, position);
        assert_eq!(resumed.mapping, Mapping::exact(135, Method::Ring), "{position}");
        assert_eq!(resumed.arrived, Some(35), "{position}");
    }
    // Further ahead than its ring reaches back: nothing shows that everything there was read.
    let behind = Plain::copied(20);
    let resumed = behind.resume(&rings, 37);
    let expected = Mapping::early(101, Method::PairFloor, 19);
    assert_eq!((resumed.mapping, resumed.arrived), (expected, None));
}

#[test]
fn a_group_that_had_read_everything_goes_on_behind_the_last_record_there_was() {
    let mut plain = Plain::copied(40);
    let rings = plain.kept(&[40], 38);
    assert_eq!(plain.resume(&rings, 40).mapping, Mapping::exact(140, Method::Ring));
    // Written and copied between the last look and the death.
    plain.target.extend(log((140..144).map(|offset: i64| (offset, offset.unsigned_abs()))));
    assert_eq!(plain.resume(&rings, 40).mapping, Mapping::exact(140, Method::Ring));
}

#[test]
fn second_copies_are_read_again_and_strange_records_leave_it_to_the_sync() {
    let mut plain = Plain::copied(35);
    let rings = plain.kept(&[20], 12);
    // The task began again some records back after the last look.
    plain.target.extend(log((18..25).map(|n: i64| (117 + n, 500 + n.unsigned_abs()))));
    let again = plain.resume(&rings, 20).mapping;
    assert_eq!((again.target_offset, again.class), (120, ReadingClass::LowerBound));
    let mut strange = Plain::copied(35);
    strange.target[22].fingerprint = 7;
    assert_eq!(strange.resume(&rings, 20).mapping, Mapping::early(101, Method::PairFloor, 34));
}

#[test]
fn what_retention_took_is_not_looked_for_and_a_shorter_target_is_another_one() {
    let plain = Plain::copied(35);
    let rings = plain.kept(&[20], 12);
    let ring = rings.at_or_before(20).unwrap();
    let resumed = resume(&ring, held(&ring, &plain.target, (118, 135))).unwrap();
    assert_eq!(resumed.mapping, Mapping::early(118, Method::PairFloor, 17));
    let is = Held { start: 0, end: 50, records: Some(&[]) };
    assert_eq!(resume(&ring, is), Err(Untranslatable::TargetShorter { was: 112, is: 50 }));
    let other = log([(100, 1)]);
    let contradicted = Untranslatable::PairContradicted { upstream: 0, downstream: 100 };
    let at_sync = Ring { before: &plain.source[..20], ..ring };
    let is = Held { start: 0, end: 135, records: Some(&other) };
    assert_eq!(resume(&at_sync, is), Err(contradicted));
    let none = Ring { syncs: None, ..ring };
    let is = Held { start: 0, end: 135, records: None };
    assert_eq!(resume(&none, is), Err(Untranslatable::NoSyncKept { offset: 20 }));
}

#[test]
fn positions_share_what_is_kept_and_of_very_many_some_are() {
    let plain = Plain::copied(35);
    let rings = plain.kept(&[5, 9, 30], 12);
    let runs: Vec<(i64, i64, usize)> =
        rings.runs.iter().map(|run| (run.from, run.until, run.prints.len())).collect();
    assert_eq!(runs, [(0, 17, 17), (22, 38, 16)]);
    let many: BTreeSet<i64> = (0..100).collect();
    let chosen = Rings::choose(&many);
    assert_eq!(chosen.len(), MOST_POSITIONS);
    assert!(chosen.contains(&0) && chosen.contains(&99), "{chosen:?}");
}

/// When the source was looked at last, and what of it was kept.
#[derive(Debug, Clone)]
struct Look {
    /// How far the target was, how far the source was beyond that, and where the group stood.
    at: [Index; 3],
    /// Records kept on each side of the position, and offsets read for that.
    width: usize,
    span: i64,
    /// At the very end: the source was compacted and expired meanwhile.
    late: bool,
    /// A stretch that retention took from the source before it was copied, though what is behind it was.
    hole: (Index, usize),
}

fn looks() -> impl Strategy<Value = Look> {
    (any::<[Index; 3]>(), 1..=RING, 2i64..40, prop::bool::weighted(0.2), (any::<Index>(), 0usize..6))
        .prop_map(|(at, width, span, late, (hole, length))| Look {
            at,
            width,
            span,
            late,
            hole: (hole, length.saturating_sub(3)),
        })
}

/// What was known at the look, and the truth.
struct Seen {
    history: History,
    source: Vec<Record>,
    source_end: i64,
    target_end: i64,
    group: i64,
    keeps_all: bool,
    /// What the target holds in the end.
    target: Vec<Record>,
}

impl Seen {
    fn of(script: &Script, look: &Look) -> Self {
        let history = History::of(script);
        // A restart that shows in no sync is relied on to have caught up.
        let late = look.late || history.hidden;
        let size = |end: i64| usize::try_from(end).expect("small") + 1;
        let target_end =
            if late { history.target_end } else { look.at[0].index(size(history.target_end)) as i64 };
        let there = history.written.iter().filter(|copy| copy.offset < target_end);
        let reached = there
            .map(|copy| copy.id)
            .max()
            .map_or(0, |last| history.copied.partition_point(|record| record.id <= last));
        let (source, source_end) = if late {
            (history.source.clone(), history.source_end)
        } else {
            let seen = reached + look.at[1].index(history.copied.len() - reached + 1);
            let end = history.copied.get(seen).map_or(history.source_end, |next| next.id);
            (history.copied[..seen].to_vec(), end)
        };
        let mut target = history.target.clone();
        let later = target.partition_point(|copy| copy.offset < target_end);
        if script.unique && later < target.len() {
            let from = later + look.hole.0.index(target.len() - later);
            let until = (from + look.hole.1).min(target.len());
            target.drain(from..until);
        }
        let group = look.at[2].index(size(source_end)) as i64;
        let keeps_all = script.compacted == [0; 3];
        Self { history, source, source_end, target_end, group, keeps_all, target }
    }

    fn rings(&self, look: &Look) -> Rings {
        let pairs: Vec<OffsetPair> =
            self.history.pairs.iter().filter(|pair| pair.downstream < self.target_end).copied().collect();
        let (from, until) = ((self.group - look.span).max(0), (self.group + look.span).min(self.source_end));
        let within = |record: &&Record| (from..until).contains(&record.offset);
        let prints: Vec<Record> = self.source.iter().filter(within).copied().collect();
        let run = Run { from, until, prints: visible(&prints) }.around(self.group);
        let positions = BTreeSet::from([self.group]);
        let syncs = AllSyncs { pairs: &pairs, exactly_once: self.history.exactly_once };
        Rings::new((self.source_end, self.target_end), self.keeps_all, vec![run], &positions, syncs)
    }

    /// Every record from here on was unread.
    fn unread_from(&self) -> i64 {
        let next = self.source.iter().find(|record| record.offset >= self.group);
        next.map_or(self.source_end, |next| next.id)
    }

    /// The last position from which everything unread that the target has is still given.
    fn truth(&self) -> i64 {
        let newest: HashMap<i64, i64> = self.target.iter().map(|copy| (copy.id, copy.offset)).collect();
        let unread = newest.iter().filter(|(id, _)| **id >= self.unread_from());
        unread.map(|(_, offset)| *offset).min().unwrap_or(self.history.target_end)
    }

    /// Records the group had read whose first copy it is given from a position on.
    fn read_again(&self, position: i64) -> i64 {
        let mut first: HashMap<i64, i64> = HashMap::new();
        for copy in &self.history.written {
            first.entry(copy.id).or_insert(copy.offset);
        }
        let again = |copy: &&Record| {
            copy.id < self.group && copy.offset >= position && first[&copy.id] == copy.offset
        };
        i64::try_from(self.target.iter().filter(again).count()).expect("small")
    }
}

#[test]
fn never_past_the_truth_and_mostly_exact_where_nothing_is_removed() {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let counts = [const { Cell::new(0u32) }; 6];
    let count = |of: usize| counts[of].set(counts[of].get() + 1);
    let outcome = TestRunner::new(config).run(&(scripts(), looks()), |(script, look)| {
        let seen = Seen::of(&script, &look);
        let rings = seen.rings(&look);
        let mut ring = rings.at_or_before(seen.group).expect("it is kept");
        ring.before = &ring.before[ring.before.len().saturating_sub(look.width)..];
        if ring.after.len() > look.width {
            (ring.after, ring.to_end) = (&ring.after[..look.width], false);
        }
        let target = visible(&seen.target);
        let is = held(&ring, &target, (seen.history.target_start, seen.history.target_end));
        let without = Ring { before: &[], after: &[], to_end: false, ..ring };
        // Every record is another one, and nobody removes any.
        let plain = script.unique && seen.keeps_all && script.expired == [0; 2] && look.hole.1 == 0;
        if plain && !seen.history.hidden {
            count(4);
            let exact = |resumed: Resumed| resumed.mapping.class == ReadingClass::Exact;
            if resume(&ring, is).is_ok_and(exact) {
                count(5);
            }
        }
        for (ring, is) in [(ring, is), (ring, Held { records: None, ..is }), (without, is)] {
            let Ok(Resumed { mapping, .. }) = resume(&ring, is) else {
                count(0);
                continue;
            };
            let truth = seen.truth();
            prop_assert!(
                mapping.target_offset <= truth,
                "{mapping:?} is past {truth}: {ring:?} {:?}",
                seen.history
            );
            let blind =
                is.records.is_none() || (ring.before.is_empty() && ring.after.is_empty() && !ring.to_end);
            prop_assert!(!blind || mapping.method != Method::Ring || ring.to_end, "{mapping:?} by no prints");
            if script.unique && !seen.history.hidden {
                let again = seen.read_again(mapping.target_offset);
                prop_assert!(
                    again <= mapping.reprocessed_at_most,
                    "{mapping:?} but {again} are read again: {ring:?} {:?}",
                    seen.history
                );
            }
            match (mapping.class, mapping.method) {
                (ReadingClass::Exact, Method::Ring) => count(1),
                (ReadingClass::Exact, _) => count(2),
                (_, _) => count(3),
            }
        }
        Ok(())
    });
    let [refused, by_ring, by_sync, early, plain, exact] = counts.map(Cell::into_inner);
    println!("{by_ring} exact by rings, {by_sync} exact by syncs, {early} early, {refused} refused");
    println!("of {plain} where nothing is removed {exact} are exact");
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
    assert!(by_ring * 10 > cases() && exact * 10 > plain * 6, "a ring that decides nothing is no use");
}
