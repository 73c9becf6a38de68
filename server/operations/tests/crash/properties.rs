//! Three properties that every runbook has: repeat each step, fail at each step, die at each step.

use futures_util::{StreamExt, stream};
use muster_domain::{pair::Side, run::RunState};
use muster_operations::{engine::Moment, switchover};

use crate::sim::{Sim, Trouble, carry_through};

/// How many worlds run at once; each waits for its database most of the time.
const AT_ONCE: usize = 6;

fn step_names() -> Vec<&'static str> {
    switchover::steps().iter().map(|step| step.name).collect()
}

fn undoable_names() -> Vec<&'static str> {
    switchover::steps().iter().filter(|step| step.undo.is_some()).map(|step| step.name).collect()
}

async fn for_each<T: Copy + Send + 'static>(cases: Vec<T>, check: impl AsyncFn(T) + Copy) {
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| check(case)).await;
}

/// Dying after the effect and before its outcome makes the next worker do the step again: running it twice must equal
/// running it once.
#[tokio::test(flavor = "multi_thread")]
async fn repeat_each_step() {
    for_each(step_names(), async |name| {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        let state = carry_through(&sim, run.id, Trouble::kill(name, Moment::AfterEffect)).await;
        assert_eq!(state, RunState::Succeeded, "repeating {name}: {}", sim.story(run.id).await);
        sim.assert_clean(&format!("repeating {name}"));
    })
    .await;
}

/// Dying at every other boundary: nothing is committed yet, the intent is, or the outcome is.
#[tokio::test(flavor = "multi_thread")]
async fn die_at_each_step() {
    let moments = [Moment::BeforeIntent, Moment::AfterIntent, Moment::AfterOutcome];
    let cases = step_names().into_iter().flat_map(|name| moments.map(|moment| (name, moment))).collect();
    for_each(cases, async |(name, moment)| {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        let state = carry_through(&sim, run.id, Trouble::kill(name, moment)).await;
        assert_eq!(state, RunState::Succeeded, "dying at {name} {moment:?}: {}", sim.story(run.id).await);
        sim.assert_clean(&format!("dying at {name} {moment:?}"));
    })
    .await;
}

/// A failure before the point of no return takes everything back; after it, the run waits for a person and nothing
/// is lost.
#[tokio::test(flavor = "multi_thread")]
async fn fail_at_each_step() {
    for_each(step_names(), async |name| {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        let state = carry_through(&sim, run.id, Trouble::fail(name)).await;
        let ended = sim.run(run.id).await;
        if ended.no_return_at.is_none() {
            assert_eq!(state, RunState::RolledBack, "failing {name}: {}", sim.story(run.id).await);
            assert_eq!(sim.picture().await, before, "failing {name} left something behind");
            sim.assert_clean(&format!("failing {name}"));
        } else {
            assert_eq!(state, RunState::PausedByFailure, "failing {name}: {}", sim.story(run.id).await);
            let mut conn = sim.database.pool().acquire().await.unwrap();
            let driver = crate::sim::person("mira");
            muster_operations::decisions::retry(&mut conn, run.id, "fixed", &driver).await.unwrap();
            drop(conn);
            sim.worker("third").run_pending().await.unwrap();
            let state = sim.run(run.id).await.state;
            assert_eq!(state, RunState::Succeeded, "retrying {name}: {}", sim.story(run.id).await);
            sim.assert_clean(&format!("failing and retrying {name}"));
        }
    })
    .await;
}

/// Dying inside every undo: the next worker undoes again, and everything is as before.
#[tokio::test(flavor = "multi_thread")]
async fn die_at_each_undo() {
    let moments = [Moment::AfterUndoIntent, Moment::AfterUndoEffect];
    let cases = undoable_names().into_iter().flat_map(|name| moments.map(|moment| (name, moment))).collect();
    for_each(cases, async |(name, moment)| {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        let trouble = Trouble::fail_then_kill("pass_point_of_no_return", name, moment);
        let state = carry_through(&sim, run.id, trouble).await;
        if state == RunState::RolledBack {
            assert_eq!(sim.picture().await, before, "dying in the undo of {name} left something behind");
            sim.assert_clean(&format!("dying in the undo of {name}"));
        } else {
            panic!("dying in the undo of {name} {moment:?}: {}", sim.story(run.id).await);
        }
    })
    .await;
}
