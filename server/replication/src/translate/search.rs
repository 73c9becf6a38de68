//! Comparing records around the positions that are asked for: what is read of both sides, a part at a time, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    reading::ReadingClass,
    topic::{ByPartition, TopicPartition},
    translation::{Mapping, Method, Untranslatable, check_within},
};
use muster_kafka::{Isolation, KafkaError, RecordPrint, TailRecord};

use super::{
    AllBounds, Bounds, LONGEST_STRETCH, NotTranslated, Translated, Translator, equal_run,
    segments::{End, Placed, Stretch, in_parts, read_stretches, visible},
    timestamp_search::{Far, find_far},
};
use crate::records::{Deadline, keep_timestamps};

/// What came of a position.
pub(super) type Outcome = Result<Translated, NotTranslated>;

/// The same by source partition and offset.
pub(super) type Found<'a> = BTreeMap<(&'a TopicPartition, i64), Outcome>;

pub(super) async fn find_all<'a>(
    translator: &Translator<'a>,
    asked: &'a ByPartition<BTreeSet<i64>>,
    bounds: &'a AllBounds,
    deadline: Deadline,
) -> Result<Found<'a>, KafkaError> {
    let (mut found, mut open, mut far) = (Found::new(), Vec::new(), Vec::new());
    for (partition, offsets) in asked {
        let Ok(bounds) = &bounds[partition] else { continue };
        for offset in offsets {
            let search = Search { partition, offset: *offset, anchor: *offset, reach: 0, bounds };
            match search.begin() {
                Begun::Told(outcome) => drop(found.insert((partition, *offset), outcome)),
                Begun::Far(otherwise) => far.push(Far { search, otherwise }),
                Begun::Near => open.push(search),
            }
        }
    }
    for (search, outcome) in find_far(translator, far, deadline).await? {
        found.insert((search.partition, search.offset), outcome);
    }
    // Further rounds only where the next record of a group lies past the pairs around its offset (a hole).
    while !open.is_empty() {
        let mut again = Vec::new();
        for some in in_parts(open, Search::placed) {
            again.extend(compare(translator, some, &mut found, deadline).await?);
        }
        open = again;
    }
    Ok(found)
}

/// Compares what is read for some of them, and answers those for which it is to be read further on.
async fn compare<'a>(
    translator: &Translator<'_>,
    some: Vec<Search<'a>>,
    found: &mut Found<'a>,
    deadline: Deadline,
) -> Result<Vec<Search<'a>>, KafkaError> {
    let (mut here, mut there) = (ByPartition::new(), ByPartition::new());
    for search in &some {
        here.entry(search.partition.clone()).or_insert_with(Vec::new).push(search.source_stretch());
        there.entry(search.bounds.target.clone()).or_insert_with(Vec::new).push(search.target_stretch());
    }
    let records = translator.records;
    let (sources, targets) = tokio::try_join!(
        read_stretches(records.source, here, records.isolation, deadline),
        read_stretches(records.target, there, Isolation::ReadCommitted, deadline),
    )?;
    let mut again = Vec::new();
    for search in some {
        let source = sources.of(search.partition);
        let both = source.and_then(|source| Ok((source, targets.of(&search.bounds.target)?)));
        let outcome = match both {
            Err(unreadable) => Err(unreadable),
            Ok((source, target)) => match search.look_on(source) {
                Some(further) => {
                    again.push(further);
                    continue;
                }
                None => search.by_reading(source, target),
            },
        };
        found.insert((search.partition, search.offset), outcome);
    }
    Ok(again)
}

/// One offset of one partition being translated.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) offset: i64,
    /// What the windows are made around: the offset, or a later one when nothing visible is near it.
    anchor: i64,
    /// Offsets to read past the anchor at least.
    reach: i64,
    pub(super) bounds: &'a Bounds,
}

/// What is known of a position before a record is read.
enum Begun {
    /// All there is to say.
    Told(Outcome),
    /// More would have to be compared than one may; what is to be said if it is not found otherwise.
    Far(Outcome),
    /// Records decide.
    Near,
}

impl Search<'_> {
    /// Groups that cannot be where they are, drained ones, and those for which only pairs can speak need no reading.
    fn begin(&self) -> Begun {
        if let Err(untranslatable) = check_within(self.offset, self.bounds.source_end) {
            return Begun::Told(Err(NotTranslated::Untranslatable { untranslatable }));
        }
        let expired = self.offset < self.bounds.source_start;
        if !expired && self.is_drained() {
            return Begun::Told(Ok(self.drained()));
        }
        let too_far = self.length() > LONGEST_STRETCH;
        match self.by_pairs() {
            // What the group has not read is gone from the source but may still be on the target: the pairs know from where.
            Ok(mapping) if expired => Begun::Told(Ok(self.translated(mapping, 0))),
            Ok(mapping) if too_far => Begun::Far(Ok(self.translated(mapping, 0))),
            Err(_) if too_far && expired => Begun::Told(Err(self.too_far())),
            Err(_) if too_far => Begun::Far(Err(self.too_far())),
            Ok(_) | Err(_) => Begun::Near,
        }
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

    fn too_far(&self) -> NotTranslated {
        NotTranslated::TooFar { records: self.length() }
    }

    fn length(&self) -> i64 {
        self.source_stretch().length().max(self.target_stretch().length())
    }

    /// What is read of both sides.
    fn placed(&self) -> Vec<Placed> {
        vec![
            (End::Source, self.partition.clone(), self.source_stretch()),
            (End::Target, self.bounds.target.clone(), self.target_stretch()),
        ]
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

    fn by_reading(&self, source: &[RecordPrint], target: &[RecordPrint]) -> Outcome {
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

    pub(super) fn translated(&self, mapping: Mapping, run: usize) -> Translated {
        Translated { target: self.bounds.target.clone(), source_offset: self.offset, mapping, run }
    }
}
