//! Topics that are not plain: compacted on both sides, written in transactions of which some were aborted, and copied again in large part.
//! And a principal that may not share work.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use muster_app::loops::proof::carry_out_one;
use muster_domain::{
    cluster::Sasl,
    proof::content::{ContentAsk, ContentVerdict},
};
use muster_it::{CENTRAL, LabClients, WEST, cluster, librdkafka};
use muster_kafka::{ClientOptions, Isolation, KafkaMover, OffsetSpec, admin::NewTopic};
use muster_lab::wait_until;
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use tokio_util::sync::CancellationToken;

use crate::{BOUND_MS, Real, SOON};

/// Rolls and cleans as soon as a broker can.
const COMPACTED: [(&str, &str); 6] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "500"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("min.compaction.lag.ms", "0"),
    ("delete.retention.ms", "100"),
];

impl Real {
    /// The same lab with another topic.
    pub(crate) async fn on(&self, topic: String, configs: &[(&str, &str)]) -> Result<Self> {
        let configs: BTreeMap<String, String> =
            configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let new = NewTopic { name: topic.clone(), partitions: crate::PARTITIONS, replication: 1, configs };
        self.clients.0.admin.a.create_topic(&new).await?;
        Ok(Self {
            lab: Arc::clone(&self.lab),
            clients: self.clients.clone(),
            database: Arc::clone(&self.database),
            topic,
        })
    }

    /// Proves the content by one process.
    pub(crate) async fn proven(
        &self,
        clients: &LabClients,
    ) -> Result<muster_domain::proof::content::ContentProof> {
        let id = self.ask(ContentAsk::default()).await?;
        assert!(carry_out_one(self.database.pool(), clients, "one", &CancellationToken::new()).await?);
        self.result(id).await
    }

    /// Records a reader sees of partition 0 on the source.
    async fn seen_on_source(&self) -> Result<usize> {
        let at = self.at(0);
        let ends = self.clients.0.admin.a.offsets(std::slice::from_ref(&at), OffsetSpec::End).await?;
        let until = *ends[&at].as_ref().map_err(|e| anyhow::anyhow!("{e}"))?;
        let range = muster_kafka::ReadRange { partition: at.clone(), from: 0, until };
        let read = self.clients.0.mover.a.read(&[range], Isolation::ReadCommitted, BOUND_MS).await?;
        Ok(read.get(&at).map_or(0, Vec::len))
    }

    /// What compaction removed on one side, on the other or on both is not lost.
    pub(crate) async fn what_compaction_removed_is_not_lost(&self) -> Result<()> {
        let topic = self.on(format!("{}-compacted", self.topic), &COMPACTED).await?;
        for round in 0..3 {
            topic.write(WEST, 0, round * 2_000, 2_000).await?;
            topic.wait_until_copied().await?;
        }
        // A segment that takes no more records is rolled by the next one.
        let next = std::sync::atomic::AtomicI64::new(900_000);
        wait_until("the source to be compacted", SOON, || async {
            topic.write(WEST, 0, next.fetch_add(1, std::sync::atomic::Ordering::Relaxed), 1).await?;
            Ok((topic.seen_on_source().await? < 4_000).then_some(()))
        })
        .await?;
        topic.wait_until_copied().await?;
        let proof = topic.proven(&topic.clients).await?;
        println!("{:#?}", proof.summary);
        assert_eq!(proof.summary.verdict, ContentVerdict::Same, "{proof:#?}");
        assert_eq!((proof.summary.found.missing, proof.summary.found.extra), (0, 0));
        Ok(())
    }

    /// Aborted records are nobody's, open ones are not due yet, and markers are no records.
    pub(crate) async fn what_was_aborted_is_not_missed(&self) -> Result<()> {
        let topic = self.on(format!("{}-transactional", self.topic), &[]).await?;
        let producer = topic.producer("content-proof")?;
        let name = topic.topic.clone();
        let producer = tokio::task::spawn_blocking(move || -> Result<BaseProducer> {
            producer.init_transactions(Duration::from_secs(30))?;
            for (transaction, commits) in [true, false, true, false, true].into_iter().enumerate() {
                producer.begin_transaction()?;
                send(&producer, &name, transaction, 200)?;
                match commits {
                    true => producer.commit_transaction(Duration::from_secs(30))?,
                    false => producer.abort_transaction(Duration::from_secs(30))?,
                }
            }
            producer.begin_transaction()?;
            send(&producer, &name, 9, 100)?;
            Ok(producer)
        })
        .await??;
        // Committed by Connect up to the last stable offset: what is open is not copied.
        wait_until("what was committed to be copied", SOON, || async {
            let copied = topic.flow().committed_offsets().await?.0;
            Ok(copied.get(&topic.at(0)).is_some_and(|last| *last >= 1_003).then_some(()))
        })
        .await?;
        let proof = topic.proven(&topic.clients).await?;
        println!("{:#?}", proof.summary);
        assert_eq!(proof.summary.verdict, ContentVerdict::Same, "{proof:#?}");
        assert_eq!((proof.summary.found.on_source, proof.summary.found.matched), (600, 600), "{proof:#?}");
        tokio::task::spawn_blocking(move || producer.abort_transaction(Duration::from_secs(30))).await??;
        Ok(())
    }

    /// A worker that is killed with the default commit interval writes so much once more: here somebody writes what it would.
    pub(crate) async fn what_was_copied_again_is_counted_however_much_it_is(&self) -> Result<()> {
        const COPIED: i64 = 150_000;
        const AGAIN: i64 = 10_000;
        let topic = self.on(format!("{}-again", self.topic), &[]).await?;
        topic.write(WEST, 0, 0, COPIED).await?;
        topic.wait_until_copied().await?;
        topic.write(CENTRAL, 0, AGAIN, COPIED - AGAIN).await?;
        topic.write(WEST, 0, COPIED, 100).await?;
        topic.wait_until_copied().await?;
        let proof = topic.proven(&topic.clients).await?;
        let found = &proof.summary.found;
        assert_eq!(proof.summary.verdict, ContentVerdict::SecondCopies, "{proof:#?}");
        assert_eq!((found.matched, found.duplicates), (150_100, 140_000), "{proof:#?}");
        assert_eq!((found.missing, found.extra, proof.summary.lost_places), (0, 0, 0), "{proof:#?}");
        Ok(())
    }

    /// Without READ on the group one process compares everything alone.
    pub(crate) async fn who_may_not_share_compares_alone(&self) -> Result<()> {
        let lab = self.lab.describe();
        let (mut ordinary, mut secrets) = cluster(lab, WEST)?;
        let principal = "mm2-west-to-central";
        ordinary.security.sasl = Some(Sasl::ScramSha512 { username: principal.to_owned() });
        secrets.password = Some(lab.password(principal)?.into());
        let mut clients = self.clients.clone();
        clients.0.mover.a = Arc::new(KafkaMover::new(&ordinary, &secrets, ClientOptions::default()));
        let proof = self.proven(&clients).await?;
        assert_eq!(proof.summary.verdict, ContentVerdict::Same, "{proof:#?}");
        assert_eq!((proof.processes, proof.summary.found.matched), (1, 80_000), "{proof:#?}");
        Ok(())
    }

    fn producer(&self, transactional_id: &str) -> Result<BaseProducer> {
        Ok(self.client(WEST)?.set("transactional.id", transactional_id).create()?)
    }

    /// How librdkafka connects to a side.
    pub(crate) fn client(&self, side: &str) -> Result<ClientConfig> {
        librdkafka(self.lab.describe(), side)
    }
}

/// Records of one transaction, on the broker when this returns.
fn send(producer: &BaseProducer, topic: &str, transaction: usize, count: usize) -> Result<()> {
    for number in 0..count {
        let (key, value) = (format!("key {number}"), format!("transaction {transaction} record {number}"));
        let record = BaseRecord::to(topic).partition(0).key(&key).payload(&value);
        producer.send(record).map_err(|(error, _)| error).context("send")?;
    }
    Ok(producer.flush(Duration::from_secs(30))?)
}
