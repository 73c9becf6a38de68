//! Records that were copied again from before what is remembered: whether the source holds them is found by reading it once more, for
//! as many records at a time as are held. So memory stays flat however much was copied again.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use muster_domain::{content::LostPlace, proof::content::MissedRecord};
use muster_kafka::RecordPrint;

use super::Comparison;

/// Missing records remembered to recognise them when they arrive late, and as many foreign ones that may have come early.
const MISSED: usize = 100_000;

/// What a comparison asks of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LookBack {
    /// Fingerprints of records the target shows, and that are neither remembered nor come to yet.
    pub(crate) wanted: HashSet<u64>,
    /// The earliest of their timestamps; -1 where one has none.
    pub(crate) since: i64,
    /// First source offset that was not told yet: what stands before it is asked for.
    pub(crate) below: i64,
}

/// What reading the source once more showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeenBefore {
    /// Source offsets of those that are there.
    pub(crate) at: HashMap<u64, i64>,
    /// The source still has its first record, or older ones than any that was asked for: what was not seen was never there.
    pub(crate) whole: bool,
}

/// Who reads the source once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reader {
    /// Nobody: what is neither remembered nor ahead counts as foreign.
    #[default]
    None,
    /// Somebody does.
    Reads,
    /// Nobody any more: it would be too much.
    Stopped,
}

/// What is known by it, until it is asked for again.
#[derive(Default)]
pub(super) struct LookedBack {
    /// Target offset of the first record that was looked for.
    from: Option<i64>,
    /// One past that of the last one.
    until: i64,
    /// Target offset of the last one that was found or is remembered: what stands before it stands among records that were copied again.
    last: i64,
    /// Second copies of matched records.
    again: HashSet<u64>,
    /// On the source, and not known whether they were matched.
    unsure: HashSet<u64>,
    whole: bool,
}

impl LookedBack {
    pub(super) fn is_again(&self, fingerprint: u64) -> bool {
        self.again.contains(&fingerprint)
    }

    fn found(&self, fingerprint: u64) -> bool {
        self.again.contains(&fingerprint) || self.unsure.contains(&fingerprint)
    }
}

impl Comparison {
    /// Asks where both sides have nothing in common, and before it calls foreign what is behind the source's end: see
    /// [`Self::asks_back`].
    pub(crate) fn looking_back(mut self) -> Self {
        self.reader = Reader::Reads;
        self
    }

    /// Of source records before that offset it is not known whether they were matched.
    pub(crate) fn know_from(&mut self, offset: i64) {
        self.known_from = self.known_from.max(offset);
    }

    /// What is to be looked for on the source before it can go on.
    pub(crate) fn asks_back(&mut self) -> Option<LookBack> {
        if !self.asking {
            return None;
        }
        let Self { source, target, matched, unsure, .. } = self;
        let below = source.first().map_or(i64::MAX, |first| first.offset);
        let mut asked = LookBack { wanted: HashSet::new(), since: i64::MAX, below };
        for print in target.prints() {
            let known = matched.holds(print.fingerprint) || unsure.contains(&print.fingerprint);
            if !known && !source.holds(print.fingerprint) {
                asked.wanted.insert(print.fingerprint);
                asked.since = asked.since.min(print.timestamp);
            }
        }
        Some(asked)
    }

    /// Takes what was seen, and goes on.
    pub(crate) fn look_back(&mut self, seen: &SeenBefore) {
        let Self { target, matched, missed, known_from, unsure, .. } = self;
        let mut looked = LookedBack { whole: seen.whole, ..LookedBack::default() };
        for print in target.prints() {
            looked.from = looked.from.or(Some(print.offset));
            looked.until = print.offset.saturating_add(1);
            let at = seen.at.get(&print.fingerprint);
            if let Some(offset) = at {
                let known = *offset >= *known_from;
                let of = if known { &mut looked.again } else { &mut looked.unsure };
                of.insert(print.fingerprint);
            }
            let matched = matched.holds(print.fingerprint);
            if matched {
                // It may be forgotten before it is told: what comes late among these takes its room.
                looked.again.insert(print.fingerprint);
            }
            let came_by = matched || missed.holds(print.fingerprint);
            if at.is_some() || came_by || unsure.contains(&print.fingerprint) {
                looked.last = print.offset;
            }
        }
        (self.asking, self.looked_back) = (false, looked);
        self.go_on();
    }

    /// Nobody looks, now or later. What would be foreign is undecided from here on.
    pub(crate) fn stop_looking_back(&mut self) {
        (self.asking, self.reader) = (false, Reader::Stopped);
        self.go_on();
    }

    /// Whether a record of the target is one the comparison has come by, so it is no sign that anything on the source is missing.
    pub(super) fn knows(&mut self, target: &RecordPrint) -> bool {
        self.matched.holds(target.fingerprint)
            || self.looked_back.found(target.fingerprint)
            || self.unsure.contains(&target.fingerprint)
            || self.missed.holds(target.fingerprint)
            || self.missing.holds(target)
    }

    /// Whether a record that seems foreign was not looked for on the source yet. One that stands among others in their order is not, unless
    /// it is older than they are: records that are copied again come without a hole, but a task that was given up for dead may write
    /// what it had read among those of the one that follows it.
    pub(super) fn is_to_look_back(&mut self, target: RecordPrint) -> bool {
        let looked = target.offset < self.looked_back.until || self.unsure.contains(&target.fingerprint);
        self.reader == Reader::Reads && !looked && self.is_plain() && !self.is_in_its_place(target)
    }

    /// Whether more of the target is read before one that seems foreign is looked for: the source is read once for as many as can be held.
    pub(super) fn waits_to_look_back(&mut self, target: RecordPrint) -> bool {
        self.wants_target() && !self.knows(&target) && self.is_to_look_back(target)
    }

    /// Whether the source showed its like before, and nobody knows whether that was matched.
    pub(super) fn is_unsure(&self, fingerprint: u64) -> bool {
        self.looked_back.unsure.contains(&fingerprint) || self.unsure.contains(&fingerprint)
    }

    /// Whether nothing proves that a record of the target which the source does not show is no copy.
    pub(super) fn may_be_a_copy(&mut self, target: RecordPrint) -> bool {
        if self.is_unsure(target.fingerprint) || self.missing.forgot() {
            return true;
        }
        // Retention may have removed what it is a copy of, or nobody looked.
        let looked = target.offset < self.looked_back.until;
        let unknown = match self.reader {
            Reader::None | Reader::Reads if !looked => false,
            Reader::Stopped if !looked => true,
            Reader::None | Reader::Reads | Reader::Stopped => !self.looked_back.whole,
        };
        if !self.is_plain() {
            return false;
        }
        // Without timestamps nothing tells whose place it is.
        let unplaced = !self.edges.timestamps && !looked && self.reader == Reader::Reads;
        if self.is_in_its_place(target) { unplaced || (unknown && !self.edges.timestamps) } else { unknown }
    }

    /// Whether a record stands among others of the source in their order, and is not older than they are.
    fn is_in_its_place(&mut self, target: RecordPrint) -> bool {
        let first = self.source.first().map_or(i64::MIN, |first| first.timestamp);
        let older = self.edges.timestamps && target.timestamp < first;
        !older && self.comes_to_the_source()
    }

    /// Whether the target comes to the first record of the source, as far as is looked ahead.
    fn comes_to_the_source(&mut self) -> bool {
        let Self { source, target, .. } = self;
        source.first().is_some_and(|source| target.holds(source.fingerprint))
    }

    /// Whether records that were copied again follow it.
    pub(super) fn is_among_copies(&self, target: RecordPrint) -> bool {
        target.offset < self.looked_back.last
    }

    /// Both sides go on and have nothing in common as far as is looked ahead.
    pub(super) fn go_back(&mut self, source: RecordPrint, target: RecordPrint) {
        if self.is_among_copies(target) {
            self.surplus(target);
        } else if self.reader == Reader::Reads && self.looked_back.from != Some(target.offset) {
            self.asking = true;
        } else {
            let (source_offset, target_offset) = (source.offset, target.offset);
            self.found.lost_place = Some(LostPlace { source_offset, target_offset });
        }
    }
}

/// Records of one side that the other did not show so far, by fingerprint and offset.
#[derive(Default)]
pub(super) struct Missed {
    records: BTreeSet<(u64, i64)>,
    /// In the order of their side, those that the other came to among them.
    order: VecDeque<(u64, i64)>,
}

impl Missed {
    /// Remembers one; the offset of another that is forgotten for it.
    pub(super) fn put(&mut self, record: MissedRecord) -> Option<i64> {
        let name = (record.fingerprint, record.offset);
        self.records.insert(name);
        self.order.push_back(name);
        if self.order.len() <= MISSED {
            return None;
        }
        let oldest = self.order.pop_front()?;
        self.records.remove(&oldest).then_some(oldest.1)
    }

    pub(super) fn holds(&self, fingerprint: u64) -> bool {
        self.first(fingerprint).is_some()
    }

    /// Whether this very record is one.
    pub(super) fn is(&self, print: &RecordPrint) -> bool {
        self.records.contains(&(print.fingerprint, print.offset))
    }

    /// Takes the first one that looks so; its offset.
    pub(super) fn take(&mut self, fingerprint: u64) -> Option<i64> {
        let name = self.first(fingerprint)?;
        self.records.remove(&name).then_some(name.1)
    }

    /// The last ones, so many at most, in the order of their side, and the offset of the last one before them.
    pub(super) fn last(&self, most: usize) -> (Vec<MissedRecord>, Option<i64>) {
        let mut left = self.order.iter().rev().filter(|name| self.records.contains(*name));
        let told = left.by_ref().take(most);
        let mut told: Vec<_> = told
            .map(|(fingerprint, offset)| MissedRecord { fingerprint: *fingerprint, offset: *offset })
            .collect();
        told.reverse();
        (told, left.next().map(|(_, offset)| *offset))
    }

    fn first(&self, fingerprint: u64) -> Option<(u64, i64)> {
        self.records.range((fingerprint, i64::MIN)..=(fingerprint, i64::MAX)).next().copied()
    }
}
