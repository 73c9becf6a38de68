//! ID tokens of sessions that were opened at the identity provider, kept until they are signed out there.

use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{SecretsKey, envelope::Place, open, seal};
use crate::error::{StoreError, failed};

fn place(session: &str) -> Place<'_> {
    Place { table: "session_id_token", row: session, column: "sealed" }
}

/// Seals and keeps the ID token a session was opened with.
///
/// # Errors
/// `Sealed` when the database is sealed with another key.
pub async fn put(
    conn: &mut PgConnection,
    key: &SecretsKey,
    session: Uuid,
    token: &SecretString,
) -> Result<(), StoreError> {
    const OP: &str = "keep ID token";
    let sealed = seal(conn, key, OP, place(&session.to_string()), token).await?;
    sqlx::query!(
        "insert into session_id_token (session_id, kek_id, sealed)
        values ($1, $2, $3)",
        session,
        key.id(),
        sealed
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    Ok(())
}

/// Takes the ID token of a session out of the store; none when it was not opened at the provider, or was taken before.
///
/// # Errors
/// `Sealed` when the key does not fit; the token is gone all the same.
pub async fn take(
    conn: &mut PgConnection,
    key: &SecretsKey,
    session: Uuid,
) -> Result<Option<SecretString>, StoreError> {
    const OP: &str = "open ID token";
    let sealed = sqlx::query_scalar!(
        "delete from session_id_token
        where session_id = $1
        returning sealed",
        session
    )
    .fetch_optional(conn)
    .await
    .map_err(failed(OP))?;
    sealed.map(|sealed| open(key, OP, place(&session.to_string()), &sealed)).transpose()
}

/// Removes all of them: another key ends every session anyway, and nothing sealed with the old one stays.
pub(super) async fn delete_all(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("delete from session_id_token").execute(conn).await.map_err(failed("remove ID tokens"))?;
    Ok(())
}
