//! An attempt to sign in at the provider, on its way there and back: a signed cookie of the browser it was begun in.

use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use muster_store::secrets::SecretsKey;
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Purpose, provider::WayThere};
use crate::{
    app::App,
    http::{Answer, Failure},
};

/// Longest time a person may take at the provider.
const MINUTES: i64 = 10;
/// How far the provider's clock may be behind.
pub(super) const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(30);
/// Longest way back that is kept, in bytes: browsers drop cookies above 4096.
const LONGEST_NEXT: usize = 1500;
const ISSUER: &str = "muster";
const AUDIENCE: &str = "muster-sign-in-attempt";

/// See the module. It has no `Debug`: what is in it opens a session.
#[derive(Serialize, Deserialize)]
pub struct Attempt {
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: Uuid,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    session: Option<Uuid>,
}

impl Attempt {
    pub(super) fn new(purpose: Purpose, next: &str, way: &WayThere) -> Self {
        let now = Utc::now().timestamp();
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now + MINUTES * 60,
            iat: now,
            jti: Uuid::now_v7(),
            state: way.state.secret().clone(),
            nonce: way.nonce.secret().clone(),
            verifier: way.verifier.secret().clone(),
            next: if next.len() > LONGEST_NEXT { "/" } else { next }.to_owned(),
            session: match purpose {
                Purpose::SignIn => None,
                Purpose::StepUp { session } => Some(session),
            },
        }
    }

    pub(super) fn id(&self) -> Uuid {
        self.jti
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.session.map_or(Purpose::SignIn, |session| Purpose::StepUp { session })
    }

    pub(super) fn next(&self) -> &str {
        &self.next
    }

    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(super) fn verifier(&self) -> &str {
        &self.verifier
    }

    /// Whether what the provider sent back belongs to this attempt.
    pub(super) fn has_state(&self, state: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.state.as_bytes(), state.as_bytes()).is_ok()
    }

    /// Whether the attempt had begun at a time by the provider's clock.
    pub(super) fn began_by(&self, at: DateTime<Utc>) -> bool {
        at.timestamp() >= self.iat - CLOCKS_DIFFER.num_seconds()
    }
}

fn name(app: &App) -> &'static str {
    if app.secure() { "__Host-muster-sign-in" } else { "muster-sign-in" }
}

fn key(key: &SecretsKey) -> SecretBox<[u8; 32]> {
    key.derive("sign-in attempts, version 1")
}

/// The cookie of an attempt.
pub(super) fn set(app: &App, attempt: &Attempt) -> Answer<HeaderValue> {
    let key = EncodingKey::from_secret(key(&app.secrets_key).expose_secret());
    let token = encode(&Header::new(Algorithm::HS256), attempt, &key)
        .map_err(|e| Failure::internal("sign an attempt to sign in", e))?;
    Ok(write(app, &token, MINUTES * 60))
}

/// A cookie that removes an attempt's.
#[must_use]
pub fn clear(app: &App) -> HeaderValue {
    write(app, "", 0)
}

fn write(app: &App, token: &str, seconds: i64) -> HeaderValue {
    let secure = if app.secure() { "; Secure" } else { "" };
    // Lax: the provider's page sends the browser back by a plain link, which is the one case Strict would not stand.
    let text = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", name(app));
    let mut value = HeaderValue::from_str(&text).expect("a JWT and our own words are header text");
    value.set_sensitive(true);
    value
}

/// The attempt of a browser, if it has one that has not run out.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<Attempt> {
    let jar = axum_extra::extract::CookieJar::from_headers(headers);
    let token = jar.get(name(app))?.value().to_owned();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation.leeway = 0;
    let key = DecodingKey::from_secret(key(&app.secrets_key).expose_secret());
    decode::<Attempt>(&token, &key, &validation).ok().map(|data| data.claims)
}
