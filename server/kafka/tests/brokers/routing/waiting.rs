//! Brokers that cannot answer now, do not answer at all, or refuse: who is asked again, and for how long.

use std::sync::atomic::AtomicUsize;

use kafka_protocol::messages::{
    FindCoordinatorResponse, InitProducerIdResponse, OffsetCommitResponse,
    offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
};

use super::*;

/// Long enough for every answer that comes, on any machine; those that never come are waited for so long.
fn three_seconds() -> ClientOptions {
    ClientOptions { call_deadline_ms: 3_000, ..ClientOptions::default() }
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
    let admin = brokers.admin_with(three_seconds());
    let told = tokio::time::timeout(Duration::from_secs(60), admin.abort_transaction("payments-1"));
    let error = told.await.expect("it is not asked for ever").unwrap_err();
    assert_eq!(error.code(), Some(15), "the broker's own answer says more than a timeout");
    assert!(brokers.seen(ApiKey::FindCoordinator).len() > 1, "asked again");
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

#[tokio::test]
async fn a_controller_that_hangs_is_not_asked_for_ever() {
    let world = World::default().with_script(|node, request, _| match request {
        RequestKind::CreateAcls(_) if node == 0 => Reply::Hang,
        RequestKind::CreateAcls(_) => created(),
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin_with(three_seconds());
    let error = admin.create_acls(&[deny()]).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Timeout(3_000));
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
    let admin = brokers.admin_with(three_seconds());
    for _ in 0..2 {
        let error = admin.alter_group_offsets("group-1", &positions()).await.unwrap_err();
        assert_eq!(error.kind, KafkaErrorKind::Timeout(3_000));
    }
    assert_eq!(brokers.seen(ApiKey::FindCoordinator).len(), 2, "asked anew after no answer");
}
