//! What a loss is judged from: the ends that were seen, what has arrived, and how fast it was written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Evidence, Interval, PartitionLoss, TopicLoss, rate};
use crate::{
    ids::TeamName,
    lag::{CopyMode, EndsAt, fit},
    pair::{Flow, Pair},
    patterns::Scope,
    survey::{FlowObservation, Survey},
    topic::TopicPartition,
};

/// What all partitions are judged with.
pub(super) struct Stage<'a> {
    seen_at: DateTime<Utc>,
    noticed_at: DateTime<Utc>,
    history: &'a [EndsAt],
    /// Newest last: what arrived only grows.
    observed: Vec<&'a FlowObservation>,
    said: BTreeMap<&'a str, &'a TopicLoss>,
    previous: Option<&'a Survey>,
    mode: CopyMode,
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
        Self {
            seen_at: evidence.high.0,
            noticed_at,
            history: evidence.history,
            observed: surveys.filter_map(of_flow).collect(),
            said: said.iter().map(|topic| (topic.topic.as_str(), topic)).collect(),
            previous: evidence.previous,
            mode: CopyMode::of(evidence.previous.unwrap_or(survey), flow.direction),
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
        TopicLoss { topic, owner, lost: together, partitions: lost, truth: None }
    }

    fn partition(&self, key: &TopicPartition, end: i64) -> PartitionLoss {
        let through = self.through(key);
        let lost = match through {
            None => Interval::default(),
            Some(through) => {
                let behind = self.copyable(key).map_or(0, |reach| reach - 1 - through);
                let proven = if self.dense(&key.topic) { self.surely_missing(key, through) } else { 0 };
                let grown = self.grown(std::iter::once(key));
                Interval {
                    records_at_least: proven,
                    records_at_most: grown.map(|grown| (end + grown - 1 - through).max(0)),
                    ms_at_least: if proven > 0 { self.written_before(key, through) } else { 0 },
                    ms_at_most: self.since(key, through, behind),
                }
            }
        };
        PartitionLoss { partition: key.partition, end, through, lost, truth: None }
    }

    /// Several partitions as one. Their sum is bounded by the rate of all of them together, which is less than the sum of
    /// what each might have done alone.
    pub(super) fn together(
        &self,
        partitions: &[(&TopicPartition, i64)],
        each: impl Iterator<Item = Interval>,
    ) -> Interval {
        let mut together = Interval { ms_at_most: Some(0), ..Interval::default() };
        for lost in each {
            together.records_at_least += lost.records_at_least;
            together.ms_at_least = together.ms_at_least.max(lost.ms_at_least);
            together.ms_at_most = together.ms_at_most.zip(lost.ms_at_most).map(|(a, b)| a.max(b));
        }
        let behind: Option<i64> =
            partitions.iter().map(|(key, end)| Some(end - 1 - self.through(key)?)).sum();
        let grown = self.grown(partitions.iter().map(|(key, _)| *key));
        together.records_at_most =
            behind.zip(grown).map(|(behind, grown)| (behind + grown).max(together.records_at_least));
        together
    }

    /// The last offset that is proven to have arrived. What was read before still holds: it only grows.
    fn through(&self, key: &TopicPartition) -> Option<i64> {
        let read = self.observed.iter().flat_map(|flow| {
            let committed = flow.committed.value().map(|committed| committed.offsets.get(key).copied());
            let pair = flow.newest_pairs.value().map(|pairs| pairs.0.get(key).map(|pair| pair.upstream));
            [committed, pair]
        });
        let mut readable = false;
        let mut through = None;
        for offset in read.flatten() {
            readable = true;
            through = through.max(offset);
        }
        let said = self
            .said
            .get(key.topic.as_str())
            .and_then(|topic| topic.partitions.iter().find(|lost| lost.partition == key.partition)?.through);
        through.max(said).or_else(|| readable.then(|| self.start(key) - 1))
    }

    /// First offset the source still had; everything from there on is missing when nothing was ever copied.
    fn start(&self, key: &TopicPartition) -> i64 {
        let partition = || {
            let topics = self.previous?.sides.get(self.flow.direction.from).topics.value()?;
            topics.get(&key.topic)?.partitions.get(usize::try_from(key.partition).ok()?)?.start
        };
        partition().unwrap_or(0)
    }

    /// The most that can have arrived is what the target has; counted from an offset sync that is too much where records
    /// came twice, and never too little where no offset is missing on the source.
    fn surely_missing(&self, key: &TopicPartition, through: i64) -> i64 {
        let furthest = || {
            let pair = self.observed.last()?.newest_pairs.value()?.0.get(key).copied()?;
            let topics = self.survey.sides.get(self.flow.direction.to()).topics.value()?;
            let replica = topics.get(&self.scope.replica(self.flow.direction, &key.topic))?;
            fit((pair, replica.partitions.get(usize::try_from(key.partition).ok()?)?.end?))
        };
        match (self.copyable(key), furthest()) {
            (Some(reach), Some(furthest)) => (reach - 1 - furthest.max(through)).max(0),
            (None, _) | (_, None) => 0,
        }
    }

    fn copyable(&self, key: &TopicPartition) -> Option<i64> {
        self.history.last().and_then(|(_, ends)| ends.get(key).copied())
    }

    /// Whether every offset of the topic is a record: no markers, nothing compacted away.
    fn dense(&self, topic: &str) -> bool {
        if self.mode.read_committed {
            return false;
        }
        let compacted = || {
            let topics = self.previous?.sides.get(self.flow.direction.from).topics.value()?;
            let policy = topics.get(topic)?.configs.value()?.get("cleanup.policy")?.value.clone();
            Some(policy?.contains("compact"))
        };
        compacted() == Some(false)
    }

    fn grown<'k>(&self, keys: impl Iterator<Item = &'k TopicPartition> + Clone) -> Option<i64> {
        rate::most_in(self.history, keys, self.noticed_at - self.seen_at)
    }

    /// Since when the first missing record may have existed, until it was noticed.
    fn since(&self, key: &TopicPartition, through: i64, behind: i64) -> Option<i64> {
        let before = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end <= through + 1);
        let since = if behind <= 0 {
            self.seen_at
        } else {
            self.history.iter().rev().find(before).map(|(at, _)| *at)?
        };
        Some((self.noticed_at - since).num_milliseconds().max(0))
    }

    /// For how long the first missing record was there when the source was last seen.
    fn written_before(&self, key: &TopicPartition, through: i64) -> i64 {
        let after = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end > through + 1);
        let first = self.history.iter().find(after).map_or(self.seen_at, |(at, _)| *at);
        (self.seen_at - first).num_milliseconds().max(0)
    }

    pub(super) fn method(&self) -> String {
        let window = (self.noticed_at - self.seen_at).num_milliseconds();
        let kept = self.history.first().map_or(0, |(first, _)| (self.seen_at - *first).num_seconds());
        let counted = if self.mode.read_committed {
            "Offsets are counted, and the source may hold transaction markers among them: at most so many records, and none \
             is proven to be missing."
        } else {
            "Offsets are counted."
        };
        format!(
            "Its ends were last read {window} ms before it was found not to answer. Whatever had not reached the target by \
             the connector's committed offsets and offset syncs is lost; on top comes what may have been written in these \
             {window} ms, at the fastest rate of the {kept} s before. {counted}"
        )
    }
}
