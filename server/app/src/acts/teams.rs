//! Teams: made, described, removed once nothing belongs to them. A name stays for good: runs and the audit keep it.

use muster_domain::{
    ids::TeamName,
    people::{Actor, Role},
};
use muster_store::{channels, pairs, people, teams, teams::Team};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::audit_trail::{self, Entry};
use crate::http::{Answer, Failure, check_version};

/// Longest description, in characters.
const LONGEST: usize = 1_000;

/// A team as shown in lists and as added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "payments", "description": "Cards and cash"}))]
pub struct TeamView {
    /// Its name.
    pub name: TeamName,
    /// What it does.
    #[serde(default)]
    pub description: String,
}

/// Changes to a team; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "Cards, cash and the ledger"}))]
pub struct TeamEdit {
    /// What it does.
    #[serde(default)]
    pub description: Option<String>,
}

/// A team with what belongs to it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TeamDetail {
    /// Its name.
    pub name: TeamName,
    /// What it does.
    pub description: String,
    /// Who has a role for it, or for all teams, in order.
    pub members: Vec<Member>,
    /// Names of its pairs.
    pub pairs: Vec<String>,
    /// Names of its notification channels.
    pub channels: Vec<String>,
    /// Row version for If-Match.
    pub version: i64,
}

/// Somebody with a role for a team.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    /// The name they sign in with.
    pub name: String,
    /// Roles for this team.
    pub roles: Vec<Role>,
    /// Roles for all teams, this one among them.
    pub everywhere: Vec<Role>,
    /// Whether they may sign in.
    pub may_sign_in: bool,
}

/// Adds a team.
///
/// # Errors
/// `name-taken`, `invalid-request`.
pub async fn create(conn: &mut PgConnection, team: &TeamView, actor: &Actor) -> Answer<()> {
    check(&team.description)?;
    let new = Team { name: team.name.clone(), description: team.description.clone() };
    if !teams::insert(conn, &new).await? {
        return Err(Failure::new(
            "name-taken",
            format!("There is a team `{}` already.", team.name),
            "Use it, or choose another name.",
        ));
    }
    audit_trail::record(conn, actor, Entry::done("team.create", &object(&team.name), json!({}))).await
}

/// Teams by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: i64) -> Answer<Vec<TeamView>> {
    let found = teams::page(conn, after, limit).await?;
    Ok(found.into_iter().map(|team| TeamView { name: team.name, description: team.description }).collect())
}

/// A team with what belongs to it.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, name: &TeamName) -> Answer<TeamDetail> {
    let found = teams::get(conn, name).await?;
    let (team, version) = found.ok_or_else(|| Failure::not_found("team", name.as_str()))?;
    let channels = channels::list(conn, Some(&[name.to_string()])).await?;
    let pairs = pairs::list(conn, Some(name), None).await?;
    Ok(TeamDetail {
        members: people::list(conn).await?.iter().filter_map(|user| member(user, name)).collect(),
        pairs: pairs.iter().map(|pair| pair.name.to_string()).collect(),
        channels: channels.iter().map(|channel| channel.name.to_string()).collect(),
        name: team.name,
        description: team.description,
        version,
    })
}

fn member(user: &people::User, team: &TeamName) -> Option<Member> {
    let roles = |of: Option<&TeamName>| -> Vec<Role> {
        user.grants.iter().filter(|grant| grant.team.as_ref() == of).map(|grant| grant.role).collect()
    };
    let (roles, everywhere) = (roles(Some(team)), roles(None));
    (!roles.is_empty() || !everywhere.is_empty()).then(|| Member {
        name: user.name.clone(),
        roles,
        everywhere,
        may_sign_in: user.disabled_at.is_none(),
    })
}

/// Changes what a team is said to do.
///
/// # Errors
/// `edited-in-between`, `not-found`, `invalid-request`.
pub async fn change(
    conn: &mut PgConnection,
    name: &TeamName,
    version: Option<i64>,
    edit: TeamEdit,
    actor: &Actor,
) -> Answer<TeamDetail> {
    let found = teams::get(conn, name).await?;
    let (team, present) = found.ok_or_else(|| Failure::not_found("team", name.as_str()))?;
    check_version(version, present)?;
    let description = edit.description.unwrap_or(team.description);
    check(&description)?;
    let detail = json!({"description": description});
    teams::update(conn, &Team { name: team.name, description }, present).await?;
    audit_trail::record(conn, actor, Entry::done("team.change", &object(name), detail)).await?;
    get(conn, name).await
}

/// Removes a team nothing belongs to.
///
/// # Errors
/// `team-in-use` with what does, `edited-in-between`, `not-found`.
pub async fn delete(
    conn: &mut PgConnection,
    name: &TeamName,
    version: Option<i64>,
    actor: &Actor,
) -> Answer<()> {
    let team = get(conn, name).await?;
    check_version(version, team.version)?;
    let members: Vec<String> = team
        .members
        .into_iter()
        .filter(|member| !member.roles.is_empty())
        .map(|member| member.name)
        .collect();
    let belongs =
        [("pairs", team.pairs), ("channels", team.channels), ("people with a role for it", members)];
    let said: Vec<String> = belongs
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    if !said.is_empty() {
        return Err(in_use(name, &said.join("; ")));
    }
    match teams::delete(conn, name).await {
        Ok(true) => {}
        Ok(false) => return Err(Failure::not_found("team", name.as_str())),
        Err(e) if e.constraint().is_some() => {
            return Err(in_use(name, "something that was given to it at this moment"));
        }
        Err(e) => return Err(e.into()),
    }
    audit_trail::record(conn, actor, Entry::done("team.delete", &object(name), json!({}))).await
}

fn in_use(name: &TeamName, said: &str) -> Failure {
    Failure::new(
        "team-in-use",
        format!("Something still belongs to the team `{name}`: {said}."),
        "Give it to another team, or remove it, first.",
    )
}

fn check(description: &str) -> Answer<()> {
    match description.chars().count() > LONGEST {
        true => Err(Failure::invalid(format!("A description has at most {LONGEST} characters."))),
        false => Ok(()),
    }
}

fn object(name: &TeamName) -> String {
    format!("team {name}")
}
