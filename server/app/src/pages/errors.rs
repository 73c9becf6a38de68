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

/// What an act's address is about, or the list it is in.
fn what_it_was_about(path: &str) -> Option<Link> {
    let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
    let of_one = rest.split_once('/').map(|(id, _)| id);
    let list = |text: &str| Some(Link::new(format!("/{kind}"), text));
    let text = match (kind, of_one) {
        ("alarms", _) => return list("Back to the alarms"),
        ("findings", _) => return list("Back to the findings"),
        ("drills", _) => return list("Back to the drills"),
        ("notifications", _) => return list("Back to the notifications"),
        ("account", _) => return list("Back to your account"),
        ("runs", Some(_)) => "Back to the run".to_owned(),
        ("plans", Some(_)) => "Back to the plan".to_owned(),
        ("people", Some(_)) => "Back to the person".to_owned(),
        ("pairs" | "clusters" | "teams", Some(id)) => format!("Back to {id}"),
        _ => return None,
    };
    of_one.map(|id| Link::new(format!("/{kind}/{id}"), text))
}

/// Any address that is not in the table: a page for browsers, a problem document for the API.
pub async fn nothing_here(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let failure = Failure::not_found("page or resource", uri.path());
    if !wants_page(uri.path(), &headers) {
        return failure.into_response();
    }
    outside_of_routes(&app, &headers, &failure, uri.path()).await
}

/// An address that takes forms only, asked for as a page: typed, kept, or gone back to.
pub async fn only_a_form_goes_there(app: &App, headers: &HeaderMap, path: &str) -> Option<Response> {
    if !wants_page(path, headers) {
        return None;
    }
    let failure = Failure::new(
        "method-not-allowed",
        "There is no page at this address: it is where a form is sent to. Nothing was done.",
        "Go back to the page that has the form.",
    );
    Some(outside_of_routes(app, headers, &failure, path).await)
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(axum::http::header::ACCEPT).and_then(|v| v.to_str().ok());
    !path.starts_with("/api/") && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The page for a failure that no route's guard saw.
async fn outside_of_routes(app: &App, headers: &HeaderMap, failure: &Failure, path: &str) -> Response {
    let identity = identify(app, headers, Made::BySomebody).await;
    let person = identity.as_ref().ok().and_then(|identity| identity.actor());
    page(app, person, failure, path, "").await
}

#[cfg(test)]
mod tests {
    use super::what_it_was_about;

    #[test]
    fn a_failed_act_leads_back_to_what_it_was_about() {
        for (path, back) in [
            ("/runs/7/start", Some(("/runs/7", "Back to the run"))),
            ("/pairs/orders/content/record", Some(("/pairs/orders", "Back to orders"))),
            ("/alarms/7/acknowledge", Some(("/alarms", "Back to the alarms"))),
            ("/findings/7", Some(("/findings", "Back to the findings"))),
            ("/drills/7/edit", Some(("/drills", "Back to the drills"))),
            ("/account/password", Some(("/account", "Back to your account"))),
            ("/pairs/orders", None),
            ("/theme", None),
        ] {
            let found = what_it_was_about(path);
            assert_eq!(found.as_ref().map(|link| (link.href.as_str(), link.text.as_str())), back, "{path}");
        }
    }
}
