//! Finding a position that is too far from every offset sync for comparing all that lies between: by the records around the next one,
//! which the target is asked for by their time.
//!
//! Time only says where to look. Copies keep the timestamps of their originals, so none of the records that are compared stands on the
//! target before the first one there that is not older than the oldest of them, in whatever order they were written. From there on they
//! have to be found once, in a row, with nothing before them but what the group is known to have read. Everything before an offset sync that
//! can be relied on was copied before it and caught up with, so whatever is unread follows the copy that was found. Where any of that
//! is not so the search says nothing.
//!
//! Two stretches of a log that are alike in every record and every timestamp, as long as what is compared, are taken for one. That would
//! skip what was written between them, but only where the first of the two is gone from the target and all that is left there of what
//! lies between is older than they are by its timestamps.

#[cfg(test)]
mod tests;

use std::{collections::HashSet, ops::Range};

use super::{Lifetimes, Mapping, Method, Visible};

/// How many records before the position, and from it on, have to be found again.
#[derive(Debug, Clone, Copy)]
struct Near {
    /// At most.
    most: usize,
    /// At least; before the position fewer only where the source begins.
    least: usize,
}

/// Second copies in between leave a search without an answer, so it is not many.
const NEAR: Near = Near { most: 64, least: 8 };

/// Which of so many records are compared for the one at `at`: how old the oldest of these is says from where on the target is read.
#[must_use]
pub fn compared_around(at: usize, records: usize) -> Range<usize> {
    NEAR.around(at, records)
}

impl Near {
    fn around(self, at: usize, records: usize) -> Range<usize> {
        at.saturating_sub(self.most)..records.min(at.saturating_add(self.most))
    }
}

impl Lifetimes {
    /// Between which offsets of the target the copy of a source record is, by the nearest syncs that can be relied on, however far
    /// they are. `None` when none is known behind it.
    #[must_use]
    pub fn copies_between(&self, upstream: i64) -> Option<Range<i64>> {
        let (before, behind) = self.next_to(upstream)?;
        let from =
            before.map_or(0, |pair| pair.downstream.saturating_add(i64::from(pair.upstream < upstream)));
        Some(from..behind.downstream)
    }

    /// Where a group that reads `g` next on the source must go on reading on the target; `None` where what is given decides nothing.
    ///
    /// `source` are the visible records around `g`, without gaps; `from_start` says that the source has none before them.
    /// `target` are those of the target, without gaps, with their own timestamps (never ones that its brokers wrote): from
    /// where it first has a record not older than the oldest of [`compared_around`], or from where
    /// [`Lifetimes::copies_between`] begins, on.
    #[must_use]
    pub fn search(
        &self,
        g: i64,
        source: &[Visible],
        from_start: bool,
        target: &[Visible],
    ) -> Option<Mapping> {
        self.search_near(NEAR, g, (source, from_start), target)
    }

    fn search_near(
        &self,
        near: Near,
        g: i64,
        (source, from_start): (&[Visible], bool),
        target: &[Visible],
    ) -> Option<Mapping> {
        let at = source.partition_point(|record| record.offset < g);
        let next = source.get(at)?;
        let within = self.copies_between(next.offset)?;
        let compared = near.around(at, source.len());
        let (read, unread) = (at - compared.start, compared.end - at);
        if unread < near.least || (read < near.least && !from_start) {
            return None;
        }
        let is_within = |place: &usize| within.contains(&target[*place].offset);
        let mut found = places(target, &source[compared], read).filter(is_within);
        let place = found.next()?;
        if found.next().is_some() || !only_read_before(place, within.start, source.split_at(at), target) {
            return None;
        }
        let position = target[place].offset;
        Some(Mapping::early(position, Method::TimestampSearch, self.again(next.offset, position, unread)?))
    }

    /// Records from the position on that may have been read: none up to the sync behind it where the target grew as much as the source,
    /// or where nothing is ever copied twice. Of those that were compared it is known that they are unread.
    fn again(&self, next: i64, position: i64, unread: usize) -> Option<i64> {
        let (_, behind) = self.next_to(next)?;
        let grown = behind.downstream - position;
        let may_be_read = if self.unsettled_from.is_some_and(|from| from <= next) {
            // A task that began again before the record and has not caught up copies behind that sync what was read.
            self.target_end - position
        } else if self.exactly_once || grown == behind.upstream - next {
            0
        } else {
            grown
        };
        Some(may_be_read.saturating_sub(i64::try_from(unread).unwrap_or(i64::MAX)).max(0))
    }
}

/// Where in the target the record after the first `read` of these stands, wherever all of them are in a row.
fn places(target: &[Visible], compared: &[Visible], read: usize) -> impl Iterator<Item = usize> {
    let alike = move |(_, copies): &(usize, &[Visible])| {
        copies.iter().zip(compared).all(|(copy, record)| copy.fingerprint == record.fingerprint)
    };
    target.windows(compared.len()).enumerate().filter(alike).map(move |(from, _)| from + read)
}

/// Whether everything on the target from an offset up to a place is among what was read, and not among what was not.
fn only_read_before(
    place: usize,
    from: i64,
    (read, unread): (&[Visible], &[Visible]),
    target: &[Visible],
) -> bool {
    let fingerprints =
        |records: &[Visible]| records.iter().map(|record| record.fingerprint).collect::<HashSet<u64>>();
    let (read, unread) = (fingerprints(read), fingerprints(unread));
    let first = target.partition_point(|copy| copy.offset < from);
    let known = |copy: &Visible| read.contains(&copy.fingerprint) && !unread.contains(&copy.fingerprint);
    target[first..place].iter().all(known)
}
