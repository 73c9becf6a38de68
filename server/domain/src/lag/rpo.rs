//! What would be lost if the source died: the one rule, for today's figure and for those of the past.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Rpo;

/// So many records in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
            unseen: None,
        }
    }
}

/// The time in which nobody looked, as an [`Rpo`] counts what may have been written in it: what makes it grow until somebody looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// When the ends were read, the oldest of them, by Muster's clock.
    pub since: DateTime<Utc>,
    /// So many milliseconds from then on are counted.
    pub ms: i64,
    /// The fastest that was written of late; `None` where it is not known.
    pub written: Option<Rate>,
}

impl Rpo {
    /// Whether anything bounds it above: that is what grows while nobody looks.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.records_at_most.is_some() || self.ms_at_most.is_some()
    }

    /// As it is to be told at that time when nobody has looked since: with what may have been written beyond the time that is counted
    /// in it. What it takes to reckon that is gone afterwards, so it is told once.
    #[must_use]
    pub fn told_at(self, now: DateTime<Utc>) -> Self {
        let Some(Unseen { since, ms, written }) = self.unseen else { return self };
        let unseen_ms = (now - since).num_milliseconds().max(ms);
        let more = written.map(|rate| rate.most_within(unseen_ms).saturating_sub(rate.most_within(ms)));
        Self {
            records_at_most: self.records_at_most.and_then(|most| Some(most.saturating_add(more?))),
            ms_at_most: self.ms_at_most.map(|most| most.saturating_add(unseen_ms.saturating_sub(ms))),
            unseen: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    fn rpo(written: Option<Rate>) -> Rpo {
        Rpo {
            records_at_least: Some(3),
            records_at_most: written.map(|rate| rate.most_within(5_000).saturating_add(7)),
            ms_at_most: Some(6_000),
            reason: String::new(),
            unseen: Some(Unseen { since: at(0), ms: 5_000, written }),
        }
    }

    #[test]
    fn while_nobody_looks_what_a_death_would_cost_grows() {
        let told = |seconds| {
            let told = rpo(Some(Rate { records: 100, ms: 5_000 })).told_at(at(seconds));
            assert_eq!((told.records_at_least, told.unseen), (Some(3), None));
            (told.records_at_most, told.ms_at_most)
        };
        // 20 a second, and twice the root of what is expected.
        let as_judged = (Some(7 + 100 + 20), Some(6_000));
        assert_eq!([0, 4, 5].map(told), [as_judged; 3], "until then it is counted already");
        assert_eq!(told(10), (Some(7 + 200 + 29), Some(11_000)));
        assert_eq!(told(15), (Some(7 + 300 + 35), Some(16_000)));
    }

    #[test]
    fn how_fast_is_written_is_needed_for_the_records_only() {
        let told = rpo(None).told_at(at(15));
        assert_eq!((told.records_at_most, told.ms_at_most), (None, Some(16_000)));
        let unbounded = Rpo::not_known("nobody knows");
        assert_eq!(unbounded.clone().told_at(at(15)), unbounded);
        assert!(!unbounded.is_bounded() && told.is_bounded());
    }

    #[test]
    fn told_once_it_does_not_grow_any_more() {
        let once = rpo(Some(Rate { records: 100, ms: 5_000 })).told_at(at(10));
        assert_eq!(once.clone().told_at(at(60)), once);
    }
}
