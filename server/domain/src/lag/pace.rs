//! How fast a flow's source is written to: the fastest between two readings of its high watermarks, of late. It bounds what may be
//! written while nobody looks.
//!
//! A partition that is not read any more keeps the rate it had, until its topic is forgotten, and where some of a topic were not read
//! what all did together is no less than if these had been as fast as ever.
//!
//! What was written counts and not what could be copied: a transaction that is open holds back the last stable offset, and none of those
//! who write. Numbers come from Kafka and may be anything: nothing here overflows.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{EndsAt, Rate};
use crate::{
    pair::{Flow, Pair, Side},
    patterns::Scope,
    topic::{ByPartition, TopicPartition},
};

/// What is younger is remembered, what is older than two of these is not.
const TURN: TimeDelta = TimeDelta::minutes(10);
/// Offsets a position may be beyond an end of which no rate is known.
const AHEAD_WITHOUT_RATE: i64 = 10_000;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the present turn began.
    turn: Option<DateTime<Utc>>,
    /// When the one before it began.
    turn_before: Option<DateTime<Utc>>,
    /// All partitions that count together. That is less than the sum of what each might do alone.
    all: Fastest,
    topics: BTreeMap<String, Fastest>,
    partitions: ByPartition<Fastest>,
}

/// The fastest of the present turn and of the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fastest {
    now: Option<Rate>,
    before: Option<Rate>,
}

impl Fastest {
    fn take(&mut self, rate: Rate) {
        self.now = Rate::faster(self.now, Some(rate));
    }

    fn of_both(self) -> Option<Rate> {
        Rate::faster(self.now, self.before)
    }

    /// At most so many records in a time, as far as is known.
    fn records_in(self, ms: i64) -> i64 {
        self.of_both().map_or(0, |rate| rate.records_within(ms))
    }

    /// Another turn begins. What was not read in the one that ends is as it was.
    fn turn(&mut self) {
        self.before = self.now.take().or(self.before);
    }
}

impl Pace {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            turn: None,
            turn_before: None,
            all: Fastest { now: None, before: None },
            topics: BTreeMap::new(),
            partitions: BTreeMap::new(),
        }
    }

    /// As these readings of the high watermarks of a flow's source show it, oldest first.
    #[must_use]
    pub fn of<R: Borrow<EndsAt>>(pair: &Pair, flow: &Flow, readings: impl IntoIterator<Item = R>) -> Self {
        let (mut pace, scope) = (Self::new(), Scope::of(pair));
        let mut earlier: Option<R> = None;
        for later in readings {
            if let Some(earlier) = &earlier {
                pace.step(&scope, flow.direction.from, earlier.borrow(), later.borrow());
            }
            earlier = Some(later);
        }
        pace
    }

    /// Two readings of the high watermarks, one after the other. Partitions that are in one of them only say nothing.
    pub fn add(&mut self, pair: &Pair, flow: &Flow, earlier: &EndsAt, later: &EndsAt) {
        self.step(&Scope::of(pair), flow.direction.from, earlier, later);
    }

    fn step(&mut self, scope: &Scope, from: Side, earlier: &EndsAt, later: &EndsAt) {
        let ms = (later.0 - earlier.0).num_milliseconds();
        if ms <= 0 {
            return;
        }
        self.turn(earlier.0, later.0);
        let mut all: Option<i64> = None;
        // Records of topics of which this says nothing.
        let mut elsewhere = 0_i64;
        // Both maps and the one that is kept are in the same order, so they are walked side by side: of 100,000 partitions a look-up
        // each would be what this costs.
        let mut kept = self.partitions.iter_mut().peekable();
        let mut new = Vec::new();
        let grown: Vec<(&TopicPartition, i64)> = grown(&earlier.1, &later.1).collect();
        for of_topic in grown.chunk_by(|(a, _), (b, _)| a.topic == b.topic) {
            let name = &of_topic[0].0.topic;
            if !scope.application_topic(from, name) {
                continue;
            }
            while let Some((_, unread)) = kept.next_if(|(other, _)| other.topic < *name) {
                elsewhere = elsewhere.saturating_add(unread.records_in(ms));
            }
            let mut sum = 0_i64;
            for (key, records) in of_topic {
                sum = sum.saturating_add(*records);
                let rate = Rate { records: *records, ms };
                while let Some((_, unread)) = kept.next_if(|(other, _)| *other < *key) {
                    sum = sum.saturating_add(unread.records_in(ms));
                }
                match kept.next_if(|(other, _)| *other == *key) {
                    Some((_, fastest)) => fastest.take(rate),
                    None => new.push(((*key).clone(), Fastest { now: Some(rate), before: None })),
                }
            }
            while let Some((_, unread)) = kept.next_if(|(other, _)| other.topic == *name) {
                sum = sum.saturating_add(unread.records_in(ms));
            }
            all = Some(all.unwrap_or(0).saturating_add(sum));
            self.topics.entry(name.clone()).or_default().take(Rate { records: sum, ms });
        }
        elsewhere = kept.fold(elsewhere, |sum, (_, unread)| sum.saturating_add(unread.records_in(ms)));
        self.partitions.extend(new);
        if let Some(records) = all {
            self.all.take(Rate { records: records.saturating_add(elsewhere), ms });
        }
    }

    fn turn(&mut self, earlier: DateTime<Utc>, later: DateTime<Utc>) {
        let began = *self.turn.get_or_insert(earlier);
        if later - began < TURN {
            return;
        }
        (self.turn, self.turn_before) = (Some(earlier), Some(began));
        self.all.turn();
        self.topics.values_mut().for_each(Fastest::turn);
        self.partitions.values_mut().for_each(Fastest::turn);
    }

    /// Forgets topics that are gone or were made anew: their logs are others.
    pub fn forget(&mut self, topics: &BTreeSet<String>) {
        self.topics.retain(|name, _| !topics.contains(name));
        self.partitions.retain(|key, _| !topics.contains(&key.topic));
    }

    /// Since when it is remembered; `None` while nothing is known.
    pub(crate) fn since(&self) -> Option<DateTime<Utc>> {
        self.turn_before.or(self.turn)
    }

    pub(crate) fn all(&self) -> Option<Rate> {
        self.all.of_both()
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Rate> {
        self.topics.get(name)?.of_both()
    }

    pub(crate) fn partition(&self, key: &TopicPartition) -> Option<Rate> {
        self.partitions.get(key)?.of_both()
    }

    /// How far a position may be beyond the end of its partition when both are read at the same time, or the end so much earlier: by
    /// what was written meanwhile, with as much again for a burst. What is further is not the position of this log.
    pub(crate) fn may_run_ahead(&self, key: &TopicPartition, unseen: TimeDelta) -> i64 {
        let most = self.partition(key).map(|rate| rate.most_within(unseen.num_milliseconds()));
        most.map_or(AHEAD_WITHOUT_RATE, |most| most.saturating_mul(2))
    }
}

/// By how much partitions have grown that are in both readings.
fn grown<'a>(
    earlier: &'a ByPartition<i64>,
    later: &'a ByPartition<i64>,
) -> impl Iterator<Item = (&'a TopicPartition, i64)> {
    let mut earlier = earlier.iter().peekable();
    later.iter().filter_map(move |(key, end)| {
        while earlier.next_if(|(other, _)| *other < key).is_some() {}
        let (_, before) = earlier.next_if(|(other, _)| *other == key)?;
        Some((key, end.saturating_sub(*before).max(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, at};

    fn ends(seconds: i64, ends: &[(&str, i32, i64)]) -> EndsAt {
        let end =
            |(topic, partition, end): &(&str, i32, i64)| (TopicPartition::new(*topic, *partition), *end);
        (at(seconds), ends.iter().map(end).collect())
    }

    fn pace(readings: &[EndsAt]) -> Pace {
        let pair = samples::pair();
        Pace::of(&pair, &pair.flows[0], readings)
    }

    fn records_in_5_s(rate: Option<Rate>) -> Option<i64> {
        rate.map(|rate| rate.records * 5_000 / rate.ms)
    }

    #[test]
    fn the_fastest_of_all_together_is_less_than_the_sum_of_the_fastest() {
        let first = TopicPartition::new("orders", 0);
        let pace = pace(&[
            ends(0, &[("orders", 0, 0), ("orders", 1, 0), ("payments", 0, 0)]),
            ends(5, &[("orders", 0, 100), ("orders", 1, 0), ("payments", 0, 10)]),
            ends(10, &[("orders", 0, 100), ("orders", 1, 70), ("payments", 0, 90)]),
        ]);
        assert_eq!(records_in_5_s(pace.partition(&first)), Some(100));
        assert_eq!(records_in_5_s(pace.topic("orders")), Some(100));
        assert_eq!(records_in_5_s(pace.topic("payments")), Some(80));
        assert_eq!(records_in_5_s(pace.all()), Some(150));
        assert_eq!(pace.since(), Some(at(0)));
    }

    #[test]
    fn what_was_read_once_has_no_rate_and_what_stands_still_has_that_of_0() {
        let pace =
            pace(&[ends(0, &[("orders", 0, 7)]), ends(5, &[("orders", 0, 7), ("payments", 0, 1_000)])]);
        assert_eq!(records_in_5_s(pace.topic("orders")), Some(0));
        assert_eq!(
            (pace.topic("payments"), pace.partition(&TopicPartition::new("payments", 0))),
            (None, None)
        );
        assert_eq!(records_in_5_s(pace.all()), Some(0));
        assert_eq!(self::pace(&[ends(0, &[("orders", 0, 7)])]).all(), None);
        assert_eq!(
            self::pace(&[ends(0, &[]), ends(5, &[("orders", 0, 7)])]).all(),
            None,
            "nothing was read twice"
        );
    }

    #[test]
    fn what_counts_for_nobody_is_left_out() {
        let mut pair = samples::pair();
        pair.canary_topic = Some("orders.canary".to_owned());
        let readings = [ends(0, &[("orders.canary", 0, 0)]), ends(5, &[("orders.canary", 0, 5)])];
        assert_eq!(Pace::of(&pair, &pair.flows[0], &readings).all(), None);
    }

    #[test]
    fn a_burst_is_remembered_for_a_turn_at_least_and_two_at_most() {
        let (pair, first) = (samples::pair(), TopicPartition::new("orders", 0));
        let still = |seconds| ends(seconds, &[("orders", 0, 1_000)]);
        let mut pace = pace(&[ends(0, &[("orders", 0, 0)]), still(5)]);
        for seconds in (10..=1_300).step_by(5) {
            pace.add(&pair, &pair.flows[0], &still(seconds - 5), &still(seconds));
            let known = [pace.all(), pace.topic("orders"), pace.partition(&first)].map(records_in_5_s);
            assert_eq!(known, [known[0]; 3], "after {seconds} s");
            match seconds {
                ..=610 => assert_eq!(known[0], Some(1_000), "after {seconds} s"),
                1_210.. => assert_eq!(known[0], Some(0), "after {seconds} s"),
                611..1_210 => {}
            }
        }
    }

    #[test]
    fn where_a_partition_is_not_read_all_together_are_no_slower_than_if_it_were_as_fast_as_ever() {
        let both = [
            ends(0, &[("orders", 0, 0), ("orders", 1, 0), ("payments", 0, 0)]),
            ends(5, &[("orders", 0, 100), ("orders", 1, 50), ("payments", 0, 10)]),
        ];
        let then = |third: EndsAt| {
            let pace = pace(&[both[0].clone(), both[1].clone(), third]);
            [pace.topic("orders"), pace.topic("payments"), pace.all()].map(records_in_5_s)
        };
        // Of what was not read 50 and 10 may have come.
        assert_eq!(then(ends(10, &[("orders", 0, 400)])), [Some(350), Some(10), Some(360)]);
        assert_eq!(then(ends(10, &[("payments", 0, 110)])), [Some(150), Some(100), Some(250)]);
        assert_eq!(then(ends(10, &[("orders", 1, 250)])), [Some(300), Some(10), Some(310)]);
    }

    #[test]
    fn a_partition_that_is_not_read_any_more_keeps_its_rate_until_its_topic_is_forgotten() {
        let (pair, silent) = (samples::pair(), TopicPartition::new("orders", 1));
        let still = |seconds| ends(seconds, &[("orders", 0, 0)]);
        let mut pace = pace(&[
            ends(0, &[("orders", 0, 0), ("orders", 1, 0)]),
            ends(5, &[("orders", 0, 0), ("orders", 1, 70)]),
        ]);
        for seconds in (10..=2_600).step_by(5) {
            pace.add(&pair, &pair.flows[0], &still(seconds - 5), &still(seconds));
        }
        let known = [pace.partition(&silent), pace.topic("orders"), pace.all()].map(records_in_5_s);
        assert_eq!(known, [Some(70); 3]);
        pace.forget(&BTreeSet::from(["orders".to_owned()]));
        assert_eq!((pace.partition(&silent), pace.topic("orders")), (None, None));
    }

    #[test]
    fn a_topic_that_was_made_anew_is_forgotten_alone() {
        let mut pace = pace(&[
            ends(0, &[("orders", 0, 0), ("payments", 0, 0)]),
            ends(5, &[("orders", 0, 100), ("payments", 0, 10)]),
        ]);
        pace.forget(&BTreeSet::from(["orders".to_owned()]));
        assert_eq!((pace.topic("orders"), pace.partition(&TopicPartition::new("orders", 0))), (None, None));
        assert_eq!(records_in_5_s(pace.topic("payments")), Some(10));
    }

    #[test]
    fn no_number_of_kafka_overflows() {
        let number = [i64::MIN, -1, 0, i64::MAX];
        for (earlier, later) in number.iter().flat_map(|earlier| number.map(|later| (*earlier, later))) {
            let both = |end| [("orders", 0, end), ("orders", 1, end)];
            let pace = pace(&[ends(0, &both(earlier)), ends(1, &both(later))]);
            let most = pace.all().map(|rate| rate.most_within(i64::MAX));
            assert!(most.is_some_and(|most| most >= 0), "{earlier} {later}");
            assert!(pace.may_run_ahead(&TopicPartition::new("orders", 0), TimeDelta::days(1)) >= 0);
        }
    }
}
