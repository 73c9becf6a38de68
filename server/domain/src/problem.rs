//! What went wrong, for people and machines: a stable code, a plain sentence, a next step.

use serde::{Deserialize, Serialize};

/// A user-facing error. The code is stable and documented in docs/API.md; internal text never gets in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{detail}")]
pub struct Problem {
    /// Stable code in kebab case, for example `pair-has-active-run`.
    pub code: String,
    /// What was tried, on what, and what it means: one or two sentences.
    pub detail: String,
    /// What the reader can do now.
    pub next_step: String,
}

impl Problem {
    /// A problem.
    pub fn new(code: &str, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into(), next_step: next_step.into() }
    }
}
