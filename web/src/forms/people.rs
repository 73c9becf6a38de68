//! Signing in, people, and how pages look to them.

use secrecy::SecretString;
use serde::Deserialize;

/// `POST /sign-in`.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    /// User name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// Where the person wanted to go; must start with one `/`.
    #[serde(default)]
    pub next: String,
}

/// `POST /setup`: the first admin.
#[derive(Debug, Deserialize)]
pub struct SetupForm {
    /// One-time code from Muster's log; proves that whoever fills this in can read it.
    pub code: SecretString,
    /// User name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// The same again.
    pub password_again: SecretString,
}

/// `POST /theme`: kept in a cookie.
#[derive(Debug, Deserialize)]
pub struct ThemeForm {
    /// `system`, `light` or `dark`.
    pub theme: String,
    /// Where to go back to.
    #[serde(default)]
    pub next: String,
}

/// `POST /reauthenticate`.
#[derive(Debug, Deserialize)]
pub struct ReauthenticateForm {
    /// Password.
    pub password: SecretString,
    /// Where to go on to.
    #[serde(default)]
    pub next: String,
}

/// `POST /people`.
#[derive(Debug, Deserialize)]
pub struct PersonForm {
    /// User name.
    pub name: String,
    /// First password.
    pub password: SecretString,
    /// `viewer`, `operator`, `approver`, `owner` or `admin`.
    pub role: String,
    /// Team; empty for all teams.
    #[serde(default)]
    pub team: String,
}
