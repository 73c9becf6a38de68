//! Groups: three of four speak the classic protocol, the fourth the newer one. Each has two members that share the
//! partitions of one topic, and positions in all of them.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerProtocolAssignment,
        DescribeGroupsRequest, DescribeGroupsResponse, ListGroupsResponse, OffsetFetchRequest,
        OffsetFetchResponse, TopicName,
        consumer_group_describe_response::{self as described, Assignment},
        consumer_protocol_assignment::TopicPartition as Assigned,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        list_groups_response::ListedGroup,
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
        },
    },
    protocol::{Encodable, StrBytes},
};

use super::{
    BROKERS, PARTITIONS_PER_TOPIC, Size,
    topics::{self, number_of, text},
};

/// Newest version of the assignment every client understands.
const ASSIGNMENT_VERSION: i16 = 3;

fn speaks_new_protocol(number: i32) -> bool {
    number % 4 == 3
}

fn topic_of(size: Size, group: i32) -> i32 {
    group % size.topics.max(1)
}

/// Those this broker coordinates: group `n` is at broker `n % 6`, which FindCoordinator says, too.
pub(super) fn list(size: Size, node: i32) -> ListGroupsResponse {
    let groups = (0..size.groups).filter(|number| number % BROKERS == node).map(|number| {
        let kind = if speaks_new_protocol(number) { "Consumer" } else { "Classic" };
        ListedGroup::default()
            .with_group_id(text(format!("group-{number}")).into())
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_group_state(StrBytes::from_static_str("Stable"))
            .with_group_type(StrBytes::from_static_str(kind))
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

/// The halves of a topic's partitions that two members hold.
fn halves() -> [Vec<i32>; 2] {
    let middle = PARTITIONS_PER_TOPIC / 2;
    [(0..middle).collect(), (middle..PARTITIONS_PER_TOPIC).collect()]
}

pub(super) fn classic(size: Size, request: &DescribeGroupsRequest) -> DescribeGroupsResponse {
    let groups = request.groups.iter().map(|group| {
        let number = number_of(group.as_str());
        let members = halves().into_iter().zip(0..).map(|(partitions, nth)| {
            DescribedGroupMember::default()
                .with_member_id(text(format!("consumer-{number}-{nth}-5f1c7f5e-6b0e-4b57")))
                .with_client_id(text(format!("service-{number}-{nth}")))
                .with_client_host(text(format!("/10.0.{}.{nth}", number % 256)))
                .with_member_assignment(assignment(topic_of(size, number), partitions))
        });
        DescribedGroup::default()
            .with_group_id(group.clone())
            .with_group_state(StrBytes::from_static_str("Stable"))
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocol_data(StrBytes::from_static_str("cooperative-sticky"))
            .with_authorized_operations(if request.include_authorized_operations {
                0x0D_F8
            } else {
                i32::MIN
            })
            .with_members(members.collect())
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn assignment(topic: i32, partitions: Vec<i32>) -> Bytes {
    let assigned =
        Assigned::default().with_topic(TopicName(text(topics::name(topic)))).with_partitions(partitions);
    let assignment = ConsumerProtocolAssignment::default().with_assigned_partitions(vec![assigned]);
    let mut bytes = BytesMut::new();
    bytes.put_i16(ASSIGNMENT_VERSION);
    // An assignment that does not encode is shown as none, and the survey's completeness is checked.
    let encoded = assignment.encode(&mut bytes, ASSIGNMENT_VERSION);
    if encoded.is_ok() { bytes.freeze() } else { Bytes::new() }
}

pub(super) fn consumer(size: Size, request: &ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let groups = request.group_ids.iter().map(|group| {
        let number = number_of(group.as_str());
        let topic = topic_of(size, number);
        let members = halves().into_iter().zip(0..).map(|(partitions, nth)| {
            let assigned = described::TopicPartitions::default()
                .with_topic_id(topics::id(topic))
                .with_topic_name(TopicName(text(topics::name(topic))))
                .with_partitions(partitions);
            let assignment = Assignment::default().with_topic_partitions(vec![assigned]);
            described::Member::default()
                .with_member_id(text(format!("5f1c7f5e-6b0e-4b57-{number}-{nth}")))
                .with_client_id(text(format!("service-{number}-{nth}")))
                .with_client_host(text(format!("/10.0.{}.{nth}", number % 256)))
                .with_member_epoch(5)
                .with_assignment(assignment.clone())
                .with_target_assignment(assignment)
        });
        described::DescribedGroup::default()
            .with_group_id(group.clone())
            .with_group_state(StrBytes::from_static_str("Stable"))
            .with_assignor_name(StrBytes::from_static_str("uniform"))
            .with_members(members.collect())
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

pub(super) fn offsets(size: Size, request: &OffsetFetchRequest) -> OffsetFetchResponse {
    let groups = request.groups.iter().map(|group| {
        let partitions = (0..PARTITIONS_PER_TOPIC).map(|index| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(i64::from(index) * 1_000 + 9_000)
                .with_committed_leader_epoch(7)
        });
        let topic = topic_of(size, number_of(group.group_id.as_str()));
        let topic = OffsetFetchResponseTopics::default()
            .with_name(TopicName(text(topics::name(topic))))
            .with_partitions(partitions.collect());
        OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone()).with_topics(vec![topic])
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}
