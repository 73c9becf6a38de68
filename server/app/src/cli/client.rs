//! The client side of the REST API, and the session `muster login` keeps.

use std::{
    collections::BTreeMap, fmt, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{print, terminal};
use crate::config::ClientConfig;

/// Longest page of a list the API answers with.
const LONGEST_PAGE: usize = 200;

/// Speaks to one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// Whether replies are printed as JSON.
    pub json: bool,
}

impl Client {
    /// With the token given, or the session kept for this server.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(config: &ClientConfig) -> anyhow::Result<Self> {
        let url = config.url.trim_end_matches('/').to_owned();
        let token = config.token.clone().or_else(|| kept_sessions().remove(&url));
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            // What the list of one's sessions shows.
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            // Before the server does: a request on a connection that is just being closed would fail.
            .pool_idle_timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self { http, url, token, json: config.json })
    }

    /// Reads something.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    /// Reads something with a query; what is not given is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn list(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Value> {
        self.answer(self.http.get(self.address(path, query)?)).await
    }

    /// Reads a list page by page, to its end or so many items of it; what is not given of the query is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn pages(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        most: Option<u32>,
    ) -> anyhow::Result<Value> {
        let most = most.map_or(usize::MAX, |most| most as usize);
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let limit = most.saturating_sub(items.len()).min(LONGEST_PAGE);
            let mut asked = query.to_vec();
            asked.extend([("limit", Some(limit.to_string())), ("after", after)]);
            let reply = self.list(path, &asked).await?;
            items.extend_from_slice(print::items(&reply));
            after = reply["next"].as_str().map(str::to_owned);
            if after.is_none() || items.len() >= most {
                break;
            }
        }
        let mut list = json!({"items": items});
        if let Some(next) = after {
            list["next"] = next.into();
        }
        Ok(list)
    }

    /// Reads a text with a query; what is not given is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn text(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<String> {
        self.told(self.http.get(self.address(path, query)?)).await
    }

    /// Removes what a query names; what is not given is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn delete(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Value> {
        self.answer(self.http.delete(self.address(path, query)?)).await
    }

    fn address(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<reqwest::Url> {
        let given = query.iter().filter_map(|(key, value)| Some((*key, value.as_ref()?)));
        let mut url =
            reqwest::Url::parse(&format!("{}{path}", self.url)).context("MUSTER_URL is no address")?;
        url.query_pairs_mut().extend_pairs(given);
        Ok(url)
    }

    /// Sends something.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends something that needs somebody who is there. The password is asked for when the session does not show that any more.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn post_as_person(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send_as_person(Method::POST, path, body).await
    }

    /// The same with another method.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn send_as_person(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        match self.send(method.clone(), path, Some(body)).await {
            Err(refused) if Refused::with_code(&refused, "reauthentication-needed") => {
                let again = json!({"password": terminal::password("Your password, once more: ")?});
                self.post("/api/v1/session/reauthenticate", &again).await?;
                self.send(method, path, Some(body)).await
            }
            answer => answer,
        }
    }

    /// Any request with a JSON body.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let request = self.http.request(method, format!("{}{path}", self.url));
        self.answer(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let text = self.told(request).await?;
        match text.is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_str(&text).context("the answer is not JSON"),
        }
    }

    async fn told(&self, mut request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        request = request.timeout(Duration::from_secs(60));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response =
            request.send().await.with_context(|| format!("no answer from {} (set MUSTER_URL)", self.url))?;
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() {
            return Ok(text);
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(problem) => Err(Refused { status, problem }.into()),
            Err(_) => Err(Unexplained { url: self.url.clone(), status }.into()),
        }
    }
}

/// Whether an error of the client may pass by itself: nothing answered, or what did answer says that Muster or its database is
/// away for now.
#[must_use]
pub fn may_pass(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>().map(|refused| refused.status);
    let status = refused.or(error.downcast_ref::<Unexplained>().map(|answer| answer.status));
    match status {
        Some(status) => AWAY.contains(&status),
        None => error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<reqwest::Error>())
            .any(|error| !error.is_builder()),
    }
}

/// What a server or a proxy before it answers while it cannot do its work.
const AWAY: [StatusCode; 3] =
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

/// An answer that is none of Muster's.
#[derive(Debug, thiserror::Error)]
#[error("{url} answered {status}")]
struct Unexplained {
    url: String,
    status: StatusCode,
}

/// The server's no: a problem document, shown as a person reads it.
#[derive(Debug, thiserror::Error)]
pub struct Refused {
    status: StatusCode,
    problem: Value,
}

impl Refused {
    /// Whether an error of the client is a refusal with this code.
    #[must_use]
    pub fn with_code(error: &anyhow::Error, code: &str) -> bool {
        error.downcast_ref::<Self>().is_some_and(|refused| refused.problem["code"] == code)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |key: &str| self.problem[key].as_str().unwrap_or_default();
        write!(f, "{}\n{} ({})", word("detail"), word("next_step"), word("code"))?;
        for line in self.problem["lines"].as_array().into_iter().flatten() {
            write!(f, "\n  line {}: {}", line["line"], line["reason"].as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

fn session_file() -> PathBuf {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    config.or_else(home).unwrap_or_default().join("muster/sessions.json")
}

fn kept_sessions() -> BTreeMap<String, String> {
    std::fs::read_to_string(session_file())
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Keeps a session for a server, readable by its owner only.
///
/// # Errors
/// When the file cannot be written.
pub fn keep_session(url: &str, token: &str) -> anyhow::Result<PathBuf> {
    let file = session_file();
    std::fs::create_dir_all(file.parent().context("no directory to keep the session in")?)?;
    let mut sessions = kept_sessions();
    sessions.insert(url.trim_end_matches('/').to_owned(), token.to_owned());
    // Written anew beside and moved over: never readable by others, never half written.
    let fresh = file.with_extension("new");
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    out.write_all(serde_json::to_string_pretty(&sessions)?.as_bytes())?;
    std::fs::rename(&fresh, &file)?;
    Ok(file)
}
