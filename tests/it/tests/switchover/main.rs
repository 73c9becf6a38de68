//! Planned switchovers on the real lab under load: nothing lost, nothing skipped, also when workers die on the way.

mod processes;
mod there_and_back;

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use chrono::Utc;
use muster_domain::{
    pair::{Direction, Side},
    people::{Actor, Grant, Role},
    plan::PlanRules,
    readiness,
    record::Run,
    recorder::explorer::{Mark, MarkKind},
    run::{Operation, RunState},
};
use muster_it::{LabClients, pair};
use muster_lab::{Lab, LabOptions, Workload, WorkloadOptions, address_book_path};
use muster_operations::{
    Engine, decisions,
    engine::{EngineOptions, Hooks, Moment, Stopped},
    planning::{PlanRequest, make_plan},
    survey::take_survey,
};
use muster_store::{marks, run_steps, runs, testing::TestDatabase};
use uuid::Uuid;

/// A lab needs the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Bench {
    lab: Lab,
    _turn: tokio::sync::MutexGuard<'static, ()>,
    database: TestDatabase,
    clients: LabClients,
}

fn person(name: &str) -> Actor {
    let roles = [Role::Operator, Role::Approver];
    Actor {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        name: name.to_owned(),
        grants: roles.map(|role| Grant { role, team: None }).to_vec(),
    }
}

impl Bench {
    async fn start(pair_name: &str) -> anyhow::Result<(Self, Workload)> {
        let turn = ONE_AT_A_TIME.lock().await;
        let lab = Lab::attach_or_start(LabOptions::default()).await?;
        let books = lab.describe().dir.clone();
        let workload = Workload::start(lab.describe(), &books, workload_options()).await?;
        let pair = pair(lab.describe(), pair_name, &address_book_path(&books, pair_name))?;
        let (clients, database) = LabClients::registered(lab.describe(), pair).await?;
        Ok((Self { lab, _turn: turn, database, clients }, workload))
    }

    /// Plans, requests, approves and starts leaving a side. Waits until the survey finds no blocker.
    async fn begin(&self, from: Side, rules: PlanRules) -> anyhow::Result<Run> {
        self.begin_a(Operation::Switchover, from, rules).await
    }

    /// Drills readiness: every look is fine, and nothing on either side is another than before.
    async fn drill_readiness(&self) -> anyhow::Result<()> {
        let acls = async || {
            let everything = muster_domain::acl::AclFilter::default();
            let admin = &self.clients.0.admin;
            Ok::<_, anyhow::Error>((admin.a.acls(&everything).await?, admin.b.acls(&everything).await?))
        };
        let before = acls().await?;
        let run = self.begin_a(Operation::ReadinessDrill, Side::A, rules()).await?;
        self.worker("looks").run_pending().await?;
        let (run, story) = self.story(run.id).await?;
        println!("{story}");
        assert_eq!(run.state, RunState::AwaitingAttestation, "{story}");
        self.is_marked(&run).await?;
        assert!(
            run.outcome.expect("it ended").checks.iter().all(|check| check.passed == Some(true)),
            "{story}"
        );
        let after = acls().await?;
        assert_eq!((before.0.bindings, before.1.bindings), (after.0.bindings, after.1.bindings));
        Ok(())
    }

    /// The lag explorer shows it beside the course of the flow.
    async fn is_marked(&self, run: &Run) -> anyhow::Result<()> {
        let pair = &self.clients.0.pair;
        let other = pair.course(run.direction.reverse());
        let mut conn = self.database.pool().acquire().await?;
        let of = (&pair.name, run.direction, other.as_str());
        let marks = marks::between(&mut conn, of, (run.created_at, Utc::now()), 10).await?;
        let Run { id, number, operation, drill, state, .. } = run;
        let (id, number, operation, drill, state) = (*id, *number, *operation, *drill, *state);
        let from = run.started_at.expect("it was started");
        let expected =
            Mark { from, to: run.ended_at, what: MarkKind::Run { id, number, operation, drill, state } };
        assert!(drill && marks.contains(&expected), "{marks:#?}");
        Ok(())
    }

    async fn begin_a(&self, operation: Operation, from: Side, rules: PlanRules) -> anyhow::Result<Run> {
        let clients = &self.clients.0;
        let mut last = Vec::new();
        for _ in 0..60 {
            let previous = take_survey(clients, 1, Utc::now()).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let survey = take_survey(clients, 2, Utc::now()).await;
            let checks =
                readiness::evaluate(&clients.pair, &clients.clusters, &survey, Some(&previous), Utc::now());
            let request = PlanRequest {
                operation,
                direction: Direction { from },
                drill: operation.only_looks(),
                rules: rules.clone(),
            };
            let mut conn = self.database.pool().acquire().await?;
            let plan = make_plan(
                &mut conn,
                &clients.pair,
                &clients.clusters,
                &survey,
                &checks,
                None,
                &request,
                &person("mira"),
                Utc::now(),
            )
            .await?;
            if !plan.blockers.is_empty() {
                last = plan.blockers;
                continue;
            }
            let run = decisions::request_run(&mut conn, &plan, "lab", &person("mira")).await?;
            if run.state == RunState::AwaitingApproval {
                decisions::approve(&mut conn, run.id, "", &person("jonas")).await?;
            }
            return Ok(decisions::start(&mut conn, run.id, &person("mira")).await?);
        }
        anyhow::bail!("the plan stays blocked: {last:#?}")
    }

    /// A worker with the lease of the product.
    fn worker(&self, name: &str) -> Engine {
        self.worker_with(name, EngineOptions::default().lease_seconds)
    }

    fn worker_with(&self, name: &str, lease_seconds: f64) -> Engine {
        let options = EngineOptions { lease_seconds, poll_ms: 50, retry_ms: 50, ..EngineOptions::default() };
        Engine::new(self.database.pool().clone(), std::sync::Arc::new(self.clients.clone()), name.to_owned())
            .with_options(options)
    }

    async fn story(&self, id: Uuid) -> anyhow::Result<(Run, String)> {
        let mut conn = self.database.pool().acquire().await?;
        let run = runs::get(&mut conn, id).await?.expect("the run is there");
        let steps: Vec<String> = run_steps::list(&mut conn, id)
            .await?
            .iter()
            .map(|s| {
                let ms = s.started_at.zip(s.ended_at).map(|(a, b)| (b - a).num_milliseconds());
                format!("{:26} {:12} {ms:?} ms  {}", s.name, s.state.as_str(), s.sentence)
            })
            .collect();
        let story =
            format!("{}: {}\n{}\n{:#?}", run.state.as_str(), run.state_reason, steps.join("\n"), run.outcome);
        Ok((run, story))
    }
}

/// `fraud` lags, so that a group is moved out while it reads, and still catches up once producers have stopped.
fn workload_options() -> WorkloadOptions {
    WorkloadOptions { fraud_work: Duration::from_millis(6), ..WorkloadOptions::default() }
}

fn rules() -> PlanRules {
    PlanRules {
        confirm_before_fence: false,
        group_drain_seconds: 5,
        resume_watch_seconds: 90,
        ..PlanRules::default()
    }
}

/// What the applications themselves say.
async fn assert_nothing_lost(workload: &mut Workload, cluster: &str) -> anyhow::Result<()> {
    let ledger = workload.finish(Duration::from_secs(180)).await?;
    println!("{}", serde_json::to_string_pretty(&ledger)?);
    let check = workload.check_cluster(cluster).await?;
    println!("{check:#?}");
    for (group, summary) in &ledger.groups {
        assert_eq!(summary.skipped, 0, "group `{group}` skipped records");
        assert_eq!(summary.pending, 0, "group `{group}` was not given all records");
        assert_eq!(summary.reprocessed, 0, "group `{group}` processed records again");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_under_load_loses_nothing() -> anyhow::Result<()> {
    let (bench, mut workload) = Bench::start("orders").await?;
    bench.drill_readiness().await?;
    let run = bench.begin(Side::A, rules()).await?;
    bench.worker("one").run_pending().await?;
    let (run, story) = bench.story(run.id).await?;
    println!("{story}");
    assert_eq!(run.state, RunState::Succeeded, "{story}");
    let outcome = run.outcome.expect("it ended");
    assert_eq!(outcome.lost_records, Some(0));
    assert_nothing_lost(&mut workload, muster_it::CENTRAL).await?;
    Ok(())
}

/// With prefixed names a group gets its exact position on the replica and the beginning of the applications' own topic
/// there: `audit-log` resets to `latest` and would skip what was written before it came otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_with_prefixed_names_skips_nothing() -> anyhow::Result<()> {
    let (bench, mut workload) = Bench::start("clicks").await?;
    bench.drill_readiness().await?;
    let run = bench.begin(Side::A, rules()).await?;
    bench.worker("one").run_pending().await?;
    let (run, story) = bench.story(run.id).await?;
    println!("{story}");
    assert_eq!(run.state, RunState::Succeeded, "{story}");
    assert_eq!(run.outcome.expect("it ended").lost_records, Some(0));
    let moved = workload.ledger().redirects.iter().any(|redirect| redirect.pair == "clicks");
    assert!(moved, "no producer of `clicks` followed");
    assert_nothing_lost(&mut workload, muster_it::CENTRAL).await?;
    Ok(())
}

/// Kills the worker once at each of some steps, chosen from the whole table.
struct KillOnce {
    left: Mutex<BTreeSet<&'static str>>,
}

impl Hooks for KillOnce {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        let mut left = self.left.lock().expect("nobody panics under it");
        moment == Moment::AfterEffect && left.remove(step)
    }

    fn fail(&self, _step: &str) -> bool {
        false
    }
}

/// Five steps drawn by the bytes of a fresh UUID; printed, so that a failure can be repeated with
/// `MUSTER_TEST_DEATHS=step,step,…`.
fn five_random_steps() -> BTreeSet<&'static str> {
    let names: Vec<&'static str> = muster_operations::switchover::steps().iter().map(|s| s.name).collect();
    let mut drawn = BTreeSet::new();
    if let Ok(wanted) = std::env::var("MUSTER_TEST_DEATHS") {
        drawn.extend(names.iter().copied().filter(|name| wanted.split(',').any(|step| step == *name)));
        return drawn;
    }
    for byte in Uuid::new_v4().as_bytes().iter().chain(Uuid::new_v4().as_bytes()) {
        if drawn.len() == 5 {
            break;
        }
        drawn.insert(names[usize::from(*byte) % names.len()]);
    }
    println!("workers die after the effect of {drawn:?}");
    drawn
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_survives_five_deaths_of_its_worker() -> anyhow::Result<()> {
    let (bench, mut workload) = Bench::start("orders").await?;
    let run = bench.begin(Side::A, rules()).await?;
    let hooks = std::sync::Arc::new(KillOnce { left: Mutex::new(five_random_steps()) });
    let (mut deaths, expected) = (0, hooks.left.lock().expect("nobody panics under it").len());
    loop {
        let worker = bench.worker_with(&format!("worker-{deaths}"), 3.0);
        match worker.with_hooks(hooks.clone()).run_pending().await {
            Err(Stopped::Killed(at)) => {
                println!("died at {at}");
                deaths += 1;
            }
            // So short a lease runs out when the machine is busy; the next worker goes on.
            Err(Stopped::LeaseLost) => {}
            Err(e) => return Err(e.into()),
            // Nothing to carry: either the run rests, or the dead worker's lease still runs.
            Ok(0) if bench.story(run.id).await?.0.state.wants_worker() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(_) => break,
        }
    }
    let (run, story) = bench.story(run.id).await?;
    println!("{story}");
    assert_eq!(deaths, expected, "{story}");
    assert_eq!(run.state, RunState::Succeeded, "{story}");
    assert_nothing_lost(&mut workload, muster_it::CENTRAL).await?;
    Ok(())
}
