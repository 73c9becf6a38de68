//! Moving records: canaries, verification reads and tails. Never part of a consumer group, never auto-creates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use muster_domain::topic::TopicPartition;

use crate::{
    error::KafkaError,
    records::prints::{PrintRange, RecordPrint},
    share::WorkShare,
};

/// Offsets a mover that knows no batches reads on at a time.
const STEP: i64 = 1_000;

/// Which records a read shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everything physically there, aborted data included.
    ReadUncommitted,
    /// Committed data only, up to the last stable offset.
    ReadCommitted,
}

/// A stretch of a partition: `from` inclusive to `until` exclusive, in offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRange {
    /// Partition.
    pub partition: TopicPartition,
    /// First offset.
    pub from: i64,
    /// One past the last offset: where the log was seen to end, or a place before it. Reading up to an offset that the log
    /// does not reach is an error (`OFFSET_NOT_AVAILABLE`), not a short answer: what is missing may not look like nothing.
    pub until: i64,
}

impl ReadRange {
    /// `until` of a stretch that is read to the end of the log, wherever that is.
    pub const TO_THE_END: i64 = i64::MAX;
}

/// A record as read. Control records never appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch; -1 when the record has none.
    pub timestamp: i64,
    /// The broker wrote the timestamp when it appended the record (`message.timestamp.type=LogAppendTime`), not the producer.
    pub log_append_time: bool,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order, duplicates kept.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// Equal records have equal fingerprints on both clusters, since MirrorMaker 2 keeps timestamp, key, value and headers
    /// (mm2.md 4.1). See [`crate::RecordPrint::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.print().fingerprint
    }

    /// Bytes of its key, value and headers.
    #[must_use]
    pub fn length(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>();
        length(&self.key) + length(&self.value) + headers
    }
}

/// What reading a stretch on once found. See [`RecordMover::read_piece`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Visible records in order, none longer than was asked for.
    pub records: Vec<Record>,
    /// Next offset to read.
    pub next: i64,
    /// Nothing is left to read.
    pub done: bool,
    /// Records left out: longer ones, and those of batches that cannot be read.
    pub left_out: u64,
    /// Where the last of them is and why it was left out; empty when none was.
    pub last_left_out: String,
    /// Bytes of records looked at, those left out included.
    pub(crate) looked_at: usize,
}

impl Piece {
    /// A piece is full once so many bytes were looked at.
    const FULL: usize = 8 << 20;

    pub(crate) fn is_full(&self) -> bool {
        self.looked_at >= Self::FULL
    }

    pub(crate) fn take(&mut self, records: impl IntoIterator<Item = Record>, longest: usize) {
        for record in records {
            let length = record.length();
            self.looked_at = self.looked_at.saturating_add(length);
            if length <= longest {
                self.records.push(record);
            } else {
                let text = format!("the record at offset {} is {length} bytes long", record.offset);
                self.leave_out(1, text);
            }
        }
    }

    pub(crate) fn leave_out(&mut self, records: u64, why: String) {
        self.left_out = self.left_out.saturating_add(records);
        self.last_left_out = why;
    }
}

/// The last visible record of a partition, with where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailRecord {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
    /// See [`Record::fingerprint`].
    pub fingerprint: u64,
    /// See [`Record::log_append_time`].
    pub log_append_time: bool,
}

impl From<RecordPrint> for TailRecord {
    fn from(print: RecordPrint) -> Self {
        let RecordPrint { offset, timestamp, fingerprint, log_append_time, .. } = print;
        Self { offset, timestamp, fingerprint, log_append_time }
    }
}

/// One answer per partition: its last visible record, `None` when it holds none, or why that cannot be told (boxed: there may be
/// very many answers).
pub type Tails = BTreeMap<TopicPartition, Result<Option<TailRecord>, Box<KafkaError>>>;

/// The last records for those who need every one of them.
///
/// # Errors
/// When that of a partition cannot be told.
pub fn every_tail(tails: Tails) -> Result<BTreeMap<TopicPartition, Option<TailRecord>>, KafkaError> {
    tails.into_iter().map(|(at, tail)| Ok((at, tail.map_err(|error| *error)?))).collect()
}

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
}

/// Muster's record reader and writer on one cluster.
#[async_trait]
pub trait RecordMover: Send + Sync + std::fmt::Debug {
    /// Name of the cluster in Muster, for messages.
    fn cluster(&self) -> &str;

    /// Reads stretches of many partitions at once. Returns when every stretch was read to its end (or to the end of
    /// the log, or the last stable offset for committed reads, whichever comes first), or fails at the deadline.
    /// `deadline_ms` bounds the whole call. For stretches that are known to be short: all records stand in memory at once,
    /// and a call that comes to hold more than 512 MiB fails, as does one that meets a batch that cannot be read.
    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError>;

    /// Reads one stretch on by what one answer of its leader holds, about a megabyte as it was packed and eight unpacked.
    /// Records longer than `longest` bytes and batches that cannot be read are left out and counted, and reading goes on
    /// behind them: for topics that others write to, where a record of theirs must not be in the way of those that are meant.
    async fn read_piece(
        &self,
        range: &ReadRange,
        longest: usize,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Piece, KafkaError> {
        let until = range.from.saturating_add(STEP).min(range.until);
        let mut read = self.read(&[ReadRange { until, ..range.clone() }], isolation, deadline_ms).await?;
        let mut piece = Piece { next: until, done: until >= range.until, ..Piece::default() };
        piece.take(read.remove(&range.partition).unwrap_or_default(), longest);
        Ok(piece)
    }

    /// Reads every stretch on that is not done: by what one answer of its leader holds, about a megabyte. Only prints are
    /// kept, so stretches of any length are read in bounded memory, and next to nothing is sent twice. After an error all are as they
    /// were. A batch that cannot be read is an error that names it: left out, it would look as if nothing were there.
    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        read_step(self, stretches, isolation, deadline_ms).await
    }

    /// The last visible record below `until` of each partition, found by reading backwards in growing steps over
    /// control records and aborted data. `None` when the partition holds no visible record below it. A batch there that cannot
    /// be read is the error of that partition alone.
    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Tails, KafkaError>;

    /// Joins a consumer group only to have the partitions of topics dealt out among its members; nothing is awaited. Needs
    /// READ on the group.
    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError>;

    /// Writes records to one partition with acks=all and an idempotent producer; returns their offsets. Checks the
    /// cluster id first, like every mutation.
    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError>;
}

/// Reads stretches on by a step, through [`RecordMover::read`].
pub(crate) async fn read_step<M: RecordMover + ?Sized>(
    mover: &M,
    stretches: &mut [&mut PrintRange],
    isolation: Isolation,
    deadline_ms: u64,
) -> Result<(), KafkaError> {
    let step = |at: &PrintRange| at.next.saturating_add(STEP).min(at.until);
    let open = stretches.iter().filter(|stretch| !stretch.done);
    let ranges: Vec<ReadRange> = open
        .map(|at| ReadRange { partition: at.partition.clone(), from: at.next, until: step(at) })
        .collect();
    let mut read = mover.read(&ranges, isolation, deadline_ms).await?;
    for stretch in stretches.iter_mut().filter(|stretch| !stretch.done) {
        for record in read.remove(&stretch.partition).unwrap_or_default() {
            let print = record.print();
            stretch.bytes += u64::from(print.bytes);
            stretch.keep(print);
        }
        stretch.next = step(stretch);
        stretch.done = stretch.next >= stretch.until;
    }
    Ok(())
}
