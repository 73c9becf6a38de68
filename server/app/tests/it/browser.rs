//! A browser as far as sign-in needs one: it keeps cookies and shows where it is sent.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use tower::ServiceExt as _;

use crate::{fake_provider::FakeProvider, session::Reply};

/// See the module. Cheap to clone: another window with the same cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    /// The process of Muster it reaches.
    pub(crate) at: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn at(router: &Router) -> Self {
        Self { at: router.clone(), cookies: BTreeMap::new() }
    }

    /// Opens an address of Muster.
    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, String::new()).await
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Reply {
        self.send(Method::POST, path, form.to_owned()).await
    }

    async fn send(&mut self, method: Method, path: &str, form: String) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookies.join("; "))
            .header("sec-fetch-site", "same-origin");
        let response = self.at.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        let text = String::from_utf8(to_bytes(body, 10_000_000).await.unwrap().to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    fn keep(&mut self, cookie: &str) {
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; "), "{cookie}");
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        if cookie.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// To the provider and back: the address it comes back to, not opened yet.
    pub(crate) async fn go_to(&mut self, provider: &FakeProvider, begin: &str) -> String {
        let sent = self.get(begin).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        provider.agree(sent.header("location"))
    }

    /// The whole way; what the callback answers.
    pub(crate) async fn sign_in(&mut self, provider: &FakeProvider) -> Reply {
        let back = self.go_to(provider, "/sign-in/oidc").await;
        self.get(&back).await
    }

    /// Who is signed in: name, and roles with their team.
    pub(crate) async fn who(&mut self) -> (String, Vec<String>) {
        let me = self.get("/api/v1/session").await.done();
        let grants = me["grants"].as_array().unwrap().iter().map(|grant| match grant["team"].as_str() {
            Some(team) => format!("{}@{team}", grant["role"].as_str().unwrap()),
            None => grant["role"].as_str().unwrap().to_owned(),
        });
        (me["name"].as_str().unwrap().to_owned(), grants.collect())
    }
}
