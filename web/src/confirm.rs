//! The page before a dangerous act: verb, object, direction, the numbers, and for the severe ones the target typed again.

use askama::Template;
use muster_domain::{
    break_glass::{BreakGlass, REVIEW_WITHIN, may_be_overridden},
    people::{Actor, Role},
    plan::Concern,
    record::{Person, RunStep},
    run::{RunAct, StepState, next_state},
};

use crate::{
    chrome::Chrome,
    format,
    forms::ActForm,
    parts::{Choice, Course, Field, Notice, Tone},
    plan::about,
    run::RunRecord,
    run_actions::not_an_operator,
    words,
};

/// Acts with a page before them: `GET /runs/{id}/{act}` shows it, `POST` there does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmAct {
    /// Start an approved run.
    Start,
    /// Undo everything and end.
    Abort,
    /// Go on without a failed step.
    Skip,
    /// End a stuck run that people put right.
    Close,
    /// Say what a drill proved.
    Attest,
    /// Start a run nobody approved.
    BreakGlass,
    /// Say whether that was right.
    Review,
}

impl ConfirmAct {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Abort, Self::Skip, Self::Close, Self::Attest, Self::BreakGlass, Self::Review];

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Abort => "abort",
            Self::Skip => "skip",
            Self::Close => "close",
            Self::Attest => "attest",
            Self::BreakGlass => "break-glass",
            Self::Review => "review",
        }
    }

    /// The act of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == word)
    }

    fn run_act(self) -> Option<RunAct> {
        match self {
            Self::Start => Some(RunAct::Start),
            Self::Abort => Some(RunAct::Abort),
            Self::Skip => Some(RunAct::Skip),
            Self::Close => Some(RunAct::CloseManually),
            Self::BreakGlass => Some(RunAct::BreakGlass),
            Self::Attest | Self::Review => None,
        }
    }
}

/// The page; its form posts [`crate::forms::ActForm`].
#[derive(Debug, Template)]
#[template(path = "pages/confirm.html")]
pub struct ConfirmPage {
    chrome: Chrome,
    id: String,
    act: &'static str,
    heading: String,
    course: Course,
    lead: String,
    facts: Vec<(&'static str, String)>,
    refused: Option<Notice>,
    fields: Vec<Field>,
    step: String,
    button: String,
    look: &'static str,
    leave: String,
}

impl ConfirmPage {
    /// The page of an act for the signed-in person. `step` is the step it is about (`skip`); `form` is what was sent before and
    /// `errors` what was wrong with it.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        act: ConfirmAct,
        record: &RunRecord<'_>,
        step: Option<&RunStep>,
        form: &ActForm,
        errors: &[(String, String)],
    ) -> Self {
        let run = record.run;
        let words = Words::of(act, record, step);
        let viewer = chrome.facts.person.as_ref();
        let refused = match act {
            ConfirmAct::Attest => None,
            ConfirmAct::Close => not_an_owner(record, viewer, "close a stuck run by hand"),
            ConfirmAct::BreakGlass => not_an_owner(record, viewer, "start a run without approval")
                .or_else(|| stays(&record.plan.blockers)),
            ConfirmAct::Review => not_a_reviewer(record, viewer),
            ConfirmAct::Start | ConfirmAct::Abort | ConfirmAct::Skip => not_an_operator(record, viewer),
        };
        let refused = refused.or_else(|| {
            let refused = next_state(run.state, act.run_act()?, record.past_no_return()).err()?;
            let state = words::run_state(refused.state).2.to_lowercase();
            Some(format!("The run is {state} and does not take this now."))
        });
        Self {
            heading: words.button.clone(),
            chrome: chrome
                .titled(words.button.clone())
                .here(act.as_str())
                .under("/", "Fleet")
                .under(format!("/pairs/{}", run.pair), run.pair.as_str())
                .under(format!("/runs/{}", run.id), words::run_name(run)),
            id: run.id.to_string(),
            act: act.as_str(),
            course: Course::of_run(&run.course).big(),
            lead: words.lead,
            facts: words.facts,
            refused: refused.map(|rule| Notice::new(Tone::Bad, "Refused.", rule)),
            fields: fields(act, record, form, errors),
            step: step.map(|step| step.name.clone()).unwrap_or_default(),
            button: words.button,
            look: words.look,
            leave: format!("Leave {} as it is", words::run_name(run)),
        }
    }
}

pub(crate) fn not_an_owner(record: &RunRecord<'_>, viewer: Option<&Actor>, what: &str) -> Option<String> {
    let team = &record.run.team;
    let owner = viewer.is_some_and(|viewer| viewer.has(Role::Owner, team));
    (!owner).then(|| format!("Only owners of {team} {what}."))
}

/// Who hears of it when the glass is broken.
pub(crate) fn who_is_told(record: &RunRecord<'_>) -> String {
    let team = &record.run.team;
    match record.channels {
        [] => {
            format!("Muster can tell nobody: {team} has no channel that is switched on. Tell them yourself.")
        }
        [_] => format!("The one channel of {team} is told at once."),
        many => format!("All {} channels of {team} are told at once.", many.len()),
    }
}

/// Which channels that are, and what they are told.
fn told_where(record: &RunRecord<'_>) -> String {
    match record.channels {
        [] => format!("nobody: {} has no channel that is switched on", record.run.team),
        channels => format!("{}: your name and your reason", format::list(channels, 12)),
    }
}

/// Who looks at it afterwards, and what happens if nobody does.
fn reviewed_by(record: &RunRecord<'_>) -> String {
    format!(
        "within {} hours by an approver of {} who neither asked for the run nor started it; a finding of high severity \
         is raised if nobody does, or if it was not justified",
        REVIEW_WITHIN.num_hours(),
        record.run.team
    )
}

/// What of a plan's blockers nobody overrides.
pub(crate) fn stays(blockers: &[Concern]) -> Option<String> {
    let stays: Vec<&str> = blockers
        .iter()
        .filter(|blocker| !may_be_overridden(blocker))
        .map(|blocker| blocker.reason.as_str())
        .collect();
    (!stays.is_empty()).then(|| format!("Nobody overrides this: {}.", stays.join("; ").trim_end_matches('.')))
}

/// Why this person may not review a start without approval; `None` when they may.
pub(crate) fn not_a_reviewer(record: &RunRecord<'_>, viewer: Option<&Actor>) -> Option<String> {
    let run = record.run;
    let is = |person: &Person| viewer.is_some_and(|viewer| viewer.id == person.id);
    match record.break_glass {
        None => Some("It was started with approval; there is nothing to review.".to_owned()),
        Some(broken) if broken.review.is_some() => Some("It was reviewed before.".to_owned()),
        Some(_) if !viewer.is_some_and(|viewer| viewer.has(Role::Approver, &run.team)) => {
            Some(format!("Only approvers of {} review it.", run.team))
        }
        Some(_) if is(&run.requested_by) || run.driver.as_ref().is_some_and(is) => {
            Some("You asked for it or started it; somebody else must review it.".to_owned())
        }
        Some(_) => None,
    }
}

/// What an act says.
struct Words {
    button: String,
    look: &'static str,
    lead: String,
    facts: Vec<(&'static str, String)>,
}

impl Words {
    fn of(act: ConfirmAct, record: &RunRecord<'_>, step: Option<&RunStep>) -> Self {
        let (run, pair) = (record.run, record.run.pair.as_str());
        let doing = words::doing(run.operation, pair);
        let looks = run.operation.only_looks();
        match act {
            ConfirmAct::Start if looks => Self {
                button: format!("Start {doing}, {}", run.course),
                look: "primary",
                lead: format!(
                    "Every step only looks. Nothing is changed on {} or {}, so there is nothing to undo either.",
                    record.from(),
                    record.to()
                ),
                facts: start_facts(record),
            },
            ConfirmAct::Abort if looks => Self {
                button: format!("Abort {doing}"),
                look: "danger",
                lead: "It looks no further. Nothing was changed, so nothing has to be undone. Looking once more needs a \
                       new plan."
                    .to_owned(),
                facts: vec![("Undone", undo_list(record))],
            },
            ConfirmAct::Start => Self {
                button: format!("Start {doing}, {}", run.course),
                look: "primary",
                lead: format!(
                    "Muster looks at both sides again and compares with what was approved. Then step 1 begins. Until the \
                     point of no return everything can be undone; after it {} takes the writes.",
                    record.to()
                ),
                facts: start_facts(record),
            },
            ConfirmAct::Abort => Self {
                button: format!("Abort and return {pair} to {}", record.from()),
                look: "danger",
                lead: format!(
                    "What was done is undone in reverse order and {} takes writes again. Starting once more needs a new \
                     plan and new approvals.",
                    record.from()
                ),
                facts: vec![("Undone", undo_list(record)), ("Records lost", "none: nothing was moved yet".to_owned())],
            },
            ConfirmAct::Skip => Self {
                button: step.map_or_else(|| format!("Skip a step of {pair}"), |s| format!("Skip step {} of {pair}", s.position)),
                look: "danger",
                lead: "The run goes on as if it had been done. It can then end no better than “succeeded with \
                       exceptions”, and the report names you and your reason."
                    .to_owned(),
                facts: step.map(skip_facts).unwrap_or_default(),
            },
            ConfirmAct::Close => Self {
                button: format!("Close {} of {pair} by hand", words::run_name(run)),
                look: "danger",
                lead: "You state that people put both sides right. Muster undoes nothing more and another run may start \
                       on the pair."
                    .to_owned(),
                facts: vec![("Stuck because", run.state_reason.clone())],
            },
            ConfirmAct::BreakGlass => Self {
                button: format!("Start {doing} without approval, {}", run.course),
                look: "danger",
                lead: format!(
                    "Break-glass: for when waiting for an approver costs more than going on without one. {} Somebody else \
                     reviews it within 24 hours. Muster's own checks are not left out.",
                    who_is_told(record)
                ),
                facts: [
                    ("Told at once", told_where(record)),
                    ("Reviewed", reviewed_by(record)),
                    ("Blocked by", blocked_by(&record.plan.blockers)),
                ]
                .into_iter()
                .chain(start_facts(record))
                .collect(),
            },
            ConfirmAct::Review => Self {
                button: format!("Review the start of {} without approval", words::run_name(run)),
                look: "primary",
                lead: "You state whether it was right not to wait. One that was not leaves a finding of high severity."
                    .to_owned(),
                facts: record.break_glass.map(broken_facts).unwrap_or_default(),
            },
            ConfirmAct::Attest => Self {
                button: format!("Attest the drill of {pair}, {}", run.course),
                look: "primary",
                lead: "You state what the drill proved. The report is sealed with your name and cannot be changed.".to_owned(),
                facts: vec![(
                    "Measured",
                    run.outcome.as_ref().map_or_else(|| "nothing was measured".to_owned(), |o| o.summary.clone()),
                )],
            },
        }
    }
}

fn blocked_by(blockers: &[Concern]) -> String {
    if blockers.is_empty() {
        return "nothing but the missing approval".to_owned();
    }
    blockers.iter().map(|b| format!("{}: {}", b.code, b.reason)).collect::<Vec<_>>().join("; ")
}

fn broken_facts(broken: &BreakGlass) -> Vec<(&'static str, String)> {
    let overridden =
        if broken.overridden.is_empty() { "nothing".to_owned() } else { broken.overridden.join(", ") };
    vec![
        ("Started by", format!("{}, {}", broken.by.name, format::date_time(broken.at))),
        ("Their reason", broken.reason.clone()),
        ("Overridden", overridden),
        ("Review due", format::date_time(broken.review_due)),
    ]
}

fn start_facts(record: &RunRecord<'_>) -> Vec<(&'static str, String)> {
    let (run, plan) = (record.run, record.plan);
    let approved: Vec<String> = record.approvals.iter().map(|approval| approval.by.name.clone()).collect();
    let (stopped, approved) = match run.operation.only_looks() {
        true => ("never: it only looks".to_owned(), "nobody has to: it changes nothing".to_owned()),
        false => (
            format!("{}, from {}", about(plan.prediction.write_unavailability_ms), plan.prediction.basis),
            format::list(&approved, 6),
        ),
    };
    vec![
        ("Direction", run.course.clone()),
        ("Writers stopped for", stopped),
        ("Whole run", about(plan.prediction.total_ms)),
        (
            "Scope",
            format!(
                "{}, {}",
                format::count(plan.content.topics.len(), "topic"),
                format::count(plan.content.groups.len(), "group")
            ),
        ),
        ("Approved by", if approved.is_empty() { "nobody".to_owned() } else { approved }),
        ("Use by", run.use_by.map_or_else(|| "no limit is kept".to_owned(), format::date_time)),
        ("Plan", format::short_hash(&run.plan_hash)),
    ]
}

fn undo_list(record: &RunRecord<'_>) -> String {
    let steps: Vec<String> = record
        .steps
        .iter()
        .rev()
        .filter(|step| step.undoable && step.state == StepState::Succeeded)
        .map(|step| format!("step {}, {}", step.position, step.title))
        .collect();
    if steps.is_empty() {
        "nothing has to be undone".to_owned()
    } else {
        format!("{}, in this order", steps.join("; "))
    }
}

fn skip_facts(step: &RunStep) -> Vec<(&'static str, String)> {
    vec![
        ("Step", format!("{} {}", step.position, step.title)),
        ("What went wrong", step.sentence.clone()),
        ("Tried", format::count(usize::try_from(step.attempt).unwrap_or(0), "time")),
    ]
}

/// What is to be filled in, with what was typed and chosen before: a refused form is mended, not written anew.
fn fields(
    act: ConfirmAct,
    record: &RunRecord<'_>,
    form: &ActForm,
    errors: &[(String, String)],
) -> Vec<Field> {
    let pair = record.run.pair.as_str();
    let typed = || {
        Field::text("typed", "Type the name of the pair", &form.typed)
            .help(format!("It is “{pair}”."))
            .required()
            .errors(errors)
    };
    let reason =
        || Field::area("reason", "Why, kept in the evidence", &form.reason, 3).required().errors(errors);
    let verdict = |label, verdicts: &[(&str, &str)]| {
        let choices = verdicts.iter().map(|(value, label)| Choice::new(*value, *label)).collect();
        let chosen = verdicts.iter().find(|(value, _)| *value == form.verdict).or(verdicts.first());
        Field::select("verdict", label, choices, chosen.map_or("", |(value, _)| *value)).errors(errors)
    };
    match act {
        ConfirmAct::Start => vec![typed()],
        ConfirmAct::Abort => vec![reason()],
        ConfirmAct::Skip | ConfirmAct::Close => vec![reason(), typed()],
        ConfirmAct::BreakGlass if record.plan.blockers.is_empty() => vec![reason(), typed()],
        ConfirmAct::BreakGlass => {
            let codes: Vec<&str> = record.plan.blockers.iter().map(|b| b.code.as_str()).collect();
            let named = Field::text("overridden", "Type what you override", &form.overridden)
                .help(format!("Each blocker you answer for: {}", codes.join(", ")))
                .required()
                .errors(errors);
            vec![named, reason(), typed()]
        }
        ConfirmAct::Review => {
            let verdicts = [("justified", "It was justified"), ("not_justified", "It was not justified")];
            vec![verdict("How you judge it", &verdicts), reason()]
        }
        ConfirmAct::Attest => {
            let verdicts = [
                ("passed", "It passed"),
                ("inconclusive", "It proved nothing either way"),
                ("failed", "It failed"),
            ];
            vec![verdict("What it proved", &verdicts), reason()]
        }
    }
}
