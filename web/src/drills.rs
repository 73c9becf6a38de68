//! The drill programme: which schedules there are, what is due, what came of it, and a form for the next one.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    people::Role,
    record::Run,
    run::RunState,
    schedule::{Cadence, Drill, Occurrence, Schedule, Standing},
};

use crate::{
    chrome::Chrome,
    format,
    forms::ScheduleForm,
    parts::{Action, Choice, Ends, Field, FieldSet, Link, Mark, Notice, Tone, When},
    schedule_form, words,
};

/// A time a drill was due, with what came of it.
#[derive(Debug, Clone)]
pub struct DueDrill {
    /// The pair.
    pub pair: PairName,
    /// What is drilled.
    pub drill: Option<Drill>,
    /// When.
    pub occurrence: Occurrence,
    /// Where it stands.
    pub standing: Standing,
    /// Overdue for ever: its schedule has come due again since, has had its drill since, or is off.
    pub missed: bool,
    /// The run asked for.
    pub run: Option<Run>,
    /// Why there is none.
    pub trouble: String,
    /// Why nobody has to hold it any more; empty while it stands.
    pub skipped: String,
}

/// A pair whose drills may be scheduled.
#[derive(Debug, Clone)]
pub struct ProgrammePair {
    /// Its name.
    pub name: String,
    /// Whether who looks owns it.
    pub owned: bool,
    /// Whether it has a schedule.
    pub scheduled: bool,
}

/// How many drills ask for somebody, on whatever page of the list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// The last one of a schedule that is on, whose window has closed.
    pub overdue: i64,
    /// Their window is open.
    pub due: i64,
    /// Not due yet.
    pub ahead: i64,
}

/// What the page shows.
#[derive(Debug, Clone, Copy)]
pub struct Programme<'a> {
    /// Schedules of this page, each with whether who looks may change it.
    pub schedules: &'a [(Schedule, bool)],
    /// The cursor of the page behind this one, when there is one.
    pub more_after: Option<&'a str>,
    /// The pairs who looks may see.
    pub pairs: &'a [ProgrammePair],
    /// How many wait in all.
    pub waiting: Waiting,
    /// What is due and what came due, as far as this page has it: overdue first, what is over last.
    pub due: &'a [DueDrill],
    /// The ways to the rest of it.
    pub ends: &'a Ends,
}

#[derive(Debug)]
struct ScheduleRow {
    pair: String,
    drill: &'static str,
    cadence: String,
    zone: String,
    /// When it is due next and until when, with the time of day where the schedule is kept.
    next: Option<(When, String)>,
    blackouts: Vec<String>,
    owners: String,
    id: String,
    enabled: bool,
    may_change: bool,
}

#[derive(Debug)]
struct DueRow {
    pair: String,
    drill: &'static str,
    when: When,
    mark: Mark,
    run: Option<Link>,
    said: String,
}

/// `GET /drills`; posts [`ScheduleForm`].
#[derive(Debug, Template)]
#[template(path = "pages/drills.html")]
pub struct DrillsPage {
    chrome: Chrome,
    summary: String,
    schedules: Vec<ScheduleRow>,
    more: Option<Link>,
    unscheduled: Vec<String>,
    due: Vec<DueRow>,
    ends: Ends,
    may_create: bool,
    refused: Action,
    fields: FieldSet,
    done: Option<Notice>,
}

impl DrillsPage {
    /// The programme of the pairs this person may see. `form` and `errors` are what was sent before and refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        programme: Programme<'_>,
        form: Option<&ScheduleForm>,
        errors: &[(String, String)],
        done: &str,
    ) -> Self {
        let now = chrome.now();
        let Programme { schedules, more_after, pairs, waiting, due, ends } = programme;
        let owned: Vec<&str> =
            pairs.iter().filter(|pair| pair.owned).map(|pair| pair.name.as_str()).collect();
        let unscheduled: Vec<String> =
            pairs.iter().filter(|pair| !pair.scheduled).map(|pair| pair.name.clone()).collect();
        Self {
            summary: summary(waiting, &unscheduled),
            schedules: schedules.iter().map(|(schedule, may)| schedule_row(schedule, *may, now)).collect(),
            more: more_after
                .map(|last| Link::new(format!("/drills?after={last}#schedules-h"), "More schedules")),
            unscheduled,
            due: due.iter().map(|due| due_row(due, now)).collect(),
            ends: ends.clone(),
            may_create: chrome.may_anywhere(Role::Owner) && !owned.is_empty(),
            refused: Action::refused("Schedule the drill", "Only owners of a pair schedule its drills."),
            fields: fields(&owned, form, errors),
            done: notice_of(done),
            chrome: chrome.titled("Drills"),
        }
    }
}

fn notice_of(done: &str) -> Option<Notice> {
    let (what, then) = match done {
        "created" => ("The drill is scheduled.", "Its plan is made ahead of time."),
        "changed" => {
            ("The schedule is changed.", "What it no longer has is taken back, unless it has begun.")
        }
        "removed" => ("The schedule is removed.", "What came due of it stays."),
        _ => return None,
    };
    Some(Notice::new(Tone::Ok, what, then))
}

fn summary(waiting: Waiting, unscheduled: &[String]) -> String {
    let mut parts = Vec::new();
    for (drills, word) in [(waiting.overdue, "overdue"), (waiting.due, "due now"), (waiting.ahead, "ahead")] {
        match drills {
            0 => {}
            n => parts.push(format!("{n} {word}")),
        }
    }
    if !unscheduled.is_empty() {
        parts.push(format!("{} without any schedule", format::count(unscheduled.len(), "pair")));
    }
    if parts.is_empty() {
        "Nothing is due.".to_owned()
    } else {
        format!("{}.", words::capital(&parts.join(", ")))
    }
}

pub(crate) fn drill_word(drill: Option<Drill>) -> &'static str {
    match drill {
        Some(Drill::Switchover) => "switchover",
        Some(Drill::ReadinessDrill) => "readiness drill",
        None => "of a later version",
    }
}

/// How often, in words.
pub(crate) fn cadence(cadence: &Cadence) -> String {
    match cadence {
        Cadence::Quarter { month, day, at } => {
            let month = ["first", "second", "third"].get(*month as usize - 1).copied().unwrap_or("first");
            format!("every quarter, {month} month, day {day} at {}", at.format("%H:%M"))
        }
        Cadence::Cron { expression } => format!("cron {expression}"),
    }
}

fn schedule_row(schedule: &Schedule, may_change: bool, now: DateTime<Utc>) -> ScheduleRow {
    let next = schedule.enabled.then(|| schedule.next_after(now).ok()).flatten();
    let blackouts = schedule.blackouts.iter().map(|b| match b.from == b.until {
        true => b.from.to_string(),
        false => format!("{} to {}", b.from, b.until),
    });
    ScheduleRow {
        pair: schedule.pair.to_string(),
        drill: drill_word(Some(schedule.drill)),
        cadence: cadence(&schedule.cadence),
        zone: schedule.zone.name().to_owned(),
        next: next.map(|next| {
            let local = next.due.with_timezone(&schedule.zone).format("%-d %b %H:%M");
            (window(&next, now), format!("{local} {}", schedule.zone.name()))
        }),
        blackouts: blackouts.collect(),
        owners: schedule.owners.join(", "),
        id: schedule.id.to_string(),
        enabled: schedule.enabled,
        may_change,
    }
}

/// When it is due, and when it is overdue.
fn window(occurrence: &Occurrence, now: DateTime<Utc>) -> When {
    When::said(occurrence.due, format::window(now, occurrence.due, occurrence.closes))
}

fn due_row(due: &DueDrill, now: DateTime<Utc>) -> DueRow {
    let ran = due.run.as_ref().map(|run| run.state);
    let mark = match (due.standing, ran) {
        (Standing::Satisfied, _) => Mark::new(Tone::Ok, "satisfied"),
        (Standing::Overdue, Some(state)) if !state.ended() => Mark::new(Tone::Warn, "late, under way"),
        (Standing::Overdue, _) if due.missed => Mark::new(Tone::Warn, "missed"),
        (Standing::Overdue, _) => Mark::new(Tone::Bad, "overdue"),
        (Standing::Due, _) => Mark::new(Tone::Warn, "due now"),
        (Standing::Ahead, _) => Mark::new(Tone::Idle, "ahead"),
        (Standing::Skipped, _) => Mark::new(Tone::Idle, "skipped"),
    };
    let said = match (&due.run, due.trouble.is_empty()) {
        _ if due.standing == Standing::Skipped => due.skipped.clone(),
        (Some(run), _) if run.state == RunState::AwaitingApproval => "approval is asked for".to_owned(),
        (Some(run), _) => words::run_state(run.state).2.to_owned(),
        (None, false) => format!("no plan yet: {}", due.trouble),
        (None, true) if due.standing == Standing::Ahead && due.drill == Some(Drill::ReadinessDrill) => {
            "begins by itself when it is due".to_owned()
        }
        (None, true) if due.standing == Standing::Overdue => "nothing was planned in time".to_owned(),
        (None, true) => "the plan is made within a minute".to_owned(),
    };
    let run = due.run.as_ref().map(|run| {
        let page = if run.state == RunState::AwaitingApproval { "/approval" } else { "" };
        Link::new(format!("/runs/{}{page}", run.id), words::run_name(run))
    });
    DueRow {
        pair: due.pair.to_string(),
        drill: drill_word(due.drill),
        when: window(&due.occurrence, now),
        mark,
        run,
        said,
    }
}

fn fields(owned: &[&str], form: Option<&ScheduleForm>, errors: &[(String, String)]) -> FieldSet {
    let default = ScheduleForm::default();
    let form = form.unwrap_or(&default);
    let pairs = owned.iter().map(|pair| Choice::new(*pair, *pair)).collect();
    let drills = vec![
        Choice::new("switchover", "switchover: applications really move"),
        Choice::new("readiness_drill", "readiness drill: only looks, begins by itself"),
    ];
    let mut fields = vec![
        Field::select("pair", "Pair", pairs, &form.pair).required().errors(errors),
        Field::select("drill", "What", drills, &form.drill).errors(errors),
    ];
    fields.extend(schedule_form::when(form, errors));
    FieldSet::new("A drill that comes again", fields)
}
