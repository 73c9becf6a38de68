//! Members of groups, by protocol: reading them and removing them.

use bytes::{Buf, Bytes};
use futures_util::future::try_join_all;
use kafka_protocol::{
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DescribeGroupsRequest, GroupId,
        LeaveGroupRequest, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest,
        consumer_group_describe_response, describe_groups_response, leave_group_request::MemberIdentity,
        share_group_describe_response,
    },
    protocol::StrBytes,
};
use muster_domain::{
    group::{GroupDescription, GroupMember, GroupType},
    offset_pairs::can_be_a_topic,
    topic::TopicPartition,
};

use crate::{
    asking::routing::{Call, Router, Target},
    broker_error::{GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID, broker_error},
    error::{KafkaError, KafkaErrorKind},
    verbs::groups::{at_coordinator, read_state},
};

type Described<'g> = (&'g str, Result<GroupDescription, KafkaError>);

/// Describes a batch at one coordinator, in the protocol of its kind.
pub(crate) async fn describe_on<'g>(
    call: &Call<'_>,
    node: i32,
    kind: GroupType,
    batch: Vec<&'g str>,
) -> Result<Vec<Described<'g>>, KafkaError> {
    let ids: Vec<GroupId> = batch.iter().map(|group| group_id(group)).collect();
    let target = Target::Node(node);
    let answers: Vec<(String, i16, Option<StrBytes>, GroupDescription)> = match kind {
        GroupType::Classic | GroupType::Streams => {
            let build = |_| DescribeGroupsRequest::default().with_groups(ids.clone());
            let (answer, _) = call.send(target, None, build).await?;
            answer.groups.into_iter().map(read_classic).collect()
        }
        GroupType::Consumer => {
            let build = |_| ConsumerGroupDescribeRequest::default().with_group_ids(ids.clone());
            let (answer, _) = call.send(target, None, build).await?;
            answer.groups.into_iter().map(read_consumer).collect()
        }
        GroupType::Share => {
            let build = |_| ShareGroupDescribeRequest::default().with_group_ids(ids.clone());
            let (answer, _) = call.send(target, None, build).await?;
            answer.groups.into_iter().map(read_share).collect()
        }
    };
    let known = |name: &str| batch.iter().find(|group| **group == name).copied();
    let result = answers.into_iter().filter_map(|(name, code, message, description)| {
        let group = known(&name)?;
        let outcome = match code {
            0 => Ok(description),
            code => Err(call.fail(Some(node), broker_error(code, message.as_ref()))),
        };
        Some((group, outcome))
    });
    Ok(result.collect())
}

fn read_classic(
    group: describe_groups_response::DescribedGroup,
) -> (String, i16, Option<StrBytes>, GroupDescription) {
    let is_consumer = &*group.protocol_type == "consumer";
    let members = group.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: if is_consumer { read_assignment(member.member_assignment) } else { Vec::new() },
    });
    let description = GroupDescription {
        group: group.group_id.to_string(),
        kind: GroupType::Classic,
        state: read_state(&group.group_state),
        members: members.collect(),
    };
    (description.group.clone(), group.error_code, group.error_message, description)
}

/// Consumers of every client agree on this format (`ConsumerProtocolAssignment`, all versions alike as far as this goes);
/// one that does not read is shown as holding nothing. The bytes are the client's own: what they claim is no reason to
/// allocate, which the codec's decoder would.
fn read_assignment(bytes: Bytes) -> Vec<TopicPartition> {
    try_read_assignment(bytes).unwrap_or_default()
}

fn try_read_assignment(mut bytes: Bytes) -> Option<Vec<TopicPartition>> {
    bytes.try_get_i16().ok()?; // version
    let mut assigned = Vec::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        let name = (bytes.len() >= length).then(|| bytes.split_to(length))?;
        let topic = std::str::from_utf8(&name).ok()?;
        // It is kept once for each partition of four bytes: a longer name than a topic can have would fill the memory.
        if !can_be_a_topic(&TopicPartition::new(topic, 0)) {
            return None;
        }
        for _ in 0..bytes.try_get_i32().ok()? {
            assigned.push(TopicPartition::new(topic, bytes.try_get_i32().ok()?));
        }
    }
    Some(assigned)
}

fn read_consumer(
    group: consumer_group_describe_response::DescribedGroup,
) -> (String, i16, Option<StrBytes>, GroupDescription) {
    let members = group.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: flatten(
            member.assignment.topic_partitions.iter().map(|t| (t.topic_name.as_str(), &t.partitions)),
        ),
    });
    let description = GroupDescription {
        group: group.group_id.to_string(),
        kind: GroupType::Consumer,
        state: read_state(&group.group_state),
        members: members.collect(),
    };
    (description.group.clone(), group.error_code, group.error_message, description)
}

fn read_share(
    group: share_group_describe_response::DescribedGroup,
) -> (String, i16, Option<StrBytes>, GroupDescription) {
    let members = group.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: None,
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: flatten(
            member.assignment.topic_partitions.iter().map(|t| (t.topic_name.as_str(), &t.partitions)),
        ),
    });
    let description = GroupDescription {
        group: group.group_id.to_string(),
        kind: GroupType::Share,
        state: read_state(&group.group_state),
        members: members.collect(),
    };
    (description.group.clone(), group.error_code, group.error_message, description)
}

fn flatten<'a>(topics: impl Iterator<Item = (&'a str, &'a Vec<i32>)>) -> Vec<TopicPartition> {
    topics
        .flat_map(|(topic, partitions)| partitions.iter().map(move |p| TopicPartition::new(topic, *p)))
        .collect()
}

/// Removes members at once. Says nothing about what the clients still process.
pub(crate) async fn remove_members(
    router: &Router,
    group: &str,
    kind: GroupType,
    members: &[GroupMember],
) -> Result<(), KafkaError> {
    if members.is_empty() {
        return Ok(());
    }
    let what = format!("remove {} members from group `{group}`", members.len());
    let call = router.change(&what);
    match kind {
        GroupType::Classic => {
            at_coordinator(&call, group, |target| leave(&call, target, group, members)).await
        }
        GroupType::Consumer | GroupType::Share => {
            let mut leaving = Vec::with_capacity(members.len());
            for member in members {
                leaving.push(at_coordinator(&call, group, |target| {
                    say_goodbye(&call, target, group, kind, &member.member_id)
                }));
            }
            try_join_all(leaving).await.map(drop)
        }
        GroupType::Streams => {
            Err(call.fail(None, KafkaErrorKind::Unsupported("removing members of streams groups".to_owned())))
        }
    }
}

async fn leave(
    call: &Call<'_>,
    target: Target,
    group: &str,
    members: &[GroupMember],
) -> Result<(), KafkaError> {
    if !call.reaches::<LeaveGroupRequest>(target, 3).await? {
        // Brokers before 2.4 take one member per request.
        for member in members {
            let build = |_| {
                LeaveGroupRequest::default()
                    .with_group_id(group_id(group))
                    .with_member_id(text(&member.member_id))
            };
            let (answer, _) = call.send(target, Some(2), build).await?;
            expect_gone(call, answer.error_code)?;
        }
        return Ok(());
    }
    let build = |version: i16| {
        let identities = members.iter().map(|member| {
            // A static member is named by its instance id alone: the broker would compare both.
            let id = if member.group_instance_id.is_some() { "" } else { member.member_id.as_str() };
            let identity = MemberIdentity::default()
                .with_member_id(text(id))
                .with_group_instance_id(member.group_instance_id.as_deref().map(text));
            let reason = "moved out by Muster for a switchover";
            if version >= 5 {
                identity.with_reason(Some(StrBytes::from_static_str(reason)))
            } else {
                identity
            }
        });
        LeaveGroupRequest::default().with_group_id(group_id(group)).with_members(identities.collect())
    };
    let (answer, _) = call.send(target, None, build).await?;
    expect_gone(call, answer.error_code)?;
    answer.members.iter().try_for_each(|member| expect_gone(call, member.error_code))
}

/// The member's own last heartbeat (epoch -1), said on its behalf.
async fn say_goodbye(
    call: &Call<'_>,
    target: Target,
    group: &str,
    kind: GroupType,
    member: &str,
) -> Result<(), KafkaError> {
    if kind == GroupType::Share {
        let build = |_| {
            let request = ShareGroupHeartbeatRequest::default().with_group_id(group_id(group));
            request.with_member_id(text(member)).with_member_epoch(-1)
        };
        let (answer, _) = call.send(target, None, build).await?;
        return expect_gone(call, answer.error_code);
    }
    let build = |_| {
        let request = ConsumerGroupHeartbeatRequest::default().with_group_id(group_id(group));
        request.with_member_id(text(member)).with_member_epoch(-1).with_topic_partitions(None)
    };
    let (answer, _) = call.send(target, None, build).await?;
    expect_gone(call, answer.error_code)
}

/// Already gone counts as removed.
fn expect_gone(call: &Call<'_>, code: i16) -> Result<(), KafkaError> {
    match code {
        UNKNOWN_MEMBER_ID | GROUP_ID_NOT_FOUND => Ok(()),
        code => call.expect_ok(None, code, None),
    }
}

/// A group id for a request.
pub(crate) fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Text for a request.
pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{
        messages::{
            ConsumerProtocolAssignment, TopicName, consumer_protocol_assignment::TopicPartition as Assigned,
        },
        protocol::Encodable as _,
    };
    use muster_domain::bent::{Bend, bend};

    use super::*;

    fn written(topics: &[(&str, &[i32])]) -> Bytes {
        let topics = topics.iter().map(|(topic, partitions)| {
            let name = TopicName(StrBytes::from_string((*topic).to_owned()));
            Assigned::default().with_topic(name).with_partitions(partitions.to_vec())
        });
        let assignment = ConsumerProtocolAssignment::default().with_assigned_partitions(topics.collect());
        let mut bytes = bytes::BytesMut::new();
        bytes.extend_from_slice(&3_i16.to_be_bytes());
        assignment.encode(&mut bytes, 3).expect("encodes");
        bytes.freeze()
    }

    #[test]
    fn an_assignment_reads_as_clients_write_it() {
        let read = read_assignment(written(&[("orders.placed", &[0, 2]), ("payments", &[1])]));
        let at = TopicPartition::new;
        assert_eq!(read, [at("orders.placed", 0), at("orders.placed", 2), at("payments", 1)]);
        assert_eq!(read_assignment(written(&[])), []);
    }

    #[test]
    fn what_a_client_claims_to_hold_is_no_reason_to_allocate() {
        let claims = |bytes: &[u8]| read_assignment(Bytes::copy_from_slice(bytes));
        assert_eq!(claims(&[0, 0, 0x7F, 0xFF, 0xFF, 0xFF]), [], "two billion topics");
        assert_eq!(
            claims(&[0, 0, 0, 0, 0, 1, 0, 1, b'a', 0x7F, 0xFF, 0xFF, 0xFF]),
            [],
            "two billion partitions"
        );
        assert_eq!(claims(&[0, 0, 0xFF, 0xFF, 0xFF, 0xFF]), [], "fewer than none");
    }

    #[test]
    fn a_name_longer_than_any_topic_has_is_not_kept_for_each_partition() {
        let longest = "t".repeat(249);
        assert_eq!(read_assignment(written(&[(&longest, &[0; 10])])).len(), 10);
        assert_eq!(read_assignment(written(&[(&"t".repeat(30_000), &[0; 10])])), []);
    }

    proptest::proptest! {
        #[test]
        fn fuzz_no_bytes_of_a_client_make_it_panic(bytes: Vec<u8>) {
            let most = bytes.len();
            assert!(read_assignment(bytes.into()).len() <= most);
        }

        #[test]
        fn fuzz_no_change_to_an_assignment_makes_it_panic(partitions: Vec<i32>, bends: [Bend; 3]) {
            let bent = bend(&written(&[("orders.placed", &partitions), ("payments", &[1])]), &bends);
            let most = bent.len();
            let read = read_assignment(bent.into());
            assert!(read.len() <= most && read.iter().all(can_be_a_topic));
        }
    }
}
