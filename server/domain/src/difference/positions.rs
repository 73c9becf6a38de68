//! Positions of groups on the active side that have no counterpart on the standby.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, Sides, Weight,
    sides::{Topics, counted},
};
use crate::topic::TopicPartition;

/// What a group lacks on the standby.
struct Lacking {
    group: String,
    /// Partitions of the active side, by the name applications use.
    partitions: Vec<TopicPartition>,
    /// Whether it has none there at all.
    all: bool,
}

/// Groups that have positions on the active side and, in the same partitions, none on the standby. Those that lack all are one cause,
/// those that lack them in the same topics another.
pub(super) fn differences<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let lacking = lacking(sides)?;
    let mut causes: BTreeMap<(bool, BTreeSet<String>), Vec<Lacking>> = BTreeMap::new();
    for group in lacking {
        let topics = group.partitions.iter().map(|at| at.topic.clone());
        let cause = (!group.all, if group.all { BTreeSet::new() } else { topics.collect() });
        causes.entry(cause).or_default().push(group);
    }
    Ok(causes.into_values().map(|groups| told(sides, &groups)).collect())
}

fn lacking<'a>(sides: &Sides<'a>) -> Result<Vec<Lacking>, &'a str> {
    let ((here, there), (topics, replicas)) = (sides.groups()?, sides.topics()?);
    let copies: BTreeMap<&str, &str> =
        sides.scope.iter().map(|(topic, replica)| (topic.as_str(), replica.as_str())).collect();
    let mut all = Vec::new();
    for (name, group) in here {
        let found = there.get(name).map(|group| &group.offsets);
        // Of a topic that is not an application's here, as copies from the other side, nothing is brought there.
        let copied = group.offsets.keys().filter_map(|at| Some((at, *copies.get(at.topic.as_str())?)));
        let partitions: Vec<TopicPartition> = copied
            .map(|(at, replica)| (at, TopicPartition::new(replica, at.partition)))
            .filter(|(_, copy)| !found.is_some_and(|found| found.contains_key(copy)))
            // Without a record on either side nothing is read again and nothing missed.
            .filter(|(at, copy)| !(is_empty(topics, at) && is_empty(replicas, copy)))
            .map(|(at, _)| at.clone())
            .collect();
        let none = found.is_none_or(|found| found.is_empty());
        if !partitions.is_empty() {
            all.push(Lacking { group: name.clone(), partitions, all: none });
        }
    }
    Ok(all)
}

/// Whether a partition is known to hold nothing. One that is not there holds nothing.
fn is_empty(topics: &Topics, at: &TopicPartition) -> bool {
    let number = usize::try_from(at.partition).ok();
    match topics.get(&at.topic).and_then(|topic| topic.partitions.get(number?)) {
        None => true,
        Some(found) => found.start.zip(found.end).is_some_and(|(start, end)| start == end),
    }
}

fn told(sides: &Sides<'_>, groups: &[Lacking]) -> Difference {
    let (active, standby) = (sides.active(), sides.standby());
    let names: Vec<String> = groups.iter().map(|lacking| lacking.group.clone()).collect();
    let partitions: BTreeSet<&TopicPartition> =
        groups.iter().flat_map(|lacking| &lacking.partitions).collect();
    let topics: BTreeSet<String> = partitions.iter().map(|at| at.topic.clone()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let has = if names.len() == 1 { "has" } else { "have" };
    let none = groups.iter().all(|lacking| lacking.all);
    let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    Difference {
        kind: Kind::GroupPositions,
        weight: Weight::Costs,
        says: if none {
            format!("{} {has} positions on {active} and none on {standby}", counted(&names, "group"))
        } else {
            let (groups, topics) = (counted(&names, "group"), counted(&topics, "topic"));
            format!("{groups} {has} positions of {topics} on {active} that are not all on {standby}")
        },
        cluster: standby.clone(),
        expected: "positions".to_owned(),
        actual: if none { "none".to_owned() } else { format!("none in {}", counted(&partitions, "partition")) },
        consequence: "Moved by hand they begin there where auto.offset.reset says: everything again, or nothing of what they missed.".to_owned(),
        affected: Affected { topics: Names::all(topics), groups: Names::all(names), ..Affected::default() },
        next_step: "A switchover by Muster writes their exact positions. For a failover without it, let the checkpoint connector sync offsets (sync.group.offsets.enabled), and the source connector copy these topics.".to_owned(),
        commands: Vec::new(),
    }
}
