//! How far the target of a flow is behind, and what would be lost if the source died now (mm2.md 3.4 as corrected).
//!
//! Nothing here trusts record timestamps: time is when Muster saw the source's end where it was. A source that does not
//! answer is never shown as caught up: its figures are stale, with their age, or unknown.

mod fit;
mod last_read;
mod missing;
mod pace;
mod partition;
mod replica;
mod rpo;
mod rpo_hour;
mod summary;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_rpo;
mod unproven;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    fit::RecordsOnly,
    missing::{Known, surely_missing},
    partition::written_end,
};
pub use self::{
    pace::Pace,
    partition::{Hole, PartitionLag, partition_lags},
    rpo::{Missing, Rate, Unseen},
    rpo_hour::{RpoHour, RpoLook},
    unproven::UnprovenCopies,
};
use crate::{
    loss::LastEnds,
    pair::{Direction, Flow, Pair},
    reading::{Reading, ReadingClass},
    renaming::Renaming,
    survey::{ConnectorObservation, ConnectorRole, PartitionObservation, Survey},
    topic::{ByPartition, TopicPartition},
};

/// How far one flow's target is behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowLag {
    /// Which flow.
    pub direction: Direction,
    /// Records of the partition that is furthest behind.
    pub worst_records: Reading,
    /// Records of all partitions.
    pub total_records: Reading,
    /// Age in milliseconds of what the partition that is furthest behind in time has not copied yet.
    pub worst_ms: Reading,
    /// The partition `worst_ms` is of, else the one `worst_records` is of; `None` when nothing is behind.
    #[serde(default)]
    pub worst: Option<TopicPartition>,
    /// By source topic.
    pub topics: BTreeMap<String, TopicLag>,
    /// Offsets on the source that are in open transactions, or behind such: a flow of committed records cannot copy them yet. `None`
    /// where it is not known, and not written then: versions before this one know no such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_open_transactions: Option<i64>,
    /// Records the source removed before they were copied; at most 20 of them.
    #[serde(default)]
    pub holes: Vec<Hole>,
    /// When the oldest record that was found to be missing in `worst` was written by its own timestamp, in milliseconds since
    /// 1970: a second figure beside the lag by Muster's clock, as good as the clock of whoever wrote it.
    #[serde(default)]
    pub first_missing_timestamp: Option<i64>,
    /// What would be lost if the source died now.
    pub rpo: Rpo,
}

/// How far one topic is behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicLag {
    /// Records of all its partitions.
    pub records: Reading,
    /// Milliseconds of its worst partition.
    pub ms: Reading,
    /// What would be lost of it if the source died now.
    #[serde(default)]
    pub rpo: Rpo,
}

/// What would be lost, as an interval. `None` is not known and is never shown as zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rpo {
    /// At least so many records: those that are proven to be missing and that nothing copies, because the flow's source connector
    /// does not run. While it runs, or that is not known, they may arrive in the next moment: 0.
    pub records_at_least: Option<i64>,
    /// At most so many: those behind, those in open transactions, and those that may have been written since the ends were read.
    pub records_at_most: Option<i64>,
    /// Writes of at most the last so many milliseconds.
    pub ms_at_most: Option<i64>,
    /// Why any of them is not known; empty when all are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What it grows by until somebody looks again; `None` where nothing bounds it, and of a process of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
}

impl Rpo {
    /// Too old to be said of now.
    #[must_use]
    pub fn not_known(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

impl FlowLag {
    /// Topics that are furthest behind in records, at most so many: those of which that is not known before all others.
    #[must_use]
    pub fn furthest_behind(&self, most: usize) -> Vec<&str> {
        let mut topics: Vec<_> =
            self.topics.iter().map(|(name, lag)| (name.as_str(), lag.records.value)).collect();
        topics.sort_by_key(|(_, records)| (records.is_some(), std::cmp::Reverse(*records)));
        topics.into_iter().map(|(name, _)| name).take(most).collect()
    }

    /// What would be lost in time if the source died now, at most: what objectives are compared with.
    #[must_use]
    pub fn rpo_in_time(&self) -> Reading {
        let at = self.worst_ms.at;
        match self.rpo.ms_at_most {
            Some(ms) => {
                let class = self.worst_ms.class.max(ReadingClass::LowerBound);
                let why = "what is behind, and what may be written until the source is looked at again";
                Reading::new(ms, class, at, why)
            }
            None if self.rpo.reason.is_empty() => Reading::unknown(at, self.worst_ms.reason.clone()),
            None => Reading::unknown(at, self.rpo.reason.clone()),
        }
    }
}

/// Ends of the source's partitions as an earlier survey saw them.
pub type EndsAt = (DateTime<Utc>, ByPartition<i64>);

/// What was seen of a flow's source before a survey.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// What [`ends_of`] gave for earlier surveys, oldest first; it need not reach further back than lag is to be shown in time.
    pub ends: &'a [EndsAt],
    /// High watermarks of the survey that read any last, without those that were brought forward; of partitions that it did not read there
    /// is none.
    pub high: Option<&'a EndsAt>,
    /// Each partition as it was last read.
    pub last: Option<&'a LastEnds>,
    /// How fast it was written to.
    pub pace: &'a Pace,
}

impl Default for Past<'_> {
    /// Nothing was seen.
    fn default() -> Self {
        static UNKNOWN: Pace = Pace::new();
        Self { ends: &[], high: None, last: None, pace: &UNKNOWN }
    }
}

/// When something is judged.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Now.
    pub now: DateTime<Utc>,
    /// How often surveys are taken; values older than three periods are stale.
    pub period: TimeDelta,
}

/// What of the source can be copied by a flow: committed records only, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyMode {
    /// Copies committed records only, so it reaches the last stable offset and no further.
    pub(crate) read_committed: bool,
    /// Records and their source offset are committed in one transaction: the committed offset is exact.
    pub(crate) exactly_once: bool,
    /// Its transforms may leave records out: those are on the source for ever, and nobody lost them.
    pub(crate) transforms: bool,
}

impl CopyMode {
    /// From the source connector's config; without one the flow is taken to copy everything, which shows more lag.
    pub(crate) fn of(survey: &Survey, direction: Direction) -> Self {
        Self::of_config(source_config(survey, direction))
    }

    /// Whether every record behind a place would be copied and kept, as far as the flow goes: otherwise none is proven to be missing.
    pub(crate) fn copies_everything(self) -> bool {
        !self.read_committed && !self.transforms
    }

    fn of_config(config: Option<&BTreeMap<String, String>>) -> Self {
        let setting = |key: &str| config.and_then(|config| config.get(key)).map(String::as_str);
        let isolation =
            ["source.consumer.isolation.level", "consumer.isolation.level"].into_iter().find_map(setting);
        let read_committed = isolation == Some("read_committed");
        let required = setting("exactly.once.support").is_some_and(|s| s.eq_ignore_ascii_case("required"));
        let transforms = setting("transforms").is_some_and(|list| !list.trim().is_empty());
        Self { read_committed, exactly_once: read_committed && required, transforms }
    }
}

/// The config of a flow's source connector; `None` where Connect does not say.
pub(crate) fn source_config(survey: &Survey, direction: Direction) -> Option<&BTreeMap<String, String>> {
    let flow = survey.flows.iter().find(|flow| flow.direction == direction)?;
    Some(&flow.connectors.get(&ConnectorRole::Source)?.value()?.config)
}

/// Why nothing is known of a flow's copies, where its connector gives them other names than its naming policy.
pub(crate) fn renamed(survey: &Survey, direction: Direction) -> Option<String> {
    Renaming::of(source_config(survey, direction)?).in_the_way()
}

/// The ends of a survey's source side, to be kept for [`Past::ends`]; `None` where it was not read.
#[must_use]
pub fn ends_of(flow: &Flow, survey: &Survey) -> Option<EndsAt> {
    let topics = &survey.sides.get(flow.direction.from).topics;
    let mode = CopyMode::of(survey, flow.direction);
    let mut ends = BTreeMap::new();
    for (name, topic) in topics.value()? {
        for (number, partition) in (0..).zip(&topic.partitions) {
            if let Some(end) = partition::copyable_end(partition, mode) {
                ends.insert(TopicPartition::new(name.clone(), number), end);
            }
        }
    }
    Some((topics.at(), ends))
}

/// The high watermarks of a survey's source side, without what is known to be no record before them, to be kept for [`Past::high`] and
/// [`Pace::add`]; `None` where it was not read.
#[must_use]
pub fn high_watermarks(flow: &Flow, survey: &Survey) -> Option<EndsAt> {
    let topics = &survey.sides.get(flow.direction.from).topics;
    let mut ends = BTreeMap::new();
    for (name, topic) in topics.value()? {
        for (number, partition) in (0..).zip(&topic.partitions) {
            if let Some(end) = written_end(partition) {
                ends.insert(TopicPartition::new(name.clone(), number), end);
            }
        }
    }
    Some((topics.at(), ends))
}

/// Lag of a flow from one survey alone, for tests: records, and time only where nothing is behind.
#[cfg(test)]
fn flow_lag(pair: &Pair, flow: &Flow, survey: &Survey) -> FlowLag {
    let clock = Clock { now: survey.began_at, period: TimeDelta::hours(1) };
    flow_lag_since(pair, flow, survey, Past::default(), clock)
}

/// Lag of a flow.
#[must_use]
pub fn flow_lag_since(pair: &Pair, flow: &Flow, survey: &Survey, past: Past<'_>, clock: Clock) -> FlowLag {
    judge_flow(pair, flow, survey, past, clock).0
}

/// Lag of a flow, and of each of its partitions.
#[must_use]
pub fn judge_flow(
    pair: &Pair,
    flow: &Flow,
    survey: &Survey,
    past: Past<'_>,
    clock: Clock,
) -> (FlowLag, Vec<PartitionLag>) {
    let lags = partition_lags(pair, flow, survey, past, clock);
    (summary::summarise(flow, survey, &lags, past, clock), lags)
}

/// Whether a source connector leaves no record out, neither what transactions give up nor by transforms: then what is missing was
/// lost.
#[must_use]
pub fn leaves_nothing_out(source: &ConnectorObservation) -> bool {
    CopyMode::of_config(Some(&source.config)).copies_everything()
}

/// Whether a source connector reads every record there is, those of open and given-up transactions included.
#[must_use]
pub fn copies_all_records(source: &ConnectorObservation) -> bool {
    !CopyMode::of_config(Some(&source.config)).read_committed
}

/// One past the last record of a partition that a flow could copy.
pub fn copyable_ends(flow: &Flow, survey: &Survey) -> impl Fn(&PartitionObservation) -> Option<i64> + use<> {
    let mode = CopyMode::of(survey, flow.direction);
    move |observed| partition::copyable_end(observed, mode)
}
