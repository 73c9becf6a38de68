//! All that is shown of the lag of a flow, a topic or a partition over a time: what the page draws and the API answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Gap, Mark, Resolution, RpoStretch, Stretch, Strip};
use crate::{
    ids::{ClusterName, PairName},
    pair::Direction,
    reading::ReadingClass,
};

/// The worst of a whole flow in a stretch, as surveys judged it. Kept by the minute, for longer than single partitions are in
/// full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowStretch {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Records the worst partition was behind; null when any was unknown.
    pub worst_records: Option<i64>,
    /// Records all together were behind; null when any was unknown.
    pub total_records: Option<i64>,
    /// How sure the records are.
    pub records_class: ReadingClass,
    /// Milliseconds the worst partition was behind; null when any was unknown.
    pub worst_ms: Option<i64>,
    /// How sure the milliseconds are.
    pub ms_class: ReadingClass,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Lag in time of the whole flow, as the newest survey judged it.
    FlowTime,
    /// Lag in records of the whole flow.
    FlowRecords,
    /// Records of the chosen partitions, from the flight recorder.
    Partitions,
    /// What a death would have cost, told from the flight recorder; of a whole flow by the hour as surveys judged it.
    Rpo,
    /// Lag of the whole flow over the time, as surveys judged it: drawn where single surveys are not looked at.
    FlowCourse,
}

/// How old a series is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freshness {
    /// Which.
    pub series: Series,
    /// When its newest sample was taken, by Muster's clock; null without any.
    pub newest: Option<DateTime<Utc>>,
    /// How long ago that was, in milliseconds.
    pub age_ms: Option<i64>,
    /// How sure that sample is now: what is older than three survey periods is stale.
    pub class: ReadingClass,
    /// Number of the survey it is from; null when that is not the newest one, whose numbers alone are kept.
    pub survey: Option<i64>,
    /// Why it is not surer, if that is known.
    pub reason: String,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagExplorer {
    /// The pair.
    pub pair: PairName,
    /// Which flow.
    pub direction: Direction,
    /// Cluster records come from.
    pub source: ClusterName,
    /// Cluster they go to.
    pub target: ClusterName,
    /// The source topic that was asked about; null for all.
    pub topic: Option<String>,
    /// Its partition; null for all.
    pub partition: Option<i32>,
    /// When this was answered, by Muster's clock: ages are counted from here.
    pub answered_at: DateTime<Utc>,
    /// Begin of the time.
    pub from: DateTime<Utc>,
    /// End of the time.
    pub to: DateTime<Utc>,
    /// Whether every survey was looked at, or hours.
    pub resolution: Resolution,
    /// Width of a stretch in milliseconds.
    pub width_ms: i64,
    /// The pair's RPO objective in milliseconds.
    pub objective_ms: i64,
    /// Partitions that were ever recorded of what is asked about; a recreated topic counts again.
    pub partitions: usize,
    /// True when these are too many for this time: then nothing is said of single partitions, and `strip` is empty. Of a topic there are no
    /// `items` either; of the whole flow they are told from what is kept of it by the hour, and rows that were not asked for are left out
    /// where they would take long.
    pub too_many: bool,
    /// The longest time, in milliseconds, in which these are not too many where rows are asked for; null where they are not.
    pub longest_ms: Option<i64>,
    /// Stretches with samples, oldest first.
    pub items: Vec<Stretch>,
    /// Where the worst is not known, and why.
    pub gaps: Vec<Gap>,
    /// Topic by topic or partition by partition, the worst first, a page at a time.
    pub strip: Strip,
    /// The whole flow as surveys judged it; empty when a topic is asked about, or every survey was looked at.
    pub flow: Vec<FlowStretch>,
    /// What a death of the source would have cost at the worst moment of each stretch, by the hour, as an interval: told of the whole flow,
    /// from when on it was kept; empty when a topic is asked about, whose `items` have it, or every survey was looked at.
    #[serde(default)]
    pub rpo_course: Vec<RpoStretch>,
    /// Runs, deaths of the source, alarms and topics that were made anew that touch the time, in the order of their begins.
    pub marks: Vec<Mark>,
    /// How old each series is.
    pub freshness: Vec<Freshness>,
}
