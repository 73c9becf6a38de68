//! Signing in at an identity provider: OpenID Connect, authorization code with PKCE.
//!
//! [`begin`] sends a browser to the provider, [`finish`] is where it comes back. Nothing of an attempt is in this
//! process's memory: it travels in a signed cookie, and that it was used is in the database, so any process may be the
//! one it comes back to.

pub mod attempt;
pub mod fetch;
pub mod person;
pub mod provider;
pub mod settings;

use axum::http::{HeaderMap, HeaderValue};
use muster_store::{identities, secrets::id_tokens, sessions};
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::sign_in::From;
use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    http::{Answer, Failure},
};

pub use self::{provider::Provider, settings::Settings};
use attempt::Attempt;
use provider::Proven;

/// What a person is sent to the provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in; the provider may remember them.
    SignIn,
    /// To prove again, now, who they are: the provider must ask.
    StepUp {
        /// The session that is to count as stepped up.
        session: Uuid,
    },
}

/// A browser on its way to the provider.
#[derive(Debug)]
pub struct Begun {
    /// Where it is to go.
    pub to: Url,
    /// The attempt, for `Set-Cookie`.
    pub cookie: HeaderValue,
}

/// What the provider sends a browser back with (RFC 6749, 4.1.2; `iss` by RFC 9207).
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Returned {
    code: String,
    state: String,
    iss: String,
    error: String,
    error_description: String,
}

/// A browser that came back and is let in.
#[derive(Debug)]
pub struct Finished {
    /// The session that was opened; none after a step-up, which keeps its own.
    pub opened: Option<Uuid>,
    /// Where the person wanted to go, on this server.
    pub next: String,
}

/// The provider that is set up.
///
/// # Errors
/// `not-found` when none is: then nobody signs in there.
pub fn provider(app: &App) -> Answer<&Provider> {
    app.oidc.as_deref().ok_or_else(|| Failure::not_found("page or resource", "/sign-in/oidc"))
}

/// Sends a person to the provider. `next` is where they go afterwards; it must be on this server.
///
/// # Errors
/// `not-found` without a provider, `provider-unreachable`.
pub async fn begin(app: &App, purpose: Purpose, next: &str) -> Answer<Begun> {
    let provider = provider(app)?;
    let way = provider.way_there(purpose).await?;
    let attempt = Attempt::new(purpose, next, &way);
    Ok(Begun { to: way.to, cookie: attempt::set(app, &attempt)? })
}

/// Takes a person who comes back. `present` is the session their browser has now.
///
/// # Errors
/// `attempt-over` when it is not this browser's, too old or used; `provider-refused`, `provider-unreachable`,
/// `id-token-refused`; `no-role-from-groups`, `name-taken`, `sign-in-refused`; for a step-up also `not-proven-again`.
pub async fn finish(
    app: &App,
    headers: &HeaderMap,
    returned: Returned,
    present: Option<Uuid>,
    from: &From,
) -> Answer<Finished> {
    let provider = provider(app)?;
    let attempt = attempt::read(app, headers).filter(|attempt| attempt.has_state(&returned.state));
    let attempt = attempt.ok_or_else(attempt_over)?;
    // Used before anything else is done with it: whatever happens now, it does not happen twice.
    let mut conn = app.pool.acquire().await?;
    if !identities::use_attempt(&mut conn, attempt.id()).await? {
        return Err(attempt_over());
    }
    drop(conn);
    if !returned.error.is_empty() {
        return Err(provider.refused(&returned.error, &returned.error_description));
    }
    let proven = provider.redeem(&attempt, &returned.code, &returned.iss).await?;
    let opened = match attempt.purpose() {
        Purpose::SignIn => Some(person::sign_in(app, provider, &proven, from).await?),
        Purpose::StepUp { session } => {
            step_up(app, provider, &attempt, &proven, present.filter(|present| *present == session)).await?;
            None
        }
    };
    Ok(Finished { opened, next: attempt.next().to_owned() })
}

async fn step_up(
    app: &App,
    provider: &Provider,
    attempt: &Attempt,
    proven: &Proven,
    session: Option<Uuid>,
) -> Answer<()> {
    let refused = |detail: &str| {
        let next = "Go back to what you were about to do and confirm again, as yourself.";
        Failure::new("not-proven-again", detail, next).of("session.step_up")
    };
    let Some(session) = session else { return Err(refused("The session this was for is over.")) };
    if !proven.authenticated_at.is_some_and(|at| attempt.began_by(at)) {
        let label = provider.label();
        return Err(refused(&format!(
            "{label} did not ask again who you are: it remembered an earlier sign-in."
        )));
    }
    let mut tx = muster_store::begin(&app.pool).await?;
    let signed = sessions::get_live(&mut tx, session, super::IDLE_SECONDS).await?;
    let signed = signed.ok_or_else(|| refused("The session this was for is over."))?;
    let known = identities::get(&mut tx, provider.issuer(), &proven.subject).await?;
    if known.map(|identity| identity.user) != Some(signed.actor.id) {
        return Err(refused(&format!("Somebody else than `{}` signed in.", signed.actor.name)));
    }
    sessions::step_up(&mut tx, session).await?;
    let object = format!("session {session}");
    let detail = json!({"provider": provider.issuer()});
    audit_trail::record(&mut tx, &signed.actor, Entry::done("session.step_up", &object, detail)).await?;
    Ok(tx.commit().await?)
}

/// Where a browser goes to be signed out at the provider too; none when its session was not opened there, or when the
/// provider offers no such place or does not answer. The session is over already.
pub async fn way_out(app: &App, session: Uuid) -> Option<Url> {
    let provider = app.oidc.as_deref()?;
    let mut conn = app.pool.acquire().await.ok()?;
    let token = match id_tokens::take(&mut conn, &app.secrets_key, session).await {
        Ok(token) => token?,
        Err(cause) => {
            tracing::warn!(%cause, "could not read which sign-in to end at the provider");
            return None;
        }
    };
    drop(conn);
    provider.way_out(&token).await
}

fn attempt_over() -> Failure {
    Failure::new(
        "attempt-over",
        "This sign-in does not count: it was begun in another browser or too long ago, or was used already.",
        "Sign in again, from here.",
    )
}
