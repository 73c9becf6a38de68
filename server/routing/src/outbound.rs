//! HTTP to addresses that people gave, for traffic switches and for notifications: guarded, signed, without redirects.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::guard::{NotPublic, PublicOnly, is_public};

/// A client that reaches public addresses only, unless private ones are allowed.
///
/// # Errors
/// When no client can be made at all.
pub fn client(allow_private: bool) -> Result<Client, String> {
    let builder = Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would resolve the name itself, past the guard.
        .no_proxy()
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
    let builder = if allow_private { builder } else { builder.dns_resolver(Arc::new(PublicOnly)) };
    builder.build().map_err(|e| format!("no HTTP client: {e}"))
}

/// Whether an address may be called, as far as it can be told without resolving it. Names are checked when they are resolved,
/// addresses written out here.
///
/// # Errors
/// Why not, as a fragment without the address itself.
pub fn check_address(url: &Url, allow_private: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is not http: or https:", url.scheme()));
    }
    let host = url.host_str().ok_or("the URL has no host")?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
    match literal {
        Ok(address) if !allow_private && !is_public(address) => Err(NotPublic(address).to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The value of `x-muster-signature`: `sha256=` and the HMAC-SHA256 of the body in hex.
#[must_use]
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}

/// Why there was no answer.
#[derive(Debug)]
pub struct Unreachable {
    /// For people, without the address: it may hold credentials.
    pub reason: String,
    /// Whether the guard refused it, so that trying again is of no use.
    pub refused: bool,
}

/// Why there was no answer within the time given.
#[must_use]
pub fn why_unreachable(error: reqwest::Error, within: Duration) -> Unreachable {
    if error.is_timeout() {
        return Unreachable { reason: format!("no answer within {} s", within.as_secs()), refused: false };
    }
    let error = error.without_url();
    let (mut text, mut refused) = (error.to_string(), false);
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = inner.to_string();
        if inner.is::<NotPublic>() {
            refused = true;
            break;
        }
        cause = inner.source();
    }
    Unreachable { reason: format!("not reachable: {text}"), refused }
}
