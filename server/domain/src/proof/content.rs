//! What a content proof says: whether both sides hold the same records, all of them or a sample with stated confidence.

mod ask;
mod record;
mod result;
mod sample;

pub use ask::{AskError, ContentAsk, SampleAsk};
pub use record::{Cited, Look, LookedAt, Place, PrintNow, ProofSide};
pub use result::{
    ContentFacts, ContentProof, ContentSummary, ContentVerdict, PartitionContent, TopicContent,
};
pub use sample::{Sampling, TooMany, chosen, sample_size};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    content::{Compacted, Found},
    topic::TopicPartition,
};

/// A stretch of a partition that is compared by one process at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// On the source.
    pub source: TopicPartition,
    /// On the target.
    pub target: TopicPartition,
    /// First source offset.
    pub source_from: i64,
    /// One past the last source offset.
    pub source_until: i64,
    /// One past the last source offset that is known to be copied: what stands behind it need not be there yet.
    pub required_until: i64,
    /// One past the last target offset, read before the source's end was.
    pub target_until: i64,
    /// Source records follow it that are not compared, so the target goes on behind it, too.
    pub source_goes_on: bool,
    /// Both sides keep the producer's timestamps.
    pub timestamps: bool,
    /// Which sides are compacted.
    pub compacted: Compacted,
}

impl Stretch {
    /// Source offsets in it; 0 where the source holds nothing, or does not have the partition, and the target does.
    #[must_use]
    pub fn size(&self) -> i64 {
        (self.source_until - self.source_from).max(0)
    }
}

/// What is known once the stretches of a proof are planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentPlan {
    /// When planning began, by Muster's clock.
    pub began_at: DateTime<Utc>,
    /// What was drawn; `None` when everything is compared.
    pub sampling: Option<Sampling>,
    /// Partitions that did not answer where they begin and end.
    #[serde(default)]
    pub unanswered: Vec<Unanswered>,
}

impl ContentPlan {
    /// What came of partitions that could not be planned.
    pub fn unanswered(&self) -> impl Iterator<Item = (Stretch, StretchEnd)> {
        let unreadable = |one: &Unanswered| StretchEnd::Unreadable { because: one.because.clone() };
        self.unanswered.iter().map(move |one| (one.stretch.clone(), unreadable(one)))
    }
}

/// A partition of which nothing could be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// The partition; the stretch is empty, for where it begins and ends is not known.
    pub stretch: Stretch,
    /// What was asked, and what came back.
    pub because: String,
}

/// Where comparing a stretch goes on when it was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Next source offset.
    pub source_next: i64,
    /// Next target offset.
    pub target_next: i64,
    /// What was found before.
    pub found: Found,
    /// Source offsets that retention removed before they were read.
    pub source_gone: i64,
    /// The same of the target.
    pub target_gone: i64,
    /// The last records that were told to be missing, or not to be there yet, in the order of the source: they may arrive further down.
    #[serde(default)]
    pub missed: Vec<MissedRecord>,
    /// Of each source record from this offset on it is known whether it was found: it was, or it is among [`Self::missed`]. `None`: it
    /// is not known of those before [`Self::source_next`], as in checkpoints from before this was kept.
    #[serde(default)]
    pub known_from: Option<i64>,
}

/// A record of the source that was not found on the target so far, without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedRecord {
    /// What tells it from others: XXH3-64.
    pub fingerprint: u64,
    /// Offset on the source.
    pub offset: i64,
}

/// What came of one stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum StretchEnd {
    /// It was compared.
    Compared {
        /// What was found.
        found: Found,
        /// Source offsets that retention removed before they were read.
        source_gone: i64,
        /// The same of the target.
        target_gone: i64,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        because: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_from_before_missing_records_were_kept_says_that_they_are_not_known() {
        let missed = vec![MissedRecord { fingerprint: u64::MAX, offset: 7 }];
        let found = Found::default();
        let checkpoint = Checkpoint {
            source_next: 8,
            target_next: 9,
            found,
            source_gone: 0,
            target_gone: 0,
            missed,
            known_from: Some(0),
        };
        let mut kept = serde_json::to_value(&checkpoint).unwrap();
        assert_eq!(serde_json::from_value::<Checkpoint>(kept.clone()).unwrap(), checkpoint);
        let fields = kept.as_object_mut().unwrap();
        assert!(fields.remove("missed").is_some() && fields.remove("known_from").is_some());
        let before = Checkpoint { missed: vec![], known_from: None, ..checkpoint };
        assert_eq!(serde_json::from_value::<Checkpoint>(kept).unwrap(), before);
    }
}
