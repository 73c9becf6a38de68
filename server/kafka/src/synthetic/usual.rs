//! Answers as brokers of a small cluster give them.

use std::sync::atomic::Ordering;

use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, BrokerId, FindCoordinatorResponse, ListGroupsResponse,
        ListOffsetsRequest, ListOffsetsResponse, MetadataResponse, OffsetFetchRequest, OffsetFetchResponse,
        RequestKind, ResponseKind, TopicName,
        api_versions_response::ApiVersion,
        find_coordinator_response::Coordinator,
        list_groups_response::ListedGroup,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
    protocol::StrBytes,
};

use super::World;

pub(super) fn highest(key: ApiKey, world: &World) -> i16 {
    let ours = key.valid_versions().max;
    world.caps.get(&(key as i16)).copied().unwrap_or(ours).min(ours)
}

pub(super) fn versions(world: &World) -> Vec<ApiVersion> {
    let known = (0..=100).filter_map(|key| ApiKey::try_from(key).ok());
    let offered = known.filter(|key| highest(*key, world) >= 0).map(|key| {
        let range = ApiVersion::default().with_api_key(key as i16).with_min_version(key.valid_versions().min);
        range.with_max_version(highest(key, world))
    });
    offered.collect()
}

pub(super) fn usual(node: i32, request: &RequestKind, version: i16, world: &World) -> ResponseKind {
    match request {
        RequestKind::ApiVersions(_) => {
            ResponseKind::ApiVersions(ApiVersionsResponse::default().with_api_keys(versions(world)))
        }
        RequestKind::Metadata(request) => {
            let names =
                request.topics.as_ref().map(|topics| topics.iter().filter_map(|t| t.name.clone()).collect());
            ResponseKind::Metadata(metadata(names, world))
        }
        RequestKind::FindCoordinator(request) => {
            let node = |key: &StrBytes| BrokerId(coordinator(key, world));
            let response = FindCoordinatorResponse::default();
            ResponseKind::FindCoordinator(if version >= 4 {
                let found = request.coordinator_keys.iter();
                let found =
                    found.map(|key| Coordinator::default().with_key(key.clone()).with_node_id(node(key)));
                response.with_coordinators(found.collect())
            } else {
                response.with_node_id(node(&request.key))
            })
        }
        RequestKind::ListOffsets(request) => ResponseKind::ListOffsets(list_offsets(node, request, world)),
        RequestKind::ListGroups(_) => {
            let groups = (0..world.groups).map(|n| format!("group-{n}"));
            let mine = groups.filter(|group| coordinator(group, world) == node).map(|group| {
                ListedGroup::default()
                    .with_group_id(StrBytes::from_string(group).into())
                    .with_protocol_type(StrBytes::from_static_str("consumer"))
                    .with_group_state(if version >= 4 {
                        StrBytes::from_static_str("Stable")
                    } else {
                        StrBytes::new()
                    })
                    .with_group_type(if version >= 5 {
                        StrBytes::from_static_str("Classic")
                    } else {
                        StrBytes::new()
                    })
            });
            ResponseKind::ListGroups(ListGroupsResponse::default().with_groups(mine.collect()))
        }
        RequestKind::OffsetFetch(request) => ResponseKind::OffsetFetch(offset_fetch(request, version, world)),
        other => panic!("no usual answer to {other:?}"),
    }
}

fn metadata(names: Option<Vec<TopicName>>, world: &World) -> MetadataResponse {
    let ports = world.ports.lock().unwrap().clone();
    let brokers = ports.iter().enumerate().map(|(node, port)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(i32::try_from(node).unwrap()))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(*port))
    });
    let topics = world.topics.lock().unwrap();
    let describe = |name: &str, leaders: &Vec<i32>| {
        let partitions = leaders.iter().zip(0..).map(|(leader, index)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(*leader))
                .with_error_code(if *leader < 0 { 5 } else { 0 })
        });
        MetadataResponseTopic::default()
            .with_name(Some(StrBytes::from_string(name.to_owned()).into()))
            .with_partitions(partitions.collect())
    };
    let shown = match names {
        None => topics.iter().map(|(name, leaders)| describe(name, leaders)).collect(),
        Some(names) => names
            .into_iter()
            .map(|name| match topics.get(name.as_str()) {
                Some(leaders) => describe(&name, leaders),
                None => MetadataResponseTopic::default().with_error_code(3).with_name(Some(name)),
            })
            .collect(),
    };
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(world.cluster_id.clone())))
        .with_controller_id(BrokerId(world.controller.load(Ordering::Relaxed)))
        .with_topics(shown)
}

fn coordinator(group: &str, world: &World) -> i32 {
    let number: usize = group.trim_start_matches("group-").parse().unwrap_or_default();
    i32::try_from(number % world.ports.lock().unwrap().len()).unwrap()
}

/// The offset asked for is the partition's number plus 100.
fn list_offsets(node: i32, request: &ListOffsetsRequest, world: &World) -> ListOffsetsResponse {
    let known = world.topics.lock().unwrap();
    let topics = request.topics.iter().map(|topic| {
        let leaders = known.get(topic.name.as_str());
        let partitions = topic.partitions.iter().map(|asked| {
            let index = usize::try_from(asked.partition_index).unwrap();
            let leader = leaders.and_then(|leaders| leaders.get(index));
            let code = if leader == Some(&node) { 0 } else { 6 };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code)
                .with_offset(i64::from(asked.partition_index) + 100)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset_fetch(request: &OffsetFetchRequest, version: i16, world: &World) -> OffsetFetchResponse {
    let name: TopicName = StrBytes::from_static_str("t0").into();
    if version < 8 {
        let partitions = (0..world.offsets_per_group).map(|index| {
            OffsetFetchResponsePartition::default().with_partition_index(index).with_committed_offset(7)
        });
        let topic = OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect());
        return OffsetFetchResponse::default().with_topics(vec![topic]);
    }
    let groups = request.groups.iter().map(|group| {
        let partitions = (0..world.offsets_per_group).map(|index| {
            OffsetFetchResponsePartitions::default().with_partition_index(index).with_committed_offset(7)
        });
        let topic = OffsetFetchResponseTopics::default()
            .with_name(name.clone())
            .with_partitions(partitions.collect());
        OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone()).with_topics(vec![topic])
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}
