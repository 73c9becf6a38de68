//! An HTTP endpoint of the team that moves its applications.
//!
//! Each message is signed (`x-muster-signature: sha256=<HMAC-SHA256 of the body>`) and carries an `Idempotency-Key`, so a
//! receiver can tell Muster from others and a retry from a second wish. Redirects are not followed. An endpoint that
//! answers GET with an address book says where applications are sent now; then a send is read back.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::SecretString;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    Audience, Destination, Routing, RoutingError, RoutingOptions, address_book::AddressBookFile, outbound,
};

/// One attempt.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);
/// Attempts of one `send`; the run's own retries come on top.
const ATTEMPTS: u32 = 3;
/// How long an endpoint that tells where applications go may take to say the new place.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
/// Answers are small; more is not read.
const LONGEST_ANSWER: usize = 1 << 20;

/// See the module.
#[derive(Clone)]
pub struct Webhook {
    target: String,
    secret: Option<SecretString>,
    /// Why it cannot be called at all, said at every call: a pair with a bad URL still loads.
    ready: Result<(Url, Client), String>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Webhook").field(&self.target).finish()
    }
}

#[derive(Serialize)]
struct Message<'a> {
    audience: Audience,
    destination: &'a Destination,
}

impl Webhook {
    /// The webhook at an address; connects to nothing yet.
    pub fn new(url: &str, options: &RoutingOptions) -> Self {
        let parsed = Url::parse(url.trim()).map_err(|e| format!("the URL cannot be read: {e}"));
        let target = parsed.as_ref().map_or_else(|_| "webhook (unreadable URL)".to_owned(), shown);
        let ready = parsed.and_then(|url| {
            outbound::check_address(&url, options.allow_private_webhooks)?;
            Ok((url, outbound::client(options.allow_private_webhooks)?))
        });
        Self { target, secret: options.webhook_secret.clone(), ready }
    }

    fn ready(&self, call: &str) -> Result<(&Url, &Client), RoutingError> {
        match &self.ready {
            Ok((url, client)) => Ok((url, client)),
            Err(reason) => Err(self.fail(call, reason.clone(), false)),
        }
    }

    fn fail(&self, call: &str, reason: String, may_pass: bool) -> RoutingError {
        RoutingError { call: call.to_owned(), target: self.target.clone(), reason, may_pass }
    }

    fn sign(&self, body: &[u8]) -> Option<String> {
        self.secret.as_ref().map(|secret| outbound::sign(secret, body))
    }

    async fn post(&self, call: &str, audience: Audience, to: &Destination) -> Result<(), RoutingError> {
        let (url, client) = self.ready(call)?;
        let message = Message { audience, destination: to };
        let body = serde_json::to_vec(&message).map_err(|e| self.fail(call, e.to_string(), false))?;
        let mut request = client
            .post(url.clone())
            .header("content-type", "application/json")
            .header("idempotency-key", idempotency_key(audience, to));
        if let Some(signature) = self.sign(&body) {
            request = request.header("x-muster-signature", signature);
        }
        let (status, answer) = self.exchange(call, request.body(body)).await?;
        if status.is_success() {
            return Ok(());
        }
        let may_pass = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let told = first_words(&answer);
        Err(self.fail(call, format!("the endpoint answered {status}{told}"), may_pass))
    }

    async fn exchange(
        &self,
        call: &str,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), RoutingError> {
        let response = request.timeout(ATTEMPT_WITHIN).send().await.map_err(|e| self.unreachable(call, e))?;
        let status = response.status();
        let body = read_body(response).await.map_err(|e| self.unreachable(call, e))?;
        Ok((status, body))
    }

    fn unreachable(&self, call: &str, error: reqwest::Error) -> RoutingError {
        let unreachable = outbound::why_unreachable(error, ATTEMPT_WITHIN);
        self.fail(call, unreachable.reason, !unreachable.refused)
    }

    /// An endpoint that tells must tell the new place, within a moment, and must not tell consumers to wait on. One that does
    /// not know of waiting may tell nothing of it.
    async fn confirm(&self, call: &str, audience: Audience, to: &Destination) -> Result<(), RoutingError> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(20));
        loop {
            let as_asked = |told: &Destination| {
                told.cluster == to.cluster && told.bootstrap == to.bootstrap && (to.hold || !told.hold)
            };
            match self.current(audience).await? {
                None => return Ok(()),
                Some(told) if as_asked(&told) => return Ok(()),
                Some(told) if began.elapsed() >= TOLD_WITHIN => {
                    let still = if told.hold { "lets them wait on" } else { "sends them to" };
                    let reason =
                        format!("it took {audience}' new place, but still {still} `{}`", told.cluster);
                    return Err(self.fail(call, reason, true));
                }
                Some(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(320));
        }
    }
}

/// With the cluster and whether to hold, so that sending back within one run is not taken for a repetition.
fn idempotency_key(audience: Audience, to: &Destination) -> String {
    let hold = if to.hold { "-hold" } else { "" };
    format!("{}-{audience}-{}{hold}", to.run, to.cluster)
}

#[async_trait]
impl Routing for Webhook {
    fn describe(&self) -> String {
        self.target.clone()
    }

    async fn current(&self, audience: Audience) -> Result<Option<Destination>, RoutingError> {
        let call = format!("ask where {audience} go");
        let (url, client) = self.ready(&call)?;
        let request = client.get(url.clone()).header("accept", "application/json");
        let (status, body) = self.exchange(&call, request).await?;
        if status.is_server_error() {
            return Err(self.fail(&call, format!("the endpoint answered {status}"), true));
        }
        // Most endpoints only listen; what is not an address book tells nothing.
        let book =
            status.is_success().then(|| serde_json::from_slice::<AddressBookFile>(&body).ok()).flatten();
        Ok(book.and_then(|book| book.entry(audience).cloned()))
    }

    async fn send(&self, audience: Audience, to: &Destination) -> Result<(), RoutingError> {
        let call = format!("send {audience} to {}", to.cluster);
        let mut pause = Duration::from_millis(200);
        for attempt in 1.. {
            match self.post(&call, audience, to).await {
                Ok(()) => break,
                Err(error) if error.may_pass && attempt < ATTEMPTS => {
                    tracing::warn!(%error, attempt, "the webhook is called again");
                    sleep(pause).await;
                    pause *= 3;
                }
                Err(error) => return Err(error),
            }
        }
        match self.confirm(&call, audience, to).await {
            // It took the message; that it cannot tell just now proves nothing against it.
            Err(error) if error.call != call => {
                tracing::warn!(%error, "the webhook took the message but could not be asked");
                Ok(())
            }
            outcome => outcome,
        }
    }
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < LONGEST_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Host and path only: userinfo and query may hold secrets.
fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("webhook {}://{}{port}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path())
}

fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}
