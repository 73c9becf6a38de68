//! How the rows of the strip come about: partitions are offered one after the other, and only what the wanted page needs is
//! kept of them, so that a large pair costs little more than a small one.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use super::{Frame, Level, RowsOf, Strip, StripRow, StripRun, Track, Wanted, grid::Cell, time};
use crate::reading::ReadingClass;

/// More stretches are not told apart of a row.
const MOST_STRETCHES: usize = 60;

/// What a row was like in some stretches together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// `None` is not known.
    records: Option<i64>,
    class: ReadingClass,
}

impl Part {
    /// The worst of both, and unknown is worst.
    fn worse(self, other: Self) -> Self {
        let records = self.records.zip(other.records).map(|(a, b)| a.max(b));
        Self { records, class: self.class.max(other.class) }
    }
}

/// Most records that were known, and the first stretch with so many.
type Worst = Option<(i64, Reverse<usize>)>;

/// Unknown stretches, most records, and for an order that stays: name, number, and which of them was offered first.
type Rank = (usize, Option<i64>, Reverse<(Arc<str>, Option<i32>, usize)>);

/// A row that is kept.
#[derive(Debug)]
struct Kept {
    worst: Worst,
    partitions: usize,
    /// The partition that was furthest behind.
    partition: Option<i32>,
    parts: Vec<Option<Part>>,
}

/// The partitions of one topic together.
#[derive(Debug)]
struct OfTopic {
    partitions: usize,
    /// By stretch: whether any partition was unknown.
    unknown: Vec<bool>,
    worst: Worst,
    /// Whose the worst is.
    partition: Option<i32>,
    parts: Vec<Option<Part>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Rows {
    wanted: Wanted,
    seen: usize,
    kept: BTreeMap<Rank, Kept>,
    topics: BTreeMap<Arc<str>, OfTopic>,
}

impl Rows {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted, seen: 0, kept: BTreeMap::new(), topics: BTreeMap::new() }
    }

    /// One more partition, stretch by stretch.
    pub(super) fn offer(&mut self, track: &Track, cells: &[Cell]) {
        if !cells.iter().any(|cell| cell.seen) {
            return;
        }
        self.seen += 1;
        match self.wanted.of {
            RowsOf::Topics => {
                let of_topic =
                    self.topics.entry(Arc::clone(&track.topic)).or_insert_with(|| OfTopic::new(cells.len()));
                of_topic.add(track.partition, cells);
            }
            RowsOf::Partitions => {
                let unknown = cells.iter().filter(|cell| cell.why.is_some()).count();
                let worst = worst(cells);
                // A partition of a topic that was recreated is two tracks of one name: the one that was worse stands first.
                let name = (Arc::clone(&track.topic), Some(track.partition), self.seen);
                let rank = (unknown, worst.map(|(records, _)| records), Reverse(name));
                let partition = Some(track.partition);
                self.keep(rank, || Kept { worst, partitions: 1, partition, parts: parts(cells) });
            }
        }
    }

    /// Keeps a row unless all that are wanted are worse.
    fn keep(&mut self, rank: Rank, row: impl FnOnce() -> Kept) {
        let most = self.wanted.skip.saturating_add(self.wanted.most);
        let better_than_all = self.kept.first_key_value().is_some_and(|(least, _)| rank < *least);
        if self.kept.len() >= most && better_than_all {
            return;
        }
        self.kept.insert(rank, row());
        if self.kept.len() > most {
            self.kept.pop_first();
        }
    }

    pub(super) fn strip(mut self, frame: &Frame, quiet: i64) -> Strip {
        let total = match self.wanted.of {
            RowsOf::Topics => self.topics.len(),
            RowsOf::Partitions => self.seen,
        };
        for (name, topic) in std::mem::take(&mut self.topics) {
            let unknown = topic.unknown.iter().filter(|unknown| **unknown).count();
            let rank = (unknown, topic.worst.map(|(records, _)| records), Reverse((name, None, 0)));
            let OfTopic { worst, partitions, partition, parts, .. } = topic;
            self.keep(rank, || Kept { worst, partitions, partition, parts });
        }
        let row = |((unknown, worst_records, Reverse((topic, ..))), kept): (Rank, Kept)| StripRow {
            topic: topic.to_string(),
            partition: kept.partition,
            partitions: kept.partitions,
            worst_records,
            worst_at: kept.worst.map(|(_, Reverse(stretch))| frame.begin(stretch)),
            unknown_ms: i64::try_from(unknown).unwrap_or(i64::MAX).saturating_mul(frame.width),
            runs: runs(frame, &kept.parts, quiet),
        };
        let Wanted { of, skip, .. } = self.wanted;
        let rows = self.kept.into_iter().rev().skip(skip).map(row).collect();
        Strip { of, total, skip, partitions: self.seen, rows }
    }
}

impl OfTopic {
    fn new(stretches: usize) -> Self {
        let parts = vec![None; stretches.div_ceil(together(stretches))];
        Self { partitions: 0, unknown: vec![false; stretches], worst: None, partition: None, parts }
    }

    fn add(&mut self, partition: i32, cells: &[Cell]) {
        self.partitions += 1;
        for (unknown, cell) in self.unknown.iter_mut().zip(cells) {
            *unknown |= cell.why.is_some();
        }
        let worst = worst(cells);
        if worst > self.worst {
            (self.worst, self.partition) = (worst, Some(partition));
        }
        for (part, more) in self.parts.iter_mut().zip(parts(cells)) {
            *part = match (*part, more) {
                (Some(part), Some(more)) => Some(part.worse(more)),
                (one, other) => one.or(other),
            };
        }
    }
}

fn worst(cells: &[Cell]) -> Worst {
    let known = |(stretch, cell): (usize, &Cell)| Some((cell.known()?, Reverse(stretch)));
    cells.iter().enumerate().filter(|(_, cell)| cell.seen).filter_map(known).max()
}

/// Stretches that are shown as one.
fn together(stretches: usize) -> usize {
    stretches.div_ceil(MOST_STRETCHES).max(1)
}

/// Some stretches at a time; `None` where nothing was seen.
fn parts(cells: &[Cell]) -> Vec<Option<Part>> {
    let part = |cells: &[Cell]| {
        let seen = cells.iter().filter(|cell| cell.seen);
        seen.map(|cell| Part { records: cell.known(), class: cell.class }).reduce(Part::worse)
    };
    cells.chunks(together(cells.len())).map(part).collect()
}

/// Parts of one level and class that follow one another are one run. Where samples are further apart than stretches are wide,
/// what was seen stands until the next sample, for no longer than `quiet` milliseconds.
fn runs(frame: &Frame, parts: &[Option<Part>], quiet: i64) -> Vec<StripRun> {
    let mut runs: Vec<StripRun> = Vec::new();
    let end = time(frame.to);
    let together = together(frame.count);
    for (number, part) in parts.iter().enumerate() {
        let Some(Part { records, class }) = *part else { continue };
        let (from, to) = (frame.begin(number * together), frame.begin((number + 1) * together).min(end));
        let level = Level::of(records);
        if let Some(last) = runs.last_mut().filter(|last| (from - last.to).num_milliseconds() <= quiet) {
            last.to = from;
        }
        match runs.last_mut() {
            Some(last) if last.to == from && last.level == level && last.class == class => {
                last.to = to;
                last.records = last.records.max(records);
            }
            Some(_) | None => runs.push(StripRun { from, to, level, records, class }),
        }
    }
    runs
}
