//! Replication that does not run as it should, and a run that moves it.

use super::*;
use crate::survey::OpenTransaction;

#[test]
fn a_transaction_that_holds_records_back_is_named_by_the_second_survey_that_shows_it() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    flow_on(&mut survey, 1);
    orders(&mut survey, Side::A).end = Some(130);
    let open = OpenTransaction {
        transactional_id: "settlement-1".to_owned(),
        producer_id: 7,
        state: "Ongoing".to_owned(),
        began_at: Some(at(6)),
        partitions: vec![TopicPartition::new("orders", 0)],
    };
    known(&mut survey.sides.a.transactions).push(open);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    orders(&mut survey, Side::A).end = Some(140);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::HungTransaction, "orders"));
    assert!(alarm.said.starts_with("Transaction `settlement-1` is open"), "{}", alarm.said);
    assert_eq!(alarm.places[0].said, "stands at offset 101 and ends at 140");
    assert_eq!((alarm.lost, alarm.since), (Lost::NOTHING, between(5, 10)), "what waits is not lost");
    let partition = orders(&mut survey, Side::A);
    partition.stable = partition.end;
    copied(&mut survey, 39);
    for _ in 0..5 {
        let judged = story.judge(survey.clone());
        assert!(one(&judged).said.ends_with("the newest survey found none that does."), "{judged:#?}");
        assert_eq!((one(&judged).since, one(&judged).places.len()), (between(5, 10), 0));
    }
    assert_eq!(codes(&story.judge(survey)), [], "six surveys in a row found none");
}

/// A sink that commits with each checkpoint, a minute apart: the next transaction begins with the next record, under another id.
#[test]
fn transactions_that_follow_one_another_are_one_alarm() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let (mut open, mut opened) = (Vec::new(), 0);
    for checkpoint in 0..4_i64 {
        let holder = OpenTransaction {
            transactional_id: format!("sink-{checkpoint}"),
            producer_id: checkpoint,
            state: "Ongoing".to_owned(),
            began_at: None,
            partitions: vec![TopicPartition::new("orders", 0)],
        };
        *known(&mut survey.sides.a.transactions) = vec![holder];
        for _ in 0..12 {
            let partition = orders(&mut survey, Side::A);
            partition.end = partition.end.map(|end| end + 10);
            for change in settle(&open, story.judge(survey.clone())) {
                match change.clone() {
                    Change::Open(alarm) => {
                        opened += 1;
                        open = vec![kept(alarm)];
                    }
                    Change::Seen { grown, alarm, .. } => {
                        assert!(!grown, "{alarm:#?}");
                        open = vec![kept(alarm)];
                    }
                    Change::NotSeen { .. } | Change::Stays { .. } | Change::End { .. } => {
                        panic!("it neither ends nor is out of sight: {change:?}")
                    }
                }
            }
        }
        assert_eq!(opened, 1);
        let said = &open[0].alarm.said;
        assert!(said.starts_with(&format!("Transaction `sink-{checkpoint}` is open")), "{said}");
        // It commits, and has written on by the next survey.
        let partition = orders(&mut survey, Side::A);
        let came = partition.end.unwrap() - partition.stable.unwrap();
        partition.stable = partition.end;
        copied(&mut survey, came);
    }
    assert_eq!(open[0].alarm.since, between(5, 10));
}

#[test]
fn running_without_a_task_must_last_longer_than_a_rebalance() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let well = survey.clone();
    source(&mut survey).tasks.clear();
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, one(&judged).since), (Code::TaskMissing, between(5, 10)));
    assert_eq!(codes(&story.judge(well)), []);
    source(&mut survey).tasks =
        vec![crate::survey::TaskObservation { id: 1, state: ConnectState::Running, trace: None }];
    let judged = story.stays(&survey, 2);
    assert_eq!(one(&judged).places[0].name, "source, task 0");
}

#[test]
fn a_survey_that_was_brought_forward_is_no_second_look() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    source(&mut survey).tasks.clear();
    let early = |survey: &Survey| Survey { brought_forward: true, ..survey.clone() };
    assert_eq!(codes(&story.judge(survey.clone())), []);
    assert_eq!(codes(&story.judge(early(&survey))), [], "it is the same rebalance, a moment later");
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, one(&judged).since), (Code::TaskMissing, between(5, 10)));
    assert_eq!(codes(&story.judge(early(&survey))), [Code::TaskMissing], "what stands goes on");
    assert_eq!(codes(&story.judge(early(&Story::survey()))), [], "and is over once it is seen to be");
}

#[test]
fn a_last_stable_offset_that_stands_for_a_moment_is_no_transaction_that_hangs() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let partition = orders(&mut survey, Side::A);
    partition.end = partition.end.map(|end| end + 10);
    story.judge(survey.clone());
    let early = story.judge(Survey { brought_forward: true, ..survey.clone() });
    assert_eq!(codes(&early), [], "it stood so in one survey that was due");
    assert_eq!(codes(&story.judge(survey)), [Code::HungTransaction]);
}

#[test]
fn a_source_that_takes_writes_of_which_none_arrive_says_that_running_is_not_so() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    written(&mut survey, 10);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    written(&mut survey, 10);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.lost), (Code::WorkerGone, Lost::up_to(20)));
    assert_eq!(alarm.since, between(5, 10));
    copied(&mut survey, 20);
    assert_eq!(codes(&story.judge(survey)), []);
}

/// Somebody else writes as much into the copy as the source takes, and the task is dead.
#[test]
fn growth_that_nothing_proves_to_be_replications_is_no_arrival() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    for key in ["exactly.once.support", "source.consumer.isolation.level"] {
        source(&mut survey).config.remove(key);
    }
    let hides = |survey: &mut Survey| {
        written(survey, 10);
        let copy = orders(survey, Side::B);
        copy.end = copy.end.map(|end| end + 10);
        copy.stable = copy.end;
    };
    story.judge(survey.clone());
    for _ in 0..3 {
        hides(&mut survey);
        assert_eq!(codes(&story.judge(survey.clone())), [], "it may be on its way to be committed");
    }
    survey.flows[0].unproven.insert(TopicPartition::new("orders", 0), at(10));
    hides(&mut survey);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    hides(&mut survey);
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, one(&judged).lost), (Code::WorkerGone, Lost::up_to(50)));
    // Without committed offsets nobody knows.
    hides(&mut survey);
    let mut unread = survey.clone();
    unread.flows[0].committed = Observed::unknown("refused", at(0));
    assert_eq!(codes(&story.judge(unread)), []);
    // It copies again.
    survey.flows[0].unproven.clear();
    copied(&mut survey, 60);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_worker_that_does_not_answer_is_gone_and_the_active_side_stays_known() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    without_connect(&mut survey);
    story.judge(survey.clone());
    written(&mut survey, 25);
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::WorkerGone, "source"));
    assert_eq!(alarm.since, between(5, 10));
    assert!(judged.unknown.contains_key(&Code::TaskMissing), "{:?}", judged.unknown);
}

#[test]
fn a_worker_that_goes_away_while_its_flow_stands_on_purpose_is_no_alarm_until_the_flow_runs_again() {
    for state in [ConnectState::Stopped, ConnectState::Paused] {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        story.judge(survey.clone());
        let running = survey.clone();
        source(&mut survey).state = state;
        story.judge(survey.clone());
        without_connect(&mut survey);
        for _ in 0..5 {
            assert_eq!(codes(&story.judge(survey.clone())), [], "{state}");
        }
        // It came back running, and went again.
        assert_eq!(codes(&story.judge(running)), [], "{state}");
        assert_eq!(codes(&story.judge(survey.clone())), [], "{state}");
        assert_eq!(codes(&story.judge(survey)), [Code::WorkerGone], "{state}");
    }
}

#[test]
fn a_worker_that_does_not_let_muster_in_is_not_gone_and_not_known_to_copy_either() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let refused = "Connect answered 401";
    let flow = &mut survey.flows[0];
    (flow.worker, flow.shut_out) = (Observed::unknown(refused, at(0)), true);
    flow.committed = Observed::unknown(refused, at(0));
    for connector in flow.connectors.values_mut() {
        *connector = Observed::unknown(refused, at(0));
    }
    let judged = story.stays(&survey, 3);
    assert_eq!(codes(&judged), []);
    for code in [Code::WorkerGone, Code::TaskMissing] {
        assert_eq!(judged.unknown.get(&code).map(String::as_str), Some(refused), "{code:?}");
    }
}

#[test]
fn a_source_that_does_not_answer_while_its_connector_runs() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    survey.sides.a = SideObservation::unreachable("connection refused", at(0));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::SourceUnreachable, "primary"));
    assert_eq!((alarm.since, alarm.lost), (between(5, 10), Lost { at_least: None, at_most: None }));
    for code in [Code::ReplicationHole, Code::TopicRecreated, Code::PartitionsMissing, Code::EarlyDeletion] {
        assert!(judged.unknown.contains_key(&code), "{code} is not unknown");
    }
}

#[test]
fn a_source_that_gives_no_answer_for_a_whole_period_needs_no_second_look() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    written(&mut survey, 20);
    story.judge(survey.clone());
    // The survey of which it is begins at ten seconds.
    let gave_up = |after: i64| SideObservation::unreachable("no answer within 8500 ms", at(10 + after));
    survey.sides.a = gave_up(4);
    assert_eq!(codes(&story.judge(survey.clone())), [], "a slow answer");
    let mut story = Story::new();
    story.judge({
        let mut well = Story::survey();
        written(&mut well, 20);
        well
    });
    survey.sides.a = gave_up(8);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.since), (Code::SourceUnreachable, between(5, 10)));
    let place = &alarm.places[0];
    assert_eq!(place.partition, Some(TopicPartition::new("orders", 0)));
    assert_eq!(place.said, "ended at 120 when it was read last: 20 offsets are not known to have arrived");
    // What was written after that nobody knows.
    assert_eq!((place.lost, alarm.lost), (Lost::UNKNOWN, Lost::UNKNOWN));
    assert!(alarm.facts.iter().any(|fact| fact.contains("20 of the offsets")), "{:?}", alarm.facts);
    // Killed while it was frozen: its connections close, and it refuses at once.
    survey.sides.a = SideObservation::unreachable("connection refused", at(15));
    let early = story.judge(Survey { brought_forward: true, ..survey.clone() });
    assert_eq!(one(&early).places[0].said, place.said, "as it was read last, by whichever survey");
    assert_eq!(codes(&story.judge(survey)), [Code::SourceUnreachable]);
}

#[test]
fn a_source_that_falls_silent_while_it_is_read_is_told_by_what_was_read_of_it() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    written(&mut survey, 7);
    survey.sides.a.cluster = Observed::unknown("it answered when the survey began", at(10 + 9));
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::SourceUnreachable);
    assert!(alarm.places[0].said.starts_with("ended at 107 "), "{:?}", alarm.places);
}

#[test]
fn a_worker_that_gives_no_answer_for_a_whole_period_needs_no_second_look_unless_it_answered_something() {
    let silent = |status: bool| {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        story.judge(survey.clone());
        written(&mut survey, 20);
        let flow = &mut survey.flows[0];
        flow.worker = Observed::unknown("no answer in time", at(10 + 5));
        if !status {
            flow.committed = Observed::unknown("no answer in time", at(10 + 5));
            for connector in flow.connectors.values_mut() {
                *connector = Observed::unknown("no answer in time", at(10 + 5));
            }
        }
        story.judge(survey)
    };
    assert_eq!(codes(&silent(true)), []);
    let judged = silent(false);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::WorkerGone, "source"));
    assert_eq!(alarm.places[0].partition, Some(TopicPartition::new("orders", 0)));
    assert_eq!((alarm.places[0].lost, alarm.lost), (Lost::up_to(20), Lost::up_to(20)));
}

/// Its machine was stopped for a snapshot while it waited.
#[test]
fn that_muster_stood_still_itself_is_no_silence_of_a_worker() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    without_connect(&mut survey);
    let waited = |seconds: i64| {
        let mut survey = survey.clone();
        survey.flows[0].worker = Observed::unknown("no answer in time", at(seconds));
        survey
    };
    // The surveys begin at 10 and 15 seconds.
    assert_eq!(codes(&story.judge(waited(10 + 31))), []);
    assert_eq!(codes(&story.judge(waited(15 + 31))), [Code::WorkerGone]);
    let mut story = Story::new();
    story.judge(Story::survey());
    assert_eq!(codes(&story.judge(waited(10 + 6))), [Code::WorkerGone]);
}

#[test]
fn converters_that_rewrite_and_directions_that_chase_one_another_need_no_active_side() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    source(&mut survey).config.remove("header.converter");
    let judged = story.judge(survey.clone());
    assert_eq!(
        (one(&judged).code, one(&judged).places[0].name.as_str()),
        (Code::ConverterRewrites, "header.converter")
    );
    let back = known(survey.flows[1].connectors.get_mut(&ConnectorRole::Source).unwrap());
    back.state = ConnectState::Running;
    let judged = story.judge(survey);
    assert_eq!(codes(&judged), [Code::ConverterRewrites, Code::IdentityLoop]);
    assert!(judged.unknown.contains_key(&Code::ForeignWriter));
}

#[test]
fn a_run_that_moves_the_pair_is_no_alarm_and_ends_none() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    story.moved_by = Some(7);
    orders(&mut survey, Side::B).end = Some(140);
    let judged = story.judge(survey.clone());
    assert_eq!((judged.standing.len(), judged.unknown.len()), (0, AlarmCode::ALL.len()));
    story.moved_by = None;
    assert_eq!(codes(&story.stays(&survey, 3)), []);
}
