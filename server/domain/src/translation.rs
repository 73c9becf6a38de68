//! Finding a group's position on the other cluster, exactly where the records can be compared.
//!
//! MirrorMaker 2 keeps records in order but not their offsets. Between two offset syncs ("pairs") nothing can be
//! computed from numbers alone: holes and extra records make every extrapolation skip data (mm2-verified, correction
//! 1). So positions are found by comparing records, and where that decides nothing the answer is an earlier position
//! that is safe. This module never answers a position past the truth; it says by how many records it may be early.

mod back;
mod content;
#[cfg(test)]
mod forgotten;
#[cfg(test)]
mod histories;
mod ladder;
mod lifetimes;
mod ring;
mod syncs_then;
#[cfg(test)]
mod tests;
mod timestamp_search;

use serde::{Deserialize, Serialize};

pub use self::back::{Copies, copies_before, translate_back};
pub use self::ladder::Mm2Ladder;
pub use self::lifetimes::Lifetimes;
pub use self::ring::{Held, Kept, MOST_POSITIONS, RING, Resumed, Ring, Rings, Run, SyncsAround, resume};
pub use self::syncs_then::{CopyEnds, SyncsThen};
pub use self::timestamp_search::compared_around;
use self::{content::Bracketed, lifetimes::Bracket};
use crate::{reading::ReadingClass, survey::OffsetPair};

/// A record a group would be given: data, and committed data only where the flow copies committed data only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visible {
    /// Its offset.
    pub offset: i64,
    /// Hash of timestamp, key, value and headers; without the timestamp where brokers of the target wrote their own
    /// (`message.timestamp.type=LogAppendTime`), in all records that are compared with each other alike.
    pub fingerprint: u64,
}

/// How a position was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing is left to read for the group: the end of the target.
    Drained,
    /// An offset sync names this very record.
    Pair,
    /// Between two syncs with equal distances, and the records agree.
    Linear,
    /// Same rank after an offset sync on both sides, and the records agree.
    Rank,
    /// Found by comparing records.
    Content,
    /// One past an offset sync: safe, and as good as it gets without comparable records.
    PairFloor,
    /// Found by prints of the source's records that were kept while it could be read.
    Ring,
    /// Too far from every sync: looked for by time, and found by comparing the records around it.
    TimestampSearch,
}

/// A position on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Next offset to read there.
    pub target_offset: i64,
    /// `Exact` when proven; `LowerBound` when it may be early, never late.
    pub class: ReadingClass,
    /// How it was found.
    pub method: Method,
    /// Most records the group reads again because of it.
    pub reprocessed_at_most: i64,
}

impl Mapping {
    /// For a group that has read everything: the end of the target.
    #[must_use]
    pub fn drained(target_end: i64) -> Self {
        Self::exact(target_end, Method::Drained)
    }

    fn exact(target_offset: i64, method: Method) -> Self {
        Self { target_offset, class: ReadingClass::Exact, method, reprocessed_at_most: 0 }
    }

    fn early(target_offset: i64, method: Method, reprocessed_at_most: i64) -> Self {
        let reprocessed_at_most = reprocessed_at_most.max(0);
        let class = if reprocessed_at_most == 0 { ReadingClass::Exact } else { ReadingClass::LowerBound };
        Self { target_offset, class, method, reprocessed_at_most }
    }
}

/// Why no position can be given. The group is then refused by name, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Untranslatable {
    /// A committed offset is never negative.
    #[error("{offset} is not an offset a group can have")]
    BadOffset {
        /// What was given.
        offset: i64,
    },
    /// Nothing relates the two logs.
    #[error("no offset sync of this partition was ever seen and the records decide nothing")]
    NoPair,
    /// Everything known begins later.
    #[error(
        "the group stands at {offset}, before the oldest known offset sync at {oldest}, and the records decide nothing"
    )]
    BeforeFirstPair {
        /// Where the group stands.
        offset: i64,
        /// Lowest source offset of any pair.
        oldest: i64,
    },
    /// The records at both ends of a pair differ: other topics than the pair was made for, or a changing flow (SMT).
    #[error(
        "the record at {upstream} on the source is not the one at {downstream} on the target although an offset sync \
         says so: a topic was recreated, or the flow changes records"
    )]
    PairContradicted {
        /// Source offset of the pair.
        upstream: i64,
        /// Target offset of the pair.
        downstream: i64,
    },
    /// Pairs point past the end of the target and no records show what still holds.
    #[error(
        "an offset sync names target offset {downstream} but the target ends at {target_end}: it was recreated, or the copies \
         are elsewhere"
    )]
    PairBeyondTarget {
        /// Target offset of the pair.
        downstream: i64,
        /// End of the target.
        target_end: i64,
    },
    /// The group has read more than there is.
    #[error(
        "the group's position {offset} is past the end {end} of the source: records were lost there (unclean election, \
         truncation, or the topic was recreated), and which of those that are there now it has read cannot be told; set the \
         group to where it is to go on there, then look again"
    )]
    PastEnd {
        /// Where the group stands.
        offset: i64,
        /// One past the last record there.
        end: i64,
    },
    /// The source is dead, and nothing that was kept relates the two logs there.
    #[error("no offset sync before {offset} was known when the source could be read last")]
    NoSyncKept {
        /// Where the group stands.
        offset: i64,
    },
    /// The source is dead, and the group had read more than was known to be there.
    #[error(
        "the group's position {offset} is past {end}, where the source ended as far as is known: what it had read behind that cannot \
         be told"
    )]
    PastKnownEnd {
        /// Where the group stands.
        offset: i64,
        /// Where the source ended when positions were read last, or its newest offset sync.
        end: i64,
    },
    /// The source is dead, and what was kept is of a copy that is gone.
    #[error(
        "the copy was made anew since offset syncs were read last, or another one is in its place: what is kept is of the one before"
    )]
    CopyMadeAnew,
    /// The target ends before where it ended when the source could be read last.
    #[error(
        "the target ended at {was} when the source could be read last and ends at {is} now: it was recreated"
    )]
    TargetShorter {
        /// Where it ended.
        was: i64,
        /// Where it ends.
        is: i64,
    },
}

/// Whether a group can stand at `g` in a log with that end, asked after its position. One past the end has read records that
/// are gone. What was written in their place it has not read, and where that begins nothing tells: it may be everything that
/// is there. To call such a group drained would skip all of it.
///
/// # Errors
/// `PastEnd` when it cannot, `BadOffset` when nobody stands there.
pub fn check_within(g: i64, end: i64) -> Result<(), Untranslatable> {
    match g {
        ..0 => Err(Untranslatable::BadOffset { offset: g }),
        0.. if g > end => Err(Untranslatable::PastEnd { offset: g, end }),
        0.. => Ok(()),
    }
}

/// What to read on both sides before [`Lifetimes::translate`] can compare; offsets are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// From here on the source; `None` means from its log start.
    pub source_from: Option<i64>,
    /// Up to here on the source and on to the first visible record at or after the group's offset; `None` means to
    /// its end.
    pub source_to: Option<i64>,
    /// From here on the target; `None` means from its log start.
    pub target_from: Option<i64>,
    /// Up to here on the target; `None` means to its end.
    pub target_to: Option<i64>,
}

/// All offset syncs of a partition, oldest first, over all restarts of the flow; and what a restart leaves.
#[derive(Debug, Clone, Copy)]
pub struct AllSyncs<'a> {
    /// The syncs.
    pub pairs: &'a [OffsetPair],
    /// Connect guarantees that what a restart copies again was never committed before (`exactly.once.support=required`,
    /// KIP-618): where the target grew more than the source there are markers and aborted records, never second copies.
    pub exactly_once: bool,
}

/// Of a flow of which nothing is guaranteed.
impl<'a, T: AsRef<[OffsetPair]> + ?Sized> From<&'a T> for AllSyncs<'a> {
    fn from(pairs: &'a T) -> Self {
        Self { pairs: pairs.as_ref(), exactly_once: false }
    }
}

impl Lifetimes {
    /// The records [`Lifetimes::translate`] needs for a group at `g`.
    #[must_use]
    pub fn windows(&self, g: i64) -> Windows {
        let bracket = self.around(g);
        let after = bracket.and_then(|b| b.after);
        Windows {
            source_from: bracket.map(|b| b.repeats_from),
            source_to: after.map(|p| p.upstream),
            target_from: bracket.map(|b| b.before.downstream),
            target_to: after.map(|p| p.downstream),
        }
    }

    /// Where a group that reads `g` next on the source must go on reading on the target.
    ///
    /// The position is one that [`check_within`] let pass. `source` and `target` are the visible records of the
    /// [`Lifetimes::windows`] in order, without gaps: leaving out a record at the front of the source window would skip it,
    /// and a cut at its back makes a record that was not read look absent. `source` is empty when it cannot be read; then
    /// only the pairs speak.
    ///
    /// # Errors
    /// When neither pairs nor records relate the two logs around `g`.
    pub fn translate(
        &self,
        g: i64,
        source: &[Visible],
        target: &[Visible],
    ) -> Result<Mapping, Untranslatable> {
        if g < 0 {
            return Err(Untranslatable::BadOffset { offset: g });
        }
        let mapping = match next_visible(g, self, source) {
            NextVisible::None => Mapping::drained(self.target_end),
            NextVisible::NotRead => floor(g, self)?,
            NextVisible::At(at) => self.translate_next(at, source, target, g)?,
        };
        Ok(Mapping { target_offset: mapping.target_offset.min(self.target_end), ..mapping })
    }

    /// Where the record that a group at `g` reads next is on the target.
    fn translate_next(
        &self,
        at: usize,
        source: &[Visible],
        target: &[Visible],
        g: i64,
    ) -> Result<Mapping, Untranslatable> {
        let next = source[at].offset;
        match self.around(next) {
            Some(bracket) if target.is_empty() => Ok(floor_in(next, bracket, self.target_end)),
            Some(bracket) => {
                by_records(Bracketed::new(bracket, at, source, target), bracket, self.target_end)
            }
            None => {
                let records = Bracketed::unanchored(at, source, target);
                let found = records.by_content().ok_or_else(|| unrelated(g, self))?;
                Ok(records.past_copies(found))
            }
        }
    }
}

enum NextVisible {
    At(usize),
    None,
    NotRead,
}

/// The next record the group would get. A pair at or after `g` proves that there was one, so its absence from what
/// was read means a window that is too short (or a dead source), not a drained group.
fn next_visible(g: i64, lifetimes: &Lifetimes, source: &[Visible]) -> NextVisible {
    let at = source.partition_point(|record| record.offset < g);
    if at < source.len() {
        NextVisible::At(at)
    } else if source.is_empty() || lifetimes.newest_upstream().is_some_and(|newest| newest >= g) {
        NextVisible::NotRead
    } else {
        NextVisible::None
    }
}

fn by_records(records: Bracketed, bracket: Bracket, target_end: i64) -> Result<Mapping, Untranslatable> {
    let pair = bracket.before;
    if records.contradicts(pair) {
        return Err(Untranslatable::PairContradicted {
            upstream: pair.upstream,
            downstream: pair.downstream,
        });
    }
    if pair.upstream == records.next().offset {
        return Ok(records.past_copies(Mapping::exact(pair.downstream, Method::Pair)));
    }
    let found = records.by_rank().or_else(|| records.by_content());
    Ok(records.past_copies(found.unwrap_or_else(|| floor_in(records.next().offset, bracket, target_end))))
}

/// By pairs alone.
fn floor(g: i64, lifetimes: &Lifetimes) -> Result<Mapping, Untranslatable> {
    let target_end = lifetimes.target_end;
    if let Some(beyond) = lifetimes.beyond_target() {
        return Err(Untranslatable::PairBeyondTarget { downstream: beyond.downstream, target_end });
    }
    let bracket = lifetimes.around(g).ok_or_else(|| before_first(g, lifetimes))?;
    Ok(floor_in(g, bracket, target_end))
}

/// One past the pair: whatever the group has not read was copied after it.
fn floor_in(next: i64, bracket: Bracket, target_end: i64) -> Mapping {
    let pair = bracket.before;
    let until = bracket.after.map_or(target_end, |after| after.downstream);
    if pair.upstream == next {
        let again = if bracket.copied_again { until - pair.downstream } else { 0 };
        return Mapping::early(pair.downstream, Method::Pair, again);
    }
    Mapping::early(pair.downstream.saturating_add(1), Method::PairFloor, until - pair.downstream - 1)
}

/// Why neither a pair nor the records relate the two logs. Pairs of which none is of this target say more than that none is known.
fn unrelated(g: i64, lifetimes: &Lifetimes) -> Untranslatable {
    match (lifetimes.oldest_upstream(), lifetimes.beyond_target()) {
        (None, Some(beyond)) => Untranslatable::PairBeyondTarget {
            downstream: beyond.downstream,
            target_end: lifetimes.target_end,
        },
        (Some(_), _) | (None, None) => before_first(g, lifetimes),
    }
}

fn before_first(g: i64, lifetimes: &Lifetimes) -> Untranslatable {
    match lifetimes.oldest_upstream() {
        Some(oldest) => Untranslatable::BeforeFirstPair { offset: g, oldest },
        None => Untranslatable::NoPair,
    }
}
