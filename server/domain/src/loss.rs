//! What was lost when a source died: as an interval while it is away, and as a figure once it can be read again.
//!
//! What is proven: the ends the source had when it was last seen, and what has reached the target. How much was written
//! after that moment nobody can read while the source is away; it is bounded by the fastest rate of the kept history.
//! Offsets count transaction markers and compacted records as well, so where a flow's source may have such, only the
//! upper bound says anything about records.

mod rate;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::settle::settle;
use crate::{
    ids::TeamName,
    lag::{CopyMode, EndsAt, fit},
    pair::{Direction, Flow, Pair},
    patterns::Scope,
    survey::{ConnectState, ConnectorRole, FlowObservation, Survey},
    topic::{ByPartition, TopicPartition},
};

/// What was lost of one flow when its source died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Loss {
    /// Which flow.
    pub direction: Direction,
    /// Team the pair belongs to: whose loss it is.
    pub owner: TeamName,
    /// When the source's ends were last read.
    pub seen_at: DateTime<Utc>,
    /// When it was found not to answer: it died in between.
    pub noticed_at: DateTime<Utc>,
    /// What came back instead of an answer.
    pub reason: String,
    /// All partitions together.
    pub total: Interval,
    /// By source topic, in the order of names.
    pub topics: Vec<TopicLoss>,
    /// How the interval was found, in sentences.
    pub method: String,
    /// What it turned out to be, once the source could be read again.
    pub truth: Option<Truth>,
}

/// A loss as an interval. `None` is not known, and is neither zero nor the end of the interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// At least so many records: proven.
    pub records_at_least: i64,
    /// At most so many records, if nothing was written faster than in the kept history.
    pub records_at_most: Option<i64>,
    /// Writes of at least so many milliseconds.
    pub ms_at_least: i64,
    /// Writes of at most the last so many milliseconds before it was found not to answer.
    pub ms_at_most: Option<i64>,
}

/// What was lost of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopicLoss {
    /// Name on the source.
    pub topic: String,
    /// Whose it is.
    pub owner: TeamName,
    /// All its partitions together.
    pub lost: Interval,
    /// Partition by partition.
    pub partitions: Vec<PartitionLoss>,
    /// Records it turned out to be; `None` until then, or when it cannot be told.
    pub truth: Option<i64>,
}

/// What was lost of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartitionLoss {
    /// Its number.
    pub partition: i32,
    /// High watermark of the source when it was last seen.
    pub end: i64,
    /// Last source offset proven to be on the target; `None` when nothing can be told about it.
    pub through: Option<i64>,
    /// How much.
    pub lost: Interval,
    /// Records it turned out to be.
    pub truth: Option<i64>,
}

/// What the loss turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Truth {
    /// When the source was first read again.
    pub at: DateTime<Utc>,
    /// Records on the source beyond what had reached the target when it died; `None` when it cannot be told.
    pub records: Option<i64>,
    /// Whether nothing was added since: its ends stood still over two surveys. If not, it was at most so many.
    pub exact: bool,
    /// Whether this is the last word: the survey after the first was looked at, too.
    pub settled: bool,
    /// How it was found, as a sentence.
    pub method: String,
}

/// What is known of a source that does not answer.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Ends the flow could copy to, as earlier surveys saw them, oldest first.
    pub history: &'a [EndsAt],
    /// High watermarks when they were last read.
    pub high: &'a EndsAt,
    /// The last survey before this one.
    pub previous: Option<&'a Survey>,
    /// What was said of the same loss before.
    pub said: Option<&'a Loss>,
}

/// What was lost of a flow whose source does not answer in this survey; `None` while it answers, when nothing was seen of
/// it before, or when the flow did not copy.
#[must_use]
pub fn state_loss(pair: &Pair, flow: &Flow, survey: &Survey, evidence: &Evidence<'_>) -> Option<Loss> {
    let reason = survey.sides.get(flow.direction.from).topics.as_result().err()?;
    let (seen_at, high) = evidence.high;
    if evidence.said.is_none() && !copied(flow, survey, evidence.previous) {
        return None;
    }
    // The first time it did not answer stands.
    let noticed_at =
        evidence.said.map_or_else(|| survey.unanswered_at(flow.direction.from), |said| said.noticed_at);
    let reason = evidence.said.map_or(reason, |said| &said.reason).to_owned();
    let stage = Stage::new(pair, flow, survey, evidence, noticed_at);
    let mut by_topic: BTreeMap<&str, Vec<(&TopicPartition, i64)>> = BTreeMap::new();
    for (key, end) in high {
        by_topic.entry(&key.topic).or_default().push((key, *end));
    }
    by_topic.retain(|topic, _| stage.scope.application_topic(flow.direction.from, topic));
    let topics: Vec<TopicLoss> =
        by_topic.iter().map(|(topic, partitions)| stage.topic(topic, partitions, &pair.team)).collect();
    let everything: Vec<(&TopicPartition, i64)> = by_topic.into_values().flatten().collect();
    let total = stage.together(&everything, topics.iter().map(|topic| topic.lost));
    Some(Loss {
        direction: flow.direction,
        owner: pair.team.clone(),
        seen_at: *seen_at,
        noticed_at,
        reason,
        total,
        topics,
        method: stage.method(),
        truth: None,
    })
}

/// Whether records flowed this way: loss of a flow that was stopped is nobody's loss. Where its state could not be read,
/// what people want of the flow decides.
fn copied(flow: &Flow, survey: &Survey, previous: Option<&Survey>) -> bool {
    let state = |survey: &Survey| {
        let observed = survey.flows.iter().find(|observed| observed.direction == flow.direction)?;
        Some(observed.connectors.get(&ConnectorRole::Source)?.value()?.state)
    };
    match previous.and_then(state).or_else(|| state(survey)) {
        Some(ConnectState::Stopped | ConnectState::Paused | ConnectState::Destroyed) => false,
        Some(
            ConnectState::Running
            | ConnectState::Failed
            | ConnectState::Restarting
            | ConnectState::Unassigned,
        ) => true,
        None => flow.enabled,
    }
}

/// What all partitions are judged with.
struct Stage<'a> {
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
    scope: Scope,
}

impl<'a> Stage<'a> {
    fn new(
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

    fn topic(&self, topic: &str, partitions: &[(&TopicPartition, i64)], owner: &TeamName) -> TopicLoss {
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
    fn together(
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

    fn method(&self) -> String {
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

/// The high watermarks of a survey's source side, to be kept for [`Evidence::high`]; `None` where it was not read.
#[must_use]
pub fn high_watermarks(flow: &Flow, survey: &Survey) -> Option<EndsAt> {
    let topics = &survey.sides.get(flow.direction.from).topics;
    let mut ends: ByPartition<i64> = BTreeMap::new();
    for (name, topic) in topics.value()? {
        for (number, partition) in (0..).zip(&topic.partitions) {
            if let Some(end) = partition.end {
                ends.insert(TopicPartition::new(name.clone(), number), end);
            }
        }
    }
    Some((topics.at(), ends))
}
