//! Looking on the source for records that the target shows and that stand further up than is remembered: a worker of an at-least-once
//! flow that is killed copies everything since its last commit again.

use muster_kafka::{KafkaError, OffsetSpec, RecordPrint};

use super::{CompareStretch, offset};
use crate::verify::{
    compare::{LOOK_AHEAD, SeenBefore},
    content::Comparing,
};

/// How often what lies before a place is read again at most, all times together, or as much as the stretch is long where that is less:
/// foreign records among very many that were copied again would have it read once for every few thousand of them, and a sample would have
/// whole logs read for pieces of them.
const READ_AGAIN: i64 = 10;

/// How far out of order timestamps that producers wrote are taken to be at most, in milliseconds: a day.
const DISORDER_MS: i64 = 24 * 60 * 60 * 1_000;

/// What was looked at before.
#[derive(Debug, Default)]
pub(super) struct LookedAt {
    /// Source offset behind the last record that was found: what was copied again goes on there.
    next: i64,
    /// Records read.
    records: i64,
}

impl CompareStretch<'_> {
    /// Answers what a comparison asks of the source, and lets it go on; false when it asks nothing. Where the source would be read too
    /// often, it goes on without.
    pub(super) async fn look_back(
        &self,
        one: &mut Comparing,
        looked_at: &mut LookedAt,
    ) -> Result<bool, KafkaError> {
        let Some(asked) = one.asks_back() else { return Ok(false) };
        let below = asked.below.min(self.stretch.source_until);
        if below <= 0 {
            // Nothing ever stood before, and the source may not even have the partition.
            one.look_back(&SeenBefore { whole: true, ..SeenBefore::default() });
            return Ok(true);
        }
        let log_start = offset(self.source, &self.stretch.source, OffsetSpec::Start).await?;
        let most = most_read(log_start, below, self.stretch.size());
        if looked_at.records > most {
            one.stop_looking_back();
            return Ok(true);
        }
        let mut seen = SeenBefore::default();
        let mut cut = false;
        let earliest = self.earliest(asked.since).await?.max(log_start).min(below);
        let near = looked_at.next.clamp(earliest, below);
        for (from, until) in [(near, below), (earliest, near)] {
            let is_enough = |prints: &[RecordPrint]| {
                looked_at.records += prints.len() as i64;
                let wanted = prints.iter().filter(|print| asked.wanted.contains(&print.fingerprint));
                for print in wanted {
                    seen.at.insert(print.fingerprint, print.offset);
                    looked_at.next = print.offset.saturating_add(1);
                }
                cut = looked_at.records > most;
                cut || seen.at.len() == asked.wanted.len()
            };
            self.read_source(from, until, is_enough).await?;
            if cut || seen.at.len() == asked.wanted.len() {
                break;
            }
        }
        // What retention removed may be younger than what is left, by what timestamps are out of order.
        let older = if log_start == 0 || cut {
            0
        } else {
            self.earliest(asked.since.saturating_sub(DISORDER_MS)).await?
        };
        // Read last: what is there now was there while it was read.
        let start = offset(self.source, &self.stretch.source, OffsetSpec::Start).await?;
        seen.whole = !cut && (start == 0 || older > start);
        one.look_back(&seen);
        Ok(true)
    }

    /// The first source offset where a record can stand that is as young. None that the source has before it is, whatever order their
    /// timestamps have. 0 where timestamps do not tell.
    async fn earliest(&self, since: i64) -> Result<i64, KafkaError> {
        if !self.stretch.timestamps || since < 0 {
            return Ok(0);
        }
        let found = offset(self.source, &self.stretch.source, OffsetSpec::AtTime(since)).await?;
        Ok(if found < 0 { i64::MAX } else { found })
    }
}

/// How many records are read once more at most before a place of a log that begins there, for a stretch of so many offsets.
fn most_read(log_start: i64, below: i64, size: i64) -> i64 {
    let before = below.saturating_sub(log_start).max(0);
    before.min(size).saturating_add(LOOK_AHEAD as i64).saturating_mul(READ_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_is_bound_by_what_is_left_of_the_log_and_by_the_stretch() {
        const DAY: i64 = 1_000_000;
        let ahead = LOOK_AHEAD as i64;
        assert_eq!(most_read(0, DAY, DAY), 10 * (DAY + ahead));
        // After a year, with a day of retention.
        assert_eq!(most_read(365 * DAY, 366 * DAY, DAY), 10 * (DAY + ahead));
        assert_eq!(most_read(365 * DAY, 365 * DAY + 5, DAY), 10 * (5 + ahead));
        // A piece of a sample.
        assert_eq!(most_read(0, DAY, 10_000), 10 * (10_000 + ahead));
        // Retention is behind the place.
        assert_eq!(most_read(DAY, 5, 10_000), 10 * ahead);
    }
}
