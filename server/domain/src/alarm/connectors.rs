//! What Connect says of the active flow, where it says too much: RUNNING without a task, without a worker, without a source.

use chrono::TimeDelta;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Memory, Place, Since, behind, memory::Streak, tasks, view::View,
};
use crate::{
    reading::Observed,
    shell::quoted,
    survey::{ConnectState, ConnectorObservation, ConnectorRole},
};

/// Surveys in a row that must show it: a rebalance or one lost packet is no alarm. One that waited for a whole period counts as many
/// ([`View::silent_for`]).
const IN_A_ROW: u32 = 2;

pub(super) fn judge(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    if let Err(reason) = &view.active {
        for code in [Code::TaskMissing, Code::WorkerGone, Code::SourceUnreachable] {
            judged.unknown(code, reason);
        }
        memory.keep_streaks(view, "connector:");
        return;
    }
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat] {
        match view.connector(role).map(Observed::as_result) {
            Some(Ok(found)) => tasks(view, judged, memory, role, found),
            Some(Err(reason)) => {
                judged.unknown(Code::TaskMissing, reason);
                memory.keep_streaks(view, &format!("connector:task:{role}"));
            }
            None => {}
        }
    }
    worker(view, judged, memory);
    source(view, judged, memory);
}

pub(super) fn since(streak: &Streak) -> Since {
    Since { after: streak.after, by: streak.by }
}

/// RUNNING with fewer tasks than it has to have, or with one no worker has.
fn tasks(
    view: &View<'_>,
    judged: &mut Judged,
    memory: &mut Memory,
    role: ConnectorRole,
    found: &ConnectorObservation,
) {
    let expected = tasks::expected(view, memory, role, found);
    let missing = missing(found, expected);
    let none = found.tasks.is_empty();
    if found.state != ConnectState::Running
        || (missing.is_empty() && !none)
        || tasks::nothing_to_do(view, role)
    {
        return;
    }
    let streak = memory.again(view, format!("connector:task:{role}"), 0);
    if streak.surveys < IN_A_ROW {
        return;
    }
    let what = match role {
        ConnectorRole::Source => "the records of its partitions are not copied",
        ConnectorRole::Checkpoint => "no group offset reaches the standby",
        ConnectorRole::Heartbeat => "no heartbeat is written",
    };
    let said = format!("`{}` says RUNNING and has no task for part of its work: {what}.", found.name);
    let alarm = Alarm::of(Code::TaskMissing, &found.name, view, said);
    let alarm = match role {
        ConnectorRole::Source if none => without_any(view, found, alarm),
        ConnectorRole::Source => alarm.at_worst_of(behind::of_tasks(view, found, &missing)),
        // No record hangs on these.
        ConnectorRole::Checkpoint | ConnectorRole::Heartbeat if none => alarm.at(vec![no_task(found)]),
        ConnectorRole::Checkpoint | ConnectorRole::Heartbeat => {
            let place =
                |(number, said): &(i32, String)| Place::new(format!("{}, task {number}", found.name), said);
            alarm.at(missing.iter().map(place).collect())
        }
    };
    let alarm =
        alarm.since(since(&streak)).fact(format!("Connect says so in {} surveys in a row.", streak.surveys));
    let alarm = if found.tasks_without_status().is_empty() {
        alarm
    } else {
        alarm.fact(format!(
            "Connect keeps configs of {} tasks for it and has a status of {}.",
            found.tasks_to_run(),
            found.tasks.len()
        ))
    };
    let (step, command) = get_back(view, found);
    judged.raise(alarm.next(step, command));
}

/// Tasks of so many that are not there or that no worker has, and which of both it is.
fn missing(found: &ConnectorObservation, expected: i32) -> Vec<(i32, String)> {
    let idle = |number: i32| match found.tasks.iter().find(|task| task.id == number) {
        None => Some((number, "is not there".to_owned())),
        Some(task) if task.state.has_no_worker() => Some((number, format!("is {}", task.state))),
        Some(_) => None,
    };
    (0..expected).filter_map(idle).collect()
}

fn no_task(found: &ConnectorObservation) -> Place {
    Place::new(format!("{}, all tasks", found.name), "the list of tasks is empty")
}

/// A source connector without one task copies none of the flow's partitions.
fn without_any(view: &View<'_>, found: &ConnectorObservation, alarm: Alarm) -> Alarm {
    match behind::of_flow(view) {
        Ok(behind) if !behind.places.is_empty() => {
            alarm.at_worst_of(behind).fact("The list of its tasks is empty.")
        }
        Ok(_) | Err(_) => alarm.at(vec![no_task(found).losing(0, Lost::UNKNOWN)]),
    }
}

/// What gives a connector its tasks back. A restart starts those that a worker has. Of a worker that went nobody has them until the
/// leader of its group gives them out, and one that comes back waits as long (KIP-415); a connector that is stopped loses them, and
/// resumed it is given new ones, which wait for nobody.
fn get_back(view: &View<'_>, found: &ConnectorObservation) -> (&'static str, Option<String>) {
    let worker = view.connect().map(|(url, _)| format!("{url}/connectors/{}", found.name));
    if found.tasks.iter().any(|task| task.state.has_no_worker()) {
        return (
            "No worker has these tasks, and a restart does not reach them. When one went, its group gives them to the others after \
             `scheduled.rebalance.max.delay.ms` (5 minutes unless set). Not to wait for that, stop the connector, and resume it \
             once its status is STOPPED without a task.",
            worker.map(|at| {
                let at = |what: &str| quoted(&format!("{at}/{what}"));
                format!("curl -X PUT {}\ncurl {}\ncurl -X PUT {}", at("stop"), at("status"), at("resume"))
            }),
        );
    }
    (
        "Restart the connector with its tasks; look in the worker's log why they are gone.",
        worker.map(|at| restart(&at)),
    )
}

/// What starts a connector with all its tasks; `at` is its address.
pub(super) fn restart(at: &str) -> String {
    format!("curl -X POST {}", quoted(&format!("{at}/restart?includeTasks=true&onlyFailed=false")))
}

/// What stops a connector.
pub(super) fn stop(url: &str, connector: &str) -> String {
    format!("curl -X PUT {}", quoted(&format!("{url}/connectors/{connector}/stop")))
}

/// The worker's REST does not answer: who carried the flow is gone or frozen. What it wrote as status stays RUNNING.
fn worker(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    const KEY: &str = "connector:worker";
    let stood = stood_on_purpose(view, memory);
    let (Some(observed), Some((url, name))) = (view.observed(), view.connect()) else {
        judged.unknown(Code::WorkerGone, "Muster cannot see this flow");
        return memory.keep_streaks(view, KEY);
    };
    let Err(reason) = observed.worker.as_result() else { return };
    // It answers: who does not let Muster in is not gone, and may well copy.
    if observed.shut_out {
        judged.unknown(Code::WorkerGone, reason);
        return memory.keep_streaks(view, KEY);
    }
    if stood {
        return;
    }
    // One question that took too long says little as long as another was answered.
    let others = observed.connectors.values().any(|connector| connector.value().is_some());
    let silent = view.worker_silent_for(observed.worker.at()).filter(|_| !others);
    let Some((streak, how_long)) = lasts(view, memory, KEY, silent) else { return };
    let said =
        format!("The Connect worker of `{name}` does not answer: nothing says that records are copied.");
    let alarm = Alarm::of(Code::WorkerGone, name, view, said);
    let alarm = match behind::of_flow(view) {
        Ok(behind) if !behind.places.is_empty() => alarm.at_worst_of(behind).fact(format!("{url}: {reason}")),
        Ok(_) | Err(_) => alarm.at(vec![Place::new(url, reason).losing(0, Lost::UNKNOWN)]),
    };
    judged.raise(
        alarm
            .since(since(&streak))
            .fact(format!("It {how_long}."))
            .fact("The status that Connect keeps of its tasks stays RUNNING while the worker is gone.")
            .next(
                "Start the worker again, or look why it does not answer.",
                Some(format!("curl -i {}", quoted(&format!("{url}/")))),
            ),
    );
}

/// Whether the source connector was stopped or paused on purpose when its status was read last. Without Connect nobody can say so, and it
/// keeps what it was asked for over any restart: so that is remembered until a status is read again.
fn stood_on_purpose(view: &View<'_>, memory: &mut Memory) -> bool {
    const KEY: &str = "connector:stood";
    if view.connector(ConnectorRole::Source).is_some_and(|source| source.value().is_some()) {
        return false;
    }
    let was = view.previous_flow().and_then(|flow| flow.connectors.get(&ConnectorRole::Source)?.value());
    let remembered = view.memory.active == Some(view.way()) && view.memory.streaks.contains_key(KEY);
    let stood = remembered || was.is_some_and(ConnectorObservation::stands_on_purpose);
    if stood {
        memory.again(view, KEY.to_owned(), 0);
    }
    stood
}

/// Counts one more survey to which somebody did not answer. Once that says enough: since when, and what was looked at. One survey does where
/// it waited long, two in a row otherwise.
fn lasts(
    view: &View<'_>,
    memory: &mut Memory,
    key: &str,
    silent: Option<TimeDelta>,
) -> Option<(Streak, String)> {
    match silent {
        Some(waited) => {
            let said = format!("gave no answer in the {} ms this survey waited", waited.num_milliseconds());
            Some((memory.surely(view, key, IN_A_ROW), said))
        }
        None => {
            let streak = memory.again(view, key.to_owned(), 0);
            let said = format!("did not answer in {} surveys in a row", streak.surveys);
            (streak.surveys >= IN_A_ROW).then_some((streak, said))
        }
    }
}

fn source(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    const KEY: &str = "connector:source";
    let side = view.way().from;
    let cluster = &view.survey.sides.get(side).cluster;
    let Err(reason) = cluster.as_result() else { return };
    let found = match view.connector(ConnectorRole::Source).map(Observed::as_result) {
        Some(Ok(found)) => found,
        Some(Err(unknown)) => {
            judged.unknown(Code::SourceUnreachable, unknown);
            return memory.keep_streaks(view, KEY);
        }
        None => return,
    };
    if found.state != ConnectState::Running {
        return;
    }
    let Some((streak, how_long)) = lasts(view, memory, KEY, view.silent_for(cluster.at())) else { return };
    let name = view.name(side);
    let said = format!(
        "`{name}` does not answer and `{}` still says RUNNING: it copies nothing, without an error.",
        found.name
    );
    let alarm = where_it_waits(view, Alarm::of(Code::SourceUnreachable, name, view, said), (name, reason));
    judged.raise(
        alarm
            .since(since(&streak))
            .fact(format!("`{name}` {how_long}."))
            .fact("A source task logs a warning and goes on when it cannot read; its status never says so.")
            .next(
                "Find out whether the cluster is down or only unreachable from here. If it is down, what was not copied \
                 is on it alone: the pair's page of losses says how much at most and at least, with what may have been written since it \
                 was read last.",
                Some(view.tool(side, "kafka-broker-api-versions", "")),
            ),
    );
}

/// Partitions of a source that does not answer, as they were read last. Nothing of it is lost as long as it may come back, and how much was
/// written since nobody has seen: a bound of what would be lost is stated with the loss.
fn where_it_waits(view: &View<'_>, alarm: Alarm, (name, reason): (&str, &str)) -> Alarm {
    let Some(seen) = behind::last_seen(view).filter(|seen| !seen.behind.places.is_empty()) else {
        return alarm.at(vec![Place::new(name, reason).losing(0, Lost::UNKNOWN)]);
    };
    let waited = seen.waited.map_or_else(|| "an unknown number".to_owned(), |waited| waited.to_string());
    let at = seen.at.format("%-d %b %Y %H:%M:%S");
    alarm.at_worst_of(seen.behind).fact(format!("{name}: {reason}")).fact(format!(
        "Of what was on it at {at} UTC, when its ends were read last, {waited} of the offsets are not known to have arrived. What was written \
         later is not among them."
    ))
}
