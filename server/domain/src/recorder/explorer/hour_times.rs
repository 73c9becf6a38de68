//! Single partitions in time, by the hour: how long each was behind, and what a death would have cost of it. Told once from every survey of
//! the hour, by the rule by which surveys are told while they are kept, and kept when these are gone.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    HOUR_MS, RpoSpan, Track,
    grid::{Cell, OfTrack},
    moments::{self, Moment, OfAll},
};
use crate::recorder::{Block, Column};

/// Columns of what is kept of partitions in time, all in milliseconds but the last. No value: it was unknown at any time of the hour, or since
/// before the surveys that were looked at.
pub struct HourTimes;

impl HourTimes {
    /// The longest it was behind.
    pub const MS: usize = 0;
    /// Writes of at most the last so many would have been lost, at the worst moment.
    pub const MS_AT_MOST: usize = 1;
    /// Of at least so many, if every record is copied and kept: else what is missing is not proven, and it is none.
    pub const MS_AT_LEAST: usize = 2;
    /// When the newest end was seen last that had arrived by the end of the hour, since 1970; only where something was missing then, or that was
    /// not known. The next hour goes on from there.
    pub const ARRIVED_AT: usize = 3;
    /// That end: an offset.
    pub const ARRIVED: usize = 4;
    /// The same of the oldest end that had not arrived: when it was seen first.
    pub const MISSING_AT: usize = 5;
    /// That end.
    pub const MISSING: usize = 6;
    /// The upper end goes along with how long it was behind, and an end with the one before it.
    pub const PARENTS: [Option<usize>; 7] =
        [None, Some(Self::MS), None, None, None, Some(Self::ARRIVED_AT), Some(Self::ARRIVED)];

    /// From where the next hour goes on with a partition. `value` gives its columns.
    #[must_use]
    pub fn left(value: impl Fn(usize) -> Option<i64>) -> Left {
        Left {
            arrived: value(Self::ARRIVED_AT).zip(value(Self::ARRIVED)),
            missing: value(Self::MISSING_AT).zip(value(Self::MISSING)),
        }
    }
}

/// What an hour has left of a partition of which something was missing at its end, or that was not known: ends and when they were seen, in
/// milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// The newest that had arrived.
    pub arrived: Option<(i64, i64)>,
    /// The oldest that had not.
    pub missing: Option<(i64, i64)>,
}

/// The partitions of a chunk in one hour, while its surveys come in.
#[derive(Debug)]
pub struct HourInTime {
    begin: i64,
    name: Arc<str>,
    left: Vec<Left>,
    partitions: Vec<OfPartition>,
    last_at: Option<i64>,
}

impl HourInTime {
    /// The hour that begins then. `left` is what an hour before has left of each partition.
    #[must_use]
    pub fn new(begin: DateTime<Utc>, left: Vec<Left>) -> Self {
        let begin = begin.timestamp_millis();
        Self { begin, name: "".into(), left, partitions: Vec::new(), last_at: None }
    }

    /// Takes in samples of every survey, oldest first. Those before the hour say since when something is behind, and the first after it
    /// how long nobody looked.
    pub fn add_block(&mut self, block: &Block) {
        for slot in self.partitions.len()..block.tracks {
            let left = self.left.get(slot).copied().unwrap_or_default();
            self.partitions.push(OfPartition::new(&self.name, slot, left));
        }
        // The same block can be kept twice.
        let last = self.last_at;
        let fresh = |(_, at): &(usize, i64)| last.is_none_or(|last| *at > last);
        let samples: Vec<(usize, i64)> = block.at.iter().copied().enumerate().filter(fresh).collect();
        for partition in &mut self.partitions {
            for (sample, at) in &samples {
                partition.add(block, *sample, *at, self.begin);
            }
        }
        self.last_at = samples.last().map(|(_, at)| *at).or(last);
    }

    /// All are in: one sample with the columns of [`HourTimes`]. `None` when no survey of the hour was among them.
    #[must_use]
    pub fn done(self) -> Option<Block> {
        let seen = self.partitions.iter().any(|partition| partition.cell.seen);
        let cells = self.partitions.into_iter().map(OfPartition::done).collect();
        seen.then(|| Block::of(HourTimes::PARENTS.len(), &[(self.begin, cells)]))
    }
}

#[derive(Debug)]
struct OfPartition {
    column: OfTrack,
    cell: Cell,
    /// When it was seen last.
    last: Option<i64>,
    /// What was so then, in the hour, and how long before it had been looked: until it is known when it was looked again.
    open: Option<(Moment, Option<i64>)>,
    worst: Option<OfAll>,
    /// Whether nothing was missing then.
    whole: bool,
    /// How far the target had come at least, as it was last known: where nobody knew it for hours, up to where it had before.
    through: Option<i64>,
}

impl OfPartition {
    fn new(name: &Arc<str>, slot: usize, left: Left) -> Self {
        let partition = i32::try_from(slot).unwrap_or(i32::MAX);
        let track = Track { slot, topic: Arc::clone(name), partition, keeps_all: true };
        let mut column = OfTrack::new(track);
        for (at, end) in [left.arrived, left.missing].into_iter().flatten() {
            column.ends.push(at, end);
        }
        Self {
            column,
            cell: Cell::default(),
            last: None,
            open: None,
            worst: None,
            whole: false,
            through: left.arrived.map(|(_, end)| end.saturating_sub(1)),
        }
    }

    fn add(&mut self, block: &Block, sample: usize, at: i64, begin: i64) {
        let slot = self.column.track.slot;
        if !block.has(slot, sample) {
            return;
        }
        let since = self.last.map(|last| at - last);
        if let Some((moment, _)) = self.open.take() {
            self.tell(&moment, since);
        }
        self.last = Some(at);
        if at >= begin + HOUR_MS {
            return;
        }
        if at >= begin {
            let (seen, moment) = self.column.look(block, sample, at);
            self.cell.take(&seen);
            self.open = Some((moment, since));
            self.whole = seen.records == Some(0);
        }
        self.through = block.value(Column::Through as usize, slot, sample).or(self.through);
        if let Some(reach) = block.value(Column::Reach as usize, slot, sample) {
            self.column.ends.push(at, reach);
        }
    }

    fn tell(&mut self, moment: &Moment, unseen_ms: Option<i64>) {
        // How fast it was written to bounds records, not time.
        let here = moment.told(None, unseen_ms);
        self.worst = Some(self.worst.map_or(here, |worst| moments::worse(&worst, &here)));
    }

    fn done(mut self) -> Vec<Option<i64>> {
        // Nobody has looked again yet: as long as it took since the look before.
        if let Some((moment, before)) = self.open.take() {
            self.tell(&moment, before);
        }
        let ms = self.cell.known_ms().filter(|_| self.cell.seen);
        let rpo = self.worst.and_then(|worst| worst.rpo).unwrap_or_default();
        let goes_on = self.through.filter(|_| self.cell.seen && !self.whole);
        let ends = &self.column.ends;
        let left = [
            goes_on.and_then(|through| ends.arrived(through)),
            goes_on.and_then(|through| ends.missing(through)),
        ];
        let mut cells = vec![ms, rpo.ms_at_most, rpo.ms_at_least];
        cells.extend(left.into_iter().flat_map(|end| [end.map(|(at, _)| at), end.map(|(_, end)| end)]));
        cells
    }
}

/// What hours of the chosen partitions say of a death, by stretches: the worst, and unknown is worst. `None` where it is not kept of any.
#[derive(Debug, Default)]
pub(super) struct InTime(BTreeMap<usize, Option<RpoSpan>>);

impl InTime {
    /// One hour of one chunk; `None` where it is not kept.
    pub(super) fn add(&mut self, stretch: usize, here: Option<RpoSpan>) {
        let joined = match self.0.get(&stretch) {
            Some(kept) => kept.zip(here).map(|(kept, here)| moments::worse_span(&kept, &here)),
            None => here,
        };
        self.0.insert(stretch, joined);
    }

    pub(super) fn rpo(&self, stretch: usize) -> Option<RpoSpan> {
        self.0.get(&stretch).copied().flatten()
    }
}
