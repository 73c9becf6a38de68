//! What offsets and statuses do not prove: markers, positions between two syncs, tasks nobody lists, converters nobody shows.

use super::{
    AlarmCode as Code,
    tests::{Story, alarm, codes, copied, flow_on, kept, one, orders, source, written},
    *,
};
use crate::{
    notification::Severity,
    pair::Side,
    samples::{self, group, known},
    survey::{ConnectState, OffsetPair, OpenTransaction, PartitionObservation, TaskObservation},
    topic::TopicPartition,
};

/// A flow that copies everything, as MirrorMaker 2 does unless told otherwise.
fn uncommitted() -> Survey {
    let mut survey = Story::survey();
    for key in ["exactly.once.support", "source.consumer.isolation.level"] {
        source(&mut survey).config.remove(key);
    }
    survey
}

fn partition(end: i64) -> PartitionObservation {
    PartitionObservation {
        start: Some(0),
        end: Some(end),
        stable: Some(end),
        ..PartitionObservation::default()
    }
}

/// `orders` with two partitions, and so many tasks.
fn two_partitions(mut survey: Survey, tasks: i32) -> Survey {
    for side in Side::BOTH {
        samples::topics(&mut survey, side).get_mut("orders").unwrap().partitions.push(partition(100));
    }
    let key = TopicPartition::new("orders", 1);
    known(&mut survey.flows[0].committed).offsets.insert(key.clone(), 99);
    known(&mut survey.flows[0].newest_pairs).0.insert(key, OffsetPair { upstream: 99, downstream: 99 });
    let task = |id| TaskObservation { id, state: ConnectState::Running, trace: None };
    let source = source(&mut survey);
    source.tasks = (0..tasks).map(task).collect();
    source.config.insert("tasks.max".to_owned(), "2".to_owned());
    survey
}

/// `count` more records on the second partition that nobody copies.
fn second_is_written(survey: &mut Survey, count: i64) {
    let orders = samples::topics(survey, Side::A).get_mut("orders").unwrap();
    let end = orders.partitions[1].end.unwrap() + count;
    orders.partitions[1] = partition(end);
}

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

/// A thousand times as much as the small survey has, all of it on both sides.
fn long(mut survey: Survey) -> Survey {
    flow_on(&mut survey, 99_901);
    survey
}

#[test]
fn a_leftover_position_behind_the_newest_sync_is_likely_where_far_less_is_left_than_on_the_source() {
    let (mut story, mut survey) = (Story::new(), long(uncommitted()));
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(0, 50));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 90_000));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!(
        (alarm.code, alarm.severity(), alarm.likely),
        (Code::OffsetsBlocking, Severity::Warning, true)
    );
    assert_eq!(
        alarm.places[0].said,
        "stands at 90000, 10000 offsets before the newest offset sync; the group has 99950 left to it on the source"
    );
    assert_eq!(alarm.lost, Lost::up_to(90_000));
    assert!(!kept(alarm.clone()).is_bad());
    // Past the end it is proven, and told again.
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 190_000));
    story.judge(survey.clone());
    let proven = story.judge(survey);
    assert_eq!((one(&proven).likely, one(&proven).severity()), (false, Severity::Critical));
    let changes = settle(&[kept(alarm.clone())], proven);
    assert!(matches!(changes.as_slice(), [Change::Seen { grown: true, .. }]), "{changes:#?}");
}

#[test]
fn positions_that_mirror_maker_wrote_itself_are_none_left_over() {
    // Of a source on which every second offset is a marker, and every fourth record is left.
    for (upstream, downstream, source_end, position, there) in [
        (99_999, 99_999, 100_000, 50, 50),
        (99_999, 99_999, 100_000, 50, 0),
        (99_998, 49_999, 100_000, 50, 25),
        (99_998, 24_999, 100_000, 50, 12),
        // What the source does not hold any more may never have been copied.
        (99_999, 9_999, 100_000, 50, 30),
    ] {
        let (mut story, mut survey) = (Story::new(), uncommitted());
        *orders(&mut survey, Side::A) = partition(source_end);
        *orders(&mut survey, Side::B) = partition(downstream + 1);
        if downstream == 9_999 {
            orders(&mut survey, Side::A).start = Some(90_000);
        }
        let key = TopicPartition::new("orders", 0);
        known(&mut survey.flows[0].committed).offsets.insert(key.clone(), upstream);
        let pair = OffsetPair { upstream, downstream };
        known(&mut survey.flows[0].newest_pairs).0.insert(key, pair);
        known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(0, position));
        known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, there));
        let judged = story.stays(&survey, 3);
        assert!(!codes(&judged).contains(&Code::OffsetsBlocking), "{judged:#?}");
    }
}

#[test]
fn the_last_task_is_missed_when_there_were_more_before_or_the_settings_make_more() {
    // It had two.
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    known(&mut survey.flows[0].committed).offsets.clear();
    source(&mut survey).tasks.truncate(1);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    assert_eq!(
        (one(&judged).code, one(&judged).places[0].name.as_str()),
        (Code::TaskMissing, "source, task 1")
    );
    // With fewer allowed it is as it should be.
    source(&mut survey).config.insert("tasks.max".to_owned(), "1".to_owned());
    assert_eq!(codes(&story.stays(&survey, 3)), []);
    // It never had two, and should have.
    let (mut story, survey) = (Story::new(), two_partitions(Story::survey(), 1));
    let judged = story.stays(&survey, 3);
    assert_eq!(one(&judged).places[0].said, "is not there");
    // Not more than there are partitions.
    let mut few = Story::survey();
    source(&mut few).config.insert("tasks.max".to_owned(), "8".to_owned());
    assert_eq!(codes(&Story::new().stays(&few, 4)), []);
}

#[test]
fn a_task_that_nobody_started_is_missed_though_the_status_never_had_it() {
    // Nothing else tells that there should be more: one partition, and no setting that makes more.
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    source(&mut survey).given_tasks = Some(2);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.places[0].name.as_str()), (Code::TaskMissing, "source, task 1"));
    let said = "Connect keeps configs of 2 tasks for it and has a status of 1.";
    assert!(alarm.facts.iter().any(|fact| fact == said), "{:?}", alarm.facts);
    source(&mut survey).given_tasks = Some(1);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_connector_with_nothing_to_copy_needs_no_task() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    for side in Side::BOTH {
        samples::topics(&mut survey, side).clear();
    }
    source(&mut survey).tasks.clear();
    assert_eq!(codes(&story.stays(&survey, 3)), []);
}

#[test]
fn a_task_that_waits_for_the_worker_that_had_it_is_missed_and_no_restart_reaches_it() {
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    story.judge(survey.clone());
    source(&mut survey).tasks[1].state = ConnectState::Unassigned;
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    let (alarm, place) = (one(&judged), &one(&judged).places[0]);
    assert_eq!((alarm.code, alarm.likely), (Code::TaskMissing, false));
    assert_eq!((place.name.as_str(), place.said.as_str()), ("source, task 1", "is UNASSIGNED"));
    let commands = alarm.command.as_deref().unwrap_or_default().lines();
    let verbs: Vec<_> = commands.filter_map(|line| line.rsplit('/').next()).collect();
    assert_eq!(verbs, ["stop'", "status'", "resume'"]);
    // Another worker has it now.
    source(&mut survey).tasks[1].state = ConnectState::Running;
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_dead_task_beside_one_that_works_is_told_by_its_partitions() {
    let (mut story, mut survey) = (Story::new(), two_partitions(uncommitted(), 2));
    story.judge(survey.clone());
    for _ in 0..2 {
        flow_on(&mut survey, 10);
        second_is_written(&mut survey, 5);
        assert_eq!(codes(&story.judge(survey.clone())), []);
    }
    flow_on(&mut survey, 10);
    second_is_written(&mut survey, 5);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str(), alarm.likely), (Code::TaskMissing, "source", false));
    let names: Vec<_> = alarm.places.iter().map(|place| place.name.as_str()).collect();
    assert_eq!((names, alarm.lost), (vec!["orders-1"], Lost::up_to(15)));
    // It stands while nothing is written, and ends when something arrives.
    assert_eq!(codes(&story.judge(survey.clone())), [Code::TaskMissing]);
    samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions[1] = partition(115);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_partition_that_stands_still_is_likely_only_where_what_was_written_may_be_nothing_to_copy() {
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    story.judge(survey.clone());
    let mut judged = Judged::default();
    for _ in 0..3 {
        flow_on(&mut survey, 10);
        second_is_written(&mut survey, 5);
        judged = story.judge(survey.clone());
    }
    assert_eq!((one(&judged).code, one(&judged).severity()), (Code::TaskMissing, Severity::Warning));
    assert!(one(&judged).facts.iter().any(|fact| fact.contains("was aborted")), "{judged:#?}");
}

#[test]
fn slow_flushes_pauses_and_catching_up_are_no_dead_task() {
    // The replica grows; positions are flushed once a minute.
    let (mut story, mut survey) = (Story::new(), two_partitions(uncommitted(), 2));
    story.judge(survey.clone());
    for n in 1..8 {
        second_is_written(&mut survey, 5);
        samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions[1] =
            partition(100 + n * 5);
        assert_eq!(codes(&story.judge(survey.clone())), []);
    }
    // It was paused: nothing is held against it when it goes on.
    let (mut story, mut survey) = (Story::new(), two_partitions(uncommitted(), 2));
    story.judge(survey.clone());
    source(&mut survey).state = ConnectState::Paused;
    for _ in 0..5 {
        second_is_written(&mut survey, 5);
        story.judge(survey.clone());
    }
    source(&mut survey).state = ConnectState::Running;
    flow_on(&mut survey, 10);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    // A partition that moves is a hundred thousand behind: the other waits for its turn.
    let (mut story, mut survey) = (Story::new(), two_partitions(uncommitted(), 2));
    written(&mut survey, 100_000);
    story.judge(survey.clone());
    for _ in 0..6 {
        copied(&mut survey, 500);
        second_is_written(&mut survey, 5);
        assert_eq!(codes(&story.judge(survey.clone())), []);
    }
}

#[test]
fn an_open_transaction_names_what_finds_and_what_ends_it() {
    let stuck = |committed: bool, known_holder: bool| {
        let (mut story, mut survey) = (Story::new(), if committed { Story::survey() } else { uncommitted() });
        let partition = orders(&mut survey, Side::A);
        (partition.end, partition.stable) = (Some(130), Some(100));
        if known_holder {
            known(&mut survey.sides.a.transactions).push(OpenTransaction {
                transactional_id: "settlement-1".to_owned(),
                producer_id: 7,
                state: "Ongoing".to_owned(),
                began_at: None,
                partitions: vec![TopicPartition::new("orders", 0)],
            });
        }
        let judged = story.stays(&survey, 3);
        judged.standing.into_iter().find(|alarm| alarm.code == Code::HungTransaction).unwrap()
    };
    let tool = "kafka-transactions.sh --bootstrap-server primary:9092 --command-config admin.properties";
    let hanging = stuck(true, false);
    let find = format!("{tool} find-hanging --topic 'orders' --partition 0");
    assert_eq!(hanging.command.as_deref(), Some(find.as_str()));
    let abort = format!("`{tool} abort --topic 'orders' --partition 0 --start-offset 100`");
    assert!(hanging.next_step.contains(&abort), "{}", hanging.next_step);
    let held = stuck(true, true);
    let describe = format!("{tool} describe --transactional-id 'settlement-1'\n{find}");
    assert_eq!(held.command, Some(describe));
    assert!(
        held.said.ends_with("read committed, or copied.") && held.next_step.contains(&abort),
        "{held:#?}"
    );
    // A flow that copies everything waits for nothing.
    let copied = stuck(false, true);
    assert!(copied.said.ends_with("can be read committed."), "{}", copied.said);
    assert!(copied.facts[0].starts_with("This flow copies what is not committed"), "{:?}", copied.facts);
}

#[test]
fn the_command_against_a_foreign_writer_asks_about_the_partition_that_grew() {
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    story.stays(&survey, 2);
    samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions[1] = partition(103);
    story.judge(survey.clone());
    let judged = story.judge(survey);
    let command = one(&judged).command.clone().unwrap();
    assert!(command.ends_with("describe-producers --topic 'orders' --partition 1"), "{command}");
}

#[test]
fn a_converter_that_is_left_to_the_worker_cannot_be_seen_and_one_that_is_set_wrong_can() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    source(&mut survey).config.remove("header.converter");
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.severity()), (Code::ConverterRewrites, Severity::Warning));
    assert_eq!(alarm.places[0].said, "is the worker's own, which cannot be seen");
    assert!(alarm.next_step.starts_with("Look at key.converter"), "{}", alarm.next_step);
    let json = "org.apache.kafka.connect.json.JsonConverter".to_owned();
    source(&mut survey).config.insert("value.converter".to_owned(), json);
    assert_eq!(one(&story.judge(survey)).severity(), Severity::Critical);
}

#[test]
fn alarms_of_an_earlier_version_read_back_as_proven() {
    let mut body = serde_json::to_value(alarm(Code::TaskMissing, "source")).unwrap();
    body.as_object_mut().unwrap().remove("likely");
    let read: Alarm = serde_json::from_value(body).unwrap();
    assert_eq!((read.likely, read.severity()), (false, Severity::Critical));
}

#[test]
fn behind_a_router_what_hangs_on_the_names_of_copies_is_not_judged() {
    let mut survey = Story::survey();
    samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions.clear();
    let judge = |survey: &Survey| Story::new().stays(survey, 4);
    assert!(judge(&survey).standing.iter().any(|alarm| alarm.code == Code::PartitionsMissing));
    let config = &mut source(&mut survey).config;
    config.insert("transforms".to_owned(), "move".to_owned());
    let router = "org.apache.kafka.connect.transforms.RegexRouter";
    config.insert("transforms.move.type".to_owned(), router.to_owned());
    let judged = judge(&survey);
    for code in [
        Code::PartitionsMissing,
        Code::ReplicationHole,
        Code::ForeignWriter,
        Code::TaskMissing,
        Code::WorkerGone,
        Code::EarlyDeletion,
        Code::OffsetsBlocking,
    ] {
        let why = judged.unknown.get(&code).map_or("", String::as_str);
        assert!(why.contains("transform `move`"), "{code:?}: {why}");
        assert!(judged.standing.iter().all(|alarm| alarm.code != code), "{code:?}");
    }
}
