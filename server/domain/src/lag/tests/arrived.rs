//! What has arrived and what is behind it, in records and in time.

use std::sync::Arc;

use super::*;
use crate::survey::FirstMissing;

#[test]
fn topics_of_which_nothing_is_known_are_the_furthest_behind() {
    let mut lag = lag_of(&samples::survey(), &[], 1);
    let one = lag.topics["orders"].clone();
    let behind =
        |records| TopicLag { records: Reading { value: records, ..one.records.clone() }, ..one.clone() };
    lag.topics = [("a", Some(3)), ("b", None), ("c", Some(70)), ("d", Some(3)), ("e", Some(0))]
        .map(|(name, records)| (name.to_owned(), behind(records)))
        .into();
    assert_eq!(lag.furthest_behind(4), ["b", "c", "a", "d"]);
    assert_eq!(lag.furthest_behind(9), ["b", "c", "a", "d", "e"]);
}

#[test]
fn all_arrived_is_zero_and_exact() {
    let lag = lag_of(&samples::survey(), &[ends(-5, 90), ends(0, 100)], 1);
    assert_eq!((lag.total_records.value, lag.total_records.class), (Some(0), ReadingClass::Exact));
    assert_eq!((lag.worst_ms.value, &lag.worst), (Some(0), &None));
    // 2 records a second, unseen for one period, and twice the root of that.
    let Unseen { since, ms, written } = lag.rpo.unseen.expect("it grows until somebody looks");
    assert_eq!((since, ms), (at(0), 5_000));
    assert_eq!(written.map(|rate| rate.most_within(5_000)), lag.rpo.records_at_most, "nothing is behind");
    assert_eq!(
        lag.rpo,
        Rpo {
            records_at_least: Some(0),
            records_at_most: Some(17),
            ms_at_most: Some(5_000),
            reason: String::new(),
            unseen: lag.rpo.unseen,
        }
    );
    // What an objective is compared with: writes of a whole period could be lost.
    let rpo = lag.rpo_in_time();
    assert_eq!((rpo.value, rpo.class), (Some(5_000), ReadingClass::LowerBound));
}

#[test]
fn behind_a_pair_source_and_target_are_counted_alike() {
    let lag = partition(&behind(130), &[ends(-20, 100), ends(-10, 130), ends(-5, 140)], 0);
    assert_eq!((lag.through.value, lag.through.class), (Some(129), ReadingClass::Tight));
    assert_eq!((lag.records.value, lag.records.class), (Some(20), ReadingClass::Tight));
    assert_eq!((lag.ms.value, lag.ms.class), (Some(10_000), ReadingClass::Tight));
}

#[test]
fn without_a_fit_only_what_is_proven_counts() {
    let mut survey = behind(130);
    survey.sides.b.topics = Observed::unknown("refused", at(0));
    let lag = partition(&survey, &[], 0);
    assert_eq!((lag.through.value, lag.records.value), (Some(109), Some(40)));
    assert_eq!((lag.records.class, lag.ms.class), (ReadingClass::LowerBound, ReadingClass::Unknown));
}

#[test]
fn duplicates_on_the_target_never_make_more_arrive_than_exists() {
    assert_eq!(partition(&behind(5_000), &[], 0).through.value, Some(149));
}

#[test]
fn with_exactly_once_the_committed_offset_is_exact_and_stops_at_the_stable_end() {
    let mut survey = behind(130);
    set_config(&mut survey, "exactly.once.support", "required");
    set_config(&mut survey, "source.consumer.isolation.level", "read_committed");
    topics(&mut survey, Side::A).get_mut("orders").expect("there").partitions[0].stable = Some(120);
    let lag = partition(&survey, &[], 0);
    assert_eq!((lag.through.value, lag.through.class), (Some(109), ReadingClass::Exact));
    // Markers may be among them.
    assert_eq!((lag.records.value, lag.records.class), (Some(10), ReadingClass::LowerBound));
    assert_eq!(lag.in_open_transactions, Some(30));
}

#[test]
fn lag_of_a_compacted_topic_is_at_most() {
    let mut survey = behind(130);
    let topic = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    Arc::make_mut(known(&mut topic.configs)).get_mut("cleanup.policy").expect("there").value =
        Some("compact,delete".to_owned());
    assert_eq!(partition(&survey, &[], 0).records.class, ReadingClass::LowerBound);
}

#[test]
fn where_there_is_no_copy_nothing_has_arrived() {
    let mut survey = samples::survey();
    topics(&mut survey, Side::B).remove("orders");
    let lag = partition(&survey, &[], 0);
    assert_eq!((lag.through.value, lag.through.class), (Some(-1), ReadingClass::Tight));
    assert_eq!(lag.through.reason, "its copy `orders` is not on the target");
    assert_eq!(lag.records.value, Some(100), "whatever the committed offset says");
    // The second partition of the source has no counterpart.
    let mut survey = samples::survey();
    let source = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    source.partitions.push(source.partitions[0].clone());
    let pair = samples::pair();
    let clock = Clock { now: at(0), period: PERIOD };
    let lags = partition_lags(&pair, &pair.flows[0], &survey, Past::default(), clock);
    assert_eq!(lags[0].records.value, Some(0));
    assert_eq!((lags[1].records.value, lags[1].records.class), (Some(100), ReadingClass::Tight));
    assert!(lags[1].records.reason.contains("has 1 partitions only"), "{:?}", lags[1].records);
}

#[test]
fn the_marker_behind_the_last_record_is_not_waited_for() {
    let mut survey = samples::survey();
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 98);
    known(&mut survey.flows[0].newest_pairs).0.insert(orders(), OffsetPair { upstream: 98, downstream: 98 });
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(99));
    let history = [ends(-600, 99), ends(-595, 100), ends(-5, 100)];
    let one_behind = lag_of(&survey, &history, 0);
    assert_eq!((one_behind.total_records.value, one_behind.worst_ms.value), (Some(1), Some(600_000)));
    let source = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    source.partitions[0].last_record = Some(98);
    let lag = lag_of(&survey, &history, 0);
    assert_eq!((lag.total_records.value, lag.total_records.class), (Some(0), ReadingClass::Exact));
    assert_eq!((lag.worst_ms.value, lag.worst), (Some(0), None));
    let pair = samples::pair();
    assert_eq!(
        ends_of(&pair.flows[0], &survey),
        Some(ends(0, 99)),
        "and the history is of what can be copied"
    );
}

#[test]
fn what_the_oldest_missing_record_says_of_its_time_is_a_second_figure() {
    let mut survey = behind(130);
    let missing = FirstMissing { offset: 130, timestamp_ms: 1_700_000_000_000 };
    let source = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    source.partitions[0].first_missing = Some(missing);
    let lag = lag_of(&survey, &[], 0);
    assert_eq!(lag.first_missing_timestamp, Some(missing.timestamp_ms));
    assert_eq!(lag.worst_ms.value, None, "it never stands for Muster's own clock");
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(140));
    assert_eq!(lag_of(&survey, &[], 0).first_missing_timestamp, None, "that one has arrived since");
}

#[test]
fn records_removed_before_they_were_copied_are_a_hole() {
    let mut survey = behind(110);
    topics(&mut survey, Side::A).get_mut("orders").expect("there").partitions[0].start = Some(130);
    let hole = Hole { partition: orders(), from: 110, until: 130, proven: false };
    assert_eq!(lag_of(&survey, &[], 0).holes, [hole]);
}

#[test]
fn nothing_copied_yet_is_all_behind() {
    let mut survey = samples::survey();
    known(&mut survey.flows[0].committed).offsets.clear();
    known(&mut survey.flows[0].newest_pairs).0.clear();
    let lag = partition(&survey, &[], 0);
    assert_eq!((lag.records.value, lag.records.class), (Some(100), ReadingClass::LowerBound));
}

#[test]
fn ends_of_a_survey_are_the_history_of_the_next() {
    let pair = samples::pair();
    let flow = &pair.flows[0];
    let survey = samples::survey();
    assert_eq!(ends_of(flow, &survey), Some(ends(0, 100)));
    let json = serde_json::to_string(&flow_lag(&pair, flow, &survey)).expect("JSON");
    assert_eq!(serde_json::from_str::<FlowLag>(&json).expect("reads back"), flow_lag(&pair, flow, &survey));
}

/// 100,000 partitions in debug take well under a second a survey; a lookup that copies names would take many.
#[test]
fn a_hundred_thousand_partitions_are_quick() {
    let mut survey = samples::survey();
    let (topics_there, partitions) = (1_000, 100);
    for side in Side::BOTH {
        let topics = topics(&mut survey, side);
        topics.clear();
        for n in 0..topics_there {
            let mut topic = samples::topic(100);
            topic.partitions = vec![topic.partitions[0].clone(); partitions];
            topics.insert(format!("orders.{n}"), topic);
        }
    }
    let pair = samples::pair();
    let history = [ends_of(&pair.flows[0], &survey).expect("known")];
    let lag = lag_of(&survey, &history, 0);
    assert_eq!(lag.total_records.value, Some(10_000_000));
}
