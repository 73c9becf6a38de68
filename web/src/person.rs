//! A person as admins see them, and the form that changes one.

use std::collections::BTreeSet;

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    audit::AuditEntry,
    people::{Grant, Role},
    problem::Problem,
};

use crate::{
    account::{HeldRole, SessionRow, SessionSeen, TokenRow, TokenSeen, held_roles, session_rows, token_rows},
    chrome::Chrome,
    parts::{Ends, Field, FieldSet, Mark, Notice, Tone, When},
    people_forms::PersonEditForm,
    sign_in::notice,
};

/// A person as their page needs them.
#[derive(Debug, Clone)]
pub struct PersonSeen<'a> {
    /// What they sign in with.
    pub name: &'a str,
    /// Name for people.
    pub display_name: &'a str,
    /// What they may do.
    pub grants: &'a [Grant],
    /// Those of it that their groups at the identity provider give.
    pub from_provider: &'a [Grant],
    /// Who they are at the identity provider: issuer and subject.
    pub identity: Option<(&'a str, &'a str)>,
    /// Groups the provider named at their last sign-in there.
    pub groups: &'a [String],
    /// Since when they may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when no sign-in of theirs is taken.
    pub locked_until: Option<DateTime<Utc>>,
    /// Whether who looks has just shown that it is them, as unlocking asks for.
    pub may_unlock: bool,
    /// Sessions that count, newest first.
    pub sessions: &'a [SessionSeen],
    /// API tokens, newest first, ended ones included.
    pub tokens: &'a [TokenSeen],
    /// What they did or were refused lately, newest first.
    pub did: &'a [AuditEntry],
}

#[derive(Debug)]
struct Deed {
    at: When,
    action: String,
    object: String,
    outcome: Mark,
}

/// `GET /people/{user}`.
#[derive(Debug, Template)]
#[template(path = "pages/person.html")]
pub struct PersonPage {
    chrome: Chrome,
    name: String,
    known_as: String,
    you: bool,
    notice: Option<Notice>,
    standing: Mark,
    locked: Option<When>,
    may_unlock: bool,
    roles: Vec<HeldRole>,
    identity: Vec<(&'static str, String)>,
    sessions: Vec<SessionRow>,
    session_ends: Ends,
    tokens: Vec<TokenRow>,
    token_ends: Ends,
    deeds: Vec<Deed>,
}

impl PersonPage {
    /// One person, with all their sessions and tokens unless [`Self::part`] says otherwise; `done` is the word of what was just done about them.
    #[must_use]
    pub fn new(chrome: Chrome, person: &PersonSeen<'_>, done: &str) -> Self {
        let now = chrome.now();
        let mut identity = Vec::new();
        if let Some((issuer, subject)) = person.identity {
            identity.push(("Provider", issuer.to_owned()));
            identity.push(("Subject", subject.to_owned()));
            identity.push((
                "Groups at the last sign-in",
                match person.groups.is_empty() {
                    true => "none".to_owned(),
                    false => person.groups.join(", "),
                },
            ));
        }
        Self {
            name: person.name.to_owned(),
            known_as: Some(person.display_name)
                .filter(|shown| *shown != person.name)
                .unwrap_or_default()
                .to_owned(),
            you: chrome.facts.person.as_ref().is_some_and(|me| me.name == person.name),
            notice: done_notice(done, person.name),
            standing: match person.disabled_at {
                Some(_) => Mark::new(Tone::Idle, "may not sign in"),
                None => Mark::new(Tone::Ok, "may sign in"),
            },
            locked: person.locked_until.map(|until| When::moment(now, until)),
            may_unlock: person.may_unlock,
            roles: held_roles(person.grants, person.from_provider, "their groups at the identity provider"),
            identity,
            sessions: session_rows(person.sessions, now),
            session_ends: Ends::default(),
            tokens: token_rows(person.tokens, Some(person.name), now),
            token_ends: Ends::default(),
            deeds: person.did.iter().map(|entry| deed(entry, now)).collect(),
            chrome: chrome.titled(person.name).under("/people", "People"),
        }
    }

    /// The same with a part of the sessions and of the tokens.
    #[must_use]
    pub fn part(self, session_ends: Ends, token_ends: Ends) -> Self {
        Self { session_ends, token_ends, ..self }
    }
}

fn deed(entry: &AuditEntry, now: DateTime<Utc>) -> Deed {
    let content = &entry.content;
    Deed {
        at: When::ago(now, content.at),
        action: content.action.clone(),
        object: content.object.clone(),
        outcome: match content.outcome.as_str() {
            "done" => Mark::new(Tone::Ok, "done"),
            other => Mark::new(Tone::Bad, other),
        },
    }
}

fn done_notice(done: &str, name: &str) -> Option<Notice> {
    let (lead, rest) = match done {
        "changed" => (format!("{name} is changed."), "What they may do holds from their next request on."),
        "unlocked" => (format!("{name} may try again."), "Failed sign-ins are counted anew."),
        "sessions" => (format!("All sessions of {name} have ended."), "They have to sign in again."),
        "token" => ("The token is revoked.".to_owned(), "It opens nothing any more."),
        _ => return None,
    };
    Some(Notice::new(Tone::Ok, lead, rest))
}

/// One box of the table of roles.
#[derive(Debug)]
struct Tick {
    value: String,
    label: String,
    on: bool,
    /// Their groups give it; nobody takes it away here.
    given: bool,
}

#[derive(Debug)]
struct TickRow {
    team: String,
    ticks: Vec<Tick>,
}

/// Roles that are held for teams, in the order of the table.
const OF_TEAMS: [Role; 4] = [Role::Viewer, Role::Operator, Role::Approver, Role::Owner];

/// `GET /people/{user}/edit`; posts [`PersonEditForm`] there.
#[derive(Debug, Template)]
#[template(path = "pages/person_form.html")]
pub struct PersonFormPage {
    chrome: Chrome,
    name: String,
    problem: Option<Notice>,
    version: String,
    fields: FieldSet,
    admin: Tick,
    rows: Vec<TickRow>,
    taken: Vec<String>,
    typed: Field,
    button: String,
}

/// What the form is made from besides what was typed.
#[derive(Debug, Clone)]
pub struct PersonFacts<'a> {
    /// What they sign in with.
    pub name: &'a str,
    /// What they may do now.
    pub grants: &'a [Grant],
    /// Roles of it that their groups at the identity provider give.
    pub from_provider: &'a [Grant],
    /// Whether they may sign in now.
    pub may_sign_in: bool,
    /// All teams.
    pub teams: &'a [String],
    /// Whether there is an identity provider.
    pub has_provider: bool,
}

impl PersonFacts<'_> {
    /// What a form takes away from the person, in words.
    #[must_use]
    pub fn taken(&self, form: &PersonEditForm) -> Vec<String> {
        let local = self.grants.iter().filter(|grant| !self.from_provider.contains(grant));
        let roles = local.filter_map(|grant| {
            let team = grant.team.as_ref().map(|team| team.as_str());
            let goes = !form.ticked.contains_key(&tick_value(grant.role, team));
            goes.then(|| format!("the role {} of {}", grant.role.as_str(), team.unwrap_or("all teams")))
        });
        let sign_in = (self.may_sign_in && form.may_sign_in != "on")
            .then(|| "signing in: their sessions end and their API tokens open nothing, at once".to_owned());
        roles.chain(sign_in).collect()
    }
}

impl PersonEditForm {
    /// A person as the form shows them at first.
    #[must_use]
    pub fn of(person: &PersonSeen<'_>, version: i64) -> Self {
        let local = person.grants.iter().filter(|grant| !person.from_provider.contains(grant));
        Self {
            version: version.to_string(),
            display_name: person.display_name.to_owned(),
            may_sign_in: if person.disabled_at.is_none() { "on".to_owned() } else { String::new() },
            provider_subject: person.identity.map(|(_, subject)| subject.to_owned()).unwrap_or_default(),
            ticked: local
                .map(|grant| {
                    (tick_value(grant.role, grant.team.as_ref().map(|t| t.as_str())), "on".to_owned())
                })
                .collect(),
            ..Self::default()
        }
    }
}

/// `operator@payments`, `viewer@` for all teams.
fn tick_value(role: Role, team: Option<&str>) -> String {
    format!("{}@{}", role.as_str(), team.unwrap_or_default())
}

impl PersonFormPage {
    /// The form as it is or as it was sent; `problem` is why it was refused. One that takes something away says what, and asks
    /// for the person's name before it does.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        facts: &PersonFacts<'_>,
        form: &PersonEditForm,
        problem: Option<&Problem>,
    ) -> Self {
        let taken = facts.taken(form);
        let given: BTreeSet<String> = facts
            .from_provider
            .iter()
            .map(|grant| tick_value(grant.role, grant.team.as_ref().map(|team| team.as_str())))
            .collect();
        let tick = |role: Role, team: Option<&str>| {
            let value = tick_value(role, team);
            let of = team.map_or_else(|| "all teams".to_owned(), str::to_owned);
            Tick {
                on: form.ticked.contains_key(&value) || given.contains(&value),
                given: given.contains(&value),
                label: format!("{} of {of}", role.as_str()),
                value,
            }
        };
        let row = |team: Option<&str>| TickRow {
            team: team.unwrap_or("all teams").to_owned(),
            ticks: OF_TEAMS.map(|role| tick(role, team)).into(),
        };
        let teams = facts.teams.iter().map(|team| row(Some(team)));
        Self {
            rows: std::iter::once(row(None)).chain(teams).collect(),
            admin: Tick {
                label: "admin: people, clusters, secrets, everywhere".to_owned(),
                ..tick(Role::Admin, None)
            },
            button: match taken.is_empty() {
                true => format!("Save {}", facts.name),
                false => format!("Save {} and take this away", facts.name),
            },
            typed: Field::text("typed", "Type the name of the person", &form.typed)
                .help(format!("It is “{}”. A new password has to be typed anew, too.", facts.name)),
            problem: problem.map(notice).or_else(|| asks_first(&taken)),
            taken,
            name: facts.name.to_owned(),
            version: form.version.clone(),
            fields: fields(facts, form),
            chrome: chrome
                .titled(format!("Edit {}", facts.name))
                .under("/people", "People")
                .under(format!("/people/{}", facts.name), facts.name),
        }
    }
}

/// What is sent without the name typed comes back with what it would take away.
fn asks_first(taken: &[String]) -> Option<Notice> {
    let rest = "What was filled in takes something away: read what, and type the name of the person.";
    (!taken.is_empty()).then(|| {
        Notice::new(Tone::Warn, "Nothing is saved yet.", rest).link("#taken", "Go to what is taken away")
    })
}

fn fields(facts: &PersonFacts<'_>, form: &PersonEditForm) -> FieldSet {
    let mut fields = vec![
        Field::text("display_name", "Name for people", &form.display_name),
        Field::line("password", "New password", "password", "", "new-password")
            .help("Leave empty to keep the one there is. At least 12 characters; ends all their sessions."),
        Field::check("may_sign_in", "may sign in", form.may_sign_in == "on"),
    ];
    if facts.has_provider {
        fields.push(
            Field::text("provider_subject", "Subject at the identity provider", &form.provider_subject)
                .help("Who they are there (sub); empty for nobody. Another one ends all their sessions."),
        );
    }
    FieldSet::new("The person", fields)
}
