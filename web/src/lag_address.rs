//! Addresses of the page of lag over time: what is asked for, and where others lead to it. What is shown is in the address.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{recorder::explorer::LagExplorer, topic::TopicPartition};
use serde::Deserialize;

use crate::runs::query_string;

/// Lengths of time that one link leads to: word, label, hours.
pub const RANGES: [(&str, &str, i64); 6] = [
    ("1h", "1 h", 1),
    ("6h", "6 h", 6),
    ("24h", "24 h", 24),
    ("7d", "7 d", 168),
    ("30d", "30 d", 720),
    ("1y", "1 y", 8_760),
];

/// What the page's address asks for. Everything is text as browsers send it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LagFilter {
    /// Cluster records come from; empty for the active side.
    pub source: String,
    /// One of [`RANGES`] until now; empty for an hour.
    pub range: String,
    /// Begin, instead of a range: `2026-11-19T03:00`, in UTC.
    pub from: String,
    /// End; now when empty.
    pub to: String,
    /// A source topic; empty for all.
    pub topic: String,
    /// One of its partitions; empty for all.
    pub partition: String,
    /// What rows of the strip are of: `topics` or `partitions`; empty for topics of a flow and partitions of a topic.
    pub rows: String,
    /// So many rows are on the pages before; none when empty.
    pub skip: String,
}

impl LagFilter {
    /// As a query string, empty parts left out.
    #[must_use]
    pub fn query(&self) -> String {
        query_string(&[
            ("source", &self.source),
            ("range", &self.range),
            ("from", &self.from),
            ("to", &self.to),
            ("topic", &self.topic),
            ("partition", &self.partition),
            ("rows", &self.rows),
            ("skip", &self.skip),
        ])
    }
}

/// Where a time until now is shown, of a topic or of all.
pub(crate) fn lag_of(pair: &str, topic: &str, range: &str) -> String {
    lag_from(pair, "", topic, range)
}

/// The same of the flow from a cluster; without one, of the side that is active.
pub(crate) fn lag_from(pair: &str, source: &str, topic: &str, range: &str) -> String {
    let (source, range, topic) = (source.to_owned(), range.to_owned(), topic.to_owned());
    let filter = LagFilter { source, range, topic, ..LagFilter::default() };
    format!("/pairs/{pair}/lag{}", filter.query())
}

/// Where the course around something is shown, of one partition of the source.
pub(crate) fn around_partition(
    pair: &str,
    source: &str,
    partition: &TopicPartition,
    time: (DateTime<Utc>, DateTime<Utc>),
) -> String {
    format!("{}&partition={}", around(pair, source, &partition.topic, time), partition.partition)
}

/// Where the course around something is shown: so long before its begin until as long after its end, of a topic or of all.
#[must_use]
pub fn around(pair: &str, source: &str, topic: &str, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> String {
    // As long as what lies around incidents is kept in full.
    let margin = TimeDelta::minutes(15);
    let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let filter = LagFilter {
        source: source.to_owned(),
        from: text(from - margin),
        to: text(to + margin),
        topic: topic.to_owned(),
        ..LagFilter::default()
    };
    format!("/pairs/{pair}/lag{}", filter.query())
}

/// The same time of a topic or of one partition of it.
pub(crate) fn part_of(found: &LagExplorer, topic: &str, partition: Option<i32>) -> String {
    over(found, (found.from, found.to), topic, partition)
}

/// Another time of a topic or of one partition of it, or of all.
pub(crate) fn over(
    found: &LagExplorer,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    topic: &str,
    partition: Option<i32>,
) -> String {
    let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let filter = LagFilter {
        source: found.source.to_string(),
        from: text(from),
        to: text(to),
        topic: topic.to_owned(),
        partition: partition.map(|number| number.to_string()).unwrap_or_default(),
        ..LagFilter::default()
    };
    format!("/pairs/{}/lag{}", found.pair, filter.query())
}
