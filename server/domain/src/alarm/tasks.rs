//! How many tasks a connector of the active flow has to have: Connect's status says only which it has, and its list of their
//! configs only how many the connector asked for.

use super::{Memory, memory::Tasks, view::View};
use crate::{
    selection::Selection,
    survey::{ConnectorObservation, ConnectorRole, GroupObservation},
};

/// Settings that decide how many tasks there are.
const DECIDING: [&str; 7] = [
    "tasks.max",
    "topics",
    "topics.exclude",
    "topics.blacklist",
    "groups",
    "groups.exclude",
    "topic.filter.class",
];

/// The least number of tasks it has when all is well; what it had before counts while nothing has changed that decides.
///
/// MirrorMaker 2 makes as many as `tasks.max` says and no more than there are partitions, or groups
/// (`MirrorSourceConnector.taskConfigs`, `MirrorCheckpointConnector.taskConfigs`).
pub(super) fn expected(
    view: &View<'_>,
    memory: &mut Memory,
    role: ConnectorRole,
    found: &ConnectorObservation,
) -> i32 {
    let settings: Vec<&str> =
        DECIDING.iter().map(|key| found.config.get(*key).map_or("", String::as_str)).collect();
    let settings = settings.join("\n");
    let selection = view.flow().and_then(|flow| Selection::read(flow, &found.config).ok());
    let work = work(view, role, selection.as_ref());
    let before = view.memory.tasks.get(&role);
    // Less to do may be fewer tasks.
    let as_before =
        before.filter(|before| before.settings == settings && work.is_none_or(|work| work >= before.work));
    let seen = found.tasks.iter().map(|task| task.id.saturating_add(1)).max().unwrap_or(0);
    // A connector that was just set anew shows its old tasks for a moment, and needs one to make the new.
    let settled = before.is_some_and(|before| before.settings == settings);
    let count = if settled { as_before.map_or(0, |before| before.count).max(seen) } else { 0 };
    let kept = work.or(as_before.map(|before| before.work)).unwrap_or(0);
    memory.tasks.insert(role, Tasks { count, work: kept, settings });
    let copied = selection.filter(|_| settled && role == ConnectorRole::Source);
    let made = copied.and_then(|selection| copied_partitions(view, &selection)).unwrap_or(0);
    let most: i32 = found.config.get("tasks.max").and_then(|max| max.parse().ok()).unwrap_or(1);
    count.min(work.unwrap_or(count)).max(made).min(most).max(seen).max(found.given_tasks.unwrap_or(0))
}

/// Whether it has nothing to do, and so no task.
pub(super) fn nothing_to_do(view: &View<'_>, role: ConnectorRole) -> bool {
    match role {
        ConnectorRole::Source => {
            let side = view.way().from;
            let copied =
                |topic: &String| view.scope.topic(side, topic) && !view.scope.is_replica(side, topic);
            view.topics(side).is_ok_and(|topics| !topics.keys().any(copied))
        }
        // Until there is a group with positions.
        ConnectorRole::Checkpoint => work(view, role, None) == Some(0),
        ConnectorRole::Heartbeat => false,
    }
}

/// Partitions or groups of the pair it has to see to; `None` when they are not known.
fn work(view: &View<'_>, role: ConnectorRole, selection: Option<&Selection>) -> Option<i32> {
    let side = view.way().from;
    let count = match role {
        ConnectorRole::Source => {
            let topics = view.topics(side).ok()?.iter();
            let selects = |name: &str| selection.is_none_or(|selection| selection.selects(name));
            let ours = topics.filter(|(name, _)| view.scope.application_topic(side, name) && selects(name));
            ours.map(|(_, topic)| topic.partitions.len()).sum()
        }
        ConnectorRole::Checkpoint => {
            let groups = view.survey.sides.get(side).groups.value()?.values();
            // Copies that the way back brought are not copied on, and their positions not either.
            let has_any = |group: &&GroupObservation| {
                group.offsets.keys().any(|at| !view.scope.is_replica(side, &at.topic))
            };
            groups.filter(has_any).count()
        }
        ConnectorRole::Heartbeat => 1,
    };
    i32::try_from(count).ok()
}

/// Partitions that were copied, are there, and are selected by the settings: each is some task's. `None` when that is not
/// known.
fn copied_partitions(view: &View<'_>, selection: &Selection) -> Option<i32> {
    let topics = view.topics(view.way().from).ok()?;
    let committed = &view.observed()?.committed.value()?.offsets;
    let mut last: Option<(&str, usize)> = None;
    let mut count = 0;
    for key in committed.keys() {
        let there = match last {
            Some((topic, there)) if topic == key.topic => there,
            Some(_) | None => {
                let there = topics.get(&key.topic).map_or(0, |topic| topic.partitions.len());
                if selection.selects(&key.topic) { there } else { 0 }
            }
        };
        last = Some((&key.topic, there));
        count += i32::from(usize::try_from(key.partition).is_ok_and(|number| number < there));
    }
    Some(count)
}
