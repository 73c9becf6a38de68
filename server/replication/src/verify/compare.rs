//! Comparing two streams of records by their prints, with bounded memory. Pure.
//!
//! Streams that are equal cost little more than counting. Where they differ, up to `LOOK_AHEAD` records of both are held to
//! tell what is missing, extra, out of order or copied twice.

use muster_domain::content::{Compacted, Difference, DifferenceKind, Found};
use muster_kafka::RecordPrint;

use super::held::{Held, Newest, Remembered, Waiting};

/// Records of each side held to find one again after a difference.
pub(crate) const LOOK_AHEAD: usize = 20_000;

/// Which side may begin with records the other has no answer to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Neither: both begin with the same record.
    #[default]
    Same,
    /// The source: retention removed their copies.
    SourceEarlier,
    /// The target: retention removed what they are copies of, or the comparison begins in the middle.
    TargetEarlier,
}

/// What is known of the two ends of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) beginning: Beginning,
    /// One past the last source offset whose record must be on the target.
    pub(crate) required_until: i64,
    /// The target goes on behind the last record of the source: what stands there is not looked at.
    pub(crate) target_goes_on: bool,
}

impl Default for Edges {
    fn default() -> Self {
        Self { beginning: Beginning::Same, required_until: i64::MAX, target_goes_on: false }
    }
}

/// A comparison under way.
#[derive(Default)]
pub(crate) struct Comparison {
    source: Held,
    target: Held,
    matched: Remembered,
    /// Of a compacted target: the newest matched record of each key.
    newest: Newest,
    compacted: Compacted,
    edges: Edges,
    /// On the source only, so far.
    missing: Waiting,
    /// On the target only, so far.
    extra: Waiting,
    found: Found,
    /// The source was read to its end.
    pub(crate) source_done: bool,
    /// The target was read to its end.
    pub(crate) target_done: bool,
}

/// Where a comparison that was interrupted goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Next source offset to tell; `None`: whatever is read next.
    pub(crate) source: Option<i64>,
    /// The same of the target.
    pub(crate) target: Option<i64>,
    /// What was found before.
    pub(crate) found: Found,
}

impl Comparison {
    /// Of topics some of which may be compacted.
    pub(crate) fn of(compacted: Compacted, edges: Edges) -> Self {
        Self { compacted, edges, ..Self::default() }
    }

    /// Goes on behind what was found before. What was matched before is not remembered: see [`Self::remember`].
    pub(crate) fn after(mut self, found: Found) -> Self {
        let digest = |hex: &str| u64::from_str_radix(hex, 16).unwrap_or(0);
        self.source = Held::after(digest(&found.source_digest), found.on_source);
        self.target = Held::after(digest(&found.target_digest), found.on_target);
        self.found = found;
        self
    }

    /// Takes records of the source before its beginning, to recognise second copies of them.
    pub(crate) fn remember(&mut self, records: &[RecordPrint]) {
        for print in records {
            self.matched.add(print.fingerprint);
            self.keep_newest(print);
        }
    }

    fn keep_newest(&mut self, print: &RecordPrint) {
        if self.compacted.target
            && let Some(key) = print.key
        {
            self.newest.keep(key, print.fingerprint);
        }
    }

    /// Takes records of the source.
    pub(crate) fn take_source(&mut self, records: &[RecordPrint]) {
        self.source.take(records);
    }

    /// Takes records of the target.
    pub(crate) fn take_target(&mut self, records: &[RecordPrint]) {
        self.target.take(records);
    }

    /// Whether more of the source is of use now.
    pub(crate) fn wants_source(&self) -> bool {
        !self.source_done && self.source.len() < LOOK_AHEAD
    }

    /// Whether more of the target is of use now.
    pub(crate) fn wants_target(&self) -> bool {
        !self.target_done && self.target.len() < LOOK_AHEAD
    }

    /// Compares as far as what was taken allows.
    pub(crate) fn go_on(&mut self) {
        loop {
            let can_tell = !self.wants_source() && !self.wants_target();
            match (self.source.first(), self.target.first()) {
                (Some(source), Some(target)) if source.fingerprint == target.fingerprint => {
                    self.source.pop();
                    self.target.pop();
                    self.match_one(source, target);
                }
                (Some(source), Some(target)) if can_tell => self.tell(source, target),
                (Some(source), None) if self.target_done => self.shortfall(source),
                (None, _) if self.source_done && self.edges.target_goes_on => {
                    self.target_done = true;
                    return;
                }
                (None, Some(target)) if self.source_done => self.surplus(target),
                (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) | (None, None) => return,
            }
        }
    }

    /// Where it could go on if it ended now: when everything before is told.
    pub(crate) fn level(&self) -> Option<Level> {
        let (source, target) = (self.source.first(), self.target.first());
        let told = self.source.is_level() && self.target.is_level() && (source.is_none() || target.is_none());
        let nothing_waits = self.missing.is_empty() && self.extra.is_empty();
        (told && nothing_waits).then(|| Level {
            source: source.map(|print| print.offset),
            target: target.map(|print| print.offset),
            found: self.so_far(),
        })
    }

    /// What was found; only once both sides are done and went on.
    pub(crate) fn finish(mut self) -> Found {
        let (missing, undecided) = self.missing.end();
        self.found.undecided += undecided;
        for source in missing {
            // A newer record of its key may stand behind the end.
            if self.edges.target_goes_on { self.found.undecided += 1 } else { self.miss(source) }
        }
        let (extra, undecided) = self.extra.end();
        self.found.undecided += undecided;
        for target in extra {
            if self.edges.target_goes_on {
                self.found.undecided += 1;
            } else {
                self.found.note(difference(DifferenceKind::Extra, None, Some(target)));
            }
        }
        self.so_far()
    }

    fn so_far(&self) -> Found {
        Found {
            on_source: self.source.passed(),
            on_target: self.target.passed(),
            source_digest: format!("{:016x}", self.source.digest()),
            target_digest: format!("{:016x}", self.target.digest()),
            ..self.found.clone()
        }
    }

    fn match_one(&mut self, source: RecordPrint, target: RecordPrint) {
        self.found.matched += 1;
        self.matched.add(source.fingerprint);
        self.keep_newest(&source);
        self.found.compacted += self.missing.settle(target.key) + self.extra.settle(source.key);
    }

    /// The first records differ, and enough of both sides is held to say why.
    fn tell(&mut self, source: RecordPrint, target: RecordPrint) {
        match self.leads() {
            Beginning::SourceEarlier if !self.target.holds(source.fingerprint) => {
                return self.shortfall(source);
            }
            Beginning::TargetEarlier if !self.source.holds(target.fingerprint) => {
                return self.surplus(target);
            }
            Beginning::Same | Beginning::SourceEarlier | Beginning::TargetEarlier => {}
        }
        if self.matched.holds(target.fingerprint) && !self.source.holds(target.fingerprint) {
            self.surplus(target);
            return;
        }
        match (self.target.holds(source.fingerprint), self.source.holds(target.fingerprint)) {
            (true, true) => {
                self.source.pop();
                let moved = self.target.remove(source.fingerprint);
                self.match_one(source, moved.unwrap_or(target));
                self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), moved));
            }
            (true, false) => self.surplus(target),
            (false, _) => self.shortfall(source),
        }
    }

    /// Which side still shows records from before the other's beginning: none once one record was found on both.
    fn leads(&self) -> Beginning {
        if self.found.matched == 0 { self.edges.beginning } else { Beginning::Same }
    }

    /// A record of the source that nothing on the target answers to.
    fn shortfall(&mut self, source: RecordPrint) {
        self.source.pop();
        if self.leads() == Beginning::SourceEarlier {
            self.found.before += 1;
            return;
        }
        // A newer record of its key is on the source, whatever became of that on the target.
        self.found.compacted += self.extra.settle(source.key);
        match source.key {
            // Its like, down to the timestamp, is the newest of its key there: of these compaction leaves one, and of what is
            // between them nothing, whichever it was matched with.
            Some(key) if self.compacted.target && self.newest.is(key, source.fingerprint) => {
                self.found.compacted += 1 + self.missing.settle(Some(key));
            }
            Some(key) if self.compacted.target => self.found.undecided += self.missing.put(key, source),
            Some(_) | None => self.miss(source),
        }
    }

    /// The target does not hold it, and is to hold it by now or not.
    fn miss(&mut self, source: RecordPrint) {
        if source.offset >= self.edges.required_until {
            self.found.pending += 1;
        } else {
            self.found.note(difference(DifferenceKind::Missing, Some(source), None));
        }
    }

    /// A record of the target that nothing on the source answers to.
    fn surplus(&mut self, target: RecordPrint) {
        self.target.pop();
        let second = self.matched.holds(target.fingerprint);
        if self.leads() == Beginning::TargetEarlier && !second {
            self.found.before += 1;
            return;
        }
        self.found.compacted += self.missing.settle(target.key);
        match target.key {
            _ if second => self.found.note(difference(DifferenceKind::Duplicate, None, Some(target))),
            Some(key) if self.compacted.source => self.found.undecided += self.extra.put(key, target),
            Some(_) | None => self.found.note(difference(DifferenceKind::Extra, None, Some(target))),
        }
    }
}

/// A difference without what is in the record.
fn difference(kind: DifferenceKind, source: Option<RecordPrint>, target: Option<RecordPrint>) -> Difference {
    let record = source.or(target);
    Difference {
        kind,
        source_offset: source.map(|print| print.offset),
        target_offset: target.map(|print| print.offset),
        key_hash: record.and_then(|print| print.key).map(|key| format!("{key:016x}")),
        timestamp: record.map(|print| print.timestamp),
        bytes: record.map(|print| print.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(offset: i64, fingerprint: u64, key: Option<u64>) -> RecordPrint {
        RecordPrint { offset, timestamp: 0, fingerprint, key, bytes: 9, tombstone: false }
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
        let mut comparison = Comparison::of(compacted, edges);
        let (mut source, mut target) = (source.chunks(3), target.chunks(2));
        while !comparison.source_done || !comparison.target_done {
            match source.next() {
                Some(piece) => comparison.take_source(piece),
                None => comparison.source_done = true,
            }
            match target.next() {
                Some(piece) => comparison.take_target(piece),
                None => comparison.target_done = true,
            }
            comparison.go_on();
        }
        comparison.finish()
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
        assert_eq!(
            counts(&[1, 2, 3, 4, 5], &[1, 2, 3, 2, 3, 4, 5]),
            (0, 0, 2, 0),
            "a second life of the task"
        );
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
            let found =
                compare_edges(&records(source), &records(target), Compacted::default(), edges(beginning));
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
        assert_eq!(
            (found.compacted, found.missing, found.nothing_lost(), found.equal()),
            (3, 0, true, false)
        );
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

    proptest::proptest! {
        #[test]
        fn counts_always_add_up(source in proptest::collection::vec(0u64..6, 0..40),
                                target in proptest::collection::vec(0u64..6, 0..40)) {
            let found = compare(&source, &target);
            assert_eq!(found.on_source, found.matched + found.missing);
            assert_eq!(found.on_target, found.matched + found.extra + found.duplicates);
            assert_eq!(found.equal(), source == target);
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
                comparison.take_source(&piece(&source, &mut taken));
                comparison.take_target(&piece(&target, &mut given));
                comparison.source_done = taken >= source.len();
                comparison.target_done = given >= target.len();
                comparison.go_on();
                if let Some(level) = comparison.level() {
                    interruptions += 1;
                    taken = level.source.map_or(taken.min(source.len()), |at| at as usize);
                    given = level.target.map_or(given.min(target.len()), |at| at as usize);
                    comparison = Comparison::default().after(level.found);
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
}
