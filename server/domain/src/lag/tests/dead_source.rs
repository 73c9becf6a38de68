//! A source that does not answer any more: the last figures, of when they were read, and never zero.

use super::*;
use crate::{loss::LastEnd, survey::LastPairs};

#[test]
fn a_dead_source_is_never_zero() {
    let mut survey = samples::survey();
    survey.sides.a.topics = Observed::unknown("connection refused", at(30));
    let caught_up = lag_of(&survey, &[ends(-5, 90), ends(0, 100)], 30);
    assert_eq!((caught_up.total_records.value, caught_up.worst_ms.value), (None, None));
    assert!(
        caught_up.total_records.reason.contains("has not answered for 30 s"),
        "{:?}",
        caught_up.total_records
    );
    assert_eq!(
        (caught_up.rpo.records_at_least, caught_up.rpo.records_at_most, caught_up.rpo.ms_at_most),
        (None, None, None)
    );
    assert_eq!(caught_up.rpo.reason, caught_up.total_records.reason);
    let in_time = caught_up.rpo_in_time();
    assert_eq!((in_time.value, in_time.reason), (None, caught_up.rpo.reason));

    let behind = lag_of(&survey, &[ends(-5, 100), ends(0, 140)], 30);
    assert_eq!((behind.total_records.value, behind.total_records.class), (Some(40), ReadingClass::Stale));
    assert_eq!((behind.worst_ms.value, behind.worst_ms.class), (Some(35_000), ReadingClass::Stale));
    assert_eq!((behind.rpo.records_at_most, behind.worst), (None, Some(orders())));

    let unseen = lag_of(&survey, &[], 30);
    assert_eq!((unseen.total_records.value, unseen.total_records.class), (None, ReadingClass::Unknown));
}

/// Where offset syncs are kept on the source they die with it, and the figure was worse by what lay between a commit and a sync.
#[test]
fn a_dead_source_is_as_far_behind_as_its_last_offset_syncs_say() {
    let mut survey = behind(130);
    let newest = known(&mut survey.flows[0].newest_pairs).clone();
    survey.flows[0].newest_pairs = Observed::unknown("connection refused", at(30));
    let told = |survey: &Survey| {
        let lag = lag_of(survey, &[ends(-5, 100), ends(0, 150)], 30);
        (lag.total_records.value, lag.total_records.class)
    };
    let kept = |survey: &Survey| {
        let mut survey = survey.clone();
        survey.flows[0].last_pairs = Some(LastPairs { read_at: at(0), newest: newest.clone() });
        survey
    };
    assert_eq!(told(&kept(&survey)), told(&survey), "one that answers may have written others since");
    survey.sides.a.topics = Observed::unknown("connection refused", at(30));
    assert_eq!(told(&survey), (Some(50), ReadingClass::Stale));
    assert_eq!(told(&kept(&survey)), (Some(20), ReadingClass::Stale));
    survey.flows[0].committed = Observed::unknown("Connect died with it", at(30));
    assert_eq!(told(&survey), (None, ReadingClass::Unknown));
    assert_eq!(told(&kept(&survey)), (Some(20), ReadingClass::Stale));
}

#[test]
fn partitions_of_a_dead_source_keep_their_last_figures_each_of_when_it_was_last_read() {
    let second = TopicPartition::new("orders", 1);
    let mut survey = samples::survey();
    let there = topics(&mut survey, Side::B).get_mut("orders").expect("there");
    there.partitions.push(there.partitions[0].clone());
    known(&mut survey.flows[0].committed).offsets.insert(second.clone(), 89);
    survey.sides.a.topics = Observed::unknown("connection refused", at(30));
    // It was not read any more by the last survey that read anything.
    let both = (at(-10), BTreeMap::from([(orders(), 120), (second.clone(), 100)]));
    let history = [both, ends(-5, 140)];
    let pair = samples::pair();
    let clock = Clock { now: at(30), period: PERIOD };
    let past = Past { ends: &history, ..Past::default() };
    let (lag, lags) = judge_flow(&pair, &pair.flows[0], &survey, past, clock);
    let told: Vec<_> = lags.iter().map(|lag| (&lag.partition, lag.records.value, lag.records.at)).collect();
    assert_eq!(told, [(&orders(), Some(40), at(-5)), (&second, Some(10), at(-10))]);
    assert!(lags[1].records.reason.contains("has not answered for 40 s"), "{:?}", lags[1].records);
    assert_eq!((lag.total_records.value, lag.total_records.class), (Some(50), ReadingClass::Stale));
    assert_eq!(lag.total_records.at, at(-10), "as old as the oldest of them");
}

#[test]
fn a_position_in_what_was_open_when_a_source_died_is_one_of_its_log() {
    let mut survey = samples::survey();
    set_config(&mut survey, "source.consumer.isolation.level", "read_committed");
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 20_099);
    survey.sides.a.topics = Observed::unknown("connection refused", at(30));
    let (pair, history) = (samples::pair(), [ends(-5, 100)]);
    let through = |high: i64| {
        let end = LastEnd { at: at(-5), end: high, start: None, leader_epoch: None, topic_id: None };
        let last = LastEnds { at: at(-5), ends: BTreeMap::from([(orders(), Some(end))]) };
        let past = Past { ends: &history, last: Some(&last), ..Past::default() };
        let clock = Clock { now: at(30), period: PERIOD };
        partition_lags(&pair, &pair.flows[0], &survey, past, clock).remove(0).through
    };
    assert_eq!((through(30_100).value, through(30_100).class), (Some(99), ReadingClass::Stale));
    assert_eq!(through(100).value, None, "it is beyond whatever there was");
}
