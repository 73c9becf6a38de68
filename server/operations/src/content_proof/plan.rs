//! Which stretches are compared, and up to where the other side has to hold them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_domain::{
    content::Compacted,
    pair::{Direction, Flow},
    patterns::Scope,
    proof::content::{ContentAsk, Sampling, Stretch, Unanswered, chosen, sample_size},
    survey::{ConnectorRole, OffsetPair},
    topic::{ByPartition, Configs, TopicPartition},
};
use muster_kafka::{ClusterAdmin, Isolation, OffsetSpec};
use muster_replication::{FlowSettings, Replication};

use super::bounds::{Bounds, PartitionBounds};
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
    let there: Vec<TopicPartition> = partitions.iter().map(|at| target_of(flow, at)).collect();
    // What is known to be copied comes first: it is below the ends that are read then.
    let copied = copied(replication, &partitions).await?;
    let end = match settings.isolation {
        Isolation::ReadCommitted => OffsetSpec::Stable,
        Isolation::ReadUncommitted => OffsetSpec::End,
    };
    let bounds = Bounds::read((&**source, &partitions), (&**target, &there), end, ask).await?;
    let rules = Rules::read(flow, &**source, &**target, topics.iter().map(|(name, _)| name)).await?;
    let (mut whole, mut unanswered) = (Vec::new(), Vec::new());
    for at in &partitions {
        let target = target_of(flow, at);
        let found = bounds.of(at, &target);
        let (because, found) = match found {
            Ok(found) => (None, found),
            Err(because) => (Some(because), PartitionBounds { from: 0, until: 0, end: 0, target_end: 0 }),
        };
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
            None if stretch.size() > 0 => whole.push(stretch),
            None => {}
        }
    }
    Ok(match ask.sample {
        None => PlannedContent { stretches: whole, unanswered, sampling: None },
        Some(asked) => {
            let all: Vec<Stretch> = whole.iter().flat_map(pieces).collect();
            let taken = sample_size(all.len(), asked);
            let stretches = chosen(all.len(), taken, seed).into_iter().map(|n| all[n].clone()).collect();
            let sampling = Some(Sampling { asked, of: all.len(), taken });
            PlannedContent { stretches, unanswered, sampling }
        }
    })
}

/// The pieces a sample is drawn from.
fn pieces(whole: &Stretch) -> impl Iterator<Item = Stretch> {
    let step = usize::try_from(SAMPLED).unwrap_or(usize::MAX);
    (whole.source_from..whole.source_until).step_by(step).map(|from| {
        let until = (from + SAMPLED).min(whole.source_until);
        let source_goes_on = whole.source_goes_on || until < whole.source_until;
        Stretch { source_from: from, source_until: until, source_goes_on, ..whole.clone() }
    })
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
    pairs: ByPartition<Vec<OffsetPair>>,
}

async fn copied(replication: &dyn Replication, partitions: &[TopicPartition]) -> Result<Copied, ProofError> {
    let (committed, _) =
        replication.committed_offsets().await.map_err(unreadable("read what Connect committed"))?;
    let pairs = replication.offset_pairs(partitions).await.map_err(unreadable("read offset syncs"))?;
    Ok(Copied { committed, pairs })
}

impl Copied {
    /// One past the last source offset whose record must be below an end of the target. Nothing copied: nothing must be.
    fn required(&self, partition: &TopicPartition, target_until: i64) -> i64 {
        let committed = self.committed.get(partition).map_or(0, |last| last + 1);
        let pairs = self.pairs.get(partition).map_or(&[][..], Vec::as_slice);
        // A pair may be told before its record can be read: a transaction is open there.
        let visible = pairs.iter().rev().find(|pair| pair.downstream < target_until);
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
        let read = unreadable::<muster_kafka::KafkaError>;
        let here = source.topic_configs(&names).await.map_err(read("read configs of topics"))?;
        let there = target.topic_configs(&replicas).await.map_err(read("read configs of replicas"))?;
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

fn value<'a>(side: &'a BTreeMap<String, Arc<Configs>>, topic: &str, key: &str) -> Option<&'a str> {
    side.get(topic)?.get(key)?.value.as_deref()
}
