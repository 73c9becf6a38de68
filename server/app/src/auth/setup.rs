//! The first run: while nobody exists, the first admin is made without signing in. Closed for ever after that.

use muster_domain::people::{Actor, Grant, Role};
use muster_store::people;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    http::{Answer, Failure},
};

/// Whether nobody exists yet.
///
/// # Errors
/// When the database refuses.
pub async fn is_open(app: &App) -> Answer<bool> {
    let mut conn = app.pool.acquire().await?;
    Ok(people::list(&mut conn).await?.is_empty())
}

/// The code that proves that whoever makes the first admin can read Muster's log. The same in every process and after
/// every restart, since it comes of the secrets key.
#[must_use]
pub fn code(app: &App) -> String {
    hex::encode(&app.secrets_key.derive("setup code").expose_secret()[..6])
}

/// Makes the first admin in the browser: with the code from the log.
///
/// # Errors
/// `setup-code-wrong`, and as [`make_first_admin`].
pub async fn with_code(app: &App, given: &str, name: &str, password: String) -> Answer<Actor> {
    let right = code(app);
    if aws_lc_rs::constant_time::verify_slices_are_equal(given.trim().as_bytes(), right.as_bytes()).is_err() {
        return Err(Failure::new(
            "setup-code-wrong",
            "That is not the code from Muster's log.",
            "Look for the line \"nobody can sign in yet\" in Muster's log; it ends with the code.",
        ));
    }
    make_first_admin(app, name, name, password).await
}

/// Makes the first admin.
///
/// # Errors
/// `setup-already-done` once there is anybody.
pub async fn make_first_admin(app: &App, name: &str, display_name: &str, password: String) -> Answer<Actor> {
    let hash = SecretString::from(app.hashing.hash_password(password).await?);
    let mut tx = muster_store::begin(&app.pool).await?;
    if !people::is_first_run(&mut tx).await? {
        return Err(Failure::new(
            "setup-already-done",
            "There are people already; the first admin is made only once.",
            "Sign in. An admin adds further people.",
        ));
    }
    let id = Uuid::now_v7();
    let grants = [Grant { role: Role::Admin, team: None }];
    people::insert(&mut tx, id, name, display_name, Some(&hash), &grants).await?;
    let actor = Actor { id, name: name.to_owned(), grants: grants.to_vec() };
    audit_trail::record(
        &mut tx,
        &actor,
        Entry::done("setup", &format!("user {name}"), json!({"role": "admin"})),
    )
    .await?;
    tx.commit().await?;
    Ok(actor)
}

/// Makes the first admin from `MUSTER_ADMIN_PASSWORD`, if nobody exists.
///
/// # Errors
/// When the password is too short or the database refuses.
pub async fn unattended(app: &App, password: &str) -> Answer<()> {
    if !is_open(app).await? {
        return Ok(());
    }
    match make_first_admin(app, "admin", "Administrator", password.to_owned()).await {
        // Another process was first.
        Err(failure) if failure.problem.code == "setup-already-done" => Ok(()),
        Err(failure) => Err(failure),
        Ok(_) => {
            tracing::info!("made the first admin, `admin`, with the password of MUSTER_ADMIN_PASSWORD");
            Ok(())
        }
    }
}
