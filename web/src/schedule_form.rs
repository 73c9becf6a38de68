//! The fields of a drill schedule, and editing one: when its drills are due, and whether they are at all.

use askama::Template;
use muster_domain::{
    problem::Problem,
    schedule::{Blackout, Cadence, Schedule},
};

use crate::{
    chrome::Chrome,
    drills::drill_word,
    forms::ScheduleForm,
    parts::{Choice, Field, FieldSet, Notice},
    sign_in::notice,
};

impl From<&Schedule> for ScheduleForm {
    fn from(schedule: &Schedule) -> Self {
        let form = Self {
            pair: schedule.pair.to_string(),
            drill: schedule.drill.as_str().to_owned(),
            zone: schedule.zone.name().to_owned(),
            window_minutes: schedule.window_minutes.to_string(),
            lead_days: schedule.lead_days.to_string(),
            blackouts: schedule.blackouts.iter().map(blackout).collect::<Vec<_>>().join("\n"),
            owners: schedule.owners.join(", "),
            enabled: if schedule.enabled { "on".to_owned() } else { String::new() },
            version: schedule.version,
            ..Self::default()
        };
        match &schedule.cadence {
            Cadence::Quarter { month, day, at } => Self {
                every: "quarter".to_owned(),
                month: month.to_string(),
                day: day.to_string(),
                at: at.format("%H:%M").to_string(),
                ..form
            },
            Cadence::Cron { expression } => {
                Self { every: "cron".to_owned(), cron: expression.clone(), ..form }
            }
        }
    }
}

/// As it is typed: one line, whatever programs have put into its reason.
fn blackout(blackout: &Blackout) -> String {
    let reason = blackout.reason.replace(char::is_control, " ");
    format!("{} to {} {reason}", blackout.from, blackout.until).trim_end().to_owned()
}

/// `GET /drills/{schedule}/edit`; posts [`ScheduleForm`] there.
#[derive(Debug, Template)]
#[template(path = "pages/form.html")]
pub struct SchedulePage {
    chrome: Chrome,
    heading: String,
    lead: String,
    problem: Option<Notice>,
    action: String,
    version: i64,
    sets: Vec<FieldSet>,
    button: String,
    back: String,
}

impl SchedulePage {
    /// A schedule to edit, as it is or as it was sent and refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        schedule: &Schedule,
        form: Option<&ScheduleForm>,
        errors: &[(String, String)],
        problem: Option<&Problem>,
    ) -> Self {
        let present = ScheduleForm::from(schedule);
        let form = form.unwrap_or(&present);
        let what = format!("{} of {}", drill_word(Some(schedule.drill)), schedule.pair);
        let heading = format!("Edit the schedule: {what}");
        let enabled = Field::check("enabled", "drills become due", form.enabled == "on");
        Self {
            chrome: chrome.titled(heading.clone()).under("/drills", "Drills"),
            heading,
            lead: "What it asked for and nobody has begun is taken back where the schedule no longer has it."
                .to_owned(),
            problem: problem.map(notice),
            action: format!("/drills/{}/edit", schedule.id),
            version: form.version,
            sets: vec![
                FieldSet::new("On or off", vec![enabled])
                    .note("While it is off nothing of it is planned, started or told as due."),
                FieldSet::new("When it is due", when(form, errors)),
            ],
            button: format!("Save the schedule: {what}"),
            back: "/drills".to_owned(),
        }
    }
}

/// When drills are due, and who sees to them.
pub(crate) fn when(form: &ScheduleForm, errors: &[(String, String)]) -> Vec<Field> {
    let every = vec![Choice::new("quarter", "every quarter"), Choice::new("cron", "by cron expression")];
    let months = [("1", "first"), ("2", "second"), ("3", "third")];
    let months =
        months.map(|(value, word)| Choice::new(value, format!("{word} month of the quarter"))).to_vec();
    vec![
        Field::select("every", "How often", every, &form.every).errors(errors),
        Field::select("month", "Month, for every quarter", months, &form.month).errors(errors),
        Field::line("day", "Day of that month", "number", &form.day, "off").help("1 to 28.").errors(errors),
        Field::line("at", "Local time", "time", &form.at, "off").errors(errors),
        Field::text("cron", "Cron expression, instead", &form.cron)
            .help("Minute, hour, day of month, month, day of week: 0 9 15 2,5,8,11 *")
            .errors(errors),
        Field::text("zone", "Time zone", &form.zone)
            .help("Of the IANA database: Europe/Berlin.")
            .errors(errors),
        Field::line("window_minutes", "Window, minutes", "number", &form.window_minutes, "off")
            .help("It should begin within this time; after that it is overdue.")
            .errors(errors),
        Field::line("lead_days", "Plan ahead, days", "number", &form.lead_days, "off")
            .help("The plan is made and approval asked for so long before.")
            .errors(errors),
        Field::area("blackouts", "Days without drills", &form.blackouts, 3)
            .help("One a line: 2026-12-10 to 2027-01-06 peak season")
            .errors(errors),
        Field::text("owners", "Owners", &form.owners).help("Names, separated by commas.").errors(errors),
    ]
}
