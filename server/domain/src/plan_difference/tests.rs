use super::*;
use crate::{
    ids::PairName,
    pair::{BySide, Direction, Side},
    plan::{PlannedStep, TopicScope},
    run::{Operation, Phase},
};

fn step(name: &str, calls: &[&str]) -> PlannedStep {
    PlannedStep {
        name: name.to_owned(),
        title: format!("Do {name}"),
        phase: Phase::Prepare,
        after: Vec::new(),
        undoable: true,
        point_of_no_return: false,
        calls: calls.iter().map(|call| (*call).to_owned()).collect(),
        expected_ms: None,
    }
}

fn topic(name: &str, partitions: i32) -> TopicScope {
    TopicScope { topic: name.to_owned(), replica: name.to_owned(), partitions }
}

fn concern(code: &str, reason: &str) -> Concern {
    Concern { code: code.to_owned(), reason: reason.to_owned(), next_step: String::new() }
}

fn plan() -> Plan {
    Plan {
        id: Uuid::from_u128(1),
        created_by: "otto".to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        hash: "h".to_owned(),
        content: PlanContent {
            pair: PairName::new("orders").expect("a name"),
            pair_version: 3,
            operation: Operation::Switchover,
            direction: Direction { from: Side::A },
            drill: false,
            cluster_ids: BySide { a: "one".to_owned(), b: "two".to_owned() },
            topics: vec![topic("orders", 12), topic("refunds", 6)],
            groups: vec!["billing".to_owned()],
            rules: PlanRules::default(),
            steps: vec![
                step("look", &["look"]),
                step("fence", &["deny a", "deny b"]),
                step("drain", &["look"]),
            ],
        },
        blockers: Vec::new(),
        warnings: vec![concern("configs-differ", "retention.ms of `orders`")],
        prediction: Prediction {
            write_unavailability_ms: Some(4300),
            total_ms: Some(9000),
            basis: String::new(),
            loss: None,
        },
    }
}

fn approved(plan: Plan) -> ApprovedPlan {
    ApprovedPlan { plan, run: Uuid::from_u128(9), run_number: 7, approved_at: DateTime::UNIX_EPOCH }
}

fn says(before: Plan, after: &Plan) -> Vec<String> {
    difference(Some(&approved(before)), after).changes.into_iter().map(|change| change.says).collect()
}

#[test]
fn the_same_plan_made_again_has_no_changes() {
    let again = Plan { id: Uuid::from_u128(2), ..plan() };
    let found = difference(Some(&approved(plan())), &again);
    assert_eq!(found.changes, []);
    assert_eq!(found.compared_with.map(|with| (with.plan, with.run_number)), Some((Uuid::from_u128(1), 7)));
}

#[test]
fn without_an_approved_plan_nothing_is_said_to_be_the_same() {
    let found = difference(None, &plan());
    assert_eq!((found.compared_with, found.changes), (None, vec![]));
}

#[test]
fn everything_that_differs_is_said_most_important_first() {
    let mut after = plan();
    after.content.pair_version = 4;
    after.content.cluster_ids.b = "three".to_owned();
    after.content.drill = true;
    after.blockers = vec![concern("no-probe-principal", "none")];
    after.warnings = vec![concern("configs-differ", "retention.ms of `refunds`")];
    after.content.rules.max_write_outage_seconds = 60;
    after.content.rules.confirm_before_fence = false;
    after.content.steps =
        vec![step("drain", &["look"]), step("look", &["look"]), step("fence", &["deny b", "deny c"])];
    after.content.steps.push(step("watch", &[]));
    after.content.steps[1].undoable = false;
    after.content.topics = vec![topic("orders", 24), topic("returns", 1)];
    after.content.groups.clear();
    after.prediction.write_unavailability_ms = None;
    let expected = [
        "1 cluster id is different: `side b`.",
        "It is a drill now: somebody attests how it went.",
        "1 blocker is new: `no-probe-principal`.",
        "2 decisions made in advance are different: `confirm_before_fence`, `max_write_outage_seconds`.",
        "1 step is new: `watch`.",
        "1 step is different: `look`.",
        "1 step comes in another order: `drain`.",
        "1 call is new: `Do fence`.",
        "1 call is gone: `Do fence`.",
        "1 topic is new: `returns`.",
        "1 topic is gone: `refunds`.",
        "1 topic is different: `orders`.",
        "1 group is gone: `billing`.",
        "1 warning is different: `configs-differ`.",
        "The pair's settings were edited: version 4 instead of 3.",
        "Another duration is predicted: writes away not known instead of 4.3 s.",
    ];
    assert_eq!(says(plan(), &after), expected);
}

#[test]
fn the_way_back_is_not_compared_call_by_call() {
    let mut back = plan();
    back.content.direction = Direction { from: Side::B };
    for step in &mut back.content.steps {
        step.title = format!("{} back", step.title);
        step.calls = vec!["another".to_owned()];
    }
    let said = says(plan(), &back);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("Applications move the other way"), "{said:?}");
}

#[test]
fn calls_in_another_order_are_not_the_same_calls() {
    let mut after = plan();
    after.content.steps[1].calls.reverse();
    assert_eq!(says(plan(), &after), ["1 call comes in another order: `Do fence`."]);
}

#[test]
fn of_thousands_of_topics_all_are_counted_and_the_first_are_named() {
    let mut after = plan();
    after.content.topics.extend((0..5000).map(|n| topic(&format!("t{n:04}"), 1)));
    after.content.steps[1].calls.extend((0..5000).map(|n| format!("deny t{n:04}")));
    let found = difference(Some(&approved(plan())), &after).changes;
    let counted: Vec<_> =
        found.iter().map(|change| (change.part, change.count, change.things.len())).collect();
    assert_eq!(counted, [(PlanPart::Call, 5000, NAMED), (PlanPart::Topic, 5000, NAMED)]);
    assert_eq!(found[0].says, "5000 calls are new: `Do fence`.");
    assert_eq!(found[1].says, "5000 topics are new: `t0000`, `t0001`, `t0002` and 4997 more.");
}

#[test]
fn a_code_that_two_blockers_share_is_compared_once_for_each() {
    let mut before = plan();
    before.blockers = vec![concern("flow-not-attached", "a → b"), concern("flow-not-attached", "b → a")];
    let mut after = before.clone();
    after.blockers.pop();
    assert_eq!(says(before, &after), ["1 blocker is gone: `flow-not-attached`."]);
}
