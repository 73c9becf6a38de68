//! What the database server says of itself, for `doctor`.

use sqlx::{FromRow, PgConnection};

use crate::error::StoreError;

/// Settings that decide whether what was committed is still there after a power cut.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ServerFacts {
    /// `server_version`.
    pub version: String,
    /// `server_version_num`: 150018.
    pub version_number: i32,
    /// `fsync`: `on` or `off`.
    pub fsync: String,
    /// `full_page_writes`.
    pub full_page_writes: String,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `data_checksums`.
    pub data_checksums: String,
}

/// Reads them.
///
/// # Errors
/// When the database does not answer.
pub async fn facts(conn: &mut PgConnection) -> Result<ServerFacts, StoreError> {
    sqlx::query_as(
        "select current_setting('server_version') as version,
            current_setting('server_version_num')::int as version_number,
            current_setting('fsync') as fsync,
            current_setting('full_page_writes') as full_page_writes,
            current_setting('synchronous_commit') as synchronous_commit,
            current_setting('data_checksums') as data_checksums",
    )
    .fetch_one(conn)
    .await
    .map_err(|source| StoreError::database("read the settings of the database", source))
}
