//! Signing in and out by name and password, with a lock-out that holds across processes.

use std::net::IpAddr;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Grant, Role};
use muster_store::{
    login_failures::{self, LockOut},
    people,
    people::User,
    sessions,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::tokens::SESSION_HOURS;
use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    http::{Answer, Failure, network},
};

/// Guessing at one person is stopped after few tries, guessing from one address (which many people may share behind a
/// proxy) after many.
const BY_NAME: LockOut = LockOut { failures: 8, window_seconds: 900.0, lock_seconds: 900.0 };
const BY_ADDRESS: LockOut = LockOut { failures: 60, window_seconds: 900.0, lock_seconds: 900.0 };

/// What keys of addresses begin with.
const OF_ADDRESS: &str = "address:";

/// Where a sign-in comes from.
#[derive(Debug, Clone)]
pub struct From {
    /// Address of the client.
    pub address: String,
    /// Browser or program.
    pub user_agent: String,
}

impl From {
    /// From the request's headers and the client's address.
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
        Some(user) => by_password(app, user, &keys, from).await,
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

/// What failures are counted under: the name, of which nobody has one longer than is kept here, and the address.
pub(super) fn lock_outs(name: &str, from: &From) -> [(String, LockOut); 2] {
    let name: String = name.chars().take(200).collect();
    let address = network::counted(&from.address);
    [(format!("user:{name}"), BY_NAME), (format!("{OF_ADDRESS}{address}"), BY_ADDRESS)]
}

/// Whose name and password these are; `None` when they do not fit.
///
/// # Errors
/// `locked-out`.
pub(super) async fn verified(
    app: &App,
    name: &str,
    password: SecretString,
    keys: &[(String, LockOut)],
) -> Answer<Option<Uuid>> {
    let mut conn = app.pool.acquire().await?;
    for (key, _) in keys {
        if let Some(until) = login_failures::locked_until(&mut conn, key).await? {
            return Err(locked_out(key, until));
        }
    }
    let kept = people::password_hash(&mut conn, name).await?;
    drop(conn);
    let hash = kept.as_ref().map(|(_, hash)| hash.expose_secret().to_owned());
    let right = app.hashing.verify_password(password.expose_secret().to_owned(), hash).await?;
    Ok(kept.filter(|_| right).map(|(user, _)| user))
}

async fn by_password(
    app: &App,
    user: Uuid,
    keys: &[(String, LockOut)],
    from: &From,
) -> Answer<(Uuid, Actor)> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let user = people::get(&mut tx, user).await?.ok_or_else(|| refused(app))?;
    if !passwords_count_for(app, &user) {
        drop(tx);
        // As for a wrong password: whoever guesses learns nothing from being told to go elsewhere.
        return Err(count_failure(app, keys).await?);
    }
    login_failures::clear(&mut tx, &keys[0].0).await?;
    let actor = user.actor();
    let sid = open_session(&mut tx, &actor, from, json!({})).await?;
    tx.commit().await?;
    Ok((sid, actor))
}

/// Whether this person may sign in with a password. Where everybody signs in at the provider, admins whom an admin made
/// still may: somebody must get in when the provider is away.
fn passwords_count_for(app: &App, user: &User) -> bool {
    let local = |grant: &&Grant| !user.from_provider.contains(grant);
    let only = app.oidc.as_ref().is_some_and(|provider| provider.only());
    !only || user.grants.iter().filter(local).any(|grant| grant.role == Role::Admin)
}

/// Opens a session, in the caller's transaction. `detail` is told in the audit besides where they came from.
///
/// # Errors
/// When the database refuses.
pub(super) async fn open_session(
    conn: &mut PgConnection,
    actor: &Actor,
    from: &From,
    mut detail: Value,
) -> Answer<Uuid> {
    let sid = Uuid::now_v7();
    let seconds = (SESSION_HOURS * 3600) as f64;
    sessions::insert(conn, sid, actor.id, seconds, &from.user_agent, &from.address).await?;
    let object = format!("session {sid}");
    detail["address"] = json!(from.address);
    audit_trail::record(conn, actor, Entry::done("session.open", &object, detail)).await?;
    Ok(sid)
}

/// Counts a failed try under each key; what it is answered with.
///
/// # Errors
/// When the database refuses.
pub(super) async fn count_failure(app: &App, keys: &[(String, LockOut)]) -> Answer<Failure> {
    let mut conn = app.pool.acquire().await?;
    let mut locked = None;
    for (key, rule) in keys {
        let until = login_failures::count(&mut conn, key, *rule).await?;
        locked = until.map(|until| locked_out(key, until)).or(locked);
    }
    Ok(locked.unwrap_or_else(|| refused(app)))
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

fn refused(app: &App) -> Failure {
    let next_step = match app.oidc.as_ref().filter(|provider| provider.only()) {
        Some(provider) => {
            format!("Sign in with {}: passwords are taken of admins only.", provider.label())
        }
        None => "Try again. An admin can set a new password.".to_owned(),
    };
    Failure::new(
        "sign-in-refused",
        "Name and password do not fit, or this person may not sign in.",
        next_step,
    )
}

/// Says what is locked, since what ends it differs: an admin unlocks a name, and nobody an address.
fn locked_out(key: &str, until: DateTime<Utc>) -> Failure {
    let seconds = (until - Utc::now()).num_seconds().max(1);
    let at = until.format("%H:%M:%S");
    let (detail, next_step) = match key.strip_prefix(OF_ADDRESS) {
        Some(address) => (
            format!(
                "Too many sign-ins from your address ({address}) failed; none from there is taken until {at} UTC."
            ),
            "Wait until then; an admin cannot end it sooner. If that is the address of a proxy that others come through too, \
             whoever runs Muster sets MUSTER_TRUSTED_PROXIES.",
        ),
        None => (
            format!(
                "Too many sign-ins with this name failed; none is taken with it until {at} UTC, not with the right password either."
            ),
            "Wait until then, or ask an admin, who can unlock the name at once on its page in /people. If it was not you, tell \
             them: somebody is guessing.",
        ),
    };
    Failure::new("locked-out", detail, next_step).with("retry_after_seconds", json!(seconds))
}
