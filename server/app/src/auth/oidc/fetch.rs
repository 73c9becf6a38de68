//! Requests to the provider: bounded in time and size, without redirects, and never in the clear past this machine.

use std::time::Duration;

use axum::http;
use openidconnect::{HttpRequest, HttpResponse};
use reqwest::{Client, Url};

/// Longest wait for one answer. A sign-in needs six at most (the description and the keys twice, the tokens, the userinfo), all
/// within the 30 s of a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Largest answer taken, in bytes. Sets of keys are some kilobytes.
const LARGEST: usize = 1024 * 1024;

/// Why there was no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or none in time.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// An address of the provider's description would be asked in the clear.
    #[error("the provider names an address that is not https")]
    NotSafe,
    /// More than anybody needs.
    #[error("the answer is larger than 1 MB")]
    TooLarge,
    /// Something else is wrong with it.
    #[error("{0}")]
    Other(String),
    /// Not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Malformed(#[from] http::Error),
}

/// Whether nobody on the way can read or change what is sent there: https, or this machine itself.
#[must_use]
pub fn is_safe(url: &Url, allow_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => allow_http || is_loopback(url),
        _ => false,
    }
}

/// Whether an address is on this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A client for a provider.
///
/// # Errors
/// When no client can be made at all.
pub fn client(issuer: &Url) -> anyhow::Result<Client> {
    let builder = Client::builder()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        // A description or a token is where the provider says, or nowhere.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
    // Providers outside are often reached by a proxy; what is on this machine never is.
    let builder = if is_loopback(issuer) { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

/// Sends a request and reads its answer.
///
/// # Errors
/// See [`FetchError`].
pub async fn fetch(
    client: Client,
    allow_http: bool,
    request: HttpRequest,
) -> Result<HttpResponse, FetchError> {
    let request = reqwest::Request::try_from(request)?;
    if !is_safe(request.url(), allow_http) {
        return Err(FetchError::NotSafe);
    }
    let mut answer = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    Ok(response.body(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_safe() {
        let safe = |url: &str, allow| is_safe(&Url::parse(url).unwrap(), allow);
        for url in
            ["https://login.example.com/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost:1/"]
        {
            assert!(safe(url, false), "{url}");
        }
        for url in ["http://login.example.com/", "http://127.0.0.1.example.com/", "http://10.0.0.1/"] {
            assert!(!safe(url, false), "{url}");
            assert!(safe(url, true), "{url}");
        }
        for url in ["file:///etc/passwd", "ftp://login.example.com/"] {
            assert!(!safe(url, true), "{url}");
        }
    }
}
