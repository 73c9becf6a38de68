//! The simulated world as a whole: a switchover done by hand in it, well and badly.
#![cfg(feature = "double")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, time::Duration};

use muster_domain::{
    acl::{AclBinding, AclFilter, AclOperation, AclPermission, PatternType, ResourceType},
    group::GroupType,
    pair::Side,
    survey::{ConnectState, ConnectorRole},
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin, FenceVerdict, KafkaErrorKind, OffsetSpec,
    double::{Call, Fault, Health, When},
};
use muster_replication::{
    Replication, ReplicationErrorKind,
    double::{SmallWorld, small_world},
};

const ROLES: [ConnectorRole; 3] =
    [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat];

fn deny(operation: AclOperation, resource: ResourceType, name: &str) -> AclBinding {
    AclBinding::new(AclPermission::Deny, operation, (resource, PatternType::Prefixed, name), "User:*")
}

fn write_fence() -> Vec<AclBinding> {
    ["orders.", "payments."].map(|prefix| deny(AclOperation::Write, ResourceType::Topic, prefix)).to_vec()
}

fn shop_partitions() -> Vec<TopicPartition> {
    [("orders.placed", 3), ("orders.shipped", 2), ("payments.captured", 2)]
        .into_iter()
        .flat_map(|(topic, n)| (0..n).map(move |p| TopicPartition::new(topic, p)))
        .collect()
}

/// Fences the west and waits until every broker refuses.
async fn fence(small: &SmallWorld) {
    let west = small.world.admin("eu-west");
    west.create_acls(&write_fence()).await.unwrap();
    let topics = ["orders.placed".to_owned(), "payments.captured".to_owned()];
    for _ in 0..10 {
        let verdicts = west.probe_write_fence(&topics).await.unwrap();
        if verdicts.values().all(|verdict| *verdict == FenceVerdict::Fenced) {
            return;
        }
    }
    panic!("not fenced");
}

/// Exact positions by counting committed data records on both sides (the logs hold the same records in order).
fn exact_offsets(
    small: &SmallWorld,
    group: &str,
) -> BTreeMap<TopicPartition, muster_domain::group::CommittedOffset> {
    use muster_kafka::Isolation::ReadCommitted;
    let state = small.world.lock();
    let (west, central) = (state.cluster("eu-west"), state.cluster("eu-central"));
    let mut exact = BTreeMap::new();
    for (at, committed) in &west.groups[group].offsets {
        let rank = west.log(at).unwrap().visible(0, committed.offset, ReadCommitted).count();
        let log = central.log(at).unwrap();
        let offset =
            log.visible(0, log.end(), ReadCommitted).nth(rank).map_or(log.end(), |record| record.offset);
        exact.insert(at.clone(), muster_domain::group::CommittedOffset { offset, ..committed.clone() });
    }
    exact
}

#[tokio::test]
async fn the_scenario_runs_and_replicates() {
    let small = small_world();
    let verdict = small.world.verdict();
    assert!(!verdict.two_writers, "{:?}", verdict.open_on_both);
    assert_eq!(verdict.lost, Vec::<String>::new());
    assert_eq!(verdict.duplicates, Vec::<String>::new());
    let (committed, foreign) = small.west_to_central.committed_offsets().await.unwrap();
    assert_eq!(committed.len(), 7);
    assert!(foreign.is_empty());
    let west = small.world.admin("eu-west");
    let central = small.world.admin("eu-central");
    let topics = ["orders.placed".to_owned()];
    let open = |verdicts: BTreeMap<_, _>| verdicts.values().all(|verdict| *verdict == FenceVerdict::Open);
    assert!(open(west.probe_write_fence(&topics).await.unwrap()));
    assert!(open(central.probe_write_fence(&topics).await.unwrap()));
    assert!(small.world.lock().cluster("eu-central").topics.contains_key("eu-west.clicks.page"));
    let groups = central.list_groups().await.unwrap();
    assert_eq!(
        groups.iter().map(|group| group.group.as_str()).collect::<Vec<_>>(),
        ["billing", "fraud", "shipping"]
    );
}

#[tokio::test]
async fn a_switchover_by_hand_loses_nothing() {
    let small = small_world();
    let world = &small.world;
    let (west, central) = (world.admin("eu-west"), world.admin("eu-central"));
    fence(&small).await;
    let ends = west.offsets(&shop_partitions(), OffsetSpec::Stable).await.unwrap();
    let drained = |committed: &BTreeMap<TopicPartition, i64>| {
        ends.iter().all(|(at, end)| committed.get(at).copied().unwrap_or(-1) + 1 == *end.as_ref().unwrap())
    };
    for _ in 0..50 {
        if drained(&small.west_to_central.committed_offsets().await.unwrap().0) {
            break;
        }
    }
    assert!(drained(&small.west_to_central.committed_offsets().await.unwrap().0));
    let groups = ["billing", "fraud", "shipping"];
    let read_fence: Vec<_> =
        groups.map(|group| deny(AclOperation::Read, ResourceType::Group, group)).to_vec();
    west.create_acls(&read_fence).await.unwrap();
    for (group, kind) in
        [("billing", GroupType::Classic), ("fraud", GroupType::Classic), ("shipping", GroupType::Consumer)]
    {
        let described = west.describe_groups(&[(group.to_owned(), kind)]).await.unwrap();
        west.remove_members(group, kind, &described[0].members).await.unwrap();
    }
    for role in ROLES {
        small.west_to_central.stop(role, 10_000).await.unwrap();
    }
    for group in groups {
        central.alter_group_offsets(group, &exact_offsets(&small, group)).await.unwrap();
    }
    let central_ends = central.offsets(&shop_partitions(), OffsetSpec::End).await.unwrap();
    let resume_at = central_ends.into_iter().map(|(at, end)| (at, Some(end.unwrap() - 1))).collect();
    small.central_to_west.set_committed_offsets(&resume_at).await.unwrap();
    world.point_producers("eu-central");
    world.point_consumers("eu-central");
    let allow: Vec<_> = ["orders.", "payments."]
        .map(|prefix| {
            let resource = (ResourceType::Topic, PatternType::Prefixed, prefix);
            AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, "User:app-orders")
        })
        .to_vec();
    central.create_acls(&allow).await.unwrap();
    west.delete_acls(&allow).await.unwrap();
    west.delete_acls(&write_fence()).await.unwrap();
    small.central_to_west.resume(ConnectorRole::Source, 10_000).await.unwrap();
    world.ticks(60);
    let verdict = world.verdict();
    assert_eq!(
        (verdict.lost.len(), verdict.duplicates.len(), verdict.two_writers),
        (0, 0, false),
        "{verdict:?}"
    );
    for (group, judged) in &verdict.groups {
        assert!(judged.skipped.is_empty(), "{group}: {judged:?}");
        assert!(judged.reprocessed.is_empty(), "{group}: {judged:?}");
    }
    assert!(!world.lock().cluster("eu-central").txns.contains_key("x"));
    let written = |name: &str| world.lock().ledger.acked.iter().filter(|acked| acked.cluster == name).count();
    assert!(written("eu-central") > 50, "{}", written("eu-central"));
    world.lock().producers_at.clear();
    world.ticks(20);
    world.point_producers("eu-west");
    world.tick();
    assert_eq!(world.verdict().lost, Vec::<String>::new(), "the reverse flow brought everything back");
    assert_eq!(world.verdict().duplicates, Vec::<String>::new());
}

#[tokio::test]
async fn opening_the_standby_before_the_fence_is_seen() {
    let small = small_world();
    let resource = (ResourceType::Topic, PatternType::Prefixed, "orders.");
    let allow = AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, "User:app-orders");
    small.world.admin("eu-central").create_acls(&[allow]).await.unwrap();
    assert!(small.world.lock().ledger.open_on_both.is_empty());
    small.world.tick();
    assert!(small.world.verdict().two_writers);
}

#[tokio::test]
async fn a_zombie_reprocesses_and_a_naive_move_skips() {
    let small = small_world();
    let world = &small.world;
    world.make_zombie("billing");
    let west = world.admin("eu-west");
    west.create_acls(&[deny(AclOperation::Read, ResourceType::Group, "billing")]).await.unwrap();
    let described = west.describe_groups(&[("billing".to_owned(), GroupType::Classic)]).await.unwrap();
    west.remove_members("billing", GroupType::Classic, &described[0].members).await.unwrap();
    world.ticks(20);
    let position = |at: &TopicPartition| world.lock().cluster("eu-west").groups["billing"].offsets[at].offset;
    let at = TopicPartition::new("orders.placed", 0);
    let before = position(&at);
    world.ticks(10);
    assert_eq!(position(&at), before, "a removed member cannot commit");
    world.point_consumers("eu-central");
    world.ticks(20);
    assert!(!world.verdict().groups["billing"].reprocessed.is_empty());
    // Put the group at the very end without having read: everything between is skipped.
    world.lock().consumers_at.clear();
    world.ticks(5);
    let end = world.lock().cluster("eu-central").log(&at).unwrap().end();
    let offset =
        muster_domain::group::CommittedOffset { offset: end, metadata: String::new(), leader_epoch: None };
    world.admin("eu-central").alter_group_offsets("billing", &BTreeMap::from([(at, offset)])).await.unwrap();
    world.point_consumers("eu-central");
    world.ticks(5);
    assert!(!world.verdict().groups["billing"].skipped.is_empty());
}

#[tokio::test]
async fn both_directions_of_identity_naming_loop() {
    let small = small_world();
    small.central_to_west.resume(ConnectorRole::Source, 10_000).await.unwrap();
    small.world.ticks(10);
    assert!(!small.world.verdict().duplicates.is_empty());
}

#[tokio::test]
async fn a_frozen_broker_answers_and_acknowledges_nothing_while_the_others_name_it_as_leader() {
    let small = small_world();
    small.world.lock().cluster_mut("eu-west").frozen.insert(2);
    let west = small.world.admin("eu-west");
    let before: BTreeMap<TopicPartition, i64> = ends(&small, "eu-west");
    small.world.ticks(20);
    let after = ends(&small, "eu-west");
    let leaders: Vec<_> =
        west.topics(None).await.unwrap().into_iter().flat_map(|topic| topic.partitions).collect();
    assert!(leaders.iter().any(|partition| partition.leader == Some(2)));
    let answers = west.offsets(&shop_partitions(), OffsetSpec::End).await.unwrap();
    for (at, answer) in answers {
        // Of two brokers each leads every second partition.
        if at.partition % 2 == 0 {
            assert!(answer.is_ok() && after[&at] > before[&at], "{at}");
        } else {
            assert_eq!(answer.unwrap_err().kind, KafkaErrorKind::Timeout(5_000), "{at}");
            assert_eq!(after[&at], before[&at], "{at}");
        }
    }
}

/// Where the partitions of the shop end, whether their leaders answer or not.
fn ends(small: &SmallWorld, cluster: &str) -> BTreeMap<TopicPartition, i64> {
    let state = small.world.lock();
    let end = |at: TopicPartition| {
        let end = state.cluster(cluster).log(&at).unwrap().end();
        (at, end)
    };
    shop_partitions().into_iter().map(end).collect()
}

#[tokio::test]
async fn stopping_takes_fifty_seconds_when_the_source_is_dead() {
    let small = small_world();
    small.world.set_health("eu-west", Health::Dead);
    let kind = small.world.admin("eu-west").describe_cluster().await.unwrap_err().kind;
    assert!(matches!(kind, KafkaErrorKind::Connection(_)));
    let error = small.west_to_central.stop(ConnectorRole::Source, 10_000).await.unwrap_err();
    assert!(matches!(error.kind, ReplicationErrorKind::NotReached { .. }), "{error}");
    small.west_to_central.stop(ConnectorRole::Source, 60_000).await.unwrap();
    let state = small.west_to_central.state(ConnectorRole::Source).await.unwrap().unwrap();
    assert_eq!((state.connector, state.tasks), (ConnectState::Stopped, Vec::new()));
    assert_eq!(
        small.flow(muster_domain::pair::Direction { from: Side::A }).flow().spec.name,
        "orders-west-to-central"
    );
}

#[tokio::test]
async fn faults_strike_before_or_after_and_the_dead_stay_dead() {
    let small = small_world();
    let west = small.world.admin("eu-west");
    let fence = write_fence();
    small.world.faults(|faults| faults.fail("create_acls", 1, When::Before, Fault::Timeout));
    let error = west.create_acls(&fence).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Timeout(5_000));
    assert!(small.world.calls().is_empty());
    small.world.faults(|faults| faults.fail_mutation(1, When::After, Fault::Connection));
    assert!(west.create_acls(&fence).await.unwrap_err().may_pass());
    let calls = small.world.calls();
    assert_eq!(
        calls.iter().map(|call| (call.verb, call.place.as_str())).collect::<Vec<_>>(),
        [("create_acls", "eu-west")]
    );
    let acls = west
        .acls(&AclFilter { permission: Some(AclPermission::Deny), ..AclFilter::default() })
        .await
        .unwrap();
    assert_eq!(acls.bindings.len() + acls.disputed.len(), 2);

    small
        .world
        .on_call(|call: &Call, when| (call.verb == "stop" && when == When::Before).then_some(Fault::Died));
    let error = small.west_to_central.stop(ConnectorRole::Source, 1_000).await.unwrap_err();
    assert!(!error.may_pass());
    assert!(west.describe_cluster().await.is_err());
    small.world.faults(|faults| {
        faults.clear();
        faults.revive();
        faults.fail("stop", 1, When::After, Fault::Hang);
    });
    west.describe_cluster().await.unwrap();
    let flow = small.west_to_central.clone();
    let run = tokio::spawn(async move { flow.stop(ConnectorRole::Source, 1_000).await });
    tokio::time::timeout(Duration::from_secs(60), small.world.hung()).await.unwrap();
    run.abort();
    small.world.ticks(5);
    assert!(!small.west_to_central.flow().runs(ConnectorRole::Source));
}
