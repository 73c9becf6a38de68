//! The client side of the REST API.
//!
//! What holds for every command is here: who has not shown for a while that they are there is asked for their password, edits
//! name the version they were made from, and what makes something is not made twice where an answer is lost.

use std::{io::Write, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, Response, Url, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    kept, print, reach,
    refused::{Refused, Unexplained, may_have_been_done, may_pass},
    terminal,
};
use crate::process::config::ClientConfig;

/// Longest page of a list the API answers with.
const LONGEST_PAGE: usize = 200;
/// How long an answer, or the next part of it, is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often what makes something is sent while its answer is lost, and how long between.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// What API tokens begin with; sessions do not.
const API_TOKEN: &str = "muster_";

/// Speaks to one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// Whether replies are printed as JSON.
    pub json: bool,
}

/// A request. It may be sent more than once.
#[derive(Debug)]
struct Asked<'a> {
    method: Method,
    address: Url,
    body: Option<&'a Value>,
    /// ETag of what an edit was made from.
    version: Option<String>,
    /// Makes it one request, however often it is sent.
    key: Option<Uuid>,
}

/// An answer.
#[derive(Debug)]
struct Told {
    text: String,
    /// ETag of what it tells of.
    version: Option<String>,
}

impl Client {
    /// With the token given, or the session kept for this server.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(config: &ClientConfig) -> anyhow::Result<Self> {
        let url = config.url.trim_end_matches('/').to_owned();
        let token = config.token.clone().or_else(|| kept::session_of(&url));
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(PATIENCE)
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
        self.list(path, &[]).await
    }

    /// Reads something with a query; what is not given is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn list(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Value> {
        read(self.told(&self.asked(Method::GET, path, query, None)?).await?)
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
        Ok(self.told(&self.asked(Method::GET, path, query, None)?).await?.text)
    }

    /// Writes a text out as it comes, however long it is.
    ///
    /// # Errors
    /// The problem, as the server tells it; when the text broke off, or could not be written.
    pub async fn copy(&self, path: &str, mut out: impl Write) -> anyhow::Result<()> {
        let mut response = self.answered(&self.asked(Method::GET, path, &[], None)?).await?;
        let broken = "it broke off: what was written so far is not all of it";
        while let Some(part) = response.chunk().await.context(broken)? {
            out.write_all(&part).context("could not write it out")?;
        }
        out.flush().context("could not write it out")
    }

    /// Sends something.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(self.told(&self.asked(Method::POST, path, &[], Some(body))?).await?)
    }

    /// Puts something in the place of what is there.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(self.told(&self.asked(Method::PUT, path, &[], Some(body))?).await?)
    }

    /// Edits something: what was made from `version` of it, or from how it is now.
    ///
    /// # Errors
    /// The problem, as the server tells it; `edited-in-between` when it has another version by now.
    pub async fn edit(&self, path: &str, body: &Value, version: Option<i64>) -> anyhow::Result<Value> {
        let version = match version {
            Some(version) => format!("\"{version}\""),
            None => {
                let present = self.told(&self.asked(Method::GET, path, &[], None)?).await?;
                present
                    .version
                    .context("the server does not say which version this is; nothing was changed")?
            }
        };
        let mut edit = self.asked(Method::PATCH, path, &[], Some(body))?;
        edit.version = Some(version);
        read(self.told(&edit).await?)
    }

    /// Removes what a path and a query name; what is not given is left out.
    ///
    /// # Errors
    /// The problem, as the server tells it.
    pub async fn delete(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Value> {
        read(self.told(&self.asked(Method::DELETE, path, query, None)?).await?)
    }

    fn asked<'a>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<String>)],
        body: Option<&'a Value>,
    ) -> anyhow::Result<Asked<'a>> {
        debug_assert!(reach::is_listed(&method, path), "no command is listed for {method} {path}");
        let key = reach::creates(&method, path).then(Uuid::now_v7);
        Ok(Asked { address: self.address(path, query)?, method, body, version: None, key })
    }

    fn address(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Url> {
        let mut address = Url::parse(&format!("{}{path}", self.url)).context("MUSTER_URL is no address")?;
        for (name, value) in query {
            if let Some(value) = value {
                address.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(address)
    }

    /// Sends it and reads the answer. Who has not shown for a while that they are there is asked for their password, once. An API
    /// token has none.
    async fn told(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let by_session = !self.token.as_ref().is_some_and(|token| token.starts_with(API_TOKEN));
        match self.sent(asked).await {
            Err(refused) if by_session && Refused::with_code(&refused, "reauthentication-needed") => {
                self.show_again(&refused).await?;
                self.sent(asked).await
            }
            answer => answer,
        }
    }

    async fn show_again(&self, refused: &anyhow::Error) -> anyhow::Result<()> {
        let password = terminal::password("Your password, once more: ").map_err(|nobody| {
            anyhow::anyhow!("{refused}\nYour password was to be asked for, and {nobody:#}.")
        })?;
        let body = json!({"password": password});
        let address = self.address("/api/v1/session/reauthenticate", &[])?;
        let again = Asked { method: Method::POST, address, body: Some(&body), version: None, key: None };
        self.once(&again).await.map(|_| ())
    }

    /// Sends it; again where its answer was lost and its key keeps it from being done twice.
    async fn sent(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let mut tries = 1;
        loop {
            let error = match self.once(asked).await {
                Ok(told) => return Ok(told),
                Err(error) => error,
            };
            let lost = if tries == 1 { may_have_been_done(&error) } else { may_pass(&error) };
            if asked.key.is_none() || !lost {
                return Err(error);
            }
            if tries == TRIES {
                return Err(error.context(format!(
                    "Asked {tries} times, and whether it was done is not known: look before you do it again"
                )));
            }
            eprintln!("{error:#}\nIt may have been done: asking again in a way that does not do it twice.");
            tries += 1;
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn once(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let response = self.answered(asked).await?;
        let version = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let version = version.map(str::to_owned);
        Ok(Told { text: response.text().await?, version })
    }

    /// Sends it and waits for the beginning of a good answer.
    async fn answered(&self, asked: &Asked<'_>) -> anyhow::Result<Response> {
        let mut request = self.http.request(asked.method.clone(), asked.address.clone());
        if let Some(body) = asked.body {
            request = request.json(body);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(version) = &asked.version {
            request = request.header(header::IF_MATCH, version);
        }
        if let Some(key) = asked.key {
            request = request.header("idempotency-key", key.to_string());
        }
        let response =
            request.send().await.with_context(|| format!("no answer from {} (set MUSTER_URL)", self.url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match serde_json::from_str::<Value>(&response.text().await?) {
            Ok(problem) => Err(Refused { status, problem }.into()),
            Err(_) => Err(Unexplained { url: self.url.clone(), status }.into()),
        }
    }
}

fn read(told: Told) -> anyhow::Result<Value> {
    match told.text.is_empty() {
        true => Ok(Value::Null),
        false => serde_json::from_str(&told.text).context("the answer is not JSON"),
    }
}

/// A time as queries take it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
