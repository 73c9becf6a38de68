//! Checks about the flows: what Connect says, and whether it is true.

use super::{CheckCode as Code, CheckResult, CheckStatus, Scene};
use crate::{
    alarm, direction,
    pair::{Direction, NamingPolicy},
    patterns,
    survey::{ConnectState, ConnectorObservation, ConnectorRole, FlowObservation, UnreadableSyncs},
};

pub(super) fn evaluate(scene: &Scene<'_>) -> Vec<CheckResult> {
    vec![
        workers(scene),
        connectors(scene),
        super::moving::moving(scene),
        interlock(scene),
        scope(scene),
        converters(scene),
        offset_sync(scene),
        canary(scene),
    ]
}

fn observed<'a>(scene: &'a Scene<'_>, direction: Direction) -> Result<&'a FlowObservation, String> {
    if scene.pair.unattached().any(|way| way == direction) {
        return Err(direction::not_attached(scene.pair, direction));
    }
    scene
        .survey
        .flows
        .iter()
        .find(|flow| flow.direction == direction)
        .ok_or_else(|| format!("Muster cannot see the flow {}", scene.pair.course(direction)))
}

fn connector<'a>(
    scene: &'a Scene<'_>,
    direction: Direction,
    role: ConnectorRole,
) -> Result<Option<&'a ConnectorObservation>, String> {
    let flow = observed(scene, direction)?;
    flow.connectors.get(&role).map(|c| c.as_result().map_err(ToOwned::to_owned)).transpose()
}

fn workers(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    for flow in &scene.pair.flows {
        let worker = match observed(scene, flow.direction) {
            Ok(flow) => flow.worker.as_result().map_err(ToOwned::to_owned),
            Err(reason) => Err(reason),
        };
        let expected = &scene.clusters.get(flow.direction.to()).expected_cluster_id;
        match worker {
            Err(reason) => return CheckResult::unknown(Code::ConnectWorker, reason),
            Ok(worker) if expected.as_ref().is_some_and(|id| *id != worker.kafka_cluster_id) => troubles
                .push(format!(
                    "the worker of {} is attached to cluster {}, not to `{}`",
                    scene.pair.course(flow.direction),
                    worker.kafka_cluster_id,
                    scene.name(flow.direction.to())
                )),
            Ok(_) => {}
        }
    }
    CheckResult::from_troubles(
        Code::ConnectWorker,
        CheckStatus::Critical,
        &troubles,
        "workers of all flows answer and are attached to their target",
        "Run the connectors of a flow on a Connect cluster attached to the flow's target.",
    )
}

fn connectors(scene: &Scene<'_>) -> CheckResult {
    let active = match &scene.active {
        Ok(direction) => *direction,
        Err(reason) => return CheckResult::unknown(Code::FlowConnectors, reason),
    };
    let mut troubles = Vec::new();
    let mut unlisted = None;
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat] {
        match connector(scene, active, role) {
            Err(reason) => return CheckResult::unknown(Code::FlowConnectors, reason),
            Ok(None) => {}
            Ok(Some(found)) => {
                troubles.extend(unwell(found));
                unlisted = unlisted.or(found.given_tasks.is_none().then_some(&found.name));
            }
        }
        match connector(scene, active.reverse(), role) {
            Err(reason) => return CheckResult::unknown(Code::FlowConnectors, reason),
            Ok(Some(found)) if !scene.both && found.state != ConnectState::Stopped => troubles.push(format!(
                "`{}` of the way back is {} and must be STOPPED while `{}` is active",
                found.name,
                found.state,
                scene.name(active.from)
            )),
            Ok(_) => {}
        }
    }
    if let Some(name) = unlisted.filter(|_| troubles.is_empty()) {
        return CheckResult::unknown(
            Code::FlowConnectors,
            format!(
                "Connect's list of the tasks of `{name}` could not be read, and its status does not have those nobody started"
            ),
        );
    }
    CheckResult::from_troubles(
        Code::FlowConnectors,
        CheckStatus::Critical,
        &troubles,
        if scene.both {
            "connectors of both flows run with all tasks"
        } else {
            "connectors of the flow run with all tasks, those of the way back are STOPPED"
        },
        if scene.both {
            "Look at the connector's trace on its worker and restart it with its tasks."
        } else {
            "Look at the connector's trace on its worker and restart it with its tasks; stop the way back."
        },
    )
}

/// What is wrong with a connector that should run.
fn unwell(found: &ConnectorObservation) -> Option<String> {
    let failed = found.tasks.iter().find(|task| task.state == ConnectState::Failed);
    let idle = found.tasks.iter().find(|task| task.state != ConnectState::Running);
    match (found.state, failed, idle) {
        (ConnectState::Running, Some(task), _) => Some(format!(
            "task {} of `{}` is FAILED: {}",
            task.id,
            found.name,
            task.trace.as_deref().unwrap_or("no trace")
        )),
        (ConnectState::Running, None, Some(task)) => {
            Some(format!("task {} of `{}` is {}", task.id, found.name, task.state))
        }
        (ConnectState::Running, None, None) if found.tasks.is_empty() => {
            Some(format!("`{}` says RUNNING but has no task", found.name))
        }
        (ConnectState::Running, None, None) => {
            let missing = found.tasks_without_status();
            let number = missing.first()?;
            Some(format!(
                "task {number} of `{}` is not there: it has a status of {} of {} tasks",
                found.name,
                found.tasks.len(),
                found.tasks_to_run()
            ))
        }
        (state, _, _) => Some(format!("`{}` is {state}", found.name)),
    }
}

fn interlock(scene: &Scene<'_>) -> CheckResult {
    if scene.pair.flows.iter().any(|flow| flow.naming != NamingPolicy::Identity) {
        return CheckResult::not_applicable(Code::DirectionInterlock, "prefixed names cannot loop");
    }
    let source = |direction| {
        let observed = scene.survey.flows.iter().find(|flow| flow.direction == direction)?;
        observed.connectors.get(&ConnectorRole::Source)
    };
    for flow in &scene.pair.flows {
        if let Err(reason) = observed(scene, flow.direction) {
            return CheckResult::unknown(Code::DirectionInterlock, reason);
        }
    }
    let flows = scene.pair.flows.iter().map(|flow| (flow, source(flow.direction)));
    let live: Vec<&str> = match alarm::live_identity_flows(flows) {
        Ok(live) => live.into_iter().map(|found| found.name.as_str()).collect(),
        Err(reason) => return CheckResult::unknown(Code::DirectionInterlock, reason),
    };
    if live.len() > 1 {
        return CheckResult::new(
            Code::DirectionInterlock,
            CheckStatus::Critical,
            format!(
                "{} are both live with identity names: every record is copied in circles",
                live.join(" and ")
            ),
            "Stop one of them at once.",
        );
    }
    CheckResult::ok(Code::DirectionInterlock, "one direction is live")
}

/// A flow that carries more than the pair is about is stopped for all of it. Under the identity policy the way back would
/// moreover copy those topics onto themselves: nothing says where their own records begin there.
fn scope(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    let mut worst = CheckStatus::Warning;
    for flow in &scene.pair.flows {
        let beyond = match observed(scene, flow.direction) {
            Ok(seen) => seen.beyond.as_result().map_err(ToOwned::to_owned),
            Err(reason) => Err(reason),
        };
        let beyond = match beyond {
            Ok(beyond) => beyond,
            Err(reason) => return CheckResult::unknown(Code::FlowScope, reason),
        };
        if beyond.count > 0 {
            if flow.naming == NamingPolicy::Identity {
                worst = CheckStatus::Critical;
            }
            troubles.push(format!("{} also carries {}", scene.pair.course(flow.direction), beyond.named()));
        }
    }
    CheckResult::from_troubles(
        Code::FlowScope,
        worst,
        &troubles,
        "both flows carry topics of the pair and nothing else",
        "Moving the pair would stop the copying of these topics, too. Add them to the pair, or leave them out of the \
         connector's `topics`.",
    )
}

fn converters(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    // One that is left to the worker may be right, and nobody can see it.
    let mut worst = CheckStatus::Warning;
    for flow in &scene.pair.flows {
        match connector(scene, flow.direction, ConnectorRole::Source) {
            Err(reason) => return CheckResult::unknown(Code::Converters, reason),
            Ok(None) => return CheckResult::unknown(Code::Converters, "a flow has no source connector"),
            Ok(Some(found)) => {
                for (key, class) in alarm::rewriting(found) {
                    if class.is_some() {
                        worst = CheckStatus::Critical;
                    }
                    let class = class.as_deref().unwrap_or("the worker's own, which cannot be seen");
                    troubles.push(format!("{key} of `{}` is {class}", found.name));
                }
            }
        }
    }
    CheckResult::from_troubles(
        Code::Converters,
        worst,
        &troubles,
        "key, value and header converters are ByteArrayConverter",
        "Set all three converters of the source connector to org.apache.kafka.connect.converters.ByteArrayConverter.",
    )
}

fn offset_sync(scene: &Scene<'_>) -> CheckResult {
    let active = match &scene.active {
        Ok(direction) => *direction,
        Err(reason) => return CheckResult::unknown(Code::OffsetSyncSettings, reason),
    };
    let mut troubles = Vec::new();
    let mut next_steps = Vec::new();
    match connector(scene, active, ConnectorRole::Checkpoint) {
        Err(reason) => return CheckResult::unknown(Code::OffsetSyncSettings, reason),
        Ok(None) => troubles.push("the flow has no checkpoint connector: groups would start over".to_owned()),
        Ok(Some(found)) => {
            if found.config.get("sync.group.offsets.enabled").is_none_or(|v| v != "true") {
                troubles.push(format!("sync.group.offsets.enabled of `{}` is not true", found.name));
            }
        }
    }
    match connector(scene, active, ConnectorRole::Source) {
        Err(reason) => return CheckResult::unknown(Code::OffsetSyncSettings, reason),
        Ok(Some(found)) if found.config.get("offset-syncs.topic.location").is_none_or(|v| v != "target") => {
            troubles.push(format!("offset syncs of `{}` are kept on the source and die with it", found.name))
        }
        Ok(_) => {}
    }
    if !troubles.is_empty() {
        next_steps.push("Set sync.group.offsets.enabled=true and offset-syncs.topic.location=target.");
    }
    let unreadable = observed(scene, active).map(|flow| &flow.unreadable_syncs);
    if let Ok(UnreadableSyncs { count: count @ 1.., last }) = unreadable {
        troubles.push(format!("{count} records of the offset-syncs topic could not be read: {last}"));
        next_steps.push(
            "Look who else may write to the flow's offset-syncs topic and take that right away; MirrorMaker 2 alone writes \
             there.",
        );
    }
    CheckResult::from_troubles(
        Code::OffsetSyncSettings,
        CheckStatus::Warning,
        &troubles,
        "group offsets are synced and offset syncs are kept on the target",
        &next_steps.join(" "),
    )
}

fn canary(scene: &Scene<'_>) -> CheckResult {
    let Some(topic) = &scene.pair.canary_topic else {
        return CheckResult::new(
            Code::Canary,
            CheckStatus::Warning,
            "the pair has no canary topic",
            "Name a topic that both flows replicate; a run then proves the way back end to end.",
        );
    };
    for flow in &scene.pair.flows {
        match connector(scene, flow.direction, ConnectorRole::Source) {
            Err(reason) => return CheckResult::unknown(Code::Canary, reason),
            Ok(Some(found)) => {
                let filter: Vec<&str> = found
                    .config
                    .get("topics")
                    .map_or(".*", String::as_str)
                    .split(',')
                    .map(str::trim)
                    .collect();
                if !patterns::matches(&filter, topic) {
                    return CheckResult::new(
                        Code::Canary,
                        CheckStatus::Critical,
                        format!("`{}` does not replicate the canary topic `{topic}`", found.name),
                        "Add the topic to the connector's `topics`.",
                    );
                }
            }
            Ok(None) => {}
        }
    }
    CheckResult::ok(Code::Canary, format!("`{topic}` is replicated in both directions"))
}
