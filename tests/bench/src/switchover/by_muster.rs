//! The switchover as Muster carries it out: planned, approved and driven by its engine with a real PostgreSQL.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use chrono::Utc;
use muster_domain::{
    pair::{Direction, Side},
    people::{Actor, Grant, Role},
    plan::{Plan, PlanRules},
    readiness,
    run::{Operation, RunState},
};
use muster_it::{LabClients, pair};
use muster_lab::address_book_path;
use muster_operations::{
    Engine, decisions,
    engine::EngineOptions,
    planning::{PlanRequest, make_plan},
    survey::take_survey,
};
use muster_store::{run_steps, runs, testing::TestDatabase};
use uuid::Uuid;

use super::{
    stage::{PAIR, Stage},
    verdict::{Verdict, judge},
};

const ATTEMPTS: usize = 60;

/// Answers with the verdict, how long applications had been running when it began, and its steps.
pub(super) async fn measure() -> Result<(Verdict, Duration, String)> {
    let mut stage = Stage::start().await?;
    let lab = stage.lab.describe();
    let described = pair(lab, PAIR, &address_book_path(&lab.dir, PAIR))?;
    let (clients, database) = LabClients::registered(lab, described).await?;
    let plan = plan_without_blockers(&database, &clients).await?;
    let mut conn = database.pool().acquire().await?;
    let run = decisions::request_run(&mut conn, &plan, "benchmark", &person("mira")).await?;
    decisions::approve(&mut conn, run.id, "", &person("jonas")).await?;
    let warm_up = stage.since.elapsed();
    let began = Instant::now();
    let run = decisions::start(&mut conn, run.id, &person("mira")).await?;
    let options = EngineOptions { lease_seconds: 3.0, poll_ms: 50, retry_ms: 50, ..EngineOptions::default() };
    let engine = Engine::new(database.pool().clone(), Arc::new(clients), "bench".to_owned());
    engine.with_options(options).run_pending().await?;
    let total = began.elapsed();
    let ended = runs::get(&mut conn, run.id).await?.context("the run is gone")?;
    let mut steps = String::new();
    for step in run_steps::list(&mut conn, run.id).await? {
        let spent = step.started_at.zip(step.ended_at).map_or(0, |(from, to)| (to - from).num_milliseconds());
        writeln!(steps, "{spent:>6} ms  {}", step.name)?;
    }
    ensure!(ended.state == RunState::Succeeded, "{}: {}\n{steps}", ended.state.as_str(), ended.state_reason);
    Ok((judge(&mut stage, total).await?, warm_up, steps))
}

/// Surveys settle within seconds of a start, so a blocked plan is made again.
async fn plan_without_blockers(database: &TestDatabase, clients: &LabClients) -> Result<Plan> {
    let clients = &clients.0;
    let mut blockers = Vec::new();
    for _ in 0..ATTEMPTS {
        let previous = take_survey(clients, 1, Utc::now()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let survey = take_survey(clients, 2, Utc::now()).await;
        let checks =
            readiness::evaluate(&clients.pair, &clients.clusters, &survey, Some(&previous), Utc::now());
        let request = PlanRequest {
            operation: Operation::Switchover,
            direction: Direction { from: Side::A },
            drill: false,
            rules: PlanRules {
                confirm_before_fence: false,
                group_drain_seconds: 5,
                resume_watch_seconds: 90,
                ..PlanRules::default()
            },
        };
        let mut conn = database.pool().acquire().await?;
        let (pair, clusters) = (&clients.pair, &clients.clusters);
        let (person, now) = (person("mira"), Utc::now());
        let plan =
            make_plan(&mut conn, pair, clusters, &survey, &checks, None, &request, &person, now).await?;
        if plan.blockers.is_empty() {
            return Ok(plan);
        }
        blockers = plan.blockers;
    }
    bail!("the plan stays blocked: {blockers:#?}")
}

fn person(name: &str) -> Actor {
    let roles = [Role::Operator, Role::Approver];
    Actor {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        name: name.to_owned(),
        grants: roles.map(|role| Grant { role, team: None }).to_vec(),
    }
}
