//! Which partitions are read in a look, which rings are kept of more than there is room for, and what is remembered between two looks.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use muster_domain::topic::{ByPartition, TopicPartition};
use muster_kafka::{ClusterAdmin, Isolation};
use muster_replication::translate::{Ends, ReadRings, Wanted};
use muster_store::rings::{MOST_PARTITIONS, NewRings};

/// Partitions that are read in one look; of more those that were looked at longest ago come first.
const AT_ONCE: usize = 256;
/// Looks in which a partition that could not be read is left alone.
const REST: u64 = 6;
/// Looks until a topic's configs are asked for again.
const CONFIGS_EVERY: u64 = 30;

/// What one process remembers of a flow's source between looks.
#[derive(Debug, Default)]
pub struct RingMemory {
    turn: u64,
    /// Which records the flow copies and whether never twice, as its connector said last.
    pub(super) copies: Option<(Isolation, bool)>,
    /// Topics of the target, with when they were asked whether its brokers write their own timestamps there, and whether they
    /// do.
    own_time: BTreeMap<String, (u64, bool)>,
    seen: ByPartition<Seen>,
    /// Partitions that no group stands on any more, until what is kept of them is forgotten.
    left: BTreeSet<TopicPartition>,
}

/// A partition that was looked at.
#[derive(Debug, Default)]
struct Seen {
    turn: u64,
    /// `None` when no rings are kept.
    kept: Option<KeptFor>,
    /// It could not be read the last time.
    unread: bool,
}

/// What rings were read for.
#[derive(Debug)]
struct KeptFor {
    positions: BTreeSet<i64>,
    end: i64,
    settled: bool,
}

/// What a look found, to be kept.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is to be kept, and what of what was kept gives way.
    pub found: NewRings,
    /// Positions rings were read for.
    positions: ByPartition<BTreeSet<i64>>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) wanted: ByPartition<Wanted>,
    /// Partitions of which it is not told where they end.
    unread: ByPartition<String>,
    /// Partitions whose rings may give way to others: nobody is behind there. Those looked at longest ago come first.
    may_go: Vec<TopicPartition>,
}

/// A partition that is due.
struct Due {
    turn: u64,
    at: TopicPartition,
    is_kept: bool,
    /// A group has not read all of it, or that is not known.
    behind: bool,
    look: Result<Wanted, String>,
}

impl RingMemory {
    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// Nothing that was kept counts any more.
    pub(super) fn begin_anew(&mut self) {
        (self.copies, self.seen, self.left) = (None, ByPartition::new(), BTreeSet::new());
    }

    /// What a look found is kept: it is not read again until something moves. What the store had no room for is not, and has its turn
    /// again.
    pub fn kept(&mut self, looked: Looked, dropped: &[TopicPartition]) {
        let Looked { found: NewRings { rings, unread, forget, .. }, mut positions } = looked;
        for at in &forget {
            self.seen.remove(at);
            self.left.remove(at);
        }
        for at in unread.into_keys() {
            let seen = self.seen.entry(at).or_default();
            (seen.turn, seen.unread) = (self.turn, true);
        }
        for (at, rings) in rings {
            let positions = positions.remove(&at).unwrap_or_default();
            let kept = KeptFor { positions, end: rings.source_end, settled: rings.is_settled() };
            self.seen.insert(at, Seen { turn: self.turn, kept: Some(kept), unread: false });
        }
        for at in dropped {
            self.seen.remove(at);
        }
    }

    /// Asks on which of these topics the target's brokers write their own timestamps, if that was not asked lately.
    pub(super) async fn ask_own_time(&mut self, target: &dyn ClusterAdmin, topics: BTreeSet<String>) {
        let turn = self.turn;
        self.own_time.retain(|_, (asked, _)| *asked + CONFIGS_EVERY > turn);
        let unknown: Vec<String> =
            topics.into_iter().filter(|topic| !self.own_time.contains_key(topic)).collect();
        if unknown.is_empty() {
            return;
        }
        let configs = target.topic_configs(&unknown).await.unwrap_or_else(|cause| {
            tracing::warn!(%cause, "what timestamps the target's topics have is not known: they are compared");
            BTreeMap::new()
        });
        for topic in unknown {
            let told = configs.get(&topic).and_then(|told| told.as_ref().ok());
            let kind = told.and_then(|configs| configs.get("message.timestamp.type"));
            let own = kind.is_some_and(|kind| kind.value.as_deref() == Some("LogAppendTime"));
            self.own_time.insert(topic, (turn, own));
        }
    }

    pub(super) fn has_own_time(&self, topic: &str) -> bool {
        self.own_time.get(topic).is_some_and(|(_, own)| *own)
    }

    /// Lets go of partitions that no group stands on any more.
    pub(super) fn let_go(&mut self, positions: &ByPartition<BTreeSet<i64>>) {
        let left = self.seen.keys().filter(|at| !positions.contains_key(*at));
        let left: Vec<TopicPartition> = left.cloned().collect();
        for at in left {
            self.seen.remove(&at);
            self.left.insert(at);
        }
    }

    /// Partitions to read, those looked at longest ago first. Of more than there is room for those that are kept stay, so that
    /// nothing is read only to be dropped again; but where a group is behind it takes the place of rings where none is.
    pub(super) fn choose(
        &self,
        positions: ByPartition<BTreeSet<i64>>,
        ends: &Ends,
        keeps_all: impl Fn(&str) -> bool,
    ) -> Chosen {
        let (mut due, mut may_go) = (Vec::new(), Vec::new());
        for (at, positions) in positions {
            let Some(ends) = ends.get(&at) else { continue };
            let seen = self.seen.get(&at);
            let turn = seen.map_or(0, |seen| seen.turn);
            let is_kept = seen.is_some_and(|seen| seen.kept.is_some());
            let behind = match ends {
                Ok((end, _)) => positions.first().is_some_and(|first| first < end),
                Err(_) => true,
            };
            if seen.is_none_or(|seen| self.is_due(seen, &positions, ends)) {
                let keeps_all = keeps_all(&at.topic);
                let look = match ends {
                    Ok(ends) => Ok(Wanted { positions, ends: *ends, keeps_all, timestamps: true }),
                    Err(why) => Err(why.clone()),
                };
                due.push(Due { turn, at, is_kept, behind, look });
            } else if is_kept && !behind {
                may_go.push((turn, at));
            }
        }
        due.sort_by_key(|due| (due.turn, Reverse(due.behind)));
        may_go.sort();
        let may_go = may_go.into_iter().map(|(_, at)| at).collect();
        self.admit(due, Chosen { may_go, ..Chosen::default() })
    }

    /// Whether there is anything to be read: whoever could not be read rests, and what stood still is as it was.
    fn is_due(&self, seen: &Seen, positions: &BTreeSet<i64>, ends: &Result<(i64, i64), String>) -> bool {
        if seen.unread {
            return self.turn >= seen.turn + REST;
        }
        let stands = |end: i64| ends.as_ref().is_ok_and(|(now, _)| *now == end);
        let as_it_was = |kept: &KeptFor| kept.positions == *positions && (kept.settled || stands(kept.end));
        !seen.kept.as_ref().is_some_and(as_it_was)
    }

    /// As many as are read in one look and there is room for.
    fn admit(&self, due: Vec<Due>, mut chosen: Chosen) -> Chosen {
        let kept = self.seen.values().filter(|seen| seen.kept.is_some()).count();
        let mut room = room().saturating_sub(kept);
        let mut may_go = chosen.may_go.len();
        for Due { at, is_kept, behind, look, .. } in due {
            let wanted = match look {
                Ok(wanted) if chosen.wanted.len() < AT_ONCE => wanted,
                // Nothing is read of it, so it takes nobody's place.
                Err(why) if chosen.unread.len() < AT_ONCE => {
                    chosen.unread.insert(at, why);
                    continue;
                }
                Ok(_) | Err(_) => continue,
            };
            match (is_kept, room, behind && may_go > 0) {
                (true, ..) => {}
                (false, 1.., _) => room -= 1,
                (false, 0, true) => may_go -= 1,
                (false, 0, false) => continue,
            }
            chosen.wanted.insert(at, wanted);
        }
        chosen
    }

    /// What a look found, with what gives way to it.
    pub(super) fn looked(&self, chosen: Chosen, read: ReadRings, groups_on: usize) -> Looked {
        let Chosen { wanted, mut unread, may_go } = chosen;
        let ReadRings { rings, unread: refused } = read;
        unread.extend(refused);
        let is_new = |at: &TopicPartition| self.seen.get(at).is_none_or(|seen| seen.kept.is_none());
        let kept = self.seen.values().filter(|seen| seen.kept.is_some()).count();
        let kept = kept + rings.keys().filter(|at| is_new(at)).count();
        let give_way = may_go.into_iter().take(kept.saturating_sub(room()));
        let forget = self.left.iter().cloned().chain(give_way).collect();
        let beyond = i64::try_from(groups_on.saturating_sub(room())).unwrap_or(i64::MAX);
        let positions = wanted.into_iter().map(|(at, wanted)| (at, wanted.positions)).collect();
        Looked { found: NewRings { rings, unread, forget, beyond }, positions }
    }
}

/// Partitions of which rings are kept.
fn room() -> usize {
    usize::try_from(MOST_PARTITIONS).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use muster_domain::translation::Rings;

    use super::*;

    fn at(number: i32) -> TopicPartition {
        TopicPartition::new("orders", number)
    }

    /// A group at one position of each partition.
    fn groups(numbers: Range<i32>, position: i64) -> ByPartition<BTreeSet<i64>> {
        numbers.map(|number| (at(number), BTreeSet::from([position]))).collect()
    }

    fn ends(numbers: Range<i32>, end: i64) -> Ends {
        numbers.map(|number| (at(number), Ok((end, 4)))).collect()
    }

    /// A look at what is due, of which some cannot be read.
    fn look(
        memory: &mut RingMemory,
        groups: &ByPartition<BTreeSet<i64>>,
        ends: &Ends,
        unreadable: &[i32],
    ) -> Looked {
        memory.turn += 1;
        memory.let_go(groups);
        let chosen = memory.choose(groups.clone(), ends, |_| true);
        let mut read = ReadRings::default();
        for (place, wanted) in &chosen.wanted {
            if unreadable.contains(&place.partition) {
                read.unread.insert(place.clone(), "refused".to_owned());
                continue;
            }
            let (source_end, target_end) = wanted.ends;
            let (runs, positions) = (Vec::new(), Vec::new());
            let rings = Rings { source_end, target_end, keeps_all: true, runs, positions };
            read.rings.insert(place.clone(), rings);
        }
        memory.looked(chosen, read, groups.len())
    }

    /// The same, of which all can be read and is kept; answers which were read.
    fn keep(memory: &mut RingMemory, groups: &ByPartition<BTreeSet<i64>>, ends: &Ends) -> Vec<i32> {
        let looked = look(memory, groups, ends, &[]);
        let read = looked.found.rings.keys().map(|at| at.partition).collect();
        memory.kept(looked, &[]);
        read
    }

    #[test]
    fn only_what_moved_is_read_again_and_what_waits_longest_comes_first() {
        let mut memory = RingMemory::default();
        let all = groups(0..300, 7);
        assert_eq!(keep(&mut memory, &all, &ends(0..300, 9)), (0..256).collect::<Vec<_>>());
        for kept in memory.seen.values_mut().filter_map(|seen| seen.kept.as_mut()) {
            kept.settled = false;
        }
        assert_eq!(keep(&mut memory, &all, &ends(0..300, 9)), (256..300).collect::<Vec<_>>());
        assert_eq!(keep(&mut memory, &all, &ends(0..300, 9)), [0; 0], "nothing moved");
        // The end moved: all that are not settled are read again, those that were read last behind the others.
        for kept in memory.seen.values_mut().filter_map(|seen| seen.kept.as_mut()) {
            kept.settled = false;
        }
        assert_eq!(keep(&mut memory, &all, &ends(0..300, 10)), (0..256).collect::<Vec<_>>());
        assert_eq!(keep(&mut memory, &all, &ends(0..300, 10)), (256..300).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_read_is_told_of_and_has_its_turn_like_others() {
        let mut memory = RingMemory::default();
        let (all, mut known) = (groups(0..4, 7), ends(0..4, 9));
        known.insert(at(3), Err("it has no leader".to_owned()));
        let looked = look(&mut memory, &all, &known, &[1]);
        let told = |numbers: [(i32, &str); 2]| -> ByPartition<String> {
            numbers.into_iter().map(|(number, why)| (at(number), why.to_owned())).collect()
        };
        assert_eq!(looked.found.unread, told([(1, "refused"), (3, "it has no leader")]));
        assert_eq!(looked.found.rings.keys().cloned().collect::<Vec<_>>(), [at(0), at(2)]);
        memory.kept(looked, &[]);
        for _ in 1..REST {
            assert_eq!(keep(&mut memory, &all, &known), [0; 0], "they rest, and the others stand still");
        }
        assert_eq!(keep(&mut memory, &all, &ends(0..4, 9)), [1, 3], "now they can be read");
        assert_eq!(keep(&mut memory, &all, &ends(0..4, 9)), [0; 0]);
        // What was kept of one stays while it cannot be read.
        let moved = groups(0..4, 8);
        let looked = look(&mut memory, &moved, &known, &[]);
        assert_eq!((looked.found.rings.len(), looked.found.forget.len()), (3, 0));
        memory.kept(looked, &[]);
        assert!(memory.seen[&at(3)].kept.is_some() && memory.seen[&at(3)].unread);
    }

    /// Twenty thousand partitions where nothing moves, of which half can be kept: those with groups that are behind. Once they are, nothing
    /// is read any more.
    #[test]
    fn of_more_partitions_than_there_is_room_for_those_with_groups_behind_are_kept_and_stay() {
        let mut memory = RingMemory::default();
        let mut all = groups(0..10_000, 9);
        all.extend(groups(10_000..20_000, 7));
        let known = ends(0..20_000, 9);
        let mut read = Vec::new();
        for _ in 0..45 {
            read.extend(keep(&mut memory, &all, &known));
        }
        assert_eq!(read, (10_000..20_000).collect::<Vec<_>>(), "each once, and no other");
        let still = look(&mut memory, &all, &known, &[]);
        assert_eq!((still.found.rings.len(), still.found.forget.len(), still.found.beyond), (0, 0, 10_000));
        memory.kept(still, &[]);
        // One comes to its end. It stays until there is another one behind, and gives way to no other.
        all.extend(groups(12_345..12_346, 9));
        assert_eq!(keep(&mut memory, &all, &known), [12_345]);
        all.extend(groups(5..6, 8));
        let looked = look(&mut memory, &all, &known, &[]);
        assert_eq!(looked.found.rings.keys().cloned().collect::<Vec<_>>(), [at(5)]);
        assert_eq!(looked.found.forget, [at(12_345)]);
        memory.kept(looked, &[]);
        all.extend(groups(6..7, 8));
        assert_eq!(keep(&mut memory, &all, &known), [0; 0], "all that are kept have groups behind");
        // Groups leave one, and its place is taken.
        all.remove(&at(19_999));
        let looked = look(&mut memory, &all, &known, &[]);
        assert_eq!(looked.found.rings.keys().cloned().collect::<Vec<_>>(), [at(6)]);
        assert_eq!(looked.found.forget, [at(19_999)]);
    }

    #[test]
    fn what_the_store_dropped_is_read_again_in_its_turn() {
        let mut memory = RingMemory::default();
        let (all, known) = (groups(0..3, 7), ends(0..3, 9));
        let looked = look(&mut memory, &all, &known, &[]);
        memory.kept(looked, &[at(1)]);
        assert_eq!(keep(&mut memory, &all, &known), [1]);
        assert_eq!(keep(&mut memory, &all, &known), [0; 0]);
    }
}
