//! Where every group of a pair would go on reading on the other side, found by reading records only: nothing is stopped,
//! fenced or written.
//!
//! Partitions are worked through a few at a time, so that memory and the load on both clusters are bounded, and whoever
//! asks can stop in between.

use std::collections::BTreeMap;

use chrono::Utc;
use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    proof::{
        Progress,
        translation::{Found, GroupProof, PartitionProof, TranslationProof},
    },
    survey::{ConnectorRole, OffsetPair},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, KafkaError};
use muster_replication::{
    FlowRecords, FlowSettings, Replication,
    translate::{Positions, Translator, translate_groups},
};

use crate::clients::PairClients;

/// Partitions whose records are compared at the same time.
const AT_ONCE: usize = 32;
/// Bound of reading so many partitions, in milliseconds.
const WITHIN_MS: u64 = 120_000;

/// Why a proof could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Whoever asked does not want it any more, or another process has it.
    #[error("it was stopped")]
    Stopped,
    /// The pair has no flow in this direction that Muster can see.
    #[error("no flow from {from} to {to} is attached: offset syncs cannot be read")]
    NoFlow {
        /// Source.
        from: String,
        /// Target.
        to: String,
    },
    /// The connector changes records on the way, so both sides differ by intent.
    #[error(
        "the flow's connector has transforms: records differ by intent, and nothing can be said by comparing them"
    )]
    Transforms,
    /// A topic that was asked for is not one of the pair's.
    #[error("topic `{topic}` is not an application topic of this pair on {on}")]
    NoTopic {
        /// Its name.
        topic: String,
        /// The source.
        on: String,
    },
    /// Something could not be read.
    #[error("{what}: {reason}")]
    Unreadable {
        /// What was tried.
        what: &'static str,
        /// What came back.
        reason: String,
    },
}

pub(crate) fn unreadable<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> ProofError {
    move |error| ProofError::Unreadable { what, reason: error.to_string() }
}

/// Told after each few partitions; false when the work is to stop.
#[async_trait::async_trait]
pub trait Watcher: Send + Sync {
    /// How far it is.
    async fn so_far(&self, progress: Progress) -> bool;
}

/// Proves where every group in scope goes on in one direction.
///
/// # Errors
/// See [`ProofError`]. A group or partition that cannot be told is part of the result, not an error.
pub async fn prove_translation(
    clients: &PairClients,
    direction: Direction,
    watcher: &dyn Watcher,
) -> Result<TranslationProof, ProofError> {
    let began_at = Utc::now();
    let (flow, replication) = flow_of(clients, direction)?;
    let config = replication.config(ConnectorRole::Source).await;
    let isolation =
        FlowSettings::from_config(flow, &config.map_err(unreadable("read how the flow copies"))?).isolation;
    let positions = positions(clients, direction).await.map_err(unreadable("read positions of groups"))?;
    let mirrored =
        mirrored(clients, flow, positions.keys()).await.map_err(unreadable("read positions there"))?;
    let mut asked: ByPartition<Vec<(&str, i64)>> = ByPartition::new();
    for (group, of_group) in &positions {
        for (partition, position) in of_group {
            asked.entry(partition.clone()).or_default().push((group, *position));
        }
    }
    let partitions: Vec<TopicPartition> = asked.keys().cloned().collect();
    let work = Work { clients, direction, flow, isolation, asked };
    let mut found: BTreeMap<String, Positions> = BTreeMap::new();
    let mut progress = Progress { done: 0, of: count(partitions.len()) };
    for some in partitions.chunks(AT_ONCE) {
        if !watcher.so_far(progress).await {
            return Err(ProofError::Stopped);
        }
        let pairs = replication.offset_pairs(some).await.map_err(unreadable("read offset syncs"))?;
        for (group, positions) in work.translate(some, &pairs).await.map_err(unreadable("compare records"))? {
            found.entry(group).or_default().extend(positions);
        }
        progress.done += count(some.len());
    }
    let groups = positions.into_iter().map(|(group, positions)| {
        let found = found.remove(&group).unwrap_or_default();
        let theirs = mirrored.get(&group);
        let partitions = positions.into_iter().map(|(partition, position)| {
            let target = target_of(flow, &partition);
            let mirrored = theirs.and_then(|theirs| theirs.get(&target)).copied();
            let (found, because) = match found.get(&partition) {
                Some(Ok(translated)) => {
                    (Some(Found::new(&translated.mapping, translated.run)), String::new())
                }
                Some(Err(why)) => (None, why.to_string()),
                None => (None, "the broker did not answer for it".to_owned()),
            };
            PartitionProof { partition, position, found, because, mirrored }
        });
        (group, GroupProof::of(partitions.collect()))
    });
    let groups = groups.collect();
    Ok(TranslationProof::new(began_at, (Utc::now() - began_at).num_milliseconds(), groups))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn target_of(flow: &Flow, partition: &TopicPartition) -> TopicPartition {
    TopicPartition::new(flow.naming.target_name(&flow.source_alias, &partition.topic), partition.partition)
}

pub(crate) fn flow_of(
    clients: &PairClients,
    direction: Direction,
) -> Result<(&Flow, &dyn Replication), ProofError> {
    let pair = &clients.pair;
    match (pair.flow(direction), clients.flow(direction)) {
        (Some(flow), Some(replication)) => Ok((flow, &**replication)),
        (None, _) | (_, None) => Err(ProofError::NoFlow {
            from: pair.cluster(direction.from).to_string(),
            to: pair.cluster(direction.to()).to_string(),
        }),
    }
}

/// Committed positions of groups in scope, on application topics of the side records come from.
async fn positions(
    clients: &PairClients,
    direction: Direction,
) -> Result<BTreeMap<String, ByPartition<i64>>, KafkaError> {
    let (scope, admin) = (Scope::of(&clients.pair), &clients.admin.get(direction.from));
    let groups: Vec<String> = admin
        .list_groups()
        .await?
        .into_iter()
        .map(|listed| listed.group)
        .filter(|group| scope.group(group))
        .collect();
    let committed = admin.group_offsets(&groups, false).await?;
    let in_scope = |(group, offsets): (String, ByPartition<muster_domain::group::CommittedOffset>)| {
        let offsets: ByPartition<i64> = offsets
            .into_iter()
            .filter(|(partition, _)| scope.application_topic(direction.from, &partition.topic))
            .map(|(partition, committed)| (partition, committed.offset))
            .collect();
        (!offsets.is_empty()).then_some((group, offsets))
    };
    Ok(committed.into_iter().filter_map(in_scope).collect())
}

/// Positions MirrorMaker 2 wrote on the other side, by target partition.
async fn mirrored(
    clients: &PairClients,
    flow: &Flow,
    groups: impl Iterator<Item = &String>,
) -> Result<BTreeMap<String, ByPartition<i64>>, KafkaError> {
    let groups: Vec<String> = groups.cloned().collect();
    let committed = clients.admin.get(flow.direction.to()).group_offsets(&groups, false).await?;
    let offsets = |offsets: ByPartition<muster_domain::group::CommittedOffset>| {
        offsets.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect()
    };
    Ok(committed.into_iter().map(|(group, of_group)| (group, offsets(of_group))).collect())
}

struct Work<'a> {
    clients: &'a PairClients,
    direction: Direction,
    flow: &'a Flow,
    isolation: Isolation,
    /// By source partition, the positions of groups.
    asked: ByPartition<Vec<(&'a str, i64)>>,
}

impl Work<'_> {
    /// Translates all positions on some partitions.
    async fn translate(
        &self,
        partitions: &[TopicPartition],
        pairs: &ByPartition<Vec<OffsetPair>>,
    ) -> Result<BTreeMap<String, Positions>, KafkaError> {
        let mut asked: BTreeMap<String, ByPartition<i64>> = BTreeMap::new();
        for partition in partitions {
            for (group, position) in self.asked.get(partition).into_iter().flatten() {
                asked.entry((*group).to_owned()).or_default().insert(partition.clone(), *position);
            }
        }
        let (from, to) = (self.direction.from, self.direction.to());
        let records = FlowRecords {
            source: &**self.clients.mover.get(from),
            target: &**self.clients.mover.get(to),
            isolation: self.isolation,
            deadline_ms: WITHIN_MS,
        };
        let translator = Translator {
            flow: self.flow,
            records,
            source: &**self.clients.admin.get(from),
            target: &**self.clients.admin.get(to),
            pairs,
            target_until: None,
        };
        translate_groups(&translator, &asked).await
    }
}
