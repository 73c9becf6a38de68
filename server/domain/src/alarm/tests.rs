use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AlarmCode as Code, *};
use crate::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    ids::{PairName, TeamName},
    pair::Side,
    reading::Observed,
    samples::{self, FORWARD, at, group, known},
    survey::{
        ConnectState, ConnectorObservation, ConnectorRole, OffsetPair, OpenTransaction, PartitionObservation,
        Rewind, SideObservation,
    },
    topic::TopicPartition,
};

/// Surveys five seconds apart, each judged with what the one before left behind.
pub(super) struct Story {
    pub(super) pair: Pair,
    memory: Memory,
    previous: Option<Survey>,
    number: i64,
    pub(super) moved_by: Option<i64>,
}

impl Story {
    pub(super) fn new() -> Self {
        Self { pair: samples::pair(), memory: Memory::default(), previous: None, number: 0, moved_by: None }
    }

    /// A flow that commits records and offsets in one transaction.
    pub(super) fn survey() -> Survey {
        let mut survey = samples::survey();
        let source = source(&mut survey);
        source.config.insert("exactly.once.support".to_owned(), "required".to_owned());
        source.config.insert("source.consumer.isolation.level".to_owned(), "read_committed".to_owned());
        for side in Side::BOTH {
            samples::topics(&mut survey, side).get_mut("orders").unwrap().id = Some(Uuid::from_u128(1));
        }
        survey
    }

    pub(super) fn judge(&mut self, mut survey: Survey) -> Judged {
        self.number += 1;
        survey.number = self.number;
        survey.began_at = at(5 * self.number);
        let clusters = samples::clusters();
        let (judged, memory) = judge(Inputs {
            pair: &self.pair,
            clusters: &clusters,
            survey: &survey,
            previous: self.previous.as_ref(),
            memory: &self.memory,
            moved_by: self.moved_by,
        });
        // What is remembered goes through the database.
        let kept = serde_json::to_value(&memory).unwrap();
        self.memory = serde_json::from_value(kept).unwrap();
        assert_eq!(self.memory, memory);
        self.previous = Some(survey);
        judged
    }

    /// Judges the same survey so many times; the last judgement.
    pub(super) fn stays(&mut self, survey: &Survey, times: usize) -> Judged {
        let mut last = Judged::default();
        for _ in 0..times {
            last = self.judge(survey.clone());
        }
        last
    }
}

pub(super) fn source(survey: &mut Survey) -> &mut ConnectorObservation {
    known(survey.flows[0].connectors.get_mut(&ConnectorRole::Source).unwrap())
}

pub(super) fn orders(survey: &mut Survey, side: Side) -> &mut PartitionObservation {
    &mut samples::topics(survey, side).get_mut("orders").unwrap().partitions[0]
}

/// `count` more records, written and copied.
pub(super) fn flow_on(survey: &mut Survey, count: i64) {
    written(survey, count);
    copied(survey, count);
}

pub(super) fn written(survey: &mut Survey, count: i64) {
    let partition = orders(survey, Side::A);
    partition.end = partition.end.map(|end| end + count);
    partition.stable = partition.end;
}

pub(super) fn copied(survey: &mut Survey, count: i64) {
    let partition = orders(survey, Side::B);
    partition.end = partition.end.map(|end| end + count);
    partition.stable = partition.end;
    let key = TopicPartition::new("orders", 0);
    *known(&mut survey.flows[0].committed).offsets.get_mut(&key).unwrap() += count;
    let pair = known(&mut survey.flows[0].newest_pairs).0.get_mut(&key).unwrap();
    *pair = OffsetPair { upstream: pair.upstream + count, downstream: pair.downstream + count };
}

pub(super) fn one(judged: &Judged) -> &Alarm {
    assert_eq!(judged.standing.len(), 1, "{judged:#?}");
    &judged.standing[0]
}

pub(super) fn codes(judged: &Judged) -> Vec<Code> {
    judged.standing.iter().map(|alarm| alarm.code).collect()
}

fn between(after: i64, by: i64) -> Since {
    Since { after: Some(at(after)), by: at(by) }
}

#[test]
fn nothing_is_wrong_with_a_flow_that_copies() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    for _ in 0..6 {
        let judged = story.judge(survey.clone());
        assert_eq!(judged, Judged::default());
        flow_on(&mut survey, 10);
    }
}

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

#[test]
fn going_back_is_told_once_and_an_old_rewind_never() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let key = TopicPartition::new("orders", 0);
    survey.flows[0].rewinds.insert(key.clone(), Rewind { from: 50, to: 40, downstream: 60 });
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    flow_on(&mut survey, 20);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 90, downstream: 100 });
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::PairsBackwards);
    assert_eq!(alarm.places[0].said, "went back from offset 99 to 90: up to 10 records are there twice");
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn growth_of_the_standby_that_replication_did_not_bring_is_a_foreign_writer() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(103), Some(103));
    assert_eq!(codes(&story.judge(survey.clone())), [], "an offset sync may be on its way");
    // Whether replication goes on meanwhile or not.
    written(&mut survey, 5);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::ForeignWriter);
    assert_eq!(alarm.places[0].said, "3 offsets from 100 on are not replication's");
    assert_eq!((alarm.lost, alarm.since), (Lost::NOTHING, between(10, 15)));
}

#[test]
fn what_is_copied_again_between_two_surveys_is_no_foreign_writer() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(151), Some(151));
    let key = TopicPartition::new("orders", 0);
    let pair = OffsetPair { upstream: 99, downstream: 149 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key.clone(), pair);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 50, downstream: 100 });
    assert_eq!(codes(&story.judge(survey)), [Code::PairsBackwards]);
}

#[test]
fn what_is_copied_again_is_no_foreign_writer_when_its_sync_comes_a_survey_later() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(151), Some(151));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let key = TopicPartition::new("orders", 0);
    let pair = OffsetPair { upstream: 99, downstream: 149 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key.clone(), pair);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 50, downstream: 100 });
    assert_eq!(codes(&story.judge(survey.clone())), [Code::PairsBackwards]);
    assert_eq!(codes(&story.stays(&survey, 3)), []);
}

#[test]
fn what_arrives_a_survey_after_it_was_written_is_replications_own() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    written(&mut survey, 5);
    story.judge(survey.clone());
    // The position was read before the records came, the end after: it moves on with the next survey.
    orders(&mut survey, Side::B).end = Some(105);
    orders(&mut survey, Side::B).stable = Some(105);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn a_transaction_that_holds_records_back_is_named_after_three_surveys() {
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
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    orders(&mut survey, Side::A).end = Some(140);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::HungTransaction, "settlement-1"));
    assert_eq!(alarm.places[0].said, "stands at offset 101 and ends at 140");
    assert_eq!((alarm.lost, alarm.since), (Lost::NOTHING, between(5, 10)), "what waits is not lost");
    let partition = orders(&mut survey, Side::A);
    partition.stable = partition.end;
    copied(&mut survey, 39);
    assert_eq!(codes(&story.judge(survey)), []);
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

#[test]
fn a_worker_that_does_not_answer_is_gone_and_the_active_side_stays_known() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.judge(survey.clone());
    let refused = "connection refused";
    let flow = &mut survey.flows[0];
    flow.worker = Observed::unknown(refused, at(0));
    flow.committed = Observed::unknown(refused, at(0));
    for connector in flow.connectors.values_mut() {
        *connector = Observed::unknown(refused, at(0));
    }
    story.judge(survey.clone());
    written(&mut survey, 25);
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str()), (Code::WorkerGone, "source"));
    assert_eq!(alarm.since, between(5, 10));
    assert!(judged.unknown.contains_key(&Code::TaskMissing), "{:?}", judged.unknown);
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
fn a_deny_on_the_standby_names_the_topics_it_hits_and_where_it_comes_from() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let resource = (ResourceType::Topic, PatternType::Literal, "orders");
    let deny = AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:*");
    known(&mut survey.sides.b.acls).bindings.insert(deny.clone());
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.places[0].name.as_str()), (Code::DenyCopied, "orders"));
    assert_eq!(alarm.places[0].partition, None, "a topic is none");
    assert!(alarm.facts[0].starts_with("It does not stand on the source"), "{:?}", alarm.facts);
    known(&mut survey.sides.a.acls).bindings.insert(deny);
    assert!(one(&story.judge(survey)).facts[0].starts_with("The same one stands on the source"));
}

#[test]
fn a_group_with_members_on_the_standby_is_not_synced() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(1, 80));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(1, 60));
    known(&mut survey.sides.b.groups).insert("its-own".to_owned(), group(2, 60));
    let judged = story.judge(survey);
    assert_eq!((one(&judged).code, one(&judged).subject.as_str()), (Code::GroupActive, "billing"));
}

#[test]
fn offsets_left_over_on_the_standby_block_syncing_and_would_skip_records() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(1, 80));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 140));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, one(&judged).lost), (Code::OffsetsBlocking, Lost::up_to(40)));
    // A position that moves is being synced.
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 90));
    assert_eq!(codes(&story.judge(survey)), []);
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

pub(super) fn kept(alarm: Alarm) -> StandingAlarm {
    let now: DateTime<Utc> = at(0);
    StandingAlarm {
        id: Uuid::from_u128(5),
        number: 1,
        pair: PairName::new("payments").unwrap(),
        team: TeamName::new("core").unwrap(),
        severity: alarm.severity().as_str().to_owned(),
        alarm,
        opened_survey: 1,
        opened_at: now,
        last_seen_at: now,
        not_seen_because: String::new(),
        ended: None,
    }
}

pub(super) fn alarm(code: Code, subject: &str) -> Alarm {
    Alarm {
        code,
        subject: subject.to_owned(),
        course: "primary → dr".to_owned(),
        likely: false,
        said: "so it is".to_owned(),
        places: Vec::new(),
        more_places: 0,
        since: between(0, 5),
        lost: Lost::NOTHING,
        facts: Vec::new(),
        next_step: String::new(),
        command: None,
    }
}

#[test]
fn what_cannot_be_looked_at_neither_opens_nor_ends_an_alarm() {
    let open = [kept(alarm(Code::GroupActive, "billing"))];
    let unknown = Judged::nothing("connection refused");
    let reason = "connection refused".to_owned();
    assert_eq!(settle(&open, unknown), [Change::NotSeen { id: open[0].id, reason }]);
    assert_eq!(settle(&open, Judged::default()), [Change::End { id: open[0].id }]);
}

#[test]
fn what_happened_stays_until_somebody_says_something_and_grows_when_it_happens_again() {
    let hole = |from: i64| {
        let place = Place::new("orders-0", "gone").losing(from, Lost::up_to(10));
        Alarm {
            since: between(from, from + 5),
            lost: Lost::up_to(10),
            places: vec![place],
            ..alarm(Code::ReplicationHole, "orders")
        }
    };
    let open = [kept(hole(100))];
    assert_eq!(settle(&open, Judged::default()), [Change::Stays { id: open[0].id }]);
    let again = Judged { standing: vec![hole(100)], ..Judged::default() };
    let [Change::Seen { grown: false, .. }] = settle(&open, again).as_slice() else { panic!("it grew") };
    let more = Judged { standing: vec![hole(200)], ..Judged::default() };
    let changes = settle(&open, more);
    let [Change::Seen { alarm, grown: true, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((alarm.places.len(), alarm.lost, alarm.since), (2, Lost::up_to(20), between(100, 105)));
}

#[test]
fn a_thousand_topics_are_twenty_alarms_and_one_for_the_rest() {
    let standing = (0..1000).map(|n| alarm(Code::EarlyDeletion, &format!("topic-{n:04}"))).collect();
    let changes = settle(&[], Judged { standing, ..Judged::default() });
    assert_eq!(changes.len(), MOST_SUBJECTS + 1);
    let mut opened = changes.iter().filter_map(|change| {
        let Change::Open(alarm) = change else { return None };
        Some(alarm)
    });
    let rest = opened.find(|alarm| alarm.subject == THE_REST);
    let rest = rest.expect("one for the rest");
    assert_eq!(rest.places.len() + rest.more_places, 980);
}

#[test]
fn words_are_stored_and_read_back() {
    for code in AlarmCode::ALL {
        assert_eq!(AlarmCode::parse(code.as_str()), Some(code));
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    assert_eq!(FORWARD.from, Side::A);
}
