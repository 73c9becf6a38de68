//! Changing one's own password. It takes the present one: whoever finds a browser open must not be able to keep the account.

use muster_domain::people::Actor;
use muster_store::{login_failures, people, sessions};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::sign_in::{From, count_failure, lock_outs, verified};
use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    http::{Answer, Failure},
};

/// Whether somebody has a password here that they could change.
///
/// # Errors
/// When the database refuses.
pub async fn has_one(app: &App, actor: &Actor) -> Answer<bool> {
    let mut conn = app.pool.acquire().await?;
    Ok(people::password_hash(&mut conn, &actor.name).await?.is_some())
}

/// Sets another password and ends all other sessions; says how many. A wrong present password counts as a failed sign-in.
///
/// # Errors
/// `no-password` for who signs in at the provider only, `sign-in-refused`, `locked-out`, `invalid-request`.
pub async fn change(
    app: &App,
    actor: &Actor,
    sid: Uuid,
    present: SecretString,
    new: SecretString,
    from: &From,
) -> Answer<u64> {
    if !has_one(app, actor).await? {
        return Err(Failure::new(
            "no-password",
            "You have no password here that could be changed.",
            "Change it where you sign in. An admin can set one here.",
        ));
    }
    if present.expose_secret() == new.expose_secret() {
        return Err(Failure::invalid("The new password is the present one; choose another."));
    }
    // Before the present one is tried: a new one that cannot be taken must not cost a try.
    let hash = SecretString::from(app.hashing.hash_password(new.expose_secret().to_owned()).await?);
    let keys = lock_outs(&actor.name, from);
    if verified(app, &actor.name, present, &keys).await? != Some(actor.id) {
        return Err(count_failure(app, &keys).await?);
    }
    let mut tx = muster_store::begin(&app.pool).await?;
    people::set_password_hash(&mut tx, actor.id, &hash).await?;
    login_failures::clear(&mut tx, &keys[0].0).await?;
    let ended = sessions::revoke_all(&mut tx, actor.id, Some(sid)).await?;
    sessions::step_up(&mut tx, sid).await?;
    let detail = json!({"sessions_ended": ended, "address": from.address});
    let object = format!("user {}", actor.name);
    audit_trail::record(&mut tx, actor, Entry::done("session.password", &object, detail)).await?;
    tx.commit().await?;
    Ok(ended)
}
