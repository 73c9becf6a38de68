//! A pair whose both flows copy, each under names of its own: what is so of one is told of that one.

use super::*;
use crate::{
    pair::{Direction, NamingPolicy, PairMode},
    samples::group,
    survey::FlowObservation,
};

const BACK: Direction = Direction { from: Side::B };
const THERE: &str = "primary → dr";
const BACK_AGAIN: &str = "dr → primary";

/// `orders` on both sides, each with its copy on the other; all is well.
fn both_ways() -> (Story, Survey) {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    for flow in &mut story.pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    for connector in survey.flows[0].connectors.values_mut() {
        known(connector).config.remove("replication.policy.class");
    }
    survey.flows[1] = FlowObservation { direction: BACK, ..survey.flows[0].clone() };
    for (side, copy) in [(Side::A, "dr.orders"), (Side::B, "primary.orders")] {
        let topics = samples::topics(&mut survey, side);
        let mut replica = topics["orders"].clone();
        replica.id = Some(Uuid::from_u128(2));
        topics.insert(copy.to_owned(), replica);
    }
    (story, survey)
}

fn source_of(survey: &mut Survey, way: Direction) -> &mut ConnectorObservation {
    let flow = survey.flows.iter_mut().find(|flow| flow.direction == way).unwrap();
    known(flow.connectors.get_mut(&ConnectorRole::Source).unwrap())
}

/// `count` more records on a side's own topic, and those before an offset removed.
fn removed(survey: &mut Survey, side: Side, count: i64, before: i64) {
    let partition = orders(survey, side);
    partition.end = partition.end.map(|end| end + count);
    (partition.stable, partition.start) = (partition.end, Some(before));
}

fn subjects(judged: &Judged) -> Vec<(Code, &str, &str)> {
    judged.standing.iter().map(|alarm| (alarm.code, alarm.subject.as_str(), alarm.course.as_str())).collect()
}

#[test]
fn nothing_is_wrong_with_two_flows_that_copy() {
    let (mut story, survey) = both_ways();
    for _ in 0..5 {
        assert_eq!(story.judge(survey.clone()), Judged::default());
    }
    for way in [FORWARD, BACK] {
        assert_eq!(story.memory.active(way), Some(way), "a source that dies now was active");
    }
}

#[test]
fn a_hole_of_one_flow_is_told_of_that_one_and_the_same_of_the_other_is_another_alarm() {
    let (mut story, mut survey) = both_ways();
    story.stays(&survey, 2);
    removed(&mut survey, Side::B, 1_000, 800);
    let back = story.judge(survey.clone());
    let hole = one(&back);
    assert_eq!(subjects(&back), [(Code::ReplicationHole, "orders (dr → primary)", BACK_AGAIN)]);
    assert_eq!(
        (hole.places[0].said.as_str(), hole.lost),
        ("offsets 100 to 799 were not copied", Lost::up_to(700))
    );
    assert_eq!(hole.since, between(10, 15));
    let open = [kept(hole.clone())];
    // Later the same way there: its own beginning, and what is open stays as it is.
    removed(&mut survey, Side::A, 1_000, 900);
    let there = story.judge(survey.clone());
    assert_eq!(subjects(&there), [(Code::ReplicationHole, "orders (primary → dr)", THERE)]);
    let changes = settle(&open, there);
    let [Change::Stays { .. }, Change::Open(opened)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((opened.since, opened.lost), (between(15, 20), Lost::up_to(800)));
    assert_eq!(codes(&story.judge(survey)), [], "no offset is told twice");
}

#[test]
fn a_flow_without_its_task_is_told_beside_one_that_has_it_and_each_ends_by_itself() {
    let (mut story, mut survey) = both_ways();
    story.judge(survey.clone());
    let tasks = std::mem::take(&mut source_of(&mut survey, BACK).tasks);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let back = story.judge(survey.clone());
    assert_eq!(subjects(&back), [(Code::TaskMissing, "source (dr → primary)", BACK_AGAIN)]);
    // Both connectors have one name: each is missed for as long as its own task is.
    source_of(&mut survey, FORWARD).tasks.clear();
    let both = story.stays(&survey, 2);
    assert_eq!(named(&both, BACK_AGAIN).since, one(&back).since);
    assert_ne!(named(&both, THERE).since, one(&back).since);
    let mut open = [kept(named(&both, THERE)), kept(named(&both, BACK_AGAIN))];
    open[1].id = Uuid::from_u128(6);
    source_of(&mut survey, BACK).tasks = tasks;
    let changes = settle(&open, story.judge(survey));
    let [Change::Seen { .. }, Change::End { id }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(*id, open[1].id);
}

fn named(judged: &Judged, course: &str) -> Alarm {
    judged.standing.iter().find(|alarm| alarm.course == course).unwrap().clone()
}

#[test]
fn what_cannot_be_seen_of_one_flow_says_nothing_of_the_other() {
    let (mut story, mut survey) = both_ways();
    story.judge(survey.clone());
    for connector in survey.flows[1].connectors.values_mut() {
        *connector = Observed::unknown("connection refused", at(0));
    }
    let judged = story.judge(survey);
    assert_eq!(judged.unknown.get(&Code::TaskMissing), None);
    assert!(judged.unknown_of.keys().all(|(_, course)| course == BACK_AGAIN), "{:?}", judged.unknown_of);
    let on =
        |way: &str| Alarm { course: way.to_owned(), ..alarm(Code::TaskMissing, &format!("source ({way})")) };
    let changes = settle(&[kept(on(THERE)), kept(on(BACK_AGAIN))], judged);
    let [Change::End { .. }, Change::NotSeen { .. }] = changes.as_slice() else { panic!("{changes:?}") };
}

#[test]
fn when_one_flow_stops_what_is_open_of_the_other_goes_on_under_its_subject() {
    let (mut story, mut survey) = both_ways();
    story.judge(survey.clone());
    source_of(&mut survey, BACK).tasks.clear();
    let open = [kept(one(&story.stays(&survey, 2)).clone())];
    source_of(&mut survey, FORWARD).state = ConnectState::Stopped;
    let judged = story.judge(survey);
    assert_eq!((one(&judged).subject.as_str(), one(&judged).since), ("source", open[0].alarm.since));
    let changes = settle(&open, judged);
    let [Change::Seen { alarm, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(alarm.subject, "source (dr → primary)");
}

#[test]
fn what_the_source_of_a_paused_flow_removes_is_lost_to_an_active_active_pair() {
    for (mode, told) in [(PairMode::ActiveActive, 1), (PairMode::ActivePassive, 0)] {
        let (mut story, mut survey) = both_ways();
        story.pair.mode = mode;
        story.judge(survey.clone());
        source_of(&mut survey, BACK).state = ConnectState::Paused;
        story.judge(survey.clone());
        removed(&mut survey, Side::B, 1_000, 800);
        assert_eq!(story.judge(survey).standing.len(), told, "{mode:?}");
    }
}

#[test]
fn a_flow_that_was_taken_from_the_pair_is_judged_no_more() {
    let (mut story, mut survey) = both_ways();
    story.pair.mode = PairMode::ActiveActive;
    story.judge(survey.clone());
    story.pair.flows.pop();
    survey.flows.pop();
    assert_eq!(story.judge(survey), Judged::default());
}

#[test]
fn the_same_of_another_flow_opens_beside_what_is_open_whatever_was_judged_then() {
    let open = [kept(alarm(Code::ReplicationHole, "orders"))];
    let back = Alarm { course: BACK_AGAIN.to_owned(), ..alarm(Code::ReplicationHole, "orders") };
    let changes = settle(&open, Judged { standing: vec![back], ..Judged::default() });
    let [Change::Stays { .. }, Change::Open(opened)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(opened.subject, "orders (dr → primary)", "one is open of each code and subject");
}

#[test]
fn a_topic_made_anew_is_told_once_of_the_flow_it_belongs_to() {
    for (side, topic, subject, course) in [
        (Side::A, "orders", "orders on primary (primary → dr)", THERE),
        (Side::A, "dr.orders", "dr.orders on primary (dr → primary)", BACK_AGAIN),
        (Side::B, "orders", "orders on dr (dr → primary)", BACK_AGAIN),
        (Side::B, "primary.orders", "primary.orders on dr (primary → dr)", THERE),
    ] {
        let (mut story, mut survey) = both_ways();
        story.judge(survey.clone());
        samples::topics(&mut survey, side).get_mut(topic).unwrap().id = Some(Uuid::from_u128(7));
        assert_eq!(subjects(&story.judge(survey)), [(Code::TopicRecreated, subject, course)]);
    }
}

#[test]
fn a_group_may_be_at_work_on_both_sides_where_it_reads_the_copies_itself() {
    let (mut story, mut survey) = both_ways();
    for side in Side::BOTH {
        known(&mut survey.sides.get_mut(side).groups).insert("billing".to_owned(), group(1, 80));
    }
    let judged = story.judge(survey.clone());
    let told = [
        (Code::GroupActive, "billing (primary → dr)", THERE),
        (Code::GroupActive, "billing (dr → primary)", BACK_AGAIN),
    ];
    assert_eq!(subjects(&judged), told, "nothing is synced, and nobody there reads what comes");
    let there = known(&mut survey.sides.b.groups).get_mut("billing").unwrap();
    there.members[0].assignment.push(TopicPartition::new("primary.orders", 0));
    assert_eq!(subjects(&story.judge(survey.clone())), told[1..]);
    // Of a consumer that does not say what it holds its positions tell.
    let here = known(&mut survey.sides.a.groups).get_mut("billing").unwrap();
    here.offsets.insert(TopicPartition::new("dr.orders", 0), 60);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_group_whose_positions_are_those_that_were_synced_is_no_work_for_the_way_back() {
    let (mut story, mut survey) = both_ways();
    let mut synced = group(0, 80);
    synced.offsets = [(TopicPartition::new("primary.orders", 0), 80)].into();
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), synced);
    let checkpoint = known(survey.flows[1].connectors.get_mut(&ConnectorRole::Checkpoint).unwrap());
    checkpoint.tasks.clear();
    checkpoint.given_tasks = Some(0);
    assert_eq!(codes(&story.stays(&survey, 4)), []);
}

#[test]
fn on_a_copy_only_what_is_past_its_end_is_too_far_for_a_group_that_may_read_on_both_sides() {
    let (mut story, mut survey) = both_ways();
    let at_offset = |offset| {
        let mut group = group(0, 0);
        group.offsets = [(TopicPartition::new("primary.orders", 0), offset)].into();
        group
    };
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(0, 5));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), at_offset(100));
    assert_eq!(codes(&story.stays(&survey, 3)), [], "it has read all there, too");
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), at_offset(140));
    let judged = story.stays(&survey, 2);
    assert_eq!(subjects(&judged), [(Code::OffsetsBlocking, "billing (primary → dr)", THERE)]);
}
