//! API tokens for machines. Only the hash of a token arrives here.

use chrono::{DateTime, Utc};
use muster_domain::people::Actor;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{StoreError, failed},
    grants::parse_grants,
};

/// A token, without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Id.
    pub id: Uuid,
    /// Name, shown in the audit as `token:name`.
    pub name: String,
    /// Whose rights it has.
    pub user: Uuid,
    /// What they sign in with.
    pub owner: String,
    /// What of these rights it may use.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Last use, to within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Keeps a token; `hash` is the lower-case hex SHA-256 of it.
///
/// # Errors
/// `Conflict` with `token_name_unique` or `token_name_usable`.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    name: &str,
    user: Uuid,
    hash: &str,
    scopes: &[String],
    seconds: f64,
) -> Result<Token, StoreError> {
    sqlx::query_as!(
        Token,
        r#"insert into api_token (id, name, user_id, hash, scopes, expires_at)
        values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
        returning id, name, user_id as "user", (
            select app_user.name from app_user where app_user.id = api_token.user_id
        ) as "owner!", scopes, created_at, expires_at, last_used_at, revoked_at"#,
        id,
        name,
        user,
        hash,
        scopes,
        seconds
    )
    .fetch_one(conn)
    .await
    .map_err(failed("keep token"))
}

/// A token that counts, with the rights of its user, as its rows are.
struct LiveRow {
    id: Uuid,
    name: String,
    user_id: Uuid,
    owner: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    roles: Vec<String>,
    teams: Vec<String>,
}

impl TryFrom<LiveRow> for (Token, Actor) {
    type Error = StoreError;

    fn try_from(row: LiveRow) -> Result<Self, StoreError> {
        let actor = Actor {
            id: row.user_id,
            name: format!("token:{}", row.name),
            grants: parse_grants(&row.roles, row.teams, row.user_id)?,
        };
        let token = Token {
            id: row.id,
            name: row.name,
            user: row.user_id,
            owner: row.owner,
            scopes: row.scopes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: None,
        };
        Ok((token, actor))
    }
}

/// The token with that hash and who acts by it, if it counts: not ended, not revoked, its user not disabled. The actor
/// has the user's id, so that nobody approves by token what they requested themselves.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn get_live(conn: &mut PgConnection, hash: &str) -> Result<Option<(Token, Actor)>, StoreError> {
    read_live(conn, Some(hash), None).await
}

/// The token with that id and who acts by it, if it still counts: for what goes on after its request.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn get_live_by_id(conn: &mut PgConnection, id: Uuid) -> Result<Option<(Token, Actor)>, StoreError> {
    read_live(conn, None, Some(id)).await
}

/// By its hash or by its id: the one that is not given finds nothing.
async fn read_live(
    conn: &mut PgConnection,
    hash: Option<&str>,
    id: Option<Uuid>,
) -> Result<Option<(Token, Actor)>, StoreError> {
    let row = sqlx::query_as!(
        LiveRow,
        r#"select api_token.id, api_token.name, user_id, app_user.name as owner, scopes, api_token.created_at, expires_at,
            last_used_at,
            array(
                select role from app_grant where user_id = app_user.id order by role, team
            ) as "roles!",
            array(
                select coalesce(team, '') from app_grant where user_id = app_user.id order by role, team
            ) as "teams!: Vec<String>"
        from api_token
        join app_user on app_user.id = api_token.user_id
        where (hash = $1 or api_token.id = $2)
            and revoked_at is null
            and expires_at > clock_timestamp()
            and app_user.disabled_at is null"#,
        hash,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read token"))?;
    row.map(TryInto::try_into).transpose()
}

/// Notes that a token was used; writes at most once a minute.
///
/// # Errors
/// When the database refuses.
pub async fn touch(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update api_token
        set last_used_at = clock_timestamp()
        where id = $1
            and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("note use of token"))?;
    Ok(())
}

/// A token by id, also one that ended.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Token>, StoreError> {
    sqlx::query_as!(
        Token,
        r#"select api_token.id, api_token.name, user_id as "user", app_user.name as owner, scopes, api_token.created_at,
            expires_at, last_used_at, revoked_at
        from api_token
        join app_user on app_user.id = api_token.user_id
        where api_token.id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read token"))
}

/// Tokens of one user or of all, newest first, ended ones included, at most `limit`; only those that come after `before` in
/// this order, if given: when it was made, and its id.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    conn: &mut PgConnection,
    user: Option<Uuid>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Token>, StoreError> {
    sqlx::query_as!(
        Token,
        r#"select api_token.id, api_token.name, user_id as "user", app_user.name as owner, scopes, api_token.created_at,
            expires_at, last_used_at, revoked_at
        from api_token
        join app_user on app_user.id = api_token.user_id
        where ($1::uuid is null or user_id = $1)
            and ($2::timestamptz is null or (api_token.created_at, api_token.id) < ($2, $3::uuid))
        order by api_token.created_at desc, api_token.id desc
        limit $4"#,
        user,
        before.map(|(made, _)| made),
        before.map(|(_, id)| id),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list tokens"))
}

/// Revokes a token; false when it was already, or there is none.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update api_token
        set revoked_at = clock_timestamp()
        where id = $1
            and revoked_at is null",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("revoke token"))?;
    Ok(done.rows_affected() == 1)
}
