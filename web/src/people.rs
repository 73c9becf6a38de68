//! People: who there is, what they may do, and a form for the next one.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Grant, Role};

use crate::{
    chrome::Chrome,
    forms::PersonForm,
    parts::{Choice, Ends, Field, FieldSet, Notice, Tone, When},
};

/// A person as the list needs it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Who.
    pub person: Actor,
    /// Those of their roles that their groups at the identity provider give.
    pub from_provider: Vec<Grant>,
    /// Last sign-in.
    pub last_seen: Option<DateTime<Utc>>,
    /// Whether they are locked out.
    pub locked: bool,
    /// Whether they may not sign in.
    pub disabled: bool,
}

#[derive(Debug)]
struct Row {
    name: String,
    you: bool,
    grants: Vec<String>,
    seen: Option<When>,
    locked: bool,
    disabled: bool,
}

/// `GET /people`; posts [`PersonForm`].
#[derive(Debug, Template)]
#[template(path = "pages/people.html")]
pub struct PeoplePage {
    chrome: Chrome,
    rows: Vec<Row>,
    may_create: bool,
    fields: FieldSet,
    made: Option<Notice>,
    ends: Ends,
}

impl PeoplePage {
    /// Everybody, unless [`Self::part`] says otherwise; `form` and `errors` are what was sent before and refused, `made` the name of one just created.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        people: &[Listed],
        teams: &[String],
        form: Option<&PersonForm>,
        errors: &[(String, String)],
        made: Option<&str>,
    ) -> Self {
        let now = chrome.now();
        let me = chrome.facts.person.as_ref().map(|person| person.id);
        let rows = people.iter().map(|listed| Row {
            name: listed.person.name.clone(),
            you: me == Some(listed.person.id),
            grants: listed.person.grants.iter().map(|held| grant(held, &listed.from_provider)).collect(),
            seen: listed.last_seen.map(|at| When::ago(now, at)),
            locked: listed.locked,
            disabled: listed.disabled,
        });
        Self {
            rows: rows.collect(),
            may_create: chrome.may_anywhere(Role::Admin),
            fields: fields(teams, form, errors),
            made: made.map(|name| {
                Notice::new(Tone::Ok, format!("{name} can sign in now."), "Give them the password in person.")
            }),
            ends: Ends::default(),
            chrome: chrome.titled("People"),
        }
    }

    /// The same as a part of the list.
    #[must_use]
    pub fn part(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

fn grant(grant: &Grant, from_provider: &[Grant]) -> String {
    let team = grant.team.as_ref().map_or_else(|| "all teams".to_owned(), ToString::to_string);
    let by = if from_provider.contains(grant) { ", by their groups" } else { "" };
    format!("{} of {team}{by}", grant.role.as_str())
}

fn fields(teams: &[String], form: Option<&PersonForm>, errors: &[(String, String)]) -> FieldSet {
    let roles = [
        (Role::Viewer, "viewer: reads"),
        (Role::Operator, "operator: plans, requests, starts, drives"),
        (Role::Approver, "approver: approves, rejects, attests"),
        (Role::Owner, "owner: edits pairs, objectives, rules"),
        (Role::Admin, "admin: people, clusters, secrets"),
    ];
    let roles = roles.map(|(role, label)| Choice::new(role.as_str(), label)).to_vec();
    let mut in_teams = vec![Choice::new("", "all teams")];
    in_teams.extend(teams.iter().map(|team| Choice::new(team, team)));
    let (name, role, team) = form.map_or(("", "viewer", ""), |form| (&form.name, &form.role, &form.team));
    FieldSet::new(
        "A new person",
        vec![
            Field::text("name", "User name", name).required().errors(errors),
            Field::line("password", "First password", "password", "", "new-password")
                .help("At least 12 characters. Stored only as a hash.")
                .required()
                .errors(errors),
            Field::select("role", "Role", roles, role).errors(errors),
            Field::select("team", "Of team", in_teams, team).errors(errors),
        ],
    )
}
