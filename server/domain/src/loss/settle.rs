//! The true figure, once the source can be read again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Loss, PartitionLoss, TopicLoss, Truth};
use crate::{
    lag::up_to_last_record,
    pair::Direction,
    survey::{Survey, TopicObservation},
    topic::TopicPartition,
};

/// Puts the true figure beside what was said, from the first survey that reads the source again; a second one tells
/// whether somebody writes there. Answers whether something was added. What had reached the target stands as it was last
/// said: what is copied after the source's return was not there when it was needed.
pub fn settle(loss: &mut Loss, survey: &Survey, previous: Option<&Survey>) -> bool {
    let topics = &survey.sides.get(loss.direction.from).topics;
    let Some(found) = topics.value() else { return false };
    match &mut loss.truth {
        None => {
            for topic in &mut loss.topics {
                let observed = found.get(&topic.topic);
                for partition in &mut topic.partitions {
                    partition.truth = beyond(partition, observed);
                }
                topic.truth = total(topic.partitions.iter().map(|partition| partition.truth));
            }
            let records = total(loss.topics.iter().map(|topic| topic.truth));
            let method = match records {
                Some(_) => {
                    "The source's ends when it was first read again, less what had reached the target: at most so many, since \
                     somebody may have written there between its return and that reading."
                }
                None => {
                    "Not every partition of then can be read again, or it is shorter than it was: it was not restored whole."
                }
            };
            let at = topics.at();
            loss.truth = Some(Truth {
                at,
                records,
                ms: None,
                exact: false,
                settled: false,
                method: method.to_owned(),
            });
            true
        }
        Some(truth) if !truth.settled && previous.is_some() => {
            let before = previous.and_then(|previous| previous.sides.get(loss.direction.from).topics.value());
            let still =
                before.is_some_and(|before| loss.topics.iter().all(|lost| stood_still(lost, before, found)));
            for topic in &mut loss.topics {
                for partition in &mut topic.partitions {
                    let there = found.get(&topic.topic);
                    let of = (loss.direction, topic.topic.as_str());
                    partition.truth_ms = written_before(partition, of, there, survey, loss.noticed_at);
                }
                topic.truth_ms = longest(topic.partitions.iter().map(|partition| partition.truth_ms));
            }
            truth.ms = longest(loss.topics.iter().map(|topic| topic.truth_ms));
            truth.settled = true;
            truth.exact = still && truth.records == Some(0);
            if truth.exact {
                "The source's ends after its return, all of which had reached the target. They stood still over two surveys, so \
                 nobody added to them."
                    .clone_into(&mut truth.method);
            } else if still && truth.records.is_some() {
                "The source's ends after its return, less what was proven to have reached the target. They stood still over two \
                 surveys, so nobody added to them. It is at most so many: transaction markers count among the offsets, and so do \
                 records that arrived behind the last committed offset or offset sync."
                    .clone_into(&mut truth.method);
            }
            if let Some(ms) = truth.ms.filter(|ms| *ms > 0) {
                truth.method.push_str(&format!(
                    " The oldest of them says by its own timestamp that it was written {ms} ms before the source was found not to \
                     answer."
                ));
            }
            true
        }
        Some(_) => false,
    }
}

/// `None` where any is not known.
fn total(mut each: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    each.try_fold(0_i64, |sum, one| Some(sum.saturating_add(one?)))
}

/// `None` where any is not known.
fn longest(mut each: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    each.try_fold(0_i64, |longest, one| Some(longest.max(one?)))
}

/// See [`PartitionLoss::truth_ms`]. The oldest record that is missing now is the oldest that was lost as long as nothing behind
/// what had arrived was copied since.
fn written_before(
    lost: &PartitionLoss,
    (direction, topic): (Direction, &str),
    there: Option<&TopicObservation>,
    survey: &Survey,
    noticed_at: DateTime<Utc>,
) -> Option<i64> {
    if lost.truth? == 0 {
        return Some(0);
    }
    let through = lost.through?;
    let first = there?.partitions.get(usize::try_from(lost.partition).ok()?)?.first_missing?;
    let key = TopicPartition::new(topic, lost.partition);
    let flow = survey.flows.iter().find(|observed| observed.direction == direction)?;
    let committed = flow.committed.value().and_then(|committed| committed.offsets.get(&key).copied());
    let pair = flow.newest_pairs.value().and_then(|pairs| Some(pairs.0.get(&key)?.upstream));
    let stands = committed.max(pair).is_some_and(|now| now <= through);
    let is_first = first.offset == through.saturating_add(1) || (stands && first.offset > through);
    is_first.then(|| noticed_at.timestamp_millis().saturating_sub(first.timestamp_ms).max(0))
}

/// Offsets beyond what had arrived, without what is known to be no record. A shorter log than the one last seen is another log, or
/// one that was cut.
fn beyond(lost: &PartitionLoss, observed: Option<&TopicObservation>) -> Option<i64> {
    let partition = observed?.partitions.get(usize::try_from(lost.partition).ok()?)?;
    let end = partition.end?;
    if end < lost.end {
        return None;
    }
    Some(up_to_last_record(partition, end).saturating_sub(1).saturating_sub(lost.through?).max(0))
}

fn stood_still(
    lost: &TopicLoss,
    before: &BTreeMap<String, TopicObservation>,
    now: &BTreeMap<String, TopicObservation>,
) -> bool {
    let ends = |topics: &BTreeMap<String, TopicObservation>| {
        topics.get(&lost.topic).map(|topic| topic.partitions.iter().map(|p| p.end).collect::<Vec<_>>())
    };
    ends(before) == ends(now)
}
