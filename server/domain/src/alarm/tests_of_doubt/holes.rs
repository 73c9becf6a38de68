//! Holes and what is none: markers, what expired, what was told already.

use super::*;

#[test]
fn a_marker_behind_the_last_record_is_no_hole_when_all_expires_whatever_the_flow_copies() {
    for mut survey in [uncommitted(), Story::survey()] {
        let mut story = Story::new();
        written(&mut survey, 1);
        story.stays(&survey, 3);
        let partition = orders(&mut survey, Side::A);
        partition.start = partition.end;
        assert_eq!(codes(&story.stays(&survey, 3)), []);
        // Nor is it one when a stop makes it look otherwise, or when replication goes on behind it.
        source(&mut survey).state = ConnectState::Paused;
        assert_eq!(codes(&story.stays(&survey, 2)), []);
        source(&mut survey).state = ConnectState::Running;
        written(&mut survey, 2);
        let key = TopicPartition::new("orders", 0);
        known(&mut survey.flows[0].committed).offsets.insert(key.clone(), 101);
        let pair = OffsetPair { upstream: 101, downstream: 100 };
        known(&mut survey.flows[0].newest_pairs).0.insert(key, pair);
        let replica = orders(&mut survey, Side::B);
        (replica.end, replica.stable) = (Some(101), Some(101));
        assert_eq!(codes(&story.stays(&survey, 2)), []);
    }
}

#[test]
fn an_emptied_partition_that_muster_sees_for_the_first_time_is_judged_by_the_second_survey() {
    let (mut story, mut survey) = (Story::new(), uncommitted());
    written(&mut survey, 1);
    orders(&mut survey, Side::A).start = Some(101);
    assert_eq!(codes(&story.stays(&survey, 4)), []);
}

#[test]
fn what_a_dead_task_left_to_expire_is_a_hole_though_all_is_gone() {
    let (mut story, mut survey) = (Story::new(), uncommitted());
    story.judge(survey.clone());
    for _ in 0..2 {
        written(&mut survey, 50);
        story.judge(survey.clone());
    }
    let partition = orders(&mut survey, Side::A);
    partition.start = partition.end;
    story.judge(survey.clone());
    let judged = story.judge(survey);
    let hole = judged.standing.iter().find(|alarm| alarm.code == Code::ReplicationHole).unwrap();
    assert_eq!(hole.places[0].said, "offsets 100 to 199 were not copied");
}

#[test]
fn no_hole_is_said_to_have_lost_at_least_so_many_since_offsets_may_be_markers_in_any_mode() {
    let (mut story, mut survey) = (Story::new(), uncommitted());
    story.judge(survey.clone());
    written(&mut survey, 1000);
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(800);
    copied(&mut survey, 301);
    let key = TopicPartition::new("orders", 0);
    known(&mut survey.flows[0].committed).offsets.insert(key.clone(), 1099);
    let pair = OffsetPair { upstream: 1099, downstream: 400 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key, pair);
    assert_eq!(one(&story.judge(survey)).lost, Lost::up_to(700));
}

#[test]
fn a_hole_is_told_once_and_only_what_is_new_is_told_again() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    source(&mut survey).state = ConnectState::Stopped;
    written(&mut survey, 1000);
    story.judge(survey.clone());
    orders(&mut survey, Side::A).start = Some(800);
    assert_eq!(one(&story.judge(survey.clone())).lost, Lost::up_to(700));
    assert_eq!(codes(&story.stays(&survey, 2)), [], "somebody may have acknowledged it");
    // Not after the source was dark, nor after a run.
    let dark = crate::survey::SideObservation::unreachable("connection refused", samples::at(0));
    let light = std::mem::replace(&mut survey.sides.a, dark);
    story.judge(survey.clone());
    survey.sides.a = light;
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    source(&mut survey).state = ConnectState::Running;
    story.moved_by = Some(7);
    story.judge(survey.clone());
    story.moved_by = None;
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    orders(&mut survey, Side::A).start = Some(900);
    let judged = story.judge(survey.clone());
    assert_eq!(one(&judged).places[0].said, "offsets 800 to 899 were not copied");
    // Replication jumps over what was told.
    copied(&mut survey, 200);
    let key = TopicPartition::new("orders", 0);
    known(&mut survey.flows[0].committed).offsets.insert(key, 1099);
    assert_eq!(codes(&story.stays(&survey, 2)), []);
}

#[test]
fn a_topic_made_anew_has_holes_of_its_own() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    source(&mut survey).state = ConnectState::Stopped;
    written(&mut survey, 1000);
    orders(&mut survey, Side::A).start = Some(800);
    assert_eq!(codes(&story.judge(survey.clone())), [Code::ReplicationHole]);
    let made = samples::topics(&mut survey, Side::A).get_mut("orders").unwrap();
    made.id = Some(uuid::Uuid::from_u128(9));
    made.partitions[0] = PartitionObservation { start: Some(300), ..partition(500) };
    let judged = story.judge(survey);
    assert!(codes(&judged).contains(&Code::ReplicationHole), "{judged:#?}");
}

#[test]
fn what_is_told_once_keeps_its_place_among_the_twenty() {
    let open: Vec<_> =
        (0..20).map(|n| kept(alarm(Code::ReplicationHole, &format!("topic-{n:02}")))).collect();
    let standing = vec![alarm(Code::ReplicationHole, "one-more")];
    let changes = settle(&open, Judged { standing, ..Judged::default() });
    let opened: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Open(alarm) => Some(alarm.subject.as_str()),
            Change::Seen { .. } | Change::NotSeen { .. } | Change::Stays { .. } | Change::End { .. } => None,
        })
        .collect();
    assert_eq!(opened, [THE_REST]);
}
