//! Lag of single partitions.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Clock, CopyMode, EndsAt, Known, Pace, Past,
    fit::{RecordsOnly, fit},
    last_read::{LastRead, in_topics, last_read},
    renamed,
    replica::{Replica, There},
    surely_missing,
};
use crate::{
    loss::LastEnds,
    pair::{Flow, Pair},
    patterns::Scope,
    reading::{Observed, Reading, ReadingClass},
    survey::{
        ConnectState, ConnectorRole, FlowObservation, NewestPairs, PartitionObservation, Survey,
        TopicObservation,
    },
    topic::TopicPartition,
};

/// A survey is taken to last as long at least: clocks and Connect's answers are no finer.
const SHORTEST_SURVEY_MS: i64 = 1_000;
/// Of a topic that was made anew, until its positions move.
const NOTHING_OF_THIS_LOG: &str =
    "nothing is known to have been copied: the topic was made anew, its position is of the log before";

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

/// One past the last record the flow could copy. Connect commits the offset of a record, and the marker behind the last one never
/// arrives: where it is known that nothing else lies there, it is not waited for.
pub(crate) fn copyable_end(partition: &PartitionObservation, mode: CopyMode) -> Option<i64> {
    let end = if mode.read_committed { partition.stable } else { partition.end }?;
    Some(up_to_last_record(partition, end))
}

/// An end without what is known to be no record before it.
fn up_to_last_record(partition: &PartitionObservation, end: i64) -> i64 {
    partition.last_record.map_or(end, |last| end.min(last.saturating_add(1)))
}

/// High watermark without what is known to be no record before it. Where a transaction is open nothing is known: how far it was read may
/// be up to where that begins, and what lies behind may be committed in the next moment.
pub(crate) fn written_end(partition: &PartitionObservation) -> Option<i64> {
    let end = partition.end?;
    Some(if partition.stable == Some(end) { up_to_last_record(partition, end) } else { end })
}

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

/// What a partition of the source has.
#[derive(Debug, Clone, Copy)]
struct Log {
    /// First offset still there.
    start: i64,
    /// One past the last record the flow could copy.
    end: i64,
    /// High watermark: what is open at the end may be committed, and copied, while positions are read.
    high: i64,
}

/// What is known to have arrived.
struct Arrived {
    through: i64,
    class: ReadingClass,
    reason: String,
    at: DateTime<Utc>,
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
        PartitionLag {
            surely_missing: self.surely_missing(key, (start, end), arrived.through, target, keeps_all),
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

    /// The last source offset that is proven or fitted to be on the target. `unseen` is for how long the end was not looked at when
    /// the positions were read.
    fn arrived(
        &self,
        key: &TopicPartition,
        Log { start, end, high }: Log,
        target: There<'_>,
        unseen: TimeDelta,
    ) -> Result<Arrived, String> {
        if let Some(reason) = &self.renamed {
            return Err(reason.clone());
        }
        if let There::Absent { replica, partitions } = target {
            let reason = match partitions {
                None => format!("its copy `{replica}` is not on the target"),
                Some(n) => format!("its copy `{replica}` has {n} partitions only on the target"),
            };
            let at = self.survey.sides.get(self.flow.direction.to()).topics.at();
            return Ok(Arrived { through: start.saturating_sub(1), class: ReadingClass::Tight, reason, at });
        }
        let observed = self.observed.ok_or("Muster cannot see this flow")?;
        let (committed, pair) = (observed.committed.as_result(), self.newest_pairs(observed));
        if let (Err(committed), Err(pair)) = (committed, pair) {
            return Err(format!(
                "neither committed offsets ({committed}) nor offset syncs ({pair}) could be read"
            ));
        }
        let at = observed.committed.at().min(observed.newest_pairs.at());
        let offset = committed.ok().and_then(|committed| committed.offsets.get(key)).copied();
        let pair = pair.ok().and_then(|pairs| pairs.0.get(key)).copied();
        let (offset, pair) = observed.of_this_log(key, offset, pair);
        let new = |through, class, reason: &str| Arrived { through, class, reason: reason.to_owned(), at };
        let last = end.saturating_sub(1);
        let Some(low) = offset.max(pair.map(|pair| pair.upstream)) else {
            let anew = observed.of_another_log.contains_key(key);
            let nothing = if anew { NOTHING_OF_THIS_LOG } else { "nothing is known to have been copied yet" };
            return Ok(new(start.saturating_sub(1), ReadingClass::LowerBound, nothing));
        };
        let ahead = low.saturating_sub(high.saturating_sub(1));
        if ahead > 0 && ahead > self.pace.may_run_ahead(key, unseen + took(self.survey)) {
            return Err(format!(
                "its position {low} is beyond the source's end {end}: the topic was recreated or cut short, or the position \
                 is not this topic's"
            ));
        }
        let low = low.min(last);
        if low == last || (self.mode.exactly_once && offset.is_some()) {
            return Ok(new(low, ReadingClass::Exact, ""));
        }
        let fitted =
            pair.zip(target.end()).and_then(fit).filter(|_| self.advance_alike(target, key.partition));
        Ok(match fitted {
            Some(fitted) => new(
                fitted.clamp(low, last),
                ReadingClass::Tight,
                "counted from the newest offset sync to the target's end",
            ),
            None => new(
                low,
                ReadingClass::LowerBound,
                "proven as far as the last committed offset or offset sync",
            ),
        })
    }

    /// The newest offset syncs. Of a source that does not answer the last that were read: what they say had arrived is there still, and
    /// all that is told of such a source is stale. One that answers may have written others since.
    fn newest_pairs(&self, observed: &'a FlowObservation) -> Result<&'a NewestPairs, &'a str> {
        let answers = self.survey.sides.get(self.flow.direction.from).topics.value().is_some();
        let last = observed.last_pairs.as_ref().filter(|_| !answers);
        observed.newest_pairs.as_result().or_else(|reason| last.map(|last| &last.newest).ok_or(reason))
    }

    /// Whether each offset behind the newest offset sync on the target is a record of the source. Where transforms leave records out, the
    /// target does not advance as the source does; where somebody writes there in transactions, it has markers.
    fn advance_alike(&self, target: There<'_>, partition: i32) -> bool {
        let There::Found { replica, .. } = target else { return false };
        !self.mode.exactly_once && !self.mode.transforms && self.records_only.on(replica, partition)
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

    /// The source does not answer. What each partition had when it was last seen is all there is.
    fn dead(&self, reason: &str) -> Vec<PartitionLag> {
        let all = last_read(self.history);
        let in_scope = in_topics(all, |topic| self.scope.application_topic(self.flow.direction.from, topic));
        in_scope
            .map(|LastRead { key, end, at }| {
                let gap = (self.clock.now - at).num_seconds();
                self.last_seen(key, end, at, gap, reason)
            })
            .collect()
    }

    fn last_seen(
        &self,
        key: &TopicPartition,
        end: i64,
        seen_at: DateTime<Utc>,
        gap: i64,
        reason: &str,
    ) -> PartitionLag {
        let replica = self.replica(&key.topic);
        let since = format!("the source has not answered for {gap} s ({reason})");
        let seen = self.last.and_then(|last| last.ends.get(key).copied().flatten());
        let log = Log { start: 0, end, high: seen.map_or(end, |seen| end.max(seen.end)) };
        let there = replica.partition(key.partition);
        let (through, records, ms) = match self.arrived(key, log, there, self.clock.now - seen_at) {
            Err(why) => {
                let unknown = Reading::unknown(seen_at, format!("{since}, and {why}"));
                (unknown.clone(), unknown.clone(), unknown)
            }
            Ok(arrived) if arrived.through.saturating_add(1) >= end => {
                let unknown = Reading::unknown(
                    seen_at,
                    format!(
                        "{since}; all that was seen until then has arrived, what was written since is not known"
                    ),
                );
                (Reading::new(arrived.through, ReadingClass::Stale, seen_at, since), unknown.clone(), unknown)
            }
            Ok(arrived) => {
                let ms = match self.behind_since(key, arrived.through, end, ReadingClass::Stale, seen_at) {
                    Reading { value: Some(ms), at, .. } => {
                        Reading::new(ms, ReadingClass::Stale, at, since.clone())
                    }
                    unknown => unknown,
                };
                let behind = end.saturating_sub(1).saturating_sub(arrived.through);
                let records = Reading::new(behind, ReadingClass::Stale, seen_at, since.clone());
                (Reading::new(arrived.through, ReadingClass::Stale, seen_at, since), records, ms)
            }
        };
        PartitionLag {
            partition: key.clone(),
            through,
            records,
            ms,
            in_open_transactions: None,
            hole: None,
            surely_missing: 0,
            first_missing_timestamp: None,
        }
    }

    fn aged(&self, class: ReadingClass, at: DateTime<Utc>) -> ReadingClass {
        if self.clock.now - at > self.clock.period * 3 { class.max(ReadingClass::Stale) } else { class }
    }
}

/// Positions and ends of one survey are read at the same time, so one may be as much later than the other.
fn took(survey: &Survey) -> TimeDelta {
    TimeDelta::try_milliseconds(survey.took_ms.max(SHORTEST_SURVEY_MS)).unwrap_or_else(|| TimeDelta::days(1))
}

/// Whether nothing is compacted away of a topic; `None` where its configs could not be read.
fn keeps_all(topic: &TopicObservation) -> Option<bool> {
    let policy = topic.configs.value()?.get("cleanup.policy")?.value.as_deref()?;
    Some(!policy.contains("compact"))
}
