//! Comparing two streams of records by their prints, with bounded memory. Pure.
//!
//! Streams that are equal cost little more than counting. Where they differ, up to `LOOK_AHEAD` records of both are held to
//! tell what is missing, extra, out of order or copied twice.

use serde::{Deserialize, Serialize};

use super::held::{Held, Remembered, Waiting};
use muster_kafka::RecordPrint;

/// Records of each side held to find one again after a difference.
pub(crate) const LOOK_AHEAD: usize = 20_000;
/// Differences cited in the evidence.
const EXAMPLES: usize = 5;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Visible records of the source.
    pub on_source: u64,
    /// Visible records of the target.
    pub on_target: u64,
    /// Records found on both, in order or not.
    pub matched: u64,
    /// Records of the source that the target does not hold.
    pub missing: u64,
    /// Records of the target that the source does not hold.
    pub extra: u64,
    /// Second copies of matched records on the target.
    pub duplicates: u64,
    /// Matched records at another place in the order.
    pub out_of_order: u64,
    /// Records of one side that compaction removed on the other: a newer one of the same key follows there.
    #[serde(default)]
    pub compacted: u64,
    /// Records that are on one side only and that compaction may have removed on the other: what deletes their key was
    /// removed, too, or there were more of them than are remembered.
    #[serde(default)]
    pub undecided: u64,
    /// XXH3-64 over the fingerprints of the source's records in order, hex.
    pub source_digest: String,
    /// The same of the target's.
    pub target_digest: String,
    /// The first few differences.
    pub examples: Vec<Difference>,
}

/// One difference, without what is in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Offset on the source, where there is one.
    pub source_offset: Option<i64>,
    /// Offset on the target, where there is one.
    pub target_offset: Option<i64>,
    /// XXH3-64 of the key, hex; `None` for a record without one.
    #[serde(default)]
    pub key_hash: Option<String>,
    /// Timestamp in milliseconds since the epoch.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// Bytes of key, value and headers.
    #[serde(default)]
    pub bytes: Option<u32>,
}

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of `Found`")]
pub enum DifferenceKind {
    Missing,
    Extra,
    Duplicate,
    OutOfOrder,
}

/// Which sides keep only the newest record of each key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// The source's topic has `compact` in its `cleanup.policy`.
    pub source: bool,
    /// The target's has.
    pub target: bool,
}

impl Found {
    /// Every record of the source is on the target, in order, and nothing else is but second copies; but for what
    /// compaction removed.
    #[must_use]
    pub fn nothing_lost(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.out_of_order == 0 && self.undecided == 0
    }

    /// And no second copies either, and nothing was removed.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.nothing_lost() && self.duplicates == 0 && self.compacted == 0
    }

    fn note(&mut self, kind: DifferenceKind, source: Option<RecordPrint>, target: Option<RecordPrint>) {
        let counter = match kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Extra => &mut self.extra,
            DifferenceKind::Duplicate => &mut self.duplicates,
            DifferenceKind::OutOfOrder => &mut self.out_of_order,
        };
        *counter += 1;
        if self.examples.len() < EXAMPLES {
            let record = source.or(target);
            self.examples.push(Difference {
                kind,
                source_offset: source.map(|print| print.offset),
                target_offset: target.map(|print| print.offset),
                key_hash: record.and_then(|print| print.key).map(|key| format!("{key:016x}")),
                timestamp: record.map(|print| print.timestamp),
                bytes: record.map(|print| print.bytes),
            });
        }
    }
}

/// A comparison under way.
#[derive(Default)]
pub(crate) struct Comparison {
    source: Held,
    target: Held,
    matched: Remembered,
    compacted: Compacted,
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

impl Comparison {
    /// Of topics some of which may be compacted.
    pub(crate) fn of(compacted: Compacted) -> Self {
        Self { compacted, ..Self::default() }
    }

    /// Takes records of the source.
    pub(crate) fn take_source(&mut self, records: &[RecordPrint]) {
        self.found.on_source += records.len() as u64;
        self.source.take(records);
    }

    /// Takes records of the target.
    pub(crate) fn take_target(&mut self, records: &[RecordPrint]) {
        self.found.on_target += records.len() as u64;
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
                (None, Some(target)) if self.source_done => self.surplus(target),
                (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) | (None, None) => return,
            }
        }
    }

    /// What was found; only once both sides are done and went on.
    pub(crate) fn finish(mut self) -> Found {
        let (missing, undecided) = self.missing.end();
        self.found.undecided += undecided;
        missing.into_iter().for_each(|source| self.found.note(DifferenceKind::Missing, Some(source), None));
        let (extra, undecided) = self.extra.end();
        self.found.undecided += undecided;
        extra.into_iter().for_each(|target| self.found.note(DifferenceKind::Extra, None, Some(target)));
        self.found.source_digest = self.source.digest();
        self.found.target_digest = self.target.digest();
        self.found
    }

    fn match_one(&mut self, source: RecordPrint, target: RecordPrint) {
        self.found.matched += 1;
        self.matched.add(source.fingerprint);
        self.found.compacted += self.missing.settle(target.key) + self.extra.settle(source.key);
    }

    /// The first records differ, and enough of both sides is held to say why.
    fn tell(&mut self, source: RecordPrint, target: RecordPrint) {
        if self.matched.holds(target.fingerprint) && !self.source.holds(target.fingerprint) {
            self.surplus(target);
            return;
        }
        match (self.target.holds(source.fingerprint), self.source.holds(target.fingerprint)) {
            (true, true) => {
                self.source.pop();
                let moved = self.target.remove(source.fingerprint);
                self.match_one(source, moved.unwrap_or(target));
                self.found.note(DifferenceKind::OutOfOrder, Some(source), moved);
            }
            (true, false) => self.surplus(target),
            (false, _) => self.shortfall(source),
        }
    }

    /// A record of the source that nothing on the target answers to.
    fn shortfall(&mut self, source: RecordPrint) {
        self.source.pop();
        // A newer record of its key is on the source, whatever became of that on the target.
        self.found.compacted += self.extra.settle(source.key);
        match source.key {
            Some(key) if self.compacted.target => self.found.undecided += self.missing.put(key, source),
            Some(_) | None => self.found.note(DifferenceKind::Missing, Some(source), None),
        }
    }

    /// A record of the target that nothing on the source answers to.
    fn surplus(&mut self, target: RecordPrint) {
        self.target.pop();
        self.found.compacted += self.missing.settle(target.key);
        match target.key {
            _ if self.matched.holds(target.fingerprint) => {
                self.found.note(DifferenceKind::Duplicate, None, Some(target));
            }
            Some(key) if self.compacted.source => self.found.undecided += self.extra.put(key, target),
            Some(_) | None => self.found.note(DifferenceKind::Extra, None, Some(target)),
        }
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
        let mut comparison = Comparison::of(compacted);
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
