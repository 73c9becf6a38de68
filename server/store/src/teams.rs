//! Teams: what pairs belong to and roles are held for.

use muster_domain::ids::TeamName;
use sqlx::PgConnection;

use crate::error::StoreError;

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its name.
    pub name: TeamName,
    /// What it does, for people.
    pub description: String,
}

/// Keeps a team; false when it is there already.
///
/// # Errors
/// When the database refuses.
pub async fn insert(conn: &mut PgConnection, team: &Team) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into team (name, description)
        values ($1, $2)
        on conflict (name) do nothing",
        team.name.as_str(),
        team.description
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep team", source))?;
    Ok(done.rows_affected() == 1)
}

/// All teams by name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Team>, StoreError> {
    let rows = sqlx::query!(
        "select name, description
        from team
        order by name"
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("list teams", source))?;
    rows.into_iter()
        .map(|row| {
            let name =
                TeamName::new(row.name).map_err(|bad| StoreError::unreadable("team", "name", bad.name))?;
            Ok(Team { name, description: row.description })
        })
        .collect()
}

/// Changes what a team is said to do; false when there is no such team.
///
/// # Errors
/// When the database refuses.
pub async fn update(conn: &mut PgConnection, team: &Team) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update team
        set description = $2
        where name = $1",
        team.name.as_str(),
        team.description
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("change team", source))?;
    Ok(done.rows_affected() == 1)
}

/// Removes a team; false when there is none.
///
/// # Errors
/// `Conflict` with `pair_team_exists` or `grant_team_exists` while something still belongs to it.
pub async fn delete(conn: &mut PgConnection, name: &TeamName) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from team
        where name = $1",
        name.as_str()
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("remove team", source))?;
    Ok(done.rows_affected() == 1)
}
