//! Sessions: seen and ended. The id of a session opens nothing; what opens one is a signed token that names it.

use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Role};
use muster_store::{people, sessions, sessions::Session};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit_trail::{self, Entry};
use crate::{
    auth::{IDLE_SECONDS, SessionRef},
    http::{Answer, Failure},
};

/// A session as shown. Nobody signs in with what is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    /// Id, to end it by.
    pub id: Uuid,
    /// When they signed in.
    pub begun_at: DateTime<Utc>,
    /// Last request, to within a minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends whatever happens; it also ends after two hours without a request.
    pub ends_at: DateTime<Utc>,
    /// Address it was opened from; empty when that is not known.
    pub address: String,
    /// What its browser or program calls itself.
    pub user_agent: String,
    /// Whether this is the session that asks.
    pub this: bool,
}

impl SessionView {
    fn new(session: Session, asking: SessionRef) -> Self {
        Self {
            this: asking == SessionRef::Session(session.id),
            id: session.id,
            begun_at: session.created_at,
            last_used_at: session.last_seen_at,
            ends_at: session.expires_at,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

/// Sessions of somebody that count, newest first, at most `limit`: one's own, or those of `of` for an admin. Only those that
/// come after `before` in this order, if given: when it began, and its id.
///
/// # Errors
/// `forbidden`, `not-found`.
pub async fn page(
    conn: &mut PgConnection,
    (of, before): (Option<&str>, Option<(DateTime<Utc>, Uuid)>),
    limit: i64,
    actor: &Actor,
    asking: SessionRef,
) -> Answer<Vec<SessionView>> {
    let (user, _) = person(conn, of, actor).await?;
    let found = sessions::page(conn, user, IDLE_SECONDS, before, limit).await?;
    Ok(found.into_iter().map(|session| SessionView::new(session, asking)).collect())
}

/// Ends a session, at its next request: one's own, or anybody's for an admin.
///
/// # Errors
/// `forbidden` by a token that is no admin's, `not-found`.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, actor: &Actor, asking: SessionRef) -> Answer<()> {
    may_end(actor, asking)?;
    let missing = || Failure::not_found("session", &id.to_string());
    let (user, name) = sessions::whose(conn, id).await?.ok_or_else(missing)?;
    // Whether somebody else has such a session is nobody's business.
    if user != actor.id && !actor.has_anywhere(Role::Admin) {
        return Err(missing());
    }
    if !sessions::revoke(conn, id).await? {
        return Err(missing());
    }
    let object = format!("session {id}");
    let entry = Entry::done("session.revoke", &object, json!({"user": name}));
    audit_trail::record(conn, actor, entry).await
}

/// Ends all sessions of somebody but the one that asks; says how many.
///
/// # Errors
/// `forbidden`, `not-found`.
pub async fn revoke_all(
    conn: &mut PgConnection,
    of: Option<&str>,
    actor: &Actor,
    asking: SessionRef,
) -> Answer<u64> {
    may_end(actor, asking)?;
    let (user, name) = person(conn, of, actor).await?;
    let but = match asking {
        SessionRef::Session(sid) => Some(sid),
        SessionRef::Token(_) => None,
    };
    let ended = sessions::revoke_all(conn, user, but).await?;
    let object = format!("user {name}");
    audit_trail::record(conn, actor, Entry::done("session.revoke_all", &object, json!({"ended": ended})))
        .await?;
    Ok(ended)
}

/// A token that only reads must end nothing; that of an admin serves programs that let leavers go.
fn may_end(actor: &Actor, asking: SessionRef) -> Answer<()> {
    match asking {
        SessionRef::Token(_) if !actor.has_anywhere(Role::Admin) => Err(Failure::new(
            "forbidden",
            "A token ends no sessions, unless it has the scope `admin` of an admin.",
            "Sign in, then end the session.",
        )),
        SessionRef::Token(_) | SessionRef::Session(_) => Ok(()),
    }
}

async fn person(conn: &mut PgConnection, of: Option<&str>, actor: &Actor) -> Answer<(Uuid, String)> {
    let Some(name) = of else {
        let user = people::get(conn, actor.id).await?;
        let user = user.ok_or_else(|| Failure::not_found("person", &actor.name))?;
        return Ok((user.id, user.name));
    };
    if name != actor.name && !actor.has_anywhere(Role::Admin) {
        return Err(Failure::new(
            "forbidden",
            "You may not do this: sessions of others are an admin's matter.",
            "Leave `user` out for your own.",
        ));
    }
    let user = people::get_by_name(conn, name).await?.ok_or_else(|| Failure::not_found("person", name))?;
    Ok((user.id, user.name))
}
