//! What a translation proof says: for each group, whether it would go on exactly where it stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    reading::ReadingClass,
    topic::TopicPartition,
    translation::{Mapping, Method},
};

/// Partitions of exact groups that are kept one by one; of more only what is not exact is kept.
const DETAILS: usize = 20_000;
/// Partitions of one group that are kept although something is wrong with each.
const DETAILS_OF_GROUP: usize = 200;

/// Where every group would go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranslationProof {
    /// When reading began, by Muster's clock.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// How many groups have which verdict.
    pub summary: Summary,
    /// By group.
    pub groups: BTreeMap<String, GroupProof>,
    /// The source could not be read: everything is as of when it could be read last. Left out of a proof of a live source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_source: Option<DeadSource>,
}

/// A source that could not be read when something was proven of its groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadSource {
    /// The first look that failed, by Muster's clock; when the proof began if none had failed before.
    pub silent_since: DateTime<Utc>,
    /// What came back.
    pub because: String,
    /// When positions of its groups were read last. What a group read after that it reads again, and how much that is
    /// nobody knows.
    pub positions_at: DateTime<Utc>,
    /// When offset syncs were read last, of those that are kept. Left out where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syncs_at: Option<DateTime<Utc>>,
}

impl DeadSource {
    /// How long before it was found silent positions were read, in seconds.
    #[must_use]
    pub fn age_seconds(&self) -> i64 {
        (self.silent_since - self.positions_at).num_seconds().max(0)
    }
}

/// How many groups have which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Groups that go on exactly.
    pub exactly: usize,
    /// Groups that read records again.
    pub reprocess: usize,
    /// Groups nothing can be said of.
    pub cannot_say: usize,
    /// Most records all groups together read again.
    pub reprocessed_at_most: i64,
    /// Records that all groups together would read again at the positions MirrorMaker 2 wrote there, where both are known.
    pub mirrored_reprocess: i64,
    /// Records that they would never be given at those positions.
    pub mirrored_skip: i64,
    /// Groups for which MirrorMaker 2 wrote no position on some partition.
    pub mirrored_missing: usize,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupProof {
    /// What would happen to it.
    pub verdict: Verdict,
    /// How many partitions it has positions on.
    pub positions: usize,
    /// What MirrorMaker 2's own positions would do, over its partitions.
    pub mirrored: MirroredSum,
    /// Its partitions; those with something wrong first. Of very many only these.
    pub partitions: Vec<PartitionProof>,
}

/// What would happen to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It goes on with the record it would have read next, on every partition.
    Exactly,
    /// It reads records again.
    Reprocesses {
        /// At most so many.
        at_most: i64,
    },
    /// No position can be given on some partition.
    CannotSay {
        /// On how many.
        partitions: usize,
        /// Why, for the first of them.
        because: String,
    },
}

/// One partition of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionProof {
    /// As the source names it.
    pub partition: TopicPartition,
    /// Next offset it reads there.
    pub position: i64,
    /// Where it goes on.
    pub found: Option<Found>,
    /// Why nothing was found; empty when something was.
    pub because: String,
    /// The position on the target that MirrorMaker 2 wrote for it.
    pub mirrored: Option<i64>,
    /// Found by the offset syncs of the flow that copies the other way: the group goes back to where its records came from.
    #[serde(default)]
    pub back: bool,
    /// Of a dead source, when what the position was found by was read last. Left out of a proof of a live source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

/// What stands beside a position that was found without its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// When records around it were read, or the offset syncs it was found by.
    pub looked_at: DateTime<Utc>,
    /// Of the records that were behind the position then, at most so many never arrived; `None` when that is not known. What
    /// was written later is not in it.
    pub lost_at_most: Option<i64>,
}

/// Where a group goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Next offset to read on the target.
    pub target_offset: i64,
    /// `exact`, or `lower_bound` when it may be early.
    pub class: ReadingClass,
    /// How it was found.
    pub method: Method,
    /// Most records it reads again.
    pub reprocessed_at_most: i64,
    /// Records from there on that were seen to be the same on both sides, at most 5.
    pub run: usize,
}

impl Found {
    /// From what the translation answered.
    #[must_use]
    pub fn new(mapping: &Mapping, run: usize) -> Self {
        let Mapping { target_offset, class, method, reprocessed_at_most } = *mapping;
        Self { target_offset, class, method, reprocessed_at_most, run }
    }
}

/// What positions written by MirrorMaker 2 would do, counted in offsets of the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirroredSum {
    /// Records read again.
    pub reprocess: i64,
    /// Records never given.
    pub skip: i64,
    /// Partitions without a position.
    pub missing: usize,
}

impl PartitionProof {
    fn is_exact(&self) -> bool {
        self.found.is_some_and(|found| found.class == ReadingClass::Exact)
    }
}

impl MirroredSum {
    /// Only exact positions tell what others do.
    fn add(&mut self, partition: &PartitionProof) {
        match (partition.mirrored, partition.found) {
            (None, _) => self.missing += 1,
            (Some(theirs), Some(found)) if found.class == ReadingClass::Exact => {
                self.reprocess += (found.target_offset - theirs).max(0);
                self.skip += (theirs - found.target_offset).max(0);
            }
            (Some(_), _) => {}
        }
    }
}

impl GroupProof {
    /// What the partitions of a group say together.
    #[must_use]
    pub fn of(mut partitions: Vec<PartitionProof>) -> Self {
        let mut mirrored = MirroredSum::default();
        partitions.iter().for_each(|partition| mirrored.add(partition));
        let unknown: Vec<&PartitionProof> = partitions.iter().filter(|p| p.found.is_none()).collect();
        let again: i64 =
            partitions.iter().filter_map(|p| p.found).map(|found| found.reprocessed_at_most).sum();
        let verdict = match unknown.first() {
            Some(first) => Verdict::CannotSay {
                partitions: unknown.len(),
                because: format!("{}: {}", first.partition, first.because),
            },
            None if partitions.iter().all(PartitionProof::is_exact) => Verdict::Exactly,
            None => Verdict::Reprocesses { at_most: again },
        };
        let positions = partitions.len();
        partitions.sort_by_key(|partition| (partition.is_exact(), partition.found.is_some()));
        Self { verdict, positions, mirrored, partitions }
    }
}

impl TranslationProof {
    /// Puts the groups together, bounded in size.
    #[must_use]
    pub fn new(began_at: DateTime<Utc>, took_ms: i64, mut groups: BTreeMap<String, GroupProof>) -> Self {
        let mut summary = Summary::default();
        for group in groups.values() {
            match &group.verdict {
                Verdict::Exactly => summary.exactly += 1,
                Verdict::Reprocesses { at_most } => {
                    summary.reprocess += 1;
                    summary.reprocessed_at_most += at_most;
                }
                Verdict::CannotSay { .. } => summary.cannot_say += 1,
            }
            summary.mirrored_reprocess += group.mirrored.reprocess;
            summary.mirrored_skip += group.mirrored.skip;
            summary.mirrored_missing += usize::from(group.mirrored.missing > 0);
        }
        let many = groups.values().map(|group| group.positions).sum::<usize>() > DETAILS;
        for group in groups.values_mut() {
            if many {
                group.partitions.retain(|partition| !partition.is_exact());
            }
            group.partitions.truncate(if many { DETAILS_OF_GROUP } else { DETAILS });
        }
        Self { began_at, took_ms, summary, groups, dead_source: None }
    }

    /// The same, of a source that could not be read.
    #[must_use]
    pub fn of_dead(self, source: DeadSource) -> Self {
        Self { dead_source: Some(source), ..self }
    }

    /// The result in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Summary { exactly, reprocess, cannot_say, reprocessed_at_most, .. } = self.summary;
        let of = exactly + reprocess + cannot_say;
        if of == 0 {
            return "no group in scope has a position".to_owned();
        }
        let mut said = format!("{exactly} of {of} groups go on exactly");
        if reprocess > 0 {
            said.push_str(&format!(", {reprocess} read at most {reprocessed_at_most} records again"));
        }
        if cannot_say > 0 {
            said.push_str(&format!(", {cannot_say} cannot be told"));
        }
        match &self.dead_source {
            None => said,
            Some(source) => format!("as of {}: {said}", source.positions_at.format("%H:%M:%S UTC")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32, found: Option<(i64, i64)>, mirrored: Option<i64>) -> PartitionProof {
        let found = found.map(|(target_offset, again)| Found {
            target_offset,
            class: if again == 0 { ReadingClass::Exact } else { ReadingClass::LowerBound },
            method: Method::Content,
            reprocessed_at_most: again,
            run: 5,
        });
        PartitionProof {
            partition: TopicPartition::new("orders".to_owned(), number),
            position: 10,
            back: false,
            as_of: None,
            because: if found.is_some() { String::new() } else { "too far".to_owned() },
            found,
            mirrored,
        }
    }

    #[test]
    fn the_worst_partition_decides_and_comes_first() {
        let exact = || partition(0, Some((7, 0)), Some(3));
        assert_eq!(GroupProof::of(vec![exact()]).verdict, Verdict::Exactly);
        let early = GroupProof::of(vec![exact(), partition(1, Some((7, 4)), Some(9))]);
        assert_eq!(early.verdict, Verdict::Reprocesses { at_most: 4 });
        let unknown =
            GroupProof::of(vec![exact(), partition(1, Some((7, 4)), None), partition(2, None, None)]);
        let because = "orders-2: too far".to_owned();
        assert_eq!(unknown.verdict, Verdict::CannotSay { partitions: 1, because });
        let order: Vec<i32> = unknown.partitions.iter().map(|p| p.partition.partition).collect();
        assert_eq!(order, [2, 1, 0]);
    }

    #[test]
    fn positions_of_mirror_maker_2_are_judged_by_exact_ones_only() {
        let group = GroupProof::of(vec![
            partition(0, Some((7, 0)), Some(3)),
            partition(1, Some((7, 0)), Some(9)),
            partition(2, Some((7, 4)), Some(100)),
            partition(3, Some((7, 0)), None),
        ]);
        assert_eq!(group.mirrored, MirroredSum { reprocess: 4, skip: 2, missing: 1 });
    }

    #[test]
    fn a_proof_of_very_many_partitions_keeps_what_is_not_exact() {
        let many = (0..25_000).map(|n| partition(n, Some((7, i64::from(n % 100 == 0))), Some(7))).collect();
        let groups = BTreeMap::from([
            ("large".to_owned(), GroupProof::of(many)),
            ("small".to_owned(), GroupProof::of(vec![partition(0, Some((1, 0)), None)])),
        ]);
        let proof = TranslationProof::new(DateTime::UNIX_EPOCH, 5, groups);
        assert_eq!((proof.groups["large"].positions, proof.groups["large"].partitions.len()), (25_000, 200));
        assert_eq!(proof.groups["small"].partitions.len(), 0);
        assert_eq!(proof.sentence(), "1 of 2 groups go on exactly, 1 read at most 250 records again");
        let none = TranslationProof::new(DateTime::UNIX_EPOCH, 5, BTreeMap::new());
        assert_eq!(none.sentence(), "no group in scope has a position");
    }
}
