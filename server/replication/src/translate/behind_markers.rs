//! Where the target of a flow that writes in transactions first has a record of a time.
//!
//! Brokers find the markers of transactions by their time as they find records, and a marker is of the time when its transaction ended. What
//! was copied late is older than every marker behind it: of a backlog the broker names the first marker, however far the records of that
//! time are from there. So what follows is read, in order and a piece at a time, up to the first record that is not older. Nothing of it is
//! kept but how new its newest record was, which spares reading it again for other positions.
//!
//! Never by looking at some offsets and halving what lies between. Records that somebody wrote again, with the times they had, stand there a
//! second time; places that are only looked at do not tell which of the two is first, and whoever takes the second skips what was
//! written between them. That nothing unread stands before a place is known of what was read whole, and of nothing else.

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{Isolation, KafkaError, RecordMover};

use super::segments::{Stretch, read_stretches};
use crate::records::{Deadline, keep_timestamps};

/// Offsets of targets that are read in this way for one question, over all its positions.
const MOST: i64 = 10_000_000;
/// For so long at most it is read on for one question, in milliseconds: a switchover that asks holds its consumers fenced meanwhile.
const LONGEST_MS: u64 = 60_000;
/// Offsets that are read at a time.
const PIECE: i64 = 30_000;

/// What was read behind markers for the positions of one question, and how much more may be.
pub(super) struct BehindMarkers {
    /// The rest of the question has to be answered, too.
    until: Deadline,
    left: i64,
    /// By target partition, what was read last.
    known: ByPartition<Older>,
}

/// A stretch of which no record is newer than that; `None` where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Older {
    stretch: Stretch,
    newest: Option<i64>,
}

/// Where reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The first record that is not older stands there.
    First(i64),
    /// Every record is older, or brokers wrote the time of some.
    Nowhere,
    /// So many offsets hold older records only, and no more may be read.
    NotYet {
        /// Offsets.
        read: i64,
    },
}

impl BehindMarkers {
    /// For a question that has to be answered by then: half of the time is for reading on, a minute at most.
    pub(super) fn within(deadline: Deadline) -> Self {
        let ms = (deadline.left_ms() / 2).min(LONGEST_MS);
        Self { until: Deadline::after(ms), left: MOST, known: ByPartition::new() }
    }

    /// Where a stretch of the target first has a record that is not older than `oldest`, in milliseconds since the epoch. All of the
    /// stretch is below the last stable offset: what is not seen now will not be seen later. Fails when the cluster cannot be asked.
    pub(super) async fn first_since(
        &mut self,
        mover: &dyn RecordMover,
        target: &TopicPartition,
        stretch: Stretch,
        oldest: i64,
        deadline: Deadline,
    ) -> Result<Reached, KafkaError> {
        let mut from = self.older_until(target, stretch.from, oldest);
        while from < stretch.until {
            if self.left <= 0 || self.until.is_over() {
                return Ok(Reached::NotYet { read: from.saturating_sub(stretch.from) });
            }
            let until = from.saturating_add(PIECE.min(self.left)).min(stretch.until);
            let piece = Stretch { from, until };
            self.left = self.left.saturating_sub(piece.length());
            let wanted = ByPartition::from([(target.clone(), vec![piece])]);
            let seen = read_stretches(mover, wanted, Isolation::ReadCommitted, deadline).await?;
            // Whoever reads on from there is told why it cannot be read.
            let Ok(records) = seen.of(target) else { return Ok(Reached::First(from)) };
            if !keep_timestamps(records) {
                return Ok(Reached::Nowhere);
            }
            let first = records.iter().find(|record| record.timestamp >= oldest).map(|record| record.offset);
            let older = Stretch { from, until: first.unwrap_or(until) };
            let newest = older.of(records).iter().map(|record| record.timestamp).max();
            self.remember(target, Older { stretch: older, newest });
            match first {
                Some(first) => return Ok(Reached::First(first)),
                None => from = until,
            }
        }
        Ok(Reached::Nowhere)
    }

    /// Up to where all from an offset on is known to be older.
    fn older_until(&self, target: &TopicPartition, from: i64, oldest: i64) -> i64 {
        let known = self.known.get(target).filter(|known| {
            let Stretch { from: begins, until } = known.stretch;
            (begins..=until).contains(&from) && known.newest.is_none_or(|newest| newest < oldest)
        });
        known.map_or(from, |known| known.stretch.until)
    }

    fn remember(&mut self, target: &TopicPartition, older: Older) {
        match self.known.get_mut(target) {
            Some(known) if known.stretch.until == older.stretch.from => {
                known.stretch.until = older.stretch.until;
                known.newest = known.newest.max(older.newest);
            }
            Some(known) => *known = older,
            None => {
                self.known.insert(target.clone(), older);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn older(from: i64, until: i64, newest: Option<i64>) -> Older {
        Older { stretch: Stretch { from, until }, newest }
    }

    #[test]
    fn reading_on_takes_half_of_the_time_there_is_and_a_minute_at_most() {
        for (question_ms, longest_ms) in [(20_000, 10_000), (120_000, 60_000), (600_000, 60_000)] {
            let left_ms = BehindMarkers::within(Deadline::after(question_ms)).until.left_ms();
            assert!(left_ms <= longest_ms, "{left_ms} of {question_ms}");
        }
    }

    #[test]
    fn what_was_read_for_one_position_is_known_to_others_that_are_not_older() {
        let at = TopicPartition::new("orders", 0);
        let mut read = BehindMarkers::within(Deadline::after(1_000));
        assert_eq!(read.older_until(&at, 50, 7), 50, "nothing was read");
        read.remember(&at, older(50, 30_050, Some(6)));
        read.remember(&at, older(30_050, 60_050, None));
        read.remember(&at, older(60_050, 61_000, Some(4)));
        assert_eq!(read.known[&at], older(50, 61_000, Some(6)));
        assert_eq!([7, 6].map(|oldest| read.older_until(&at, 50, oldest)), [61_000, 50]);
        assert_eq!(
            [49, 40_000, 61_000, 61_001].map(|from| read.older_until(&at, from, 7)),
            [49, 61_000, 61_000, 61_001]
        );
        assert_eq!(read.older_until(&TopicPartition::new("orders", 1), 50, 7), 50);
        // Of what is read elsewhere only the latter is remembered: nobody has read what lies between.
        read.remember(&at, older(90_000, 95_000, None));
        assert_eq!([50, 90_000].map(|from| read.older_until(&at, from, 7)), [50, 95_000]);
    }
}
