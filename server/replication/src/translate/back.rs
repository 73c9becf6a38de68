//! The way back: positions on the source for groups that stand on the target, by the pairs of the flow that copies towards
//! them.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    reading::ReadingClass,
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{Copies, Mapping, Untranslatable, check_within, copies_before, translate_back},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, RecordPrint};

use super::{
    LONGEST_STRETCH, NotTranslated, Positions, RUN, Translated, equal_run, offset_of,
    segments::{End, Placed, Stretch, in_parts, read_stretches, visible},
};
use crate::records::{Deadline, FlowRecords, keep_timestamps};

/// What going back needs.
#[derive(Debug, Clone, Copy)]
pub struct WayBack<'a> {
    /// Records of both ends of the flow: its source is where groups go.
    pub records: FlowRecords<'a>,
    /// Offsets of the flow's source.
    pub source: &'a dyn ClusterAdmin,
    /// Offsets of its target, where the groups stand.
    pub target: &'a dyn ClusterAdmin,
    /// Offset pairs of the flow by source partition.
    pub pairs: &'a ByPartition<Vec<OffsetPair>>,
    /// Source partition by the name it has on the target.
    pub sources: &'a ByPartition<TopicPartition>,
    /// Topics of the target of which compaction is known not to take records away.
    pub uncompacted: &'a BTreeSet<String>,
}

/// One position on the way.
struct Way<'a> {
    target: &'a TopicPartition,
    source: &'a TopicPartition,
    position: i64,
    pairs: &'a [OffsetPair],
    stretches: Vec<Copies>,
    source_start: i64,
    source_end: i64,
    target_end: i64,
    compacted: bool,
}

impl WayBack<'_> {
    /// Positions of many groups, given by target partition the next offset each reads there; answers by target partition.
    /// Fails as a whole only when a side cannot be read at all.
    pub async fn translate_groups(
        &self,
        groups: &BTreeMap<String, ByPartition<i64>>,
    ) -> Result<BTreeMap<String, Positions>, KafkaError> {
        let deadline = Deadline::after(self.records.deadline_ms);
        let sources: Vec<TopicPartition> = self.sources.values().cloned().collect();
        let asked: BTreeSet<(&TopicPartition, i64)> =
            groups.values().flatten().map(|(partition, offset)| (partition, *offset)).collect();
        let targets: BTreeSet<&TopicPartition> =
            asked.iter().map(|(target, _)| *target).filter(|at| self.sources.contains_key(*at)).collect();
        let targets: Vec<TopicPartition> = targets.into_iter().cloned().collect();
        let (starts, ends, target_ends) = tokio::try_join!(
            self.source.offsets(&sources, OffsetSpec::Start),
            self.source.offsets(&sources, OffsetSpec::End),
            self.target.offsets(&targets, OffsetSpec::End),
        )?;
        let mut found: BTreeMap<(&TopicPartition, i64), Result<Translated, NotTranslated>> = BTreeMap::new();
        let mut ways: Vec<Way<'_>> = Vec::new();
        for (target, position) in asked {
            let within = |end| {
                check_within(position, end)
                    .map_err(|untranslatable| NotTranslated::Untranslatable { untranslatable })
            };
            let way = self.way(target, position, |source| {
                let target_end = offset_of(&target_ends, target)?;
                within(target_end)?;
                Ok((offset_of(&starts, source)?, offset_of(&ends, source)?, target_end))
            });
            match way {
                Ok(way) => ways.push(way),
                Err(why) => drop(found.insert((target, position), Err(why))),
            }
        }
        for some in in_parts(ways, Way::placed) {
            let answers = self.compare(&some, deadline).await?;
            found.extend(some.iter().map(|way| (way.target, way.position)).zip(answers));
        }
        let of_group = |positions: &ByPartition<i64>| -> Positions {
            let answer = |(partition, offset): (&TopicPartition, &i64)| {
                Some((partition.clone(), found.get(&(partition, *offset))?.clone()))
            };
            positions.iter().filter_map(answer).collect()
        };
        Ok(groups.iter().map(|(group, positions)| (group.clone(), of_group(positions))).collect())
    }

    async fn compare(
        &self,
        ways: &[Way<'_>],
        deadline: Deadline,
    ) -> Result<Vec<Result<Translated, NotTranslated>>, KafkaError> {
        let (mut here, mut there) = (ByPartition::new(), ByPartition::new());
        for way in ways {
            for (originals, copies) in way.stretches.iter().map(|stretch| way.wanted(*stretch)) {
                here.entry(way.source.clone()).or_insert_with(Vec::new).push(originals);
                there.entry(way.target.clone()).or_insert_with(Vec::new).push(copies);
            }
        }
        let (originals, copies) = tokio::try_join!(
            read_stretches(self.records.source, here, self.records.isolation, deadline),
            read_stretches(self.records.target, there, Isolation::ReadCommitted, deadline),
        )?;
        let found = |way: &Way<'_>| way.by_reading(copies.of(way.target)?, originals.of(way.source)?);
        Ok(ways.iter().map(found).collect())
    }

    fn way<'a>(
        &'a self,
        target: &'a TopicPartition,
        position: i64,
        bounds: impl Fn(&TopicPartition) -> Result<(i64, i64, i64), NotTranslated>,
    ) -> Result<Way<'a>, NotTranslated> {
        let no_pair = || NotTranslated::Untranslatable { untranslatable: Untranslatable::NoPair };
        let source = self.sources.get(target).ok_or_else(no_pair)?;
        let (source_start, source_end, target_end) = bounds(source)?;
        let pairs = self.pairs.get(source).map_or(&[][..], Vec::as_slice);
        let stretches = copies_before(position, pairs);
        let compacted = !self.uncompacted.contains(&target.topic);
        let way = Way {
            target,
            source,
            position,
            pairs,
            stretches,
            source_start,
            source_end,
            target_end,
            compacted,
        };
        let longest = way
            .stretches
            .iter()
            .map(|stretch| way.wanted(*stretch))
            .map(|(a, b)| a.length().saturating_add(b.length()));
        match longest.max() {
            Some(records) if records > 2 * LONGEST_STRETCH => Err(NotTranslated::TooFar { records }),
            Some(_) => Ok(way),
            None => Err(no_pair()),
        }
    }
}

impl Way<'_> {
    /// What to read of both sides for some copies, and a few records more.
    fn wanted(&self, stretch: Copies) -> (Stretch, Stretch) {
        let OffsetPair { upstream, downstream } = stretch.pair;
        let until = stretch.reach().min(self.source_end);
        let originals = Stretch { from: upstream.max(self.source_start), until };
        let until = stretch.until.saturating_add(RUN as i64).min(self.target_end);
        (originals, Stretch { from: downstream, until })
    }

    /// What is read of both sides.
    fn placed(&self) -> Vec<Placed> {
        let both = |stretch: &Copies| {
            let (originals, copies) = self.wanted(*stretch);
            [(End::Source, self.source.clone(), originals), (End::Target, self.target.clone(), copies)]
        };
        self.stretches.iter().flat_map(both).collect()
    }

    fn by_reading(
        &self,
        copies: &[RecordPrint],
        originals: &[RecordPrint],
    ) -> Result<Translated, NotTranslated> {
        let timestamps = keep_timestamps(copies);
        let (copies, originals) = (visible(copies, timestamps), visible(originals, timestamps));
        let mapping: Mapping = translate_back(self.position, self.pairs, &copies, &originals, self.compacted)
            .map_err(|untranslatable| NotTranslated::Untranslatable { untranslatable })?;
        let run = match mapping.class {
            ReadingClass::Exact => equal_run(&copies, self.position, &originals, mapping.target_offset),
            ReadingClass::Tight | ReadingClass::LowerBound | ReadingClass::Stale | ReadingClass::Unknown => 0,
        };
        Ok(Translated { target: self.source.clone(), source_offset: self.position, mapping, run })
    }
}
