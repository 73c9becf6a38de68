//! A translation proof of a dead source: by what was kept of it and what the target holds. Nothing of the source is asked, and
//! nothing of Connect, which may have died with it.
//!
//! Fingerprint rings come first. Where none was kept, or where it decides nothing, offset syncs speak that were kept: of a copy that is
//! still the one they are about. Neither is ever past the truth, so of two positions the later one is the better.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_domain::{
    offset_pairs::ELSEWHERE,
    pair::{Direction, Flow},
    proof::{
        Progress,
        translation::{AsOf, DeadSource, Found, GroupProof, PartitionProof, TranslationProof},
    },
    reading::ReadingClass,
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{Rings, Untranslatable},
};
use muster_kafka::{ClusterAdmin, KafkaError};
use muster_replication::translate::{BySyncs, NotTranslated, OfPartition, Resumer, Resumption};
use uuid::Uuid;

use super::{AT_ONCE, ProofError, WITHIN_MS, Watcher, count, flow_of, mirrored, stand::Stand, unreadable};
use crate::clients::PairClients;

/// What was kept of a source.
#[derive(Debug)]
pub struct KeptSource {
    /// Since when it cannot be read, why, and when its groups were read last.
    pub source: DeadSource,
    /// Positions of its groups then.
    pub positions: BTreeMap<String, ByPartition<i64>>,
    /// Rings with when they were read.
    pub rings: ByPartition<(DateTime<Utc>, Rings)>,
    /// Its flow's offset syncs; `None` when none are kept.
    pub syncs: Option<KeptSyncs>,
    /// Partitions that could not be read while others were, since when and why.
    pub unread: ByPartition<(DateTime<Utc>, String)>,
}

/// Offset syncs that were kept.
#[derive(Debug)]
pub struct KeptSyncs {
    /// When their topic was read to its end last.
    pub read_at: DateTime<Utc>,
    /// By source partition, oldest first.
    pub offset_pairs: ByPartition<Vec<OffsetPair>>,
    /// By source topic, the id of the copy they are about.
    pub copies: BTreeMap<String, Uuid>,
    /// Where the source ended when positions were read.
    pub ends: ByPartition<i64>,
}

/// What was found of a position, and when what it rests on was read.
#[derive(Debug, Clone)]
struct Answer {
    found: Result<Resumption, NotTranslated>,
    looked_at: DateTime<Utc>,
}

type Answers = ByPartition<BTreeMap<i64, Answer>>;

/// Proves where every group in scope went on when the source was read last.
///
/// # Errors
/// When the target cannot be read, or the pair has no flow in this direction.
pub async fn prove_by_rings(
    clients: &PairClients,
    direction: Direction,
    kept: KeptSource,
    watcher: &dyn Watcher,
) -> Result<TranslationProof, ProofError> {
    let began_at = Utc::now();
    let (flow, _) = flow_of(clients, direction)?;
    let KeptSource { source, positions, rings, syncs, unread } = kept;
    let stand = Stand::of(&clients.pair, direction);
    let positions = stand.in_scope(positions);
    let to = clients.admin.get(direction.to());
    let mirrored = mirrored(&**to, positions.keys()).await.map_err(unreadable("read positions there"))?;
    let (looked_at, rings): (ByPartition<DateTime<Utc>>, ByPartition<Rings>) =
        rings.into_iter().map(|(at, (when, rings))| ((at.clone(), when), (at, rings))).unzip();
    let (syncs, anew) = of_copies_there(&**to, flow, syncs).await.map_err(unreadable("read topics there"))?;
    let what = Kept { looked_at: &looked_at, rings: &rings, syncs: syncs.as_ref() };
    let answers = resume_all(clients, flow, &positions, what, watcher).await?;
    let groups = positions.iter().map(|(group, positions)| {
        let partitions = positions.iter().map(|(at, position)| {
            let theirs =
                mirrored.get(group).and_then(|theirs| theirs.get(&stand.target_of(flow, at)).copied());
            if let Some(untold) = stand.untold(at, *position, theirs) {
                return untold;
            }
            let untranslatable = Untranslatable::CopyMadeAnew;
            let made_anew = anew.get(&at.topic).map(|read_at| Answer {
                found: Err(NotTranslated::Untranslatable { untranslatable }),
                looked_at: *read_at,
            });
            let answer = answers.get(at).and_then(|positions| positions.get(position));
            let told = told(at, *position, made_anew.as_ref().or(answer), theirs);
            explained(told, unread.get(at))
        });
        (group.clone(), GroupProof::of(partitions.collect()))
    });
    let groups = groups.collect();
    let took_ms = (Utc::now() - began_at).num_milliseconds();
    Ok(TranslationProof::new(began_at, took_ms, groups).of_dead(source))
}

/// Of kept offset syncs those whose copies are still there; and, with when syncs were read, the topics whose copies were made anew: what
/// is kept of those is of a copy that is gone, rings included.
async fn of_copies_there(
    target: &dyn ClusterAdmin,
    flow: &Flow,
    syncs: Option<KeptSyncs>,
) -> Result<(Option<KeptSyncs>, BTreeMap<String, DateTime<Utc>>), KafkaError> {
    let Some(mut syncs) = syncs else { return Ok((None, BTreeMap::new())) };
    let name = |topic: &String| flow.naming.target_name(&flow.source_alias, topic);
    let names: BTreeSet<String> = syncs.copies.keys().map(name).collect();
    if names.is_empty() {
        return Ok((None, BTreeMap::new()));
    }
    let there: BTreeMap<String, Option<Uuid>> =
        target.topics(Some(&names)).await?.into_iter().map(|topic| (topic.name, topic.id)).collect();
    let (mut same, mut anew) = (BTreeSet::new(), BTreeMap::new());
    for (topic, copy) in &syncs.copies {
        match there.get(&name(topic)).copied().flatten() {
            Some(id) if id == *copy => {
                same.insert(topic.clone());
            }
            Some(_) if *copy != ELSEWHERE => {
                anew.insert(topic.clone(), syncs.read_at);
            }
            // Not there any more, or never where its name says: its syncs say nothing.
            Some(_) | None => {}
        }
    }
    syncs.offset_pairs.retain(|at, _| same.contains(&at.topic));
    Ok((Some(syncs), anew))
}

/// What positions are found by.
#[derive(Clone, Copy)]
struct Kept<'a> {
    looked_at: &'a ByPartition<DateTime<Utc>>,
    rings: &'a ByPartition<Rings>,
    syncs: Option<&'a KeptSyncs>,
}

/// A few partitions at a time.
async fn resume_all(
    clients: &PairClients,
    flow: &Flow,
    positions: &BTreeMap<String, ByPartition<i64>>,
    kept: Kept<'_>,
    watcher: &dyn Watcher,
) -> Result<Answers, ProofError> {
    let has_syncs = |at: &TopicPartition| kept.syncs.is_some_and(|syncs| syncs.offset_pairs.contains_key(at));
    let is_kept = |at: &TopicPartition| kept.rings.contains_key(at) || has_syncs(at);
    let mut asked: ByPartition<BTreeSet<i64>> = ByPartition::new();
    for (at, position) in positions.values().flatten().filter(|(at, _)| is_kept(at)) {
        asked.entry(at.clone()).or_default().insert(*position);
    }
    let to = flow.direction.to();
    let target = &**clients.admin.get(to);
    let mover = &**clients.mover.get(to);
    let resumer = Resumer { flow, target, mover, deadline_ms: WITHIN_MS, rings: kept.rings };
    let partitions: Vec<TopicPartition> = asked.keys().cloned().collect();
    let mut progress = Progress { done: 0, of: count(partitions.len()) };
    let mut answers = Answers::new();
    for some in partitions.chunks(AT_ONCE) {
        if !watcher.so_far(progress).await {
            return Err(ProofError::Stopped);
        }
        let now: ByPartition<BTreeSet<i64>> =
            some.iter().filter_map(|at| Some((at.clone(), asked.remove(at)?))).collect();
        let with_rings = now.iter().filter(|(at, _)| kept.rings.contains_key(*at));
        let with_rings = with_rings.map(|(at, positions)| (at.clone(), positions.clone())).collect();
        let mut by_rings = resumer.resume_all(&with_rings).await.map_err(unreadable("read the target"))?;
        let mut by_syncs = match kept.syncs {
            Some(KeptSyncs { offset_pairs, ends, .. }) => {
                let by_syncs = BySyncs { flow, target, syncs: offset_pairs, ends };
                by_syncs.resume_all(&now).await.map_err(unreadable("read where the target ends"))?
            }
            None => ByPartition::new(),
        };
        for at in now.into_keys() {
            let (ring, sync) = (by_rings.remove(&at), by_syncs.remove(&at));
            let of_partition = kept.join(&at, ring.unwrap_or_default(), sync.unwrap_or_default());
            answers.insert(at, of_partition);
        }
        progress.done += count(some.len());
    }
    Ok(answers)
}

impl Kept<'_> {
    /// The better of what prints and what syncs say, position by position.
    fn join(
        &self,
        at: &TopicPartition,
        by_ring: OfPartition,
        by_syncs: OfPartition,
    ) -> BTreeMap<i64, Answer> {
        let mut answers: BTreeMap<i64, Answer> = BTreeMap::new();
        if let Some(looked_at) = self.looked_at.get(at).copied() {
            let answer = |(position, found)| (position, Answer { found, looked_at });
            answers.extend(by_ring.into_iter().map(answer));
        }
        let Some(KeptSyncs { read_at, .. }) = self.syncs else { return answers };
        let source_end = self.rings.get(at).map(|rings| rings.source_end);
        for (position, found) in by_syncs {
            // Who had read past the source's end its ring tells, which was read right behind the positions.
            let within = source_end.is_none_or(|end| position <= end);
            let stays = answers.get(&position).is_some_and(|ring| !is_better(&found, &ring.found, within));
            if !stays {
                answers.insert(position, Answer { found, looked_at: *read_at });
            }
        }
        answers
    }
}

/// Whether what syncs say is better than what prints say. Prints that speak against a position are heard: they have seen records.
fn is_better(
    by_syncs: &Result<Resumption, NotTranslated>,
    by_ring: &Result<Resumption, NotTranslated>,
    within: bool,
) -> bool {
    let no_sync = |why: &NotTranslated| {
        matches!(why, NotTranslated::Untranslatable { untranslatable: Untranslatable::NoSyncKept { .. } })
    };
    match (by_syncs, by_ring) {
        (Ok(syncs), Ok(ring)) => {
            let (syncs, ring) = (&syncs.translated.mapping, &ring.translated.mapping);
            ring.class != ReadingClass::Exact
                && (syncs.class == ReadingClass::Exact || syncs.target_offset > ring.target_offset)
        }
        (Ok(_), Err(why)) => within && no_sync(why),
        (Err(_), Ok(_) | Err(_)) => false,
    }
}

fn told(
    at: &TopicPartition,
    position: i64,
    answer: Option<&Answer>,
    mirrored: Option<i64>,
) -> PartitionProof {
    let (found, because, lost_at_most) = match answer.map(|answer| &answer.found) {
        Some(Ok(resumption)) => {
            let translated = &resumption.translated;
            let found = Found::new(&translated.mapping, translated.run);
            (Some(found), String::new(), resumption.lost_at_most)
        }
        Some(Err(why)) => (None, why.to_string(), None),
        None => (None, "nothing was kept of this partition while the source could be read".to_owned(), None),
    };
    let as_of = answer.map(|answer| AsOf { looked_at: answer.looked_at, lost_at_most });
    PartitionProof { partition: at.clone(), position, found, because, mirrored, back: false, as_of }
}

/// Where nothing was kept it is said why, if that is known.
fn explained(told: PartitionProof, unread: Option<&(DateTime<Utc>, String)>) -> PartitionProof {
    match unread {
        Some((since, why)) if told.as_of.is_none() => {
            let since = since.format("%Y-%m-%d %H:%M:%S UTC");
            let because = format!("{}: since {since} looks at it failed: {why}", told.because);
            PartitionProof { because, ..told }
        }
        Some(_) | None => told,
    }
}
