//! Roles people hold, for one team or for all.

use muster_domain::{
    ids::TeamName,
    people::{Grant, Role},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Where a role comes from, in the column `source`: an admin, or groups at the identity provider.
const LOCAL: &str = "local";
pub(crate) const PROVIDER: &str = "provider";

/// Gives a role; false when the user has it already.
///
/// # Errors
/// `Conflict` with `grant_team_exists` or `grant_admin_has_no_team`.
pub async fn insert(conn: &mut PgConnection, user: Uuid, grant: &Grant) -> Result<bool, StoreError> {
    insert_from(conn, user, grant, LOCAL).await
}

/// Gives a role that the user's groups at the identity provider stand for; false when the user has it already, also
/// when an admin gave it: then it stays the admin's.
///
/// # Errors
/// As [`insert`].
pub async fn insert_from_provider(
    conn: &mut PgConnection,
    user: Uuid,
    grant: &Grant,
) -> Result<bool, StoreError> {
    insert_from(conn, user, grant, PROVIDER).await
}

async fn insert_from(
    conn: &mut PgConnection,
    user: Uuid,
    grant: &Grant,
    source: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into app_grant (user_id, role, team, source)
        values ($1, $2, $3, $4)
        on conflict do nothing",
        user,
        grant.role.as_str(),
        grant.team.as_ref().map(TeamName::as_str),
        source
    )
    .execute(conn)
    .await
    .map_err(failed("keep grant"))?;
    Ok(done.rows_affected() == 1)
}

/// Takes a role away; false when the user does not have it.
///
/// # Errors
/// When the database refuses.
pub async fn delete(conn: &mut PgConnection, user: Uuid, grant: &Grant) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from app_grant
        where user_id = $1
            and role = $2
            and team is not distinct from $3",
        user,
        grant.role.as_str(),
        grant.team.as_ref().map(TeamName::as_str)
    )
    .execute(conn)
    .await
    .map_err(failed("remove grant"))?;
    Ok(done.rows_affected() == 1)
}

/// Ids of the admins who can sign in, locked until the transaction ends: whoever takes the last one's rights away at
/// the same time waits and then sees it.
///
/// # Errors
/// When the database refuses.
pub async fn lock_admins(conn: &mut PgConnection) -> Result<Vec<Uuid>, StoreError> {
    sqlx::query_scalar!(
        "select app_user.id
        from app_grant
        join app_user on app_user.id = app_grant.user_id
        where app_grant.role = 'admin'
            and app_user.disabled_at is null
        order by app_user.id
        for update"
    )
    .fetch_all(conn)
    .await
    .map_err(failed("lock admins"))
}

/// Names of those who may approve runs of a team, in order: who has the role for it, or for all teams, and may sign in.
///
/// # Errors
/// When the database refuses.
pub async fn approvers(conn: &mut PgConnection, team: &TeamName) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar!(
        "select name
        from app_user
        where disabled_at is null
            and exists (
                select from app_grant
                where app_grant.user_id = app_user.id
                    and role = 'approver'
                    and (team is null or team = $1)
            )
        order by name",
        team.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list approvers"))
}

/// Reads grants back from two arrays of equal length; the team '' means all teams.
pub(crate) fn parse_grants(
    roles: &[String],
    teams: Vec<String>,
    user: Uuid,
) -> Result<Vec<Grant>, StoreError> {
    roles
        .iter()
        .zip(teams)
        .map(|(role, team)| {
            let unreadable = |column| StoreError::unreadable("app_grant", column, user.to_string());
            Ok(Grant {
                role: Role::parse(role).ok_or_else(|| unreadable("role"))?,
                team: match team.is_empty() {
                    true => None,
                    false => Some(TeamName::new(team).map_err(|_| unreadable("team"))?),
                },
            })
        })
        .collect()
}
