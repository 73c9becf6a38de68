//! Connecting and migrating.

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use tracing::Instrument as _;

use crate::error::{StoreError, failed};

/// The migrations of this build, embedded.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Hash over all migrations of this build: tells one schema from another.
#[cfg(feature = "testing")]
pub(crate) fn migrations_hash() -> String {
    let all: Vec<u8> = MIGRATIONS.iter().flat_map(|migration| migration.checksum.iter().copied()).collect();
    muster_domain::hash::sha256_hex(&all)
}

/// Connects to the database of a `DATABASE_URL`.
///
/// # Errors
/// When the address does not parse or the database does not answer within 10 seconds.
pub async fn connect(url: &str, max_connections: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(failed("read DATABASE_URL"))?;
    connect_with(options, max_connections).await
}

/// Connects with given options. No statement, lock or forgotten transaction may hold a page or a run up for long:
/// each has a bound, on the server's side so that it also holds when this process hangs.
///
/// # Errors
/// When the database does not answer within 10 seconds.
pub async fn connect_with(options: PgConnectOptions, max_connections: u32) -> Result<PgPool, StoreError> {
    let options = options.application_name("muster").options([
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "60s"),
        // Lists are filtered by what is given: each combination deserves its own plan, which costs less than a wrong one.
        ("plan_cache_mode", "force_custom_plan"),
        // Statements over many pairs look expensive and are not: compiling them took three times as long as running them, and
        // the first time on a connection forty milliseconds (docs/decisions/0015-fast-fleet.md).
        ("jit", "off"),
    ]);
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(failed("connect to the database"))
}

/// A connection, for what needs no transaction.
///
/// # Errors
/// When none is free within 10 seconds, or the database does not answer.
pub async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>, StoreError> {
    pool.acquire().await.map_err(failed("reach the database"))
}

/// Begins a transaction. The one way to do so: a future dropped while `BEGIN` is under way (a caller that hangs up, a
/// worker that stops) would give its connection back with the transaction open, and whoever gets it next would hold its
/// locks and lose what it writes (sqlx issue 4385, present in 0.9.0). Here `BEGIN` is always seen through.
///
/// # Errors
/// As [`PgPool::begin`].
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    #[expect(clippy::disallowed_methods, reason = "not dropped before it is done")]
    let begun = tokio::spawn(async move { pool.begin().await }.in_current_span());
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// Brings the schema up to date. Several processes may start at once: they take turns by an advisory lock. A schema
/// that is already newer than this build is accepted, since migrations only add (rolling upgrade).
///
/// # Errors
/// When the database does not answer or a migration fails; a failed one leaves nothing behind.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    let options = (*pool.connect_options()).clone();
    // Its own connection: a migration may rightly take longer than a page's statement, and wait for another process's.
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut conn = PgConnection::connect_with(&options).await.map_err(failed("connect to the database"))?;
    run_migrations(&mut conn).await?;
    conn.close().await.map_err(failed("close the connection of the migrations"))
}

/// Applies what is missing on one connection.
pub(crate) async fn run_migrations(conn: &mut PgConnection) -> Result<(), StoreError> {
    let migrator =
        Migrator { migrations: MIGRATIONS.migrations.clone(), ignore_missing: true, ..Migrator::DEFAULT };
    migrator.run_direct(None, conn, false).await.map_err(|source| StoreError::Migrate { source })
}

/// Versions of this build's migrations that the database does not have yet.
///
/// # Errors
/// When the database does not answer.
pub async fn pending_migrations(conn: &mut PgConnection) -> Result<Vec<i64>, StoreError> {
    use sqlx::migrate::Migrate;
    let unmigrated = |source| StoreError::Migrate { source };
    conn.ensure_migrations_table("_sqlx_migrations").await.map_err(unmigrated)?;
    let applied = conn.list_applied_migrations("_sqlx_migrations").await.map_err(unmigrated)?;
    Ok(MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .filter(|version| applied.iter().all(|done| done.version != *version))
        .collect())
}
