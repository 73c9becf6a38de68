//! A process that is told to stop gives its runs back at once, between two steps if it can.

use std::sync::Arc;

use muster_domain::{
    pair::Side,
    run::{RunState, StepState},
};
use muster_operations::engine::{Hooks, Moment};
use muster_store::run_leases;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::sim::{Sim, Trouble};

/// Tells the process to stop at a moment, and may make a step fail before.
struct StopAt {
    step: &'static str,
    moment: Moment,
    trouble: Arc<Trouble>,
    stop: CancellationToken,
}

impl StopAt {
    fn new(step: &'static str, moment: Moment) -> Self {
        Self { step, moment, trouble: Arc::default(), stop: CancellationToken::new() }
    }
}

impl Hooks for StopAt {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        if step == self.step && moment == self.moment {
            self.stop.cancel();
        }
        false
    }

    fn fail(&self, step: &str) -> bool {
        self.trouble.fail(step)
    }
}

/// Carries a run with a process that is told to stop, until that has stopped.
async fn carry_until_stopped(sim: &Sim, hooks: StopAt, hand_over_ms: u64) {
    let stop = hooks.stop.clone();
    sim.worker_that_stops_within("first", hand_over_ms).with_hooks(Arc::new(hooks)).run_until(stop).await;
}

/// Nobody has the run now, and nobody gets it back by a renewal that comes late.
async fn assert_given_back(sim: &Sim, run: Uuid) {
    let (owner, free, epoch): (Option<String>, bool, i64) =
        sqlx::query_as("select lease_owner, lease_until is null, epoch from run where id = $1")
            .bind(run)
            .fetch_one(sim.database.pool())
            .await
            .unwrap();
    assert_eq!((owner, free, epoch), (None, true, 1));
    let mut conn = sim.database.conn().await;
    assert!(!run_leases::renew(&mut conn, run, 1, 60.0).await.unwrap(), "a late renewal took it back");
}

async fn took_over(sim: &Sim, run: Uuid) -> i64 {
    sqlx::query_scalar(
        "select count(*) from run_event where run_id = $1 and message like '%took the run over%'",
    )
    .bind(run)
    .fetch_one(sim.database.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_ends_its_step_and_the_next_process_goes_on_after_it() {
    for step in ["survey_again", "fence_source", "translate_groups"] {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        carry_until_stopped(&sim, StopAt::new(step, Moment::AfterIntent), 60_000).await;
        assert_given_back(&sim, run.id).await;
        let steps = sim.steps(run.id).await;
        let stopped = steps.iter().find(|s| s.name == step).unwrap();
        assert_eq!(stopped.state, StepState::Succeeded, "{step}: {}", sim.story(run.id).await);
        let rest = [StepState::Succeeded, StepState::NotStarted];
        assert!(steps.iter().all(|s| rest.contains(&s.state)), "{step}: {}", sim.story(run.id).await);
        assert!(steps.iter().any(|s| s.state == StepState::NotStarted), "it went on after `{step}`");

        sim.worker("second").run_pending().await.unwrap();
        assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
        let steps = sim.steps(run.id).await;
        assert_eq!(steps.iter().find(|s| s.name == step).unwrap().attempt, 1, "`{step}` was done again");
        assert_eq!(took_over(&sim, run.id).await, 0, "nothing was in the middle");
        sim.assert_clean(step);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_does_not_end_in_time_is_left_to_the_next_process() {
    for step in ["fence_source", "unfence_standby", "watch_groups"] {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        carry_until_stopped(&sim, StopAt::new(step, Moment::AfterIntent), 0).await;
        assert_given_back(&sim, run.id).await;
        assert_eq!(sim.run(run.id).await.state, RunState::Running, "{step}");
        sim.worker("second").run_pending().await.unwrap();
        assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
        sim.assert_clean(step);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_handed_over_too() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let stop = StopAt {
        trouble: Trouble::fail("mark_cut_line"),
        ..StopAt::new("fence_source", Moment::AfterUndoIntent)
    };
    carry_until_stopped(&sim, stop, 60_000).await;
    assert_given_back(&sim, run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RollingBack, "{}", sim.story(run.id).await);
    let undone = sim.steps(run.id).await;
    assert!(undone.iter().all(|s| s.state != StepState::Undoing), "{}", sim.story(run.id).await);
    sim.worker("second").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{}", sim.story(run.id).await);
    assert_eq!(sim.picture().await, before);
    sim.assert_clean("after an undo by two processes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_takes_no_run() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let stop = CancellationToken::new();
    stop.cancel();
    sim.worker("stopping").run_until(stop).await;
    let epoch: i64 = sqlx::query_scalar("select epoch from run where id = $1")
        .bind(run.id)
        .fetch_one(sim.database.pool())
        .await
        .unwrap();
    assert_eq!(epoch, 0, "it had the run");
}
