//! Flows: the Connect worker that carries each, and its connectors.

use chrono::Utc;
use muster_domain::{
    address,
    cluster::Cluster,
    pair::{Direction, Pair},
    reading::Observed,
    survey::{ConnectState, ConnectorObservation, ConnectorRole, FlowObservation},
};
use muster_store::{StoreError, pairs};
use sqlx::PgPool;

use super::{BOUND, Line, fail, ok, warn};
use crate::{app::Hands, http::failure::chain};

/// Every flow of every pair: the Connect worker, and the connectors on it.
pub(super) async fn check(pool: &PgPool, source: &dyn Hands) -> Vec<Line> {
    let all = match list(pool).await {
        Ok(all) => all,
        Err(e) => return vec![fail("pairs", format!("{}. No flow was looked at.", chain(&e)))],
    };
    futures_util::future::join_all(all.iter().map(|pair| check_pair(pair, source)))
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn list(pool: &PgPool) -> Result<Vec<Pair>, StoreError> {
    pairs::list(&mut *muster_store::acquire(pool).await?, None, None).await
}

async fn check_pair(pair: &Pair, source: &dyn Hands) -> Vec<Line> {
    let hands = match source.pair_clients(&pair.name).await {
        Ok(hands) => hands,
        Err(e) => {
            let found = format!("{}. It can be neither observed nor switched over.", chain(&e));
            return vec![fail(format!("pair {}", pair.name), found)];
        }
    };
    let mut lines = Vec::new();
    if pair.addresses().any(|(_, address)| address::holds_credentials(address)) {
        let found = "a user or a password is in one, where readers and the audit may have seen it: change them, and give the \
                     address without.";
        lines.push(warn(format!("addresses of {}", pair.name), found));
    }
    for flow in &pair.flows {
        let what = format!("flow {} of {}", pair.course(flow.direction), pair.name);
        let Some(steered) = hands.flow(flow.direction) else {
            lines.push(warn(what, "not attached to its connectors: it can be neither seen nor steered."));
            continue;
        };
        match tokio::time::timeout(BOUND, steered.observe(Utc::now())).await {
            Ok(seen) => {
                let target = hands.clusters.get(Direction::to(flow.direction));
                lines.extend(judge_flow(&what, &seen, target));
            }
            Err(_) => {
                lines.push(fail(what, "no answer within 20 s: the flow can be neither seen nor steered."))
            }
        }
    }
    lines
}

fn judge_flow(what: &str, seen: &FlowObservation, target: &Cluster) -> Vec<Line> {
    let mut lines = vec![match &seen.worker {
        Observed::Unknown { reason, .. } => {
            return vec![fail(what, format!("{reason}. The flow can be neither seen nor steered."))];
        }
        Observed::Known { value, .. }
            if target.expected_cluster_id.as_ref() == Some(&value.kafka_cluster_id) =>
        {
            ok(what, format!("Connect {} is attached to {}", value.version, target.name))
        }
        Observed::Known { value, .. } => warn(
            what,
            format!(
                "Connect is attached to cluster id {} and not to {}: its own state does not survive where the records are.",
                value.kafka_cluster_id, target.name
            ),
        ),
    }];
    for (role, connector) in &seen.connectors {
        let what = format!("{what}, {role} connector");
        lines.push(match connector {
            Observed::Unknown { reason, .. } => fail(what, format!("{reason}. {}", without(*role))),
            Observed::Known { value, .. } => judge_connector(what, *role, value),
        });
    }
    lines
}

fn judge_connector(what: String, role: ConnectorRole, seen: &ConnectorObservation) -> Line {
    let failed = seen.tasks.iter().find(|task| task.state == ConnectState::Failed);
    match failed {
        Some(task) => {
            let trace = task.trace.as_deref().unwrap_or("no trace");
            fail(what, format!("task {} is FAILED: {trace}. {}", task.id, without(role)))
        }
        None if seen.state == ConnectState::Failed => fail(what, format!("FAILED. {}", without(role))),
        None => ok(what, format!("{} is {} with {} tasks", seen.name, seen.state, seen.tasks.len())),
    }
}

/// What does not happen without a connector.
fn without(role: ConnectorRole) -> &'static str {
    match role {
        ConnectorRole::Source => "No records are copied.",
        ConnectorRole::Checkpoint => "Positions of groups are not kept up on the other side.",
        ConnectorRole::Heartbeat => "Others cannot see by heartbeats that the flow is alive.",
    }
}
