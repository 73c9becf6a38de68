//! One's own account: who one is here and by whose word, one's sessions, one's API tokens, one's password.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    people::{Grant, Scope},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    client::client_words,
    parts::{Ends, Field, FieldSet, Mark, Notice, Tone, When},
    sign_in::notice,
};

/// A session as its owner or an admin sees it.
#[derive(Debug, Clone)]
pub struct SessionSeen {
    /// Id; it opens nothing.
    pub id: String,
    /// When they signed in.
    pub begun_at: DateTime<Utc>,
    /// Last request, to within a minute.
    pub last_used_at: DateTime<Utc>,
    /// Address it was opened from; empty when that is not known.
    pub address: String,
    /// What its browser or program calls itself.
    pub user_agent: String,
    /// Whether the page is read in it.
    pub this: bool,
}

/// An API token as its owner or an admin sees it.
#[derive(Debug, Clone)]
pub struct TokenSeen {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// What it may use of its maker's rights; empty for all.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Last use, to within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What somebody may see of their own.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// Name for people.
    pub display_name: &'a str,
    /// What they may do.
    pub grants: &'a [Grant],
    /// Those of it that their groups at the identity provider give.
    pub from_provider: &'a [Grant],
    /// The identity provider they are known at, by its issuer.
    pub issuer: Option<&'a str>,
    /// Whether they have a password here.
    pub has_password: bool,
    /// Sessions that count, newest first.
    pub sessions: &'a [SessionSeen],
    /// Tokens, newest first, ended ones included.
    pub tokens: &'a [TokenSeen],
}

/// A role of a person: what, for whom, by whose word.
#[derive(Debug)]
pub(crate) struct HeldRole {
    pub(crate) role: &'static str,
    /// The team's name; empty for all teams.
    pub(crate) team: String,
    pub(crate) from: &'static str,
}

/// Roles as tables show them; `by_groups` says of those the provider gives who gave them.
pub(crate) fn held_roles(
    grants: &[Grant],
    from_provider: &[Grant],
    by_groups: &'static str,
) -> Vec<HeldRole> {
    let held = |grant: &Grant| HeldRole {
        role: grant.role.as_str(),
        team: grant.team.as_ref().map(ToString::to_string).unwrap_or_default(),
        from: if from_provider.contains(grant) { by_groups } else { "an admin, here" },
    };
    grants.iter().map(held).collect()
}

/// A session as tables show it.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) user_agent: String,
    pub(crate) address: String,
    pub(crate) begun: When,
    pub(crate) used: When,
    pub(crate) this: bool,
}

pub(crate) fn session_rows(sessions: &[SessionSeen], now: DateTime<Utc>) -> Vec<SessionRow> {
    let row = |session: &SessionSeen| SessionRow {
        id: session.id.clone(),
        client: client_words(&session.user_agent),
        user_agent: session.user_agent.clone(),
        address: address(session),
        begun: When::moment(now, session.begun_at),
        used: When::ago(now, session.last_used_at),
        this: session.this,
    };
    sessions.iter().map(row).collect()
}

/// Where a session was opened from, in words.
pub(crate) fn address(session: &SessionSeen) -> String {
    match session.address.is_empty() {
        true => "an unknown address".to_owned(),
        false => session.address.clone(),
    }
}

/// A token as tables show it.
#[derive(Debug)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) ends: When,
    pub(crate) used: Option<When>,
    pub(crate) mark: Mark,
    pub(crate) works: bool,
}

/// Tokens of whoever reads, or of somebody else by name.
pub(crate) fn token_rows(tokens: &[TokenSeen], of: Option<&str>, now: DateTime<Utc>) -> Vec<TokenRow> {
    tokens.iter().map(|token| token_row(token, of, now)).collect()
}

/// `GET /account`; its password form posts [`crate::people_forms::PasswordForm`].
#[derive(Debug, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage {
    chrome: Chrome,
    name: String,
    known_as: String,
    issuer: String,
    notice: Option<Notice>,
    roles: Vec<HeldRole>,
    sessions: Vec<SessionRow>,
    others: bool,
    tokens: Vec<TokenRow>,
    password: Option<FieldSet>,
    session_ends: Ends,
    token_ends: Ends,
}

impl AccountPage {
    /// Somebody's own account, with all their sessions and tokens unless [`Self::part`] says otherwise; `done` is the word of what was just done, `wrong` what was wrong with a password.
    #[must_use]
    pub fn new(chrome: Chrome, account: &Account<'_>, done: &str, wrong: Option<&Problem>) -> Self {
        let now = chrome.now();
        let name = chrome.facts.person.as_ref().map(|person| person.name.clone()).unwrap_or_default();
        let sessions = session_rows(account.sessions, now);
        Self {
            known_as: Some(account.display_name)
                .filter(|shown| *shown != name)
                .unwrap_or_default()
                .to_owned(),
            issuer: account.issuer.unwrap_or_default().to_owned(),
            notice: wrong.map(notice).or_else(|| done_notice(done)),
            roles: held_roles(account.grants, account.from_provider, "your groups at the identity provider"),
            others: sessions.iter().any(|session| !session.this),
            sessions,
            tokens: token_rows(account.tokens, None, now),
            password: account.has_password.then(password_fields),
            session_ends: Ends::default(),
            token_ends: Ends::default(),
            chrome: chrome.titled("Your account"),
            name,
        }
    }

    /// The same with a part of the sessions and of the tokens.
    #[must_use]
    pub fn part(self, session_ends: Ends, token_ends: Ends) -> Self {
        // What is not on this page are others.
        let others = self.others || session_ends.is_part();
        Self { session_ends, token_ends, others, ..self }
    }
}

fn done_notice(done: &str) -> Option<Notice> {
    let (lead, rest) = match done {
        "password" => ("Your password is changed.", "All your other sessions have ended."),
        "session" => ("The session has ended.", "Whoever used it has to sign in again."),
        "sessions" => ("All your other sessions have ended.", "This one goes on."),
        "token" => ("The token is revoked.", "It opens nothing any more."),
        _ => return None,
    };
    Some(Notice::new(Tone::Ok, lead, rest))
}

fn token_row(token: &TokenSeen, of: Option<&str>, now: DateTime<Utc>) -> TokenRow {
    let works = token.revoked_at.is_none() && token.expires_at > now;
    let mark = match token.revoked_at {
        Some(_) => Mark::new(Tone::Idle, "revoked"),
        None if works => Mark::new(Tone::Ok, "works"),
        None => Mark::new(Tone::Idle, "ended"),
    };
    TokenRow {
        id: token.id.clone(),
        name: token.name.clone(),
        scopes: scopes(token, of),
        ends: When::moment(now, token.revoked_at.unwrap_or(token.expires_at)),
        used: token.last_used_at.map(|at| When::ago(now, at)),
        mark,
        works,
    }
}

/// What a token of whoever reads, or of somebody else by name, may use, in words.
pub(crate) fn scopes(token: &TokenSeen, of: Option<&str>) -> String {
    match (token.scopes.is_empty(), of) {
        (true, None) => "all of your rights".to_owned(),
        (true, Some(owner)) => format!("all rights of {owner}"),
        (false, _) => token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn password_fields() -> FieldSet {
    let new = |name, label| Field::line(name, label, "password", "", "new-password").required();
    FieldSet::new(
        "Another password",
        vec![
            Field::line("present", "Present password", "password", "", "current-password").required(),
            new("password", "New password").help("At least 12 characters. Stored only as a hash."),
            new("password_again", "New password again"),
        ],
    )
    .note("Ends all your other sessions. Your API tokens go on working; revoke those you no longer trust.")
}
