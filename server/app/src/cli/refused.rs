//! What went wrong with a request, and what that says of what was asked for.

use std::fmt;

use reqwest::StatusCode;
use serde_json::Value;

/// What a server or a proxy before it answers while it cannot do its work.
const AWAY: [StatusCode; 3] =
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

/// Codes of refusals after which nobody knows whether it was done all the same.
const BROKE_OFF: [&str; 2] = ["database-unavailable", "timeout"];

/// Whether an error of the client may pass by itself: nothing answered, or what did answer says that Muster or its database is
/// away for now.
pub(super) fn may_pass(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>().map(|refused| refused.status);
    let status = refused.or(error.downcast_ref::<Unexplained>().map(|answer| answer.status));
    match status {
        Some(status) => AWAY.contains(&status),
        None => of_the_network(error).any(|error| !error.is_builder()),
    }
}

/// Whether what was asked for may have been done although this is what came back: it was sent, and its answer is not Muster's or
/// says so. Where no connection was made nothing was sent.
pub(super) fn may_have_been_done(error: &anyhow::Error) -> bool {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return BROKE_OFF.iter().any(|code| refused.problem["code"] == *code);
    }
    if let Some(answer) = error.downcast_ref::<Unexplained>() {
        return AWAY.contains(&answer.status);
    }
    of_the_network(error).any(|error| !error.is_builder() && !error.is_connect())
}

fn of_the_network(error: &anyhow::Error) -> impl Iterator<Item = &reqwest::Error> {
    error.chain().filter_map(|cause| cause.downcast_ref::<reqwest::Error>())
}

/// An answer that is none of Muster's.
#[derive(Debug, thiserror::Error)]
#[error("{url} answered {status}")]
pub(super) struct Unexplained {
    /// Who answered.
    pub(super) url: String,
    /// What.
    pub(super) status: StatusCode,
}

/// The server's no: a problem document, shown as a person reads it.
#[derive(Debug, thiserror::Error)]
pub(super) struct Refused {
    /// Its status.
    pub(super) status: StatusCode,
    /// The document.
    pub(super) problem: Value,
}

impl Refused {
    /// Whether an error of the client is a refusal with this code.
    pub(super) fn with_code(error: &anyhow::Error, code: &str) -> bool {
        error.downcast_ref::<Self>().is_some_and(|refused| refused.problem["code"] == code)
    }

    /// What to do next, said to somebody at a terminal: ETags are none of their business.
    fn next_step(&self) -> &str {
        match self.problem["code"].as_str() {
            Some("edited-in-between") => {
                "Look at it as it is now (`show`) and at what changed, then edit it again."
            }
            Some(_) | None => self.problem["next_step"].as_str().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |key: &str| self.problem[key].as_str().unwrap_or_default();
        write!(f, "{}\n{} ({})", word("detail"), self.next_step(), word("code"))?;
        for line in self.problem["lines"].as_array().into_iter().flatten() {
            write!(f, "\n  line {}: {}", line["line"], line["reason"].as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}
