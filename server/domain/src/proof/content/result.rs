//! The result of a content proof.

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
    /// The same, but some records are there twice: a worker of an at-least-once flow died.
    SecondCopies,
    /// Some of it could not be read or decided.
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
    fn of(found: &Found, unreadable: bool) -> Self {
        if found.missing + found.extra + found.out_of_order > 0 {
            Self::Differs
        } else if unreadable || found.undecided > 0 {
            Self::CannotSay
        } else if found.duplicates > 0 {
            Self::SecondCopies
        } else {
            Self::Same
        }
    }
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
                one.verdict = ContentVerdict::of(found, false);
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
        let (mut unreadable, mut differing) = (0, 0);
        for (stretch, end) in ends {
            let one = PartitionContent::new(stretch, end);
            unreadable += usize::from(!one.because.is_empty());
            differing += usize::from(one.verdict == ContentVerdict::Differs);
            let topic = topics.entry(stretch.source.topic.clone()).or_insert_with(|| TopicContent {
                verdict: ContentVerdict::Same,
                partitions: 0,
                timestamps: stretch.timestamps,
                found: Found::default(),
            });
            topic.verdict = topic.verdict.max(one.verdict);
            topic.found.add(without_examples(&one.found));
            match by_partition.entry(stretch.source.clone()) {
                std::collections::btree_map::Entry::Vacant(free) => {
                    topic.partitions += 1;
                    free.insert(one);
                }
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(one),
            }
        }
        let mut partitions: Vec<PartitionContent> = by_partition.into_values().collect();
        let mut found = Found::default();
        topics.values().for_each(|topic| found.add(topic.found.clone()));
        let summary = ContentSummary {
            // Nothing compared is nothing said.
            verdict: partitions.iter().map(|one| one.verdict).max().unwrap_or(ContentVerdict::CannotSay),
            partitions: partitions.len(),
            unreadable,
            differing,
            source_gone: partitions.iter().map(|one| one.source_gone).sum(),
            target_gone: partitions.iter().map(|one| one.target_gone).sum(),
            found,
        };
        partitions.sort_by_key(|one| (std::cmp::Reverse(one.verdict), one.source.clone()));
        partitions.truncate(PARTITIONS);
        let ContentFacts { began_at, took_ms, asked, sampling, processes } = facts;
        Self { began_at, took_ms, asked, sampling, processes, summary, topics, partitions }
    }

    /// The result in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ContentSummary { verdict, found, partitions, unreadable, differing, .. } = &self.summary;
        if *partitions == 0 {
            return "no topic in scope has records to compare".to_owned();
        }
        let compared = format!("{} records compared", found.on_source);
        let mut said = match verdict {
            ContentVerdict::Same => format!("{compared}: the same on both sides, in order"),
            ContentVerdict::SecondCopies => {
                format!("{compared}: none missing, all in order, {} copied twice", found.duplicates)
            }
            ContentVerdict::CannotSay if *unreadable > 0 => {
                format!("{compared}; {unreadable} stretches could not be read")
            }
            ContentVerdict::CannotSay => {
                format!("{compared}; of {} nobody can say whether they are missing", found.undecided)
            }
            ContentVerdict::Differs => format!("{compared}: {}", differences(found)),
        };
        match &self.sampling {
            Some(sampling) if *differing == 0 && *unreadable == 0 => {
                said.push_str(&format!("; {}", sampling.statement()));
            }
            Some(sampling) => {
                said.push_str(&format!("; {differing} of {} sampled stretches differ", sampling.taken));
            }
            None => {}
        }
        if found.pending > 0 {
            said.push_str(&format!("; {} more are on their way", found.pending));
        }
        said
    }
}

fn without_examples(found: &Found) -> Found {
    Found { examples: Vec::new(), ..found.clone() }
}

fn differences(found: &Found) -> String {
    let kinds = [
        (found.missing, "missing"),
        (found.extra, "foreign"),
        (found.out_of_order, "out of order"),
        (found.duplicates, "copied twice"),
        (found.undecided, "not decided"),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{content::Compacted, proof::content::SampleAsk};

    fn stretch(partition: i32, from: i64) -> Stretch {
        let at = TopicPartition::new("orders", partition);
        Stretch {
            source: at.clone(),
            target: at,
            source_from: from,
            source_until: from + 10,
            required_until: from + 10,
            target_until: 100,
            source_goes_on: false,
            timestamps: true,
            compacted: Compacted::default(),
        }
    }

    fn compared(found: Found) -> StretchEnd {
        let digest = "aa".to_owned();
        let found = Found { on_source: 10, source_digest: digest, ..found };
        StretchEnd::Compared { found, source_gone: 0, target_gone: 0 }
    }

    fn proof(ends: &[(Stretch, StretchEnd)], sampling: Option<Sampling>) -> ContentProof {
        let (began_at, asked) = (DateTime::UNIX_EPOCH, ContentAsk::default());
        ContentProof::new(ContentFacts { began_at, took_ms: 5, asked, sampling, processes: 1 }, ends)
    }

    #[test]
    fn the_worst_stretch_decides_and_comes_first() {
        let lost = Found { missing: 2, ..Found::default() };
        let twice = Found { duplicates: 1, ..Found::default() };
        let ends = [
            (stretch(0, 0), compared(Found::default())),
            (stretch(1, 0), compared(Found::default())),
            (stretch(1, 10), compared(lost)),
            (stretch(2, 0), compared(twice)),
        ];
        let all = proof(&ends, None);
        let verdicts: Vec<_> = all.partitions.iter().map(|one| (one.source.partition, one.verdict)).collect();
        use ContentVerdict::{Differs, Same, SecondCopies};
        assert_eq!(verdicts, [(1, Differs), (2, SecondCopies), (0, Same)]);
        assert_eq!(all.partitions[0].stretches, 2);
        assert!(
            all.partitions[0].found.source_digest.is_empty() && all.partitions[2].found.source_digest == "aa"
        );
        assert_eq!(all.sentence(), "40 records compared: 2 missing, 1 copied twice");
        assert_eq!(
            proof(&ends[3..], None).sentence(),
            "10 records compared: none missing, all in order, 1 copied twice"
        );
        assert_eq!((all.topics["orders"].partitions, all.summary.differing), (3, 1));
    }

    #[test]
    fn what_was_not_read_is_never_the_same() {
        let silent = StretchEnd::Unreadable { because: "the broker is gone".to_owned() };
        let some = proof(&[(stretch(0, 0), compared(Found::default())), (stretch(1, 0), silent)], None);
        assert_eq!(some.summary.verdict, ContentVerdict::CannotSay);
        assert_eq!(some.sentence(), "10 records compared; 1 stretches could not be read");
        let none = proof(&[], None);
        assert_eq!(none.summary.verdict, ContentVerdict::CannotSay);
        assert_eq!(none.sentence(), "no topic in scope has records to compare");
    }

    #[test]
    fn a_sample_says_how_sure_it_is_only_when_it_found_nothing() {
        let sampling =
            Sampling { asked: SampleAsk { differing: 0.01, confidence: 0.95 }, of: 10_000, taken: 294 };
        let good =
            proof(&[(stretch(0, 0), compared(Found { pending: 3, ..Found::default() }))], Some(sampling));
        assert_eq!(
            good.sentence(),
            "10 records compared: the same on both sides, in order; 294 of 10000 stretches were compared; with 95 % \
             confidence fewer than 1 % of all stretches differ; 3 more are on their way"
        );
        let bad = Found { extra: 1, ..Found::default() };
        let bad = proof(&[(stretch(0, 0), compared(bad))], Some(sampling));
        assert_eq!(bad.sentence(), "10 records compared: 1 foreign; 1 of 294 sampled stretches differ");
    }
}
