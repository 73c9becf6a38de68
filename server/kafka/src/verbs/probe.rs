//! The zero-write fence probe: a write that cannot succeed, whose error tells whether writes are refused.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use kafka_protocol::{
    messages::{
        ProduceRequest, ProduceResponse,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use muster_domain::cluster::{Cluster, ClusterSecrets};

use crate::{
    admin::FenceVerdict,
    asking::routing::{Call, Router, Target},
    broker_error::{TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, broker_error},
    connecting::{dial::Dialer, sasl::Credentials},
    error::{KafkaError, KafkaErrorKind},
    options::ClientOptions,
    verbs::topics::{timeout_ms, topic_name},
};

/// No topic has this partition, and authorization is checked before the partition is looked up.
const NO_SUCH_PARTITION: i32 = i32::MAX;
/// Versions above name topics by id, which the probe principal need not be able to see.
const PRODUCE_CAP: i16 = 12;

/// The probe principal's own way to the cluster, if there is one.
pub(crate) fn probe_router(
    cluster: &Cluster,
    secrets: &ClusterSecrets,
    options: ClientOptions,
) -> Option<Router> {
    let user = &cluster.probe.as_ref()?.username;
    Some(Router::with_dialer(cluster, Dialer::for_probe(cluster, secrets, options, user), options))
}

/// Tries the write on every broker for each topic. One broker's silence leaves the others' verdicts.
pub(crate) async fn probe_write_fence(
    router: &Router,
    probe: Option<&Router>,
    topics: &[String],
) -> Result<BTreeMap<(i32, String), FenceVerdict>, KafkaError> {
    let what = format!("fence probe of {} topics", topics.len());
    let Some(probe) = probe else {
        let kind = KafkaErrorKind::Unsupported("the fence probe without a probe principal".to_owned());
        return Err(router.look(&what).fail(None, kind));
    };
    // Not a change, but a verdict about the wrong cluster would be worse than none: the id is checked all the same.
    let call = probe.change(&what);
    if matches!(probe.dialer().credentials().map_err(|kind| call.fail(None, kind))?, Credentials::None) {
        let kind = KafkaErrorKind::Unsupported("the fence probe without SASL".to_owned());
        return Err(call.fail(None, kind));
    }
    let batch = one_record_batch().map_err(|kind| call.fail(None, kind))?;
    let brokers = call.every_broker().await?;
    let mut asks = Vec::with_capacity(brokers.len());
    for node in brokers {
        asks.push(probe_on(&call, node, topics, &batch));
    }
    let mut verdicts = BTreeMap::new();
    for answer in join_all(asks).await {
        verdicts.extend(answer?);
    }
    Ok(verdicts)
}

async fn probe_on(
    call: &Call<'_>,
    node: i32,
    topics: &[String],
    batch: &Bytes,
) -> Result<Vec<((i32, String), FenceVerdict)>, KafkaError> {
    let timeout_ms = timeout_ms(call);
    let build = |_| {
        let data = topics.iter().map(|topic| {
            let partition = PartitionProduceData::default()
                .with_index(NO_SUCH_PARTITION)
                .with_records(Some(batch.clone()));
            TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![partition])
        });
        // acks=0 would be answered by a closed connection.
        ProduceRequest::default().with_acks(-1).with_timeout_ms(timeout_ms).with_topic_data(data.collect())
    };
    let key = |topic: &String| (node, topic.clone());
    match call.send::<ProduceRequest>(Target::Node(node), Some(PRODUCE_CAP), build).await {
        Ok((answer, _)) => {
            Ok(topics.iter().map(|topic| (key(topic), read_verdict(&answer, topic))).collect())
        }
        // Unusable credentials or the wrong cluster are no property of this broker.
        Err(error) if is_about_the_whole(&error.kind) => Err(error),
        Err(error) => {
            let unclear = FenceVerdict::Unclear { answer: error.kind.to_string() };
            Ok(topics.iter().map(|topic| (key(topic), unclear.clone())).collect())
        }
    }
}

fn is_about_the_whole(kind: &KafkaErrorKind) -> bool {
    match kind {
        KafkaErrorKind::Authentication(_)
        | KafkaErrorKind::Unsupported(_)
        | KafkaErrorKind::WrongCluster { .. }
        | KafkaErrorKind::UnknownCluster => true,
        KafkaErrorKind::Connection(_)
        | KafkaErrorKind::Tls(_)
        | KafkaErrorKind::NotKafka(_)
        | KafkaErrorKind::Timeout(_)
        | KafkaErrorKind::Broker { .. }
        | KafkaErrorKind::Protocol(_) => false,
    }
}

fn read_verdict(answer: &ProduceResponse, topic: &str) -> FenceVerdict {
    let one = answer.responses.iter().find(|one| *one.name == *topic);
    let Some(partition) = one.and_then(|one| one.partition_responses.first()) else {
        return FenceVerdict::Unclear { answer: "the broker's answer leaves the topic out".to_owned() };
    };
    match partition.error_code {
        TOPIC_AUTHORIZATION_FAILED => FenceVerdict::Fenced,
        UNKNOWN_TOPIC_OR_PARTITION => FenceVerdict::Open,
        0 => FenceVerdict::Unclear { answer: "the write was accepted".to_owned() },
        code => {
            FenceVerdict::Unclear { answer: broker_error(code, partition.error_message.as_ref()).to_string() }
        }
    }
}

/// A valid batch: a broken one would be answered before authorization (mm2-verified, result 1).
fn one_record_batch() -> Result<Bytes, KafkaErrorKind> {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: 0,
        key: None,
        value: Some(Bytes::from_static(b"muster fence probe")),
        headers: kafka_protocol::indexmap::IndexMap::new(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options)
        .map_err(|e| KafkaErrorKind::Protocol(format!("the probe cannot be encoded: {e}")))?;
    Ok(batch.freeze())
}
