//! When drills of a pair are due: every quarter or by a cron expression, in a time zone, around blackout dates.
//!
//! An occurrence is named by the moment its cadence gives; blackout dates move when it is *due*, not what it is called. So
//! an edit of blackout dates never fires an occurrence a second time.

#[cfg(test)]
mod tests;

use std::str::FromStr;

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ids::PairName, run::Operation};

/// Most days a due date is moved over blackout dates.
const LONGEST_SHIFT_DAYS: u64 = 366;
/// Occurrences are whole minutes.
const JUST_BEFORE: Duration = Duration::seconds(1);

/// What is drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drill {
    /// A switchover under drill rules: applications really move.
    Switchover,
    /// Everything a switchover rests on is looked at; nothing is changed, so it runs by itself when it is due.
    ReadinessDrill,
}

impl Drill {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Switchover, Self::ReadinessDrill];

    /// The word for pages, the API and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::ReadinessDrill => "readiness_drill",
        }
    }

    /// The kind of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|drill| drill.as_str() == word)
    }

    /// The operation that is run.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::Switchover => Operation::Switchover,
            Self::ReadinessDrill => Operation::ReadinessDrill,
        }
    }
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "every", rename_all = "snake_case")]
pub enum Cadence {
    /// Once in each quarter.
    Quarter {
        /// 1 to 3: which month of the quarter.
        month: u32,
        /// 1 to 28: which day of that month.
        day: u32,
        /// Local time.
        at: NaiveTime,
    },
    /// A cron expression of five fields: minute, hour, day of month, month, day of week.
    Cron {
        /// The expression.
        expression: String,
    },
}

/// Days on which no drill is due, the last one included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Blackout {
    /// First day, in the schedule's time zone.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

/// When drills of a pair are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Schedule {
    /// Its id.
    pub id: Uuid,
    /// The pair.
    pub pair: PairName,
    /// What is drilled.
    pub drill: Drill,
    /// How often.
    pub cadence: Cadence,
    /// Time zone of the IANA database, for example `Europe/Berlin`.
    #[schema(value_type = String)]
    pub zone: Tz,
    /// Minutes after the due time within which the drill should begin. After that it is overdue.
    pub window_minutes: u32,
    /// Days without drills.
    pub blackouts: Vec<Blackout>,
    /// Who sees to it, by the name they sign in with.
    pub owners: Vec<String>,
    /// Days before the due time at which the plan is made and approval asked for.
    pub lead_days: u32,
    /// Whether it fires at all.
    pub enabled: bool,
    /// Row version for If-Match.
    pub version: i64,
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression.
    #[error("`{expression}` is not a cron expression of five fields: {reason}")]
    Cron {
        /// What was given.
        expression: String,
        /// Why not.
        reason: String,
    },
    /// Month or day of a quarter.
    #[error("the month of the quarter is 1 to 3 and the day 1 to 28; {month} and {day} were given")]
    Quarter {
        /// Given.
        month: u32,
        /// Given.
        day: u32,
    },
    /// A blackout that ends before it begins.
    #[error("a blackout from {from} cannot end on {until}")]
    Blackout {
        /// Given.
        from: NaiveDate,
        /// Given.
        until: NaiveDate,
    },
    /// Longer than a week.
    #[error("the window is 1 minute to 7 days; {minutes} minutes were given")]
    Window {
        /// Given.
        minutes: u32,
    },
    /// Longer than a quarter.
    #[error("plans are made at most 90 days ahead; {days} days were given")]
    Lead {
        /// Given.
        days: u32,
    },
    /// More often than anybody can hold drills.
    #[error("it comes more often than once an hour")]
    TooOften,
    /// It never comes.
    #[error("the schedule has no occurrence: the cadence never comes")]
    Never,
}

/// One time a drill is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Occurrence {
    /// What the cadence gives; names the occurrence.
    pub nominal: DateTime<Utc>,
    /// When it is due: moved to the first day without a blackout, same local time.
    pub due: DateTime<Utc>,
    /// When it is overdue.
    pub closes: DateTime<Utc>,
}

impl Cadence {
    fn cron(&self) -> Result<Cron, ScheduleError> {
        let expression = match self {
            Self::Quarter { month, day, at } => {
                if !(1..=3).contains(month) || !(1..=28).contains(day) {
                    return Err(ScheduleError::Quarter { month: *month, day: *day });
                }
                let months = [0, 3, 6, 9].map(|quarter| (quarter + month).to_string()).join(",");
                format!("{} {} {day} {months} *", at.format("%-M"), at.format("%-H"))
            }
            Self::Cron { expression } => expression.trim().to_owned(),
        };
        let wrong = |reason: String| ScheduleError::Cron { expression: expression.clone(), reason };
        let fields = expression.split_whitespace().count();
        if fields != 5 {
            return Err(wrong(format!("it has {fields}")));
        }
        Cron::from_str(&expression).map_err(|e| wrong(e.to_string()))
    }
}

impl Schedule {
    /// Whether it can be used: it parses, its bounds hold, it comes at least once.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), ScheduleError> {
        if let Some(wrong) = self.blackouts.iter().find(|blackout| blackout.until < blackout.from) {
            return Err(ScheduleError::Blackout { from: wrong.from, until: wrong.until });
        }
        if !(1..=7 * 24 * 60).contains(&self.window_minutes) {
            return Err(ScheduleError::Window { minutes: self.window_minutes });
        }
        if self.lead_days > 90 {
            return Err(ScheduleError::Lead { days: self.lead_days });
        }
        let next = self.between(now, DateTime::<Utc>::MAX_UTC, 25)?;
        if next.is_empty() {
            return Err(ScheduleError::Never);
        }
        let too_close = |two: &[Occurrence]| two[1].nominal - two[0].nominal < Duration::hours(1);
        if next.windows(2).any(too_close) { Err(ScheduleError::TooOften) } else { Ok(()) }
    }

    /// The first occurrence whose nominal time is after a moment. Local times that daylight saving leaves out come at
    /// the first moment after the gap, those that come twice come once.
    ///
    /// # Errors
    /// When the cadence does not parse or never comes.
    pub fn next_after(&self, after: DateTime<Utc>) -> Result<Occurrence, ScheduleError> {
        let nominal = self.nominal_after(&self.cadence.cron()?, after)?;
        Ok(self.occurrence(nominal))
    }

    /// The occurrences whose nominal time is after one moment and not after another, in order.
    ///
    /// # Errors
    /// When the cadence does not parse.
    pub fn between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        at_most: usize,
    ) -> Result<Vec<Occurrence>, ScheduleError> {
        let cron = self.cadence.cron()?;
        let (mut found, mut from) = (Vec::new(), after);
        while found.len() < at_most {
            let nominal = match self.nominal_after(&cron, from) {
                Ok(nominal) if nominal <= until => nominal,
                Ok(_) | Err(ScheduleError::Never) => break,
                Err(other) => return Err(other),
            };
            found.push(self.occurrence(nominal));
            from = nominal;
        }
        Ok(found)
    }

    fn nominal_after(&self, cron: &Cron, after: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
        let local = after.with_timezone(&self.zone);
        let next = cron.find_next_occurrence(&local, false).map_err(|_| ScheduleError::Never)?;
        Ok(next.with_timezone(&Utc))
    }

    /// The occurrence of this name.
    #[must_use]
    pub fn occurrence(&self, nominal: DateTime<Utc>) -> Occurrence {
        let due = self.past_blackouts(nominal);
        Occurrence { nominal, due, closes: due + Duration::minutes(i64::from(self.window_minutes)) }
    }

    /// The same local time on the first day that is not blacked out. A blackout longer than a year moves nothing: then
    /// the schedule should be switched off instead.
    fn past_blackouts(&self, nominal: DateTime<Utc>) -> DateTime<Utc> {
        let local = nominal.with_timezone(&self.zone);
        let free = (0..=LONGEST_SHIFT_DAYS)
            .filter_map(|days| local.date_naive().checked_add_days(Days::new(days)))
            .find(|day| !self.is_black(*day));
        match free {
            Some(day) if day != local.date_naive() => self.at_local(day, local.time()).unwrap_or(nominal),
            Some(_) | None => nominal,
        }
    }

    fn is_black(&self, day: NaiveDate) -> bool {
        self.blackouts.iter().any(|blackout| (blackout.from..=blackout.until).contains(&day))
    }

    /// A local time as a moment; one that does not exist that day is the first one after the gap.
    fn at_local(&self, day: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
        (0..=180).find_map(|minutes| {
            let local = day.and_time(time) + Duration::minutes(minutes);
            self.zone.from_local_datetime(&local).earliest().map(|at| at.with_timezone(&Utc))
        })
    }

    /// What is to be recorded next after a moment, and when; nothing while it is switched off or never comes again.
    #[must_use]
    pub fn to_record_after(&self, after: DateTime<Utc>) -> Option<(Occurrence, DateTime<Utc>)> {
        let next = self.enabled.then(|| self.next_after(after).ok())??;
        Some((next, self.prepare_at(&next)))
    }

    /// What is to be recorded next once the schedule has been changed. An occurrence that blackout dates put off is ahead still,
    /// though its nominal time has gone by.
    #[must_use]
    pub fn to_record_changed(&self, now: DateTime<Utc>) -> Option<(Occurrence, DateTime<Utc>)> {
        let mut after = self.before_blackout(now);
        loop {
            let (next, at) = self.to_record_after(after)?;
            if next.due > now {
                return Some((next, at));
            }
            after = next.nominal;
        }
    }

    /// Just before today, or before the days without drills that have lasted until today: whatever they put off is after it.
    fn before_blackout(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = now.with_timezone(&self.zone).date_naive();
        let days = (0..=LONGEST_SHIFT_DAYS).map_while(|days| today.checked_sub_days(Days::new(days)));
        let mut first = today;
        for (day, before) in days.clone().zip(days.skip(1)) {
            first = day;
            if !self.is_black(before) {
                break;
            }
        }
        self.at_local(first, NaiveTime::MIN).map_or(now, |begin| now.min(begin - JUST_BEFORE))
    }

    /// What becomes of an occurrence that was recorded before the schedule was changed to this, and whose drill has not
    /// begun. `asked` is whether a run was asked for.
    #[must_use]
    pub fn changes(&self, recorded: &Occurrence, asked: bool, now: DateTime<Utc>) -> Fate {
        let named = self.next_after(recorded.nominal - JUST_BEFORE).ok();
        let still = named.filter(|next| self.enabled && next.nominal == recorded.nominal);
        let is_due = recorded.due <= now;
        match still {
            Some(same) if same.due == recorded.due && (asked || is_due) => Fate::Stays,
            // Put off by blackout dates, it is due once: on the day it is moved to.
            Some(other) if other.due > now => Fate::Forgotten,
            Some(_) => Fate::Stays,
            None if is_due => Fate::Skipped,
            None => Fate::Forgotten,
        }
    }

    /// When the plan is made and approval asked for.
    #[must_use]
    pub fn prepare_at(&self, occurrence: &Occurrence) -> DateTime<Utc> {
        occurrence.due - Duration::days(i64::from(self.lead_days))
    }
}

/// What a change of its schedule makes of an occurrence whose drill has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: the schedule has it at that time, or it came due and none later takes its place.
    Stays,
    /// It is not due yet, or is put off: the changed schedule records its own.
    Forgotten,
    /// It has come due and is nobody's duty any more: kept, with the reason.
    Skipped,
}

/// Where an occurrence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not due yet.
    Ahead,
    /// Its window is open.
    Due,
    /// Its window has closed and no drill passed.
    Overdue,
    /// A drill passed for it.
    Satisfied,
    /// Its schedule was switched off, removed or changed before its drill began: nobody has to hold it.
    Skipped,
}

impl Occurrence {
    /// Where it stands, given whether a drill has passed for it and whether a change of its schedule has ended it.
    #[must_use]
    pub fn standing(&self, passed: bool, skipped: bool, now: DateTime<Utc>) -> Standing {
        match (passed, skipped) {
            (true, _) => Standing::Satisfied,
            (false, true) => Standing::Skipped,
            (false, false) if now < self.due => Standing::Ahead,
            (false, false) if now < self.closes => Standing::Due,
            (false, false) => Standing::Overdue,
        }
    }
}
