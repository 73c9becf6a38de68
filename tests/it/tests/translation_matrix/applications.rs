//! What applications do on the lab: write in transactions, read in a group.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use muster_domain::topic::TopicPartition;
use muster_lab::LabDescription;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::truth::Told;

const PATIENCE: Duration = Duration::from_secs(60);

/// How the lab's super user connects to one of its clusters.
pub(crate) fn client(lab: &LabDescription, cluster: &str) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &lab.cluster(cluster)?.bootstrap)
        .set("security.protocol", &lab.security_protocol)
        .set("sasl.mechanisms", &lab.sasl_mechanism)
        .set("sasl.username", "muster")
        .set("sasl.password", lab.password("muster")?);
    Ok(config)
}

/// Transactions of one, two or three records each, every fifth of them aborted.
pub(crate) async fn write_transactions(mut config: ClientConfig, topic: &str, count: usize) -> Result<()> {
    let topic = topic.to_owned();
    let written = tokio::task::spawn_blocking(move || -> Result<()> {
        let producer: BaseProducer = config.set("transactional.id", &topic).set("linger.ms", "0").create()?;
        producer.init_transactions(PATIENCE)?;
        for number in 0..count {
            producer.begin_transaction()?;
            for part in 0..=number % 3 {
                let value = format!("transaction {number} {part}");
                let record = BaseRecord::to(&topic).partition(0).key("t").payload(&value);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            producer.flush(PATIENCE)?;
            match number % 5 {
                4 => producer.abort_transaction(PATIENCE)?,
                _ => producer.commit_transaction(PATIENCE)?,
            }
        }
        Ok(())
    });
    written.await?
}

/// Removes the first records of a partition.
pub(crate) async fn delete_below(config: &ClientConfig, at: &TopicPartition, offset: i64) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(&at.topic, at.partition, Offset::Offset(offset))?;
    let deleted = admin.delete_records(&upto, &AdminOptions::new()).await?;
    for partition in deleted.elements() {
        partition.error()?;
    }
    Ok(())
}

/// Joins a group by the protocol of KIP-848, reads that many records of a topic of one partition, commits where it is then if it is
/// told to, and leaves. Answers the records with their offsets.
pub(crate) async fn read_in_group(
    mut config: ClientConfig,
    group: &str,
    topic: &str,
    count: usize,
    commits: bool,
) -> Result<Vec<(i64, Told)>> {
    config
        .set("group.id", group)
        .set("group.protocol", "consumer")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed");
    let topic = topic.to_owned();
    let read = tokio::task::spawn_blocking(move || -> Result<Vec<(i64, Told)>> {
        let consumer: BaseConsumer = config.create()?;
        consumer.subscribe(&[topic.as_str()])?;
        let began = Instant::now();
        let mut read = Vec::new();
        while read.len() < count {
            ensure!(began.elapsed() < PATIENCE, "{} of {count} records were read in time", read.len());
            let Some(record) = consumer.poll(Duration::from_millis(200)) else { continue };
            let record = record?;
            let own = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
            read.push((record.offset(), (own(record.key()), own(record.payload()))));
        }
        if commits {
            let next = read.last().map(|(offset, _)| offset + 1).context("nothing was to be read")?;
            let mut position = TopicPartitionList::new();
            position.add_partition_offset(&topic, 0, Offset::Offset(next))?;
            consumer.commit(&position, CommitMode::Sync)?;
        }
        Ok(read)
    });
    read.await?
}
