//! What people may decide, and what a double click or a second operator changes: nothing.

use muster_domain::{pair::Side, run::RunState};
use muster_operations::{OperationError, decisions};

use crate::sim::{Sim, person};

fn code(refused: Result<muster_domain::record::Run, OperationError>) -> String {
    match refused {
        Err(OperationError::Refused(problem)) => problem.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn nobody_approves_their_own_request() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let run = decisions::request_run(&mut conn, &plan, "a test", &person("mira")).await.unwrap();
    assert_eq!(code(decisions::approve(&mut conn, run.id, "", &person("mira")).await), "own-request");
    assert_eq!(code(decisions::start(&mut conn, run.id, &person("mira")).await), "act-does-not-fit-state");
}

#[tokio::test]
async fn a_double_click_changes_nothing() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let again = decisions::start(&mut conn, run.id, &person("mira")).await.unwrap();
    assert_eq!(again.state, RunState::Running);
    assert_eq!(again.started_at, run.started_at);
    let approved = decisions::approve(&mut conn, run.id, "again", &person("jonas")).await.unwrap();
    assert_eq!(approved.state, RunState::Running);
}

#[tokio::test]
async fn a_second_run_of_the_same_pair_is_refused() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    sim.started(&plan).await;
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let second = decisions::request_run(&mut conn, &plan, "another", &person("priya")).await.unwrap();
    decisions::approve(&mut conn, second.id, "", &person("jonas")).await.unwrap();
    assert_eq!(code(decisions::start(&mut conn, second.id, &person("priya")).await), "pair-has-active-run");
}

#[tokio::test]
async fn a_run_of_a_pair_that_was_edited_since_is_not_started() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let run = decisions::request_run(&mut conn, &plan, "a test", &person("mira")).await.unwrap();
    decisions::approve(&mut conn, run.id, "fine", &person("jonas")).await.unwrap();
    muster_store::pairs::update(&mut conn, &sim.pair).await.unwrap();
    assert_eq!(code(decisions::start(&mut conn, run.id, &person("mira")).await), "plan-outdated");
    assert_eq!(sim.run(run.id).await.state, RunState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_final_go_waits_for_a_person() {
    let sim = Sim::new().await;
    let rules = muster_domain::plan::PlanRules { confirm_before_fence: true, ..Sim::rules() };
    let run = sim.started(&sim.plan(Side::A, rules).await).await;
    sim.worker("one").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::WaitingForInput, "{}", sim.story(run.id).await);
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::confirm(&mut conn, run.id, &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("one").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
    sim.assert_clean("after a confirmed go");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_at_the_final_go_takes_everything_back() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let rules = muster_domain::plan::PlanRules { confirm_before_fence: true, ..Sim::rules() };
    let run = sim.started(&sim.plan(Side::A, rules).await).await;
    sim.worker("one").run_pending().await.unwrap();
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::abort(&mut conn, run.id, "not tonight", &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("one").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{}", sim.story(run.id).await);
    assert_eq!(sim.picture().await, before);
}
