//! The standing canary of one flow: a record on each partition, looked for on the other side.
//!
//! A turn writes one record a partition and reads the copy until all of them were seen or its time is up; what is
//! outstanding then is looked for in the next turns. If we die between writing and keeping, the record is there and nobody
//! waits for it: the next process numbers its own, and whatever it sees behind it shows that the way is open. A record of
//! ours is never taken back, and one too many harms nobody.

mod look;
mod topic;
mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use muster_domain::{
    canary::{CanarySettings, Seen, Track, Turn},
    pair::Flow,
    topic::TopicPartition,
};
use muster_kafka::KafkaError;
use uuid::Uuid;

use crate::clients::PairClients;

/// Longest each part of a turn may take on a cluster.
const CALL: Duration = Duration::from_secs(4);
/// `TOPIC_AUTHORIZATION_FAILED` and `CLUSTER_AUTHORIZATION_FAILED`.
const REFUSED: [i16; 2] = [29, 31];

/// A record that was seen, and on which partition.
pub type Arrival = (i32, Seen);

/// What one process remembers of the canary of one flow.
#[derive(Debug)]
pub struct FlowCanary {
    flow: Flow,
    settings: CanarySettings,
    process: Uuid,
    /// Partitions the topic has, once it was looked at.
    partitions: Option<i32>,
    /// Next offset to read of each copy; none while the copy is not there, or was not found yet.
    positions: BTreeMap<i32, i64>,
    /// Whether the copy was missing when it was looked for: then nothing of it is older than this process.
    was_missing: bool,
    sent: BTreeMap<i32, VecDeque<Sent>>,
}

/// A record the source acknowledged.
#[derive(Debug, Clone, Copy)]
struct Sent {
    sequence: i64,
    /// How many this process had written before it.
    nth: i64,
    at: DateTime<Utc>,
    instant: Instant,
}

impl FlowCanary {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(flow: &Flow, settings: &CanarySettings, process: Uuid) -> Self {
        Self {
            flow: flow.clone(),
            settings: settings.clone(),
            process,
            partitions: None,
            positions: BTreeMap::new(),
            was_missing: false,
            sent: BTreeMap::new(),
        }
    }

    /// Whether this is the canary of that flow as it is set now.
    #[must_use]
    pub fn is_of(&self, flow: &Flow, settings: &CanarySettings) -> bool {
        self.flow == *flow && self.settings == *settings
    }

    /// One turn, which ends when all was seen, and a little after `until` at the latest. `tracks` are those of this flow, by
    /// partition, and are brought up to date; what was seen is answered.
    pub async fn turn(
        &mut self,
        clients: &PairClients,
        epoch: i64,
        tracks: &mut BTreeMap<i32, Track>,
        until: Instant,
    ) -> Vec<Arrival> {
        let began = Utc::now();
        for track in tracks.values_mut() {
            track.chosen = true;
            track.since.get_or_insert(began);
        }
        // A source that does not answer is written to no more, but what it took before may still arrive.
        let (written, why_not) = match within(self.ready(clients)).await {
            Ok(found) => {
                let CanarySettings { topic, partitions, .. } = &self.settings;
                (found, format!("`{topic}` has {found} partitions, and {partitions} are set"))
            }
            Err(reason) => (0, reason),
        };
        let not_written = tracks.keys().filter(|partition| **partition >= written);
        let mut failed: BTreeMap<i32, String> =
            not_written.map(|partition| (*partition, why_not.clone())).collect();
        // Before writing: a copy that is there is read from its end on, so nothing of this turn is missed.
        let unread = within(self.find_positions(clients, tracks)).await.err();
        failed.extend(self.write(clients, epoch, tracks, written).await);
        let (arrivals, unread) = match unread {
            None => self.look(clients, tracks, until).await,
            unread => (Vec::new(), unread),
        };
        let now = Utc::now();
        for (partition, track) in tracks {
            track.copy_missing = self.was_missing;
            let reason = failed.remove(partition).or_else(|| unread.clone());
            track.turned(reason.map_or(Turn::Wrote, |reason| Turn::Failed { reason }), now);
        }
        arrivals
    }

    fn source(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(&self.settings.topic, partition)
    }

    fn copy(&self) -> String {
        self.flow.naming.target_name(&self.flow.source_alias, &self.settings.topic)
    }
}

/// Writes one record on each partition of these flows because a person asked, and waits until all were seen, at most so
/// long. The tracks are of nothing else: what the standing canary keeps is not touched.
pub async fn write_now(
    clients: &PairClients,
    flows: &[&Flow],
    settings: &CanarySettings,
    within: Duration,
) -> Vec<Track> {
    let until = Instant::now() + within;
    let turns = flows.iter().map(|flow| async move {
        let new = |partition| (partition, Track::new(flow.direction, partition, &settings.topic, Utc::now()));
        let mut tracks: BTreeMap<i32, Track> = (0..settings.partitions).map(new).collect();
        let mut canary = FlowCanary::new(flow, settings, Uuid::new_v4());
        canary.turn(clients, 0, &mut tracks, until).await;
        tracks.into_values()
    });
    join_all(turns).await.into_iter().flatten().collect()
}

fn is_refusal(error: &KafkaError) -> bool {
    error.code().is_some_and(|code| REFUSED.contains(&code))
}

fn call_ms() -> u64 {
    u64::try_from(CALL.as_millis()).unwrap_or(u64::MAX)
}

/// Clients have bounds of their own, longer than a part of a turn may take.
async fn within<T>(part: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(CALL, part).await {
        Ok(done) => done,
        Err(_) => Err(format!("no answer within {} s", CALL.as_secs())),
    }
}
