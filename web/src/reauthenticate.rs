//! Who one is, shown once more before what cannot be undone or opens secrets: by password or at the provider.

use askama::Template;
use muster_domain::problem::Problem;

use crate::{
    chrome::Chrome,
    parts::{Field, Notice},
    sign_in::{Provider, notice},
};

/// How somebody can show that it is them.
#[derive(Debug, Clone)]
pub struct Ways {
    /// They have a password here.
    pub password: bool,
    /// They are somebody at the identity provider.
    pub provider: Option<Provider>,
}

/// `GET /reauthenticate`; posts [`crate::forms::ReauthenticateForm`].
#[derive(Debug, Template)]
#[template(path = "pages/reauthenticate.html")]
pub struct ReauthenticatePage {
    chrome: Chrome,
    problem: Option<Notice>,
    name: String,
    next: String,
    password: Option<Field>,
    provider: Option<Provider>,
    look: &'static str,
}

impl ReauthenticatePage {
    /// The form; `next` where the person was going, `problem` why it was refused.
    #[must_use]
    pub fn new(chrome: Chrome, next: &str, ways: Ways, problem: Option<&Problem>) -> Self {
        let password = || Field::line("password", "Password", "password", "", "current-password").required();
        Self {
            name: chrome.facts.person.as_ref().map(|person| person.name.clone()).unwrap_or_default(),
            chrome: chrome.titled("Confirm that it is you"),
            problem: problem.map(notice),
            next: next.to_owned(),
            password: ways.password.then(password),
            look: if ways.provider.is_some() { "" } else { " primary" },
            provider: ways.provider,
        }
    }
}
