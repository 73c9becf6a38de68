//! The ways in somebody has: a part of their sessions and a part of their API tokens, each behind a cursor, on one page.

use muster_domain::people::Actor;
use muster_store::tokens as stored_tokens;
use muster_web::{
    account::{SessionSeen, TokenSeen},
    parts::Ends,
};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PAGE, cut};
use crate::{
    acts::{
        sessions::{self, SessionView},
        tokens::TokenView,
    },
    api::{cursor, people::TOKEN, sessions::SESSION},
    auth::SessionRef,
    http::Answer,
};

/// Which part of the sessions and tokens, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    pub(super) done: String,
    /// Cursor of the sessions before.
    sessions: String,
    /// Cursor of the tokens before.
    tokens: String,
}

/// A part of the sessions and of the tokens, and the ways to the others.
pub(super) struct WaysIn {
    pub(super) sessions: Vec<SessionSeen>,
    pub(super) tokens: Vec<TokenSeen>,
    pub(super) session_ends: Ends,
    pub(super) token_ends: Ends,
}

impl WaysIn {
    /// Those of whoever asks, or of somebody else by name, for a page of theirs.
    pub(super) async fn read(
        conn: &mut PgConnection,
        (actor, asking): (&Actor, SessionRef),
        (name, user): (Option<&str>, Uuid),
        (page, shown): (&str, &Shown),
    ) -> Answer<Self> {
        let begun = cursor::read_time(SESSION, Some(&shown.sessions)).unwrap_or_default();
        let made = cursor::read_time(TOKEN, Some(&shown.tokens)).unwrap_or_default();
        let mut sessions = sessions::page(conn, (name, begun), PAGE + 1, actor, asking).await?;
        let more_sessions =
            cut(&mut sessions, |session| cursor::write_time(SESSION, session.begun_at, session.id));
        let mut tokens = stored_tokens::page(conn, Some(user), made, PAGE + 1).await?;
        let more_tokens = cut(&mut tokens, |token| cursor::write_time(TOKEN, token.created_at, token.id));
        // What is no cursor has led to the beginning.
        let parts = Parts {
            page,
            sessions: begun.map(|_| shown.sessions.as_str()),
            tokens: made.map(|_| shown.tokens.as_str()),
        };
        let (session_ends, token_ends) = parts.ends(more_sessions.as_deref(), more_tokens.as_deref());
        Ok(Self {
            sessions: sessions.into_iter().map(seen).collect(),
            tokens: tokens.into_iter().map(|token| token_seen(token.into())).collect(),
            session_ends,
            token_ends,
        })
    }
}

/// A page with a part of its sessions and a part of its tokens, each behind a cursor.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    /// The page.
    page: &'a str,
    /// Behind which session.
    sessions: Option<&'a str>,
    /// Behind which token.
    tokens: Option<&'a str>,
}

impl Parts<'_> {
    fn address(&self, anchor: &str) -> String {
        let part = |name: &str, after: Option<&str>| after.map(|after| format!("{name}={after}"));
        let parts: Vec<String> =
            [part("sessions", self.sessions), part("tokens", self.tokens)].into_iter().flatten().collect();
        let mark = if parts.is_empty() { "" } else { "?" };
        format!("{}{mark}{}#{anchor}", self.page, parts.join("&"))
    }

    /// The ways to other sessions beside the same tokens, and to other tokens beside the same sessions.
    fn ends(self, more_sessions: Option<&str>, more_tokens: Option<&str>) -> (Ends, Ends) {
        let Parts { page, sessions: at_sessions, tokens: at_tokens } = self;
        let sessions = |sessions| Parts { page, sessions, tokens: at_tokens }.address("sessions-h");
        let tokens = |tokens| Parts { page, sessions: at_sessions, tokens }.address("tokens-h");
        (
            Ends::new(
                "sessions",
                at_sessions.map(|_| sessions(None)),
                more_sessions.map(|next| sessions(Some(next))),
            ),
            Ends::new("tokens", at_tokens.map(|_| tokens(None)), more_tokens.map(|next| tokens(Some(next)))),
        )
    }
}

/// A session as pages take it.
pub(super) fn seen(session: SessionView) -> SessionSeen {
    SessionSeen {
        id: session.id.to_string(),
        begun_at: session.begun_at,
        last_used_at: session.last_used_at,
        address: session.address,
        user_agent: session.user_agent,
        this: session.this,
    }
}

/// A token as pages take it.
pub(super) fn token_seen(token: TokenView) -> TokenSeen {
    TokenSeen {
        id: token.id.to_string(),
        name: token.name,
        scopes: token.scopes,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        revoked_at: token.revoked_at,
    }
}
