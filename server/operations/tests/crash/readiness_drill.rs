//! The drill that only looks: it changes nothing, whatever happens, and says what it found.

use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    both_active,
    pair::{Direction, Pair, PairMode, Side},
    record::Run,
    run::{Operation, RunState},
    survey::ConnectorRole,
};
use muster_kafka::{
    ClusterAdmin as _,
    double::{Fault, Faults, Payload, When},
};
use muster_operations::{decisions, engine::Moment, switchover::readiness_drill};
use muster_replication::{Replication as _, double::small_world};
use muster_routing::{Audience, Destination};
use muster_store::findings::{self, FindingFilter};
use uuid::Uuid;

use crate::sim::{Sim, Trouble, carry_through, person};

async fn begun(sim: &Sim) -> Run {
    begun_from(sim, Side::A).await
}

async fn begun_from(sim: &Sim, from: Side) -> Run {
    let plan = sim.plan_of(Operation::ReadinessDrill, from, Sim::rules()).await;
    assert_eq!(plan.blockers, [], "the plan is blocked");
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let asked = decisions::request_run(&mut conn, &plan, "a test", &person("mira")).await.unwrap();
    assert_eq!((asked.state, asked.approvals_needed), (RunState::Approved, 0), "nobody has to allow it");
    decisions::start(&mut conn, asked.id, &person("mira")).await.unwrap()
}

/// How each check came out, by name.
async fn passed(sim: &Sim, run: &Run) -> Vec<(String, Option<bool>)> {
    let ended = sim.run(run.id).await;
    let story = sim.story(run.id).await;
    assert_eq!(ended.state, RunState::AwaitingAttestation, "{story}");
    ended.outcome.expect(&story).checks.into_iter().map(|check| (check.name, check.passed)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_drill_looks_and_changes_nothing() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = begun(&sim).await;
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    assert_eq!(checks.len(), readiness_drill::steps().len());
    assert!(checks.iter().all(|(_, passed)| *passed == Some(true)), "{}", sim.story(run.id).await);
    assert_eq!(sim.picture().await, before);
    sim.assert_clean("after a readiness drill");
}

/// What nobody should: a record on the standby that did not come from the active side.
fn write_into_the_copy(sim: &Sim) {
    let foreign =
        Payload { timestamp: 1, key: None, value: Some(b"foreign".to_vec().into()), headers: Vec::new() };
    let mut state = sim.small.world.lock();
    let topic =
        state.cluster_mut(sim.pair.cluster(Side::B).as_str()).topics.get_mut("orders.placed").unwrap();
    topic.partitions[0].append(foreign, 0, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_a_check_that_failed_and_a_finding() {
    let sim = Sim::new().await;
    let before = sim.picture().await;
    let run = begun(&sim).await;
    write_into_the_copy(&sim);
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    let of = |name: &str| checks.iter().find(|(known, _)| known == name).map(|(_, passed)| *passed);
    assert_eq!(of("compare_recent_content"), Some(Some(false)), "{}", sim.story(run.id).await);
    assert_eq!(of("survey_again"), Some(Some(true)));
    let mut conn = sim.database.pool().acquire().await.unwrap();
    let filter = FindingFilter { run: Some(run.id), ..FindingFilter::default() };
    let found = findings::list(&mut conn, &filter, None, 9).await.unwrap();
    assert!(found.iter().any(|finding| finding.text.contains("orders.placed")), "{found:#?}");
    assert_eq!(sim.picture().await, before);
}

/// Connect answers nothing at all: what rests on it is unknown, everything else is looked at all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_gets_no_answer_is_unknown_and_never_passed() {
    let sim = Sim::new().await;
    let run = begun(&sim).await;
    sim.small.world.faults(|faults| faults.always("committed_offsets", Fault::Timeout));
    sim.worker("one").run_pending().await.unwrap();
    sim.small.world.faults(Faults::clear);
    let checks = passed(&sim, &run).await;
    let of = |name: &str| checks.iter().find(|(known, _)| known == name).map(|(_, passed)| *passed);
    for name in ["catch_up", "rehearse_translation", "compare_recent_content"] {
        assert_ne!(of(name), Some(Some(true)), "{name}: {}", sim.story(run.id).await);
    }
    assert_eq!(of("calibrate_fence_probe"), Some(Some(true)), "{}", sim.story(run.id).await);
}

/// The pair `clicks` with both flows copying, meant to be so if the mode says so, and a probe that may write.
async fn with_both_flows(mode: PairMode) -> Sim {
    let small = small_world();
    let probe = AclBinding::new(
        AclPermission::Allow,
        AclOperation::Write,
        (ResourceType::Topic, PatternType::Prefixed, "clicks."),
        "User:muster-probe",
    );
    for side in Side::BOTH {
        let admin = small.world.admin(small.pair.cluster(side).as_str());
        admin.create_acls(std::slice::from_ref(&probe)).await.unwrap();
    }
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat] {
        small.clicks.b.resume(role, 60_000).await.unwrap();
    }
    {
        let mut state = small.world.lock();
        let topic = state.cluster_mut(small.pair.cluster(Side::B).as_str()).topics.get_mut("clicks.page");
        let own =
            Payload { timestamp: 1, key: None, value: Some(b"own".to_vec().into()), headers: Vec::new() };
        topic.unwrap().partitions[0].append(own, 0, false);
    }
    small.world.ticks(40);
    let pair = Pair { mode, ..small.prefixed_pair.clone() };
    Sim::with(small, pair).await
}

/// What a look said.
async fn said(sim: &Sim, run: &Run, name: &str) -> String {
    let outcome = sim.run(run.id).await.outcome.unwrap();
    outcome.checks.into_iter().find(|check| check.name == name).unwrap().sentence
}

#[tokio::test(flavor = "multi_thread")]
async fn where_both_sides_are_active_it_looks_in_the_direction_it_is_asked_for() {
    for from in Side::BOTH {
        let sim = with_both_flows(PairMode::ActiveActive).await;
        let way = Direction { from };
        let (before, course) = (sim.picture().await, sim.pair.course(way));
        let run = begun_from(&sim, from).await;
        sim.worker("one").run_pending().await.unwrap();
        let checks = passed(&sim, &run).await;
        let story = sim.story(run.id).await;
        assert_eq!(checks.len(), readiness_drill::steps().len());
        assert!(checks.iter().all(|(_, passed)| *passed == Some(true)), "{story}");
        let surveyed = said(&sim, &run, "survey_again").await;
        assert!(
            surveyed.contains("both sides are active (both flows of pair `clicks` copy records"),
            "{surveyed}"
        );
        assert!(surveyed.contains(&format!("looked at is what leads {course}")), "{surveyed}");
        let summary = sim.run(run.id).await.outcome.unwrap().summary;
        assert!(
            summary.ends_with("both sides are active, so nothing can be switched over as it is"),
            "{summary}"
        );
        assert_eq!(sim.picture().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_both_sides_are_active_its_plan_says_so_and_a_switchover_stays_refused() {
    let sim = with_both_flows(PairMode::ActiveActive).await;
    for from in Side::BOTH {
        let looks = sim.plan_of(Operation::ReadinessDrill, from, Sim::rules()).await;
        let told = looks.warnings.iter().find(|warning| warning.code == both_active::BLOCKER).unwrap();
        assert!(told.reason.contains(&sim.pair.course(Direction { from })), "{}", told.reason);
        let moves = sim.plan(from, Sim::rules()).await;
        let refused = moves.blockers.iter().find(|blocker| blocker.code == both_active::BLOCKER).unwrap();
        assert!(refused.reason.contains("Here no side stands by"), "{}", refused.reason);
        assert!(moves.warnings.iter().all(|warning| warning.code != both_active::BLOCKER), "it is said once");
    }
}

/// People say that applications are meant to be on both sides; where they say the opposite that is what the drill finds.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_active_in_a_pair_that_is_said_to_have_one_is_a_look_that_failed() {
    let sim = with_both_flows(PairMode::ActivePassive).await;
    let run = begun(&sim).await;
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    for (name, passed) in &checks {
        assert_eq!(*passed, Some(name != "survey_again"), "{name}: {}", sim.story(run.id).await);
    }
    let surveyed = said(&sim, &run, "survey_again").await;
    assert!(
        surveyed.contains("both flows of pair `clicks`") && surveyed.contains("is active_passive"),
        "{surveyed}"
    );
}

/// The traffic switch sends everybody to this cluster.
fn everybody_is_sent_to(sim: &Sim, cluster: &str) {
    for audience in [Audience::Producers, Audience::Consumers] {
        let at = Destination {
            pair: sim.pair.name.to_string(),
            cluster: cluster.to_owned(),
            bootstrap: Vec::new(),
            run: Uuid::nil(),
            epoch: 0,
            hold: false,
        };
        sim.switch.place(audience, at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_may_send_to_the_other_side_only_where_that_is_active_too() {
    let (other, third) = ("eu-central", "eu-north");
    for (both, sent_to, fine) in
        [(true, other, true), (true, third, false), (false, other, false), (false, third, false)]
    {
        let sim = if both { with_both_flows(PairMode::ActiveActive).await } else { Sim::new().await };
        everybody_is_sent_to(&sim, sent_to);
        let run = begun(&sim).await;
        sim.worker("one").run_pending().await.unwrap();
        let checks = passed(&sim, &run).await;
        let asked = checks.iter().find(|(name, _)| name == "ask_traffic_switches").unwrap();
        let sentence = said(&sim, &run, "ask_traffic_switches").await;
        assert_eq!(asked.1, Some(fine), "{sentence}");
        assert!(sentence.contains(&format!("sends producers to {sent_to}")), "{sentence}");
        assert_eq!(sentence.contains("is active as well as eu-west"), fine, "{sentence}");
    }
}

/// Connect does not answer just then: that is no word on the switch, so it is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_not_called_wrong_because_it_was_not_known_which_sides_are_active() {
    let sim = with_both_flows(PairMode::ActiveActive).await;
    everybody_is_sent_to(&sim, "eu-central");
    let run = begun(&sim).await;
    // Both flows are observed by the survey of the first look; the next is for the switch.
    sim.small.world.faults(|faults| faults.fail("observe", 3, When::Before, Fault::Timeout));
    sim.worker("one").run_pending().await.unwrap();
    let checks = passed(&sim, &run).await;
    for look in ["survey_again", "ask_traffic_switches"] {
        let (_, passed) = checks.iter().find(|(name, _)| name == look).unwrap();
        assert_eq!(*passed, Some(true), "{}", said(&sim, &run, look).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_its_workers_death_at_each_step() {
    for step in readiness_drill::steps() {
        for moment in [Moment::BeforeIntent, Moment::AfterIntent, Moment::AfterEffect, Moment::AfterOutcome] {
            let sim = Sim::new().await;
            let before = sim.picture().await;
            let run = begun(&sim).await;
            let state = carry_through(&sim, run.id, Trouble::kill(step.name, moment)).await;
            let story = sim.story(run.id).await;
            assert_eq!(state, RunState::AwaitingAttestation, "dying at {} {moment:?}: {story}", step.name);
            assert!(passed(&sim, &run).await.iter().all(|(_, passed)| *passed == Some(true)), "{story}");
            assert_eq!(sim.picture().await, before);
        }
    }
}
