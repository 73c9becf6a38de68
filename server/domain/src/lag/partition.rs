//! Lag of single partitions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Clock, CopyMode, EndsAt};
use crate::{
    pair::{Flow, Pair},
    patterns::Scope,
    reading::{Observed, Reading, ReadingClass},
    survey::{FlowObservation, OffsetPair, PartitionObservation, Survey, TopicObservation},
    topic::{ByPartition, TopicPartition},
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
    /// Records in open transactions, which nothing can copy yet.
    pub in_open_transactions: i64,
    /// Records the source removed before they were copied.
    pub hole: Option<Hole>,
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
    history: &[EndsAt],
    clock: Clock,
) -> Vec<PartitionLag> {
    let judge = Judge::new(pair, flow, survey, history, clock);
    match &survey.sides.get(flow.direction.from).topics {
        Observed::Known { value, at } => judge.living(value, *at),
        Observed::Unknown { reason, .. } => judge.dead(reason),
    }
}

/// One past the last record the flow could copy.
pub(super) fn copyable_end(partition: &PartitionObservation, mode: CopyMode) -> Option<i64> {
    if mode.read_committed { partition.stable } else { partition.end }
}

struct Judge<'a> {
    flow: &'a Flow,
    survey: &'a Survey,
    scope: Scope,
    observed: Option<&'a FlowObservation>,
    history: &'a [EndsAt],
    clock: Clock,
    mode: CopyMode,
}

/// What is known to have arrived.
struct Arrived {
    through: i64,
    class: ReadingClass,
    reason: String,
    at: DateTime<Utc>,
}

impl<'a> Judge<'a> {
    fn new(pair: &Pair, flow: &'a Flow, survey: &'a Survey, history: &'a [EndsAt], clock: Clock) -> Self {
        let observed = survey.flows.iter().find(|observed| observed.direction == flow.direction);
        let mode = CopyMode::of(survey, flow.direction);
        Self { flow, survey, scope: Scope::of(pair), observed, history, clock, mode }
    }

    fn living(&self, topics: &BTreeMap<String, TopicObservation>, at: DateTime<Utc>) -> Vec<PartitionLag> {
        let mut lags = Vec::new();
        for (name, topic) in topics {
            if !self.scope.application_topic(self.flow.direction.from, name) {
                continue;
            }
            let replica = self.replica(name);
            let compacted = is_compacted(topic);
            // One key for all lookups of the topic: a name is not copied per partition and map.
            let mut key = TopicPartition::new(name.clone(), 0);
            for (number, source) in (0..).zip(&topic.partitions) {
                key.partition = number;
                let target =
                    replica.and_then(|replica| replica.partitions.get(usize::try_from(number).ok()?));
                lags.push(self.partition(&key, source, target, compacted, at));
            }
        }
        lags
    }

    fn replica(&self, topic: &str) -> Option<&'a TopicObservation> {
        let there = self.survey.sides.get(self.flow.direction.to()).topics.value()?;
        there.get(&self.scope.replica(self.flow.direction, topic))
    }

    fn partition(
        &self,
        key: &TopicPartition,
        source: &PartitionObservation,
        target: Option<&PartitionObservation>,
        compacted: bool,
        at: DateTime<Utc>,
    ) -> PartitionLag {
        let open = source.end.zip(source.stable).map_or(0, |(end, stable)| (end - stable).max(0));
        let unknown = |reason: &str| PartitionLag {
            partition: key.clone(),
            through: Reading::unknown(at, reason),
            records: Reading::unknown(at, reason),
            ms: Reading::unknown(at, reason),
            in_open_transactions: open,
            hole: None,
        };
        let (Some(start), Some(end)) = (source.start, copyable_end(source, self.mode)) else {
            return unknown(if source.trouble.is_empty() {
                "its offsets could not be read"
            } else {
                &source.trouble
            });
        };
        let arrived = if start >= end {
            Arrived { through: end - 1, class: ReadingClass::Exact, reason: String::new(), at }
        } else {
            match self.arrived(key, start, end, target) {
                Ok(arrived) => arrived,
                Err(reason) => return unknown(&reason),
            }
        };
        let at = arrived.at.min(at);
        let class = self.aged(arrived.class, at);
        let records = end - 1 - arrived.through;
        let hole = (start > arrived.through + 1 && start < end).then(|| Hole {
            partition: key.clone(),
            from: arrived.through + 1,
            until: start,
            proven: class == ReadingClass::Exact,
        });
        // Offsets are not records where some are missing.
        let sparse = records > 0 && (compacted || self.mode.read_committed);
        let (records_class, why) = if sparse && class < ReadingClass::LowerBound {
            (ReadingClass::LowerBound, "at most: markers and compacted records count as well".to_owned())
        } else {
            (class, arrived.reason.clone())
        };
        PartitionLag {
            partition: key.clone(),
            records: Reading::new(records, records_class, at, why),
            ms: self.behind_since(key, arrived.through, end, class, at),
            through: Reading::new(arrived.through, class, at, arrived.reason),
            in_open_transactions: open,
            hole,
        }
    }

    /// The last source offset that is proven or fitted to be on the target.
    fn arrived(
        &self,
        key: &TopicPartition,
        start: i64,
        end: i64,
        target: Option<&PartitionObservation>,
    ) -> Result<Arrived, String> {
        let observed = self.observed.ok_or("Muster cannot see this flow")?;
        let (committed, pair) = (observed.committed.as_result(), observed.newest_pairs.as_result());
        if let (Err(committed), Err(pair)) = (committed, pair) {
            return Err(format!(
                "neither committed offsets ({committed}) nor offset syncs ({pair}) could be read"
            ));
        }
        let at = observed.committed.at().min(observed.newest_pairs.at());
        let offset = committed.ok().and_then(|committed| committed.offsets.get(key)).copied();
        let pair = pair.ok().and_then(|pairs| pairs.0.get(key)).copied();
        let new = |through, class, reason: &str| Arrived { through, class, reason: reason.to_owned(), at };
        let Some(low) = offset.max(pair.map(|pair| pair.upstream)) else {
            return Ok(new(start - 1, ReadingClass::LowerBound, "nothing is known to have been copied yet"));
        };
        let low = low.min(end - 1);
        if low == end - 1 || (self.mode.exactly_once && offset.is_some()) {
            return Ok(new(low, ReadingClass::Exact, ""));
        }
        let fitted = pair.zip(target.and_then(|target| target.end)).and_then(fit);
        Ok(match fitted {
            Some(fitted) if !self.mode.exactly_once => new(
                fitted.clamp(low, end - 1),
                ReadingClass::Tight,
                "counted from the newest offset sync to the target's end",
            ),
            Some(_) | None => new(
                low,
                ReadingClass::LowerBound,
                "proven as far as the last committed offset or offset sync",
            ),
        })
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
        if through + 1 >= end {
            return Reading::new(0, class, at, "");
        }
        // Ends only grow, so the samples at or before the position are a prefix; a recreated topic breaks that and the
        // search from the newest on is right anyway.
        let seen =
            self.history.iter().rev().find(|(_, ends)| ends.get(key).is_some_and(|end| *end <= through + 1));
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

    /// The source does not answer. What it had when it was last seen is all there is.
    fn dead(&self, reason: &str) -> Vec<PartitionLag> {
        let Some((seen_at, ends)) = self.history.last() else { return Vec::new() };
        let gap = (self.clock.now - *seen_at).num_seconds();
        let in_scope =
            group_by_topic(ends, |topic| self.scope.application_topic(self.flow.direction.from, topic));
        in_scope.map(|(key, end)| self.last_seen(key, end, *seen_at, gap, reason)).collect()
    }

    fn last_seen(
        &self,
        key: &TopicPartition,
        end: i64,
        seen_at: DateTime<Utc>,
        gap: i64,
        reason: &str,
    ) -> PartitionLag {
        let replica =
            self.replica(&key.topic).and_then(|r| r.partitions.get(usize::try_from(key.partition).ok()?));
        let since = format!("the source has not answered for {gap} s ({reason})");
        let (through, records, ms) = match self.arrived(key, 0, end, replica) {
            Err(why) => {
                let unknown = Reading::unknown(seen_at, format!("{since}, and {why}"));
                (unknown.clone(), unknown.clone(), unknown)
            }
            Ok(arrived) if arrived.through + 1 >= end => {
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
                let records =
                    Reading::new(end - 1 - arrived.through, ReadingClass::Stale, seen_at, since.clone());
                (Reading::new(arrived.through, ReadingClass::Stale, seen_at, since), records, ms)
            }
        };
        PartitionLag { partition: key.clone(), through, records, ms, in_open_transactions: 0, hole: None }
    }

    fn aged(&self, class: ReadingClass, at: DateTime<Utc>) -> ReadingClass {
        if self.clock.now - at > self.clock.period * 3 { class.max(ReadingClass::Stale) } else { class }
    }
}

/// Source and target advance alike behind a pair. Holes on the source make this too low, which is safe; records that
/// were copied twice or foreign ones make it too high, so it is never better than tight.
pub(crate) fn fit((pair, target_end): (OffsetPair, i64)) -> Option<i64> {
    let ahead = target_end - 1 - pair.downstream;
    (ahead >= 0).then_some(pair.upstream + ahead)
}

fn is_compacted(topic: &TopicObservation) -> bool {
    let policy = topic.configs.value().and_then(|configs| configs.get("cleanup.policy")?.value.as_deref());
    policy.is_some_and(|policy| policy.contains("compact"))
}

/// Entries whose topic passes; each topic is asked about once.
fn group_by_topic<'a>(
    ends: &'a ByPartition<i64>,
    passes: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&'a TopicPartition, i64)> {
    let mut last: Option<(&'a str, bool)> = None;
    ends.iter().filter_map(move |(key, end)| {
        let passed = match last {
            Some((topic, passed)) if topic == key.topic => passed,
            _ => passes(&key.topic),
        };
        last = Some((&key.topic, passed));
        passed.then_some((key, *end))
    })
}
