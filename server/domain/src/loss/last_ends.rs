//! A source as it was last read, partition by partition. It may die piece by piece: what one survey does not read of it any more
//! is known from the last that did.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Loss, PartitionLoss, TopicLoss};
use crate::{
    lag::written_end,
    pair::Side,
    patterns::Scope,
    survey::{PartitionObservation, Survey, TopicObservation},
    topic::{ByPartition, TopicPartition},
};

/// A source as it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEnds {
    /// When any end was last read: what tells one death from another.
    pub at: DateTime<Utc>,
    /// Every application partition that was there when topics were last listed; `None` of one whose end was never read.
    pub ends: ByPartition<Option<LastEnd>>,
}

/// A partition as its end was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEnd {
    /// When that was.
    pub at: DateTime<Utc>,
    /// High watermark, without what was known to be no record before it.
    pub end: i64,
    /// First offset that was there.
    pub start: Option<i64>,
    /// Epoch of its leader.
    pub leader_epoch: Option<i32>,
    /// Id of its topic: one that is made anew has offsets of its own.
    pub topic_id: Option<Uuid>,
}

impl LastEnds {
    /// Before anything was read.
    #[must_use]
    pub fn nothing(at: DateTime<Utc>) -> Self {
        Self { at, ends: BTreeMap::new() }
    }

    /// As a loss has it that was stated of the source: what is left of one that died longer ago than anybody looks back.
    #[must_use]
    pub fn stated(loss: &Loss) -> Self {
        let last = |lost: &PartitionLoss, topic_id: Option<Uuid>| {
            let at = lost.end_read.at(loss.seen_at)?;
            let (end, start, leader_epoch) = (lost.end, lost.counts_from, lost.leader_epoch);
            Some(LastEnd { at, end, start, leader_epoch, topic_id })
        };
        let of_topic = |topic: &TopicLoss| -> Vec<(TopicPartition, Option<LastEnd>)> {
            let key = |lost: &PartitionLoss| TopicPartition::new(topic.topic.clone(), lost.partition);
            topic.partitions.iter().map(|lost| (key(lost), last(lost, topic.topic_id))).collect()
        };
        Self { at: loss.seen_at, ends: loss.topics.iter().flat_map(of_topic).collect() }
    }

    /// Takes what a survey reads of a side; one that could not read it leaves everything as it was. Answers the topics whose ends of
    /// before say nothing of what is there now: they are gone, were made anew, or are none of the pair's any more.
    pub fn see(&mut self, scope: &Scope, from: Side, survey: &Survey) -> BTreeSet<String> {
        let topics = &survey.sides.get(from).topics;
        let Some(found) = topics.value() else { return BTreeSet::new() };
        let before = std::mem::take(&mut self.ends);
        let of_pair = |name: &str| found.get(name).filter(|_| scope.application_topic(from, name));
        let over = topics_that_are_over(&before, of_pair);
        let mut read = false;
        for (name, topic) in found.iter().filter(|(name, _)| scope.application_topic(from, name)) {
            let goes_on = !over.contains(name);
            for (number, partition) in (0..).zip(&topic.partitions) {
                let key = TopicPartition::new(name.clone(), number);
                let now = LastEnd::of(topic, partition, topics.at());
                read |= now.is_some();
                let last = now.or_else(|| before.get(&key).copied().flatten().filter(|_| goes_on));
                self.ends.insert(key, last);
            }
        }
        if read || self.ends.is_empty() {
            self.at = topics.at();
        }
        over
    }
}

impl LastEnd {
    fn of(topic: &TopicObservation, partition: &PartitionObservation, at: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            at,
            end: written_end(partition)?,
            start: partition.start,
            leader_epoch: partition.leader_epoch,
            topic_id: topic.id,
        })
    }
}

/// Topics of before that are not there any more, by their names or by their ids.
fn topics_that_are_over<'a>(
    before: &ByPartition<Option<LastEnd>>,
    found: impl Fn(&str) -> Option<&'a TopicObservation>,
) -> BTreeSet<String> {
    let mut over = BTreeSet::new();
    // Each topic is looked up once.
    let mut looked_up: Option<(&str, Option<&'a TopicObservation>)> = None;
    for (key, last) in before {
        let there = match looked_up {
            Some((topic, there)) if topic == key.topic => there,
            Some(_) | None => found(&key.topic),
        };
        looked_up = Some((&key.topic, there));
        let was = last.and_then(|last| last.topic_id);
        let goes_on = there.is_some_and(|topic| was.is_none() || topic.id.is_none() || was == topic.id);
        if !goes_on {
            over.insert(key.topic.clone());
        }
    }
    over
}

/// When the end of a partition was last read, beside when that was of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "read", rename_all = "snake_case")]
pub enum EndRead {
    /// At that time.
    #[default]
    Then,
    /// Before: by then it did not answer any more.
    Before {
        /// When.
        at: DateTime<Utc>,
    },
    /// Never, though it was there.
    Never,
}

impl EndRead {
    pub(super) fn of(last: Option<LastEnd>, seen_at: DateTime<Utc>) -> Self {
        match last {
            None => Self::Never,
            Some(last) if last.at == seen_at => Self::Then,
            Some(last) => Self::Before { at: last.at },
        }
    }

    /// The time, where the source was last read at this one.
    #[must_use]
    pub fn at(self, seen_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Then => Some(seen_at),
            Self::Before { at } => Some(at),
            Self::Never => None,
        }
    }

    pub(super) fn is_then(&self) -> bool {
        *self == Self::Then
    }
}
