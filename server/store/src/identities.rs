//! Who people are at the identity provider, and which attempts to sign in there are used up.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Somebody as a provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider, by its issuer.
    pub issuer: String,
    /// What it calls the person for ever: `sub` of OpenID Connect.
    pub subject: String,
    /// Who that is here.
    pub user: Uuid,
    /// Groups it named at the last sign-in.
    pub groups: Vec<String>,
    /// When they last came from there, let in or not; none when an admin only linked them.
    pub signed_in_at: Option<DateTime<Utc>>,
}

/// Makes others who sign in as the same subject wait until the transaction ends, so that a first sign-in that is sent
/// twice makes one person.
///
/// # Errors
/// When the database refuses.
pub async fn lock(conn: &mut PgConnection, issuer: &str, subject: &str) -> Result<(), StoreError> {
    // Neither part holds a line break, so no two pairs read the same.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 17))", format!("{issuer}\n{subject}"))
        .execute(conn)
        .await
        .map_err(failed("lock identity"))?;
    Ok(())
}

/// Who a subject is here.
///
/// # Errors
/// When the database refuses.
pub async fn get(
    conn: &mut PgConnection,
    issuer: &str,
    subject: &str,
) -> Result<Option<Identity>, StoreError> {
    sqlx::query_as!(
        Identity,
        r#"select issuer, subject, user_id as "user", groups, signed_in_at
        from identity
        where issuer = $1
            and subject = $2"#,
        issuer,
        subject
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read identity"))
}

/// Who a user is at the provider; none when they are nobody there.
///
/// # Errors
/// When the database refuses.
pub async fn of_user(conn: &mut PgConnection, user: Uuid) -> Result<Option<Identity>, StoreError> {
    sqlx::query_as!(
        Identity,
        r#"select issuer, subject, user_id as "user", groups, signed_in_at
        from identity
        where user_id = $1"#,
        user
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read identity of user"))
}

/// Says who a user is at the provider, instead of whoever they were there before.
///
/// # Errors
/// `Conflict` with `identity_pkey` when that subject is somebody else here.
pub async fn put(conn: &mut PgConnection, user: Uuid, issuer: &str, subject: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into identity (issuer, subject, user_id)
        values ($2, $3, $1)
        on conflict (user_id) do update
        set issuer = excluded.issuer,
            subject = excluded.subject,
            groups = '{}',
            linked_at = clock_timestamp(),
            signed_in_at = null",
        user,
        issuer,
        subject
    )
    .execute(conn)
    .await
    .map_err(failed("keep identity"))?;
    Ok(())
}

/// Forgets who a user is at the provider; false when they were nobody there.
///
/// # Errors
/// When the database refuses.
pub async fn delete(conn: &mut PgConnection, user: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from identity
        where user_id = $1",
        user
    )
    .execute(conn)
    .await
    .map_err(failed("forget identity"))?;
    Ok(done.rows_affected() == 1)
}

/// Notes that somebody came from the provider, and the groups it named.
///
/// # Errors
/// `Rows` when the user is nobody there.
pub async fn note_sign_in(conn: &mut PgConnection, user: Uuid, groups: &[String]) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update identity
        set groups = $2,
            signed_in_at = clock_timestamp()
        where user_id = $1",
        user,
        groups
    )
    .execute(conn)
    .await
    .map_err(failed("note sign-in"))?;
    StoreError::expect_rows("note sign-in", done.rows_affected(), 1)
}

/// Uses an attempt to sign in up; false when it was used before, by whichever process.
///
/// # Errors
/// When the database refuses: treat as used.
pub async fn use_attempt(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into used_sign_in_attempt (id)
        values ($1)
        on conflict (id) do nothing",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("use attempt"))?;
    Ok(done.rows_affected() == 1)
}

/// Removes attempts used more than a day ago: by then they have long run out by themselves.
///
/// # Errors
/// When the database refuses.
pub async fn delete_old_attempts(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from used_sign_in_attempt
        where used_at < clock_timestamp() - interval '1 day'"
    )
    .execute(conn)
    .await
    .map_err(failed("remove old attempts"))?;
    Ok(done.rows_affected())
}
