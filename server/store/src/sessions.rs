//! Sessions of signed-in people. The cookie names one; the row decides whether it still counts.

use chrono::{DateTime, Utc};
use muster_domain::people::Actor;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{StoreError, failed},
    grants::parse_grants,
};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// When they signed in.
    pub created_at: DateTime<Utc>,
    /// Last request seen, to within a minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends whatever happens.
    pub expires_at: DateTime<Utc>,
    /// When the password was last asked for.
    pub stepped_up_at: DateTime<Utc>,
    /// Browser, for people.
    pub user_agent: String,
    /// Address it was opened from.
    pub address: String,
}

/// A live session and who acts in it.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person, with their rights as they are now.
    pub actor: Actor,
    /// Name for people.
    pub display_name: String,
    /// Seconds since the password was last asked for, by the database's clock.
    pub stepped_up_seconds_ago: f64,
}

/// Opens a session that ends after so many seconds.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    user: Uuid,
    seconds: f64,
    user_agent: &str,
    address: &str,
) -> Result<Session, StoreError> {
    sqlx::query_as!(
        Session,
        r#"insert into session (id, user_id, expires_at, user_agent, address)
        values ($1, $2, clock_timestamp() + make_interval(secs => $3), $4, $5)
        returning id, user_id as "user", created_at, last_seen_at, expires_at, stepped_up_at, user_agent, address"#,
        id,
        user,
        seconds,
        user_agent,
        address
    )
    .fetch_one(conn)
    .await
    .map_err(failed("open session"))
}

/// The session if it counts: not ended, not revoked, seen within `idle_seconds`, and its user may sign in.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn get_live(
    conn: &mut PgConnection,
    id: Uuid,
    idle_seconds: f64,
) -> Result<Option<SignedIn>, StoreError> {
    let row = sqlx::query!(
        r#"select session.id, session.user_id, session.created_at, session.last_seen_at, session.expires_at,
            session.stepped_up_at, session.user_agent, session.address, app_user.name, app_user.display_name,
            extract(epoch from clock_timestamp() - session.stepped_up_at)::float8 as "stepped_up_seconds_ago!",
            array(
                select role from app_grant where user_id = app_user.id order by role, team
            ) as "roles!",
            array(
                select coalesce(team, '') from app_grant where user_id = app_user.id order by role, team
            ) as "teams!: Vec<String>"
        from session
        join app_user on app_user.id = session.user_id
        where session.id = $1
            and session.revoked_at is null
            and session.expires_at > clock_timestamp()
            and session.last_seen_at > clock_timestamp() - make_interval(secs => $2)
            and app_user.disabled_at is null"#,
        id,
        idle_seconds
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read session"))?;
    row.map(|row| {
        Ok(SignedIn {
            actor: Actor {
                id: row.user_id,
                name: row.name,
                grants: parse_grants(&row.roles, row.teams, row.user_id)?,
            },
            display_name: row.display_name,
            stepped_up_seconds_ago: row.stepped_up_seconds_ago,
            session: Session {
                id: row.id,
                user: row.user_id,
                created_at: row.created_at,
                last_seen_at: row.last_seen_at,
                expires_at: row.expires_at,
                stepped_up_at: row.stepped_up_at,
                user_agent: row.user_agent,
                address: row.address,
            },
        })
    })
    .transpose()
}

/// Notes that the session was used. Writes at most once a minute, so that reading pages does not write to the disk.
///
/// # Errors
/// When the database refuses.
pub async fn touch(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update session
        set last_seen_at = clock_timestamp()
        where id = $1
            and last_seen_at < clock_timestamp() - interval '1 minute'",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("note use of session"))?;
    Ok(())
}

/// Notes when the person last proved to the identity provider who they are, which may be long before this session:
/// providers remember people. Without a time it counts as never.
///
/// # Errors
/// `Rows` when the session is gone.
pub async fn note_proof(
    conn: &mut PgConnection,
    id: Uuid,
    at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update session
        set stepped_up_at = least(coalesce($2::timestamptz, 'epoch'::timestamptz), clock_timestamp())
        where id = $1",
        id,
        at
    )
    .execute(conn)
    .await
    .map_err(failed("note proof of identity"))?;
    StoreError::expect_rows("note proof of identity", done.rows_affected(), 1)
}

/// Notes that the person has just proven who they are again, by password or at the identity provider.
///
/// # Errors
/// `Rows` when the session is revoked or gone.
pub async fn step_up(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update session
        set stepped_up_at = clock_timestamp()
        where id = $1
            and revoked_at is null",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("step up session"))?;
    StoreError::expect_rows("step up session", done.rows_affected(), 1)
}

/// Ends a session; false when it had ended already.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update session
        set revoked_at = clock_timestamp()
        where id = $1
            and revoked_at is null",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("revoke session"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of a user but one, if one is named; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_all(conn: &mut PgConnection, user: Uuid, but: Option<Uuid>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update session
        set revoked_at = clock_timestamp()
        where user_id = $1
            and id is distinct from $2
            and revoked_at is null",
        user,
        but
    )
    .execute(conn)
    .await
    .map_err(failed("revoke sessions"))?;
    Ok(done.rows_affected())
}

/// Sessions of a user that have not ended, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, user: Uuid) -> Result<Vec<Session>, StoreError> {
    sqlx::query_as!(
        Session,
        r#"select id, user_id as "user", created_at, last_seen_at, expires_at, stepped_up_at, user_agent, address
        from session
        where user_id = $1
            and revoked_at is null
            and expires_at > clock_timestamp()
        order by created_at desc"#,
        user
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list sessions"))
}

/// Sessions of a user that count, newest first, at most `limit`: not ended, not revoked, seen within `idle_seconds`. Only those
/// that come after `before` in this order, if given: when it began, and its id.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    conn: &mut PgConnection,
    user: Uuid,
    idle_seconds: f64,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Session>, StoreError> {
    sqlx::query_as!(
        Session,
        r#"select id, user_id as "user", created_at, last_seen_at, expires_at, stepped_up_at, user_agent, address
        from session
        where user_id = $1
            and revoked_at is null
            and expires_at > clock_timestamp()
            and last_seen_at > clock_timestamp() - make_interval(secs => $2)
            and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
        order by created_at desc, id desc
        limit $5"#,
        user,
        idle_seconds,
        before.map(|(begun, _)| begun),
        before.map(|(_, id)| id),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list sessions"))
}

/// Whose a session is that has not ended: id and name.
///
/// # Errors
/// When the database refuses.
pub async fn whose(conn: &mut PgConnection, id: Uuid) -> Result<Option<(Uuid, String)>, StoreError> {
    let row = sqlx::query!(
        "select app_user.id, app_user.name
        from session
        join app_user on app_user.id = session.user_id
        where session.id = $1
            and revoked_at is null
            and expires_at > clock_timestamp()",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find whose session"))?;
    Ok(row.map(|row| (row.id, row.name)))
}

/// Removes sessions that ended more than a week ago; says how many. What they did is in the audit.
///
/// # Errors
/// When the database refuses.
pub async fn delete_ended(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from session
        where least(expires_at, coalesce(revoked_at, 'infinity')) < clock_timestamp() - interval '7 days'"
    )
    .execute(conn)
    .await
    .map_err(failed("remove ended sessions"))?;
    Ok(done.rows_affected())
}
