//! Where every group of a pair would go on reading on the other side, found by reading records only: nothing is stopped,
//! fenced or written.
//!
//! Partitions are worked through a few at a time, so that memory and the load on both clusters are bounded, and whoever
//! asks can stop in between.

mod by_rings;
mod stand;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use muster_domain::{
    pair::Direction,
    proof::{
        Progress,
        content::TooMany,
        translation::{Found, GroupProof, PartitionProof, TranslationProof},
    },
    reading::ReadingClass,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError};
use muster_replication::{
    FlowRecords,
    translate::{NotTranslated, Positions, Translated, Translator, WayBack, translate_groups},
};

use crate::clients::PairClients;
pub use by_rings::{KeptSource, KeptSyncs, prove_by_rings};
use ways::Ways;
pub(crate) use ways::{flow_of, target_of};

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
    /// What was asked for is more than can be compared as a sample.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The source lets this process have no part in what is compared; the one that leads compares without it.
    #[error("the source deals this process no partitions to compare: {reason}")]
    NoPart {
        /// What came back.
        reason: String,
    },
    /// Nothing could be dealt or read for too long.
    #[error(
        "for {minutes} minutes nothing could be compared: {tried}. What was compared before is not kept; ask again once both clusters \
         answer. Where a side stays dead, a translation proof says where its groups go on"
    )]
    StandsStill {
        /// How long, in minutes.
        minutes: u64,
        /// What was tried, on what.
        tried: String,
    },
    /// The book of what is to be compared could not be read now. The proof is as it was, and another process may go on with it.
    #[error("look what is to be compared: {reason}")]
    Book {
        /// What came back.
        reason: String,
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

/// Proves where every group in scope goes on in one direction: by the flow that copies this way, and, for records that came
/// from there, by the one that copies the other way.
///
/// # Errors
/// See [`ProofError`]. A group or partition that cannot be told is part of the result, not an error.
pub async fn prove_translation(
    clients: &PairClients,
    direction: Direction,
    watcher: &dyn Watcher,
) -> Result<TranslationProof, ProofError> {
    let began_at = Utc::now();
    let ways = Ways::read(clients, direction).await?;
    let positions =
        positions(clients, direction, &ways).await.map_err(unreadable("read positions of groups"))?;
    let to = clients.admin.get(direction.to());
    let mirrored = mirrored(&**to, positions.keys()).await.map_err(unreadable("read positions there"))?;
    let mut asked: ByPartition<Vec<(&str, i64)>> = ByPartition::new();
    for (group, of_group) in &positions {
        for (partition, position) in of_group {
            asked.entry(partition.clone()).or_default().push((group, *position));
        }
    }
    let partitions: Vec<TopicPartition> = asked.keys().cloned().collect();
    let work = Work { clients, direction, ways, asked };
    let mut found: BTreeMap<String, Answers> = BTreeMap::new();
    let mut progress = Progress { done: 0, of: count(partitions.len()) };
    for some in partitions.chunks(AT_ONCE) {
        if !watcher.so_far(progress).await {
            return Err(ProofError::Stopped);
        }
        for (group, positions) in work.translate(some).await? {
            found.entry(group).or_default().extend(positions);
        }
        progress.done += count(some.len());
    }
    let groups = positions.iter().map(|(group, positions)| {
        let found = found.remove(group).unwrap_or_default();
        let theirs = mirrored.get(group);
        let partitions = positions.iter().map(|(partition, position)| {
            let target = work.ways.target_of(partition);
            let mirrored = theirs.and_then(|theirs| theirs.get(&target)).copied();
            let back = found.get(partition).is_some_and(|answer| answer.back);
            let (found, because) = match found.get(partition).map(|answer| &answer.position) {
                Some(Ok(translated)) => {
                    (Some(Found::new(&translated.mapping, translated.run)), String::new())
                }
                Some(Err(why)) => (None, why.to_string()),
                None => (None, "no flow's offset syncs tell of it".to_owned()),
            };
            PartitionProof {
                partition: partition.clone(),
                position: *position,
                found,
                because,
                mirrored,
                back,
                as_of: None,
            }
        });
        (group.clone(), GroupProof::of(partitions.collect()))
    });
    let groups = groups.collect();
    Ok(TranslationProof::new(began_at, (Utc::now() - began_at).num_milliseconds(), groups))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Committed positions of groups in scope, on topics of the side records come from that a way leads from.
async fn positions(
    clients: &PairClients,
    direction: Direction,
    ways: &Ways<'_>,
) -> Result<BTreeMap<String, ByPartition<i64>>, KafkaError> {
    let (scope, admin) = (&ways.scope, &clients.admin.get(direction.from));
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
            .filter(|(partition, _)| ways.leads_from(&partition.topic))
            .map(|(partition, committed)| (partition, committed.offset))
            .collect();
        (!offsets.is_empty()).then_some((group, offsets))
    };
    Ok(committed.into_iter().filter_map(in_scope).collect())
}

/// Positions MirrorMaker 2 wrote on the other side, by target partition.
async fn mirrored(
    to: &dyn ClusterAdmin,
    groups: impl Iterator<Item = &String>,
) -> Result<BTreeMap<String, ByPartition<i64>>, KafkaError> {
    let groups: Vec<String> = groups.cloned().collect();
    let committed = to.group_offsets(&groups, false).await?;
    let offsets = |offsets: ByPartition<muster_domain::group::CommittedOffset>| {
        offsets.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect()
    };
    Ok(committed.into_iter().map(|(group, of_group)| (group, offsets(of_group))).collect())
}

struct Work<'a> {
    clients: &'a PairClients,
    direction: Direction,
    ways: Ways<'a>,
    /// By partition of the side groups are on, their positions.
    asked: ByPartition<Vec<(&'a str, i64)>>,
}

/// What was found of one group by partition.
type Answers = ByPartition<Answer>;

/// What was found of one position, and by which way.
struct Answer {
    position: Result<Translated, NotTranslated>,
    back: bool,
}

impl Answer {
    /// The better one of two.
    fn or(self, other: Self) -> Self {
        let worth = |answer: &Self| match &answer.position {
            Ok(translated) if translated.mapping.class == ReadingClass::Exact => 2,
            Ok(_) => 1,
            Err(_) => 0,
        };
        if worth(&other) > worth(&self) { other } else { self }
    }
}

impl Work<'_> {
    /// Translates all positions on some partitions.
    async fn translate(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<String, Answers>, ProofError> {
        let mut asked: BTreeMap<String, ByPartition<i64>> = BTreeMap::new();
        for partition in partitions {
            for (group, position) in self.asked.get(partition).into_iter().flatten() {
                asked.entry((*group).to_owned()).or_default().insert(partition.clone(), *position);
            }
        }
        let mut found: BTreeMap<String, Answers> = BTreeMap::new();
        // A flow that never ran has no offset syncs, and leads nowhere; the other one may.
        let (there, back) =
            match (self.forward(partitions, &asked).await, self.back(partitions, &asked).await) {
                (Err(error), Err(_)) => return Err(error),
                (Err(error), Ok(back)) if back.is_empty() => return Err(error),
                (Ok(there), Err(error)) if there.is_empty() => return Err(error),
                (there, back) => (there.unwrap_or_default(), back.unwrap_or_default()),
            };
        let there = there.into_iter().map(|found| (found, false));
        let back = back.into_iter().map(|found| (found, true));
        for ((group, positions), back) in there.chain(back) {
            let known = found.entry(group).or_default();
            for (partition, position) in positions {
                let answer = Answer { position, back };
                let answer = match known.remove(&partition) {
                    Some(earlier) => earlier.or(answer),
                    None => answer,
                };
                known.insert(partition, answer);
            }
        }
        Ok(found)
    }

    /// By the flow that copies this way.
    async fn forward(
        &self,
        partitions: &[TopicPartition],
        asked: &BTreeMap<String, ByPartition<i64>>,
    ) -> Result<BTreeMap<String, Positions>, ProofError> {
        let Some(way) = &self.ways.forward else { return Ok(BTreeMap::new()) };
        let mine: Vec<TopicPartition> =
            partitions.iter().filter(|at| self.ways.is_copied(&at.topic)).cloned().collect();
        let offset_pairs =
            way.replication.offset_pairs(&mine).await.map_err(unreadable("read offset syncs"))?;
        let translator = Translator {
            flow: way.flow,
            renaming: &way.renaming,
            records: self.records(self.direction, way.isolation),
            source: &**self.clients.admin.get(self.direction.from),
            target: &**self.clients.admin.get(self.direction.to()),
            pairs: &offset_pairs,
            exactly_once: way.exactly_once,
            target_until: None,
        };
        let asked = only(asked, |at| self.ways.is_copied(&at.topic));
        translate_groups(&translator, &asked).await.map_err(unreadable("compare records"))
    }

    /// By the flow that copies the other way.
    async fn back(
        &self,
        partitions: &[TopicPartition],
        asked: &BTreeMap<String, ByPartition<i64>>,
    ) -> Result<BTreeMap<String, Positions>, ProofError> {
        let Some(way) = &self.ways.back else { return Ok(BTreeMap::new()) };
        let source = |at: &TopicPartition| {
            let topic = self.ways.scope.original(way.flow.direction, &at.topic)?;
            Some((at.clone(), TopicPartition::new(topic, at.partition)))
        };
        let sources: ByPartition<TopicPartition> = partitions.iter().filter_map(source).collect();
        let originals: Vec<TopicPartition> = sources.values().cloned().collect();
        let offset_pairs =
            way.replication.offset_pairs(&originals).await.map_err(unreadable("read offset syncs"))?;
        let way_back = WayBack {
            records: self.records(way.flow.direction, way.isolation),
            source: &**self.clients.admin.get(way.flow.direction.from),
            target: &**self.clients.admin.get(way.flow.direction.to()),
            pairs: &offset_pairs,
            sources: &sources,
            uncompacted: &uncompacted(&**self.clients.admin.get(self.direction.from), partitions).await,
        };
        let asked = only(asked, |at| sources.contains_key(at));
        way_back.translate_groups(&asked).await.map_err(unreadable("compare records on the way back"))
    }

    /// Readers of both ends of a flow.
    fn records(&self, flow: Direction, isolation: Isolation) -> FlowRecords<'_> {
        FlowRecords {
            source: &**self.clients.mover.get(flow.from),
            target: &**self.clients.mover.get(flow.to()),
            isolation,
            deadline_ms: WITHIN_MS,
        }
    }
}

/// Topics of these that compaction does not touch. What cannot be read is not known to be one of them.
async fn uncompacted(admin: &dyn ClusterAdmin, partitions: &[TopicPartition]) -> BTreeSet<String> {
    let topics: BTreeSet<String> = partitions.iter().map(|at| at.topic.clone()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let configs = admin.topic_configs(&topics).await.unwrap_or_else(|cause| {
        tracing::warn!(%cause, "which topics are compacted is not known: positions on the way back are called early");
        BTreeMap::new()
    });
    let plain = |configs: &muster_domain::topic::Configs| {
        let policy = configs.get("cleanup.policy").and_then(|config| config.value.as_deref());
        policy.is_some_and(|policy| !policy.contains("compact"))
    };
    let known = configs.into_iter().filter(|(_, told)| told.as_ref().is_ok_and(|configs| plain(configs)));
    known.map(|(topic, _)| topic).collect()
}

/// Positions on some partitions; groups without any are left out.
fn only(
    asked: &BTreeMap<String, ByPartition<i64>>,
    wanted: impl Fn(&TopicPartition) -> bool,
) -> BTreeMap<String, ByPartition<i64>> {
    let of_group = |positions: &ByPartition<i64>| -> ByPartition<i64> {
        positions.iter().filter(|(at, _)| wanted(at)).map(|(at, offset)| (at.clone(), *offset)).collect()
    };
    let groups = asked.iter().map(|(group, positions)| (group.clone(), of_group(positions)));
    groups.filter(|(_, positions)| !positions.is_empty()).collect()
}
