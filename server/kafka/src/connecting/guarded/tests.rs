//! Answers that no broker gave, of every kind that Muster asks for: claims, bytes, and its own answers with something in them changed.

use bytes::BytesMut;
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, BrokerId, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
        CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest, DeleteTopicsRequest, DescribeAclsRequest,
        DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeConfigsResponse,
        DescribeGroupsRequest, DescribeGroupsResponse, DescribeProducersRequest, DescribeTransactionsRequest,
        DescribeUserScramCredentialsRequest, FetchRequest, FetchResponse, FindCoordinatorRequest, GroupId,
        IncrementalAlterConfigsRequest, InitProducerIdRequest, LeaveGroupRequest, ListGroupsRequest,
        ListOffsetsRequest, ListOffsetsResponse, ListTransactionsRequest, MetadataRequest, MetadataResponse,
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
        ProduceRequest, SaslAuthenticateRequest, SaslHandshakeRequest, ShareGroupDescribeRequest,
        ShareGroupHeartbeatRequest, TopicName,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        fetch_response::{FetchableTopicResponse, PartitionData},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    },
    protocol::{Encodable, Message, Request, StrBytes, VersionRange},
};
use muster_domain::bent::{Bend, bend};
use proptest::{prelude::*, sample::Index};

use super::*;

/// A broker whose number is too large for a count, as some are made from addresses.
const LARGE: i32 = 2_130_706_433;

/// One kind of answer.
struct Kind {
    versions: VersionRange,
    /// Whether bytes are read as one.
    is_read: fn(Bytes, i16) -> bool,
    /// One as a broker writes it, where that version can say it.
    written: fn(i16) -> Option<Vec<u8>>,
}

fn is_read<T: Decodable + HeaderVersion>(body: Bytes, version: i16) -> bool {
    read::<T>(body, version).is_ok()
}

fn written(answer: &impl Encodable, version: i16) -> Option<Vec<u8>> {
    let mut body = BytesMut::new();
    answer.encode(&mut body, version).ok()?;
    Some(body.to_vec())
}

fn empty<T: Encodable + Default>(version: i16) -> Option<Vec<u8>> {
    written(&T::default(), version)
}

/// The answer to that request, with nothing in it.
fn kind<R: Request>() -> Kind
where
    R::Response: Default,
{
    let versions = <R::Response as Message>::VERSIONS;
    Kind { versions, is_read: is_read::<R::Response>, written: empty::<R::Response> }
}

/// The same with something in it.
fn full<T: Message + Decodable + HeaderVersion>(written: fn(i16) -> Option<Vec<u8>>) -> Kind {
    Kind { versions: T::VERSIONS, is_read: is_read::<T>, written }
}

fn name(text: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(text))
}

fn metadata() -> MetadataResponse {
    let broker = MetadataResponseBroker::default().with_node_id(BrokerId(LARGE)).with_port(9092);
    let partition = MetadataResponsePartition::default()
        .with_leader_id(BrokerId(LARGE))
        .with_replica_nodes(vec![BrokerId(LARGE), BrokerId(2)])
        .with_isr_nodes(vec![BrokerId(LARGE)]);
    let topic =
        MetadataResponseTopic::default().with_name(Some(name("orders"))).with_partitions(vec![partition]);
    MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
}

fn offsets() -> ListOffsetsResponse {
    let partition = ListOffsetsPartitionResponse::default().with_partition_index(3).with_offset(41);
    let topic =
        ListOffsetsTopicResponse::default().with_name(name("orders")).with_partitions(vec![partition]);
    ListOffsetsResponse::default().with_topics(vec![topic])
}

fn configs() -> DescribeConfigsResponse {
    let config = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("604800000")));
    let result = DescribeConfigsResult::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("orders"))
        .with_configs(vec![config]);
    DescribeConfigsResponse::default().with_results(vec![result])
}

fn groups() -> DescribeGroupsResponse {
    let member = DescribedGroupMember::default()
        .with_member_id(StrBytes::from_static_str("billing-1"))
        .with_member_assignment(Bytes::from_static(&[0, 0, 0, 0, 0, 0]));
    let group = DescribedGroup::default()
        .with_group_id(GroupId(StrBytes::from_static_str("billing")))
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_members(vec![member]);
    DescribeGroupsResponse::default().with_groups(vec![group])
}

fn records() -> FetchResponse {
    let partition =
        PartitionData::default().with_high_watermark(9).with_records(Some(Bytes::from_static(&[7; 70])));
    let topic = FetchableTopicResponse::default().with_topic(name("orders")).with_partitions(vec![partition]);
    FetchResponse::default().with_responses(vec![topic])
}

fn kinds() -> Vec<Kind> {
    vec![
        full::<MetadataResponse>(|version| written(&metadata(), version)),
        full::<ListOffsetsResponse>(|version| written(&offsets(), version)),
        full::<DescribeConfigsResponse>(|version| written(&configs(), version)),
        full::<DescribeGroupsResponse>(|version| written(&groups(), version)),
        full::<FetchResponse>(|version| written(&records(), version)),
        kind::<ApiVersionsRequest>(),
        kind::<ConsumerGroupDescribeRequest>(),
        kind::<ConsumerGroupHeartbeatRequest>(),
        kind::<CreateAclsRequest>(),
        kind::<CreateTopicsRequest>(),
        kind::<DeleteAclsRequest>(),
        kind::<DeleteTopicsRequest>(),
        kind::<DescribeAclsRequest>(),
        kind::<DescribeClientQuotasRequest>(),
        kind::<DescribeClusterRequest>(),
        kind::<DescribeConfigsRequest>(),
        kind::<DescribeGroupsRequest>(),
        kind::<DescribeProducersRequest>(),
        kind::<DescribeTransactionsRequest>(),
        kind::<DescribeUserScramCredentialsRequest>(),
        kind::<FetchRequest>(),
        kind::<FindCoordinatorRequest>(),
        kind::<IncrementalAlterConfigsRequest>(),
        kind::<InitProducerIdRequest>(),
        kind::<LeaveGroupRequest>(),
        kind::<ListGroupsRequest>(),
        kind::<ListOffsetsRequest>(),
        kind::<ListTransactionsRequest>(),
        kind::<MetadataRequest>(),
        kind::<OffsetCommitRequest>(),
        kind::<OffsetDeleteRequest>(),
        kind::<OffsetFetchRequest>(),
        kind::<OffsetForLeaderEpochRequest>(),
        kind::<ProduceRequest>(),
        kind::<SaslAuthenticateRequest>(),
        kind::<SaslHandshakeRequest>(),
        kind::<ShareGroupDescribeRequest>(),
        kind::<ShareGroupHeartbeatRequest>(),
    ]
}

/// One kind and one of its versions.
fn any_kind() -> impl Strategy<Value = (usize, i16)> {
    let versions: Vec<(usize, i16)> = kinds()
        .iter()
        .enumerate()
        .flat_map(|(place, kind)| {
            (kind.versions.min..=kind.versions.max).map(move |version| (place, version))
        })
        .collect();
    prop::sample::select(versions)
}

#[test]
fn a_claim_beyond_what_is_there_is_an_error() {
    // Throttle time, then a compact array that claims 2^28 - 2 brokers.
    let claim = Bytes::from_static(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3]);
    assert!(!is_read::<MetadataResponse>(claim, 12));
    // The same with a fifth byte that claims to go on.
    let claim = Bytes::from_static(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    assert!(!is_read::<MetadataResponse>(claim, 12));
    let honest = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 5, 1, 0]);
    let decoded = read::<MetadataResponse>(honest, 12);
    assert_eq!(decoded.map(|answer| answer.controller_id.0).ok(), Some(5));
}

#[test]
fn neither_is_a_claim_of_the_older_encoding_made_room_for() {
    // Two billion brokers, and two billion replicas behind brokers whose numbers are as large.
    assert!(!is_read::<MetadataResponse>(Bytes::from_static(&[0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3]), 1));
    let mut body = written(&metadata(), 1).expect("it has one broker and one topic");
    let read = read::<MetadataResponse>(body.clone().into(), 1).expect("a number is no count");
    assert_eq!(read.brokers[0].node_id, BrokerId(LARGE));
    assert_eq!(read.topics[0].partitions[0].replica_nodes, [BrokerId(LARGE), BrokerId(2)]);
    let counts = body.windows(4).rposition(|four| four == [0, 0, 0, 1]).expect("how many in-sync replicas");
    body[counts..counts + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert!(!is_read::<MetadataResponse>(body.into(), 1));
}

#[test]
fn what_brokers_write_is_read_in_every_version() {
    let mut said = 0;
    for (place, kind) in kinds().iter().enumerate() {
        for version in kind.versions.min..=kind.versions.max {
            let Some(body) = (kind.written)(version) else { continue };
            assert!((kind.is_read)(body.into(), version), "kind {place} in version {version}");
            said += 1;
        }
    }
    assert!(said > 100, "{said}");
}

proptest! {
    #[test]
    fn fuzz_no_bytes_of_a_broker_make_it_panic((place, version) in any_kind(), bytes in any::<Vec<u8>>()) {
        let _ = (kinds()[place].is_read)(bytes.into(), version);
    }

    #[test]
    fn fuzz_no_change_to_an_answer_makes_it_panic(
        (place, version) in any_kind(),
        bends in any::<[Bend; 3]>(),
        claim in (any::<Index>(), prop::sample::select(vec![i32::MAX, i32::MIN, -1, 1 << 20])),
    ) {
        let all = kinds();
        let kind = &all[place];
        let mut body = (kind.written)(version).unwrap_or_default();
        // Whatever stands there now claims to be many.
        let (at, many) = (claim.0.index(body.len().max(4)), claim.1);
        body.iter_mut().skip(at).zip(many.to_be_bytes()).for_each(|(byte, claimed)| *byte = claimed);
        let _ = (kind.is_read)(Bytes::from(body.clone()), version);
        let _ = (kind.is_read)(bend(&body, &bends).into(), version);
    }
}
