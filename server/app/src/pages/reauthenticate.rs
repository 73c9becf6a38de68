//! `/reauthenticate`: the password once more, before what cannot be undone or opens secrets.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::HeaderMap,
};
use muster_web::{forms::ReauthenticateForm, reauthenticate::ReauthenticatePage};

use super::{
    asking::Asking,
    html, refused_form, see,
    sign_in::{Next, local, way_back},
};
use crate::{
    app::App,
    auth::{
        SessionRef,
        sign_in::{self, From},
    },
    http::{Answer, Failure, Form, Query},
};

/// The page's address with the way back.
#[must_use]
pub fn address(next: &str) -> String {
    way_back("/reauthenticate", next)
}

/// `GET /reauthenticate`.
pub async fn form(State(app): State<App>, asking: Asking, Query(Next { next }): Query<Next>) -> Answer {
    html(&ReauthenticatePage::new(asking.chrome(&app).await, local(&next), None))
}

/// `POST /reauthenticate`.
pub async fn reauthenticate(
    State(app): State<App>,
    Extension(session): Extension<SessionRef>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    asking: Asking,
    headers: HeaderMap,
    Form(form): Form<ReauthenticateForm>,
) -> Answer {
    let SessionRef::Session(sid) = session else {
        return Err(Failure::invalid("An API token is not a session and has no password."));
    };
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    match sign_in::reauthenticate(&app, asking.actor()?, sid, form.password, &from).await {
        Ok(()) => Ok(see(local(&form.next))),
        Err(failure) => {
            let chrome = asking.chrome(&app).await;
            refused_form(
                &failure,
                &ReauthenticatePage::new(chrome, local(&form.next), Some(&failure.problem)),
            )
        }
    }
}
