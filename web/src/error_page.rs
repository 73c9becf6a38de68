//! What went wrong, with a way onward. Internal text never gets here: only a [`Problem`] does.

use askama::Template;
use muster_domain::problem::Problem;

use crate::{chrome::Chrome, parts::Link};

/// Any failed page.
#[derive(Debug, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    chrome: Chrome,
    status: u16,
    heading: &'static str,
    problem: Problem,
    links: Vec<Link>,
    request_id: String,
}

impl ErrorPage {
    /// The page for a status and problem; `links` are ways onward besides the fleet, `request_id` finds it in the log.
    #[must_use]
    pub fn new(chrome: Chrome, status: u16, problem: Problem, links: Vec<Link>, request_id: &str) -> Self {
        let heading = heading(status);
        let signed_in = chrome.facts.person.is_some();
        let home = if signed_in {
            Link::new("/", "Go to the fleet")
        } else {
            Link::new("/sign-in", "Sign in to Muster")
        };
        let mut all = links;
        all.push(home);
        Self {
            chrome: chrome.titled(heading),
            status,
            heading,
            problem,
            links: all,
            request_id: request_id.to_owned(),
        }
    }
}

fn heading(status: u16) -> &'static str {
    match status {
        400 | 422 => "That was not understood",
        401 => "Sign in first",
        403 => "You may not do this",
        404 => "There is nothing here",
        409 => "Not as things are now",
        412 => "Somebody else edited it",
        413 => "That is too large",
        429 => "Too many tries",
        503 => "Muster cannot answer now",
        _ if status < 500 => "That is refused",
        _ => "Something went wrong in Muster",
    }
}
