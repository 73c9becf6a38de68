//! Effective configs of topics, defaults of the brokers included, with where each value comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Difference, DifferenceKind as Kind, NotCompared, Sides, Weight,
    sides::{Role, counted},
};
use crate::{
    shell::quoted,
    survey::SideObservation,
    topic::{ConfigEntry, ConfigSource, Configs},
};

/// Configs whose difference changes what applications can do or what is kept.
pub(crate) const DECISIVE: [&str; 6] = [
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
    "min.insync.replicas",
];

/// Configs that name brokers of one cluster: they differ always and mean nothing on the other side.
const OF_ONE_CLUSTER: [&str; 2] =
    ["follower.replication.throttled.replicas", "leader.replication.throttled.replicas"];

/// A config that is not the same on both sides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigGap<'a> {
    pub(crate) key: &'a str,
    pub(crate) here: Option<&'a ConfigEntry>,
    pub(crate) there: Option<&'a ConfigEntry>,
}

impl ConfigGap<'_> {
    /// Both values, as brokers give them.
    pub(crate) fn values(&self) -> [&str; 2] {
        [self.here, self.there].map(|entry| entry.and_then(|e| e.value.as_deref()).unwrap_or("unset"))
    }
}

/// Configs of two topics whose values differ, by name. Where a value comes from may differ without being a gap.
pub(crate) fn config_gaps<'a>(here: &'a Configs, there: &'a Configs) -> Vec<ConfigGap<'a>> {
    if here == there {
        return Vec::new();
    }
    let keys: BTreeSet<&str> = here.keys().chain(there.keys()).map(String::as_str).collect();
    keys.into_iter()
        .filter(|key| !OF_ONE_CLUSTER.contains(key))
        .map(|key| ConfigGap { key, here: here.get(key), there: there.get(key) })
        .filter(|gap| {
            let value = |entry: Option<&ConfigEntry>| entry.and_then(|entry| entry.value.clone());
            value(gap.here) != value(gap.there)
        })
        .collect()
}

/// What one cause has in common: the config, both values, where each comes from, and what the topics are to applications.
type Cause = (String, [String; 2], [&'static str; 2], Role);

/// Whether those of any topic of a side were read, or why of none. Of single ones that were not it is told one by one.
pub(super) fn were_read(side: &SideObservation) -> Result<(), &str> {
    let mut unread = None;
    for topic in side.topics.as_result()?.values() {
        match topic.configs.as_result() {
            Ok(_) => return Ok(()),
            Err(reason) => unread = unread.or(Some(reason)),
        }
    }
    unread.map_or(Ok(()), Err)
}

pub(super) fn differences<'a>(
    sides: &Sides<'a>,
    not_compared: &mut Vec<NotCompared>,
) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = sides.topics()?;
    let mut causes: BTreeMap<Cause, Vec<(String, String)>> = BTreeMap::new();
    let mut unread: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for at in sides.counterparts() {
        let (Some(one), Some(other)) = (here.get(at.topic), there.get(at.there)) else { continue };
        match (one.configs.as_result(), other.configs.as_result()) {
            (Err(reason), _) | (_, Err(reason)) => {
                unread.entry(reason).or_default().insert(at.topic.to_owned());
            }
            (Ok(one), Ok(other)) => {
                for gap in config_gaps(one, other) {
                    let source =
                        |entry: Option<&ConfigEntry>| entry.map_or("no such setting", |e| source(e.source));
                    let cause = (
                        gap.key.to_owned(),
                        gap.values().map(str::to_owned),
                        [source(gap.here), source(gap.there)],
                        at.role,
                    );
                    causes.entry(cause).or_default().push((at.topic.to_owned(), at.there.to_owned()));
                }
            }
        }
    }
    not_compared.extend(unread.into_iter().map(|(reason, topics)| NotCompared {
        what: format!("configs of {}", counted(&topics.into_iter().collect::<Vec<_>>(), "topic")),
        reason: reason.to_owned(),
    }));
    Ok(causes.into_iter().map(|(cause, topics)| told(sides, cause, topics)).collect())
}

/// Where a value comes from, for people.
pub(super) fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "set on the topic",
        ConfigSource::DynamicBroker => "set on the brokers while they run",
        ConfigSource::StaticBroker => "from the brokers' file",
        ConfigSource::Default => "Kafka's default",
        ConfigSource::Other => "from elsewhere",
    }
}

fn told(sides: &Sides<'_>, (key, values, sources, role): Cause, topics: Vec<(String, String)>) -> Difference {
    let [expected, actual] = [0, 1].map(|side| format!("{} ({})", shown(&key, &values[side]), sources[side]));
    let (active, standby) = (sides.active(), sides.standby());
    let set = |(_, there): &(String, String)| {
        let change = if values[0] == "unset" {
            format!("--delete-config {key}")
        } else {
            format!("--add-config {}", quoted(&format!("{key}={}", bracketed(&values[0]))))
        };
        let arguments = format!("--alter --entity-type topics --entity-name {} {change}", quoted(there));
        sides.command("kafka-configs.sh", &arguments)
    };
    let names: Vec<String> = topics.iter().map(|(topic, _)| topic.clone()).collect();
    let from_brokers = sources[1] != "set on the topic";
    Difference {
        kind: Kind::Config,
        weight: weight(&key, &values),
        says: format!(
            "`{key}` of {} is {actual} on {standby} and {expected} on {active}",
            sides.said(&names, role)
        ),
        cluster: standby.clone(),
        consequence: consequence(&key, &values, role),
        expected,
        actual,
        affected: sides.users.of(names),
        next_step: if from_brokers && topics.len() > 1 {
            format!("Give the brokers of {standby} the same default, or set it on each topic.")
        } else {
            format!("Set it on {standby}, or accept it.")
        },
        commands: topics.iter().map(set).collect(),
    }
}

/// What is refused breaks; what is kept otherwise costs.
fn weight(key: &str, values: &[String; 2]) -> Weight {
    match key {
        "max.message.bytes" if less(values) == Some(true) => Weight::Breaks,
        "cleanup.policy" if begins_to_compact(values) => Weight::Breaks,
        _ if DECISIVE.contains(&key) => Weight::Costs,
        _ => Weight::Differs,
    }
}

/// Whether the standby's limit is the lower one; `None` where one of them is no number.
fn less([here, there]: &[String; 2]) -> Option<bool> {
    // -1 is no limit.
    let limit = |value: &str| value.parse::<i64>().ok().map(|n| if n < 0 { i64::MAX } else { n });
    limit(here).zip(limit(there)).map(|(here, there)| there < here)
}

/// Whether only the standby compacts: then only it asks every record for a key.
fn begins_to_compact([here, there]: &[String; 2]) -> bool {
    let compacts = |policy: &str| policy.split(',').any(|word| word.trim() == "compact");
    compacts(there) && !compacts(here)
}

/// Lists are bracketed: commas separate settings.
fn bracketed(value: &str) -> String {
    if value.contains(',') { format!("[{value}]") } else { value.to_owned() }
}

fn consequence(key: &str, values: &[String; 2], role: Role) -> String {
    let text = match (key, less(values)) {
        ("retention.ms" | "retention.bytes", Some(true)) => {
            "Records are deleted earlier than consumers expect, those that were copied included."
        }
        ("retention.ms" | "retention.bytes", Some(false)) => {
            "Records are kept longer, so disks fill further."
        }
        ("max.message.bytes", Some(true)) => match role {
            Role::Both => {
                "Larger records are refused to producers, and cannot be copied even before the move."
            }
            Role::Copy => "Larger records cannot be copied even before the move.",
            Role::Own => "Larger records are refused to producers.",
        },
        ("max.message.bytes", Some(false)) => {
            "Larger records are taken there, and cannot be copied back afterwards."
        }
        ("min.insync.replicas", Some(true)) => "Writes are acknowledged with fewer copies than before.",
        ("min.insync.replicas", Some(false)) => "Writes are refused as soon as fewer copies are in sync.",
        ("cleanup.policy", _) if begins_to_compact(values) => match role {
            Role::Both => {
                "Records without a key are refused, to replication as well, and of each key only the last record is kept."
            }
            Role::Copy => {
                "Records without a key cannot be copied, and of each key only the last record is kept."
            }
            Role::Own => {
                "Records without a key are refused to producers, and of each key only the last record is kept."
            }
        },
        ("cleanup.policy", _) => {
            "What is kept differs: compaction keeps the last record of each key, deletion keeps all of a while."
        }
        ("message.timestamp.type", _) => "Records carry another time than their producers gave them.",
        ("unclean.leader.election.enable", _) if values[1] == "true" => {
            "A broker that is behind may lead there, and acknowledged records may be lost."
        }
        _ => "Applications find another setting than they are used to.",
    };
    text.to_owned()
}

/// A value as brokers give it, and in words when it counts milliseconds.
pub(super) fn shown(key: &str, value: &str) -> String {
    let whole = |ms: i64| {
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")]
            .into_iter()
            .find(|(unit, _)| ms > 0 && ms % unit == 0)
            .map(|(unit, word)| format!("{} {word}", ms / unit))
    };
    match value.parse::<i64>() {
        Ok(-1) if key.starts_with("retention.") => "no limit".to_owned(),
        Ok(ms) if key.ends_with(".ms") => whole(ms).unwrap_or_else(|| format!("{ms} ms")),
        Ok(_) | Err(_) => value.to_owned(),
    }
}
