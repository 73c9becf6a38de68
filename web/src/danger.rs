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

/// What was sent and refused: the page is shown again with it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The form.
    pub form: &'a DangerForm,
    /// Why it was refused.
    pub problem: &'a Problem,
}

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
    typed: Option<Field>,
    back: Link,
}

impl DangerPage {
    /// The page of an act; `chrome` has the crumbs above it already.
    pub(crate) fn new(chrome: Chrome, danger: Danger, sent: Option<Sent<'_>>) -> Self {
        let wrong = sent.map(|sent| sent.problem);
        // What was typed wrongly is said beside the field, anything else above what is decided on.
        let about_typed =
            danger.typed.is_some() && wrong.is_some_and(|wrong| wrong.code == "invalid-request");
        let errors: Vec<(String, String)> = wrong
            .filter(|_| about_typed)
            .map(|wrong| ("typed".to_owned(), wrong.detail.clone()))
            .into_iter()
            .collect();
        let not_now = danger.rule.map(|rule| Notice::new(Tone::Warn, "Not now.", rule));
        let typed = danger.typed.map(|(label, target)| {
            Field::text("typed", label, sent.map_or("", |sent| sent.form.typed.as_str()))
                .help(format!("It is “{target}”."))
                .required()
                .errors(&errors)
        });
        Self {
            chrome: chrome.titled(danger.act.clone()).here(danger.verb),
            offered: not_now.is_none(),
            notice: wrong.filter(|_| !about_typed).map(notice).or(not_now),
            act: danger.act,
            lead: danger.lead,
            facts: danger.facts,
            action: danger.action,
            version: danger.version,
            typed,
            back: danger.back,
        }
    }
}
