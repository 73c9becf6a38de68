//! What cannot be seen, is too old or cannot be: unknown, and never caught up.

use super::*;

#[test]
fn a_position_that_cannot_be_of_this_log_is_unknown_and_never_caught_up() {
    let with = |position: i64| {
        let mut survey = samples::survey();
        known(&mut survey.flows[0].committed).offsets.insert(orders(), position);
        survey
    };
    for position in [999_999, i64::MAX] {
        for history in [vec![], vec![ends(-10, 90), ends(-5, 95), ends(0, 100)]] {
            let lag = partition(&with(position), &history, 1);
            assert_eq!((lag.records.value, lag.through.value, lag.ms.value), (None, None, None));
            let said = format!("its position {position} is beyond the source's end 100");
            assert!(lag.records.reason.contains(&said), "{:?}", lag.records);
        }
    }
    let mut synced = samples::survey();
    let of_another_life = OffsetPair { upstream: i64::MAX, downstream: 3 };
    known(&mut synced.flows[0].newest_pairs).0.insert(orders(), of_another_life);
    assert_eq!(partition(&synced, &[], 0).records.value, None);
    // Ends and positions are read at the same time: what was written in between is no contradiction.
    let lag = |position, history: &[EndsAt]| {
        let lag = partition(&with(position), history, 1);
        (lag.records.value, lag.records.class)
    };
    assert_eq!(lag(5_000, &[]), (Some(0), ReadingClass::Exact), "nobody knows how fast it is written");
    let one_a_second = [ends(-10, 90), ends(-5, 95), ends(0, 100)];
    assert_eq!(lag(105, &one_a_second), (Some(0), ReadingClass::Exact));
    assert_eq!(lag(106, &one_a_second), (None, ReadingClass::Unknown));
}

#[test]
fn numbers_of_kafka_do_not_overflow() {
    for end in [0, 1, i64::MAX] {
        for position in [i64::MIN, -1, 0, i64::MAX] {
            let mut survey = samples::survey();
            for side in Side::BOTH {
                let partition =
                    &mut topics(&mut survey, side).get_mut("orders").expect("there").partitions[0];
                (partition.start, partition.end, partition.stable) = (Some(0), Some(end), Some(i64::MIN));
            }
            known(&mut survey.flows[0].committed).offsets.insert(orders(), position);
            let pair = OffsetPair { upstream: position, downstream: position };
            known(&mut survey.flows[0].newest_pairs).0.insert(orders(), pair);
            let history = [ends(-10, i64::MIN), ends(-5, 0), ends(0, end)];
            let lag = lag_of(&survey, &history, 1);
            assert!(lag.total_records.value.is_none_or(|records| records >= 0), "{lag:?}");
        }
    }
}

#[test]
fn old_inputs_are_stale() {
    let lag = partition(&samples::survey(), &[], 16);
    assert_eq!((lag.records.value, lag.records.class), (Some(0), ReadingClass::Stale));
    assert_eq!(partition(&samples::survey(), &[], 15).records.class, ReadingClass::Exact);
}

#[test]
fn a_flow_that_cannot_be_seen_is_unknown() {
    let mut survey = samples::survey();
    survey.flows[0].committed = Observed::unknown("timeout", at(0));
    survey.flows[0].newest_pairs = Observed::unknown("no such topic", at(0));
    let lag = lag_of(&survey, &[], 0);
    assert_eq!((lag.total_records.value, lag.total_records.class), (None, ReadingClass::Unknown));
    survey.flows.clear();
    assert_eq!(lag_of(&survey, &[], 0).worst_records.class, ReadingClass::Unknown);
}

#[test]
fn one_unreadable_partition_makes_the_sum_unknown_and_leaves_other_topics_alone() {
    let mut survey = behind(130);
    let mut broken = samples::topic(5);
    broken.partitions[0].end = None;
    broken.partitions[0].trouble = "the partition has no leader".to_owned();
    topics(&mut survey, Side::A).insert("payments".to_owned(), broken);
    let lag = lag_of(&survey, &[], 0);
    assert_eq!(lag.total_records.value, None);
    assert!(lag.total_records.reason.contains("no leader"), "{:?}", lag.total_records);
    assert_eq!(lag.topics["orders"].records.value, Some(20));
    assert_eq!(lag.topics["payments"].records.value, None);
}
