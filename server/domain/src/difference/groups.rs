//! Consumer groups: who is busy on the standby, who speaks otherwise there.

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, Sides, Weight,
    sides::{Groups, counted},
};
use crate::{alarm, group::GroupType, pair::Direction, patterns::Scope};

/// Groups of the active side that have members on the standby, with how many. A group without positions on the active
/// side has nothing to be synced; where that is not known it counts.
pub(crate) fn active_groups(here: Option<&Groups>, there: &Groups) -> Vec<(String, usize)> {
    there
        .iter()
        .filter(|(name, group)| alarm::blocks_syncing(group, here.map(|here| here.get(*name))))
        .map(|(name, group)| (name.clone(), group.members.len()))
        .collect()
}

/// Those of them that may not be so where both sides are active: their members read nothing of what is copied to them.
pub(crate) fn groups_in_the_way(
    scope: &Scope,
    way: Direction,
    here: &Groups,
    there: &Groups,
) -> Vec<(String, usize)> {
    let in_the_way = |(name, _): &(String, usize)| {
        let both = there.get(name).zip(here.get(name));
        !both.is_some_and(|(there, here)| alarm::reads_copies_itself((scope, way), there, here))
    };
    active_groups(Some(here), there).into_iter().filter(in_the_way).collect()
}

/// What to do about them: where both sides are active they may stay, if they read what is copied to them.
pub(crate) fn out_of_the_way(standby: &str, both: bool) -> String {
    if both {
        format!("Let them read the copies on {standby}, too, or stop them there.")
    } else {
        format!("Stop these consumers on {standby}.")
    }
}

/// Groups that are busy on the standby. Those that have nothing to be synced do not count, where that is known.
pub(super) fn busy<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let there = sides.there.groups.as_result()?;
    let standby = sides.standby();
    let active = if sides.both {
        groups_in_the_way(&Scope::of(sides.pair), sides.active, sides.here.groups.as_result()?, there)
    } else {
        active_groups(sides.here.groups.value(), there)
    };
    let busy: Vec<String> = active.into_iter().map(|(name, _)| name).collect();
    if busy.is_empty() {
        return Ok(Vec::new());
    }
    let has = if busy.len() == 1 { "has" } else { "have" };
    Ok(vec![Difference {
        kind: Kind::GroupActive,
        weight: Weight::Breaks,
        says: format!("{} {has} members on {standby} now", counted(&busy, "group")),
        cluster: standby.clone(),
        expected: "no members".to_owned(),
        actual: "members".to_owned(),
        consequence:
            "MirrorMaker 2 silently skips their offsets, so they would read from wherever they stand there."
                .to_owned(),
        affected: of_groups(busy),
        next_step: out_of_the_way(standby.as_str(), sides.both),
        commands: Vec::new(),
    }])
}

fn of_groups(groups: Vec<String>) -> Affected {
    Affected { groups: Names::all(groups), ..Affected::default() }
}

/// Groups that hold on to another protocol on the standby. An empty one takes the protocol of whoever joins first, so it
/// is no difference.
pub(super) fn types<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = sides.groups()?;
    let other: Vec<(String, GroupType, GroupType)> = here
        .iter()
        .filter_map(|(name, group)| Some((name.clone(), group.kind, there.get(name)?)))
        .filter(|(_, kind, found)| *kind != found.kind && !found.members.is_empty())
        .map(|(name, kind, found)| (name, kind, found.kind))
        .collect();
    let Some((_, wanted, actual)) = other.first().cloned() else { return Ok(Vec::new()) };
    let names: Vec<String> = other.into_iter().map(|(name, ..)| name).collect();
    let speaks = if names.len() == 1 { "speaks" } else { "speak" };
    Ok(vec![Difference {
        kind: Kind::GroupType,
        weight: Weight::Breaks,
        says: format!("{} {speaks} another protocol on {}", counted(&names, "group"), sides.standby()),
        cluster: sides.standby().clone(),
        expected: protocol(wanted).to_owned(),
        actual: protocol(actual).to_owned(),
        consequence:
            "Consumers of the other protocol may be refused while members of this one are in the group."
                .to_owned(),
        affected: of_groups(names),
        next_step: format!("Stop these consumers on {}: an empty group takes any protocol.", sides.standby()),
        commands: Vec::new(),
    }])
}

fn protocol(kind: GroupType) -> &'static str {
    match kind {
        GroupType::Classic => "classic",
        GroupType::Consumer => "consumer (KIP-848)",
        GroupType::Share => "share (KIP-932)",
        GroupType::Streams => "streams (KIP-1071)",
    }
}
