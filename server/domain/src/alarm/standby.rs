//! What on the standby works against being one: DENYs that block, configs that delete, groups in the way.

use std::collections::BTreeSet;

use super::{Alarm, AlarmCode as Code, Judged, Memory, Place, keeping, leftover, view::View};
use crate::{
    acl::{AclBinding, AclOperation, AclPermission, ResourceType},
    difference::acl_arguments,
    pair::Direction,
    patterns::Scope,
    shell::quoted,
    survey::GroupObservation,
};

/// What is judged here.
pub(super) const CODES: &[Code] =
    &[Code::DenyCopied, Code::EarlyDeletion, Code::GroupActive, Code::OffsetsBlocking];

pub(super) fn judge(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    denies(view, judged);
    keeping::judge(view, judged);
    groups_active(view, judged);
    leftover::judge(view, judged, memory);
}

fn denies(view: &View<'_>, judged: &mut Judged) {
    let way = view.way();
    let (topics, acls) = match (view.topics(way.to()), view.survey.sides.get(way.to()).acls.as_result()) {
        (Ok(topics), Ok(acls)) => (topics, acls),
        (Err(reason), _) | (_, Err(reason)) => return judged.unknown(Code::DenyCopied, reason),
    };
    let on_source = view.survey.sides.get(way.from).acls.value();
    // Whoever may not DESCRIBE a topic does not get past asking where it is.
    let bad = |binding: &&AclBinding| {
        binding.permission == AclPermission::Deny
            && binding.resource == ResourceType::Topic
            && matches!(
                binding.operation,
                AclOperation::Write | AclOperation::Read | AclOperation::Describe | AclOperation::All
            )
    };
    for binding in acls.bindings.iter().filter(bad) {
        let hit: Vec<Place> = topics
            .keys()
            .filter(|topic| view.scope.topic(way.to(), topic) && view.is_of_flow(way.to(), topic))
            .filter(|topic| binding.covers(ResourceType::Topic, topic))
            .map(|topic| Place::new(topic, "is refused by it"))
            .collect();
        if hit.is_empty() {
            continue;
        }
        let to = view.name(way.to());
        let origin = match on_source {
            Some(source) if source.bindings.contains(binding) => {
                "The same one stands on the source: MirrorMaker 2 copies DENYs and never removes them."
            }
            Some(_) => {
                "It does not stand on the source now; MirrorMaker 2 never removes one that it has copied."
            }
            None => "Whether it stands on the source too is not known.",
        };
        let remove = format!("--remove --force {}", acl_arguments(binding));
        judged.raise(
            Alarm::of(
                Code::DenyCopied,
                binding.to_string(),
                view,
                format!("{binding} stands on `{to}`: it stops replication's own writes, or applications after a move."),
            )
            .at(hit)
            .fact(origin)
            .next(
                "Remove it there, and set sync.topic.acls.enabled=false so that it does not come back.",
                Some(view.tool(way.to(), "kafka-acls", &remove)),
            ),
        );
    }
}

/// Whether a group on the standby keeps its own offsets from being synced: it has members, and positions on the active
/// side that would be. Where those are not known it counts.
#[must_use]
pub(crate) fn blocks_syncing(there: &GroupObservation, here: Option<Option<&GroupObservation>>) -> bool {
    let reads_here = here.is_none_or(|here| here.is_some_and(|group| !group.offsets.is_empty()));
    !there.members.is_empty() && reads_here
}

/// Whether a group that is at work on the target needs nothing synced there, where both sides are active: its members read the copies
/// of whatever it reads on the source. Where nobody tells what they hold, positions on the copies do.
#[must_use]
pub(crate) fn reads_copies_itself(
    (scope, way): (&Scope, Direction),
    there: &GroupObservation,
    here: &GroupObservation,
) -> bool {
    let held: BTreeSet<&str> =
        there.members.iter().flat_map(|member| &member.assignment).map(|at| at.topic.as_str()).collect();
    let read = |replica: &str| {
        let has_positions = || there.offsets.keys().any(|at| at.topic == replica);
        held.contains(replica) || (held.is_empty() && has_positions())
    };
    let topics = here.offsets.keys().map(|at| &at.topic);
    topics
        .filter(|topic| scope.application_topic(way.from, topic))
        .all(|topic| read(&scope.replica(way, topic)))
}

fn groups_active(view: &View<'_>, judged: &mut Judged) {
    let way = view.way();
    let groups = match view.survey.sides.get(way.to()).groups.as_result() {
        Ok(groups) => groups,
        Err(reason) => return judged.unknown(Code::GroupActive, reason),
    };
    let here = match view.survey.sides.get(way.from).groups.as_result() {
        // Of a side that stands by every member counts; where both are active it may be at work there by right.
        Err(reason) if view.both => return judged.unknown(Code::GroupActive, reason),
        here => here.ok(),
    };
    let to = view.name(way.to());
    for (name, group) in groups {
        let known_here = here.map(|here| here.get(name));
        let by_right =
            |here: &GroupObservation| view.both && reads_copies_itself((&view.scope, way), group, here);
        if !blocks_syncing(group, known_here) || known_here.flatten().is_some_and(by_right) {
            continue;
        }
        let members = group.members.iter().map(|member| {
            Place::new(&member.client_id, format!("from {}", member.client_host.trim_start_matches('/')))
        });
        judged.raise(
            Alarm::of(
                Code::GroupActive,
                name,
                view,
                format!("`{name}` has members on `{to}`, so its offsets are not synced; nobody is told but by this."),
            )
            .at(members.collect())
            .fact("MirrorMaker 2 writes offsets of empty groups only, and logs a warning for the others.")
            .next(
                "Stop these consumers on the standby; its offsets are synced again once the group is empty.",
                Some(view.tool(way.to(), "kafka-consumer-groups", &format!("--describe --members --group {}", quoted(name)))),
            ),
        );
    }
}
