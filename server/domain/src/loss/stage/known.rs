//! What is known of one partition of a source that is away: when it was read last, from where on it can be counted, since when its first
//! missing record may have been there, and how much nobody saw.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Stage, behind};
use crate::{
    lag::{EndsAt, Known, surely_missing},
    loss::{LastEnd, unseen::most_unseen},
    survey::TopicObservation,
    topic::TopicPartition,
};

impl Stage<'_> {
    /// A partition as it was last read, by the surveys that are remembered or by what was said before.
    pub(super) fn last(&self, key: &TopicPartition) -> Option<LastEnd> {
        let said = || {
            let (lost, seen_at) = (self.said(key)?, self.stated?.seen_at);
            Some(LastEnd {
                at: lost.end_read.at(seen_at)?,
                end: lost.end,
                start: None,
                leader_epoch: lost.leader_epoch,
                topic_id: None,
            })
        };
        self.high.ends.get(key).copied().flatten().or_else(said)
    }

    pub(super) fn seen_at(&self, key: &TopicPartition) -> DateTime<Utc> {
        self.last(key).map_or(self.high.at, |last| last.at)
    }

    fn source(&self, key: &TopicPartition) -> Option<&TopicObservation> {
        self.previous?.sides.get(self.flow.direction.from).topics.value()?.get(&key.topic)
    }

    /// First offset the source still had; everything from there on is missing when nothing was ever copied.
    pub(super) fn start(&self, key: &TopicPartition) -> Option<i64> {
        let seen = || self.source(key)?.partitions.get(usize::try_from(key.partition).ok()?)?.start;
        seen().or_else(|| self.last(key)?.start)
    }

    /// See [`TopicLoss::topic_id`](crate::loss::TopicLoss::topic_id).
    pub(super) fn topic_id(&self, key: &TopicPartition) -> Option<Uuid> {
        let last = self.last(key).and_then(|last| last.topic_id);
        last.or_else(|| self.source(key)?.id).or_else(|| self.said.get(key.topic.as_str())?.topic_id)
    }

    /// See [`PartitionLoss::leader_epoch`](crate::loss::PartitionLoss::leader_epoch).
    pub(super) fn leader_epoch(&self, key: &TopicPartition) -> Option<i32> {
        // A partition that lost its leader counts on, in an epoch in which nobody wrote: it is told only where an end was.
        let seen = || {
            let seen = self.source(key)?.partitions.get(usize::try_from(key.partition).ok()?)?;
            seen.leader_epoch.filter(|_| seen.end.is_some())
        };
        let last = || self.last(key)?.leader_epoch;
        last().or_else(seen).or_else(|| self.said(key)?.leader_epoch)
    }

    /// See [`PartitionLoss::counts_from`](crate::loss::PartitionLoss::counts_from).
    pub(super) fn counts_from(&self, key: &TopicPartition) -> Option<i64> {
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

    pub(super) fn surely_missing(&self, key: &TopicPartition, start: i64, through: i64) -> Option<i64> {
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
        self.history.iter().rev().find_map(|(_, ends)| ends.get(key).copied())
    }

    /// At most so many were written to a partition after it was last read.
    pub(super) fn unseen(&self, key: &TopicPartition) -> Option<i64> {
        self.unseen_of(&[key])
    }

    /// The same of several, of one topic or of all.
    pub(super) fn unseen_of(&self, partitions: &[&TopicPartition]) -> Option<i64> {
        let since_last_look = |key: &TopicPartition| Some(self.noticed_at - self.last(key)?.at);
        most_unseen(self.pace, partitions, self.noticed_at - self.high.at, since_last_look)
    }

    /// Since when the first missing record may have existed, until it was noticed.
    pub(super) fn since(&self, key: &TopicPartition, through: i64, end: i64) -> Option<i64> {
        let before = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end <= through.saturating_add(1));
        // Where all had arrived that was seen, that is the last reading; of a long history not every one is kept.
        let kept = self.history.iter().rev().find(before).map(|(at, _)| *at);
        let arrived = || behind(self.copyable(key).unwrap_or(end), through) <= 0;
        let since = kept.or_else(|| arrived().then(|| self.seen_at(key)))?;
        Some((self.noticed_at - since).num_milliseconds().max(0))
    }

    /// For how long the first missing record was there when the source was last seen.
    pub(super) fn written_before(&self, key: &TopicPartition, through: i64) -> i64 {
        let after = |(_, ends): &&EndsAt| ends.get(key).is_some_and(|end| *end > through.saturating_add(1));
        let seen_at = self.seen_at(key);
        let first = self.history.iter().find(after).map_or(seen_at, |(at, _)| *at);
        (seen_at - first).num_milliseconds().max(0)
    }
}
