//! `/api/v1/session`: a bearer session for programs and the command line.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
};
use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Grant};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    auth::{
        SessionRef, cookie,
        sign_in::{self, From},
        tokens::{Audience, SESSION_HOURS},
    },
    http::{Acting, Answer, Failure, Json},
};

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "mira", "password": "correct horse battery"}))]
pub struct SignIn {
    /// Name.
    pub name: String,
    /// Password.
    #[schema(value_type = String, write_only)]
    pub password: SecretString,
}

/// Who somebody is and what they may do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Whoami {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Rights.
    pub grants: Vec<Grant>,
}

impl std::convert::From<Actor> for Whoami {
    fn from(actor: Actor) -> Self {
        Self { id: actor.id, name: actor.name, grants: actor.grants }
    }
}

/// A session for `Authorization: Bearer`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BearerSession {
    /// Send it as `Authorization: Bearer …`.
    pub token: String,
    /// When it ends; it also ends after two hours without a request.
    pub expires_at: DateTime<Utc>,
    /// Who it is.
    pub person: Whoami,
}

/// `POST /api/v1/session`.
pub async fn open(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(asked): Json<SignIn>,
) -> Answer {
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    let (sid, actor) = sign_in::sign_in(&app, &asked.name, asked.password, &from).await?;
    let now = Utc::now();
    let seconds = SESSION_HOURS * 3600;
    let token = app.tokens.sign(Audience::Machine, sid, now.timestamp(), seconds);
    let token = token.map_err(|e| Failure::internal("sign a session", e))?;
    let expires_at = now + chrono::TimeDelta::seconds(seconds);
    let reply = BearerSession { token, expires_at, person: actor.into() };
    Ok((StatusCode::CREATED, [(header::LOCATION, "/api/v1/session")], Json(reply)).into_response())
}

/// The password once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Password.
    #[schema(value_type = String, write_only)]
    pub password: SecretString,
}

/// `POST /api/v1/session/reauthenticate`.
pub async fn reauthenticate(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(session): Extension<SessionRef>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(again): Json<Again>,
) -> Answer<StatusCode> {
    let SessionRef::Session(sid) = session else {
        return Err(Failure::invalid("An API token is not a session and has no password."));
    };
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    sign_in::reauthenticate(&app, &actor, sid, again.password, &from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/session`.
pub async fn whoami(Acting(actor): Acting) -> Json<Whoami> {
    Json(actor.into())
}

/// `DELETE /api/v1/session`.
pub async fn close(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(session): Extension<SessionRef>,
) -> Answer {
    match session {
        SessionRef::Session(sid) => sign_in::sign_out(&app, &actor, sid).await?,
        SessionRef::Token(_) => {
            return Err(Failure::invalid(
                "An API token is not a session; revoke it with DELETE /api/v1/tokens/{token}.",
            ));
        }
    }
    Ok((StatusCode::NO_CONTENT, cookie::header(cookie::clear(&app))).into_response())
}
