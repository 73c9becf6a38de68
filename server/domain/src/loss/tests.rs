use std::ops::Range;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{
    lag::{ends_of, high_watermarks},
    pair::Side,
    patterns::Scope,
    reading::Observed,
    samples::{self, at, known, topics},
    survey::{ConnectorRole, FirstMissing, OffsetPair, OldPosition, PartitionObservation, SideObservation},
    topic::ByPartition,
};

/// A source under load and a flow that copies it, told step by step; a step is a second.
#[derive(Debug, Clone)]
pub(super) struct Story {
    /// Records each partition gets at each step.
    written: Vec<Vec<i64>>,
    /// How much of what is missing is copied at each step, in percent.
    copied: Vec<i64>,
    /// Steps between two surveys.
    period: usize,
    transactions: Transactions,
    exactly_once: bool,
    compacted: bool,
    transforms: Transforms,
    /// When it was last looked, all that had not arrived was in open transactions, and the tail was read up to where these begin: no
    /// record is left there that is not copied. Only flows of committed records wait for transactions.
    open: bool,
    /// By partition, the steps at which its leader does not answer, though the source does: none where it is not listed.
    silent: Vec<Range<usize>>,
}

/// How applications write. A marker has an offset and is no record: nothing ever copies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transactions {
    None,
    /// Each record in a transaction of its own, one after the other.
    OneByOne,
    /// Each record of a step in a transaction of its own, all of them open at once.
    AllAtOnce,
}

/// What the connector's transforms do to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transforms {
    None,
    /// Some are left out.
    Filter,
    /// Copies go by another name, and what is under the policy's is empty.
    Router,
}

/// One partition and its copy over the steps.
struct Partition {
    /// Offset of each record, on the source.
    source: Vec<i64>,
    /// Of each record that arrived, on the target: exactly-once flows write markers there, too.
    target: Vec<i64>,
    /// After each step, from none on: the source's end, records on it, records that arrived, the target's end.
    after: Vec<(i64, usize, usize, i64)>,
}

fn stories() -> impl Strategy<Value = Story> {
    let partition = proptest::collection::vec(0_i64..250, 40);
    let written = proptest::collection::vec(partition, 1..4);
    let copied = proptest::collection::vec(0_i64..=100, 40);
    let stalls_at = 0_usize..80;
    let transactions =
        prop_oneof![Just(Transactions::None), Just(Transactions::OneByOne), Just(Transactions::AllAtOnce)];
    let flow = (any::<bool>(), any::<bool>(), any::<bool>());
    // How fast it was written is known by then.
    let silent = proptest::collection::vec((13_usize..60, 0_usize..30), 3);
    (written, copied, stalls_at, 1_usize..6, transactions, flow, silent).prop_map(
        |(mut written, mut copied, stalls_at, period, transactions, flow, silent)| {
            let (exactly_once, compacted, open) = flow;
            // The fastest there ever was is in the kept history, for each partition and for all together.
            for partition in &mut written {
                partition[..12].fill(250);
            }
            // From there on nothing arrives any more, so that much is missing for certain.
            if let Some(never) = copied.get_mut(stalls_at..) {
                never.fill(0);
            }
            let open = open && exactly_once;
            let transforms = Transforms::None;
            let silent = silent.into_iter().map(|(from, steps)| from..from + steps).collect();
            Story { written, copied, period, transactions, exactly_once, compacted, transforms, open, silent }
        },
    )
}

impl Story {
    /// With as many partitions again, written alike.
    pub(super) fn twice(self) -> Self {
        Self { written: [self.written.clone(), self.written].concat(), ..self }
    }

    /// Where the leader of a partition does not answer at these steps.
    pub(super) fn silent(mut self, partition: usize, steps: Range<usize>) -> Self {
        self.silent.resize(self.written.len(), 0..0);
        self.silent[partition] = steps;
        self
    }

    fn partitions(&self) -> Vec<Partition> {
        self.written.iter().map(|written| self.partition(written)).collect()
    }

    fn partition(&self, written: &[i64]) -> Partition {
        let (mut source, mut target) = (Vec::new(), Vec::new());
        let (mut end, mut target_end) = (0, 0);
        let mut after = vec![(0, 0, 0, 0)];
        for (records, percent) in written.iter().zip(&self.copied) {
            let (stride, markers) = match self.transactions {
                Transactions::None => (1, 0),
                Transactions::OneByOne => (2, 0),
                Transactions::AllAtOnce => (1, *records),
            };
            source.extend((0..*records).map(|number| end + number * stride));
            end += records * stride + markers;
            let missing = source.len() - target.len();
            let arrives = missing * usize::try_from(*percent).expect("at most 100") / 100;
            for _ in 0..arrives {
                target.push(target_end);
                target_end += 1;
            }
            target_end += i64::from(self.exactly_once && arrives > 0);
            after.push((end, source.len(), target.len(), target_end));
        }
        Partition { source, target, after }
    }

    pub(super) fn survey(&self, step: usize, dead: bool) -> Survey {
        self.survey_of(&self.partitions(), step, dead)
    }

    fn survey_of(&self, partitions: &[Partition], step: usize, dead: bool) -> Survey {
        let mut survey = samples::survey();
        survey.began_at = at(seconds(step));
        let of = |value: fn(&(i64, usize, usize, i64)) -> i64| {
            let partition = |partition: &Partition| PartitionObservation {
                start: Some(0),
                end: Some(value(&partition.after[step])),
                stable: Some(value(&partition.after[step])),
                ..PartitionObservation::default()
            };
            partitions.iter().map(partition).collect::<Vec<_>>()
        };
        let mut source = of(|after| after.0);
        for (partition, _) in source.iter_mut().zip(&self.silent).filter(|(_, silent)| silent.contains(&step))
        {
            *partition =
                PartitionObservation { trouble: "no answer".to_owned(), ..PartitionObservation::default() };
        }
        for (side, partitions) in [(Side::A, source), (Side::B, of(|after| after.3))] {
            if let Observed::Known { at, .. } = &mut survey.sides.get_mut(side).topics {
                *at = survey.began_at;
            }
            let topic = topics(&mut survey, side).get_mut("orders").expect("there");
            topic.partitions = partitions;
            if self.compacted {
                let configs = std::sync::Arc::make_mut(known(&mut topic.configs));
                configs.get_mut("cleanup.policy").expect("there").value = Some("compact".to_owned());
            }
        }
        let flow = &mut survey.flows[0];
        for (number, partition) in (0..).zip(partitions) {
            let key = TopicPartition::new("orders", number);
            match partition.after[step].2.checked_sub(1) {
                Some(last) => {
                    // The committed offset may be older than what has arrived unless both are one transaction.
                    let said = if self.exactly_once { last } else { last - last % 7 };
                    let (upstream, downstream) = (partition.source[said], partition.target[said]);
                    known(&mut flow.committed).offsets.insert(key.clone(), upstream);
                    known(&mut flow.newest_pairs).0.insert(key, OffsetPair { upstream, downstream });
                }
                None => {
                    known(&mut flow.committed).offsets.remove(&key);
                    known(&mut flow.newest_pairs).0.remove(&key);
                }
            }
        }
        if self.exactly_once {
            let source = flow.connectors.get_mut(&ConnectorRole::Source).expect("there");
            let config = &mut known(source).config;
            config.insert("source.consumer.isolation.level".to_owned(), "read_committed".to_owned());
            config.insert("exactly.once.support".to_owned(), "required".to_owned());
        }
        let class = match self.transforms {
            Transforms::None => None,
            Transforms::Filter => Some("org.apache.kafka.connect.transforms.Filter"),
            Transforms::Router => Some("org.apache.kafka.connect.transforms.RegexRouter"),
        };
        if let Some(class) = class {
            let source = flow.connectors.get_mut(&ConnectorRole::Source).expect("there");
            let config = &mut known(source).config;
            config.insert("transforms".to_owned(), "step".to_owned());
            config.insert("transforms.step.type".to_owned(), class.to_owned());
        }
        if dead {
            survey.sides.a = SideObservation::unreachable("connection refused", survey.began_at);
        }
        survey
    }

    /// What is said when it dies after so many steps and the next survey comes at `noticed`.
    pub(super) fn statement(&self, died: usize, noticed: usize) -> Loss {
        let pair = samples::pair();
        let flow = &pair.flows[0];
        let partitions = self.partitions();
        let mut living: Vec<Survey> =
            (0..=died).step_by(self.period).map(|step| self.survey_of(&partitions, step, false)).collect();
        if self.open {
            leave_open(living.last_mut().expect("one at least"));
        }
        let history: Vec<EndsAt> = living.iter().filter_map(|survey| ends_of(flow, survey)).collect();
        let history: Vec<EndsAt> = history.into_iter().filter(|(_, ends)| !ends.is_empty()).collect();
        let (high, pace) = (seen(Side::A, &living), pace_of(&living));
        // What was copied until it died is what the target has from then on.
        let mut dead = self.survey_of(&partitions, died, true);
        dead.began_at = at(seconds(noticed));
        dead.sides.a = SideObservation::unreachable("connection refused", dead.began_at);
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace,
            previous: living.last(),
            said: None,
            active: None,
        };
        state_loss(&pair, flow, &dead, &evidence).expect("a statement")
    }
}

/// As fast as these ends grew.
pub(super) fn pace(history: &[EndsAt]) -> Pace {
    let pair = samples::pair();
    Pace::of(&pair, &pair.flows[0], history)
}

/// As fast as a source was written to, by these surveys.
fn pace_of(living: &[Survey]) -> Pace {
    let pair = samples::pair();
    let highs = living.iter().filter_map(|survey| high_watermarks(&pair.flows[0], survey));
    Pace::of(&pair, &pair.flows[0], highs)
}

/// A side as these surveys read it, one after the other.
pub(super) fn seen<'s>(from: Side, surveys: impl IntoIterator<Item = &'s Survey>) -> LastEnds {
    let (scope, mut last) = (Scope::of(&samples::pair()), LastEnds::nothing(at(0)));
    for survey in surveys {
        last.see(&scope, from, survey);
    }
    last
}

/// The ends of a survey, as history.
pub(super) fn ends(survey: &Survey) -> EndsAt {
    ends_of(&samples::pair().flows[0], survey).expect("read")
}

/// All that has not arrived is in open transactions, and it is known that no record is left before them.
fn leave_open(survey: &mut Survey) {
    let arrived = known(&mut survey.flows[0].committed).offsets.clone();
    let topic = topics(survey, Side::A).get_mut("orders").expect("there");
    for (number, partition) in (0..).zip(&mut topic.partitions) {
        if partition.end.is_none() {
            continue;
        }
        let through = arrived.get(&TopicPartition::new("orders", number)).copied().unwrap_or(-1);
        partition.stable = Some(through + 1);
        partition.last_record = Some(through);
    }
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

pub(super) fn story() -> Story {
    Story {
        written: vec![vec![10; 40]],
        copied: [vec![100; 20], vec![0; 20]].concat(),
        period: 5,
        transactions: Transactions::None,
        exactly_once: false,
        compacted: false,
        transforms: Transforms::None,
        open: false,
        silent: Vec::new(),
    }
}

/// The same, with a thousand records a second.
pub(super) fn large() -> Story {
    Story { written: vec![vec![1_000; 40]], ..story() }
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
fn what_was_proven_to_be_missing_stays_so_while_the_source_is_away() {
    let said = large().statement(33, 35);
    let pair = samples::pair();
    let last = large().survey(30, false);
    let high = seen(Side::A, [&last]);
    let history = [(at(25), BTreeMap::from([(TopicPartition::new("orders", 0), 25_000)])), ends(&last)];
    let mut dead = large().survey(33, true);
    dead.began_at = at(40);
    let previous = dead.clone();
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&previous),
        said: Some(&said),
        active: None,
    };
    let again = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert!(said.total.records_at_least > 0);
    assert_eq!(again.total.records_at_least, said.total.records_at_least);
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
fn the_position_of_a_log_before_cancels_nobodys_loss() {
    let story = Story { written: vec![vec![1_000; 40]; 2], ..story() };
    // The topic was made anew. What was written in the last seconds might explain how far its position is ahead.
    let (key, ahead) = (TopicPartition::new("orders", 1), 31_300);
    let pair_of_before = OffsetPair { upstream: ahead, downstream: ahead };
    let with_old = |step, dead| {
        let mut survey = story.survey(step, dead);
        let flow = &mut survey.flows[0];
        known(&mut flow.committed).offsets.insert(key.clone(), ahead);
        known(&mut flow.newest_pairs).0.insert(key.clone(), pair_of_before);
        let old = OldPosition { committed: Some(ahead), pair: Some(pair_of_before), unseen: false };
        flow.of_another_log.insert(key.clone(), old);
        survey
    };
    let living = [20, 25, 30].map(|step| with_old(step, false));
    let history = living.each_ref().map(ends);
    let (pair, dead) = (samples::pair(), with_old(33, true));
    let (high, pace, previous) = (&seen(Side::A, &living), &pace_of(&living), Some(&living[2]));
    let evidence = Evidence { history: &history, high, pace, previous, said: None, active: None };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    let of = |number: usize| {
        let partition = &loss.topics[0].partitions[number];
        (partition.through, partition.lost.records_at_most)
    };
    // Each: what is behind, 1,000 a second and twice the root of 3,000.
    assert_eq!(of(0), (Some(19_999), Some(10_000 + 3_000 + 110)));
    assert_eq!(of(1), (Some(-1), Some(30_000 + 3_000 + 110)), "nothing of this log has arrived");
    assert_eq!(loss.total.records_at_most, Some(10_000 + 30_000 + 6_000 + 155));
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
fn what_a_filter_left_out_is_not_proven_to_be_lost() {
    let plain = large().statement(33, 35);
    let loss = Story { transforms: Transforms::Filter, ..large() }.statement(33, 35);
    assert!(plain.total.records_at_least > 0);
    assert_eq!((loss.total.records_at_least, loss.total.ms_at_least), (0, 0));
    assert_eq!(loss.total.records_at_most, plain.total.records_at_most);
    assert!(loss.method.contains("transforms leave out"), "{}", loss.method);
}

#[test]
fn what_was_lost_behind_a_router_is_not_known_even_afterwards() {
    let story = Story { transforms: Transforms::Router, ..story() };
    let mut loss = story.statement(33, 35);
    let partition = &loss.topics[0].partitions[0];
    assert_eq!((partition.through, partition.lost), (None, Interval::default()));
    assert_eq!(loss.total, Interval::default(), "no bound");
    assert!(loss.method.contains("transform `step`"), "{}", loss.method);
    settle(&mut loss, &story.survey(33, false), &leaders(330, 330));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (None, false));
    assert!(truth.method.contains("What had reached the target was not known"), "{}", truth.method);
}

#[test]
fn while_connect_is_silent_too_only_what_was_known_before_is_proven() {
    let pair = samples::pair();
    let silent = |mut survey: Survey| {
        survey.flows[0].connectors.clear();
        survey
    };
    let last = silent(large().survey(30, false));
    let high = seen(Side::A, [&last]);
    let history = [(at(25), BTreeMap::from([(TopicPartition::new("orders", 0), 25_000)])), ends(&last)];
    let dead = silent(large().survey(33, true));
    let said = large().statement(33, 35);
    let proven = |said| {
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace(&history),
            previous: Some(&last),
            said,
            active: None,
        };
        state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement").total.records_at_least
    };
    assert_eq!(proven(None), 0);
    assert_eq!(proven(Some(&said)), said.total.records_at_least);
}

#[test]
fn a_position_that_cannot_be_of_this_log_cancels_nobodys_loss() {
    let mut two = large();
    two.written.push(vec![1_000; 40]);
    let honest = two.statement(33, 35);
    let pair = samples::pair();
    let last = two.survey(30, false);
    let high = seen(Side::A, [&last]);
    let history = [20, 25, 30].map(|step| {
        (
            at(step),
            ends_of(&pair.flows[0], &two.survey(usize::try_from(step).expect("small"), false))
                .expect("read")
                .1,
        )
    });
    for position in [999_999, i64::MAX] {
        let mut dead = two.survey(33, true);
        known(&mut dead.flows[0].committed).offsets.insert(TopicPartition::new("orders", 1), position);
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace(&history),
            previous: Some(&last),
            said: None,
            active: None,
        };
        let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
        let partitions = &loss.topics[0].partitions;
        assert_eq!((partitions[1].through, partitions[1].lost), (None, Interval::default()));
        assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (None, None), "nothing bounds it");
        assert_eq!(partitions[0].lost.records_at_least, honest.topics[0].partitions[0].lost.records_at_least);
        assert_eq!(loss.total.records_at_least, partitions[0].lost.records_at_least);
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
fn what_was_said_to_have_arrived_stays_so_when_connect_dies_too() {
    let said = story().statement(33, 35);
    let pair = samples::pair();
    let mut dead = story().survey(33, true);
    dead.began_at = at(40);
    dead.flows[0].committed = Observed::unknown("refused", at(40));
    dead.flows[0].newest_pairs = Observed::unknown("refused", at(40));
    let survey = story().survey(30, false);
    let high = seen(Side::A, [&survey]);
    let history: Vec<EndsAt> = [10, 20, 30]
        .map(|step| (at(step), BTreeMap::from([(TopicPartition::new("orders", 0), step * 10)])))
        .into();
    let previous = dead.clone();
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&previous),
        said: Some(&said),
        active: None,
    };
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
fn the_true_figure_comes_beside_what_was_said() {
    let mut loss = story().statement(33, 35);
    let said = loss.total;
    let back = story().survey(33, false);
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(330 - 1 - 196), false, false));
    assert_eq!(loss.topics[0].partitions[0].truth, Some(133));
    assert_eq!(loss.total, said, "what was said stays");
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    // 130 were lost: 3 arrived behind the last position that is known, and nobody can tell.
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(133), false, true));
    assert!(truth.method.contains("at most so many: transaction markers count"), "{}", truth.method);
    assert!(!settle(&mut loss, &back, &BTreeMap::new()), "the last word is said");
}

#[test]
fn how_long_ago_the_oldest_lost_record_was_written_is_told_from_its_timestamp() {
    let mut loss = story().statement(33, 35);
    let mut back = story().survey(33, false);
    settle(&mut loss, &back, &BTreeMap::new());
    let (topic, partition) = (loss.topics[0].topic.clone(), loss.topics[0].partitions[0].clone());
    let written = loss.noticed_at.timestamp_millis() - 4_200;
    let mut missing = |offset| {
        let there = topics(&mut back, Side::A).get_mut(&topic).unwrap();
        let number = usize::try_from(partition.partition).unwrap();
        there.partitions[number].first_missing = Some(FirstMissing { offset, timestamp_ms: written });
        let mut loss = loss.clone();
        settle(&mut loss, &back, &BTreeMap::new());
        let truth = loss.truth.unwrap();
        (loss.topics[0].partitions[0].truth_ms, truth.ms, truth.method.contains("4.2 s before"))
    };
    let through = partition.through.unwrap();
    assert_eq!(missing(through + 1), (Some(4_200), Some(4_200), true));
    assert_eq!(missing(through), (None, None, false), "it had arrived, so it was not lost");
}

#[test]
fn that_nothing_was_lost_is_exact() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let mut loss = story.statement(30, 35);
    let back = story.survey(30, false);
    settle(&mut loss, &back, &BTreeMap::new());
    settle(&mut loss, &back, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (Some(0), true));
}

#[test]
fn a_source_that_is_written_to_again_leaves_an_upper_bound() {
    let mut loss = story().statement(33, 35);
    let (first, second) = (story().survey(34, false), story().survey(36, false));
    settle(&mut loss, &first, &BTreeMap::new());
    settle(&mut loss, &second, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(340 - 1 - 196), false, true));
}

#[test]
fn a_source_that_came_back_shorter_tells_nothing() {
    let mut loss = story().statement(33, 35);
    settle(&mut loss, &story().survey(20, false), &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, loss.topics[0].truth), (None, None));
    assert!(truth.method.contains("not restored whole"), "{}", truth.method);
}

/// What the logs tell of `orders-0`: where the leader of then ended, and where the present one began.
pub(super) fn leaders(then: i64, present_from: i64) -> ByPartition<LeaderEnds> {
    let interrupted = true;
    BTreeMap::from([(TopicPartition::new("orders", 0), LeaderEnds { then, present_from, interrupted })])
}

#[test]
fn what_is_written_after_the_return_is_not_lost_where_the_log_tells_since_when() {
    let mut loss = story().statement(33, 35);
    // It had 330 when it died, and applications went on at once.
    assert!(settle(&mut loss, &story().survey(39, false), &leaders(330, 330)));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.exact), (Some(330 - 1 - 196), true, false));
    assert!(!truth.settled, "how long ago they were written may come with the next survey");
    let later = story().survey(40, false);
    assert!(settle(&mut loss, &later, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.settled), (Some(330 - 1 - 196), true, true));
    assert!(truth.method.contains("What was written since is not in it"), "{}", truth.method);
    assert!(!settle(&mut loss, &later, &BTreeMap::new()), "the last word is said");

    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let mut loss = story.statement(30, 35);
    settle(&mut loss, &story.survey(39, false), &leaders(300, 300));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(0), true, true));
}

#[test]
fn what_leaders_in_between_wrote_may_have_been_written_after_the_return() {
    let mut loss = story().statement(33, 35);
    settle(&mut loss, &story().survey(39, false), &leaders(330, 335));
    let truth = loss.truth.expect("told");
    // Where the present leader began tells as little: it may have been elected before the source died.
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(390 - 1 - 196), false, false));
}

#[test]
fn a_leader_that_followed_at_once_may_have_written_before_the_source_died() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let handed_over = |end| {
        let mut ends = leaders(end, end);
        for ends in ends.values_mut() {
            ends.interrupted = false;
        }
        ends
    };
    // 300 had been seen and had arrived; the next leader wrote 90 more, and nobody knows when.
    let mut loss = story.statement(30, 35);
    let back = story.survey(39, false);
    assert!(settle(&mut loss, &back, &handed_over(300)));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.exact, truth.settled), (Some(90), false, false, false));
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(90), false, true), "at most, for good");
    assert!(truth.method.contains("leaders that were elected later had written by then"), "{}", truth.method);
    assert!(!truth.method.contains("nobody added to them"), "{}", truth.method);
    // It wrote nothing, then or since: that is nothing lost, once two surveys have seen it.
    let mut loss = story.statement(30, 35);
    let back = story.survey(30, false);
    settle(&mut loss, &back, &handed_over(300));
    assert!(!loss.truth.clone().expect("told").exact);
    settle(&mut loss, &back, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (Some(0), true));
    assert!(truth.method.contains("so nobody added to them"), "{}", truth.method);
}

#[test]
fn a_log_that_lost_what_had_been_copied_is_not_called_whole() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    // 310 were written and copied before it died; 300 had been seen, and the log that is back kept 305 of them.
    let mut loss = story.statement(31, 35);
    assert_eq!(loss.topics[0].partitions[0].through, Some(309));
    settle(&mut loss, &story.survey(39, false), &leaders(305, 305));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (None, false, false));
    assert!(truth.method.contains("`orders-0` had been copied up to offset 309"), "{}", truth.method);
    assert!(truth.method.contains("only up to 305"), "{}", truth.method);
}

#[test]
fn a_log_that_was_cut_is_told_though_it_is_longer_again() {
    for (kept, said) in
        [(250, "only up to 250"), (150, "47 offsets had reached the target and are only there now")]
    {
        let mut loss = story().statement(33, 35);
        settle(&mut loss, &story().survey(39, false), &leaders(kept, kept));
        let truth = loss.truth.expect("told");
        assert_eq!((truth.records, truth.exact, truth.settled), (None, false, false));
        assert!(truth.method.contains("`orders-0` had been seen up to offset 300"), "{}", truth.method);
        assert!(truth.method.contains(said), "{}", truth.method);
    }
}

#[test]
fn leaders_are_asked_where_another_was_elected_and_as_long_as_nothing_is_told() {
    let mut loss = story().statement(33, 35);
    let mut back = story().survey(39, false);
    let first = TopicPartition::new("orders", 0);
    for (then, now, asked) in [
        (None, Some(6), None),
        (Some(4), None, None),
        (Some(4), Some(4), None),
        (Some(4), Some(6), Some((4, 5))),
    ] {
        loss.topics[0].partitions[0].leader_epoch = then;
        topics(&mut back, Side::A).get_mut("orders").expect("there").partitions[0].leader_epoch = now;
        assert_eq!(epochs_to_ask(&loss, &back).get(&first).copied(), asked, "{then:?} {now:?}");
    }
    settle(&mut loss, &back, &BTreeMap::new());
    assert_eq!(epochs_to_ask(&loss, &back), BTreeMap::new());
}

#[test]
fn the_leader_that_was_last_seen_is_kept_while_the_source_is_away() {
    let pair = samples::pair();
    let mut last = story().survey(30, false);
    topics(&mut last, Side::A).get_mut("orders").expect("there").partitions[0].leader_epoch = Some(4);
    let high = seen(Side::A, [&last]);
    let dead = story().survey(33, true);
    let mut said = None;
    for previous in [&last, &dead] {
        let evidence = Evidence {
            history: &[],
            high: &high,
            pace: &Pace::new(),
            previous: Some(previous),
            said: said.as_ref(),
            active: None,
        };
        let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
        assert_eq!(loss.topics[0].partitions[0].leader_epoch, Some(4));
        said = Some(loss);
    }
}

#[test]
fn the_time_of_notice_is_when_it_was_known_not_when_it_was_asked() {
    let mut survey = samples::survey();
    survey.sides.a = SideObservation::unreachable("no answer", at(9));
    assert_eq!(survey.unanswered_at(Side::A), at(9));
    // It answered at first and died in the middle.
    assert_eq!(survey.unanswered_at(Side::B), at(0) + TimeDelta::milliseconds(survey.took_ms));
}
