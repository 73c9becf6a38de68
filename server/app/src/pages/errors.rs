//! Failed pages: what went wrong, what it means, and ways onward.

use axum::{
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
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

/// The page for a failure of what was asked for at `path`. If even that cannot be made, the problem document is the answer.
pub async fn page(
    app: &App,
    person: Option<&Actor>,
    failure: &Failure,
    path: &str,
    request_id: &str,
) -> Response {
    let chrome = Asking::of(person.cloned(), "/error").chrome(app).await;
    let links = match person {
        Some(_) => ways_onward(failure, path),
        None => vec![Link::new("/sign-in", "Sign in")],
    };
    let page = ErrorPage::new(chrome, failure.status.as_u16(), failure.problem.clone(), links, request_id);
    match super::html_with(failure.status, &page) {
        Ok(response) => response,
        Err(_) => failure.clone().into_response(),
    }
}

/// Back to what it was about, to the brake if that was in the way, else to the lists.
fn ways_onward(failure: &Failure, path: &str) -> Vec<Link> {
    let mut ways = Vec::new();
    if failure.problem.code == "brake-is-on" {
        ways.push(Link::new("/brake", "Open the brake"));
    }
    if failure.status != StatusCode::NOT_FOUND {
        ways.extend(what_it_was_about(path));
    }
    if ways.is_empty() {
        ways.extend([Link::new("/runs", "Runs"), Link::new("/clusters", "Clusters")]);
    }
    ways
}

/// The run, pair or cluster whose act an address is.
fn what_it_was_about(path: &str) -> Option<Link> {
    let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (id, _) = rest.split_once('/')?;
    let text = match kind {
        "runs" => "Back to the run".to_owned(),
        "pairs" | "clusters" => format!("Back to {id}"),
        _ => return None,
    };
    Some(Link::new(format!("/{kind}/{id}"), text))
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
    page(&app, person, &failure, uri.path(), "").await
}
