//! `/api/v1/sessions` and one's own password.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Items, cursor, page_size};
use crate::{
    acts::sessions::{self, SessionView},
    app::App,
    auth::{SessionRef, own_password, sign_in::From},
    http::{Acting, Answer, Failure, Json, Path, Query},
};

/// Whose sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct SessionQuery {
    /// Of this person, by the name they sign in with; for admins. One's own when left out.
    user: Option<String>,
}

/// Whose sessions, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct SessionListQuery {
    /// Of this person, by the name they sign in with; for admins. One's own when left out.
    user: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// What cursors of sessions are known by.
pub(crate) const SESSION: &str = "session";

/// `GET /api/v1/sessions`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(asking): Extension<SessionRef>,
    Query(query): Query<SessionListQuery>,
) -> Answer<Json<Items<SessionView>>> {
    let limit = page_size(query.limit);
    let before = cursor::read_time(SESSION, query.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let asked = (query.user.as_deref(), before);
    let items = sessions::page(&mut conn, asked, limit, &actor, asking).await?;
    Ok(Json(Items::page(items, limit, |one| cursor::write_time(SESSION, one.begun_at, one.id))))
}

/// `DELETE /api/v1/sessions/{session}`.
pub async fn revoke(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(asking): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke(&mut tx, id, &actor, asking).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/sessions`.
pub async fn revoke_all(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(asking): Extension<SessionRef>,
    Query(query): Query<SessionQuery>,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke_all(&mut tx, query.user.as_deref(), &actor, asking).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The one that counts until now.
    #[schema(value_type = String, write_only)]
    pub present: SecretString,
    /// The one that counts from now on.
    #[schema(value_type = String, write_only)]
    pub password: SecretString,
}

/// `PUT /api/v1/session/password`.
pub async fn change_password(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(asking): Extension<SessionRef>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(new): Json<NewPassword>,
) -> Answer<StatusCode> {
    let SessionRef::Session(sid) = asking else {
        return Err(Failure::invalid("An API token is not a session and has no password."));
    };
    let from = From::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    own_password::change(&app, &actor, sid, new.present, new.password, &from).await?;
    Ok(StatusCode::NO_CONTENT)
}
