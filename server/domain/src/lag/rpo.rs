//! What would be lost if the source died: the one rule, for today's figure and for those of the past.

use super::Rpo;

/// So many records in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Records written.
    pub records: i64,
    /// In so many milliseconds; more than 0.
    pub ms: i64,
}

impl Rate {
    /// The faster of two; one that is not known is none.
    #[must_use]
    pub fn faster(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.is_faster_than(one) { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    pub(crate) fn is_faster_than(self, other: Self) -> bool {
        i128::from(self.records) * i128::from(other.ms) > i128::from(other.records) * i128::from(self.ms)
    }

    /// As many records as that is in another time.
    pub(super) fn records_within(self, ms: i64) -> i64 {
        let (whole, part) = (i128::from(self.ms), i128::from(ms.max(0)));
        let records = (i128::from(self.records) * part + whole - 1) / whole;
        i64::try_from(records).unwrap_or(i64::MAX)
    }

    /// The most records in another time. Counts of independent writes vary by about their root, so twice that comes on top.
    #[expect(clippy::cast_possible_truncation, reason = "rounded up, and what is beyond 2^63 ends there")]
    pub(crate) fn most_within(self, ms: i64) -> i64 {
        // Offsets are far below 2^52: exact as floats.
        let expected = self.records as f64 * ms.max(0) as f64 / self.ms as f64;
        (expected + 2.0 * expected.sqrt()).ceil() as i64
    }
}

/// What is missing on the target at one moment, and how it may have grown since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Records of all partitions; `None` when any is unknown.
    pub total: Option<i64>,
    /// Whether that is how it was, and not how it is.
    pub stale: bool,
    /// Of these, records that can certainly not be copied any more before it is looked again.
    pub proven: i64,
    /// What is in open transactions and not in the total, since the flow copies committed records only: it may be committed in the
    /// next moment, and the source die in the one after.
    pub open: i64,
    /// Milliseconds the worst partition is behind; `None` when any is unknown.
    pub worst_ms: Option<i64>,
    /// The fastest that was written of late.
    pub written: Option<Rate>,
    /// For how long nobody looks: until the ends are read again.
    pub unseen_ms: i64,
}

impl Missing {
    /// Lost at least is what is proven to be missing and stays so: a flow that runs may catch up in the next moment. At most it is
    /// what is behind or in open transactions, and on top what was written since the ends were read, or will be before they are read
    /// again.
    #[must_use]
    pub fn rpo(&self) -> Rpo {
        let unseen = self.written.map(|written| written.most_within(self.unseen_ms));
        Rpo {
            records_at_least: self.total.map(|_| self.proven),
            records_at_most: self
                .total
                .filter(|_| !self.stale)
                .and_then(|total| Some(total.saturating_add(self.open).saturating_add(unseen?))),
            ms_at_most: self.worst_ms.map(|ms| ms.saturating_add(self.unseen_ms)),
            reason: String::new(),
        }
    }
}
