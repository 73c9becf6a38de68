//! Keys of a megabyte: next to where groups stand, and right where they go on. They are compared, translated and kept as any others.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use muster_domain::{
    group::CommittedOffset,
    pair::Side,
    proof::{
        ProofKind,
        content::{ContentAsk, ContentProof, ContentVerdict},
        translation::{PartitionProof, TranslationProof},
    },
    topic::TopicPartition,
};
use muster_it::{WEST, librdkafka};
use muster_kafka::admin::NewTopic;
use muster_lab::{LabDescription, wait_until};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::{
    stage::{A_TO_B, Real, SOON},
    truth::Truth,
};

const TOPIC: &str = "orders.long-keys";
const GROUP: &str = "proof-long-keys";
/// Records of it, more than any partition needs before the first look.
const RECORDS: i64 = 200;
/// As long as a record can be that brokers take and MirrorMaker 2 sends on as they are set when nobody sets them, but for the rest of it.
const LONG: usize = 1_000_000;
/// Those with such keys: before and behind where groups stand, among them [`AT`].
const WITH_LONG_KEYS: [i64; 4] = [39, 40, 120, 159];
/// Where [`GROUP`] stands: its next record has such a key, and so has the last that it read.
const AT: i64 = 40;

fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}

fn of_the_group(proof: &TranslationProof) -> Result<&PartitionProof> {
    let group = proof.groups.get(GROUP).with_context(|| format!("{GROUP} is left out"))?;
    let found = group.partitions.iter().find(|one| one.partition == partition());
    found.with_context(|| format!("{TOPIC} is left out"))
}

/// Whether the group is told where it goes on, or that nobody can say it and why: neither is it left out, nor is it told without a reason.
pub(crate) fn are_told(proof: &TranslationProof) -> Result<()> {
    let told = of_the_group(proof)?;
    println!("{told:?}");
    ensure!(told.found.is_some() || !told.because.is_empty(), "{told:?}");
    Ok(())
}

impl Real {
    /// Writes them, has them copied, and proves both content and where a group among them goes on while the source lives. From then on
    /// they are looked at as all others.
    pub(crate) async fn bring_long_keys(&mut self) -> Result<()> {
        let new =
            NewTopic { name: TOPIC.to_owned(), partitions: 1, replication: 1, configs: BTreeMap::new() };
        let admin = &self.clients.0.admin.a;
        admin.create_topic(&new).await?;
        write(self.lab.describe()).await?;
        let flow = self.clients.0.flow(A_TO_B).context("the flow")?;
        wait_until("long keys to be copied", SOON, || async {
            let committed = flow.committed_offsets().await?.0;
            Ok(committed.get(&partition()).is_some_and(|last| last + 1 >= RECORDS).then_some(()))
        })
        .await?;
        let at = CommittedOffset { offset: AT, leader_epoch: None, metadata: String::new() };
        admin.alter_group_offsets(GROUP, &BTreeMap::from([(partition(), at)])).await?;
        self.all.push(partition());

        let asked = ContentAsk { topics: vec![TOPIC.to_owned()], ..ContentAsk::default() };
        let content: ContentProof =
            serde_json::from_value(self.proven(ProofKind::Content, Some(&asked)).await?)?;
        println!("{}", content.sentence());
        let found = (content.summary.verdict, content.summary.found.matched, content.summary.unreadable);
        assert_eq!(found, (ContentVerdict::Same, RECORDS.unsigned_abs(), 0), "{content:#?}");

        let proof = self.prove().await?;
        let told = of_the_group(&proof)?;
        let found = told.found.with_context(|| format!("{told:?}"))?;
        let truth = Truth { here: self.logs(Side::A).await?, there: self.logs(Side::B).await? };
        let read = truth.here.get(&partition()).context("it is read")?;
        let keys = read.values().filter_map(|(_, key, _)| key.as_ref());
        assert_eq!(keys.filter(|key| key.len() == LONG).count(), WITH_LONG_KEYS.len());
        truth.is_not_past(GROUP, told, found)
    }
}

/// Muster's own writer is for canaries: it takes no record as long as that.
async fn write(lab: &LabDescription) -> Result<()> {
    let producer: BaseProducer = librdkafka(lab, WEST)?
        .set("message.max.bytes", "2000000")
        .set("enable.idempotence", "true")
        .create()?;
    let written = tokio::task::spawn_blocking(move || -> Result<()> {
        for number in 0..RECORDS {
            let key = match WITH_LONG_KEYS.contains(&number) {
                true => vec![b'k'; LONG],
                false => format!("key {number}").into_bytes(),
            };
            let value = format!("value {number}");
            let record = BaseRecord::to(TOPIC).partition(0).key(&key).payload(&value);
            let record = record.timestamp(Utc::now().timestamp_millis());
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(Duration::from_secs(60))?)
    });
    written.await?
}
