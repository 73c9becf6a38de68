//! A pair whose surveys are judged one after the other; what they are alarms of is in the files beside this one.

mod both_ways;
mod logs;
mod replication;
mod settling;
mod standby;
mod writes;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{AlarmCode as Code, *};
use crate::{
    ids::{PairName, TeamName},
    pair::Side,
    reading::Observed,
    samples::{self, FORWARD, at, known},
    survey::{
        ConnectState, ConnectorObservation, ConnectorRole, OffsetPair, PartitionObservation, SideObservation,
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
            period: TimeDelta::seconds(5),
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

/// Nothing of Connect answers any more.
pub(super) fn without_connect(survey: &mut Survey) {
    let refused = "connection refused";
    let flow = &mut survey.flows[0];
    flow.worker = Observed::unknown(refused, at(0));
    flow.committed = Observed::unknown(refused, at(0));
    for connector in flow.connectors.values_mut() {
        *connector = Observed::unknown(refused, at(0));
    }
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
fn words_are_stored_and_read_back() {
    for code in AlarmCode::ALL {
        assert_eq!(AlarmCode::parse(code.as_str()), Some(code));
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    assert_eq!(FORWARD.from, Side::A);
}
