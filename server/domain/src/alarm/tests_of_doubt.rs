//! What offsets and statuses do not prove: markers, positions between two syncs, tasks nobody lists, converters nobody shows. Holes and
//! tasks in the files beside this one, which share what is here.

mod holes;
mod tasks;

use super::{
    AlarmCode as Code,
    tests::{Story, alarm, codes, copied, flow_on, kept, one, orders, source, written},
    *,
};
use crate::{
    notification::Severity,
    pair::Side,
    samples::{self, group, known},
    survey::{
        AssignedPartitions, ConnectState, OffsetPair, OpenTransaction, PartitionObservation, TaskObservation,
    },
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
