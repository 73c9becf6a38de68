//! A standby that keeps less of a topic than its source does: by which settings, and what its copies have no more.

use std::collections::BTreeMap;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Place,
    positions::waiting,
    view::{Row, View},
};
use crate::{
    shell::quoted,
    topic::{ConfigEntry, ConfigSource, Configs},
};

pub(super) fn judge(view: &View<'_>, judged: &mut Judged) {
    let way = view.way();
    let (source, target) = match view.both_topics() {
        Ok(both) => both,
        Err(reason) => return judged.unknown(Code::EarlyDeletion, reason),
    };
    let mut earlier_of: BTreeMap<&str, (Vec<Place>, bool)> = BTreeMap::new();
    for (name, topic) in source {
        let replica = view.scope.replica(way, name);
        let Some(there) = target.get(&replica) else { continue };
        if !view.scope.application_topic(way.from, name) {
            continue;
        }
        let (here, configs) = match (topic.configs.as_result(), there.configs.as_result()) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(reason), _) | (_, Err(reason)) => {
                judged.unknown(Code::EarlyDeletion, reason);
                continue;
            }
        };
        let earlier = deletes_earlier(here, configs);
        if !earlier.is_empty() {
            earlier_of.insert(name, (earlier, compacts_alone(here, configs)));
        }
    }
    if earlier_of.is_empty() {
        return;
    }
    let mut gone: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    // Both sides were read just now.
    let _ = view.each_row(|row| {
        let compacted = earlier_of.get(row.topic).map(|(_, compacted)| *compacted);
        if let Some(place) = compacted.and_then(|compacted| missing_there(view, &row, compacted)) {
            gone.entry(row.topic).or_default().push(place);
        }
    });
    for (name, (settings, compacted)) in earlier_of {
        judged.raise(earlier(view, name, (settings, compacted), gone.remove(name).unwrap_or_default()));
    }
}

/// The alarm of one topic, by the settings that differ and the partitions of which the copy has less.
fn earlier(
    view: &View<'_>,
    name: &str,
    (mut places, compacted): (Vec<Place>, bool),
    gone: Vec<Place>,
) -> Alarm {
    let way = view.way();
    let replica = view.scope.replica(way, name);
    let (from, to) = (view.name(way.from), view.name(way.to()));
    let said = if compacted {
        format!(
            "`{replica}` on `{to}` is compacted and `{name}` on `{from}` is not: of each key only the newest record stays there."
        )
    } else {
        format!("`{replica}` on `{to}` deletes history earlier than `{name}` on `{from}`.")
    };
    let here = view.topics(way.from).ok().and_then(|topics| topics.get(name)?.configs.value());
    let setting = places.first().and_then(|place| {
        let value = here?.get(&place.name)?.value.as_ref()?;
        Some(format!("{}={value}", place.name))
    });
    let set = setting.map(|setting| {
        let (topic, config) = (quoted(&replica), quoted(&setting));
        let arguments = format!("--alter --entity-type topics --entity-name {topic} --add-config {config}");
        view.tool(way.to(), "kafka-configs", &arguments)
    });
    places.extend(gone);
    Alarm::of(Code::EarlyDeletion, name, view, said)
        .at(places)
        .fact("MirrorMaker 2 copies what is set on a topic, never a broker's default: those of the two sides differ.")
        .next("Set it on the topic of the standby; what was deleted there already has to be copied again.", set)
}

/// What the copy of a partition may not have any more of what its source still has; `None` where it has all of it. Whose start is 0 has
/// deleted nothing; compaction takes records out of the middle.
fn missing_there(view: &View<'_>, row: &Row<'_>, compacted: bool) -> Option<Place> {
    let start = row.target?.start;
    let most = at_most_gone(view, row, compacted);
    if most == Some(0) {
        return None;
    }
    let begins = start.map_or_else(|| "at an unknown offset".to_owned(), |start| format!("at {start}"));
    let gone = most.map_or_else(
        || "how many records it has no more is not known".to_owned(),
        |most| format!("it has at most {most} records no more that the source has"),
    );
    let said = format!("begins {begins} there: {gone}");
    Some(Place::of(row.key(), said).losing(0, Lost { at_least: None, at_most: most }))
}

fn at_most_gone(view: &View<'_>, row: &Row<'_>, compacted: bool) -> Option<i64> {
    // No more can be gone there than the source still has. What has arrived bounds nothing: positions say that so much has at least.
    let there_now = row.copyable(view.mode).map(|end| waiting(row.source.start, end, None));
    if compacted {
        return there_now;
    }
    let removed = row.target?.start?.max(0);
    let beyond = beyond_the_source(view, row).map_or(removed, |beyond| removed.saturating_sub(beyond).max(0));
    Some(there_now.map_or(beyond, |there_now| beyond.min(there_now)))
}

/// How many of the copy's first offsets are of records the source has no more either: those before the first that it still has, by the
/// newest sync. Every record between is one offset there at most, unless there are markers among them or it came twice.
fn beyond_the_source(view: &View<'_>, row: &Row<'_>) -> Option<i64> {
    let twice = view.observed()?.rewinds.contains_key(&row.key());
    let (pair, start) = (row.pair?, row.source.start?);
    let between = pair.upstream.saturating_sub(start).max(0);
    (row.records_only && !twice).then(|| pair.downstream.saturating_sub(between).max(0))
}

/// Configs by which the replica keeps less.
fn deletes_earlier(here: &Configs, there: &Configs) -> Vec<Place> {
    // Without a limit (-1) everything is kept.
    let limit = |configs: &Configs, key: &str| -> Option<i64> {
        let value: i64 = configs.get(key)?.value.as_ref()?.parse().ok()?;
        Some(if value < 0 { i64::MAX } else { value })
    };
    let deletes = |configs: &Configs| policy(configs).is_some_and(|policy| policy.contains("delete"));
    let mut earlier = Vec::new();
    let said = |key: &str| {
        let shown = |entry: Option<&ConfigEntry>| {
            let value = entry.and_then(|entry| entry.value.clone()).unwrap_or_else(|| "unset".to_owned());
            format!("{value} ({})", entry.map_or("unknown", |entry| origin(entry.source)))
        };
        format!("is {} there and {} here", shown(there.get(key)), shown(here.get(key)))
    };
    if deletes(there) && !deletes(here) || compacts_alone(here, there) {
        earlier.push(Place::new("cleanup.policy", said("cleanup.policy")));
    }
    for key in ["retention.ms", "retention.bytes"] {
        let less = limit(here, key).zip(limit(there, key)).is_some_and(|(here, there)| there < here);
        if deletes(there) && deletes(here) && less {
            earlier.push(Place::new(key, said(key)));
        }
    }
    earlier
}

/// Whether the replica is compacted, and what it is a copy of is not.
fn compacts_alone(here: &Configs, there: &Configs) -> bool {
    let compacts = |configs| Some(policy(configs)?.contains("compact"));
    (compacts(here), compacts(there)) == (Some(false), Some(true))
}

fn policy(configs: &Configs) -> Option<&str> {
    configs.get("cleanup.policy")?.value.as_deref()
}

fn origin(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "set on the topic",
        ConfigSource::DynamicBroker | ConfigSource::StaticBroker => "the broker's default",
        ConfigSource::Default => "Kafka's default",
        ConfigSource::Other => "set elsewhere",
    }
}
