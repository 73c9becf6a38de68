//! Moving records: canaries, verification reads and tails. Never part of a consumer group, never auto-creates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use muster_domain::topic::TopicPartition;

use crate::{error::KafkaError, prints::PrintRange, share::WorkShare};

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
    /// `deadline_ms` bounds the whole call.
    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError>;

    /// Reads every stretch on that is not done: by what one answer of its leader holds, about a megabyte. Only prints are
    /// kept, so stretches of any length are read in bounded memory, and nothing is sent twice. After an error all are as they
    /// were.
    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        let step = |at: &PrintRange| (at.next + STEP).min(at.until);
        let open = stretches.iter().filter(|stretch| !stretch.done);
        let ranges: Vec<ReadRange> = open
            .map(|at| ReadRange { partition: at.partition.clone(), from: at.next, until: step(at) })
            .collect();
        let mut read = self.read(&ranges, isolation, deadline_ms).await?;
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

    /// The last visible record below `until` of each partition, found by reading backwards in growing steps over
    /// control records and aborted data. `None` when the partition holds no visible record below it.
    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Option<TailRecord>>, KafkaError>;

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
