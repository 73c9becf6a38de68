//! A source that does not answer: what each of its partitions had when it was last seen is all there is.

use chrono::{DateTime, Utc};

use super::{Judge, PartitionLag, arrived::Log};
use crate::{
    lag::last_read::{LastRead, in_topics, last_read},
    reading::{Reading, ReadingClass},
    topic::TopicPartition,
};

impl Judge<'_> {
    /// The source does not answer. What each partition had when it was last seen is all there is.
    pub(super) fn dead(&self, reason: &str) -> Vec<PartitionLag> {
        let all = last_read(self.history);
        let in_scope = in_topics(all, |topic| self.scope.application_topic(self.flow.direction.from, topic));
        in_scope
            .map(|LastRead { key, end, at }| {
                let gap = (self.clock.now - at).num_seconds();
                self.last_seen(key, end, at, gap, reason)
            })
            .collect()
    }

    fn last_seen(
        &self,
        key: &TopicPartition,
        end: i64,
        seen_at: DateTime<Utc>,
        gap: i64,
        reason: &str,
    ) -> PartitionLag {
        let replica = self.replica(&key.topic);
        let since = format!("the source has not answered for {gap} s ({reason})");
        let seen = self.last.and_then(|last| last.ends.get(key).copied().flatten());
        let log = Log { start: 0, end, high: seen.map_or(end, |seen| end.max(seen.end)) };
        let there = replica.partition(key.partition);
        let (through, records, ms) = match self.arrived(key, log, there, self.clock.now - seen_at) {
            Err(why) => {
                let unknown = Reading::unknown(seen_at, format!("{since}, and {why}"));
                (unknown.clone(), unknown.clone(), unknown)
            }
            Ok(arrived) if arrived.through.saturating_add(1) >= end => {
                let unknown = Reading::unknown(
                    seen_at,
                    format!(
                        "{since}; all that was seen until then has arrived, what was written since is not known"
                    ),
                );
                (Reading::new(arrived.through, ReadingClass::Stale, seen_at, since), unknown.clone(), unknown)
            }
            Ok(arrived) => {
                let ms = match self.behind_since(key, arrived.through, end, ReadingClass::Stale, seen_at) {
                    Reading { value: Some(ms), at, .. } => {
                        Reading::new(ms, ReadingClass::Stale, at, since.clone())
                    }
                    unknown => unknown,
                };
                let behind = end.saturating_sub(1).saturating_sub(arrived.through);
                let records = Reading::new(behind, ReadingClass::Stale, seen_at, since.clone());
                (Reading::new(arrived.through, ReadingClass::Stale, seen_at, since), records, ms)
            }
        };
        PartitionLag {
            partition: key.clone(),
            through,
            records,
            ms,
            in_open_transactions: None,
            hole: None,
            surely_missing: 0,
            surely_missing_ms: 0,
            first_missing_timestamp: None,
        }
    }
}
