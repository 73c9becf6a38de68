//! What happened in a run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One thing that happened in a run, in order: what the live page and the report are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunEvent {
    /// Position in the run, from 1.
    pub number: i64,
    /// By the database's clock.
    pub at: DateTime<Utc>,
    /// Step it belongs to, if any.
    pub step: Option<String>,
    /// One word: `state`, `step`, `note`, `call`, `decision`.
    pub kind: String,
    /// One sentence for people.
    pub message: String,
    /// Figures and evidence behind it.
    pub detail: serde_json::Value,
}
