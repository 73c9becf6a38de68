//! What the doctor says of clusters and flows. The database and the key are in the tests of the binary.

use std::sync::Arc;

use async_trait::async_trait;
use muster_app::{
    app::Hands,
    process::doctor::{Line, Verdict, check_hands},
};
use muster_domain::{
    ids::{ClusterName, PairName},
    survey::{ConnectState, ConnectorRole},
};
use muster_kafka::{ClusterAdmin, double::Health};
use muster_operations::{ClientSource, OperationError, PairClients};

use crate::test_app::TestApp;

async fn lines(app: &TestApp) -> Vec<Line> {
    check_hands(&app.app.pool, &*app.app.hands).await
}

/// Lines that are not ok, as they are printed.
fn troubles(lines: &[Line]) -> Vec<String> {
    lines.iter().filter(|line| line.verdict != Verdict::Ok).map(Line::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_when_each_right_and_each_connector_is() {
    let app = TestApp::with_pair().await;
    let lines = lines(&app).await;
    assert_eq!(troubles(&lines), Vec::<String>::new());
    let all: Vec<String> = lines.iter().map(Line::to_string).collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    ok    cluster eu-central: 2 brokers, id id-of-eu-central
    ok    cluster eu-central, probe principal: muster-probe
    ok    cluster eu-central, DESCRIBE on the cluster: held
    ok    cluster eu-central, ALTER on the cluster: held
    ok    cluster eu-central, CREATE on the cluster: held
    ok    cluster eu-central, DESCRIBE on topics: held
    ok    cluster eu-central, READ on topics: held
    ok    cluster eu-central, DESCRIBE_CONFIGS on topics: held
    ok    cluster eu-central, DESCRIBE on groups: held
    ok    cluster eu-central, READ on groups: held
    ok    cluster eu-central, DELETE on groups: held
    ok    cluster eu-central, DESCRIBE on transactional ids: held
    ok    cluster eu-west: 2 brokers, id id-of-eu-west
    ok    cluster eu-west, probe principal: muster-probe
    ok    cluster eu-west, DESCRIBE on the cluster: held
    ok    cluster eu-west, ALTER on the cluster: held
    ok    cluster eu-west, CREATE on the cluster: held
    ok    cluster eu-west, DESCRIBE on topics: held
    ok    cluster eu-west, READ on topics: held
    ok    cluster eu-west, DESCRIBE_CONFIGS on topics: held
    ok    cluster eu-west, DESCRIBE on groups: held
    ok    cluster eu-west, READ on groups: held
    ok    cluster eu-west, DELETE on groups: held
    ok    cluster eu-west, DESCRIBE on transactional ids: held
    ok    flow eu-west → eu-central of orders: Connect 4.3.1 is attached to eu-central
    ok    flow eu-west → eu-central of orders, source connector: orders-west-to-central-source is RUNNING with 1 tasks
    ok    flow eu-west → eu-central of orders, checkpoint connector: orders-west-to-central-checkpoint is RUNNING with 1 tasks
    ok    flow eu-west → eu-central of orders, heartbeat connector: orders-west-to-central-heartbeat is RUNNING with 1 tasks
    ok    flow eu-central → eu-west of orders: Connect 4.3.1 is attached to eu-west
    ok    flow eu-central → eu-west of orders, source connector: orders-central-to-west-source is STOPPED with 0 tasks
    ok    flow eu-central → eu-west of orders, checkpoint connector: orders-central-to-west-checkpoint is STOPPED with 0 tasks
    ok    flow eu-central → eu-west of orders, heartbeat connector: orders-central-to-west-heartbeat is STOPPED with 0 tasks
    ");
}

/// Hands whose principal may do little on `eu-west`.
struct Restricted<'a>(&'a TestApp);

#[async_trait]
impl ClientSource for Restricted<'_> {
    async fn pair_clients(&self, name: &PairName) -> Result<PairClients, OperationError> {
        self.0.app.hands.pair_clients(name).await
    }
}

#[async_trait]
impl Hands for Restricted<'_> {
    async fn cluster_admin(&self, name: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        let admin = self.0.small.world.admin(name.as_str());
        Ok(Arc::new(if name.as_str() == "eu-west" { admin.acting_as("User:app-billing") } else { admin }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_is_a_line_with_what_it_would_break() {
    let app = TestApp::with_pair().await;
    let lines = check_hands(&app.app.pool, &Restricted(&app)).await;
    insta::assert_snapshot!(troubles(&lines).join("\n"), @r"
    FAIL  cluster eu-west, DESCRIBE on the cluster: missing (the broker does not list it): needed for listing all groups and reading ACLs.
    FAIL  cluster eu-west, ALTER on the cluster: missing (the broker does not list it): needed for fencing: creating and deleting ACLs.
    FAIL  cluster eu-west, CREATE on the cluster: missing (the broker does not list it): needed for creating canary topics.
    FAIL  cluster eu-west, DESCRIBE on topics: missing (the broker does not list it): needed for seeing topics and their offsets.
    FAIL  cluster eu-west, READ on topics: missing (the broker does not list it): needed for verifying content and translating offsets exactly.
    FAIL  cluster eu-west, DESCRIBE_CONFIGS on topics: missing (the broker does not list it): needed for comparing configs of both sides.
    FAIL  cluster eu-west, DESCRIBE on groups: missing (the broker does not list it): needed for seeing members and committed positions.
    FAIL  cluster eu-west, READ on groups: missing (the broker does not list it): needed for writing positions on the standby and moving members out.
    FAIL  cluster eu-west, DELETE on groups: missing (the broker does not list it): needed for taking positions that a run wrote back.
    FAIL  cluster eu-west, DESCRIBE on transactional ids: missing (the broker does not list it): needed for finding hung transactions.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_told_with_what_stands_still() {
    let app = TestApp::with_pair().await;
    app.small.world.lock().cluster_mut("eu-central").health = Health::Dead;
    insta::assert_snapshot!(troubles(&lines(&app).await).join("\n"), @r"
    FAIL  cluster eu-central: describe_cluster on cluster `eu-central`: connection failed: connection refused. Nothing can be observed or done there.
    FAIL  flow eu-west → eu-central of orders: observe orders-west-to-central (http://connect.eu-central.example:8083): not reachable: Connect does not answer. The flow can be neither seen nor steered.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_and_what_was_never_set_up_is_told_with_what_it_would_break() {
    let app = TestApp::with_pair().await;
    {
        let mut flow = app.small.west_to_central.flow();
        let source = flow.connectors.get_mut(&ConnectorRole::Source).unwrap();
        source.tasks[0] = ConnectState::Failed;
        source.trace = Some("org.apache.kafka.common.errors.TopicAuthorizationException".to_owned());
        flow.connectors.get_mut(&ConnectorRole::Checkpoint).unwrap().state = ConnectState::Failed;
    }
    app.small.central_to_west.flow().answers = false;
    sqlx::query("update cluster set probe = null, expected_cluster_id = null where name = 'eu-west'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    insta::assert_snapshot!(troubles(&lines(&app).await).join("\n"), @r"
    warn  cluster eu-west: id id-of-eu-west was never recorded: nothing is ever changed there. Run `muster clusters check eu-west`.
    warn  cluster eu-west, probe principal: none: a fence there cannot be proven, so no switchover away from there can be planned.
    FAIL  flow eu-west → eu-central of orders, source connector: task 0 is FAILED: org.apache.kafka.common.errors.TopicAuthorizationException. No records are copied.
    FAIL  flow eu-west → eu-central of orders, checkpoint connector: FAILED. Positions of groups are not kept up on the other side.
    FAIL  flow eu-central → eu-west of orders: observe orders-central-to-west (http://connect.eu-west.example:8083): not reachable: Connect does not answer. The flow can be neither seen nor steered.
    ");
}
