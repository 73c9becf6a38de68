//! Stop, resume and reconfigure, on good days and bad ones.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use muster_domain::survey::{ConnectState, ConnectorRole::*};
use muster_replication::{Replication, ReplicationErrorKind};

use crate::{fake_connect, fake_connect::FakeConnect, flow, hands, mirror, world};

fn kind(outcome: Result<(), muster_replication::ReplicationError>) -> ReplicationErrorKind {
    outcome.expect_err("it must fail").kind
}

fn changes(entries: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
}

#[tokio::test]
async fn stop_returns_when_no_task_is_left_and_at_once() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    let began = Instant::now();
    flow.stop(Source, 60_000).await.expect("it stops");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(60), "{took:?} is before the tasks were gone");
    assert_eq!(
        flow.state(Source).await.expect("state").map(|s| (s.connector, s.tasks)),
        Some((ConnectState::Stopped, vec![]))
    );
    connect.lock().log.clear();
    flow.stop(Source, 60_000).await.expect("stopping a stopped one is fine");
    assert_eq!(connect.looks(), 1, "the first look that shows it is enough");
}

#[tokio::test]
async fn stop_says_what_it_saw_last_when_the_bound_passes() {
    let connect = FakeConnect::start().await;
    connect.lock().day.stop_takes = Duration::from_secs(60);
    let error = mirror(&connect, &world()).stop(Source, 3_000).await.expect_err("too slow");
    assert_eq!(
        error.kind,
        ReplicationErrorKind::NotReached {
            bound_ms: 3_000,
            last_seen: "RUNNING with tasks RUNNING".to_owned()
        }
    );
    assert!(error.may_pass());
    assert_eq!(error.call, "stop connector orders-source");
}

#[tokio::test]
async fn rebalances_and_inner_timeouts_are_asked_again() {
    let connect = FakeConnect::start().await;
    connect.lock().day.refuse = vec![
        (409, "Cannot complete request because of a conflicting operation (rebalance)"),
        (500, "Request timed out"),
    ];
    mirror(&connect, &world()).stop(Source, 60_000).await.expect("the third request is taken");
    assert_eq!(connect.mutations().len(), 3);
}

#[tokio::test]
async fn refusals_for_good_are_not_asked_again() {
    let connect = FakeConnect::start().await;
    connect.lock().day.refuse = vec![(403, "not you")];
    let refused = kind(mirror(&connect, &world()).stop(Source, 60_000).await);
    assert!(matches!(refused, ReplicationErrorKind::NotLetIn { status: 403, .. }), "{refused}");
    assert!(refused.to_string().starts_with("Connect answered 403 (not you) and did nothing: "), "{refused}");
    connect.lock().day.refuse = vec![(400, "not like this")];
    let refused = kind(mirror(&connect, &world()).stop(Source, 60_000).await);
    assert_eq!(refused, ReplicationErrorKind::Status { status: 400, message: "not like this".to_owned() });
    let missing = kind(mirror(&connect, &world()).stop(Checkpoint, 60_000).await);
    assert_eq!(missing, ReplicationErrorKind::NoSuchConnector);
    assert_eq!(mirror(&connect, &world()).state(Heartbeat).await.expect("none").map(|s| s.tasks), None);
}

#[tokio::test]
async fn a_worker_that_hangs_ends_at_the_bound() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    connect.lock().day.stop_takes = Duration::from_secs(60);
    // Less than what one request is waited for.
    let stopping = flow.stop(Source, 3_000);
    let hang = async {
        while connect.looks() == 0 {
            tokio::task::yield_now().await;
        }
        connect.lock().day.hang = true;
    };
    let both = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(stopping, hang) });
    let (outcome, ()) = both.await.expect("it looks at the state, and ends");
    // A request that was not cut short would be what was seen last.
    let last_seen = "RUNNING with tasks RUNNING".to_owned();
    assert_eq!(kind(outcome), ReplicationErrorKind::NotReached { bound_ms: 3_000, last_seen });
}

#[tokio::test]
async fn a_connector_that_somebody_else_starts_again_is_noticed() {
    let connect = FakeConnect::start().await;
    connect.lock().day.meddled_with = true;
    let outcome = mirror(&connect, &world()).stop(Source, 30_000).await;
    let ReplicationErrorKind::NotAsAsked(text) = kind(outcome) else { panic!("another error") };
    assert_eq!(text, "it stopped, and somebody else started it again: RUNNING with tasks RUNNING");
}

#[tokio::test]
async fn resume_returns_when_all_tasks_run() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    flow.resume(Source, 60_000).await.expect("resumed");
    assert_eq!(
        connect.source(|connector| (connector.state, connector.tasks.clone())),
        ("RUNNING", vec!["RUNNING"])
    );
    flow.resume(Source, 60_000).await.expect("resuming a running one is fine");
}

#[tokio::test]
async fn resume_restarts_dead_tasks_and_not_only_those_that_connect_calls_failed() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    connect.lock().day.tasks_are_dead = true;
    flow.resume(Source, 60_000).await.expect("the restart helps");
    let restarts: Vec<_> = connect.mutations().into_iter().filter(|line| line.contains("restart")).collect();
    assert_eq!(restarts, ["POST /connectors/orders-source/restart?includeTasks=true&onlyFailed=false"]);
}

#[tokio::test]
async fn why_tasks_do_not_run_is_told_without_credentials() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    connect.source(|connector| connector.tasks = vec!["FAILED"]);
    connect.lock().day.refuse = vec![(202, ""); 50];
    let ReplicationErrorKind::NotReached { last_seen, .. } = kind(flow.resume(Source, 3_000).await) else {
        panic!("another error")
    };
    assert_eq!(last_seen, "RUNNING with tasks FAILED: ConnectException: login with [redacted] failed");
}

#[tokio::test]
async fn a_changed_config_is_read_back_and_in_the_tasks_before_it_counts() {
    for knows_patch in [true, false] {
        let connect = FakeConnect::start().await;
        connect.lock().day.knows_patch = knows_patch;
        let flow = mirror(&connect, &world());
        let changes = changes(&[("topics", Some("orders")), ("offset-syncs.topic.location", None)]);
        flow.change_config(Source, &changes, 60_000).await.expect("changed");
        connect.source(|connector| {
            assert_eq!(connector.task_config.get("topics").map(String::as_str), Some("orders"));
            assert!(!connector.config.contains_key("offset-syncs.topic.location"));
            assert_eq!(connector.config.get("source.cluster.alias").map(String::as_str), Some("A"));
            assert_eq!(connector.tasks, ["RUNNING"]);
        });
        let before = connect.mutations().len();
        flow.change_config(Source, &changes, 60_000).await.expect("nothing to do");
        assert_eq!(connect.mutations().len(), before);
    }
}

#[tokio::test]
async fn a_stopped_connector_takes_a_config_without_starting() {
    let connect = FakeConnect::start().await;
    let flow = mirror(&connect, &world());
    flow.stop(Source, 60_000).await.expect("stopped");
    flow.change_config(Source, &changes(&[("topics", Some("orders"))]), 60_000).await.expect("changed");
    assert_eq!(connect.source(|connector| connector.state), "STOPPED");
}

#[tokio::test]
async fn a_connector_that_has_nothing_to_do_takes_a_config_without_tasks() {
    let connect = FakeConnect::start().await;
    connect.lock().day.no_tasks = true;
    connect.source(|connector| (connector.state, connector.tasks) = ("UNASSIGNED", vec![]));
    connect.source(fake_connect::Connector::start_soon);
    let flow = mirror(&connect, &world());
    flow.change_config(Source, &changes(&[("topics", Some("orders"))]), 60_000).await.expect("changed");
    assert_eq!(connect.source(|connector| (connector.state, connector.tasks.len())), ("RUNNING", 0));
}

#[tokio::test]
async fn refused_values_are_told_without_credentials() {
    let connect = FakeConnect::start().await;
    connect.lock().day.refuse = vec![(400, "Invalid value s3cr3t-pass for sasl.password")];
    let changes = changes(&[("target.cluster.sasl.password", Some("s3cr3t-pass"))]);
    let refused = kind(mirror(&connect, &world()).change_config(Source, &changes, 60_000).await);
    let message = "Invalid value [redacted] for sasl.password".to_owned();
    assert_eq!(refused, ReplicationErrorKind::Status { status: 400, message });
}

#[tokio::test]
async fn workers_of_another_cluster_are_not_touched() {
    let (connect, world) = (FakeConnect::start().await, world());
    let flow = muster_replication::Mm2OnConnect::new(
        &flow(&connect.url),
        hands(&world, "A"),
        hands(&world, "B"),
        Some("lkc-other".to_owned()),
    )
    .expect("a flow");
    let error = flow.stop(Source, 60_000).await.expect_err("another cluster");
    assert_eq!(
        error.kind.to_string(),
        "these workers belong to cluster `lkc-target`, not `lkc-other`; nothing was changed"
    );
    assert!(flow.resume(Source, 1_000).await.is_err());
    assert!(flow.set_committed_offsets(&BTreeMap::new()).await.is_err());
    assert!(flow.change_config(Source, &BTreeMap::new(), 1_000).await.is_err());
    assert_eq!(connect.mutations(), Vec::<String>::new());
}
