//! Records that the target shows further before their place than is looked ahead: a task that was made to read on further down, and back
//! again. They look foreign until the source comes to them.

use muster_domain::{content::DifferenceKind, proof::content::MissedRecord};
use muster_kafka::RecordPrint;

use super::{Comparison, difference};

impl Comparison {
    /// The source does not show it, as far as is known.
    pub(super) fn tell_foreign(&mut self, target: RecordPrint) {
        self.found.note(difference(DifferenceKind::Extra, None, Some(target)));
        self.early.put(named(target));
    }

    /// Nobody knows whether it is foreign.
    pub(super) fn tell_unknown(&mut self, target: RecordPrint) {
        self.found.undecided += 1;
        // The source showed its like before: what comes there now may be another that is lost.
        if !self.is_unsure(target.fingerprint) {
            self.early_unknown.put(named(target));
        }
    }

    /// Whether a record of the source that the target does not come to is one it showed before. Then it is on both sides, at another
    /// place.
    pub(super) fn came_early(&mut self, source: RecordPrint) -> bool {
        let early = self.take_back_early(source).or_else(|| self.take_back_copy(source));
        let Some(target) = early else { return false };
        self.match_elsewhere(source, target);
        self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), Some(target)));
        true
    }

    /// A record of the source is matched: what the target showed of it before are other copies, and not foreign.
    pub(super) fn tell_early_copies(&mut self, source: RecordPrint) {
        while let Some(target) = self.take_back_early(source) {
            self.found.note(difference(DifferenceKind::Duplicate, None, Some(target)));
            self.early_copies.put(named(target));
        }
    }

    fn take_back_early(&mut self, source: RecordPrint) -> Option<RecordPrint> {
        let offset = if let Some(offset) = self.early.take(source.fingerprint) {
            self.found.take_back_extra(offset);
            offset
        } else {
            let offset = self.early_unknown.take(source.fingerprint)?;
            self.found.undecided = self.found.undecided.saturating_sub(1);
            offset
        };
        Some(copy_at(offset, source))
    }

    fn take_back_copy(&mut self, source: RecordPrint) -> Option<RecordPrint> {
        let offset = self.early_copies.take(source.fingerprint)?;
        self.found.take_back_duplicate(offset);
        Some(copy_at(offset, source))
    }
}

fn named(target: RecordPrint) -> MissedRecord {
    MissedRecord { fingerprint: target.fingerprint, offset: target.offset }
}

/// All that was compared is alike.
fn copy_at(offset: i64, source: RecordPrint) -> RecordPrint {
    RecordPrint { offset, ..source }
}
