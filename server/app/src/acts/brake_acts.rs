//! The global stop.

use chrono::{DateTime, Utc};
use muster_domain::{people::Actor, record::Person};
use muster_store::brake;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::audit_trail::{self, Entry};
use crate::http::{Answer, Failure};

/// Putting the brake on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Network works in eu-central until 06:00"}))]
pub struct PutBrake {
    /// Why, in words.
    pub reason: String,
}

/// The brake as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BrakeView {
    /// Whether it is on: nothing starts, running steps stop at their boundary.
    pub on: bool,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Who put it on.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The brake as it is.
///
/// # Errors
/// When it cannot be read: treat as on.
pub async fn view(conn: &mut PgConnection) -> Answer<BrakeView> {
    Ok(match brake::get(conn).await? {
        Some(brake) => BrakeView {
            on: true,
            since: Some(brake.since),
            by: Some(brake.by.name),
            reason: Some(brake.reason),
        },
        None => BrakeView { on: false, since: None, by: None, reason: None },
    })
}

/// Puts the brake on. It being on already is fine; who put it on first stays.
///
/// # Errors
/// `invalid-request` without a reason.
pub async fn put(conn: &mut PgConnection, asked: &PutBrake, actor: &Actor) -> Answer<BrakeView> {
    let reason = asked.reason.trim();
    if reason.is_empty() {
        return Err(Failure::invalid("Say why the brake is put on; everybody sees it on every page."));
    }
    let changed = brake::put(conn, &Person { id: actor.id, name: actor.name.clone() }, reason).await?;
    let detail = json!({"reason": reason, "was_on": !changed});
    audit_trail::record(conn, actor, Entry::done("brake.put", "brake", detail)).await?;
    view(conn).await
}

/// Releases the brake. It being off already is fine.
///
/// # Errors
/// When the database refuses.
pub async fn release(conn: &mut PgConnection, actor: &Actor) -> Answer<BrakeView> {
    let changed = brake::release(conn).await?;
    audit_trail::record(conn, actor, Entry::done("brake.release", "brake", json!({"was_on": changed})))
        .await?;
    view(conn).await
}
