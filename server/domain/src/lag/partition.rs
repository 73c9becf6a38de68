//! Lag of single partitions.

mod arrived;
mod dead;
mod ends;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use self::arrived::{Arrived, Log};
pub(crate) use self::ends::{copyable_end, written_end};
use super::{
    Clock, CopyMode, EndsAt, Known, Pace, Past,
    fit::RecordsOnly,
    renamed,
    replica::{Replica, There},
    surely_missing,
};
use crate::{
    loss::LastEnds,
    pair::{Flow, Pair},
    patterns::Scope,
    reading::{Observed, Reading, ReadingClass},
    survey::{ConnectState, ConnectorRole, FlowObservation, PartitionObservation, Survey, TopicObservation},
    topic::TopicPartition,
};

/// Lag of one source partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionLag {
    /// Which partition of the source.
    pub partition: TopicPartition,
    /// Last source offset known to be on the target (inclusive; -1 when nothing is).
    pub through: Reading,
    /// Records behind, counted in offsets; at most so many when its class is a lower bound.
    pub records: Reading,
    /// Milliseconds behind by Muster's clock.
    pub ms: Reading,
    /// Offsets in open transactions or behind them, which a flow of committed records cannot copy yet; `None` where it was not read.
    pub in_open_transactions: Option<i64>,
    /// Records the source removed before they were copied.
    pub hole: Option<Hole>,
    /// Of the records behind, those that are proven to be missing and that nothing copies while the flow stands.
    #[serde(default)]
    pub surely_missing: i64,
    /// For so many milliseconds at least the oldest of the records behind has been on the source; 0 where none is surely missing.
    #[serde(default)]
    pub surely_missing_ms: i64,
    /// When the oldest record that was found to be missing was written by its own timestamp, in milliseconds since 1970.
    #[serde(default)]
    pub first_missing_timestamp: Option<i64>,
}

/// Records that are gone from the source and were not copied: replication jumps over them without an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Which partition of the source.
    pub partition: TopicPartition,
    /// First offset that was not copied.
    pub from: i64,
    /// First offset that is still there.
    pub until: i64,
    /// Whether it is proven that these were not copied.
    pub proven: bool,
}

/// Lag of every application partition of a flow.
#[must_use]
pub fn partition_lags(
    pair: &Pair,
    flow: &Flow,
    survey: &Survey,
    past: Past<'_>,
    clock: Clock,
) -> Vec<PartitionLag> {
    let judge = Judge::new(pair, flow, survey, past, clock);
    match &survey.sides.get(flow.direction.from).topics {
        Observed::Known { value, at } => judge.living(value, *at),
        Observed::Unknown { reason, .. } => judge.dead(reason),
    }
}

/// A flow as it is judged: one survey of it, and what was seen of its source before.
struct Judge<'a> {
    flow: &'a Flow,
    survey: &'a Survey,
    scope: Scope,
    observed: Option<&'a FlowObservation>,
    history: &'a [EndsAt],
    /// Each partition as it was last read.
    last: Option<&'a LastEnds>,
    pace: &'a Pace,
    clock: Clock,
    mode: CopyMode,
    records_only: RecordsOnly<'a>,
    /// Why its copies are not known by their names.
    renamed: Option<String>,
}

impl<'a> Judge<'a> {
    fn new(pair: &Pair, flow: &'a Flow, survey: &'a Survey, past: Past<'a>, clock: Clock) -> Self {
        let observed = survey.flows.iter().find(|observed| observed.direction == flow.direction);
        Self {
            flow,
            survey,
            scope: Scope::of(pair),
            observed,
            history: past.ends,
            last: past.last,
            pace: past.pace,
            clock,
            mode: CopyMode::of(survey, flow.direction),
            records_only: RecordsOnly::of(observed),
            renamed: renamed(survey, flow.direction),
        }
    }

    fn living(&self, topics: &BTreeMap<String, TopicObservation>, at: DateTime<Utc>) -> Vec<PartitionLag> {
        let mut lags = Vec::new();
        for (name, topic) in topics {
            if !self.scope.application_topic(self.flow.direction.from, name) {
                continue;
            }
            let replica = self.replica(name);
            let keeps_all = keeps_all(topic);
            // One key for all lookups of the topic: a name is not copied per partition and map.
            let mut key = TopicPartition::new(name.clone(), 0);
            for (number, source) in (0..).zip(&topic.partitions) {
                key.partition = number;
                lags.push(self.partition(&key, source, replica.partition(number), keeps_all, at));
            }
        }
        lags
    }

    fn replica(&self, topic: &str) -> Replica<'a> {
        let name = self.scope.replica(self.flow.direction, topic);
        let there = self.survey.sides.get(self.flow.direction.to()).topics.value();
        Replica { found: there.map(|topics| topics.get(&name)), name }
    }

    fn partition(
        &self,
        key: &TopicPartition,
        source: &PartitionObservation,
        target: There<'_>,
        keeps_all: Option<bool>,
        at: DateTime<Utc>,
    ) -> PartitionLag {
        let open = source.end.zip(source.stable).map(|(end, stable)| end.saturating_sub(stable).max(0));
        let unknown = |reason: &str| PartitionLag {
            partition: key.clone(),
            through: Reading::unknown(at, reason),
            records: Reading::unknown(at, reason),
            ms: Reading::unknown(at, reason),
            in_open_transactions: open,
            hole: None,
            surely_missing: 0,
            surely_missing_ms: 0,
            first_missing_timestamp: None,
        };
        let (Some(start), Some(end)) = (source.start, copyable_end(source, self.mode)) else {
            return unknown(if source.trouble.is_empty() {
                "its offsets could not be read"
            } else {
                &source.trouble
            });
        };
        let high = written_end(source).map_or(end, |high| high.max(end));
        let arrived = if start >= end {
            let through = end.saturating_sub(1);
            Arrived { through, class: ReadingClass::Exact, reason: String::new(), at }
        } else {
            match self.arrived(key, Log { start, end, high }, target, TimeDelta::zero()) {
                Ok(arrived) => arrived,
                Err(reason) => return unknown(&reason),
            }
        };
        let at = arrived.at.min(at);
        let class = self.aged(arrived.class, at);
        let records = end.saturating_sub(1).saturating_sub(arrived.through);
        let hole = (start > arrived.through.saturating_add(1) && start < end).then(|| Hole {
            partition: key.clone(),
            from: arrived.through + 1,
            until: start,
            proven: class == ReadingClass::Exact,
        });
        // Offsets are not records where some are missing.
        let sparse = records > 0 && (keeps_all == Some(false) || !self.mode.copies_everything());
        let (records_class, why) = if sparse && class < ReadingClass::LowerBound {
            let why = if self.mode.transforms {
                "at most: markers, compacted records and what transforms leave out count as well"
            } else {
                "at most: markers and compacted records count as well"
            };
            (ReadingClass::LowerBound, why.to_owned())
        } else {
            (class, arrived.reason.clone())
        };
        let surely_missing = self.surely_missing(key, (start, end), arrived.through, target, keeps_all);
        PartitionLag {
            surely_missing,
            surely_missing_ms: if surely_missing > 0 {
                self.surely_behind_for(key, arrived.through)
            } else {
                0
            },
            first_missing_timestamp: source
                .first_missing
                .filter(|missing| records > 0 && missing.offset > arrived.through)
                .map(|missing| missing.timestamp_ms),
            partition: key.clone(),
            records: Reading::new(records, records_class, at, why),
            ms: self.behind_since(key, arrived.through, end, class, at),
            through: Reading::new(arrived.through, class, at, arrived.reason),
            in_open_transactions: open,
            hole,
        }
    }

    /// Records that are proven to be missing and that nothing copies.
    fn surely_missing(
        &self,
        key: &TopicPartition,
        (start, reach): (i64, i64),
        through: i64,
        target: There<'_>,
        keeps_all: Option<bool>,
    ) -> i64 {
        if keeps_all != Some(true) || !self.mode.copies_everything() || !self.stands() {
            return 0;
        }
        let pair = self.observed.and_then(|flow| flow.newest_pair(key));
        target
            .end()
            .map_or(0, |target_end| surely_missing(&Known { start, reach, through, pair, target_end }))
    }

    /// Whether the flow's source connector is known not to run: then nothing that is missing is copied before it is looked again.
    fn stands(&self) -> bool {
        let Some(observed) = self.observed else { return false };
        match observed.connectors.get(&ConnectorRole::Source).map(Observed::value) {
            None => true,
            Some(None) => false,
            Some(Some(connector)) => match connector.state {
                ConnectState::Stopped
                | ConnectState::Paused
                | ConnectState::Failed
                | ConnectState::Destroyed => true,
                ConnectState::Running | ConnectState::Restarting | ConnectState::Unassigned => false,
            },
        }
    }

    /// Since when the first record that is missing on the target may have existed.
    fn behind_since(
        &self,
        key: &TopicPartition,
        through: i64,
        end: i64,
        class: ReadingClass,
        at: DateTime<Utc>,
    ) -> Reading {
        if through.saturating_add(1) >= end {
            return Reading::new(0, class, at, "");
        }
        // Ends only grow, so the samples at or before the position are a prefix; a recreated topic breaks that and the
        // search from the newest on is right anyway.
        let seen = self
            .history
            .iter()
            .rev()
            .find(|(_, ends)| ends.get(key).is_some_and(|end| *end <= through.saturating_add(1)));
        match (seen, self.history.first()) {
            (Some((seen, _)), _) => {
                let class = class.max(ReadingClass::Tight);
                Reading::new((self.clock.now - *seen).num_milliseconds(), class, at, "to one survey period")
            }
            (None, Some((oldest, _))) => {
                let seconds = (self.clock.now - *oldest).num_seconds();
                Reading::unknown(
                    at,
                    format!("more than {seconds} s: it is behind since before the kept history"),
                )
            }
            (None, None) => Reading::unknown(at, "there is no history of the source's ends yet"),
        }
    }

    /// For how many milliseconds, at least, the first record that is missing on the target has been there. Of the surveys that all saw an end
    /// behind it the first read that end some time after it began: only when the second began the record was surely there.
    fn surely_behind_for(&self, key: &TopicPartition, through: i64) -> i64 {
        let behind_it =
            |(_, ends): &&EndsAt| ends.get(key).is_none_or(|end| *end > through.saturating_add(1));
        let saw_it =
            self.history.iter().rev().take_while(behind_it).filter(|(_, ends)| ends.contains_key(key));
        let (second, _) = saw_it.fold((None, None), |(_, first), (at, _)| (first, Some(*at)));
        second.map_or(0, |at: DateTime<Utc>| (self.clock.now - at).num_milliseconds().max(0))
    }

    fn aged(&self, class: ReadingClass, at: DateTime<Utc>) -> ReadingClass {
        if self.clock.now - at > self.clock.period * 3 { class.max(ReadingClass::Stale) } else { class }
    }
}

/// Whether nothing is compacted away of a topic; `None` where its configs could not be read.
fn keeps_all(topic: &TopicObservation) -> Option<bool> {
    let policy = topic.configs.value()?.get("cleanup.policy")?.value.as_deref()?;
    Some(!policy.contains("compact"))
}
