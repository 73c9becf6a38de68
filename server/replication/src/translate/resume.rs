//! Translating while the source is dead: what was kept of it, held against what the target has.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use muster_domain::{
    pair::Flow,
    reading::ReadingClass,
    topic::{ByPartition, TopicPartition},
    translation::{Held, Resumed, Ring, Rings, Untranslatable, Visible, resume},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, RecordMover, RecordPrint};

use super::{
    LONGEST_STRETCH, NotTranslated, RUN, Translated, offset_of,
    segments::{End, Placed, Seen, Stretch, in_parts, read_stretches},
};
use crate::records::Deadline;

/// What it takes.
#[derive(Debug, Clone, Copy)]
pub struct Resumer<'a> {
    /// The flow, for names.
    pub flow: &'a Flow,
    /// Offsets of the target.
    pub target: &'a dyn ClusterAdmin,
    /// Records of the target.
    pub mover: &'a dyn RecordMover,
    /// Bound of the whole question, in milliseconds.
    pub deadline_ms: u64,
    /// What was kept, by source partition.
    pub rings: &'a ByPartition<Rings>,
}

/// Where a position leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The position on the target.
    pub translated: Translated,
    /// Of the records that were on the source behind the position when it was read last, at most so many never arrived.
    /// `None` when that is not known.
    pub lost_at_most: Option<i64>,
}

/// By position.
pub type OfPartition = BTreeMap<i64, Result<Resumption, NotTranslated>>;

/// What is known of the target of a partition.
struct Place<'a> {
    rings: &'a Rings,
    target: TopicPartition,
    bounds: Result<(i64, i64), NotTranslated>,
}

impl Resumer<'_> {
    /// Where positions lead, by source partition and position.
    ///
    /// # Errors
    /// When the target cannot be read at all.
    pub async fn resume_all(
        &self,
        asked: &ByPartition<BTreeSet<i64>>,
    ) -> Result<ByPartition<OfPartition>, KafkaError> {
        let places = self.places(asked.keys()).await?;
        let deadline = Deadline::after(self.deadline_ms);
        let mut answers: ByPartition<OfPartition> =
            asked.keys().map(|at| (at.clone(), OfPartition::new())).collect();
        let open: Vec<(&TopicPartition, i64)> = asked
            .iter()
            .flat_map(|(at, positions)| positions.iter().map(move |position| (at, *position)))
            .collect();
        let placed = |(at, position): &(&TopicPartition, i64)| {
            places.get(*at).map_or_else(Vec::new, |place| place.placed(*position))
        };
        for some in in_parts(open, placed) {
            let mut wanted: ByPartition<Vec<Stretch>> = ByPartition::new();
            for (_, target, stretch) in some.iter().flat_map(placed) {
                wanted.entry(target).or_default().push(stretch);
            }
            let read = read_stretches(self.mover, wanted, Isolation::ReadCommitted, deadline).await?;
            for (at, position) in some {
                let nothing = Untranslatable::NoSyncKept { offset: position };
                let nothing = NotTranslated::Untranslatable { untranslatable: nothing };
                let found = places.get(at).map_or(Err(nothing), |place| place.resume(position, &read));
                answers.entry(at.clone()).or_default().insert(position, found);
            }
        }
        Ok(answers)
    }

    async fn places(
        &self,
        partitions: impl Iterator<Item = &TopicPartition>,
    ) -> Result<ByPartition<Place<'_>>, KafkaError> {
        let name = |at: &TopicPartition| {
            TopicPartition::new(
                self.flow.naming.target_name(&self.flow.source_alias, &at.topic),
                at.partition,
            )
        };
        let kept: ByPartition<(&Rings, TopicPartition)> =
            partitions.filter_map(|at| Some((at.clone(), (self.rings.get(at)?, name(at))))).collect();
        let targets: Vec<TopicPartition> = kept.values().map(|(_, target)| target.clone()).collect();
        let (starts, ends) = tokio::try_join!(
            self.target.offsets(&targets, OffsetSpec::Start),
            // Nobody goes behind what is in an open transaction: it may still be committed.
            self.target.offsets(&targets, OffsetSpec::Stable),
        )?;
        let place = |(at, (rings, target)): (TopicPartition, (_, TopicPartition))| {
            let start = offset_of(&starts, &target);
            let bounds = start.and_then(|start| Ok((start, offset_of(&ends, &target)?)));
            (at, Place { rings, target, bounds })
        };
        Ok(kept.into_iter().map(place).collect())
    }
}

/// What to read for a ring; `None` when that is too much, and the sync alone speaks.
fn stretch(ring: &Ring<'_>, (start, end): (i64, i64)) -> Option<Stretch> {
    let (from, until) = ring.stretch(start, end);
    let stretch = Stretch { from, until };
    (stretch.length() <= LONGEST_STRETCH).then_some(stretch)
}

impl Place<'_> {
    /// What is read of the target for a position.
    fn placed(&self, position: i64) -> Vec<Placed> {
        let Ok(bounds) = &self.bounds else { return Vec::new() };
        let rings = self.rings.at_or_before(position).into_iter().chain(self.rings.at_end());
        let placed = |stretch| (End::Target, self.target.clone(), stretch);
        rings.filter_map(|ring| stretch(&ring, *bounds)).map(placed).collect()
    }

    /// Where a position leads by what was read.
    fn resume(&self, position: i64, read: &Seen) -> Result<Resumption, NotTranslated> {
        let bounds = self.bounds.clone()?;
        let seen = read.of(&self.target)?;
        self.resumption(position, |ring| {
            let records = stretch(ring, bounds).map(|stretch| self.visible(stretch.of(seen)));
            resume(ring, Held { start: bounds.0, end: bounds.1, records: records.as_deref() })
        })
    }

    /// Records of the target as what was kept can be compared with them: with their timestamps, or without where these were
    /// left out because the target's brokers write their own.
    fn visible(&self, records: &[RecordPrint]) -> Vec<Visible> {
        let runs = self.rings.runs.iter().flat_map(|run| &run.prints);
        let kept: HashSet<u64> = runs.map(|print| print.fingerprint).collect();
        let one = |print: &RecordPrint| {
            let timeless = print.without_timestamp().fingerprint;
            let fingerprint = if kept.contains(&timeless) { timeless } else { print.fingerprint };
            Visible { offset: print.offset, fingerprint }
        };
        records.iter().map(one).collect()
    }

    fn resumption(
        &self,
        position: i64,
        resumed: impl Fn(&Ring<'_>) -> Result<Resumed, Untranslatable>,
    ) -> Result<Resumption, NotTranslated> {
        let refused = |untranslatable| NotTranslated::Untranslatable { untranslatable };
        let none = || refused(Untranslatable::NoSyncKept { offset: position });
        let ring = self.rings.at_or_before(position).ok_or_else(none)?;
        let Resumed { mut mapping, run, arrived } = resumed(&ring).map_err(refused)?;
        if ring.position < position {
            mapping.class = ReadingClass::LowerBound;
            mapping.reprocessed_at_most =
                mapping.reprocessed_at_most.saturating_add(position - ring.position);
        }
        let at_end = self.rings.at_end().and_then(|end| resumed(&end).ok()?.arrived);
        let arrived = arrived.max(at_end);
        let lost_at_most = arrived.map(|arrived| (self.rings.source_end - arrived.max(position)).max(0));
        let translated =
            Translated { target: self.target.clone(), source_offset: position, mapping, run: run.min(RUN) };
        Ok(Resumption { translated, lost_at_most })
    }
}
