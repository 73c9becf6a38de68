//! Where partitions begin and end on both sides when a comparison is planned. What did not answer is told as such: it is neither
//! left out nor taken for empty.

use std::collections::BTreeSet;

use muster_domain::{
    proof::content::ContentAsk,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, KafkaError, OffsetSpec};

use crate::translation_proof::{ProofError, unreadable};

/// Of each partition what it answered, or what was asked and came back.
type Answers = ByPartition<Result<i64, String>>;

/// What is known of all partitions.
#[derive(Debug)]
pub(super) struct Bounds {
    target_ends: Answers,
    source_ends: Answers,
    source_starts: Answers,
    /// `None` when everything from the beginning is asked for.
    since: Option<Answers>,
    /// `None` when everything to the end is asked for.
    until: Option<Answers>,
}

/// What is to be compared of one partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionBounds {
    /// First source offset that is asked for.
    pub(super) from: i64,
    /// One past the last source offset that is asked for.
    pub(super) until: i64,
    /// One past the last source offset there is.
    pub(super) end: i64,
    /// One past the last target offset.
    pub(super) target_end: i64,
    /// The source holds nothing at all, whatever was asked for: what the target holds has no counterpart.
    pub(super) source_is_empty: bool,
}

impl PartitionBounds {
    /// Whether there is anything to compare, or anything on the target that nothing answers to.
    pub(super) fn to_compare(&self) -> bool {
        self.until > self.from || (self.source_is_empty && self.target_end > 0)
    }
}

impl Bounds {
    /// Reads where the target ends before where the source does: so whatever the target holds by now is on the source by then.
    /// `end` is what the flow copies to.
    pub(super) async fn read(
        (source, partitions): (&dyn ClusterAdmin, &[TopicPartition]),
        (target, replicas): (&dyn ClusterAdmin, &[TopicPartition]),
        end: OffsetSpec,
        ask: &ContentAsk,
    ) -> Result<Self, ProofError> {
        let target_ends = target_ends(target, replicas).await?;
        let source_ends = answers(source, partitions, end).await?;
        let source_starts = answers(source, partitions, OffsetSpec::Start).await?;
        let at = async |time: Option<i64>| -> Result<Option<Answers>, ProofError> {
            match time {
                Some(time) => Ok(Some(answers(source, partitions, OffsetSpec::AtTime(time)).await?)),
                None => Ok(None),
            }
        };
        let since = at(ask.since.map(|at| at.timestamp_millis())).await?;
        let until = at(ask.until.map(|at| at.timestamp_millis())).await?;
        Ok(Self { target_ends, source_ends, source_starts, since, until })
    }

    /// What is to be compared of a partition, or why that cannot be told.
    pub(super) fn of(
        &self,
        partition: &TopicPartition,
        replica: &TopicPartition,
    ) -> Result<PartitionBounds, String> {
        let end = answer(&self.source_ends, partition)?;
        let start = answer(&self.source_starts, partition)?;
        // No record is as young as that: there is nothing since, or everything is before.
        let at_time = |answers: &Answers| answer(answers, partition).map(|at| if at < 0 { end } else { at });
        let from = self.since.as_ref().map_or(Ok(start), at_time)?.max(start);
        let until = self.until.as_ref().map_or(Ok(end), at_time)?.min(end);
        let target_end = answer(&self.target_ends, replica)?;
        Ok(PartitionBounds { from, until, end, target_end, source_is_empty: start >= end })
    }

    /// The same of a partition that the source does not have.
    pub(super) fn beyond(&self, replica: &TopicPartition) -> Result<PartitionBounds, String> {
        let target_end = answer(&self.target_ends, replica)?;
        Ok(PartitionBounds { target_end, source_is_empty: true, ..PartitionBounds::default() })
    }
}

fn answer(answers: &Answers, partition: &TopicPartition) -> Result<i64, String> {
    let unanswered = || Err(format!("nothing was answered about {partition}"));
    answers.get(partition).cloned().unwrap_or_else(unanswered)
}

async fn answers(
    admin: &dyn ClusterAdmin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Answers, ProofError> {
    let found =
        admin.offsets(partitions, spec).await.map_err(unreadable("read where partitions begin and end"))?;
    let told = |(at, got): (TopicPartition, Result<i64, Box<KafkaError>>)| {
        let got = got.map_err(|error| format!("where {at} begins and ends could not be read: {error}"));
        (at, got)
    };
    Ok(found.into_iter().map(told).collect())
}

/// A replica that no broker knows holds nothing. That is no answer of one leader, which may be about to learn of it: every broker
/// is asked, and if one of them is silent nothing is concluded.
async fn target_ends(target: &dyn ClusterAdmin, replicas: &[TopicPartition]) -> Result<Answers, ProofError> {
    let mut ends = answers(target, replicas, OffsetSpec::Stable).await?;
    let silent: BTreeSet<String> =
        ends.iter().filter(|(_, end)| end.is_err()).map(|(at, _)| at.topic.clone()).collect();
    if silent.is_empty() {
        return Ok(ends);
    }
    let Ok(counts) = target.partition_counts(&silent).await else { return Ok(ends) };
    for (at, end) in ends.iter_mut().filter(|(_, end)| end.is_err()) {
        let there = counts.get(&at.topic).copied().unwrap_or(0);
        if usize::try_from(at.partition).is_ok_and(|number| number >= there) {
            *end = Ok(0);
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use muster_kafka::double::{Fault, Payload, World};

    use super::*;

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::new(topic, partition)
    }

    /// Two partitions with three records each on the source, and the first of them on the target.
    fn world() -> World {
        let world = World::new(&["A", "B"]);
        let mut state = world.lock();
        for (cluster, partitions) in [("A", 2), ("B", 1)] {
            let cluster = state.cluster_mut(cluster);
            cluster.create_topic("orders", partitions).expect("a new cluster has no topics");
            for partition in 0..partitions {
                let log = cluster.log_mut(&at("orders", partition)).expect("it was made");
                for timestamp in [100, 200, 300] {
                    log.append(Payload { timestamp, key: None, value: None, headers: Vec::new() }, 0, false);
                }
            }
        }
        drop(state);
        world
    }

    async fn read(world: &World, ask: &ContentAsk) -> Bounds {
        let (source, target) = (world.admin("A"), world.admin("B"));
        let partitions = [at("orders", 0), at("orders", 1), at("gone", 0)];
        Bounds::read((&source, &partitions), (&target, &partitions), OffsetSpec::End, ask)
            .await
            .expect("the clusters answer")
    }

    fn of(bounds: &Bounds, at: &TopicPartition) -> Result<PartitionBounds, String> {
        bounds.of(at, at)
    }

    #[tokio::test]
    async fn a_partition_that_does_not_answer_is_told_and_not_left_out() {
        let found = read(&world(), &ContentAsk::default()).await;
        let whole = PartitionBounds { until: 3, end: 3, target_end: 3, ..PartitionBounds::default() };
        assert_eq!(of(&found, &at("orders", 0)), Ok(whole));
        let silent = of(&found, &at("gone", 0)).expect_err("the source does not know it");
        assert!(silent.contains("gone") && silent.contains("could not be read"), "{silent}");
        let never_asked = of(&found, &at("orders", 9)).expect_err("nobody asked");
        assert!(never_asked.contains("nothing was answered"), "{never_asked}");
    }

    #[tokio::test]
    async fn a_replica_is_empty_only_when_every_broker_says_that_it_is_not_there() {
        let world = world();
        let found = read(&world, &ContentAsk::default()).await;
        let empty = PartitionBounds { until: 3, end: 3, ..PartitionBounds::default() };
        assert_eq!(of(&found, &at("orders", 1)), Ok(empty));
        world.faults(|faults| faults.always("partition_counts", Fault::Timeout));
        let found = read(&world, &ContentAsk::default()).await;
        assert!(of(&found, &at("orders", 1)).is_err(), "one broker is silent: {found:?}");
        assert!(of(&found, &at("orders", 0)).is_ok());
    }

    /// Nothing asked for is not nothing there.
    #[tokio::test]
    async fn what_only_the_target_holds_is_compared_where_the_source_is_empty() {
        let world = world();
        world.lock().cluster_mut("A").log_mut(&at("orders", 0)).expect("it was made").delete_below(3);
        let emptied = of(&read(&world, &ContentAsk::default()).await, &at("orders", 0)).expect("it answers");
        assert!(emptied.source_is_empty && emptied.to_compare() && emptied.from == 3, "{emptied:?}");
        let none = PartitionBounds { source_is_empty: true, ..PartitionBounds::default() };
        assert!(!none.to_compare(), "neither side holds anything");
        let young =
            ContentAsk { since: chrono::DateTime::from_timestamp_millis(900), ..ContentAsk::default() };
        let old = of(&read(&self::world(), &young).await, &at("orders", 0)).expect("it answers");
        assert!(!old.source_is_empty && !old.to_compare(), "{old:?}");
        let only_there = read(&world, &ContentAsk::default()).await.beyond(&at("orders", 0));
        assert!(only_there.is_ok_and(|found| found.to_compare() && (found.from, found.until) == (0, 0)));
    }

    #[tokio::test]
    async fn times_that_no_record_has_are_the_end() {
        let at_ms = |ms| Some(chrono::DateTime::from_timestamp_millis(ms).expect("a time"));
        let since = ContentAsk { since: at_ms(200), until: at_ms(900), ..ContentAsk::default() };
        let found = read(&world(), &since).await;
        let late = PartitionBounds { from: 1, until: 3, end: 3, target_end: 3, source_is_empty: false };
        assert_eq!(of(&found, &at("orders", 0)), Ok(late));
        let after = ContentAsk { since: at_ms(900), ..ContentAsk::default() };
        let found = of(&read(&world(), &after).await, &at("orders", 0)).expect("it answers");
        assert_eq!((found.from, found.until), (3, 3));
    }
}
