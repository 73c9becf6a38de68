//! Writing the audit: what was done goes with the change, what was refused goes alone.

use muster_domain::people::Actor;
use muster_store::audit;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::http::Answer;

/// What is told of an act. The detail never holds a secret.
#[derive(Debug)]
pub struct Entry<'a> {
    action: &'a str,
    object: &'a str,
    detail: Value,
}

impl<'a> Entry<'a> {
    /// Something done: `cluster.create` on `cluster eu-west`.
    #[must_use]
    pub fn done(action: &'a str, object: &'a str, detail: Value) -> Self {
        Self { action, object, detail }
    }
}

/// Writes what was done, as the last write of the change's own transaction.
///
/// # Errors
/// When the database refuses; then the change is not done either.
pub async fn record(conn: &mut PgConnection, actor: &Actor, entry: Entry<'_>) -> Answer<()> {
    audit::append(conn, &actor.name, entry.action, entry.object, "done", entry.detail).await?;
    Ok(())
}

/// Writes what was refused. The answer does not wait for this to succeed: a refusal stays one.
pub async fn record_refusal(pool: &PgPool, actor: &str, action: &str, object: &str, detail: Value) {
    let written = async {
        let mut tx = muster_store::begin(pool).await.map_err(|e| e.to_string())?;
        audit::append(&mut tx, actor, action, object, "refused", detail).await.map_err(|e| e.to_string())?;
        tx.commit().await.map_err(|e| e.to_string())
    };
    if let Err(cause) = written.await {
        tracing::error!(%actor, %action, %object, %cause, "could not audit a refusal");
    }
}
