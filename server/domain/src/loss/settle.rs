//! The true figure, once the source can be read again.

use std::collections::BTreeMap;

use super::{Loss, PartitionLoss, TopicLoss, Truth};
use crate::{
    lag::up_to_last_record,
    survey::{Survey, TopicObservation},
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
            loss.truth = Some(Truth { at, records, exact: false, settled: false, method: method.to_owned() });
            true
        }
        Some(truth) if !truth.settled && previous.is_some() => {
            let before = previous.and_then(|previous| previous.sides.get(loss.direction.from).topics.value());
            let still =
                before.is_some_and(|before| loss.topics.iter().all(|lost| stood_still(lost, before, found)));
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
            true
        }
        Some(_) => false,
    }
}

/// `None` where any is not known.
fn total(mut each: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    each.try_fold(0_i64, |sum, one| Some(sum.saturating_add(one?)))
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
