//! Reading what is kept of positions for the day their source is dead.
//!
//! In this order: the target's ends, the source's ends, records around the positions, the offset syncs, the target's ends
//! again. So whatever stands on the target below its first end is a copy of a record that was there when the source was read,
//! every sync of it is known, and a sync that points past the second end is of a target that is gone.

use std::collections::BTreeSet;

use muster_domain::{
    pair::Flow,
    topic::{ByPartition, TopicPartition},
    translation::{AllSyncs, Rings, Run},
};
use muster_kafka::{ClusterAdmin, Isolation, KafkaError, OffsetSpec, admin::PartitionOffsets};

use super::{
    offset_of,
    segments::{Stretch, read_stretches, visible},
};
use crate::{
    Replication, ReplicationError,
    records::{Deadline, FlowRecords},
};

/// Offsets read before a position and from it on. Markers and holes among them leave fewer records.
const SPAN: i64 = 32;

/// What a look takes.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    /// The flow, for names.
    pub flow: &'a Flow,
    /// Records of both ends; only the source's are read.
    pub records: FlowRecords<'a>,
    /// Offsets of the source.
    pub source: &'a dyn ClusterAdmin,
    /// Offsets of the target.
    pub target: &'a dyn ClusterAdmin,
    /// Offset syncs.
    pub replication: &'a dyn Replication,
    /// The flow is guaranteed to leave no second copies ([`crate::FlowSettings::exactly_once`]).
    pub exactly_once: bool,
}

/// What is to be kept of a partition.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Positions of groups.
    pub positions: BTreeSet<i64>,
    /// Ends of the source and the target, as [`Keeper::ends`] answered them.
    pub ends: (i64, i64),
    /// Whether neither side compacts the topic.
    pub keeps_all: bool,
    /// Copies keep the timestamps of their originals: the target's brokers do not write their own
    /// (`message.timestamp.type=LogAppendTime`).
    pub timestamps: bool,
}

/// Where source and target end, by source partition, or why that cannot be told.
pub type Ends = ByPartition<Result<(i64, i64), String>>;

/// What was read of some partitions.
#[derive(Debug, Default)]
pub struct ReadRings {
    /// What is to be kept of them.
    pub rings: ByPartition<Rings>,
    /// Why others cannot be read.
    pub unread: ByPartition<String>,
}

/// Why nothing can be kept now.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The source does not answer, or refuses.
    #[error("could not read the source")]
    Source(#[source] KafkaError),
    /// The target does not.
    #[error("could not read the target")]
    Target(#[source] KafkaError),
    /// The offset syncs cannot be read.
    #[error("could not read offset syncs or how the flow copies")]
    Syncs(#[source] ReplicationError),
    /// Copies are under other names than the flow's policy gives them.
    #[error("{reason}")]
    Renamed {
        /// By which of its transforms.
        reason: String,
    },
}

impl Keeper<'_> {
    /// Where source and target end; of those that are not on both sides, what is answered there.
    ///
    /// # Errors
    /// When a side does not answer.
    pub async fn ends(&self, partitions: &[TopicPartition]) -> Result<Ends, KeepError> {
        let spec = match self.records.isolation {
            Isolation::ReadCommitted => OffsetSpec::Stable,
            Isolation::ReadUncommitted => OffsetSpec::End,
        };
        // What is in an open transaction there may be committed later, and is not known to be read.
        let targets = self.target_ends(partitions, OffsetSpec::Stable).await?;
        let sources = self.source.offsets(partitions, spec).await.map_err(KeepError::Source)?;
        let both = |at: &TopicPartition| {
            let source = offset_of(&sources, at);
            let ends = source.and_then(|source| Ok((source, offset_of(&targets, &self.name(at))?)));
            (at.clone(), ends.map_err(|why| why.to_string()))
        };
        Ok(partitions.iter().map(both).collect())
    }

    /// Reads what is to be kept of some partitions. One that cannot be read is in nobody's way.
    ///
    /// # Errors
    /// When a side or the offset syncs cannot be read at all; then what was kept before stays.
    pub async fn read(&self, wanted: &ByPartition<Wanted>) -> Result<ReadRings, KeepError> {
        let deadline = Deadline::after(self.records.deadline_ms);
        let positions = |wanted: &Wanted| {
            let mut positions = Rings::choose(&wanted.positions);
            positions.insert(wanted.ends.0);
            positions
        };
        let around = |at: i64, (end, _): (i64, i64)| {
            let from = at.saturating_sub(SPAN).max(0);
            Stretch { from, until: at.saturating_add(SPAN).min(end).max(from) }
        };
        let stretches = |wanted: &Wanted| -> Vec<Stretch> {
            positions(wanted).into_iter().map(|at| around(at, wanted.ends)).collect()
        };
        let all = wanted.iter().map(|(at, wanted)| (at.clone(), stretches(wanted))).collect();
        let read = read_stretches(self.records.source, all, self.records.isolation, deadline);
        let read = read.await.map_err(KeepError::Source)?;
        let partitions: Vec<TopicPartition> = wanted.keys().cloned().collect();
        let past_end = self.past_end(wanted).await?;
        let pairs = self.replication.offset_pairs(&partitions).await.map_err(KeepError::Syncs)?;
        let ends = self.target_ends(&partitions, OffsetSpec::End).await?;
        let mut found = ReadRings::default();
        for (at, wanted) in wanted {
            let seen = match read.of(at) {
                Ok(seen) => seen,
                Err(why) => {
                    found.unread.insert(at.clone(), why.to_string());
                    continue;
                }
            };
            let run = |position: &i64| {
                let stretch = around(*position, wanted.ends);
                Run {
                    from: stretch.from,
                    until: stretch.until,
                    prints: visible(stretch.of(seen), wanted.timestamps),
                }
                .around(*position)
            };
            let positions = positions(wanted);
            let runs = positions.iter().map(run).collect();
            let pairs = pairs.get(at).map_or(&[][..], Vec::as_slice);
            let end = known(&ends, &self.name(at));
            let gone = end.is_none_or(|end| pairs.iter().any(|pair| pair.downstream >= end));
            let pairs = if gone { &[][..] } else { pairs };
            let pairs = AllSyncs { pairs, exactly_once: self.exactly_once };
            let mut rings = Rings::new(wanted.ends, wanted.keeps_all, runs, &positions, pairs);
            if let Some(end) = past_end.get(at) {
                rings.refuse_past(*end);
            }
            found.rings.insert(at.clone(), rings);
        }
        Ok(found)
    }

    /// Ends of the partitions that groups may stand past. Groups that do not wait for transactions to end do stand past the end
    /// of what is committed; past the end of everything none can.
    async fn past_end(&self, wanted: &ByPartition<Wanted>) -> Result<ByPartition<i64>, KeepError> {
        let past = |wanted: &Wanted| wanted.positions.last().is_some_and(|last| *last > wanted.ends.0);
        let asked: Vec<TopicPartition> =
            wanted.iter().filter(|(_, wanted)| past(wanted)).map(|(at, _)| at.clone()).collect();
        if asked.is_empty() {
            return Ok(ByPartition::new());
        }
        let ends = self.source.offsets(&asked, OffsetSpec::End).await.map_err(KeepError::Source)?;
        // One that is not told is none: then nothing is known of those who stand past what is committed.
        let end = |at: &TopicPartition| (at.clone(), known(&ends, at).unwrap_or(wanted[at].ends.0));
        Ok(asked.iter().map(end).collect())
    }

    async fn target_ends(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<PartitionOffsets, KeepError> {
        let targets: Vec<TopicPartition> = partitions.iter().map(|at| self.name(at)).collect();
        self.target.offsets(&targets, spec).await.map_err(KeepError::Target)
    }

    fn name(&self, at: &TopicPartition) -> TopicPartition {
        let topic = self.flow.naming.target_name(&self.flow.source_alias, &at.topic);
        TopicPartition::new(topic, at.partition)
    }
}

fn known(offsets: &PartitionOffsets, at: &TopicPartition) -> Option<i64> {
    offsets.get(at)?.as_ref().ok().copied()
}
