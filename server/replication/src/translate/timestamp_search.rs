//! Positions that are too far from every offset sync for comparing all that lies between. The target is asked where it has records of
//! the time of those around the position, and what stands there is compared with them: see
//! [`muster_domain::translation::Lifetimes::search`].
//!
//! Never where the target's brokers write timestamps themselves. What a search does not decide is told as if there had been none.

use muster_domain::{topic::ByPartition, translation::compared_around};
use muster_kafka::{Isolation, KafkaError, OffsetSpec, RecordPrint};

use super::{
    LONGEST_STRETCH, NotTranslated, Translated, Translator,
    behind_markers::{BehindMarkers, Reached},
    equal_run, offset_of,
    search::{Outcome, Search},
    segments::{Seen, Stretch, read_stretches, visible},
};
use crate::records::{Deadline, keep_timestamps};

/// Offsets of the source that are read before a position, and from it on. Only some of the records next to it are compared; the others
/// are known for what was read when they stand before their copies there.
const BEFORE: i64 = 20_000;
const FROM: i64 = 10_000;
/// Offsets of the target that are read from where it first has their time: there are records that come in another order than their times.
const THERE: i64 = 60_000;
/// The same of a flow that writes in transactions, from the first record of their time on: see [`super::behind_markers`].
const THERE_BEHIND_MARKERS: i64 = LONGEST_STRETCH;
/// Offsets of the target read before the sync that the copy is behind: records that are compared may stand before it.
const MARGIN: i64 = 1_000;
/// Positions that are looked for at once: what is read for each of them is bounded by the above.
const AT_ONCE: usize = 10;
const AT_ONCE_BEHIND_MARKERS: usize = 2;

/// A position, and what is said of it where a search decides nothing.
pub(super) struct Far<'a> {
    pub(super) search: Search<'a>,
    pub(super) otherwise: Outcome,
}

/// Where the target is read for a position.
#[derive(Clone, Copy)]
enum Place {
    Stretch(Stretch),
    /// It has no record of that time there, or may not be asked by time.
    Nowhere,
    /// See [`NotTranslated::NotReached`].
    NotReached {
        read: i64,
    },
}

impl Place {
    /// Why nothing is told that was not found there.
    fn too_far(self, records: i64) -> NotTranslated {
        match self {
            Self::NotReached { read } => NotTranslated::NotReached { records, read },
            Self::Stretch(_) | Self::Nowhere => NotTranslated::TooFar { records },
        }
    }
}

/// What is said of positions that are far from every sync.
pub(super) async fn find_far<'a>(
    translator: &Translator<'_>,
    far: Vec<Far<'a>>,
    deadline: Deadline,
) -> Result<Vec<(Search<'a>, Outcome)>, KafkaError> {
    let mut found = Vec::with_capacity(far.len());
    let at_once = if translator.exactly_once { AT_ONCE_BEHIND_MARKERS } else { AT_ONCE };
    let mut behind_markers = BehindMarkers::within(deadline);
    for some in far.chunks(at_once) {
        let outcomes = find_some(translator, some, &mut behind_markers, deadline).await?;
        found.extend(some.iter().map(|far| far.search).zip(outcomes));
    }
    Ok(found)
}

async fn find_some(
    translator: &Translator<'_>,
    some: &[Far<'_>],
    behind_markers: &mut BehindMarkers,
    deadline: Deadline,
) -> Result<Vec<Outcome>, KafkaError> {
    let records = translator.records;
    let mut here = ByPartition::new();
    for far in some.iter().filter(|far| far.may_be_found()) {
        here.entry(far.search.partition.clone()).or_insert_with(Vec::new).push(far.around());
    }
    let sources = read_stretches(records.source, here, records.isolation, deadline).await?;
    let mut places = Vec::with_capacity(some.len());
    let mut there = ByPartition::new();
    for far in some {
        let place = far.ask_place(translator, &sources, behind_markers, deadline).await?;
        if let Place::Stretch(stretch) = place {
            there.entry(far.search.bounds.target.clone()).or_insert_with(Vec::new).push(stretch);
        }
        places.push(place);
    }
    let targets = read_stretches(records.target, there, Isolation::ReadCommitted, deadline).await?;
    Ok(some.iter().zip(places).map(|(far, place)| far.told(place, &sources, &targets)).collect())
}

impl Far<'_> {
    /// Whether anything could be said by time: nothing is read otherwise.
    fn may_be_found(&self) -> bool {
        let bounds = self.search.bounds;
        let own_time = bounds.target_tail.as_ref().is_some_and(|tail| tail.log_append_time);
        !own_time && bounds.lifetimes.copies_between(self.search.offset).is_some()
    }

    /// What is read of the source.
    fn around(&self) -> Stretch {
        let (offset, bounds) = (self.search.offset, self.search.bounds);
        let from = offset.saturating_sub(BEFORE).max(bounds.source_start);
        Stretch { from, until: offset.saturating_add(FROM).min(bounds.source_end).max(from) }
    }

    /// Where the target has records of the time of those around the position, between the syncs next to it; nowhere when these have no
    /// time.
    async fn ask_place(
        &self,
        translator: &Translator<'_>,
        sources: &Seen,
        behind_markers: &mut BehindMarkers,
        deadline: Deadline,
    ) -> Result<Place, KafkaError> {
        let (offset, bounds) = (self.search.offset, self.search.bounds);
        let Ok(seen) = sources.of(self.search.partition) else { return Ok(Place::Nowhere) };
        let here = self.around().of(seen);
        let next = here.iter().find(|print| print.offset >= offset);
        let within = next.and_then(|next| bounds.lifetimes.copies_between(next.offset));
        let (Some(within), Some(oldest @ 0..)) = (within, self.oldest_compared(here)) else {
            return Ok(Place::Nowhere);
        };
        let asked = std::slice::from_ref(&bounds.target);
        let answer = translator.target.offsets(asked, OffsetSpec::AtTime(oldest)).await?;
        let first = match offset_of(&answer, &bounds.target) {
            Ok(first @ 0..) if first < within.end => first,
            Ok(_) | Err(_) => return Ok(Place::Nowhere),
        };
        let from = first.max(within.start.saturating_sub(MARGIN)).max(bounds.target_start);
        if !translator.exactly_once {
            return Ok(self.stretch_from(from, THERE));
        }
        // All up to the last record that can be seen is decided: what is in open transactions is behind it.
        let seen_until = bounds.target_tail.as_ref().map_or(0, |tail| tail.offset.saturating_add(1));
        let stretch = Stretch { from, until: within.end.min(seen_until) };
        let mover = translator.records.target;
        Ok(match behind_markers.first_since(mover, &bounds.target, stretch, oldest, deadline).await? {
            Reached::First(from) => self.stretch_from(from, THERE_BEHIND_MARKERS),
            Reached::Nowhere => Place::Nowhere,
            Reached::NotYet { read } => Place::NotReached { read },
        })
    }

    fn stretch_from(&self, from: i64, most: i64) -> Place {
        let until = from.saturating_add(most).min(self.search.bounds.target_end);
        if from < until { Place::Stretch(Stretch { from, until }) } else { Place::Nowhere }
    }

    /// When the oldest of the records that are compared was written, by its own timestamp.
    fn oldest_compared(&self, here: &[RecordPrint]) -> Option<i64> {
        let at = here.partition_point(|print| print.offset < self.search.offset);
        here[compared_around(at, here.len())].iter().map(|print| print.timestamp).min()
    }

    fn told(&self, place: Place, sources: &Seen, targets: &Seen) -> Outcome {
        match (self.found(place, sources, targets), &self.otherwise) {
            (Ok(Some(translated)), _) => Ok(translated),
            (Err(unreadable), Err(_)) => Err(unreadable),
            (Ok(None), Err(NotTranslated::TooFar { records })) => Err(place.too_far(*records)),
            // A sync speaks whether or not a record can be read.
            (Ok(None), otherwise) | (Err(_), otherwise) => otherwise.clone(),
        }
    }

    fn found(
        &self,
        place: Place,
        sources: &Seen,
        targets: &Seen,
    ) -> Result<Option<Translated>, NotTranslated> {
        let (offset, bounds) = (self.search.offset, self.search.bounds);
        let here = self.around().of(sources.of(self.search.partition)?);
        let copies = match place {
            Place::Stretch(stretch) => stretch.of(targets.of(&bounds.target)?),
            Place::Nowhere | Place::NotReached { .. } => return Ok(None),
        };
        if !keep_timestamps(copies) {
            return Ok(None);
        }
        // What stands first at that time may be a marker that is left of another flow, and the first record further on.
        let oldest = self.oldest_compared(here);
        let older = copies.iter().take_while(|copy| Some(copy.timestamp) < oldest).count();
        let copies = &copies[older..];
        let (here, copies) = (visible(here, true), visible(copies, true));
        let from_start = self.around().from <= bounds.source_start;
        let mapping = bounds.lifetimes.search(offset, &here, from_start, &copies);
        Ok(mapping.map(|mapping| {
            let run = equal_run(&here, offset, &copies, mapping.target_offset);
            self.search.translated(mapping, run)
        }))
    }
}
