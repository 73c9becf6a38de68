//! A switchover without trouble, there and back.

use muster_domain::{pair::Side, run::RunState};

use crate::sim::Sim;

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_moves_everything_and_loses_nothing() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let run = sim.started(&plan).await;
    sim.worker("one").run_pending().await.unwrap();
    let ended = sim.run(run.id).await;
    assert_eq!(ended.state, RunState::Succeeded, "{}", sim.story(run.id).await);
    let outcome = ended.outcome.unwrap();
    assert_eq!(outcome.lost_records, Some(0));
    assert!(outcome.reprocessed_by_group.values().all(|n| *n == Some(0)), "{outcome:#?}");
    sim.assert_clean("after a switchover");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_again_is_clean_too() {
    let sim = Sim::new().await;
    for from in [Side::A, Side::B, Side::A] {
        let plan = sim.plan(from, Sim::rules()).await;
        let run = sim.started(&plan).await;
        sim.worker("one").run_pending().await.unwrap();
        assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
        sim.assert_clean(&format!("after leaving {from:?}"));
    }
}
