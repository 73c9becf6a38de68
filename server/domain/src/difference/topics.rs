//! Topics, their partitions and their copies.

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, Sides, Weight,
    sides::{Topics, counted, quoted},
};
use crate::patterns::Scope;

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
    found.extend(partitions(sides, &gaps));
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

fn partitions(sides: &Sides<'_>, gaps: &[TopicGap<'_>]) -> Vec<Difference> {
    let mut differences = Vec::new();
    // (fewer there, topic, replica, here, there)
    let of = |fewer: bool| -> Vec<(&str, &str, usize, usize)> {
        gaps.iter()
            .filter_map(|gap| match gap {
                TopicGap::Partitions { topic, replica, here, there } if (there < here) == fewer => {
                    Some((*topic, *replica, *here, *there))
                }
                TopicGap::Partitions { .. } | TopicGap::Missing { .. } | TopicGap::NotOwned { .. } => None,
            })
            .collect()
    };
    for (fewer, weight, consequence) in [
        (
            true,
            Weight::Breaks,
            "Records of the partitions that are not there are not copied, and records with one key land elsewhere than before.",
        ),
        (
            false,
            Weight::Costs,
            "Records with one key land in another partition than before, so their order is lost at the move.",
        ),
    ] {
        let rows = of(fewer);
        let Some((_, _, here, there)) = rows.first().copied() else { continue };
        let names: Vec<String> = rows.iter().map(|(topic, ..)| (*topic).to_owned()).collect();
        let (active, standby) = (sides.active(), sides.standby());
        let has = if names.len() == 1 { "has" } else { "have" };
        let word = if fewer { "fewer" } else { "more" };
        let grow = |(_, replica, here, _): &(&str, &str, usize, usize)| {
            let arguments = format!("--alter --topic {} --partitions {here}", quoted(replica));
            sides.command("kafka-topics.sh", &arguments)
        };
        differences.push(Difference {
            kind: Kind::Partitions,
            weight,
            says: format!("{} {has} {word} partitions on {standby} than on {active}", counted(&names, "topic")),
            cluster: standby.clone(),
            expected: format!("{here} of `{}`", names[0]),
            actual: format!("{there} of `{}`", names[0]),
            consequence: consequence.to_owned(),
            affected: sides.users.of(names),
            next_step: if fewer {
                "Add partitions; MirrorMaker 2 does so by itself when it may ALTER the topic.".to_owned()
            } else {
                format!("Partitions cannot be taken away: add them on {active}, or tell whoever relies on the order of keys.")
            },
            commands: if fewer { rows.iter().map(grow).collect() } else { Vec::new() },
        });
    }
    differences
}

fn replicas(sides: &Sides<'_>, here: &Topics, there: &Topics) -> Option<Difference> {
    let copies = |topics: &Topics, name: &str| {
        topics.get(name).and_then(|found| found.partitions.iter().map(|partition| partition.replicas).min())
    };
    let fewer: Vec<(String, i32, i32)> = sides
        .scope
        .iter()
        .filter_map(|(topic, replica)| Some((topic.clone(), copies(here, topic)?, copies(there, replica)?)))
        .filter(|(_, here, there)| there < here)
        .collect();
    let (first, wanted, found) = fewer.first()?.clone();
    let names: Vec<String> = fewer.into_iter().map(|(topic, ..)| topic).collect();
    let has = if names.len() == 1 { "has" } else { "have" };
    Some(Difference {
        kind: Kind::Replicas,
        weight: Weight::Costs,
        says: format!("{} {has} fewer copies on {} than on {}", counted(&names, "topic"), sides.standby(), sides.active()),
        cluster: sides.standby().clone(),
        expected: format!("{wanted} copies of `{first}`"),
        actual: format!("{found} copies of `{first}`"),
        consequence: "After the move fewer brokers may fail before records are lost or writes stop.".to_owned(),
        affected: sides.users.of(names),
        next_step: "Reassign their partitions to more brokers with kafka-reassign-partitions.sh; the flow's replication.factor decides for new ones.".to_owned(),
        commands: Vec::new(),
    })
}

fn extra(sides: &Sides<'_>, here: &Topics, there: &Topics) -> Option<Difference> {
    let scope = Scope::of(sides.pair);
    let expected: std::collections::BTreeSet<&str> =
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
        affected: Affected { topics: Names::all(names), ..Affected::default() },
        next_step: "Delete what nobody needs, or leave them out of the pair's topics.".to_owned(),
        commands: Vec::new(),
    })
}
