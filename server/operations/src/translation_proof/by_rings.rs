//! A translation proof of a dead source: by what was kept of it and what the target holds. Nothing of the source is asked, and
//! nothing of Connect, which may have died with it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    proof::{
        Progress,
        translation::{AsOf, DeadSource, Found, GroupProof, PartitionProof, TranslationProof},
    },
    topic::{ByPartition, TopicPartition},
    translation::Rings,
};
use muster_replication::translate::{NotTranslated, Resumer, Resumption};

use super::{AT_ONCE, ProofError, WITHIN_MS, Watcher, count, flow_of, mirrored, target_of, unreadable};
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
    /// Partitions that could not be read while others were, since when and why.
    pub unread: ByPartition<(DateTime<Utc>, String)>,
}

type Answers = ByPartition<BTreeMap<i64, Result<Resumption, NotTranslated>>>;

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
    let positions = in_scope(&Scope::of(&clients.pair), direction, kept.positions);
    let to = clients.admin.get(direction.to());
    let mirrored = mirrored(&**to, positions.keys()).await.map_err(unreadable("read positions there"))?;
    let (looked_at, rings): (ByPartition<DateTime<Utc>>, ByPartition<Rings>) =
        kept.rings.into_iter().map(|(at, (when, rings))| ((at.clone(), when), (at, rings))).unzip();
    let answers = resume_all(clients, flow, &positions, &rings, watcher).await?;
    let groups = positions.iter().map(|(group, positions)| {
        let partitions = positions.iter().map(|(at, position)| {
            let theirs = mirrored.get(group).and_then(|theirs| theirs.get(&target_of(flow, at)).copied());
            let answer = answers.get(at).and_then(|positions| positions.get(position));
            let told = told(at, *position, answer, looked_at.get(at).copied(), theirs);
            explained(told, kept.unread.get(at))
        });
        (group.clone(), GroupProof::of(partitions.collect()))
    });
    let groups = groups.collect();
    let took_ms = (Utc::now() - began_at).num_milliseconds();
    Ok(TranslationProof::new(began_at, took_ms, groups).of_dead(kept.source))
}

fn in_scope(
    scope: &Scope,
    direction: Direction,
    positions: BTreeMap<String, ByPartition<i64>>,
) -> BTreeMap<String, ByPartition<i64>> {
    let mut groups = positions;
    groups.retain(|group, positions| {
        positions.retain(|at, _| scope.application_topic(direction.from, &at.topic));
        scope.group(group) && !positions.is_empty()
    });
    groups
}

/// A few partitions at a time.
async fn resume_all(
    clients: &PairClients,
    flow: &Flow,
    positions: &BTreeMap<String, ByPartition<i64>>,
    rings: &ByPartition<Rings>,
    watcher: &dyn Watcher,
) -> Result<Answers, ProofError> {
    let mut asked: ByPartition<BTreeSet<i64>> = ByPartition::new();
    for (at, position) in positions.values().flatten().filter(|(at, _)| rings.contains_key(*at)) {
        asked.entry(at.clone()).or_default().insert(*position);
    }
    let to = flow.direction.to();
    let resumer = Resumer {
        flow,
        target: &**clients.admin.get(to),
        mover: &**clients.mover.get(to),
        deadline_ms: WITHIN_MS,
        rings,
    };
    let partitions: Vec<TopicPartition> = asked.keys().cloned().collect();
    let mut progress = Progress { done: 0, of: count(partitions.len()) };
    let mut answers = Answers::new();
    for some in partitions.chunks(AT_ONCE) {
        if !watcher.so_far(progress).await {
            return Err(ProofError::Stopped);
        }
        let now = some.iter().filter_map(|at| Some((at.clone(), asked.remove(at)?))).collect();
        answers.extend(resumer.resume_all(&now).await.map_err(unreadable("read the target"))?);
        progress.done += count(some.len());
    }
    Ok(answers)
}

fn told(
    at: &TopicPartition,
    position: i64,
    answer: Option<&Result<Resumption, NotTranslated>>,
    looked_at: Option<DateTime<Utc>>,
    mirrored: Option<i64>,
) -> PartitionProof {
    let (found, because, lost_at_most) = match answer {
        Some(Ok(resumption)) => {
            let translated = &resumption.translated;
            let found = Found::new(&translated.mapping, translated.run);
            (Some(found), String::new(), resumption.lost_at_most)
        }
        Some(Err(why)) => (None, why.to_string(), None),
        None => (None, "nothing was kept of this partition while the source could be read".to_owned(), None),
    };
    let as_of = looked_at.map(|looked_at| AsOf { looked_at, lost_at_most });
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
