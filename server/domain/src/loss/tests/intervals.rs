//! The interval of a loss: it has the truth in it, and is as narrow as what was seen allows.

use chrono::TimeDelta;

use super::*;

proptest! {
    /// Whenever it dies, however it was written and copied: the truth is in the interval, of each partition and of all.
    #[test]
    fn the_interval_contains_the_truth(story in stories(), died in 13_usize..40) {
        let noticed = died - died % story.period + story.period;
        let loss = story.statement(died, noticed);
        let mut total = 0;
        prop_assert_eq!(loss.topics[0].partitions.len(), story.partitions().len(), "none is left out");
        for (lost, partition) in loss.topics[0].partitions.iter().zip(story.partitions()) {
            let (_, written, arrived, _) = partition.after[died];
            let truth = i64::try_from(written - arrived).expect("few");
            total += truth;
            prop_assert!(lost.lost.records_at_least <= truth, "{lost:?}, not {truth}");
            prop_assert!(lost.lost.records_at_most.expect("known") >= truth, "{lost:?}, not {truth}");
        }
        prop_assert!(loss.total.records_at_least <= total && loss.total.records_at_most.expect("known") >= total, "{:?}, not {total}", loss.total);
        prop_assert!(loss.topics[0].lost.records_at_most >= Some(total));
    }

    /// The oldest lost record was written in the time that is said. Of a transaction the time is that of its commit.
    #[test]
    fn what_is_lost_is_no_older_than_said(story in stories(), died in 13_usize..40) {
        let story = Story { open: false, ..story };
        let noticed = died - died % story.period + story.period;
        let (loss, partitions) = (story.statement(died, noticed), story.partitions());
        for (number, lost) in loss.topics[0].partitions.iter().enumerate() {
            let after = &partitions[number].after;
            let first = (0..=died).find(|step| after[*step].1 > after[died].2);
            let (Some(first), Some(at_most)) = (first, lost.lost.ms_at_most) else { continue };
            let oldest_ms = (seconds(noticed) - seconds(first - 1)) * 1000;
            prop_assert!(at_most >= oldest_ms - 1000, "{lost:?}, not {oldest_ms}");
        }
    }
}

#[test]
fn what_the_source_had_when_it_was_last_seen_is_lost() {
    let loss = story().statement(33, 35);
    // 200 of 330 arrived; 300 were seen at 30 s, 197 of them are proven to have arrived.
    let lost = loss.topics[0].partitions[0].lost;
    // 10 a second and twice the root of 50 in the five seconds nobody looked.
    assert_eq!(lost.records_at_most, Some(300 - 1 - 196 + 50 + 15));
    assert_eq!(lost.ms_at_most, Some(20_000));
    assert_eq!((loss.seen_at, loss.noticed_at), (at(30), at(35)));
    assert_eq!(loss.owner, samples::pair().team);
    assert!(loss.method.contains("last read 5.0 s before"), "{}", loss.method);
}

#[test]
fn of_the_offsets_behind_the_newest_sync_half_are_lost_at_least() {
    let loss = large().statement(33, 35);
    // Of the 30,000 offsets that were seen, 20,000 arrived.
    let sync = 19_999;
    let arrived_behind_it = 19_999 - sync;
    let proven = (30_000 - 1 - sync - 1_000 + 1) / 2 - arrived_behind_it;
    assert_eq!(loss.total.records_at_least, proven);
    assert!((4_400..=10_000).contains(&proven), "{proven}");
    assert_eq!(loss.topics[0].partitions[0].lost.ms_at_least, 5_000);
}

#[test]
fn a_marker_behind_every_record_is_not_taken_for_a_record() {
    // Everything was copied, so what the source's end is ahead are markers.
    for transactions in [Transactions::OneByOne, Transactions::AllAtOnce] {
        let story = Story { transactions, copied: vec![100; 40], ..large() };
        let loss = story.statement(30, 35);
        assert_eq!(loss.total.records_at_least, 0, "{transactions:?}");
    }
}

#[test]
fn committed_records_only_and_compaction_leave_no_proof_that_records_are_missing() {
    for changed in [Story { exactly_once: true, ..large() }, Story { compacted: true, ..large() }] {
        let loss = changed.statement(33, 35);
        assert_eq!(loss.total.records_at_least, 0);
        assert!(loss.total.records_at_most >= Some(13_000));
    }
}

#[test]
fn what_an_open_transaction_had_written_may_be_lost() {
    let story = Story { exactly_once: true, open: true, ..story() };
    let mut loss = story.statement(33, 35);
    let lost = &loss.topics[0].partitions[0];
    assert_eq!((lost.end, lost.through), (300, Some(199)), "100 are in open transactions");
    assert_eq!(lost.lost.records_at_most, Some(100 + 50 + 15));
    // It comes back, they are still open, and the tail was read again.
    let mut back = story.survey(33, false);
    leave_open(&mut back);
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    assert_eq!(loss.truth.expect("told").records, Some(130));
}

#[test]
fn what_is_written_behind_a_transaction_that_hangs_is_in_the_bound() {
    let story = Story { exactly_once: true, copied: [vec![100; 10], vec![0; 30]].concat(), ..story() };
    // As far as is remembered the last stable offset stood at 100, and others wrote on.
    let living = [20, 25, 30].map(|step| {
        let mut survey = story.survey(step, false);
        topics(&mut survey, Side::A).get_mut("orders").expect("there").partitions[0].stable = Some(100);
        survey
    });
    let history = living.each_ref().map(ends);
    assert!(history.iter().all(|(_, ends)| ends.values().eq([&100])), "{history:?}");
    let (pair, dead) = (samples::pair(), story.survey(33, true));
    let (high, pace, previous) = (&seen(Side::A, &living), &pace_of(&living), Some(&living[2]));
    let evidence = Evidence { history: &history, high, pace, previous, said: None, active: None };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    // 100 of the 300 that were seen had arrived; 10 a second and twice the root of 30 in the three seconds nobody looked.
    assert_eq!(loss.total.records_at_most, Some(200 + 30 + 11));
    assert_eq!(loss.topics[0].partitions[0].lost.records_at_most, Some(200 + 30 + 11));
}

#[test]
fn markers_behind_the_last_record_are_not_lost_where_no_transaction_is_open() {
    let mut survey = story().survey(30, false);
    let key = TopicPartition::new("orders", 0);
    let high = |survey: &Survey| seen(Side::A, [survey]).ends[&key].expect("read").end;
    let partition = |survey: &mut Survey, stable| {
        let partition = &mut topics(survey, Side::A).get_mut("orders").expect("there").partitions[0];
        (partition.stable, partition.last_record) = (stable, Some(289));
    };
    for (stable, end) in [(Some(300), 290), (Some(290), 300), (None, 300)] {
        partition(&mut survey, stable);
        assert_eq!(high(&survey), end, "{stable:?}");
    }
}

#[test]
fn without_a_rate_or_a_position_nothing_is_said_to_be_small() {
    let story = Story { period: 40, ..story() };
    let loss = story.statement(33, 40);
    assert_eq!(loss.total.records_at_most, None, "one survey has no rate");
    let pair = samples::pair();
    let last = self::story().survey(30, false);
    let high = seen(Side::A, [&last]);
    let mut dead = self::story().survey(33, true);
    let mut blind = last.clone();
    for flow in [&mut dead.flows[0], &mut blind.flows[0]] {
        flow.committed = Observed::unknown("refused", at(33));
        flow.newest_pairs = Observed::unknown("refused", at(33));
    }
    let history = [(at(25), ends(&last).1), ends(&last)];
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&blind),
        said: None,
        active: None,
    };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert_eq!(loss.topics[0].partitions[0].through, None);
    assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (None, None));
}

#[test]
fn a_flow_that_was_stopped_loses_nothing() {
    let pair = samples::pair();
    let survey = story().survey(30, false);
    let mut dead = story().survey(33, false);
    dead.sides.b = SideObservation::unreachable("connection refused", at(35));
    let high = seen(Side::B, [&survey]);
    let evidence = Evidence {
        history: &[],
        high: &high,
        pace: &Pace::new(),
        previous: Some(&survey),
        said: None,
        active: None,
    };
    assert_eq!(state_loss(&pair, &pair.flows[1], &dead, &evidence), None);
}

#[test]
fn the_time_of_notice_is_when_it_was_known_not_when_it_was_asked() {
    let mut survey = samples::survey();
    survey.sides.a = SideObservation::unreachable("no answer", at(9));
    assert_eq!(survey.unanswered_at(Side::A), at(9));
    // It answered at first and died in the middle.
    assert_eq!(survey.unanswered_at(Side::B), at(0) + TimeDelta::milliseconds(survey.took_ms));
}
