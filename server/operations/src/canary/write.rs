//! One record on each partition of the source.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use chrono::Utc;
use futures_util::future::join_all;
use muster_domain::{
    canary::{CanaryRecord, Track},
    pair::Pair,
    topic::TopicPartition,
};
use muster_kafka::{RecordMover, mover::NewRecord};

use super::{FlowCanary, Sent, call_ms, is_refusal, within};
use crate::clients::PairClients;

/// Records of a partition that are remembered one by one while they do not arrive.
const REMEMBERED: usize = 2_000;

impl FlowCanary {
    /// Writes one record a partition. Why, where one was not.
    pub(super) async fn write(
        &mut self,
        clients: &PairClients,
        epoch: i64,
        tracks: &mut BTreeMap<i32, Track>,
        written: i32,
    ) -> BTreeMap<i32, String> {
        let mover = clients.mover.get(self.flow.direction.from).as_ref();
        let mut records = Vec::new();
        for (partition, track) in tracks.iter_mut().filter(|(partition, _)| **partition < written) {
            // A record of which nobody knows whether it was written has its number for itself.
            track.sequence += 1;
            let record = self.record(&clients.pair, *partition, track.sequence, epoch);
            records.push((*partition, self.source(*partition), record));
        }
        let writes = records.into_iter().map(|(partition, at, record)| async move {
            (partition, within(write_one(mover, &at, record)).await.map(|()| Instant::now()))
        });
        let mut failed = BTreeMap::new();
        for (partition, done) in join_all(writes).await {
            let Some(track) = tracks.get_mut(&partition) else { continue };
            match done {
                Ok(instant) => {
                    let at = Utc::now() - instant.elapsed();
                    let sent = self.sent.entry(partition).or_default();
                    let nth = sent.back().map_or(0, |last| last.nth + 1);
                    sent.push_back(Sent { sequence: track.sequence, nth, at, instant });
                    if sent.len() > REMEMBERED {
                        // The first tells since when; what is behind it makes room.
                        sent.remove(1);
                    }
                    track.wrote(at);
                }
                Err(e) => {
                    // The topic may be gone.
                    self.partitions = None;
                    failed.insert(partition, e);
                }
            }
        }
        failed
    }

    fn record(&self, pair: &Pair, partition: i32, sequence: i64, epoch: i64) -> NewRecord {
        let now = Utc::now();
        let record = CanaryRecord {
            canary_of: pair.name.clone(),
            from: pair.cluster(self.flow.direction.from).clone(),
            to: pair.cluster(self.flow.direction.to()).clone(),
            partition,
            sequence,
            epoch,
            process: self.process,
            written_at: now,
        };
        let value = serde_json::to_vec(&record).map(Bytes::from).ok();
        NewRecord { key: Some(Bytes::from_static(b"muster")), value, timestamp: now.timestamp_millis() }
    }
}

async fn write_one(mover: &dyn RecordMover, at: &TopicPartition, record: NewRecord) -> Result<(), String> {
    match mover.write(at, vec![record], call_ms()).await {
        Ok(_) => Ok(()),
        Err(e) if is_refusal(&e) => {
            Err(format!("Muster may not write to `{}` on `{}`: it lacks WRITE", at.topic, mover.cluster()))
        }
        Err(e) => Err(e.to_string()),
    }
}
