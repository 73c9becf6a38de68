//! What a loss is judged from: the ends that were seen, what has arrived, and how fast it was written.

mod known;
mod method;
mod stands;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use self::stands::each_partition;
use super::{EndRead, Evidence, Interval, LastEnds, Loss, PartitionLoss, TopicLoss};
use crate::{
    ids::TeamName,
    lag::{CopyMode, EndsAt, Pace, renamed, source_config},
    pair::{Flow, Pair},
    patterns::Scope,
    survey::{FlowObservation, Survey},
    topic::TopicPartition,
};

/// Ends and positions of one survey are read within this time.
const READ_WITHIN: TimeDelta = TimeDelta::seconds(1);

/// What all partitions are judged with.
pub(super) struct Stage<'a> {
    high: &'a LastEnds,
    noticed_at: DateTime<Utc>,
    history: &'a [EndsAt],
    pace: &'a Pace,
    /// Newest last: what arrived only grows.
    observed: Vec<&'a FlowObservation>,
    /// What was said of the same loss before.
    stated: Option<&'a Loss>,
    /// Its topics.
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
            high: evidence.high,
            noticed_at,
            history: evidence.history,
            pace: evidence.pace,
            observed: surveys.filter_map(of_flow).collect(),
            stated: evidence.said,
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

    pub(super) fn topic(&self, topic: &str, partitions: &[&TopicPartition], owner: &TeamName) -> TopicLoss {
        let lost: Vec<PartitionLoss> = partitions.iter().map(|key| self.partition(key)).collect();
        let mut together = self.together(partitions, lost.iter().map(|lost| lost.lost));
        if let Some(said) = self.said.get(topic) {
            self.stand_together(&mut together, &said.lost, lost.iter().map(|lost| (topic, lost)));
        }
        TopicLoss {
            topic: topic.to_owned(),
            topic_id: partitions.iter().find_map(|key| self.topic_id(key)),
            owner: owner.clone(),
            lost: together,
            partitions: lost,
            truth: None,
            truth_ms: None,
        }
    }

    /// All topics together.
    pub(super) fn total(&self, partitions: &[&TopicPartition], topics: &[TopicLoss]) -> Interval {
        let mut total = self.together(partitions, topics.iter().map(|topic| topic.lost));
        if let Some(said) = self.stated {
            self.stand_together(&mut total, &said.total, each_partition(topics));
        }
        total
    }

    fn partition(&self, key: &TopicPartition) -> PartitionLoss {
        let last = self.last(key);
        let through = last.and_then(|last| self.through(key, last.end));
        let counts_from = self.counts_from(key);
        let lost = match (last, through) {
            (None, _) | (_, None) => Interval::default(),
            (Some(last), Some(through)) => {
                let proven = counts_from.and_then(|start| self.surely_missing(key, start, through));
                match self.told(key) {
                    Some((said, before)) => self.stand(key, said, (before, through), proven),
                    None => self.tell(key, last.end, through, proven.unwrap_or(0)),
                }
            }
        };
        PartitionLoss {
            partition: key.partition,
            end: last.map_or(0, |last| last.end),
            end_read: EndRead::of(last, self.high.at),
            through,
            counts_from,
            leader_epoch: self.leader_epoch(key),
            lost,
            truth: None,
            truth_ms: None,
            read_again: None,
        }
    }

    /// What is lost of a partition by all that was seen of it.
    fn tell(&self, key: &TopicPartition, end: i64, through: i64, proven: i64) -> Interval {
        let unseen = self.unseen(key);
        Interval {
            records_at_least: proven,
            records_at_most: unseen.map(|unseen| behind_and(end, through, unseen)),
            ms_at_least: if proven > 0 { self.written_before(key, through) } else { 0 },
            ms_at_most: self.since(key, through, end),
        }
    }

    /// Several partitions as one, of one topic or of all. Their sum is bounded by the rate of all of them together, which is less than the
    /// sum of what each might have done alone.
    fn together(&self, partitions: &[&TopicPartition], each: impl Iterator<Item = Interval>) -> Interval {
        let mut together = Interval { ms_at_most: Some(0), ..Interval::default() };
        for lost in each {
            together.records_at_least = together.records_at_least.saturating_add(lost.records_at_least);
            together.ms_at_least = together.ms_at_least.max(lost.ms_at_least);
            together.ms_at_most = together.ms_at_most.zip(lost.ms_at_most).map(|(a, b)| a.max(b));
        }
        let behind = partitions.iter().try_fold(0_i64, |sum, key| {
            Some(sum.saturating_add(self.behind_or_ahead(key, self.last(key)?.end)?))
        });
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
        let unseen = if behind < 0 { self.unseen(key).unwrap_or(0) } else { 0 };
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
        let unseen = self.noticed_at - self.seen_at(key) + READ_WITHIN;
        if ahead > 0 && ahead > self.pace.may_run_ahead(key, unseen) && !self.was_to_be_expected(key, through)
        {
            return None;
        }
        through.or_else(|| readable.then(|| self.start(key).unwrap_or(0).saturating_sub(1)))
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
