//! OAuth tokens by the client-credentials grant, fetched once and shared until a minute before they expire.

use std::time::Duration;

use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{connecting::transport::Deadline, error::KafkaErrorKind};

/// A bearer token. Prints no content.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    /// Milliseconds since the epoch.
    pub(crate) expires_at_ms: i64,
}

/// Where tokens come from.
#[derive(Debug)]
pub(crate) struct TokenSource {
    client_id: String,
    client_secret: SecretString,
    token_url: String,
    scope: Option<String>,
    http: reqwest::Client,
    cached: Mutex<Option<(Token, i64)>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    /// Seconds; providers that leave it out get five minutes.
    #[serde(default = "five_minutes")]
    expires_in: i64,
}

fn five_minutes() -> i64 {
    300
}

impl TokenSource {
    /// Nothing is fetched yet.
    pub(crate) fn new(client_id: &str, secret: SecretString, token_url: &str, scope: Option<&str>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: secret,
            token_url: token_url.to_owned(),
            scope: scope.map(str::to_owned),
            http: client(),
            cached: Mutex::new(None),
        }
    }

    /// The client id, which is the principal's name for clients that must state one.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// A token that is good for at least a minute, or for a fifth of its life when it lives shorter than five minutes.
    pub(crate) async fn token(&self, deadline: Deadline) -> Result<Token, KafkaErrorKind> {
        deadline
            .bound(async {
                let mut cached = self.cached.lock().await;
                if let Some((token, use_until)) = cached.as_ref()
                    && Utc::now().timestamp_millis() < *use_until
                {
                    return Ok(token.clone());
                }
                let (token, lives_ms) = self.fetch(deadline.left()).await?;
                let spare = (lives_ms / 5).min(60_000);
                *cached = Some((token.clone(), token.expires_at_ms - spare));
                Ok(token)
            })
            .await
    }

    async fn fetch(&self, timeout: Duration) -> Result<(Token, i64), KafkaErrorKind> {
        let refused = |text: String| {
            KafkaErrorKind::Authentication(format!("token endpoint {}: {text}", self.token_url))
        };
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let asked_at = Utc::now().timestamp_millis();
        let request = self.http.post(&self.token_url).timeout(timeout).form(&form);
        let request = request.basic_auth(&self.client_id, Some(self.client_secret.expose_secret()));
        let answer = request.send().await.map_err(|e| refused(chain(&e)))?;
        let status = answer.status();
        if !status.is_success() {
            // The body may repeat what was sent: only the status is told.
            return Err(refused(format!("answered {status}")));
        }
        let answer: TokenAnswer = answer.json().await.map_err(|_| refused("answered no token".to_owned()))?;
        let lives_ms = answer.expires_in.saturating_mul(1000);
        Ok((Token { value: answer.access_token, expires_at_ms: asked_at + lives_ms }, lives_ms))
    }
}

/// Tokens are where the cluster's settings say, or nowhere: whoever answers there sends Muster on to nobody else.
fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client of HTTP can be made wherever one by default can")
}

/// reqwest's own text leaves out the cause (connection refused, unknown authority).
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
