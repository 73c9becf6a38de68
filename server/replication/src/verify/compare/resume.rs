//! Going on where another left off: what it told to be missing may come late, and what it found may come again.

use muster_domain::proof::content::MissedRecord;
use muster_kafka::RecordPrint;

use super::Comparison;

/// Missing records that whoever goes on is told of.
const MISSED_TOLD: usize = 1_000;

impl Comparison {
    /// Takes records of the source that were told to be missing, in their order. Whether those before `known_from` were found is not
    /// known. Before [`Self::remember`].
    pub(crate) fn recall(&mut self, missed: &[MissedRecord], known_from: i64) {
        self.know_from(known_from);
        for record in missed {
            self.put_missed(*record);
        }
    }

    /// Takes records of the source before its beginning, to recognise second copies of them. Of those that were missing the first copy
    /// may still come.
    pub(crate) fn remember(&mut self, records: &[RecordPrint]) {
        for print in records {
            if self.missed.is(print) {
                continue;
            }
            if print.offset < self.known_from {
                self.unsure.insert(print.fingerprint);
            } else {
                self.matched.add(print.fingerprint);
            }
            self.keep_newest(print);
        }
    }

    /// What whoever goes on has to know: the last records that were missing, and from where on they are all that were.
    pub(super) fn missed_so_far(&self) -> (Vec<MissedRecord>, i64) {
        let (missed, untold) = self.missed.last(MISSED_TOLD);
        (missed, untold.map_or(self.known_from, |offset| self.known_from.max(offset.saturating_add(1))))
    }

    /// Remembers one to recognise it when it comes late.
    pub(super) fn put_missed(&mut self, record: MissedRecord) {
        if let Some(forgotten) = self.missed.put(record) {
            self.know_from(forgotten.saturating_add(1));
        }
    }
}
