//! Teams: what there is, who is in one and what belongs to it.

use askama::Template;
use muster_domain::{
    people::{Actor, Role},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    parts::{Ends, Field, FieldSet, Mark, Notice, Tone},
    people_forms::TeamForm,
    sign_in::notice,
};

/// A team with what belongs to it.
#[derive(Debug, Clone)]
pub struct TeamSeen {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Who has a role for it or for all teams, in order.
    pub members: Vec<MemberSeen>,
    /// Names of its pairs.
    pub pairs: Vec<String>,
    /// Names of its notification channels.
    pub channels: Vec<String>,
    /// Row version.
    pub version: i64,
}

/// Somebody with a role for a team.
#[derive(Debug, Clone)]
pub struct MemberSeen {
    /// The name they sign in with.
    pub name: String,
    /// Roles for this team.
    pub roles: Vec<Role>,
    /// Roles for all teams.
    pub everywhere: Vec<Role>,
    /// Whether they may sign in.
    pub may_sign_in: bool,
}

#[derive(Debug)]
struct Row {
    name: String,
    description: String,
    own: usize,
    pairs: Vec<String>,
    channels: usize,
    may_read: bool,
}

/// `GET /teams`; posts [`TeamForm`].
#[derive(Debug, Template)]
#[template(path = "pages/teams.html")]
pub struct TeamsPage {
    chrome: Chrome,
    rows: Vec<Row>,
    notice: Option<Notice>,
    may_change: bool,
    fields: FieldSet,
    ends: Ends,
}

impl TeamsPage {
    /// All teams, unless [`Self::part`] says otherwise. What belongs to them is told to whoever may read it; `form` and `problem` are what was sent and refused, `done`
    /// what was just done.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        teams: &[TeamSeen],
        form: &TeamForm,
        problem: Option<&Problem>,
        done: &str,
    ) -> Self {
        let rows = teams.iter().map(|team| row(team, chrome.facts.person.as_ref()));
        Self {
            rows: rows.collect(),
            notice: problem.map(notice).or_else(|| done_notice(done)),
            may_change: chrome.may_anywhere(Role::Admin),
            fields: FieldSet::new(
                "A new team",
                vec![
                    Field::text("name", "Name", &form.name)
                        .help("Lower-case letters, digits, - _ and dots. It stays for good: runs and the audit keep it.")
                        .required(),
                    Field::area("description", "What it does", &form.description, 2),
                ],
            ),
            ends: Ends::default(),
            chrome: chrome.titled("Teams"),
        }
    }

    /// The same as a part of the list.
    #[must_use]
    pub fn part(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

fn row(team: &TeamSeen, person: Option<&Actor>) -> Row {
    let may_read = muster_domain::ids::TeamName::new(team.name.as_str())
        .is_ok_and(|name| person.is_some_and(|person| person.may_read(&name)));
    Row {
        name: team.name.clone(),
        description: team.description.clone(),
        own: team.members.iter().filter(|member| !member.roles.is_empty()).count(),
        pairs: team.pairs.clone(),
        channels: team.channels.len(),
        may_read,
    }
}

fn done_notice(done: &str) -> Option<Notice> {
    let (lead, rest) = match done {
        "created" => ("The team is there.", "Give people roles for it, then make its pairs."),
        "changed" => ("The team is changed.", ""),
        "removed" => ("The team is removed.", "Its runs and audit entries stay."),
        _ => return None,
    };
    Some(Notice::new(Tone::Ok, lead, rest))
}

#[derive(Debug)]
struct MemberRow {
    name: String,
    roles: Vec<String>,
    mark: Mark,
}

/// `GET /teams/{team}`; posts [`TeamForm`].
#[derive(Debug, Template)]
#[template(path = "pages/team.html")]
pub struct TeamPage {
    chrome: Chrome,
    name: String,
    description: String,
    notice: Option<Notice>,
    members: Vec<MemberRow>,
    approvers: String,
    pairs: Vec<String>,
    channels: Vec<String>,
    may_change: bool,
    /// Why it cannot be removed; empty when it can.
    stays: String,
    version: i64,
    fields: FieldSet,
}

impl TeamPage {
    /// One team; `form` and `problem` are what was sent and refused, `done` what was just done.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        team: &TeamSeen,
        form: Option<&TeamForm>,
        problem: Option<&Problem>,
        done: &str,
    ) -> Self {
        let description = form.map_or(team.description.as_str(), |form| form.description.as_str());
        let approvers =
            team.members.iter().filter(|member| member.may_sign_in && has(member, Role::Approver)).count();
        Self {
            name: team.name.clone(),
            description: team.description.clone(),
            notice: problem.map(notice).or_else(|| done_notice(done)),
            members: team.members.iter().map(member_row).collect(),
            approvers: match approvers {
                0 => "nobody may approve its runs".to_owned(),
                1 => "1 of them may approve its runs".to_owned(),
                n => format!("{n} of them may approve its runs"),
            },
            pairs: team.pairs.clone(),
            channels: team.channels.clone(),
            may_change: chrome.may_anywhere(Role::Admin),
            stays: stays(team),
            version: form.map_or(team.version, |form| form.version),
            fields: FieldSet::new(
                "The team",
                vec![Field::area("description", "What it does", description, 2)],
            ),
            chrome: chrome.titled(format!("Team {}", team.name)).under("/teams", "Teams"),
        }
    }
}

fn has(member: &MemberSeen, role: Role) -> bool {
    member.roles.contains(&role) || member.everywhere.contains(&role)
}

fn member_row(member: &MemberSeen) -> MemberRow {
    let own = member.roles.iter().map(|role| role.as_str().to_owned());
    let everywhere = member.everywhere.iter().map(|role| format!("{} of all teams", role.as_str()));
    MemberRow {
        name: member.name.clone(),
        roles: own.chain(everywhere).collect(),
        mark: match member.may_sign_in {
            true => Mark::new(Tone::Ok, "may sign in"),
            false => Mark::new(Tone::Idle, "may not sign in"),
        },
    }
}

/// Why a team cannot be removed; empty when it can.
pub(crate) fn stays(team: &TeamSeen) -> String {
    let own = team.members.iter().filter(|member| !member.roles.is_empty()).count();
    if own == 0 && team.pairs.is_empty() && team.channels.is_empty() {
        return String::new();
    }
    format!("It can be removed once no pair, channel or role for {} is left.", team.name)
}
