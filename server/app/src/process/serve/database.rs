//! The database of a process: opened, brought up to date, closed.

use std::time::Duration;

use anyhow::bail;
use muster_store::{StoreError, database};
use sqlx::PgPool;

use crate::{
    http::failure::chain,
    process::{
        config::{Config, DataConfig, DatabaseConfig},
        postgres::{PrivatePostgres, PrivatePostgresOptions},
    },
};

/// How long an external database is waited for at the start.
const DATABASE_WITHIN: Duration = Duration::from_secs(60);

/// The database in use, and the private server behind it if that is ours.
#[derive(Debug)]
pub struct Database {
    /// Connections.
    pub pool: PgPool,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// Connections to a server that is not ours to stop.
    #[must_use]
    pub fn external(pool: PgPool) -> Self {
        Self { pool, private: None }
    }
}

/// Opens the database: the one of `DATABASE_URL`, or our own.
///
/// # Errors
/// When it cannot be had.
pub async fn open_database(data: &DataConfig, config: &DatabaseConfig) -> anyhow::Result<Database> {
    if let Some(url) = &config.database_url {
        return Ok(Database::external(connect_patiently(url, config.database_connections).await?));
    }
    let options = PrivatePostgresOptions {
        bin_dir: config.pg_bin_dir.clone(),
        user: config.pg_user.clone(),
        ..PrivatePostgresOptions::new(data.dir())
    };
    tracing::info!(data_dir = %data.dir().display(), "starting the private PostgreSQL (DATABASE_URL is not set)");
    let private = PrivatePostgres::start(options).await?;
    let pool = database::connect_with(private.connect_options(), config.database_connections).await?;
    Ok(Database { pool, private: Some(private) })
}

async fn connect_patiently(url: &str, connections: u32) -> Result<PgPool, StoreError> {
    let give_up = tokio::time::Instant::now() + DATABASE_WITHIN;
    loop {
        match database::connect(url, connections).await {
            Err(e) if tokio::time::Instant::now() < give_up => {
                tracing::warn!(cause = %chain(&e), "the database does not answer yet; tried again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

/// Refuses to work on a database that is not there: opening it would make an empty one, and whatever was meant lies elsewhere.
///
/// # Errors
/// When `DATABASE_URL` is not set and there is no private one from before.
pub(super) fn refuse_missing(config: &Config) -> anyhow::Result<()> {
    let dir = config.data.dir();
    if config.database.database_url.is_none() && !dir.join("pgdata").exists() {
        bail!(
            "DATABASE_URL is not set and there is no private PostgreSQL in {}, so nothing was done. Run this with the \
             settings that Muster is started with, and as its user; docs/OPERATING.md says how beside a service",
            dir.display()
        );
    }
    Ok(())
}

/// Opens the database and brings its schema up to date.
///
/// # Errors
/// When it cannot be had or a migration fails.
pub(super) async fn prepare_database(config: &Config) -> anyhow::Result<Database> {
    let database = open_database(&config.data, &config.database).await?;
    match database::migrate(&database.pool).await {
        Ok(()) => Ok(database),
        Err(e) => {
            close(database).await;
            Err(e.into())
        }
    }
}

/// Closes the connections and stops the private server.
pub async fn close(database: Database) {
    // Connections somebody still holds are cut off when the server goes; they must not keep us from stopping it.
    let _ = tokio::time::timeout(Duration::from_secs(5), database.pool.close()).await;
    if let Some(private) = database.private
        && let Err(e) = private.stop().await
    {
        tracing::error!(cause = %chain(&e), "the private PostgreSQL did not stop");
    }
}
