//! Partitions of a chunk by stretches: each cell has the worst of its partition in its stretch.

use chrono::{DateTime, Utc};

use super::{
    Band, Explorer, RpoSpan, Stretch, Track, Why,
    ends::Ends,
    hour_times::HourTimes,
    moments::{Moment, OfAll, worse_span},
    sketch::Sketch,
};
use crate::{
    lag::{Known, surely_missing},
    reading::ReadingClass,
    recorder::{Block, Column, Hours, class_of},
    survey::OffsetPair,
};

/// The worst of one partition in one stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Whether the partition was there at all.
    pub(super) seen: bool,
    /// Why it was unknown at any time.
    pub(super) why: Option<Why>,
    /// Most records behind, of the times it was known.
    pub(super) records: i64,
    pub(super) class: ReadingClass,
    ms: i64,
    ms_class: ReadingClass,
    /// Behind since before the kept samples, or unknown at all.
    ms_unknown: bool,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            seen: false,
            why: None,
            records: 0,
            class: ReadingClass::Exact,
            ms: 0,
            ms_class: ReadingClass::Exact,
            ms_unknown: false,
        }
    }
}

impl Cell {
    /// Records behind; `None` when unknown at any time.
    pub(super) fn known(&self) -> Option<i64> {
        self.why.is_none().then_some(self.records)
    }

    /// Milliseconds behind; `None` when unknown at any time, or since before the kept samples.
    pub(super) fn known_ms(&self) -> Option<i64> {
        (!self.ms_unknown).then_some(self.ms)
    }

    fn unknown(&mut self, why: Why) {
        self.why = self.why.max(Some(why));
        self.ms_unknown = true;
    }
}

/// One partition while its chunk is read.
#[derive(Debug)]
pub(super) struct OfTrack {
    pub(super) track: Track,
    pub(super) ends: Ends,
    /// The last high watermark, and when it was read.
    last: Option<(i64, i64)>,
}

impl OfTrack {
    pub(super) fn new(track: Track) -> Self {
        Self { track, ends: Ends::default(), last: None }
    }

    /// What a sample says of it, whose own end is not pushed yet: for its stretch, and as a part of the moment.
    pub(super) fn look(&self, block: &Block, sample: usize, at: i64) -> (Seen, Moment) {
        let slot = self.track.slot;
        let seen = look(self, block, sample, at);
        let proven = if self.track.keeps_all { proven(block, slot, sample) } else { 0 };
        let mut moment = Moment::default();
        moment.add(seen.records, seen.class, seen.why, proven, (seen.ms, seen.ms_at_least));
        moment.hold_back(block.held_back(slot, sample));
        (seen, moment)
    }
}

/// A chunk on its way in.
#[derive(Debug)]
pub struct OfChunk<'a> {
    explorer: &'a mut Explorer,
    columns: Vec<OfTrack>,
    /// By partition, then by stretch.
    cells: Vec<Cell>,
    last_at: Option<i64>,
    /// When any end was read last.
    last_read: Option<i64>,
}

/// What one sample says of one partition.
pub(super) struct Seen {
    pub(super) records: Option<i64>,
    class: ReadingClass,
    why: Why,
    /// Milliseconds behind; `None` when since before the kept samples.
    ms: Option<i64>,
    ms_at_least: i64,
}

impl<'a> OfChunk<'a> {
    pub(super) fn new(explorer: &'a mut Explorer, tracks: Vec<Track>) -> Self {
        let cells = vec![Cell::default(); tracks.len() * explorer.frame.count];
        let columns = tracks.into_iter().map(OfTrack::new).collect();
        Self { explorer, columns, cells, last_at: None, last_read: None }
    }

    /// Takes in samples of every survey. What is older than the time asked about says since when something is behind.
    pub fn add_block(&mut self, block: &Block) {
        for (sample, at) in block.at.iter().copied().enumerate() {
            // The same block can be kept twice: where it was written, and aside for an incident.
            if self.last_at.is_some_and(|last| at <= last) || at >= self.explorer.frame.to {
                continue;
            }
            self.last_at = Some(at);
            self.add_sample(block, sample, at);
        }
    }

    fn add_sample(&mut self, block: &Block, sample: usize, at: i64) {
        let stretch = self.explorer.frame.index(at);
        let before = self.last_read;
        let mut moment = Moment::default();
        let mut grown = 0_i64;
        for (number, column) in self.columns.iter_mut().enumerate() {
            let slot = column.track.slot;
            if !block.has(slot, sample) {
                continue;
            }
            let (seen, here) = column.look(block, sample, at);
            moment.join(&here);
            let reach = block.value(Column::Reach as usize, slot, sample);
            if let Some((reach, written)) = reach.zip(block.written(slot, sample)) {
                if let Some((_, last)) = column.last.filter(|(last, _)| Some(*last) == before) {
                    grown = grown.saturating_add(written.saturating_sub(last).max(0));
                }
                column.last = Some((at, written));
                column.ends.push(at, reach);
                self.last_read = Some(at);
            }
            if let Some(stretch) = stretch {
                let cell = &mut self.cells[number * self.explorer.frame.count + stretch];
                cell.take(&seen);
            }
        }
        if moment.partitions() == 0 {
            return;
        }
        if self.last_read == Some(at) {
            moment.read(grown, before.map(|before| at - before));
        }
        self.explorer.moments.entry(at).or_default().join(&moment);
    }

    /// Takes in one hour. `times` gives what is kept of it in time, by the column of [`HourTimes`] and the slot; `None` where it is not.
    pub fn add_hour(
        &mut self,
        at: DateTime<Utc>,
        hour: &Block,
        times: Option<&dyn Fn(usize, usize) -> Option<i64>>,
    ) {
        let at = at.timestamp_millis();
        let frame = self.explorer.frame;
        let Some(stretch) = frame.index(at) else { return };
        let mut moment = Moment::default();
        let mut worst: Option<RpoSpan> = None;
        for (number, column) in self.columns.iter().enumerate() {
            let value = |kind| hour.value(kind, column.track.slot, 0);
            let Some(class) = value(Hours::CLASS) else { continue };
            let records = value(Hours::BEHIND);
            let class = if records.is_some() { class_of(Some(class)) } else { ReadingClass::Unknown };
            let class = counted(class, records, column.track.keeps_all);
            let time = |kind| times.and_then(|of| of(kind, column.track.slot));
            let (why, ms) = (Why::InTheHour, time(HourTimes::MS));
            let seen = Seen { records, class, why, ms, ms_at_least: 0 };
            moment.add(seen.records, seen.class, seen.why, 0, (None, 0));
            let at_least = time(HourTimes::MS_AT_LEAST);
            let span = RpoSpan {
                ms_at_least: at_least.map(|ms| if column.track.keeps_all { ms } else { 0 }),
                ms_at_most: time(HourTimes::MS_AT_MOST),
                ..RpoSpan::default()
            };
            worst = Some(worst.map_or(span, |worst| worse_span(&worst, &span)));
            self.cells[number * frame.count + stretch].take(&seen);
        }
        if moment.partitions() > 0 {
            self.explorer.moments.entry(at).or_default().join(&moment);
            self.explorer.in_time.add(stretch, worst.filter(|_| times.is_some()));
        }
    }

    /// The chunk is in: its cells become part of the percentiles, and its worst partitions are kept.
    pub fn done(self) {
        let count = self.explorer.frame.count;
        for (column, cells) in self.columns.iter().zip(self.cells.chunks(count)) {
            for (stretch, cell) in self.explorer.stretches.iter_mut().zip(cells) {
                stretch.add(cell);
            }
            self.explorer.rows.offer(&column.track, cells);
        }
    }
}

impl Cell {
    pub(super) fn take(&mut self, seen: &Seen) {
        self.seen = true;
        self.class = self.class.max(seen.class);
        match seen.records {
            None => self.unknown(seen.why),
            Some(records) => {
                self.records = self.records.max(records);
                let class = if records > 0 { seen.class.max(ReadingClass::Tight) } else { seen.class };
                self.ms_class = self.ms_class.max(class);
                match seen.ms {
                    Some(ms) => self.ms = self.ms.max(ms),
                    None => self.ms_unknown = true,
                }
            }
        }
    }
}

fn look(column: &OfTrack, block: &Block, sample: usize, at: i64) -> Seen {
    let slot = column.track.slot;
    let records = block.behind(slot, sample);
    let through = block.value(Column::Through as usize, slot, sample);
    let why = match block.value(Column::Reach as usize, slot, sample) {
        None => Why::SourceNotRead,
        Some(_) => Why::TargetNotKnown,
    };
    let (ms, ms_at_least) = match (records, through) {
        (Some(0), _) | (None, _) | (Some(_), None) => (Some(0), 0),
        (Some(_), Some(through)) => {
            let behind = column.ends.behind(through, at);
            (behind.may_since.map(|since| at - since), at - behind.surely_since)
        }
    };
    let class = counted(block.class(slot, sample), records, column.track.keeps_all);
    Seen { records, class, why, ms, ms_at_least }
}

/// Records that were surely missing at that moment, by the rule of a death.
fn proven(block: &Block, slot: usize, sample: usize) -> i64 {
    let value = |column: Column| block.value(column as usize, slot, sample);
    let known = || {
        let (upstream, downstream) = (value(Column::Upstream), value(Column::Downstream));
        Some(Known {
            start: value(Column::Start)?,
            reach: value(Column::Reach)?,
            through: value(Column::Through)?,
            pair: upstream.zip(downstream).map(|(upstream, downstream)| OffsetPair { upstream, downstream }),
            target_end: value(Column::Target)?,
        })
    };
    known().map_or(0, |known| surely_missing(&known))
}

/// Offsets are not records where some may be missing: then it is at most so many, as in today's figure.
fn counted(class: ReadingClass, records: Option<i64>, keeps_all: bool) -> ReadingClass {
    if !keeps_all && records > Some(0) { class.max(ReadingClass::LowerBound) } else { class }
}

/// Counts over all partitions of one stretch.
#[derive(Debug, Clone)]
pub(super) struct StretchSketch {
    records: Sketch,
    ms: Sketch,
    class: ReadingClass,
    ms_class: ReadingClass,
    why: Option<Why>,
}

impl Default for StretchSketch {
    fn default() -> Self {
        let (class, ms_class) = (ReadingClass::Exact, ReadingClass::Exact);
        Self { records: Sketch::default(), ms: Sketch::default(), class, ms_class, why: None }
    }
}

impl StretchSketch {
    fn add(&mut self, cell: &Cell) {
        if !cell.seen {
            return;
        }
        self.records.add(cell.known());
        self.ms.add(cell.known_ms());
        if cell.why.is_none() {
            self.class = self.class.max(cell.class);
        }
        if !cell.ms_unknown {
            self.ms_class = self.ms_class.max(cell.ms_class);
        }
        self.why = self.why.max(cell.why);
    }

    pub(super) fn partitions(&self) -> u64 {
        self.records.count()
    }

    /// Where what a death would have cost is not kept, the time is not either.
    pub(super) fn stretch(&self, at: DateTime<Utc>, of_all: OfAll) -> Stretch {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Stretch {
            at,
            partitions: count(self.records.count()),
            unknown: count(self.records.unknown()),
            why: self.why,
            records: band(&self.records, self.class),
            ms: of_all.rpo.map(|_| band(&self.ms, self.ms_class)),
            total_records: of_all.total,
            rpo: of_all.rpo,
            of_surveys: None,
        }
    }
}

fn band(sketch: &Sketch, known_class: ReadingClass) -> Band {
    let some_known = sketch.unknown() < sketch.count();
    Band {
        p50: sketch.percentile(50),
        p90: sketch.percentile(90),
        p99: sketch.percentile(99),
        worst: sketch.worst(),
        class: if sketch.worst().is_some() { known_class } else { ReadingClass::Unknown },
        known_class: some_known.then_some(known_class),
    }
}
