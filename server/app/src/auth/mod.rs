//! Who is asking: the session cookie of a browser, or the bearer token of a machine.

pub mod cookie;
pub mod oidc;
pub mod own_password;
pub mod passwords;
pub mod reader;
pub mod setup;
pub mod sign_in;
pub mod tokens;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use muster_domain::people::{Actor, Scope, narrow};
use muster_store::{
    sessions,
    tokens::{self as api_tokens, Token},
};
use muster_web::following::BY_ITSELF;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{app::App, http::Answer};
use tokens::Audience;

/// Seconds without a request of somebody after which a session is over.
pub(crate) const IDLE_SECONDS: f64 = 2.0 * 3600.0;

/// Who made a request. What a page does by itself is no use of a session: a screen left open would keep it as long as it may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Somebody, or a program of theirs.
    BySomebody,
    /// A page that follows something, to show it as it is now; or another site, which nobody here meant.
    ByItself,
}

impl Made {
    /// Nothing here is asked for by htmx but by pages that follow, and only they ask for an address with their mark. Whoever marks a
    /// request otherwise shortens their own session.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap, uri: &Uri) -> Self {
        let marked = || uri.query().is_some_and(|query| query.split('&').any(|part| part == BY_ITSELF));
        match *method == Method::GET && (headers.contains_key("hx-request") || marked()) {
            true => Self::ByItself,
            false => Self::BySomebody,
        }
    }
}

/// What the credentials of a request amount to.
#[derive(Debug)]
pub enum Identity {
    /// None were sent.
    Nobody,
    /// Some were sent and do not count: forged, ended, revoked.
    Refused,
    /// Somebody.
    Person(Box<Signed>),
}

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who acts.
    pub actor: Actor,
    /// By what.
    pub session: SessionRef,
    /// Seconds since they signed in or gave their password again; `None` by an API token.
    pub shown_seconds_ago: Option<f64>,
    /// A browser's token is past half of its time and is replaced with the answer.
    renew: bool,
}

/// The session or token a request came by; in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRef {
    /// A session, of a browser or of `muster login`.
    Session(Uuid),
    /// An API token.
    Token(Uuid),
}

impl Identity {
    /// Who acts, if anybody does.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Person(signed) => Some(&signed.actor),
            Self::Nobody | Self::Refused => None,
        }
    }

    /// Whether a session stands behind it, which can be confirmed by a password.
    #[must_use]
    pub fn has_session(&self) -> bool {
        matches!(self, Self::Person(signed) if matches!(signed.session, SessionRef::Session(_)))
    }

    /// The cookie with a fresh token, when it is due.
    #[must_use]
    pub fn renewed_cookie(&self, app: &App) -> Option<HeaderValue> {
        match self {
            Self::Person(signed) if signed.renew => match signed.session {
                SessionRef::Session(sid) => cookie::set(app, sid).ok(),
                SessionRef::Token(_) => None,
            },
            Self::Person(_) | Self::Nobody | Self::Refused => None,
        }
    }
}

/// Finds out who is asking, and notes that their session is used if somebody does.
///
/// # Errors
/// When the database cannot be asked: nobody is let in on a guess.
pub async fn identify(app: &App, headers: &HeaderMap, made: Made) -> Answer<Identity> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return match value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")) {
            Some(token) => by_bearer(app, token.trim(), made).await,
            None => Ok(Identity::Refused),
        };
    }
    match cookie::read(app, headers) {
        Some(token) => by_cookie(app, &token, made).await,
        None => Ok(Identity::Nobody),
    }
}

async fn by_bearer(app: &App, token: &str, made: Made) -> Answer<Identity> {
    let now = chrono::Utc::now().timestamp();
    if let Some(claims) = app.tokens.read(Audience::Machine, token) {
        if claims.exp <= now {
            return Ok(Identity::Refused);
        }
        return by_session(app, claims.sid, false, made).await;
    }
    let hash = muster_domain::hash::sha256_hex(token.as_bytes());
    let mut conn = app.pool.acquire().await?;
    match api_tokens::get_live(&mut conn, &hash).await? {
        Some((kept, actor)) if !is_for_calendar(&kept) => by_token(&mut conn, kept, actor).await,
        Some(_) | None => Ok(Identity::Refused),
    }
}

/// Who asks by a key in the address. Addresses end up in other people's programs and logs, so only tokens that read the
/// calendar and nothing else count here, and they count nowhere else.
///
/// # Errors
/// When the database cannot be asked.
pub async fn identify_by_key(app: &App, key: &str) -> Answer<Identity> {
    let hash = muster_domain::hash::sha256_hex(key.as_bytes());
    let mut conn = app.pool.acquire().await?;
    match api_tokens::get_live(&mut conn, &hash).await? {
        Some((kept, actor)) if is_for_calendar(&kept) => by_token(&mut conn, kept, actor).await,
        Some(_) | None => Ok(Identity::Refused),
    }
}

fn is_for_calendar(token: &Token) -> bool {
    token.scopes.iter().any(|scope| scope == Scope::Calendar.as_str())
}

async fn by_token(conn: &mut PgConnection, kept: Token, actor: Actor) -> Answer<Identity> {
    api_tokens::touch(conn, kept.id).await?;
    let actor = narrowed(&kept, actor);
    let session = SessionRef::Token(kept.id);
    Ok(Identity::Person(Box::new(Signed { actor, session, shown_seconds_ago: None, renew: false })))
}

/// What a token leaves of the rights of whoever made it.
fn narrowed(kept: &Token, actor: Actor) -> Actor {
    // A word nobody knows any more gives nothing, but must not read as "all of them".
    let scopes: Vec<Scope> =
        kept.scopes.iter().map(|word| Scope::parse(word).unwrap_or(Scope::Read)).collect();
    Actor { grants: narrow(actor.grants, &scopes), ..actor }
}

async fn by_cookie(app: &App, token: &str, made: Made) -> Answer<Identity> {
    let now = chrono::Utc::now().timestamp();
    let Some(claims) = app.tokens.read(Audience::Browser, token) else { return Ok(Identity::Refused) };
    // An old token of a session that is still alive is replaced: the row decides, the token only names it.
    let renew = claims.exp - now < tokens::BROWSER_MINUTES * 30;
    by_session(app, claims.sid, renew, made).await
}

async fn by_session(app: &App, sid: Uuid, renew: bool, made: Made) -> Answer<Identity> {
    let mut conn = app.pool.acquire().await?;
    let Some(signed) = sessions::get_live(&mut conn, sid, IDLE_SECONDS).await? else {
        return Ok(Identity::Refused);
    };
    match made {
        Made::BySomebody => sessions::touch(&mut conn, sid).await?,
        Made::ByItself => {}
    }
    Ok(Identity::Person(Box::new(Signed {
        actor: signed.actor,
        session: SessionRef::Session(sid),
        shown_seconds_ago: Some(signed.stepped_up_seconds_ago),
        renew,
    })))
}
