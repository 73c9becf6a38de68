//! The way to the identity provider and back.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, header},
    response::IntoResponse as _,
};

use super::{
    asking::Asking,
    refused_form, see,
    sign_in::{Next, local, page},
};
use crate::{
    app::App,
    auth::{
        SessionRef, cookie,
        oidc::{self, Purpose, Returned, attempt},
        sign_in::From,
    },
    http::{Answer, Failure, Query},
};

/// `GET /sign-in/oidc`: to the provider.
pub async fn begin(State(app): State<App>, asking: Asking, Query(Next { next }): Query<Next>) -> Answer {
    match oidc::begin(&app, Purpose::SignIn, local(&next)).await {
        Ok(begun) => Ok((cookie::header(begun.cookie), see(begun.to.as_str())).into_response()),
        Err(failure) => refused(&app, &asking, local(&next), failure).await,
    }
}

/// `GET /sign-in/oidc/callback`: back from it.
pub async fn callback(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    present: Option<Extension<SessionRef>>,
    asking: Asking,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Answer {
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    let present = present.and_then(|Extension(present)| match present {
        SessionRef::Session(sid) => Some(sid),
        SessionRef::Token(_) => None,
    });
    let mut answer = match oidc::finish(&app, &headers, returned, present, &from).await {
        Ok(finished) => {
            let mut answer = see(&finished.next);
            if let Some(sid) = finished.opened {
                answer.headers_mut().append(header::SET_COOKIE, cookie::set(&app, sid)?);
            }
            answer
        }
        Err(failure) => refused(&app, &asking, "/", failure).await?,
    };
    if app.oidc.is_some() {
        answer.headers_mut().append(header::SET_COOKIE, attempt::clear(&app));
    }
    Ok(answer)
}

/// The sign-in page with what was wrong, which also has the other ways in. Whoever is signed in already, or where there
/// is no provider at all, gets the page for errors.
async fn refused(app: &App, asking: &Asking, next: &str, failure: Failure) -> Answer {
    if asking.person.is_some() || app.oidc.is_none() {
        return Err(failure);
    }
    refused_form(&failure, &page(app, asking, "", next, Some(&failure.problem)).await)
}
