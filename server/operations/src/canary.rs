//! The standing canary of one flow: a record on each partition, looked for on the other side.
//!
//! A turn writes one record a partition and reads the copy until all of them were seen or its time is up; what is
//! outstanding then is looked for in the next turns. If we die between writing and keeping, the record is there and nobody
//! waits for it: the next process numbers its own, and whatever it sees behind it shows that the way is open. A record of
//! ours is never taken back, and one too many harms nobody.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use muster_domain::{
    canary::{CanaryRecord, CanarySettings, Outstanding, Seen, Track, Turn},
    ids::PairName,
    pair::{Flow, Pair},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{
    ClusterAdmin, Isolation, KafkaError, OffsetSpec, ReadRange, RecordMover,
    admin::NewTopic,
    mover::{NewRecord, Record},
};
use uuid::Uuid;

use crate::clients::PairClients;

/// Longest each part of a turn may take on a cluster.
const CALL: Duration = Duration::from_secs(4);
/// Between two looks at the copy: what a measurement may be too long by, with the look itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same once a turn has waited for a while.
const LOOK_SLOWLY: Duration = Duration::from_millis(500);
/// How long a turn looks closely.
const CLOSELY: Duration = Duration::from_secs(2);
/// Records of a partition that are remembered one by one while they do not arrive.
const REMEMBERED: usize = 2_000;
/// How long the source keeps a canary record. Longer than replication may stand still without losing what it measures by.
const RETENTION_MS: i64 = 6 * 3_600_000;
/// Segments are closed after so long, or nothing in them would ever go.
const SEGMENT_MS: i64 = 3_600_000;
/// `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC: i16 = 3;
/// `TOPIC_ALREADY_EXISTS`.
const ALREADY_EXISTS: i16 = 36;
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

    /// Makes sure that the topic is there; how many of its partitions are written. It is made on the source only: its copy
    /// is replication's to make.
    async fn ready(&mut self, clients: &PairClients) -> Result<i32, String> {
        if let Some(partitions) = self.partitions {
            return Ok(partitions);
        }
        let admin = clients.admin.get(self.flow.direction.from).as_ref();
        let found = match partitions_of(admin, &self.settings.topic).await? {
            Some(partitions) => partitions,
            None => {
                self.create(admin).await?;
                self.settings.partitions
            }
        };
        // One that has too few is looked at again: people may add some.
        self.partitions = (found >= self.settings.partitions).then_some(self.settings.partitions);
        Ok(found.min(self.settings.partitions))
    }

    async fn create(&self, admin: &dyn ClusterAdmin) -> Result<(), String> {
        let CanarySettings { topic, partitions, .. } = &self.settings;
        let configs = BTreeMap::from([
            ("cleanup.policy".to_owned(), "delete".to_owned()),
            ("retention.ms".to_owned(), RETENTION_MS.to_string()),
            ("segment.ms".to_owned(), SEGMENT_MS.to_string()),
        ]);
        let new = NewTopic { name: topic.clone(), partitions: *partitions, replication: -1, configs };
        match admin.create_topic(&new).await {
            Ok(()) => {
                tracing::info!(
                    cluster.name = admin.cluster(),
                    "made the canary topic `{topic}` on `{}`",
                    admin.cluster()
                );
                Ok(())
            }
            Err(e) if e.code() == Some(ALREADY_EXISTS) => Ok(()),
            Err(e) if is_refusal(&e) => Err(format!(
                "`{topic}` is not there, and Muster may not make it: it lacks CREATE on the topic or the cluster `{}`",
                admin.cluster()
            )),
            Err(e) => Err(format!("could not make `{topic}`: {e}")),
        }
    }

    /// Where reading of the copies begins or goes on. The reason where that cannot be told.
    async fn find_positions(
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

    /// Writes one record a partition. Why, where one was not.
    async fn write(
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

    /// Reads the copies until everything was seen or the time is up. With it comes why they could not be read, if so.
    async fn look(
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
                    self.positions.insert(at.partition, last.offset + 1);
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
        let ours = records.iter().filter_map(|record| {
            let read: CanaryRecord = serde_json::from_slice(record.value.as_ref()?).ok()?;
            (read.process == self.process && read.canary_of == *pair).then_some(read.sequence)
        });
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

/// Whether a topic is there; with how many partitions.
async fn partitions_of(admin: &dyn ClusterAdmin, topic: &str) -> Result<Option<i32>, String> {
    let names = BTreeSet::from([topic.to_owned()]);
    let found = admin.topics(Some(&names)).await.map_err(|e| e.to_string())?;
    let topic = found.iter().find(|found| found.name == topic);
    Ok(topic.map(|topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
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

async fn write_one(mover: &dyn RecordMover, at: &TopicPartition, record: NewRecord) -> Result<(), String> {
    match mover.write(at, vec![record], call_ms()).await {
        Ok(_) => Ok(()),
        Err(e) if is_refusal(&e) => {
            Err(format!("Muster may not write to `{}` on `{}`: it lacks WRITE", at.topic, mover.cluster()))
        }
        Err(e) => Err(e.to_string()),
    }
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
