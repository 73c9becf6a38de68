//! Records that the target shows further before their place than is looked ahead: a task that was made to read on further down, and back
//! again. They look foreign until the source comes to them.

use muster_domain::{content::DifferenceKind, proof::content::MissedRecord};
use muster_kafka::RecordPrint;

use super::{Comparison, difference};

impl Comparison {
    /// The source does not show it, as far as is known.
    pub(super) fn tell_foreign(&mut self, target: RecordPrint) {
        self.found.note(difference(DifferenceKind::Extra, None, Some(target)));
        self.early.put(MissedRecord { fingerprint: target.fingerprint, offset: target.offset });
    }

    /// Whether a record of the source that the target does not come to is one it showed before. Then it is on both sides, at another
    /// place.
    pub(super) fn came_early(&mut self, source: RecordPrint) -> bool {
        let Some(target) = self.take_back_foreign(source) else { return false };
        self.match_elsewhere(source, target);
        self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), Some(target)));
        true
    }

    /// A record of the source is matched: what the target showed of it before is another copy, and not foreign.
    pub(super) fn tell_early_copy(&mut self, source: RecordPrint) {
        if let Some(target) = self.take_back_foreign(source) {
            self.found.note(difference(DifferenceKind::Duplicate, None, Some(target)));
        }
    }

    fn take_back_foreign(&mut self, source: RecordPrint) -> Option<RecordPrint> {
        let offset = self.early.take(source.fingerprint)?;
        self.found.take_back_extra(offset);
        // All that was compared is alike.
        Some(RecordPrint { offset, ..source })
    }
}
