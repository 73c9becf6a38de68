//! The drill that only looks: it changes nothing, whatever happens, and says what it found.

use muster_domain::{
    pair::Side,
    record::Run,
    run::{Operation, RunState},
};
use muster_kafka::double::{Fault, Faults, Payload};
use muster_operations::{decisions, engine::Moment, switchover::readiness_drill};
use muster_store::findings::{self, FindingFilter};

use crate::sim::{Sim, Trouble, carry_through, person};

async fn begun(sim: &Sim) -> Run {
    let plan = sim.plan_of(Operation::ReadinessDrill, Side::A, Sim::rules()).await;
    assert_eq!(plan.blockers, [], "the plan is blocked");
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let asked = decisions::request_run(&mut conn, &plan, "a test", &person("mira")).await.unwrap();
    assert_eq!((asked.state, asked.approvals_needed), (RunState::Approved, 0), "nobody has to allow it");
    decisions::start(&mut conn, asked.id, &person("mira")).await.unwrap()
}

/// How each check came out, by name.
async fn passed(sim: &Sim, run: &Run) -> Vec<(String, Option<bool>)> {
    let ended = sim.run(run.id).await;
    let story = sim.story(run.id).await;
    assert_eq!(ended.state, RunState::AwaitingAttestation, "{story}");
    ended.outcome.expect(&story).checks.into_iter().map(|check| (check.name, check.passed)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_drill_looks_and_changes_nothing() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = begun(&sim).await;
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    assert_eq!(checks.len(), readiness_drill::steps().len());
    assert!(checks.iter().all(|(_, passed)| *passed == Some(true)), "{}", sim.story(run.id).await);
    assert_eq!(sim.picture().await, before);
    sim.assert_clean("after a readiness drill");
}

/// What nobody should: a record on the standby that did not come from the active side.
fn write_into_the_copy(sim: &Sim) {
    let foreign =
        Payload { timestamp: 1, key: None, value: Some(b"foreign".to_vec().into()), headers: Vec::new() };
    let mut state = sim.small.world.lock();
    let topic =
        state.cluster_mut(sim.pair.cluster(Side::B).as_str()).topics.get_mut("orders.placed").unwrap();
    topic.partitions[0].append(foreign, 0, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_a_check_that_failed_and_a_finding() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = begun(&sim).await;
    write_into_the_copy(&sim);
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    let of = |name: &str| checks.iter().find(|(known, _)| known == name).map(|(_, passed)| *passed);
    assert_eq!(of("compare_recent_content"), Some(Some(false)), "{}", sim.story(run.id).await);
    assert_eq!(of("survey_again"), Some(Some(true)));
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let filter = FindingFilter { run: Some(run.id), ..FindingFilter::default() };
    let found = findings::list(&mut conn, &filter, None, 9).await.unwrap();
    assert!(found.iter().any(|finding| finding.text.contains("orders.placed")), "{found:#?}");
    assert_eq!(sim.picture().await, before);
}

/// Connect answers nothing at all: what rests on it is unknown, everything else is looked at all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_gets_no_answer_is_unknown_and_never_passed() {
    let sim = Sim::new().await;
    let run = begun(&sim).await;
    sim.small.world.faults(|faults| faults.always("committed_offsets", Fault::Timeout));
    sim.worker("one").run_pending().await.unwrap();
    sim.small.world.faults(Faults::clear);
    let checks = passed(&sim, &run).await;
    let of = |name: &str| checks.iter().find(|(known, _)| known == name).map(|(_, passed)| *passed);
    for name in ["catch_up", "rehearse_translation", "compare_recent_content"] {
        assert_ne!(of(name), Some(Some(true)), "{name}: {}", sim.story(run.id).await);
    }
    assert_eq!(of("calibrate_fence_probe"), Some(Some(true)), "{}", sim.story(run.id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_its_workers_death_at_each_step() {
    for step in readiness_drill::steps() {
        for moment in [Moment::BeforeIntent, Moment::AfterIntent, Moment::AfterEffect, Moment::AfterOutcome] {
            let sim = Sim::new().await;
            let before = sim.picture().await;
            let run = begun(&sim).await;
            let state = carry_through(&sim, run.id, Trouble::kill(step.name, moment)).await;
            let story = sim.story(run.id).await;
            assert_eq!(state, RunState::AwaitingAttestation, "dying at {} {moment:?}: {story}", step.name);
            assert!(passed(&sim, &run).await.iter().all(|(_, passed)| *passed == Some(true)), "{story}");
            assert_eq!(sim.picture().await, before);
        }
    }
}
