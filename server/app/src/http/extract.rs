//! What handlers take in: bodies, paths and queries whose refusals are problems, the person acting, If-Match.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use muster_domain::people::Actor;
use serde::{Serialize, de::DeserializeOwned};

use tower_http::timeout::TimeoutError;

use super::{
    failure::Failure,
    strict::{self, NotTaken},
};

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(is_json) {
            return Err(unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE, "JSON is expected"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unread(e.status(), &e))?;
        strict::from_slice(&bytes).map(Self).map_err(|why| match why {
            NotTaken::Unreadable(why) => unreadable(StatusCode::BAD_REQUEST, &why),
            NotTaken::Unfit(why) => Failure::invalid(format!("The body does not hold together: {why}.")),
        })
    }
}

/// `application/json` with or without parameters, and what is built on it: `application/merge-patch+json`.
fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A form body.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(value)) => Ok(Self(value)),
            Err(e) => Err(unread(e.status(), &e)),
        }
    }
}

/// A whole body as text.
#[derive(Debug)]
pub struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match String::from_request(request, state).await {
            Ok(text) => Ok(Self(text)),
            Err(e) => Err(unread(e.status(), &e)),
        }
    }
}

/// Parts of the path. A name or id that cannot be one is a thing that does not exist.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Failure::not_found("page or resource", parts.uri.path())),
        }
    }
}

/// The query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(e) => Err(unreadable(StatusCode::BAD_REQUEST, &deepest(&e))),
        }
    }
}

/// The person acting, as the guard found them.
#[derive(Debug, Clone)]
pub struct Acting(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(super::guard::sign_in_required)
    }
}

/// Seconds since the person signed in or showed again that it is them, as the guard found it; `None` by an API token.
#[derive(Debug, Clone, Copy)]
pub struct SinceShown(pub Option<f64>);

impl<S: Send + Sync> FromRequestParts<S> for SinceShown {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().copied().ok_or_else(super::guard::sign_in_required)
    }
}

/// The row version an edit was made from; `None` when the caller does not say and takes the risk.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let version = value.to_str().ok().map(str::trim).filter(|v| *v != "*");
        match version {
            None => Ok(Self(None)),
            Some(tag) => tag
                .trim_start_matches("W/")
                .trim_matches('"')
                .parse()
                .map(|v| Self(Some(v)))
                .map_err(|_| Failure::invalid(format!("`If-Match: {tag}` is not an ETag of Muster."))),
        }
    }
}

/// The ETag of a row version.
#[must_use]
pub fn etag(version: i64) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

/// Refuses an edit made from another version than the present one.
///
/// # Errors
/// `edited-in-between`.
pub fn check_version(asked: Option<i64>, present: i64) -> Result<(), Failure> {
    match asked {
        Some(version) if version != present => Err(muster_store::StoreError::Stale { op: "edit" }.into()),
        Some(_) | None => Ok(()),
    }
}

/// A body that could not be read: too slow, too large, or not what it should be.
pub(super) fn unread(status: StatusCode, error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Failure::new(
                "request-too-slow",
                "The body did not arrive: nothing more of it came for too long. Nothing was changed.",
                "Send it again. Slow lines need another MUSTER_CLIENT_SECONDS.",
            );
        }
        cause = error.source();
    }
    unreadable(status, &deepest(error))
}

pub(super) fn unreadable(status: StatusCode, why: &str) -> Failure {
    let next = "Correct the request and send it again.";
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Failure::new(
            "unsupported-media-type",
            format!("The body is in a format this address does not take: {why}."),
            "Send `Content-Type: application/json` unless the documentation says otherwise.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(
            "request-too-large",
            "The body is larger than 2 MB.",
            "Send less. Properties files of MirrorMaker 2 are a few kilobytes.",
        ),
        StatusCode::UNPROCESSABLE_ENTITY => {
            Failure::new("invalid-request", format!("The body does not hold together: {why}."), next)
        }
        _ => Failure::new("unreadable-request", format!("The request cannot be read: {why}."), next),
    }
}

/// The innermost sentence of a rejection: `missing field `name` at line 1 column 2`.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
