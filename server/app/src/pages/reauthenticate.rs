//! `/reauthenticate`: who one is, once more, before what cannot be undone or opens secrets.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::HeaderMap,
    response::IntoResponse as _,
};
use muster_domain::problem::Problem;
use muster_store::{identities, people};
use muster_web::{
    forms::ReauthenticateForm,
    reauthenticate::{ReauthenticatePage, Ways},
    sign_in::Provider,
};

use uuid::Uuid;

use super::{
    asking::Asking,
    html, refused_form, see,
    sign_in::{Next, local, way_back},
};
use crate::{
    app::App,
    auth::{
        SessionRef, cookie,
        oidc::{self, Purpose},
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
    html(&page(&app, &asking, local(&next), None).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    next: &str,
    problem: Option<&Problem>,
) -> Answer<ReauthenticatePage> {
    let ways = ways(app, asking, next).await?;
    Ok(ReauthenticatePage::new(asking.chrome(app).await, next, ways, problem))
}

/// By the password, where there is one; at the provider, for who is somebody there.
async fn ways(app: &App, asking: &Asking, next: &str) -> Answer<Ways> {
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let password = people::password_hash(&mut conn, &actor.name).await?.is_some();
    let identity = identities::of_user(&mut conn, actor.id).await?;
    let provider = app
        .oidc
        .as_ref()
        .filter(|provider| identity.as_ref().is_some_and(|identity| identity.issuer == provider.issuer()));
    let provider = provider.map(|provider| Provider {
        label: provider.label().to_owned(),
        href: way_back("/reauthenticate/oidc", next),
        only: false,
    });
    Ok(Ways { password, provider })
}

/// `GET /reauthenticate/oidc`: to the provider, which is to ask again.
pub async fn begin_at_provider(
    State(app): State<App>,
    Extension(session): Extension<SessionRef>,
    Query(Next { next }): Query<Next>,
) -> Answer {
    let begun = oidc::begin(&app, Purpose::StepUp { session: of_browser(session)? }, local(&next)).await?;
    Ok((cookie::header(begun.cookie), see(begun.to.as_str())).into_response())
}

fn of_browser(session: SessionRef) -> Answer<Uuid> {
    match session {
        SessionRef::Session(sid) => Ok(sid),
        SessionRef::Token(_) => Err(Failure::invalid("An API token is not a session and has no password.")),
    }
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
    let sid = of_browser(session)?;
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    match sign_in::reauthenticate(&app, asking.actor()?, sid, form.password, &from).await {
        Ok(()) => Ok(see(local(&form.next))),
        Err(failure) => {
            let page = page(&app, &asking, local(&form.next), Some(&failure.problem)).await?;
            refused_form(&failure, &page)
        }
    }
}
