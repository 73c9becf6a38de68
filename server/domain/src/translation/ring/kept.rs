//! What is kept of a partition: prints of its records around positions and before its end, and the syncs around each.

use std::collections::BTreeSet;

use super::Ring;
use crate::{
    survey::OffsetPair,
    translation::{AllSyncs, Visible, check_within, lifetimes::Lifetimes},
};

/// Records kept before a position and from it on.
pub const RING: usize = 8;
/// Positions of one partition that rings are kept for; of more the lowest and the highest.
pub const MOST_POSITIONS: usize = 16;

/// The offset syncs around a position, both of one life of the flow's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncsAround {
    /// The newest one before it that can be relied on: whatever was unread was copied behind it.
    pub before: OffsetPair,
    /// The next one.
    pub after: Option<OffsetPair>,
    /// There was a sign that a task had begun again and not caught up: what the target had then may be there twice.
    pub restarted: bool,
}

/// What is kept of one partition, all of it read at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rings {
    /// Where the source ended for the flow.
    pub source_end: i64,
    /// Where the target ended, asked before the source was read and before the syncs were.
    pub target_end: i64,
    /// Whether neither side compacts the topic.
    pub keeps_all: bool,
    /// Stretches of the source with all their records, by offset, apart from one another.
    pub runs: Vec<Run>,
    /// Positions in order; the source's end is one of them.
    pub positions: Vec<Kept>,
}

/// All visible records of a stretch of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// First offset.
    pub from: i64,
    /// One past the last.
    pub until: i64,
    /// Its records.
    pub prints: Vec<Visible>,
}

/// A position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Next offset to read.
    pub position: i64,
    /// The syncs around it; `None` when none is known before it.
    pub syncs: Option<SyncsAround>,
}

impl Run {
    /// No more than the records next to a position.
    #[must_use]
    pub fn around(self, position: i64) -> Self {
        let at = self.prints.partition_point(|record| record.offset < position);
        let first = at.saturating_sub(RING);
        let from = if first == 0 { self.from } else { self.prints[first].offset };
        let (prints, until) = match self.prints.get(at + RING - 1) {
            // One that ends the stretch ends it still.
            Some(_) if at + RING == self.prints.len() => (self.prints[first..].to_vec(), self.until),
            Some(last) => (self.prints[first..at + RING].to_vec(), last.offset.saturating_add(1)),
            None => (self.prints[first..].to_vec(), self.until),
        };
        Self { from, until, prints }
    }
}

/// Runs by offset; those that touch or overlap are one.
fn join(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| run.from);
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.from <= last.until => {
                let known = last.until;
                last.prints.extend(run.prints.into_iter().filter(|print| print.offset >= known));
                last.until = known.max(run.until);
            }
            Some(_) | None => joined.push(run),
        }
    }
    joined
}

impl Rings {
    /// Puts together what was read. `runs` are the stretches around the positions, `pairs` all offset syncs of the partition
    /// in the order they were written, read after `target_end` was asked; none where they cannot be relied on.
    #[must_use]
    pub fn new<'a>(
        (source_end, target_end): (i64, i64),
        keeps_all: bool,
        runs: Vec<Run>,
        positions: &BTreeSet<i64>,
        pairs: impl Into<AllSyncs<'a>>,
    ) -> Self {
        let runs = join(runs);
        let mut rings = Self { source_end, target_end, keeps_all, runs, positions: Vec::new() };
        let lifetimes = Lifetimes::of(pairs.into(), target_end);
        let keep = |position: &i64| {
            let next = rings.ring(Kept { position: *position, syncs: None }).after.first().copied();
            let around = lifetimes.around(next.map_or(*position, |next| next.offset));
            let syncs = around.map(|bracket| SyncsAround {
                before: bracket.before,
                after: bracket.after,
                restarted: bracket.restarted,
            });
            Kept { position: *position, syncs }
        };
        let positions = positions.iter().map(keep).collect();
        rings.positions = positions;
        rings
    }

    /// Nobody can have read past the end of everything: of positions there nothing is kept that leads anywhere, since what
    /// was written in the place of what they had read would be skipped. See [`crate::translation::check_within`].
    pub fn refuse_past(&mut self, end: i64) {
        for kept in &mut self.positions {
            if check_within(kept.position, end).is_err() {
                kept.syncs = None;
            }
        }
    }

    /// The positions to keep rings for: of very many the lowest and the highest.
    #[must_use]
    pub fn choose(positions: &BTreeSet<i64>) -> BTreeSet<i64> {
        let lowest = positions.iter().take(MOST_POSITIONS / 2);
        lowest.chain(positions.iter().rev().take(MOST_POSITIONS / 2)).copied().collect()
    }

    /// The ring of a position, or of the nearest before it: a group that goes on from there reads what lies between again.
    #[must_use]
    pub fn at_or_before(&self, position: i64) -> Option<Ring<'_>> {
        let kept = self.positions.iter().rev().find(|kept| kept.position <= position)?;
        Some(self.ring(*kept))
    }

    /// The ring of the source's end.
    #[must_use]
    pub fn at_end(&self) -> Option<Ring<'_>> {
        self.at_or_before(self.source_end).filter(|ring| ring.position == self.source_end)
    }

    /// Nothing about a position changes any more: it has a full ring between two syncs.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let settled = |kept: &Kept| {
            let ring = self.ring(*kept);
            ring.after.len() == RING && kept.syncs.is_some_and(|syncs| syncs.after.is_some())
        };
        self.positions.iter().filter(|kept| kept.position != self.source_end).all(settled)
    }

    fn ring(&self, Kept { position, syncs }: Kept) -> Ring<'_> {
        let around = |run: &&Run| run.from <= position && position <= run.until;
        let run = self.runs.iter().find(around);
        let prints = run.map_or(&[][..], |run| run.prints.as_slice());
        let at = prints.partition_point(|record| record.offset < position);
        let (before, after) = prints.split_at(at);
        let end = self.runs.iter().find(|run| run.until >= self.source_end);
        let last = end.map_or(&[][..], |run| run.prints.as_slice());
        let last = &last[last.len().saturating_sub(RING)..];
        let whole = after.len() <= RING && run.is_some_and(|run| run.until >= self.source_end);
        Ring {
            position,
            before: &before[before.len().saturating_sub(RING)..],
            after: &after[..after.len().min(RING)],
            tail: &last[last.partition_point(|record| record.offset < position)..],
            to_end: whole,
            syncs,
            target_end: self.target_end,
            keeps_all: self.keeps_all,
        }
    }
}
