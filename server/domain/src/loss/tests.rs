use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{
    pair::Side,
    reading::Observed,
    samples::{self, at, known, topics},
    survey::{OffsetPair, PartitionObservation, SideObservation},
};

/// A source under load and a flow that copies it, told step by step; a step is a second.
#[derive(Debug, Clone)]
struct Story {
    /// Records each partition gets at each step, at most 50.
    written: Vec<Vec<i64>>,
    /// How much of what is missing is copied at each step, in percent.
    copied: Vec<i64>,
    /// Steps between two surveys.
    period: usize,
    exactly_once: bool,
    compacted: bool,
}

fn stories() -> impl Strategy<Value = Story> {
    let partition = proptest::collection::vec(0_i64..50, 40);
    let written = proptest::collection::vec(partition, 1..4);
    let copied = proptest::collection::vec(0_i64..=100, 40);
    (written, copied, 1_usize..6, any::<bool>(), any::<bool>()).prop_map(
        |(mut written, copied, period, exactly_once, compacted)| {
            // The fastest there ever was is in the kept history, for each partition and for all together.
            for partition in &mut written {
                partition[..12].fill(50);
            }
            Story { written, copied, period, exactly_once, compacted }
        },
    )
}

impl Story {
    /// Ends and what has arrived after so many steps.
    fn after(&self, steps: usize) -> Vec<(i64, i64)> {
        self.written
            .iter()
            .map(|written| {
                let (mut end, mut arrived) = (0, 0);
                for (records, percent) in written.iter().zip(&self.copied).take(steps) {
                    end += records;
                    arrived += (end - arrived) * percent / 100;
                }
                (end, arrived)
            })
            .collect()
    }

    fn survey(&self, step: usize, dead: bool) -> Survey {
        let mut survey = samples::survey();
        survey.began_at = at(seconds(step));
        let state = self.after(step);
        let of = |value: fn(&(i64, i64)) -> i64| {
            let partition = |state| PartitionObservation {
                start: Some(0),
                end: Some(value(state)),
                stable: Some(value(state)),
                ..PartitionObservation::default()
            };
            state.iter().map(partition).collect::<Vec<_>>()
        };
        for (side, partitions) in [(Side::A, of(|state| state.0)), (Side::B, of(|state| state.1))] {
            let topic = topics(&mut survey, side).get_mut("orders").expect("there");
            topic.partitions = partitions;
            if self.compacted {
                let configs = std::sync::Arc::make_mut(known(&mut topic.configs));
                configs.get_mut("cleanup.policy").expect("there").value = Some("compact".to_owned());
            }
        }
        let flow = &mut survey.flows[0];
        for (number, (_, arrived)) in (0..).zip(&state) {
            let key = TopicPartition::new("orders", number);
            let last = arrived - 1;
            if last >= 0 {
                // The committed offset may be older than what has arrived unless both are one transaction.
                let said = if self.exactly_once { last } else { last - last % 7 };
                known(&mut flow.committed).offsets.insert(key.clone(), said);
                let pair = OffsetPair { upstream: said, downstream: said };
                known(&mut flow.newest_pairs).0.insert(key, pair);
            } else {
                known(&mut flow.committed).offsets.remove(&key);
                known(&mut flow.newest_pairs).0.remove(&key);
            }
        }
        if self.exactly_once {
            let source = flow.connectors.get_mut(&ConnectorRole::Source).expect("there");
            let config = &mut known(source).config;
            config.insert("source.consumer.isolation.level".to_owned(), "read_committed".to_owned());
            config.insert("exactly.once.support".to_owned(), "required".to_owned());
        }
        if dead {
            survey.sides.a = SideObservation::unreachable("connection refused", survey.began_at);
        }
        survey
    }

    /// What is said when it dies after so many steps and the next survey comes at `noticed`.
    fn statement(&self, died: usize, noticed: usize) -> Loss {
        let pair = samples::pair();
        let flow = &pair.flows[0];
        let living: Vec<Survey> =
            (0..=died).step_by(self.period).map(|step| self.survey(step, false)).collect();
        let history: Vec<EndsAt> = living
            .iter()
            .filter_map(|survey| crate::lag::ends_of(flow, survey))
            .map(timed(&living))
            .collect();
        let last = living.last().expect("one at least");
        let high = (last.began_at, high_watermarks(flow, last).expect("read").1);
        // What was copied until it died is what the target has from then on.
        let mut dead = self.survey(died, true);
        dead.began_at = at(seconds(noticed));
        dead.sides.a = SideObservation::unreachable("connection refused", dead.began_at);
        let evidence = Evidence { history: &history, high: &high, previous: Some(last), said: None };
        state_loss(&pair, flow, &dead, &evidence).expect("a statement")
    }
}

/// Samples say fixed times; here each is of its survey.
fn timed(living: &[Survey]) -> impl FnMut(EndsAt) -> EndsAt + '_ {
    let mut times = living.iter().map(|survey| survey.began_at);
    move |(_, ends)| (times.next().expect("one each"), ends)
}

fn seconds(step: usize) -> i64 {
    i64::try_from(step).expect("few")
}

proptest! {
    /// Whenever it dies, however it was written and copied: the truth is in the interval, of each partition and of all.
    #[test]
    fn the_interval_contains_the_truth(story in stories(), died in 13_usize..40) {
        let noticed = died - died % story.period + story.period;
        let loss = story.statement(died, noticed);
        let mut total = 0;
        for (lost, (end, arrived)) in loss.topics[0].partitions.iter().zip(story.after(died)) {
            let truth = end - arrived;
            total += truth;
            prop_assert!(lost.lost.records_at_least <= truth, "{lost:?}, not {truth}");
            prop_assert!(lost.lost.records_at_most.expect("known") >= truth, "{lost:?}, not {truth}");
        }
        prop_assert!(loss.total.records_at_least <= total && loss.total.records_at_most.expect("known") >= total, "{:?}, not {total}", loss.total);
        prop_assert!(loss.topics[0].lost.records_at_most >= Some(total));
    }

    /// The oldest lost record was written in the time that is said.
    #[test]
    fn what_is_lost_is_no_older_than_said(story in stories(), died in 13_usize..40) {
        let noticed = died - died % story.period + story.period;
        let loss = story.statement(died, noticed);
        for (number, lost) in loss.topics[0].partitions.iter().enumerate() {
            let (_, arrived) = story.after(died)[number];
            let first = (0..=died).find(|step| story.after(*step)[number].0 > arrived);
            let (Some(first), Some(at_most)) = (first, lost.lost.ms_at_most) else { continue };
            let oldest_ms = (seconds(noticed) - seconds(first - 1)) * 1000;
            prop_assert!(at_most >= oldest_ms - 1000, "{lost:?}, not {oldest_ms}");
        }
    }
}

fn story() -> Story {
    Story {
        written: vec![vec![10; 40]],
        copied: [vec![100; 20], vec![0; 20]].concat(),
        period: 5,
        exactly_once: false,
        compacted: false,
    }
}

#[test]
fn what_the_source_had_when_it_was_last_seen_is_lost_at_least() {
    let loss = story().statement(33, 35);
    // 200 of 330 arrived; 300 were seen at 30 s, 198 of them are proven to have arrived and 200 the target has.
    let lost = loss.topics[0].partitions[0].lost;
    assert_eq!(loss.total.records_at_least, 100);
    // 10 a second and twice the root of 50 in the five seconds nobody looked.
    assert_eq!(lost.records_at_most, Some(300 - 1 - 196 + 50 + 15));
    assert_eq!((lost.ms_at_least, lost.ms_at_most), (10_000, Some(20_000)));
    assert_eq!((loss.seen_at, loss.noticed_at), (at(30), at(35)));
    assert_eq!(loss.owner, samples::pair().team);
    assert!(loss.method.contains("last read 5000 ms before"), "{}", loss.method);
}

#[test]
fn markers_and_compaction_leave_no_proof_that_records_are_missing() {
    for changed in [Story { exactly_once: true, ..story() }, Story { compacted: true, ..story() }] {
        let loss = changed.statement(33, 35);
        assert_eq!(loss.total.records_at_least, 0);
        assert!(loss.total.records_at_most >= Some(130));
    }
}

#[test]
fn without_a_rate_or_a_position_nothing_is_said_to_be_small() {
    let story = Story { period: 40, ..story() };
    let loss = story.statement(33, 40);
    assert_eq!(loss.total.records_at_most, None, "one survey has no rate");
    let pair = samples::pair();
    let last = self::story().survey(30, false);
    let high = (last.began_at, high_watermarks(&pair.flows[0], &last).expect("read").1);
    let mut dead = self::story().survey(33, true);
    let mut blind = last.clone();
    for flow in [&mut dead.flows[0], &mut blind.flows[0]] {
        flow.committed = Observed::unknown("refused", at(33));
        flow.newest_pairs = Observed::unknown("refused", at(33));
    }
    let history = [(at(25), high.1.clone()), high.clone()];
    let evidence = Evidence { history: &history, high: &high, previous: Some(&blind), said: None };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert_eq!(loss.topics[0].partitions[0].through, None);
    assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (None, None));
}

#[test]
fn what_was_said_to_have_arrived_stays_so_when_connect_dies_too() {
    let said = story().statement(33, 35);
    let pair = samples::pair();
    let mut dead = story().survey(33, true);
    dead.began_at = at(40);
    dead.flows[0].committed = Observed::unknown("refused", at(40));
    dead.flows[0].newest_pairs = Observed::unknown("refused", at(40));
    let survey = story().survey(30, false);
    let high = (at(30), high_watermarks(&pair.flows[0], &survey).expect("read").1);
    let history: Vec<EndsAt> = [10, 20, 30]
        .map(|step| (at(step), BTreeMap::from([(TopicPartition::new("orders", 0), step * 10)])))
        .into();
    let previous = dead.clone();
    let evidence = Evidence { history: &history, high: &high, previous: Some(&previous), said: Some(&said) };
    let again = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert_eq!(again.topics[0].partitions[0].through, said.topics[0].partitions[0].through);
    assert_eq!((again.noticed_at, again.reason), (said.noticed_at, said.reason));
}

#[test]
fn a_flow_that_was_stopped_loses_nothing() {
    let pair = samples::pair();
    let survey = story().survey(30, false);
    let mut dead = story().survey(33, false);
    dead.sides.b = SideObservation::unreachable("connection refused", at(35));
    let high = (at(30), high_watermarks(&pair.flows[1], &survey).expect("read").1);
    let evidence = Evidence { history: &[], high: &high, previous: Some(&survey), said: None };
    assert_eq!(state_loss(&pair, &pair.flows[1], &dead, &evidence), None);
}

#[test]
fn the_true_figure_comes_beside_what_was_said() {
    let mut loss = story().statement(33, 35);
    let said = loss.total;
    let back = story().survey(33, false);
    assert!(settle(&mut loss, &back, None));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(330 - 1 - 196), false, false));
    assert_eq!(loss.topics[0].partitions[0].truth, Some(133));
    assert_eq!(loss.total, said, "what was said stays");
    assert!(settle(&mut loss, &back, Some(&back)));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(133), true, true));
    assert!(!settle(&mut loss, &back, Some(&back)), "the last word is said");
}

#[test]
fn a_source_that_is_written_to_again_leaves_an_upper_bound() {
    let mut loss = story().statement(33, 35);
    let (first, second) = (story().survey(34, false), story().survey(36, false));
    settle(&mut loss, &first, None);
    settle(&mut loss, &second, Some(&first));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(340 - 1 - 196), false, true));
}

#[test]
fn a_source_that_came_back_shorter_tells_nothing() {
    let mut loss = story().statement(33, 35);
    settle(&mut loss, &story().survey(20, false), None);
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, loss.topics[0].truth), (None, None));
    assert!(truth.method.contains("not restored whole"), "{}", truth.method);
}

#[test]
fn the_time_of_notice_is_when_it_was_known_not_when_it_was_asked() {
    let mut survey = samples::survey();
    survey.sides.a = SideObservation::unreachable("no answer", at(9));
    assert_eq!(survey.unanswered_at(Side::A), at(9));
    // It answered at first and died in the middle.
    assert_eq!(survey.unanswered_at(Side::B), at(0) + TimeDelta::milliseconds(survey.took_ms));
}
