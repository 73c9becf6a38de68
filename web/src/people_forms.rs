//! What the forms about people, their accounts and their teams send.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

/// `POST /account/password`.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    /// The password that counts until now.
    pub present: SecretString,
    /// The one that counts from now on.
    pub password: SecretString,
    /// The same again.
    pub password_again: SecretString,
}

/// `POST /account/tokens`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TokenForm {
    /// Its name.
    pub name: String,
    /// Days until it ends.
    pub days: String,
    /// The stored word of a scope; empty for all of one's rights.
    pub scope: String,
}

impl Default for TokenForm {
    fn default() -> Self {
        Self { name: String::new(), days: "90".to_owned(), scope: "read".to_owned() }
    }
}

/// `POST /people/{user}/edit`. Roles are sent as `role@team`, `role@` for all teams; what is not ticked is not sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PersonEditForm {
    /// Row version the form was made from.
    pub version: String,
    /// Name for people.
    pub display_name: String,
    /// A new password; empty keeps the one there is.
    pub password: SecretString,
    /// `on` when they may sign in.
    pub may_sign_in: String,
    /// Who they are at the identity provider; empty: nobody.
    pub provider_subject: String,
    /// Their name typed again, where the form takes something away from them.
    pub typed: String,
    /// Everything else that was sent, roles among it.
    #[serde(flatten)]
    pub ticked: BTreeMap<String, String>,
}

/// `POST /teams` and `POST /teams/{team}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TeamForm {
    /// Its name; ignored on edit: runs and the audit keep it for ever.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Row version the form was made from; ignored on create.
    pub version: i64,
}
