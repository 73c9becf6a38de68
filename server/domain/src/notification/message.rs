//! The words of a message, the same for every kind of channel: what happened, to which pair, by whom, and what to do next.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Alarm, Event, EventKind, NamedRun};
use crate::{
    ids::{PairName, TeamName},
    readiness::CheckStatus,
    run::RunState,
    schedule::{Drill, Occurrence},
};

/// Longest text taken over from what people and clusters said.
const LONGEST: usize = 600;

/// An event in words. Every text is one line of visible characters and carries no markup of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Id of the notification: the same at every attempt, on every channel.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Whose it is.
    pub team: TeamName,
    /// Pair it is about.
    pub pair: Option<PairName>,
    /// Kind of event.
    pub kind: EventKind,
    /// See [`Event::subject`].
    pub subject: String,
    /// See [`Event::alarm`].
    pub alarm: Alarm,
    /// For a subject line.
    pub title: String,
    /// What happened, in a sentence.
    pub text: String,
    /// Label and value.
    pub facts: Vec<(&'static str, String)>,
    /// What the reader can do now.
    pub next_step: String,
    /// What the link leads to.
    pub link_text: &'static str,
    /// Page of Muster.
    pub link: String,
}

/// What differs from event to event.
struct Words {
    title: String,
    text: String,
    facts: Vec<(&'static str, String)>,
    next_step: &'static str,
    link_text: &'static str,
    path: String,
}

impl Message {
    /// The words of an event. `public_url` is the address people type, without a slash at its end.
    #[must_use]
    pub fn new(id: Uuid, at: DateTime<Utc>, team: &TeamName, event: &Event, public_url: &str) -> Self {
        let words = words(event);
        let facts = words.facts.into_iter().map(|(label, value)| (label, plain(&value)));
        Self {
            id,
            at,
            team: team.clone(),
            pair: event.pair().cloned(),
            kind: event.kind(),
            subject: event.subject(),
            alarm: event.alarm(),
            title: plain(&words.title),
            text: plain(&words.text),
            facts: facts.filter(|(_, value)| !value.is_empty()).collect(),
            next_step: words.next_step.to_owned(),
            link_text: words.link_text,
            link: format!("{public_url}{}", words.path),
        }
    }
}

fn words(event: &Event) -> Words {
    match event {
        Event::ApprovalNeeded { run, by, reason, needed, decide_by } => Words {
            title: format!("Approval needed: {} of {} (run {})", operation(run), run.pair, run.number),
            text: format!("{by} asks for a {} of {}, {}.", operation(run), run.pair, run.course),
            facts: vec![
                ("Reason", reason.clone()),
                ("Approvals needed", needed.to_string()),
                ("Decide by", time(*decide_by)),
            ],
            next_step: "Read the plan, then approve or reject it. Nobody approves what they asked for.",
            link_text: "Open the request",
            path: format!("/runs/{}/approval", run.id),
        },
        Event::RunStarted { run, by, reason } => {
            let title = format!("Run {} of {} has started", run.number, run.pair);
            let text = format!("{by} started a {} of {}, {}.", operation(run), run.pair, run.course);
            of_run(
                run,
                title,
                text,
                vec![("Reason", reason.clone())],
                "Nothing to do; follow it on its page.",
            )
        }
        Event::WaitingForInput { run, driver, question } => waiting(run, driver, question),
        Event::PausedByFailure { run, driver, failure } => failed(run, driver, failure),
        Event::Ended { run, driver, why } => ended(run, driver, why),
        Event::ReadinessWorse { pair, from, to, checks } => {
            let title = format!("{pair} is less ready: {} → {}", word(*from), word(*to));
            let text = format!("The readiness of {pair} got worse, from {} to {}.", word(*from), word(*to));
            readiness(pair, title, text, checks, "Open the pair: each check says what to do.")
        }
        Event::ReadinessBetter { pair, from, to, checks } => {
            let title = format!("{pair} is more ready: {} → {}", word(*from), word(*to));
            let text = format!("The readiness of {pair} got better, from {} to {}.", word(*from), word(*to));
            let next = match checks.is_empty() {
                true => "Nothing to do.",
                false => "Open the pair: each check says what is left to do.",
            };
            readiness(pair, title, text, checks, next)
        }
        Event::DrillDue { pair, drill, occurrence, .. } => drills(
            format!("Drill of {pair} is due"),
            format!("A {} of {pair} is due now.", drill_words(*drill)),
            occurrence,
            "Start its run before the window closes. If it has no run, the page says why.",
        ),
        Event::DrillOverdue { pair, drill, occurrence, .. } => drills(
            format!("Drill of {pair} is overdue"),
            format!("The window of a {} of {pair} has closed and no drill passed.", drill_words(*drill)),
            occurrence,
            "Hold the drill now, or write down why it is left out.",
        ),
        Event::BreakGlass { run, by, reason } => of_run(
            run,
            format!("Break-glass: run {} of {} was started without approval", run.number, run.pair),
            format!("{by} started a {} of {}, {}, past its approval.", operation(run), run.pair, run.course),
            vec![("Reason", reason.clone())],
            "Look at what it does, and review it within 24 hours.",
        ),
        Event::Alarm { pair, number, code, likely, about, said, places, since, lost, next, over, .. } => {
            let path = alarm_path(pair, *number);
            let title = code.title();
            silent_loss((pair, title, about), (said, *likely), (places, since, lost, next), *over, path)
        }
        Event::Test { name, by, .. } => Words {
            title: format!("Test of channel {name}"),
            text: format!("{by} tries whether messages of Muster arrive here."),
            facts: Vec::new(),
            next_step: "Nothing to do: they do.",
            link_text: "Open the channels",
            path: "/notifications".to_owned(),
        },
    }
}

fn of_run(
    run: &NamedRun,
    title: String,
    text: String,
    mut facts: Vec<(&'static str, String)>,
    next_step: &'static str,
) -> Words {
    facts.insert(0, ("Pair", format!("{}, {}", run.pair, run.course)));
    Words { title, text, facts, next_step, link_text: "Open the run", path: format!("/runs/{}", run.id) }
}

fn waiting(run: &NamedRun, driver: &str, question: &str) -> Words {
    let (number, pair) = (run.number, &run.pair);
    if run.state == RunState::AwaitingAttestation {
        return of_run(
            run,
            format!("Run {number} of {pair} waits to be attested"),
            format!("The drill that {driver} drove has ended; somebody else says what it proved."),
            vec![("Reached", question.to_owned())],
            "Read its evidence, then attest it. Nobody attests what they asked for or drove.",
        );
    }
    of_run(
        run,
        format!("Run {number} of {pair} waits for an answer"),
        format!("A step of the {} of {pair} waits for a person.", operation(run)),
        vec![("Question", question.to_owned()), ("Driven by", driver.to_owned())],
        "Answer on its page: nothing goes on until somebody does.",
    )
}

fn failed(run: &NamedRun, driver: &str, failure: &str) -> Words {
    let (number, pair) = (run.number, &run.pair);
    let (what, next_step) = if run.state == RunState::Stuck {
        (
            "is stuck: something could not be taken back",
            "Open the run: try again, or put the clusters in order and close it.",
        )
    } else if run.state == RunState::CleanupIncomplete {
        ("could not prove its clean-up", "Open the run and see what it left behind.")
    } else {
        ("stopped at a failure", "Open the run: it says what can be done now, and what each act does.")
    };
    of_run(
        run,
        format!("Run {number} of {pair} {what}"),
        format!("The {} of {pair} {what}; it needs a person.", operation(run)),
        vec![("Failure", failure.to_owned()), ("Driven by", driver.to_owned())],
        next_step,
    )
}

fn ended(run: &NamedRun, driver: &str, why: &str) -> Words {
    let (number, pair) = (run.number, &run.pair);
    let (how, next_step) = match run.state {
        RunState::Succeeded | RunState::Passed => ("well", "Nothing to do; its report is the evidence."),
        RunState::SucceededWithExceptions => ("with exceptions", "Read the exceptions in its report."),
        RunState::RolledBack => ("taken back", "Find out why, then make a new plan."),
        RunState::Rejected | RunState::Expired => {
            ("without having started", "Make a new plan if it is still wanted.")
        }
        RunState::ClosedManually => ("closed by hand", "See in the pair's readiness what is left to do."),
        RunState::Inconclusive => ("with nothing proven", "Hold the drill again."),
        RunState::Failed
        | RunState::Blocked
        | RunState::AwaitingApproval
        | RunState::Approved
        | RunState::Running
        | RunState::WaitingForInput
        | RunState::PausedByOperator
        | RunState::PausedByFailure
        | RunState::RollingBack
        | RunState::Stuck
        | RunState::Verifying
        | RunState::CleaningUp
        | RunState::CleanupIncomplete
        | RunState::AwaitingAttestation => {
            ("without what it was for", "Read its report: it says what was reached and what was not.")
        }
    };
    of_run(
        run,
        format!("Run {number} of {pair} ended: {}", run.state.as_str().replace('_', " ")),
        format!("The {} of {pair} ended {how}.", operation(run)),
        vec![("Outcome", why.to_owned()), ("Driven by", driver.to_owned())],
        next_step,
    )
}

fn silent_loss(
    (pair, title, about): (&PairName, &str, &str),
    (said, likely): (&str, bool),
    (places, since, lost, next): (&[String], &str, &str, &str),
    over: bool,
    path: String,
) -> Words {
    let facts = vec![
        ("Pair", pair.to_string()),
        ("Where", places.join("; ")),
        ("Since", since.to_owned()),
        ("Lost", lost.to_owned()),
        ("What to do", if over { String::new() } else { next.to_owned() }),
    ];
    let (title, text, next_step) = if over {
        (format!("Over on {pair}: {title} ({about})"), format!("The cause is gone: {said}"), "Nothing to do.")
    } else {
        (
            format!(
                "{} on {pair}: {title} ({about})",
                if likely { "Perhaps silent loss" } else { "Silent loss" }
            ),
            said.to_owned(),
            "Open the alarm: it has a command to copy.",
        )
    };
    Words { title, text, facts, next_step, link_text: "Open the alarm", path }
}

/// The list that begins with the alarm, open or ended: whoever reads the message later finds it there, too.
fn alarm_path(pair: &PairName, number: Option<i64>) -> String {
    match number {
        Some(number) => {
            format!("/alarms?state=all&pair={pair}&after={}#alarm-{number}", number.saturating_add(1))
        }
        None => format!("/alarms?state=all&pair={pair}"),
    }
}

fn readiness(
    pair: &PairName,
    title: String,
    text: String,
    checks: &[String],
    next_step: &'static str,
) -> Words {
    let facts = vec![("Pair", pair.to_string()), ("Checks", checks.join("; "))];
    Words { title, text, facts, next_step, link_text: "Open the pair", path: format!("/pairs/{pair}") }
}

fn drills(title: String, text: String, occurrence: &Occurrence, next_step: &'static str) -> Words {
    let facts = vec![("Due", time(occurrence.due)), ("Window closes", time(occurrence.closes))];
    Words { title, text, facts, next_step, link_text: "Open the drills", path: "/drills".to_owned() }
}

/// `switchover`, `switchover drill`.
fn operation(run: &NamedRun) -> String {
    let word = run.operation.as_str().replace('_', " ");
    if run.drill && !run.operation.only_looks() { format!("{word} drill") } else { word }
}

fn drill_words(drill: Drill) -> &'static str {
    match drill {
        Drill::Switchover => "switchover drill",
        Drill::ReadinessDrill => "readiness drill",
    }
}

/// A status of readiness in a word.
#[must_use]
pub fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Critical => "critical",
        CheckStatus::Unknown => "unknown",
        CheckStatus::NotApplicable => "not applicable",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y %H:%M UTC").to_string()
}

/// One line of visible characters, at most [`LONGEST`]. A line break would begin a header of a mail, and characters that
/// turn the direction of writing make a text look like another one.
fn plain(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let seen = text.replace(hidden, " ");
    let mut line = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}
