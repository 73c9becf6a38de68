//! The plan in words: what each step is called for people and every call it would make. This is the dry run.

use muster_domain::{
    access::{self, Conversion},
    address,
    cluster::Cluster,
    pair::{Mechanism, Pair},
    plan::PlanContent,
};

/// A plan's setting, to narrate it.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// Side applications leave.
    pub from: &'a Cluster,
    /// Side applications move to.
    pub to: &'a Cluster,
    /// What is planned so far: scope and rules are set, steps are not.
    pub content: &'a PlanContent,
    /// What would be taken away on the side applications leave; `None` where its ACLs are not known.
    pub closing: Option<&'a Conversion>,
}

impl Scene<'_> {
    fn topics(&self) -> Vec<String> {
        self.content.topics.iter().map(|t| t.topic.clone()).collect()
    }

    fn connector(&self, forward: bool, role: &str) -> String {
        let direction = if forward { self.content.direction } else { self.content.direction.reverse() };
        match self.pair.flow(direction).map(|flow| &flow.mechanism) {
            Some(Mechanism::Mm2OnConnect {
                source_connector,
                checkpoint_connector,
                heartbeat_connector,
                ..
            }) => match role {
                "source" => source_connector.clone(),
                "checkpoint" => checkpoint_connector.clone().unwrap_or_default(),
                _ => heartbeat_connector.clone().unwrap_or_default(),
            },
            Some(Mechanism::Unattached) | None => "(unattached)".to_owned(),
        }
    }
}

/// Verb phrase of a step, with its objects.
#[must_use]
pub fn title(step: &str, scene: &Scene<'_>) -> String {
    let (from, to) = (&scene.from.name, &scene.to.name);
    match step {
        "survey_again" => format!("Survey {from} and {to} again and compare with what was approved"),
        "stage_standby_grants" => format!("Create missing grants on {to}, without WRITE"),
        "freeze_drift" => "Stop MirrorMaker 2 from copying ACLs and configs".to_owned(),
        "stop_checkpoint_sync" => "Stop MirrorMaker 2 from writing group offsets".to_owned(),
        "catch_up" => format!("Wait until replication {from} → {to} has caught up"),
        "rehearse_translation" => "Translate every group's position without writing it".to_owned(),
        "calibrate_fence_probe" => format!("Show that the fence on {from} can be proven"),
        "confirm_go" => "Ask for the final go".to_owned(),
        "fence_source" => format!("Fence writes on {from}"),
        "settle_transactions" => format!("Settle open transactions on {from}"),
        "mark_cut_line" => format!("Mark the cut line on {from}"),
        "drain" => format!("Drain everything below the cut line to {to}"),
        "stop_flow" => format!("Stop the flow {from} → {to}"),
        "prove_content" => "Compare content on both sides".to_owned(),
        "mark_target_ends" => format!("Mark where {to} ends"),
        "pass_point_of_no_return" => "Check every proof and pass the point of no return".to_owned(),
        "unfence_standby" => format!("Unfence {to}: let applications write there"),
        "redirect_producers" => format!("Send producers to {to}"),
        "watch_first_write" => format!("See the first write arrive on {to}"),
        "drain_groups" => format!("Let groups read to the end on {from}"),
        "hold_consumers" => "Ask consumers to commit, leave their groups and wait".to_owned(),
        "fence_consumers" => format!("Fence consumers on {from}"),
        "remove_members" => format!("Remove group members on {from} and prove that groups stand still"),
        "translate_groups" => "Translate group positions and verify them by content".to_owned(),
        "write_group_offsets" => format!("Write group positions on {to}"),
        "redirect_consumers" => format!("Send consumers to {to}"),
        "prepare_reverse" => format!("Set where the flow {to} → {from} begins"),
        "convert_source_fence" => format!("Turn the fence on {from} into the standby fence"),
        "thaw_drift" => "Put the frozen settings of the stopped flow back".to_owned(),
        "start_reverse_flow" => format!("Start the flow {to} → {from} and prove it"),
        "watch_groups" => format!("Watch groups come back on {to}"),
        "verify_outcome" => "Verify the outcome".to_owned(),
        "ask_traffic_switches" => "Ask every traffic switch where it sends applications".to_owned(),
        "look_at_grants" => format!("Look which grants {to} lacks"),
        "compare_recent_content" => "Compare the last records of every partition on both sides".to_owned(),
        other => other.replace('_', " "),
    }
}

/// Every call a step would make, in order; calls that only look are marked as such.
#[must_use]
pub fn calls(step: &str, scene: &Scene<'_>) -> Vec<String> {
    let (from, to) = (&scene.from.name, &scene.to.name);
    let topics = scene.topics();
    let groups = &scene.content.groups;
    let bindings = |list: Vec<muster_domain::acl::AclBinding>, verb: &str| -> Vec<String> {
        list.iter().map(|binding| format!("{verb} on {from}: {binding}")).collect()
    };
    match step {
        "survey_again" => {
            let mut calls = vec![
                format!("look: full survey of {from}, {to} and both flows"),
                format!("look: stored offsets of {}", scene.connector(false, "source")),
            ];
            calls.extend(asked_switches(scene));
            calls
        }
        "stage_standby_grants" => vec![
            format!("look: DescribeAcls on every broker of {from} and {to}"),
            format!("CreateAcls on {to}: each READ, DESCRIBE, group and transactional-id grant applications hold on {from} and lack there"),
        ],
        "freeze_drift" => vec![format!(
            "PATCH connector {}: sync.topic.acls.enabled=false, sync.topic.configs.enabled=false, consumer.poll.timeout.ms=100",
            scene.connector(true, "source")
        )],
        "stop_checkpoint_sync" => ["checkpoint", "heartbeat"]
            .iter()
            .map(|role| scene.connector(true, role))
            .filter(|name| !name.is_empty())
            .map(|name| format!("PUT connector {name}/stop"))
            .collect(),
        "ask_traffic_switches" => asked_switches(scene),
        "look_at_grants" => vec![format!("look: DescribeAcls on {from} and {to}")],
        "compare_recent_content" => vec![format!("look: read the last records on {from} and {to}")],
        "catch_up" => vec![format!("look: offsets of {} until passed", scene.connector(true, "source"))],
        "rehearse_translation" => vec![format!("look: read records around {} group positions on both sides", groups.len())],
        "calibrate_fence_probe" => topics
            .iter()
            .map(|topic| format!("look: Produce to `{topic}` partition 2147483647 as the probe principal on every broker of {from}: must be open"))
            .collect(),
        "confirm_go" => vec![
            "ask the driver".to_owned(),
            format!("look: offsets of {} until passed, when the go comes late", scene.connector(true, "source")),
        ],
        "fence_source" => {
            let mut calls = bindings(access::fence_bindings(&topics), "CreateAcls");
            calls.push(format!("look: DescribeAcls and the write probe on every broker of {from} until refused"));
            calls
        }
        "settle_transactions" => vec![
            format!("look: last stable offsets on {from} until equal to the ends"),
            format!("after {} ms: InitProducerId for each transactional id still open", scene.content.rules.transaction_grace_ms),
        ],
        "mark_cut_line" => vec![format!("look: ends and last records on {from}, twice")],
        "drain" => vec![format!("look: last records on {to} until they are the last records of {from}")],
        "stop_flow" => vec![format!("PUT connector {}/stop", scene.connector(true, "source"))],
        "prove_content" => vec!["look: read and compare records on both sides".to_owned()],
        "mark_target_ends" => vec![format!("look: ends on {to}, twice")],
        "pass_point_of_no_return" => vec!["look: fence, both flows".to_owned()],
        "unfence_standby" => vec![format!(
            "CreateAcls on {to}: each ALLOW WRITE applications hold on {from} for the topics in scope"
        )],
        "redirect_producers" | "redirect_consumers" => switches(scene, to.as_str()),
        "hold_consumers" if scene.content.rules.hold_seconds == 0 => Vec::new(),
        "hold_consumers" => {
            let mut calls = switches(scene, &format!("{from}, hold"));
            calls.push(format!(
                "look: group members on {from} until there are none, at most {} s",
                scene.content.rules.hold_seconds
            ));
            calls
        }
        "drain_groups" => vec![format!(
            "look: group positions on {from} until at the end, at most {} s",
            scene.content.rules.group_drain_seconds
        )],
        "fence_consumers" => bindings(access::consumer_fence_bindings(&topics, groups), "CreateAcls"),
        "remove_members" => groups
            .iter()
            .map(|group| format!("LeaveGroup or heartbeat with epoch -1 for each member of `{group}` on {from}"))
            .collect(),
        "translate_groups" => vec!["look: read records around each position on both sides".to_owned()],
        "write_group_offsets" => {
            groups.iter().map(|group| format!("OffsetCommit for `{group}` on {to}")).collect()
        }
        "prepare_reverse" => vec![format!("PATCH connector {}/offsets", scene.connector(false, "source"))],
        "convert_source_fence" => taken_away(scene),
        "thaw_drift" => vec![format!(
            "PATCH connector {}: the values before freezing",
            scene.connector(true, "source")
        )],
        "start_reverse_flow" => ["source", "checkpoint", "heartbeat"]
            .iter()
            .map(|role| scene.connector(false, role))
            .filter(|name| !name.is_empty())
            .map(|name| format!("PUT connector {name}/resume"))
            .chain([format!("write one canary record on {to} and see it on {from}")])
            .collect(),
        "watch_first_write" => vec![format!("look: ends of the applications' topics on {to}")],
        "watch_groups" => vec![format!("look: members and commits of active groups on {to}")],
        "verify_outcome" => vec!["look: content, ACLs, flows, groups on both sides".to_owned()],
        _ => Vec::new(),
    }
}

/// What applications lose on the side they leave, grant by grant as the survey saw them, and what has come since: the step goes by
/// what is there then.
fn taken_away(scene: &Scene<'_>) -> Vec<String> {
    let from = &scene.from.name;
    let mut calls = Vec::new();
    if let Some(closing) = scene.closing {
        calls.extend(closing.create.iter().map(|kept| format!("CreateAcls on {from}: {kept}")));
        calls.extend(closing.remove_grants.iter().map(|grant| {
            let wider = if closing.narrowed.contains(grant) { ", also for names out of scope" } else { "" };
            format!("DeleteAcls on {from}: {grant}{wider}")
        }));
    }
    let since = if scene.closing.is_some() { "of what comes until then, " } else { "" };
    calls.push(format!(
        "DeleteAcls on {from}: {since}each ALLOW WRITE of applications that covers a topic in scope, each ALLOW READ that covers a \
         group in scope, whole"
    ));
    calls.push(format!("DeleteAcls on {from}: the DENYs of this run"));
    calls
}

/// What every traffic switch of the pair is asked.
fn asked_switches(scene: &Scene<'_>) -> Vec<String> {
    use muster_domain::pair::RoutingTarget;
    let asked = |switch: &RoutingTarget| match switch {
        RoutingTarget::AddressBook { path } => {
            format!("look: lock and read address book {path}, make and remove a file beside it")
        }
        RoutingTarget::Webhook { url } => format!("look: GET {}", address::shown(url)),
    };
    scene.pair.routing.iter().map(asked).collect()
}

/// What every traffic switch of the pair is told.
fn switches(scene: &Scene<'_>, message: &str) -> Vec<String> {
    use muster_domain::pair::RoutingTarget;
    let told = |switch: &RoutingTarget| match switch {
        RoutingTarget::AddressBook { path } => format!("write address book {path}: {message}"),
        RoutingTarget::Webhook { url } => format!("POST {}: {message}", address::shown(url)),
    };
    scene.pair.routing.iter().map(told).collect()
}
