//! What was said of a loss stands as far as it rests on what was seen of the source: whoever says it again may have seen less of it.
//!
//! A process that takes a pair over after the death reads back some minutes of the flight recorder, and what was fastest, or since when a
//! record was missing, may lie before them. So how fast it was written and for how long is told once. What has reached the target is read
//! anew each time, and takes from what may be missing as much as a position moved.

use super::{Interval, PartitionLoss, Stage, TopicLoss};
use crate::topic::TopicPartition;

impl Stage<'_> {
    /// What was said of a partition before.
    pub(super) fn said(&self, key: &TopicPartition) -> Option<&PartitionLoss> {
        self.said_of(&key.topic, key.partition)
    }

    fn said_of(&self, topic: &str, partition: i32) -> Option<&PartitionLoss> {
        let partitions = &self.said.get(topic)?.partitions;
        // They are in the order of their numbers, and none is left out but where nobody listed it.
        let at = partitions.binary_search_by_key(&partition, |lost| lost.partition).ok()?;
        partitions.get(at)
    }

    /// The same where it was known then what had arrived, and up to where that was.
    pub(super) fn told(&self, key: &TopicPartition) -> Option<(&PartitionLoss, i64)> {
        let said = self.said(key)?;
        Some((said, said.through?))
    }

    /// Whether a position is no further than what was said to be missing at most: more was known then of how fast it was written to.
    pub(super) fn was_to_be_expected(&self, key: &TopicPartition, through: Option<i64>) -> bool {
        let moved = |(said, before): (&PartitionLoss, i64)| {
            let moved = through?.saturating_sub(before);
            Some(moved <= said.lost.records_at_most.unwrap_or(0))
        };
        self.told(key).and_then(moved).unwrap_or(false)
    }

    /// What was said of a partition, less what arrived since: its position moved from one offset to the other. What is proven to be missing
    /// now, where that can be told.
    pub(super) fn stand(
        &self,
        key: &TopicPartition,
        said: &PartitionLoss,
        (before, through): (i64, i64),
        proven: Option<i64>,
    ) -> Interval {
        let moved = through.saturating_sub(before).max(0);
        let less = |records: i64| records.saturating_sub(moved).max(0);
        // Without the newest offset sync less is proven than is known.
        let proven =
            proven.filter(|_| self.reads_pairs()).unwrap_or_else(|| less(said.lost.records_at_least));
        let ms_at_least = match (proven, moved) {
            (..=0, _) => 0,
            (_, 0) if said.lost.records_at_least > 0 => said.lost.ms_at_least,
            (_, _) => self.written_before(key, through),
        };
        // The first that is missing is no older than the one before it was.
        let since = if moved == 0 { None } else { self.since(key, through, said.end) };
        let ms_at_most = said.lost.ms_at_most.map(|said| since.map_or(said, |since| since.min(said)));
        let records_at_most = said.lost.records_at_most.map(less);
        Interval { records_at_least: proven, records_at_most, ms_at_least, ms_at_most: ms_at_most.or(since) }
    }

    fn reads_pairs(&self) -> bool {
        self.observed.last().is_some_and(|flow| flow.newest_pairs.value().is_some())
    }

    /// The same of several partitions as one: what was said of all of them, less what arrived of each since. Where that was not known of
    /// some, and now is, their sum bounds them: how fast they were written to together may be known less than it was.
    pub(super) fn stand_together<'l>(
        &self,
        now: &mut Interval,
        said: &Interval,
        each: impl Iterator<Item = (&'l str, &'l PartitionLoss)> + Clone,
    ) {
        let told = |(topic, lost): (&str, &PartitionLoss)| {
            self.said_of(topic, lost.partition).filter(|said| said.through.is_some())
        };
        if each.clone().all(|lost| told(lost).is_none()) {
            return;
        }
        let arrived = each.clone().try_fold(0_i64, |sum, lost| {
            let most = told(lost)?.lost.records_at_most?;
            Some(sum.saturating_add(most.saturating_sub(lost.1.lost.records_at_most?)))
        });
        let most = match said.records_at_most.zip(arrived) {
            Some((most, arrived)) => Some(most.saturating_sub(arrived)),
            None => each
                .clone()
                .try_fold(0_i64, |sum, (_, lost)| Some(sum.saturating_add(lost.lost.records_at_most?))),
        };
        now.records_at_most = most.map(|most| most.max(now.records_at_least));
    }

    /// How the interval was found, where all that was said of it stands: nothing is told anew, by whoever knows less.
    pub(in crate::loss) fn method_that_stands(&self, topics: &[TopicLoss]) -> Option<String> {
        let as_before = |(topic, lost): (&str, &PartitionLoss)| {
            let said = self.said_of(topic, lost.partition);
            said.is_some_and(|said| said.through.is_some() == lost.through.is_some())
        };
        let stands = self.renamed.is_none() && each_partition(topics).all(as_before);
        self.stated.filter(|_| stands).map(|said| said.method.clone())
    }
}

/// Partitions with their topics.
pub(super) fn each_partition(topics: &[TopicLoss]) -> impl Iterator<Item = (&str, &PartitionLoss)> + Clone {
    topics.iter().flat_map(|topic| topic.partitions.iter().map(move |lost| (topic.topic.as_str(), lost)))
}
