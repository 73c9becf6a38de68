//! Making an API token, and showing it the one time it can be read.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{people::Scope, problem::Problem};

use crate::{
    chrome::Chrome,
    parts::{Choice, Field, FieldSet, Notice, When},
    people_forms::TokenForm,
    sign_in::notice,
};

/// `GET /account/tokens/new`; posts [`TokenForm`] to `/account/tokens`.
#[derive(Debug, Template)]
#[template(path = "pages/form.html")]
pub struct TokenFormPage {
    chrome: Chrome,
    heading: &'static str,
    lead: &'static str,
    problem: Option<Notice>,
    action: &'static str,
    version: i64,
    sets: Vec<FieldSet>,
    button: &'static str,
    back: &'static str,
}

impl TokenFormPage {
    /// The form, empty or as it was sent and refused.
    #[must_use]
    pub fn new(chrome: Chrome, form: &TokenForm, problem: Option<&Problem>) -> Self {
        let mut scopes = vec![Choice::new("", "all of your rights")];
        scopes.extend(Scope::ALL.map(|scope| Choice::new(scope.as_str(), scope_words(scope))));
        let fields = vec![
            Field::text("name", "Name", &form.name)
                .help("What it is for, such as pipeline. The audit shows token: and this name.")
                .required(),
            Field::line("days", "Days until it ends", "number", &form.days, "off")
                .help("1 to 366.")
                .required(),
            Field::select("scope", "May use", scopes, &form.scope),
        ];
        Self {
            heading: "Make an API token",
            lead: "A program acts with it in your name and with your rights as they are then, or with less.",
            problem: problem.map(notice),
            action: "/account/tokens",
            version: 0,
            sets: vec![FieldSet::new("The token", fields)],
            button: "Make the token",
            back: "/account",
            chrome: chrome.titled("Make an API token").under("/account", "Your account"),
        }
    }
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read: what you may read, nothing else",
        Scope::Operator => "operator: also plan, request, start, drive where you may",
        Scope::Approver => "approver: also approve, reject, attest where you may",
        Scope::Owner => "owner: also edit pairs and rules where you may",
        Scope::Admin => "admin: also people, clusters, secrets if you may",
        Scope::Calendar => "calendar: the drill calendar by its address alone",
    }
}

/// The answer to a token that was made: the token, once.
#[derive(Debug, Template)]
#[template(path = "pages/token.html")]
pub struct TokenMadePage {
    chrome: Chrome,
    name: String,
    ends: When,
    token: String,
    examples: Vec<String>,
}

impl TokenMadePage {
    /// A token that works until `expires_at`. `url` is where people reach this server.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        name: &str,
        scopes: &[Scope],
        token: &str,
        expires_at: DateTime<Utc>,
        url: &str,
    ) -> Self {
        let examples = match scopes.contains(&Scope::Calendar) {
            true => vec![format!("{url}/api/v1/calendar.ics?key={token}")],
            false => vec![
                format!("curl -s {url}/api/v1/pairs -H \"Authorization: Bearer {token}\""),
                format!("MUSTER_URL={url} MUSTER_TOKEN={token} muster pairs list"),
            ],
        };
        Self {
            name: name.to_owned(),
            ends: When::full(expires_at),
            token: token.to_owned(),
            examples,
            chrome: chrome.titled(format!("Token {name}")).under("/account", "Your account"),
        }
    }
}
