//! A pair of simulated clusters, a database and people: everything a run needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use muster_domain::{
    ids::PairName,
    pair::{BySide, Direction, Pair, Side},
    people::{Actor, Grant, Role},
    plan::{Plan, PlanRules},
    readiness,
    record::{Run, RunStep},
    run::{Operation, RunState},
};
use muster_kafka::{ClusterAdmin, RecordMover};
use muster_operations::{
    ClientSource, Engine, OperationError, PairClients,
    clients::FlowKey,
    decisions,
    engine::{EngineOptions, Hooks, Moment, Stopped},
    planning::{self, PlanRequest},
    survey::take_survey,
};
use muster_replication::{
    Replication,
    double::{MemoryReplication, SmallWorld, small_world},
};
use muster_routing::{
    Audience, Routing,
    double::{self as routing_double, MemoryRouting},
};
use muster_store::{run_steps, runs, teams::Team, testing::TestDatabase};
use uuid::Uuid;

/// Everything a run needs.
pub(crate) struct Sim {
    pub(crate) small: SmallWorld,
    pub(crate) database: TestDatabase,
    pub(crate) pair: Pair,
    clients: Arc<SimClients>,
    /// The traffic switch.
    pub(crate) switch: MemoryRouting,
    /// What the traffic switch answers to whoever asks it; nothing special while there is none.
    switch_trouble: Arc<Mutex<Option<routing_double::Trouble>>>,
}

struct SimClients(PairClients);

#[async_trait]
impl ClientSource for SimClients {
    async fn pair_clients(&self, _pair: &PairName) -> Result<PairClients, OperationError> {
        Ok(self.0.clone())
    }
}

/// A person with every role for every team; people differ by name.
pub(crate) fn person(name: &str) -> Actor {
    let roles = [Role::Viewer, Role::Operator, Role::Approver, Role::Owner];
    Actor {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        name: name.to_owned(),
        grants: roles.map(|role| Grant { role, team: None }).to_vec(),
    }
}

impl Sim {
    /// A fresh world and a fresh database, with the identity-named pair registered.
    pub(crate) async fn new() -> Self {
        let small = small_world();
        let pair = small.pair.clone();
        Self::with(small, pair).await
    }

    pub(crate) async fn with(small: SmallWorld, pair: Pair) -> Self {
        let database = TestDatabase::new().await;
        let mut conn = database.pool().acquire().await.unwrap();
        let team = Team { name: pair.team.clone(), description: String::new() };
        muster_store::teams::insert(&mut conn, &team).await.unwrap();
        for cluster in [&small.clusters.a, &small.clusters.b] {
            muster_store::clusters::insert(&mut conn, cluster).await.unwrap();
        }
        let pair = muster_store::pairs::insert(&mut conn, &pair).await.unwrap();
        drop(conn);
        let admin =
            |side| -> Arc<dyn ClusterAdmin> { Arc::new(small.world.admin(pair.cluster(side).as_str())) };
        let mover =
            |side| -> Arc<dyn RecordMover> { Arc::new(small.world.mover(pair.cluster(side).as_str())) };
        let flows: BTreeMap<FlowKey, Arc<dyn Replication>> = Side::BOTH
            .into_iter()
            .map(|from| {
                let direction = Direction { from };
                let flow: Arc<dyn Replication> = Arc::new(flow_of(&small, &pair, direction).clone());
                (FlowKey::from(direction), flow)
            })
            .collect();
        let world = small.world.clone();
        let switch_trouble: Arc<Mutex<Option<routing_double::Trouble>>> = Arc::default();
        let asked = Arc::clone(&switch_trouble);
        let switch = MemoryRouting::new(move |audience, cluster, moment| {
            match (moment, audience) {
                (routing_double::Moment::Look, _) => return asked.lock().unwrap().clone(),
                (routing_double::Moment::Effect, Audience::Producers) => world.point_producers(cluster),
                (routing_double::Moment::Effect, Audience::Consumers) => world.point_consumers(cluster),
                (routing_double::Moment::Hold, Audience::Consumers) => world.hold_consumers(),
                _ => {}
            }
            None
        });
        let routing: Vec<Arc<dyn Routing>> = vec![Arc::new(switch.clone())];
        let clients = PairClients {
            pair: pair.clone(),
            clusters: small.clusters.clone(),
            admin: BySide { a: admin(Side::A), b: admin(Side::B) },
            mover: BySide { a: mover(Side::A), b: mover(Side::B) },
            flows,
            routing,
        };
        Self { small, database, pair, clients: Arc::new(SimClients(clients)), switch, switch_trouble }
    }

    /// From now on the traffic switch cannot be asked.
    pub(crate) fn switch_refuses(&self, reason: &str) {
        let trouble = routing_double::Trouble::Fails { reason: reason.to_owned(), may_pass: false };
        *self.switch_trouble.lock().unwrap() = Some(trouble);
    }

    /// Rules that ask nobody and wait for little.
    pub(crate) fn rules() -> PlanRules {
        PlanRules {
            confirm_before_fence: false,
            group_drain_seconds: 1,
            hold_seconds: 1,
            catch_up_seconds: 10,
            max_write_outage_seconds: 120,
            transaction_grace_ms: 20,
            resume_watch_seconds: 5,
            ..PlanRules::default()
        }
    }

    /// A plan to leave a side by a switchover, from a fresh survey.
    pub(crate) async fn plan(&self, from: Side, rules: PlanRules) -> Plan {
        self.plan_of(Operation::Switchover, from, rules).await
    }

    /// A plan from a fresh survey.
    pub(crate) async fn plan_of(&self, operation: Operation, from: Side, rules: PlanRules) -> Plan {
        let previous = take_survey(&self.clients.0, 1, Utc::now()).await;
        self.small.world.ticks(20);
        let survey = take_survey(&self.clients.0, 2, Utc::now()).await;
        let checks =
            readiness::evaluate(&self.pair, &self.small.clusters, &survey, Some(&previous), Utc::now());
        let request =
            PlanRequest { operation, direction: Direction { from }, drill: operation.only_looks(), rules };
        let mut conn = self.database.pool().acquire().await.unwrap();
        planning::make_plan(
            &mut conn,
            &self.pair,
            &self.small.clusters,
            &survey,
            &checks,
            None,
            &request,
            &person("mira"),
            Utc::now(),
        )
        .await
        .unwrap()
    }

    /// A run of a plan, requested by one person, approved by another and started.
    pub(crate) async fn started(&self, plan: &Plan) -> Run {
        assert_eq!(plan.blockers, [], "the plan is blocked");
        let mut conn = self.database.pool().acquire().await.unwrap();
        let run = decisions::request_run(&mut conn, plan, "a test", &person("mira")).await.unwrap();
        decisions::approve(&mut conn, run.id, "fine", &person("jonas")).await.unwrap();
        decisions::start(&mut conn, run.id, &person("mira")).await.unwrap()
    }

    /// A worker. Its lease outlives any pause of a busy machine; a killed worker is expired by hand.
    pub(crate) fn worker(&self, name: &str) -> Engine {
        self.worker_with_lease(name, 60.0)
    }

    /// A worker whose lease runs out after so many seconds.
    pub(crate) fn worker_with_lease(&self, name: &str, lease_seconds: f64) -> Engine {
        self.worker_with(name, EngineOptions { lease_seconds, ..Self::quick() })
    }

    /// A worker that hands a run over after so many milliseconds when it is told to stop.
    pub(crate) fn worker_that_stops_within(&self, name: &str, hand_over_ms: u64) -> Engine {
        self.worker_with(name, EngineOptions { hand_over_ms, ..Self::quick() })
    }

    fn quick() -> EngineOptions {
        EngineOptions { lease_seconds: 60.0, poll_ms: 10, retry_ms: 5, ..EngineOptions::default() }
    }

    fn worker_with(&self, name: &str, options: EngineOptions) -> Engine {
        Engine::new(self.database.pool().clone(), self.clients.clone(), name.to_owned()).with_options(options)
    }

    /// Lets a killed worker's lease run out at once: what waiting for it would do.
    pub(crate) async fn expire_lease(&self, run: Uuid) {
        sqlx::query("update run set lease_until = clock_timestamp() - interval '1 second' where id = $1")
            .bind(run)
            .execute(self.database.pool())
            .await
            .unwrap();
    }

    pub(crate) async fn run(&self, id: Uuid) -> Run {
        let mut conn = self.database.pool().acquire().await.unwrap();
        runs::get(&mut conn, id).await.unwrap().unwrap()
    }

    pub(crate) async fn steps(&self, id: Uuid) -> Vec<RunStep> {
        let mut conn = self.database.pool().acquire().await.unwrap();
        run_steps::list(&mut conn, id).await.unwrap()
    }

    /// Why a run is where it is, for assertions.
    pub(crate) async fn story(&self, id: Uuid) -> String {
        let run = self.run(id).await;
        let steps: Vec<String> = self
            .steps(id)
            .await
            .iter()
            .map(|s| format!("{:26} {:18} {}", s.name, s.state.as_str(), s.sentence))
            .collect();
        format!(
            "run is {}: {}\n{}\n{:#?}",
            run.state.as_str(),
            run.state_reason,
            steps.join("\n"),
            run.outcome
        )
    }

    /// Everything applications hold after a whole switchover: nothing lost, doubled, skipped or read twice.
    pub(crate) fn assert_clean(&self, context: &str) {
        self.small.world.ticks(200);
        let verdict = self.small.world.verdict();
        assert_eq!(verdict.lost, Vec::<String>::new(), "lost records: {context}");
        assert_eq!(verdict.duplicates, Vec::<String>::new(), "doubled records: {context}");
        assert!(!verdict.two_writers, "two sides took writes: {:?} {context}", verdict.open_on_both);
        for (group, judged) in &verdict.groups {
            assert_eq!(judged.skipped, Vec::<String>::new(), "`{group}` skipped: {context}");
            assert_eq!(judged.reprocessed, Vec::<String>::new(), "`{group}` read again: {context}");
        }
    }

    /// ACLs and connector states that a rollback must leave as they were.
    pub(crate) async fn picture(&self) -> String {
        let mut lines = BTreeSet::new();
        for side in Side::BOTH {
            let acls =
                self.clients.0.admin.get(side).acls(&muster_domain::acl::AclFilter::default()).await.unwrap();
            lines.extend(acls.bindings.iter().map(|b| format!("{side:?} {b}")));
            let flow = flow_of(&self.small, &self.pair, Direction { from: side });
            for role in [
                muster_domain::survey::ConnectorRole::Source,
                muster_domain::survey::ConnectorRole::Checkpoint,
                muster_domain::survey::ConnectorRole::Heartbeat,
            ] {
                let state = flow.state(role).await.unwrap().map(|s| s.connector);
                lines.insert(format!("{side:?} {role} {state:?}"));
                if let Ok(config) = flow.config(role).await {
                    lines.extend(config.iter().map(|(key, value)| format!("{side:?} {role} {key}={value}")));
                }
            }
        }
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }
}

/// The flow of one of the two pairs that copies from a side.
fn flow_of<'a>(small: &'a SmallWorld, pair: &Pair, direction: Direction) -> &'a MemoryReplication {
    if pair.name == small.prefixed_pair.name {
        small.clicks.get(direction.from)
    } else {
        small.flow(direction)
    }
}

/// What a test does to a worker.
#[derive(Default)]
pub(crate) struct Trouble {
    kill: Mutex<Option<(String, Moment)>>,
    fail: Mutex<Option<String>>,
}

impl Trouble {
    pub(crate) fn kill(step: &str, moment: Moment) -> Arc<Self> {
        Arc::new(Self { kill: Mutex::new(Some((step.to_owned(), moment))), ..Self::default() })
    }

    pub(crate) fn fail(step: &str) -> Arc<Self> {
        Arc::new(Self { fail: Mutex::new(Some(step.to_owned())), ..Self::default() })
    }

    pub(crate) fn fail_then_kill(fail: &str, step: &str, moment: Moment) -> Arc<Self> {
        Arc::new(Self {
            kill: Mutex::new(Some((step.to_owned(), moment))),
            fail: Mutex::new(Some(fail.to_owned())),
        })
    }
}

impl Hooks for Trouble {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        let mut kill = self.kill.lock().unwrap();
        let here = kill.as_ref().is_some_and(|(name, at)| name == step && *at == moment);
        if here {
            *kill = None;
        }
        here
    }

    fn fail(&self, step: &str) -> bool {
        self.fail.lock().unwrap().as_deref() == Some(step)
    }
}

type Act = Box<dyn FnOnce() + Send>;

/// Something that happens in the world when a worker first comes to a moment of a step.
pub(crate) struct Doing {
    step: &'static str,
    moment: Moment,
    act: Mutex<Option<Act>>,
}

impl Doing {
    pub(crate) fn at(step: &'static str, moment: Moment, act: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { step, moment, act: Mutex::new(Some(Box::new(act))) })
    }
}

impl Hooks for Doing {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        if step == self.step
            && moment == self.moment
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
        false
    }

    fn fail(&self, _step: &str) -> bool {
        false
    }
}

/// Carries a run with a worker that is in trouble, then with healthy ones, until it rests.
pub(crate) async fn carry_through(sim: &Sim, run: Uuid, trouble: Arc<Trouble>) -> RunState {
    match sim.worker("first").with_hooks(trouble).run_pending().await {
        Ok(_) | Err(Stopped::Killed(_)) => {}
        Err(e) => panic!("the worker stopped for another reason: {e}"),
    }
    // What the dead worker had already sent may still hold the run's row, or renew its lease once more; a real worker
    // looks again after a moment too.
    let taken_over = async {
        while sim.run(run).await.state.wants_worker() {
            sim.expire_lease(run).await;
            match sim.worker("second").run_pending().await {
                // Nothing yet, or starved of its database for so long that it let go: the next look adopts the run.
                Ok(0) | Err(Stopped::LeaseLost) => tokio::time::sleep(Duration::from_millis(10)).await,
                Ok(_) => {}
                Err(e) => panic!("the next worker stopped: {e}"),
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(120), taken_over).await.is_err() {
        panic!("no worker takes the run over: {}", sim.story(run).await);
    }
    sim.run(run).await.state
}
