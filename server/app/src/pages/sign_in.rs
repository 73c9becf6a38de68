//! Signing in and out, and the colour scheme.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use muster_domain::problem::Problem;
use muster_web::{
    forms::{SignInForm, ThemeForm},
    sign_in::{Provider, SignInPage, SignedOutPage},
};
use serde::Deserialize;

use super::{asking::Asking, html, refused_form, see};
use crate::{
    app::App,
    auth::{
        SessionRef, cookie, oidc, setup,
        sign_in::{self, From},
    },
    http::{Acting, Answer, Form, Query},
};

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    /// Path and query on this server.
    pub next: String,
}

/// The sign-in page's address with the way back.
#[must_use]
pub fn address(next: &str) -> String {
    way_back("/sign-in", next)
}

/// A page's address that says where to go on to.
pub(super) fn way_back(page: &str, next: &str) -> String {
    match next {
        "/" => page.to_owned(),
        next => {
            let safe = next.bytes().map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                    char::from(b).to_string()
                }
                other => format!("%{other:02X}"),
            });
            format!("{page}?next={}", safe.collect::<String>())
        }
    }
}

/// The sign-in page: with the provider, where there is one.
pub(super) async fn page(
    app: &App,
    asking: &Asking,
    name: &str,
    next: &str,
    problem: Option<&Problem>,
) -> SignInPage {
    let provider = app.oidc.as_ref().map(|provider| Provider {
        label: provider.label().to_owned(),
        href: way_back("/sign-in/oidc", next),
        only: provider.only(),
    });
    SignInPage::new(asking.chrome(app).await, name, next, provider, problem)
}

/// A way back that stays on this server: one slash, and nothing a browser would read as another host.
pub(super) fn local(next: &str) -> &str {
    let fits = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if fits { next } else { "/" }
}

/// `GET /sign-in`. While nobody exists, the way is to `/setup`.
pub async fn form(State(app): State<App>, asking: Asking, Query(Next { next }): Query<Next>) -> Answer {
    if setup::is_open(&app).await? {
        return Ok(see("/setup"));
    }
    if asking.person.is_some() {
        return Ok(see(local(&next)));
    }
    html(&page(&app, &asking, "", local(&next), None).await)
}

/// `POST /sign-in`.
pub async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    asking: Asking,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Answer {
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    match sign_in::sign_in(&app, &form.name, form.password, &from).await {
        Ok((sid, _)) => Ok((cookie::header(cookie::set(&app, sid)?), see(local(&form.next))).into_response()),
        Err(failure) => {
            let page = page(&app, &asking, &form.name, local(&form.next), Some(&failure.problem)).await;
            refused_form(&failure, &page)
        }
    }
}

/// `POST /sign-out`. Whoever signed in at the provider goes on there. Not by a redirect: the policy of our pages lets
/// forms end on this server only, and browsers hold redirects of forms to that.
pub async fn sign_out(
    State(app): State<App>,
    asking: Asking,
    Acting(actor): Acting,
    Extension(session): Extension<SessionRef>,
) -> Answer {
    let gone = cookie::header(cookie::clear(&app));
    let SessionRef::Session(sid) = session else { return Ok((gone, see("/sign-in")).into_response()) };
    sign_in::sign_out(&app, &actor, sid).await?;
    let (Some(way_out), Some(provider)) = (oidc::way_out(&app, sid).await, &app.oidc) else {
        return Ok((gone, see("/sign-in")).into_response());
    };
    let provider =
        Provider { label: provider.label().to_owned(), href: way_out.into(), only: provider.only() };
    let page = html(&SignedOutPage::new(asking.nobody().chrome(&app).await, provider))?;
    Ok((gone, page).into_response())
}

/// `POST /theme`: kept in the browser only.
pub async fn theme(Form(form): Form<ThemeForm>) -> Response {
    let theme = muster_web::chrome::Theme::parse(&form.theme).as_str();
    let kept = format!("theme={theme}; Path=/; SameSite=Lax; HttpOnly; Max-Age=31536000");
    let value = HeaderValue::from_str(&kept).expect("a theme is one of our own words");
    ([(header::SET_COOKIE, value)], see(local(&form.next))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leaves_this_server() {
        assert_eq!(local("/runs?state=running"), "/runs?state=running");
        for bad in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "javascript:alert(1)"]
        {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }

    #[test]
    fn the_way_back_survives_the_address() {
        assert_eq!(address("/runs?state=running&a=b"), "/sign-in?next=/runs%3Fstate%3Drunning%26a%3Db");
    }
}
