//! What a comparison remembers: records not told yet, and those that were matched.

use std::collections::{HashMap, HashSet, VecDeque};

use muster_kafka::RecordPrint;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Matched records remembered to recognise second copies: a killed at-least-once worker was seen to leave 39,000 with a
/// flush interval of one second. Those of longer stretches are looked for on the source.
pub(crate) const REMEMBERED: usize = 100_000;
/// Records of one side that are not told yet.
#[derive(Default)]
pub(super) struct Held {
    queue: VecDeque<RecordPrint>,
    /// Offsets of records that were taken out of their turn and are still in the queue.
    gone: HashSet<i64>,
    /// Offsets at which reading went on behind records that were removed before they were read, until they come first.
    jumps: VecDeque<i64>,
    counts: Counts,
    digest: u64,
    passed: u64,
}

impl Held {
    /// None yet, after others that have that digest.
    pub(super) fn after(digest: u64, passed: u64) -> Self {
        Self { digest, passed, ..Self::default() }
    }

    pub(super) fn take(&mut self, records: &[RecordPrint]) {
        records.iter().for_each(|print| self.counts.add(print.fingerprint));
        self.queue.extend(records);
    }

    /// Offsets before these were removed before they were read.
    pub(super) fn jump(&mut self, to: &[i64]) {
        self.jumps.extend(to);
    }

    /// Whether what comes first now stands behind some that were removed. Says so once.
    pub(super) fn crosses(&mut self) -> bool {
        let mut crossed = false;
        while let Some(to) = self.jumps.front()
            && self.queue.front().is_none_or(|first| first.offset >= *to)
        {
            self.jumps.pop_front();
            crossed = true;
        }
        crossed
    }

    /// Whether some were removed behind what comes first.
    pub(super) fn will_cross(&self) -> bool {
        !self.jumps.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn first(&self) -> Option<RecordPrint> {
        self.queue.front().copied()
    }

    pub(super) fn pop(&mut self) {
        if let Some(print) = self.queue.front().copied() {
            self.counts.forget(print.fingerprint);
            self.pass();
        }
    }

    /// The first one leaves, and whatever stands behind it and left before.
    fn pass(&mut self) {
        while let Some(print) = self.queue.pop_front() {
            self.digest = xxh3_64_with_seed(&print.fingerprint.to_le_bytes(), self.digest);
            self.passed += 1;
            let next_is_gone = !self.gone.is_empty()
                && self.queue.front().is_some_and(|next| self.gone.remove(&next.offset));
            if !next_is_gone {
                return;
            }
        }
    }

    /// Takes one out of its turn.
    pub(super) fn remove(&mut self, fingerprint: u64) -> Option<RecordPrint> {
        let wanted =
            |print: &&RecordPrint| print.fingerprint == fingerprint && !self.gone.contains(&print.offset);
        let (place, print) = self.queue.iter().enumerate().find(|(_, print)| wanted(print))?;
        let print = *print;
        self.counts.forget(fingerprint);
        if place == 0 {
            self.pass();
        } else {
            self.gone.insert(print.offset);
        }
        Some(print)
    }

    /// All that are held.
    pub(super) fn prints(&self) -> impl Iterator<Item = &RecordPrint> {
        self.queue.iter().filter(|print| !self.gone.contains(&print.offset))
    }

    /// The earliest and the latest of their timestamps.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        let times = || self.prints().map(|print| print.timestamp);
        Some((times().min()?, times().max()?))
    }

    pub(super) fn holds(&mut self, fingerprint: u64) -> bool {
        let here = self.queue.iter().filter(|print| !self.gone.contains(&print.offset));
        self.counts.hold(fingerprint, here.map(|print| print.fingerprint))
    }

    /// Whether every record up to the first one left in its turn.
    pub(super) fn is_level(&self) -> bool {
        self.gone.is_empty()
    }

    /// Of the records that left, in the order of the log.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many left.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }
}

/// The last matched records.
pub(super) struct Remembered {
    order: VecDeque<u64>,
    counts: Counts,
    room: usize,
}

impl Default for Remembered {
    fn default() -> Self {
        Self::of(REMEMBERED)
    }
}

impl Remembered {
    /// As many as there is room for.
    pub(super) fn of(room: usize) -> Self {
        Self { order: VecDeque::new(), counts: Counts::default(), room }
    }

    pub(super) fn add(&mut self, fingerprint: u64) {
        self.order.push_back(fingerprint);
        self.counts.add(fingerprint);
        if self.order.len() > self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.forget(oldest);
        }
    }

    pub(super) fn holds(&mut self, fingerprint: u64) -> bool {
        self.counts.hold(fingerprint, self.order.iter().copied())
    }
}

/// The newest record of each key that was matched, of so many keys.
#[derive(Default)]
pub(super) struct Newest(HashMap<u64, u64>);

impl Newest {
    pub(super) fn keep(&mut self, key: u64, fingerprint: u64) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            self.0.clear();
        }
        self.0.insert(key, fingerprint);
    }

    pub(super) fn is(&self, key: u64, fingerprint: u64) -> bool {
        self.0.get(&key) == Some(&fingerprint)
    }
}

/// How often each fingerprint is among some. Counted from the first question on, and until none came for long: as long as
/// both sides are equal nobody asks, and counting would be most of the work.
#[derive(Default)]
struct Counts {
    known: Option<HashMap<u64, u32>>,
    since_asked: usize,
}

impl Counts {
    fn add(&mut self, fingerprint: u64) {
        let Some(known) = &mut self.known else { return };
        *known.entry(fingerprint).or_default() += 1;
        self.since_asked += 1;
        if self.since_asked > REMEMBERED {
            self.known = None;
        }
    }

    fn forget(&mut self, fingerprint: u64) {
        let Some(known) = &mut self.known else { return };
        if let Some(count) = known.get_mut(&fingerprint) {
            *count -= 1;
            if *count == 0 {
                known.remove(&fingerprint);
            }
        }
    }

    fn hold(&mut self, fingerprint: u64, all: impl Iterator<Item = u64>) -> bool {
        self.since_asked = 0;
        let count = || {
            let mut known = HashMap::new();
            all.for_each(|one| *known.entry(one).or_default() += 1);
            known
        };
        self.known.get_or_insert_with(count).contains_key(&fingerprint)
    }
}
