//! Schedules and findings.

use serde::Deserialize;

/// `POST /drills` and `POST /drills/{id}/edit`: a schedule, every field as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ScheduleForm {
    /// Pair.
    pub pair: String,
    /// `switchover` or `readiness_drill`.
    pub drill: String,
    /// `quarter` or `cron`.
    pub every: String,
    /// 1 to 3, for `quarter`.
    pub month: String,
    /// 1 to 28, for `quarter`.
    pub day: String,
    /// `HH:MM`, for `quarter`.
    pub at: String,
    /// Five fields, for `cron`.
    pub cron: String,
    /// Name of the IANA database.
    pub zone: String,
    /// Minutes.
    pub window_minutes: String,
    /// Days.
    pub lead_days: String,
    /// One a line: `2026-12-10 to 2027-01-06 peak season`.
    pub blackouts: String,
    /// Names, separated by commas.
    pub owners: String,
    /// `on` when drills become due, for an existing one.
    pub enabled: String,
    /// Version it was read at, for an existing one.
    pub version: i64,
}

impl Default for ScheduleForm {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            pair: String::new(),
            drill: text("switchover"),
            every: text("quarter"),
            month: text("2"),
            day: text("12"),
            at: text("09:00"),
            cron: String::new(),
            zone: text("UTC"),
            window_minutes: text("240"),
            lead_days: text("7"),
            blackouts: String::new(),
            owners: String::new(),
            enabled: String::new(),
            version: 0,
        }
    }
}

/// `GET /findings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FindingFilter {
    /// `open` or `closed`.
    pub state: String,
    /// Pair.
    pub pair: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Words in the text or the resolution.
    pub text: String,
    /// Cursor: number of the last finding of the page before.
    pub after: String,
    /// What was just done.
    pub done: String,
    /// Run the form is about, when its page led here.
    pub run: String,
}

/// `POST /findings` and `POST /findings/{id}`: every field as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct FindingForm {
    /// `change`, `close` or `open`, for an existing one.
    pub act: String,
    /// Version it was read at, for an existing one.
    pub version: String,
    /// Pair.
    pub pair: String,
    /// Id of the run it came up in, if any.
    pub run: String,
    /// What was found.
    pub text: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Name of who sees to it.
    pub owner: String,
    /// Day.
    pub due: String,
    /// Address of evidence.
    pub link: String,
    /// What was done about it, for `close`.
    pub resolution: String,
    /// Number of the run that showed it is mended, for `close`.
    pub retest: String,
}

impl Default for FindingForm {
    fn default() -> Self {
        let none = String::new;
        Self {
            act: none(),
            version: none(),
            pair: none(),
            run: none(),
            text: none(),
            severity: "medium".to_owned(),
            owner: none(),
            due: none(),
            link: none(),
            resolution: none(),
            retest: none(),
        }
    }
}
