//! A source under load whose death is told step by step; what is said of its loss is in the files beside this one.

mod away;
mod elections;
mod intervals;
mod positions;
mod returned;

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::{
    lag::{ends_of, high_watermarks},
    pair::Side,
    patterns::Scope,
    reading::Observed,
    samples::{self, at, known, topics},
    survey::{ConnectorRole, OffsetPair, PartitionObservation, SideObservation},
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

/// What the logs tell of `orders-0`: where the leader of then ended, and where the present one began.
pub(super) fn leaders(then: i64, present_from: i64) -> ByPartition<LeaderEnds> {
    let interrupted = true;
    BTreeMap::from([(TopicPartition::new("orders", 0), LeaderEnds { then, present_from, interrupted })])
}
