//! What goes wrong around a run: each is caused here, and nothing may be lost or left half-done.

use std::{sync::Arc, time::Duration};

use muster_domain::{
    pair::{Direction, Side},
    run::RunState,
    survey::{ConnectState, ConnectorRole},
};
use muster_kafka::double::{Fault, When};
use muster_operations::{
    decisions,
    engine::{Hooks, Moment, Stopped},
};
use muster_store::testing::TestDatabase;
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::sim::{Doing, Sim, person};

/// Tells a test that a step has come to a moment.
struct Bell {
    step: &'static str,
    moment: Moment,
    rung: Notify,
}

impl Bell {
    fn at(step: &'static str, moment: Moment) -> Arc<Self> {
        Arc::new(Self { step, moment, rung: Notify::new() })
    }
}

impl Hooks for Bell {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        if step == self.step && moment == self.moment {
            self.rung.notify_one();
        }
        false
    }

    fn fail(&self, _step: &str) -> bool {
        false
    }
}

/// A run that ended well, or went all the way back.
async fn assert_whole(sim: &Sim, run: Uuid, before: &str, context: &str) {
    let state = sim.run(run).await.state;
    if state == RunState::RolledBack {
        assert_eq!(sim.picture().await, before, "{context}: {}", sim.story(run).await);
    } else {
        assert_eq!(state, RunState::Succeeded, "{context}: {}", sim.story(run).await);
    }
    sim.assert_clean(context);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_stops_and_the_next_one_finishes() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let bell = Bell::at("fence_source", Moment::AfterIntent);
    let first = sim.worker("first").with_hooks(bell.clone());
    let carrying = tokio::spawn(async move { first.run_pending().await });
    bell.rung.notified().await;
    sim.expire_lease(run.id).await;
    sim.worker("second").run_pending().await.unwrap();
    let stopped = carrying.await.unwrap();
    assert!(matches!(stopped, Err(Stopped::LeaseLost)), "the first worker went on: {stopped:?}");
    assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
    sim.assert_clean("after the lease was lost");
}

/// The database refuses everybody while writes are away, for three times the length of the lease: what half a minute is
/// to the lease of 10 s.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_gone_in_the_middle_loses_nothing() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let bell = Bell::at("fence_source", Moment::AfterEffect);
    let stop = CancellationToken::new();
    let worker = sim.worker_with_lease("one", 1.0).with_hooks(bell.clone());
    let shutdown = stop.clone();
    let carrying = tokio::spawn(async move { worker.run_until(shutdown).await });
    bell.rung.notified().await;
    let mut gate = Gate::close(&sim.database).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    gate.open().await;
    let ended = async {
        while sim.run(run.id).await.state.wants_worker() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), ended)
        .await
        .expect("the run goes on once Postgres is back");
    stop.cancel();
    carrying.await.unwrap();
    assert_whole(&sim, run.id, &before, "after Postgres was gone").await;
}

/// Keeps everybody out of a test's database.
struct Gate {
    admin: PgConnection,
    name: String,
}

impl Gate {
    async fn close(database: &TestDatabase) -> Self {
        let options = database.connect_options();
        let name = options.get_database().unwrap().to_owned();
        let admin = PgConnection::connect_with(&options.database("postgres")).await.unwrap();
        let mut gate = Self { admin, name };
        gate.set(false).await;
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
            .bind(&gate.name)
            .execute(&mut gate.admin)
            .await
            .unwrap();
        gate
    }

    async fn open(&mut self) {
        self.set(true).await;
    }

    async fn set(&mut self, allowed: bool) {
        let sql = format!("alter database {} with allow_connections {allowed}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.admin).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_under_the_fence_is_named_and_everything_goes_back() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let world = sim.small.world.clone();
    let west = sim.pair.cluster(Side::A).to_string();
    let hooks = Doing::at("settle_transactions", Moment::BeforeIntent, move || {
        world.lock().cluster_mut(&west).topics.remove("orders.shipped");
    });
    sim.worker("one").with_hooks(hooks).run_pending().await.unwrap();
    let ended = sim.run(run.id).await;
    let story = sim.story(run.id).await;
    assert!(story.contains("orders.shipped"), "the topic is not named: {story}");
    assert_eq!(ended.no_return_at, None, "{story}");
    // Undo cannot give the topic back; all else must be as before.
    assert_eq!(ended.state, RunState::RolledBack, "{story}");
    let admin = sim.small.world.admin(sim.pair.cluster(Side::A).as_str());
    let fences = muster_domain::access::fence_bindings(&["orders.placed".to_owned()]);
    let acls =
        muster_kafka::ClusterAdmin::acls(&admin, &muster_domain::acl::AclFilter::default()).await.unwrap();
    assert!(fences.iter().all(|fence| !acls.bindings.contains(fence)), "still fenced: {story}");
}

/// From the moment consumers are asked to wait until that step is over, the source says nothing about groups.
struct Silence(muster_kafka::double::World);

impl Hooks for Silence {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        if step == "hold_consumers" && moment == Moment::AfterIntent {
            self.0.faults(|faults| faults.always("describe_groups", Fault::Timeout));
        } else if step == "hold_consumers" && moment == Moment::AfterEffect {
            self.0.faults(muster_kafka::double::Faults::clear);
        }
        false
    }

    fn fail(&self, _step: &str) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_say_who_left_is_not_taken_for_empty_groups() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let run = sim.started(&plan).await;
    let hooks = Silence(sim.small.world.clone());
    sim.worker("one").with_hooks(Arc::new(hooks)).run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{story}");
    let steps = sim.steps(run.id).await;
    let held = steps.iter().find(|step| step.name == "hold_consumers").unwrap();
    assert!(!plan.content.groups.is_empty());
    for group in &plan.content.groups {
        assert!(held.sentence.contains(group), "`{group}` is said to have left: {}", held.sentence);
    }
    sim.assert_clean("after a source that did not say who left");
}

/// Somebody resumes the connector right after Muster stopped it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_restarted_by_somebody_is_noticed_before_the_point_of_no_return() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let flow = sim.small.flow(Direction { from: Side::A }).clone();
    let resume = move || {
        let mut flow = flow.flow();
        let connector = flow.connectors.get_mut(&ConnectorRole::Source).unwrap();
        connector.state = ConnectState::Running;
        connector.tasks = vec![ConnectState::Running];
    };
    let hooks = Doing::at("mark_target_ends", Moment::BeforeIntent, resume);
    sim.worker("one").with_hooks(hooks).run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
    assert_eq!(sim.picture().await, before, "{story}");
    sim.assert_clean("after somebody resumed the connector");
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_that_rebalances_or_fails_for_a_while_is_asked_again() {
    for (status, when) in [(409, When::Before), (500, When::Before), (500, When::After)] {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        sim.small.world.faults(|faults| {
            for verb in ["stop", "resume", "change_config", "set_committed_offsets"] {
                faults.fail(verb, 1, when, Fault::Code(status));
            }
        });
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        sim.worker("one").run_pending().await.unwrap();
        assert_whole(&sim, run.id, &before, &format!("after Connect answered {status} {when:?}")).await;
    }
}

/// About one call in fifty times out, before or after its effect, on any room: the run ends well, goes all the way
/// back, or past the point of no return waits for a person and then ends well.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_time_out_here_and_there_leave_nothing_half_done() {
    for seed in [3, 17, 29, 71, 113, 977] {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        sim.small.world.faults(|faults| faults.seeded(seed, 50));
        sim.worker("one").run_pending().await.unwrap();
        sim.small.world.faults(muster_kafka::double::Faults::clear);
        let state = sim.run(run.id).await.state;
        if matches!(state, RunState::PausedByFailure | RunState::Stuck) {
            let mut conn = sim.database.pool().acquire().await.unwrap();
            decisions::retry(&mut conn, run.id, "the network is back", &person("mira")).await.unwrap();
            drop(conn);
            sim.worker("two").run_pending().await.unwrap();
        }
        assert_whole(&sim, run.id, &before, &format!("with seed {seed}")).await;
    }
}
