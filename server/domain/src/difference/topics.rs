//! Topics, their partitions and their copies.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, Others, Sides, Weight,
    sides::{Counterpart, Role, Topics, counted},
};
use crate::{patterns::Scope, shell::quoted};

/// What a topic of the active side lacks on the standby.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TopicGap<'a> {
    /// Its replica is not there.
    Missing { topic: &'a str, replica: &'a str },
    /// Its replica has another number of partitions.
    Partitions { topic: &'a str, replica: &'a str, here: usize, there: usize },
    /// Its replica has another name, and nothing has the name that applications write to.
    NotOwned { topic: &'a str },
}

/// Compares which topics there are, and their partitions.
pub(crate) fn topic_gaps<'a>(
    scope: &'a [(String, String)],
    here: &Topics,
    there: &Topics,
) -> Vec<TopicGap<'a>> {
    let mut gaps = Vec::new();
    for (topic, replica) in scope {
        let wanted = here.get(topic).map_or(0, |found| found.partitions.len());
        match there.get(replica).map(|found| found.partitions.len()) {
            None => gaps.push(TopicGap::Missing { topic, replica }),
            Some(there) if there != wanted => {
                gaps.push(TopicGap::Partitions { topic, replica, here: wanted, there });
            }
            Some(_) => {}
        }
        if topic != replica && !there.contains_key(topic) {
            gaps.push(TopicGap::NotOwned { topic });
        }
    }
    gaps
}

pub(super) fn differences<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = sides.topics()?;
    let gaps = topic_gaps(&sides.scope, here, there);
    let mut found = Vec::new();
    found.extend(missing(sides, here, &gaps));
    found.extend(partitions(sides, here, there));
    found.extend(replicas(sides, here, there));
    // What the other side has by itself is missed here, in the other direction.
    found.extend(extra(sides, here, there).filter(|_| !sides.both));
    Ok(found)
}

fn missing(sides: &Sides<'_>, here: &Topics, gaps: &[TopicGap<'_>]) -> Vec<Difference> {
    let (active, standby) = (sides.active(), sides.standby());
    // The name that is not there, and the topic applications know.
    let absent = |of: fn(&TopicGap<'_>) -> Option<(String, String)>| -> Vec<(String, String)> {
        gaps.iter().filter_map(of).collect()
    };
    let copies = absent(|gap| match gap {
        TopicGap::Missing { topic, replica } => Some(((*replica).to_owned(), (*topic).to_owned())),
        TopicGap::Partitions { .. } | TopicGap::NotOwned { .. } => None,
    });
    let own = absent(|gap| match gap {
        TopicGap::NotOwned { topic } => Some(((*topic).to_owned(), (*topic).to_owned())),
        TopicGap::Partitions { .. } | TopicGap::Missing { .. } => None,
    });
    let tell = |absent: Vec<(String, String)>, consequence: &str| {
        let names: Vec<String> = absent.iter().map(|(name, _)| name.clone()).collect();
        let create = |(name, topic): &(String, String)| {
            let partitions = here.get(topic).map_or(1, |found| found.partitions.len());
            let arguments = format!("--create --topic {} --partitions {partitions}", quoted(name));
            sides.command("kafka-topics.sh", &arguments)
        };
        (!absent.is_empty()).then(|| Difference {
            kind: Kind::TopicMissing,
            weight: Weight::Breaks,
            says: format!("{} missing on {standby} and there on {active}", is(&names, "topic")),
            cluster: standby.clone(),
            expected: "there".to_owned(),
            actual: "missing".to_owned(),
            consequence: consequence.to_owned(),
            affected: sides.users.of(absent.iter().map(|(_, topic)| topic.clone())),
            next_step: "Look whether the flow copies them: MirrorMaker 2 finds new topics every refresh.topics.interval.seconds. Otherwise create them."
                .to_owned(),
            commands: absent.iter().map(create).collect(),
        })
    };
    let lost =
        "Their records are not on the other side: applications find nothing to read, and writes are refused.";
    let refused = "Applications write to this name after moving, and nothing is there to take it.";
    [tell(copies, lost), tell(own, refused)].into_iter().flatten().collect()
}

fn is(names: &[String], one: &str) -> String {
    format!("{} {}", counted(names, one), if names.len() == 1 { "is" } else { "are" })
}

/// A topic with another number of partitions on the standby.
struct Uneven<'a> {
    at: Counterpart<'a>,
    here: usize,
    there: usize,
}

fn partitions(sides: &Sides<'_>, here: &Topics, there: &Topics) -> Vec<Difference> {
    let count = |topics: &Topics, name: &str| topics.get(name).map(|found| found.partitions.len());
    let mut causes: BTreeMap<(bool, Role), Vec<Uneven<'_>>> = BTreeMap::new();
    for at in sides.counterparts() {
        let (Some(here), Some(there)) = (count(here, at.topic), count(there, at.there)) else { continue };
        if here != there {
            causes.entry((there > here, at.role)).or_default().push(Uneven { at, here, there });
        }
    }
    causes.into_iter().map(|((more, role), rows)| uneven(sides, more, role, &rows)).collect()
}

fn uneven(sides: &Sides<'_>, more: bool, role: Role, rows: &[Uneven<'_>]) -> Difference {
    let (active, standby) = (sides.active(), sides.standby());
    let names: Vec<String> = rows.iter().map(|row| row.at.topic.to_owned()).collect();
    let has = if names.len() == 1 { "has" } else { "have" };
    let word = if more { "more" } else { "fewer" };
    let grow = |row: &Uneven<'_>| {
        let arguments = format!("--alter --topic {} --partitions {}", quoted(row.at.there), row.here);
        sides.command("kafka-topics.sh", &arguments)
    };
    let consequence = match (more, role) {
        (true, _) => {
            "Records with one key land in another partition than before, so their order is lost at the move."
        }
        (false, Role::Both | Role::Copy) => {
            "Records of the partitions that are not there are not copied, and records with one key land elsewhere than before."
        }
        (false, Role::Own) => {
            "Producers that name a partition that is not there are refused, and records with one key land elsewhere than before."
        }
    };
    let of = |count: usize| format!("{count} of `{}`", names[0]);
    Difference {
        kind: Kind::Partitions,
        weight: if more { Weight::Costs } else { Weight::Breaks },
        says: format!("{} {has} {word} partitions on {standby} than on {active}", sides.said(&names, role)),
        cluster: standby.clone(),
        expected: of(rows[0].here),
        actual: of(rows[0].there),
        consequence: consequence.to_owned(),
        affected: sides.users.of(names),
        next_step: match (more, role) {
            (true, _) => {
                format!(
                    "Partitions cannot be taken away: add them on {active}, or tell whoever relies on the order of keys."
                )
            }
            (false, Role::Both | Role::Copy) => {
                "Add partitions; MirrorMaker 2 does so by itself when it may ALTER the topic.".to_owned()
            }
            (false, Role::Own) => {
                "Add partitions; nobody else does: MirrorMaker 2 knows the copy only.".to_owned()
            }
        },
        commands: if more { Vec::new() } else { rows.iter().map(grow).collect() },
    }
}

fn replicas(sides: &Sides<'_>, here: &Topics, there: &Topics) -> Vec<Difference> {
    let copies = |topics: &Topics, name: &str| {
        topics.get(name).and_then(|found| found.partitions.iter().map(|partition| partition.replicas).min())
    };
    let mut causes: BTreeMap<Role, Vec<(String, i32, i32)>> = BTreeMap::new();
    for at in sides.counterparts() {
        let (Some(wanted), Some(found)) = (copies(here, at.topic), copies(there, at.there)) else { continue };
        if found < wanted {
            causes.entry(at.role).or_default().push((at.topic.to_owned(), wanted, found));
        }
    }
    causes.into_iter().map(|(role, fewer)| fewer_copies(sides, role, fewer)).collect()
}

fn fewer_copies(sides: &Sides<'_>, role: Role, fewer: Vec<(String, i32, i32)>) -> Difference {
    let (first, wanted, found) = fewer[0].clone();
    let names: Vec<String> = fewer.into_iter().map(|(topic, ..)| topic).collect();
    let has = if names.len() == 1 { "has" } else { "have" };
    Difference {
        kind: Kind::Replicas,
        weight: Weight::Costs,
        says: format!("{} {has} fewer copies on {} than on {}", sides.said(&names, role), sides.standby(), sides.active()),
        cluster: sides.standby().clone(),
        expected: format!("{wanted} copies of `{first}`"),
        actual: format!("{found} copies of `{first}`"),
        consequence: "After the move fewer brokers may fail before records are lost or writes stop.".to_owned(),
        affected: sides.users.of(names),
        next_step: "Reassign their partitions to more brokers with kafka-reassign-partitions.sh; the flow's replication.factor decides for new ones.".to_owned(),
        commands: Vec::new(),
    }
}

fn extra(sides: &Sides<'_>, here: &Topics, there: &Topics) -> Option<Difference> {
    let scope = Scope::of(sides.pair);
    let expected: BTreeSet<&str> =
        sides.scope.iter().flat_map(|(topic, replica)| [topic.as_str(), replica.as_str()]).collect();
    let names: Vec<String> = there
        .keys()
        .filter(|topic| !expected.contains(topic.as_str()) && !here.contains_key(*topic))
        .filter(|topic| scope.application_topic(sides.active.to(), topic))
        .cloned()
        .collect();
    (!names.is_empty()).then(|| Difference {
        kind: Kind::TopicExtra,
        weight: Weight::Differs,
        says: format!("{} only on {}", is(&names, "topic"), sides.standby()),
        cluster: sides.standby().clone(),
        expected: "not there".to_owned(),
        actual: "there".to_owned(),
        consequence: "They are no copies. If they are of an earlier life, whoever creates the topic finds old records in it.".to_owned(),
        affected: Affected { topics: Names::all(names), others: Others::Unknown, ..Affected::default() },
        next_step: "Delete what nobody needs, or leave them out of the pair's topics.".to_owned(),
        commands: Vec::new(),
    })
}
