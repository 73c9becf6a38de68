//! What a loss is judged from: the ends that were seen, what has arrived, and how fast it was written.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Evidence, Interval, PartitionLoss, TopicLoss};
use crate::{
    ids::TeamName,
    lag::{CopyMode, EndsAt, Known, Pace, Rate, renamed, source_config, surely_missing},
    pair::{Flow, Pair},
    patterns::Scope,
    survey::{FlowObservation, Survey, TopicObservation},
    topic::TopicPartition,
};

/// Ends and positions of one survey are read within this time.
const READ_WITHIN: TimeDelta = TimeDelta::seconds(1);

/// What all partitions are judged with.
pub(super) struct Stage<'a> {
    seen_at: DateTime<Utc>,
    noticed_at: DateTime<Utc>,
    history: &'a [EndsAt],
    pace: &'a Pace,
    /// Newest last: what arrived only grows.
    observed: Vec<&'a FlowObservation>,
    said: BTreeMap<&'a str, &'a TopicLoss>,
    previous: Option<&'a Survey>,
    mode: CopyMode,
    /// Whether Connect says how the flow copies.
    mode_known: bool,
    /// Why its copies are not known by their names.
    renamed: Option<String>,
    flow: &'a Flow,
    survey: &'a Survey,
    pub(super) scope: Scope,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        pair: &Pair,
        flow: &'a Flow,
        survey: &'a Survey,
        evidence: &Evidence<'a>,
        noticed_at: DateTime<Utc>,
    ) -> Self {
        let surveys = evidence.previous.into_iter().chain([survey]);
        let of_flow = |survey: &'a Survey| survey.flows.iter().find(|o| o.direction == flow.direction);
        let said = evidence.said.map_or(&[][..], |said| &said.topics);
        let previous = evidence.previous.filter(|previous| source_config(previous, flow.direction).is_some());
        let speaks = previous.unwrap_or(survey);
        Self {
            seen_at: evidence.high.0,
            noticed_at,
            history: evidence.history,
            pace: evidence.pace,
            observed: surveys.filter_map(of_flow).collect(),
            said: said.iter().map(|topic| (topic.topic.as_str(), topic)).collect(),
            previous: evidence.previous,
            mode: CopyMode::of(speaks, flow.direction),
            mode_known: source_config(speaks, flow.direction).is_some(),
            renamed: renamed(speaks, flow.direction),
            flow,
            survey,
            scope: Scope::of(pair),
        }
    }

    pub(super) fn topic(
        &self,
        topic: &str,
        partitions: &[(&TopicPartition, i64)],
        owner: &TeamName,
    ) -> TopicLoss {
        let lost: Vec<PartitionLoss> =
            partitions.iter().map(|(key, end)| self.partition(key, *end)).collect();
        let together = self.together(partitions, lost.iter().map(|partition| partition.lost));
        let (topic, owner) = (topic.to_owned(), owner.clone());
        TopicLoss { topic, owner, lost: together, partitions: lost, truth: None, truth_ms: None }
    }

    fn partition(&self, key: &TopicPartition, end: i64) -> PartitionLoss {
        let through = self.through(key, end);
        let counts_from = self.counts_from(key);
        let lost = match through {
            None => Interval::default(),
            Some(through) => {
                let behind = self.copyable(key).map_or(0, |reach| behind(reach, through));
                let proven =
                    counts_from.and_then(|start| self.surely_missing(key, start, through)).unwrap_or(0);
                let unseen = self.unseen(self.pace.partition(key));
                Interval {
                    records_at_least: proven,
                    records_at_most: unseen.map(|unseen| behind_and(end, through, unseen)),
                    ms_at_least: if proven > 0 { self.written_before(key, through) } else { 0 },
                    ms_at_most: self.since(key, through, behind),
                }
            }
        };
        PartitionLoss {
            partition: key.partition,
            end,
            through,
            counts_from,
            leader_epoch: self.leader_epoch(key),
            lost,
            truth: None,
            truth_ms: None,
        }
    }

    /// Several partitions as one, of one topic or of all. Their sum is bounded by the rate of all of them together, which is less than the
    /// sum of what each might have done alone.
    pub(super) fn together(
        &self,
        partitions: &[(&TopicPartition, i64)],
        each: impl Iterator<Item = Interval>,
    ) -> Interval {
        let mut together = Interval { ms_at_most: Some(0), ..Interval::default() };
        for lost in each {
            together.records_at_least = together.records_at_least.saturating_add(lost.records_at_least);
            together.ms_at_least = together.ms_at_least.max(lost.ms_at_least);
            together.ms_at_most = together.ms_at_most.zip(lost.ms_at_most).map(|(a, b)| a.max(b));
        }
        let behind = partitions
            .iter()
            .try_fold(0_i64, |sum, (key, end)| Some(sum.saturating_add(self.behind_or_ahead(key, *end)?)));
        let unseen = self.unseen_of(partitions);
        together.records_at_most = behind
            .zip(unseen)
            .map(|(behind, unseen)| behind.saturating_add(unseen).max(together.records_at_least).max(0));
        together
    }

    /// Offsets between the last that arrived and the end when it was seen; below 0 where what was written since has arrived, too: that
    /// is not lost. Of a position further ahead than can have been written no more is believed.
    fn behind_or_ahead(&self, key: &TopicPartition, end: i64) -> Option<i64> {
        let behind = end.saturating_sub(1).saturating_sub(self.through(key, end)?);
        let unseen = if behind < 0 { self.unseen(self.pace.partition(key)).unwrap_or(0) } else { 0 };
        Some(behind.max(unseen.saturating_neg()))
    }

    /// The last offset that is proven to have arrived. What was read before still holds: it only grows. One that is further beyond
    /// the end than can have been written since is not of this log, and nothing can be told.
    fn through(&self, key: &TopicPartition, end: i64) -> Option<i64> {
        if self.renamed.is_some() {
            return None;
        }
        let read = self.observed.iter().flat_map(|flow| {
            let committed = flow.committed.value().map(|_| flow.committed_offset(key));
            let pair = flow.newest_pairs.value().map(|_| flow.newest_pair(key).map(|pair| pair.upstream));
            [committed, pair]
        });
        let mut readable = false;
        let mut through = None;
        for offset in read.flatten() {
            readable = true;
            through = through.max(offset);
        }
        let through = through.max(self.said(key).and_then(|said| said.through));
        let ahead = through.map_or(0, |through| through.saturating_sub(end.saturating_sub(1)));
        if ahead > 0 && ahead > self.pace.may_run_ahead(key, self.noticed_at - self.seen_at + READ_WITHIN) {
            return None;
        }
        through.or_else(|| readable.then(|| self.start(key).unwrap_or(0).saturating_sub(1)))
    }

    fn said(&self, key: &TopicPartition) -> Option<&PartitionLoss> {
        let topic = self.said.get(key.topic.as_str())?;
        topic.partitions.iter().find(|lost| lost.partition == key.partition)
    }

    fn source(&self, key: &TopicPartition) -> Option<&TopicObservation> {
        self.previous?.sides.get(self.flow.direction.from).topics.value()?.get(&key.topic)
    }

    /// First offset the source still had; everything from there on is missing when nothing was ever copied.
    fn start(&self, key: &TopicPartition) -> Option<i64> {
        self.source(key)?.partitions.get(usize::try_from(key.partition).ok()?)?.start
    }

    /// See [`PartitionLoss::leader_epoch`].
    fn leader_epoch(&self, key: &TopicPartition) -> Option<i32> {
        let now = || self.source(key)?.partitions.get(usize::try_from(key.partition).ok()?)?.leader_epoch;
        now().or_else(|| self.said(key)?.leader_epoch)
    }

    /// See [`PartitionLoss::counts_from`].
    fn counts_from(&self, key: &TopicPartition) -> Option<i64> {
        if !self.mode.copies_everything() {
            return None;
        }
        let now = || {
            // While Connect does not say whether records are left out on the way, only what it said before counts.
            if !self.mode_known {
                return None;
            }
            let policy = self.source(key)?.configs.value()?.get("cleanup.policy")?.value.as_deref()?;
            if policy.contains("compact") { None } else { self.start(key) }
        };
        now().or_else(|| self.said(key)?.counts_from)
    }

    fn surely_missing(&self, key: &TopicPartition, start: i64, through: i64) -> Option<i64> {
        let reach = self.copyable(key)?;
        let there = self.survey.sides.get(self.flow.direction.to()).topics.value()?;
        let replica = there.get(&self.scope.replica(self.flow.direction, &key.topic));
        let copy = replica.and_then(|replica| replica.partitions.get(usize::try_from(key.partition).ok()?));
        let target_end = match copy {
            None => 0,
            Some(copy) => copy.end?,
        };
        let pair = self.observed.last().and_then(|flow| flow.newest_pair(key));
        Some(surely_missing(&Known { start, reach, through, pair, target_end }))
    }

    fn copyable(&self, key: &TopicPartition) -> Option<i64> {
        self.history.last().and_then(|(_, ends)| ends.get(key).copied())
    }

    /// At most so many were written after the last look.
    fn unseen(&self, fastest: Option<Rate>) -> Option<i64> {
        Some(fastest?.most_within((self.noticed_at - self.seen_at).num_milliseconds()))
    }

    /// The same of the partitions of one topic, or of all; none of none.
    fn unseen_of(&self, partitions: &[(&TopicPartition, i64)]) -> Option<i64> {
        let Some(((first, _), (last, _))) = partitions.first().zip(partitions.last()) else { return Some(0) };
        let one = first.topic == last.topic;
        self.unseen(if one { self.pace.topic(&first.topic) } else { self.pace.all() })
    }

    /// Since when the first missing record may have existed, until it was noticed.
    fn since(&self, key: &TopicPartition, through: i64, behind: i64) -> Option<i64> {
        let before = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end <= through.saturating_add(1));
        let since = if behind <= 0 {
            self.seen_at
        } else {
            self.history.iter().rev().find(before).map(|(at, _)| *at)?
        };
        Some((self.noticed_at - since).num_milliseconds().max(0))
    }

    /// For how long the first missing record was there when the source was last seen.
    fn written_before(&self, key: &TopicPartition, through: i64) -> i64 {
        let after = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end > through.saturating_add(1));
        let first = self.history.iter().find(after).map_or(self.seen_at, |(at, _)| *at);
        (self.seen_at - first).num_milliseconds().max(0)
    }

    pub(super) fn method(&self) -> String {
        let window = (self.noticed_at - self.seen_at).num_milliseconds();
        let kept = self.pace.since().map_or(0, |since| (self.seen_at - since).num_seconds());
        if let Some(reason) = &self.renamed {
            return format!(
                "Its ends were last read {window} ms before it was found not to answer. What had reached the target is not known: \
                 {reason}. So neither is what was lost."
            );
        }
        let counted = if self.mode.transforms {
            "Offsets are counted, and transaction markers and records that the connector's transforms leave out may be among them: \
             at most so many records, and none is proven to be missing."
        } else if self.mode.read_committed {
            "Offsets are counted, and transaction markers and records that were given up may be among them: at most so many \
             records, and none is proven to be missing."
        } else {
            "Offsets are counted, and transaction markers may be among them: at most so many records, and of those behind the \
             newest offset sync at least half, with a thousand offsets left out for transactions that were open there."
        };
        format!(
            "Its ends were last read {window} ms before it was found not to answer. Whatever had not reached the target by \
             the connector's committed offsets and offset syncs is lost; on top comes what may have been written in these \
             {window} ms, at the fastest rate of the {kept} s before. {counted}"
        )
    }
}

/// Offsets between the last that arrived and an end.
fn behind(end: i64, through: i64) -> i64 {
    end.saturating_sub(1).saturating_sub(through).max(0)
}

/// The same with what may have been written behind the end. Of that, too, some may have arrived.
fn behind_and(end: i64, through: i64, grown: i64) -> i64 {
    behind(end.saturating_add(grown), through)
}
