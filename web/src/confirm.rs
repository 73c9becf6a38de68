//! The page before a dangerous act: verb, object, direction, the numbers, and for the severe ones the target typed again.

use askama::Template;
use muster_domain::{
    people::{Actor, Role},
    record::RunStep,
    run::{RunAct, StepState, next_state},
};

use crate::{
    chrome::Chrome,
    format,
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
}

impl ConfirmAct {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Start, Self::Abort, Self::Skip, Self::Close, Self::Attest];

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Abort => "abort",
            Self::Skip => "skip",
            Self::Close => "close",
            Self::Attest => "attest",
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
            Self::Attest => None,
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
    /// The page of an act for the signed-in person. `step` is the step it is about (`skip`); `errors` are what was
    /// wrong with what was sent before.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        act: ConfirmAct,
        record: &RunRecord<'_>,
        step: Option<&RunStep>,
        errors: &[(String, String)],
    ) -> Self {
        let run = record.run;
        let words = Words::of(act, record, step);
        let viewer = chrome.facts.person.as_ref();
        let refused = match act {
            ConfirmAct::Attest => None,
            ConfirmAct::Close => not_an_owner(record, viewer),
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
            fields: fields(act, run.pair.as_str(), errors),
            step: step.map(|step| step.name.clone()).unwrap_or_default(),
            button: words.button,
            look: words.look,
            leave: format!("Leave {} as it is", words::run_name(run)),
        }
    }
}

fn not_an_owner(record: &RunRecord<'_>, viewer: Option<&Actor>) -> Option<String> {
    let team = &record.run.team;
    let owner = viewer.is_some_and(|viewer| viewer.has(Role::Owner, team));
    (!owner).then(|| format!("Only owners of {team} close a stuck run by hand."))
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
        ("Approved by", approved),
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

fn fields(act: ConfirmAct, pair: &str, errors: &[(String, String)]) -> Vec<Field> {
    let typed = || {
        Field::text("typed", "Type the name of the pair", "")
            .help(format!("It is “{pair}”."))
            .required()
            .errors(errors)
    };
    let reason = || Field::area("reason", "Why, kept in the evidence", "", 3).required().errors(errors);
    match act {
        ConfirmAct::Start => vec![typed()],
        ConfirmAct::Abort => vec![reason()],
        ConfirmAct::Skip | ConfirmAct::Close => vec![reason(), typed()],
        ConfirmAct::Attest => {
            let verdicts = [
                ("passed", "It passed"),
                ("inconclusive", "It proved nothing either way"),
                ("failed", "It failed"),
            ];
            let choices = verdicts.map(|(value, label)| Choice::new(value, label)).to_vec();
            vec![Field::select("verdict", "What it proved", choices, "passed").errors(errors), reason()]
        }
    }
}
