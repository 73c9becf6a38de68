//! Taking pieces of an offset-syncs topic as they are read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_domain::{
    offset_pairs::{BOUNDS, Bounds, can_be_a_topic},
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::TopicPartition,
};
use muster_kafka::{Piece, Record};
use tokio::time::Instant;

use super::{Reading, keeping::Unkept};
use crate::formats::decode_offset_sync;

/// So long it is said of records that they could not be read, after the last of them: whoever wrote them has stopped by then, or is
/// told of again by the next.
const UNREADABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

impl Reading {
    /// Forgets that records could not be read when the log begins behind all of them, or after a day without another one: what is
    /// kept outlives them, and they are not to be spoken of until the topic is made anew.
    pub(in crate::mm2_on_connect::offset_pairs) fn forget_unreadable(&mut self, start: i64, now: Instant) {
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
    pub(in crate::mm2_on_connect::offset_pairs) fn go_on(&mut self) {
        self.began = self.known.until;
        self.at_end = false;
    }

    /// Takes a piece of the log, which ends there.
    pub(in crate::mm2_on_connect::offset_pairs) fn take(&mut self, piece: Piece, end: i64) {
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
    pub(in crate::mm2_on_connect::offset_pairs) fn shorten_to(&mut self, pairs: usize) {
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
        let decoded = match (&record.key, &record.value) {
            (Some(key), Some(value)) => decode_offset_sync(key, value).map_err(|error| error.to_string()),
            // MirrorMaker 2 writes neither, and takes no sync back.
            (None, _) => Err("without a key, which no offset sync is".to_owned()),
            (Some(_), None) => Err("without a value, which no offset sync is".to_owned()),
        };
        let refused = match decoded {
            Ok((partition, _)) if !can_be_a_topic(&partition) => "of a topic that cannot be".to_owned(),
            Ok((partition, _)) if self.is_one_too_many(&partition) => {
                format!("of one partition more than the {} that are kept", BOUNDS.partitions)
            }
            Ok((partition, pair)) => return self.push(record.offset, partition, pair),
            Err(refused) => refused,
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

    /// The end is reached: what is read from here on was written since. `began` is when reading towards it did.
    pub(in crate::mm2_on_connect::offset_pairs) fn caught_up(&mut self, began: DateTime<Utc>) {
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
}
