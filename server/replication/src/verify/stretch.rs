//! Comparing one stretch of a partition, however long it takes: finding where both sides begin with the same record, going
//! on where another process was interrupted, and keeping to a rate.

mod look_back;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use muster_domain::{
    proof::content::{Checkpoint, Stretch, StretchEnd},
    survey::OffsetPair,
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin, KafkaError, KafkaErrorKind, OffsetSpec, PrintRange, ReadRange, RecordMover, RecordPrint,
};

use self::look_back::LookedAt;
use super::{
    compare::{Beginning, Comparison, Edges, LOOK_AHEAD},
    content::{Comparing, ContentWindow, read_round},
    held::REMEMBERED,
    meter::Meter,
};
use crate::records::{FlowRecords, PartitionEnds};

/// Source offsets an offset pair may lie before the stretch and still be where comparing begins.
const NEAR: i64 = LOOK_AHEAD as i64;
/// How often it is kept how far a stretch is.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Told now and then where a stretch could go on; false when it is to stop.
#[async_trait]
pub trait Keep: Send + Sync {
    /// Keeps it.
    async fn keep(&self, checkpoint: Checkpoint) -> bool;
}

/// What comparing a stretch takes.
#[derive(Debug, Clone, Copy)]
pub struct CompareStretch<'a> {
    /// Readers of both sides; the bound is for each single read.
    pub records: &'a FlowRecords<'a>,
    /// Admin client of the source.
    pub source: &'a dyn ClusterAdmin,
    /// Admin client of the target.
    pub target: &'a dyn ClusterAdmin,
    /// Offset pairs of the partition, oldest first.
    pub pairs: &'a [OffsetPair],
    /// The stretch.
    pub stretch: &'a Stretch,
    /// Counts what is read, and slows it down.
    pub meter: &'a Meter,
}

/// Where both sides begin.
struct Start {
    source: i64,
    target: i64,
    beginning: Beginning,
}

impl CompareStretch<'_> {
    /// Compares it, from where it was interrupted if it was. `None` when it was told to stop.
    pub async fn run(
        &self,
        from: Option<Checkpoint>,
        keep: &dyn Keep,
    ) -> Result<Option<StretchEnd>, KafkaError> {
        let resumed = from.is_some();
        let (start, from) = match from {
            Some(from) => {
                let beginning =
                    if from.found.matched == 0 { self.align().await?.beginning } else { Beginning::Same };
                (Start { source: from.source_next, target: from.target_next, beginning }, from)
            }
            None => {
                let start = self.align().await?;
                let from = Checkpoint {
                    source_next: start.source,
                    target_next: start.target,
                    found: muster_domain::content::Found::default(),
                    source_gone: 0,
                    target_gone: 0,
                    missed: vec![],
                    known_from: Some(0),
                };
                (start, from)
            }
        };
        let Some(end) = self.compare(&start, &from, resumed, keep).await? else { return Ok(None) };
        let foreign = matches!(
            &end,
            StretchEnd::Compared { found, .. } if found.extra > 0 || found.lost_place.is_some()
        );
        if foreign && !resumed && start.source > 0 {
            // They may be second copies of records before the beginning: looked at once more, knowing these.
            return self.compare(&start, &from, true, keep).await;
        }
        Ok(Some(end))
    }

    async fn compare(
        &self,
        start: &Start,
        from: &Checkpoint,
        remember: bool,
        keep: &dyn Keep,
    ) -> Result<Option<StretchEnd>, KafkaError> {
        let stretch = self.stretch;
        let edges = Edges {
            beginning: start.beginning,
            required_until: stretch.required_until,
            target_goes_on: stretch.source_goes_on,
            timestamps: stretch.timestamps,
        };
        let mut comparison =
            Comparison::of(stretch.compacted, edges).after(from.found.clone()).looking_back();
        let all_found = from.found.on_source == from.found.matched;
        // Which of those before were not matched, nobody kept.
        let known_from = from.known_from.unwrap_or(if all_found { 0 } else { start.source });
        comparison.recall(&from.missed, known_from);
        if remember {
            self.remember(&mut comparison, start.source).await?;
        }
        let window = ContentWindow {
            partition: PartitionEnds { source: stretch.source.clone(), target: stretch.target.clone() },
            source_from: start.source,
            source_until: stretch.source_until,
            target_from: start.target,
            target_until: stretch.target_until,
        };
        let mut one = [Comparing::new(&window, stretch.timestamps, comparison)];
        let (mut kept, mut looked_at) = (Instant::now(), LookedAt::default());
        loop {
            let Some(read) = read_round(self.records, &mut one, self.records.deadline_ms).await? else {
                if self.look_back(&mut one[0], &mut looked_at).await? {
                    continue;
                }
                break;
            };
            self.meter.pass(read.bytes, read.records).await;
            if kept.elapsed() >= KEEP_EVERY
                && let Some(checkpoint) = checkpoint(&one[0], from)
            {
                kept = Instant::now();
                if !keep.keep(checkpoint).await {
                    return Ok(None);
                }
            }
        }
        let [one] = one;
        let (source_gone, target_gone) = one.gone();
        Ok(Some(StretchEnd::Compared {
            source_gone: from.source_gone + source_gone,
            target_gone: from.target_gone + target_gone,
            found: one.finish(),
        }))
    }

    /// Reads what was matched before once more, so that second copies of it are known for what they are.
    async fn remember(&self, comparison: &mut Comparison, until: i64) -> Result<(), KafkaError> {
        let from = (until - REMEMBERED as i64).max(0);
        let take = |prints: &[RecordPrint]| {
            comparison.remember(prints);
            false
        };
        self.read_source(from, until, take).await
    }

    /// Reads a stretch of the source once more, piece by piece, until that is enough.
    async fn read_source(
        &self,
        from: i64,
        until: i64,
        mut is_enough: impl FnMut(&[RecordPrint]) -> bool + Send,
    ) -> Result<(), KafkaError> {
        let mut range = self.prints(&self.stretch.source, from, until);
        while !range.done {
            let within = self.records.deadline_ms;
            self.records.source.read_on(&mut [&mut range], self.records.isolation, within).await?;
            self.meter.pass(range.take_bytes(), range.prints.len() as u64).await;
            if is_enough(&range.prints) {
                break;
            }
            range.prints.clear();
        }
        Ok(())
    }

    fn prints(&self, partition: &TopicPartition, from: i64, until: i64) -> PrintRange {
        let range = PrintRange::new(ReadRange { partition: partition.clone(), from, until });
        if self.stretch.timestamps { range } else { range.without_timestamps() }
    }

    /// Finds where to begin: at an offset pair close before the stretch, at the beginning of both logs, or where the target
    /// first has the timestamp of the source's first record, which is never behind its copy.
    async fn align(&self) -> Result<Start, KafkaError> {
        let stretch = self.stretch;
        if stretch.size() == 0 {
            return self.only_target().await;
        }
        let source_start = offset(self.source, &stretch.source, OffsetSpec::Start).await?;
        let target_start = offset(self.target, &stretch.target, OffsetSpec::Start).await?;
        let from = stretch.source_from.max(source_start);
        let near = |pair: &&OffsetPair| {
            (source_start.max(from - NEAR)..=from).contains(&pair.upstream) && pair.downstream >= target_start
        };
        if let Some(pair) = self.pairs.iter().rev().find(near) {
            return Ok(Start { source: pair.upstream, target: pair.downstream, beginning: Beginning::Same });
        }
        if from == 0 && target_start == 0 {
            return Ok(Start { source: 0, target: 0, beginning: Beginning::Same });
        }
        let there = if stretch.timestamps { self.by_time(from).await? } else { Some(target_start) };
        let target = there.unwrap_or(stretch.target_until).max(target_start);
        // The target's log begins within the stretch, or behind it.
        let later = target == target_start && target_start > 0;
        let beginning = if later { Beginning::SourceEarlier } else { Beginning::TargetEarlier };
        Ok(Start { source: from, target, beginning })
    }

    /// The source holds nothing, so whatever the target has is looked at: it is foreign where the source never held anything,
    /// and may be older than the source reaches back where it did.
    async fn only_target(&self) -> Result<Start, KafkaError> {
        let source = self.stretch.source_from;
        let target = offset(self.target, &self.stretch.target, OffsetSpec::Start).await?;
        let beginning = if source == 0 { Beginning::Same } else { Beginning::TargetEarlier };
        Ok(Start { source, target, beginning })
    }

    /// First target offset whose record is not older than the source's first one; `None` when all are.
    async fn by_time(&self, from: i64) -> Result<Option<i64>, KafkaError> {
        let Some(first) = self.first_print(self.records.source, from).await? else { return Ok(None) };
        let found = offset(self.target, &self.stretch.target, OffsetSpec::AtTime(first)).await?;
        Ok((found >= 0).then_some(found))
    }

    /// Timestamp of the first record of the stretch.
    async fn first_print(&self, mover: &dyn RecordMover, from: i64) -> Result<Option<i64>, KafkaError> {
        let mut range = self.prints(&self.stretch.source, from, self.stretch.source_until);
        while !range.done && range.prints.is_empty() {
            mover.read_on(&mut [&mut range], self.records.isolation, self.records.deadline_ms).await?;
        }
        Ok(range.prints.first().map(|print| print.timestamp))
    }
}

fn checkpoint(one: &Comparing, from: &Checkpoint) -> Option<Checkpoint> {
    let level = one.level()?;
    let (source_gone, target_gone) = one.gone();
    Some(Checkpoint {
        source_next: level.source.unwrap_or(one.source.next),
        target_next: level.target.unwrap_or(one.target.next),
        found: level.found,
        source_gone: from.source_gone + source_gone,
        target_gone: from.target_gone + target_gone,
        missed: level.missed,
        known_from: Some(level.known_from),
    })
}

async fn offset(
    admin: &dyn ClusterAdmin,
    partition: &TopicPartition,
    spec: OffsetSpec,
) -> Result<i64, KafkaError> {
    let answers = admin.offsets(std::slice::from_ref(partition), spec).await?;
    match answers.into_iter().next() {
        Some((_, answer)) => answer.map_err(|error| *error),
        None => Err(KafkaError {
            cluster: admin.cluster().to_owned(),
            call: format!("ListOffsets of {partition}"),
            node: None,
            kind: KafkaErrorKind::Protocol("the answer left it out".to_owned()),
        }),
    }
}
