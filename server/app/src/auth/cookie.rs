//! The session cookie: `__Host-muster`, and `muster` without `Secure` only where browsers come by plain http.

use axum::http::{HeaderMap, HeaderValue, header};
use uuid::Uuid;

use super::tokens::{Audience, BROWSER_MINUTES, SESSION_HOURS};
use crate::{
    app::App,
    http::{Answer, Failure},
};

fn name(app: &App) -> &'static str {
    if app.secure() { "__Host-muster" } else { "muster" }
}

/// The token in the request's cookie.
#[must_use]
pub fn read(app: &App, headers: &HeaderMap) -> Option<String> {
    let jar = axum_extra::extract::CookieJar::from_headers(headers);
    jar.get(name(app)).map(|cookie| cookie.value().to_owned())
}

/// The colour scheme a person keeps.
#[must_use]
pub fn theme(headers: &HeaderMap) -> String {
    let jar = axum_extra::extract::CookieJar::from_headers(headers);
    jar.get("theme").map(|cookie| cookie.value().to_owned()).unwrap_or_default()
}

/// A cookie with a fresh token for a session. The cookie outlives its token: the session row decides how long.
///
/// # Errors
/// When the token cannot be signed.
pub fn set(app: &App, sid: Uuid) -> Answer<HeaderValue> {
    let now = chrono::Utc::now().timestamp();
    let token = app
        .tokens
        .sign(Audience::Browser, sid, now, BROWSER_MINUTES * 60)
        .map_err(|e| Failure::internal("sign a session", e))?;
    Ok(write(app, &token, SESSION_HOURS * 3600))
}

/// A cookie that removes the session's.
#[must_use]
pub fn clear(app: &App) -> HeaderValue {
    write(app, "", 0)
}

/// Adds a cookie to an answer.
#[must_use]
pub fn header(value: HeaderValue) -> [(axum::http::HeaderName, HeaderValue); 1] {
    [(header::SET_COOKIE, value)]
}

fn write(app: &App, token: &str, seconds: i64) -> HeaderValue {
    let secure = if app.secure() { "; Secure" } else { "" };
    let text = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", name(app));
    HeaderValue::from_str(&text).expect("a JWT and our own words are header text")
}
