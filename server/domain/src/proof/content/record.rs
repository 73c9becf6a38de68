//! The records that a content proof cites: which they are, where they stand, and whether one that is read again is still it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContentProof, PartitionContent};
use crate::{content::Difference, ids::ClusterName, payload::ShownRecord, topic::TopicPartition};

/// A side of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofSide {
    /// The cluster whose records are looked for.
    Source,
    /// The cluster they are looked for on.
    Target,
}

impl ProofSide {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// Its word in forms, the API and the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// The side a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.as_str() == word)
    }
}

/// Where a record stands, on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The side.
    pub side: ProofSide,
    /// The partition as that side names it.
    pub partition: TopicPartition,
    /// Its offset there.
    pub offset: i64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} @ {}", self.partition, self.offset)
    }
}

/// A difference that a proof cites, with its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    /// The partition on the source.
    pub source: TopicPartition,
    /// The partition on the target.
    pub target: TopicPartition,
    /// The difference.
    pub difference: Difference,
    /// Both sides are known to keep the producer's timestamps.
    pub timestamps: bool,
}

/// What a record that was read again shows of itself, as prints do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintNow {
    /// XXH3-64 of the key, hex; `None` when it has none.
    pub key_hash: Option<String>,
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
    /// Bytes of key, value and headers.
    pub bytes: u32,
}

impl ContentProof {
    /// The difference it cites that has a record at this place.
    #[must_use]
    pub fn cited(&self, place: &Place) -> Option<Cited> {
        let mut all = self.partitions.iter().flat_map(PartitionContent::cited);
        all.find(|cited| cited.places().contains(place)).map(|cited| {
            let topic = self.topics.get(&cited.source.topic);
            Cited { timestamps: topic.is_some_and(|topic| topic.timestamps), ..cited }
        })
    }
}

impl PartitionContent {
    /// The differences of it that the proof cites.
    pub fn cited(&self) -> impl Iterator<Item = Cited> {
        self.found.examples.iter().map(|difference| Cited {
            source: self.source.clone(),
            target: self.target.clone(),
            difference: difference.clone(),
            timestamps: false,
        })
    }
}

impl Cited {
    /// Where its record stands: on one side, or on both when it is out of order.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let Difference { source_offset, target_offset, .. } = self.difference;
        let at = |side, partition: &TopicPartition, offset: Option<i64>| {
            Some(Place { side, partition: partition.clone(), offset: offset? })
        };
        let source = at(ProofSide::Source, &self.source, source_offset);
        source.into_iter().chain(at(ProofSide::Target, &self.target, target_offset)).collect()
    }

    /// What says that a record read on a side now is not the one that was compared; `None` when nothing does. Nothing more of
    /// a value is kept than how long it was, so a record is told from another by time, key and length.
    #[must_use]
    pub fn told_apart(&self, side: ProofSide, now: &PrintNow) -> Option<&'static str> {
        let then = &self.difference;
        // Of a record on both sides the source's time is kept.
        let of_source = then.source_offset.is_some();
        let comparable = self.timestamps || of_source == (side == ProofSide::Source);
        match (then.bytes, then.timestamp) {
            (None, _) | (_, None) => Some("the proof keeps no print of it to know it again by"),
            (Some(bytes), _) if bytes != now.bytes => Some("it has another length"),
            _ if then.key_hash != now.key_hash => Some("it has another key"),
            (_, Some(then)) if comparable && then != now.timestamp => Some("it has another time"),
            (Some(_), Some(_)) => None,
        }
    }
}

/// What came of looking for a record at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is there.
    Shown {
        /// The record.
        record: Box<ShownRecord>,
        /// Its transaction was committed, or it was written without one. Else it was aborted, or is still open.
        committed: bool,
    },
    /// It is not there any more.
    Gone {
        /// Why, as far as it can be told.
        because: String,
    },
    /// Another record stands there, which is none of the proof's and so is not shown.
    Another {
        /// What tells them apart.
        because: String,
    },
    /// The side could not be read.
    Unreadable {
        /// Why.
        because: String,
    },
}

/// One place and what came of looking there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedAt {
    /// The place.
    pub place: Place,
    /// The cluster of that side.
    pub cluster: ClusterName,
    /// What came of it.
    pub look: Look,
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{
        content::{Compacted, DifferenceKind, Found},
        proof::content::{ContentAsk, ContentFacts, Stretch, StretchEnd},
    };

    fn difference(kind: DifferenceKind, source: Option<i64>, target: Option<i64>) -> Difference {
        Difference {
            kind,
            source_offset: source,
            target_offset: target,
            key_hash: Some("aa".to_owned()),
            timestamp: Some(7),
            bytes: Some(9),
        }
    }

    fn proof() -> ContentProof {
        let stretch = |topic: &str, timestamps| Stretch {
            source: TopicPartition::new(topic, 0),
            target: TopicPartition::new(format!("west.{topic}"), 0),
            source_from: 0,
            source_until: 10,
            required_until: 10,
            target_until: 10,
            source_goes_on: false,
            timestamps,
            compacted: Compacted::default(),
        };
        let compared = |examples| StretchEnd::Compared {
            found: Found { missing: 1, examples, ..Found::default() },
            source_gone: 0,
            target_gone: 0,
        };
        let orders = vec![
            difference(DifferenceKind::Missing, Some(3), None),
            difference(DifferenceKind::Extra, None, Some(4)),
            difference(DifferenceKind::OutOfOrder, Some(5), Some(6)),
        ];
        let stamped = vec![
            difference(DifferenceKind::OutOfOrder, Some(5), Some(6)),
            difference(DifferenceKind::Extra, None, Some(4)),
        ];
        let ends =
            [(stretch("orders", true), compared(orders)), (stretch("stamped", false), compared(stamped))];
        let (began_at, asked) = (DateTime::UNIX_EPOCH, ContentAsk::default());
        ContentProof::new(ContentFacts { began_at, took_ms: 5, asked, sampling: None, processes: 1 }, &ends)
    }

    fn place(side: ProofSide, topic: &str, partition: i32, offset: i64) -> Place {
        Place { side, partition: TopicPartition::new(topic, partition), offset }
    }

    #[test]
    fn only_what_is_cited_is_found_and_by_its_own_sides_name() {
        let proof = proof();
        let missing = place(ProofSide::Source, "orders", 0, 3);
        assert_eq!(proof.cited(&missing).map(|cited| cited.places()), Some(vec![missing]));
        let moved = [place(ProofSide::Source, "orders", 0, 5), place(ProofSide::Target, "west.orders", 0, 6)];
        for place in &moved {
            assert_eq!(proof.cited(place).map(|cited| cited.places()), Some(moved.to_vec()), "{place}");
        }
        for other in [
            place(ProofSide::Source, "orders", 0, 4),
            place(ProofSide::Target, "west.orders", 0, 3),
            place(ProofSide::Target, "orders", 0, 4),
            place(ProofSide::Source, "orders", 1, 3),
            place(ProofSide::Source, "west.orders", 0, 3),
            place(ProofSide::Source, "payments", 0, 3),
        ] {
            assert_eq!(proof.cited(&other), None, "{other}");
        }
    }

    #[test]
    fn another_record_at_its_place_is_told_apart() {
        let proof = proof();
        let now = PrintNow { key_hash: Some("aa".to_owned()), timestamp: 7, bytes: 9 };
        let source = ProofSide::Source;
        let missing = proof.cited(&place(source, "orders", 0, 3)).expect("cited");
        assert_eq!(missing.told_apart(source, &now), None);
        for (other, why) in [
            (PrintNow { bytes: 10, ..now.clone() }, "it has another length"),
            (PrintNow { key_hash: None, ..now.clone() }, "it has another key"),
            (PrintNow { timestamp: 8, ..now.clone() }, "it has another time"),
        ] {
            assert_eq!(missing.told_apart(source, &other), Some(why));
        }
        let unknown =
            Cited { difference: Difference { bytes: None, ..missing.difference.clone() }, ..missing };
        assert!(unknown.told_apart(source, &now).is_some(), "what cannot be known again is not shown");
    }

    #[test]
    fn the_brokers_own_times_are_compared_only_where_they_are_kept() {
        let proof = proof();
        let late = PrintNow { key_hash: Some("aa".to_owned()), timestamp: 8, bytes: 9 };
        let (source, target) = (ProofSide::Source, ProofSide::Target);
        let moved = proof.cited(&place(source, "stamped", 0, 5)).expect("cited");
        assert_eq!(moved.told_apart(target, &late), None, "the source's time is kept, not the target's");
        assert!(moved.told_apart(source, &late).is_some());
        let foreign = proof.cited(&place(target, "west.stamped", 0, 4)).expect("cited");
        assert!(foreign.told_apart(target, &late).is_some());
        let alike = proof.cited(&place(source, "orders", 0, 5)).expect("cited");
        assert!(alike.told_apart(target, &late).is_some());
    }
}
