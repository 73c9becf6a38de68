//! The result of a content proof.

mod said;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ContentAsk, Sampling, Stretch, StretchEnd};
use crate::{content::Found, topic::TopicPartition};

/// Partitions that are kept one by one when there are very many: those with a difference first.
const PARTITIONS: usize = 5_000;

/// Whether both sides hold the same records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentProof {
    /// When planning began, by Muster's clock.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// What was asked for.
    pub asked: ContentAsk,
    /// What was drawn; `None` when everything was compared.
    pub sampling: Option<Sampling>,
    /// Processes that compared.
    pub processes: usize,
    /// All together.
    pub summary: ContentSummary,
    /// By source topic.
    pub topics: BTreeMap<String, TopicContent>,
    /// Partitions; those with a difference first. Of very many only the first.
    pub partitions: Vec<PartitionContent>,
}

/// All stretches together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentSummary {
    /// What it says.
    pub verdict: ContentVerdict,
    /// Partitions compared.
    pub partitions: usize,
    /// Stretches that could not be read.
    pub unreadable: usize,
    /// Stretches that differ.
    pub differing: usize,
    /// Stretches of which it cannot be said, those that could not be read among them; 0 in proofs from before it was counted.
    #[serde(default)]
    pub cannot_say: usize,
    /// Partitions of which nothing behind some place was told; 0 in proofs from before it was counted.
    #[serde(default)]
    pub lost_places: usize,
    /// Partitions whose source has records of which not one was found on the target; 0 in proofs from before it was counted.
    #[serde(default)]
    pub uncompared: usize,
    /// Source offsets retention removed before they were read.
    pub source_gone: i64,
    /// The same of the target.
    pub target_gone: i64,
    /// What was found; without digests and examples.
    pub found: Found,
}

/// What a content proof says. Ordered: the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentVerdict {
    /// Every record that is to be there is there, in order, and nothing else is.
    Same,
    /// The same as far as both sides reach back: one has older records, which nothing was compared with.
    SameInPart,
    /// The same, but some records are there twice: a worker of an at-least-once flow died.
    SecondCopies,
    /// Some of it could not be read or decided, or nothing of it was found on both sides.
    CannotSay,
    /// Records are missing, foreign or out of order.
    Differs,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicContent {
    /// What it says.
    pub verdict: ContentVerdict,
    /// Partitions compared.
    pub partitions: usize,
    /// Timestamps were compared, too; false where the target's brokers write their own.
    pub timestamps: bool,
    /// What was found; without digests and examples.
    pub found: Found,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionContent {
    /// On the source.
    pub source: TopicPartition,
    /// On the target.
    pub target: TopicPartition,
    /// What it says.
    pub verdict: ContentVerdict,
    /// First source offset that was to be compared.
    pub source_from: i64,
    /// One past the last source offset.
    pub source_until: i64,
    /// Stretches of it.
    pub stretches: usize,
    /// Why some of it could not be read; empty when all was.
    pub because: String,
    /// Source offsets retention removed before they were read.
    pub source_gone: i64,
    /// The same of the target.
    pub target_gone: i64,
    /// What was found; digests when it is one stretch.
    pub found: Found,
}

impl ContentVerdict {
    /// Of what was found in a stretch. `unread`: some of it was not read.
    fn of(found: &Found, unread: bool) -> Self {
        if found.missing + found.extra + found.out_of_order > 0 {
            Self::Differs
        } else if unread || found.undecided > 0 || found.lost_place.is_some() {
            Self::CannotSay
        } else if found.duplicates > 0 {
            Self::SecondCopies
        } else if found.before > 0 {
            Self::SameInPart
        } else {
            Self::Same
        }
    }
}

/// The source has records and not one was found on the target: whatever the reason, nothing was compared.
fn nothing_compared(found: &Found) -> bool {
    found.on_source > 0 && found.matched == 0
}

impl PartitionContent {
    fn new(stretch: &Stretch, end: &StretchEnd) -> Self {
        let mut one = Self {
            source: stretch.source.clone(),
            target: stretch.target.clone(),
            verdict: ContentVerdict::CannotSay,
            source_from: stretch.source_from,
            source_until: stretch.source_until,
            stretches: 1,
            because: String::new(),
            source_gone: 0,
            target_gone: 0,
            found: Found::default(),
        };
        match end {
            StretchEnd::Compared { found, source_gone, target_gone } => {
                one.verdict = ContentVerdict::of(found, *source_gone > 0 || *target_gone > 0);
                (one.source_gone, one.target_gone) = (*source_gone, *target_gone);
                one.found = found.clone();
            }
            StretchEnd::Unreadable { because } => one.because.clone_from(because),
        }
        one
    }

    fn add(&mut self, other: Self) {
        self.verdict = self.verdict.max(other.verdict);
        self.source_from = self.source_from.min(other.source_from);
        self.source_until = self.source_until.max(other.source_until);
        self.stretches += other.stretches;
        if self.because.is_empty() {
            self.because = other.because;
        }
        self.source_gone += other.source_gone;
        self.target_gone += other.target_gone;
        self.found.add(other.found);
    }

    /// With all its stretches in it. One of them may have nothing to compare (it is older than the target reaches back, or all
    /// of it is still to be copied); a partition that has nothing is not known to be the same.
    fn concluded(mut self) -> Self {
        if nothing_compared(&self.found) {
            self.verdict = self.verdict.max(ContentVerdict::CannotSay);
        }
        self
    }
}

/// What is known of a content proof besides what its stretches found.
#[derive(Debug, Clone)]
pub struct ContentFacts {
    /// When planning began.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// What was asked for.
    pub asked: ContentAsk,
    /// What was drawn.
    pub sampling: Option<Sampling>,
    /// Processes that compared.
    pub processes: usize,
}

impl ContentProof {
    /// Puts the stretches together, bounded in size.
    #[must_use]
    pub fn new(facts: ContentFacts, ends: &[(Stretch, StretchEnd)]) -> Self {
        let (mut topics, mut by_partition) = (BTreeMap::<String, TopicContent>::new(), BTreeMap::new());
        let (mut unreadable, mut differing, mut cannot_say) = (0, 0, 0);
        for (stretch, end) in ends {
            let one = PartitionContent::new(stretch, end);
            unreadable += usize::from(!one.because.is_empty());
            differing += usize::from(one.verdict == ContentVerdict::Differs);
            let unsaid = one.verdict == ContentVerdict::CannotSay || nothing_compared(&one.found);
            cannot_say += usize::from(unsaid);
            let topic = topics.entry(stretch.source.topic.clone()).or_insert_with(|| TopicContent {
                verdict: ContentVerdict::Same,
                partitions: 0,
                timestamps: stretch.timestamps,
                found: Found::default(),
            });
            topic.found.add(without_examples(&one.found));
            match by_partition.entry(stretch.source.clone()) {
                std::collections::btree_map::Entry::Vacant(free) => {
                    topic.partitions += 1;
                    free.insert(one);
                }
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(one),
            }
        }
        let mut partitions: Vec<PartitionContent> =
            by_partition.into_values().map(PartitionContent::concluded).collect();
        for one in &partitions {
            if let Some(topic) = topics.get_mut(&one.source.topic) {
                topic.verdict = topic.verdict.max(one.verdict);
            }
        }
        let mut found = Found::default();
        topics.values().for_each(|topic| found.add(topic.found.clone()));
        // Nothing compared is nothing said.
        let least = if found.matched == 0 { ContentVerdict::CannotSay } else { ContentVerdict::Same };
        let summary = ContentSummary {
            verdict: partitions.iter().map(|one| one.verdict).fold(least, ContentVerdict::max),
            partitions: partitions.len(),
            unreadable,
            differing,
            cannot_say,
            lost_places: partitions.iter().filter(|one| one.found.lost_place.is_some()).count(),
            uncompared: partitions.iter().filter(|one| nothing_compared(&one.found)).count(),
            source_gone: partitions.iter().map(|one| one.source_gone).sum(),
            target_gone: partitions.iter().map(|one| one.target_gone).sum(),
            found,
        };
        partitions.sort_by_key(|one| (std::cmp::Reverse(one.verdict), one.source.clone()));
        partitions.truncate(PARTITIONS);
        let ContentFacts { began_at, took_ms, asked, sampling, processes } = facts;
        Self { began_at, took_ms, asked, sampling, processes, summary, topics, partitions }
    }
}

fn without_examples(found: &Found) -> Found {
    Found { examples: Vec::new(), ..found.clone() }
}

#[cfg(test)]
mod tests;
