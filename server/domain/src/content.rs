//! What comparing the records of a partition on both sides found.

use serde::{Deserialize, Serialize};

/// Differences cited in the evidence.
const EXAMPLES: usize = 5;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Visible records of the source.
    pub on_source: u64,
    /// Visible records of the target.
    pub on_target: u64,
    /// Records found on both, in order or not.
    pub matched: u64,
    /// Records of the source that the target does not hold.
    pub missing: u64,
    /// Records of the target that the source does not hold.
    pub extra: u64,
    /// Second copies of matched records on the target.
    pub duplicates: u64,
    /// Matched records at another place in the order.
    pub out_of_order: u64,
    /// Records of one side that compaction removed on the other: a newer one of the same key follows there.
    #[serde(default)]
    pub compacted: u64,
    /// Records of which nobody can say: on one side only, and compaction may have removed them on the other (what deletes their key was
    /// removed, too, or there were more of them than are remembered); or the target shows them where earlier records were copied again, and
    /// the source may have held them before retention, or it is not known whether they were found before.
    #[serde(default)]
    pub undecided: u64,
    /// Records of the source that are not on the target and need not be yet: they were written after what is known to be
    /// copied.
    #[serde(default)]
    pub pending: u64,
    /// Records at the beginning of one side that the other has no answer to, because it reaches less far back.
    #[serde(default)]
    pub before: u64,
    /// Where the two sides had nothing in common any more for as far as was looked ahead: nothing behind it is told, and whatever
    /// is there may be the same. The first such place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_place: Option<LostPlace>,
    /// Fingerprints of the source's records in order, each hashed (XXH3-64) with the hash so far as its seed; hex.
    pub source_digest: String,
    /// The same of the target's.
    pub target_digest: String,
    /// The first few differences.
    pub examples: Vec<Difference>,
}

/// Where a comparison lost its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPlace {
    /// Offset of the first record on the source that was not told.
    pub source_offset: i64,
    /// The same on the target.
    pub target_offset: i64,
}

/// One difference, without what is in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Offset on the source, where there is one.
    pub source_offset: Option<i64>,
    /// Offset on the target, where there is one.
    pub target_offset: Option<i64>,
    /// XXH3-64 of the key, hex; `None` for a record without one.
    #[serde(default)]
    pub key_hash: Option<String>,
    /// Timestamp in milliseconds since the epoch.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// Bytes of key, value and headers.
    #[serde(default)]
    pub bytes: Option<u32>,
}

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of `Found`")]
pub enum DifferenceKind {
    Missing,
    Extra,
    Duplicate,
    OutOfOrder,
}

/// Which sides keep only the newest record of each key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// The source's topic has `compact` in its `cleanup.policy`.
    pub source: bool,
    /// The target's has.
    pub target: bool,
}

impl Found {
    /// Every record of the source that must be there is on the target, in order, and nothing else is but second copies; but
    /// for what compaction removed and for what lies before both sides. And it was told to the end.
    #[must_use]
    pub fn nothing_lost(&self) -> bool {
        let differs = self.missing + self.extra + self.out_of_order > 0;
        !differs && self.undecided == 0 && self.lost_place.is_none()
    }

    /// And no second copies either, and nothing was removed or is on its way.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.nothing_lost()
            && self.duplicates == 0
            && self.compacted == 0
            && self.pending == 0
            && self.before == 0
    }

    /// Counts a difference; the first few are kept as examples.
    pub fn note(&mut self, difference: Difference) {
        let counter = match difference.kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Extra => &mut self.extra,
            DifferenceKind::Duplicate => &mut self.duplicates,
            DifferenceKind::OutOfOrder => &mut self.out_of_order,
        };
        *counter += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(difference);
        }
    }

    /// A record of the source that was counted as missing arrived further down.
    pub fn take_back_missing(&mut self, source_offset: i64) {
        self.missing = self.missing.saturating_sub(1);
        let told = |one: &Difference| {
            one.kind == DifferenceKind::Missing && one.source_offset == Some(source_offset)
        };
        self.examples.retain(|one| !told(one));
    }

    /// The source came to a record of the target that was counted as foreign.
    pub fn take_back_extra(&mut self, target_offset: i64) {
        self.extra = self.extra.saturating_sub(1);
        self.drop_example(DifferenceKind::Extra, target_offset);
    }

    /// The source came to a record of the target that was counted as a second copy of another which is alike.
    pub fn take_back_duplicate(&mut self, target_offset: i64) {
        self.duplicates = self.duplicates.saturating_sub(1);
        self.drop_example(DifferenceKind::Duplicate, target_offset);
    }

    fn drop_example(&mut self, kind: DifferenceKind, target_offset: i64) {
        self.examples.retain(|one| one.kind != kind || one.target_offset != Some(target_offset));
    }

    /// Adds what was found in another stretch of the same partition. Digests are of single stretches: none is left.
    pub fn add(&mut self, other: Self) {
        self.on_source += other.on_source;
        self.on_target += other.on_target;
        self.matched += other.matched;
        self.missing += other.missing;
        self.extra += other.extra;
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.compacted += other.compacted;
        self.undecided += other.undecided;
        self.pending += other.pending;
        self.before += other.before;
        self.lost_place = self.lost_place.or(other.lost_place);
        self.source_digest.clear();
        self.target_digest.clear();
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_after_all_is_not_missing_and_no_example_says_so() {
        let missing = |source_offset| Difference {
            kind: DifferenceKind::Missing,
            source_offset: Some(source_offset),
            target_offset: None,
            key_hash: None,
            timestamp: None,
            bytes: None,
        };
        let mut found = Found::default();
        (3..5).for_each(|offset| found.note(missing(offset)));
        found.take_back_missing(3);
        assert_eq!((found.missing, found.examples), (1, vec![missing(4)]));
        let alone = |kind, target_offset| Difference {
            kind,
            source_offset: None,
            target_offset: Some(target_offset),
            ..missing(0)
        };
        let [extra, again] =
            [DifferenceKind::Extra, DifferenceKind::Duplicate].map(|kind| move |at| alone(kind, at));
        let mut found = Found::default();
        (3..5).for_each(|offset| found.note(extra(offset)));
        (3..5).for_each(|offset| found.note(again(offset)));
        found.take_back_extra(4);
        found.take_back_duplicate(3);
        assert_eq!((found.extra, found.duplicates), (1, 1));
        assert_eq!(found.examples, vec![extra(3), again(4)]);
    }

    #[test]
    fn what_two_stretches_found_is_their_sum_and_examples_stay_few() {
        let missing = Difference {
            kind: DifferenceKind::Missing,
            source_offset: Some(7),
            target_offset: None,
            key_hash: None,
            timestamp: None,
            bytes: None,
        };
        let mut one = Found { on_source: 10, matched: 6, source_digest: "aa".to_owned(), ..Found::default() };
        (0..4).for_each(|_| one.note(missing.clone()));
        let mut both = one.clone();
        both.add(one);
        assert_eq!((both.on_source, both.matched, both.missing, both.examples.len()), (20, 12, 8, EXAMPLES));
        assert!(both.source_digest.is_empty() && !both.nothing_lost());
        let pending = Found { pending: 1, ..Found::default() };
        assert!(pending.nothing_lost() && !pending.equal());
        let lost_place = Some(LostPlace { source_offset: 7, target_offset: 9 });
        let lost = Found { lost_place, ..Found::default() };
        assert!(!lost.nothing_lost() && !lost.equal());
        let mut sum = Found::default();
        sum.add(lost);
        assert_eq!(sum.lost_place, lost_place);
        let kept = serde_json::to_string(&Found::default()).unwrap();
        assert!(!kept.contains("lost_place"), "as it was kept before: {kept}");
        assert_eq!(serde_json::from_str::<Found>(&kept).unwrap(), Found::default());
    }
}
