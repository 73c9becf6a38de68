//! Session tokens: a short JWT that names a row of `session`. The row can be revoked; the JWT only saves guessing.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use muster_store::secrets::SecretsKey;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Minutes a browser's token is good for; it is renewed while the session lives.
pub const BROWSER_MINUTES: i64 = 15;
/// Hours a session lives, whatever is done with it.
pub const SESSION_HOURS: i64 = 12;
const ISSUER: &str = "muster";

/// Whom a token is made for. A token of one kind is refused where the other is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// In a cookie.
    Browser,
    /// In `Authorization: Bearer`.
    Machine,
}

impl Audience {
    fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "muster-browser",
            Self::Machine => "muster-machine",
        }
    }
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// Session row.
    pub sid: Uuid,
    /// Made at, in seconds.
    pub iat: i64,
    /// Good until, in seconds.
    pub exp: i64,
}

/// What signs and checks tokens; the same on every process that shares the secrets key.
#[derive(Clone)]
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

impl TokenKey {
    /// Derives it from the secrets key, so that there is one key to keep and none to share besides.
    #[must_use]
    pub fn derive(key: &SecretsKey) -> Self {
        let derived = key.derive("session tokens, version 1");
        let bytes = derived.expose_secret();
        Self { encoding: EncodingKey::from_secret(bytes), decoding: DecodingKey::from_secret(bytes) }
    }

    /// A token for a session.
    ///
    /// # Errors
    /// When it cannot be signed, which no key of ours can cause.
    pub fn sign(
        &self,
        audience: Audience,
        sid: Uuid,
        now: i64,
        seconds: i64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience.as_str().to_owned(),
            sid,
            iat: now,
            exp: now + seconds,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Reads a token whose signature, issuer and audience hold. An old one is read too: whether the session may renew
    /// it is the session row's matter.
    #[must_use]
    pub fn read(&self, audience: Audience, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience.as_str()]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.validate_exp = false;
        decode::<Claims>(token, &self.decoding, &validation).ok().map(|data| data.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_audience_and_key_only() {
        let key = TokenKey::derive(&SecretsKey::from_bytes([1; 32]));
        let sid = Uuid::from_u128(7);
        let token = key.sign(Audience::Browser, sid, 1_700_000_000, 900).unwrap();
        assert_eq!(key.read(Audience::Browser, &token).map(|c| c.sid), Some(sid));
        assert!(key.read(Audience::Machine, &token).is_none());
        assert!(TokenKey::derive(&SecretsKey::from_bytes([2; 32])).read(Audience::Browser, &token).is_none());
        let (head, tail) = token.split_at(token.len() - 2);
        assert!(key.read(Audience::Browser, &format!("{head}xx")).is_none() || tail == "xx");
    }
}
