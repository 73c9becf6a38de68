//! How much can have been written to partitions since each was last read, which need not have been by the same survey.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::rate::most_in;
use crate::{lag::EndsAt, topic::TopicPartition};

/// How a partition is in the kept history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// No two surveys in a row read it: nobody knows how fast it is written to.
    NoRate,
    /// Every survey read it from the first that did to the last.
    Whole,
    /// Some surveys in between did not read it.
    WithGaps,
}

/// The most some partitions can have grown, each in the time it was not looked at; `None` where it was never, and where nobody knows
/// how fast it is written to. Those that are unseen for equally long are bounded together, which is less than the sum of what each
/// might have done alone. In a survey that did not read all of them their sum is not what they grew: so those with gaps count each by
/// itself.
pub(super) fn most_unseen<'k>(
    history: &[EndsAt],
    keys: impl Iterator<Item = &'k TopicPartition>,
    unseen: impl Fn(&TopicPartition) -> Option<TimeDelta>,
) -> Option<i64> {
    let mut together: BTreeMap<TimeDelta, Vec<&TopicPartition>> = BTreeMap::new();
    let mut most = 0_i64;
    for key in keys {
        let window = unseen(key)?;
        match course(history, key) {
            Course::NoRate => return None,
            Course::Whole => together.entry(window).or_default().push(key),
            Course::WithGaps => {
                most = most.saturating_add(most_in(history, std::iter::once(key), window)?);
            }
        }
    }
    for (window, keys) in together {
        most = most.saturating_add(most_in(history, keys.iter().copied(), window)?);
    }
    Some(most)
}

fn course(history: &[EndsAt], key: &TopicPartition) -> Course {
    let (mut runs, mut in_a_row, mut before) = (0, false, false);
    for (_, ends) in history {
        let here = ends.contains_key(key);
        runs += usize::from(here && !before);
        in_a_row |= here && before;
        before = here;
    }
    match (in_a_row, runs) {
        (false, _) => Course::NoRate,
        (true, 1) => Course::Whole,
        (true, _) => Course::WithGaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    fn key(partition: i32) -> TopicPartition {
        TopicPartition::new("orders", partition)
    }

    /// A survey every ten seconds; the ends of as many partitions as are given, of those that were read.
    fn history(surveys: &[&[Option<i64>]]) -> Vec<EndsAt> {
        let ends = |read: &[Option<i64>]| {
            (0..).zip(read).filter_map(|(partition, end)| Some((key(partition), (*end)?))).collect()
        };
        (0..).zip(surveys).map(|(number, read)| (at(number * 10), ends(read))).collect()
    }

    fn most(history: &[EndsAt], partitions: &[(i32, i64)]) -> Option<i64> {
        let keys: Vec<TopicPartition> = partitions.iter().map(|(partition, _)| key(*partition)).collect();
        most_unseen(history, keys.iter(), |asked| {
            let (_, seconds) = partitions.iter().find(|(partition, _)| key(*partition) == *asked)?;
            Some(TimeDelta::seconds(*seconds))
        })
    }

    #[test]
    fn partitions_that_are_read_alike_are_bounded_together() {
        let turns = history(&[&[Some(0), Some(0)], &[Some(1_000), Some(0)], &[Some(1_000), Some(1_000)]]);
        // One or the other, never both: a hundred a second, and twice the root of a thousand.
        assert_eq!(most(&turns, &[(0, 10), (1, 10)]), Some(1_064));
        assert_eq!(most(&turns, &[(0, 10)]), Some(1_064));
        assert_eq!(most(&turns, &[]), Some(0));
    }

    #[test]
    fn each_counts_for_as_long_as_it_was_not_looked_at() {
        let both = history(&[&[Some(0), Some(0)], &[Some(1_000), Some(1_000)]]);
        let (short, long) = (most(&both, &[(0, 10)]).unwrap(), most(&both, &[(1, 90)]).unwrap());
        assert_eq!((short, long), (1_064, 9_190));
        assert_eq!(most(&both, &[(0, 10), (1, 90)]), Some(short + long));
    }

    #[test]
    fn a_survey_that_read_one_of_two_does_not_say_how_fast_both_are_written_to() {
        // Two hundred a second all along, and no two surveys in a row read both.
        let in_turns = history(&[
            &[Some(0), None],
            &[Some(1_000), Some(1_000)],
            &[None, Some(2_000)],
            &[Some(3_000), None],
            &[Some(4_000), Some(4_000)],
        ]);
        assert_eq!(most(&in_turns, &[(0, 10), (1, 10)]), Some(2 * 1_064));
        // One that was made later, or that does not answer any more, has no gap.
        let later = history(&[&[Some(0), None], &[Some(1_000), Some(0)], &[Some(2_000), Some(1_000)]]);
        assert_eq!(most(&later, &[(0, 10), (1, 10)]), Some(2_090));
        let silent = history(&[&[Some(0), Some(0)], &[Some(1_000), Some(1_000)], &[Some(2_000), None]]);
        assert_eq!(most(&silent, &[(1, 20)]), Some(2_090));
    }

    #[test]
    fn without_two_surveys_in_a_row_nobody_knows_how_fast_it_is_written_to() {
        let once = history(&[&[Some(0), Some(0)], &[Some(1_000), None], &[Some(2_000), Some(9)]]);
        assert_eq!(most(&once, &[(1, 10)]), None);
        assert_eq!(most(&once, &[(0, 10), (1, 10)]), None, "one that is not known is not nothing");
        assert_eq!(most_unseen(&once, [key(0)].iter(), |_| None), None, "it was never read");
    }
}
