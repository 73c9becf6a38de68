//! A loss in brief, and what tells it from others: what lists, addresses and the fleet say of one.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Interval, Loss, Truth};
use crate::{
    ids::{ClusterName, PairName, TeamName},
    pair::{Direction, Side},
};

/// The last moment of the year 9999, in microseconds since 1970: what no calendar has names no loss.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// Which loss of a pair: the side that died, and when its ends were last read, to the microsecond. Addresses write it as
/// `a-1795057703000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossId {
    /// The side that died.
    pub from: Side,
    /// When its ends were last read.
    pub seen_at: DateTime<Utc>,
}

impl LossId {
    /// Of the loss of that side. What is finer than a microsecond no database keeps.
    #[must_use]
    pub fn new(from: Side, seen_at: DateTime<Utc>) -> Self {
        let seen_at = DateTime::from_timestamp_micros(seen_at.timestamp_micros()).unwrap_or(seen_at);
        Self { from, seen_at }
    }

    /// From an address; `None` for what is not written as one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (side, digits) = text.split_once('-')?;
        let from = Side::parse(side)?;
        let micros = digits.parse::<i64>().ok().filter(|micros| (1..=LAST_MICROS).contains(micros))?;
        let id = Self { from, seen_at: DateTime::from_timestamp_micros(micros)? };
        // One address each: no sign, no zeros before it.
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for LossId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.as_str(), self.seen_at.timestamp_micros())
    }
}

/// A loss without its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefLoss {
    /// The pair.
    pub pair: PairName,
    /// Which flow.
    pub direction: Direction,
    /// The cluster that died.
    pub source: ClusterName,
    /// The cluster that lacks what was lost.
    pub target: ClusterName,
    /// Whose loss it is.
    pub owner: TeamName,
    /// When the source's ends were last read.
    pub seen_at: DateTime<Utc>,
    /// When it was found not to answer.
    pub noticed_at: DateTime<Utc>,
    /// All partitions together.
    pub total: Interval,
    /// What it turned out to be.
    pub truth: Option<Truth>,
}

impl BriefLoss {
    /// What an open loss is called among the causes of trouble.
    pub const CAUSE: &'static str = "loss";

    /// What tells it from the others of its pair.
    #[must_use]
    pub fn id(&self) -> LossId {
        LossId::new(self.direction.from, self.seen_at)
    }

    /// Whether its last word is not said: the source is away, or just back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        is_open(self.truth.as_ref())
    }

    /// Records it is at most by what is known now; `None` is not known.
    #[must_use]
    pub fn at_most(&self) -> Option<i64> {
        at_most(&self.total, self.truth.as_ref())
    }

    /// Whether somebody has to look: it is open, and something may be missing.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.is_open() && self.at_most() != Some(0)
    }
}

impl Loss {
    /// What tells it from the others of its pair.
    #[must_use]
    pub fn id(&self) -> LossId {
        LossId::new(self.direction.from, self.seen_at)
    }

    /// Whether its last word is not said: the source is away, or just back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        is_open(self.truth.as_ref())
    }

    /// Whether what was said of each topic is not kept any more: it turned out that nothing was lost, and that is some days ago. Before
    /// that a loss with a figure names each of its partitions.
    #[must_use]
    pub fn topics_removed(&self) -> bool {
        let nothing = |truth: &Truth| truth.settled && truth.exact && truth.records == Some(0);
        self.topics.is_empty() && self.truth.as_ref().is_some_and(nothing)
    }
}

fn is_open(truth: Option<&Truth>) -> bool {
    truth.is_none_or(|truth| !truth.settled)
}

/// The true figure stands once it was looked for, also where it cannot be told.
fn at_most(total: &Interval, truth: Option<&Truth>) -> Option<i64> {
    match truth {
        Some(truth) => truth.records,
        None => total.records_at_most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_loss_and_one_loss_has_one_address() {
        let seen_at = DateTime::from_timestamp(1_795_057_703, 123_456_789).unwrap();
        let id = LossId::new(Side::B, seen_at);
        assert_eq!(id.to_string(), "b-1795057703123456", "as the database keeps it");
        assert_eq!(LossId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "b",
            "b-",
            "c-1795057703123456",
            "b--1795057703123456",
            "b-+1795057703123456",
            "b-01795057703123456",
            "b-0",
            "b-253402300800000000",
            "b-99999999999999999999",
            "b-1795057703123456-1",
            "B-1795057703123456",
        ] {
            assert_eq!(LossId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_true_figure_stands_also_where_it_cannot_be_told() {
        let total = Interval { records_at_most: Some(70), ..Interval::default() };
        let truth = |records, settled| Truth {
            at: DateTime::UNIX_EPOCH,
            records,
            ms: None,
            by_logs: false,
            exact: false,
            settled,
            method: String::new(),
        };
        for (truth, most, open) in [
            (None, Some(70), true),
            (Some(truth(Some(7), false)), Some(7), true),
            (Some(truth(Some(7), true)), Some(7), false),
            (Some(truth(None, true)), None, false),
        ] {
            assert_eq!((at_most(&total, truth.as_ref()), is_open(truth.as_ref())), (most, open), "{truth:?}");
        }
    }
}
