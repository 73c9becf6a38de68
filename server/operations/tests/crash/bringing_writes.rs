//! Between the point of no return and the first write on the other side a run does not rest: no side might take writes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use muster_domain::{
    pair::Side,
    record::Person,
    run::{RunState, StepState},
};
use muster_kafka::double::{Fault, Faults, World};
use muster_operations::{
    decisions,
    engine::{Hooks, Moment},
};
use uuid::Uuid;

use crate::sim::{Sim, Trouble, person};

async fn state_of(sim: &Sim, run: Uuid, step: &str) -> StepState {
    sim.steps(run).await.into_iter().find(|found| found.name == step).unwrap().state
}

async fn assert_writes_arrived(sim: &Sim, run: Uuid) {
    for step in ["unfence_standby", "redirect_producers", "watch_first_write"] {
        assert_eq!(state_of(sim, run, step).await, StepState::Succeeded, "{step}: {}", sim.story(run).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_waits_until_one_side_takes_writes() {
    for step in ["unfence_standby", "redirect_producers"] {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await.id;
        let dies = sim.worker("one").with_hooks(Trouble::kill(step, Moment::BeforeIntent));
        dies.run_pending().await.unwrap_err();
        assert!(sim.run(run).await.no_return_at.is_some(), "{}", sim.story(run).await);
        let mut conn = sim.database.pool().acquire().await.unwrap();
        let jonas = Person { id: person("jonas").id, name: "jonas".to_owned() };
        muster_store::brake::put(&mut conn, &jonas, "an incident elsewhere").await.unwrap();
        drop(conn);
        sim.expire_lease(run).await;
        sim.worker("two").run_pending().await.unwrap();
        assert_eq!(sim.run(run).await.state, RunState::PausedByOperator, "{}", sim.story(run).await);
        assert_writes_arrived(&sim, run).await;
        // Nothing else was begun.
        let settle = state_of(&sim, run, "convert_source_fence").await;
        assert_eq!(settle, StepState::NotStarted, "{}", sim.story(run).await);

        let mut conn = sim.database.pool().acquire().await.unwrap();
        muster_store::brake::release(&mut conn).await.unwrap();
        decisions::resume(&mut conn, run, &person("mira")).await.unwrap();
        drop(conn);
        sim.worker("three").run_pending().await.unwrap();
        assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{}", sim.story(run).await);
        sim.assert_clean(&format!("after the brake before {step}"));
    }
}

/// Past the point of no return the clusters do not say what their ACLs are, until a step of the read lane has failed and
/// writes were tried to be let in once more since.
struct ReadLaneFails {
    world: World,
    past: AtomicBool,
    failed: AtomicBool,
}

impl Hooks for ReadLaneFails {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        if moment == Moment::AfterOutcome && step == "pass_point_of_no_return" {
            self.world.faults(|faults| faults.always("acls", Fault::Timeout));
            self.past.store(true, Ordering::SeqCst);
        }
        if moment == Moment::AfterOutcome && step == "unfence_standby" && self.failed.load(Ordering::SeqCst) {
            self.world.faults(Faults::clear);
        }
        false
    }

    fn fail(&self, step: &str) -> bool {
        let read_lane = [
            "hold_consumers",
            "fence_consumers",
            "remove_members",
            "translate_groups",
            "write_group_offsets",
            "redirect_consumers",
        ];
        let fails = self.past.load(Ordering::SeqCst) && read_lane.contains(&step);
        if fails {
            self.failed.store(true, Ordering::SeqCst);
        }
        fails
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_to_be_let_in_again_do_not_stop_for_a_reader_that_failed() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await.id;
    let hooks = ReadLaneFails {
        world: sim.small.world.clone(),
        past: AtomicBool::new(false),
        failed: AtomicBool::new(false),
    };
    sim.worker("one").with_hooks(Arc::new(hooks)).run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::PausedByFailure, "{}", sim.story(run).await);
    assert_writes_arrived(&sim, run).await;

    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::retry(&mut conn, run, "the readers are back", &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("two").run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{}", sim.story(run).await);
    sim.assert_clean("after a reader that failed while writes were let in");
}
