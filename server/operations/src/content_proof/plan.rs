//! Which stretches are compared, and up to where the other side has to hold them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_domain::{
    content::Compacted,
    pair::{Direction, Flow},
    patterns::Scope,
    proof::content::{ContentAsk, SampleAsk, Sampling, Stretch, TooMany, Unanswered, chosen, sample_size},
    survey::{ConnectorRole, OffsetPair},
    topic::{ByPartition, Configs, TopicPartition},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, admin::TopicConfigs};
use muster_replication::{FlowSettings, Replication};

use super::{
    beyond::{beyond, still_beyond},
    bounds::Bounds,
};
use crate::{
    clients::PairClients,
    translation_proof::{ProofError, flow_of, target_of, unreadable},
};

/// Source offsets of a stretch of a sample.
const SAMPLED: i64 = 10_000;

/// What is to be compared.
#[derive(Debug, Clone)]
pub struct PlannedContent {
    /// Stretches, by topic and partition.
    pub stretches: Vec<Stretch>,
    /// Partitions that did not answer where they begin and end. A sample holds all of them: how large they are is not known.
    pub unanswered: Vec<Unanswered>,
    /// What was drawn; `None` when everything is compared.
    pub sampling: Option<Sampling>,
}

/// Plans a comparison. `seed` draws the sample: the same for the same seed.
///
/// # Errors
/// See [`ProofError`].
pub async fn plan_content(
    clients: &PairClients,
    direction: Direction,
    ask: &ContentAsk,
    seed: u64,
) -> Result<PlannedContent, ProofError> {
    let (flow, replication) = flow_of(clients, direction)?;
    let config = replication.config(ConnectorRole::Source).await;
    let settings = FlowSettings::from_config(flow, &config.map_err(unreadable("read how the flow copies"))?);
    if settings.transforms {
        return Err(ProofError::Transforms);
    }
    let (source, target) = (clients.admin.get(direction.from), clients.admin.get(direction.to()));
    let topics = topics(clients, direction, ask, &**source).await?;
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(|(_, of_topic)| of_topic.clone()).collect();
    let beyond = beyond(flow, &topics, &**target).await?;
    let there: Vec<TopicPartition> = partitions.iter().chain(&beyond).map(|at| target_of(flow, at)).collect();
    // What is known to be copied comes first: it is below the ends that are read then.
    let copied = copied(replication, &partitions).await?;
    let end = match settings.isolation {
        Isolation::ReadCommitted => OffsetSpec::Stable,
        Isolation::ReadUncommitted => OffsetSpec::End,
    };
    let bounds = Bounds::read((&**source, &partitions), (&**target, &there), end, ask).await?;
    let rules = Rules::read(flow, &**source, &**target, topics.iter().map(|(name, _)| name)).await?;
    let beyond = still_beyond(beyond, &**source).await?;
    let (mut whole, mut unanswered) = (Vec::new(), Vec::new());
    let on_source = partitions.iter().map(|at| (at, bounds.of(at, &target_of(flow, at))));
    let only_there = beyond.iter().map(|at| (at, bounds.beyond(&target_of(flow, at))));
    for (at, told) in on_source.chain(only_there) {
        let target = target_of(flow, at);
        let because = told.as_ref().err().cloned();
        let found = told.unwrap_or_default();
        let stretch = Stretch {
            source: at.clone(),
            source_from: found.from,
            source_until: found.until,
            required_until: copied.required(at, found.target_end),
            target_until: found.target_end,
            source_goes_on: found.until < found.end,
            timestamps: rules.timestamps(&at.topic),
            compacted: rules.compacted(&at.topic),
            target,
        };
        match because {
            Some(because) => unanswered.push(Unanswered { stretch, because }),
            None if found.to_compare() => whole.push(stretch),
            None => {}
        }
    }
    whole.sort_by(|one, other| one.source.cmp(&other.source));
    Ok(match ask.sample {
        None => PlannedContent { stretches: whole, unanswered, sampling: None },
        Some(asked) => {
            let (stretches, sampling) = draw(&whole, asked, seed)?;
            PlannedContent { stretches, unanswered, sampling: Some(sampling) }
        }
    })
}

/// Draws a sample of the pieces of some stretches. Pieces are counted, and only those that are drawn are made: logs that reach far
/// have more of them than memory.
fn draw(whole: &[Stretch], asked: SampleAsk, seed: u64) -> Result<(Vec<Stretch>, Sampling), TooMany> {
    let of = whole.iter().map(pieces).fold(0, usize::saturating_add);
    let taken = sample_size(of, asked)?;
    let mut numbers = chosen(of, taken, seed).into_iter().peekable();
    let mut drawn = Vec::with_capacity(taken);
    let mut first = 0;
    for stretch in whole {
        let behind = pieces(stretch).saturating_add(first);
        while let Some(number) = numbers.next_if(|number| *number < behind) {
            drawn.push(piece(stretch, number - first));
        }
        first = behind;
    }
    Ok((drawn, Sampling { asked, of, taken }))
}

/// How many pieces a stretch has; one where only the target holds something.
fn pieces(whole: &Stretch) -> usize {
    let pieces = whole.size().unsigned_abs().div_ceil(SAMPLED.unsigned_abs()).max(1);
    usize::try_from(pieces).unwrap_or(usize::MAX)
}

/// One of them, by its number.
fn piece(whole: &Stretch, number: usize) -> Stretch {
    let behind = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(SAMPLED);
    let source_from = whole.source_from.saturating_add(behind);
    let source_until = source_from.saturating_add(SAMPLED).min(whole.source_until);
    let source_goes_on = whole.source_goes_on || source_until < whole.source_until;
    Stretch { source_from, source_until, source_goes_on, ..whole.clone() }
}

/// Topics to compare with their partitions.
async fn topics(
    clients: &PairClients,
    direction: Direction,
    ask: &ContentAsk,
    source: &dyn ClusterAdmin,
) -> Result<Vec<(String, Vec<TopicPartition>)>, ProofError> {
    let scope = Scope::of(&clients.pair);
    let asked: BTreeSet<String> = ask.topics.iter().cloned().collect();
    let named = (!asked.is_empty()).then_some(&asked);
    let found = source.topics(named).await.map_err(unreadable("read topics"))?;
    let in_scope = found.into_iter().filter(|topic| scope.application_topic(direction.from, &topic.name));
    let topics: Vec<(String, Vec<TopicPartition>)> = in_scope
        .map(|topic| {
            let partitions =
                topic.partitions.iter().map(|one| TopicPartition::new(&*topic.name, one.partition));
            (topic.name.clone(), partitions.collect())
        })
        .collect();
    let known: BTreeSet<&String> = topics.iter().map(|(name, _)| name).collect();
    match asked.iter().find(|name| !known.contains(name)) {
        Some(missing) => Err(ProofError::NoTopic {
            topic: missing.clone(),
            on: clients.pair.cluster(direction.from).to_string(),
        }),
        None => Ok(topics),
    }
}

/// What is known to be copied: Connect's committed offsets, and offset pairs behind them.
struct Copied {
    committed: ByPartition<i64>,
    offset_pairs: ByPartition<Vec<OffsetPair>>,
}

async fn copied(replication: &dyn Replication, partitions: &[TopicPartition]) -> Result<Copied, ProofError> {
    let (committed, _) =
        replication.committed_offsets().await.map_err(unreadable("read what Connect committed"))?;
    let offset_pairs = replication.offset_pairs(partitions).await.map_err(unreadable("read offset syncs"))?;
    Ok(Copied { committed, offset_pairs })
}

impl Copied {
    /// One past the last source offset whose record must be below an end of the target. Nothing copied: nothing must be.
    fn required(&self, partition: &TopicPartition, target_until: i64) -> i64 {
        let committed = self.committed.get(partition).map_or(0, |last| last + 1);
        let offset_pairs = self.offset_pairs.get(partition).map_or(&[][..], Vec::as_slice);
        // A pair may be told before its record can be read: a transaction is open there.
        let visible = offset_pairs.iter().rev().find(|pair| pair.downstream < target_until);
        committed.max(visible.map_or(0, |pair| pair.upstream + 1))
    }
}

/// How topics are to be compared.
struct Rules {
    source: BTreeMap<String, Arc<Configs>>,
    /// By source names.
    target: BTreeMap<String, Arc<Configs>>,
}

impl Rules {
    async fn read(
        flow: &Flow,
        source: &dyn ClusterAdmin,
        target: &dyn ClusterAdmin,
        topics: impl Iterator<Item = &String>,
    ) -> Result<Self, ProofError> {
        let names: Vec<String> = topics.cloned().collect();
        let replica = |name: &String| flow.naming.target_name(&flow.source_alias, name);
        let replicas: Vec<String> = names.iter().map(replica).collect();
        let read = unreadable::<KafkaError>;
        let here = source.topic_configs(&names).await.and_then(of_all);
        let here = here.map_err(read("read configs of topics"))?;
        let there = target.topic_configs(&replicas).await.and_then(of_all);
        let there = there.map_err(read("read configs of replicas"))?;
        let target = names.iter().filter_map(|name| Some((name.clone(), there.get(&replica(name))?.clone())));
        Ok(Self { target: target.collect(), source: here })
    }

    fn timestamps(&self, topic: &str) -> bool {
        value(&self.target, topic, "message.timestamp.type") != Some("LogAppendTime")
    }

    fn compacted(&self, topic: &str) -> Compacted {
        let is = |side| value(side, topic, "cleanup.policy").is_some_and(|policy| policy.contains("compact"));
        Compacted { source: is(&self.source), target: is(&self.target) }
    }
}

/// What is compared by them is not compared without those of any.
fn of_all(told: TopicConfigs) -> Result<BTreeMap<String, Arc<Configs>>, KafkaError> {
    told.into_iter().map(|(topic, configs)| Ok((topic, configs.map_err(|error| *error)?))).collect()
}

fn value<'a>(side: &'a BTreeMap<String, Arc<Configs>>, topic: &str, key: &str) -> Option<&'a str> {
    side.get(topic)?.get(key)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: SampleAsk = SampleAsk { differing: 0.01, confidence: 0.95 };

    fn whole(partition: i32, source_from: i64, source_until: i64) -> Stretch {
        Stretch {
            source: TopicPartition::new("orders", partition),
            target: TopicPartition::new("west.orders", partition),
            source_from,
            source_until,
            required_until: source_until,
            target_until: source_until,
            source_goes_on: false,
            timestamps: true,
            compacted: Compacted::default(),
        }
    }

    #[test]
    fn a_sample_that_takes_all_has_every_offset_once() {
        let wholes = [whole(0, 5, 5), whole(1, 7, 25_007), whole(2, 0, 10_000), whole(3, 40, 41)];
        let (drawn, sampling) = draw(&wholes, ASK, 3).unwrap();
        let bounds: Vec<_> = drawn
            .iter()
            .map(|one| (one.source.partition, one.source_from, one.source_until, one.source_goes_on))
            .collect();
        assert_eq!(
            bounds,
            [
                (0, 5, 5, false),
                (1, 7, 10_007, true),
                (1, 10_007, 20_007, true),
                (1, 20_007, 25_007, false),
                (2, 0, 10_000, false),
                (3, 40, 41, false)
            ]
        );
        assert_eq!(sampling, Sampling { asked: ASK, of: 6, taken: 6 });
        let one = Stretch { source_from: 7, source_until: 10_007, source_goes_on: true, ..wholes[1].clone() };
        assert_eq!(drawn[1], one, "and all else is the partition's");
    }

    /// Made one by one, ten thousand times as many as there is memory for.
    #[test]
    fn drawing_from_logs_that_reach_very_far_makes_only_what_is_drawn() {
        let ends = i64::MAX / 1_000;
        let wholes: Vec<Stretch> = (0..100).map(|partition| whole(partition, 0, ends)).collect();
        let (drawn, sampling) = draw(&wholes, ASK, 3).unwrap();
        let of = 100 * usize::try_from(ends / SAMPLED + 1).unwrap();
        assert_eq!((drawn.len(), sampling), (299, Sampling { asked: ASK, of, taken: 299 }));
        let place = |one: &Stretch| (one.source.partition, one.source_from);
        assert!(drawn.is_sorted_by(|a, b| place(a) < place(b)));
        assert!(drawn.iter().all(|one| one.source_from % SAMPLED == 0 && one.size() <= SAMPLED));
        let partitions: BTreeSet<i32> = drawn.iter().map(|one| one.source.partition).collect();
        assert!(partitions.len() > 80, "from all over them: {partitions:?}");
        assert!(draw(&wholes, SampleAsk { differing: 1e-9, ..ASK }, 3).is_err(), "nearly all of them");
    }
}
