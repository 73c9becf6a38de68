//! What surveys say of a whole flow, by the hour: kept when single surveys are gone, in one row an hour however many partitions there are.
//!
//! Every survey says how far its partitions were behind: percentiles over them, unknown ones above all others. Of an hour the worst of each
//! of these stands: at none of its surveys was more than half of the partitions further behind than its median. That is not what the
//! partitions say each at its own worst of the hour, which may be at other times: it is at most that, and its worst is the same.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Band, worse};
use crate::{
    lag::{FlowLag, PartitionLag, Rpo, RpoHour, RpoLook, Unseen},
    reading::{Reading, ReadingClass},
};

/// Partitions by how sure it is how many records they were behind, from the least sure: in that order two surveys are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct ByClass {
    /// Not known.
    pub unknown: usize,
    /// It was so.
    pub stale: usize,
    /// At most so many were missing.
    pub lower_bound: usize,
    /// Small error either way.
    pub tight: usize,
    /// Proven.
    pub exact: usize,
}

impl ByClass {
    fn of(lags: &[PartitionLag]) -> Self {
        let mut counted = Self::default();
        for records in lags.iter().map(|lag| &lag.records) {
            let class = records.value.map_or(ReadingClass::Unknown, |_| records.class);
            *match class {
                ReadingClass::Exact => &mut counted.exact,
                ReadingClass::Tight => &mut counted.tight,
                ReadingClass::LowerBound => &mut counted.lower_bound,
                ReadingClass::Stale => &mut counted.stale,
                ReadingClass::Unknown => &mut counted.unknown,
            } += 1;
        }
        counted
    }
}

/// What one survey says of a flow, or the surveys of some time together: of each figure the worst, and unknown is worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourBand {
    /// When the last survey that is in it began.
    pub until: DateTime<Utc>,
    /// Surveys that are in it.
    pub surveys: usize,
    /// Those of them to which it was unknown of some partition how many records it was behind.
    pub unknown_surveys: usize,
    /// Most partitions that one of them knew of.
    pub partitions: usize,
    /// At the one that was least sure.
    pub by_class: ByClass,
    /// Records behind.
    pub records: Band,
    /// Milliseconds behind.
    pub ms: Band,
    /// Records all partitions together were behind; `None` when any was unknown.
    pub total_records: Option<i64>,
    /// At least so many records would have been lost at its worst moment: proven to be missing, and nothing copied them.
    pub records_at_least: Option<i64>,
    /// At most so many, up to the last survey.
    pub records_at_most: Option<i64>,
    /// The oldest of those that are proven to be missing had been there for so many milliseconds.
    pub ms_at_least: Option<i64>,
    /// At the last survey; `None` when that could not be bounded.
    last: Option<Bound>,
}

/// What a death would have cost at most, and what that grows by until somebody looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bound {
    records_at_most: i64,
    unseen: Unseen,
}

impl HourBand {
    /// What a survey says that began at a time; `lags` are those of all partitions of the flow.
    #[must_use]
    pub fn of(flow: &FlowLag, lags: &[PartitionLag], at: DateTime<Utc>) -> Self {
        let rpo = &flow.rpo;
        let bound = |(records_at_most, unseen)| Bound { records_at_most, unseen };
        let missing_ms = || lags.iter().map(|lag| lag.surely_missing_ms).max().unwrap_or(0);
        Self {
            until: at,
            surveys: 1,
            unknown_surveys: usize::from(flow.worst_records.value.is_none()),
            partitions: lags.len(),
            by_class: ByClass::of(lags),
            records: band(lags.iter().map(|lag| &lag.records), &flow.worst_records),
            ms: band(lags.iter().map(|lag| &lag.ms), &flow.worst_ms),
            total_records: flow.worst_records.value.and(flow.total_records.value),
            records_at_least: rpo.records_at_least,
            records_at_most: rpo.records_at_most,
            ms_at_least: rpo.records_at_least.map(|_| missing_ms()),
            last: rpo.records_at_most.zip(rpo.unseen).map(bound),
        }
    }

    /// With surveys that came later.
    pub(super) fn joined(&self, later: &Self) -> Self {
        Self {
            until: later.until,
            surveys: self.surveys.saturating_add(later.surveys),
            unknown_surveys: self.unknown_surveys.saturating_add(later.unknown_surveys),
            partitions: self.partitions.max(later.partitions),
            by_class: self.by_class.max(later.by_class),
            records: worse_of(&self.records, &later.records),
            ms: worse_of(&self.ms, &later.ms),
            total_records: worse(self.total_records, later.total_records),
            records_at_least: worse(self.records_at_least, later.records_at_least),
            records_at_most: worse(self.records_at_most, later.records_at_most),
            ms_at_least: worse(self.ms_at_least, later.ms_at_least),
            last: later.last,
        }
    }

    /// At most so many records up to a time in which nobody looked any more.
    pub(super) fn records_at_most_until(&self, then: DateTime<Utc>) -> Option<i64> {
        worse(self.records_at_most, self.grown_until(then))
    }

    /// By the rule by which today's figure grows.
    fn grown_until(&self, then: DateTime<Utc>) -> Option<i64> {
        let Bound { records_at_most, unseen } = self.last?;
        let then_known =
            Rpo { records_at_most: Some(records_at_most), unseen: Some(unseen), ..Rpo::default() };
        then_known.told_at(then).records_at_most
    }
}

/// What one survey says of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLook {
    /// What a death would have cost in time.
    pub rpo: RpoLook,
    /// Everything else.
    pub band: HourBand,
}

impl FlowLook {
    /// Of a survey that began at a time; `lags` are those of all partitions of the flow.
    #[must_use]
    pub fn of(flow: &FlowLag, lags: &[PartitionLag], at: DateTime<Utc>) -> Self {
        Self { rpo: RpoLook::of(flow, at), band: HourBand::of(flow, lags, at) }
    }
}

/// An hour of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowHour {
    /// What a death would have cost in time.
    pub rpo: RpoHour,
    /// Everything else, as it was kept; `None` where it was not.
    pub band: Option<HourBand>,
}

impl FlowHour {
    /// The hour that a survey is in, with it; `newest` is the newest hour that is kept of the flow. `None` when that has seen the survey, or
    /// a later one.
    #[must_use]
    pub fn with(newest: Option<&Self>, look: &FlowLook) -> Option<Self> {
        let rpo = RpoHour::with(newest.map(|newest| &newest.rpo), look.rpo)?;
        let Some(newest) = newest else { return Some(Self { rpo, band: Some(look.band.clone()) }) };
        let before = newest.whole_band();
        let unseen = before.and_then(|before| before.grown_until(look.rpo.at));
        let here =
            HourBand { records_at_most: worse(look.band.records_at_most, unseen), ..look.band.clone() };
        let band =
            if newest.rpo.at == rpo.at { before.map(|before| before.joined(&here)) } else { Some(here) };
        Some(Self { rpo, band })
    }

    /// The band, where every survey of the hour is in it. A process of the version before goes on with the hour and leaves the band as it is.
    #[must_use]
    pub fn whole_band(&self) -> Option<&HourBand> {
        // The database keeps microseconds.
        let last = self.rpo.last_at.timestamp_micros();
        self.band.as_ref().filter(|band| band.until.timestamp_micros() == last)
    }
}

/// Figures over partitions; where there are none, what is said of the flow.
fn band<'a>(readings: impl Iterator<Item = &'a Reading>, of_none: &'a Reading) -> Band {
    let mut readings = readings.peekable();
    let none = readings.peek().is_none().then_some(of_none);
    let (mut known, mut count, mut known_class) = (Vec::new(), 0_usize, None::<ReadingClass>);
    for reading in readings.chain(none) {
        count += 1;
        if let Some(value) = reading.value {
            known.push(value.max(0));
            known_class = known_class.max(Some(reading.class));
        }
    }
    known.sort_unstable();
    // Those that are unknown come after all others.
    let at = |percent: usize| known.get((count * percent).div_ceil(100).max(1) - 1).copied();
    let worst = at(100);
    Band {
        p50: at(50),
        p90: at(90),
        p99: at(99),
        worst,
        class: worst.and(known_class).unwrap_or(ReadingClass::Unknown),
        known_class,
    }
}

/// Of each figure the worse.
fn worse_of(a: &Band, b: &Band) -> Band {
    Band {
        p50: worse(a.p50, b.p50),
        p90: worse(a.p90, b.p90),
        p99: worse(a.p99, b.p99),
        worst: worse(a.worst, b.worst),
        class: a.class.max(b.class),
        known_class: a.known_class.max(b.known_class),
    }
}

#[cfg(test)]
mod tests;
