//! Readers of one stretch that tell what side answers it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use muster_domain::topic::TopicPartition;
use muster_kafka::{
    Isolation, KafkaError, Piece, PrintRange, ReadRange, Record, RecordMover, Tails, WorkShare,
    mover::NewRecord,
};

use super::standstill::Standstill;

/// See the module.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    /// Who reads.
    pub(super) mover: &'a dyn RecordMover,
    /// Number of the stretch.
    pub(super) number: i32,
    /// Who is told.
    pub(super) standstill: &'a Standstill,
}

#[async_trait]
impl RecordMover for Heard<'_> {
    fn cluster(&self) -> &str {
        self.mover.cluster()
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError> {
        self.mover.read(ranges, isolation, deadline_ms).await
    }

    async fn read_piece(
        &self,
        range: &ReadRange,
        longest: usize,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Piece, KafkaError> {
        self.mover.read_piece(range, longest, isolation, deadline_ms).await
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        // Where nothing is left to read nobody is asked, and nobody answers.
        let asks = stretches.iter().any(|stretch| !stretch.done);
        self.mover.read_on(stretches, isolation, deadline_ms).await?;
        if asks {
            self.standstill.answered(self.number, self.mover.cluster());
        }
        Ok(())
    }

    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Tails, KafkaError> {
        self.mover.tails(until, isolation, deadline_ms).await
    }

    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
        self.mover.share(group, topics).await
    }

    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError> {
        self.mover.write(partition, records, deadline_ms).await
    }
}
