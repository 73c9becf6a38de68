//! A go that comes long after everything was looked at: replication is looked at anew before writes are taken away.

use muster_domain::{pair::Side, plan::PlanRules, record::RunStep, run::RunState};
use muster_kafka::double::{Fault, Faults};
use muster_operations::decisions;
use uuid::Uuid;

use crate::sim::{Sim, person};

/// A run that waits for the final go.
async fn waiting(sim: &Sim) -> Uuid {
    let rules = PlanRules { confirm_before_fence: true, ..Sim::rules() };
    let run = sim.started(&sim.plan(Side::A, rules).await).await;
    sim.worker("one").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::WaitingForInput, "{}", sim.story(run.id).await);
    run.id
}

/// Replication was looked at ten hours ago; what was seen then can be used by nobody any more.
async fn ten_hours_pass(sim: &Sim, run: Uuid) {
    sqlx::query(
        "update run_step
        set ended_at = ended_at - interval '10 hours',
            started_at = started_at - interval '10 hours',
            output = '{}'
        where run_id = $1
            and name = 'catch_up'",
    )
    .bind(run)
    .execute(sim.database.pool())
    .await
    .unwrap();
}

async fn say_go(sim: &Sim, run: Uuid) {
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::confirm(&mut conn, run, &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("one").run_pending().await.unwrap();
}

async fn step(sim: &Sim, run: Uuid, name: &str) -> RunStep {
    sim.steps(run).await.into_iter().find(|step| step.name == name).unwrap()
}

/// Nothing was taken away, and everything is as it was.
async fn assert_untouched(sim: &Sim, run: Uuid, before: &str) {
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::RolledBack, "{story}");
    assert_eq!(step(sim, run, "fence_source").await.started_at, None, "{story}");
    assert_eq!(sim.picture().await, before, "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_go_draws_a_new_line_and_all_later_steps_go_by_it() {
    let sim = Sim::new().await;
    let run = waiting(&sim).await;
    ten_hours_pass(&sim, run).await;
    sim.small.world.ticks(200);
    say_go(&sim, run).await;
    let story = sim.story(run).await;
    assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{story}");
    let said = step(&sim, run, "confirm_go").await.sentence;
    assert!(said.starts_with("mira said go; everything up to a line "), "{said}");
    sim.assert_clean("after a late go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_go_waits_for_nothing() {
    let sim = Sim::new().await;
    let run = waiting(&sim).await;
    let question = step(&sim, run, "confirm_go").await.question.unwrap();
    assert!(question.figures.iter().any(|(label, value)| label == "Looked at" && value.ends_with(" UTC")));
    say_go(&sim, run).await;
    assert_eq!(step(&sim, run, "confirm_go").await.sentence, "mira said go");
    assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{}", sim.story(run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_stood_still_meanwhile_is_found_before_writes_are_taken_away() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = waiting(&sim).await;
    ten_hours_pass(&sim, run).await;
    sim.small.world.faults(|faults| faults.always("committed_offsets", Fault::Timeout));
    say_go(&sim, run).await;
    sim.small.world.faults(Faults::clear);
    let said = step(&sim, run, "confirm_go").await.sentence;
    assert!(said.contains("replication catching up: not within"), "{said}");
    assert_untouched(&sim, run, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_of_another_day_takes_nothing_away() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = waiting(&sim).await;
    ten_hours_pass(&sim, run).await;
    sqlx::query(
        "update run_step
        set bound_from = bound_from - interval '26 hours'
        where run_id = $1
            and name = 'confirm_go'",
    )
    .bind(run)
    .execute(sim.database.pool())
    .await
    .unwrap();
    say_go(&sim, run).await;
    let said = step(&sim, run, "confirm_go").await.sentence;
    assert!(said.contains("more than a day after it was asked for"), "{said}");
    assert_untouched(&sim, run, &before).await;
}
