//! Finding the positions of groups on the target: what to read, in how few calls, around the pure rules of
//! `muster_domain::translation`.
//!
//! Never answers a position past the truth. The end of the target is asked before the end of the source, so that a record
//! which arrives in between can only make a group look less drained. What cannot be compared is refused with its reason or
//! answered early, never guessed.

mod back;
mod keep;
mod resume;
mod segments;

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pair::Flow,
    reading::ReadingClass,
    renaming::{Renaming, Unnameable},
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{AllSyncs, Lifetimes, Mapping, Method, Untranslatable, Visible, check_within},
};
use muster_kafka::{
    ClusterAdmin, Isolation, KafkaError, OffsetSpec, RecordPrint, TailRecord, Tails, admin::PartitionOffsets,
};
use serde::{Deserialize, Serialize};

use crate::records::{Deadline, FlowRecords, keep_timestamps};
pub use back::WayBack;
pub use keep::{KeepError, Keeper, Wanted};
pub use resume::{Resumer, Resumption};
use segments::{Stretch, read_stretches, visible};

/// Longest stretch of one partition that is compared record by record. Between pairs of a flow in catch-up, 6,000 records
/// were seen (mm2-verified 5); far past that only the pairs are believed.
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
    /// Too many records would have to be compared and no pair gives a safe position.
    #[error("{records} records would have to be compared and no earlier offset sync is known")]
    TooFar {
        /// How many.
        records: i64,
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
        records.source.tails(&source_until, records.isolation, deadline.left_ms()),
        records.target.tails(&target_until, Isolation::ReadCommitted, deadline.left_ms()),
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

type Found<'a> = BTreeMap<(&'a TopicPartition, i64), Result<Translated, NotTranslated>>;

async fn find_all<'a>(
    translator: &Translator<'a>,
    asked: &'a ByPartition<BTreeSet<i64>>,
    bounds: &'a AllBounds,
    deadline: Deadline,
) -> Result<Found<'a>, KafkaError> {
    let mut found = Found::new();
    let mut open: Vec<Search> = Vec::new();
    for (partition, offsets) in asked {
        let Ok(bounds) = &bounds[partition] else { continue };
        for offset in offsets {
            let search = Search { partition, offset: *offset, anchor: *offset, reach: 0, bounds };
            match search.without_reading() {
                Some(outcome) => drop(found.insert((partition, *offset), outcome)),
                None => open.push(search),
            }
        }
    }
    // Further rounds only where the next record of a group lies past the pairs around its offset (a hole).
    while !open.is_empty() {
        let wanted = |stretch: fn(&Search) -> (TopicPartition, Stretch)| {
            let mut by_partition: ByPartition<Vec<Stretch>> = ByPartition::new();
            for (partition, stretch) in open.iter().map(stretch) {
                by_partition.entry(partition).or_default().push(stretch);
            }
            by_partition
        };
        let records = translator.records;
        let sources = wanted(|search| (search.partition.clone(), search.source_stretch()));
        let targets = wanted(|search| (search.bounds.target.clone(), search.target_stretch()));
        let (sources, targets) = tokio::try_join!(
            read_stretches(records.source, sources, records.isolation, deadline),
            read_stretches(records.target, targets, Isolation::ReadCommitted, deadline),
        )?;
        let mut again = Vec::new();
        for search in open {
            let source = sources.get(search.partition).map(Vec::as_slice).unwrap_or_default();
            let target = targets.get(&search.bounds.target).map(Vec::as_slice).unwrap_or_default();
            match search.look_on(source) {
                Some(further) => again.push(further),
                None => {
                    drop(found.insert((search.partition, search.offset), search.by_reading(source, target)))
                }
            }
        }
        open = again;
    }
    Ok(found)
}

/// One offset of one partition being translated.
#[derive(Clone, Copy)]
struct Search<'a> {
    partition: &'a TopicPartition,
    offset: i64,
    /// What the windows are made around: the offset, or a later one when nothing visible is near it.
    anchor: i64,
    /// Offsets to read past the anchor at least.
    reach: i64,
    bounds: &'a Bounds,
}

impl Search<'_> {
    /// Groups that cannot be where they are, drained ones, and those for which only pairs can speak.
    fn without_reading(&self) -> Option<Result<Translated, NotTranslated>> {
        if let Err(untranslatable) = check_within(self.offset, self.bounds.source_end) {
            return Some(Err(NotTranslated::Untranslatable { untranslatable }));
        }
        if self.offset >= self.bounds.source_start && self.is_drained() {
            return Some(Ok(self.drained()));
        }
        // What the group has not read is gone from the source but may still be on the target: the pairs know from where.
        let expired = self.offset < self.bounds.source_start && self.by_pairs().is_ok();
        let too_far = self.length() > LONGEST_STRETCH;
        (expired || too_far).then(|| match self.by_pairs() {
            Ok(mapping) => Ok(self.translated(mapping, 0)),
            Err(_) if too_far => Err(NotTranslated::TooFar { records: self.length() }),
            Err(untranslatable) => Err(NotTranslated::Untranslatable { untranslatable }),
        })
    }

    /// Nothing visible at or after the offset below the source's end.
    fn is_drained(&self) -> bool {
        self.bounds.source_tail.as_ref().is_none_or(|tail| tail.offset < self.offset)
    }

    /// The end of the target; exact when the target holds everything up to there.
    fn drained(&self) -> Translated {
        let mut mapping = Mapping::drained(self.bounds.target_end);
        let (source, target) = (&self.bounds.source_tail, &self.bounds.target_tail);
        let timestamps = target.as_ref().is_none_or(|tail| !tail.log_append_time);
        let fingerprint = |tail: &Option<TailRecord>| {
            let tail = tail.clone().map(|tail| if timestamps { tail } else { tail.without_timestamp() });
            tail.map(|tail| tail.fingerprint)
        };
        if source.is_some() && fingerprint(source) != fingerprint(target) {
            // Not copied yet; once it is, the group reads it again.
            let copied = self.bounds.newest_pair.map_or(self.bounds.source_start - 1, |pair| pair.upstream);
            mapping.class = ReadingClass::LowerBound;
            mapping.reprocessed_at_most = (self.offset - 1 - copied).max(1);
        }
        self.translated(mapping, 0)
    }

    fn by_pairs(&self) -> Result<Mapping, Untranslatable> {
        self.bounds.lifetimes.translate(self.offset, &[], &[])
    }

    fn length(&self) -> i64 {
        self.source_stretch().length().max(self.target_stretch().length())
    }

    fn source_stretch(&self) -> Stretch {
        let windows = self.bounds.lifetimes.windows(self.anchor);
        let from = windows.source_from.unwrap_or(0).max(self.bounds.source_start);
        let until = windows.source_to.map_or(self.bounds.source_end, |to| {
            to.saturating_add(1).max(self.anchor.saturating_add(self.reach))
        });
        Stretch { from, until: until.min(self.bounds.source_end).max(from) }
    }

    fn target_stretch(&self) -> Stretch {
        let windows = self.bounds.lifetimes.windows(self.anchor);
        let from = windows.target_from.unwrap_or(0).max(self.bounds.target_start);
        let until = windows
            .target_to
            .map_or(self.bounds.target_end, |to| to.saturating_add(1))
            .min(self.bounds.target_end);
        Stretch { from, until: until.max(from) }
    }

    /// Where to look on when the next record of the group is not between the pairs that were read.
    fn look_on(self, source: &[RecordPrint]) -> Option<Self> {
        let read = self.source_stretch();
        let next =
            source.iter().map(|seen| seen.offset).find(|offset| (self.offset..read.until).contains(offset));
        let pairs_until = self.bounds.lifetimes.windows(self.anchor).source_to;
        match next {
            Some(next) if pairs_until.is_some_and(|until| next > until) => {
                Some(Self { anchor: next, reach: 0, ..self })
            }
            Some(_) => None,
            None if read.until < self.bounds.source_end && read.until > self.anchor => {
                Some(Self { anchor: read.until, reach: self.reach.saturating_mul(4).max(10_000), ..self })
            }
            None => None,
        }
    }

    fn by_reading(
        &self,
        source: &[RecordPrint],
        target: &[RecordPrint],
    ) -> Result<Translated, NotTranslated> {
        let (source, target) = (self.source_stretch().of(source), self.target_stretch().of(target));
        let timestamps = keep_timestamps(target);
        let (source, target) = (visible(source, timestamps), visible(target, timestamps));
        let mapping = self.bounds.lifetimes.translate(self.offset, &source, &target);
        let mapping = mapping.map_err(|untranslatable| NotTranslated::Untranslatable { untranslatable })?;
        let run = equal_run(&source, self.offset, &target, mapping.target_offset);
        let must_be_equal = match mapping.method {
            Method::Pair | Method::Linear | Method::Rank => true,
            Method::Drained
            | Method::Content
            | Method::PairFloor
            | Method::Ring
            | Method::TimestampSearch => false,
        };
        let comparable = source.iter().any(|record| record.offset >= self.offset)
            && target.iter().any(|record| record.offset >= mapping.target_offset);
        if must_be_equal && comparable && run == 0 {
            let mapping =
                self.by_pairs().map_err(|untranslatable| NotTranslated::Untranslatable { untranslatable })?;
            return Ok(self.translated(mapping, 0));
        }
        Ok(self.translated(mapping, run))
    }

    fn translated(&self, mapping: Mapping, run: usize) -> Translated {
        Translated { target: self.bounds.target.clone(), source_offset: self.offset, mapping, run }
    }
}

/// How many records in a row are the same from both positions on.
fn equal_run(source: &[Visible], source_from: i64, target: &[Visible], target_from: i64) -> usize {
    let source = &source[source.partition_point(|record| record.offset < source_from)..];
    let target = &target[target.partition_point(|record| record.offset < target_from)..];
    source.iter().zip(target).take(RUN).take_while(|(s, t)| s.fingerprint == t.fingerprint).count()
}
