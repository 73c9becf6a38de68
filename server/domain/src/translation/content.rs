//! Comparing records between two pairs.

use std::collections::{HashMap, HashSet};

use super::{Mapping, Method, Visible, lifetimes::Bracket};
use crate::{reading::ReadingClass, survey::OffsetPair};

/// Records of the target looked at by content; more is beyond what a switchover may spend on one partition.
const SEARCH_LIMIT: usize = 20_000;

/// What was read on both sides around the next record a group would get.
pub(super) struct Bracketed<'a> {
    bracket: Option<Bracket>,
    source: &'a [Visible],
    /// Index in `source` of the next record the group would get.
    at: usize,
    target: &'a [Visible],
    /// Records of the source after the pair.
    source_after: &'a [Visible],
    /// Records of the target after the pair, up to the next one.
    target_after: &'a [Visible],
}

impl<'a> Bracketed<'a> {
    pub(super) fn new(bracket: Bracket, at: usize, source: &'a [Visible], target: &'a [Visible]) -> Self {
        let source_after = after(source, bracket.before.upstream);
        // The pair's own record counts when it is the next one.
        let own = i64::from(source[at].offset == bracket.before.upstream);
        let mut target_after = after(target, bracket.before.downstream - own);
        if let Some(next) = bracket.after {
            target_after = &target_after[..target_after.partition_point(|r| r.offset <= next.downstream)];
        }
        Self { bracket: Some(bracket), source, at, target, source_after, target_after }
    }

    /// Without any pair before the record.
    pub(super) fn unanchored(at: usize, source: &'a [Visible], target: &'a [Visible]) -> Self {
        Self { bracket: None, source, at, target, source_after: source, target_after: target }
    }

    /// The next record the group would get.
    pub(super) fn next(&self) -> Visible {
        self.source[self.at]
    }

    /// Whether the two records a pair names are both there and differ.
    pub(super) fn contradicts(&self, pair: OffsetPair) -> bool {
        let find = |records: &[Visible], offset| {
            records.binary_search_by_key(&offset, |r| r.offset).ok().map(|at| records[at].fingerprint)
        };
        match (find(self.source, pair.upstream), find(self.target, pair.downstream)) {
            (Some(source), Some(target)) => source != target,
            (Some(_), None) | (None, Some(_) | None) => false,
        }
    }

    /// The record of the same rank after the pair. Counting is believed only if every record up to it is equal and
    /// nothing can have been removed or added unseen: no hole on either side, or the same records up to the next pair.
    pub(super) fn by_rank(&self) -> Option<Mapping> {
        let bracket = self.bracket?;
        let pair = bracket.before;
        let whole = |records: &[Visible], offset| records.first().is_some_and(|first| first.offset <= offset);
        if !whole(self.source, pair.upstream) || !whole(self.target, pair.downstream) {
            return None;
        }
        let rank = self.rank();
        let candidate = self.target_after.get(rank)?;
        if !equal(&self.source_after[..=rank], self.target_after.get(..=rank)?) {
            return None;
        }
        let steps = i64::try_from(rank).ok()? + 1;
        let no_holes =
            self.next().offset - pair.upstream == steps && candidate.offset - pair.downstream == steps;
        if !no_holes && !self.equal_to_next_pair(bracket) {
            return None;
        }
        let linear = bracket.after.is_some_and(|next| {
            next.upstream - pair.upstream == next.downstream - pair.downstream
                && candidate.offset - pair.downstream == self.next().offset - pair.upstream
        });
        Some(Mapping::exact(candidate.offset, if linear { Method::Linear } else { Method::Rank }))
    }

    /// Index in `source_after` of the next record the group would get.
    fn rank(&self) -> usize {
        self.at - (self.source.len() - self.source_after.len())
    }

    /// As many on both sides up to the next pair, all equal. That proves nothing where equal records could have been both
    /// copied twice and removed from the target: they must differ, or there must be no hole.
    fn equal_to_next_pair(&self, bracket: Bracket) -> bool {
        let Some(next) = bracket.after else { return false };
        let source = &self.source_after[..self.source_after.partition_point(|r| r.offset <= next.upstream)];
        let ends_there =
            |records: &[Visible], offset| records.last().is_some_and(|last| last.offset == offset);
        let no_holes = records(self.target_after.len()) == next.downstream - bracket.before.downstream;
        let differ = || source.iter().map(|r| r.fingerprint).collect::<HashSet<_>>().len() == source.len();
        ends_there(source, next.upstream)
            && ends_there(self.target_after, next.downstream)
            && equal(source, self.target_after)
            && (no_holes || differ())
    }

    /// The position the records themselves prove, or the latest position before which there is provably nothing the
    /// group has not read.
    pub(super) fn by_content(&self) -> Option<Mapping> {
        let searched = &self.target_after[..self.target_after.len().min(SEARCH_LIMIT)];
        if let Some(mapping) = self.back_from_landmark(searched) {
            return Some(mapping);
        }
        let (read, unread) = self.read_and_unread();
        let first = self.needed(&read, &unread).next().map_or(searched.len(), |at| at.min(searched.len()));
        if first == 0 {
            // Nothing decided. Without a pair not even the beginning of what was read is known to be early enough.
            return None;
        }
        let Some(position) = searched.get(first) else {
            // All of it has been read by the group: it is ahead of what was replicated.
            let past = searched[first - 1].offset.saturating_add(1);
            let unseen = self.target_after.len() - searched.len();
            return Some(Mapping::early(past, Method::Content, records(unseen)));
        };
        let distinct = self.distinct(&read, &unread);
        let rest = self.target_after.len() - first;
        let again = if distinct { self.read_again(position.offset, &read, &unread) } else { records(rest) };
        Some(Mapping::early(position.offset, Method::Content, again))
    }

    /// What was copied twice by a restart that the pairs do not show: the last position from which every unread record
    /// is still there, when records are distinct enough to say so. Counts what is read again from the better of the
    /// two positions.
    pub(super) fn past_copies(&self, found: Mapping) -> Mapping {
        let (read, unread) = self.read_and_unread();
        let again = self.read_again(found.target_offset, &read, &unread);
        if again == 0 {
            return found;
        }
        match self.after_last_read(&read, &unread).filter(|last| *last > found.target_offset) {
            Some(last) => Mapping::early(last, Method::Content, self.read_again(last, &read, &unread)),
            None if found.class == ReadingClass::Exact => {
                Mapping::early(found.target_offset, found.method, again)
            }
            None => found,
        }
    }

    /// Records from a position on that are not known to be unread, or are there again further on with everything
    /// unread. First copies are in order: what the source no longer has is unread behind an unread record, but may have
    /// been read where it stands before all of them. Where a restart is in view or possible it may be the copy of a read
    /// one anywhere.
    fn read_again(&self, from: i64, read: &HashSet<u64>, unread: &HashSet<u64>) -> i64 {
        let restarted = self.restart_in_view() || self.bracket.is_some_and(|bracket| bracket.copied_again);
        let all_unread = self.bracket.is_some_and(|bracket| bracket.before.upstream == self.next().offset);
        let first_unread = if all_unread {
            0
        } else {
            let first = self.target_after.iter().position(|r| unread.contains(&r.fingerprint));
            first.unwrap_or(self.target_after.len())
        };
        let whole_until = self.unread_is_whole_until();
        let again = |(at, r): &(usize, &Visible)| {
            let may_be_read = restarted || *at < first_unread || read.contains(&r.fingerprint);
            let is_unread = unread.contains(&r.fingerprint);
            r.offset >= from && if is_unread { *at < whole_until } else { may_be_read }
        };
        records(self.target_after.iter().enumerate().filter(again).count())
    }

    /// The last index in `target_after` from which everything unread that the target has is still there.
    fn unread_is_whole_until(&self) -> usize {
        let mut left: HashMap<u64, usize> = HashMap::new();
        for record in &self.source[self.at..] {
            *left.entry(record.fingerprint).or_default() += 1;
        }
        let mut until = self.target_after.len();
        for (at, r) in self.target_after.iter().enumerate().rev() {
            if let Some(count) = left.get_mut(&r.fingerprint).filter(|count| **count > 0) {
                *count -= 1;
                until = at;
            }
        }
        until
    }

    /// Whether a record is on the target more often than on the source.
    fn restart_in_view(&self) -> bool {
        let mut left: HashMap<u64, usize> = HashMap::with_capacity(self.source.len());
        for record in self.source {
            *left.entry(record.fingerprint).or_default() += 1;
        }
        self.target_after.iter().any(|r| match left.get_mut(&r.fingerprint) {
            Some(0) => true,
            Some(count) => {
                *count -= 1;
                false
            }
            None => false,
        })
    }

    /// Behind the last copy of a read record that has a copy of everything unread after it: a flow copies in order, so
    /// that is where the restart after which nothing is missing came to what the group has not read.
    fn after_last_read(&self, read: &HashSet<u64>, unread: &HashSet<u64>) -> Option<i64> {
        // With a next pair the source was read up to it only, and what the target has may be copies of later records.
        let whole = self.bracket.is_none_or(|bracket| bracket.after.is_none());
        if !whole || !self.tells_apart(read, unread) {
            return None;
        }
        let needed = self.needed(read, unread).map(|at| (self.target_after[at].fingerprint, at));
        let last: HashMap<u64, usize> = needed.collect();
        let until = last.into_values().min().unwrap_or(self.target_after.len());
        let was_read = |r: &Visible| read.contains(&r.fingerprint) && !unread.contains(&r.fingerprint);
        let at = self.target_after[..until].iter().rposition(was_read)?;
        Some(
            self.target_after
                .get(at + 1)
                .map_or(self.target_after[at].offset.saturating_add(1), |r| r.offset),
        )
    }

    /// Whether each unread record differs from all others, so that a copy says which record it is. While a restart has
    /// not caught up, these others are also records that the source may no longer have: the last copy of a content is
    /// of its last record only after that.
    fn tells_apart(&self, read: &HashSet<u64>, unread: &HashSet<u64>) -> bool {
        let catching_up = self.bracket.is_some_and(|bracket| bracket.restarted);
        // With a next pair the source was read up to it only; before a restart the target has copies of later records.
        let beyond = self.bracket.is_some_and(|bracket| bracket.after.is_some()) && self.restart_in_view();
        self.distinct(read, unread) && !beyond && (!catching_up || self.source_is_whole())
    }

    /// Whether each unread record that the source has differs from all others there.
    fn distinct(&self, read: &HashSet<u64>, unread: &HashSet<u64>) -> bool {
        unread.len() == self.source.len() - self.at && unread.is_disjoint(read)
    }

    /// Whether nothing is missing on the source from where records were copied again: no hole.
    fn source_is_whole(&self) -> bool {
        let (Some(bracket), Some(last)) = (self.bracket, self.source.last()) else { return false };
        let held = after(self.source, bracket.repeats_from - 1).len();
        records(held) == (last.offset - bracket.repeats_from).saturating_add(1)
    }

    /// Whether nothing can have been copied twice from the pair up to this record: no hole on the source that would make
    /// up for it, and as far from the pair on both sides.
    fn copied_once_to(&self, source: Visible, target: Visible) -> bool {
        let Some(Bracket { before, .. }) = self.bracket else { return false };
        let distance = source.offset - before.upstream;
        let there = self.source_after.partition_point(|r| r.offset <= source.offset);
        distance == records(there) && distance == target.offset - before.downstream
    }

    /// Indices in `target_after` of what the group may not have read. A record that the source no longer has was read
    /// if a record that was read came to the target for the first time after it: first copies are in order. Behind a
    /// restart that has not caught up the first copy in view may be the second one, the first being compacted away.
    fn needed(&self, read: &HashSet<u64>, unread: &HashSet<u64>) -> impl Iterator<Item = usize> {
        let copies_from = self.bracket.and_then(|bracket| bracket.copies_from);
        let first_copies =
            self.target_after.iter().take_while(|r| copies_from.is_none_or(|from| r.offset < from));
        let mut seen = HashSet::new();
        let mut read_before = 0;
        for (at, r) in first_copies.enumerate() {
            let was_read = read.contains(&r.fingerprint) && !unread.contains(&r.fingerprint);
            if was_read && seen.insert(r.fingerprint) {
                read_before = at;
            }
        }
        let may_be_unread = move |(at, r): (usize, &Visible)| {
            let known_read = read.contains(&r.fingerprint) || at < read_before;
            (unread.contains(&r.fingerprint) || !known_read).then_some(at)
        };
        self.target_after.iter().enumerate().filter_map(may_be_unread)
    }

    fn read_and_unread(&self) -> (HashSet<u64>, HashSet<u64>) {
        let fingerprints = |records: &[Visible]| records.iter().map(|r| r.fingerprint).collect();
        (fingerprints(&self.source[..self.at]), fingerprints(&self.source[self.at..]))
    }

    /// Goes back, record by record, from the first unread record that exists once on both sides. Compaction removes
    /// the older of equal records, so counting backwards stays right where counting forwards does not. Records that
    /// exist on one side only are passed over.
    fn back_from_landmark(&self, searched: &[Visible]) -> Option<Mapping> {
        let on_source = places(self.source);
        let on_target = places(searched);
        let once =
            |places: &HashMap<u64, Place>, r: &Visible| places.get(&r.fingerprint).and_then(|p| p.only);
        let (mut s, mut t) = self.source[self.at..]
            .iter()
            .find_map(|record| Some((once(&on_source, record)?, once(&on_target, record)?)))?;
        let (read, unread) = self.read_and_unread();
        // Copies of a restart are in the way of counting where records repeat themselves.
        if !self.tells_apart(&read, &unread) && !self.copied_once_to(self.source[s], searched[t]) {
            return None;
        }
        let mut position = t;
        while s > self.at {
            s -= 1;
            if !on_target.contains_key(&self.source[s].fingerprint) {
                continue;
            }
            t = searched[..t].iter().rposition(|r| on_source.contains_key(&r.fingerprint))?;
            if searched[t].fingerprint != self.source[s].fingerprint {
                return None;
            }
            position = t;
        }
        if searched[position].fingerprint != self.next().fingerprint {
            // The next record is gone from the target; what stands before the position may be unread and gone from
            // the source.
            position = searched[..position]
                .iter()
                .rposition(|r| read.contains(&r.fingerprint) && !unread.contains(&r.fingerprint))
                .map_or(0, |known| known + 1);
        }
        // Retention may have left the landmark in the copies of a restart only, which may not have caught up.
        let behind: HashSet<u64> = self.target_after[position..].iter().map(|r| r.fingerprint).collect();
        let left_out = |r: &Visible| unread.contains(&r.fingerprint) && !behind.contains(&r.fingerprint);
        if searched[..position].iter().any(left_out) {
            return None;
        }
        Some(Mapping::exact(searched[position].offset, Method::Content))
    }
}

/// Where a fingerprint is.
struct Place {
    /// Its index while it was seen once only.
    only: Option<usize>,
}

fn places(records: &[Visible]) -> HashMap<u64, Place> {
    let mut places: HashMap<u64, Place> = HashMap::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        places
            .entry(record.fingerprint)
            .and_modify(|place| place.only = None)
            .or_insert(Place { only: Some(at) });
    }
    places
}

fn after(records: &[Visible], offset: i64) -> &[Visible] {
    &records[records.partition_point(|r| r.offset <= offset)..]
}

fn equal(source: &[Visible], target: &[Visible]) -> bool {
    source.len() == target.len() && source.iter().zip(target).all(|(s, t)| s.fingerprint == t.fingerprint)
}

fn records(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
