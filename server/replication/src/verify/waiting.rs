//! Records of a compacted topic that one side has alone so far: removed by compaction on the other, lost, foreign, or not come to yet.

use std::collections::{HashMap, VecDeque};

use muster_kafka::RecordPrint;

/// Records of one side held until it is known what became of them on the other.
const WAITING: usize = 100_000;

/// Those of one side.
#[derive(Default)]
pub(super) struct Waiting {
    by_key: HashMap<u64, OfKey>,
    /// How many of each fingerprint wait: of a key that is written all the time too many do to look at each.
    alike: HashMap<u64, u32>,
    held: usize,
    /// The other side is compacted, so a newer record of their key there explains them.
    explained: bool,
    /// There was no room for one that the other side may still come to.
    forgot: bool,
}

/// Those of one key, in the order of their log.
#[derive(Default)]
struct OfKey {
    waited: VecDeque<Waited>,
    /// The last offset of those that a record of the key may explain which the other side shows alone, so that nobody knows which is
    /// newer.
    maybe_until: Option<i64>,
    /// How many are not doubtful.
    certain: usize,
}

/// One that waits.
pub(super) struct Waited {
    pub(super) print: RecordPrint,
    /// It left its side on a guess: the other side may still come to it.
    pub(super) doubtful: bool,
}

impl Waiting {
    /// Of a side whose other side is compacted or not.
    pub(super) fn of(explained: bool) -> Self {
        Self { explained, ..Self::default() }
    }

    /// Lets one wait; 1 when there is no room for it. `maybe`: a record that explains it may have been shown already.
    pub(super) fn put(&mut self, print: RecordPrint, doubtful: bool, maybe: bool) -> u64 {
        if self.held == WAITING {
            self.forgot |= doubtful;
            return 1;
        }
        self.held += 1;
        *self.alike.entry(print.fingerprint).or_default() += 1;
        let of_key = self.by_key.entry(key_of(&print)).or_default();
        of_key.certain += usize::from(!doubtful);
        if maybe {
            of_key.maybe_until = Some(print.offset);
        }
        of_key.waited.push_back(Waited { print, doubtful });
        0
    }

    /// None waits.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// One that the other side may still come to was forgotten, so what that shows alone may be this.
    pub(super) fn forgot(&self) -> bool {
        self.forgot
    }

    /// Whether this very record waits.
    pub(super) fn holds(&self, print: &RecordPrint) -> bool {
        self.alike.contains_key(&print.fingerprint)
    }

    /// Whether the other side may still come to one of that key.
    pub(super) fn doubts(&self, key: Option<u64>) -> bool {
        self.held > 0
            && key
                .and_then(|key| self.by_key.get(&key))
                .is_some_and(|of_key| of_key.certain < of_key.waited.len())
    }

    /// The other side came to it.
    pub(super) fn take(&mut self, print: &RecordPrint) -> Option<Waited> {
        if !self.holds(print) {
            return None;
        }
        let key = key_of(print);
        let of_key = self.by_key.get_mut(&key)?;
        let place = of_key.waited.iter().position(|one| one.print.fingerprint == print.fingerprint)?;
        let one = of_key.waited.remove(place)?;
        of_key.certain -= usize::from(!one.doubtful);
        self.held -= 1;
        forget(&mut self.alike, one.print.fingerprint);
        self.drop_if_empty(key);
        Some(one)
    }

    /// The other side shows a record of that key alone. What left in its turn is older, and explained by it: how many. What left on a
    /// guess may be.
    pub(super) fn settle(&mut self, key: Option<u64>) -> u64 {
        if self.held == 0 || !self.explained {
            return 0;
        }
        let Some(key) = key else { return 0 };
        let Some(of_key) = self.by_key.get_mut(&key) else { return 0 };
        of_key.maybe_until = of_key.waited.back().map(|last| last.print.offset);
        let settled = std::mem::take(&mut of_key.certain);
        if settled > 0 {
            let alike = &mut self.alike;
            of_key.waited.retain(|one| {
                if !one.doubtful {
                    forget(alike, one.print.fingerprint);
                }
                one.doubtful
            });
            self.held -= settled;
            self.drop_if_empty(key);
        }
        settled as u64
    }

    /// The other side shows an older record of that key once more. What waits is lost, or a cleaner removed it for this one: nobody
    /// knows, unless a newer one is on both sides.
    pub(super) fn doubt(&mut self, key: Option<u64>) {
        let of_key = key.filter(|_| self.explained).and_then(|key| self.by_key.get_mut(&key));
        if let Some(of_key) = of_key {
            of_key.maybe_until = of_key.waited.back().map(|last| last.print.offset);
        }
    }

    /// A record of that key which stands at this offset is on both sides: how many before it are explained by it.
    pub(super) fn settle_before(&mut self, key: Option<u64>, offset: i64) -> u64 {
        if self.held == 0 || !self.explained {
            return 0;
        }
        let Some(key) = key else { return 0 };
        let Some(of_key) = self.by_key.get_mut(&key) else { return 0 };
        let mut settled = 0;
        while of_key.waited.front().is_some_and(|one| one.print.offset < offset)
            && let Some(one) = of_key.waited.pop_front()
        {
            of_key.certain -= usize::from(!one.doubtful);
            forget(&mut self.alike, one.print.fingerprint);
            settled += 1;
        }
        self.held -= settled;
        self.drop_if_empty(key);
        settled as u64
    }

    fn drop_if_empty(&mut self, key: u64) {
        if self.by_key.get(&key).is_some_and(|of_key| of_key.waited.is_empty()) {
            self.by_key.remove(&key);
        }
    }

    /// Nothing more comes: those that are lost, in order, and how many may have been removed with what deleted their key, or for a
    /// record that is on the other side only.
    pub(super) fn end(&mut self) -> (Vec<RecordPrint>, u64) {
        let (mut lost, mut undecided) = (Vec::new(), 0);
        for (_, of_key) in self.by_key.drain() {
            let deleted = self.explained && of_key.waited.back().is_some_and(|last| last.print.tombstone);
            for one in of_key.waited {
                if deleted || of_key.maybe_until.is_some_and(|until| one.print.offset <= until) {
                    undecided += 1;
                } else {
                    lost.push(one.print);
                }
            }
        }
        lost.sort_by_key(|print| print.offset);
        self.held = 0;
        self.alike.clear();
        (lost, undecided)
    }
}

/// One of that fingerprint less.
fn forget(alike: &mut HashMap<u64, u32>, fingerprint: u64) {
    if let Some(count) = alike.get_mut(&fingerprint) {
        *count -= 1;
        if *count == 0 {
            alike.remove(&fingerprint);
        }
    }
}

/// Records without a key are by themselves.
fn key_of(print: &RecordPrint) -> u64 {
    print.key.unwrap_or(print.fingerprint)
}

#[cfg(test)]
mod tests;
