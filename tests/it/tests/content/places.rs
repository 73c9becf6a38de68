//! Where a proof that reads real logs loses hold of one side: retention removes records before they were read, and two sides have nothing
//! in common for longer than is looked ahead. Both are said with where that is, and nothing is called missing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use muster_domain::{content::LostPlace, proof::content::ContentVerdict, topic::TopicPartition};
use muster_it::{CENTRAL, WEST};
use muster_kafka::{
    Isolation, KafkaError, OffsetSpec, Piece, PrintRange, ReadRange, Record, RecordMover, Tails, WorkShare,
    mover::NewRecord,
};
use muster_lab::wait_until;
use rdkafka::ClientConfig;

use crate::{Real, SOON, one_sided::delete_below};

/// Records of a partition that retention overtakes: several answers of its leader.
const WRITTEN: i64 = 12_000;
/// Retention removes what is below.
const BELOW: i64 = 9_000;
/// Records on both sides before the place is lost.
const COMMON: i64 = 1_000;
/// Then so many foreign ones on the target, and as many others on the source: more than the 20,000 that are looked ahead, and what one answer
/// of a leader holds.
const BLOCK: i64 = 30_000;

impl Real {
    /// The copy of partition 0 loses its beginning while that is read, and so does the source of partition 1.
    pub(crate) async fn what_retention_overtakes_is_neither_missing_nor_foreign(&self) -> Result<()> {
        let topic = self.on(format!("{}-overtaken", self.topic), &[]).await?;
        for partition in [0, 1] {
            topic.write(WEST, partition, 0, WRITTEN).await?;
        }
        topic.wait_until_copied().await?;
        let mut clients = topic.clients.clone();
        let movers = &mut clients.0.mover;
        let copy = Arc::new(Overtaken::new(movers.b.clone(), topic.client(CENTRAL)?, topic.at(0)));
        let source = Arc::new(Overtaken::new(movers.a.clone(), topic.client(WEST)?, topic.at(1)));
        movers.b = copy.clone();
        movers.a = source.clone();

        let proof = topic.proven(&clients).await?;
        let (of_copy, of_source) = (copy.gone()?, source.gone()?);
        let told: Vec<_> = proof
            .partitions
            .iter()
            .map(|one| (one.source.partition, one.verdict, one.source_gone, one.target_gone, one.unread()))
            .collect();
        let removed =
            |n: i64, side: &str| format!("retention removed {n} offsets of the {side} before they were read");
        let expected = [
            (0, ContentVerdict::CannotSay, 0, of_copy, removed(of_copy, "target")),
            (1, ContentVerdict::CannotSay, of_source, 0, removed(of_source, "source")),
        ];
        assert_eq!(told, expected, "{proof:#?}");
        for one in &proof.partitions {
            let found = &one.found;
            assert_eq!((found.missing, found.extra, found.pending), (0, 0, 0), "{one:#?}");
            assert!(found.matched > 0 && found.before > 0, "{one:#?}");
            assert_eq!(
                found.matched + found.before,
                WRITTEN.unsigned_abs(),
                "each is on one side at least: {one:#?}"
            );
        }
        assert_eq!(
            (proof.summary.verdict, proof.summary.differing),
            (ContentVerdict::CannotSay, 0),
            "{proof:#?}"
        );
        Ok(())
    }

    /// Somebody writes a block to the target, longer than what is looked ahead, and the source goes on with as much of its own.
    pub(crate) async fn where_nothing_is_in_common_for_long_the_place_is_told(&self) -> Result<()> {
        let topic = self.on(format!("{}-lost-place", self.topic), &[]).await?;
        topic.write(WEST, 0, 0, COMMON).await?;
        topic.wait_until_copied().await?;
        let foreign_from = topic.copy_ends().await?;
        topic.write(CENTRAL, 0, 1_000_000, BLOCK).await?;
        topic.write(WEST, 0, COMMON, BLOCK).await?;
        topic.wait_until_copied().await?;

        let proof = topic.proven(&topic.clients).await?;
        let one = proof.partitions.first().context("it is told")?;
        let place = LostPlace { source_offset: COMMON, target_offset: foreign_from };
        assert_eq!(
            (one.verdict, one.found.lost_place),
            (ContentVerdict::CannotSay, Some(place)),
            "{proof:#?}"
        );
        let found = &one.found;
        let told = (found.matched, found.missing, found.extra, found.pending);
        assert_eq!(told, (COMMON.unsigned_abs(), 0, 0, 0), "{proof:#?}");
        let said = format!("from {COMMON} of the source and {foreign_from} of the target on");
        assert!(one.unread().starts_with(&said), "{}", one.unread());
        assert_eq!(
            (proof.summary.verdict, proof.summary.lost_places),
            (ContentVerdict::CannotSay, 1),
            "{proof:#?}"
        );
        assert!(proof.sentence().contains("the rest is not told"), "{}", proof.sentence());
        Ok(())
    }

    /// One past the last offset of the copy of partition 0, once the marker of its last transaction is written.
    async fn copy_ends(&self) -> Result<i64> {
        let at = self.at(0);
        let admin = &self.clients.0.admin.b;
        wait_until("no transaction to be open in the copy", SOON, || async {
            let of = async |spec: OffsetSpec| -> Result<i64> {
                let mut found = admin.offsets(std::slice::from_ref(&at), spec).await?;
                Ok(found.remove(&at).context("it was asked for")?.map_err(|error| *error)?)
            };
            let (stable, end) = (of(OffsetSpec::Stable).await?, of(OffsetSpec::End).await?);
            Ok((stable == end && end >= COMMON).then_some(end))
        })
        .await
    }
}

/// Reads as the real one does. Once it has read the beginning of one partition, and has more of it to read, what is below a place is removed
/// there.
#[derive(Debug)]
struct Overtaken {
    real: Arc<dyn RecordMover>,
    client: ClientConfig,
    at: TopicPartition,
    /// What was to be read next when that was removed.
    next: Mutex<Option<i64>>,
}

impl Overtaken {
    fn new(real: Arc<dyn RecordMover>, client: ClientConfig, at: TopicPartition) -> Self {
        Self { real, client, at, next: Mutex::new(None) }
    }

    /// Offsets that were removed before they were read.
    fn gone(&self) -> Result<i64> {
        let next = *self.next.lock().expect("nobody panicked");
        let next = next.with_context(|| format!("{} was read at once", self.at))?;
        ensure!(next < BELOW, "{} was read up to {next} by then", self.at);
        Ok(BELOW - next)
    }

    /// Whether this is the first time.
    fn note(&self, next: i64) -> bool {
        let mut noted = self.next.lock().expect("nobody panicked");
        let first = noted.is_none();
        if first {
            *noted = Some(next);
        }
        first
    }
}

#[async_trait]
impl RecordMover for Overtaken {
    fn cluster(&self) -> &str {
        self.real.cluster()
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError> {
        self.real.read(ranges, isolation, deadline_ms).await
    }

    async fn read_piece(
        &self,
        range: &ReadRange,
        longest: usize,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Piece, KafkaError> {
        self.real.read_piece(range, longest, isolation, deadline_ms).await
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        self.real.read_on(stretches, isolation, deadline_ms).await?;
        let of_it = stretches.iter().find(|one| one.partition == self.at && one.next > 0 && !one.done);
        if let Some(next) = of_it.map(|one| one.next)
            && self.note(next)
        {
            delete_below(&self.client, &self.at, BELOW).await.expect("a super user may delete records");
        }
        Ok(())
    }

    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Tails, KafkaError> {
        self.real.tails(until, isolation, deadline_ms).await
    }

    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
        self.real.share(group, topics).await
    }

    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError> {
        self.real.write(partition, records, deadline_ms).await
    }
}
