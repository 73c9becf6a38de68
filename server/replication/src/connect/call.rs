//! One REST call: sending it, bounding it, and telling apart what may come back.

use std::{collections::BTreeMap, sync::Arc};

use reqwest::{RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::entrance::Entrance;
use crate::{ReplicationError, ReplicationErrorKind, redact::redact_text};

/// No honest answer of Connect is longer; a broken or hostile one must not fill the memory.
const LONGEST_ANSWER: usize = 64 << 20;
/// What stands for the message of an answer that has none: a web page of a proxy, a bare line.
pub(super) const UNTOLD: &str = "(not in Connect's own format)";

/// One request on its way, knowing how to speak of itself.
pub(super) struct Call {
    pub(super) request: RequestBuilder,
    pub(super) what: String,
    pub(super) target: String,
    /// Whether it only reads.
    pub(super) reads: bool,
    pub(super) entrance: Arc<Entrance>,
}

impl Call {
    /// Adds a JSON body.
    pub(super) fn json(self, body: &impl Serialize) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    /// Sends it and reads the JSON answer.
    pub(super) async fn read<T: DeserializeOwned>(self) -> Result<T, ReplicationError> {
        let (what, target) = (self.what.clone(), self.target.clone());
        let body = self.send().await?;
        decode(&body).map_err(|kind| ReplicationError { call: what, target, kind })
    }

    /// Sends it; any status but 2xx is an error that keeps Connect's message.
    pub(super) async fn send(self) -> Result<Vec<u8>, ReplicationError> {
        let Self { request, what, target, reads, entrance } = self;
        let outcome = entrance.pass(reads, ask(request)).await;
        outcome.map_err(|kind| ReplicationError { call: what, target, kind })
    }
}

async fn ask(request: RequestBuilder) -> Result<Vec<u8>, ReplicationErrorKind> {
    let sent = request.send().await;
    let response = sent.map_err(|error| ReplicationErrorKind::Unreachable(describe(error)))?;
    let status = response.status();
    let body = read_body(response).await?;
    if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
}

/// Reads an answer. What is wrong with it is told by where it breaks, never by what it says: it may be a config.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReplicationErrorKind> {
    serde_json::from_slice(body).map_err(|e| {
        ReplicationErrorKind::Unreadable(format!("{:?} error at column {}", e.classify(), e.column()))
    })
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, ReplicationErrorKind> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                return Err(ReplicationErrorKind::Unreadable(format!(
                    "it is longer than {LONGEST_ANSWER} bytes"
                )));
            }
            Ok(None) => return Ok(body),
            Err(error) => return Err(ReplicationErrorKind::Unreachable(describe(error))),
        }
    }
}

pub(super) fn refusal(status: StatusCode, body: &[u8]) -> ReplicationErrorKind {
    let told = serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.message);
    let message = told.clone().unwrap_or_else(|| UNTOLD.to_owned());
    match (status.as_u16(), &told) {
        // "already exists" is the one 409 that does not pass by itself.
        (409, _) if !message.contains("already exists") => ReplicationErrorKind::Rebalancing,
        // Only Connect itself knows that there is no such connector; a proxy's 404 (or a wrong path) says nothing.
        (404, Some(message)) if message != "HTTP 404 Not Found" => ReplicationErrorKind::NoSuchConnector,
        (status, _) => ReplicationErrorKind::Status { status, message },
    }
}

/// The error without the credentials of the config that was sent: Connect cites what it refuses.
pub(super) fn without_credentials(
    error: ReplicationError,
    config: &BTreeMap<String, String>,
) -> ReplicationError {
    let ReplicationErrorKind::Status { status, message } = &error.kind else { return error };
    let kind = ReplicationErrorKind::Status { status: *status, message: redact_text(message, config) };
    ReplicationError { kind, ..error }
}

/// An error of the HTTP client with its causes, without the address.
pub(super) fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}
