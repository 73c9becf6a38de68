//! What a death would have cost, by the hour: kept when single surveys are gone.
//!
//! Nobody looks between two surveys, so what a death would have cost grows until the later one. An hour is told with the time that led
//! to each of its surveys, however long that was and whichever process looked.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use super::FlowLag;
use crate::reading::ReadingClass;

/// What one survey says of a death of a flow's source. `None` is not known and is never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpoLook {
    /// When it began.
    pub at: DateTime<Utc>,
    /// Writes of at most the last so many milliseconds are lost if it dies before it is looked at again.
    pub ms_at_most: Option<i64>,
    /// The same had it died at that very moment.
    pub ms_then: Option<i64>,
}

impl RpoLook {
    /// Of a survey that began at a time.
    #[must_use]
    pub fn of(lag: &FlowLag, at: DateTime<Utc>) -> Self {
        // What is behind is as it was when the source was last read.
        let unread = match lag.worst_ms.class {
            ReadingClass::Stale => (at - lag.worst_ms.at).num_milliseconds().max(0),
            ReadingClass::Exact | ReadingClass::Tight | ReadingClass::LowerBound | ReadingClass::Unknown => 0,
        };
        let ms_at_most = lag.rpo.ms_at_most;
        let behind = ms_at_most.and(lag.worst_ms.value);
        Self { at, ms_at_most, ms_then: behind.map(|ms| ms.saturating_add(unread)) }
    }
}

/// The worst of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpoHour {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// From when on it holds: the survey before the first of the hour, or this one where there was none.
    pub since: DateTime<Utc>,
    /// Writes of at most so many milliseconds would have been lost at the worst moment; `None` when that was unknown at any time.
    pub ms_at_most: Option<i64>,
    /// The last survey of the hour.
    pub last_at: DateTime<Utc>,
    /// What it would have been at that very moment.
    pub last_ms: Option<i64>,
}

impl RpoHour {
    /// The hour that a survey is in, with it; `newest` is the newest hour that is kept of the flow. `None` when that has seen the survey, or
    /// a later one.
    #[must_use]
    pub fn with(newest: Option<&Self>, look: RpoLook) -> Option<Self> {
        let at = look.at.duration_trunc(TimeDelta::hours(1)).ok()?;
        let first =
            Self { at, since: look.at, ms_at_most: look.ms_at_most, last_at: look.at, last_ms: look.ms_then };
        let Some(newest) = newest else { return Some(first) };
        // The database keeps microseconds.
        if look.at.timestamp_micros() <= newest.last_at.timestamp_micros() {
            return None;
        }
        let here = worse(look.ms_at_most, newest.grown_until(look.at));
        Some(if newest.at == at {
            Self { since: newest.since, ms_at_most: worse(newest.ms_at_most, here), ..first }
        } else {
            Self { since: newest.last_at, ms_at_most: here, ..first }
        })
    }

    /// Its end.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.at + TimeDelta::hours(1)
    }

    /// The worst up to a time in which nobody looked any more: the end of the hour, or now.
    #[must_use]
    pub fn worst_until(&self, then: DateTime<Utc>) -> Option<i64> {
        worse(self.ms_at_most, self.grown_until(then))
    }

    /// What had not arrived at the last survey is at most so much older by then, and nothing older is missing.
    fn grown_until(&self, then: DateTime<Utc>) -> Option<i64> {
        let unseen = (then - self.last_at).num_milliseconds().max(0);
        self.last_ms.map(|ms| ms.saturating_add(unseen))
    }
}

/// The worst of both, and unknown is worst.
fn worse(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.zip(b).map(|(a, b)| a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds after a full hour.
    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_400 + seconds, 0).expect("in range")
    }

    /// A survey of a flow that is looked at every five seconds, and so far behind.
    fn look(seconds: i64, behind_ms: Option<i64>) -> RpoLook {
        RpoLook { at: at(seconds), ms_at_most: behind_ms.map(|ms| ms + 5_000), ms_then: behind_ms }
    }

    /// All hours that surveys make, by their begins in hours.
    fn hours(looks: &[RpoLook]) -> Vec<RpoHour> {
        let mut hours: Vec<RpoHour> = Vec::new();
        for look in looks {
            let Some(hour) = RpoHour::with(hours.last(), *look) else { continue };
            match hours.last_mut() {
                Some(last) if last.at == hour.at => *last = hour,
                Some(_) | None => hours.push(hour),
            }
        }
        hours
    }

    #[test]
    fn an_hour_has_the_worst_of_its_surveys_and_of_the_time_between_them() {
        let seen = hours(&[look(0, Some(0)), look(5, Some(700)), look(10, Some(0)), look(15, Some(0))]);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].since, seen[0].ms_at_most), (at(0), Some(5_700)), "{seen:?}");
        // Nobody looked for a minute: then it was that, whatever was seen before and after.
        let late = hours(&[look(0, Some(0)), look(60, Some(0)), look(65, Some(0))]);
        assert_eq!(late[0].ms_at_most, Some(60_000), "{late:?}");
        assert_eq!(late[0].worst_until(late[0].end()), Some(3_535_000), "and nobody looked until its end");
    }

    #[test]
    fn an_hour_that_was_unknown_once_is_unknown() {
        let seen = hours(&[look(0, Some(0)), look(5, None), look(10, Some(0)), look(3_605, Some(0))]);
        assert_eq!(seen.iter().map(|hour| hour.ms_at_most).collect::<Vec<_>>(), [None, Some(3_595_000)]);
        let unknown = hours(&[look(3_595, None), look(3_600, Some(0))]);
        assert_eq!(unknown[1].ms_at_most, None, "what led to its first survey is not known");
    }

    #[test]
    fn the_first_survey_after_a_time_without_any_tells_of_all_of_it() {
        let seen = hours(&[look(10, Some(2_000)), look(7_210, Some(0)), look(7_215, Some(0))]);
        assert_eq!(seen.iter().map(|hour| hour.at).collect::<Vec<_>>(), [at(0), at(7_200)]);
        assert_eq!((seen[1].since, seen[1].ms_at_most), (at(10), Some(7_202_000)), "{seen:?}");
    }

    #[test]
    fn a_survey_that_was_seen_changes_nothing() {
        let seen = hours(&[look(0, Some(0)), look(5, Some(9_000))]);
        for again in [look(0, None), look(5, None)] {
            assert_eq!(RpoHour::with(seen.last(), again), None);
        }
    }
}
