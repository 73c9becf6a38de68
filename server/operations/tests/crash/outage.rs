//! How long writes are away at most: counted from the first time they were fenced, whoever carries the run and however often a
//! person has it tried again. They return first on the way back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use muster_domain::{
    access,
    acl::AclFilter,
    pair::Side,
    plan::{IfUnproven, PlanRules},
    record::{Person, RunStep},
    run::RunState,
};
use muster_kafka::{
    ClusterAdmin,
    double::{Fault, Faults},
};
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
    // It would die if it acted.
    let acts = Trouble::kill("fence_source", Moment::AfterIntent);
    sim.worker("two").with_hooks(acts).run_pending().await.unwrap();
    let story = sim.story(run).await;
    // Though its plan says to wait: no person could do anything else now.
    let ended = sim.run(run).await;
    assert_eq!(ended.state, RunState::RolledBack, "{story}");
    assert!(ended.state_reason.contains("from the first time they were fenced"), "{story}");
    assert!(!is_fenced(&sim).await, "{story}");
    assert_eq!(sim.picture().await, before, "{story}");
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
    assert_eq!(sim.run(run).await.state, RunState::RolledBack, "{story}");
    assert!(story.contains("settle_transactions        failed"), "{story}");
    assert!(story.contains("from the first time they were fenced"), "{story}");
    assert!(!is_fenced(&sim).await, "writes did not return: {story}");
}

/// Where a version that knew no bound of a new attempt had the fence tried again, as it may during an upgrade.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_an_earlier_version_began_again_has_all_its_time() {
    let sim = Sim::new().await;
    let run = fenced_in_vain(&sim, Trouble::fail("fence_source")).await;
    try_again(&sim, run).await;
    let earlier = "update run_step set started_at = null, bound_from = clock_timestamp() - interval '1 minute' \
        where run_id = $1 and name = 'fence_source'";
    sqlx::query(earlier).bind(run).execute(sim.database.pool()).await.unwrap();
    sim.worker("two").run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{}", sim.story(run).await);
    assert_eq!(fence(&sim, run).await.attempt, 2, "{}", sim.story(run).await);
}

/// The standby's Connect refuses to start the flow again, so the way back fails there.
#[tokio::test(flavor = "multi_thread")]
async fn writes_return_though_another_undo_fails_and_the_brake_is_no_reason_to_leave_the_rest() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await.id;
    sim.small.world.faults(|faults| faults.always("resume", Fault::Code(403)));
    sim.worker("one").with_hooks(Trouble::fail("mark_target_ends")).run_pending().await.unwrap();
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::Stuck, "{story}");
    assert!(story.contains("stop_flow                  undo_failed"), "{story}");
    assert!(!is_fenced(&sim).await, "writes stay away: {story}");

    sim.small.world.faults(Faults::clear);
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let jonas = Person { id: person("jonas").id, name: "jonas".to_owned() };
    muster_store::brake::put(&mut conn, &jonas, "an incident elsewhere").await.unwrap();
    decisions::retry(&mut conn, run, "Connect is back", &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("two").run_pending().await.unwrap();
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::RolledBack, "{story}");
    assert!(story.contains("mark_target_ends           failed"), "what failed is forgotten: {story}");
    assert_eq!(sim.picture().await, before, "{story}");
    sim.assert_clean("after a way back in two parts");
}
