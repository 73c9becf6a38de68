//! Somebody using Muster, and what they get.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::test_app::TestApp;

/// Somebody using Muster.
pub(crate) struct Session<'a> {
    router: &'a Router,
    credentials: Option<(&'static str, String)>,
}

impl<'a> Session<'a> {
    /// With a header that says who it is.
    pub(crate) fn new(app: &'a TestApp, credentials: Option<(&'static str, String)>) -> Self {
        Self { router: app.router(), credentials }
    }

    /// The same person at another process.
    pub(crate) fn at(self, router: &'a Router) -> Self {
        Self { router, ..self }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PUT, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, None, &[]).await
    }

    /// A request with a JSON body and headers of its own.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let (kind, text) = json_body(body);
        self.send(method, path, kind, text, headers).await
    }

    /// The beginning of the answer to a request with a JSON body: streams of runs end only with their run.
    pub(crate) async fn knock(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Response<Body> {
        let (kind, text) = json_body(body);
        self.router.clone().oneshot(self.written(method, path, kind, text, headers)).await.unwrap()
    }

    /// A form as a browser sends it.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encode = |text: &str| -> String {
            text.bytes()
                .map(|b| match b {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
                    other => format!("%{other:02X}"),
                })
                .collect()
        };
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        let kind = Some("application/x-www-form-urlencoded");
        let headers = [("accept", "text/html"), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, kind, body.join("&"), &headers).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: String,
        headers: &[(&str, &str)],
    ) -> Reply {
        Reply::of(self.router.clone().oneshot(self.written(method, path, kind, body, headers)).await.unwrap())
            .await
    }

    fn written(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: String,
        headers: &[(&str, &str)],
    ) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((name, value)) = &self.credentials {
            request = request.header(*name, value);
        }
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body)).unwrap()
    }
}

fn json_body(body: Option<Value>) -> (Option<&'static str>, String) {
    match body {
        Some(body) => (Some("application/json"), body.to_string()),
        None => (None, String::new()),
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The whole of an answer.
    pub(crate) async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {} {}", self.status, self.text))
    }

    /// The body, when all is well.
    #[track_caller]
    pub(crate) fn done(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }

    /// Code and status of a problem.
    #[track_caller]
    pub(crate) fn problem(&self) -> (String, u16) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_ne!(problem["next_step"], "", "a problem without a next step: {problem}");
        (problem["code"].as_str().unwrap().to_owned(), self.status.as_u16())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A reply without what differs from run to run: ids, times, hashes.
pub(crate) fn steady(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(steady).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let varies = ["id", "plan", "hash", "previous_hash", "token", "plan_hash"]
                    .contains(&key.as_str())
                    || key.ends_with("_at")
                    || key.ends_with("_by") && value.as_str().is_some_and(|text| text.contains('T'));
                let shown =
                    if varies && !value.is_null() { Value::from(format!("[{key}]")) } else { steady(value) };
                (key.clone(), shown)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
