//! Moving records: canaries, verification reads and tails. Never part of a consumer group, never auto-creates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use muster_domain::topic::TopicPartition;

use crate::error::KafkaError;

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
    /// One past the last offset.
    pub until: i64,
}

/// A record as read. Control records never appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch; -1 when the record has none.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order, duplicates kept.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// XXH3-64 over timestamp, key, value and headers: equal records have equal fingerprints on both clusters, since
    /// MirrorMaker 2 keeps all four (mm2.md 4.1). Lengths are hashed too, so that fields cannot run into one another.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        hasher.update(&self.timestamp.to_le_bytes());
        let mut field = |bytes: Option<&[u8]>| match bytes {
            None => hasher.update(&u64::MAX.to_le_bytes()),
            Some(bytes) => {
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
        };
        field(self.key.as_deref());
        field(self.value.as_deref());
        for (name, value) in &self.headers {
            field(Some(name.as_bytes()));
            field(value.as_deref());
        }
        hasher.digest()
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

    /// The last visible record below `until` of each partition, found by reading backwards in growing steps over
    /// control records and aborted data. `None` when the partition holds no visible record below it.
    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Option<TailRecord>>, KafkaError>;

    /// Writes records to one partition with acks=all and an idempotent producer; returns their offsets. Checks the
    /// cluster id first, like every mutation.
    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError>;
}
