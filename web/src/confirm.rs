//! The page before a dangerous act: verb, object, direction, the numbers, and for the severe ones the target typed again.

mod wording;

use askama::Template;
use muster_domain::{
    record::RunStep,
    run::{RunAct, next_state},
};

use self::wording::Words;
pub(crate) use self::wording::who_is_told;
use crate::{
    chrome::Chrome,
    forms::ActForm,
    parts::{Choice, Course, Field, Notice, Tone},
    run::RunRecord,
    run_rules::{not_a_reviewer, not_an_operator, not_an_owner, stays},
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
            ConfirmAct::Close => not_an_owner(record, viewer, "close a run by hand"),
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
