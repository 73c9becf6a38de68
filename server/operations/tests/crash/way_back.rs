//! What a flow kept of an earlier time does not stop the way back, whoever dies over it, and what nobody chose is found
//! while nothing has been changed yet.

use std::collections::BTreeMap;

use muster_domain::{
    pair::{Direction, Side},
    run::RunState,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{
    Isolation, RecordMover,
    double::{EPOCH_MS, Fault, Faults, When},
    mover::NewRecord,
};
use muster_operations::{decisions, engine::Moment};
use muster_replication::{
    Replication,
    double::{SmallWorld, small_world},
};

use crate::sim::{Doing, Sim, Trouble, carry_through, person};

const CANARY: &str = "muster.canary";
/// Canaries the active side has at the beginning.
const CANARIES: usize = 5;
const BACK: Direction = Direction { from: Side::B };

fn at(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

/// What the connectors copy in a world with a past.
const SELECTED: &str = r"orders\..*,payments\..*,muster\.canary";

/// Lets both source connectors copy these topics.
async fn carry(small: &SmallWorld, topics: &str) {
    for from in Side::BOTH {
        let change = BTreeMap::from([("topics".to_owned(), Some(topics.to_owned()))]);
        small.flow(Direction { from }).change_config(ConnectorRole::Source, &change, 1_000).await.unwrap();
    }
}

/// A world in which applications were on the other side before: the flow of the way back has old positions of the canary, of
/// heartbeats, of a topic that was deleted and of one that it does not copy any more.
async fn with_a_past() -> Sim {
    let small = small_world();
    let mut pair = small.pair.clone();
    pair.canary_topic = Some(CANARY.to_owned());
    {
        let mut state = small.world.lock();
        for cluster in [&pair.clusters.a, &pair.clusters.b] {
            let cluster = state.cluster_mut(cluster.as_str());
            for topic in [CANARY, "legacy", "heartbeats"] {
                cluster.create_topic(topic, 1).unwrap();
            }
        }
    }
    carry(&small, SELECTED).await;
    let canaries = (0..CANARIES).map(|n| NewRecord {
        key: None,
        value: Some(format!("west {n}").into()),
        timestamp: EPOCH_MS,
    });
    small.world.mover(pair.clusters.a.as_str()).write(&at(CANARY), canaries.collect(), 1_000).await.unwrap();
    small.world.ticks(20);
    let old = [(CANARY, 1), ("heartbeats", 41), ("orders.gone", 7), ("legacy", 5)];
    small.flow(BACK).flow().committed.extend(old.map(|(topic, offset)| (at(topic), offset)));
    Sim::with(small, pair).await
}

/// Canaries on the side that was left which it wrote itself.
fn own_canaries(sim: &Sim) -> usize {
    let state = sim.small.world.lock();
    let log = state.cluster(sim.pair.clusters.a.as_str()).log(&at(CANARY)).unwrap();
    let all = log.visible(0, log.end(), Isolation::ReadUncommitted);
    all.filter(|record| record.value.as_ref().is_some_and(|value| value.starts_with(b"west "))).count()
}

fn kept(sim: &Sim) -> ByPartition<i64> {
    sim.small.flow(BACK).flow().committed.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_over_the_way_back_canaries_do_not_go_round_and_the_rest_stays() {
    let moments = [Moment::BeforeIntent, Moment::AfterIntent, Moment::AfterEffect, Moment::AfterOutcome];
    for step in ["prepare_reverse", "start_reverse_flow"] {
        for moment in moments {
            let sim = with_a_past().await;
            let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
            let state = carry_through(&sim, run.id, Trouble::kill(step, moment)).await;
            let context = format!("dying at {step} {moment:?}");
            assert_eq!(state, RunState::Succeeded, "{context}: {}", sim.story(run.id).await);
            sim.assert_clean(&context);
            assert_eq!(own_canaries(&sim), CANARIES, "canaries came back, {context}");
            let kept = kept(&sim);
            let old = ["heartbeats", "orders.gone", "legacy"].map(|topic| kept.get(&at(topic)).copied());
            assert_eq!(old, [Some(41), None, Some(5)], "{context}");
        }
    }
}

/// The connector copies a topic nobody put into the pair. That is a blocker of every plan; one who changes it between plan and
/// start does not get past the first step.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_nobody_chose_is_found_before_anything_is_changed() {
    let sim = with_a_past().await;
    let plan = sim.plan(Side::A, Sim::rules()).await;
    let run = sim.started(&plan).await;
    carry(&sim.small, &format!("{SELECTED},legacy")).await;
    let before = sim.picture().await;
    sim.worker("one").run_pending().await.unwrap();
    let ended = sim.run(run.id).await;
    assert_eq!(ended.state, RunState::RolledBack, "{}", sim.story(run.id).await);
    let survey = &sim.steps(run.id).await[0];
    assert!(
        survey.sentence.contains("keeps positions of topics outside of this pair: `legacy`"),
        "{survey:#?}"
    );
    assert_eq!(sim.picture().await, before);
    sim.assert_clean("after a refusal");

    let plan = sim.plan(Side::A, Sim::rules()).await;
    let codes: Vec<&str> = plan.blockers.iter().map(|blocker| blocker.code.as_str()).collect();
    assert_eq!(codes, ["flow-scope"]);
}

/// Whom a broker that follows the controller late shows no such topic: it is there all the same, and forgetting its position
/// would copy what came from the other side back to it, from the beginning.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_one_broker_does_not_show_is_not_taken_for_gone() {
    let sim = with_a_past().await;
    let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
    let (world, east) = (sim.small.world.clone(), sim.pair.clusters.b.to_string());
    let flow = sim.small.flow(BACK).clone();
    let late = Doing::at("prepare_reverse", Moment::BeforeIntent, move || {
        let selected = format!("{SELECTED},legacy");
        let mut steered = flow.flow();
        let source = steered.connectors.get_mut(&ConnectorRole::Source).unwrap();
        source.config.insert("topics".to_owned(), selected);
        drop(steered);
        let unseen = ["legacy", CANARY].map(str::to_owned);
        world.lock().cluster_mut(&east).unseen.entry(1).or_default().extend(unseen);
    });
    sim.worker("one").with_hooks(late).run_pending().await.unwrap();
    let story = sim.story(run.id).await;
    assert_eq!(sim.run(run.id).await.state, RunState::PausedByFailure, "{story}");
    assert!(story.contains("keeps positions of topics outside of this pair: `legacy`. "), "{story}");
    let old = [at("legacy"), at(CANARY)].map(|partition| kept(&sim).get(&partition).copied());
    assert_eq!(old, [Some(5), Some(1)], "{story}");

    carry(&sim.small, SELECTED).await;
    go_on(&sim, run.id).await;
    assert_eq!(own_canaries(&sim), CANARIES, "canaries came back");
    assert_eq!(kept(&sim).get(&at("legacy")), Some(&5));
}

async fn go_on(sim: &Sim, run: uuid::Uuid) {
    let mut conn = sim.database.pool().acquire().await.unwrap();
    decisions::retry(&mut conn, run, "it works again", &person("mira")).await.unwrap();
    drop(conn);
    sim.worker("two").run_pending().await.unwrap();
    assert_eq!(sim.run(run).await.state, RunState::Succeeded, "{}", sim.story(run).await);
    sim.assert_clean("after going on");
}

/// The looks of the way back: at positions and settings of its connector, and at the topics of the other side.
const LOOKS: [&str; 3] = ["committed_offsets", "config", "partition_counts"];

/// Neither Connect nor the cluster answers for a while, at the first step or after the point of no return.
#[tokio::test(flavor = "multi_thread")]
async fn looks_that_get_no_answer_for_a_while_are_made_again() {
    for step in ["survey_again", "prepare_reverse"] {
        for look in LOOKS {
            let sim = with_a_past().await;
            let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
            let world = sim.small.world.clone();
            let silent = Doing::at(step, Moment::BeforeIntent, move || {
                world.faults(|faults| {
                    faults.clear();
                    (1..=3).for_each(|nth| faults.fail(look, nth, When::Before, Fault::Timeout));
                });
            });
            sim.worker("one").with_hooks(silent).run_pending().await.unwrap();
            let context = format!("`{look}` unanswered at {step}");
            let story = sim.story(run.id).await;
            assert_eq!(sim.run(run.id).await.state, RunState::Succeeded, "{context}: {story}");
            sim.assert_clean(&context);
            assert_eq!(own_canaries(&sim), CANARIES, "{context}");
        }
    }
}

/// A look that is refused leaves positions alone: before anything is changed the run ends, and after the point of no return a
/// person is asked, who gives the right back and lets it go on.
#[tokio::test(flavor = "multi_thread")]
async fn looks_that_are_refused_change_no_position() {
    // For Connect an HTTP status, for a broker TOPIC_AUTHORIZATION_FAILED.
    for (look, code) in LOOKS.into_iter().zip([403, 403, 29]) {
        for step in ["survey_again", "prepare_reverse"] {
            let sim = with_a_past().await;
            let run = sim.started(&sim.plan(Side::A, Sim::rules()).await).await;
            let (world, positions) = (sim.small.world.clone(), kept(&sim));
            let before = sim.picture().await;
            let refuse = Doing::at(step, Moment::BeforeIntent, move || {
                world.faults(|faults| faults.always(look, Fault::Code(code)));
            });
            sim.worker("one").with_hooks(refuse).run_pending().await.unwrap();
            sim.small.world.faults(Faults::clear);
            let (state, story) = (sim.run(run.id).await.state, sim.story(run.id).await);
            let old = |of: &ByPartition<i64>| {
                [CANARY, "heartbeats", "orders.gone", "legacy"].map(|topic| of.get(&at(topic)).copied())
            };
            assert_eq!(old(&kept(&sim)), old(&positions), "`{look}` refused at {step}: {story}");
            if step == "survey_again" {
                assert_eq!(state, RunState::RolledBack, "{story}");
                assert_eq!(sim.picture().await, before, "{story}");
            } else {
                assert_eq!(state, RunState::PausedByFailure, "{story}");
                go_on(&sim, run.id).await;
            }
        }
    }
}
