//! `sample()` of the drill programme.

use chrono::{Duration, NaiveDate, NaiveTime};
use chrono_tz::Tz;
use muster_domain::{
    people::Role,
    schedule::{Blackout, Cadence, Drill, Occurrence, Schedule, Standing},
};
use uuid::Uuid;

use super::{
    night::{actor, chrome_of, pair_name},
    now, runs,
};
use crate::{
    chrome::Brake,
    drills::{DrillsPage, DueDrill, Programme, ProgrammePair, Waiting},
    parts::Ends,
    schedule_form::SchedulePage,
};

pub(super) fn schedule(id: u128, pair: &str, cadence: Cadence) -> Schedule {
    let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default();
    Schedule {
        id: Uuid::from_u128(id),
        pair: pair_name(pair),
        drill: Drill::Switchover,
        cadence,
        zone: Tz::Europe__Berlin,
        window_minutes: 240,
        blackouts: vec![Blackout { from: day(12, 10), until: day(12, 31), reason: "peak season".to_owned() }],
        owners: vec!["jonas.lindqvist".to_owned()],
        lead_days: 7,
        enabled: true,
        version: 1,
    }
}

fn due(pair: &str, standing: Standing, days_ahead: i64, trouble: &str) -> DueDrill {
    let due = now() + Duration::days(days_ahead);
    DueDrill {
        pair: pair_name(pair),
        drill: Some(Drill::Switchover),
        occurrence: Occurrence { nominal: due, due, closes: due + Duration::hours(4) },
        standing,
        missed: false,
        run: None,
        trouble: trouble.to_owned(),
        skipped: String::new(),
    }
}

fn programme_pair(name: &str, owned: bool, scheduled: bool) -> ProgrammePair {
    ProgrammePair { name: name.to_owned(), owned, scheduled }
}

impl DrillsPage {
    /// Three pairs, one of them late, as an owner sees it.
    #[must_use]
    pub fn sample() -> Self {
        let at = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
        let schedules = [
            (schedule(1, "payments", Cadence::Quarter { month: 2, day: 20, at }), true),
            (
                Schedule {
                    drill: Drill::ReadinessDrill,
                    ..schedule(3, "payments", Cadence::Cron { expression: "0 6 * * 1".to_owned() })
                },
                true,
            ),
            (schedule(2, "orders", Cadence::Cron { expression: "0 6 10 */3 *".to_owned() }), false),
        ];
        let pairs = [
            programme_pair("payments", true, true),
            programme_pair("orders", false, true),
            programme_pair("telemetry", false, false),
        ];
        let asked = DueDrill { run: Some(runs::asked()), ..due("payments", Standing::Ahead, 1, "") };
        let passed = DueDrill { run: Some(runs::drill()), ..due("payments", Standing::Satisfied, -91, "") };
        let blocked = "The plan is blocked: `telemetry` is not surveyed since 2 Nov. Look at its readiness.";
        let looks =
            DueDrill { drill: Some(Drill::ReadinessDrill), ..due("payments", Standing::Ahead, 3, "") };
        let off = DueDrill {
            skipped: "its schedule was switched off".to_owned(),
            ..due("orders", Standing::Skipped, -20, "")
        };
        let missed = DueDrill { missed: true, ..due("payments", Standing::Overdue, -182, "") };
        let found = [due("telemetry", Standing::Overdue, -14, blocked), asked, looks, off, passed, missed];
        let ends = Ends::new("drills", None, Some("/drills?due_after=due~3~-1~2~1".to_owned()));
        let owner = actor(9, "marta.kowalczyk", &[Role::Owner]);
        let chrome = chrome_of(Some(owner), "/drills", Brake::Released);
        let programme = Programme {
            schedules: &schedules,
            more_after: Some("schedule~payments~00000000-0000-0000-0000-000000000002"),
            pairs: &pairs,
            waiting: Waiting { overdue: 1, due: 0, ahead: 2 },
            due: &found,
            ends: &ends,
        };
        Self::new(chrome, programme, None, &[], "created")
    }

    /// The first visit of somebody who may schedule nothing.
    #[must_use]
    pub fn sample_empty() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        let chrome = chrome_of(Some(viewer), "/drills", Brake::Released);
        let pairs = [programme_pair("payments", false, false)];
        let ends = Ends::default();
        let programme = Programme {
            schedules: &[],
            more_after: None,
            pairs: &pairs,
            waiting: Waiting::default(),
            due: &[],
            ends: &ends,
        };
        Self::new(chrome, programme, None, &[], "")
    }
}

impl SchedulePage {
    /// A schedule by cron, with a zone that was refused.
    #[must_use]
    pub fn sample() -> Self {
        let schedule = schedule(3, "payments", Cadence::Cron { expression: "0 6 * * 1".to_owned() });
        let owner = actor(9, "marta.kowalczyk", &[Role::Owner]);
        let chrome = chrome_of(Some(owner), "/drills/3/edit", Brake::Released);
        let sent = crate::forms::ScheduleForm { zone: "Europe/Bärlin".to_owned(), ..(&schedule).into() };
        let wrong =
            [("zone".to_owned(), "`Europe/Bärlin` is not a time zone of the IANA database.".to_owned())];
        Self::new(chrome, &schedule, Some(&sent), &wrong, None)
    }
}
