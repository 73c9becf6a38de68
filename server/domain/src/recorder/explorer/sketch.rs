//! Percentiles of very many values in little memory: counts by size, each value rounded up by less than a hundredth.

use std::collections::BTreeMap;

/// Bits that are kept of a value; below 2^8 it is kept as it is.
const KEPT: u32 = 8;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    counts: BTreeMap<i64, u64>,
    known: u64,
    unknown: u64,
    worst: i64,
}

impl Sketch {
    /// Counts a value; `None` is unknown and ranks above all others.
    pub(super) fn add(&mut self, value: Option<i64>) {
        match value {
            Some(value) => {
                let value = value.max(0);
                *self.counts.entry(rounded(value)).or_default() += 1;
                self.known += 1;
                self.worst = self.worst.max(value);
            }
            None => self.unknown += 1,
        }
    }

    /// The value that so many of a hundred are at or below; `None` when it is unknown or there is none. Never less than the
    /// truth, and never more than the worst.
    pub(super) fn percentile(&self, percent: u64) -> Option<i64> {
        let all = self.known + self.unknown;
        let rank = (all * percent).div_ceil(100).max(1);
        let mut counted = 0;
        let found = self.counts.iter().find(|(_, count)| {
            counted += **count;
            counted >= rank
        });
        found.map(|(value, _)| (*value).min(self.worst))
    }

    /// The worst; `None` when any is unknown or there is none.
    pub(super) fn worst(&self) -> Option<i64> {
        (self.unknown == 0 && self.known > 0).then_some(self.worst)
    }

    /// Values that are not known.
    pub(super) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// All values.
    pub(super) fn count(&self) -> u64 {
        self.known + self.unknown
    }
}

/// Up to the next number with only its first bits set.
fn rounded(value: i64) -> i64 {
    let bits = 64 - value.leading_zeros();
    let cut = bits.saturating_sub(KEPT);
    let step = 1_i64 << cut;
    value.checked_add(step - 1).map_or(i64::MAX, |value| value & !(step - 1))
}
