//! What the offsets of both sides say about copying, partition by partition, in one pass: holes, going back, writes that
//! are not replication's, transactions that hold records back, and standing still while everything says RUNNING.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Memory, Place, Since,
    connectors::since,
    holes,
    memory::Streak,
    stalled, transactions,
    view::{Row, View},
    writers,
};
use crate::{shell::quoted, survey::Rewind, topic::TopicPartition};

/// What is judged here; `worker-gone` in part.
pub(super) const CODES: &[Code] =
    &[Code::ReplicationHole, Code::PairsBackwards, Code::ForeignWriter, Code::HungTransaction];

/// Surveys in a row with the same last stable offset before a transaction is said to hang. The third would come three periods after a
/// transaction that began right after a survey, and end later than that.
const FROZEN_FOR: u32 = 2;
/// Between the first and the last of them, at least: where surveys follow one another faster a transaction is no longer than others.
const FROZEN_WITHIN: TimeDelta = TimeDelta::seconds(4);

pub(super) fn judge(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    let mut pass = Pass::default();
    let same_way = view.memory.active == Some(view.way());
    let read = view.each_row(|row| pass.look(view, memory, same_way, row));
    if let Err(reason) = read {
        for code in [CODES, &[Code::WorkerGone, Code::TaskMissing]].concat() {
            judged.unknown(code, reason.as_str());
        }
        memory.keep_streaks(view, "frozen:");
        memory.keep_streaks(view, transactions::HELD);
        memory.keep_streaks(view, "foreign:");
        memory.keep_streaks(view, "still");
        memory.keep_streaks(view, stalled::STALLED);
        memory.busy_known = false;
        return;
    }
    let flow = view.observed();
    let positions = flow.map(|flow| (flow.committed.as_result(), flow.newest_pairs.as_result()));
    match positions {
        Some((Err(reason), Err(_))) => {
            for code in [Code::ReplicationHole, Code::ForeignWriter] {
                judged.unknown(code, reason);
            }
        }
        Some(_) => {}
        None => judged.unknown(Code::ReplicationHole, "Muster cannot see this flow"),
    }
    if let Some(Err(reason)) = flow.map(|flow| flow.newest_pairs.as_result()) {
        judged.unknown(Code::PairsBackwards, reason);
    }
    memory.busy_known = true;
    for (topic, places) in std::mem::take(&mut pass.holes) {
        judged.raise(holes::hole(view, &topic, places));
    }
    for (topic, (places, since)) in std::mem::take(&mut pass.foreign) {
        judged.raise(foreign(view, &topic, places).since(since));
    }
    std::mem::take(&mut pass.writers).raise(view, judged);
    backwards(view, judged);
    transactions::frozen(view, judged, memory, &pass);
    stalled::still(view, judged, memory, &pass);
    stalled::beside_others(view, judged, memory, &pass);
}

type ByTopic = BTreeMap<String, Vec<Place>>;

/// What one pass over the partitions found.
#[derive(Default)]
pub(super) struct Pass {
    holes: ByTopic,
    /// With when the first of them grew.
    foreign: BTreeMap<String, (Vec<Place>, Since)>,
    writers: writers::Found,
    pub(super) frozen: Vec<(TopicPartition, Streak, i64, i64)>,
    /// Offsets written since the survey before, offsets that arrived, and where the former were.
    pub(super) written: i64,
    pub(super) arrived: i64,
    pub(super) waiting: Vec<Place>,
    /// Partitions that take writes of which none arrive, for so many surveys.
    pub(super) stalled: Vec<(Place, Streak)>,
    /// Whether a partition that moves is far behind: then others may only wait for their turn.
    pub(super) catching_up: bool,
}

impl Pass {
    fn look(&mut self, view: &View<'_>, memory: &mut Memory, same_way: bool, row: Row<'_>) {
        if let Some(place) = holes::lost_before_copied(view, memory, &row) {
            self.holes.entry(row.topic.to_owned()).or_default().push(place);
        }
        let quiet = same_way && is_quiet(view, &row);
        let was_quiet = view.memory.busy_known
            && !view.memory.busy.get(row.topic).is_some_and(|numbers| numbers.contains(&row.number));
        let suspected = format!("foreign:{}", row.name());
        if let Some(streak) = view.memory.streaks.get(&suspected).filter(|_| same_way)
            && let Some(place) = written_by_others(view, &row, streak.figure)
        {
            let entry =
                self.foreign.entry(row.topic.to_owned()).or_insert_with(|| (Vec::new(), since(streak)));
            entry.0.push(place);
        }
        if quiet
            && was_quiet
            && let Some(from) = grown_by_itself(&row)
        {
            memory.again(view, suspected, from);
        }
        if same_way {
            self.writers.look(view, &row);
        }
        if !quiet {
            memory.busy.entry(row.topic.to_owned()).or_default().insert(row.number);
        }
        if let Some((stable, end)) = row.source.stable.zip(row.source.end)
            && stable < end
        {
            let was = row.was_source.filter(|was| was.stable < was.end).and_then(|was| was.stable);
            let streak = memory.still(view, format!("frozen:{}", row.name()), stable, was);
            let hangs = |streak: &Streak| {
                streak.surveys >= FROZEN_FOR && view.survey.began_at - streak.by >= FROZEN_WITHIN
            };
            if let Some(streak) = streak.filter(hangs) {
                self.frozen.push((TopicPartition::new(row.topic, row.number), streak, stable, end));
            }
        }
        self.count(view, memory, &row);
    }

    fn count(&mut self, view: &View<'_>, memory: &mut Memory, row: &Row<'_>) {
        let Some(written) = row
            .copyable(view.mode)
            .zip(row.was_copyable(view.mode))
            .map(|(now, was)| now.saturating_sub(was))
        else {
            // What stood still before still does, as far as anybody can tell.
            self.stalled.extend(stalled::waiting(view, memory, row, 0));
            return;
        };
        let moved = row.committed.zip(row.was_committed).map_or(0, |(now, was)| now.saturating_sub(was));
        // What the replica grew by counts no longer than the flow takes to prove that it was the flow that wrote it.
        let grown = row.grown().filter(|_| row.unproven.is_none()).unwrap_or(0);
        let arrived = grown.max(moved);
        self.written = self.written.saturating_add(written.max(0));
        self.arrived = self.arrived.saturating_add(arrived.max(0));
        if arrived <= 0 {
            self.stalled.extend(stalled::waiting(view, memory, row, written));
        } else {
            self.catching_up |=
                stalled::behind(view, row).is_some_and(|n| n.saturating_sub(written) > stalled::AT_ONCE);
        }
        if written > 0 && arrived <= 0 {
            self.waiting.push(
                Place::of(row.key(), format!("{written} offsets were written since the survey before"))
                    .losing(0, Lost { at_least: None, at_most: row.waiting(view.mode) }),
            );
        }
    }
}

/// Whether replication brought nothing to the replica between the survey before and this one.
fn is_quiet(view: &View<'_>, row: &Row<'_>) -> bool {
    let same = |now: Option<i64>, was: Option<i64>| now.is_some() && now == was;
    let nothing_new = same(row.copyable(view.mode), row.was_copyable(view.mode));
    let never_had_any = row.source.end == Some(0) && nothing_new;
    // Copying again ends at the same position; its first record is a pair.
    let position_stands = same(row.committed, row.was_committed) && row.pair == row.was_pair;
    let all_there = view.mode.exactly_once
        || view.stopped()
        || row
            .through_if_all_is_ours(view.mode)
            .zip(row.copyable(view.mode))
            .is_some_and(|(through, end)| through >= end.saturating_sub(1));
    never_had_any || (position_stands && (nothing_new || view.stopped()) && all_there)
}

/// From which offset on the replica grew though replication brought nothing for two periods. With a transaction open there it
/// may be replication's own, which has not committed yet.
fn grown_by_itself(row: &Row<'_>) -> Option<i64> {
    let target = row.target?;
    let grown = row.grown().filter(|grown| *grown > 0)?;
    let (end, stable) = (target.end?, target.stable?);
    (end == stable).then_some(end.saturating_sub(grown))
}

/// What grew by itself at the survey before, unless an offset sync that came since says that replication wrote it: records are
/// copied again, after somebody set it back, before its sync tells.
fn written_by_others(view: &View<'_>, row: &Row<'_>, from: i64) -> Option<Place> {
    let until = row.was_target?.end?;
    let key = TopicPartition::new(row.topic, row.number);
    let went_back = view.observed().and_then(|flow| flow.rewinds.get(&key)).map(|rewind| rewind.downstream);
    let copied = went_back.is_some_and(|downstream| downstream >= from)
        || row.pair.is_some_and(|pair| (from..until).contains(&pair.downstream));
    (!copied).then(|| {
        let said = format!("{} offsets from {from} on are not replication's", until.saturating_sub(from));
        Place::of(row.key(), said).losing(from, Lost::NOTHING)
    })
}

fn foreign(view: &View<'_>, topic: &str, places: Vec<Place>) -> Alarm {
    let way = view.way();
    let replica = view.scope.replica(way, topic);
    let to = view.name(way.to());
    let partition = places.first().and_then(|place| Some(place.name.rsplit_once('-')?.1.to_owned()));
    Alarm::of(
        Code::ForeignWriter,
        topic,
        view,
        format!("`{replica}` on `{to}` has grown by records that replication did not bring: somebody writes there."),
    )
    .at(places)
    .fact("Nothing was written on the source and no position moved for two surveys, while the replica grew; no offset sync since is of these records.")
    .fact("What a worker that was killed had written and not committed would look the same.")
    .next(
        "Find who writes there and take their WRITE away: the two sides have parted. Decide which records count, then \
         acknowledge this.",
        partition.map(|number| {
            let arguments = format!("describe-producers --topic {} --partition {number}", quoted(&replica));
            view.tool(way.to(), "kafka-transactions", &arguments)
        }),
    )
}

/// Pairs whose source offset is below that of the pair before: what lies between was copied twice.
fn backwards(view: &View<'_>, judged: &mut Judged) {
    let Some(flow) = view.observed() else { return };
    let Some(now) = flow.newest_pairs.value() else { return };
    let remembered = view.memory.active == Some(view.way());
    let before = view.previous_flow().and_then(|flow| flow.newest_pairs.value()).or(view
        .memory
        .pairs
        .as_ref()
        .filter(|_| remembered));
    let Some(before) = before else { return };
    let way = view.way();
    let mut by_topic = ByTopic::new();
    for (key, rewind) in &flow.rewinds {
        // A rewind that the newest pair of the survey before comes after was told already, or is older than Muster.
        let new = before.0.get(key).is_some_and(|before| rewind.downstream > before.downstream);
        let recreated = view
            .id_before(way.from, &key.topic)
            .zip(view.topics(way.from).ok().and_then(|topics| topics.get(&key.topic)?.id))
            .is_some_and(|(old, new)| old != new);
        if !new
            || recreated
            || !now.0.contains_key(key)
            || !view.scope.application_topic(way.from, &key.topic)
        {
            continue;
        }
        let Rewind { from, to, downstream } = *rewind;
        let again = from.saturating_sub(to).saturating_add(1);
        let said = format!("went back from offset {from} to {to}: up to {again} records are there twice");
        by_topic
            .entry(key.topic.clone())
            .or_default()
            .push(Place::of(key.clone(), said).losing(downstream, Lost::NOTHING));
    }
    for (topic, places) in by_topic {
        judged.raise(
            Alarm::of(
                Code::PairsBackwards,
                &topic,
                view,
                format!("Replication of `{topic}` went back to an earlier offset: records are on `{}` twice.", view.name(way.to())),
            )
            .at(places)
            .fact("An offset sync has a lower source offset than the one before it, of the same topic.")
            .next(
                "Consumers on the standby would see these records twice; those that cannot bear that have to know. With \
                 exactly-once support this only happens when somebody sets offsets back.",
                view.connect().map(|(url, connector)| format!("curl {}", quoted(&format!("{url}/connectors/{connector}/offsets")))),
            ),
        );
    }
}
