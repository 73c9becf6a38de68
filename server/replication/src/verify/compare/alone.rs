//! Records that one side shows and the other does not, as far as is known.

use muster_domain::{content::DifferenceKind, proof::content::MissedRecord};
use muster_kafka::RecordPrint;

use super::{Beginning, Comparison, difference};

impl Comparison {
    /// A record of the source that nothing on the target answers to.
    pub(super) fn shortfall(&mut self, source: RecordPrint) {
        self.leave_source(source, false);
    }

    /// A record of the target that nothing on the source answers to.
    pub(super) fn surplus(&mut self, target: RecordPrint) {
        self.leave_target(target, false);
    }

    /// Of compacted topics a cleaner may have left next to nothing of one side, and neither first record is on the other side as far as
    /// is looked ahead. The older one leaves. That is a guess: it waits, and is matched when the other side comes to it after all.
    pub(super) fn leave_older(&mut self, source: RecordPrint, target: RecordPrint) {
        if target.timestamp < source.timestamp {
            self.leave_target(target, true);
        } else {
            self.leave_source(source, true);
        }
    }

    /// `doubtful`: the target may come to it.
    pub(super) fn leave_source(&mut self, source: RecordPrint, doubtful: bool) {
        self.source.pop();
        if let Some(waited) = self.extra.take(&source) {
            return self.meet(source, waited.print, waited.doubtful);
        }
        if self.came_early(source) {
            return;
        }
        if matches!(self.leads, Beginning::SourceEarlier | Beginning::Either) {
            self.found.before += 1;
            self.know_from(source.offset.saturating_add(1));
            return;
        }
        let maybe = self.compacted.target && self.extra.doubts(source.key);
        // A newer record of its key is on the source, whatever became of that on the target.
        self.found.compacted += self.extra.settle(source.key);
        let waits = doubtful || (source.key.is_some() && self.compacted.target);
        if self.compacted.target && source.key.is_some_and(|key| self.newest.is(key, source.fingerprint)) {
            // Its like, down to the timestamp, is the newest of its key there: of these compaction leaves one, and of what is
            // between them nothing, whichever it was matched with.
            self.found.compacted += 1 + self.missing.settle_before(source.key, source.offset);
        } else if waits {
            self.found.undecided += self.missing.put(source, doubtful, maybe);
        } else if self.extra.forgot() {
            // There was no room for what may be its copy.
            self.found.undecided += 1;
        } else {
            self.miss(source);
        }
    }

    /// The target does not hold it, and is to hold it by now or not.
    pub(super) fn miss(&mut self, source: RecordPrint) {
        if source.offset >= self.edges.required_until {
            self.found.pending += 1;
        } else {
            self.found.note(difference(DifferenceKind::Missing, Some(source), None));
        }
        self.put_missed(MissedRecord { fingerprint: source.fingerprint, offset: source.offset });
    }

    /// `doubtful`: the source may come to it.
    pub(super) fn leave_target(&mut self, target: RecordPrint, doubtful: bool) {
        if let Some(waited) = self.missing.take(&target) {
            self.target.pop();
            return self.meet(waited.print, target, waited.doubtful);
        }
        if let Some(offset) = self.missed.take(target.fingerprint) {
            self.target.pop();
            // All that was compared is alike.
            let source = RecordPrint { offset, ..target };
            return self.arrive_late(source, target);
        }
        let second = self.matched.holds(target.fingerprint) || self.looked_back.is_again(target.fingerprint);
        // A beginning that was found by time has those of the same millisecond before it.
        let beside = self.edges.timestamps
            && self.source.first().is_some_and(|first| first.timestamp == target.timestamp);
        let reaches_back =
            matches!(self.leads, Beginning::TargetEarlier | Beginning::Either) && (!second || beside);
        if !second && !reaches_back && self.is_to_look_back(target) {
            self.asking = true;
            return;
        }
        self.target.pop();
        if reaches_back {
            self.found.before += 1;
            return;
        }
        let maybe = self.compacted.source && self.missing.doubts(target.key);
        if second {
            self.missing.doubt(target.key);
        } else {
            self.found.compacted += self.missing.settle(target.key);
        }
        let waits = doubtful || (target.key.is_some() && self.compacted.source);
        if second {
            // What stands before it is older than its like on the source, as before the first copy.
            self.found.compacted += self.extra.settle_before(target.key, target.offset);
            self.found.note(difference(DifferenceKind::Duplicate, None, Some(target)));
        } else if self.may_be_a_copy(target) {
            self.tell_unknown(target);
        } else if waits {
            self.found.undecided += self.extra.put(target, doubtful, maybe);
        } else {
            self.tell_foreign(target);
        }
    }

    /// One side comes to what waits on the other. What left on a guess did not leave in its turn, so its place says nothing.
    fn meet(&mut self, source: RecordPrint, target: RecordPrint, guessed: bool) {
        self.match_one(source, target);
        if !guessed {
            self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), Some(target)));
        }
    }

    /// A record that was told to be missing is there, further down than was looked ahead.
    fn arrive_late(&mut self, source: RecordPrint, target: RecordPrint) {
        if source.offset >= self.edges.required_until {
            self.found.pending = self.found.pending.saturating_sub(1);
        } else {
            self.found.take_back_missing(source.offset);
        }
        self.match_elsewhere(source, target);
        self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), Some(target)));
    }
}
