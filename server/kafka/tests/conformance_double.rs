//! The in-memory double behaves as the conformance tests say. The same tests run on real brokers in `tests/it`.
#![cfg(feature = "double")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::FutureExt as _;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    group::GroupType,
    quota::ClientQuota,
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin,
    double::{ConsumerApp, Health, Payload, World, conformance},
};

const PREFIX: &str = "conformance.";
const EU_WEST: &str = "eu-west";

fn world() -> World {
    let world = World::new(&[EU_WEST]);
    world.lock().cluster_mut(EU_WEST).authorizer.add_super_user("User:muster");
    world
}

#[tokio::test]
async fn topics() {
    conformance::topics(&world().admin(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn configs() {
    conformance::configs(&world().admin(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn offsets() {
    let world = world();
    conformance::offsets(&world.admin(EU_WEST), &world.mover(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn epochs() {
    let world = world();
    conformance::epochs(&world.admin(EU_WEST), &world.mover(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn a_leader_that_was_elected_ends_the_records_of_the_one_before() {
    let world = world();
    let admin = world.admin(EU_WEST);
    conformance::fresh_topic(&admin, "elected", 1).await;
    let at = TopicPartition::new("elected", 0);
    let write = |count| {
        let mut state = world.lock();
        for _ in 0..count {
            let payload = Payload { timestamp: 1, key: None, value: None, headers: Vec::new() };
            state.cluster_mut(EU_WEST).produce("User:muster", &at, (0, None), payload).unwrap();
        }
    };
    let log = |change: fn(&mut muster_kafka::double::Log)| {
        change(world.lock().cluster_mut(EU_WEST).log_mut(&at).unwrap());
    };
    let end = async |epoch| {
        let answers = admin.end_of_epoch(&BTreeMap::from([(at.clone(), epoch)])).await.unwrap();
        *answers[&at].as_ref().unwrap()
    };
    write(5);
    log(muster_kafka::double::Log::elect);
    write(2);
    assert_eq!((end(0).await, end(1).await, end(2).await, end(3).await), (Some(5), Some(5), Some(7), None));
    log(|log| log.truncate(3));
    write(1);
    assert_eq!((end(0).await, end(2).await, end(4).await), (Some(3), Some(3), Some(4)));
}

#[tokio::test]
async fn identity() {
    let admin = world().admin(EU_WEST);
    let found = admin.describe_cluster().await.unwrap().cluster_id;
    conformance::identity(&admin.clone().expecting(Some("another")), &admin.expecting(None), &found).await;
}

#[tokio::test]
async fn closings() {
    let world = world();
    conformance::closings(&world.admin(EU_WEST), async { world.set_health(EU_WEST, Health::Dead) }).await;
}

#[tokio::test]
async fn a_cluster_that_nobody_asked_has_no_connection_to_close() {
    let world = world();
    let mut closings = world.admin(EU_WEST).closings();
    world.lock().cluster_mut(EU_WEST).close_connections();
    assert!(closings.next().now_or_never().is_none());
    world.admin(EU_WEST).describe_cluster().await.unwrap();
    world.lock().cluster_mut(EU_WEST).close_connections();
    assert!(closings.next().now_or_never().is_some());
}

#[tokio::test]
async fn groups() {
    conformance::groups(&world().admin(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn live_groups() {
    for kind in [GroupType::Classic, GroupType::Consumer] {
        let world = world();
        let admin = world.admin(EU_WEST);
        let allow = |resource, name| {
            let resource = (resource, PatternType::Literal, name);
            AclBinding::new(AclPermission::Allow, AclOperation::Read, resource, "User:app")
        };
        conformance::fresh_topic(&admin, "live", 2).await;
        admin
            .create_acls(&[allow(ResourceType::Topic, "live"), allow(ResourceType::Group, "live")])
            .await
            .unwrap();
        world.add_actor(ConsumerApp::new("live", kind, "User:app", &["live"]).pinned(EU_WEST));
        world.ticks(5);
        let deny = (ResourceType::Group, PatternType::Literal, "live");
        admin
            .create_acls(&[AclBinding::new(AclPermission::Deny, AclOperation::Read, deny, "User:*")])
            .await
            .unwrap();
        conformance::live_group(&admin, "live", kind, &TopicPartition::new("live", 1)).await;
    }
}

#[tokio::test]
async fn acls() {
    conformance::acls(&world().admin(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn fence_probe() {
    conformance::fence_probe(&world().admin(EU_WEST), "User:muster-probe", PREFIX).await;
}

#[tokio::test]
async fn shared_work() {
    let world = world();
    conformance::share(&world.admin(EU_WEST), &world.mover(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn mover() {
    let world = world();
    conformance::mover(&world.admin(EU_WEST), &world.mover(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn own_time() {
    let world = world();
    conformance::own_time(&world.admin(EU_WEST), &world.mover(EU_WEST), PREFIX).await;
}

#[tokio::test]
async fn transactions() {
    let world = world();
    let admin = world.admin(EU_WEST);
    conformance::fresh_topic(&admin, "txn", 1).await;
    let at = TopicPartition::new("txn", 0);
    {
        let mut state = world.lock();
        let cluster = state.cluster_mut(EU_WEST);
        let payload =
            Payload { timestamp: 1, key: None, value: Some(Bytes::from_static(b"x")), headers: Vec::new() };
        cluster.produce("User:muster", &at, (0, None), payload.clone()).unwrap();
        let id = cluster.new_producer_id();
        cluster.produce("User:muster", &at, (id, Some("hung")), payload).unwrap();
    }
    conformance::transactions(&admin, &world.mover(EU_WEST), &at, "hung").await;
}

#[tokio::test]
async fn client_limits() {
    let world = world();
    let quota = |name: Option<&str>, key: &str, value: f64| ClientQuota {
        entity: BTreeMap::from([("user".to_owned(), name.map(str::to_owned))]),
        limits: BTreeMap::from([(key.to_owned(), value)]),
    };
    {
        let mut state = world.lock();
        let cluster = state.cluster_mut(EU_WEST);
        cluster.quotas.push(quota(Some("shop"), "producer_byte_rate", 1_000_000.0));
        cluster.quotas.push(quota(None, "request_percentage", 150.5));
        cluster.users.insert("shop".to_owned(), BTreeSet::from(["SCRAM-SHA-512".to_owned()]));
    }
    conformance::client_limits(&world.admin(EU_WEST), "shop").await;
}
