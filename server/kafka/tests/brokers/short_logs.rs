//! Reading from leaders whose log ends before what was seen of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    indexmap::IndexMap,
    messages::{
        FetchResponse, RequestKind, ResponseKind,
        fetch_response::{FetchableTopicResponse, PartitionData},
    },
    protocol::StrBytes,
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use muster_domain::{cluster::ClusterSecrets, topic::TopicPartition};
use muster_kafka::{
    ClientOptions, Isolation, KafkaMover, ReadRange, RecordMover,
    synthetic::{Brokers, Reply, World},
};

fn batch(offset: i64) -> Bytes {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: -1,
        timestamp: 0,
        key: None,
        value: Some(Bytes::from_static(b"order")),
        headers: IndexMap::new(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap();
    batch.freeze()
}

fn answer(high_watermark: i64, records: Option<Bytes>) -> Reply {
    let data = PartitionData::default()
        .with_high_watermark(high_watermark)
        .with_last_stable_offset(high_watermark)
        .with_log_start_offset(0)
        .with_records(records);
    let topic = FetchableTopicResponse::default()
        .with_topic(StrBytes::from_static_str("t0").into())
        .with_partitions(vec![data]);
    Reply::with(ResponseKind::Fetch(FetchResponse::default().with_responses(vec![topic])))
}

/// What is read from 8 to 9, by offset, while the leader's first answers are of a log that ends at 8.
async fn read_while_short_for(answers: usize) -> Result<Vec<i64>, muster_kafka::KafkaError> {
    let asked = AtomicUsize::new(0);
    let world = World::default().with_topic("t0", &[0]).with_script(move |_, request, _| match request {
        RequestKind::Fetch(_) if asked.fetch_add(1, Ordering::Relaxed) < answers => answer(8, None),
        RequestKind::Fetch(_) => answer(9, Some(batch(8))),
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let mover = KafkaMover::new(&brokers.cluster(), &ClusterSecrets::default(), ClientOptions::default());
    let at = TopicPartition::new("t0", 0);
    let range = ReadRange { partition: at.clone(), from: 8, until: 9 };
    let read = mover.read(&[range], Isolation::ReadCommitted, 500).await?;
    Ok(read[&at].iter().map(|record| record.offset).collect())
}

#[tokio::test]
async fn a_leader_that_does_not_know_yet_how_far_its_log_counts_is_asked_again() {
    assert_eq!(read_while_short_for(2).await.unwrap(), [8]);
}

#[tokio::test]
async fn a_log_that_was_cut_is_not_read_as_a_whole_one() {
    let error = read_while_short_for(usize::MAX).await.unwrap_err();
    assert_eq!(error.code(), Some(78), "{error}");
    assert!(error.to_string().contains("its log ends at 8, and 9 was seen before"), "{error}");
}
