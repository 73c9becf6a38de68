//! What one flow of a pair showed: how far it has copied, by its committed offsets and offset syncs, and who writes where it copies to.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::connect::{ConnectorObservation, ConnectorRole, WorkerObservation};
use crate::{
    pair::Direction,
    reading::Observed,
    selection::Beyond,
    topic::{ByPartition, TopicPartition, by_partition},
};

/// What a flow showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowObservation {
    /// Which direction.
    pub direction: Direction,
    /// The Connect worker that answered.
    pub worker: Observed<WorkerObservation>,
    /// Whether it answered and did not let Muster in: then it is there, and what it does is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut_out: bool,
    /// Connectors by what they do.
    pub connectors: BTreeMap<ConnectorRole, Observed<ConnectorObservation>>,
    /// Per source partition, the last source offset known to be replicated (inclusive): the connector's committed
    /// offset. `GET /connectors/{name}/offsets`, KIP-875.
    pub committed: Observed<CommittedSourceOffsets>,
    /// Per source partition, the newest offset sync seen.
    pub newest_pairs: Observed<NewestPairs>,
    /// The newest offset syncs that are known of before, while they cannot be read; `None` while they can, and where none are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pairs: Option<LastPairs>,
    /// Per source partition, the last time its offset syncs went back; none where they never did.
    #[serde(default, with = "by_partition")]
    pub rewinds: ByPartition<Rewind>,
    /// Positions on source topics that were made anew, as they were then: until they move they are of the log before.
    #[serde(default, with = "by_partition", skip_serializing_if = "BTreeMap::is_empty")]
    pub of_another_log: ByPartition<OldPosition>,
    /// Source partitions of whose copy no position proves all that the newest offset sync and the copy's end say has arrived, each with
    /// since when: those of which that is so for longer than a flow that runs takes to prove it. What is there may be somebody else's.
    #[serde(default, with = "by_partition", skip_serializing_if = "BTreeMap::is_empty")]
    pub unproven: ByPartition<DateTime<Utc>>,
    /// Topics outside of the pair that its source connector copies, too.
    #[serde(default = "not_looked")]
    pub beyond: Observed<Beyond>,
    /// What of its offset-syncs topic could not be read.
    #[serde(default)]
    pub unreadable_syncs: UnreadableSyncs,
    /// Who writes where it copies to.
    #[serde(default = "not_looked")]
    pub writers: Observed<WritersObservation>,
}

impl FlowObservation {
    /// Connect's committed offset of a source partition, where it is one of its log.
    #[must_use]
    pub fn committed_offset(&self, key: &TopicPartition) -> Option<i64> {
        self.of_this_log(key, self.committed.value()?.offsets.get(key).copied(), None).0
    }

    /// The newest offset sync of a source partition, where it is one of its log.
    #[must_use]
    pub fn newest_pair(&self, key: &TopicPartition) -> Option<OffsetPair> {
        self.of_this_log(key, None, self.newest_pairs.value()?.0.get(key).copied()).1
    }

    /// The newest offset syncs that count. Of a source that does not answer the last that were read: what they say had arrived is there
    /// still, and all that is told of such a source is stale. One that answers may have written others since.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn syncs(&self, source_answers: bool) -> Result<&NewestPairs, &str> {
        let last = self.last_pairs.as_ref().filter(|_| !source_answers);
        self.newest_pairs.as_result().or_else(|reason| last.map(|last| &last.newest).ok_or(reason))
    }

    /// What is left of a partition's committed offset and offset sync without those that are of a log before.
    #[must_use]
    pub fn of_this_log(
        &self,
        key: &TopicPartition,
        committed: Option<i64>,
        pair: Option<OffsetPair>,
    ) -> (Option<i64>, Option<OffsetPair>) {
        match self.of_another_log.get(key) {
            None => (committed, pair),
            Some(old) => (
                committed.filter(|_| !old.unseen && old.committed != committed),
                pair.filter(|_| !old.unseen && old.pair != pair),
            ),
        }
    }
}

/// Where replication stood on a partition when its topic was made anew under the same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldPosition {
    /// Connect's committed offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// The newest offset sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<OffsetPair>,
    /// They could not be read then: whatever is read first is taken for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

impl OldPosition {
    /// Whether every committed offset that is known by then is of the log before.
    #[must_use]
    pub fn covers_committed(&self) -> bool {
        self.unseen || self.committed.is_some()
    }

    /// The same of the newest offset sync.
    #[must_use]
    pub fn covers_pair(&self) -> bool {
        self.unseen || self.pair.is_some()
    }
}

/// Who writes where a flow copies to, as the leaders there remember producers that have an id (DescribeProducers).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritersObservation {
    /// Producer ids of the flow's own tasks, by their transactional ids; none where they write without transactions, or where
    /// Muster may not see them.
    pub own: BTreeSet<i64>,
    /// By target partition. Those that were not looked at are not in it.
    #[serde(with = "by_partition")]
    pub partitions: ByPartition<Vec<WriterSeen>>,
    /// Why some that were to be looked at were not; `None` when all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// A producer as the leader of a partition remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterSeen {
    /// Its id.
    pub producer: i64,
    /// Sequence number of its last record there; -1 after the end of a transaction.
    pub sequence: i32,
    /// When it last wrote there by its own clock, in milliseconds since 1970: only good for telling that it did again.
    pub timestamp_ms: i64,
    /// First offset of its open transaction there.
    pub transaction_from: Option<i64>,
    /// Whether it has one open or ever ended one there: then it leaves markers.
    pub transactional: bool,
}

/// What a survey of a version before says of what it did not look for.
fn not_looked<T>() -> Observed<T> {
    Observed::unknown("the survey was taken by a version that does not look for it", DateTime::UNIX_EPOCH)
}

/// See [`FlowObservation::committed`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedSourceOffsets {
    /// By source partition.
    #[serde(with = "by_partition")]
    pub offsets: ByPartition<i64>,
    /// Stored entries no task will ever read (wrong alias or extra keys): Connect keeps them silently.
    pub foreign: Vec<String>,
}

/// See [`FlowObservation::newest_pairs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestPairs(#[serde(with = "by_partition")] pub ByPartition<OffsetPair>);

/// See [`FlowObservation::last_pairs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPairs {
    /// When their topic was read to its end last, by this process or another.
    pub read_at: DateTime<Utc>,
    /// Per source partition, the newest that was there then.
    pub newest: NewestPairs,
}

/// One offset sync: the record at `upstream` on the source is at `downstream` on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OffsetPair {
    /// Source offset of a record.
    pub upstream: i64,
    /// Target offset of the same record.
    pub downstream: i64,
}

/// Records of an offset-syncs topic that are none, or cannot be read: somebody else writes there, or MirrorMaker 2 writes
/// otherwise than it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableSyncs {
    /// How many there are in what Muster has read of the topic. Forgotten once the topic begins behind them, and after a day without
    /// another one.
    pub count: u64,
    /// Where the last of them is and what is wrong with it; never what it holds.
    pub last: String,
}

impl UnreadableSyncs {
    /// Counts so many more, with the last one's reason.
    pub fn add(&mut self, count: u64, last: String) {
        self.count = self.count.saturating_add(count);
        self.last = last;
    }
}

/// Two offset syncs in a row of which the second has a lower source offset: records between were copied again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rewind {
    /// Source offset of the first.
    pub from: i64,
    /// Source offset of the second.
    pub to: i64,
    /// Target offset of the second.
    pub downstream: i64,
}
