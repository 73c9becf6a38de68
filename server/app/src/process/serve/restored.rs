//! `muster restored`: what a database from a backup believes to be under way is parked before any process carries it on.

use muster_operations::decisions::{self, Parked};
use sqlx::PgPool;

use super::database::{close, prepare_database, refuse_missing};
use crate::process::config::Config;

/// Puts the brake on and parks every run that was under way when the backup was made, or does nothing at all.
///
/// # Errors
/// When there is no database, it cannot be had, or refuses.
pub async fn park_restored(config: &Config) -> anyhow::Result<Parked> {
    refuse_missing(config)?;
    let database = prepare_database(config).await?;
    let parked = park(&database.pool).await;
    close(database).await;
    parked
}

async fn park(pool: &PgPool) -> anyhow::Result<Parked> {
    let mut tx = muster_store::begin(pool).await?;
    let parked = decisions::park_restored(&mut tx).await?;
    tx.commit().await?;
    Ok(parked)
}
