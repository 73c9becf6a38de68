//! How far a flow is behind and what that would cost, on surveys of small clusters: what the files beside this one share.

mod arrived;
mod at_risk;
mod dead_source;
mod unknown;
mod unproven;

use super::*;
use crate::{
    pair::Side,
    reading::{Observed, ReadingClass},
    samples::{self, at, known, topics},
    survey::OffsetPair,
};

const PERIOD: TimeDelta = TimeDelta::seconds(5);

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// `history` are the ends as earlier surveys saw them; no transaction was open then.
fn lag_of(survey: &Survey, history: &[EndsAt], now: i64) -> FlowLag {
    let pair = samples::pair();
    let (flow, pace) = (&pair.flows[0], Pace::of(&pair, &pair.flows[0], history));
    let past = Past { ends: history, high: history.last(), last: None, pace: &pace };
    flow_lag_since(&pair, flow, survey, past, Clock { now: at(now), period: PERIOD })
}

fn partition(survey: &Survey, history: &[EndsAt], now: i64) -> PartitionLag {
    let pair = samples::pair();
    let (flow, pace) = (&pair.flows[0], Pace::of(&pair, &pair.flows[0], history));
    let past = Past { ends: history, high: history.last(), last: None, pace: &pace };
    partition_lags(&pair, flow, survey, past, Clock { now: at(now), period: PERIOD }).remove(0)
}

fn ends(seconds: i64, end: i64) -> EndsAt {
    (at(seconds), BTreeMap::from([(orders(), end)]))
}

/// The source ends at 150; 99 is committed, and the newest sync is (109, 109) of a target that ends at `target`.
fn behind(target: i64) -> Survey {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(150));
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(target));
    known(&mut survey.flows[0].newest_pairs)
        .0
        .insert(orders(), OffsetPair { upstream: 109, downstream: 109 });
    survey
}

fn set_config(survey: &mut Survey, key: &str, value: &str) {
    let source = survey.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
    known(source).config.insert(key.to_owned(), value.to_owned());
}

/// 15,000 of 20,000 records have not arrived.
fn far_behind() -> Survey {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(20_000));
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(5_000));
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 4_999);
    known(&mut survey.flows[0].newest_pairs)
        .0
        .insert(orders(), OffsetPair { upstream: 4_999, downstream: 4_999 });
    survey
}
