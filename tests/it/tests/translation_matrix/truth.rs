//! What is true of a position: told from both logs alone, by what is in their records.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use muster_domain::{
    proof::translation::{PartitionProof, TranslationProof},
    reading::ReadingClass,
    topic::TopicPartition,
};
use muster_kafka::Record;

/// Key and value: no two records of a topic have the same.
pub(crate) type Told = (Option<Bytes>, Option<Bytes>);

/// A partition, read whole.
pub(crate) struct Log {
    /// One past the last offset, markers included.
    pub(crate) end: i64,
    /// By offset.
    pub(crate) records: BTreeMap<i64, Told>,
    /// When each was written, in milliseconds since the epoch, by offset.
    pub(crate) times: BTreeMap<i64, i64>,
}

/// What has to come of a position.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// The record it would have read next, and none that it has read.
    Exact,
    /// Nothing is skipped, and no more is read again than is said.
    NeverPast,
    /// Nothing is said, for this reason.
    Refused(&'static str),
}

/// A position of a group in a cell.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) cell: &'static str,
    pub(crate) group: String,
    pub(crate) at: TopicPartition,
    /// Where its copies are, or what it is a copy of.
    pub(crate) target: TopicPartition,
    pub(crate) position: i64,
    pub(crate) expected: Expected,
}

/// A group for each of these positions of one partition.
pub(crate) fn ask(
    cell: &'static str,
    at: &TopicPartition,
    target: &TopicPartition,
    positions: impl IntoIterator<Item = (i64, Expected)>,
) -> Vec<Asked> {
    let one = |(position, expected)| Asked {
        cell,
        group: format!("matrix-{cell}-{position}"),
        at: at.clone(),
        target: target.clone(),
        position,
        expected,
    };
    positions.into_iter().map(one).collect()
}

impl Asked {
    /// What a proof says of it.
    pub(crate) fn told<'a>(&self, proof: &'a TranslationProof) -> Result<&'a PartitionProof> {
        let group =
            proof.groups.get(&self.group).with_context(|| format!("{} is not told of", self.group))?;
        let told = group.partitions.iter().find(|told| told.partition == self.at);
        let told = told.with_context(|| format!("{} is not told of {}", self.group, self.at))?;
        ensure!(told.position == self.position, "{}: {told:?}", self.group);
        Ok(told)
    }
}

impl Log {
    pub(crate) fn new(end: i64, records: Vec<Record>) -> Self {
        let times = records.iter().map(|one| (one.offset, one.timestamp)).collect();
        let records = records.into_iter().map(|one| (one.offset, (one.key, one.value))).collect();
        Self { end, records, times }
    }

    /// Fails when a group that stands at `position` here would skip a record there.
    pub(crate) fn skips_nothing(&self, position: i64, there: &Self, offset: i64) -> Result<()> {
        let unread: HashSet<&Told> = self.records.range(position..).map(|(_, told)| told).collect();
        // A record that was copied more than once is given as long as one copy is.
        let newest: HashMap<&Told, i64> = there.records.iter().map(|(at, told)| (told, *at)).collect();
        let first = newest.iter().filter(|(told, _)| unread.contains(**told)).map(|(_, at)| *at).min();
        let truth = first.unwrap_or(there.end);
        ensure!(offset <= truth, "{offset} is past the truth, {truth}");
        Ok(())
    }

    /// Records there from `offset` on that a group which stands at `position` here has read.
    fn read_again(&self, position: i64, there: &Self, offset: i64) -> usize {
        let unread: HashSet<&Told> = self.records.range(position..).map(|(_, told)| told).collect();
        let read: HashSet<&Told> = self.records.range(..position).map(|(_, told)| told).collect();
        let again = |told: &&Told| read.contains(*told) && !unread.contains(*told);
        there.records.range(offset..).map(|(_, told)| told).filter(again).count()
    }
}

/// Holds what is said of a position against the logs of both sides.
pub(crate) fn judge(asked: &Asked, told: &PartitionProof, logs: Option<&(Log, Log)>) -> Result<()> {
    let Asked { cell, position, .. } = asked;
    let found = match (told.found, asked.expected) {
        (None, Expected::Refused(why)) => {
            println!("{cell}: {position} is refused: {}", told.because);
            ensure!(told.because.contains(why), "{asked:?} is refused for another reason: {}", told.because);
            return Ok(());
        }
        (None, Expected::Exact | Expected::NeverPast) => bail!("{asked:?} is refused: {}", told.because),
        (Some(found), Expected::Refused(_)) => bail!("{asked:?} is said to be at {found:?}"),
        (Some(found), Expected::Exact | Expected::NeverPast) => found,
    };
    let (here, there) = logs.context("both logs were read")?;
    here.skips_nothing(*position, there, found.target_offset)
        .with_context(|| format!("{asked:?} is said to be at {found:?}"))?;
    let again = i64::try_from(here.read_again(*position, there, found.target_offset))?;
    println!(
        "{cell}: {position} of {} is {} of {}: {:?} by {:?}, {again} again of {} at most",
        here.end, found.target_offset, there.end, found.class, found.method, found.reprocessed_at_most
    );
    ensure!(again <= found.reprocessed_at_most, "{asked:?} reads {again} again: {found:?}");
    let exact = found.class == ReadingClass::Exact;
    ensure!(exact || !matches!(asked.expected, Expected::Exact), "{asked:?} is not exact: {found:?}");
    Ok(())
}
