//! Who is asked, in which version, how often, and what never leaves for the wrong cluster: leaders and coordinators here, the rest in
//! the files beside this one.

mod acls;
mod changes;
mod configs;
mod old_brokers;
mod waiting;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kafka_protocol::messages::{
    ApiKey, CreateAclsResponse, LeaveGroupResponse, OffsetDeleteResponse, RequestKind, ResponseKind,
    create_acls_response::AclCreationResult,
};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    cluster::ClusterSecrets,
    group::{CommittedOffset, GroupMember, GroupType},
    topic::TopicPartition,
};
use muster_kafka::{
    ClientOptions, ClusterAdmin, KafkaAdmin, KafkaErrorKind, OffsetSpec,
    synthetic::{Brokers, Reply, World},
};

fn deny() -> AclBinding {
    let resource = (ResourceType::Topic, PatternType::Prefixed, "orders.");
    AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:*")
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t0", partition)
}

fn created() -> Reply {
    let results = vec![AclCreationResult::default()];
    Reply::with(ResponseKind::CreateAcls(CreateAclsResponse::default().with_results(results)))
}

fn positions() -> BTreeMap<TopicPartition, CommittedOffset> {
    BTreeMap::from([(tp(0), CommittedOffset { offset: 3, metadata: String::new(), leader_epoch: None })])
}

fn member(id: &str, instance: Option<&str>) -> GroupMember {
    GroupMember {
        member_id: id.to_owned(),
        group_instance_id: instance.map(str::to_owned),
        client_id: String::new(),
        client_host: String::new(),
        assignment: Vec::new(),
    }
}

#[tokio::test]
async fn leaders_are_looked_up_again_when_they_moved() {
    let brokers = Brokers::start(2, World::default().with_topic("t0", &[0, 0])).await;
    let admin = brokers.admin();
    assert_eq!(*admin.offsets(&[tp(1)], OffsetSpec::End).await.unwrap()[&tp(1)].as_ref().unwrap(), 101);
    brokers.world.topics.lock().unwrap().insert("t0".to_owned(), vec![0, 1]);
    let offsets = admin.offsets(&[tp(0), tp(1)], OffsetSpec::Stable).await.unwrap();
    assert_eq!(*offsets[&tp(1)].as_ref().unwrap(), 101);
    let asked: Vec<i32> = brokers.seen(ApiKey::ListOffsets).iter().map(|(node, _)| *node).collect();
    assert_eq!(asked, vec![0, 0, 1]);
}

#[tokio::test]
async fn a_topic_with_ten_thousand_partitions_is_asked_of_each_of_its_leaders_once() {
    let leaders: Vec<i32> = (0..10_000).map(|number| number % 3).collect();
    let brokers = Brokers::start(3, World::default().with_topic("t0", &leaders)).await;
    let admin = brokers.admin();
    let topics = admin.topics(None).await.unwrap();
    let shown: Vec<(i32, Option<i32>)> =
        topics[0].partitions.iter().map(|partition| (partition.partition, partition.leader)).collect();
    assert!(topics.len() == 1 && shown == (0..).zip(leaders.into_iter().map(Some)).collect::<Vec<_>>());
    let all: Vec<TopicPartition> = (0..10_000).map(tp).collect();
    let offsets = admin.offsets(&all, OffsetSpec::End).await.unwrap();
    let right = |(at, offset): (&TopicPartition, &Result<i64, _>)| {
        *offset.as_ref().unwrap() == i64::from(at.partition) + 100
    };
    assert!(offsets.len() == all.len() && offsets.iter().all(right));
    let mut asked: Vec<i32> = brokers.seen(ApiKey::ListOffsets).iter().map(|(node, _)| *node).collect();
    asked.sort_unstable();
    assert_eq!(asked, [0, 1, 2]);
}

#[tokio::test]
async fn a_partition_without_leader_has_its_own_error_and_delays_nobody() {
    let brokers = Brokers::start(1, World::default().with_topic("t0", &[0, -1])).await;
    let hour = ClientOptions { call_deadline_ms: 3_600_000, ..ClientOptions::default() };
    let admin = brokers.admin_with(hour);
    let wanted = [tp(0), tp(1), TopicPartition::new("absent", 0)];
    let asked = tokio::time::timeout(Duration::from_secs(60), admin.offsets(&wanted, OffsetSpec::Start));
    let offsets = asked.await.expect("nobody waits for a leader until the deadline").unwrap();
    let codes = wanted.map(|tp| offsets[&tp].as_ref().map_err(|error| error.code()).copied());
    assert_eq!(codes, [Ok(100), Err(Some(5)), Err(Some(3))]);
}

#[tokio::test]
async fn positions_of_many_groups_are_asked_together_where_they_live() {
    let world = World { groups: 600, offsets_per_group: 3, ..World::default() }.with_topic("t0", &[0]);
    let brokers = Brokers::start(3, world).await;
    let admin = brokers.admin();
    let names: Vec<String> =
        admin.list_groups().await.unwrap().into_iter().map(|group| group.group).collect();
    let positions = admin.group_offsets(&names, false).await.unwrap();
    assert_eq!(positions.len(), 600);
    assert_eq!(positions["group-599"][&tp(2)].offset, 7);
    assert_eq!(brokers.seen(ApiKey::OffsetFetch).len(), 3);
    assert_eq!(brokers.seen(ApiKey::FindCoordinator).len(), 0, "listings tell who coordinates whom");
}

#[tokio::test]
async fn static_members_are_named_by_their_instance() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::LeaveGroup(request) => {
            let sent: Vec<_> =
                request.members.iter().map(|m| (&*m.member_id, m.group_instance_id.as_deref())).collect();
            assert_eq!(sent, vec![("", Some("static-1")), ("dynamic", None)]);
            Reply::with(ResponseKind::LeaveGroup(LeaveGroupResponse::default()))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let members = [member("static-member", Some("static-1")), member("dynamic", None)];
    brokers.admin().remove_members("group-0", GroupType::Classic, &members).await.unwrap();
}

#[tokio::test]
async fn deleting_positions_of_a_group_that_is_gone_is_fine() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::OffsetDelete(_) => {
            Reply::with(ResponseKind::OffsetDelete(OffsetDeleteResponse::default().with_error_code(69)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    brokers.admin().delete_group_offsets("group-0", &[tp(0)]).await.unwrap();
}

/// What is asked must not grow with partitions, groups or topics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_costs_a_handful_of_requests() {
    let mut world = World { groups: 300, offsets_per_group: 2, ..World::default() };
    for topic in 0..30 {
        let leaders: Vec<i32> = (0..40).map(|p| p % 3).collect();
        world = world.with_topic(&format!("t{topic}"), &leaders);
    }
    let brokers = Brokers::start(3, world).await;
    let admin = brokers.admin();
    admin.list_groups().await.unwrap();
    let before = brokers.world.seen.lock().unwrap().len();
    let topics = admin.topics(None).await.unwrap();
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|p| TopicPartition::new(&topic.name, p.partition)))
        .collect();
    let (end, stable, groups) = tokio::join!(
        admin.offsets(&partitions, OffsetSpec::End),
        admin.offsets(&partitions, OffsetSpec::Stable),
        admin.list_groups(),
    );
    let names: Vec<String> = groups.unwrap().into_iter().map(|group| group.group).collect();
    let positions = admin.group_offsets(&names, false).await.unwrap();
    assert_eq!((end.unwrap().len(), stable.unwrap().len(), positions.len()), (1_200, 1_200, 300));
    let seen = brokers.world.seen.lock().unwrap();
    // Two offsets and two questions about groups of each of three brokers, and who leads what.
    assert!(seen.len() - before < 30, "{:?}", &seen[before..]);
}

/// Round trips must not grow with brokers: where nobody answers, all have been asked nevertheless.
#[tokio::test]
async fn each_broker_is_asked_before_another_has_answered() {
    let asked = [ApiKey::ListOffsets, ApiKey::ListGroups, ApiKey::OffsetFetch].map(async |key| {
        let deaf = Arc::new(AtomicBool::new(false));
        let world =
            World { groups: 3, offsets_per_group: 1, ..World::default() }.with_topic("t0", &[0, 1, 2]);
        let world = world.with_script({
            let deaf = Arc::clone(&deaf);
            move |_, request, _| match request {
                RequestKind::ListOffsets(_) | RequestKind::ListGroups(_) | RequestKind::OffsetFetch(_)
                    if deaf.load(Ordering::Relaxed) =>
                {
                    Reply::Hang
                }
                _ => Reply::Usual,
            }
        });
        let brokers = Brokers::start(3, world).await;
        let options = ClientOptions { call_deadline_ms: 3_000, ..ClientOptions::default() };
        let admin = brokers.admin_with(options);
        let groups = admin.list_groups().await.unwrap();
        let names: Vec<String> = groups.into_iter().map(|group| group.group).collect();
        deaf.store(true, Ordering::Relaxed);
        let before = brokers.seen(key).len();
        match key {
            ApiKey::ListOffsets => drop(admin.offsets(&[0, 1, 2].map(tp), OffsetSpec::End).await),
            ApiKey::ListGroups => drop(admin.list_groups().await),
            _ => drop(admin.group_offsets(&names, false).await),
        }
        let mut nodes: Vec<i32> = brokers.seen(key)[before..].iter().map(|(node, _)| *node).collect();
        nodes.sort_unstable();
        (key, nodes)
    });
    for (key, nodes) in futures_util::future::join_all(asked).await {
        assert_eq!(nodes, [0, 1, 2], "{key:?}");
    }
}
