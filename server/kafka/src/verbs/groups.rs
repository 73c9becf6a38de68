//! Groups of every type: who exists, who is in them, and moving members out.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use muster_domain::group::{GroupDescription, GroupListing, GroupState, GroupType};

use crate::{
    asking::routing::{Call, Router, Target},
    broker_error::{GROUP_ID_NOT_FOUND, NOT_COORDINATOR},
    error::{KafkaError, KafkaErrorKind},
    verbs::group_members,
};

/// Groups per describe request.
const BATCH: usize = 200;

/// Groups of every type, asked of every broker.
pub(crate) async fn list_groups(router: &Router) -> Result<Vec<GroupListing>, KafkaError> {
    let call = router.look("ListGroups");
    list_within(&call).await
}

pub(crate) async fn list_within(call: &Call<'_>) -> Result<Vec<GroupListing>, KafkaError> {
    let mut asks = Vec::new();
    for node in call.every_broker().await? {
        asks.push(list_on(call, node));
    }
    let mut all: Vec<GroupListing> = try_join_all(asks).await?.into_iter().flatten().collect();
    all.sort_by(|a, b| a.group.cmp(&b.group));
    // While a coordinator moves, two brokers may list one group.
    all.dedup_by(|a, b| a.group == b.group);
    Ok(all)
}

async fn list_on(call: &Call<'_>, node: i32) -> Result<Vec<GroupListing>, KafkaError> {
    let mut patience = call.patience();
    loop {
        let (answer, _): (ListGroupsResponse, _) =
            call.send(Target::Node(node), None, |_| ListGroupsRequest::default()).await?;
        match call.expect_ok(Some(node), answer.error_code, None) {
            Ok(()) => return Ok(read_listing(call, node, &answer)),
            Err(error) if patience.after(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

fn read_listing(call: &Call<'_>, node: i32, answer: &ListGroupsResponse) -> Vec<GroupListing> {
    call.router.coordinators.learn(node, answer.groups.iter().map(|group| group.group_id.as_str()));
    let listing = answer.groups.iter().map(|group| GroupListing {
        group: group.group_id.to_string(),
        kind: read_type(&group.group_type, &group.protocol_type),
        protocol_type: group.protocol_type.to_string(),
        state: read_state(&group.group_state),
    });
    listing.collect()
}

/// Brokers before 3.8 do not tell; what they have is classic, except for share groups, which name their protocol.
fn read_type(kind: &str, protocol: &str) -> GroupType {
    match (kind.to_ascii_lowercase().as_str(), protocol) {
        ("consumer", _) => GroupType::Consumer,
        ("share", _) | ("", "share") => GroupType::Share,
        ("streams", _) => GroupType::Streams,
        (_, _) => GroupType::Classic,
    }
}

/// Kafka's words for states, over all types and versions.
pub(crate) fn read_state(state: &str) -> GroupState {
    match state {
        "Empty" => GroupState::Empty,
        "Stable" => GroupState::Stable,
        "PreparingRebalance" | "CompletingRebalance" | "AwaitingSync" | "Assigning" | "Reconciling" => {
            GroupState::Rebalancing
        }
        "Dead" => GroupState::Dead,
        _ => GroupState::Unrecognised,
    }
}

/// Members and states, asked of the coordinators.
pub(crate) async fn describe_groups(
    router: &Router,
    groups: &[(String, GroupType)],
) -> Result<Vec<GroupDescription>, KafkaError> {
    let what = format!("describe {} groups", groups.len());
    let call = router.look(&what);
    let mut found: HashMap<String, GroupDescription> = HashMap::with_capacity(groups.len());
    for kind in [GroupType::Classic, GroupType::Consumer, GroupType::Share] {
        let wanted: Vec<&str> =
            groups.iter().filter(|(_, k)| *k == kind).map(|(group, _)| group.as_str()).collect();
        for described in describe_of_kind(&call, kind, wanted).await? {
            found.insert(described.group.clone(), described);
        }
    }
    if groups.iter().any(|(_, kind)| *kind == GroupType::Streams) {
        // The codec has no StreamsGroupDescribe; the listing knows the state, and members stay unread.
        for listed in list_within(&call).await?.into_iter().filter(|listed| listed.kind == GroupType::Streams)
        {
            let GroupListing { group, kind, state, .. } = listed;
            found.insert(group.clone(), GroupDescription { group, kind, state, members: Vec::new() });
        }
    }
    let dead = |group: &String, kind| GroupDescription {
        group: group.clone(),
        kind,
        state: GroupState::Dead,
        members: Vec::new(),
    };
    Ok(groups.iter().map(|(group, kind)| found.remove(group).unwrap_or_else(|| dead(group, *kind))).collect())
}

async fn describe_of_kind(
    call: &Call<'_>,
    kind: GroupType,
    wanted: Vec<&str>,
) -> Result<Vec<GroupDescription>, KafkaError> {
    let mut done = Vec::with_capacity(wanted.len());
    let mut open = wanted;
    let mut patience = call.patience();
    while !open.is_empty() {
        let mut asks = Vec::new();
        for (node, groups) in by_coordinator(call, &open).await? {
            for batch in groups.chunks(BATCH) {
                asks.push(group_members::describe_on(call, node, kind, batch.to_vec()));
            }
        }
        let mut again = Vec::new();
        let mut reason = None;
        for (group, described) in try_join_all(asks).await?.into_iter().flatten() {
            match described {
                Ok(described) => done.push(described),
                Err(error) if error.code() == Some(GROUP_ID_NOT_FOUND) => {}
                Err(error) if error.may_pass() => {
                    again.push(group);
                    reason = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        call.router.coordinators.forget(again.iter().copied());
        if let Some(error) = reason
            && !patience.after(&error).await
        {
            return Err(error);
        }
        open = again;
    }
    Ok(done)
}

/// Groups by their coordinator.
pub(crate) async fn by_coordinator<'g>(
    call: &Call<'_>,
    groups: &[&'g str],
) -> Result<HashMap<i32, Vec<&'g str>>, KafkaError> {
    let coordinators = call.group_coordinators(groups).await?;
    let mut grouped: HashMap<i32, Vec<&str>> = HashMap::new();
    for group in groups {
        let node = coordinators.get(group).copied().ok_or_else(|| {
            call.fail(None, KafkaErrorKind::Protocol(format!("no coordinator was named for group `{group}`")))
        })?;
        grouped.entry(node).or_default().push(group);
    }
    Ok(grouped)
}

/// Runs one request at a group's coordinator until it says something other than "not now" or "not me".
pub(crate) async fn at_coordinator<T, F>(
    call: &Call<'_>,
    group: &str,
    ask: impl Fn(Target) -> F,
) -> Result<T, KafkaError>
where
    F: Future<Output = Result<T, KafkaError>>,
{
    let mut patience = call.patience();
    loop {
        let target = call.group_coordinator(group).await?;
        match ask(target).await {
            Err(error) if patience.after(&error).await => {
                if error.code().is_some_and(|code| code <= NOT_COORDINATOR) {
                    call.router.coordinators.forget([group]);
                }
            }
            result => return result.map_err(|error| patience.verdict(error)),
        }
    }
}
