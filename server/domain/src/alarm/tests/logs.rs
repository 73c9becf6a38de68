//! Logs that lost records before they were copied, or were made anew.

use super::*;
use crate::survey::{OldPosition, WritersObservation};

#[test]
fn records_removed_before_they_were_copied_are_a_hole_while_replication_stands() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    source(&mut survey).state = ConnectState::Stopped;
    written(&mut survey, 1000);
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(800);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::ReplicationHole, "orders"));
    assert_eq!(alarm.places[0].said, "offsets 100 to 799 were not copied");
    assert_eq!(alarm.places[0].partition, Some(TopicPartition::new("orders", 0)));
    assert_eq!((alarm.lost, alarm.since), (Lost::up_to(700), between(10, 15)));
}

#[test]
fn a_hole_is_seen_though_replication_jumped_over_it_between_two_surveys() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    written(&mut survey, 1000);
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(800);
    copied(&mut survey, 301);
    let key = TopicPartition::new("orders", 0);
    known(&mut survey.flows[0].committed).offsets.insert(key, 1099);
    let judged = story.judge(survey);
    assert_eq!(one(&judged).lost, Lost::up_to(700));
}

/// Where 99 is committed and the newest sync is (99, 99): the hole before a source that begins and a target that ends there.
fn hole(change: impl FnOnce(&mut WritersObservation), start: i64, target_end: i64) -> Option<(String, Lost)> {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    // The connector asks for nothing.
    source(&mut survey).config.remove("exactly.once.support");
    source(&mut survey).config.remove("source.consumer.isolation.level");
    change(known(&mut survey.flows[0].writers));
    story.judge(survey.clone());
    written(&mut survey, 200);
    orders(&mut survey, Side::A).start = Some(start);
    let target = orders(&mut survey, Side::B);
    (target.end, target.stable) = (Some(target_end), Some(target_end));
    let judged = story.judge(survey);
    let hole = judged.standing.iter().find(|alarm| alarm.code == Code::ReplicationHole)?;
    Some((hole.places[0].said.clone(), hole.lost))
}

#[test]
fn markers_of_tasks_that_write_in_transactions_are_no_records_that_arrived() {
    let by_the_worker = |writers: &mut WritersObservation| writers.own = [7].into();
    let told = hole(by_the_worker, 101, 101);
    assert_eq!(told, Some(("offsets 100 to 100 were not copied".to_owned(), Lost::up_to(1))));
    assert_eq!(hole(by_the_worker, 100, 101), None);
    assert_eq!(hole(|_| {}, 101, 101), None, "of a flow that adds nothing but records it has come");
}

#[test]
fn what_may_be_markers_on_the_target_may_be_lost_as_well() {
    let nothing_looked_at = |writers: &mut WritersObservation| *writers = WritersObservation::default();
    let said = "offsets 131 to 199 were not copied, and of the 31 before them some may not have been";
    assert_eq!(hole(nothing_looked_at, 200, 131), Some((said.to_owned(), Lost::up_to(100))));
    let said = "offsets 131 to 199 were not copied";
    assert_eq!(hole(|_| {}, 200, 131), Some((said.to_owned(), Lost::up_to(69))));
}

#[test]
fn what_was_copied_and_then_removed_is_no_hole() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    flow_on(&mut survey, 500);
    orders(&mut survey, Side::A).start = Some(550);
    assert_eq!(story.judge(survey.clone()).standing, []);
    // A marker at the end is never copied; with all records gone it is no hole.
    written(&mut survey, 1);
    story.judge(survey.clone());
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(601);
    assert_eq!(story.judge(survey).standing, []);
}

#[test]
fn a_topic_made_anew_is_known_by_its_id_also_after_it_was_away_and_the_source_was_dark() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let topic = samples::topics(&mut survey, Side::A).remove("orders").unwrap();
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let dark = SideObservation::unreachable("connection refused", at(0));
    let light = std::mem::replace(&mut survey.sides.a, dark);
    story.judge(survey.clone());
    survey.sides.a = light;
    samples::topics(&mut survey, Side::A).insert("orders".to_owned(), topic);
    let made = samples::topics(&mut survey, Side::A).get_mut("orders").unwrap();
    made.id = Some(Uuid::from_u128(2));
    made.partitions[0].end = Some(150);
    made.partitions[0].stable = Some(150);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::TopicRecreated, "orders on primary"));
    // It goes on at offset 100 of the new log: the first hundred are skipped.
    assert_eq!((alarm.lost, alarm.since), (Lost::up_to(100), between(5, 20)));
    assert_eq!(codes(&story.judge(survey)), [], "told once");
}

#[test]
fn of_a_topic_made_anew_all_up_to_the_position_may_be_skipped_however_short_it_is_now() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let made = samples::topics(&mut survey, Side::A).get_mut("orders").unwrap();
    made.id = Some(Uuid::from_u128(2));
    made.partitions[0].end = Some(20);
    made.partitions[0].stable = Some(20);
    // Should it go on when there are more than a hundred, the first hundred are skipped.
    assert_eq!(one(&story.judge(survey.clone())).lost, Lost::up_to(100));
    // It went down: it has begun anew by itself.
    let mut story = Story::new();
    story.judge(Story::survey());
    known(&mut survey.flows[0].committed).offsets.insert(TopicPartition::new("orders", 0), 19);
    assert_eq!(one(&story.judge(survey)).lost, Lost::up_to(0));
}

#[test]
fn a_topic_made_anew_on_the_standby_has_lost_what_it_held() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let made = samples::topics(&mut survey, Side::B).get_mut("orders").unwrap();
    made.id = Some(Uuid::from_u128(3));
    made.partitions[0].end = Some(0);
    made.partitions[0].stable = Some(0);
    let judged = story.judge(survey);
    assert_eq!((one(&judged).subject.as_str(), one(&judged).lost), ("orders on dr", Lost::up_to(100)));
}

#[test]
fn partitions_of_the_source_only_are_missing_until_they_are_there() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let topic = samples::topics(&mut survey, Side::A).get_mut("orders").unwrap();
    topic.partitions.push(PartitionObservation {
        start: Some(0),
        end: Some(7),
        stable: Some(7),
        ..topic.partitions[0].clone()
    });
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.places[0].name.as_str()), (Code::PartitionsMissing, "orders-1"));
    assert_eq!(alarm.places[0].partition, Some(TopicPartition::new("orders", 1)));
    assert_eq!(alarm.lost, Lost::up_to(7));
    let empty = PartitionObservation {
        start: Some(0),
        end: Some(0),
        stable: Some(0),
        ..PartitionObservation::default()
    };
    samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions.push(empty);
    assert_eq!(codes(&story.judge(survey)), []);
}

fn loses(judged: &Judged, code: Code) -> Option<Lost> {
    judged.standing.iter().find(|alarm| alarm.code == code).map(|alarm| alarm.lost)
}

#[test]
fn no_more_waits_on_a_log_than_it_still_has() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    written(&mut survey, 60);
    orders(&mut survey, Side::A).start = Some(150);
    story.judge(survey.clone());
    let mut dark = survey.clone();
    without_connect(&mut survey);
    let judged = story.stays(&survey, 2);
    assert_eq!(loses(&judged, Code::WorkerGone), Some(Lost::up_to(10)), "the other fifty are a hole");
    dark.sides.a = SideObservation::unreachable("connection refused", at(0));
    let judged = story.stays(&dark, 2);
    let said = "ended at 160 when it was read last: 10 offsets are not known to have arrived";
    assert_eq!(one(&judged).places[0].said, said);
}

#[test]
fn nothing_of_a_topic_made_anew_has_arrived_by_a_position_on_the_one_before() {
    for end in [20, 150] {
        let mut anew = Story::survey();
        let made = samples::topics(&mut anew, Side::A).get_mut("orders").unwrap();
        made.id = Some(Uuid::from_u128(2));
        (made.partitions[0].end, made.partitions[0].stable) = (Some(end), Some(end));
        let pair = OffsetPair { upstream: 99, downstream: 99 };
        let old = OldPosition { committed: Some(99), pair: Some(pair), unseen: false };
        anew.flows[0].of_another_log.insert(TopicPartition::new("orders", 0), old);
        let mut story = Story::new();
        story.judge(Story::survey());
        story.judge(anew.clone());
        let mut dark = anew.clone();
        without_connect(&mut anew);
        let judged = story.stays(&anew, 2);
        assert_eq!(loses(&judged, Code::WorkerGone), Some(Lost::UNKNOWN), "{end}");
        dark.sides.a = SideObservation::unreachable("connection refused", at(0));
        let judged = story.stays(&dark, 2);
        let said =
            format!("ended at {end} when it was read last: {end} offsets are not known to have arrived");
        assert_eq!(one(&judged).places[0].said, said);
    }
}

#[test]
fn what_connect_had_committed_is_no_hole_while_it_cannot_be_asked() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    source(&mut survey).config.remove("exactly.once.support");
    source(&mut survey).config.remove("source.consumer.isolation.level");
    story.judge(survey.clone());
    // No sync came with what was copied since, and the copy holds it.
    written(&mut survey, 60);
    let target = orders(&mut survey, Side::B);
    (target.end, target.stable) = (Some(150), Some(150));
    let key = TopicPartition::new("orders", 0);
    known(&mut survey.flows[0].committed).offsets.insert(key.clone(), 149);
    survey.flows[0].unproven.insert(key, at(0));
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(120);
    survey.flows[0].committed = Observed::unknown("connection refused", at(0));
    let judged = story.judge(survey);
    assert_eq!(loses(&judged, Code::ReplicationHole), None, "{judged:#?}");
}
