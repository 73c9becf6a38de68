//! What Muster's principal may do: read-only calls are tried, and brokers are asked which operations they would allow.

use futures_util::future::try_join_all;
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeGroupsRequest, ListTransactionsRequest, MetadataResponse,
};
use muster_domain::{
    acl::AclFilter,
    survey::{RightHeld, RightObservation},
};

use crate::{
    asking::routing::{Call, Router, Target},
    error::{KafkaError, KafkaErrorKind},
    verbs::{acls, configs, group_members::group_id, groups, topics},
};

/// Operation codes, as bits of `authorized operations` and in ACLs.
const READ: u8 = 3;
const CREATE: u8 = 5;
const DELETE: u8 = 6;
const ALTER: u8 = 7;
const DESCRIBE: u8 = 8;
const DESCRIBE_CONFIGS: u8 = 10;

/// What brokers say when they were not asked.
const NOT_TOLD: i32 = i32::MIN;
/// Groups asked about; the rest is alike.
const SAMPLE: usize = 100;

/// Everything that can be tried without changing anything.
pub(crate) async fn observe_rights(
    router: &Router,
    probe: Option<&Router>,
) -> Result<Vec<RightObservation>, KafkaError> {
    let call = router.look("rights");
    // Without any answer nothing can be said about rights.
    call.refresh_view().await?;
    let (cluster, topics, groups, acls, configs, transactions, probed) = tokio::join!(
        cluster_rights(&call),
        topic_rights(&call),
        group_rights(&call),
        acl_rights(&call),
        broker_config_rights(&call),
        transaction_rights(&call),
        probe_rights(probe),
    );
    Ok([cluster, topics, groups, acls, configs, transactions, probed].into_iter().flatten().collect())
}

fn right(right: &str, needed_for: &str, held: RightHeld) -> RightObservation {
    RightObservation { right: right.to_owned(), needed_for: needed_for.to_owned(), held }
}

fn unknown(reason: impl Into<String>) -> RightHeld {
    RightHeld::Unknown { reason: reason.into() }
}

/// A refusal is an answer; a timeout or a broken connection is none.
fn held_by(result: Result<(), KafkaError>) -> RightHeld {
    match result {
        Ok(()) => RightHeld::Yes,
        Err(error)
            if matches!(error.kind, KafkaErrorKind::Broker { .. } | KafkaErrorKind::Authentication(_)) =>
        {
            RightHeld::No { error: error.kind.to_string() }
        }
        Err(error) => unknown(error.kind.to_string()),
    }
}

fn allows(operations: i32, operation: u8) -> bool {
    operations & (1 << operation) != 0
}

async fn cluster_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let rows = [
        (DESCRIBE, "DESCRIBE on the cluster", "listing all groups and reading ACLs"),
        (ALTER, "ALTER on the cluster", "fencing: creating and deleting ACLs"),
        (CREATE, "CREATE on the cluster", "creating canary topics"),
    ];
    let build = |_| DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    let told = match call.send(Target::Any, None, build).await {
        Ok((answer, _)) => call
            .expect_ok(None, answer.error_code, answer.error_message.as_ref())
            .map(|()| answer.cluster_authorized_operations),
        Err(error) => Err(error),
    };
    let held = |operation: u8, name: &str| match &told {
        Ok(NOT_TOLD) => unknown("the broker does not tell"),
        Ok(operations) if allows(*operations, operation) => RightHeld::Yes,
        // Without DESCRIBE the broker tells of none.
        Ok(0) if operation != DESCRIBE => unknown("only told to principals with DESCRIBE on the cluster"),
        Ok(_) => RightHeld::No { error: format!("the broker does not list {name}") },
        Err(error) => unknown(error.kind.to_string()),
    };
    rows.into_iter()
        .map(|(operation, name, needed_for)| right(name, needed_for, held(operation, name)))
        .collect()
}

async fn topic_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let rows = [
        (DESCRIBE, "DESCRIBE on topics", "seeing topics and their offsets"),
        (READ, "READ on topics", "verifying content and translating offsets exactly"),
        (DESCRIBE_CONFIGS, "DESCRIBE_CONFIGS on topics", "comparing configs of both sides"),
    ];
    let told = topics::fetch_metadata(call, Target::Any, None, true).await;
    let held = |operation| match &told {
        Ok(answer) => topics_allow(answer, operation),
        Err(error) => unknown(error.kind.to_string()),
    };
    rows.into_iter().map(|(operation, name, needed_for)| right(name, needed_for, held(operation))).collect()
}

/// Held when every visible topic of applications allows it.
fn topics_allow(answer: &MetadataResponse, operation: u8) -> RightHeld {
    let mut seen = 0_usize;
    let mut refused = Vec::new();
    for topic in answer.topics.iter().filter(|topic| !topic.is_internal && topic.error_code == 0) {
        if topic.topic_authorized_operations == NOT_TOLD {
            return unknown("the broker does not tell");
        }
        seen += 1;
        if !allows(topic.topic_authorized_operations, operation) {
            refused.extend(topic.name.as_ref());
        }
    }
    match refused.first() {
        None if seen == 0 => unknown("no topic is visible; without DESCRIBE topics are hidden"),
        None => RightHeld::Yes,
        Some(first) => RightHeld::No {
            error: format!("not on {} of {seen} topics, for example `{}`", refused.len(), first.as_str()),
        },
    }
}

async fn group_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let rows = [
        (DESCRIBE, "DESCRIBE on groups", "seeing members and committed positions"),
        (READ, "READ on groups", "writing positions on the standby and moving members out"),
        (DELETE, "DELETE on groups", "taking positions that a run wrote back"),
    ];
    let told = authorized_on_groups(call).await;
    let held = |operation| match &told {
        Ok(groups) if groups.is_empty() => {
            unknown("there is no group to ask about; without DESCRIBE groups are hidden")
        }
        Ok(groups) => match groups.iter().find(|(_, operations)| !allows(*operations, operation)) {
            None => RightHeld::Yes,
            Some((_, NOT_TOLD)) => unknown("the broker does not tell"),
            Some((group, _)) => RightHeld::No { error: format!("not on group `{group}`") },
        },
        Err(error) => unknown(error.kind.to_string()),
    };
    rows.into_iter().map(|(operation, name, needed_for)| right(name, needed_for, held(operation))).collect()
}

/// DescribeGroups tells the operations of groups of every type, even where it cannot describe the group itself.
async fn authorized_on_groups(call: &Call<'_>) -> Result<Vec<(String, i32)>, KafkaError> {
    let listed = groups::list_within(call).await?;
    let names: Vec<&str> = listed.iter().take(SAMPLE).map(|group| group.group.as_str()).collect();
    let asks = groups::by_coordinator(call, &names).await?.into_iter().map(async |(node, names)| {
        let ids: Vec<_> = names.iter().map(|name| group_id(name)).collect();
        let build = |version: i16| {
            let request = DescribeGroupsRequest::default().with_groups(ids.clone());
            request.with_include_authorized_operations(version >= 3)
        };
        // From version 6 on, groups of other types are an error instead of a dead group.
        let (answer, _) = call.send(Target::Node(node), Some(5), build).await?;
        let described = answer.groups.into_iter().filter(|group| group.error_code == 0);
        Ok(described
            .map(|group| (group.group_id.to_string(), group.authorized_operations))
            .collect::<Vec<_>>())
    });
    Ok(try_join_all(asks).await?.into_iter().flatten().collect())
}

async fn acl_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let nothing = AclFilter { name: Some("muster-rights-check".to_owned()), ..AclFilter::default() };
    let held = match acls::describe_on(call, Target::Any, &nothing).await {
        Ok(Some(_)) => RightHeld::Yes,
        Ok(None) => RightHeld::No { error: "SECURITY_DISABLED: the cluster has no authorizer".to_owned() },
        Err(error) => held_by(Err(error)),
    };
    vec![right("reading ACLs", "proving fences and comparing the applications' rights on both sides", held)]
}

async fn broker_config_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let broker = match call.view().await {
        Ok(view) => view.description.brokers.first().map(|broker| broker.id),
        Err(_) => None,
    };
    let held = match broker {
        None => unknown("no broker answered"),
        Some(broker) => held_by(configs::broker_configs(call.router, broker).await.map(drop)),
    };
    vec![right(
        "DESCRIBE_CONFIGS on the cluster",
        "comparing brokers' defaults and client quotas of both sides",
        held,
    )]
}

async fn transaction_rights(call: &Call<'_>) -> Vec<RightObservation> {
    let held = match call.send(Target::Any, None, |_| ListTransactionsRequest::default()).await {
        Ok((answer, _)) if answer.error_code == 0 && answer.transaction_states.is_empty() => {
            unknown("no transactional id is visible; without DESCRIBE they are hidden")
        }
        Ok((answer, _)) => held_by(call.expect_ok(None, answer.error_code, None)),
        Err(error) => held_by(Err(error)),
    };
    vec![right("DESCRIBE on transactional ids", "finding hung transactions", held)]
}

async fn probe_rights(probe: Option<&Router>) -> Vec<RightObservation> {
    let held = match probe {
        None => RightHeld::No { error: "no probe principal is recorded".to_owned() },
        Some(probe) => held_by(probe.look("sign in as the probe principal").refresh_view().await.map(drop)),
    };
    vec![right("signing in as the probe principal", "proving a fence by a refused write", held)]
}
