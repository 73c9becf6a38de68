//! Topics: metadata, ends, configs.

use kafka_protocol::{
    messages::{
        BrokerId, DescribeConfigsRequest, DescribeConfigsResponse, ListOffsetsRequest, ListOffsetsResponse,
        MetadataRequest, MetadataResponse, TopicName,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    },
    protocol::StrBytes,
};
use muster_kafka::synthetic::CLUSTER_ID;
use uuid::Uuid;

use super::{BROKERS, PARTITIONS_PER_TOPIC, Size};

/// Every operation on a topic, as bits.
const ALL_OPERATIONS: i32 = 0x0D_F8;

/// The name of a topic by number.
pub(super) fn name(number: i32) -> String {
    format!("orders.team-{:02}.events-{number:05}", number % 50)
}

/// The id of a topic by number.
pub(super) fn id(number: i32) -> Uuid {
    Uuid::from_u128(0x6d75_7374_6572_0000_0000_0000_0000_0000 + u128::from(number.unsigned_abs()))
}

/// The number at the end of a name, of a topic or a group.
pub(super) fn number_of(name: &str) -> i32 {
    name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

pub(super) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

pub(super) fn metadata(size: Size, ports: &[u16], request: &MetadataRequest) -> MetadataResponse {
    let brokers = ports.iter().zip(0..).map(|(port, node)| {
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(node));
        broker.with_host(StrBytes::from_static_str("127.0.0.1")).with_port(i32::from(*port))
    });
    let topics = match &request.topics {
        None => (0..size.topics).map(topic).collect(),
        Some(named) => {
            let names = named.iter().filter_map(|topic| topic.name.as_ref());
            names.map(|name| topic(number_of(name.as_str()))).collect()
        }
    };
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER_ID)))
        .with_controller_id(BrokerId(0))
        .with_topics(topics)
}

fn topic(number: i32) -> MetadataResponseTopic {
    let partitions = (0..PARTITIONS_PER_TOPIC).map(|index| {
        let replicas: Vec<BrokerId> = (0..3).map(|nth| BrokerId((number + index + nth) % BROKERS)).collect();
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(replicas[0])
            .with_isr_nodes(replicas.clone())
            .with_replica_nodes(replicas)
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name(number)))))
        .with_topic_id(id(number))
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(ALL_OPERATIONS)
}

/// 10,000 records in every partition.
pub(super) fn offsets(request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let start = i64::from(asked.partition_index) * 1_000;
            let offset = if asked.timestamp == -2 { start } else { start + 10_000 };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_offset(offset)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// The configs a broker of Kafka 4 tells of a topic.
pub(crate) const CONFIGS: [(&str, &str); 33] = [
    ("cleanup.policy", "delete"),
    ("compression.gzip.level", "-1"),
    ("compression.lz4.level", "9"),
    ("compression.type", "producer"),
    ("compression.zstd.level", "3"),
    ("delete.retention.ms", "86400000"),
    ("file.delete.delay.ms", "60000"),
    ("flush.messages", "9223372036854775807"),
    ("flush.ms", "9223372036854775807"),
    ("follower.replication.throttled.replicas", ""),
    ("index.interval.bytes", "4096"),
    ("leader.replication.throttled.replicas", ""),
    ("local.retention.bytes", "-2"),
    ("local.retention.ms", "-2"),
    ("max.compaction.lag.ms", "9223372036854775807"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.after.max.ms", "3600000"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("min.cleanable.dirty.ratio", "0.5"),
    ("min.compaction.lag.ms", "0"),
    ("min.insync.replicas", "2"),
    ("preallocate", "false"),
    ("remote.log.copy.disable", "false"),
    ("remote.log.delete.on.disable", "false"),
    ("remote.storage.enable", "false"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("segment.index.bytes", "10485760"),
    ("segment.jitter.ms", "0"),
    ("segment.ms", "604800000"),
    ("unclean.leader.election.enable", "false"),
];

pub(super) fn configs(request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let wanted = |name: &str| {
            let keys = resource.configuration_keys.as_ref();
            keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
        };
        let configs = CONFIGS.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| {
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_static_str(value)))
                .with_config_source(5)
        });
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(configs.collect())
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}
