//! One offset-syncs topic as it is read on: what is known of it, what of that is not kept yet, and whether something is missing.
//!
//! Compaction removes a pair only when a newer one of its partition stays, and the older ones before it. So of the pairs that are
//! read in one go none is missing between two of a partition. But between the last one that was read before and the first one that
//! is read now there may be some, if an offset between them is not there any more. What happened then (a task set back, a copy made
//! anew) is not known, so such a partition begins anew: its older pairs could put a group past what it has not read. What a cleaner takes away
//! while one long read is under way does not show (docs/decisions/0018-kept-offset-pairs.md).

mod keeping;
mod taking;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    offset_pairs::{Kept, ReadPairs, SyncsTopic},
    survey::UnreadableSyncs,
    topic::TopicPartition,
};
use tokio::time::Instant;
use uuid::Uuid;

use self::keeping::Unkept;
use super::copies::{Copies, Looked};

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
}

#[cfg(test)]
mod tests;
