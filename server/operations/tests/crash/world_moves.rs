//! The world goes on between plan, start and fence: what the plan does not know is found before anything is lost of it, and
//! what was promised to people holds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_domain::{
    group::{CommittedOffset, GroupType},
    pair::{Direction, Side},
    plan::{IfUnproven, PlanRules},
    record::Person,
    run::{Operation, RunState, StepState},
    survey::{ConnectState, ConnectorRole},
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin,
    double::{Group, Log},
};
use muster_operations::{
    OperationError, decisions,
    engine::{Moment, Stopped},
};
use muster_replication::Replication;
use muster_store::run_leases::{self, Wanted};
use uuid::Uuid;

use crate::sim::{Doing, Sim, Trouble, person};

const TOPIC: &str = "orders.placed";

fn waiting_rules() -> PlanRules {
    PlanRules { confirm_before_fence: true, ..Sim::rules() }
}

/// Changes the cluster that applications leave.
fn on_source(sim: &Sim, change: impl FnOnce(&mut muster_kafka::double::ClusterState)) {
    change(sim.small.world.lock().cluster_mut(sim.pair.cluster(Side::A).as_str()));
}

async fn sentence(sim: &Sim, run: Uuid, step: &str) -> String {
    let steps = sim.steps(run).await;
    steps.into_iter().find(|found| found.name == step).unwrap().sentence
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_or_group_that_came_after_the_plan_stops_the_run_before_anything_is_changed() {
    for late in ["orders.late", "late-readers"] {
        let sim = Sim::new().await;
        let plan = sim.plan(Side::A, Sim::rules()).await;
        if late == "orders.late" {
            on_source(&sim, |cluster| {
                cluster.create_topic(late, 1).unwrap();
            });
        } else {
            let position = CommittedOffset { offset: 0, metadata: String::new(), leader_epoch: None };
            let positions = BTreeMap::from([(TopicPartition::new(TOPIC, 0), position)]);
            let admin = sim.small.world.admin(sim.pair.cluster(Side::A).as_str());
            admin.alter_group_offsets(late, &positions).await.unwrap();
        }
        let before = sim.picture().await;
        let run = sim.started(&plan).await;
        sim.worker("one").run_pending().await.unwrap();
        let story = sim.story(run.id).await;
        assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
        assert!(sentence(&sim, run.id, "survey_again").await.contains(&format!("`{late}`")), "{story}");
        assert_eq!(sim.picture().await, before, "{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traffic_switch_that_cannot_be_used_is_found_before_anything_is_changed() {
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let before = sim.picture().await;
    sim.switch_refuses("connection refused");
    let run = sim.started(&plan).await;
    sim.worker("one").run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
    let said = sentence(&sim, run.id, "survey_again").await;
    assert!(said.contains("connection refused. Applications could not be told"), "{said}: {story}");
    assert_eq!(sim.picture().await, before, "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_a_person_is_waited_for_is_found_under_the_fence_and_goes_back() {
    type Change = fn(&mut muster_kafka::double::ClusterState);
    let changes: [(&str, Change); 4] = [
        ("has 3 partitions instead of 2", |cluster| {
            cluster.topics.get_mut("orders.shipped").unwrap().partitions.push(Log::default());
        }),
        ("`orders.late` belongs to the pair", |cluster| {
            cluster.create_topic("orders.late", 1).unwrap();
        }),
        ("`orders.placed` was made anew", |cluster| {
            cluster.topics.get_mut(TOPIC).unwrap().id = Uuid::new_v4();
        }),
        ("group `late-readers` is not in the plan", |cluster| {
            commits_first(cluster, "late-readers", TOPIC);
        }),
    ];
    for (said, change) in changes {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        let run = sim.started(&sim.plan(Side::A, waiting_rules()).await).await;
        sim.worker("one").run_pending().await.unwrap();
        on_source(&sim, change);
        let mut conn = sim.database.pool().acquire().await.unwrap();
        decisions::confirm(&mut conn, run.id, &person("mira")).await.unwrap();
        drop(conn);
        sim.worker("one").run_pending().await.unwrap();
        let story = sim.story(run.id).await;
        assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
        assert!(sentence(&sim, run.id, "mark_cut_line").await.contains(said), "{said}: {story}");
        assert_eq!(sim.picture().await, before, "{story}");
    }
}

/// A group that has committed nothing before commits its first position, in a topic.
fn commits_first(cluster: &mut muster_kafka::double::ClusterState, group: &str, topic: &str) {
    let position = CommittedOffset { offset: 0, metadata: String::new(), leader_epoch: None };
    let with_a_position = Group {
        kind: GroupType::Classic,
        protocol_type: "consumer".to_owned(),
        members: Vec::new(),
        offsets: BTreeMap::from([(TopicPartition::new(topic, 0), position)]),
    };
    cluster.groups.insert(group.to_owned(), with_a_position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_begins_to_read_topics_of_others_meanwhile_stops_nothing() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, waiting_rules()).await).await;
    sim.worker("one").run_pending().await.unwrap();
    on_source(&sim, |cluster| commits_first(cluster, "late-clicks", "clicks.page"));
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::confirm(&mut conn, run.id, &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("one").run_pending().await.unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
    sim.assert_clean("after a group of others began to read");
}

/// Just before the fence a replica in sync stops following: what is written then is acknowledged with `acks=1`, and nobody can
/// read it.
fn replica_stops(sim: &Sim) -> Arc<Doing> {
    let (world, west) = (sim.small.world.clone(), sim.pair.cluster(Side::A).to_string());
    Doing::at("fence_source", Moment::BeforeIntent, move || {
        let logs = |change: fn(&mut Log)| {
            let mut state = world.lock();
            state.cluster_mut(&west).topics.get_mut(TOPIC).unwrap().partitions.iter_mut().for_each(change);
        };
        logs(Log::stop_replicas);
        world.ticks(30);
    })
}

fn replicas_follow(sim: &Sim) {
    on_source(sim, |cluster| {
        cluster.topics.get_mut(TOPIC).unwrap().partitions.iter_mut().for_each(Log::replicas_follow);
    });
}

fn waits_unread(sim: &Sim) -> bool {
    let state = sim.small.world.lock();
    let topic = &state.cluster(sim.pair.cluster(Side::A).as_str()).topics[TOPIC];
    topic.partitions.iter().any(|log| log.end() < log.log_end())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_read_yet_are_waited_for() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let worker = sim.worker("one").with_hooks(replica_stops(&sim));
    let carrying = tokio::spawn(async move { worker.run_pending().await });
    // The run is past the fence and stands at the cut line, which it cannot draw.
    let stands = async {
        loop {
            let steps = sim.steps(run.id).await;
            let of = |name: &str| steps.iter().find(|step| step.name == name).unwrap().state;
            if of("mark_cut_line") == StepState::Running {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), stands).await.unwrap();
    assert!(waits_unread(&sim), "nothing was written that waits for a replica");
    replicas_follow(&sim);
    carrying.await.unwrap().unwrap();
    assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{}", sim.story(run.id).await);
    sim.assert_clean("after a replica was behind at the cut line");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_stay_unreadable_take_the_run_back() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let rules = PlanRules { max_write_outage_seconds: 10, ..Sim::rules() };
    let run = sim.started(&sim.plan(Side::A, rules).await).await;
    sim.worker("one").with_hooks(replica_stops(&sim)).run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
    assert!(story.contains("mark_cut_line              failed"), "{story}");
    assert_eq!(sim.picture().await, before, "{story}");
    replicas_follow(&sim);
    sim.assert_clean("after a replica stayed behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_rest_while_writes_are_away_unless_its_plan_says_so() {
    for if_unproven in [IfUnproven::RollBack, IfUnproven::Wait] {
        let sim = Sim::new().await;
        let before = sim.picture().await;
        let run = sim.started(&sim.plan(Side::A, PlanRules { if_unproven, ..Sim::rules() }).await).await;
        let dies = sim.worker("one").with_hooks(Trouble::kill("settle_transactions", Moment::BeforeIntent));
        dies.run_pending().await.unwrap_err();
        let mut conn = sim.database.pool().acquire().await.unwrap();
        let jonas = Person { id: person("jonas").id, name: "jonas".to_owned() };
        muster_store::brake::put(&mut conn, &jonas, "an incident elsewhere").await.unwrap();
        drop(conn);
        sim.expire_lease(run.id).await;
        sim.worker("two").run_pending().await.unwrap();
        let story = sim.story(run.id).await;
        let state = sim.run(run.id).await.state;
        match if_unproven {
            IfUnproven::RollBack => {
                assert_eq!(state, RunState::RolledBack, "{story}");
                assert_eq!(sim.picture().await, before, "{story}");
                assert!(story.contains("an incident elsewhere"), "{story}");
            }
            IfUnproven::Wait => assert_eq!(state, RunState::PausedByOperator, "{story}"),
        }
        assert!(!sim.small.world.verdict().two_writers);
    }
}

/// An abort that was accepted a moment before the run would rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_that_was_promised_is_taken_though_the_run_was_about_to_rest() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = sim.started(&sim.plan(Side::A, waiting_rules()).await).await;
    let (pool, id, runtime) = (sim.database.pool().clone(), run.id, tokio::runtime::Handle::current());
    let hooks = Doing::at("rest", Moment::BeforeIntent, move || {
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                let mut conn = pool.acquire().await.unwrap();
                let wanted = Wanted::Abort("aborted by mira: not tonight".to_owned());
                run_leases::want(&mut conn, id, &wanted).await.unwrap();
            });
        });
    });
    sim.worker("one").with_hooks(hooks).run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
    assert!(story.contains("not tonight"), "{story}");
    assert_eq!(sim.picture().await, before, "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_preparation_was_left_out_does_not_act() {
    for (left_out, refuses) in
        [("prepare_reverse", "start_reverse_flow"), ("write_group_offsets", "redirect_consumers")]
    {
        let sim = Sim::new().await;
        let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
        sim.worker("one").with_hooks(Trouble::fail(left_out)).run_pending().await.unwrap();
        assert_eq!(sim.run(run.id).await.state, RunState::PausedByFailure, "{}", sim.story(run.id).await);
        let mut conn = sim.database.pool().acquire().await.unwrap();
        decisions::skip(&mut conn, run.id, left_out, "we will see", &person("mira")).await.unwrap();
        drop(conn);
        sim.worker("two").run_pending().await.unwrap();
        let story = sim.story(run.id).await;
        assert_eq!(sim.run(run.id).await.state, RunState::PausedByFailure, "{story}");
        let said = sentence(&sim, run.id, refuses).await;
        assert!(said.contains(&format!("`{left_out}` was left out")), "{said}: {story}");
        if left_out == "prepare_reverse" {
            let back = sim.small.flow(Direction { from: Side::B });
            let state = back.state(ConnectorRole::Source).await.unwrap().unwrap().connector;
            assert_eq!(state, ConnectState::Stopped, "{story}");
        }
        assert!(!sim.small.world.verdict().two_writers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_another_version_is_neither_waited_for_nor_forgotten() {
    let sim = Sim::new().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    sqlx::query("update run_step set name = 'from_tomorrow' where run_id = $1 and name = 'catch_up'")
        .bind(run.id)
        .execute(sim.database.pool())
        .await
        .unwrap();
    let stopped = sim.worker("one").run_pending().await.unwrap_err();
    let Stopped::Operation(OperationError::Stored { reason, .. }) = &stopped else {
        panic!("{stopped:?}");
    };
    assert!(reason.contains("`from_tomorrow`"), "{reason}");
    let steps = sim.steps(run.id).await;
    assert!(steps.iter().all(|step| step.state == StepState::NotStarted), "{steps:#?}");
}

/// Kafka Streams with a grant on every group and CREATE on the cluster is an application, and one with a grant on every topic
/// cannot be shut out afterwards: that is said before anything is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_every_topic_is_found_before_anything_is_changed() {
    use muster_domain::acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType};
    let sim = Sim::new().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    // What applications lose on the side they leave is approved grant by grant.
    let lost = &plan.content.steps.iter().find(|step| step.name == "convert_source_fence").unwrap().calls;
    let of_orders = "DeleteAcls on eu-west: ALLOW Write on Topic prefix `orders.` to User:app-orders from *, also for names out of scope";
    assert!(lost.iter().any(|call| call.ends_with(of_orders)), "{lost:#?}");
    let everything = (ResourceType::Topic, PatternType::Literal, "*");
    let grant = AclBinding::new(AclPermission::Allow, AclOperation::Write, everything, "User:etl");
    sim.small.world.admin(sim.pair.cluster(Side::A).as_str()).create_acls(&[grant]).await.unwrap();
    // MirrorMaker 2 copies it, too.
    sim.small.world.ticks(200);
    let before = sim.picture().await;
    let run = sim.started(&plan).await;
    sim.worker("one").run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::RolledBack, "{story}");
    let said = sentence(&sim, run.id, "survey_again").await;
    assert!(said.contains("User:etl may write every topic"), "{said}");
    assert_eq!(sim.picture().await, before, "{story}");
    // A plan that is made now says so before anybody approves it; a drill that only looks is there to find it.
    let blockers = sim.plan(Side::A, Sim::rules()).await.blockers;
    let said = blockers.iter().find(|blocker| blocker.code == "old-side-stays-open").unwrap();
    assert!(said.reason.starts_with("User:etl may write every topic of eu-west"), "{}", said.reason);
    let looks = sim.plan_of(Operation::ReadinessDrill, Side::A, Sim::rules()).await;
    assert_eq!(looks.blockers, []);
}
