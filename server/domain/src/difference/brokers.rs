//! Settings of the brokers that clients feel, whatever their topics are set to.

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, NotCompared, Others, Sides, Weight,
    configs::{shown, source},
};
use crate::{shell::quoted, topic::ConfigEntry};

/// All that are compared. What topics inherit is compared topic by topic.
pub const BROKER_SETTINGS: [&str; 6] = [
    "auto.create.topics.enable",
    "group.max.session.timeout.ms",
    "group.min.session.timeout.ms",
    "message.max.bytes",
    "offsets.retention.minutes",
    "transaction.max.timeout.ms",
];

pub(super) fn differences<'a>(
    sides: &Sides<'a>,
    not_compared: &mut Vec<NotCompared>,
) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = (sides.here.brokers.as_result()?, sides.there.brokers.as_result()?);
    let mut found = Vec::new();
    for key in BROKER_SETTINGS {
        match (here.settings.get(key), there.settings.get(key)) {
            (Some(one), Some(other)) if one.value == other.value => {}
            (Some(one), Some(other)) => found.push(differs(sides, key, [one, other], there.broker)),
            (None, _) | (_, None) => not_compared.push(NotCompared {
                what: format!("`{key}` of the brokers"),
                reason: "a broker that was asked does not tell it".to_owned(),
            }),
        }
    }
    Ok(found)
}

/// What a setting does when applications move: how much it weighs, and in plain words.
fn effect(key: &str, [here, there]: [&str; 2]) -> (Weight, &'static str) {
    let number = |value: &str| value.parse::<i64>().ok();
    let less = number(here).zip(number(there)).map(|(here, there)| there < here);
    match (key, less) {
        ("transaction.max.timeout.ms", Some(true)) => (
            Weight::Breaks,
            "Producers whose transaction.timeout.ms is longer are refused before they write a record.",
        ),
        ("group.max.session.timeout.ms", Some(true)) => {
            (Weight::Breaks, "Consumers whose session.timeout.ms is longer are refused by their group.")
        }
        ("group.min.session.timeout.ms", Some(false)) => {
            (Weight::Breaks, "Consumers whose session.timeout.ms is shorter are refused by their group.")
        }
        ("auto.create.topics.enable", _) if there == "false" => (
            Weight::Breaks,
            "Applications that rely on their topics being made when they first ask for them are refused there.",
        ),
        ("auto.create.topics.enable", _) => {
            (Weight::Differs, "A mistyped name becomes a topic there instead of an error.")
        }
        ("offsets.retention.minutes", Some(true)) => (
            Weight::Costs,
            "Positions of a group that is away for longer are forgotten there earlier, those that were synced included.",
        ),
        ("message.max.bytes", Some(true)) => (
            Weight::Costs,
            "Topics made there that do not set max.message.bytes themselves take smaller records only.",
        ),
        (_, Some(_)) => (Weight::Differs, "The limit is a wider one there."),
        (_, None) => (Weight::Differs, "Applications find another setting there than they are used to."),
    }
}

fn differs(sides: &Sides<'_>, key: &str, entries: [&ConfigEntry; 2], broker: i32) -> Difference {
    let (active, standby) = (sides.active(), sides.standby());
    let values = entries.map(|entry| entry.value.as_deref().unwrap_or("unset"));
    let (weight, consequence) = effect(key, values);
    let [expected, actual] = entries.map(|entry| {
        format!("{} ({})", shown(key, entry.value.as_deref().unwrap_or("unset")), source(entry.source))
    });
    let set = || {
        let change = quoted(&format!("{key}={}", values[0]));
        sides.command(
            "kafka-configs.sh",
            &format!("--alter --entity-type brokers --entity-default --add-config {change}"),
        )
    };
    // Of all of them only this one can be changed while brokers run.
    let while_running = key == "message.max.bytes" && values[0] != "unset";
    Difference {
        kind: Kind::Broker,
        weight,
        says: format!("`{key}` of the brokers is {actual} on {standby} and {expected} on {active}"),
        cluster: standby.clone(),
        expected,
        actual: format!("{actual}, as broker {broker} has it"),
        consequence: consequence.to_owned(),
        affected: affected(sides, key),
        next_step: if while_running {
            format!("Set it on the brokers of {standby}, or accept it.")
        } else {
            format!(
                "Set it in the file of every broker of {standby} and restart them one after another, or accept it."
            )
        },
        commands: if while_running { vec![set()] } else { Vec::new() },
    }
}

/// Who feels it: the groups where it is about groups, else whoever uses the cluster.
fn affected(sides: &Sides<'_>, key: &str) -> Affected {
    if !(key.starts_with("group.") || key == "offsets.retention.minutes") {
        return Affected { others: Others::Everybody, ..Affected::default() };
    }
    match sides.here.groups.value() {
        Some(groups) => Affected { groups: Names::all(groups.keys().cloned()), ..Affected::default() },
        None => Affected { others: Others::Unknown, ..Affected::default() },
    }
}
