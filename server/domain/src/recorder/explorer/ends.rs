//! Ends of one partition as earlier samples saw them: since when it is behind.

/// More are not kept of a partition: then every second one of the older half goes, so that the recent past stays fine.
const MOST: usize = 256;

/// Since when the first record that is missing may have existed, and since when it surely did, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Behind {
    /// `None`: since before the kept samples.
    pub(super) may_since: Option<i64>,
    pub(super) surely_since: i64,
}

/// An end, and when it was seen first and last.
#[derive(Debug, Clone, Copy)]
struct End {
    first: i64,
    last: i64,
    reach: i64,
}

/// Ends by time. One that a later sample undercuts says nothing more and is left out, so they only grow.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends(Vec<End>);

impl Ends {
    /// A sample saw this end.
    pub(super) fn push(&mut self, at: i64, reach: i64) {
        while self.0.last().is_some_and(|end| end.reach > reach) {
            self.0.pop();
        }
        match self.0.last_mut().filter(|end| end.reach == reach) {
            Some(same) => same.last = at,
            None => self.0.push(End { first: at, last: at, reach }),
        }
        if self.0.len() > MOST {
            let half = self.0.len() / 2;
            let mut number = 0;
            self.0.retain(|_| {
                number += 1;
                number > half || number % 2 == 1
            });
        }
    }

    /// Of a partition of which everything up to `through` has arrived, by a sample at `now` whose own end is not pushed yet.
    pub(super) fn behind(&self, through: i64, now: i64) -> Behind {
        Behind {
            may_since: self.arrived(through).map(|(at, _)| at),
            surely_since: self.missing(through).map_or(now, |(at, _)| at),
        }
    }

    /// The newest end of which everything before it has arrived: when it was seen last, and where it was.
    pub(super) fn arrived(&self, through: i64) -> Option<(i64, i64)> {
        let last = self.0.get(self.past(through).checked_sub(1)?)?;
        Some((last.last, last.reach))
    }

    /// The oldest end that has not arrived: when it was seen first, and where it was.
    pub(super) fn missing(&self, through: i64) -> Option<(i64, i64)> {
        let first = self.0.get(self.past(through))?;
        Some((first.first, first.reach))
    }

    /// So many ends have arrived.
    fn past(&self, through: i64) -> usize {
        self.0.partition_point(|end| end.reach <= through.saturating_add(1))
    }
}
