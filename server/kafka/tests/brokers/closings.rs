//! What is told of connections that a broker closes.

use std::time::Duration;

use futures_util::FutureExt as _;
use kafka_protocol::messages::RequestKind;
use muster_domain::topic::TopicPartition;
use muster_kafka::{
    Closings, ClusterAdmin, OffsetSpec,
    synthetic::{Brokers, Reply, World},
};

/// Whether it is told within the time it may take on a slow machine.
async fn is_told(closings: &mut Closings) -> bool {
    tokio::time::timeout(Duration::from_secs(60), closings.next()).await.is_ok()
}

#[cfg(feature = "double")]
#[tokio::test]
async fn as_the_double_tells() {
    let brokers = Brokers::start(1, World::default()).await;
    let admin = brokers.admin();
    muster_kafka::double::conformance::closings(&admin, brokers.die()).await;
}

#[tokio::test]
async fn an_idle_connection_that_is_closed_is_told_each_time() {
    let brokers = Brokers::start(1, World::default()).await;
    let admin = brokers.admin();
    let mut closings = admin.closings();
    for _ in 0..2 {
        admin.describe_cluster().await.unwrap();
        assert!(closings.next().now_or_never().is_none());
        brokers.hang_up();
        assert!(is_told(&mut closings).await);
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_instead_of_an_answer_is_told() {
    let world = World::default().with_topic("t0", &[0]).with_script(|_, request, _| match request {
        RequestKind::ListOffsets(_) => Reply::Close,
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let admin = brokers.admin();
    let mut closings = admin.closings();
    admin.describe_cluster().await.unwrap();
    assert!(closings.next().now_or_never().is_none());
    let asking = tokio::spawn(async move {
        drop(admin.offsets(&[TopicPartition::new("t0", 0)], OffsetSpec::End).await);
    });
    assert!(is_told(&mut closings).await);
    asking.abort();
}

#[tokio::test]
async fn a_connection_that_is_closed_before_it_served_is_not_told() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::ApiVersions(_) => Reply::Close,
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let admin = brokers.admin();
    let mut closings = admin.closings();
    admin.describe_cluster().await.unwrap_err();
    assert!(closings.next().now_or_never().is_none());
}
