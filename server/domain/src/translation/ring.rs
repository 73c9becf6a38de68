//! Where a group goes on when its source is dead: by prints of the source's records around its position that were kept while
//! the source could be read, by the offset syncs around it as they were known then, and by what the target holds now.
//!
//! Everything unread was copied behind the sync before it, in order. So the first record there that looks like the next
//! unread one is never behind it, as long as nothing was removed from the target: alike records and second copies make the
//! answer early, never late. Where something may have been removed the records say nothing, and the sync speaks.

mod kept;
#[cfg(test)]
mod tests;

pub use self::kept::{Kept, MOST_POSITIONS, RING, Rings, Run, SyncsAround};
use super::{Mapping, Method, Untranslatable, Visible};
use crate::survey::OffsetPair;

/// What was kept of one position of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring<'a> {
    /// Next offset the group read on the source.
    pub position: i64,
    /// The last visible records before it, without a gap between them; few or none where there was a hole.
    pub before: &'a [Visible],
    /// The first visible records from it on, without a gap.
    pub after: &'a [Visible],
    /// The last visible records before the source's end, from the position on.
    pub tail: &'a [Visible],
    /// Nothing visible followed them: they were read to the source's end.
    pub to_end: bool,
    /// The offset syncs around it; `None` when none was known before it.
    pub syncs: Option<SyncsAround>,
    /// Where the target ended, asked before the source was read: whatever stands before is a copy of a record that was
    /// there then.
    pub target_end: i64,
    /// Whether neither side compacts the topic.
    pub keeps_all: bool,
}

/// What the target holds now.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// First offset still there.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// All visible records of [`Ring::stretch`]; `None` when it was too long to be read.
    pub records: Option<&'a [Visible]>,
}

/// Where a group goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// Its position.
    pub mapping: Mapping,
    /// Kept records from the position on that were found there in a row.
    pub run: usize,
    /// One past the furthest kept record that is known to be on the target; `None` when the prints decided nothing.
    pub arrived: Option<i64>,
}

impl Ring<'_> {
    /// What of the target has to be read, from the first offset to one past the last.
    #[must_use]
    pub fn stretch(&self, start: i64, end: i64) -> (i64, i64) {
        let from = self.syncs.map_or(self.target_end, |syncs| syncs.before.downstream);
        let until =
            self.syncs.and_then(|syncs| syncs.after).map_or(end, |after| after.downstream.saturating_add(1));
        let from = from.max(start);
        (from, until.min(end).max(from))
    }

    /// Everything that was there had been read.
    fn caught_up(&self) -> bool {
        self.after.is_empty() && self.to_end
    }
}

/// Where the group of a ring goes on on the target, as of the time the ring was kept. Never behind a record that it had not
/// read then.
///
/// # Errors
/// When no sync was known before it, the sync is contradicted by the records, or the target is another one now.
pub fn resume(ring: &Ring<'_>, held: Held<'_>) -> Result<Resumed, Untranslatable> {
    if ring.position < 0 {
        return Err(Untranslatable::BadOffset { offset: ring.position });
    }
    if held.end < ring.target_end {
        return Err(Untranslatable::TargetShorter { was: ring.target_end, is: held.end });
    }
    if ring.caught_up() && held.end == ring.target_end {
        let arrived = ring.before.last().map(|last| last.offset.saturating_add(1));
        return Ok(Resumed { mapping: Mapping::exact(held.end, Method::Ring), run: 0, arrived });
    }
    let Some(syncs) = ring.syncs else {
        let again = held.records.map_or(held.end - ring.target_end, count);
        let floor = Mapping::early(ring.target_end.max(held.start), Method::PairFloor, again);
        let floor = ring.caught_up().then_some(Resumed { mapping: floor, run: 0, arrived: None });
        return floor.ok_or(Untranslatable::NoSyncKept { offset: ring.position });
    };
    let search = Search::new(ring, syncs, held);
    search.is_not_contradicted()?;
    Ok(search.named().or_else(|| search.by_prints()).unwrap_or_else(|| search.floor()))
}

struct Search<'a> {
    ring: &'a Ring<'a>,
    syncs: SyncsAround,
    held: Held<'a>,
    /// Records of the target behind the sync, up to the next sync.
    there: &'a [Visible],
    /// Kept records before the position that were copied behind the sync.
    before: &'a [Visible],
    /// Kept records from the position on, up to the next sync.
    after: &'a [Visible],
}

impl<'a> Search<'a> {
    fn new(ring: &'a Ring<'a>, syncs: SyncsAround, held: Held<'a>) -> Self {
        let OffsetPair { upstream, downstream } = syncs.before;
        let there = held.records.unwrap_or_default();
        let there = &there[there.partition_point(|copy| copy.offset <= downstream)..];
        let before = &ring.before[ring.before.partition_point(|record| record.offset <= upstream)..];
        let until = syncs.after.map_or(ring.after.len(), |next| {
            ring.after.partition_point(|record| record.offset <= next.upstream)
        });
        Self { ring, syncs, held, there, before, after: &ring.after[..until] }
    }

    /// The record of the sync is the same on both sides, where both are seen.
    fn is_not_contradicted(&self) -> Result<(), Untranslatable> {
        let OffsetPair { upstream, downstream } = self.syncs.before;
        let find = |records: &[Visible], offset| {
            records.iter().find(|record| record.offset == offset).map(|record| record.fingerprint)
        };
        let here = find(self.ring.before, upstream).or_else(|| find(self.ring.after, upstream));
        let there = find(self.held.records.unwrap_or_default(), downstream);
        match (here, there) {
            (Some(here), Some(there)) if here != there => {
                Err(Untranslatable::PairContradicted { upstream, downstream })
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// The sync names the next record.
    fn named(&self) -> Option<Resumed> {
        let next = self.after.first()?;
        let OffsetPair { upstream, downstream } = self.syncs.before;
        if next.offset != upstream || self.held.start > downstream {
            return None;
        }
        let records = self.held.records.unwrap_or_default();
        let from_here = &records[records.partition_point(|copy| copy.offset < downstream)..];
        let once = match self.held.records {
            Some(_) => self.there.iter().all(|copy| copy.fingerprint != next.fingerprint),
            None => self.syncs.after.is_some(),
        };
        let exact = once && !self.syncs.restarted;
        let mapping = match exact {
            true => Mapping::exact(downstream, Method::Pair),
            false => Mapping::early(downstream, Method::Pair, self.records_from(downstream)),
        };
        Some(Resumed {
            mapping,
            run: equal_run(self.after, from_here),
            arrived: Some(upstream.saturating_add(1)),
        })
    }

    /// Nothing before what was read was removed since it was copied.
    fn is_whole(&self) -> bool {
        let OffsetPair { upstream, downstream } = self.syncs.before;
        let read = upstream < self.ring.position;
        self.held.records.is_some() && self.held.start <= downstream.saturating_add(i64::from(read))
    }

    fn by_prints(&self) -> Option<Resumed> {
        if !self.is_whole() {
            return None;
        }
        match self.after.first() {
            Some(next) => match self.first(next) {
                Some(at) => self.found(next, at),
                None => self.ends_before(),
            },
            None if self.ring.caught_up() => self.behind_last(),
            None => None,
        }
    }

    /// The next record may be the one at `at`, and none before it.
    fn found(&self, next: &Visible, at: usize) -> Option<Resumed> {
        let (read, unread) = self.there.split_at(at);
        let run = equal_run(self.after, unread);
        // Behind the next sync everything up to it must be there; without one the target may end anywhere.
        let all =
            if self.syncs.after.is_some() { self.after.len() } else { self.after.len().min(unread.len()) };
        if run < all || !self.is_as_before(read, self.before) {
            return None;
        }
        let position = unread.first()?.offset;
        let once = self.has_come_on(at + run)
            && self.is_once(next)
            && self.before.iter().all(|read| self.is_once(read));
        let arrived = run
            .checked_sub(1)
            .and_then(|last| self.after.get(last))
            .map(|last| last.offset.saturating_add(1));
        let mapping = match once {
            true if self.nothing_removed_to(at + run - 1) => Mapping::exact(position, Method::Ring),
            // The first of several: what is behind it may have been read.
            false if self.ring.keeps_all => Mapping::early(position, Method::Ring, count(unread)),
            true | false => return None,
        };
        Some(Resumed { mapping, run, arrived })
    }

    /// Whether what the target had at the look is no second copy of something read before. A task that began again copies in
    /// order: if it has come to a record that was unread, it has copied the next one again, too, and that would show.
    fn has_come_on(&self, behind_run: usize) -> bool {
        let then = self.there.partition_point(|copy| copy.offset < self.ring.target_end);
        let unread = |copy: &Visible| self.ring.tail.iter().any(|tail| tail.fingerprint == copy.fingerprint);
        !self.syncs.restarted
            || behind_run >= then
            || self.there.iter().rposition(unread).is_some_and(|at| at + 1 >= then)
    }

    /// The next record is nowhere behind the sync, so nothing unread is: what is there last must be one that was read.
    fn ends_before(&self) -> Option<Resumed> {
        if self.syncs.after.is_some() || !self.ring.keeps_all {
            return None;
        }
        let arrived = match self.there.last() {
            None => self.syncs.before.upstream.saturating_add(1),
            Some(last) => {
                let at = self.before.iter().rposition(|read| read.fingerprint == last.fingerprint)?;
                if !self.is_once(last) || !self.is_as_before(self.there, &self.before[..=at]) {
                    return None;
                }
                self.before[at].offset.saturating_add(1)
            }
        };
        let mapping = Mapping::exact(self.held.end, Method::Ring);
        Some(Resumed { mapping, run: 0, arrived: Some(arrived) })
    }

    /// For a group that had read everything: behind the last record there was.
    fn behind_last(&self) -> Option<Resumed> {
        let last = self.ring.before.last()?;
        let behind = match self.before.last() {
            // Copied with the sync or before it.
            None => self.syncs.before.downstream.saturating_add(1),
            Some(read) => match self.first(read) {
                None => return self.ends_before(),
                Some(at) => {
                    let as_before = self.is_as_before(&self.there[..=at], self.before);
                    if !self.ring.keeps_all || !self.is_once(read) || !as_before {
                        return None;
                    }
                    self.there[at].offset.saturating_add(1)
                }
            },
        };
        let position = behind.max(self.ring.target_end).max(self.held.start);
        let mapping = Mapping::exact(position, Method::Ring);
        Some(Resumed { mapping, run: 0, arrived: Some(last.offset.saturating_add(1)) })
    }

    /// By the sync alone, or, for a group that had read everything, where the target ended.
    fn floor(&self) -> Resumed {
        let OffsetPair { upstream, downstream } = self.syncs.before;
        let read = upstream < self.ring.position;
        let floor = downstream.saturating_add(i64::from(read));
        let caught_up = if self.ring.caught_up() { self.ring.target_end } else { 0 };
        let position = floor.max(caught_up).max(self.held.start);
        let mapping = Mapping::early(position, Method::PairFloor, self.records_from(position));
        Resumed { mapping, run: 0, arrived: None }
    }

    /// Records of the stretch from an offset on; offsets where they were not read.
    fn records_from(&self, offset: i64) -> i64 {
        match self.held.records {
            Some(records) => count(&records[records.partition_point(|copy| copy.offset < offset)..]),
            None => (self.ring.stretch(self.held.start, self.held.end).1 - offset).max(0),
        }
    }

    /// Where behind the sync a record like this is for the first time.
    fn first(&self, record: &Visible) -> Option<usize> {
        self.there.iter().position(|copy| copy.fingerprint == record.fingerprint)
    }

    fn is_once(&self, record: &Visible) -> bool {
        self.there.iter().filter(|copy| copy.fingerprint == record.fingerprint).take(2).count() == 1
    }

    /// Whether what stands on the target from the sync on ends with the records that were read, as far as they were kept.
    fn is_as_before(&self, there: &[Visible], read: &[Visible]) -> bool {
        let back_to_sync = self.ring.before.len() > self.before.len();
        let lengths = if back_to_sync { there.len() == read.len() } else { there.len() >= read.len() };
        let pairs = || there.iter().rev().zip(read.iter().rev());
        lengths && pairs().all(|(copy, read)| copy.fingerprint == read.fingerprint)
    }

    /// Whether no record can have been removed from the sync up to this one. Of a compacted topic that shows only where no
    /// offset is left out, and where all of it had been copied when the ring was kept: the source may compact as well.
    fn nothing_removed_to(&self, at: usize) -> bool {
        let dense = |copy: &Visible| copy.offset - self.syncs.before.downstream == count(&self.there[..=at]);
        self.ring.keeps_all || (self.syncs.after.is_some() && self.there.get(at).is_some_and(dense))
    }
}

fn equal_run(kept: &[Visible], there: &[Visible]) -> usize {
    kept.iter().zip(there).take_while(|(kept, there)| kept.fingerprint == there.fingerprint).count()
}

fn count(records: &[Visible]) -> i64 {
    i64::try_from(records.len()).unwrap_or(i64::MAX)
}
