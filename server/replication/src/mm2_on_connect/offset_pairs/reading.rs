//! One offset-syncs topic as it is read on: what is known of it, what of that is not kept yet, and whether something is missing.
//!
//! Compaction removes a pair only when a newer one of its partition stays, and the older ones before it. So of the pairs that are
//! read in one go none is missing between two of a partition. But between the last one that was read before and the first one that
//! is read now there may be some, if an offset between them is not there any more. What happened then (a task set back, a copy made
//! anew) is not known, so such a partition begins anew: its older pairs could put a group past what it has not read. What a cleaner takes away
//! while one long read is under way does not show (docs/decisions/0018-kept-offset-pairs.md).

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use muster_domain::{
    offset_pairs::{BOUNDS, Bounds, Kept, KeptUntil, ReadPairs, Seen, SyncsTopic, can_be_a_topic},
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::TopicPartition,
};
use muster_kafka::{Piece, Record};
use tokio::time::Instant;
use uuid::Uuid;

use super::copies::{Copies, Looked};
use crate::formats::decode_offset_sync;

/// Time between two keepings. Until then the topic has it: compaction does not come to what was just written.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// Time until it is kept that the topic was read to its end once more, where it had nothing new.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Time until it is looked at again whether the process that keeps them goes on with it: a few times what lies between two keepings.
const LEFT_FOR: Duration = Duration::from_secs(90);
/// So long it is said of records that they could not be read, after the last of them: whoever wrote them has stopped by then, or is
/// told of again by the next.
const UNREADABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// So many pairs are kept at once.
const KEEP_AT: usize = 20_000;

/// A log that pairs are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) id: Option<Uuid>,
}

impl Log {
    /// As it is kept; `None` for one that cannot be told from another one of its name.
    pub(super) fn kept_as(&self) -> Option<SyncsTopic> {
        Some(SyncsTopic { cluster: self.cluster.clone(), name: self.name.clone(), id: self.id? })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reading {
    log: Log,
    known: ReadPairs,
    unkept: Option<Unkept>,
    /// Where the last pair of a partition was read since the end was reached last; of the others it was before that.
    seen: BTreeMap<TopicPartition, i64>,
    /// The last offset since then that was not there any more.
    missing: Option<i64>,
    /// Where what is read in one go now began.
    began: i64,
    /// Partitions that began anew since the end was reached.
    begun_anew: usize,
    /// What could not be read is before this offset.
    unreadable_until: i64,
    /// When the last of it was read, or recalled.
    unreadable_at: Instant,
    /// When the end was reached last, by this process or the one that kept what is known.
    read_at: Option<DateTime<Utc>>,
    /// The end is reached, and nothing was read since.
    at_end: bool,
    /// What the pairs are about.
    copies: Copies,
}

/// What of it is not kept yet.
#[derive(Debug)]
struct Unkept {
    topic: SyncsTopic,
    read: ReadPairs,
    /// When the end was reached last as far as that is kept.
    said: Option<DateTime<Utc>>,
    /// The turn it goes on from.
    turn: Option<i64>,
    /// What was kept in that turn is of this log, and ends where this begins.
    joins: bool,
    kept_at: Option<Instant>,
    /// Somebody else kept more, or may have: what they kept is to go on from.
    overtaken: bool,
    /// Some partitions began anew in it: who else read the same may know more.
    has_gaps: bool,
    /// Somebody else keeps what is read here, too.
    left: Option<Left>,
}

/// How it stood when it was seen last that somebody else keeps.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Their turn.
    turn: i64,
    /// How far this process had read.
    read_until: i64,
}

impl Reading {
    /// From the first offset on, kept by nobody.
    pub(super) fn anew(log: Log, start: i64) -> Self {
        let known = ReadPairs::beginning_at(start, UnreadableSyncs::default());
        Self {
            log,
            known,
            unkept: None,
            seen: BTreeMap::new(),
            missing: None,
            began: start,
            begun_anew: 0,
            unreadable_until: start,
            unreadable_at: Instant::now(),
            read_at: None,
            at_end: false,
            copies: Copies::default(),
        }
    }

    /// From where what is kept ends; from the first offset on if that is of another log, or if what followed it is gone.
    pub(super) fn on_from(kept: Option<Kept>, log: Log, topic: SyncsTopic, (start, end): (i64, i64)) -> Self {
        let turn = kept.as_ref().map(|kept| kept.turn);
        let same = kept.and_then(|Kept { pairs, seen, .. }| Some((pairs?, seen)));
        let same = same.filter(|((of, _), _)| *of == topic);
        let mut reading = Self::anew(log, start);
        let mut joins = false;
        if let Some(((_, read), seen)) = same {
            joins = (start..=end).contains(&read.until);
            match joins {
                true => {
                    reading.unreadable_until = read.until;
                    reading.known = read;
                    reading.read_at = seen.read_at;
                    reading.copies = Copies::kept(seen.copies);
                }
                false => {
                    let (name, read) = (&topic.name, read.until);
                    tracing::warn!(
                        start,
                        end,
                        read,
                        "what followed the offset syncs of `{name}` that are kept is gone; they are begun anew"
                    );
                }
            }
        }
        reading.unkept_from(topic, turn, joins);
        reading
    }

    /// What is kept, of a log that cannot be looked at now. Whether what followed it is still there shows once it can.
    pub(super) fn recalled(kept: Kept) -> Option<Self> {
        let Kept { turn, pairs: Some((topic, read)), seen } = kept else { return None };
        let log = Log { cluster: topic.cluster.clone(), name: topic.name.clone(), id: Some(topic.id) };
        let mut reading = Self::anew(log, read.until);
        reading.known = read;
        reading.read_at = seen.read_at;
        reading.copies = Copies::kept(seen.copies);
        reading.unkept_from(topic, Some(turn), true);
        Some(reading)
    }

    fn unkept_from(&mut self, topic: SyncsTopic, turn: Option<i64>, joins: bool) {
        let read = ReadPairs::beginning_at(self.known.until, self.known.unreadable.clone());
        self.unkept = Some(Unkept {
            topic,
            read,
            said: self.read_at,
            turn,
            joins,
            kept_at: None,
            overtaken: false,
            has_gaps: false,
            left: None,
        });
    }

    /// Whether it may be read on, when the log is this one and has these offsets. A shorter one is another, even where brokers
    /// give no ids.
    pub(super) fn goes_on(&self, log: &Log, (start, end): (i64, i64)) -> bool {
        let overtaken = self.unkept.as_ref().is_some_and(|unkept| unkept.overtaken);
        !overtaken && self.log == *log && (start..=end).contains(&self.known.until)
    }

    /// Everything known.
    pub(super) fn known(&self) -> &ReadPairs {
        &self.known
    }

    /// Name of the topic.
    pub(super) fn name(&self) -> &str {
        &self.log.name
    }

    /// When its end was reached last.
    pub(super) fn read_at(&self) -> Option<DateTime<Utc>> {
        self.read_at
    }

    /// Next offset to read.
    pub(super) fn next(&self) -> i64 {
        self.known.until
    }

    /// Forgets that records could not be read when the log begins behind all of them, or after a day without another one: what is
    /// kept outlives them, and they are not to be spoken of until the topic is made anew.
    pub(super) fn forget_unreadable(&mut self, start: i64, now: Instant) {
        let long_ago = now.duration_since(self.unreadable_at) >= UNREADABLE_FOR;
        if start < self.unreadable_until && !long_ago {
            return;
        }
        self.known.unreadable = UnreadableSyncs::default();
        if let Some(Unkept { read, .. }) = &mut self.unkept {
            read.unreadable = UnreadableSyncs::default();
        }
    }

    /// What is taken from here on is read in one go: nobody waits in between.
    pub(super) fn go_on(&mut self) {
        self.began = self.known.until;
        self.at_end = false;
    }

    /// Takes a piece of the log, which ends there.
    pub(super) fn take(&mut self, piece: Piece, end: i64) {
        let before = self.known.unreadable.count;
        if piece.left_out > 0 {
            self.known.unreadable.add(piece.left_out, piece.last_left_out);
        }
        let next = if piece.done { end } else { piece.next };
        // What was left out is there: records that are no offset syncs.
        let there = piece.left_out.saturating_add(piece.records.len() as u64);
        let some_are_gone = u64::try_from(next - self.known.until).unwrap_or_default() > there;
        let mut expected = self.known.until;
        for record in &piece.records {
            if some_are_gone && record.offset > expected {
                self.missing = Some(record.offset - 1);
            }
            expected = record.offset.saturating_add(1);
            self.keep(record);
        }
        if some_are_gone && next > expected {
            self.missing = Some(next - 1);
        }
        let UnreadableSyncs { count, last } = &self.known.unreadable;
        if *count > before {
            let new = count - before;
            tracing::warn!(new, last, "skipped records of an offset-syncs topic");
            self.unreadable_until = next;
            self.unreadable_at = Instant::now();
        }
        self.known.until = next;
        self.known.keep_within(BOUNDS);
        if let Some(Unkept { read, .. }) = &mut self.unkept {
            read.until = next;
            read.unreadable = self.known.unreadable.clone();
            read.keep_within(BOUNDS);
        }
    }

    /// Forgets older pairs of what is known, until there are no more than so many. What is not kept yet stays whole.
    pub(super) fn shorten_to(&mut self, pairs: usize) {
        let (before, name) = (self.known.count(), &self.log.name);
        self.known.keep_within(Bounds { pairs, ..BOUNDS });
        let left = self.known.count();
        if left < before {
            tracing::info!(
                before,
                left,
                "older offset syncs of `{name}` were thinned out: this process has no room for more"
            );
        }
    }

    fn keep(&mut self, record: &Record) {
        let (Some(key), Some(value)) = (&record.key, &record.value) else { return };
        let refused = match decode_offset_sync(key, value) {
            Ok((partition, _)) if !can_be_a_topic(&partition) => "of a topic that cannot be".to_owned(),
            Ok((partition, _)) if self.is_one_too_many(&partition) => {
                format!("of one partition more than the {} that are kept", BOUNDS.partitions)
            }
            Ok((partition, pair)) => return self.push(record.offset, partition, pair),
            Err(error) => error.to_string(),
        };
        self.known.unreadable.add(1, format!("the record at offset {} is {refused}", record.offset));
    }

    fn is_one_too_many(&self, partition: &TopicPartition) -> bool {
        self.known.partitions.len() >= BOUNDS.partitions && !self.known.partitions.contains_key(partition)
    }

    fn push(&mut self, at: i64, partition: TopicPartition, pair: OffsetPair) {
        let known = self.known.partitions.entry(partition.clone()).or_default();
        let last = known.pairs.last().copied();
        let back = last.filter(|last| pair.upstream < last.upstream).map(|last| Rewind {
            from: last.upstream,
            to: pair.upstream,
            downstream: pair.downstream,
        });
        let last_read = self.seen.insert(partition.clone(), at);
        let in_between = |gone: i64| last_read.is_none_or(|read| read < self.began && read < gone);
        let anew = last.is_some() && self.missing.is_some_and(in_between);
        self.begun_anew += usize::from(anew);
        if last.is_some_and(|last| pair.downstream <= last.downstream && pair != last) {
            self.copies.begins_anew(&partition);
        }
        let unkept = self.unkept.as_mut().map(|unkept| unkept.read.partitions.entry(partition).or_default());
        for list in [Some(known), unkept].into_iter().flatten() {
            if anew {
                list.begin_anew();
            }
            list.rewind = back.or(list.rewind);
            list.pairs.push(pair);
        }
    }

    /// The copies, if it is time to look at them: where the end is reached, so that what is read after the look was written not long
    /// before it.
    pub(super) fn copies_due(&mut self) -> Option<(&Copies, &ReadPairs)> {
        if !self.at_end || self.known.partitions.is_empty() || !self.copies.are_due() {
            return None;
        }
        self.copies.looking();
        Some((&self.copies, &self.known))
    }

    /// Takes what a look at the copies found before the log was read on, unless another log is read since. Pairs of a copy that is gone are
    /// forgotten.
    pub(super) fn bind(&mut self, looked: Looked) {
        if !self.copies.were_looked_at() {
            return;
        }
        let gone = self.copies.bind(looked, &self.known);
        if !gone.is_empty() {
            let (partitions, name) = (gone.len(), &self.log.name);
            tracing::warn!(
                partitions,
                "copies were made anew; the offset syncs of `{name}` that are of those before are forgotten"
            );
        }
        for at in gone {
            if let Some(known) = self.known.partitions.get_mut(&at) {
                known.begin_anew();
            }
            if let Some(Unkept { read, .. }) = &mut self.unkept {
                read.partitions.entry(at).or_default().begin_anew();
            }
        }
    }

    /// The end is reached: what is read from here on was written since. `began` is when reading towards it did.
    pub(super) fn caught_up(&mut self, began: DateTime<Utc>) {
        if self.begun_anew > 0 {
            let (partitions, name) = (self.begun_anew, &self.log.name);
            tracing::warn!(
                partitions,
                "offset syncs of `{name}` were compacted away before they were read; pairs of {partitions} partitions begin anew"
            );
            if let Some(unkept) = &mut self.unkept {
                unkept.has_gaps = true;
                unkept.overtaken |= unkept.left.is_some();
            }
        }
        self.missing = None;
        self.begun_anew = 0;
        self.seen.clear();
        self.read_at = Some(began);
        self.at_end = true;
    }

    /// What is to be kept now, and after which turn.
    pub(super) fn due(&self) -> Option<(Option<i64>, &SyncsTopic, &ReadPairs, Seen)> {
        let Unkept { topic, read, said, turn, joins, kept_at, overtaken, .. } = self.unkept.as_ref()?;
        let waited = |time: Duration| kept_at.is_none_or(|at| at.elapsed() >= time);
        let more = read.until > read.from && (waited(KEEP_EVERY) || read.count() >= KEEP_AT);
        // That pairs are forgotten is kept with what is read next; until then their topics stay bound to the copies that are gone.
        let whole = *joins && (read.until > read.from || read.partitions.is_empty());
        let again = whole && self.read_at > *said && waited(SAY_EVERY);
        let bound = whole && !self.copies.unkept().is_empty();
        (!overtaken && (more || again || bound)).then(|| {
            let seen = Seen { read_at: self.read_at, copies: self.copies.unkept().clone() };
            (*turn, topic, read, seen)
        })
    }

    /// It may be that nothing more can be read: what is not kept is kept at once.
    pub(super) fn hurry(&mut self) {
        if let Some(unkept) = self.unkept.as_mut().filter(|unkept| unkept.left.is_none()) {
            unkept.kept_at = None;
        }
    }

    /// It was kept, in that turn; `None` when somebody else came first, or that is not known.
    pub(super) fn kept(&mut self, in_turn: Option<i64>) {
        let Some(unkept) = &mut self.unkept else { return };
        match in_turn {
            Some(turn) => {
                (unkept.turn, unkept.joins) = (Some(turn), true);
                unkept.has_gaps = false;
                unkept.kept_at = Some(Instant::now());
                unkept.said = self.read_at;
                unkept.read = ReadPairs::beginning_at(self.known.until, self.known.unreadable.clone());
                self.copies.are_kept();
            }
            None => unkept.overtaken = true,
        }
    }

    /// Whether somebody else keeps what is read.
    pub(super) fn is_left(&self) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| unkept.left.is_some())
    }

    /// Whether it is time to see who keeps what is read.
    pub(super) fn looks_who_keeps(&self) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| {
            let waited = unkept.kept_at.is_none_or(|at| at.elapsed() >= LEFT_FOR);
            !unkept.overtaken && (unkept.left.is_none() || waited)
        })
    }

    /// Somebody else has kept that far. While they go on with it nothing has to be known of what they keep: all of it was read
    /// here, too. Once they do not, it is to go on from.
    pub(super) fn leave(&mut self, kept: Option<&KeptUntil>) {
        let read_until = self.known.until;
        let Some(unkept) = &mut self.unkept else { return };
        let goes_on = |kept: &&KeptUntil| {
            kept.topic == unkept.topic
                && !unkept.has_gaps
                && unkept.left.is_none_or(|left| kept.turn > left.turn || kept.until >= left.read_until)
        };
        match kept.filter(goes_on) {
            Some(kept) => {
                unkept.left = Some(Left { turn: kept.turn, read_until });
                unkept.kept_at = Some(Instant::now());
                unkept.read = ReadPairs::beginning_at(read_until, self.known.unreadable.clone());
            }
            None => unkept.overtaken = true,
        }
    }

    /// It could not be kept: later again.
    pub(super) fn not_kept(&mut self) {
        if let Some(unkept) = &mut self.unkept {
            unkept.kept_at = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
