//! Losses by whose they are: of several pairs together, as a cluster that dies is the source of many, and of one by its topics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Interval, Loss, TopicLoss};
use crate::ids::TeamName;

/// What one team lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerLoss {
    /// The team.
    pub owner: TeamName,
    /// Flows of its pairs whose source died; one that died twice counts twice.
    pub losses: usize,
    /// All of them together: records are added up, and of time the longest stands.
    pub lost: Interval,
    /// Records it turned out to be at most; null until all are known.
    pub truth: Option<i64>,
}

/// Adds up losses by their owners, in the order of names: whose, how much, and what it turned out to be.
#[must_use]
pub fn by_owner<'a>(
    losses: impl IntoIterator<Item = (&'a TeamName, Interval, Option<i64>)>,
) -> Vec<OwnerLoss> {
    let mut owners: BTreeMap<&TeamName, OwnerLoss> = BTreeMap::new();
    for (owner, lost, truth) in losses {
        let nothing = || OwnerLoss { owner: owner.clone(), losses: 0, lost: NOTHING, truth: Some(0) };
        let sum = owners.entry(owner).or_insert_with(nothing);
        sum.losses += 1;
        sum.lost = together(sum.lost, lost);
        sum.truth = add(sum.truth, truth);
    }
    owners.into_values().collect()
}

/// What one team lost of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsOfOwner {
    /// The team.
    pub owner: TeamName,
    /// Its topics.
    pub topics: usize,
    /// All of them together.
    pub lost: Interval,
    /// Records it turned out to be at most; `None` until all are known.
    pub truth: Option<i64>,
    /// Writes of so many milliseconds it turned out to be; `None` when any is not known.
    pub truth_ms: Option<i64>,
}

/// A loss by whose its topics are, in the order of names. Where all are one owner's it is the loss as it was stated: what several
/// topics can have been written together is less than what each might have been written alone.
#[must_use]
pub fn topics_by_owner(loss: &Loss) -> Vec<TopicsOfOwner> {
    let mut owners: BTreeMap<&TeamName, Vec<&TopicLoss>> = BTreeMap::new();
    for topic in &loss.topics {
        owners.entry(&topic.owner).or_default().push(topic);
    }
    if owners.len() <= 1 {
        let owner = owners.keys().next().copied().unwrap_or(&loss.owner).clone();
        let truth = loss.truth.as_ref();
        return vec![TopicsOfOwner {
            owner,
            topics: loss.topics.len(),
            lost: loss.total,
            truth: truth.and_then(|truth| truth.records),
            truth_ms: truth.and_then(|truth| truth.ms),
        }];
    }
    owners.into_iter().map(|(owner, topics)| of_owner(owner, &topics)).collect()
}

fn of_owner(owner: &TeamName, topics: &[&TopicLoss]) -> TopicsOfOwner {
    TopicsOfOwner {
        owner: owner.clone(),
        topics: topics.len(),
        lost: topics.iter().fold(NOTHING, |sum, topic| together(sum, topic.lost)),
        truth: topics.iter().try_fold(0, |sum, topic| add(Some(sum), topic.truth)),
        truth_ms: topics.iter().try_fold(0, |longest, topic| longer(Some(longest), topic.truth_ms)),
    }
}

const NOTHING: Interval =
    Interval { records_at_least: 0, records_at_most: Some(0), ms_at_least: 0, ms_at_most: Some(0) };

/// Records are added up, and of time the longest stands. What is not known of one is not known of both.
fn together(a: Interval, b: Interval) -> Interval {
    Interval {
        records_at_least: a.records_at_least.saturating_add(b.records_at_least),
        records_at_most: add(a.records_at_most, b.records_at_most),
        ms_at_least: a.ms_at_least.max(b.ms_at_least),
        ms_at_most: longer(a.ms_at_most, b.ms_at_most),
    }
}

fn add(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.zip(b).map(|(a, b)| a.saturating_add(b))
}

fn longer(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.zip(b).map(|(a, b)| a.max(b))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::pair::{Direction, Side};

    fn team(name: &str) -> TeamName {
        TeamName::new(name).unwrap()
    }

    fn lost(least: i64, most: Option<i64>, ms: Option<i64>) -> Interval {
        Interval { records_at_least: least, records_at_most: most, ms_at_least: 1_000, ms_at_most: ms }
    }

    #[test]
    fn losses_of_an_owner_add_up_and_one_that_is_not_known_is_not_nothing() {
        let [a, b] = ["billing", "fraud"].map(team);
        let found = by_owner([
            (&b, lost(1, None, Some(5_000)), Some(3)),
            (&a, lost(10, Some(40), Some(6_000)), Some(12)),
            (&a, lost(2, Some(5), Some(9_000)), Some(0)),
            (&b, lost(4, Some(9), None), None),
        ]);
        let told: Vec<_> = found.iter().map(|of| (of.owner.as_str(), of.losses, of.lost, of.truth)).collect();
        assert_eq!(
            told,
            [
                ("billing", 2, lost(12, Some(45), Some(9_000)), Some(12)),
                ("fraud", 2, lost(5, None, None), None)
            ]
        );
    }

    #[test]
    fn a_loss_of_one_owner_is_as_it_was_stated_and_of_several_the_sum_of_their_topics() {
        let topic = |name: &str, owner: &str, lost, truth| TopicLoss {
            topic: name.to_owned(),
            topic_id: None,
            owner: team(owner),
            lost,
            partitions: Vec::new(),
            truth,
            truth_ms: Some(700),
        };
        let mut loss = Loss {
            direction: Direction { from: Side::A },
            owner: team("billing"),
            seen_at: DateTime::UNIX_EPOCH,
            noticed_at: DateTime::UNIX_EPOCH,
            reason: String::new(),
            total: lost(12, Some(30), Some(6_000)),
            topics: vec![
                topic("invoices", "billing", lost(10, Some(20), Some(6_000)), Some(11)),
                topic("refunds", "billing", lost(2, Some(20), Some(5_000)), Some(2)),
            ],
            method: String::new(),
            waits_for_leaders: 0,
            truth: None,
        };
        let told = |loss: &Loss| -> Vec<_> {
            let owners = topics_by_owner(loss).into_iter();
            owners.map(|of| (of.owner.to_string(), of.topics, of.lost, of.truth)).collect()
        };
        assert_eq!(told(&loss), [("billing".to_owned(), 2, loss.total, None)]);
        loss.topics.push(topic("scores", "fraud", lost(0, None, None), None));
        assert_eq!(
            told(&loss),
            [
                ("billing".to_owned(), 2, lost(12, Some(40), Some(6_000)), Some(13)),
                ("fraud".to_owned(), 1, lost(0, None, None), None)
            ]
        );
        loss.topics.clear();
        assert_eq!(told(&loss), [("billing".to_owned(), 0, loss.total, None)], "no topic is named");
    }
}
