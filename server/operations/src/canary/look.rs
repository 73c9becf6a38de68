//! Looking for what was written in the copies, until all of it was seen or the time is up.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use muster_domain::{
    canary::{CanaryRecord, Outstanding, Seen, Track},
    ids::PairName,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, OffsetSpec, ReadRange, RecordMover, mover::Record};
use uuid::Uuid;

use super::{Arrival, FlowCanary, call_ms, topic::partitions_of, within};
use crate::clients::PairClients;

/// Between two looks at the copy: what a measurement may be too long by, with the look itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same once a turn has waited for a while.
const LOOK_SLOWLY: Duration = Duration::from_millis(500);
/// How long a turn looks closely.
const CLOSELY: Duration = Duration::from_secs(2);
/// `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC: i16 = 3;

impl FlowCanary {
    /// Where reading of the copies begins or goes on. The reason where that cannot be told.
    pub(super) async fn find_positions(
        &mut self,
        clients: &PairClients,
        tracks: &BTreeMap<i32, Track>,
    ) -> Result<(), String> {
        let (copy, waiting) = (self.copy(), self.sent.values().any(|sent| !sent.is_empty()));
        let missing = tracks.keys().any(|partition| !self.positions.contains_key(partition));
        // While something does not arrive, the copy may have been made anew, with lower offsets.
        if !missing && !waiting {
            return Ok(());
        }
        let admin = clients.admin.get(self.flow.direction.to()).as_ref();
        let there = partitions_of(admin, &copy).await?.unwrap_or(0);
        if there == 0 {
            self.was_missing = true;
            self.positions.clear();
            return Ok(());
        }
        let asked: Vec<TopicPartition> = tracks
            .keys()
            .filter(|partition| **partition < there)
            .map(|partition| TopicPartition::new(&copy, *partition))
            .collect();
        let ends = admin.offsets(&asked, OffsetSpec::End).await.map_err(|e| e.to_string())?;
        for (at, end) in ends {
            let end = end.map_err(|e| e.to_string())?;
            let begin = if self.was_missing { 0 } else { end };
            let position = self.positions.entry(at.partition).or_insert(begin);
            if *position > end {
                *position = 0;
            }
        }
        self.was_missing = false;
        Ok(())
    }

    /// Reads the copies until everything was seen or the time is up. With it comes why they could not be read, if so.
    pub(super) async fn look(
        &mut self,
        clients: &PairClients,
        tracks: &mut BTreeMap<i32, Track>,
        until: Instant,
    ) -> (Vec<Arrival>, Option<String>) {
        let mover = clients.mover.get(self.flow.direction.to()).as_ref();
        let (began, copy) = (Instant::now(), self.copy());
        let mut arrivals = Vec::new();
        loop {
            let waiting = self.waiting(&copy);
            if waiting.is_empty() {
                return (arrivals, None);
            }
            let read = match within(read(mover, &waiting)).await {
                Ok(Some(read)) => read,
                // The copy was deleted a moment ago: the next turn finds out.
                Ok(None) => {
                    self.positions.clear();
                    return (arrivals, None);
                }
                Err(reason) => return (arrivals, Some(reason)),
            };
            let (instant, now) = (Instant::now(), Utc::now());
            for (at, records) in read {
                let Some(track) = tracks.get_mut(&at.partition) else { continue };
                if let Some(last) = records.last() {
                    self.positions.insert(at.partition, last.offset.saturating_add(1));
                }
                arrivals.extend(self.take(&clients.pair.name, track, &records, (instant, now)));
            }
            if instant >= until {
                return (arrivals, None);
            }
            let pause = if began.elapsed() < CLOSELY { LOOK_EVERY } else { LOOK_SLOWLY };
            tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Copies in which something is still to be seen and that are there.
    fn waiting(&self, copy: &str) -> Vec<ReadRange> {
        let open = self.sent.iter().filter(|(_, sent)| !sent.is_empty());
        open.filter_map(|(partition, _)| {
            let from = *self.positions.get(partition)?;
            Some(ReadRange {
                partition: TopicPartition::new(copy, *partition),
                from,
                until: ReadRange::TO_THE_END,
            })
        })
        .collect()
    }

    /// Takes what was read of one copy.
    fn take(
        &mut self,
        pair: &PairName,
        track: &mut Track,
        records: &[Record],
        (instant, now): (Instant, DateTime<Utc>),
    ) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let sent = self.sent.entry(track.partition).or_default();
        let process = self.process;
        let ours = records.iter().filter_map(|record| sequence_of(record.value.as_ref()?, process, pair));
        for sequence in ours {
            // Replication keeps the order of a partition: what was before it has arrived, or never will.
            while sent.front().is_some_and(|first| first.sequence < sequence) {
                sent.pop_front();
            }
            let Some(found) = sent.front().copied().filter(|first| first.sequence == sequence) else {
                continue;
            };
            sent.pop_front();
            let took = instant.saturating_duration_since(found.instant);
            let ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
            let seen = Seen { written_at: found.at, seen_at: now, ms };
            let last = sent.back().map_or(found.nth, |last| last.nth);
            let behind = sent.front().map(|first| Outstanding { records: last - found.nth, since: first.at });
            track.arrived(Some(seen), behind);
            arrivals.push((track.partition, seen));
        }
        arrivals
    }
}

/// The number of a record that this process wrote for that pair. Anybody who may write to the topic can put anything there: what is no
/// such record is nobody's, and nothing is seen by it.
fn sequence_of(value: &[u8], process: Uuid, pair: &PairName) -> Option<i64> {
    let read: CanaryRecord = serde_json::from_slice(value).ok()?;
    (read.process == process && read.canary_of == *pair).then_some(read.sequence)
}

/// `None` when a topic is not there.
async fn read(
    mover: &dyn RecordMover,
    ranges: &[ReadRange],
) -> Result<Option<ByPartition<Vec<Record>>>, String> {
    match mover.read(ranges, Isolation::ReadCommitted, call_ms()).await {
        Ok(read) => Ok(Some(read)),
        Err(e) if e.code() == Some(UNKNOWN_TOPIC) => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests;
