//! The mover's own decoder against librdkafka's, on a real broker: every codec, repeated headers, tombstones, log-append
//! time, control records, aborted and open transactions, a log that no longer begins at 0.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use muster_domain::topic::TopicPartition;
use muster_it::{WEST, cluster};
use muster_kafka::{
    ClientOptions, ClusterAdmin, Isolation, KafkaAdmin, KafkaMover, OffsetSpec, PrintRange, ReadRange,
    Record, RecordMover, admin::NewTopic, mover::TailRecord,
};
use muster_lab::{Lab, LabDescription, LabOptions};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError as RdError,
    message::{Header, Headers, OwnedHeaders, Timestamp},
    producer::{BaseProducer, BaseRecord, Producer},
};

const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mover_reads_what_librdkafka_reads() -> Result<()> {
    let lab = Lab::attach_or_start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    let real = Real::new(lab.describe())?;
    real.compare_every_codec().await;
    real.compare_log_append_time().await;
    real.find_tails_over_markers_and_aborted_data().await;
    real.read_a_log_that_begins_later().await;
    Ok(())
}

struct Real {
    lab: LabDescription,
    admin: KafkaAdmin,
    mover: KafkaMover,
    prefix: String,
}

impl Real {
    fn new(lab: &LabDescription) -> Result<Self> {
        let (cluster, secrets) = cluster(lab, WEST)?;
        Ok(Self {
            lab: lab.clone(),
            admin: KafkaAdmin::new(&cluster, &secrets, ClientOptions::default()),
            mover: KafkaMover::new(&cluster, &secrets, ClientOptions::default()),
            prefix: format!("records-{}", chrono::Utc::now().timestamp_millis()),
        })
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.lab.cluster(WEST).unwrap().bootstrap)
            .set("security.protocol", &self.lab.security_protocol)
            .set("sasl.mechanisms", &self.lab.sasl_mechanism)
            .set("sasl.username", "muster")
            .set("sasl.password", self.lab.password("muster").unwrap());
        config
    }

    async fn topic(&self, name: &str, configs: &[(&str, &str)]) -> TopicPartition {
        let name = format!("{}.{name}", self.prefix);
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let topic = NewTopic { name: name.clone(), partitions: 1, replication: 1, configs };
        self.admin.create_topic(&topic).await.unwrap();
        TopicPartition::new(name, 0)
    }

    async fn end(&self, at: &TopicPartition, spec: OffsetSpec) -> i64 {
        *self.admin.offsets(std::slice::from_ref(at), spec).await.unwrap()[at].as_ref().unwrap()
    }

    async fn read(&self, at: &TopicPartition, isolation: Isolation) -> Vec<Record> {
        let until = self.end(at, OffsetSpec::End).await;
        let range = ReadRange { partition: at.clone(), from: 0, until };
        self.mover.read(&[range], isolation, 10_000).await.unwrap().remove(at).unwrap_or_default()
    }

    async fn tail(&self, at: &TopicPartition, until: i64, isolation: Isolation) -> Option<TailRecord> {
        let asked = BTreeMap::from([(at.clone(), until)]);
        self.mover.tails(&asked, isolation, 10_000).await.unwrap().remove(at).unwrap().unwrap()
    }

    async fn compare(&self, at: &TopicPartition) {
        for isolation in [Isolation::ReadUncommitted, Isolation::ReadCommitted] {
            let ours = self.read(at, isolation).await;
            let (config, topic) = (self.client(), at.topic.clone());
            let theirs = tokio::task::spawn_blocking(move || read_by_librdkafka(config, &topic, isolation));
            assert_eq!(ours, theirs.await.unwrap(), "{at} {isolation:?}");
            let until = self.end(at, OffsetSpec::End).await;
            let tail = self.tail(at, until, isolation).await;
            assert_eq!(
                tail.as_ref().map(|tail| tail.offset),
                ours.last().map(|last| last.offset),
                "{at} {isolation:?}"
            );
            assert_eq!(tail.map(|tail| tail.fingerprint), ours.last().map(Record::fingerprint));
        }
    }

    async fn compare_every_codec(&self) {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let at = self.topic(codec, &[]).await;
            let mut config = self.client();
            config.set("compression.type", codec).set("linger.ms", "50").set("batch.num.messages", "300");
            write(config, &at.topic, 1_000).await;
            assert_eq!(self.read(&at, Isolation::ReadCommitted).await.len(), 1_000);
            self.compare(&at).await;
        }
    }

    async fn compare_log_append_time(&self) {
        let at = self.topic("append-time", &[("message.timestamp.type", "LogAppendTime")]).await;
        write(self.client(), &at.topic, 50).await;
        self.compare(&at).await;
        let first = self.read(&at, Isolation::ReadCommitted).await.remove(0);
        assert!(
            first.timestamp > 1_750_000_000_000,
            "the broker's time, not the client's: {}",
            first.timestamp
        );
    }

    async fn find_tails_over_markers_and_aborted_data(&self) {
        let at = self.topic("aborted", &[]).await;
        assert_eq!(self.tail(&at, 0, Isolation::ReadCommitted).await, None);
        let mut config = self.client();
        config.set("transactional.id", &at.topic).set("compression.type", "zstd");
        let topic = at.topic.clone();
        let producer = tokio::task::spawn_blocking(move || {
            let producer: BaseProducer = config.create().unwrap();
            producer.init_transactions(WITHIN).unwrap();
            transact(&producer, &topic, 5, true);
            for _ in 0..3 {
                transact(&producer, &topic, 400, false);
            }
            // Transactions of one aborted record each: as many markers as data.
            for _ in 0..40 {
                transact(&producer, &topic, 1, false);
            }
            producer
        });
        let producer = producer.await.unwrap();
        self.compare(&at).await;
        let end = self.end(&at, OffsetSpec::End).await;
        let committed = self.tail(&at, end, Isolation::ReadCommitted).await.unwrap();
        assert_eq!(committed.offset, 4, "the last committed record is far behind {end}");
        let physical = self.tail(&at, end, Isolation::ReadUncommitted).await.unwrap();
        assert_eq!(physical.offset, end - 2, "the last offset is a marker");
        assert_eq!(
            self.tail(&at, 3, Isolation::ReadCommitted).await.unwrap().offset,
            2,
            "below `until` only"
        );
        assert_eq!(self.tail(&at, 0, Isolation::ReadCommitted).await, None);

        // An open transaction hides what is behind it from committed reads, and hangs until it is aborted.
        let topic = at.topic.clone();
        let open = tokio::task::spawn_blocking(move || {
            producer.begin_transaction().unwrap();
            send(&producer, &topic, 3);
            producer.flush(WITHIN).unwrap();
            producer
        });
        let open = open.await.unwrap();
        let end = self.end(&at, OffsetSpec::End).await;
        assert_eq!(self.end(&at, OffsetSpec::Stable).await, end - 3);
        assert_eq!(self.tail(&at, end, Isolation::ReadCommitted).await.unwrap(), committed);
        assert_eq!(self.read(&at, Isolation::ReadCommitted).await.len(), 5);
        let began = Instant::now();
        self.tail(&at, end, Isolation::ReadCommitted).await;
        println!("tails over {end} offsets of aborted data: {:?}", began.elapsed());
        self.admin.abort_transaction(&at.topic).await.unwrap();
        self.compare(&at).await;
        drop(open);
    }

    async fn read_a_log_that_begins_later(&self) {
        let at = self.topic("begins-later", &[]).await;
        write(self.client(), &at.topic, 200).await;
        let mut upto = TopicPartitionList::new();
        upto.add_partition_offset(&at.topic, 0, Offset::Offset(150)).unwrap();
        let deleter: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        deleter.delete_records(&upto, &AdminOptions::new()).await.unwrap();
        assert_eq!(self.end(&at, OffsetSpec::Start).await, 150);
        let read = self.read(&at, Isolation::ReadUncommitted).await;
        assert_eq!((read.len(), read[0].offset), (50, 150));
        let mut prints = PrintRange::new(ReadRange { partition: at.clone(), from: 100, until: 200 });
        while !prints.done {
            self.mover.read_on(&mut [&mut prints], Isolation::ReadCommitted, 10_000).await.unwrap();
        }
        let told = (prints.gone, prints.jumps.as_slice(), prints.prints.len());
        assert_eq!(told, (50, &[150][..], 50), "what was gone, and where reading went on");
        assert_eq!(self.tail(&at, 100, Isolation::ReadCommitted).await, None, "all of that is gone");
        assert_eq!(self.tail(&at, 150, Isolation::ReadCommitted).await, None);
        assert_eq!(self.tail(&at, 151, Isolation::ReadCommitted).await.unwrap().offset, 150);
        assert_eq!(self.tail(&at, 200, Isolation::ReadCommitted).await.unwrap().offset, 199);
    }
}

async fn write(config: ClientConfig, topic: &str, count: usize) {
    let topic = topic.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = config.create().unwrap();
        send(&producer, &topic, count);
        producer.flush(WITHIN).unwrap();
    });
    written.await.unwrap();
}

fn transact(producer: &BaseProducer, topic: &str, count: usize, commit: bool) {
    producer.begin_transaction().unwrap();
    send(producer, topic, count);
    producer.flush(WITHIN).unwrap();
    if commit { producer.commit_transaction(WITHIN) } else { producer.abort_transaction(WITHIN) }.unwrap();
}

/// Records with and without key, value and headers; every third has a repeated header and one without value.
fn send(producer: &BaseProducer, topic: &str, count: usize) {
    for i in 0..count {
        let (key, value) = (format!("key-{i}"), format!("value-{i}").repeat(i % 20 + 1));
        let mut record =
            BaseRecord::<str, str>::to(topic).partition(0).timestamp(1_700_000_000_000 + i as i64);
        if i % 2 == 0 {
            record = record.key(&key);
        }
        if i % 5 != 4 {
            record = record.payload(&value);
        }
        if i % 3 == 0 {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "trace", value: Some("one") })
                .insert(Header { key: "trace", value: Some("two") })
                .insert(Header { key: "empty", value: None::<&str> });
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
}

fn read_by_librdkafka(mut config: ClientConfig, topic: &str, isolation: Isolation) -> Vec<Record> {
    let level = match isolation {
        Isolation::ReadUncommitted => "read_uncommitted",
        Isolation::ReadCommitted => "read_committed",
    };
    config
        .set("group.id", "never-joined")
        .set("isolation.level", level)
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
    consumer.assign(&assignment).unwrap();
    let mut read = Vec::new();
    loop {
        match consumer.poll(WITHIN) {
            Some(Ok(message)) => read.push(Record {
                offset: message.offset(),
                timestamp: message.timestamp().to_millis().unwrap_or(-1),
                log_append_time: matches!(message.timestamp(), Timestamp::LogAppendTime(_)),
                key: message.key().map(|key| key.to_vec().into()),
                value: message.payload().map(|value| value.to_vec().into()),
                headers: message.headers().map(collect_headers).unwrap_or_default(),
            }),
            Some(Err(RdError::PartitionEOF(_))) => return read,
            Some(Err(error)) => panic!("{error}"),
            None => panic!("librdkafka read nothing more and no end"),
        }
    }
}

fn collect_headers(headers: &impl Headers) -> Vec<(String, Option<bytes::Bytes>)> {
    let pair =
        |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(|value| value.to_vec().into()));
    headers.iter().map(pair).collect()
}
