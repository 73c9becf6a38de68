//! Teams: what pairs belong to and roles are held for.

use muster_domain::ids::TeamName;
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

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
    .map_err(failed("keep team"))?;
    Ok(done.rows_affected() == 1)
}

/// All teams by name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Team>, StoreError> {
    page(conn, None, i64::MAX).await
}

/// Teams by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: i64) -> Result<Vec<Team>, StoreError> {
    let rows = sqlx::query!(
        "select name, description
        from team
        where $1::text is null
            or name > $1
        order by name
        limit $2",
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list teams"))?;
    rows.into_iter()
        .map(|row| {
            let name =
                TeamName::new(row.name).map_err(|bad| StoreError::unreadable("team", "name", bad.name))?;
            Ok(Team { name, description: row.description })
        })
        .collect()
}

/// A team by name, and its row version for If-Match.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, name: &TeamName) -> Result<Option<(Team, i64)>, StoreError> {
    let row = sqlx::query!(
        "select description, version
        from team
        where name = $1",
        name.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read team"))?;
    Ok(row.map(|row| (Team { name: name.clone(), description: row.description }, row.version)))
}

/// Changes what a team is said to do.
///
/// # Errors
/// `Stale` when the row has another version by now, or is gone.
pub async fn update(conn: &mut PgConnection, team: &Team, version: i64) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update team
        set description = $2,
            version = version + 1
        where name = $1
            and version = $3",
        team.name.as_str(),
        team.description,
        version
    )
    .execute(conn)
    .await
    .map_err(failed("change team"))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale { op: "change team" }) }
}

/// Removes a team; false when there is none.
///
/// # Errors
/// `Conflict` with `pair_team_exists`, `grant_team_exists` or `channel_team_exists` while something still belongs to it.
pub async fn delete(conn: &mut PgConnection, name: &TeamName) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from team
        where name = $1",
        name.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("remove team"))?;
    Ok(done.rows_affected() == 1)
}
