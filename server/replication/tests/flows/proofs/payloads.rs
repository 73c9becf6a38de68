//! No payload is held where prints are enough.

use std::sync::Mutex;

use muster_kafka::{
    KafkaError, PrintRange, ReadRange, Record, RecordMover, Tails, WorkShare, mover::NewRecord,
};

use super::*;

/// Reads prints, and refuses to hold payloads. Counts the offsets that are asked for at once.
#[derive(Debug)]
pub(super) struct PrintsOnly<'a> {
    mover: &'a MemoryMover,
    most: Mutex<i64>,
}

impl<'a> PrintsOnly<'a> {
    pub(super) fn of(mover: &'a MemoryMover) -> Self {
        Self { mover, most: Mutex::new(0) }
    }

    /// The most offsets that were asked for at once.
    pub(super) fn most_at_once(&self) -> i64 {
        *self.most.lock().expect("nobody panicked")
    }
}

#[async_trait::async_trait]
impl RecordMover for PrintsOnly<'_> {
    fn cluster(&self) -> &str {
        self.mover.cluster()
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        _: Isolation,
        _: u64,
    ) -> Result<ByPartition<Vec<Record>>, KafkaError> {
        panic!("the payloads of {ranges:?} are not needed")
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        let asked: i64 = stretches.iter().map(|stretch| stretch.until - stretch.next).sum();
        {
            let mut most = self.most.lock().expect("nobody panicked");
            *most = asked.max(*most);
        }
        self.mover.read_on(stretches, isolation, deadline_ms).await
    }

    async fn tails(
        &self,
        until: &ByPartition<i64>,
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

#[tokio::test]
async fn translations_drains_and_rings_hold_no_payloads() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let (_, _, source, target) = &logs.clients;
    let (source, target) = (PrintsOnly::of(source), PrintsOnly::of(target));
    let records = FlowRecords { source: &source, target: &target, ..logs.records() };
    let middle = logs.copies[logs.copies.len() / 2].0;
    let found =
        logs.translate_by(records, &[(0, middle)]).await.remove(&at(0)).expect("asked").expect("comparable");
    assert_eq!(found.mapping.class, ReadingClass::Exact);
    assert!(tails_match(&records, &[logs.line()]).await.expect("readable")[0].drained);
    assert_eq!(logs.keep_by(records, &[middle], true).await[&at(0)].positions.len(), 2);
}
