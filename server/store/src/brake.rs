//! The global stop. Callers treat an error from here as "the brake is on": it fails closed.

use chrono::{DateTime, Utc};
use muster_domain::record::Person;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// The brake while it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who put it on.
    pub by: Person,
    /// Why, in their words.
    pub reason: String,
}

/// The row as it is: all columns set, or none (`brake_says_who_and_why`).
struct BrakeRow {
    on_since: Option<DateTime<Utc>>,
    put_by: Option<Uuid>,
    put_by_name: Option<String>,
    reason: Option<String>,
}

impl From<BrakeRow> for Option<Brake> {
    fn from(row: BrakeRow) -> Self {
        // Whatever else is missing, `on_since` alone decides: half a brake is a brake.
        row.on_since.map(|since| Brake {
            since,
            by: Person { id: row.put_by.unwrap_or_default(), name: row.put_by_name.unwrap_or_default() },
            reason: row.reason.unwrap_or_default(),
        })
    }
}

/// The brake if it is on, to show it or to stop at a step boundary.
///
/// # Errors
/// When it cannot be read: treat as on.
pub async fn get(conn: &mut PgConnection) -> Result<Option<Brake>, StoreError> {
    sqlx::query_as!(
        BrakeRow,
        "select on_since, put_by, put_by_name, reason
        from brake"
    )
    .fetch_one(conn)
    .await
    .map(Into::into)
    .map_err(failed("read the brake"))
}

/// The brake if it is on, for a transaction that starts something: whoever puts it on at the same time waits until
/// that transaction has ended, and then sees what was started.
///
/// # Errors
/// When it cannot be read: treat as on.
pub async fn get_to_start(conn: &mut PgConnection) -> Result<Option<Brake>, StoreError> {
    sqlx::query_as!(
        BrakeRow,
        "select on_since, put_by, put_by_name, reason
        from brake
        for share"
    )
    .fetch_one(conn)
    .await
    .map(Into::into)
    .map_err(failed("read the brake"))
}

/// Puts the brake on; false when it was on already (who and why stay as they were).
///
/// # Errors
/// `Conflict` on an empty reason; otherwise when the database refuses.
pub async fn put(conn: &mut PgConnection, by: &Person, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update brake
        set on_since = clock_timestamp(),
            put_by = $1,
            put_by_name = $2,
            reason = $3
        where on_since is null",
        by.id,
        by.name,
        reason
    )
    .execute(conn)
    .await
    .map_err(failed("put the brake on"))?;
    Ok(done.rows_affected() == 1)
}

/// Releases the brake; false when it was not on.
///
/// # Errors
/// When the database refuses.
pub async fn release(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update brake
        set on_since = null,
            put_by = null,
            put_by_name = null,
            reason = null
        where on_since is not null"
    )
    .execute(conn)
    .await
    .map_err(failed("release the brake"))?;
    Ok(done.rows_affected() == 1)
}
