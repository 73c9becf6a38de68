//! What a flow kept of an earlier time does not stop the way back, whoever dies over it, and what nobody chose is found
//! while nothing has been changed yet.

use std::collections::BTreeMap;

use muster_domain::{
    pair::{Direction, Side},
    run::RunState,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, RecordMover, double::EPOCH_MS, mover::NewRecord};
use muster_operations::engine::Moment;
use muster_replication::{
    Replication,
    double::{SmallWorld, small_world},
};

use crate::sim::{Sim, Trouble, carry_through};

const CANARY: &str = "muster.canary";
/// Canaries the active side has at the beginning.
const CANARIES: usize = 5;
const BACK: Direction = Direction { from: Side::B };

fn at(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

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
    carry(&small, r"orders\..*,payments\..*,muster\.canary").await;
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
    carry(&sim.small, r"orders\..*,payments\..*,muster\.canary,legacy").await;
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
