//! Topics that are not what they were: made anew under the same name, or grown on one side only.

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Place, Since, connectors::stop, memory::LastTopic, view::View,
};
use crate::{pair::Side, shell::quoted, survey::TopicObservation, topic::TopicPartition};

/// What is judged here.
pub(super) const CODES: &[Code] = &[Code::TopicRecreated, Code::PartitionsMissing];

pub(super) fn judge(view: &View<'_>, judged: &mut Judged) {
    let way = view.way();
    for side in [way.from, way.to()] {
        match view.topics(side) {
            Ok(topics) => {
                for (name, topic) in topics.iter().filter(|(name, _)| looks_at(view, side, name)) {
                    let another =
                        view.id_before(side, name).zip(topic.id).is_some_and(|(old, new)| old != new);
                    if another && let Some(before) = view.topic_before(side, name) {
                        judged.raise(recreated(view, side, name, topic, &before));
                    }
                }
            }
            Err(reason) => judged.unknown(Code::TopicRecreated, reason),
        }
    }
    partitions(view, judged);
}

/// Muster's own canary is nobody's topic.
fn looks_at(view: &View<'_>, side: Side, name: &str) -> bool {
    !view.scope.canary(side, name) && view.is_of_flow(side, name)
}

fn recreated(view: &View<'_>, side: Side, name: &str, topic: &TopicObservation, before: &LastTopic) -> Alarm {
    let way = view.way();
    let on_source = side == way.from;
    let places = before.offsets.iter().zip(0..).map(|((start, end), number)| {
        let now = topic.partitions.get(usize::try_from(number).unwrap_or(usize::MAX)).and_then(|p| p.end);
        let shown = |offset: Option<i64>| offset.map_or_else(|| "unknown".to_owned(), |o| o.to_string());
        let lost = if on_source { lost_on_source(view, name, number, *end) } else { held(*start, *end) };
        let said = format!("ended at {} before, at {} now", shown(*end), shown(now));
        let key = TopicPartition::new(name, number);
        let place = if on_source { Place::of(key, said) } else { Place::new(key.to_string(), said) };
        place.losing(before.seen_at.timestamp(), lost)
    });
    let cluster = view.name(side);
    let id = |id: Option<uuid::Uuid>| id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let alarm = Alarm::of(
        Code::TopicRecreated,
        format!("{name} on {cluster}"),
        view,
        format!("`{name}` on `{cluster}` was deleted and made again."),
    )
    .at(places.collect())
    .since(Since { after: Some(before.seen_at), by: view.survey.began_at })
    .fact(format!("Its id was {} and is {}.", id(before.id), id(topic.id)));
    let connect = view.connect();
    if on_source {
        alarm.fact(
            "Replication goes on at its old position: of a longer new log it skips the beginning, without an error.",
        )
        .next(
            "If the new topic is meant, stop the source connector, remove its offsets of this topic and resume it, so \
             that it begins at the beginning.",
            connect.map(|(url, connector)| {
                // As JSON has them, whatever is in them.
                let alias = view.flow().map_or("", |flow| flow.source_alias.as_str());
                let (alias, named) = (serde_json::Value::from(alias), serde_json::Value::from(name));
                let partitions = (0..topic.partitions.len()).map(|number| {
                    format!(
                        "{{\"partition\":{{\"cluster\":{alias},\"topic\":{named},\"partition\":{number}}},\"offset\":null}}"
                    )
                });
                let offsets = format!("{{\"offsets\":[{}]}}", partitions.collect::<Vec<_>>().join(","));
                format!(
                    "curl -X PATCH -H 'Content-Type: application/json' {} -d {}",
                    quoted(&format!("{url}/connectors/{connector}/offsets")),
                    quoted(&offsets)
                )
            }),
        )
    } else {
        alarm.fact("What it held is gone there; replication does not copy again what it has copied once.").next(
            "While the source still has the records: stop the source connector, set its offsets of this topic back and \
             resume it. Group offsets on the standby are of the old topic: delete them.",
            connect.map(|(url, connector)| stop(url, connector)),
        )
    }
}

/// What the standby held.
fn held(start: Option<i64>, end: Option<i64>) -> Lost {
    Lost { at_least: None, at_most: start.zip(end).map(|(start, end)| end.saturating_sub(start)) }
}

/// What of the old log was not copied, and what of the new one is skipped: however long that is now, all up to the position if it goes
/// on there once the new log is longer.
fn lost_on_source(view: &View<'_>, name: &str, number: i32, end: Option<i64>) -> Lost {
    let key = TopicPartition::new(name, number);
    let committed = view.observed().and_then(|flow| flow.committed.value());
    let Some(committed) = committed else { return Lost { at_least: None, at_most: None } };
    let through = committed.offsets.get(&key).copied();
    let before = view
        .previous_flow()
        .and_then(|flow| flow.committed.value())
        .or(view.memory.committed.as_ref())
        .and_then(|committed| committed.offsets.get(&key).copied())
        .or(through);
    let Some(end) = end else { return Lost { at_least: None, at_most: None } };
    let not_copied = end.saturating_sub(1).saturating_sub(before.unwrap_or(-1)).max(0);
    // A position that went down shows that it began anew by itself.
    let skipped = match (before, through) {
        (Some(before), Some(through)) if through >= before => through.saturating_add(1).max(0),
        (Some(_) | None, _) => 0,
    };
    Lost::up_to(not_copied.saturating_add(skipped))
}

fn partitions(view: &View<'_>, judged: &mut Judged) {
    let way = view.way();
    let (source, target) = match view.both_topics() {
        Ok(both) => both,
        Err(reason) => return judged.unknown(Code::PartitionsMissing, reason),
    };
    for (name, topic) in source {
        let replica = view.scope.replica(way, name);
        let Some(there) = target.get(&replica) else { continue };
        let (here, has) = (topic.partitions.len(), there.partitions.len());
        if has >= here || !view.scope.application_topic(way.from, name) {
            continue;
        }
        let places = topic.partitions.iter().zip(0..).skip(has).map(|(partition, number)| {
            let most = partition.start.zip(partition.end).map(|(start, end)| end.saturating_sub(start));
            let said = most.map_or_else(
                || "is not there".to_owned(),
                |most| format!("is not there; {most} offsets are on it"),
            );
            Place::of(TopicPartition::new(name, number), said)
                .losing(0, Lost { at_least: None, at_most: most })
        });
        let (from, to) = (view.name(way.from), view.name(way.to()));
        judged.raise(
            Alarm::of(
                Code::PartitionsMissing,
                name,
                view,
                format!("`{name}` has {here} partitions on `{from}` and `{replica}` has {has} on `{to}`: the records of the rest are not copied."),
            )
            .at(places.collect())
            .fact("MirrorMaker 2 adds partitions when it refreshes topics, every 10 minutes unless set otherwise.")
            .next(
                "Add them there, or find out why the refresh does not: its rights on the standby, refresh.topics.enabled.",
                Some(view.tool(way.to(), "kafka-topics", &format!("--alter --topic {} --partitions {here}", quoted(&replica)))),
            ),
        );
    }
}
