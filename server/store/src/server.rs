//! What the database server says of itself, for `doctor`.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::error::{StoreError, failed};

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
    .map_err(failed("read the settings of the database"))
}

/// How large the database is and how new its tables are.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SizeFacts {
    /// Bytes on disk.
    pub bytes: i64,
    /// Number of the newest migration that was applied.
    pub migration: i64,
    /// When it was.
    pub migrated_at: DateTime<Utc>,
}

/// Reads them.
///
/// # Errors
/// When the database does not answer.
pub async fn size(conn: &mut PgConnection) -> Result<SizeFacts, StoreError> {
    sqlx::query_as(
        "select pg_database_size(current_database()) as bytes, version as migration, installed_on as migrated_at
        from _sqlx_migrations
        where success
        order by version desc
        limit 1",
    )
    .fetch_one(conn)
    .await
    .map_err(failed("read the size of the database"))
}
