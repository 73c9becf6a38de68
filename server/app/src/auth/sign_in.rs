//! Signing in and out by name and password, with a lock-out that holds across processes.

use std::net::IpAddr;

use axum::http::HeaderMap;
use muster_domain::people::Actor;
use muster_store::{
    login_failures::{self, LockOut},
    people, sessions,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{passwords, tokens::SESSION_HOURS};
use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    http::{Answer, Failure},
};

/// Guessing at one person is stopped after few tries, guessing from one address (which many people may share behind a
/// proxy) after many.
const BY_NAME: LockOut = LockOut { failures: 8, window_seconds: 900.0, lock_seconds: 900.0 };
const BY_ADDRESS: LockOut = LockOut { failures: 60, window_seconds: 900.0, lock_seconds: 900.0 };

/// Where a sign-in comes from.
#[derive(Debug, Clone)]
pub struct From {
    /// Address of the peer.
    pub address: String,
    /// Browser or program.
    pub user_agent: String,
}

impl From {
    /// From the request's headers and the peer's address.
    #[must_use]
    pub fn new(headers: &HeaderMap, peer: Option<IpAddr>) -> Self {
        let agent =
            headers.get(axum::http::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Self {
            address: peer.map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: agent.chars().take(200).collect(),
        }
    }
}

/// Checks name and password and opens a session.
///
/// # Errors
/// `sign-in-refused`, or `locked-out` after too many failures.
pub async fn sign_in(app: &App, name: &str, password: SecretString, from: &From) -> Answer<(Uuid, Actor)> {
    let keys = lock_outs(name, from);
    match verified(app, name, password, &keys).await? {
        Some(user) => open_session(app, user, &keys[0].0, from).await,
        None => Err(count_failure(app, &keys).await?),
    }
}

/// Checks the password of somebody who is signed in: the session shows again that they are there. Failures count as those
/// of signing in do.
///
/// # Errors
/// `sign-in-refused`, or `locked-out` after too many failures.
pub async fn reauthenticate(
    app: &App,
    actor: &Actor,
    sid: Uuid,
    password: SecretString,
    from: &From,
) -> Answer<()> {
    let keys = lock_outs(&actor.name, from);
    if verified(app, &actor.name, password, &keys).await? != Some(actor.id) {
        return Err(count_failure(app, &keys).await?);
    }
    let mut tx = muster_store::begin(&app.pool).await?;
    login_failures::clear(&mut tx, &keys[0].0).await?;
    sessions::step_up(&mut tx, sid).await?;
    let detail = json!({"address": from.address});
    audit_trail::record(
        &mut tx,
        actor,
        Entry::done("session.reauthenticate", &format!("session {sid}"), detail),
    )
    .await?;
    Ok(tx.commit().await?)
}

/// What failures are counted under: the name and the address.
fn lock_outs(name: &str, from: &From) -> [(String, LockOut); 2] {
    [(format!("user:{name}"), BY_NAME), (format!("address:{}", from.address), BY_ADDRESS)]
}

/// Whose name and password these are; `None` when they do not fit.
async fn verified(
    app: &App,
    name: &str,
    password: SecretString,
    keys: &[(String, LockOut)],
) -> Answer<Option<Uuid>> {
    let mut conn = app.pool.acquire().await?;
    for (key, _) in keys {
        if let Some(until) = login_failures::locked_until(&mut conn, key).await? {
            return Err(locked_out(until));
        }
    }
    let kept = people::password_hash(&mut conn, name).await?;
    drop(conn);
    let hash = kept.as_ref().map(|(_, hash)| hash.expose_secret().to_owned());
    let right = passwords::verify_password(password.expose_secret().to_owned(), hash).await?;
    Ok(kept.filter(|_| right).map(|(user, _)| user))
}

async fn open_session(app: &App, user: Uuid, key: &str, from: &From) -> Answer<(Uuid, Actor)> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let actor = people::get(&mut tx, user).await?.ok_or_else(refused)?.actor();
    login_failures::clear(&mut tx, key).await?;
    let sid = Uuid::now_v7();
    let seconds = (SESSION_HOURS * 3600) as f64;
    sessions::insert(&mut tx, sid, user, seconds, &from.user_agent, &from.address).await?;
    let object = format!("session {sid}");
    audit_trail::record(
        &mut tx,
        &actor,
        Entry::done("session.open", &object, json!({"address": from.address})),
    )
    .await?;
    tx.commit().await?;
    Ok((sid, actor))
}

async fn count_failure(app: &App, keys: &[(String, LockOut)]) -> Answer<Failure> {
    let mut conn = app.pool.acquire().await?;
    let mut locked = None;
    for (key, rule) in keys {
        locked = login_failures::count(&mut conn, key, *rule).await?.or(locked);
    }
    Ok(locked.map_or_else(refused, locked_out))
}

/// Ends a session.
///
/// # Errors
/// When the database refuses.
pub async fn sign_out(app: &App, actor: &Actor, sid: Uuid) -> Answer<()> {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke(&mut tx, sid).await?;
    audit_trail::record(&mut tx, actor, Entry::done("session.close", &format!("session {sid}"), json!({})))
        .await?;
    Ok(tx.commit().await?)
}

fn refused() -> Failure {
    Failure::new(
        "sign-in-refused",
        "Name and password do not fit, or this person may not sign in.",
        "Try again. An admin can set a new password.",
    )
}

fn locked_out(until: chrono::DateTime<chrono::Utc>) -> Failure {
    Failure::new(
        "locked-out",
        format!("Too many sign-ins failed; none is taken until {} UTC.", until.format("%H:%M:%S")),
        "Wait until then. If it was not you, tell an admin: somebody is guessing.",
    )
}
