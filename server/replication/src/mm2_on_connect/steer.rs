//! Stopping, resuming, restarting and reconfiguring a connector: ask, then look until it is so.
//!
//! Connect answers before anything happened, so the answer is never the proof. During a switchover applications cannot
//! write while a `stop` runs: the first looks come 20 ms apart. All of it may be repeated, and dying halfway leaves a
//! connector that was asked for the same state.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use muster_domain::survey::ConnectState;
use tokio::time::{sleep, timeout};

use crate::{
    ReplicationError, ReplicationErrorKind,
    connect::{ConnectClient, ConnectorStatus},
    redact::redact_text,
};

/// Looks begin this far apart and grow to `SLOWEST_LOOK`.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const SLOWEST_LOOK: Duration = Duration::from_millis(250);
/// A connector that stopped and has been running again for this long was started by somebody else.
const SOMEBODY_ELSE: Duration = Duration::from_secs(1);
/// A running connector without tasks is left alone this long before it is restarted: with exactly-once, tasks take
/// seconds to appear.
const TASKS_OVERDUE: Duration = Duration::from_secs(8);
/// Tasks that were never seen to go down after a change of config have it when they ran on for this long.
const SETTLED: Duration = Duration::from_secs(3);
/// How long a worker may take to show a config it accepted.
const CONFIG_SHOWN: Duration = Duration::from_secs(3);

/// Stops a connector; done when it is STOPPED without tasks. With its source dead that takes a minute
/// (mm2-verified, correction 5).
pub(super) async fn stop(connect: &ConnectClient, name: &str, bound_ms: u64) -> Result<(), ReplicationError> {
    let watch = Watch { connect, name, call: format!("stop connector {name}") };
    let mut seen = Seen::default();
    let work = async {
        let mut looks = Looks::new();
        let (mut asked, mut stopped_once, mut up_again) = (false, false, None::<Instant>);
        loop {
            if !asked {
                asked = watch.ask(connect.stop(name).await, &mut seen)?;
            }
            if let Some(status) = watch.look(&mut seen).await? {
                if is_stopped(&status) {
                    return Ok(());
                }
                if status.state == ConnectState::Stopped {
                    (stopped_once, up_again) = (true, None);
                } else if stopped_once && up_again.get_or_insert_with(Instant::now).elapsed() >= SOMEBODY_ELSE
                {
                    let text =
                        format!("it stopped, and somebody else started it again: {}", describe(&status));
                    return Err(watch.fail(ReplicationErrorKind::NotAsAsked(text)));
                }
            }
            looks.next().await;
        }
    };
    let outcome = within(bound_ms, work).await;
    watch.finish(outcome, seen, bound_ms).await
}

/// Resumes a connector; done when it and all its tasks are RUNNING, at least one.
pub(super) async fn resume(
    connect: &ConnectClient,
    name: &str,
    bound_ms: u64,
) -> Result<(), ReplicationError> {
    let watch = Watch { connect, name, call: format!("resume connector {name}") };
    let mut seen = Seen::default();
    let work = async {
        let mut looks = Looks::new();
        while !watch.ask(connect.resume(name).await, &mut seen)? {
            looks.next().await;
        }
        watch.wait_running(&mut seen).await
    };
    let outcome = within(bound_ms, work).await;
    watch.finish(outcome, seen, bound_ms).await
}

/// Restarts a connector with all its tasks; done when all of them are RUNNING.
pub(super) async fn restart(
    connect: &ConnectClient,
    name: &str,
    bound_ms: u64,
) -> Result<(), ReplicationError> {
    let watch = Watch { connect, name, call: format!("restart connector {name}") };
    let mut seen = Seen::default();
    let work = async {
        let mut looks = Looks::new();
        while !watch.ask(connect.restart(name, false).await, &mut seen)? {
            looks.next().await;
        }
        watch.wait_down_then_running(&mut seen).await
    };
    let outcome = within(bound_ms, work).await;
    watch.finish(outcome, seen, bound_ms).await
}

/// Changes config keys; done when they read back and, unless the connector is stopped or paused, its tasks run with
/// them.
pub(super) async fn change_config(
    connect: &ConnectClient,
    name: &str,
    changes: &BTreeMap<String, Option<String>>,
    bound_ms: u64,
) -> Result<(), ReplicationError> {
    let watch = Watch { connect, name, call: format!("change the config of connector {name}") };
    let mut seen = Seen::default();
    let work = async {
        let (before, task_configs) = tokio::try_join!(connect.status(name), connect.task_configs(name))?;
        let changed = !differing(&connect.config(name).await?, changes).is_empty();
        if changed {
            watch.patch_until_shown(changes, &mut seen).await?;
        }
        match before.state {
            ConnectState::Stopped | ConnectState::Paused => return Ok(()),
            ConnectState::Unassigned
            | ConnectState::Running
            | ConnectState::Failed
            | ConnectState::Destroyed
            | ConnectState::Restarting => {}
        }
        // A checkpoint connector without groups has no tasks and will have none.
        if before.tasks.is_empty() && task_configs.is_empty() {
            return watch.wait_connector_running(&mut seen).await;
        }
        watch.wait_tasks_have(changes, &mut seen).await?;
        match changed {
            true => watch.wait_down_then_running(&mut seen).await,
            false => watch.wait_running(&mut seen).await,
        }
    };
    let outcome = within(bound_ms, work).await;
    watch.finish(outcome, seen, bound_ms).await
}

/// One connector being steered.
struct Watch<'a> {
    connect: &'a ConnectClient,
    name: &'a str,
    call: String,
}

/// What was seen last, for the case that the bound passes.
#[derive(Default)]
struct Seen {
    last: String,
    traces: Vec<String>,
}

impl Watch<'_> {
    /// Whether a request was taken; one that may pass is to be made again.
    fn ask(&self, answer: Result<(), ReplicationError>, seen: &mut Seen) -> Result<bool, ReplicationError> {
        match answer {
            Ok(()) => Ok(true),
            Err(error) if error.may_pass() => {
                seen.last = error.to_string();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The status, or none for now.
    async fn look(&self, seen: &mut Seen) -> Result<Option<ConnectorStatus>, ReplicationError> {
        match self.connect.status(self.name).await {
            Ok(status) => {
                seen.last = describe(&status);
                seen.traces = status
                    .tasks
                    .iter()
                    .filter_map(|task| task.trace.clone())
                    .chain(status.trace.clone())
                    .collect();
                Ok(Some(status))
            }
            // A connector that was just created or moved has no status for a moment.
            Err(error) if error.may_pass() || error.kind == ReplicationErrorKind::NoSuchConnector => {
                seen.last = error.to_string();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Until everything runs. Dead tasks are restarted, all of them: Connect may call RUNNING what is dead.
    async fn wait_running(&self, seen: &mut Seen) -> Result<(), ReplicationError> {
        let mut looks = Looks::new();
        let mut restarts = Restarts::new();
        loop {
            if let Some(status) = self.look(seen).await? {
                if runs(&status) {
                    return Ok(());
                }
                if restarts.are_due(&status) {
                    // Whether it was taken shows in the next looks.
                    self.ask(self.connect.restart(self.name, false).await, seen)?;
                }
            }
            looks.next().await;
        }
    }

    /// Until the connector itself runs, whatever its tasks do.
    async fn wait_connector_running(&self, seen: &mut Seen) -> Result<(), ReplicationError> {
        let mut looks = Looks::new();
        while self.look(seen).await?.is_none_or(|status| status.state != ConnectState::Running) {
            looks.next().await;
        }
        Ok(())
    }

    /// Until tasks that had to go down run again. Connect shows the old tasks as RUNNING until they are gone.
    async fn wait_down_then_running(&self, seen: &mut Seen) -> Result<(), ReplicationError> {
        let (mut looks, began) = (Looks::new(), Instant::now());
        while began.elapsed() < SETTLED {
            if self.look(seen).await?.is_some_and(|status| !runs(&status)) {
                break;
            }
            looks.next_within(FIRST_LOOK * 3).await;
        }
        self.wait_running(seen).await
    }

    async fn patch_until_shown(
        &self,
        changes: &BTreeMap<String, Option<String>>,
        seen: &mut Seen,
    ) -> Result<(), ReplicationError> {
        let mut looks = Looks::new();
        while !self.ask(self.connect.patch_config(self.name, changes).await, seen)? {
            looks.next().await;
        }
        let began = Instant::now();
        loop {
            let wrong = differing(&self.connect.config(self.name).await?, changes);
            if wrong.is_empty() {
                return Ok(());
            }
            if began.elapsed() >= CONFIG_SHOWN {
                let text = format!("the config still has another value for {}", wrong.join(", "));
                return Err(self.fail(ReplicationErrorKind::NotAsAsked(text)));
            }
            looks.next().await;
        }
    }

    /// Until Connect has given its tasks the changed values. MirrorMaker passes a connector's whole config on to them.
    async fn wait_tasks_have(
        &self,
        changes: &BTreeMap<String, Option<String>>,
        seen: &mut Seen,
    ) -> Result<(), ReplicationError> {
        // A value such as `${file:…}` reaches tasks resolved.
        let literal = |value: &Option<String>| value.as_ref().is_none_or(|value| !value.contains("${"));
        let comparable = changes.iter().filter(|(_, value)| literal(value));
        let changes: BTreeMap<_, _> = comparable.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut looks = Looks::new();
        loop {
            match self.connect.task_configs(self.name).await {
                Ok(tasks) if tasks.iter().all(|task| differing(task, &changes).is_empty()) => return Ok(()),
                Ok(_) => seen.last = "the tasks still have their old config".to_owned(),
                Err(error) if error.may_pass() => seen.last = error.to_string(),
                Err(error) => return Err(error),
            }
            looks.next().await;
        }
    }

    fn fail(&self, kind: ReplicationErrorKind) -> ReplicationError {
        ReplicationError { call: self.call.clone(), target: self.connect.shown().to_owned(), kind }
    }

    /// The outcome; past the bound, what was seen last and why tasks failed, without credentials.
    async fn finish(
        &self,
        outcome: Option<Result<(), ReplicationError>>,
        seen: Seen,
        bound_ms: u64,
    ) -> Result<(), ReplicationError> {
        if let Some(outcome) = outcome {
            return outcome;
        }
        let mut last_seen = if seen.last.is_empty() { "no answer yet".to_owned() } else { seen.last };
        if !seen.traces.is_empty()
            && let Ok(config) = self.connect.config(self.name).await
        {
            last_seen = redact_text(&format!("{last_seen}: {}", seen.traces.join("; ")), &config);
        }
        Err(self.fail(ReplicationErrorKind::NotReached { bound_ms, last_seen }))
    }
}

/// Waits between looks, growing.
struct Looks(Duration);

impl Looks {
    fn new() -> Self {
        Self(FIRST_LOOK)
    }

    async fn next(&mut self) {
        self.next_within(SLOWEST_LOOK).await;
    }

    async fn next_within(&mut self, longest: Duration) {
        sleep(self.0).await;
        self.0 = (self.0 * 5 / 4).min(longest);
    }
}

/// When to restart a connector that should run: at once when something failed, later when tasks do not appear; then
/// twice as long after each restart.
struct Restarts {
    began: Instant,
    last: Option<Instant>,
    pause: Duration,
}

impl Restarts {
    fn new() -> Self {
        Self { began: Instant::now(), last: None, pause: Duration::from_secs(1) }
    }

    fn are_due(&mut self, status: &ConnectorStatus) -> bool {
        let failed = status.state == ConnectState::Failed
            || status.tasks.iter().any(|task| task.state == ConnectState::Failed);
        let overdue = status.tasks.is_empty() && self.last.unwrap_or(self.began).elapsed() >= TASKS_OVERDUE;
        let due = (failed && self.last.is_none_or(|last| last.elapsed() >= self.pause)) || overdue;
        if due && self.last.replace(Instant::now()).is_some() {
            self.pause = (self.pause * 2).min(Duration::from_secs(8));
        }
        due
    }
}

/// Keys whose value is not the asked one. Only keys: values may be credentials.
fn differing(config: &BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) -> Vec<String> {
    changes
        .iter()
        .filter(|(key, value)| config.get(*key) != value.as_ref())
        .map(|(key, _)| key.clone())
        .collect()
}

fn is_stopped(status: &ConnectorStatus) -> bool {
    status.state == ConnectState::Stopped && status.tasks.is_empty()
}

fn runs(status: &ConnectorStatus) -> bool {
    let running = |state| state == ConnectState::Running;
    running(status.state) && !status.tasks.is_empty() && status.tasks.iter().all(|task| running(task.state))
}

/// `RUNNING with tasks RUNNING, FAILED`.
fn describe(status: &ConnectorStatus) -> String {
    let tasks: Vec<String> = status.tasks.iter().map(|task| task.state.to_string()).collect();
    match tasks.is_empty() {
        true => format!("{} without tasks", status.state),
        false => format!("{} with tasks {}", status.state, tasks.join(", ")),
    }
}

async fn within<T>(bound_ms: u64, work: impl Future<Output = T>) -> Option<T> {
    timeout(Duration::from_millis(bound_ms), work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// During a switchover nobody can write while a stop runs, so what takes a moment must not be noticed much later; what takes a
    /// minute is not asked for all the time.
    #[tokio::test(start_paused = true)]
    async fn looks_are_close_at_first_and_never_far_apart() {
        let (mut looks, mut before, mut pause) = (Looks::new(), tokio::time::Instant::now(), Duration::ZERO);
        let began = before;
        for _ in 0..40 {
            looks.next().await;
            let now = tokio::time::Instant::now();
            pause = now - before;
            assert!(pause <= Duration::from_millis(25) + (before - began) / 4, "{pause:?}");
            before = now;
        }
        assert!((SLOWEST_LOOK..=SLOWEST_LOOK + Duration::from_millis(1)).contains(&pause), "{pause:?}");
    }
}
