//! Which topics of the target offset pairs are about. No pair says that, and once a source is dead nobody compares records any more: a
//! copy that was made anew would be taken for the one before it.
//!
//! Ids are asked before pairs are read on, so what is read after that is of that copy or shows that it began anew: MirrorMaker 2 writes
//! a pair for the first record of a copy that is shorter than it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use muster_domain::{
    offset_pairs::{ELSEWHERE, ReadPairs},
    survey::OffsetPair,
    topic::{ByPartition, TopicDescription, TopicPartition},
};
use muster_kafka::{KafkaError, OffsetSpec};
use tokio::time::Instant;
use uuid::Uuid;

use super::Place;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// By source topic, the id of the copy that its pairs are of.
    bound: BTreeMap<String, Uuid>,
    /// What of it is not kept yet.
    unkept: BTreeMap<String, Uuid>,
    /// Partitions whose pairs showed that their copy began anew, of topics that were not bound since.
    begun_anew: BTreeSet<TopicPartition>,
    looked_at: Option<Instant>,
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Looked {
    /// By source topic, the id of its copy.
    ids: BTreeMap<String, Uuid>,
    /// Of topics that are not bound to that id: partitions whose newest pair is not known to be below the copy's end. It may be of a copy
    /// that is gone.
    doubtful: BTreeSet<TopicPartition>,
}

impl Copies {
    /// As they are kept.
    pub(super) fn kept(bound: BTreeMap<String, Uuid>) -> Self {
        Self { bound, ..Self::default() }
    }

    /// Whether it is time to look.
    pub(super) fn are_due(&self) -> bool {
        self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY)
    }

    /// They are looked at now, whatever comes of it: a target that does not answer is not asked at every reading.
    pub(super) fn looking(&mut self) {
        self.looked_at = Some(Instant::now());
    }

    /// Whether they ever were.
    pub(super) fn were_looked_at(&self) -> bool {
        self.looked_at.is_some()
    }

    /// A pair shows that the copy of this partition began anew.
    pub(super) fn begins_anew(&mut self, partition: &TopicPartition) {
        self.begun_anew.insert(partition.clone());
    }

    /// What is to be kept of them.
    pub(super) fn unkept(&self) -> &BTreeMap<String, Uuid> {
        &self.unkept
    }

    /// It was kept.
    pub(super) fn are_kept(&mut self) {
        self.unkept.clear();
    }

    /// Asks the target which topics the copies of what is known are.
    pub(super) async fn look(&self, place: &Place<'_>, known: &ReadPairs) -> Result<Looked, KafkaError> {
        let topics: BTreeSet<&String> = known.partitions.keys().map(|at| &at.topic).collect();
        if place.renamed {
            let ids = topics.into_iter().map(|topic| (topic.clone(), ELSEWHERE)).collect();
            return Ok(Looked { ids, doubtful: BTreeSet::new() });
        }
        let name = |topic: &str| place.flow.naming.target_name(&place.flow.source_alias, topic);
        let sources: BTreeMap<String, &String> =
            topics.into_iter().map(|topic| (name(topic), topic)).collect();
        let source = |copy: &str| sources.get(copy).copied().cloned();
        let found = place.target.topics(Some(&sources.keys().cloned().collect())).await?;
        let id = |topic: TopicDescription| Some((source(&topic.name)?, topic.id?));
        let ids: BTreeMap<String, Uuid> = found.into_iter().filter_map(id).collect();
        let unbound = |topic: &str| ids.get(topic).is_some_and(|id| self.bound.get(topic) != Some(id));
        let mut newest: ByPartition<OffsetPair> = ByPartition::new();
        for (at, known) in known.partitions.iter().filter(|(at, _)| unbound(&at.topic)) {
            if let Some(pair) = known.pairs.last() {
                newest.insert(TopicPartition::new(name(&at.topic), at.partition), *pair);
            }
        }
        let doubtful = beyond_their_ends(place, &newest).await?;
        let of_source = |at: &TopicPartition| Some(TopicPartition::new(source(&at.topic)?, at.partition));
        Ok(Looked { ids, doubtful: doubtful.iter().filter_map(of_source).collect() })
    }

    /// Binds topics to the copies that were found, and answers the partitions whose pairs are of a copy that is gone. A topic of which
    /// one pair may be of another copy stays as it was until the next look.
    pub(super) fn bind(&mut self, looked: Looked, known: &ReadPairs) -> Vec<TopicPartition> {
        let mut gone = Vec::new();
        for (topic, id) in looked.ids {
            let was = self.bound.get(&topic).copied();
            if was != Some(id) {
                // Where the topic is bound to another copy, only pairs behind one that shows the next are of the next.
                let of_this = |at: &&TopicPartition| was.is_none() || self.begun_anew.contains(*at);
                if partitions_of(known, &topic).filter(of_this).any(|at| looked.doubtful.contains(at)) {
                    continue;
                }
                if id != ELSEWHERE {
                    gone.extend(partitions_of(known, &topic).filter(|at| !of_this(at)).cloned());
                }
                self.bound.insert(topic.clone(), id);
                self.unkept.insert(topic.clone(), id);
            }
            self.begun_anew.retain(|at| at.topic != topic);
        }
        gone
    }
}

/// Partitions of the target that do not reach to this pair, or do not say how far they reach.
async fn beyond_their_ends(
    place: &Place<'_>,
    newest: &ByPartition<OffsetPair>,
) -> Result<BTreeSet<TopicPartition>, KafkaError> {
    if newest.is_empty() {
        return Ok(BTreeSet::new());
    }
    let asked: Vec<TopicPartition> = newest.keys().cloned().collect();
    let ends = place.target.offsets(&asked, OffsetSpec::End).await?;
    let reaches = |at: &TopicPartition, pair: &OffsetPair| {
        ends.get(at).is_some_and(|end| end.as_ref().is_ok_and(|end| pair.downstream < *end))
    };
    Ok(newest.iter().filter(|(at, pair)| !reaches(at, pair)).map(|(at, _)| at.clone()).collect())
}

fn partitions_of<'a>(known: &'a ReadPairs, topic: &'a str) -> impl Iterator<Item = &'a TopicPartition> {
    let first = TopicPartition::new(topic, i32::MIN);
    known.partitions.range(first..).map(|(at, _)| at).take_while(move |at| at.topic == topic)
}

#[cfg(test)]
mod tests {
    use muster_domain::{offset_pairs::PartitionPairs, survey::UnreadableSyncs};

    use super::*;

    fn at(number: i32) -> TopicPartition {
        TopicPartition::new("orders", number)
    }

    /// A pair of two partitions each.
    fn known() -> ReadPairs {
        let pairs = vec![OffsetPair { upstream: 5, downstream: 5 }];
        let of = |number| (at(number), PartitionPairs { pairs: pairs.clone(), ..PartitionPairs::default() });
        let partitions = [of(0), of(1)].into();
        ReadPairs { partitions, ..ReadPairs::beginning_at(0, UnreadableSyncs::default()) }
    }

    fn looked(id: Uuid, doubtful: &[i32]) -> Looked {
        let doubtful = doubtful.iter().map(|number| at(*number)).collect();
        Looked { ids: BTreeMap::from([("orders".to_owned(), id)]), doubtful }
    }

    fn bound_to(id: Uuid) -> BTreeMap<String, Uuid> {
        BTreeMap::from([("orders".to_owned(), id)])
    }

    const FIRST: Uuid = Uuid::from_u128(1);
    const SECOND: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_topic_is_bound_once_none_of_its_pairs_may_be_of_a_copy_that_is_gone() {
        let mut copies = Copies::default();
        assert!(copies.bind(looked(FIRST, &[1]), &known()).is_empty());
        assert!(copies.unkept().is_empty(), "one pair is not below the end: of what it is nobody knows");
        assert!(copies.bind(looked(FIRST, &[]), &known()).is_empty());
        assert_eq!(*copies.unkept(), bound_to(FIRST));
        copies.are_kept();
        assert!(copies.bind(looked(FIRST, &[0, 1]), &known()).is_empty());
        assert!(copies.unkept().is_empty(), "it is that already");
    }

    #[test]
    fn of_a_copy_made_anew_are_pairs_only_where_they_show_that_it_began() {
        let before = || {
            let mut copies = Copies::kept(bound_to(FIRST));
            copies.begins_anew(&at(0));
            copies
        };
        let mut copies = before();
        assert_eq!(copies.bind(looked(SECOND, &[1]), &known()), [at(1)]);
        assert_eq!(*copies.unkept(), bound_to(SECOND));
        let mut copies = before();
        assert!(copies.bind(looked(SECOND, &[0]), &known()).is_empty());
        assert!(copies.unkept().is_empty(), "it may have been made anew twice");
        assert_eq!(copies.bind(looked(SECOND, &[]), &known()), [at(1)]);
        assert_eq!(
            copies.bind(looked(FIRST, &[]), &known()),
            [at(0), at(1)],
            "what showed was of the second"
        );
    }

    #[test]
    fn copies_under_another_name_are_bound_to_none_and_their_pairs_stay_until_they_are_under_that_name_again()
    {
        let mut copies = Copies::kept(bound_to(FIRST));
        assert!(copies.bind(looked(ELSEWHERE, &[]), &known()).is_empty());
        assert_eq!(*copies.unkept(), bound_to(ELSEWHERE));
        assert_eq!(copies.bind(looked(FIRST, &[]), &known()), [at(0), at(1)]);
    }
}
