//! What Connect says of the active flow, where it says too much: RUNNING without a task, without a worker, without a source.

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Memory, Place, Since, memory::Streak, tasks, view::View,
};
use crate::{
    reading::Observed,
    shell::quoted,
    survey::{ConnectState, ConnectorObservation, ConnectorRole, TaskObservation},
};

/// Surveys in a row that must show it: a rebalance or one lost packet is no alarm.
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
    let missing: Vec<Place> = if found.tasks.is_empty() {
        vec![Place::new(format!("{}, all tasks", found.name), "the list of tasks is empty")]
    } else {
        let idle =
            (0..expected).filter_map(|number| match found.tasks.iter().find(|task| task.id == number) {
                None => Some((number, "is not there".to_owned())),
                Some(task) if matches!(task.state, ConnectState::Unassigned | ConnectState::Destroyed) => {
                    Some((number, format!("is {}", task.state)))
                }
                Some(_) => None,
            });
        idle.map(|(number, said)| Place::new(format!("{}, task {number}", found.name), said)).collect()
    };
    if found.state != ConnectState::Running || missing.is_empty() || tasks::nothing_to_do(view, role) {
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
    let alarm = Alarm::of(Code::TaskMissing, &found.name, view, said)
        .at(missing)
        .since(since(&streak))
        .fact(format!("Connect says so in {} surveys in a row.", streak.surveys));
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

/// What gives a connector its tasks back. A restart starts those that a worker has. Of a worker that went nobody has them until the
/// leader of its group gives them out, and one that comes back waits as long (KIP-415); a connector that is stopped loses them, and
/// resumed it is given new ones, which wait for nobody.
fn get_back(view: &View<'_>, found: &ConnectorObservation) -> (&'static str, Option<String>) {
    let worker = view.connect().map(|(url, _)| format!("{url}/connectors/{}", found.name));
    let nobodys =
        |task: &TaskObservation| matches!(task.state, ConnectState::Unassigned | ConnectState::Destroyed);
    if found.tasks.iter().any(nobodys) {
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
    // Without the status nobody can say that it was stopped on purpose, unless the last one said so.
    let was = view.previous_flow().and_then(|flow| flow.connectors.get(&ConnectorRole::Source));
    if was.and_then(Observed::value).is_some_and(|source| source.state == ConnectState::Stopped) {
        return;
    }
    let streak = memory.again(view, KEY.to_owned(), 0);
    if streak.surveys < IN_A_ROW {
        return;
    }
    let said =
        format!("The Connect worker of `{name}` does not answer: nothing says that records are copied.");
    judged.raise(
        Alarm::of(Code::WorkerGone, name, view, said)
            .at(vec![Place::new(url, reason).losing(0, Lost { at_least: None, at_most: None })])
            .since(since(&streak))
            .lost(behind(view))
            .fact("The status that Connect keeps of its tasks stays RUNNING while the worker is gone.")
            .next(
                "Start the worker again, or look why it does not answer.",
                Some(format!("curl -i {}", quoted(&format!("{url}/")))),
            ),
    );
}

/// What is on the source and not known to be on the target.
fn behind(view: &View<'_>) -> Lost {
    let mut most = 0_i64;
    let mut known = true;
    let read = view.each_row(|row| match row.copyable(view.mode).zip(row.committed.or(row.was_committed)) {
        Some((end, through)) => {
            let behind = end.saturating_sub(1).saturating_sub(through).max(0);
            most = behind.saturating_add(most);
        }
        None => known &= row.source.start == row.source.end && row.source.end.is_some(),
    });
    Lost { at_least: None, at_most: (known && read.is_ok()).then_some(most) }
}

fn source(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    const KEY: &str = "connector:source";
    let side = view.way().from;
    let Err(reason) = view.survey.sides.get(side).cluster.as_result() else { return };
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
    let streak = memory.again(view, KEY.to_owned(), 0);
    if streak.surveys < IN_A_ROW {
        return;
    }
    let name = view.name(side);
    let said = format!(
        "`{name}` does not answer and `{}` still says RUNNING: it copies nothing, without an error.",
        found.name
    );
    judged.raise(
        Alarm::of(Code::SourceUnreachable, name, view, said)
            .at(vec![Place::new(name, reason).losing(0, Lost { at_least: None, at_most: None })])
            .since(since(&streak))
            .fact(format!("`{name}` did not answer in {} surveys in a row.", streak.surveys))
            .fact("A source task logs a warning and goes on when it cannot read; its status never says so.")
            .next(
                "Find out whether the cluster is down or only unreachable from here. If it is down, what was not copied \
                 until the survey before is on it alone: the pair's page says how much.",
                Some(view.tool(side, "kafka-broker-api-versions", "")),
            ),
    );
}
