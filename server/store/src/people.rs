//! Users. Passwords arrive here hashed.

use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Grant};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{StoreError, failed},
    grants::{self, parse_grants},
};

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: Uuid,
    /// What they sign in with, and what the audit shows.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Set when they may not sign in any more.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Row version for If-Match.
    pub version: i64,
    /// When they were added.
    pub created_at: DateTime<Utc>,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// Those of it that their groups at the identity provider gave, as of the last sign-in there.
    pub from_provider: Vec<Grant>,
}

impl User {
    /// As somebody acting.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { id: self.id, name: self.name.clone(), grants: self.grants.clone() }
    }
}

/// Keeps a new user with their grants.
///
/// # Errors
/// `Conflict` with `user_name_unique`, `user_name_usable`, `user_is_not_muster`, or a constraint of the grants.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    name: &str,
    display_name: &str,
    password_hash: Option<&SecretString>,
    grants: &[Grant],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into app_user (id, name, display_name, password_hash)
        values ($1, $2, $3, $4)",
        id,
        name,
        display_name,
        password_hash.map(|hash| hash.expose_secret())
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep user"))?;
    for grant in grants {
        grants::insert(conn, id, grant).await?;
    }
    Ok(())
}

/// Whether nobody exists yet, so that the first admin may be made without signing in. Locks the table for the rest of
/// the transaction: two first runs at once cannot both say yes.
///
/// # Errors
/// When the database refuses.
pub async fn is_first_run(conn: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query!("lock table app_user in share row exclusive mode")
        .execute(&mut *conn)
        .await
        .map_err(failed("lock users"))?;
    sqlx::query_scalar!(r#"select not exists (select from app_user) as "first!""#)
        .fetch_one(conn)
        .await
        .map_err(failed("look for users"))
}

/// A user by id.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<User>, StoreError> {
    Ok(read(conn, (Some(id), None), None, 1).await?.pop())
}

/// A user by name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn get_by_name(conn: &mut PgConnection, name: &str) -> Result<Option<User>, StoreError> {
    Ok(read(conn, (None, Some(name)), None, 1).await?.pop())
}

/// All users by name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<User>, StoreError> {
    page(conn, None, i64::MAX).await
}

/// Users by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: i64) -> Result<Vec<User>, StoreError> {
    read(conn, (None, None), after, limit).await
}

/// By id, by name, or after a name.
async fn read(
    conn: &mut PgConnection,
    (id, name): (Option<Uuid>, Option<&str>),
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, name, display_name, disabled_at, version, created_at,
            array_remove(array_agg(app_grant.role order by app_grant.role, app_grant.team), null) as "roles!",
            array_agg(coalesce(app_grant.team, '') order by app_grant.role, app_grant.team)
                filter (where app_grant.role is not null) as teams,
            array_remove(array_agg(app_grant.source order by app_grant.role, app_grant.team), null) as "sources!"
        from app_user
        left join app_grant on app_grant.user_id = app_user.id
        where ($1::uuid is null or id = $1)
            and ($2::text is null or name = $2)
            and ($3::text is null or name > $3)
        group by app_user.id
        order by name
        limit $4"#,
        id,
        name,
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read users"))?;
    rows.into_iter()
        .map(|row| {
            let grants = parse_grants(&row.roles, row.teams.unwrap_or_default(), row.id)?;
            let given = grants.iter().zip(&row.sources).filter(|(_, source)| *source == grants::PROVIDER);
            Ok(User {
                from_provider: given.map(|(grant, _)| grant.clone()).collect(),
                grants,
                id: row.id,
                name: row.name,
                display_name: row.display_name,
                disabled_at: row.disabled_at,
                version: row.version,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The stored password hash of a user who may sign in; `None` when there is no such user, they are disabled or they
/// have no password.
///
/// # Errors
/// When the database refuses.
pub async fn password_hash(
    conn: &mut PgConnection,
    name: &str,
) -> Result<Option<(Uuid, SecretString)>, StoreError> {
    let row = sqlx::query!(
        r#"select id, password_hash as "hash!"
        from app_user
        where name = $1
            and disabled_at is null
            and password_hash is not null"#,
        name
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read password hash"))?;
    Ok(row.map(|row| (row.id, SecretString::from(row.hash))))
}

/// Sets a new password hash. The caller ends the user's sessions.
///
/// # Errors
/// `Rows` when there is no such user.
pub async fn set_password_hash(
    conn: &mut PgConnection,
    id: Uuid,
    hash: &SecretString,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update app_user
        set password_hash = $2,
            version = version + 1,
            updated_at = clock_timestamp()
        where id = $1",
        id,
        hash.expose_secret()
    )
    .execute(conn)
    .await
    .map_err(failed("set password"))?;
    StoreError::expect_rows("set password", done.rows_affected(), 1)
}

/// Changes a user's display name and whether they may sign in.
///
/// # Errors
/// `Stale` when the row has another version by now, or is gone.
pub async fn update(
    conn: &mut PgConnection,
    id: Uuid,
    version: i64,
    display_name: &str,
    disabled: bool,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update app_user
        set display_name = $3,
            disabled_at = case when $4 then coalesce(disabled_at, clock_timestamp()) end,
            version = version + 1,
            updated_at = clock_timestamp()
        where id = $1
            and version = $2",
        id,
        version,
        display_name,
        disabled
    )
    .execute(conn)
    .await
    .map_err(failed("change user"))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale { op: "change user" }) }
}
