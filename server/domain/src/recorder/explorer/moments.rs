//! All chosen partitions together at each moment: how much was behind, and what a death would have cost.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Frame, Why};
use crate::{
    lag::{Missing, Rate},
    reading::ReadingClass,
};

/// What was written earlier says nothing of how fast it may go on.
const LATE_MS: i64 = 15 * 60_000;

/// What would have been lost if the source had died, as an interval. `None` is not known and is never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RpoSpan {
    /// At least so many records: proven to be missing at the worst moment that was looked at.
    pub records_at_least: Option<i64>,
    /// At most so many: those behind, those in open transactions, and those that may have been written until the ends were read again.
    pub records_at_most: Option<i64>,
    /// Writes of at least the last so many milliseconds: how long the oldest record that is proven to be missing was there.
    pub ms_at_least: Option<i64>,
    /// Writes of at most the last so many milliseconds.
    pub ms_at_most: Option<i64>,
}

/// One moment of all partitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    partitions: u64,
    unknown: u64,
    why: Option<Why>,
    total: i64,
    proven: i64,
    /// In open transactions, where the flow copies committed records only.
    open: i64,
    class: ReadingClass,
    /// The longest any is behind; `None` when that is since before the kept samples.
    ms: Option<i64>,
    ms_at_least: i64,
    /// What was written since the ends were read before, and how long that was.
    grown: Option<(i64, Option<i64>)>,
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            partitions: 0,
            unknown: 0,
            why: None,
            total: 0,
            proven: 0,
            open: 0,
            class: ReadingClass::Exact,
            ms: Some(0),
            ms_at_least: 0,
            grown: None,
        }
    }
}

impl Moment {
    /// One more partition. `proven` of its records were surely missing; `ms` is how long it is behind, at most and at least.
    pub(super) fn add(
        &mut self,
        records: Option<i64>,
        class: ReadingClass,
        why: Why,
        proven: i64,
        (ms, ms_at_least): (Option<i64>, i64),
    ) {
        self.partitions += 1;
        self.class = self.class.max(class);
        let Some(records) = records else {
            self.unknown += 1;
            self.why = self.why.max(Some(why));
            return;
        };
        self.total = self.total.saturating_add(records);
        self.ms = self.ms.zip(ms).map(|(a, b)| a.max(b));
        if proven > 0 {
            self.proven = self.proven.saturating_add(proven);
            self.ms_at_least = self.ms_at_least.max(ms_at_least);
        }
    }

    /// So much more of it could not be copied yet.
    pub(super) fn hold_back(&mut self, records: i64) {
        self.open = self.open.saturating_add(records);
    }

    /// The ends were read, with so much written since they were read before, that long ago.
    pub(super) fn read(&mut self, grown: i64, since: Option<i64>) {
        self.grown = Some((grown, since));
    }

    /// The partitions of another chunk at the same moment.
    pub(super) fn join(&mut self, other: &Self) {
        *self = Self {
            partitions: self.partitions + other.partitions,
            unknown: self.unknown + other.unknown,
            why: self.why.max(other.why),
            total: self.total.saturating_add(other.total),
            proven: self.proven.saturating_add(other.proven),
            open: self.open.saturating_add(other.open),
            class: self.class.max(other.class),
            ms: self.ms.zip(other.ms).map(|(a, b)| a.max(b)),
            ms_at_least: self.ms_at_least.max(other.ms_at_least),
            grown: match (self.grown, other.grown) {
                (Some((a, since)), Some((b, other))) => Some((a.saturating_add(b), since.max(other))),
                (one, other) => one.or(other),
            },
        };
    }

    pub(super) fn partitions(&self) -> u64 {
        self.partitions
    }

    pub(super) fn class(&self) -> ReadingClass {
        self.class
    }

    fn total(&self) -> Option<i64> {
        (self.unknown == 0).then_some(self.total)
    }

    /// By itself in its stretch.
    pub(super) fn told(&self, written: Option<Rate>, unseen_ms: Option<i64>) -> OfAll {
        OfAll { total: self.total(), rpo: Some(self.rpo(written, unseen_ms)) }
    }

    /// By the rule that gives today's figure. `written` is the fastest of late, `unseen_ms` until it was looked again.
    fn rpo(&self, written: Option<Rate>, unseen_ms: Option<i64>) -> RpoSpan {
        let missing = Missing {
            total: self.total(),
            stale: self.class == ReadingClass::Stale,
            proven: self.proven,
            open: self.open,
            worst_ms: self.ms.filter(|_| self.unknown == 0),
            written,
            unseen_ms: unseen_ms.unwrap_or_default(),
        };
        let rpo = missing.rpo();
        RpoSpan {
            records_at_least: rpo.records_at_least,
            records_at_most: rpo.records_at_most.filter(|_| unseen_ms.is_some()),
            ms_at_least: self.total().map(|_| self.ms_at_least),
            ms_at_most: rpo.ms_at_most.filter(|_| unseen_ms.is_some()),
        }
    }
}

/// All partitions together in a stretch, at the worst moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OfAll {
    pub(super) total: Option<i64>,
    pub(super) rpo: Option<RpoSpan>,
}

/// The worst of each stretch, and unknown is worst.
pub(super) fn by_stretch(frame: &Frame, moments: &BTreeMap<i64, Moment>) -> BTreeMap<usize, OfAll> {
    let mut found: BTreeMap<usize, OfAll> = BTreeMap::new();
    let mut late = Late::default();
    let times: Vec<i64> = moments.keys().copied().collect();
    for (number, (at, moment)) in moments.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| at - times[before]);
        let after = times.get(number + 1).map(|after| after - at);
        // Until it was looked again: by the survey after, however late that came, or as long as it took since the one before.
        let unseen_ms = after.or(before);
        if let Some((records, Some(ms))) = moment.grown.filter(|(_, since)| *since > Some(0)) {
            late.add(*at, Rate { records, ms });
        }
        let written = late.fastest(*at);
        if let Some(index) = frame.index(*at) {
            let here = moment.told(written, unseen_ms);
            let joined = found.get(&index).map_or(here, |kept| worse(kept, &here));
            found.insert(index, joined);
        }
    }
    found
}

/// How fast was written of late: about as long as today's figure remembers it.
#[derive(Default)]
struct Late {
    /// By time. One that a later one reaches or outruns says nothing more and is left out, so the first is the fastest.
    rates: VecDeque<(i64, Rate)>,
}

impl Late {
    fn add(&mut self, at: i64, rate: Rate) {
        while self.rates.back().is_some_and(|(_, other)| !other.is_faster_than(rate)) {
            self.rates.pop_back();
        }
        self.rates.push_back((at, rate));
    }

    fn fastest(&mut self, now: i64) -> Option<Rate> {
        while self.rates.front().is_some_and(|(at, _)| now - at > LATE_MS) {
            self.rates.pop_front();
        }
        self.rates.front().map(|(_, rate)| *rate)
    }
}

pub(super) fn worse(a: &OfAll, b: &OfAll) -> OfAll {
    let rpo = a.rpo.zip(b.rpo).map(|(a, b)| worse_span(&a, &b));
    OfAll { total: super::worse(a.total, b.total), rpo }
}

/// Of each end the worse, and unknown is worst.
pub(super) fn worse_span(a: &RpoSpan, b: &RpoSpan) -> RpoSpan {
    RpoSpan {
        records_at_least: super::worse(a.records_at_least, b.records_at_least),
        records_at_most: super::worse(a.records_at_most, b.records_at_most),
        ms_at_least: super::worse(a.ms_at_least, b.ms_at_least),
        ms_at_most: super::worse(a.ms_at_most, b.ms_at_most),
    }
}
