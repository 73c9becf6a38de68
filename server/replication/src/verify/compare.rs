//! Comparing two streams of records by their fingerprints, with bounded memory. Pure.
//!
//! Streams that are equal cost nothing but counting. Where they differ, up to `LOOK_AHEAD` records of both are held to tell
//! what is missing, extra, out of order or copied twice.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::records::Seen;

/// Records of each side held to find one again after a difference.
pub(crate) const LOOK_AHEAD: usize = 20_000;
/// Matched records remembered to recognise second copies: a killed at-least-once worker was seen to leave 39,000 with a
/// flush interval of one second.
const REMEMBERED: usize = 100_000;
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
    /// XXH3-64 over the fingerprints of the source's records in order, hex.
    pub source_digest: String,
    /// The same of the target's.
    pub target_digest: String,
    /// The first few differences.
    pub examples: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Offset on the source, where there is one.
    pub source_offset: Option<i64>,
    /// Offset on the target, where there is one.
    pub target_offset: Option<i64>,
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

impl Found {
    /// Every record of the source is on the target, in order, and nothing else is but second copies.
    #[must_use]
    pub fn nothing_lost(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.out_of_order == 0
    }

    /// And no second copies either.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.nothing_lost() && self.duplicates == 0
    }

    fn note(&mut self, kind: DifferenceKind, source: Option<Seen>, target: Option<Seen>) {
        let counter = match kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Extra => &mut self.extra,
            DifferenceKind::Duplicate => &mut self.duplicates,
            DifferenceKind::OutOfOrder => &mut self.out_of_order,
        };
        *counter += 1;
        if self.examples.len() < EXAMPLES {
            let (source_offset, target_offset) =
                (source.map(|seen| seen.offset), target.map(|seen| seen.offset));
            self.examples.push(Difference { kind, source_offset, target_offset });
        }
    }
}

/// A comparison under way.
#[derive(Default)]
pub(crate) struct Comparison {
    source: Held,
    target: Held,
    matched: Remembered,
    found: Found,
    /// The source was read to its end.
    pub(crate) source_done: bool,
    /// The target was read to its end.
    pub(crate) target_done: bool,
}

impl Comparison {
    /// Takes records of the source.
    pub(crate) fn take_source(&mut self, records: &[Seen]) {
        self.found.on_source += records.len() as u64;
        records.iter().for_each(|seen| self.source.push(*seen));
    }

    /// Takes records of the target.
    pub(crate) fn take_target(&mut self, records: &[Seen]) {
        self.found.on_target += records.len() as u64;
        records.iter().for_each(|seen| self.target.push(*seen));
    }

    /// Whether more of the source is of use now.
    pub(crate) fn wants_source(&self) -> bool {
        !self.source_done && self.source.queue.len() < LOOK_AHEAD
    }

    /// Whether more of the target is of use now.
    pub(crate) fn wants_target(&self) -> bool {
        !self.target_done && self.target.queue.len() < LOOK_AHEAD
    }

    /// Compares as far as what was taken allows.
    pub(crate) fn go_on(&mut self) {
        loop {
            let can_tell = !self.wants_source() && !self.wants_target();
            match (self.source.first(), self.target.first()) {
                (Some(source), Some(target)) if source.fingerprint == target.fingerprint => {
                    self.source.pop();
                    self.target.pop();
                    self.match_one(source.fingerprint);
                }
                (Some(source), Some(target)) if can_tell => self.tell(source, target),
                (Some(source), None) if self.target_done => {
                    self.source.pop();
                    self.found.note(DifferenceKind::Missing, Some(source), None);
                }
                (None, Some(target)) if self.source_done => self.surplus(target),
                (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) | (None, None) => return,
            }
        }
    }

    /// What was found; only once both sides are done and went on.
    pub(crate) fn finish(mut self) -> Found {
        self.found.source_digest = self.source.digest();
        self.found.target_digest = self.target.digest();
        self.found
    }

    fn match_one(&mut self, fingerprint: u64) {
        self.found.matched += 1;
        self.matched.add(fingerprint);
    }

    /// The first records differ, and enough of both sides is held to say why.
    fn tell(&mut self, source: Seen, target: Seen) {
        if self.matched.holds(target.fingerprint) && !self.source.holds(target.fingerprint) {
            self.surplus(target);
            return;
        }
        match (self.target.holds(source.fingerprint), self.source.holds(target.fingerprint)) {
            (true, true) => {
                self.source.pop();
                let moved = self.target.remove(source.fingerprint);
                self.match_one(source.fingerprint);
                self.found.note(DifferenceKind::OutOfOrder, Some(source), moved);
            }
            (true, false) => self.surplus(target),
            (false, _) => {
                self.source.pop();
                self.found.note(DifferenceKind::Missing, Some(source), None);
            }
        }
    }

    /// A record of the target that nothing on the source answers to.
    fn surplus(&mut self, target: Seen) {
        self.target.pop();
        let copied = self.matched.holds(target.fingerprint);
        let kind = if copied { DifferenceKind::Duplicate } else { DifferenceKind::Extra };
        self.found.note(kind, None, Some(target));
    }
}

/// Records of one side that are not told yet.
#[derive(Default)]
struct Held {
    queue: VecDeque<Seen>,
    counts: HashMap<u64, u32>,
    digest: Xxh3,
}

impl Held {
    fn push(&mut self, seen: Seen) {
        self.digest.update(&seen.fingerprint.to_le_bytes());
        *self.counts.entry(seen.fingerprint).or_default() += 1;
        self.queue.push_back(seen);
    }

    fn first(&self) -> Option<Seen> {
        self.queue.front().copied()
    }

    fn pop(&mut self) {
        if let Some(seen) = self.queue.pop_front() {
            forget(&mut self.counts, seen.fingerprint);
        }
    }

    fn remove(&mut self, fingerprint: u64) -> Option<Seen> {
        let position = self.queue.iter().position(|seen| seen.fingerprint == fingerprint)?;
        forget(&mut self.counts, fingerprint);
        self.queue.remove(position)
    }

    fn holds(&self, fingerprint: u64) -> bool {
        self.counts.contains_key(&fingerprint)
    }

    fn digest(&self) -> String {
        format!("{:016x}", self.digest.digest())
    }
}

/// The last matched records.
#[derive(Default)]
struct Remembered {
    order: VecDeque<u64>,
    counts: HashMap<u64, u32>,
}

impl Remembered {
    fn add(&mut self, fingerprint: u64) {
        self.order.push_back(fingerprint);
        *self.counts.entry(fingerprint).or_default() += 1;
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            forget(&mut self.counts, oldest);
        }
    }

    fn holds(&self, fingerprint: u64) -> bool {
        self.counts.contains_key(&fingerprint)
    }
}

fn forget(counts: &mut HashMap<u64, u32>, fingerprint: u64) {
    if let Some(count) = counts.get_mut(&fingerprint) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(fingerprints: &[u64]) -> Vec<Seen> {
        let seen =
            |(offset, fingerprint): (i64, &u64)| Seen { offset, timestamp: 0, fingerprint: *fingerprint };
        (0..).zip(fingerprints).map(seen).collect()
    }

    /// Compares in pieces of a few records, as they come from reads.
    fn compare(source: &[u64], target: &[u64]) -> Found {
        let mut comparison = Comparison::default();
        let (source, target) = (records(source), records(target));
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
        let example =
            Difference { kind: DifferenceKind::Missing, source_offset: Some(1), target_offset: None };
        assert_eq!(hole.examples, [example]);
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
    }
}
