//! The password once more, before what cannot be undone or opens secrets.

use askama::Template;
use muster_domain::problem::Problem;

use crate::{
    chrome::Chrome,
    parts::{Field, Notice},
    sign_in::notice,
};

/// `GET /reauthenticate`; posts [`crate::forms::ReauthenticateForm`].
#[derive(Debug, Template)]
#[template(path = "pages/reauthenticate.html")]
pub struct ReauthenticatePage {
    chrome: Chrome,
    problem: Option<Notice>,
    name: String,
    next: String,
    password: Field,
}

impl ReauthenticatePage {
    /// The form; `next` where the person was going, `problem` why it was refused.
    #[must_use]
    pub fn new(chrome: Chrome, next: &str, problem: Option<&Problem>) -> Self {
        Self {
            name: chrome.facts.person.as_ref().map(|person| person.name.clone()).unwrap_or_default(),
            chrome: chrome.titled("Confirm that it is you"),
            problem: problem.map(notice),
            next: next.to_owned(),
            password: Field::line("password", "Password", "password", "", "current-password").required(),
        }
    }
}
