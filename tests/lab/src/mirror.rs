//! The MirrorMaker 2 connectors of both pairs in both directions.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value};

use crate::connect::{Connect, sasl_settings};
use crate::description::{ClusterDescription, Direction, FlowDescription, LabDescription, NamingPolicy};

const PAIRS: [(&str, NamingPolicy, &str); 2] = [
    ("orders", NamingPolicy::Identity, r"orders\..*,payments\..*,muster\.canary\.orders"),
    ("clicks", NamingPolicy::Prefixed, r"clicks\..*,muster\.canary\.clicks"),
];

/// The flows that a lab with workers has: west to central RUNNING, the way back STOPPED.
pub(crate) fn plan_flows(connect_url: impl Fn(Direction) -> String) -> Vec<FlowDescription> {
    let mut flows = Vec::new();
    for direction in Direction::BOTH {
        for (pair, naming, topics) in PAIRS {
            let name = |kind: &str| format!("{pair}-{}-{kind}", direction.id());
            flows.push(FlowDescription {
                pair: pair.to_owned(),
                direction,
                naming,
                topics: topics.to_owned(),
                connect_url: connect_url(direction),
                source_connector: name("source"),
                checkpoint_connector: name("checkpoint"),
                heartbeat_connector: name("heartbeat"),
                principal: direction.principal(),
                running: direction == Direction::WestToCentral,
            });
        }
    }
    flows
}

/// Creates the three connectors of `flow`.
pub(crate) async fn create_connectors(
    lab: &LabDescription,
    flow: &FlowDescription,
    exactly_once: bool,
) -> Result<()> {
    let connect = Connect::new(&flow.connect_url)?;
    connect.create(&flow.source_connector, &source_config(lab, flow, exactly_once)?, flow.running).await?;
    connect.create(&flow.checkpoint_connector, &checkpoint_config(lab, flow)?, flow.running).await?;
    connect.create(&flow.heartbeat_connector, &heartbeat_config(lab, flow)?, flow.running).await
}

/// Whether all three connectors of `flow` are in the state they were created for, with tasks when running.
///
/// A checkpoint connector has no task until a consumer group exists, so none is asked of it here.
pub(crate) async fn look_at_connectors(flow: &FlowDescription) -> Result<Option<()>> {
    let connect = Connect::new(&flow.connect_url)?;
    for name in [&flow.source_connector, &flow.checkpoint_connector, &flow.heartbeat_connector] {
        let (state, tasks) = connect.states(name).await?;
        let tasks_expected = *name != flow.checkpoint_connector;
        let tasks_run = !(tasks_expected && tasks.is_empty()) && tasks.iter().all(|task| task == "RUNNING");
        let as_wanted = if flow.running { state == "RUNNING" && tasks_run } else { state == "STOPPED" };
        if !as_wanted {
            anyhow::bail!("connector {name} is {state} with tasks {tasks:?}");
        }
    }
    Ok(Some(()))
}

fn source_config(lab: &LabDescription, flow: &FlowDescription, exactly_once: bool) -> Result<Value> {
    let mut config = common_config(lab, flow, "MirrorSourceConnector")?;
    let own = [
        ("topics", flow.topics.as_str()),
        ("offset-syncs.topic.location", "target"),
        ("exactly.once.support", if exactly_once { "required" } else { "requested" }),
        ("source.consumer.isolation.level", if exactly_once { "read_committed" } else { "read_uncommitted" }),
        ("refresh.topics.interval.seconds", "3"),
        ("sync.topic.configs.interval.seconds", "10"),
        ("sync.topic.acls.interval.seconds", "10"),
    ];
    config.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    Ok(as_json(config))
}

fn checkpoint_config(lab: &LabDescription, flow: &FlowDescription) -> Result<Value> {
    let mut config = common_config(lab, flow, "MirrorCheckpointConnector")?;
    let own = [
        ("topics", flow.topics.as_str()),
        ("groups", ".*"),
        ("offset-syncs.topic.location", "target"),
        ("emit.checkpoints.interval.seconds", "2"),
        ("sync.group.offsets.enabled", "true"),
        ("sync.group.offsets.interval.seconds", "2"),
        ("refresh.groups.interval.seconds", "2"),
    ];
    config.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    Ok(as_json(config))
}

fn heartbeat_config(lab: &LabDescription, flow: &FlowDescription) -> Result<Value> {
    let mut config = common_config(lab, flow, "MirrorHeartbeatConnector")?;
    config.insert("emit.heartbeats.interval.seconds".to_owned(), "1".to_owned());
    Ok(as_json(config))
}

fn common_config(
    lab: &LabDescription,
    flow: &FlowDescription,
    class: &str,
) -> Result<BTreeMap<String, String>> {
    let (source, target) = (lab.cluster(flow.direction.source())?, lab.cluster(flow.direction.target())?);
    let mut config: BTreeMap<String, String> = [
        ("connector.class", format!("org.apache.kafka.connect.mirror.{class}")),
        ("tasks.max", "1".to_owned()),
        ("replication.factor", "1".to_owned()),
        ("offset-syncs.topic.replication.factor", "1".to_owned()),
        ("checkpoints.topic.replication.factor", "1".to_owned()),
        ("heartbeats.topic.replication.factor", "1".to_owned()),
        ("replication.policy.class", flow.naming.class().to_owned()),
        // A dead source must not hold up a STOP for a minute (mm2-verified, finding 5).
        ("admin.timeout.ms", "8000".to_owned()),
        ("source.admin.default.api.timeout.ms", "8000".to_owned()),
        ("source.admin.request.timeout.ms", "5000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for kind in ["key", "value", "header"] {
        let converter = "org.apache.kafka.connect.converters.ByteArrayConverter";
        config.insert(format!("{kind}.converter"), converter.to_owned());
    }
    let login = sasl_settings(&flow.principal, lab.password(&flow.principal)?);
    add_cluster(&mut config, "source.cluster.", source, &login);
    add_cluster(&mut config, "target.cluster.", target, &login);
    // Data is written by the worker's clients: they must be this direction's principal, not the worker's own.
    for prefix in ["producer.override.", "consumer.override.", "admin.override."] {
        config.extend(login.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
    }
    Ok(config)
}

fn add_cluster(
    config: &mut BTreeMap<String, String>,
    prefix: &str,
    cluster: &ClusterDescription,
    login: &[(&'static str, String)],
) {
    config.insert(format!("{prefix}alias"), cluster.name.clone());
    config.insert(format!("{prefix}bootstrap.servers"), cluster.bootstrap.clone());
    config.extend(login.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
}

fn as_json(config: BTreeMap<String, String>) -> Value {
    Value::Object(config.into_iter().map(|(key, value)| (key, Value::String(value))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_containers_have_the_same_flows() {
        let lab: LabDescription =
            serde_json::from_str(include_str!("../compose/lab.json")).expect("it is a description of a lab");
        let planned = plan_flows(|direction| format!("http://{}:8083", direction.worker()));
        assert_eq!(serde_json::json!(lab.flows), serde_json::json!(planned));
    }
}
