//! Who is asked, in which version, how often, and what never leaves for the wrong cluster.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicI16, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use kafka_protocol::{
    messages::{
        ApiKey, CreateAclsResponse, DescribeAclsResponse, FindCoordinatorResponse, InitProducerIdResponse,
        LeaveGroupResponse, OffsetCommitResponse, OffsetDeleteResponse, ProduceResponse, RequestKind,
        ResponseKind,
        create_acls_response::AclCreationResult,
        describe_acls_response::{AclDescription, DescribeAclsResource},
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};
use muster_domain::{
    acl::{AclBinding, AclFilter, AclOperation, AclPermission, PatternType, ResourceType},
    cluster::{ClusterSecrets, ProbePrincipal},
    group::{CommittedOffset, GroupMember, GroupType},
    topic::TopicPartition,
};
use muster_kafka::{
    ClientOptions, ClusterAdmin, FenceVerdict, KafkaAdmin, KafkaErrorKind, KafkaMover, OffsetSpec,
    RecordMover,
    mover::NewRecord,
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

/// Tries every verb that changes something and answers their errors.
async fn change_everything(brokers: &Brokers, expected: Option<&str>) -> Vec<KafkaErrorKind> {
    let mut cluster = brokers.cluster();
    cluster.expected_cluster_id = expected.map(str::to_owned);
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let mover = KafkaMover::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let record = NewRecord { key: None, value: None, timestamp: 0 };
    let topic = muster_kafka::admin::NewTopic {
        name: "new".to_owned(),
        partitions: 1,
        replication: 1,
        configs: BTreeMap::new(),
    };
    let results = [
        admin.create_topic(&topic).await,
        admin.delete_topic("t0").await,
        admin.alter_topic_configs("t0", &BTreeMap::from([("retention.ms".to_owned(), None)])).await,
        admin.alter_group_offsets("group-0", &positions()).await,
        admin.delete_group_offsets("group-0", &[tp(0)]).await,
        admin.remove_members("group-0", GroupType::Classic, &[member("m", None)]).await,
        admin.remove_members("group-0", GroupType::Consumer, &[member("m", None)]).await,
        admin.create_acls(&[deny()]).await,
        admin.delete_acls(&[deny()]).await,
        admin.abort_transaction("payments-1").await,
        mover.write(&tp(0), vec![record], 3_000).await.map(drop),
    ];
    results.into_iter().map(|result| result.unwrap_err().kind).collect()
}

#[tokio::test]
async fn nothing_is_sent_to_the_wrong_or_an_unknown_cluster() {
    let brokers = Brokers::start(2, World::default().with_topic("t0", &[0, 1])).await;
    let wrong =
        KafkaErrorKind::WrongCluster { expected: "another".to_owned(), found: "synthetic".to_owned() };
    assert!(change_everything(&brokers, Some("another")).await.iter().all(|kind| *kind == wrong));
    assert!(
        change_everything(&brokers, None).await.iter().all(|kind| *kind == KafkaErrorKind::UnknownCluster)
    );
    let changing = [
        ApiKey::CreateTopics,
        ApiKey::DeleteTopics,
        ApiKey::IncrementalAlterConfigs,
        ApiKey::OffsetCommit,
        ApiKey::OffsetDelete,
        ApiKey::LeaveGroup,
        ApiKey::ConsumerGroupHeartbeat,
        ApiKey::CreateAcls,
        ApiKey::DeleteAcls,
        ApiKey::InitProducerId,
        ApiKey::Produce,
    ];
    for key in changing {
        assert_eq!(brokers.seen(key), vec![], "{key:?} reached a broker");
    }
}

#[tokio::test]
async fn the_cluster_id_is_read_once_on_each_connection_that_changes_something() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::CreateAcls(_) => created(),
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let admin = brokers.admin();
    for _ in 0..3 {
        admin.create_acls(&[deny()]).await.unwrap();
    }
    assert_eq!(
        brokers.seen(ApiKey::Metadata).len(),
        1,
        "the look at the brokers came over the same connection"
    );
}

#[tokio::test]
async fn a_change_whose_connection_breaks_is_not_repeated() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::CreateAcls(_) => Reply::Close,
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let error = brokers.admin().create_acls(&[deny()]).await.unwrap_err();
    assert!(matches!(error.kind, KafkaErrorKind::Connection(_)), "{error}");
    assert!(error.may_pass());
    assert_eq!(brokers.seen(ApiKey::CreateAcls).len(), 1);
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
    let began = Instant::now();
    let wanted = [tp(0), tp(1), TopicPartition::new("absent", 0)];
    let offsets = brokers.admin().offsets(&wanted, OffsetSpec::Start).await.unwrap();
    let codes = wanted.map(|tp| offsets[&tp].as_ref().map_err(|error| error.code()).copied());
    assert_eq!(codes, [Ok(100), Err(Some(5)), Err(Some(3))]);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn coordinators_that_load_or_moved_are_asked_again() {
    let answers = AtomicUsize::new(0);
    let world = World::default().with_script(move |_, request, _| match request {
        RequestKind::OffsetCommit(_) => {
            // COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, then it works.
            let code = [14, 16, 0].get(answers.fetch_add(1, Ordering::Relaxed)).copied().unwrap_or(0);
            let partition = OffsetCommitResponsePartition::default().with_error_code(code);
            let topic = OffsetCommitResponseTopic::default().with_partitions(vec![partition]);
            Reply::with(ResponseKind::OffsetCommit(OffsetCommitResponse::default().with_topics(vec![topic])))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    brokers.admin().alter_group_offsets("group-1", &positions()).await.unwrap();
    assert_eq!(brokers.seen(ApiKey::OffsetCommit).len(), 3);
    assert_eq!(
        brokers.seen(ApiKey::FindCoordinator).len(),
        3,
        "the coordinator is looked up again each time"
    );
}

#[tokio::test]
async fn a_live_groups_refusal_is_passed_on_at_once() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::OffsetCommit(_) => {
            let partition = OffsetCommitResponsePartition::default().with_error_code(25);
            let topic = OffsetCommitResponseTopic::default().with_partitions(vec![partition]);
            Reply::with(ResponseKind::OffsetCommit(OffsetCommitResponse::default().with_topics(vec![topic])))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let error = brokers.admin().alter_group_offsets("group-0", &positions()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "OffsetCommit of 1 partitions for group `group-0` on cluster `synthetic`: broker error 25 UNKNOWN_MEMBER_ID"
    );
    assert_eq!(brokers.seen(ApiKey::OffsetCommit).len(), 1);
}

#[tokio::test]
async fn not_now_is_asked_again_only_while_the_deadline_lasts() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::FindCoordinator(_) => {
            Reply::with(ResponseKind::FindCoordinator(FindCoordinatorResponse::default().with_error_code(15)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, World { caps: HashMap::from([(10, 3)]), ..world }).await;
    let options = ClientOptions { call_deadline_ms: 300, ..ClientOptions::default() };
    let began = Instant::now();
    let error = brokers.admin_with(options).abort_transaction("payments-1").await.unwrap_err();
    assert_eq!(error.code(), Some(15), "the broker's own answer says more than a timeout");
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_hung_transaction_is_fenced_again_until_its_abort_is_through() {
    let answers = AtomicUsize::new(0);
    let world = World::default().with_script(move |_, request, _| match request {
        RequestKind::InitProducerId(_) => {
            let code = if answers.fetch_add(1, Ordering::Relaxed) < 2 { 51 } else { 0 };
            let response = InitProducerIdResponse::default().with_error_code(code);
            Reply::with(ResponseKind::InitProducerId(response))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    brokers.admin().abort_transaction("payments-1").await.unwrap();
    assert_eq!(brokers.seen(ApiKey::InitProducerId).len(), 3);
}

/// As Kafka 2.1 offers them.
fn kafka_2_1() -> HashMap<i16, i16> {
    let mut caps: HashMap<i16, i16> = HashMap::from([
        (0, 7),
        (1, 10),
        (2, 4),
        (3, 7),
        (8, 6),
        (9, 5),
        (10, 2),
        (13, 2),
        (15, 2),
        (16, 2),
        (17, 1),
        (18, 2),
        (19, 3),
        (20, 3),
        (22, 1),
        (29, 1),
        (30, 1),
        (31, 1),
        (32, 2),
        (36, 1),
    ]);
    // What came later does not exist there.
    caps.extend((44..=100).map(|key| (key, -1)));
    caps
}

#[tokio::test]
async fn a_broker_of_2_1_is_spoken_to_in_its_own_versions() {
    let world = World { caps: kafka_2_1(), groups: 7, offsets_per_group: 2, ..World::default() };
    let world = world.with_topic("t0", &[0, 1, 0]).with_script(|_, request, _| match request {
        RequestKind::LeaveGroup(request) => {
            assert!(request.members.is_empty(), "one member at a time before version 3");
            Reply::with(ResponseKind::LeaveGroup(LeaveGroupResponse::default().with_error_code(25)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin();
    assert_eq!(brokers.seen(ApiKey::ApiVersions).len(), 0);
    assert_eq!(admin.topics(None).await.unwrap()[0].partitions.len(), 3);
    assert_eq!(brokers.seen(ApiKey::ApiVersions), vec![(0, 3), (0, 0)], "refused in 3, understood in 0");
    let offsets = admin.offsets(&[tp(0), tp(1), tp(2)], OffsetSpec::Stable).await.unwrap();
    assert_eq!(offsets.into_values().map(Result::unwrap).collect::<Vec<_>>(), vec![100, 101, 102]);
    let groups = admin.list_groups().await.unwrap();
    assert_eq!(groups.len(), 7);
    let names: Vec<String> = groups.into_iter().map(|group| group.group).collect();
    let positions = admin.group_offsets(&names, true).await.unwrap();
    assert_eq!(positions.len(), 7);
    assert!(positions.values().all(|group| group.len() == 2));
    assert_eq!(brokers.seen(ApiKey::OffsetFetch).len(), 7, "one group per request");
    admin
        .remove_members("group-0", GroupType::Classic, &[member("a", None), member("b", None)])
        .await
        .unwrap();
    let unsupported = admin.open_transactions().await.unwrap_err();
    assert_eq!(unsupported.kind, KafkaErrorKind::Unsupported("ListTransactions".to_owned()));
    let too_new = admin.delete_group_offsets("group-0", &[tp(0)]).await.unwrap_err();
    assert_eq!(too_new.kind, KafkaErrorKind::Unsupported("OffsetDelete".to_owned()));
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
async fn brokers_that_disagree_about_acls_are_shown() {
    let world = World::default().with_script(|node, request, _| match request {
        RequestKind::DescribeAcls(_) => {
            let acl = |principal: &'static str| {
                AclDescription::default()
                    .with_principal(StrBytes::from_static_str(principal))
                    .with_host(StrBytes::from_static_str("*"))
                    .with_operation(4)
                    .with_permission_type(2)
            };
            let mut acls = vec![acl("User:agreed")];
            acls.extend((node == 1).then(|| acl("User:spreading")));
            let resource = DescribeAclsResource::default()
                .with_resource_type(2)
                .with_resource_name(StrBytes::from_static_str("orders."))
                .with_pattern_type(4)
                .with_acls(acls);
            let response = DescribeAclsResponse::default().with_resources(vec![resource]);
            Reply::with(ResponseKind::DescribeAcls(response))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(3, world).await;
    let seen = brokers.admin().acls(&AclFilter::default()).await.unwrap();
    assert!(seen.authorizer);
    let principals = |set: std::collections::BTreeSet<AclBinding>| {
        set.into_iter().map(|b| b.principal).collect::<Vec<_>>()
    };
    assert_eq!(principals(seen.bindings), vec!["User:agreed"]);
    assert_eq!(principals(seen.disputed), vec!["User:spreading"]);
}

#[tokio::test]
async fn a_cluster_without_authorizer_says_so() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::DescribeAcls(_) => {
            Reply::with(ResponseKind::DescribeAcls(DescribeAclsResponse::default().with_error_code(54)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let seen = brokers.admin().acls(&AclFilter::default()).await.unwrap();
    assert!(!seen.authorizer && seen.bindings.is_empty());
}

#[tokio::test]
async fn the_probe_needs_a_principal_of_its_own() {
    let brokers = Brokers::start(1, World::default()).await;
    let topics = ["orders.placed".to_owned()];
    let error = brokers.admin().probe_write_fence(&topics).await.unwrap_err();
    assert_eq!(
        error.kind,
        KafkaErrorKind::Unsupported("the fence probe without a probe principal".to_owned())
    );
    let mut cluster = brokers.cluster();
    cluster.probe = Some(ProbePrincipal { username: "probe".to_owned() });
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let error = admin.probe_write_fence(&topics).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Unsupported("the fence probe without SASL".to_owned()));
    assert_eq!(brokers.seen(ApiKey::Produce), vec![]);
}

#[tokio::test]
async fn the_probe_reads_each_brokers_answer_for_what_it_proves() {
    let code = std::sync::Arc::new(AtomicI16::new(29));
    let said = std::sync::Arc::clone(&code);
    let world = World::default().with_script(move |node, request, _| match request {
        RequestKind::SaslHandshake(_) => Reply::with(ResponseKind::SaslHandshake(Default::default())),
        RequestKind::SaslAuthenticate(_) => Reply::with(ResponseKind::SaslAuthenticate(Default::default())),
        RequestKind::Produce(request) => {
            let partition = &request.topic_data[0].partition_data[0];
            assert_eq!((request.acks, partition.index), (-1, i32::MAX));
            let answer = if node == 0 { said.load(Ordering::Relaxed) } else { 7 };
            let partition = PartitionProduceResponse::default().with_error_code(answer);
            let topic = TopicProduceResponse::default().with_name(request.topic_data[0].name.clone());
            let topic = topic.with_partition_responses(vec![partition]);
            Reply::with(ResponseKind::Produce(ProduceResponse::default().with_responses(vec![topic])))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let mut cluster = brokers.cluster();
    cluster.security.sasl = Some(muster_domain::cluster::Sasl::Plain { username: "muster".to_owned() });
    cluster.probe = Some(ProbePrincipal { username: "probe".to_owned() });
    let secrets = ClusterSecrets {
        password: Some("m".to_owned().into()),
        client_key_pem: None,
        probe_password: Some("p".to_owned().into()),
    };
    let admin = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default());
    let topics = ["orders.placed".to_owned()];
    for (answer, verdict) in [(29, FenceVerdict::Fenced), (3, FenceVerdict::Open)] {
        code.store(answer, Ordering::Relaxed);
        let verdicts = admin.probe_write_fence(&topics).await.unwrap();
        assert_eq!(verdicts[&(0, topics[0].clone())], verdict);
        let unclear = FenceVerdict::Unclear { answer: "broker error 7 REQUEST_TIMED_OUT".to_owned() };
        assert_eq!(verdicts[&(1, topics[0].clone())], unclear);
    }
    cluster.expected_cluster_id = Some("another".to_owned());
    let error = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default())
        .probe_write_fence(&topics)
        .await
        .unwrap_err();
    assert!(matches!(error.kind, KafkaErrorKind::WrongCluster { .. }), "{error}");
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

/// Against brokers 20 ms away: round trips must not grow with partitions, groups or brokers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_costs_a_handful_of_round_trips() {
    let latency = Duration::from_millis(20);
    let mut world = World { groups: 300, offsets_per_group: 2, latency, ..World::default() };
    for topic in 0..30 {
        let leaders: Vec<i32> = (0..40).map(|p| p % 3).collect();
        world = world.with_topic(&format!("t{topic}"), &leaders);
    }
    let brokers = Brokers::start(3, world).await;
    let admin = brokers.admin();
    admin.list_groups().await.unwrap();
    let began = Instant::now();
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
    let took = began.elapsed();
    assert_eq!((end.unwrap().len(), stable.unwrap().len(), positions.len()), (1_200, 1_200, 300));
    assert!(took < latency * 15, "{took:?}");
}

#[tokio::test]
async fn a_controller_that_hangs_is_not_asked_for_ever() {
    let world = World::default().with_script(|node, request, _| match request {
        RequestKind::CreateAcls(_) if node == 0 => Reply::Hang,
        RequestKind::CreateAcls(_) => created(),
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin_with(ClientOptions { call_deadline_ms: 400, ..ClientOptions::default() });
    let error = admin.create_acls(&[deny()]).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Timeout(400));
    // The cluster has taken it for dead meanwhile.
    brokers.world.controller.store(1, Ordering::Relaxed);
    admin.create_acls(&[deny()]).await.unwrap();
    let asked: Vec<i32> = brokers.seen(ApiKey::CreateAcls).iter().map(|(node, _)| *node).collect();
    assert_eq!(asked, [0, 1]);
}

#[tokio::test]
async fn a_coordinator_that_hangs_is_looked_up_again() {
    let world = World { groups: 2, offsets_per_group: 1, ..World::default() }.with_topic("t0", &[0]);
    let world = world.with_script(|node, request, _| match request {
        RequestKind::OffsetCommit(_) if node == 1 => Reply::Hang,
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin_with(ClientOptions { call_deadline_ms: 400, ..ClientOptions::default() });
    for _ in 0..2 {
        let error = admin.alter_group_offsets("group-1", &positions()).await.unwrap_err();
        assert_eq!(error.kind, KafkaErrorKind::Timeout(400));
    }
    assert_eq!(brokers.seen(ApiKey::FindCoordinator).len(), 2, "asked anew after no answer");
}
