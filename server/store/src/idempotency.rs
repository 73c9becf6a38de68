//! Idempotency-Key: the same request again gets the same answer, and its work is done once.
//!
//! [`begin`] and [`finish`] belong into the transaction that does the work: if that is rolled back the key is free
//! again, and a second request that comes meanwhile waits in `begin` until the first has ended.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Do it, then [`finish`].
    New,
    /// It was done; answer this.
    Replay(Answer),
    /// The key was used for another request: refuse.
    Mismatch,
    /// The key was taken and never finished, which only a bug can cause: refuse.
    Unfinished,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location` header.
    pub location: Option<String>,
    /// Body; JSON null when there was none.
    pub body: serde_json::Value,
}

/// Takes a key for a request, or says what came of it before. `request_hash` covers method, path and body.
///
/// # Errors
/// `Conflict` with `idempotency_key_fits` on a key of 0 or more than 255 characters.
pub async fn begin(
    conn: &mut PgConnection,
    actor: Uuid,
    key: &str,
    request_hash: &str,
) -> Result<Begun, StoreError> {
    let done = sqlx::query!(
        "insert into idempotency_key (actor, key, request_hash)
        values ($1, $2, $3)
        on conflict (actor, key) do nothing",
        actor,
        key,
        request_hash
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("take idempotency key"))?;
    if done.rows_affected() == 1 {
        return Ok(Begun::New);
    }
    let row = sqlx::query!(
        "select request_hash, status, location, body
        from idempotency_key
        where actor = $1
            and key = $2",
        actor,
        key
    )
    .fetch_one(conn)
    .await
    .map_err(failed("read idempotency key"))?;
    if row.request_hash != request_hash {
        return Ok(Begun::Mismatch);
    }
    Ok(match row.status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => Begun::Replay(Answer {
            status,
            location: row.location,
            body: row.body.unwrap_or(serde_json::Value::Null),
        }),
        None => Begun::Unfinished,
    })
}

/// Keeps the answer to a request that [`begin`] called new.
///
/// # Errors
/// `Rows` when the key was not taken, or has an answer already.
pub async fn finish(
    conn: &mut PgConnection,
    actor: Uuid,
    key: &str,
    answer: &Answer,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update idempotency_key
        set status = $3,
            location = $4,
            body = $5
        where actor = $1
            and key = $2
            and status is null",
        actor,
        key,
        i16::try_from(answer.status).unwrap_or(0),
        answer.location,
        answer.body
    )
    .execute(conn)
    .await
    .map_err(failed("keep answer"))?;
    StoreError::expect_rows("keep answer", done.rows_affected(), 1)
}

/// Removes keys older than a day; says how many. A repeat that late is a new request.
///
/// # Errors
/// When the database refuses.
pub async fn delete_old(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from idempotency_key
        where created_at < clock_timestamp() - interval '1 day'"
    )
    .execute(conn)
    .await
    .map_err(failed("remove old idempotency keys"))?;
    Ok(done.rows_affected())
}
