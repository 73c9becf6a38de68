//! The page before something is removed, ended or stopped: verb and object, what comes of it, what stays, and for the severe
//! ones the target typed again. `GET` of an address shows it, `POST` there does it; acts on runs have [`crate::confirm`].

use askama::Template;
use muster_domain::problem::Problem;

use crate::{
    chrome::Chrome,
    forms::DangerForm,
    parts::{Field, Link, Notice, Tone},
    sign_in::notice,
};

/// One such act, in words.
pub(crate) struct Danger {
    /// Heading and button: `Remove pair payments`.
    pub(crate) act: String,
    /// The verb, for the crumbs.
    pub(crate) verb: &'static str,
    /// What comes of it, in a sentence or three.
    pub(crate) lead: String,
    /// What it is about, what goes and what stays.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Why it is not offered now.
    pub(crate) rule: Option<String>,
    /// Where the form posts to.
    pub(crate) action: String,
    /// Row version of what is shown.
    pub(crate) version: Option<i64>,
    /// The field the target is typed into, and the target.
    pub(crate) typed: Option<(&'static str, String)>,
    /// The way out: `Leave pair payments as it is`.
    pub(crate) back: Link,
}

/// The page; its form posts [`DangerForm`].
#[derive(Debug, Template)]
#[template(path = "pages/danger.html")]
pub struct DangerPage {
    chrome: Chrome,
    act: String,
    lead: String,
    notice: Option<Notice>,
    facts: Vec<(&'static str, String)>,
    offered: bool,
    action: String,
    version: Option<i64>,
    typed: Option<(&'static str, String)>,
    /// What was typed there, and what was wrong with it.
    given: String,
    errors: Vec<(String, String)>,
    back: Link,
}

impl DangerPage {
    /// The page of an act; `chrome` has the crumbs above it already.
    pub(crate) fn new(chrome: Chrome, danger: Danger) -> Self {
        let not_now = danger.rule.map(|rule| Notice::new(Tone::Warn, "Not now.", rule));
        Self {
            chrome: chrome.titled(danger.act.clone()).here(danger.verb),
            offered: not_now.is_none(),
            notice: not_now,
            act: danger.act,
            lead: danger.lead,
            facts: danger.facts,
            action: danger.action,
            version: danger.version,
            typed: danger.typed,
            given: String::new(),
            errors: Vec::new(),
            back: danger.back,
        }
    }

    /// The page again, with what was sent and why that was refused.
    #[must_use]
    pub fn refused(self, form: &DangerForm, problem: &Problem) -> Self {
        let given = form.typed.clone();
        // What was typed wrongly is said beside the field, anything else above what is decided on.
        match self.typed.is_some() && problem.code == "invalid-request" {
            true => Self { given, errors: vec![("typed".to_owned(), problem.detail.clone())], ..self },
            false => Self { given, notice: Some(notice(problem)), ..self },
        }
    }

    fn field(&self) -> Option<Field> {
        let (label, target) = self.typed.as_ref()?;
        let field = Field::text("typed", label, self.given.as_str()).required();
        Some(field.help(format!("It is “{target}”.")).errors(&self.errors))
    }
}
