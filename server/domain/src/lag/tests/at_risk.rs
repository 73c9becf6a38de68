//! What would be lost if the source died now, and what nobody can prove to be missing.

use super::*;
use crate::survey::ConnectState;

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
fn what_is_proven_to_be_missing_was_there_since_the_survey_after_the_first_that_saw_an_end_behind_it() {
    let mut stopped = far_behind();
    let source = stopped.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
    known(source).state = ConnectState::Stopped;
    let missing_ms = |survey: &Survey, history: &[EndsAt]| partition(survey, history, 0).surely_missing_ms;
    let grew = [ends(-90, 3_000), ends(-60, 5_000), ends(-30, 12_000), ends(-10, 20_000)];
    assert_eq!(missing_ms(&stopped, &grew), 10_000, "5,000 had arrived; the end of 30 s ago was read later");
    assert_eq!(missing_ms(&stopped, &grew[..3]), 0, "it may have been written while that survey went on");
    assert_eq!(missing_ms(&stopped, &grew[..2]), 0, "nobody saw it before");
    // A log that was cut has nothing of before.
    let cut = [ends(-90, 30_000), ends(-60, 4_000), ends(-10, 20_000), ends(-5, 20_000)];
    assert_eq!(missing_ms(&stopped, &cut), 5_000);
    assert_eq!(
        missing_ms(&far_behind(), &grew),
        0,
        "while the connector runs nothing is proven to be missing"
    );
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
