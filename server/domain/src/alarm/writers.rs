//! Who else writes on the standby while replication copies there.
//!
//! Where replication writes in transactions, the target's leaders remember who does (DescribeProducers), and the producer ids of
//! replication's own tasks are known by their transactional ids: whoever else has written is somebody else. Where it writes without, its
//! producers have no names. Then only numbers speak: between two offset syncs no more can have come than the source has between
//! them. More is somebody else's, or records that came twice, and nobody can tell which; so that is likely and not proven.
//!
//! What is compared was told by one leader: another may remember what the first had forgotten.

use std::collections::BTreeMap;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Place,
    view::{Row, View},
};
use crate::{
    shell::quoted,
    survey::{WriterSeen, WritersObservation},
    topic::TopicPartition,
};

/// What was found in one pass over the partitions, by topic.
#[derive(Default)]
pub(super) struct Found {
    strangers: BTreeMap<String, Strangers>,
    more: BTreeMap<String, Vec<Place>>,
}

#[derive(Default)]
struct Strangers {
    places: Vec<Place>,
    /// Whether one of them has certainly written records.
    proven: bool,
}

/// What a producer did in a partition since the survey before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrote {
    /// Records.
    Records,
    /// It ended a transaction that it had begun since: with records in it, unless it changed its mind.
    Transaction,
}

impl Found {
    pub(super) fn look(&mut self, view: &View<'_>, row: &Row<'_>) {
        let Some((now, was)) = writers(view) else { return };
        let one_leader = row
            .target
            .zip(row.was_target)
            .is_some_and(|(now, was)| now.leader_epoch.is_some() && now.leader_epoch == was.leader_epoch);
        if !one_leader {
            return;
        }
        let key = TopicPartition::new(view.scope.replica(view.way(), row.topic), row.number);
        let (Some(seen), Some(before)) = (now.partitions.get(&key), was.partitions.get(&key)) else { return };
        let own = |producer: i64| now.own.contains(&producer) || was.own.contains(&producer);
        let mut copied = false;
        let mut others = Vec::new();
        for writer in seen {
            let Some(wrote) = wrote(writer, before.iter().find(|one| one.producer == writer.producer)) else {
                continue;
            };
            if own(writer.producer) {
                copied = true;
            } else {
                others.push((writer.producer, wrote));
            }
        }
        // That its own producer is known and at work there shows that transactional ids of tasks can be seen.
        if copied && !others.is_empty() {
            let found = self.strangers.entry(row.topic.to_owned()).or_default();
            for (producer, wrote) in others {
                let said = format!("was written to by producer {producer}, which is none of replication's");
                found.places.push(Place::of(row.key(), said).losing(producer, Lost::NOTHING));
                found.proven |= wrote == Wrote::Records;
            }
        }
        if let Some(place) = more_than_copied(view, row, seen) {
            self.more.entry(row.topic.to_owned()).or_default().push(place);
        }
    }

    pub(super) fn raise(self, view: &View<'_>, judged: &mut Judged) {
        if let Some(reason) = unseen(view) {
            judged.unknown(Code::ForeignWriter, reason);
        }
        for (topic, found) in self.strangers {
            judged.raise(strangers(view, &topic, found));
        }
        for (topic, places) in self.more {
            judged.raise(more(view, &topic, places));
        }
    }
}

/// Why some who write may not be seen while the flow copies. What this survey and the one before have seen is judged all the same.
fn unseen<'a>(view: &View<'a>) -> Option<&'a str> {
    if !view.running() {
        return None;
    }
    let now = view.observed()?.writers.as_result();
    let was = view.previous_flow().map(|flow| flow.writers.as_result());
    let of = |writers: Result<&'a WritersObservation, &'a str>| {
        writers.map_or_else(Some, |it| it.unseen.as_deref())
    };
    of(now).or_else(|| was.and_then(of))
}

/// What this survey and the one before saw of the same flow's target.
fn writers<'a>(view: &View<'a>) -> Option<(&'a WritersObservation, &'a WritersObservation)> {
    Some((view.observed()?.writers.value()?, view.previous_flow()?.writers.value()?))
}

fn wrote(now: &WriterSeen, was: Option<&WriterSeen>) -> Option<Wrote> {
    let Some(was) = was else {
        let records = now.sequence >= 0 || now.transaction_from.is_some();
        return Some(if records { Wrote::Records } else { Wrote::Transaction });
    };
    let more = now.sequence >= 0 && now.sequence != was.sequence;
    let begun = now.transaction_from.is_some() && now.transaction_from != was.transaction_from;
    if more || begun {
        return Some(Wrote::Records);
    }
    // The end of a transaction that was open already is a marker, and may be the coordinator's doing.
    (now.timestamp_ms != was.timestamp_ms && was.transaction_from.is_none()).then_some(Wrote::Transaction)
}

/// Offsets beyond those that the source has between two offset syncs. A producer that writes in transactions leaves markers, which are
/// such offsets, too: then numbers say nothing. Nor do they when replication went back between the two.
fn more_than_copied(view: &View<'_>, row: &Row<'_>, seen: &[WriterSeen]) -> Option<Place> {
    if view.mode.exactly_once || seen.iter().any(|writer| writer.transactional) {
        return None;
    }
    row.was_source?;
    let (was, now) = (row.was_pair?, row.pair?);
    let key = TopicPartition::new(row.topic, row.number);
    let rewound = view.observed()?.rewinds.get(&key).is_some_and(|rewind| rewind.downstream > was.downstream);
    if rewound || now.upstream <= was.upstream {
        return None;
    }
    let came = now.downstream.checked_sub(was.downstream)?;
    let more = came.checked_sub(now.upstream.checked_sub(was.upstream)?).filter(|more| *more > 0)?;
    let said = format!(
        "has {more} offsets more between {} and {} than the source between {} and {}",
        was.downstream, now.downstream, was.upstream, now.upstream
    );
    Some(Place::of(row.key(), said))
}

fn strangers(view: &View<'_>, topic: &str, found: Strangers) -> Alarm {
    let way = view.way();
    let (replica, to) = (view.scope.replica(way, topic), view.name(way.to()));
    let producers = describe_producers(view, &replica, &found.places);
    let alarm = Alarm::of(
        Code::ForeignWriter,
        topic,
        view,
        format!("`{replica}` on `{to}` is written to by somebody else while replication copies there."),
    )
    .at(found.places)
    .fact(
        "Its leader tells who has written since the survey before (DescribeProducers). The producers of replication's tasks are known by \
         their transactional ids, and this is none of them.",
    )
    .next(NEXT, producers);
    if found.proven {
        return alarm;
    }
    alarm
        .unless("All that it did there was to end a transaction. Without a record in it nothing was written.")
}

fn more(view: &View<'_>, topic: &str, places: Vec<Place>) -> Alarm {
    let way = view.way();
    let (replica, to) = (view.scope.replica(way, topic), view.name(way.to()));
    let producers = describe_producers(view, &replica, &places);
    Alarm::of(
        Code::ForeignWriter,
        topic,
        view,
        format!("`{replica}` on `{to}` has grown by more than replication can have brought: somebody writes there, or records are there twice."),
    )
    .at(places)
    .fact("Between two offset syncs more came than the source has between them, and nobody writes there in transactions.")
    .unless(
        "Replication's own producer wrote records twice: it may when it tries again, unless its worker makes it idempotent, and a worker \
         that died may have lost the offset sync that would show that it went back.",
    )
    .next(NEXT, producers)
}

const NEXT: &str = "Find who writes there and take their WRITE away: the two sides have parted. A content proof shows which records \
    they are. Decide which count, then acknowledge this.";

fn describe_producers(view: &View<'_>, replica: &str, places: &[Place]) -> Option<String> {
    let (_, number) = places.first()?.name.rsplit_once('-')?;
    let arguments = format!("describe-producers --topic {} --partition {number}", quoted(replica));
    Some(view.tool(view.way().to(), "kafka-transactions", &arguments))
}
