//! The database's clock: the only one that leases, expiries and step times are measured by.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// Now, by the database.
///
/// # Errors
/// When the database refuses.
pub async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(conn)
        .await
        .map_err(failed("read the clock"))
}
