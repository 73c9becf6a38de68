//! The key that seals secrets: found, made the first time, changed for another.

use std::path::Path;

use anyhow::{Context as _, bail};
use muster_domain::people::Actor;
use muster_store::{
    audit,
    secrets::{self, SecretsKey},
};
use serde_json::json;
use sqlx::PgPool;

use super::database::{close, prepare_database, refuse_missing};
use crate::process::config::{Config, SecretsConfig};

/// `muster secrets rotate`: seals everything with another key; says how many secrets.
///
/// # Errors
/// When there is no database, a key cannot be read or a secret does not open; then nothing is rotated.
pub async fn rotate_secrets(config: Config, new_key_file: &Path) -> anyhow::Result<u64> {
    let old = find_key(&config.secrets, &config.data.dir())?.with_context(|| {
        let file = config.secrets.key_file(&config.data.dir());
        format!("there is no present key to rotate from: {} does not exist", file.display())
    })?;
    refuse_missing(&config)?;
    let new = match new_key_file.exists() {
        true => SecretsKey::from_file(new_key_file)?,
        false => SecretsKey::generate_file(new_key_file)?,
    };
    let database = prepare_database(&config).await?;
    let rotated = rotate(&database.pool, &old, &new).await;
    close(database).await;
    rotated
}

async fn rotate(pool: &PgPool, old: &SecretsKey, new: &SecretsKey) -> anyhow::Result<u64> {
    let mut tx = muster_store::begin(pool).await?;
    let rotated = secrets::rotate(&mut tx, old, new).await?;
    let detail = json!({"from": old.id(), "to": new.id(), "secrets": rotated.rewrapped});
    audit::append(&mut tx, &Actor::muster().name, "secrets.rotate", "secrets key", "done", detail).await?;
    tx.commit().await?;
    Ok(rotated.rewrapped + rotated.already)
}

/// The secrets key: from `MUSTER_SECRETS_KEY` or from its file; none when there is neither.
///
/// # Errors
/// When it cannot be read or is no key.
pub fn find_key(config: &SecretsConfig, data_dir: &Path) -> anyhow::Result<Option<SecretsKey>> {
    if std::env::var_os("MUSTER_SECRETS_KEY").is_some() {
        return Ok(Some(SecretsKey::from_env("MUSTER_SECRETS_KEY")?));
    }
    let file = config.key_file(data_dir);
    if file.exists() { Ok(Some(SecretsKey::from_file(&file)?)) } else { Ok(None) }
}

/// The secrets key as [`find_key`] finds it, or one made the first time. None is made for a database that is sealed with
/// another already, as after a restore: it would open nothing and look like the one that is missing.
///
/// # Errors
/// When it cannot be read, is no key, cannot be made, or does not fit the database.
pub(super) async fn load_key(
    config: &SecretsConfig,
    data_dir: &Path,
    pool: &PgPool,
) -> anyhow::Result<SecretsKey> {
    const UNFIT: &str = "the secrets key does not fit the database";
    let mut tx = muster_store::begin(pool).await?;
    let key = match find_key(config, data_dir)? {
        Some(key) => key,
        None => {
            let file = config.key_file(data_dir);
            if let Some(needed) = secrets::key_in_use(&mut tx).await? {
                bail!(
                    "{UNFIT}: it is sealed with the key {needed}, {} does not exist and MUSTER_SECRETS_KEY is not set. \
                     Put that key there; without it the credentials in this database cannot be opened",
                    file.display()
                );
            }
            make_key(&file)?
        }
    };
    secrets::check_key(&mut tx, &key).await.context(UNFIT)?;
    tx.commit().await?;
    Ok(key)
}

fn make_key(file: &Path) -> anyhow::Result<SecretsKey> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("could not make {}", parent.display()))?;
    }
    let key = SecretsKey::generate_file(file)?;
    tracing::warn!(file = %file.display(), "made a new secrets key; keep a copy of {} elsewhere", file.display());
    Ok(key)
}
