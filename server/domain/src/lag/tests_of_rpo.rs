//! What a death would cost, told of sources with long transactions, bursts and markers.

use proptest::prelude::*;

use super::*;
use crate::{
    pair::Side,
    reading::{Observed, ReadingClass},
    samples::{self, at, known, topics},
    survey::{
        CommittedSourceOffsets, NewestPairs, OffsetPair, OldPosition, TopicObservation, WriterSeen,
        WritersObservation,
    },
};

/// One partition and its copy, told second by second.
#[derive(Debug, Clone)]
struct Story {
    /// Records written in each second.
    written: Vec<i64>,
    /// Transactions, each from the second in which it begins to the one in which it ends with a marker. What is behind the first record
    /// of one that is open cannot be copied by a flow of committed records.
    transactions: Vec<(usize, usize)>,
    /// How much of what can be copied is copied in each second, in percent.
    copied: Vec<i64>,
    /// Seconds between two surveys.
    period: usize,
    read_committed: bool,
    /// Whether what is copied in a second is one transaction on the target, with a marker behind it.
    in_transactions: bool,
}

/// The partition after some seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    end: i64,
    stable: i64,
    /// Records that are not on the target, and those of them that can be copied already.
    missing: i64,
    copyable: i64,
    /// Source and target offset of the last record that arrived.
    last: Option<OffsetPair>,
    target_end: i64,
}

impl Story {
    fn moments(&self) -> Vec<Moment> {
        let mut moments = vec![Moment::default()];
        let mut open: Vec<Option<i64>> = vec![None; self.transactions.len()];
        // Offsets of records that did not arrive yet.
        let mut missing: Vec<i64> = Vec::new();
        for (second, written) in self.written.iter().enumerate() {
            let mut now = moments[second];
            for ((begins, ends), first) in self.transactions.iter().zip(&mut open) {
                if *begins == second {
                    *first = Some(now.end);
                }
                if *ends == second && first.take().is_some() {
                    now.end += 1;
                }
            }
            missing.extend(now.end..now.end + written);
            now.end += written;
            now.stable = open.iter().flatten().copied().min().unwrap_or(now.end);
            let reach = if self.read_committed { now.stable } else { now.end };
            let copyable = missing.partition_point(|offset| *offset < reach);
            let arrives = copyable * usize::try_from(self.copied[second]).expect("at most 100") / 100;
            for upstream in missing.drain(..arrives) {
                now.last = Some(OffsetPair { upstream, downstream: now.target_end });
                now.target_end += 1;
            }
            now.target_end += i64::from(self.in_transactions && arrives > 0);
            let count = |records: usize| i64::try_from(records).expect("few");
            (now.missing, now.copyable) = (count(missing.len()), count(copyable - arrives));
            moments.push(now);
        }
        moments
    }

    /// Positions are as old as `positions`, the ends are of `now`.
    fn survey(&self, second: usize, now: &Moment, positions: &Moment) -> Survey {
        let mut survey = samples::survey();
        survey.began_at = at(seconds(second));
        let there = |end, stable| {
            let mut topic: TopicObservation = samples::topic(end);
            topic.partitions[0].stable = Some(stable);
            Observed::known(BTreeMap::from([("orders".to_owned(), topic)]), at(seconds(second)))
        };
        survey.sides.a.topics = there(now.end, now.stable);
        survey.sides.b.topics = there(now.target_end, now.target_end);
        let flow = &mut survey.flows[0];
        let last = || positions.last.map(|last| (orders(), last));
        let offsets = last().map(|(key, last)| (key, last.upstream)).into_iter().collect();
        let committed = CommittedSourceOffsets { offsets, foreign: Vec::new() };
        flow.committed = Observed::known(committed, at(seconds(second)));
        flow.newest_pairs = Observed::known(NewestPairs(last().into_iter().collect()), at(seconds(second)));
        let producer = WriterSeen {
            producer: 7,
            sequence: -1,
            timestamp_ms: 0,
            transaction_from: None,
            transactional: true,
        };
        let seen = if self.in_transactions { vec![producer] } else { Vec::new() };
        known(&mut flow.writers).partitions.insert(orders(), seen);
        if self.read_committed {
            set_config(&mut survey, "source.consumer.isolation.level", "read_committed");
        }
        survey
    }

    /// What the survey after so many seconds says, with what was remembered of those before.
    fn lag(&self, moments: &[Moment], second: usize) -> FlowLag {
        let pair = samples::pair();
        let flow = &pair.flows[0];
        let survey = |second: usize| {
            // Positions are committed from time to time.
            let positions = &moments[second.saturating_sub(3)];
            self.survey(second, &moments[second], positions)
        };
        let before: Vec<Survey> = (0..second).step_by(self.period).map(survey).collect();
        let ends: Vec<EndsAt> = before.iter().filter_map(|survey| ends_of(flow, survey)).collect();
        let highs: Vec<EndsAt> = before.iter().filter_map(|survey| high_watermarks(flow, survey)).collect();
        let pace = Pace::of(&pair, flow, &highs);
        let past = Past { ends: &ends, high: highs.last(), last: None, pace: &pace };
        let clock = Clock { now: at(seconds(second)), period: TimeDelta::seconds(seconds(self.period)) };
        flow_lag_since(&pair, flow, &survey(second), past, clock)
    }
}

fn stories() -> impl Strategy<Value = Story> {
    let transactions = proptest::collection::vec((0_usize..40, 1_usize..30), 0..4);
    let written = proptest::collection::vec(1_i64..250, 40);
    let copied = proptest::collection::vec(0_i64..=100, 40);
    let flow = (1_usize..6, any::<bool>(), any::<bool>());
    (written, transactions, copied, flow).prop_map(
        |(mut written, transactions, copied, (period, read_committed, in_transactions))| {
            // The fastest there ever was is among what is remembered.
            written[..12].fill(250);
            let transactions =
                transactions.into_iter().map(|(begins, long)| (begins, begins + long)).collect();
            Story { written, transactions, copied, period, read_committed, in_transactions }
        },
    )
}

proptest! {
    /// Whatever is open, is committed or bursts: what was not copied when the source dies is in the interval of the survey before.
    #[test]
    fn a_death_costs_what_the_survey_before_it_said(story in stories(), looked in 13_usize..30) {
        let moments = story.moments();
        let looked = looked - looked % story.period;
        let lag = story.lag(&moments, looked);
        let at_most = lag.rpo.records_at_most.expect("known");
        for died in &moments[looked..=looked + story.period] {
            prop_assert!(at_most >= died.missing, "{:?}, not {died:?}", lag.rpo);
        }
        prop_assert_eq!(lag.topics["orders"].rpo.records_at_most, Some(at_most));
        prop_assert_eq!(lag.rpo.records_at_least, Some(0));
    }

    /// Markers are never taken for records that arrived, on neither side.
    #[test]
    fn no_more_is_said_to_have_arrived_than_did(story in stories(), looked in 1_usize..40) {
        let moments = story.moments();
        let lag = story.lag(&moments, looked);
        let behind = lag.total_records.value.expect("known");
        prop_assert!(behind >= moments[looked].copyable, "{lag:?}, not {:?}", moments[looked]);
        let tight = lag.total_records.class <= ReadingClass::Tight;
        prop_assert!(!(tight && story.in_transactions) || behind == 0, "{lag:?}");
        prop_assert_eq!(lag.in_open_transactions, Some(moments[looked].end - moments[looked].stable));
    }
}

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn seconds(second: usize) -> i64 {
    i64::try_from(second).expect("few")
}

fn set_config(survey: &mut Survey, key: &str, value: &str) {
    let source = survey.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
    known(source).config.insert(key.to_owned(), value.to_owned());
}

/// Of a survey at 0 s, with what was read 10 and 5 s before.
fn rpo(survey: &Survey, ends: [i64; 2], highs: [i64; 2]) -> Rpo {
    let pair = samples::pair();
    let readings = |[first, second]: [i64; 2]| -> [EndsAt; 2] {
        [(-10, first), (-5, second)].map(|(ago, end)| (at(ago), BTreeMap::from([(orders(), end)])))
    };
    let (ends, highs) = (readings(ends), readings(highs));
    let pace = Pace::of(&pair, &pair.flows[0], &highs);
    let past = Past { ends: &ends, high: highs.last(), last: None, pace: &pace };
    let clock = Clock { now: at(0), period: TimeDelta::seconds(5) };
    flow_lag_since(&pair, &pair.flows[0], survey, past, clock).rpo
}

#[test]
fn a_transaction_that_may_be_committed_in_the_next_moment_is_in_the_interval() {
    let mut survey = samples::survey();
    set_config(&mut survey, "source.consumer.isolation.level", "read_committed");
    let mut open = samples::topic(300_100);
    open.partitions[0].stable = Some(100);
    topics(&mut survey, Side::A).insert("orders".to_owned(), open);
    // Nothing is behind that could be copied. Open are 300,000, and 2,500 a second come, with twice the root of 12,500.
    let rpo = rpo(&survey, [100, 100], [275_100, 287_600]);
    assert_eq!((rpo.records_at_least, rpo.records_at_most), (Some(0), Some(300_000 + 12_500 + 224)));
    // In time they count from their commit.
    assert_eq!((rpo.ms_at_most, rpo.reason.as_str()), (Some(5_000), ""));
}

#[test]
fn what_is_open_is_among_those_behind_where_a_flow_copies_it() {
    let mut survey = samples::survey();
    let mut open = samples::topic(300);
    open.partitions[0].stable = Some(100);
    topics(&mut survey, Side::A).insert("orders".to_owned(), open);
    let rpo = rpo(&survey, [300, 300], [300, 300]);
    assert_eq!(rpo.records_at_most, Some(200), "100 arrived, and nothing counts twice");
}

#[test]
fn a_burst_counts_from_the_survey_on_that_saw_it() {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(1_100));
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 1_099);
    // All of it has arrived. Should it go on for another period, as much again would be lost.
    assert_eq!(rpo(&survey, [100, 100], [100, 100]).records_at_most, Some(1_000 + 64));
}

#[test]
fn how_fast_a_new_topic_is_written_to_is_not_known() {
    let mut survey = samples::survey();
    for side in Side::BOTH {
        topics(&mut survey, side).insert("orders.new".to_owned(), samples::topic(0));
    }
    let pair = samples::pair();
    let high = (at(-5), BTreeMap::from([(orders(), 100)]));
    let past = Past { high: Some(&high), ..Past::default() };
    let clock = Clock { now: at(0), period: TimeDelta::seconds(5) };
    let lag = flow_lag_since(&pair, &pair.flows[0], &survey, past, clock);
    let at_most = |topic: &str| lag.topics[topic].rpo.records_at_most;
    assert_eq!((at_most("orders"), at_most("orders.new")), (Some(0), None));
    assert!(lag.topics["orders.new"].rpo.reason.contains("how fast"), "{lag:?}");
    assert_eq!(lag.rpo.records_at_most, Some(0), "all together were as fast as they were");
}

/// Connect's worker has exactly-once enabled and the connector does not ask for it, so that it says nothing of it: of 60 records behind the
/// newest sync 30 have come, each with a marker.
fn with_markers() -> Survey {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(1_061));
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(5_061));
    let flow = &mut survey.flows[0];
    known(&mut flow.committed).offsets.insert(orders(), 1_030);
    known(&mut flow.newest_pairs).0.insert(orders(), OffsetPair { upstream: 1_000, downstream: 5_000 });
    survey
}

#[test]
fn where_nobody_is_known_to_add_records_only_the_proven_position_counts() {
    let writer = |transactional| WriterSeen {
        producer: 7,
        sequence: 0,
        timestamp_ms: 0,
        transaction_from: None,
        transactional,
    };
    let looked = |own: &[i64], partitions: &[(&str, i32, &[WriterSeen])]| {
        let seen = |(topic, number, seen): &(&str, i32, &[WriterSeen])| {
            (TopicPartition::new(*topic, *number), seen.to_vec())
        };
        let own = own.iter().copied().collect();
        let partitions = partitions.iter().map(seen).collect();
        Observed::known(WritersObservation { own, partitions, unseen: None }, at(0))
    };
    let told = |writers: Observed<WritersObservation>| {
        let (pair, mut survey) = (samples::pair(), with_markers());
        survey.flows[0].writers = writers;
        let records = flow_lag(&pair, &pair.flows[0], &survey).total_records;
        (records.value, records.class)
    };
    let (marks, plain) = ([writer(true)], [writer(false)]);
    let proven = (Some(30), ReadingClass::LowerBound);
    for (why, writers) in [
        ("its tasks write in transactions", looked(&[7], &[("orders", 0, &marks)])),
        ("somebody does, and whose they are is not shown", looked(&[], &[("orders", 0, &marks)])),
        ("its tasks have ids, and the leader has forgotten who wrote", looked(&[7], &[("orders", 0, &[])])),
        ("nothing was looked at", looked(&[], &[])),
        ("it was not its turn, and elsewhere somebody writes so", looked(&[], &[("orders", 1, &marks)])),
        ("it could not be looked at", Observed::unknown("refused", at(0))),
    ] {
        assert_eq!(told(writers), proven, "{why}");
    }
    // Of these flows all 60 that came are records.
    let fits = (Some(0), ReadingClass::Tight);
    for (why, writers) in [
        ("tasks without producer ids", looked(&[], &[("orders", 0, &[])])),
        ("idempotent tasks", looked(&[], &[("orders", 0, &plain)])),
        ("it was not its turn, and elsewhere nobody writes so", looked(&[], &[("orders", 1, &plain)])),
        ("elsewhere somebody does", looked(&[], &[("orders", 0, &plain), ("orders", 1, &marks)])),
    ] {
        assert_eq!(told(writers), fits, "{why}");
    }
}

#[test]
fn the_position_of_a_log_before_is_none_of_this_one() {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(200));
    let old = OffsetPair { upstream: 1_499, downstream: 1_499 };
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 1_499);
    known(&mut survey.flows[0].newest_pairs).0.insert(orders(), old);
    let (pair, clock) = (samples::pair(), Clock { now: at(0), period: TimeDelta::seconds(5) });
    let flow = &pair.flows[0];
    // At a thousand a second it might be ahead of an end that was read a second before.
    let highs = [-10, -5].map(|ago| (at(ago), BTreeMap::from([(orders(), 100_000 + 1_000 * ago)])));
    let pace = Pace::of(&pair, flow, &highs);
    let told = |survey: &Survey| {
        let past = Past { pace: &pace, ..Past::default() };
        let lag = flow_lag_since(&pair, flow, survey, past, clock);
        (lag.total_records.value, lag.total_records.class, lag.total_records.reason)
    };
    assert_eq!(told(&survey).0, Some(0), "numbers alone do not tell");
    let position = OldPosition { committed: Some(1_499), pair: Some(old), unseen: false };
    survey.flows[0].of_another_log.insert(orders(), position);
    let (records, class, reason) = told(&survey);
    assert_eq!((records, class), (Some(200), ReadingClass::LowerBound), "none of it was copied");
    assert!(reason.contains("made anew"), "{reason}");
    // Its connector goes on: the committed offset moves first.
    known(&mut survey.flows[0].committed).offsets.insert(orders(), 30);
    let (records, class, reason) = told(&survey);
    assert_eq!((records, class), (Some(169), ReadingClass::LowerBound));
    assert!(reason.contains("proven as far as"), "{reason}");
}
