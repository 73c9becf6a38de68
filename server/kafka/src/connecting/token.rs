//! OAuth tokens by the client-credentials grant, fetched once and shared until a minute before they expire.

use std::time::Duration;

use chrono::Utc;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{connecting::transport::Deadline, error::KafkaErrorKind};

/// Longest answer of an endpoint that is read, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

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
            .map_err(|why| {
                // Whose silence it was.
                let silent = matches!(why, KafkaErrorKind::Timeout(_));
                if silent { KafkaErrorKind::Connection(self.told(&why.to_string())) } else { why }
            })
    }

    /// Of an endpoint that is away or overloaded nothing is known of the credentials: that may pass, as a broken connection may.
    async fn fetch(&self, timeout: Duration) -> Result<(Token, i64), KafkaErrorKind> {
        let refused = |text: &str| KafkaErrorKind::Authentication(self.told(text));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let asked_at = Utc::now().timestamp_millis();
        let request = self.http.post(&self.token_url).timeout(timeout).form(&form);
        let request = request.basic_auth(&self.client_id, Some(self.client_secret.expose_secret()));
        let answer = request.send().await.map_err(|e| self.failed(e))?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(KafkaErrorKind::Connection(self.told(&format!("answered {status}"))));
        }
        if !status.is_success() {
            // The body may repeat what was sent: only the status is told.
            return Err(refused(&format!("answered {status}")));
        }
        let body = read_body(answer).await.map_err(|e| self.failed(e))?;
        let body = body.ok_or_else(|| refused(&format!("answered more than {LONGEST_ANSWER} bytes")))?;
        read_token(&body, asked_at).ok_or_else(|| refused("answered no token"))
    }

    /// Why there is none, with where it was asked for. An address may hold credentials, so neither its user nor its query is told.
    fn told(&self, why: &str) -> String {
        let place = match reqwest::Url::parse(&self.token_url) {
            Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
            Err(_) => "an address that is none".to_owned(),
        };
        format!("no token could be fetched from {place}: {why}")
    }

    fn failed(&self, error: reqwest::Error) -> KafkaErrorKind {
        let error = error.without_url();
        kind_of(&error, self.told(&chain(&error)))
    }
}

/// No longer than a token can be, whoever answers: `None` of one that is.
async fn read_body(mut answer: reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The token in an answer to what was asked at that time, and how many milliseconds it lives; whatever number that is.
fn read_token(body: &[u8], asked_at: i64) -> Option<(Token, i64)> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let lives_ms = answer.expires_in.max(0).saturating_mul(1000);
    let expires_at_ms = asked_at.saturating_add(lives_ms);
    Some((Token { value: answer.access_token, expires_at_ms }, lives_ms))
}

/// Tokens are where the cluster's settings say, or nowhere: whoever answers there sends Muster on to nobody else.
fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client of HTTP can be made wherever one by default can")
}

/// An address that is none and a certificate that is not trusted do not heal by waiting; whatever else ends a request may.
fn kind_of(error: &reqwest::Error, text: String) -> KafkaErrorKind {
    if error.is_builder() {
        KafkaErrorKind::Authentication(text)
    } else if is_of_tls(error) {
        KafkaErrorKind::Tls(text)
    } else {
        KafkaErrorKind::Connection(text)
    }
}

/// Errors of TLS come within errors of reading and writing, which do not name them as their source.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || within.is_some_and(|inner| is_of_tls(inner))
        || error.source().is_some_and(is_of_tls)
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

#[cfg(test)]
mod tests {
    use muster_domain::bent::{Bend, bend};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const ANSWER: &[u8] = br#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "e.y.J"}"#;

    #[test]
    fn a_token_lives_as_long_as_it_says_whatever_that_is() {
        let lives = |seconds: &str| {
            let body = format!(r#"{{"access_token": "e.y.J", "expires_in": {seconds}}}"#);
            read_token(body.as_bytes(), 5).map(|(token, lives_ms)| (token.expires_at_ms, lives_ms))
        };
        assert_eq!(lives("60"), Some((60_005, 60_000)));
        assert_eq!(lives("9223372036854775807"), Some((i64::MAX, i64::MAX)));
        assert_eq!(lives("-9223372036854775808"), Some((5, 0)));
        assert_eq!(lives("9223372036854775808"), None);
        let (token, lives_ms) = read_token(br#"{"access_token": "t"}"#, 0).expect("a token");
        assert_eq!((token.value.expose_secret(), lives_ms), ("t", 300_000));
    }

    proptest::proptest! {
        #[test]
        fn fuzz_no_answer_makes_it_panic(bytes: Vec<u8>, bends: [Bend; 3], asked_at: i64) {
            for body in [bytes, bend(ANSWER, &bends)] {
                let lives = read_token(&body, asked_at).map(|(_, lives_ms)| lives_ms);
                assert!(lives.is_none_or(|lives_ms| lives_ms >= 0), "{lives:?}");
            }
        }
    }

    async fn ask(url: &str) -> KafkaErrorKind {
        let source = TokenSource::new("muster", SecretString::from("s3cret"), url, None);
        source.token(Deadline::after(Duration::from_secs(10))).await.expect_err("no token is there")
    }

    async fn read_request(peer: &mut TcpStream) {
        let mut seen = Vec::new();
        while !seen.ends_with(b"client_credentials") {
            assert!(peer.read_buf(&mut seen).await.expect("the request") > 0, "it ended early");
        }
    }

    /// What comes of an endpoint that answers a request with this.
    async fn told_by(answer: &str) -> KafkaErrorKind {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/token", listener.local_addr().expect("it is bound"));
        let serve = async {
            let (mut peer, _) = listener.accept().await.expect("somebody asks");
            read_request(&mut peer).await;
            peer.write_all(answer.as_bytes()).await.expect("it is heard");
        };
        tokio::join!(ask(&url), serve).0
    }

    /// What may pass is tried again; a refusal is told at once, and counts as a right that is missing.
    #[tokio::test]
    async fn an_endpoint_that_is_away_or_overloaded_refuses_nobody() {
        for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
            let told = told_by(&format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
            assert!(
                matches!(&told, KafkaErrorKind::Connection(text) if text.ends_with(&format!("answered {status}"))),
                "{told}"
            );
        }
        let broken = told_by("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{").await;
        assert!(matches!(broken, KafkaErrorKind::Connection(_)), "{broken}");
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/token", gone.local_addr().expect("it is bound"));
        drop(gone);
        let unreachable = ask(&url).await;
        assert!(
            matches!(&unreachable, KafkaErrorKind::Connection(text) if text.starts_with("no token could be fetched from http://127.0.0.1:")),
            "{unreachable}"
        );
    }

    #[tokio::test]
    async fn a_refusal_stays_a_refusal() {
        for answer in [
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            let told = told_by(answer).await;
            assert!(matches!(told, KafkaErrorKind::Authentication(_)), "{told}");
        }
        let nowhere = ask("no address").await;
        assert!(matches!(nowhere, KafkaErrorKind::Authentication(_)), "{nowhere}");
    }

    #[test]
    fn errors_of_tls_are_found_within_others() {
        let tls = || std::io::Error::other(rustls::Error::DecryptError);
        assert!(is_of_tls(&tls()) && is_of_tls(&std::io::Error::other(tls())));
        assert!(!is_of_tls(&std::io::Error::other("connection reset")));
    }
}
