//! What a comparison remembers: records not told yet, those that were matched, those that wait for a newer one of their key.

use std::collections::{HashMap, VecDeque};

use muster_kafka::RecordPrint;
use xxhash_rust::xxh3::Xxh3;

/// Matched records remembered to recognise second copies: a killed at-least-once worker was seen to leave 39,000 with a
/// flush interval of one second.
const REMEMBERED: usize = 100_000;
/// Records of one side held until it is known whether compaction removed them on the other.
const WAITING: usize = 100_000;
/// Fingerprints given to the digest at once.
const DIGESTED: usize = 64;

/// Records of one side that are not told yet.
#[derive(Default)]
pub(super) struct Held {
    queue: VecDeque<RecordPrint>,
    counts: Counts,
    digest: Xxh3,
}

impl Held {
    pub(super) fn take(&mut self, records: &[RecordPrint]) {
        for some in records.chunks(DIGESTED) {
            let mut bytes = [0; DIGESTED * 8];
            for (place, print) in bytes.chunks_exact_mut(8).zip(some) {
                place.copy_from_slice(&print.fingerprint.to_le_bytes());
            }
            self.digest.update(bytes.get(..some.len() * 8).unwrap_or_default());
        }
        records.iter().for_each(|print| self.counts.add(print.fingerprint));
        self.queue.extend(records);
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn first(&self) -> Option<RecordPrint> {
        self.queue.front().copied()
    }

    pub(super) fn pop(&mut self) {
        if let Some(print) = self.queue.pop_front() {
            self.counts.forget(print.fingerprint);
        }
    }

    pub(super) fn remove(&mut self, fingerprint: u64) -> Option<RecordPrint> {
        let position = self.queue.iter().position(|print| print.fingerprint == fingerprint)?;
        self.counts.forget(fingerprint);
        self.queue.remove(position)
    }

    pub(super) fn holds(&mut self, fingerprint: u64) -> bool {
        self.counts.hold(fingerprint, self.queue.iter().map(|print| print.fingerprint))
    }

    pub(super) fn digest(&self) -> String {
        format!("{:016x}", self.digest.digest())
    }
}

/// The last matched records.
#[derive(Default)]
pub(super) struct Remembered {
    order: VecDeque<u64>,
    counts: Counts,
}

impl Remembered {
    pub(super) fn add(&mut self, fingerprint: u64) {
        self.order.push_back(fingerprint);
        self.counts.add(fingerprint);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.forget(oldest);
        }
    }

    pub(super) fn holds(&mut self, fingerprint: u64) -> bool {
        self.counts.hold(fingerprint, self.order.iter().copied())
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

/// Records of a compacted topic that one side lacks, until a newer record of their key shows there.
#[derive(Default)]
pub(super) struct Waiting {
    by_key: HashMap<u64, Vec<RecordPrint>>,
    held: usize,
}

impl Waiting {
    /// Lets one wait; 1 when there is no room for it.
    pub(super) fn put(&mut self, key: u64, print: RecordPrint) -> u64 {
        if self.held == WAITING {
            return 1;
        }
        self.held += 1;
        self.by_key.entry(key).or_default().push(print);
        0
    }

    /// A newer record of that key is there: how many waited for it.
    pub(super) fn settle(&mut self, key: Option<u64>) -> u64 {
        if self.held == 0 {
            return 0;
        }
        let settled = key.and_then(|key| self.by_key.remove(&key)).map_or(0, |waited| waited.len());
        self.held -= settled;
        settled as u64
    }

    /// Nothing more comes: those that are lost, in order, and how many may have been removed with what deleted their key.
    pub(super) fn end(&mut self) -> (Vec<RecordPrint>, u64) {
        let (mut lost, mut undecided) = (Vec::new(), 0);
        for (_, waited) in self.by_key.drain() {
            match waited.last() {
                Some(last) if last.tombstone => undecided += waited.len() as u64,
                Some(_) | None => lost.extend(waited),
            }
        }
        lost.sort_by_key(|print| print.offset);
        self.held = 0;
        (lost, undecided)
    }
}
