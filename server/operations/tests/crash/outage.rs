//! How long writes are away at most: counted from the first time they were fenced, whoever carries the run and however often a
//! person has it tried again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use muster_domain::{
    access,
    acl::AclFilter,
    pair::Side,
    plan::{IfUnproven, PlanRules},
    record::RunStep,
    run::{RunState, StepState},
};
use muster_kafka::ClusterAdmin;
use muster_operations::{
    decisions,
    engine::{Moment, Stopped},
};
use uuid::Uuid;

use crate::sim::{Sim, Trouble, person};

/// A run that waits for a person when something cannot be proven, with its fence tried once in vain.
async fn fenced_in_vain(sim: &Sim, trouble: Arc<Trouble>) -> Uuid {
    let rules = PlanRules { if_unproven: IfUnproven::Wait, ..Sim::rules() };
    let run = sim.started(&sim.plan(Side::A, rules).await).await.id;
    sim.worker("one").with_hooks(trouble).run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::PausedByFailure, "{}", sim.story(run).await);
    run
}

async fn fence(sim: &Sim, run: Uuid) -> RunStep {
    sim.steps(run).await.into_iter().find(|step| step.name == "fence_source").unwrap()
}

/// As if the first attempt had been so long ago.
async fn let_pass(sim: &Sim, run: Uuid, seconds: f64) -> DateTime<Utc> {
    let past = "update run_step set started_at = started_at - make_interval(secs => $2), \
        bound_from = bound_from - make_interval(secs => $2) where run_id = $1 and name = 'fence_source'";
    sqlx::query(past).bind(run).bind(seconds).execute(sim.database.pool()).await.unwrap();
    fence(sim, run).await.started_at.unwrap()
}

async fn try_again(sim: &Sim, run: Uuid) {
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::retry(&mut conn, run, "the broker is back", &person("mira")).await.unwrap();
}

async fn is_fenced(sim: &Sim) -> bool {
    let admin = sim.small.world.admin(sim.pair.cluster(Side::A).as_str());
    let acls = admin.acls(&AclFilter::default()).await.unwrap();
    access::fence_bindings(&["orders.placed".to_owned()]).iter().any(|fence| acls.bindings.contains(fence))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_is_tried_again_by_people_and_processes_began_the_first_time() {
    let sim = Sim::new().await;
    let run = fenced_in_vain(&sim, Trouble::fail("fence_source")).await;
    // Longer than the step's own bound of 30 s, shorter than the outage that the plan allows.
    let first = let_pass(&sim, run, 60.0).await;
    try_again(&sim, run).await;
    let dies = sim.worker("two").with_hooks(Trouble::kill("fence_source", Moment::AfterIntent));
    assert!(matches!(dies.run_pending().await, Err(Stopped::Killed(_))));
    sim.expire_lease(run).await;
    sim.worker("three").run_pending().await.unwrap();
    let story = sim.story(run).await;
    let ended = sim.run(run).await;
    assert_eq!(ended.state, RunState::Succeeded, "{story}");
    let fence = fence(&sim, run).await;
    assert_eq!((fence.started_at, fence.attempt), (Some(first), 3), "{story}");
    let away = ended.outcome.and_then(|outcome| outcome.write_fence_ms).unwrap();
    assert!(away >= 60_000, "writes are said to have been away for {away} ms only: {story}");
    sim.assert_clean("after a fence that was tried three times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_is_tried_again_after_the_longest_outage_does_not_act() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = fenced_in_vain(&sim, Trouble::fail("fence_source")).await;
    let_pass(&sim, run, 121.0).await;
    try_again(&sim, run).await;
    sim.worker("two").run_pending().await.unwrap();
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::PausedByFailure, "{story}");
    let refused = fence(&sim, run).await;
    assert_eq!(refused.state, StepState::Failed, "{story}");
    assert!(refused.sentence.contains("from the first time they were fenced"), "{story}");
    assert!(!is_fenced(&sim).await, "it acted: {story}");

    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::abort(&mut conn, run, "not tonight", &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("three").run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::RolledBack, "{}", sim.story(run).await);
    assert_eq!(sim.picture().await, before, "{}", sim.story(run).await);
    sim.assert_clean("after the way back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_fence_that_was_tried_again_has_what_is_left() {
    let sim = Sim::new().await;
    let run = fenced_in_vain(&sim, Trouble::fail("fence_source")).await;
    try_again(&sim, run).await;
    // The fence stands; the worker dies, and nobody takes the run over for too long.
    let dies = sim.worker("two").with_hooks(Trouble::kill("settle_transactions", Moment::BeforeIntent));
    assert!(matches!(dies.run_pending().await, Err(Stopped::Killed(_))));
    assert!(is_fenced(&sim).await, "{}", sim.story(run).await);
    let_pass(&sim, run, 121.0).await;
    sim.expire_lease(run).await;
    sim.worker("three").run_pending().await.unwrap();
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::PausedByFailure, "{story}");
    assert!(story.contains("settle_transactions        failed"), "{story}");
    assert!(story.contains("from the first time they were fenced"), "{story}");
}
