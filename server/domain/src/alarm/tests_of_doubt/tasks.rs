//! Tasks that are not there, and those that only seem so: slow, paused, or with nothing to copy.

use super::*;

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
fn a_task_that_no_worker_has_is_missed_by_its_partitions() {
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    story.judge(survey.clone());
    source(&mut survey).tasks[1].state = ConnectState::Unassigned;
    story.judge(survey.clone());
    second_is_written(&mut survey, 5);
    let unknown = story.judge(survey.clone());
    assert_eq!(one(&unknown).lost, Lost::UNKNOWN, "whose they are nobody tells");
    let theirs = |more| AssignedPartitions { task: 1, named: vec![TopicPartition::new("orders", 1)], more };
    source(&mut survey).assigned = vec![theirs(0)];
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.places.len(), alarm.lost), (1, Lost::up_to(5)));
    assert_eq!(alarm.places[0].name, "orders-1");
    assert_eq!(alarm.places[0].said, "its task 1 is UNASSIGNED: 5 offsets are not known to have arrived");
    source(&mut survey).assigned = vec![theirs(3)];
    let judged = story.judge(survey);
    let names: Vec<_> = one(&judged).places.iter().map(|place| place.name.as_str()).collect();
    assert_eq!((names, one(&judged).lost), (vec!["orders-1", "source, task 1"], Lost::UNKNOWN));
}

/// Its second task is UNASSIGNED and had these partitions: what is told of it.
fn unassigned(mut survey: Survey, named: Vec<TopicPartition>) -> Alarm {
    let mut story = Story::new();
    story.judge(survey.clone());
    let source = source(&mut survey);
    source.tasks[1].state = ConnectState::Unassigned;
    source.assigned = vec![AssignedPartitions { task: 1, named, more: 0 }];
    one(&story.stays(&survey, 2)).clone()
}

#[test]
fn what_a_task_copied_beside_the_pairs_topics_makes_no_loss_unknown() {
    let mut survey = two_partitions(Story::survey(), 2);
    second_is_written(&mut survey, 5);
    let beside = TopicPartition::new("heartbeats", 0);
    let alarm = unassigned(survey.clone(), vec![beside.clone(), TopicPartition::new("orders", 1)]);
    assert_eq!((alarm.places.len(), alarm.lost), (1, Lost::up_to(5)));
    assert_eq!(alarm.places[0].name, "orders-1");
    let alarm = unassigned(survey, vec![beside]);
    assert_eq!(alarm.places[0].said, "is UNASSIGNED, and copied no topic of the pair");
    assert_eq!((alarm.places.len(), alarm.lost), (1, Lost::up_to(0)));
}

#[test]
fn of_many_partitions_of_a_task_the_worst_are_named_and_all_are_counted() {
    let mut survey = two_partitions(Story::survey(), 2);
    for number in 2..27 {
        let (here, there) = (partition(100 + i64::from(number)), partition(100));
        samples::topics(&mut survey, Side::A).get_mut("orders").unwrap().partitions.push(here);
        samples::topics(&mut survey, Side::B).get_mut("orders").unwrap().partitions.push(there);
        let key = TopicPartition::new("orders", number);
        known(&mut survey.flows[0].committed).offsets.insert(key, 99);
    }
    let alarm = unassigned(survey, (2..27).map(|number| TopicPartition::new("orders", number)).collect());
    assert_eq!((alarm.places.len(), alarm.more_places), (20, 5));
    assert_eq!((alarm.places[0].name.as_str(), alarm.places[0].lost), ("orders-26", Lost::up_to(26)));
    assert_eq!(alarm.lost, Lost::up_to((2..27).sum()));
}

#[test]
fn a_source_connector_without_any_task_is_missed_by_all_partitions_of_its_flow() {
    let (mut story, mut survey) = (Story::new(), two_partitions(Story::survey(), 2));
    story.judge(survey.clone());
    source(&mut survey).tasks.clear();
    second_is_written(&mut survey, 5);
    let judged = story.stays(&survey, 2);
    let names: Vec<_> = one(&judged).places.iter().map(|place| place.name.as_str()).collect();
    assert_eq!((names, one(&judged).lost), (vec!["orders-1", "orders-0"], Lost::up_to(5)));
}

#[test]
fn a_rule_that_names_partitions_says_where_and_none_says_less_than_the_other() {
    let of = |partition: Option<TopicPartition>, lost: Lost| {
        let place = partition
            .map_or_else(|| Place::new("source, task 1", "is not there"), |at| Place::of(at, "waits"));
        Alarm { lost, places: vec![place.losing(0, lost)], ..alarm(Code::TaskMissing, "source") }
    };
    let at = Some(TopicPartition::new("orders", 1));
    for (first, second, lost) in [
        (Lost::UNKNOWN, Lost::up_to(5), Lost::UNKNOWN),
        (Lost::up_to(9), Lost::up_to(5), Lost::up_to(9)),
        (Lost::up_to(3), Lost::up_to(5), Lost::up_to(5)),
    ] {
        let mut judged = Judged::default();
        judged.raise(of(None, first));
        judged.raise(of(at.clone(), second));
        assert_eq!((one(&judged).places[0].name.as_str(), one(&judged).lost), ("orders-1", lost));
        judged.raise(of(Some(TopicPartition::new("orders", 0)), Lost::up_to(70)));
        assert_eq!(one(&judged).places[0].name, "orders-1", "what names some already stays");
    }
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
