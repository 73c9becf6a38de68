//! One partition's log: data and control markers at offsets, with open, committed and aborted transactions.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    admin::ProducerState,
    mover::{Isolation, Record},
};

/// What of a transaction a data entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxnStatus {
    /// Written outside a transaction, or its transaction was committed.
    Committed,
    /// Its transaction is open: it holds back the last stable offset.
    Open,
    /// Its transaction was aborted: physically there, invisible to committed reads.
    Aborted,
}

/// What an offset holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A record.
    Data {
        /// The record; its offset is the entry's.
        record: Record,
        /// Who wrote it; 0 for a producer without an id.
        producer_id: i64,
        /// Its transaction.
        status: TxnStatus,
    },
    /// The end of a transaction: takes an offset, is never shown as a record.
    Marker {
        /// Whose transaction.
        producer_id: i64,
        /// Commit or abort.
        commit: bool,
        /// When it was written, in milliseconds since the epoch; -1 when nobody says. Brokers find it by its time as they find records.
        timestamp: i64,
    },
}

/// An offset that is still there and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The offset.
    pub offset: i64,
    /// What it holds.
    pub kind: EntryKind,
}

/// One partition's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    start: i64,
    next: i64,
    /// High watermark while a replica in sync does not follow.
    held: Option<i64>,
    entries: Vec<Entry>,
    producers: BTreeMap<i64, ProducerState>,
    own_time: bool,
    denied: bool,
    /// Epoch of each leader after the first, and where its own records begin.
    elections: Vec<(i32, i64)>,
}

/// What a log that writes its own timestamps gives the record at offset 0.
const OWN_TIME: i64 = 1_900_000_000_000;

/// A record without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Log {
    /// First offset still there.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.start
    }

    /// High watermark.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.held.unwrap_or(self.next)
    }

    /// One past the last entry the leader has, readable or not.
    #[must_use]
    pub fn log_end(&self) -> i64 {
        self.next
    }

    /// From now on a replica in sync does not follow: what is appended cannot be read, and `acks=1` acknowledges it all the same.
    pub fn stop_replicas(&mut self) {
        self.held.get_or_insert(self.next);
    }

    /// All replicas have all of it again.
    pub fn replicas_follow(&mut self) {
        self.held = None;
    }

    /// Epoch of the present leader.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        self.elections.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// A leader is elected: what is written from now on is of another epoch. In between there was none for a moment, which
    /// counts as an epoch, too.
    pub fn elect(&mut self) {
        self.elections.push((self.leader_epoch() + 2, self.next));
    }

    /// Where the records of leaders up to an epoch end; `None` when there was no such epoch yet.
    #[must_use]
    pub fn end_of_epoch(&self, epoch: i32) -> Option<i64> {
        if epoch > self.leader_epoch() {
            return None;
        }
        let later = self.elections.iter().find(|(other, _)| *other > epoch);
        Some(later.map_or(self.next, |(_, began)| *began))
    }

    /// Last stable offset: the first entry of the oldest open transaction, or the end.
    #[must_use]
    pub fn stable(&self) -> i64 {
        self.producers
            .values()
            .filter_map(|state| state.open_transaction_start)
            .min()
            .unwrap_or(self.next)
            .min(self.end())
    }

    /// First offset whose record or marker has at least this timestamp, or -1.
    #[must_use]
    pub fn at_time(&self, timestamp: i64) -> i64 {
        let late = |entry: &&Entry| match &entry.kind {
            EntryKind::Data { record, .. } => record.timestamp >= timestamp,
            EntryKind::Marker { timestamp: ended, .. } => *ended >= timestamp,
        };
        self.entries.iter().find(late).map_or(-1, |entry| entry.offset)
    }

    /// Everything still there, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Appends a record and returns its offset. `in_txn` leaves it open until [`Log::end_transaction`].
    pub fn append(&mut self, payload: Payload, producer_id: i64, in_txn: bool) -> i64 {
        let offset = self.next;
        self.next += 1;
        let Payload { timestamp, key, value, headers } = payload;
        let timestamp = if self.own_time { OWN_TIME + offset } else { timestamp };
        if producer_id != 0 {
            let state = self.producers.entry(producer_id).or_insert(ProducerState {
                producer_id,
                last_sequence: -1,
                last_timestamp: timestamp,
                open_transaction_start: None,
                ended_transaction: false,
            });
            state.last_sequence += 1;
            state.last_timestamp = timestamp;
            if in_txn {
                state.open_transaction_start.get_or_insert(offset);
            }
        }
        let status = if in_txn { TxnStatus::Open } else { TxnStatus::Committed };
        let record = Record { offset, timestamp, log_append_time: self.own_time, key, value, headers };
        self.entries.push(Entry { offset, kind: EntryKind::Data { record, producer_id, status } });
        offset
    }

    /// Settles a producer's open entries and appends the marker, at the time of the last record that it wrote.
    pub fn end_transaction(&mut self, producer: i64, commit: bool) {
        let written = self.producers.get(&producer).map_or(-1, |state| state.last_timestamp);
        self.end_transaction_at(producer, commit, written);
    }

    /// The same with a marker of that time: what is copied late is older than the markers behind it.
    pub fn end_transaction_at(&mut self, producer: i64, commit: bool, timestamp: i64) {
        let began = self.producers.get(&producer).and_then(|state| state.open_transaction_start);
        let first = self.entries.partition_point(|entry| entry.offset < began.unwrap_or(self.next));
        for entry in &mut self.entries[first..] {
            if let EntryKind::Data { producer_id, status, .. } = &mut entry.kind
                && *producer_id == producer
                && *status == TxnStatus::Open
            {
                *status = if commit { TxnStatus::Committed } else { TxnStatus::Aborted };
            }
        }
        let kind = EntryKind::Marker { producer_id: producer, commit, timestamp };
        self.entries.push(Entry { offset: self.next, kind });
        self.next += 1;
        if let Some(state) = self.producers.get_mut(&producer) {
            state.last_sequence = -1;
            state.open_transaction_start = None;
            state.ended_transaction = true;
        }
    }

    /// Records in `from..until` that a reader of this isolation sees.
    pub fn visible(&self, from: i64, until: i64, isolation: Isolation) -> impl Iterator<Item = &Record> {
        let until = match isolation {
            Isolation::ReadUncommitted => until.min(self.end()),
            Isolation::ReadCommitted => until.min(self.stable()),
        };
        let first = self.entries.partition_point(|entry| entry.offset < from);
        self.entries[first..].iter().take_while(move |entry| entry.offset < until).filter_map(move |entry| {
            match &entry.kind {
                EntryKind::Data { record, status, .. } => {
                    let shown = isolation == Isolation::ReadUncommitted || *status == TxnStatus::Committed;
                    shown.then_some(record)
                }
                EntryKind::Marker { .. } => None,
            }
        })
    }

    /// Removes everything below an offset (DeleteRecords, retention).
    pub fn delete_below(&mut self, offset: i64) {
        self.start = offset.clamp(self.start, self.next);
        self.entries.retain(|entry| entry.offset >= self.start);
        for state in self.producers.values_mut() {
            state.open_transaction_start = state.open_transaction_start.filter(|began| *began >= self.start);
        }
    }

    /// Removes what a newer record of the same key stands behind, of what lies below an offset, as a log cleaner does.
    pub fn compact_below(&mut self, until: i64) {
        let mut newest = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.offset < until) {
            if let EntryKind::Data { record, .. } = &entry.kind {
                newest.insert(record.key.clone(), entry.offset);
            }
        }
        self.entries.retain(|entry| match &entry.kind {
            EntryKind::Data { record, .. } => {
                entry.offset >= until || newest.get(&record.key) == Some(&entry.offset)
            }
            EntryKind::Marker { .. } => true,
        });
    }

    /// Leaves out so many offsets, as compaction of as many records does.
    pub fn leave_hole(&mut self, offsets: i64) {
        self.next += offsets;
    }

    /// From now on records get the log's own timestamps, or keep their producers' (`message.timestamp.type`).
    pub fn write_own_time(&mut self, own: bool) {
        self.own_time = own;
    }

    /// From now on Muster may describe the topic and not read it, or read it again.
    pub fn deny_reads(&mut self, denied: bool) {
        self.denied = denied;
    }

    /// Whether its records may not be read.
    #[must_use]
    pub fn denies_reads(&self) -> bool {
        self.denied
    }

    /// Removes everything from an offset on, as an election among replicas that lag does; what is written next takes its place.
    pub fn truncate(&mut self, end: i64) {
        self.entries.retain(|entry| entry.offset < end);
        self.next = self.next.min(end);
        for (_, began) in &mut self.elections {
            *began = (*began).min(end);
        }
        self.elect();
    }

    /// Producers as DescribeProducers answers.
    #[must_use]
    pub fn producers(&self) -> Vec<ProducerState> {
        self.producers.values().cloned().collect()
    }
}
