//! Failed pages: what went wrong, what it means, and ways onward.

use axum::{
    extract::{OriginalUri, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use muster_domain::people::Actor;
use muster_web::{error_page::ErrorPage, parts::Link};

use super::asking::Asking;
use crate::{
    app::App,
    auth::{Made, identify},
    http::Failure,
};

/// The page for a failure. If even that cannot be made, the problem document is the answer.
pub async fn page(app: &App, person: Option<&Actor>, failure: &Failure, request_id: &str) -> Response {
    let chrome = Asking::of(person.cloned(), "/error").chrome(app).await;
    let links = match person {
        Some(_) => vec![Link::new("/runs", "Runs"), Link::new("/clusters", "Clusters")],
        None => vec![Link::new("/sign-in", "Sign in")],
    };
    let page = ErrorPage::new(chrome, failure.status.as_u16(), failure.problem.clone(), links, request_id);
    match super::html_with(failure.status, &page) {
        Ok(response) => response,
        Err(_) => failure.clone().into_response(),
    }
}

/// Any address that is not in the table: a page for browsers, a problem document for the API.
pub async fn nothing_here(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let failure = Failure::not_found("page or resource", uri.path());
    let wants_page = headers
        .get(axum::http::header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if uri.path().starts_with("/api/") || !wants_page {
        return failure.into_response();
    }
    let identity = identify(&app, &headers, Made::BySomebody).await;
    let person = identity.as_ref().ok().and_then(|identity| identity.actor());
    page(&app, person, &failure, "").await
}
