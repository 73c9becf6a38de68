//! How much can have been written to partitions since each was last read, which need not have been by the same survey.

use chrono::TimeDelta;

use crate::{
    lag::{Pace, Rate},
    topic::TopicPartition,
};

/// The most some partitions, of one topic or of all, can have grown, each in the time it was not looked at; `None` where it was never
/// read, and where nobody knows how fast it is written to. Those that were read by the last look of all, so long ago, are bounded together,
/// which is less than the sum of what each might have done alone. The others count each by itself.
pub(super) fn most_unseen(
    pace: &Pace,
    partitions: &[&TopicPartition],
    since_last_look: TimeDelta,
    unseen: impl Fn(&TopicPartition) -> Option<TimeDelta>,
) -> Option<i64> {
    let (mut then, mut before) = (0_i64, 0_i64);
    for key in partitions {
        let window = unseen(key)?;
        let most = most_within(pace.partition(key)?, window);
        let sum = if window == since_last_look { &mut then } else { &mut before };
        *sum = sum.saturating_add(most);
    }
    let together = together(pace, partitions).map(|rate| most_within(rate, since_last_look));
    Some(before.saturating_add(together.map_or(then, |together| together.min(then))))
}

fn most_within(rate: Rate, window: TimeDelta) -> i64 {
    rate.most_within(window.num_milliseconds())
}

/// The rate of the topic they are of, or of all; they are in the order of topics.
fn together(pace: &Pace, partitions: &[&TopicPartition]) -> Option<Rate> {
    let (first, last) = partitions.first().zip(partitions.last())?;
    if first.topic == last.topic { pace.topic(&first.topic) } else { pace.all() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lag::EndsAt,
        samples::{self, at},
    };

    fn key(partition: i32) -> TopicPartition {
        TopicPartition::new("orders", partition)
    }

    /// A survey every ten seconds; the ends of as many partitions as are given, of those that were read.
    fn pace(surveys: &[&[Option<i64>]]) -> Pace {
        let ends = |read: &[Option<i64>]| {
            (0..).zip(read).filter_map(|(partition, end)| Some((key(partition), (*end)?))).collect()
        };
        let readings = (0..).zip(surveys).map(|(number, read)| -> EndsAt { (at(number * 10), ends(read)) });
        let pair = samples::pair();
        Pace::of(&pair, &pair.flows[0], readings)
    }

    /// Of partitions, each unseen for so many seconds; the last look of all was 10 s ago.
    fn most(pace: &Pace, partitions: &[(i32, i64)]) -> Option<i64> {
        let keys: Vec<TopicPartition> = partitions.iter().map(|(partition, _)| key(*partition)).collect();
        let keys: Vec<&TopicPartition> = keys.iter().collect();
        most_unseen(pace, &keys, TimeDelta::seconds(10), |asked| {
            let (_, seconds) = partitions.iter().find(|(partition, _)| *partition == asked.partition)?;
            Some(TimeDelta::seconds(*seconds))
        })
    }

    #[test]
    fn partitions_that_were_read_by_the_last_look_are_bounded_together() {
        let turns = pace(&[&[Some(0), Some(0)], &[Some(1_000), Some(0)], &[Some(1_000), Some(1_000)]]);
        // One or the other, never both: a hundred a second, and twice the root of a thousand.
        assert_eq!(most(&turns, &[(0, 10), (1, 10)]), Some(1_064));
        assert_eq!(most(&turns, &[(0, 10)]), Some(1_064));
        assert_eq!(most(&turns, &[]), Some(0));
    }

    #[test]
    fn each_counts_for_as_long_as_it_was_not_looked_at() {
        let both = pace(&[&[Some(0), Some(0)], &[Some(1_000), Some(1_000)]]);
        let (short, long) = (most(&both, &[(0, 10)]).unwrap(), most(&both, &[(1, 90)]).unwrap());
        assert_eq!((short, long), (1_064, 9_190));
        assert_eq!(most(&both, &[(0, 10), (1, 90)]), Some(short + long));
    }

    #[test]
    fn topics_are_bounded_by_what_all_did_together_and_by_the_sum_of_each() {
        let pair = samples::pair();
        let keys = ["orders", "orders.kept", "payments"].map(|topic| TopicPartition::new(topic, 0));
        let reading = |seconds: i64, ends: [i64; 3]| -> EndsAt {
            (at(seconds), keys.iter().cloned().zip(ends).collect())
        };
        let readings = [reading(0, [0, 0, 0]), reading(10, [1_000, 0, 0]), reading(20, [1_000, 0, 9_000])];
        let mut pace = Pace::of(&pair, &pair.flows[0], &readings);
        let most = |pace: &Pace, asked: &[&TopicPartition]| {
            most_unseen(pace, asked, TimeDelta::seconds(10), |_| Some(TimeDelta::seconds(10)))
        };
        assert_eq!(most(&pace, &[&keys[0], &keys[1], &keys[2]]), Some(9_190));
        // What was fastest of all counts a topic that is another one now.
        pace.forget(&["payments".to_owned()].into());
        assert_eq!(most(&pace, &[&keys[0], &keys[1]]), Some(1_064));
    }

    #[test]
    fn a_partition_that_was_read_once_makes_the_sum_unknown() {
        let once = pace(&[&[Some(0), Some(0)], &[Some(1_000), None], &[Some(2_000), Some(9)]]);
        assert_eq!(most(&once, &[(1, 10)]), None);
        assert_eq!(most(&once, &[(0, 10), (1, 10)]), None, "one that is not known is not nothing");
    }

    #[test]
    fn of_a_partition_that_was_never_read_nothing_is_known() {
        let read = pace(&[&[Some(0)], &[Some(1_000)]]);
        assert_eq!(most_unseen(&read, &[&key(0)], TimeDelta::seconds(10), |_| None), None);
    }
}
