//! Offset pairs as they are kept: what was read of an offset-syncs topic, stretch by stretch, joined and within bounds.
//!
//! MirrorMaker 2 has its offset-syncs topic compacted, so of a group that is far behind the topic soon knows nothing. What was
//! read once is therefore kept, and everything that makes room here makes brackets wider, never wrong: pairs inside a
//! lifetime of the task are forgotten, or everything before some pair, which is what somebody knows who began to read there.
//! Never is something left out in the middle without saying so: what a flow did there (copied again, into a topic made anew)
//! would be read out of pairs that do not tell it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::{ByPartition, TopicPartition},
};

/// How much is kept of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Partitions; pairs of others are refused.
    pub partitions: usize,
    /// Pairs of one partition.
    pub of_partition: usize,
    /// Pairs of all partitions.
    pub pairs: usize,
}

/// What is kept of a flow, in memory (16 bytes a pair) and in the database.
pub const BOUNDS: Bounds = Bounds { partitions: 200_000, of_partition: 200_000, pairs: 2_000_000 };

/// Characters of the longest name a topic can have.
const LONGEST_NAME: usize = 249;

/// In the place of a copy's id: copies are under another name than the flow's policy gives them, and no id says which they are.
pub const ELSEWHERE: Uuid = Uuid::nil();

/// Which log pairs were read from. One without an id (brokers before 2.8) cannot be told from another one of its name, so nothing
/// of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncsTopic {
    /// Name of the cluster in Muster.
    pub cluster: String,
    /// Name of the topic there.
    pub name: String,
    /// Its id.
    pub id: Uuid,
}

/// What a stretch of an offset-syncs topic says of one source partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionPairs {
    /// Nothing that was known of the partition before goes on in these pairs: something between them may be missing.
    pub anew: bool,
    /// The last time its pairs went back, where they did in this stretch.
    pub rewind: Option<Rewind>,
    /// Its pairs, oldest first.
    pub pairs: Vec<OffsetPair>,
}

/// What was read of an offset-syncs topic from one offset to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadPairs {
    /// First offset that was read.
    pub from: i64,
    /// One past the last.
    pub until: i64,
    /// What it says, by source partition.
    pub partitions: ByPartition<PartitionPairs>,
    /// What could not be read and is not forgotten yet, from the beginning of the log on and not only in this stretch.
    pub unreadable: UnreadableSyncs,
}

/// What is kept of a flow's pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// How often something was kept: whoever keeps more says which turn they go on from.
    pub turn: i64,
    /// The log, and everything that was read of it; `None` when what is kept does not read back.
    pub pairs: Option<(SyncsTopic, ReadPairs)>,
    /// As of when, and of which copies.
    pub seen: Seen,
}

/// What pairs are worth once nobody can read on: as of when they are, and which topics of the target they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// When their log was read to its end last, by Muster's clock: no pair of before is missing. `None` where a version before kept them.
    pub read_at: Option<DateTime<Utc>>,
    /// By source topic, the id of its copy, or [`ELSEWHERE`]. The pairs of a topic are of that copy, and of one that is not in it
    /// nothing is known.
    pub copies: BTreeMap<String, Uuid>,
}

/// How far a flow's pairs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptUntil {
    /// How often something was kept.
    pub turn: i64,
    /// The log.
    pub topic: SyncsTopic,
    /// One past the last offset of it.
    pub until: i64,
}

impl ReadPairs {
    /// Nothing yet, from an offset on.
    #[must_use]
    pub fn beginning_at(offset: i64, unreadable: UnreadableSyncs) -> Self {
        Self { from: offset, until: offset, partitions: ByPartition::new(), unreadable }
    }

    /// How many pairs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.partitions.values().map(|known| known.pairs.len()).sum()
    }

    /// Joins what was read behind it.
    pub fn append(&mut self, later: Self) {
        for (partition, later) in later.partitions {
            let known = self.partitions.entry(partition).or_default();
            if later.anew {
                known.begin_anew();
            }
            known.pairs.extend(later.pairs);
            known.rewind = later.rewind.or(known.rewind);
        }
        self.until = later.until;
        self.unreadable = later.unreadable;
    }

    /// Makes room until it is within the bounds.
    pub fn keep_within(&mut self, bounds: Bounds) {
        while self.partitions.len() > bounds.partitions {
            self.partitions.pop_last();
        }
        let mut share = bounds.of_partition;
        self.shorten(share);
        while share > 1 && self.count() > bounds.pairs {
            share /= 2;
            self.shorten(share);
        }
    }

    fn shorten(&mut self, most: usize) {
        for known in self.partitions.values_mut() {
            known.shorten(most);
        }
    }
}

impl PartitionPairs {
    /// Forgets what was known: what comes now does not go on from it.
    pub fn begin_anew(&mut self) {
        self.pairs.clear();
        self.anew = true;
    }

    fn shorten(&mut self, most: usize) {
        while self.pairs.len() > most {
            let before = self.pairs.len();
            thin_out(&mut self.pairs);
            // A task that began again at nearly every pair, or somebody who writes as if it had: nothing inside may go.
            if before - self.pairs.len() < before.div_ceil(16) {
                self.pairs.drain(..before.div_ceil(2).min(self.pairs.len()));
                self.anew = true;
            }
        }
        if self.pairs.capacity() > most.saturating_mul(2) {
            self.pairs.shrink_to_fit();
        }
    }
}

/// Forgets every second pair of the older half, but never where a lifetime ends and the next begins, or one copy ends and the next
/// begins: without the one a list that is thinned again would no longer show the other.
fn thin_out(pairs: &mut Vec<OffsetPair>) {
    let older = pairs.len() / 2;
    let begins = |at: usize| {
        pairs.get(at).is_some_and(|pair| {
            at == 0 || pair.upstream <= pairs[at - 1].upstream || pair.downstream <= pairs[at - 1].downstream
        })
    };
    let stays: Vec<bool> = (0..pairs.len())
        .map(|at| at >= older || !at.is_multiple_of(2) || begins(at) || begins(at + 1))
        .collect();
    let mut stays = stays.into_iter();
    pairs.retain(|_| stays.next() == Some(true));
}

/// Whether a topic can have the name that an offset sync says: others may have written it.
#[must_use]
pub fn can_be_a_topic(partition: &TopicPartition) -> bool {
    let name = partition.topic.as_str();
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(usual) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(upstream: i64, downstream: i64) -> OffsetPair {
        OffsetPair { upstream, downstream }
    }

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("orders", partition)
    }

    fn read((from, until): (i64, i64), partitions: &[(i32, bool, &[OffsetPair])]) -> ReadPairs {
        let of = |(number, anew, pairs): &(i32, bool, &[OffsetPair])| {
            (at(*number), PartitionPairs { anew: *anew, rewind: None, pairs: pairs.to_vec() })
        };
        ReadPairs {
            partitions: partitions.iter().map(of).collect(),
            until,
            ..ReadPairs::beginning_at(from, UnreadableSyncs::default())
        }
    }

    #[test]
    fn stretches_are_joined_and_what_begins_anew_forgets_what_was_before() {
        let mut all = read((0, 10), &[(0, false, &[pair(1, 1), pair(2, 2)]), (1, false, &[pair(5, 5)])]);
        let back = Rewind { from: 5, to: 3, downstream: 9 };
        let mut later = read((10, 20), &[(0, true, &[pair(9, 7)]), (1, false, &[pair(3, 9)])]);
        later.partitions.get_mut(&at(1)).expect("it is there").rewind = Some(back);
        later.unreadable.add(2, "longer".to_owned());
        all.append(later);
        assert_eq!((all.from, all.until, all.count(), all.unreadable.count), (0, 20, 3, 2));
        assert_eq!(all.partitions[&at(0)].pairs, [pair(9, 7)]);
        assert!(all.partitions[&at(0)].anew, "whoever joins it to what came before has to know");
        assert_eq!(all.partitions[&at(1)].pairs, [pair(5, 5), pair(3, 9)]);
        all.append(read((20, 30), &[(1, false, &[pair(4, 10)])]));
        assert_eq!(
            all.partitions[&at(1)].rewind,
            Some(back),
            "the last time it went back stays the last time"
        );
    }

    #[test]
    fn thinning_keeps_lifetimes_and_the_newer_half() {
        let mut pairs: Vec<_> = (0..10).map(|i| pair(i * 10, i * 10)).collect();
        pairs.extend((0..10).map(|i| pair(55 + i * 10, 100 + i * 10)));
        let last = *pairs.last().expect("filled");
        thin_out(&mut pairs);
        assert_eq!(pairs.len(), 16);
        assert_eq!(pairs[0], pair(0, 0));
        assert!(pairs.contains(&pair(55, 100)));
        assert_eq!(pairs.last(), Some(&last));
    }

    #[test]
    fn thinning_keeps_where_a_copy_was_made_anew() {
        let mut pairs: Vec<_> = (0..4).map(|i| pair(i * 10, i * 10)).collect();
        pairs.extend((0..30).map(|i| pair(31 + i * 10, i * 10)));
        while pairs.len() > 12 {
            let before = pairs.len();
            thin_out(&mut pairs);
            assert!(pairs.len() < before, "{pairs:?}");
        }
        assert!(pairs.windows(2).any(|two| two == [pair(30, 30), pair(31, 0)]), "{pairs:?}");
    }

    #[test]
    fn where_every_pair_begins_a_lifetime_the_oldest_go_and_it_is_said() {
        let back_and_forth: Vec<_> = (0..1000).map(|i| pair(1_000_000 - i, i)).collect();
        let mut all = read((0, 1000), &[(0, false, &back_and_forth)]);
        all.keep_within(Bounds { of_partition: 100, ..BOUNDS });
        let known = &all.partitions[&at(0)];
        assert!(known.anew && known.pairs.len() <= 100, "{}", known.pairs.len());
        assert_eq!(known.pairs, back_and_forth[1000 - known.pairs.len()..], "the newest, without a gap");
    }

    #[test]
    fn names_that_no_topic_has_are_somebody_elses() {
        let named = |name: &str| can_be_a_topic(&TopicPartition::new(name, 0));
        assert!(named("orders.placed_v2-x") && named(&"a".repeat(249)));
        assert!(!named("") && !named("..") && !named("or ders") && !named("ö") && !named(&"a".repeat(250)));
    }

    proptest! {
        /// Whatever is written: within the bounds, and never something missing in the middle but inside a lifetime.
        #[test]
        fn nothing_is_beyond_the_bounds_and_the_newest_pair_of_each_partition_stays(
            lists in prop::collection::vec(prop::collection::vec((0_i64..60, 1_i64..9), 1..80), 1..12),
            of_partition in 1_usize..40,
            pairs in 6_usize..60,
        ) {
            let bounds = Bounds { partitions: 6, of_partition, pairs };
            let mut all = ReadPairs::default();
            for (number, steps) in (0..).zip(&lists) {
                let mut downstream = 0;
                let written = steps.iter().map(|(upstream, step)| {
                    downstream += step;
                    pair(*upstream, downstream)
                });
                let known = PartitionPairs { pairs: written.collect(), ..PartitionPairs::default() };
                all.partitions.insert(at(number), known);
            }
            let whole = all.clone();
            all.keep_within(bounds);
            prop_assert!(all.partitions.len() <= bounds.partitions && all.count() <= bounds.pairs);
            for (partition, known) in &all.partitions {
                let was = &whole.partitions[partition].pairs;
                prop_assert!(known.pairs.len() <= of_partition);
                prop_assert_eq!(known.pairs.last(), was.last());
                let begins = was.iter().position(|pair| Some(pair) == known.pairs.first()).expect("one of them");
                prop_assert!(begins == 0 || known.anew, "the oldest went without a word");
                let starts = |list: &[OffsetPair]| -> Vec<OffsetPair> {
                    let back = list.windows(2).filter(|two| two[1].upstream <= two[0].upstream);
                    back.map(|two| two[1]).collect()
                };
                prop_assert_eq!(starts(&known.pairs), starts(&was[begins..]), "where lifetimes begin is still seen");
            }
        }
    }
}
