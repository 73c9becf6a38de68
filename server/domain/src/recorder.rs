//! What the flight recorder keeps of every survey: numbers of tracks, a track being one partition of a flow's source or
//! one position of a group there.
//!
//! Nothing here knows how samples are stored. A recreated topic has another id and so other tracks: its offsets are never
//! joined to those of the topic before it. What was not read has no value, which is not zero.

mod block;
mod changes;
pub mod explorer;
mod fact_course;
mod facts;
mod policies;
mod positions;
#[cfg(test)]
mod tests;
mod topic_ids;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    block::{Block, GroupHours, Hours, Point, hours_of, join_hours, stretch},
    changes::{Changed, FactChange, FactKind, FactsLeftOut, RecreatedTopic, TopicIdSeen, WhatChanged},
    fact_course::{FactCourse, Keep, MOST_CHANGES_A_DAY},
    facts::{FactRow, FactStanding, FactState},
    policies::{CleanupPolicies, keeps_all_records},
    positions::{GroupHour, GroupThen, InHour, KeptHour, PositionThen, group_hours},
    topic_ids::{IdsChanged, LastId, LastIds, join_recreated},
};
use crate::{
    lag::{PartitionLag, copyable_ends},
    pair::{Flow, Pair},
    patterns::Scope,
    reading::ReadingClass,
    survey::{FlowObservation, PartitionObservation, Survey},
    topic::TopicPartition,
};

/// What the tracks of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Partitions of the flow's source, with the columns of [`Column`].
    Partitions,
    /// Positions of groups on the flow's source: one column, the next offset to read.
    Groups,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Partitions, Self::Groups];

    /// For each column the one it mostly moves with, which comes before it: stored is how it moved differently.
    #[must_use]
    pub fn parents(self) -> &'static [Option<usize>] {
        match self {
            Self::Partitions => &Column::PARENTS,
            Self::Groups => &[None],
        }
    }

    /// The same of the columns of a roll-up: [`Hours`] or [`GroupHours`].
    #[must_use]
    pub fn hour_parents(self) -> &'static [Option<usize>] {
        match self {
            Self::Partitions => &Hours::PARENTS,
            Self::Groups => &GroupHours::PARENTS,
        }
    }

    /// The roll-up of a block: one sample, at the given time.
    #[must_use]
    pub fn hours_of(self, block: &Block, at: i64) -> Block {
        match self {
            Self::Partitions => hours_of(block, at),
            Self::Groups => block::group_hours_of(block, at),
        }
    }

    /// Two roll-ups of one hour as one; `later` has what came later.
    #[must_use]
    pub fn join_hours(self, earlier: &Block, later: &Block) -> Block {
        match self {
            Self::Partitions => join_hours(earlier, later),
            Self::Groups => block::join_group_hours(earlier, later),
        }
    }
}

/// What is known of a partition at a survey, in the order columns are kept. New ones are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// High watermark of the source.
    End,
    /// Last stable offset of the source.
    Stable,
    /// One past the last record the flow can copy.
    Reach,
    /// First offset still on the source.
    Start,
    /// Last source offset that is known to be on the target.
    Through,
    /// Connect's committed source offset.
    Committed,
    /// Source offset of the newest offset sync.
    Upstream,
    /// Target offset of the newest offset sync.
    Downstream,
    /// High watermark of the replica.
    Target,
    /// How sure `Through` is, 0 (exact) to 4 (unknown).
    Class,
}

impl Column {
    /// How many there are.
    pub const COUNT: usize = 10;

    const PARENTS: [Option<usize>; Self::COUNT] = [
        None,
        Some(Self::End as usize),
        Some(Self::Stable as usize),
        None,
        Some(Self::Reach as usize),
        Some(Self::Through as usize),
        Some(Self::Committed as usize),
        Some(Self::Upstream as usize),
        Some(Self::Through as usize),
        None,
    ];
}

/// The values of one track at one survey, by column.
pub type Cells = Vec<Option<i64>>;

/// Tracks that belong together: the partitions of a topic, or a group's positions in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSample {
    /// The group; empty when these are no group's positions.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Its id where it was read; `None` for one that does not answer, whose newest tracks go on.
    pub id: Option<Uuid>,
    /// By partition number. Partitions without any value are left out of the sample, not out of the list.
    pub tracks: Vec<Cells>,
}

/// What a survey says of a flow's partitions. `lags` is what [`crate::lag::judge_flow`] found in the same survey. While
/// the source does not answer these are the partitions last seen, with what still arrives on the target.
#[must_use]
pub fn partition_samples(
    pair: &Pair,
    flow: &Flow,
    survey: &Survey,
    lags: &[PartitionLag],
) -> Vec<TopicSample> {
    let scope = Scope::of(pair);
    let observed = survey.flows.iter().find(|observed| observed.direction == flow.direction);
    let sources = survey.sides.get(flow.direction.from).topics.value();
    let targets = survey.sides.get(flow.direction.to()).topics.value();
    let reach = copyable_ends(flow, survey);
    lags.chunk_by(|a, b| a.partition.topic == b.partition.topic)
        .map(|of_topic| {
            let name = &of_topic[0].partition.topic;
            let source = sources.and_then(|topics| topics.get(name));
            let target = targets.and_then(|topics| topics.get(&scope.replica(flow.direction, name)));
            let mut tracks = Vec::with_capacity(of_topic.len());
            for lag in of_topic {
                let Ok(number) = usize::try_from(lag.partition.partition) else { continue };
                // Numbers are dense; one that is not listed leaves a gap without values.
                tracks.resize(tracks.len().max(number), vec![None; Column::COUNT]);
                let here = source.and_then(|topic| topic.partitions.get(number));
                let there = target.and_then(|topic| topic.partitions.get(number));
                tracks.push(cells(lag, here, there, observed, &reach));
            }
            TopicSample { group: String::new(), topic: name.clone(), id: source.and_then(|t| t.id), tracks }
        })
        .collect()
}

fn cells(
    lag: &PartitionLag,
    source: Option<&PartitionObservation>,
    target: Option<&PartitionObservation>,
    observed: Option<&FlowObservation>,
    reach: &impl Fn(&PartitionObservation) -> Option<i64>,
) -> Cells {
    let key = &lag.partition;
    let committed = observed.and_then(|flow| flow.committed.value()?.offsets.get(key).copied());
    let pair = observed.and_then(|flow| flow.newest_pairs.value()?.0.get(key).copied());
    vec![
        source.and_then(|source| source.end),
        source.and_then(|source| source.stable),
        source.and_then(reach),
        source.and_then(|source| source.start),
        lag.through.value,
        committed,
        pair.map(|pair| pair.upstream),
        pair.map(|pair| pair.downstream),
        target.and_then(|target| target.end),
        Some(class_number(lag.through.class)),
    ]
}

/// Where the groups of a flow's source stand; nothing when they could not be read.
#[must_use]
pub fn group_samples(flow: &Flow, survey: &Survey) -> Vec<TopicSample> {
    let side = survey.sides.get(flow.direction.from);
    let (Some(groups), topics) = (side.groups.value(), side.topics.value()) else { return Vec::new() };
    let mut samples = Vec::new();
    for (group, observed) in groups {
        let mut by_topic: BTreeMap<&str, Vec<Cells>> = BTreeMap::new();
        for (TopicPartition { topic, partition }, offset) in &observed.offsets {
            let Ok(number) = usize::try_from(*partition) else { continue };
            let tracks = by_topic.entry(topic).or_default();
            tracks.resize(tracks.len().max(number), vec![None]);
            tracks.push(vec![Some(*offset)]);
        }
        samples.extend(by_topic.into_iter().map(|(topic, tracks)| TopicSample {
            group: group.clone(),
            topic: topic.to_owned(),
            id: topics.and_then(|topics| topics.get(topic)?.id),
            tracks,
        }));
    }
    samples
}

/// A class as it is kept.
#[must_use]
pub fn class_number(class: ReadingClass) -> i64 {
    match class {
        ReadingClass::Exact => 0,
        ReadingClass::Tight => 1,
        ReadingClass::LowerBound => 2,
        ReadingClass::Stale => 3,
        ReadingClass::Unknown => 4,
    }
}

/// A kept class. What is no class, a newer Muster's included, is not one this one can vouch for.
#[must_use]
pub fn class_of(number: Option<i64>) -> ReadingClass {
    match number {
        Some(0) => ReadingClass::Exact,
        Some(1) => ReadingClass::Tight,
        Some(2) => ReadingClass::LowerBound,
        Some(3) => ReadingClass::Stale,
        Some(_) | None => ReadingClass::Unknown,
    }
}
