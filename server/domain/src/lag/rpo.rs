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
    /// Records in another time, rounded up.
    pub(crate) fn within(self, ms: i64) -> i64 {
        let exact = self.records.saturating_mul(ms);
        exact.div_euclid(self.ms).saturating_add(i64::from(exact % self.ms != 0))
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
    /// Milliseconds the worst partition is behind; `None` when any is unknown.
    pub worst_ms: Option<i64>,
    /// How fast was written of late.
    pub written: Option<Rate>,
    /// For how long nobody looks: until the ends are read again.
    pub unseen_ms: i64,
}

impl Missing {
    /// Lost at least is what is proven to be missing and stays so: a flow that runs may catch up in the next moment. At most it is
    /// what is behind, and on top what was written since the ends were read, or will be before they are read again.
    #[must_use]
    pub fn rpo(&self) -> Rpo {
        Rpo {
            records_at_least: self.total.map(|_| self.proven),
            records_at_most: self
                .total
                .filter(|_| !self.stale)
                .and_then(|total| Some(total.saturating_add(self.written?.within(self.unseen_ms)))),
            ms_at_most: self.worst_ms.map(|ms| ms.saturating_add(self.unseen_ms)),
            reason: String::new(),
        }
    }
}
