use std::sync::Arc;

use super::*;
use crate::{
    loss::LastEnd,
    pair::Side,
    reading::{Observed, ReadingClass},
    samples::{self, at, known, topics},
    survey::{ConnectState, FirstMissing, LastPairs, OffsetPair},
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
    assert_eq!(
        lag.rpo,
        Rpo {
            records_at_least: Some(0),
            records_at_most: Some(17),
            ms_at_most: Some(5_000),
            reason: String::new(),
        }
    );
    // What an objective is compared with: writes of a whole period could be lost.
    let rpo = lag.rpo_in_time();
    assert_eq!((rpo.value, rpo.class), (Some(5_000), ReadingClass::LowerBound));
}

#[test]
fn what_each_topic_would_lose_follows_its_own_rate() {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("payments".to_owned(), samples::topic(100));
    topics(&mut survey, Side::B).insert("payments".to_owned(), samples::topic(100));
    known(&mut survey.flows[0].committed).offsets.insert(TopicPartition::new("payments", 0), 99);
    let both = |seconds, orders: i64| -> EndsAt {
        let quiet = TopicPartition::new("payments", 0);
        (at(seconds), BTreeMap::from([(self::orders(), orders), (quiet, 100)]))
    };
    let lag = lag_of(&survey, &[both(-5, 90), both(0, 100)], 1);
    let at_most = |topic: &str| lag.topics[topic].rpo.records_at_most;
    assert_eq!(
        (at_most("orders"), at_most("payments"), lag.rpo.records_at_most),
        (Some(17), Some(0), Some(17))
    );
    // Without two samples nobody knows how fast it is written.
    let unknown = lag_of(&survey, &[both(0, 100)], 1).topics["payments"].rpo.clone();
    assert_eq!(unknown.records_at_most, None);
    assert!(unknown.reason.contains("how fast"), "{unknown:?}");
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
fn what_transforms_leave_out_is_behind_at_most_and_never_proven_to_be_missing() {
    let filter = |survey: &mut Survey| {
        set_config(survey, "transforms", "drop");
        set_config(survey, "transforms.drop.type", "org.apache.kafka.connect.transforms.Filter");
    };
    let mut survey = behind(130);
    filter(&mut survey);
    let lag = partition(&survey, &[], 0);
    assert_eq!((lag.through.value, lag.through.class), (Some(109), ReadingClass::LowerBound));
    assert_eq!((lag.records.value, lag.records.class), (Some(40), ReadingClass::LowerBound));
    let mut stopped = far_behind();
    let source = stopped.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
    known(source).state = ConnectState::Stopped;
    assert!(partition(&stopped, &[], 0).surely_missing > 0);
    filter(&mut stopped);
    assert_eq!(partition(&stopped, &[], 0).surely_missing, 0, "all of it may have been left out");
    assert_eq!(lag_of(&stopped, &[], 0).rpo.records_at_least, Some(0));
    let source = stopped.flows[0].connectors[&ConnectorRole::Source].value().expect("there");
    assert!(copies_all_records(source) && !leaves_nothing_out(source), "nor of the past");
}

#[test]
fn behind_a_router_nothing_is_known_whatever_is_under_the_policys_name() {
    let mut absent = behind(130);
    topics(&mut absent, Side::B).remove("orders");
    let mut all_arrived = samples::survey();
    let mut dead = behind(130);
    dead.sides.a = crate::survey::SideObservation::unreachable("refused", at(0));
    for survey in [&mut absent, &mut all_arrived, &mut dead] {
        set_config(survey, "transforms", "move");
        set_config(survey, "transforms.move.type", "org.apache.kafka.connect.transforms.RegexRouter");
        let lag = partition(survey, &[ends(-5, 150)], 1);
        assert_eq!(
            (lag.through.value, lag.records.value, lag.ms.value, lag.surely_missing),
            (None, None, None, 0)
        );
        let lag = lag_of(survey, &[ends(-5, 150)], 1);
        assert_eq!(
            (lag.rpo.records_at_least, lag.rpo.records_at_most, lag.rpo.ms_at_most),
            (None, None, None)
        );
        assert!(lag.rpo.reason.contains("transform `move`"), "{}", lag.rpo.reason);
    }
}

#[test]
fn lag_of_a_compacted_topic_is_at_most() {
    let mut survey = behind(130);
    let topic = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    Arc::make_mut(known(&mut topic.configs)).get_mut("cleanup.policy").expect("there").value =
        Some("compact,delete".to_owned());
    assert_eq!(partition(&survey, &[], 0).records.class, ReadingClass::LowerBound);
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

#[test]
fn lost_at_least_is_what_nothing_copies_any_more() {
    let at_least = |survey: &Survey| {
        let lag = lag_of(survey, &[], 0);
        assert_eq!(lag.topics["orders"].rpo.records_at_least, lag.rpo.records_at_least);
        lag.rpo.records_at_least
    };
    let source = |survey: &mut Survey, change: fn(&mut Observed<ConnectorObservation>)| {
        change(survey.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there"));
    };
    let mut survey = far_behind();
    assert_eq!(at_least(&survey), Some(0), "it runs, and may have caught up when the source dies");
    source(&mut survey, |source| known(source).state = ConnectState::Stopped);
    // Half of the 15,000 offsets behind the sync, less a thousand for transactions that may have been open there.
    assert_eq!(at_least(&survey), Some(7_000));
    source(&mut survey, |source| *source = Observed::unknown("Connect does not answer", at(0)));
    assert_eq!(at_least(&survey), Some(0), "nobody knows that it does not run");
    survey.flows[0].connectors.remove(&ConnectorRole::Source);
    assert_eq!(at_least(&survey), Some(7_000), "there is none");
}

#[test]
fn where_markers_or_compacted_records_may_be_all_there_is_none_is_proven_to_be_missing() {
    let stopped = || {
        let mut survey = far_behind();
        let source = survey.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
        known(source).state = ConnectState::Stopped;
        survey
    };
    let at_least = |survey: &Survey| lag_of(survey, &[], 0).rpo.records_at_least;
    assert_eq!(at_least(&stopped()), Some(7_000));
    let mut committed_only = stopped();
    set_config(&mut committed_only, "source.consumer.isolation.level", "read_committed");
    assert_eq!(at_least(&committed_only), Some(0), "all of them may have been given up");
    let mut unread = stopped();
    topics(&mut unread, Side::A).get_mut("orders").expect("there").configs =
        Observed::unknown("refused", at(0));
    assert_eq!(at_least(&unread), Some(0), "it may be compacted");
    // One-record transactions, all of them copied: 7,500 records, as many markers.
    let mut markers = stopped();
    topics(&mut markers, Side::B).insert("orders".to_owned(), samples::topic(12_500));
    assert_eq!(at_least(&markers), Some(0));
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
fn old_inputs_are_stale() {
    let lag = partition(&samples::survey(), &[], 16);
    assert_eq!((lag.records.value, lag.records.class), (Some(0), ReadingClass::Stale));
    assert_eq!(partition(&samples::survey(), &[], 15).records.class, ReadingClass::Exact);
}

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
