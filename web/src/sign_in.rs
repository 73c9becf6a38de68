//! Signing in, and the first run, when nobody exists yet.

use askama::Template;
use muster_domain::problem::Problem;

use crate::{
    chrome::Chrome,
    parts::{Field, FieldSet, Notice, Tone},
};

/// `GET /sign-in`; posts [`crate::forms::SignInForm`].
#[derive(Debug, Template)]
#[template(path = "pages/sign_in.html")]
pub struct SignInPage {
    chrome: Chrome,
    problem: Option<Notice>,
    next: String,
    provider: Option<Provider>,
    typed: bool,
    look: &'static str,
    fields: Vec<Field>,
}

/// The identity provider as pages show it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What people call it.
    pub label: String,
    /// Where the way there begins.
    pub href: String,
    /// Whether passwords are for admins only.
    pub only: bool,
}

impl SignInPage {
    /// The form; `name` as typed before, `next` where the person was going, `provider` where they can sign in besides,
    /// `problem` why it was refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        name: &str,
        next: &str,
        provider: Option<Provider>,
        problem: Option<&Problem>,
    ) -> Self {
        Self {
            chrome: chrome.titled("Sign in"),
            problem: problem.map(notice),
            next: next.to_owned(),
            look: if provider.is_some() { "" } else { " primary" },
            provider,
            typed: !name.is_empty(),
            fields: vec![
                Field::line("name", "User name", "text", name, "username").required(),
                Field::line("password", "Password", "password", "", "current-password").required(),
            ],
        }
    }
}

/// What `POST /sign-out` answers when there is something left to do at the provider.
#[derive(Debug, Template)]
#[template(path = "pages/signed_out.html")]
pub struct SignedOutPage {
    chrome: Chrome,
    provider: Provider,
}

impl SignedOutPage {
    /// The page; `provider` with the address that ends the sign-in there.
    #[must_use]
    pub fn new(chrome: Chrome, provider: Provider) -> Self {
        Self { chrome: chrome.titled("Signed out"), provider }
    }
}

/// A problem above a form.
pub(crate) fn notice(problem: &Problem) -> Notice {
    Notice::new(Tone::Bad, problem.detail.clone(), problem.next_step.clone())
}

/// `GET /setup`; posts [`crate::forms::SetupForm`]. Shown only while nobody exists.
#[derive(Debug, Template)]
#[template(path = "pages/setup.html")]
pub struct SetupPage {
    chrome: Chrome,
    problem: Option<Notice>,
    fields: FieldSet,
}

impl SetupPage {
    /// The form; `name` as typed before, `errors` field by field, `problem` why it was refused as a whole.
    #[must_use]
    pub fn new(chrome: Chrome, name: &str, errors: &[(String, String)], problem: Option<&Problem>) -> Self {
        let fields = vec![
            Field::text("code", "Code from Muster's log", "")
                .help("Muster printed it when it started. It shows that you run this Muster.")
                .required()
                .errors(errors),
            Field::line("name", "User name", "text", name, "username")
                .help("Lower-case letters, digits, - _ and dots, such as mira.holt. It is written into every record of what you do.")
                .required()
                .errors(errors),
            Field::line("password", "Password", "password", "", "new-password")
                .help("At least 12 characters.")
                .required()
                .errors(errors),
            Field::line("password_again", "Password again", "password", "", "new-password").required().errors(errors),
        ];
        Self {
            chrome: chrome.titled("First run"),
            problem: problem.map(notice),
            fields: FieldSet::new("The first admin", fields).note(
                "An admin manages people, clusters and secrets, and has no say in a run from that alone. Create a team next, \
                 and in it an owner, who imports and edits pairs, an operator, who plans and drives, and an approver: \
                 nobody approves what they asked for.",
            ),
        }
    }
}
