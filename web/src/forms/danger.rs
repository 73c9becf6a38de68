//! What is sent by the page before something is removed, ended or stopped.

use serde::Deserialize;

/// `POST` of such a page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DangerForm {
    /// Row version of what was shown, where it has one.
    pub version: i64,
    /// Name typed again, where the page asks for it.
    pub typed: String,
}
