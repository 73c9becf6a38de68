//! What a pass over the offsets says of standing still: a flow that copies nothing, and a task that copies nothing beside others that do.

use chrono::TimeDelta;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Memory, Place,
    connectors::{restart, since},
    copying::Pass,
    memory::Streak,
    positions::waiting as waiting_past,
    view::{Row, View},
};
use crate::{
    reading::Observed,
    survey::{ConnectState, ConnectorObservation, ConnectorRole},
};

/// Surveys in a row in which records were written and none arrived.
const STILL_FOR: u32 = 2;
/// What is remembered of single partitions that stand still begins with this.
pub(super) const STALLED: &str = "stalled";
/// That some of them are told already.
const STALLED_TOLD: &str = "stalled!";
/// Surveys with new writes of which none arrived, before one partition is said to stand still while others move.
const STALLED_FOR: u32 = 3;
/// The same while partitions that move are far behind: a task that catches up may come to some of them late.
const STALLED_LONG: u32 = 12;
/// A write that did not arrive is remembered so long while no other comes: behind the last record of a transaction there is a
/// marker, which never does.
const STALLED_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// Records a task takes at once (`max.poll.records` unless set).
pub(super) const AT_ONCE: i64 = 500;

/// The source takes writes, nothing arrives anywhere, and Connect says RUNNING.
pub(super) fn still(view: &View<'_>, judged: &mut Judged, memory: &mut Memory, pass: &Pass) {
    let source = match view.connector(ConnectorRole::Source).map(Observed::as_result) {
        Some(Ok(source)) => source,
        Some(Err(reason)) => {
            judged.unknown(Code::WorkerGone, reason);
            return memory.keep_streaks(view, "still");
        }
        None => return,
    };
    if source.state != ConnectState::Running || pass.arrived > 0 || view.previous.is_none() {
        return;
    }
    let before = view.memory.streaks.get("still");
    // Nothing new to copy proves nothing either way: what stood still before still does.
    if pass.written == 0 {
        return memory.keep_streaks(view, "still");
    }
    let streak = memory.again(view, "still".to_owned(), 0);
    if before.is_none() || streak.surveys < STILL_FOR {
        return;
    }
    let (from, to) = (view.name(view.way().from), view.name(view.way().to()));
    judged.raise(
        Alarm::of(
            Code::WorkerGone,
            &source.name,
            view,
            format!("`{}` says RUNNING, `{from}` takes writes and nothing arrives on `{to}`.", source.name),
        )
        .at(pass.waiting.clone())
        .since(since(&streak))
        .fact(format!("{} offsets were written since the survey before and none arrived; so it was {} surveys in a row.", pass.written, streak.surveys))
        .next(
            "Do not believe RUNNING: look at the worker's log, then restart the connector with all its tasks.",
            view.connect().map(|(url, connector)| restart(&format!("{url}/connectors/{connector}"))),
        ),
    );
}

/// Offsets of a partition that are not known to have arrived.
pub(super) fn behind(view: &View<'_>, row: &Row<'_>) -> Option<i64> {
    let through = row.through(view.mode).max(row.committed)?;
    Some(waiting_past(row.source.start, row.copyable(view.mode)?, Some(through)))
}

/// Whether a partition was written on in two surveys and nothing of it has arrived since.
pub(super) fn waits(view: &View<'_>, row: &Row<'_>) -> bool {
    view.memory.streaks.get(&key(row)).is_some_and(|streak| streak.surveys > 1)
}

fn key(row: &Row<'_>) -> String {
    format!("{STALLED}:{}", row.name())
}

/// Counts the surveys in which a partition that was copied before took writes and nothing arrived; neither its position moved
/// nor the replica's end, which does so with every record and long before offsets are flushed. Answers it once they are many.
pub(super) fn waiting(
    view: &View<'_>,
    memory: &mut Memory,
    row: &Row<'_>,
    written: i64,
) -> Option<(Place, Streak)> {
    // What was never copied may be new, and not known to the connector yet.
    if !view.running() || !row.was_ever_copied {
        return None;
    }
    let key = key(row);
    let streak = if written > 0 {
        memory.again(view, key, 0)
    } else {
        let kept = view
            .memory
            .streaks
            .get(&key)
            .filter(|streak| streak.surveys > 1 || view.survey.began_at - streak.by < STALLED_WITHIN)?;
        memory.streaks.insert(key, kept.clone());
        kept.clone()
    };
    let most = behind(view, row);
    let said = most.map_or_else(
        || "takes writes of which none arrives".to_owned(),
        |most| format!("takes writes of which none arrives: {most} offsets wait"),
    );
    let place = Place::of(row.key(), said).losing(0, Lost { at_least: None, at_most: most });
    (streak.surveys >= STALLED_FOR).then_some((place, streak))
}

/// Some partitions take writes of which none arrives while others move, and every task says RUNNING.
pub(super) fn beside_others(view: &View<'_>, judged: &mut Judged, memory: &mut Memory, pass: &Pass) {
    let source = match view.connector(ConnectorRole::Source).map(Observed::as_result) {
        Some(Ok(source)) => source,
        Some(Err(_)) => return memory.keep_streaks(view, STALLED),
        None => return,
    };
    // Once told it stands until something arrives: it does not go away when nothing else moves for a moment.
    let told = view.memory.streaks.contains_key(STALLED_TOLD);
    let after = if pass.catching_up && !told { STALLED_LONG } else { STALLED_FOR };
    let stalled: Vec<_> = pass.stalled.iter().filter(|(_, streak)| streak.surveys >= after).collect();
    let Some((_, first)) = stalled.iter().min_by_key(|(_, streak)| streak.by) else { return };
    if pass.arrived <= 0 && !told {
        return;
    }
    memory.again(view, STALLED_TOLD.to_owned(), 0);
    let said = format!(
        "`{}` and its tasks say RUNNING, and of some partitions it copies nothing while others move: a task is dead.",
        source.name
    );
    let alarm = Alarm::of(Code::TaskMissing, &source.name, view, said)
        .at(stalled.iter().map(|(place, _)| place.clone()).collect())
        .since(since(first))
        .fact(format!(
            "{} partitions took writes in {} surveys or more; no position of theirs moved, and nothing came to their replicas that is known to be replication's.",
            stalled.len(),
            after
        ))
        .next(
            "Look in the worker's log for the task that copies them (a topic the connector's `topics` leaves out looks the \
             same), then restart the connector with its tasks. That reaches no task whose worker is gone (`worker_id` in its \
             status): then stop the connector, and resume it once its status is STOPPED without a task.",
            view.connect().map(|(url, connector)| restart(&format!("{url}/connectors/{connector}"))),
        );
    judged.raise(match doubt(view, source, pass) {
        Some(doubt) => alarm.unless(doubt),
        None => alarm,
    });
}

/// What else can be so when records are written and none arrives.
fn doubt(view: &View<'_>, source: &ConnectorObservation, pass: &Pass) -> Option<&'static str> {
    if view.mode.read_committed {
        return Some(
            "Nothing is wrong if all that was written there was aborted: this flow copies committed records only.",
        );
    }
    if source.config.get("transforms").is_some_and(|transforms| !transforms.is_empty()) {
        return Some("Nothing is wrong if the connector's transforms leave out all that was written there.");
    }
    pass.catching_up.then_some(
        "Nothing is wrong if the task comes to them late: partitions that do move are far behind, too.",
    )
}
