//! Finding the positions of groups on the target: what to read, in how few calls, around the pure rules of
//! `muster_domain::translation`.
//!
//! Never answers a position past the truth. The end of the target is asked before the end of the source, so that a record
//! which arrives in between can only make a group look less drained. What cannot be compared is refused with its reason or
//! answered early, never guessed.

mod back;
mod behind_markers;
mod by_syncs;
mod keep;
mod resume;
mod search;
mod segments;
mod timestamp_search;

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pair::Flow,
    renaming::{Renaming, Unnameable},
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{AllSyncs, Lifetimes, Mapping, Untranslatable, Visible},
};
use muster_kafka::{
    ClusterAdmin, Isolation, KafkaError, OffsetSpec, TailRecord, Tails, admin::PartitionOffsets,
};
use serde::{Deserialize, Serialize};

use crate::records::{Deadline, FlowRecords, read_each_tail};
pub use back::WayBack;
pub use by_syncs::BySyncs;
pub use keep::{Ends, KeepError, Keeper, ReadRings, Wanted};
pub use resume::{OfPartition, Resumer, Resumption};
use search::find_all;

/// Longest stretch of one partition that is compared record by record. Between pairs of a flow in catch-up, 6,000 records
/// were seen (mm2-verified 5); far past that only the pairs are believed, and what stands around a position if it is found by time.
const LONGEST_STRETCH: i64 = 300_000;
/// Records from the position on that are compared once more, as independent evidence.
const RUN: usize = 5;

/// What translations need.
#[derive(Debug, Clone, Copy)]
pub struct Translator<'a> {
    /// The flow, for names.
    pub flow: &'a Flow,
    /// Its connector's transforms that write copies under other names.
    pub renaming: &'a Renaming,
    /// Records of both ends.
    pub records: FlowRecords<'a>,
    /// Offsets of the source.
    pub source: &'a dyn ClusterAdmin,
    /// Offsets of the target.
    pub target: &'a dyn ClusterAdmin,
    /// All offset pairs by source partition ([`crate::Replication::offset_pairs`]).
    pub pairs: &'a ByPartition<Vec<OffsetPair>>,
    /// The flow is guaranteed to leave no second copies ([`crate::FlowSettings::exactly_once`]).
    pub exactly_once: bool,
    /// By target partition, where the flow's records end and others begin: once applications write on the target, a group
    /// that has read everything goes on here and not behind what was written since. `None` while only the flow writes.
    pub target_until: Option<&'a ByPartition<i64>>,
}

/// A position that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translated {
    /// Partition on the target.
    pub target: TopicPartition,
    /// Next offset the group reads on the source.
    pub source_offset: i64,
    /// Where it goes on.
    pub mapping: Mapping,
    /// Records from there on that were seen to be the same on both sides, at most 5.
    pub run: usize,
}

/// Why a position was not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum NotTranslated {
    /// The rules refuse.
    #[error("{untranslatable}")]
    Untranslatable {
        /// Why.
        untranslatable: Untranslatable,
    },
    /// A partition could not be asked on one of the sides.
    #[error("{partition} could not be read: {reason}")]
    Unreadable {
        /// By its name on the side that failed.
        partition: TopicPartition,
        /// The broker's answer.
        reason: String,
    },
    /// The copies are under another name.
    #[error("{unnameable}")]
    Unnameable {
        /// Why it is not known.
        unnameable: Unnameable,
    },
    /// Too many records would have to be compared, no pair gives a safe position, and time, where it was asked for, did not lead to one.
    #[error("{records} records would have to be compared and no earlier offset sync is known")]
    TooFar {
        /// How many.
        records: i64,
    },
    /// The same, of a flow that writes in transactions: the search by time ended before it came to the first record of that time.
    #[error(
        "{records} records would have to be compared and no earlier offset sync is known; looking for it by time, markers of \
         transactions were found on the target and {read} offsets were read behind them without coming to records of that time, \
         which is as far as one question reads. Ask again for fewer groups, or let the group read on"
    )]
    NotReached {
        /// How many would have to be compared, in offsets.
        records: i64,
        /// Offsets of the target that were read, or known from another position, behind the first marker of that time.
        read: i64,
    },
}

/// Outcome by source partition.
pub type Positions = ByPartition<Result<Translated, NotTranslated>>;

/// Positions of one group. See [`translate_groups`].
pub async fn translate_group(
    translator: &Translator<'_>,
    group: &ByPartition<i64>,
) -> Result<Positions, KafkaError> {
    let groups = BTreeMap::from([(String::new(), group.clone())]);
    Ok(translate_groups(translator, &groups).await?.remove("").unwrap_or_default())
}

/// Positions of many groups, given by source partition the next offset each reads there. Every record is read once for all
/// of them. Fails as a whole only when a side cannot be read at all.
pub async fn translate_groups(
    translator: &Translator<'_>,
    groups: &BTreeMap<String, ByPartition<i64>>,
) -> Result<BTreeMap<String, Positions>, KafkaError> {
    let deadline = Deadline::after(translator.records.deadline_ms);
    let mut asked: ByPartition<BTreeSet<i64>> = ByPartition::new();
    for (partition, offset) in groups.values().flatten() {
        asked.entry(partition.clone()).or_default().insert(*offset);
    }
    let bounds = ask_bounds(translator, asked.keys(), deadline).await?;
    let found = find_all(translator, &asked, &bounds, deadline).await?;
    let position = |partition: &TopicPartition, offset: &i64| match &bounds[partition] {
        Err(error) => Err(error.clone()),
        Ok(_) => found[&(partition, *offset)].clone(),
    };
    let of_group = |positions: &ByPartition<i64>| {
        positions.iter().map(|(partition, offset)| (partition.clone(), position(partition, offset))).collect()
    };
    Ok(groups.iter().map(|(group, positions)| (group.clone(), of_group(positions))).collect())
}

/// What a partition holds on both sides.
struct Bounds {
    target: TopicPartition,
    target_start: i64,
    target_end: i64,
    source_start: i64,
    source_end: i64,
    source_tail: Option<TailRecord>,
    target_tail: Option<TailRecord>,
    /// What relates the two, for all positions that are asked for.
    lifetimes: Lifetimes,
    newest_pair: Option<OffsetPair>,
}

type AllBounds = ByPartition<Result<Bounds, NotTranslated>>;

async fn ask_bounds(
    translator: &Translator<'_>,
    partitions: impl Iterator<Item = &TopicPartition>,
    deadline: Deadline,
) -> Result<AllBounds, KafkaError> {
    let flow = translator.flow;
    let name = |p: &TopicPartition| {
        let named = flow.naming.target_name(&flow.source_alias, &p.topic);
        match translator.renaming.name_of_copies(&named) {
            Ok(copies) => Ok(TopicPartition::new(copies, p.partition)),
            Err(unnameable) => Err(NotTranslated::Unnameable { unnameable }),
        }
    };
    let named: ByPartition<Result<TopicPartition, NotTranslated>> =
        partitions.map(|p| (p.clone(), name(p))).collect();
    let known = named.iter().filter_map(|(source, target)| Some((source.clone(), target.clone().ok()?)));
    let (sources, targets): (Vec<_>, Vec<_>) = known.unzip();
    // The target first; see the module.
    let (mut target_ends, target_starts) = tokio::try_join!(
        translator.target.offsets(&targets, OffsetSpec::End),
        translator.target.offsets(&targets, OffsetSpec::Start),
    )?;
    for (target, until) in translator.target_until.into_iter().flatten() {
        if let Some(Ok(end)) = target_ends.get_mut(target) {
            *end = (*end).min(*until);
        }
    }
    let (source_ends, source_starts) = tokio::try_join!(
        translator.source.offsets(&sources, OffsetSpec::End),
        translator.source.offsets(&sources, OffsetSpec::Start),
    )?;
    let known = |offsets: &PartitionOffsets| {
        offsets.iter().filter_map(|(p, offset)| Some((p.clone(), *offset.as_ref().ok()?))).collect()
    };
    let records = translator.records;
    let (source_until, target_until) = (known(&source_ends), known(&target_ends));
    let (source_tails, target_tails) = tokio::try_join!(
        read_each_tail(records.source, source_until, records.isolation, deadline),
        read_each_tail(records.target, target_until, Isolation::ReadCommitted, deadline),
    )?;
    let bounds = |source: &TopicPartition, target: TopicPartition| {
        let pairs = translator.pairs.get(source).map(Vec::as_slice).unwrap_or_default();
        let syncs = AllSyncs { pairs, exactly_once: translator.exactly_once };
        let target_end = offset_of(&target_ends, &target)?;
        Ok(Bounds {
            target_start: offset_of(&target_starts, &target)?,
            target_end,
            source_start: offset_of(&source_starts, source)?,
            source_end: offset_of(&source_ends, source)?,
            source_tail: tail_of(&source_tails, source)?,
            target_tail: tail_of(&target_tails, &target)?,
            lifetimes: Lifetimes::of(syncs, target_end),
            newest_pair: pairs.last().copied(),
            target,
        })
    };
    let of_source = |(source, target): (TopicPartition, Result<TopicPartition, NotTranslated>)| {
        let found = target.and_then(|target| bounds(&source, target));
        (source, found)
    };
    Ok(named.into_iter().map(of_source).collect())
}

fn offset_of(offsets: &PartitionOffsets, partition: &TopicPartition) -> Result<i64, NotTranslated> {
    let reason = match offsets.get(partition) {
        Some(Ok(offset)) => return Ok(*offset),
        Some(Err(error)) => error.to_string(),
        None => "the broker did not answer for it".to_owned(),
    };
    Err(NotTranslated::Unreadable { partition: partition.clone(), reason })
}

/// What stands last may be everything a group has not read: where it cannot be read nothing is said.
fn tail_of(tails: &Tails, partition: &TopicPartition) -> Result<Option<TailRecord>, NotTranslated> {
    match tails.get(partition) {
        Some(Ok(tail)) => Ok(tail.clone()),
        Some(Err(error)) => {
            Err(NotTranslated::Unreadable { partition: partition.clone(), reason: error.to_string() })
        }
        None => Ok(None),
    }
}

/// How many records in a row are the same from both positions on.
fn equal_run(source: &[Visible], source_from: i64, target: &[Visible], target_from: i64) -> usize {
    let source = &source[source.partition_point(|record| record.offset < source_from)..];
    let target = &target[target.partition_point(|record| record.offset < target_from)..];
    source.iter().zip(target).take(RUN).take_while(|(s, t)| s.fingerprint == t.fingerprint).count()
}
