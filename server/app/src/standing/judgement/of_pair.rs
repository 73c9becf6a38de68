//! What of a judgement is said of the pair: the figures of the flow away from the side that is active, the worst of both where both copy,
//! and none where the active side cannot be told. One of two flows is never taken for the pair's.

use chrono::{DateTime, Utc};
use muster_domain::{
    lag::Rpo,
    pair::{BySide, Direction, Side},
    reading::Reading,
};

use super::Judgement;

/// Figures of a pair as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfPair {
    /// Writes of at most so many milliseconds would be lost if the side that is left died now.
    pub rpo: Reading,
    /// How long the worst partition is behind, in milliseconds.
    pub lag: Reading,
    /// Records on the side that is left only.
    pub behind: Reading,
    /// When the oldest record that was found to be missing was written by its own timestamp; `None` when no such was read.
    pub first_missing: Option<DateTime<Utc>>,
    /// Offsets on the side that is left that are in open transactions, or behind such; `None` when that is not known.
    pub in_open_transactions: Option<i64>,
}

impl OfPair {
    /// Nothing is known, and why.
    #[must_use]
    pub fn unknown(at: DateTime<Utc>, reason: &str) -> Self {
        let unknown = || Reading::unknown(at, reason);
        Self {
            rpo: unknown(),
            lag: unknown(),
            behind: unknown(),
            first_missing: None,
            in_open_transactions: None,
        }
    }

    /// The worse of two in each figure; what is not known is worst. A record that is missing is one, whichever flow it is of.
    fn worse(self, other: Self) -> Self {
        let open = self.in_open_transactions.zip(other.in_open_transactions);
        Self {
            rpo: self.rpo.worse(other.rpo),
            lag: self.lag.worse(other.lag),
            behind: self.behind.worse(other.behind),
            first_missing: self.first_missing.into_iter().chain(other.first_missing).min(),
            in_open_transactions: open.map(|(one, other)| one.max(other)),
        }
    }
}

impl Judgement {
    /// The flows whose figures are the pair's: the one away from the side that is active, or both where both copy.
    ///
    /// # Errors
    /// Why there is none, as a sentence: which side is active cannot be told.
    pub fn ways(&self) -> Result<Vec<Direction>, String> {
        if let Some(from) = self.active {
            return Ok(vec![Direction { from }]);
        }
        if self.both_copy() {
            return Ok(Side::BOTH.into_iter().map(|from| Direction { from }).collect());
        }
        let why = self.active_unknown.as_deref().unwrap_or("nothing says so");
        Err(format!("which side is active cannot be told: {why}"))
    }

    /// Whether both flows copy and neither side alone is the active one. Under one name on both sides they contradict each other: both
    /// sides are active only as [`Judgement::active_sides`] says it.
    #[must_use]
    fn both_copy(&self) -> bool {
        let copies = |copying: &BySide<Option<bool>>| {
            Side::BOTH.into_iter().all(|side| *copying.get(side) == Some(true))
        };
        self.active.is_none() && self.copying.as_ref().is_some_and(copies)
    }

    /// The worst that a bound of what would be lost is in the flows whose figures are the pair's; `None`, which is worst, where it is not
    /// known of one of them, or of which flow to tell it.
    #[must_use]
    pub fn worst_bound(&self, bound: impl Fn(&Rpo) -> Option<i64>) -> Option<i64> {
        let of = |way: Direction| bound(&self.lag.iter().find(|lag| lag.direction == way)?.rpo);
        let bounds: Option<Vec<i64>> = self.ways().ok()?.into_iter().map(of).collect();
        bounds?.into_iter().max()
    }

    /// The figures of one flow.
    #[must_use]
    pub fn of_flow_away(&self, way: Direction) -> OfPair {
        OfPair {
            rpo: self.rpo(way),
            lag: self.lag(way),
            behind: self.behind(way),
            first_missing: self.first_missing(way),
            in_open_transactions: self.in_open_transactions(way),
        }
    }

    /// The figures of the pair, of a survey that began then.
    #[must_use]
    pub fn of_pair(&self, at: DateTime<Utc>) -> OfPair {
        match self.ways() {
            Err(reason) => OfPair::unknown(at, &reason),
            Ok(ways) => ways
                .into_iter()
                .map(|way| self.of_flow_away(way))
                .reduce(OfPair::worse)
                .unwrap_or_else(|| OfPair::unknown(at, "no flow carries records")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_domain::{lag::FlowLag, reading::ReadingClass};

    use super::*;

    const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn flow(from: Side, behind: Option<i64>, class: ReadingClass) -> FlowLag {
        let reading = || match behind {
            Some(value) => Reading::new(value, class, AT, ""),
            None => Reading::unknown(AT, "its source does not answer"),
        };
        FlowLag {
            direction: Direction { from },
            worst_records: reading(),
            total_records: reading(),
            worst_ms: reading(),
            worst: None,
            topics: BTreeMap::new(),
            in_open_transactions: behind,
            holes: Vec::new(),
            first_missing_timestamp: behind,
            rpo: Rpo { ms_at_most: behind.map(|ms| ms + 5_000), ..Rpo::default() },
        }
    }

    /// Of both flows, in one of which nothing is behind; both are said to copy or not.
    fn judgement(active: Option<Side>, copying: [Option<bool>; 2], other: Option<i64>) -> Judgement {
        let [a, b] = copying;
        Judgement {
            checks: Vec::new(),
            people: Vec::new(),
            active,
            both: false,
            active_unknown: active.is_none().then(|| "nobody says so".to_owned()),
            lag: vec![
                flow(Side::A, Some(0), ReadingClass::Exact),
                flow(Side::B, other, ReadingClass::LowerBound),
            ],
            copying: Some(BySide { a, b }),
            looks: Vec::new(),
            rpo_stands_ms: None,
        }
    }

    #[test]
    fn of_the_side_that_is_active() {
        let both = [Some(true), Some(false)];
        let of_a = judgement(Some(Side::A), both, Some(70)).of_pair(AT);
        assert_eq!((of_a.rpo.value, of_a.lag.value, of_a.behind.value), (Some(5_000), Some(0), Some(0)));
        let of_b = judgement(Some(Side::B), both, Some(70)).of_pair(AT);
        assert_eq!((of_b.rpo.value, of_b.lag.value, of_b.behind.value), (Some(5_070), Some(70), Some(70)));
    }

    #[test]
    fn where_the_active_side_cannot_be_told_nothing_is_said_of_one_flow() {
        for copying in [[Some(true), Some(false)], [Some(false); 2], [None, Some(true)], [None; 2]] {
            let of = judgement(None, copying, Some(70)).of_pair(AT);
            for reading in [&of.rpo, &of.lag, &of.behind] {
                assert_eq!((reading.value, reading.class), (None, ReadingClass::Unknown), "{copying:?}");
                assert_eq!(reading.reason, "which side is active cannot be told: nobody says so");
            }
            assert_eq!((of.first_missing, of.in_open_transactions), (None, None));
        }
    }

    #[test]
    fn where_both_flows_copy_the_worst_counts_and_unknown_is_worst() {
        let both = [Some(true); 2];
        let of = judgement(None, both, Some(70)).of_pair(AT);
        assert_eq!((of.rpo.value, of.lag.value, of.behind.value), (Some(5_070), Some(70), Some(70)));
        assert_eq!(of.lag.class, ReadingClass::LowerBound);
        assert_eq!((of.first_missing, of.in_open_transactions), (Some(AT), Some(70)), "the oldest, and most");
        let of = judgement(None, both, None).of_pair(AT);
        for reading in [&of.rpo, &of.lag, &of.behind] {
            assert_eq!((reading.value, reading.class), (None, ReadingClass::Unknown));
            assert_eq!(reading.reason, "its source does not answer");
        }
        assert_eq!(of.in_open_transactions, None);
    }

    #[test]
    fn what_would_be_lost_of_the_pair_is_the_worst_of_its_flows() {
        let bound = |judgement: Judgement| judgement.worst_bound(|rpo| rpo.ms_at_most);
        let (both, one) = ([Some(true); 2], [Some(true), Some(false)]);
        assert_eq!(bound(judgement(None, both, Some(70))), Some(5_070));
        assert_eq!(bound(judgement(None, both, None)), None, "what is not known is worst");
        assert_eq!(
            bound(judgement(Some(Side::A), one, None)),
            Some(5_000),
            "the other flow is not the pair's"
        );
        assert_eq!(bound(judgement(None, one, Some(70))), None, "of which flow is not known");
    }
}
